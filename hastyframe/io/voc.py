"""Pascal VOC: an XML file an image, boxes that count from 1 and include their last pixel."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import FormatError
from ..images import SUFFIXES
from ..limits import DEFAULT_LIMITS, Limits
from ..painting import kinds
from ..paths import name_key
from ._files import FolderOut, progress_bar
from ._folders import (
    PICTURES,
    ImageNames,
    file_paths,
    full_boxes,
    images_frame,
    known_images,
    pictures_in,
    read_size,
    split_path,
)
from ._growth import check_rows
from ._load import FolderIn
from ._problems import OnError, Problems
from ._records import check_finite, grouped, report_columns, values_out
from ._report import Losses, OnLoss
from ._shapes import bare
from ._texts import names_bad_texts
from ._values import column_of
from ._voc_xml import CORNERS, VocObject, XmlFile, shape_columns

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from .label_set import Folder, LabelSet

__all__ = ["read_voc", "to_voc"]

MOST_XML = 2**24
MORE = ("pose", "truncated", "difficult", "occluded")
"""What the format says of an object besides; columns of these names."""


@names_bad_texts("source")
def read_voc(
    source: Folder,
    images: Folder | LabelSet | pd.DataFrame | None = None,
    *,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    progress: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read a folder of Pascal VOC annotations.

    Boxes become half-open and count from 0: ``xmin`` 1 is ``x_min`` 0, ``xmax`` 4 is ``x_max`` 4. Where an ``xmin`` or
    ``ymin`` is 0, the whole data set counts from 0, and boxes are taken as they stand. A ``polygon`` of an object is
    taken as well; it grows to the outer edges of its pixels as the box does. The parts of objects are left out.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder; each folder below it is a dataset (below ``Annotations``, where there is such a folder).
    images : path, zipfile.ZipFile, LabelSet or pandas.DataFrame, optional
        The pictures, in folders of the same names (below ``JPEGImages`` or ``images``), or a frame with ``name``,
        ``dataset_name``, ``width`` and ``height``: the images of the label set. By default these are what the files
        say, and pictures in `source` are opened for sizes that they do not say.
    errors : {"raise", "skip"}
        Whether files and objects that are wrong are named in an error, all of them, or are left out and listed in
        ``skipped`` of the label set.
    on_loss : {"warn", "ignore", "raise"}
        What to do where the data set counts from 0.
    progress : bool
        Whether to show a progress bar.
    limits : Limits
        How many labels there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        Images are called ``<dataset>/<filename>``, or by the XML's own name where it has no ``filename``; labels are
        numbered from 1, classes are called by their names and come in the order of the alphabet. ``pose``,
        ``truncated``, ``difficult`` and ``occluded`` are columns.

    Raises
    ------
    FormatError
        XML that is broken or plays tricks with entities, an object without name or place, a box that ends before it
        begins; with file and object. A folder without XML.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import hastyframe.io as hio
    >>> xml = (
    ...     "<annotation><filename>a.jpg</filename><size><width>8</width><height>4</height></size><object>"
    ...     "<name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>2</ymax></bndbox>"
    ...     "</object></annotation>"
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.xml").write_text(xml)
    ...     label_set = hio.read_voc(folder, progress=False)
    >>> label_set.labels.loc["1", ["x_min", "y_min", "x_max", "y_max"]].tolist()
    [0.0, 0.0, 4.0, 2.0]
    """
    from .label_set import LabelSet

    problems = Problems(errors)
    losses = Losses("Pascal VOC counts from 1, and this data set from 0", on_loss)
    objects: list[VocObject] = []
    owner: list[int] = []
    with FolderIn(source, limits) as folder:
        owners = _Owners(folder, images, progress, problems)
        paths = [path for path in folder.paths if path.suffix.lower() == ".xml"]
        if not paths and not owners.told_of_none:
            raise folder.without("annotation (.xml)")
        for path in progress_bar(paths, "VOC", progress):
            with problems.noting():
                root = _parsed(folder, path)
                row = owners.row(path, root)
                file = XmlFile(folder.name, path)
                found = []
                for number, element in enumerate(root.iter("object"), start=1):
                    with problems.noting():
                        found.append(file.object(element, number, MORE))
                objects += found
                owner += [row] * len(found)
            check_rows(len(objects), folder.name, "labels", limits)
        frame = owners.frame()
    problems.throw()
    names = [found.name for found in objects]
    classes = sorted(set(names))
    class_frame = pd.DataFrame({"name": classes, "class_type": "object"}, index=pd.Index(classes, dtype="str"))
    more = {key: [found.more.get(key) for found in objects] for key in MORE}
    columns: dict[str, Any] = {
        "image_id": frame.index.take(np.array(owner, np.int64)),
        "class_name": names,
        **shape_columns(objects, losses),
        **{key: column_of(values).array for key, values in more.items() if any(value is not None for value in values)},
    }
    losses.report()
    index = pd.RangeIndex(1, len(objects) + 1).astype("str")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    class_frame = class_frame.assign(norder=np.arange(1.0, len(classes) + 1))
    return LabelSet(frame, labels, class_frame, skipped=problems.frame)


