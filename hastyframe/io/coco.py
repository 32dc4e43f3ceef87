"""COCO: instances and detections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..entities import Image, Label, LabelClass, Prediction
from ..errors import FormatError, ValidationException
from ..limits import DEFAULT_LIMITS, Limits
from ..painting import kinds
from ._coco_shapes import Segments, check_painting, segments_in, shapes_in, shapes_out, with_sizes
from ._coco_text import OWN_ID, parse_coco, parse_detections
from ._files import name_of, write_json
from ._fingerprint import fingerprint
from ._growth import check_depth
from ._integrity import check_label_set, complete
from ._lists import COCO_ID, KEPT
from ._load import load_json, unhurried_gc
from ._problems import OnError, Problems
from ._records import DATASET, own_columns, own_numbers, records, says_something, values_out
from ._report import Losses, OnLoss
from ._shapes import bare
from ._texts import names_bad_texts
from ._values import CHECK, Columns, Table, blanked, further_columns, sifted, whole_id

if TYPE_CHECKING:
    from .label_set import File, LabelSet, Painting, Segmentation, Source

__all__ = ["load_detections", "read_coco", "read_coco_detections", "to_coco"]


@unhurried_gc()
@names_bad_texts("source")
def read_coco(
    source: Source,
    *,
    segmentation: bool = True,
    masks: Painting = "center",
    dataset: str = DATASET,
    file: str | None = None,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read COCO instances.

    Ids stay what they are, as texts: 1, 1.0 and NumPy's 1 are ``"1"``. Of a file of :meth:`LabelSet.to_coco` they are
    those that were written, and the column ``coco_id`` of images and classes has the numbers of the file.
    Keys that COCO does not define become columns.
    The labels have, besides their usual columns, ``iscrowd`` and ``area`` as the file has them. A polygon of one part
    stays a polygon; what has several parts becomes a mask, since a label has one ring, and so do run-lengths. Parts
    unite: what two of them cover belongs to the object. A mask stands in its tight box of whole pixels. So that the
    same file can be written again, ``parts`` keeps the rings, ``file_bbox`` the file's own box where it differs, and
    ``as_read`` a number that tells :meth:`LabelSet.to_coco` whether box, polygon and mask are still those of the file.

    Odd ways to write a file that have one meaning are read: an image without ``file_name`` is called as its
    ``coco_url`` ends; one without width and height has those of its run-lengths; of two categories of one name the one
    without annotations goes; parts of fewer than three vertices go, and the label has its box. What goes is said.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile or dict
        The file, an archive with it, or what it says.
    segmentation : bool
        With False the file's segmentations are passed over unread: labels have boxes, to the last digit, areas and
        classes, but no polygons, parts and masks. That is all that an evaluation of boxes takes, and the quickest way.
        What is written from such a label set has boxes only; :meth:`LabelSet.to_coco` says so.
    masks : {"center", "coco"} or None
        How to paint what has several parts: the pixels whose centres lie inside of one, or those that pycocotools
        paints. With None nothing becomes a mask: labels have polygons and their boxes to the last digit,
        which is quicker; run-lengths are boxes then, and left out.
    dataset : str
        Dataset of the images that name none.
    file : str, optional
        Which file of an archive that has several.
    errors : {"raise", "skip"}
        What to do about bad images, categories and annotations: name all of them in one error, or leave them out and
        list them in the label set's ``skipped``.
    on_loss : {"warn", "ignore", "raise"}
        What to do about several parts, parts of fewer than three vertices, and keys that are called like columns of
        a labels frame.
    limits : Limits
        How many rows and how deep lists there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        ``info`` and ``licenses`` are in its ``info``.

    Raises
    ------
    ValidationException
        Another rule for `masks`.
    FormatError
        Whatever is wrong with the file, with its place: ids twice or missing, images and categories that are referred
        to and absent, run-lengths that do not fit their image. All bad rows are in its ``problems``. With
        ``segmentation=False`` an annotation without a box, and nothing about segmentations.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import hastyframe.io as hio
    >>> label_set = hio.read_coco(
    ...     {
    ...         "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 4}],
    ...         "categories": [{"id": 18, "name": "dog"}],
    ...         "annotations": [{"id": 5, "image_id": 1, "category_id": 18, "bbox": [1, 0, 4.5, 3], "iscrowd": 0}],
    ...     }
    ... )
    >>> print(label_set.labels.loc["5", ["class_name", "x_max", "iscrowd"]].to_string())
    class_name      dog
    x_max           5.5
    iscrowd       False
    """
    from .label_set import LabelSet

    check_painting(masks)
    problems = Problems(errors)
    data, name = load_json(source, file=file, parse=partial(parse_coco, segmentation=segmentation), limits=limits)
    if not isinstance(data, Mapping):
        is_list = isinstance(data, list | tuple)
        what, remedy = ("a bare list", "Read detections with read_coco_detections") if is_list else ("no object", CHECK)
        raise FormatError(name, "", f"it is {what} and not COCO instances", remedy)
    losses = Losses(f"Labels cannot carry all of {name}", on_loss)
    images, classes, annotations = (
        Table(data.get(key, empty), name, key, limits=limits, problems=problems)
        for key, empty in (("images", None), ("categories", None), ("annotations", []))
    )
    segments = None
    if segmentation:  # first, so that the text of the file can go
        segments, annotations = sifted(segments_in, annotations, problems, losses)
    image_frame, _ = sifted(lambda table: _images(table, dataset, losses), images, problems, losses)
    class_frame, _ = sifted(lambda table: _classes(table, annotations, losses), classes, problems, losses)
    numbers = annotations.numbers_of_rows

    def labels_in(table: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
        own = segments and segments.kept(np.isin(numbers, table.numbers_of_rows))
        image_rows = table.refer("image_id", image_frame.index, "images")
        sized = with_sizes(image_frame, image_rows, own)
        return sized, _labels(table, own, (sized, image_rows), class_frame, masks, losses)

    (image_frame, labels), _ = sifted(labels_in, annotations, problems, losses)
    problems.throw()
    losses.report()
    _give_own_ids(image_frame, labels, class_frame)
    info = {key: data[key] for key in ("info", "licenses") if key in data} | ({} if segmentation else _UNREAD)
    check_depth(info, name, "info", limits)
    return LabelSet(image_frame, labels, class_frame, info=info, skipped=problems.frame)


def _labels(
    table: Table,
    segments: Segments | None,
    images: tuple[pd.DataFrame, NDArray[np.int64]],
    classes: pd.DataFrame,
    masks: Painting,
    losses: Losses,
) -> pd.DataFrame:
    """Make labels of annotations; `images` are all of them and whose each annotation is."""
    frame, image_rows = images
    class_rows = table.refer("category_id", classes.index, "categories")
    sizes = frame[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]
    columns = {
        "image_id": frame.index.take(image_rows),
        "class_id": classes.index.take(class_rows),
        "class_name": pd.Categorical.from_codes(class_rows, pd.Index(classes["name"])),
        **shapes_in(table, segments, sizes, masks, losses),
        "iscrowd": table.numbers("iscrowd") == 1,
        **further_columns(table, _KEYS, Label, ("z_index", "external_id"), losses),
    }
    index = table.index("id")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    labels["as_read"] = pd.array(fingerprint(labels), dtype="Int64")
    return labels


def _give_own_ids(images: pd.DataFrame, labels: pd.DataFrame, classes: pd.DataFrame) -> None:
    """Give rows the ids that they had before they were written with numbers."""
    for frame, column in ((images, "image_id"), (classes, "class_id"), (labels, None)):
        if OWN_ID not in frame or frame[OWN_ID].dtype != "str" or not frame[OWN_ID].is_unique:
            continue
        if frame[OWN_ID].hasnans:
            continue
        numbers, ids = frame.index, pd.Index(frame.pop(OWN_ID))
        frame.index = ids.rename(None)
        if column is not None:
            frame[COCO_ID] = numbers
            labels[column] = ids.take(numbers.get_indexer(labels[column]))


_UNREAD = {"segmentation": "not read"}
"""What tells in the ``info`` of a label set that its file has more than the labels."""


def _images(table: Table, dataset: str, losses: Losses) -> pd.DataFrame:
    columns = {
        "name": pd.Series(_file_names(table), dtype="str"),
        "width": table.sizes("width"),
        "height": table.sizes("height"),
    }
    declared = ("dataset_name", "status", "public_url", "external_id")
    columns |= further_columns(table, ("id", "file_name", "width", "height"), Image, declared, losses)
    if "dataset_name" in columns:
        columns["dataset_name"] = columns["dataset_name"].fillna(dataset)
    else:
        columns["dataset_name"] = pd.Categorical(pd.Index([dataset] * len(table), dtype="str"))
    return pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=table.index("id"))


