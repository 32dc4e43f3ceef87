"""The checks on frames that come in: every bad row is named before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from . import frames
from .entities import STATUSES, Entity, Label, LabelClass
from .errors import FrameError, Problem, ValidationException
from .frames import BOX
from .vocabulary import Vocabulary, suggestion

__all__ = [
    "Problems",
    "as_frame",
    "check_ids",
    "check_labels",
    "check_names",
    "check_statuses",
    "fill_in",
    "indexed",
]

Mask: TypeAlias = npt.NDArray[np.bool_]

_LIST_COLUMNS = {"polygon": "a list of [x, y] vertices", "mask": "a list of whole numbers"}


class Problems:
    """Collects what is wrong with the rows of one frame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._found: list[Problem] = []

    def add(self, column: str, bad: Any, remedy: str | Mapping[int, str], values: Any = None) -> None:
        """Name every row that `bad` marks; `remedy` may differ by row position."""
        for position in np.flatnonzero(np.asarray(bad)):
            value = self._frame[column].iloc[position] if values is None else values[position]
            text = remedy if isinstance(remedy, str) else remedy[int(position)]
            self._found.append(Problem(column, self._frame.index[position], value, text))

    def throw(self) -> None:
        """Raise what was found, if anything."""
        if self._found:
            raise FrameError(self._found)


def as_frame(entity: type[Entity], rows: Any) -> pd.DataFrame:
    """Make a frame of what a user brings: a frame, a list of dicts as the API has them, or handles.

    Parameters
    ----------
    entity : type of Entity
        What the rows are.
    rows : pandas.DataFrame, dict, or list of dict or Entity
        In a frame, a column ``bbox`` of lists stands for the four columns of a box.

    Returns
    -------
    pandas.DataFrame
        The same rows with the dtypes that frames of the entity have.

    Raises
    ------
    FrameError
        If a value cannot be what its column holds.
    """
    if isinstance(rows, Mapping | Entity):
        rows = [rows]
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame([row._data if isinstance(row, Entity) else row for row in rows])
    frame = rows.copy()
    problems = Problems(frame)
    if "bbox" in frame and any(field.name == "bbox" for field in entity.fields().values()):
        frame = _split_boxes(frame, problems)
    for column in _LIST_COLUMNS.keys() & set(frame.columns):
        frame[column] = _lists(frame, column, problems)
    for column, dtype in frames.dtypes(entity).items():
        if column in frame and dtype in (np.dtype("float64"), pd.Int64Dtype()):
            frame[column] = _numbers(frame, column, problems)
    problems.throw()
    return frames.conform(entity, frame)


def check_labels(
    labels: Any, vocabulary: Vocabulary, known_images: Iterable[str], *, stored: bool = False
) -> pd.DataFrame:
    """Check labels that are to be created or edited, and find the ids of their classes.

    Parameters
    ----------
    labels : pandas.DataFrame or list of dict
        With ``image_id``; ``class_id`` or ``class_name``; a box or a polygon; for edits, ``label_id`` as the index
        or a column.
    vocabulary : Vocabulary
        The project's names.
    known_images : iterable of str
        Ids of the project's images, or of those among the frame's.
    stored : bool
        Whether these are edits of labels that have ids.

    Returns
    -------
    pandas.DataFrame
        The rows in their order, with dtypes of labels frames and with ``class_id``.

    Raises
    ------
    FrameError
        With every bad row.
    ValidationException
        If a column is missing.
    """
    frame = as_frame(Label, labels)
    if stored:
        frame = indexed(Label, frame)
    _require(frame, "image_id")
    if not {"polygon", *BOX} & set(frame.columns):
        raise ValidationException(
            f"Labels need a box or a polygon: columns {', '.join(BOX)}, or polygon. There are {list(frame.columns)}."
        )
    problems = Problems(frame)
    if stored:
        duplicated = frame.index.duplicated(keep=False) | frame.index.isna()
        problems.add("label_id", duplicated, "Each label can stand in the frame once.", frame.index)
    problems.add(
        "image_id", ~frame["image_id"].isin(list(known_images)), "It must be the id of an image of this project."
    )
    frame["class_id"] = _class_ids(frame, vocabulary, problems)
    _check_geometry(frame, problems)
    for column in {"z_index"} & set(frame.columns):
        problems.add(column, np.isinf(frame[column].to_numpy(dtype=float)), "It must be a finite number.")
    problems.throw()
    return frame