def _parsed(folder: FolderIn, path: PurePosixPath) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    data = folder.read(path, MOST_XML)
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        problem = f"its XML cannot be read: {error or type(error).__name__}"
        raise FormatError(folder.name, str(path), problem, "Write it again, without entities") from None
    return root


class _Owners:
    """The images that the files are about: those that were given, else what the files and the pictures say of them."""

    def __init__(
        self, folder: FolderIn, images: Folder | LabelSet | pd.DataFrame | None, progress: bool, problems: Problems
    ) -> None:
        self._folder = folder
        self._given = None if images is None else known_images(images, progress, folder.limits, problems)
        self._pictures = list(pictures_in(folder)) if images is None else []
        places = [split_path(path, *PICTURES) for path in self._pictures]
        known = images_frame(places, [(0, 0)] * len(places)) if self._given is None else self._given
        self._known = ImageNames(known)
        self._names: list[tuple[str, str]] = []
        self._sizes: list[tuple[int, int]] = []
        self._files: dict[str, PurePosixPath] = {}

    def row(self, path: PurePosixPath, root: Element) -> int:
        """Find or add the image that a file is about."""
        file = XmlFile(self._folder.name, path)
        if all(root.find(name) is None for name in ("filename", "size", "object")):
            raise file.wrong("", f"it is <{root.tag[:40]}> and says nothing of an image", "Leave it out")
        dataset, _ = split_path(path, "annotations")
        name = (root.findtext("filename") or "").strip()
        found = self._found(dataset, name, path.stem)
        if self._given is not None:
            if found is None:
                raise file.wrong("", "there is no image of this name", "Give its picture in images")
            self._once(str(found), path, file)
            return found
        picture = None if found is None else self._pictures[found]
        size = file.size(root)
        if size is None and picture is None:
            remedy = "Put the pictures beside, or give images"
            raise file.wrong("", "'size' is missing, and there is no picture of this name", remedy)
        if picture is not None and (size is None or 0 in size):
            size = read_size(self._folder, picture)
        name = _name(name, picture, path.stem)
        self._once(name_key(f"{dataset}/{name}"), path, file)
        self._names.append((dataset, name))
        self._sizes.append(size or (0, 0))
        return len(self._names) - 1

    @property
    def told_of_none(self) -> bool:
        """Whether the images were given, and there are none."""
        return self._given is not None and not len(self._given)

    def frame(self) -> pd.DataFrame:
        """Make the frame of all images."""
        return images_frame(self._names, self._sizes) if self._given is None else self._given

    def _found(self, dataset: str, name: str, stem: str) -> int | None:
        tries = (self._known.row(dataset, each) for each in dict.fromkeys((name, _last(name), stem)) if each)
        return next((row for row in tries if row is not None), None)

    def _once(self, image: str, path: PurePosixPath, file: XmlFile) -> None:
        if image in self._files:
            problem = f"two files are about its image, the other one is {self._files[image]}"
            raise file.wrong("", problem, "Leave one of them out")
        self._files[image] = path


