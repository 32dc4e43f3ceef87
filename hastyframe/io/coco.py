"""COCO: instances and detections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..entities import Image, Label, LabelClass, Prediction
from ..errors import FormatError, ValidationException
from ..limits import DEFAULT_LIMITS, Limits
from ..painting import kinds
from ._belong import complete
from ._coco_shapes import check_painting, segments_in, shapes_in, shapes_out
from ._coco_text import parse_coco, parse_detections
from ._files import name_of, write_json
from ._fingerprint import fingerprint
from ._growth import check_depth
from ._lists import KEPT
from ._load import load_json, unhurried_gc
from ._records import DATASET, own_columns, own_numbers, records, says_something, values_out
from ._report import Losses, OnLoss
from ._shapes import bare
from ._texts import names_bad_texts
from ._values import Columns, Table, further_columns

if TYPE_CHECKING:
    from .label_set import File, LabelSet, Painting, Segmentation, Source

__all__ = ["read_coco", "read_coco_detections", "to_coco"]


@unhurried_gc()
@names_bad_texts("source")
def read_coco(
    source: Source,
    *,
    segmentation: bool = True,
    masks: Painting = "center",
    dataset: str = DATASET,
    file: str | None = None,
    on_loss: OnLoss = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read COCO instances.

    Ids stay what they are, as texts. Keys that COCO does not define become columns. The labels have, besides their
    usual columns, ``iscrowd`` and ``area`` as the file has them. A polygon of one part stays a polygon; what has
    several parts becomes a mask, since a label has one ring, and so do run-lengths. A mask stands in its tight box of
    whole pixels. So that the same file can be written again, ``parts`` keeps the rings,
    ``file_bbox`` the file's own box where it differs, and ``as_read`` a number that tells :meth:`LabelSet.to_coco`
    whether box, polygon and mask are still those of the file.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile or dict
        The file, an archive with it, or what it says.
    segmentation : bool
        With False the file's segmentations are passed over unread: labels have boxes, to the last digit, areas and
        classes, but no polygons, parts and masks. That is all that an evaluation of boxes takes, and the quickest way.
        What is written from such a label set has boxes only; :meth:`LabelSet.to_coco` says so.
    masks : {"center", "coco"} or None
        How to paint what has several parts: the pixels whose centres lie inside an odd number of rings, or those that
        pycocotools paints. With None nothing becomes a mask: labels have polygons and their boxes to the last digit,
        which is quicker; run-lengths are boxes then, and left out.
    dataset : str
        Dataset of the images that name none.
    file : str, optional
        Which file of an archive that has several.
    on_loss : {"warn", "ignore", "raise"}
        What to do about several parts, and keys that are called like columns of a labels frame.
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
        to and absent, polygons of two points, run-lengths that do not fit their image. With ``segmentation=False``
        an annotation without a box, and nothing about segmentations.
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
    data, name = load_json(source, file=file, parse=partial(parse_coco, segmentation=segmentation), limits=limits)
    if not isinstance(data, Mapping):
        raise FormatError(
            name, "", "it is a bare list and not COCO instances", "Read detections with read_coco_detections"
        )
    losses = Losses(f"Labels cannot carry all of {name}", on_loss)
    images, classes = (
        Table(data.get("images"), name, "images", limits=limits),
        Table(data.get("categories"), name, "categories", limits=limits),
    )
    annotations = Table(data.get("annotations", []), name, "annotations", limits=limits)
    segments = segments_in(annotations) if segmentation else None  # first, so that the text of the file can go
    image_frame, class_frame = _images(images, dataset, losses), _classes(classes, losses)
    image_rows = annotations.refer("image_id", image_frame.index, "images")
    class_rows = annotations.refer("category_id", class_frame.index, "categories")
    sizes = image_frame[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]
    columns = {
        "image_id": image_frame.index.take(image_rows),
        "class_id": class_frame.index.take(class_rows),
        "class_name": pd.Categorical.from_codes(class_rows, pd.Index(class_frame["name"])),
        **shapes_in(annotations, segments, sizes, masks, losses),
        "iscrowd": annotations.numbers("iscrowd") == 1,
        **further_columns(annotations, _KEYS, Label, ("z_index", "external_id"), losses),
    }
    index = annotations.index("id")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    labels["as_read"] = pd.array(fingerprint(labels), dtype="Int64")
    losses.report()
    info = {key: data[key] for key in ("info", "licenses") if key in data} | ({} if segmentation else _UNREAD)
    check_depth(info, name, "info", limits)
    return LabelSet(image_frame, labels, class_frame, info=info)


_UNREAD = {"segmentation": "not read"}
"""What tells in the ``info`` of a label set that its file has more than the labels."""


def _images(table: Table, dataset: str, losses: Losses) -> pd.DataFrame:
    columns = {
        "name": pd.Series(table.texts("file_name", needed=True), dtype="str"),
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


def _classes(table: Table, losses: Losses) -> pd.DataFrame:
    columns = {"name": pd.Series(table.texts("name", needed=True), dtype="str")}
    declared = ("color", "class_type", "norder", "external_id")
    columns |= further_columns(table, ("id", "name"), LabelClass, declared, losses)
    if (twice := columns["name"].duplicated().to_numpy()).any():
        raise table.wrong(int(np.argmax(twice)), "its name is there twice", "Give every category a name of its own")
    columns.setdefault("norder", pd.Series(np.arange(1.0, len(table) + 1)))
    columns["class_type"] = columns.get("class_type", pd.Series([None] * len(table), dtype="str")).fillna("object")
    return pd.DataFrame(columns).set_index(table.index("id"))


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
    on_loss: OnLoss = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> pd.DataFrame:
    """Read COCO detections, the results of a model.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile or list
        A list of ``{image_id, category_id, bbox | segmentation, score}``.
    label_set : LabelSet
        What they are detections on: the ids are those of its images and classes.
    segmentation, masks, file, on_loss, limits
        As in :func:`read_coco`.

    Returns
    -------
    pandas.DataFrame
        Predictions, indexed by ``prediction_id``, which counts from 0 in the order of the file.

    Raises
    ------
    FormatError, SizeLimitError
        As in :func:`read_coco`; images and categories that the label set does not have.

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
    data, name = load_json(source, file=file, parse=partial(parse_detections, segmentation=segmentation), limits=limits)
    if isinstance(data, Mapping) and not isinstance(data, Columns):
        raise FormatError(name, "", "it is an object and not a list of detections", "Read instances with read_coco")
    table = Table(data, name, "detections", limits=limits)
    segments = segments_in(table) if segmentation else None
    losses = Losses(f"Predictions cannot carry all of {name}", on_loss)
    images, classes = label_set.images, label_set.label_classes
    image_rows = table.refer("image_id", images.index, "the images of the label set")
    class_rows = table.refer("category_id", classes.index, "the classes of the label set")
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
    losses.report()
    index = pd.Index(pa.array(np.arange(len(table))).cast(pa.large_string()), dtype="str")
    frame = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    return complete(Prediction, frame.drop(columns="area" if frame["area"].isna().all() else []))