def indexed(entity: type[Entity], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the entity's ids as its index, where they are a column."""
    if frame.index.name == entity.id_name:
        return frame
    for column in (entity.id_name, "id"):
        if column in frame:
            return frame.set_index(column).rename_axis(entity.id_name)
    raise ValidationException(
        f"The frame needs the index or a column {entity.id_name!r}; it has {list(frame.columns)}."
    )


def check_ids(frame: pd.DataFrame, column: str, known: Iterable[str], remedy: str) -> None:
    """Refuse rows whose id is not among the known ones."""
    _require(frame, column)
    problems = Problems(frame)
    problems.add(column, ~frame[column].isin(list(known)), remedy)
    problems.throw()


def check_names(frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary) -> pd.Series[str]:
    """Return a column of ids that may be given by name (``class_id`` or ``class_name``, and the like)."""
    problems = Problems(frame)
    ids = _ids_by_name(frame, id_column, entity, vocabulary, problems)
    problems.throw()
    return ids


def check_statuses(frame: pd.DataFrame) -> None:
    """Refuse rows whose ``status`` does not exist."""
    _require(frame, "status")
    problems = Problems(frame)
    bad = ~frame["status"].isin(STATUSES)
    remedies = {int(i): suggestion(frame["status"].iloc[i], STATUSES) for i in np.flatnonzero(bad)}
    problems.add("status", bad, remedies)
    problems.throw()


def fill_in(labels: Any, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Complete labels that are to be edited by what they have now.

    The API replaces a label as a whole, so that what is left out would be lost.

    Parameters
    ----------
    labels : pandas.DataFrame or list of dict
        With ``label_id``.
    read : callable
        Reads the labels as they are; called only if a column is missing.

    Raises
    ------
    FrameError
        If a label is not there.
    """
    frame = indexed(Label, as_frame(Label, labels))
    missing = [column for column in frames.dtypes(Label) if column not in frame]
    if {"class_id", "class_name"} & set(frame.columns):
        missing = [column for column in missing if column not in ("class_id", "class_name")]
    if not missing:
        return frame
    now = read()
    problems = Problems(frame)
    problems.add("label_id", ~frame.index.isin(now.index), "There is no such label on these images.", frame.index)
    problems.throw()
    return frame.join(now[missing])


# The parts of the checks ----------------------------------------------------------------------------------------------


def _require(frame: pd.DataFrame, column: str) -> None:
    if column not in frame:
        raise ValidationException(f"The frame needs a column {column!r}; it has {list(frame.columns)}.")


def _split_boxes(frame: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    boxes = [None if np.ndim(b) == 0 and pd.isna(b) else b for b in frame["bbox"]]
    bad = np.array([b is not None and np.shape(b) != (4,) for b in boxes], dtype=bool)
    problems.add("bbox", bad, "It must be [x_min, y_min, x_max, y_max].")
    nowhere = [np.nan] * 4
    corners = [nowhere if b is None or wrong else list(b) for b, wrong in zip(boxes, bad, strict=True)]
    columns = pd.DataFrame(corners, columns=list(BOX), index=frame.index)
    return pd.concat([frame.drop(columns=["bbox", *(set(BOX) & set(frame.columns))]), columns], axis=1)


def _numbers(frame: pd.DataFrame, column: str, problems: Problems) -> pd.Series[Any]:
    numbers = pd.to_numeric(frame[column], errors="coerce")
    problems.add(column, numbers.isna() & frame[column].notna(), "It must be a number.")
    return numbers


def _lists(frame: pd.DataFrame, column: str, problems: Problems) -> pd.Series[Any]:
    dtype = frames.dtypes(Label)[column]
    if frame[column].dtype == dtype:
        return frame[column]
    try:
        return frames.arrow_list(frame[column], dtype)
    except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError):
        bad = np.array([not _converts(value, dtype) for value in frame[column]])
        problems.add(column, bad, f"It must be {_LIST_COLUMNS[column]}, or None.")
        return frames.arrow_list(frame[column].where(~bad, None), dtype)


def _converts(value: Any, dtype: Any) -> bool:
    try:
        frames.arrow_list(pd.Series([value], dtype=object), dtype)
    except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _class_ids(frame: pd.DataFrame, vocabulary: Vocabulary, problems: Problems) -> pd.Series[str]:
    return _ids_by_name(frame, "class_id", LabelClass, vocabulary, problems)


def _ids_by_name(
    frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary, problems: Problems
) -> pd.Series[str]:
    """Find the ids of a thing that a frame gives by id, by name or both."""
    name_column = id_column.removesuffix("_id") + "_name"
    if not {id_column, name_column} & set(frame.columns):
        raise ValidationException(
            f"The frame needs a column {id_column!r} or {name_column!r}; it has {list(frame.columns)}."
        )
    things = vocabulary.things(entity)
    if not _known(frame, id_column, name_column, things):
        vocabulary.forget(entity)  # what is not known may be newer than what was read
        things = vocabulary.things(entity)
    names = things["name"]
    if id_column in frame:
        ids = frame[id_column]
        bad = ~ids.isin(things.index)
        problems.add(id_column, bad, f"It must be the id of one of this project's {entity.plural.replace('_', ' ')}.")
        if name_column in frame:
            differ = ~bad & (ids.map(names).astype(object) != frame[name_column].astype(object))
            problems.add(
                name_column,
                differ,
                f"It is not the name of the row's {id_column}. Drop the column that is out of date, as in "
                f".drop(columns={id_column!r}) after {name_column} was edited.",
            )
        return ids
    given = frame[name_column].astype(object)
    bad = ~given.isin(names)
    problems.add(name_column, bad, {int(i): suggestion(given.iloc[i], names) for i in np.flatnonzero(bad)})
    ambiguous = given.isin(names[names.duplicated(keep=False)])
    problems.add(name_column, ambiguous, f"Several have this name; give {id_column!r} instead.")
    by_name = pd.Series(names.index.to_numpy(), index=names.to_numpy())
    return given.map(by_name[~by_name.index.duplicated()]).astype(things.index.dtype)


def _known(frame: pd.DataFrame, id_column: str, name_column: str, things: pd.DataFrame) -> bool:
    known = {id_column: things.index, name_column: things["name"]}
    return all(frame[column].isin(values).all() for column, values in known.items() if column in frame)


def _check_geometry(frame: pd.DataFrame, problems: Problems) -> None:
    boxes = frame.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan)
    shown = boxes.tolist()
    missing = np.isnan(boxes)
    boxed = ~missing.any(axis=1)
    polygons = _there(frame, "polygon")
    partly = missing.any(axis=1) & ~missing.all(axis=1)
    problems.add("bbox", partly, "All four of x_min, y_min, x_max, y_max must be given, or none.", shown)
    problems.add("bbox", ~(boxed | polygons | partly), "A label needs a box or a polygon.", shown)
    flat = boxed & ~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    problems.add("bbox", flat, "x_max must be greater than x_min, and y_max greater than y_min.", shown)
    whole = np.isfinite(boxes).all(axis=1) & (boxes == np.round(boxes)).all(axis=1)
    problems.add("bbox", boxed & ~flat & ~whole, "Boxes are in whole pixels: round them, as with .round().", shown)
    if "polygon" in frame:
        _check_polygons(frame, problems)
    if "mask" in frame:
        masked = _there(frame, "mask")
        problems.add("mask", masked & ~boxed, "A mask lies inside a box: give x_min, y_min, x_max, y_max as well.")
        _check_masks(frame, boxes, masked & boxed & ~flat & whole, problems)


def _there(frame: pd.DataFrame, column: str) -> Mask:
    return frame[column].notna().to_numpy() if column in frame else np.zeros(len(frame), bool)


def _check_polygons(frame: pd.DataFrame, problems: Problems) -> None:
    rings = pa.array(frame["polygon"])
    rings = rings.combine_chunks() if isinstance(rings, pa.ChunkedArray) else rings
    lengths = rings.value_lengths().fill_null(3).to_numpy(zero_copy_only=False)
    problems.add("polygon", lengths < 3, "A polygon needs three vertices or more.")
    vertices = rings.flatten()
    finite = np.isfinite(vertices.flatten().to_numpy(zero_copy_only=False)).reshape(-1, 2).all(axis=1)
    if not finite.all():
        owner = rings.value_parent_indices().to_numpy()[~finite]
        problems.add("polygon", np.isin(np.arange(len(frame)), owner), "Its coordinates must be finite numbers.")


def _check_masks(frame: pd.DataFrame, boxes: npt.NDArray[np.float64], rows: Mask, problems: Problems) -> None:
    lists = pa.array(frame["mask"])
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    lengths = np.where(rows, lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), 0)
    odd = lengths % 2 == 1
    problems.add("mask", rows & ((lengths == 0) | odd), "It must be pairs of start and length, at least one.")
    owner = lists.value_parent_indices().to_numpy()
    usable = (rows & ~odd)[owner]
    runs = lists.flatten().to_numpy(zero_copy_only=False)[usable].astype(np.int64).reshape(-1, 2)
    owner = owner[usable][::2]
    ends = runs.sum(axis=1)
    after = np.where(owner[1:] == owner[:-1], runs[1:, 0] < ends[:-1], False)
    disorder = (runs < 1).any(axis=1)
    disorder[1:] |= after
    problems.add(
        "mask",
        np.isin(np.arange(len(frame)), owner[disorder]),
        "Starts count from 1, lengths from 1, and no run begins before the one before it has ended.",
    )
    area = np.where(rows, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 0)
    beyond = ends - 1 > area[owner]
    remedies = {int(row): f"It is longer than its box, which has {int(area[row]):,} pixels." for row in owner[beyond]}
    problems.add("mask", np.isin(np.arange(len(frame)), owner[beyond]), remedies)