def _file_names(table: Table) -> list[str | None]:
    """Names of image files: where one is missing, the last part of its ``coco_url``."""
    names, addresses = table.texts("file_name"), blanked(table.get("coco_url"))
    if None not in names:
        return names
    found = [
        name if name is not None or not isinstance(address, str) else _last_part(address) or None
        for name, address in zip(names, addresses, strict=True)
    ]
    if None in found:
        missing = [row for row, name in enumerate(found) if name is None]
        raise table.all_wrong(missing, "'file_name' is missing", "Give every row its 'file_name'")
    return found


def _last_part(address: str) -> str:
    return unquote(urlsplit(address).path).rpartition("/")[2]


def _classes(table: Table, annotations: Table, losses: Losses) -> pd.DataFrame:
    table = _without_unused_twins(table, annotations, losses)
    columns = {"name": pd.Series(table.texts("name", needed=True), dtype="str")}
    declared = ("color", "class_type", "norder", "external_id")
    columns |= further_columns(table, ("id", "name"), LabelClass, declared, losses)
    if (twice := columns["name"].duplicated().to_numpy()).any():
        raise table.all_wrong(twice, "its name is there twice", "Give every category a name of its own")
    columns.setdefault("norder", pd.Series(np.arange(1.0, len(table) + 1)))
    columns["class_type"] = columns.get("class_type", pd.Series([None] * len(table), dtype="str")).fillna("object")
    return pd.DataFrame(columns).set_index(table.index("id"))


