"""Results of models, one an image: known by their attributes, whatever library they are of, which is never imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import identity
from ..arguments import shown
from ..errors import ValidationException
from ..masks import bbox
from ..masks.polygon import as_polygons, polygon_bounds
from .arrays import as_numpy, numbers
from .masks import Shapes, no_masks, read_masks, read_segments
from .objects import Objects, blank, polygons_of, texts_of
from .tables import BoxFormat, boxes_from

__all__ = ["Options", "is_result", "objects_in_result", "said_image"]


@dataclass(frozen=True)
class Options:
    """How results are read.

    Parameters
    ----------
    box_format : {"xyxy", "xywh", "cxcywh"}, optional
        What the numbers of a box are, if it was said.
    masks : bool
        Whether masks and outlines are wanted.
    threshold : float
        Above which probability a pixel belongs to an object.
    name : str
        What the argument is called that has them.
    """

    box_format: BoxFormat | None
    masks: bool
    threshold: float
    name: str = "source"


@dataclass
class _Found:
    """What a result has: a row an object each."""

    boxes: Any = None
    scores: Any = None
    classes: Any = None
    masks: Shapes | None = None
    rings: list[Any] | None = None
    names: Mapping[Any, str] | list[str] | None = None
    """What the numbers of classes mean, where the result says."""
    class_names: Any = None
    more: dict[str, Any] = field(default_factory=dict)
    corners: bool = True
    """Whether the library has two corners a box, so that nothing else can be said."""


def is_result(thing: Any) -> bool:
    """Whether something is the result of a model on one image.

    Examples
    --------
    >>> is_result({"boxes": [[0, 0, 4, 2]], "scores": [0.5], "labels": [1]}), is_result({"image": ["a.jpg"]})
    (True, False)
    """
    return _reader(thing) is not None


def said_image(thing: Any) -> tuple[Any, Any]:
    """Return the id and the name of the image that a result says it is of; None where it does not."""
    if isinstance(thing, Mapping):
        id_ = thing.get("image_id")
        return (None if id_ is None else as_numpy(id_).reshape(-1)[0].item()), thing.get("file_name")
    path = getattr(thing, "path", None) or getattr(thing, "img_path", None)
    if path is None or re.fullmatch(r"image\d+\.jpg", str(path)):  # what ultralytics calls pictures without a file
        return None, None
    return None, str(path)


def objects_in_result(result: Any, number: int, options: Options) -> Objects:
    """Read a result.

    Parameters
    ----------
    result : object
        What :func:`is_result` knows.
    number : int
        Which one it is, for errors.
    options : Options
        How to read it.

    Raises
    ------
    ValidationException
        Its parts are not of one length, or not what they should be.
    """
    reader = _reader(result)
    if reader is None:
        raise ValidationException(f"Result {number} is {shown(result)}, and no result of a model on one image.")
    try:
        return _objects(reader(result, options), number, options)
    except ValidationException as error:
        raise ValidationException(f"Result {number} ({type(result).__name__}): {error}") from None


def _objects(found: _Found, number: int, options: Options) -> Objects:
    if found.corners and options.box_format not in (None, "xyxy"):
        raise ValidationException(
            f"its boxes are xyxy, whatever the model, and box_format is {options.box_format!r}: leave that out."
        )
    boxes = None if found.boxes is None else numbers(found.boxes, "boxes").reshape(-1, 4)
    scores = None if found.scores is None else numbers(found.scores, "scores").reshape(-1)
    said = found.classes if found.classes is not None else found.class_names
    classes = None if said is None else as_numpy(said).reshape(-1)
    lengths = {
        name: len(value)
        for name, value in (
            ("boxes", boxes),
            ("scores", scores),
            ("classes", classes),
            ("masks", found.masks and found.masks.there),
            ("outlines", found.rings),
        )
        if value is not None
    }
    count = max(lengths.values(), default=0)
    if set(lengths.values()) - {count}:
        told = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValidationException(f"it has {told}; they must be of one length.")
    objects = blank(pd.Index([f"result {number}, object {row}" for row in range(count)], dtype="str"))
    if scores is not None:
        objects.score = scores
    if classes is not None:
        _set_classes(objects, classes, found)
    if boxes is not None:
        objects.box = boxes_from(boxes, options.box_format or "xyxy")
    if found.rings is not None and options.masks:
        objects.polygon = polygons_of(found.rings)
    if found.rings is not None and boxes is None:
        objects.box = _around(found.rings)
    if found.masks is not None:
        _set_masks(objects, found.masks, keep=options.masks)
    objects.more = {name: value for name, value in found.more.items() if len(value) == count}
    return objects


def _set_masks(objects: Objects, shapes: Shapes, *, keep: bool) -> None:
    """Set masks, and the tight boxes of objects that have none; without the masks where these are not wanted."""
    lacking = np.isnan(objects.box).all(axis=1)
    if lacking.any():
        objects.box[lacking] = bbox(shapes.runs, shapes.boxes)[lacking]
    if keep:
        objects.shapes = shapes
        if shapes.size is not None:
            objects.size = np.where(shapes.there[:, None], np.array(shapes.size, float), np.nan)


def _set_classes(objects: Objects, classes: NDArray[Any], found: _Found) -> None:
    """Set numbers of classes, and their names where the result has them."""
    if found.class_names is not None:
        objects.class_name = _texts(found.class_names, "name")
    if found.classes is None:
        return
    if classes.dtype.kind in "UO":
        objects.class_name = _texts(classes, "name")
        objects.class_id = objects.class_name.copy()
        return
    objects.class_id = _texts(classes, "id")
    if found.names is not None and found.class_names is None:
        names = found.names if isinstance(found.names, Mapping) else dict(enumerate(found.names))
        known = {identity.one(key): str(name) for key, name in names.items()}
        objects.class_name = pd.Series(objects.class_id, dtype=object).map(known.get).to_numpy(object)


def _texts(values: Any, kind: identity.Kind) -> NDArray[Any]:
    array = np.asarray(values)
    return texts_of(identity.texts(pd.Series(array.astype(object) if array.dtype.kind == "U" else array), kind))


def _around(rings: list[Any]) -> NDArray[np.float64]:
    """Boxes around outlines; NaN where there is none."""
    boxes = np.full((len(rings), 4), np.nan)
    rows = [row for row, ring in enumerate(rings) if ring is not None and len(ring) > 2]
    if rows:
        boxes[rows] = polygon_bounds(as_polygons([np.asarray(rings[row], float).tolist() for row in rows]))
    return boxes


# The libraries --------------------------------------------------------------------------------------------------------


def _reader(thing: Any) -> Callable[[Any, Options], _Found] | None:
    """Find what reads a result."""
    if isinstance(thing, Mapping):
        return next((read for keys, read in _MAPPINGS if keys <= set(thing)), None)
    return next((read for names, read in _OBJECTS if all(_has(thing, name) for name in names)), None)


def _has(thing: Any, name: str) -> bool:
    try:
        return hasattr(thing, name)
    except Exception:  # whatever a property of somebody else does
        return False


def _ultralytics(result: Any, options: Options) -> _Found:
    """Read ``Results`` of ultralytics; its masks have the size that the model saw, its outlines that of the picture."""
    boxes, outlined = result.boxes, getattr(result, "obb", None)
    if outlined is not None:
        corners = as_numpy(outlined.xyxyxyxy).reshape(-1, 4, 2)
        found = _Found(outlined.xyxy, outlined.conf, outlined.cls, rings=list(corners))
        boxes = outlined
    elif boxes is None:
        return _Found()
    else:
        found = _Found(boxes.xyxy, boxes.conf, boxes.cls)
        if result.masks is not None and options.masks:
            pictures = as_numpy(result.masks.data)
            if pictures.shape[1:] == tuple(result.orig_shape):
                found.masks = read_masks(pictures, options.threshold)
            else:
                found.rings = list(result.masks.xy)
                empty = np.array([len(ring) < 3 for ring in found.rings], bool)
                found.masks = no_masks(len(empty))._replace(there=empty)
    found.names = result.names
    if getattr(boxes, "id", None) is not None:
        found.more["track_id"] = as_numpy(boxes.id).astype(np.int64)
    return found


def _supervision(result: Any, options: Options) -> _Found:
    """Read ``Detections`` of supervision."""
    data = result.data or {}
    found = _Found(result.xyxy, result.confidence, result.class_id, class_names=data.get("class_name"))
    if "xyxyxyxy" in data:
        found.rings = list(as_numpy(data["xyxyxyxy"]).reshape(-1, 4, 2))
    if result.mask is not None and options.masks:
        found.masks = read_masks(result.mask, options.threshold)
    if result.tracker_id is not None:
        found.more["track_id"] = as_numpy(result.tracker_id)
    return found


def _detectron(result: Any, options: Options) -> _Found:
    """Read ``Instances`` of detectron2: of a model, or of a data set."""
    said = "pred" if _has(result, "pred_classes") else "gt"
    boxes = getattr(result, f"{said}_boxes", None)
    masks = getattr(result, f"{said}_masks", None) if options.masks or boxes is None else None
    return _Found(
        getattr(boxes, "tensor", boxes),
        getattr(result, "scores", None),
        getattr(result, f"{said}_classes"),
        None if masks is None else read_masks(getattr(masks, "tensor", masks), options.threshold),
    )


def _mmdet(result: Any, options: Options) -> _Found:
    """Read ``InstanceData`` of mmdetection."""
    masks = getattr(result, "masks", None) if options.masks else None
    return _Found(
        getattr(result.bboxes, "tensor", result.bboxes),
        getattr(result, "scores", None),
        result.labels,
        None if masks is None else read_masks(getattr(masks, "masks", masks), options.threshold),
    )


def _torchvision(result: Mapping[str, Any], options: Options) -> _Found:
    """Read a dict of torchvision, or of the post-processing of transformers."""
    masks = result.get("masks") if options.masks or result.get("boxes") is None else None
    texts = result.get("text_labels")
    labels = result.get("labels", result.get("classes"))
    if labels is None and texts is None:
        raise ValidationException("it has no 'labels', which say what class each object is of.")
    return _Found(
        result.get("boxes"),
        result.get("scores"),
        None if texts is not None else labels,
        None if masks is None else read_masks(masks, options.threshold),
        class_names=texts,
        more={name: as_numpy(result[name]) for name in ("iscrowd", "area") if result.get(name) is not None},
        corners=False,
    )


def _segmented(result: Mapping[str, Any], options: Options) -> _Found:
    """Read a dict of transformers: a map of segments, and what each of them is."""
    segments = list(result["segments_info"] or [])
    label = [segment.get("label_id", segment.get("category_id")) for segment in segments]
    scores = [segment.get("score") for segment in segments]
    return _Found(
        scores=None if None in scores else np.array(scores, np.float64),
        classes=np.array(label, np.int64) if None not in label else label,
        masks=read_segments(result["segmentation"], [int(segment["id"]) for segment in segments]),
    )


_MAPPINGS: tuple[tuple[set[str], Callable[[Any, Options], _Found]], ...] = (
    ({"instances"}, lambda result, options: _detectron(result["instances"], options)),
    ({"segmentation", "segments_info"}, _segmented),
    ({"boxes"}, _torchvision),
    ({"masks", "labels"}, _torchvision),
)
_OBJECTS: tuple[tuple[tuple[str, ...], Callable[[Any, Options], _Found]], ...] = (
    (("boxes", "masks", "names", "orig_shape"), _ultralytics),
    (("xyxy", "confidence", "class_id", "mask", "data"), _supervision),
    (("pred_classes",), _detectron),
    (("gt_classes",), _detectron),
    (("pred_instances",), lambda result, options: _mmdet(result.pred_instances, options)),
    (("bboxes", "labels"), _mmdet),
)
"""By which keys and attributes a result is known, and what reads it."""
