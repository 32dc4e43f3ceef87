"""Results of models, one an image: known by their attributes, whatever library they are of, which is never imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import identity
from ..arguments import shown
from ..errors import ValidationException
from ..masks import bbox
from ..masks.polygon import as_polygons, polygon_bounds
from ..masks.ragged import offsets_of, where
from .arrays import as_numpy, numbers
from .masks import Shapes, no_masks, read_masks, read_segments
from .masks import together as put_together
from .objects import TEXT, Objects, blank, polygons_of
from .tables import BoxFormat, boxes_from

__all__ = ["Options", "Piece", "is_result", "read_result", "said_image", "together"]


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


@dataclass
class Piece:
    """The objects of one result, as arrays."""

    count: int
    boxes: NDArray[np.float64] | None
    scores: NDArray[np.float64] | None
    numbers: NDArray[Any] | None
    """Of their classes."""
    texts: list[Any] | None
    """What their classes are called."""
    either: bool
    """Whether these texts may be ids as well."""
    found: _Found


def read_result(result: Any, number: int, options: Options) -> Piece:
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
        return _piece(reader(result, options), options)
    except ValidationException as error:
        raise ValidationException(f"Result {number} ({type(result).__name__}): {error}") from None


def _piece(found: _Found, options: Options) -> Piece:
    """Bring what a result has to arrays of one length."""
    if found.corners and options.box_format not in (None, "xyxy"):
        raise ValidationException(
            f"its boxes are xyxy, whatever the model, and box_format is {options.box_format!r}: leave that out."
        )
    boxes = None if found.boxes is None else _four(numbers(found.boxes, "boxes"))
    scores = None if found.scores is None else numbers(found.scores, "scores").reshape(-1)
    classes = None if found.classes is None else as_numpy(found.classes).reshape(-1)
    texts = None if found.class_names is None else list(found.class_names)
    either = False
    if classes is not None and classes.dtype.kind in "UO":
        either, texts, classes = True, classes.tolist(), None
    lengths = {
        name: len(value)
        for name, value in (
            ("boxes", boxes),
            ("scores", scores),
            ("classes", texts if classes is None else classes),
            ("masks", found.masks and found.masks.there),
            ("outlines", found.rings),
        )
        if value is not None
    }
    count = max(lengths.values(), default=0)
    if set(lengths.values()) - {count}:
        told = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValidationException(f"it has {told}; they must be of one length.")
    if boxes is not None:
        boxes = boxes_from(boxes, options.box_format or "xyxy")
    elif found.rings is not None:
        boxes = _around(found.rings)
    elif found.masks is not None:
        boxes = bbox(found.masks.runs, found.masks.boxes).astype(np.float64)
    return Piece(count, boxes, scores, classes, texts, either, found)


def _four(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValidationException(f"its boxes have the shape {boxes.shape}; it must be (n, 4).")
    return boxes.reshape(-1, 4)


class _Rows:
    """What the rows of several results are called."""

    name = None

    def __init__(self, offsets: NDArray[np.int64]) -> None:
        self._offsets = offsets

    def __len__(self) -> int:
        return int(self._offsets[-1])

    def __getitem__(self, row: Any) -> str:
        result, place = where(self._offsets, row)
        return f"result {result}, object {place}"


def together(pieces: list[Piece], keys: list[tuple[str | None, str | None]], options: Options) -> Objects:
    """Put the objects of several results one behind the other.

    Parameters
    ----------
    pieces : list of Piece
        What they are.
    keys : list of (str, str)
        Id and name of the image of each.
    options : Options
        Whether masks are wanted.
    """
    counts = np.array([piece.count for piece in pieces], np.int64)
    objects = blank(_Rows(offsets_of(counts)))
    if not len(objects):
        return objects
    which = pa.array(np.repeat(np.arange(len(pieces)), counts))
    objects.image_id = pa.array([id_ for id_, _ in keys], TEXT).take(which)
    objects.image_name = pa.array([name for _, name in keys], TEXT).take(which)
    objects.box = np.concatenate([_or_nan(piece.boxes, piece.count, 4) for piece in pieces])
    objects.score = np.concatenate([_or_nan(piece.scores, piece.count) for piece in pieces])
    objects.class_id, objects.class_name = _classes_of(pieces, counts)
    if options.masks:
        _set_shapes(objects, pieces, counts)
    names = dict.fromkeys(name for piece in pieces for name in piece.found.more)
    objects.more = {name: _column([(piece.found.more.get(name), piece.count) for piece in pieces]) for name in names}
    return objects


def _or_nan(values: NDArray[np.float64] | None, *shape: int) -> NDArray[np.float64]:
    return np.full(shape, np.nan) if values is None else values


def _set_shapes(objects: Objects, pieces: list[Piece], counts: NDArray[np.int64]) -> None:
    """Set masks and outlines."""
    if any(piece.found.rings is not None for piece in pieces):
        rings = [piece.found.rings or [None] * piece.count for piece in pieces]
        objects.polygon = polygons_of(list(chain.from_iterable(rings)))
    if any(piece.found.masks is not None for piece in pieces):
        shapes = [piece.found.masks or no_masks(piece.count) for piece in pieces]
        objects.shapes = put_together(shapes)
        sizes = np.array([each.size or (np.nan, np.nan) for each in shapes], np.float64)
        objects.size = np.where(objects.shapes.there[:, None], np.repeat(sizes, counts, axis=0), np.nan)


def _classes_of(pieces: list[Piece], counts: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
    """Numbers of classes and their names, both as texts."""
    numbered = np.concatenate([_or_nan(piece.numbers, piece.count) for piece in pieces]).astype(np.float64)
    known, inverse = np.unique(numbered, return_inverse=True)
    codes = identity.texts(pd.Series(known)).to_pylist()
    names: NDArray[Any] = np.full(len(numbered), None, object)
    ids = np.array([*codes, None], object)[inverse]
    ends = np.cumsum(counts)
    carried: dict[tuple[Any, ...], list[int]] = {}
    for number, piece in enumerate(pieces):
        if piece.texts is not None:
            rows = slice(ends[number] - piece.count, ends[number])
            names[rows] = _texts(piece.texts)
            if piece.either:
                ids[rows] = names[rows]
        elif piece.found.names is not None:
            said = piece.found.names
            carried.setdefault(tuple(said.items() if isinstance(said, Mapping) else enumerate(said)), []).append(number)
    for meant, numbers_ in carried.items():
        by_text = {identity.one(key): str(name) for key, name in meant}
        these = np.repeat(np.isin(np.arange(len(pieces)), numbers_), counts)
        names[these] = np.array([*(by_text.get(code) for code in codes), None], object)[inverse[these]]
    return pa.array(ids, TEXT), pa.array(names, TEXT)


def _texts(values: list[Any]) -> list[str | None]:
    return [identity.one(value, "name") for value in values]


def _column(parts: list[tuple[Any, int]]) -> Any:
    """Put the values of a further column together, that some results may lack."""
    columns = [
        np.full(count, None, object) if values is None else np.asarray(values, object) for values, count in parts
    ]
    return pd.Series(np.concatenate(columns), dtype=object).infer_objects().array


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
    if isinstance(thing, pd.DataFrame | pd.Series):  # whose columns are attributes as well
        return None
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
    elif boxes is None and getattr(result, "probs", None) is not None:
        raise ValidationException("it says what the picture is as a whole, and has no boxes.")
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