def _without_unused_twins(table: Table, annotations: Table, losses: Losses) -> Table:
    """Leave out categories without annotations whose name another one has, as the root that Roboflow writes."""
    names = pd.Series(table.texts("name"), dtype="str")
    if not names.duplicated().any():
        return table
    used = table.index("id").isin({str(id_) for id_ in map(whole_id, annotations.get("category_id"))})
    kept = used | ~names.isin(names[used])
    gone = ~kept | (~used & names.duplicated()).to_numpy()
    losses.add(int(gone.sum()), f"categories without annotations called as another is: {_few(names[gone])}")
    return table.without(np.flatnonzero(gone).tolist()) if gone.any() else table


def _few(names: pd.Series[str]) -> str:
    first = ", ".join(map(repr, names.unique()[:5]))
    return first + ", …" if names.nunique() > 5 else first


_KEYS = ("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd")


@unhurried_gc()
@names_bad_texts("source")
def read_coco_detections(
    source: Source,
    label_set: LabelSet,
    *,
    segmentation: bool = True,
    masks: Painting = "center",
    file: str | None = None,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> pd.DataFrame:
    """Read COCO detections, the results of a model.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile or list
        A list of ``{image_id, category_id, bbox | segmentation, score}``.
    label_set : LabelSet
        What they are detections on: the ids are those of its images and classes. Detections of other classes are left
        out, and said; they count in no figure of the others.
    segmentation, masks, file, limits
        As in :func:`read_coco`.
    errors : {"raise", "skip"}
        What to do about bad detections: name all of them in one error, or leave them out; ``attrs["skipped"]`` of the
        frame lists them then, as dicts.
    on_loss : {"warn", "ignore", "raise"}
        As in :func:`read_coco`, and about detections of other classes.

    Returns
    -------
    pandas.DataFrame
        Predictions, indexed by ``prediction_id``, which is the place in the file, counted from 0.

    Raises
    ------
    FormatError, SizeLimitError
        As in :func:`read_coco`; images that the label set does not have.

    Examples
    --------
    >>> import hastyframe.io as hio
    >>> labels = hio.read_coco(
    ...     {
    ...         "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 4}],
    ...         "categories": [{"id": 18, "name": "dog"}],
    ...     }
    ... )
    >>> detections = [{"image_id": 1, "category_id": 18, "bbox": [1, 0, 4, 3], "score": 0.5}]
    >>> print(hio.read_coco_detections(detections, labels)[["image_name", "class_name", "x_max", "score"]])
                  image_name class_name  x_max  score
    prediction_id
    0                  a.jpg        dog    5.0    0.5
    """
    check_painting(masks)
    label_set = check_label_set(label_set, "label_set")._as_it_is_now()
    problems = Problems(errors)
    data, name = load_detections(source, segmentation=segmentation, file=file, limits=limits)
    if isinstance(data, Mapping) and not isinstance(data, Columns):
        raise FormatError(name, "", "it is an object and not a list of detections", "Read instances with read_coco")
    losses = Losses(f"Predictions cannot carry all of {name}", on_loss)
    table = Table(data, name, "detections", limits=limits, problems=problems)
    segments = None
    if segmentation:
        segments, table = sifted(segments_in, table, problems, losses)
    numbers = table.numbers_of_rows
    known, table = sifted(
        lambda some: some.known("category_id", _numbered(label_set.label_classes)), table, problems, losses
    )
    losses.add(int((~known).sum()), "detections of categories that the label set lacks")

    def frame_of(some: Table) -> pd.DataFrame:
        own = segments and segments.kept(np.isin(numbers, some.numbers_of_rows))
        return _predictions(some, own, label_set, masks, losses)

    frame, _ = sifted(frame_of, table.without(np.flatnonzero(~known).tolist()), problems, losses)
    problems.throw()
    losses.report()
    frame = complete(Prediction, frame.drop(columns="area" if frame["area"].isna().all() else []))
    if len(problems):
        frame.attrs["skipped"] = problems.frame.to_dict("records")
    return frame


def load_detections(
    source: Source, *, segmentation: bool = True, file: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[Any, str]:
    """Parse detections, of which nothing is checked yet.

    Parameters
    ----------
    source, segmentation, file, limits
        As in :func:`read_coco_detections`.

    Returns
    -------
    data : object
        A dict of columns, where the file is as such files are; else what the JSON says, or what was given. Either is
        a `source` of :func:`read_coco_detections`.
    name : str
        What to call it.

    Examples
    --------
    >>> import io
    >>> load_detections(io.BytesIO(b'[{"image_id": 7, "score": 0.5}]'))[0]["image_id"]
    [7]
    """
    return load_json(source, file=file, parse=partial(parse_detections, segmentation=segmentation), limits=limits)


def _predictions(
    table: Table, segments: Segments | None, label_set: LabelSet, masks: Painting, losses: Losses
) -> pd.DataFrame:
    images, classes = label_set.images, label_set.label_classes
    image_rows = table.refer("image_id", _numbered(images), "the images of the label set")
    class_rows = table.refer("category_id", _numbered(classes), "the classes of the label set")
    images = with_sizes(images, image_rows, segments)
    sizes = images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]
    columns = {
        "image_id": images.index.take(image_rows),
        "image_name": images["name"].take(image_rows),
        "class_id": classes.index.take(class_rows),
        "class_name": pd.Categorical.from_codes(class_rows, pd.Index(classes["name"])),
        **shapes_in(table, segments, sizes, masks, losses),
        "score": table.numbers("score"),
        **further_columns(table, (*_KEYS, "score"), Prediction, (), losses),
    }
    index = pd.Index(pa.array(table.numbers_of_rows).cast(pa.large_string()), dtype="str")
    return pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)


