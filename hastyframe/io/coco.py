"""COCO: instances and detections."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import masks
from ..entities import Image, Label, LabelClass
from ..errors import ValidationException
from ..frames import BOX
from ..masks import Ragged
from ._describe import kinds
from ._files import name_of, write_file
from ._fingerprint import unchanged
from ._lists import ragged_of, whole
from ._paint import paint
from ._records import INTERNAL, own_columns, records, says_something, values_out
from ._report import Losses, OnLoss, blame

if TYPE_CHECKING:
    from .label_set import File, LabelSet, Segmentation

__all__ = ["to_coco"]


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
    segments, boxes, areas = _geometry(labels, sizes, segmentation, file_name)
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
    write_file(file, orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), "coco.json")


def _report(label_set: LabelSet, on_loss: OnLoss) -> None:
    losses = Losses("COCO cannot carry", on_loss)
    labels = label_set.labels
    for name, what in (("label_attributes", "attribute values"), ("tags", "tags")):
        frame = getattr(label_set, name)
        losses.add(0 if frame is None else len(frame), what)
    losses.add(int((labels["mask"].notna() & labels["polygon"].notna()).sum()), "polygons of labels that have a mask")
    losses.add(int(kinds(labels).isin(["nothing"]).sum()), "missing places: labels without box, polygon and mask")
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
    own = [name for name in own_columns(entity, frame) if name not in {*INTERNAL, "area", "iscrowd"}]
    return {name: values_out(frame[name]) for name in (*declared, *own) if says_something(frame[name]).any()}


def _crowds(labels: pd.DataFrame) -> list[int]:
    if "iscrowd" not in labels:
        return [0] * len(labels)
    return labels["iscrowd"].fillna(0).astype(int).tolist()


# Geometry -------------------------------------------------------------------------------------------------------------


def _geometry(
    labels: pd.DataFrame, sizes: NDArray[np.float64], segmentation: Segmentation, file: str
) -> tuple[list[Any], list[Any], list[Any]]:
    """Segmentation, ``[x, y, width, height]`` and area of each label."""
    kind = kinds(labels).to_numpy()
    as_read = unchanged(labels)
    boxes = labels[list(BOX)].to_numpy(dtype=float, copy=True)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    segments: list[Any] = [[] for _ in range(len(labels))]

    outlined = np.flatnonzero(kind == "polygon")
    shapes = masks.as_polygons(labels["polygon"].iloc[outlined])
    boxes[outlined] = np.where(np.isnan(boxes[outlined]), masks.polygon_bounds(shapes), boxes[outlined])
    areas[outlined] = polygon_area(shapes)
    _put(segments, outlined, _numbers_of(shapes))
    painted = np.flatnonzero(
        np.isin(kind, ["mask", "parts"] if segmentation == "keep" else ["mask", "parts", "polygon"])
    )
    runs, where = paint(labels.iloc[painted], sizes[painted], file)
    areas[painted] = masks.area(runs)
    _put(segments, painted, _compressed(labels.index[painted], runs, where, sizes[painted], file))
    if "parts" in labels and segmentation == "keep":
        kept = np.flatnonzero(as_read & labels["parts"].notna().to_numpy())
        _put(segments, kept, _numbers_of(masks.as_polygons(labels["parts"].iloc[kept])))
    # Nine digits after the point: what adding and subtracting a corner leaves behind would not be in the file.
    corners = np.round(np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]), 9)
    corners, areas = _as_they_were(labels, as_read, corners, areas)
    return segments, [None if np.isnan(c[0]) else c for c in corners.tolist()], whole(areas)


def _put(segments: list[Any], rows: NDArray[np.int64], values: list[Any]) -> None:
    for row, value in zip(rows.tolist(), values, strict=True):
        segments[row] = value


def _numbers_of(shapes: masks.Polygons) -> list[list[list[float]]]:
    """Rings of each object as COCO has them: x and y in turn."""
    numbers = Ragged(shapes.points.reshape(-1), shapes.rings * 2).to_list()
    return [numbers[first:last] for first, last in itertools.pairwise(shapes.offsets.tolist())]


def _compressed(
    ids: pd.Index[str], runs: Ragged, boxes: NDArray[np.int64], sizes: NDArray[np.float64], file: str
) -> list[dict[str, Any]]:
    def work(rows: NDArray[np.int64]) -> list[dict[str, Any]]:
        return masks.to_coco_rle(runs.take(rows), boxes[rows], sizes[rows], counts="str")

    return blame(work, np.arange(runs.n), lambda row: f"label {ids[row]!r}", file)


def _as_they_were(
    labels: pd.DataFrame, as_read: NDArray[np.bool_], corners: NDArray[np.float64], areas: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the file's own boxes and areas where the geometry is still the file's."""
    if "bbox" in labels:
        own, present = ragged_of(labels["bbox"], pa.list_(pa.float64()))
        corners[present & as_read] = own.values.reshape(-1, 4)[as_read[present]]
    if "area" in labels:
        own_areas = labels["area"].to_numpy(dtype=float, na_value=np.nan)
        areas = np.where(as_read & ~np.isnan(own_areas), own_areas, areas)
    return corners, areas


def polygon_area(shapes: masks.Polygons) -> NDArray[np.float64]:
    """Area of each object by the shoelace formula."""
    x, y = shapes.points.T
    following = np.arange(1, len(x) + 1)
    following[shapes.rings[1:] - 1] = shapes.rings[:-1]
    total = np.concatenate([[0.0], np.cumsum(x * y[following] - x[following] * y)])
    rings = np.abs(np.diff(total[shapes.rings])) / 2
    return np.diff(np.concatenate([[0.0], np.cumsum(rings)])[shapes.offsets])
