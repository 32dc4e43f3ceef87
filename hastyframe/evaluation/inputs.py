"""Labels and predictions as arrays: checked, with images, classes and scores as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import identity, masks
from ..bad_rows import locate_bad_row, naming_outlines
from ..checks import Problems, without_decimals
from ..errors import ValidationException
from ..frames import BOX
from ..masks.blocks import in_threads
from ..painting import Rule, named
from .doubts import warn_of_boxes, warn_of_classes, warn_of_images, warn_of_shares, why_unknown
from .shapes import OUTCOME, Masks, lists_of, read_masks

__all__ = ["Inputs", "Objects", "Rule", "read_inputs"]

_MOST_PARTS = 1000
"""The greatest denominator of a width that is looked for: with this one, hardly any number is one by chance."""

Kind: TypeAlias = Literal["bbox", "mask"]


@dataclass(frozen=True)
class Objects:
    """Labels or predictions, a row an object.

    Parameters
    ----------
    image, klass : numpy.ndarray of int64, shape (n,)
        Places among the images and the classes.
    box : numpy.ndarray of float64, shape (n, 4)
        ``[x_min, y_min, width, height]``, as COCO has it.
    area : numpy.ndarray of float64, shape (n,)
        What decides which range of sizes an object belongs to.
    score : numpy.ndarray of float64, shape (n,)
        Of a prediction; nothing for labels.
    crowd : numpy.ndarray of bool, shape (n,)
        Labels that stand for many objects.
    masks : Masks, optional
        Where masks are compared.
    """

    image: NDArray[np.int64]
    klass: NDArray[np.int64]
    box: NDArray[np.float64]
    area: NDArray[np.float64]
    score: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    masks: Masks | None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Inputs:
    """What is evaluated: the frames as they came, and the same in numbers."""

    labels: pd.DataFrame
    predictions: pd.DataFrame
    images: pd.DataFrame
    classes: pd.Index[Any]
    label: Objects
    prediction: Objects


def read_inputs(
    labels: pd.DataFrame, predictions: pd.DataFrame, images: pd.DataFrame | None, kind: Kind, rule: Rule
) -> Inputs:
    """Check the frames and turn them into numbers.

    Raises
    ------
    FrameError
        Names the rows that cannot be evaluated.
    """
    if kind not in get_args(Kind):
        raise ValidationException(f'iou is "bbox" or "mask", not {kind!r}.')
    if rule not in get_args(Rule):
        raise ValidationException(f'rule is "center" or "coco", not {rule!r}.')
    labels, predictions = _indexed(labels, "label_id", "labels"), _indexed(predictions, "prediction_id", "predictions")
    images = None if images is None else _indexed(images, "image_id", "images")
    for frame, what in ((labels, "labels"), (predictions, "predictions")):
        check_sides(frame, what)
    known, image_of = _images(labels, predictions, images)
    classes, class_of = _classes(labels, predictions)
    scores = _scores(predictions)
    frames, names = (labels, predictions), ("the labels", "the predictions")
    boxes = [_boxes(frame, what, kind) for frame, what in zip(frames, names, strict=True)]
    warn_of_shares(*boxes)
    painted: list[Masks | None] = [None, None]
    if kind == "mask":
        given = zip(frames, boxes, image_of, names, strict=True)
        painted = in_threads(lambda side: read_masks(*side, known, rule), given)
        warn_of_boxes(*frames)
    sides = zip(
        image_of,
        class_of,
        map(_with_sides, boxes),
        (_told_areas(labels), np.full(len(predictions), np.nan)),
        (np.empty(0), scores),
        (_crowds(labels), np.zeros(len(predictions), bool)),
        painted,
        strict=True,
    )
    label, prediction = (
        Objects(image, klass, box, _areas(told, box, shapes), score, crowd, shapes)
        for image, klass, box, told, score, crowd, shapes in sides
    )
    return Inputs(labels, predictions, known, classes, label, prediction)


def _areas(told: NDArray[np.float64], box: NDArray[np.float64], painted: Masks | None) -> NDArray[np.float64]:
    """Areas as they are told, measured where they are not."""
    if not (missing := np.isnan(told)).any():
        return told
    if painted is None:
        return np.where(missing, box[:, 2] * box[:, 3], told)
    painted.paint(np.flatnonzero(missing))
    return np.where(missing, painted.area, told)


def _indexed(frame: pd.DataFrame, name: str, what: str) -> pd.DataFrame:
    """Frame whose index is its ids, each once."""
    if frame.index.nlevels > 1 or (name in frame and frame.index.name != name):
        frame = frame.set_index(name) if name in frame else frame.reset_index(drop=True)
    frame = frame.rename_axis(name)
    if not frame.index.is_unique:
        problems = Problems(frame)
        remedy = "It is there more than once; give every row an id of its own, as with .reset_index(drop=True)."
        problems.add(name, frame.index.duplicated(keep=False), remedy, frame.index)
        problems.throw(f"the {what}", OUTCOME)
    return frame


def check_sides(frame: pd.DataFrame, what: str) -> None:
    """Refuse a column of boxes as lists, which are two corners to some and a corner with a size to others."""
    if "bbox" in frame and not set(BOX) & set(frame.columns):
        raise ValidationException(
            f"The {what} have a column 'bbox', which may be [x_min, y_min, x_max, y_max] or, as in COCO, [x, y, width, "
            "height]: give the columns x_min, y_min, x_max, y_max, or say which by box_format= of hf.as_predictions. "
            "Results in COCO's form are read by hf.read_coco_detections."
        )


def _column(frame: pd.DataFrame, name: str, what: str) -> pd.Series[Any]:
    if name not in frame:
        raise ValidationException(f"The {what} need a column {name!r}; they have {list(frame.columns)}.")
    return frame[name]


def _images(
    labels: pd.DataFrame, predictions: pd.DataFrame, images: pd.DataFrame | None
) -> tuple[pd.DataFrame, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Images in COCO's order, and where among them each label and each prediction is."""
    sides = {"labels": labels, "predictions": predictions}
    texts = {what: _ids(frame, _column(frame, "image_id", what), what) for what, frame in sides.items()}
    if images is None:
        ids = pa.chunked_array([*texts.values()]).unique()
        warn_of_images(labels, predictions, *texts.values())
    else:
        ids = identity.texts(images.index)
        if ids.null_count or len(ids.unique()) < len(ids):
            problems = Problems(images)
            twice = pd.Series(ids.to_pylist(), dtype=object).duplicated(keep=False).to_numpy()
            problems.add("image_id", twice | ids.is_null().to_numpy(False), "Each image has one id.", images.index)
            problems.throw("the images", OUTCOME)
    order = _in_order(ids)
    known = ids.take(pa.array(order))
    places = []
    for what, frame in sides.items():
        place = pc.index_in(texts[what], value_set=known)
        unknown = place.is_null().to_numpy(zero_copy_only=False)
        if unknown.any():
            problems = Problems(frame)
            hint = why_unknown(texts[what].filter(pa.array(unknown)), known, images)
            remedy = f"It is not among the images; leave the row out, or give its image as well.{hint}"
            problems.add("image_id", unknown, remedy)
            problems.throw(f"the {what}", OUTCOME)
        places.append(place.to_numpy().astype(np.int64))
    if images is None:
        frame = pd.DataFrame(index=pd.Index(known.to_pandas(types_mapper=_as_text), dtype="str", name="image_id"))
    else:
        frame = images.iloc[order].rename_axis("image_id")
    return frame, (places[0], places[1])