@names_bad_texts("file")
def to_coco(label_set: LabelSet, file: File, *, segmentation: Segmentation = "keep", on_loss: OnLoss = "warn") -> None:
    """Write a label set as COCO instances.

    Ids that are whole numbers stay. Others are numbered from 1 in the order of the frame, or as the column ``coco_id``
    says, and stand beside under the key ``hasty_id``: :func:`read_coco` gives them back. Columns that COCO has no key
    for (``dataset_name``, ``status``, ``z_index``, your own) become further keys where they hold a value.

    Parameters
    ----------
    label_set : LabelSet
        What to write.
    file : path or binary file
        Where to. A path that ends in ``.zip`` gets an archive with one JSON file in it.
    segmentation : {"keep", "rle"}
        Whether polygons stay polygons, or all become compressed run-lengths, as in the exports of Hasty. Masks are
        compressed run-lengths in both. A label with only a box has an empty segmentation.
    on_loss : {"warn", "ignore", "raise"}
        What to do about attributes and tags, which COCO has no place for, and polygons of labels that have a mask.

    Raises
    ------
    ValidationException
        A mask on an image without width and height, or one that does not fit its box or image.
    """
    labels, file_name = label_set.labels, name_of(file)
    if segmentation not in {"keep", "rle"}:
        raise ValidationException(f'segmentation is "keep" or "rle", not {segmentation!r}.')
    _report(label_set, on_loss)
    image_ids, class_ids, label_ids = map(_numbers, (label_set.images, label_set.label_classes, labels))
    image_rows = label_set.images.index.get_indexer(labels["image_id"])
    class_rows = label_set.label_classes.index.get_indexer(labels["class_id"])
    sizes = label_set.images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]
    segments, boxes, areas = shapes_out(labels, sizes, segmentation, file_name)
    annotations = {
        "id": label_ids,
        "image_id": np.asarray(image_ids)[image_rows].tolist(),
        "category_id": np.asarray(class_ids)[class_rows].tolist(),
        "segmentation": segments,
        "bbox": boxes,
        "area": areas,
        "iscrowd": _crowds(labels),
    }
    images = {
        "id": image_ids,
        "file_name": values_out(label_set.images["name"]),
        "width": values_out(label_set.images["width"]),
        "height": values_out(label_set.images["height"]),
    }
    categories = {"id": class_ids, "name": values_out(label_set.label_classes["name"])}
    data = {
        "info": label_set.info.get("info", {}),
        "licenses": label_set.info.get("licenses", []),
        "images": records(images, _further(Image, label_set.images, image_ids)),
        "annotations": records(annotations, _further(Label, labels, label_ids)),
        "categories": records(categories, _further(LabelClass, label_set.label_classes, class_ids)),
    }
    write_json(file, data, "coco.json")