def _name(name: str, picture: PurePosixPath | None, stem: str) -> str:
    """Call an image as the file does; where that is no name with a suffix, or a path of some computer, as is known."""
    if picture is not None and PurePosixPath(name).suffix.lower() not in SUFFIXES:
        return picture.name
    absolute = re.match(r"[a-zA-Z]:[\\/]|[\\/]", name)
    return (_last(name) if absolute else name) or stem


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


@names_bad_texts("folder")
def to_voc(label_set: LabelSet, folder: Folder, *, on_loss: OnLoss = "warn", progress: bool = True) -> None:
    """Write Pascal VOC annotations: ``<dataset>/<stem>.xml``.

    Parameters
    ----------
    label_set : LabelSet
        What to write. Columns ``pose``, ``truncated``, ``difficult`` and ``occluded`` are carried.
    folder : path or zipfile.ZipFile
        Where to; a path that ends in ``.zip`` becomes an archive.
    on_loss : {"warn", "ignore", "raise"}
        What to do about masks, polygons and columns, which the format cannot carry, and classes without labels.
    progress : bool
        Whether to show a progress bar.
    """
    images, labels = label_set.images, label_set.labels
    kind = kinds(labels)
    losses = Losses("Pascal VOC cannot carry", on_loss)
    losses.add(int(kind.isin(["mask", "parts", "polygon"]).sum()), "masks and polygons, which become their boxes")
    losses.add(int((kind == "nothing").sum()), "labels without place")
    unused = len(label_set.label_classes) - labels["class_id"].nunique()
    losses.add(unused, "classes that no label has")
    report_columns(losses, label_set, images=("status", "external_id"), labels=("z_index", "external_id"), carried=MORE)
    objects = grouped(_objects(labels), images.index.get_indexer(labels["image_id"]), len(images))
    with FolderOut(folder) as out:
        paths = file_paths(images, ".xml", out.name)
        heads = zip(images["name"].tolist(), *(_sizes(images[side]) for side in ("width", "height")), strict=True)
        for path, (name, width, height), found in zip(
            progress_bar(paths, "VOC", progress), heads, objects, strict=True
        ):
            out.write(
                path,
                f"<annotation><folder>{_xml(str(path.parent))}</folder><filename>{_xml(name)}</filename>"
                f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
                f"{''.join(found)}</annotation>\n".encode(),
            )
    losses.report()


def _sizes(column: pd.Series[Any]) -> list[int]:
    return column.fillna(0).astype(int).tolist()


def _objects(labels: pd.DataFrame) -> list[str]:
    """One element a label; an empty text for one without place."""
    check_finite(labels)
    boxes = full_boxes(labels)
    boxes[:, :2] += 1
    more = {name: values_out(labels[name]) for name in MORE if name in labels}
    out = []
    for row, (name, box) in enumerate(zip(labels["class_name"].astype("str").tolist(), boxes.tolist(), strict=True)):
        if math.isnan(box[0]):
            out.append("")
            continue
        corners = (f"<{tag}>{value:.17g}</{tag}>" for tag, value in zip(CORNERS, box, strict=True))
        said = (f"<{tag}>{_xml(str(values[row]))}</{tag}>" for tag, values in more.items() if values[row] is not None)
        out.append(f"<object><name>{_xml(name)}</name>{''.join(said)}<bndbox>{''.join(corners)}</bndbox></object>")
    return out


def _xml(text: str) -> str:
    if any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        raise FormatError("VOC", f"text {text!r}", "XML cannot hold its control characters", "Rename it")
    from xml.sax.saxutils import escape

    return escape(text)