def _ids(frame: pd.DataFrame, column: pd.Series[Any], what: str) -> pa.Array:
    """Ids of images by value, each there."""
    found = identity.texts(column)
    if found.null_count:
        problems = Problems(frame)
        strange = identity.not_texts(column, found)
        problems.add("image_id", strange, identity.REMEDY)
        missing = found.is_null().to_numpy(zero_copy_only=False) & ~strange
        problems.add("image_id", missing, "Say which image it is on.")
        problems.throw(f"the {what}", OUTCOME)
    return found


def _as_text(_: pa.DataType) -> Any:
    return pd.StringDtype(na_value=np.nan)


def _in_order(ids: pa.Array) -> NDArray[np.int64]:
    """Sort ids as COCO goes through images: as numbers where all are whole numbers, else as texts."""
    try:
        return np.argsort(ids.cast(pa.int64()).to_numpy(zero_copy_only=False), kind="stable")
    except pa.ArrowInvalid:
        return pc.array_sort_indices(ids).to_numpy().astype(np.int64)


def _classes(
    labels: pd.DataFrame, predictions: pd.DataFrame
) -> tuple[pd.Index[Any], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Names of the classes, those of the labels first, and where among them each label and each prediction is."""
    sides = {"labels": labels, "predictions": predictions}
    by = next(
        (name for name in ("class_name", "class_id") if all(_says(frame, name) for frame in sides.values())), None
    )
    if by is None:
        raise ValidationException("Labels and predictions need a column 'class_name' or 'class_id' that both have.")
    values = {what: identity.scalars(frame[by]).astype("category") for what, frame in sides.items()}
    kind: identity.Kind = "id" if by == "class_id" else "name"
    texts = {what: identity.texts(column.cat.categories, kind) for what, column in values.items()}
    for what, frame in sides.items():
        problems = Problems(frame)
        missing = values[what].isna().to_numpy()
        problems.add(by, missing, "Say which class it is of.")
        if texts[what].null_count:
            strange = np.append(texts[what].is_null().to_numpy(zero_copy_only=False), False)
            problems.add(by, strange[values[what].cat.codes.to_numpy()], "It must be a text or a number.")
        problems.throw(f"the {what}", OUTCOME)
    own, other = (column.cat.categories for column in values.values())
    own_texts, other_texts = (found.to_pylist() for found in texts.values())
    order = _class_order(labels, by, values["labels"])
    place: dict[str, int] = {}
    first: dict[int, list[int]] = {0: [], 1: []}
    for side, found, at in [(0, own_texts, order.tolist()), (1, other_texts, range(len(other)))]:
        for row in at:
            if found[row] not in place:
                place[found[row]] = len(place)
                first[side].append(row)
    if len(labels) and len(predictions):
        warn_of_classes(by, own_texts, other_texts, values["predictions"].cat.codes.unique())
    classes = own.take(first[0]).append(other.take(first[1]))  # shown as they came
    places = tuple(
        np.array([place[text] for text in found], np.int64)[column.cat.codes.to_numpy()]
        for found, column in zip((own_texts, other_texts), values.values(), strict=True)
    )
    return classes.rename("class_name"), (places[0], places[1])


def _says(frame: pd.DataFrame, name: str) -> bool:
    return name in frame and (not len(frame) or bool(frame[name].notna().any()))


def _class_order(labels: pd.DataFrame, by: str, values: pd.Series[Any]) -> NDArray[np.int64]:
    """Order of the labels' classes: that of their ids where these are whole numbers, else as they are."""
    size = len(values.cat.categories)
    ids: Any = values.cat.categories
    if by == "class_name":
        if "class_id" not in labels:
            return np.arange(size)
        rows = np.full(size, -1)
        rows[values.cat.codes.to_numpy()] = np.arange(len(labels))
        if (rows < 0).any():  # the ids of classes without labels are not known
            return np.arange(size)
        ids = labels["class_id"].iloc[rows]
    numbers = pd.to_numeric(pd.Series(ids).reset_index(drop=True), errors="coerce").to_numpy(dtype=float)
    return np.arange(size) if np.isnan(numbers).any() else np.argsort(numbers, kind="stable")


def _scores(predictions: pd.DataFrame) -> NDArray[np.float64]:
    if "score" not in predictions:
        raise ValidationException(
            "The predictions need a column 'score': how sure the model is. Where a model gives none, set one for all, "
            "as with .assign(score=1.0)."
        )
    scores = pd.to_numeric(without_decimals(identity.scalars(predictions["score"])), errors="coerce").to_numpy(
        dtype=float, na_value=np.nan
    )
    problems = Problems(predictions)
    problems.add("score", ~np.isfinite(scores), "It must be a finite number: drop the row, or fill it in.")
    problems.throw("the predictions", OUTCOME)
    return scores


def _boxes(frame: pd.DataFrame, what: str, kind: Kind) -> NDArray[np.float64]:
    """Boxes as they are, or those of the outlines; finite, and none inside out."""
    boxes = frame.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan, copy=True)
    lacking = np.isnan(boxes).all(axis=1)
    for name in ("parts", "polygon"):  # of both, the second is what counts
        if name in frame and lacking.any():
            rows = np.flatnonzero(lacking & frame[name].notna().to_numpy())
            with naming_outlines(frame, what):
                boxes[rows] = _bounds(lists_of(frame, name, what), rows, what)
    problems = Problems(frame)
    finite = np.isfinite(boxes).all(axis=1)
    remedy = "All four of x_min, y_min, x_max, y_max must be finite numbers" + (
        "." if kind == "bbox" else ", or a polygon be there."
    )
    problems.add("bbox", ~finite, remedy, boxes)
    turned = finite & (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    problems.add("bbox", turned, "x_max must not be less than x_min, nor y_max less than y_min.", boxes)
    problems.throw(what, OUTCOME)
    return boxes


def _bounds(outlines: pd.Series[Any], rows: NDArray[np.int64], what: str) -> NDArray[np.float64]:
    """Boxes around some of the outlines."""
    work = lambda some: masks.polygon_bounds(outlines.iloc[some])  # noqa: E731
    return locate_bad_row(work, rows, named(outlines.index), what)


def _with_sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corner, width and height of boxes.

    ``x_max - x_min`` differs in its last digits from the width that `x_max` came from. Where a number of at most nine
    decimals explains the difference, or a fraction of small whole numbers (as of pictures that were scaled), that was
    the width: decisions on a threshold then fall as in COCO, which keeps widths.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    slack = 2 * np.spacing(np.maximum(np.abs(boxes[:, 2:]), np.abs(boxes[:, :2])))
    near = np.round(sides, 9)
    known = np.where(np.abs(near - sides) <= slack, near, sides)
    # Single numbers, as models give them, are subtracted exactly.
    exact = (boxes == boxes.astype(np.float32)).all(axis=1)
    rest = (np.abs(near - sides) > slack) & ~exact[:, None]
    if rest.any():
        known[rest] = _fractions(sides[rest], slack[rest])
    return np.concatenate([boxes[:, :2], known], axis=1)


def _fractions(numbers: NDArray[np.float64], slack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fractions of small whole numbers that numbers are but for some slack, else the numbers.

    What is so near to a number is among the convergents of its continued fraction.
    """
    found, rows, rest = numbers.copy(), np.arange(len(numbers)), numbers
    over, under = (np.zeros(len(numbers)), np.ones(len(numbers))), (np.ones(len(numbers)), np.zeros(len(numbers)))
    while len(rows):
        whole = np.floor(rest)
        over, under = (over[1], whole * over[1] + over[0]), (under[1], whole * under[1] + under[0])
        fraction = over[1] / under[1]
        met = (np.abs(fraction - numbers[rows]) <= slack[rows]) & (under[1] <= _MOST_PARTS)
        found[rows[met]] = fraction[met]
        left = np.flatnonzero(~met & (rest > whole) & (under[1] <= _MOST_PARTS / 2))
        rows, rest = rows[left], 1 / (rest - whole)[left]
        over, under = (over[0][left], over[1][left]), (under[0][left], under[1][left])
    return found


def _told_areas(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Areas that the labels say, NaN where they say nothing."""
    if "area" not in labels:
        return np.full(len(labels), np.nan)
    areas = pd.to_numeric(without_decimals(labels["area"]), errors="coerce")
    told: NDArray[np.float64] = areas.to_numpy(dtype=float, na_value=np.nan)
    return told


def _crowds(labels: pd.DataFrame) -> NDArray[np.bool_]:
    if "iscrowd" not in labels:
        return np.zeros(len(labels), bool)
    return labels["iscrowd"].fillna(0).to_numpy(dtype=float) != 0