def _report(label_set: LabelSet, on_loss: OnLoss) -> None:
    losses = Losses("COCO cannot carry", on_loss)
    labels, kind = label_set.labels, kinds(label_set.labels)
    for name, what in (("label_attributes", "attribute values"), ("tags", "tags")):
        frame = getattr(label_set, name)
        losses.add(0 if frame is None else len(frame), what)
    if _UNREAD.items() <= label_set.info.items():
        losses.add(int(kind.isin(["box"]).sum()), "segmentations that read_coco(segmentation=False) passed over")
    losses.add(int((labels["mask"].notna() & labels["polygon"].notna()).sum()), "polygons of labels that have a mask")
    losses.add(int(kind.isin(["nothing"]).sum()), "missing places: labels without box, polygon and mask")
    losses.report()


def _numbers(frame: pd.DataFrame) -> list[int]:
    """Ids as whole numbers: as they are, or were in a file of COCO, where all of them are; else from 1."""
    for ids in (frame.index, frame.get(COCO_ID)):
        if ids is not None and (numbers := _whole(pd.Index(ids))) is not None:
            return numbers
    return list(range(1, len(frame) + 1))


def _whole(ids: pd.Index[Any]) -> list[int] | None:
    numbers = pd.to_numeric(ids, errors="coerce")
    are = numbers.dtype.kind in "iu" and numbers.is_unique and (numbers.astype("str") == ids.astype("str")).all()
    return numbers.tolist() if are else None


def _numbered(frame: pd.DataFrame) -> pd.Index[str]:
    """Ids that results of a model have: those of the file that it was fed, where the frame remembers them."""
    if COCO_ID not in frame or _whole(pd.Index(frame[COCO_ID])) is None:
        return frame.index
    return pd.Index(frame[COCO_ID].astype("str"))


def _further(entity: type[Any], frame: pd.DataFrame, numbers: list[int]) -> dict[str, list[Any]]:
    declared = {
        Image: ("dataset_name", "status", "external_id"),
        Label: ("z_index", "external_id"),
        LabelClass: ("color", "class_type", "norder", "external_id"),
    }[entity]
    if entity is LabelClass and (frame["norder"] == np.arange(1, len(frame) + 1)).all():
        declared = tuple(name for name in declared if name != "norder")  # the order of the list says it
    own = [name for name in own_columns(entity, frame) if name not in {*KEPT, COCO_ID, OWN_ID, "area", "iscrowd"}]
    columns = {name: values_out(frame[name]) for name in (*declared, *own) if says_something(frame[name]).any()}
    ids = frame.index.tolist()
    return columns if ids == list(map(str, numbers)) else columns | {OWN_ID: ids}


def _crowds(labels: pd.DataFrame) -> list[int]:
    return (np.nan_to_num(own_numbers(labels, "iscrowd")) == 1).astype(int).tolist()