@names_bad_texts("file")
def to_coco(label_set: LabelSet, file: File, *, segmentation: Segmentation = "keep", on_loss: OnLoss = "warn") -> None:
    """Write a label set as COCO instances.

    Ids that are whole numbers stay; others are numbered from 1 in the order of the frame. Columns that COCO has no key
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
    image_ids, class_ids = _numbers(label_set.images.index), _numbers(label_set.label_classes.index)
    image_rows = label_set.images.index.get_indexer(labels["image_id"])
    class_rows = label_set.label_classes.index.get_indexer(labels["class_id"])
    sizes = label_set.images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]
    segments, boxes, areas = shapes_out(labels, sizes, segmentation, file_name)
    annotations = {
        "id": _numbers(labels.index),
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
        "images": records(images, _further(Image, label_set.images)),
        "annotations": records(annotations, _further(Label, labels)),
        "categories": records(categories, _further(LabelClass, label_set.label_classes)),
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


def _numbers(index: pd.Index[str]) -> list[int]:
    """Ids as whole numbers: as they are where all of them are, else from 1."""
    numbers = pd.to_numeric(index, errors="coerce")
    if numbers.dtype.kind in "iu" and (numbers.astype("str") == index).all():
        return numbers.tolist()
    return list(range(1, len(index) + 1))


def _further(entity: type[Any], frame: pd.DataFrame) -> dict[str, list[Any]]:
    declared = {
        Image: ("dataset_name", "status", "external_id"),
        Label: ("z_index", "external_id"),
        LabelClass: ("color", "class_type", "norder", "external_id"),
    }[entity]
    if entity is LabelClass and (frame["norder"] == np.arange(1, len(frame) + 1)).all():
        declared = tuple(name for name in declared if name != "norder")  # the order of the list says it
    own = [name for name in own_columns(entity, frame) if name not in {*KEPT, "area", "iscrowd"}]
    return {name: values_out(frame[name]) for name in (*declared, *own) if says_something(frame[name]).any()}


def _crowds(labels: pd.DataFrame) -> list[int]:
    return (np.nan_to_num(own_numbers(labels, "iscrowd")) == 1).astype(int).tolist()
