"""Pascal VOC: an XML file an image, boxes that count from 1 and include their last pixel."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import FormatError
from ..frames import BOX
from ..limits import DEFAULT_LIMITS, Limits
from ..painting import kinds
from ._files import FolderOut, progress_bar
from ._folders import file_paths, full_boxes, images_frame, split_path
from ._growth import check_rows
from ._load import FolderIn
from ._records import check_finite, grouped, report_columns, values_out
from ._report import Losses, OnLoss
from ._texts import names_bad_texts
from ._values import column_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from .label_set import Folder, LabelSet

__all__ = ["read_voc", "to_voc"]

MOST_XML = 2**24
MORE = ("pose", "truncated", "difficult", "occluded")
"""What the format says of an object besides; columns of these names."""


@names_bad_texts("source")
def read_voc(source: Folder, *, progress: bool = True, limits: Limits = DEFAULT_LIMITS) -> LabelSet:
    """Read a folder of Pascal VOC annotations.

    Boxes become half-open and count from 0: ``xmin`` 1 is ``x_min`` 0, ``xmax`` 4 is ``x_max`` 4. The parts of objects
    are left out.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder; each folder below it is a dataset (below ``Annotations``, where there is such a folder).
    progress : bool
        Whether to show a progress bar.
    limits : Limits
        How many labels there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        Images are called ``<dataset>/<filename>``, labels are numbered from 1, classes are called by their names and
        come in the order of the alphabet. ``pose``, ``truncated``, ``difficult`` and ``occluded`` are columns.

    Raises
    ------
    FormatError
        XML that is broken or plays tricks with entities, an object without name or box; with file and object.
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

    names: list[tuple[str, str]] = []
    sizes: list[tuple[int, int]] = []
    objects: list[dict[str, Any]] = []
    owner: list[int] = []
    with FolderIn(source, limits) as folder:
        paths = [path for path in folder.paths if path.suffix.lower() == ".xml"]
        for path in progress_bar(paths, "VOC", progress):
            root = _parsed(folder, path)
            file = _Xml(folder.name, path)
            names.append((split_path(path, skip="Annotations")[0], file.text(root, "filename")))
            sizes.append((file.whole(root, "size/width"), file.whole(root, "size/height")))
            found = [file.object(element, number) for number, element in enumerate(root.iter("object"), start=1)]
            objects += found
            owner += [len(names) - 1] * len(found)
            check_rows(len(objects), folder.name, "labels", limits)
        images = images_frame(names, sizes)
        if images.index.has_duplicates:
            twice = images.index[images.index.duplicated()][0]
            raise FormatError(folder.name, f"image {twice!r}", "two files are about it", "Leave one of them out")
    classes = sorted({found["name"] for found in objects})
    class_frame = pd.DataFrame({"name": classes, "class_type": "object"}, index=pd.Index(classes, dtype="str"))
    columns: dict[str, Any] = {
        "image_id": images.index.take(np.array(owner, np.int64)),
        "class_name": [found["name"] for found in objects],
        **{key: np.array([found[key] for found in objects], dtype=float) for key in BOX},
        **{key: column_of([f.get(key) for f in objects]).array for key in MORE if any(key in f for f in objects)},
    }
    labels = pd.DataFrame(columns, index=pd.RangeIndex(1, len(objects) + 1).astype("str"))
    return LabelSet(images, labels, class_frame.assign(norder=np.arange(1.0, len(classes) + 1)))


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


class _Xml:
    """Values of the elements of one file."""

    def __init__(self, folder: str, path: PurePosixPath) -> None:
        self.folder, self.path = folder, path

    def text(self, element: Element, name: str, place: str = "") -> str:
        text = (element.findtext(name) or "").strip()
        if not text:
            raise self.wrong(place, f"{name!r} is missing")
        return text

    def number(self, element: Element, name: str, place: str = "") -> float:
        text = self.text(element, name, place)
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if not abs(number) < 2**31:
            raise self.wrong(place, f"{name!r} is {text[:40]!r} and should be a number of pixels")
        return number

    def whole(self, element: Element, name: str) -> int:
        number = self.number(element, name)
        if number < 0 or number != int(number):
            raise self.wrong("", f"{name!r} is {number:g} and should be a whole number")
        return int(number)

    def object(self, element: Element, number: int) -> dict[str, Any]:
        place = f", object {number}"
        corners = [self.number(element, f"bndbox/{name}", place) for name in ("xmin", "ymin", "xmax", "ymax")]
        values: dict[str, Any] = {"name": self.text(element, "name", place)}
        values |= dict(zip(BOX, (corners[0] - 1, corners[1] - 1, *corners[2:]), strict=True))
        for name in MORE:
            text = element.findtext(name)
            if text is not None and text.strip():
                values[name] = int(text) if text.strip() in {"0", "1"} else text.strip()
        return values

    def wrong(self, place: str, problem: str) -> FormatError:
        return FormatError(self.folder, f"{self.path}{place}", problem, "Correct it or leave it out")


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


CORNERS = ("xmin", "ymin", "xmax", "ymax")


def _xml(text: str) -> str:
    if any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        raise FormatError("VOC", f"text {text!r}", "XML cannot hold its control characters", "Rename it")
    from xml.sax.saxutils import escape

    return escape(text)
