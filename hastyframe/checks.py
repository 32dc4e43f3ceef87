"""The checks on frames that come in: every bad row is named before anything is sent."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from . import frames, identity
from .arguments import LONGEST_TEXT, MAX_NUMBER, shown, text_problem
from .bad_rows import find_bad_rows
from .entities import STATUSES, Entity, Label, LabelClass
from .errors import FrameError, Problem, ValidationException
from .frames import BOX
from .intake import as_pandas, frame_of
from .vocabulary import Vocabulary, ids_by_name, suggestion

__all__ = [
    "LABEL_COLUMNS",
    "MASK_NEEDS_CROPPING",
    "Problems",
    "as_frame",
    "as_lists",
    "check_ids",
    "check_labels",
    "check_names",
    "check_same_keys",
    "check_statuses",
    "external_ids",
    "fill_missing_columns",
    "finite_numbers",
    "ids_of_column",
    "indexed",
    "is_resized",
    "misspelt",
    "must_edit",
    "remedies_by_row",
    "rows_of",
    "settle_classes",
    "table",
    "warn_of_misspelt",
    "without_decimals",
    "without_read_names",
    "without_shape",
]

MASK_NEEDS_CROPPING = (
    "The mask was made for a box of another size, in this one its runs would mean other pixels: give the mask as well, "
    "cut anew by hf.masks.crop, or None to take it away."
)
"""What to do about a box that changes its size under a mask that stays."""

Mask: TypeAlias = npt.NDArray[np.bool_]

_LIST_COLUMNS = {
    "polygon": "a list of [x, y] vertices",
    "parts": "a list of rings, each a list of [x, y] vertices",
    "mask": "a list of whole numbers",
}
_NOT_CONVERTED = (TypeError, ValueError, OverflowError)  # Arrow's own errors are children of these
_FARTHEST = 2**31 - 1
_BOUNDED = f"Its coordinates must be finite numbers of at most {_FARTHEST:,}."
_MAX_EXACT = 2**53
"""From here on a float may stand for several whole numbers."""
_FINITE = f"It must be a finite number of at most {MAX_NUMBER:,}."


LABEL_COLUMNS = ("class_id", "class_name", "bbox", *BOX, "polygon", "mask", "z_index", "external_id")
"""What can be said of a label, besides where it is."""


class Problems:
    """Collects what is wrong with the rows of one frame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._found: list[tuple[int, Problem]] = []

    def add(self, column: str, bad: Any, remedy: str | Mapping[int, str], values: Any = None) -> None:
        """Name every row that `bad` marks.

        Parameters
        ----------
        column : str
            What the problem is in.
        bad : array of bool, shape (n,)
            The rows that have it.
        remedy : str or mapping of int to str
            What would be right; if it differs, by row position.
        values : pandas.Series, pandas.Index or numpy.ndarray, shape (n, ...), optional
            What the rows hold, if it is not the frame's column.
        """
        # Not np.asarray: NumPy asks a Series for attributes, and pandas looks for them among all row labels.
        positions = np.flatnonzero(bad.to_numpy() if isinstance(bad, pd.Series) else bad)
        if not len(positions):
            return
        values = self._frame[column] if values is None else values
        values = (values.iloc[positions] if isinstance(values, pd.Series) else values[positions]).tolist()
        labels = self._frame.index[positions].tolist()
        for position, label, value in zip(positions.tolist(), labels, values, strict=True):
            text = remedy if isinstance(remedy, str) else remedy[position]
            self._found.append((position, Problem(column, label, value, text)))

    def add_each(self, column: str, remedies: Mapping[int, str], values: Any = None) -> Mask:
        """Name every row that has a remedy, by its position; return which these are."""
        bad = np.zeros(len(self._frame), bool)
        bad[list(remedies)] = True
        self.add(column, bad, remedies, values)
        return bad

    def throw(self, frame: str = "the frame", outcome: str = "nothing was sent") -> None:
        """Raise what was found, if anything, in the order of the rows."""
        if self._found:
            found = sorted(self._found, key=lambda found: found[0])
            raise FrameError((problem for _, problem in found), frame, outcome)


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
    frame = table(rows).copy(deep=False)
    problems = Problems(frame)
    if "bbox" in frame and "bbox" in entity.fields():
        frame = _split_boxes(frame, problems)
    for column, dtype in frames.dtypes(entity).items():
        if column not in frame:
            continue
        if column in _LIST_COLUMNS:
            frame[column] = as_lists(frame[column], dtype, problems)
        elif dtype == np.dtype("float64"):
            frame[column] = _numbers(frame[column], problems)
        elif _is_id(column):
            frame[column] = ids_of_column(frame[column], problems)
        elif column == "external_id":
            frame[column] = external_ids(frame[column], problems)
        elif isinstance(dtype, pd.StringDtype):
            _check_are_texts(frame[column], problems)
    problems.throw()
    return frames.conform(entity, frame)


def ids_of_column(column: pd.Series[Any], problems: Problems) -> pd.Series[str]:
    """Bring a column of ids to its values; what is not an id is a problem, and missing in the result."""
    ids = identity.as_series(column)
    problems.add(str(column.name), identity.not_texts(column, frames.arrow_array(ids)), identity.REMEDY, column)
    return ids


def _is_id(column: str) -> bool:
    """Whether a column holds ids of the project's things; an id of somebody else's is a text that stays as it is."""
    return column.endswith("_id") and column != "external_id"


def external_ids(column: pd.Series[Any], problems: Problems) -> pd.Series[str]:
    """Return ids of another system as texts; whole numbers are taken by value, whatever holds them.

    Examples
    --------
    >>> column = pd.Series([3.0, np.nan, 12.0], name="external_id")  # whole numbers beside one that is missing
    >>> external_ids(column, Problems(column.to_frame())).tolist()
    ['3', nan, '12']
    """
    if pd.api.types.is_float_dtype(column.dtype) or column.dtype == object:
        column = pd.Series([_whole(value) for value in column], column.index, dtype=object, name=column.name)
    _check_are_texts(column, problems)
    return column.astype("str")


def _whole(value: Any) -> Any:
    """Return a float that says a whole number exactly as one; anything else as it is."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) <= _MAX_EXACT:
        return int(value)
    return value


def rows_of(rows: Any) -> pd.DataFrame | list[Mapping[str, Any]]:
    """Return the rows that a user brings as a frame or a list of dicts, whichever they are.

    Raises
    ------
    ValidationException
        If they are neither.

    Examples
    --------
    >>> rows_of({"image_id": "a"})
    [{'image_id': 'a'}]
    >>> rows_of("a")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: 'a' is neither a frame nor a list of dicts.
    """
    rows = as_pandas(rows, records=False)
    if isinstance(rows, pd.DataFrame):
        if rows.columns.nlevels > 1:
            raise ValidationException(
                f"The frame has columns of {rows.columns.nlevels} levels, as {shown(rows.columns[0])}: drop all levels "
                "but one, as with .droplevel(0, axis=1)."
            )
        twice = rows.columns[rows.columns.duplicated()]
        if len(twice):
            raise ValidationException(f"The frame has several columns named {shown(twice[0])}: drop all but one.")
        return rows
    if isinstance(rows, Mapping | Entity):
        rows = [rows]
    if isinstance(rows, str | bytes) or not np.iterable(rows):
        raise ValidationException(f"{shown(rows)} is neither a frame nor a list of dicts.")
    found = [row._data if isinstance(row, Entity) else row for row in rows]
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise ValidationException(f"Row {number} is {shown(row)}, which is not a dict.")
    return found


def table(rows: Any) -> pd.DataFrame:
    r"""Make a frame of the rows that a user brings, whose texts can all be sent.

    Raises
    ------
    ValidationException
        If they are neither a frame nor a list of dicts.
    FrameError
        If a text cannot be stored.

    Examples
    --------
    >>> table([{"name": "a"}, {"name": "b\0"}])
    Traceback (most recent call last):
    hastyframe.errors.FrameError: 1 problem in the frame, nothing was sent:
      name, row 1: 'b\x00'. It holds a NUL character, which cannot be stored.
    """
    rows = rows_of(rows)
    frame = rows if isinstance(rows, pd.DataFrame) else frame_of(rows)
    problems = Problems(frame)
    for column in frame.columns:
        _check_texts(str(column), frame[column], problems)
    _check_texts(str(frame.index.name or "index"), frame.index, problems)
    problems.throw()
    return frame


def _check_texts(name: str, values: pd.Series[Any] | pd.Index[Any], problems: Problems) -> None:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if all(text_problem(text) is None for text in dtype.categories if isinstance(text, str)):
            return
    elif isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow":
        if _are_plain(frames.arrow_array(values)):
            return
    elif not (isinstance(dtype, pd.StringDtype) or dtype == np.dtype(object)):
        return
    remedies = remedies_by_row(values.tolist(), lambda value: text_problem(value) if isinstance(value, str) else None)
    problems.add_each(name, remedies, values)


def remedies_by_row(values: Iterable[Any], problem: Callable[[Any], str | None]) -> dict[int, str]:
    """Say what would be right for each value that has a problem, by its position."""
    found = ((position, problem(value)) for position, value in enumerate(values))
    return {position: text[0].upper() + text[1:] for position, text in found if text is not None}


def _are_plain(texts: pa.Array) -> bool:
    """Whether Arrow texts, of which none is half a pair, are short and without NUL; False where that is not sure."""
    content = texts.buffers()[2]
    if content is not None and 0 in np.frombuffer(content, np.uint8):  # perhaps of a text that is not in the slice
        return False
    return (pc.max(pc.binary_length(texts)).as_py() or 0) <= LONGEST_TEXT


def check_labels(
    labels: Any,
    vocabulary: Vocabulary,
    known_images: Iterable[str],
    *,
    stored: bool = False,
    bare: Mask | None = None,
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
    bare : array of bool, optional
        Which rows are labels that have neither box nor polygon on the server either, only key points: they may stay so.

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
        problems.add(
            "label_id",
            frame.index.duplicated(keep=False),
            "It comes several times: drop all rows but one.",
            frame.index,
        )
        problems.add("label_id", frame.index.isna(), "It must be the id of a label.", frame.index)
    problems.add(
        "image_id", ~frame["image_id"].isin(list(known_images)), "It must be the id of an image of this project."
    )
    frame["class_id"] = _ids_by_name(frame, "class_id", LabelClass, vocabulary, problems)
    _check_geometry(frame, problems, bare)
    if "parts" in frame:  # of readers of files; the API has one ring a polygon
        lost = frame["parts"].notna().to_numpy() & ~_there(frame, "polygon") & ~_there(frame, "mask")
        problems.add("parts", lost, "A label has one ring: read it with its mask, or push its label set.")
    if "z_index" in frame:
        far = (frame["z_index"].abs() > MAX_NUMBER).to_numpy()
        problems.add("z_index", far, _FINITE)
    problems.throw()
    return frame


def indexed(entity: type[Entity], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the entity's ids as its index, by value, where they are a column.

    Raises
    ------
    FrameError
        If something else than an id stands among them; what is missing is left to the caller.
    ValidationException
        If there is no such column.
    """
    if frame.index.name != entity.id_name:
        column = next((name for name in (entity.id_name, "id") if name in frame), None)
        if column is None:
            raise ValidationException(
                f"The frame needs the index or a column {entity.id_name!r}; it has {list(frame.columns)}."
            )
        frame = frame.set_index(column).rename_axis(entity.id_name)
    ids = identity.as_index(frame.index)
    if ids is frame.index:
        return frame
    problems = Problems(frame)
    strange = identity.not_texts(frame.index, frames.arrow_array(ids))
    problems.add(entity.id_name, strange, identity.REMEDY, frame.index)
    problems.throw()
    return frame.set_axis(ids)


def finite_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as numbers that can be sent; what is missing stays missing.

    Raises
    ------
    FrameError
        If a value is not a number.
    """
    problems = Problems(column.to_frame())
    numbers = _numbers(column, problems)
    far = (numbers.abs() > MAX_NUMBER).to_numpy()
    problems.add(str(column.name), far, _FINITE, column)
    problems.throw()
    return numbers


def check_ids(frame: pd.DataFrame, column: str, known: Iterable[str], remedy: str) -> None:
    """Refuse rows whose id is not among the known ones."""
    _require(frame, column)
    problems = Problems(frame)
    problems.add(column, ~identity.as_series(frame[column]).isin(list(known)), remedy)
    problems.throw()


def check_names(frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary) -> pd.Series[str]:
    """Return a column of ids that may be given by name (``class_id`` or ``class_name``, and the like)."""
    problems = Problems(frame)
    ids = _ids_by_name(frame, id_column, entity, vocabulary, problems)
    problems.throw()
    return ids


def misspelt(columns: Iterable[Any], known: Iterable[str]) -> list[str]:
    """Say of columns that are passed over which of the known ones each may be meant to be, where one is very near.

    Examples
    --------
    >>> misspelt(["clas_name", "Z index", "score", "x_min"], ["class_name", "z_index", "x_min"])
    ["'clas_name' (did you mean 'class_name'?)", "'Z index' (did you mean 'z_index'?)"]
    """
    plain = {_plain(name): name for name in known}
    strange = [name for name in columns if isinstance(name, str) and name not in plain.values()]
    near = [get_close_matches(_plain(name)[:100], plain, n=1, cutoff=0.8) for name in strange]
    return [f"{name!r} (did you mean {plain[found[0]]!r}?)" for name, found in zip(strange, near, strict=True) if found]


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def warn_of_misspelt(frame: pd.DataFrame, known: Iterable[str], stacklevel: int = 4) -> None:
    """Warn of columns that are not sent and may be misspelt."""
    if found := misspelt(frame.columns, known):
        warnings.warn(f"Not sent, as no such column is known: {', '.join(found)}", stacklevel=stacklevel)


def must_edit(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse an edit that says nothing new, since it has none of the columns that can be edited."""
    columns = [*columns]
    if not {*columns} & {*frame.columns}:
        hint = "".join(f" Perhaps {text}." for text in misspelt(frame.columns, columns))
        raise ValidationException(
            f"There is nothing to edit: the frame has none of the columns {', '.join(columns)}; it has "
            f"{list(frame.columns)}.{hint}"
        )


def check_statuses(frame: pd.DataFrame) -> None:
    """Refuse rows whose ``status`` does not exist."""
    _require(frame, "status")
    problems = Problems(frame)
    statuses = _texts(frame, "status")
    bad = ~statuses.isin(STATUSES)
    problems.add("status", bad, _suggestions(statuses, bad, STATUSES))
    problems.throw()


def check_same_keys(rows: Any) -> None:
    """Refuse dicts of which some leave out what others give: in one table, what is left out would look like None.

    Raises
    ------
    ValidationException
        Names the first row that lacks a key, and the key.
    """
    if isinstance(rows, pd.DataFrame | Mapping):
        return
    rows = [row for row in rows if isinstance(row, Mapping)]
    every = list(dict.fromkeys(key for row in rows for key in row))
    for number, row in enumerate(rows):
        for key in every:
            if key not in row:
                raise ValidationException(
                    f"Row {number} leaves out {key!r}, which other rows give. Give every row the same keys, or edit "
                    "the rows with other keys in a call of their own: what no row gives stays as it is."
                )


def without_shape(labels: pd.DataFrame) -> Mask:
    """Whether labels have neither a box nor an outline, as those of key points."""
    boxes = labels.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(np.isnan(boxes).all(axis=1) & ~_there(labels, "polygon") & ~_there(labels, "parts"))


def is_resized(box: Sequence[float] | None, before: Sequence[float] | None) -> bool:
    """Whether a box has another size than before, so that the runs of a mask in it would mean other pixels."""
    sizes = [None if b is None else (b[2] - b[0], b[3] - b[1]) for b in (box, before)]
    return sizes[0] != sizes[1]


def fill_missing_columns(labels: Any, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Complete labels that are to be edited by what they have now.

    The API replaces a label as a whole, so that what is left out would be lost.

    Parameters
    ----------
    labels : pandas.DataFrame or list of dict
        With ``label_id`` and ``image_id``.
    read : callable
        Reads the labels as they are; called only if a column is missing.

    Raises
    ------
    FrameError
        If a label is not there.
    """
    frame = indexed(Label, as_frame(Label, labels))
    _require(frame, "image_id")
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


def without_read_names(frame: pd.DataFrame, vocabulary: Vocabulary) -> pd.DataFrame:
    """Of labels whose class has the name that it was read with, let the id count: it may have another name by now."""
    known = vocabulary.held(LabelClass)
    if known is None or not {"class_id", "class_name"} <= set(frame.columns):
        return frame
    names = _texts(frame, "class_name")
    return frame.assign(class_name=names.mask(_texts(frame, "class_id", "id").map(known["name"]) == names))


def settle_classes(frame: pd.DataFrame, vocabulary: Vocabulary, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Of id and name of a class that disagree in labels to be edited, keep the one that is not as the label has it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Labels, indexed by ``label_id``.
    vocabulary : Vocabulary
        The project's names.
    read : callable
        Reads the labels as they are; called only if a row disagrees with itself.

    Returns
    -------
    pandas.DataFrame
        With the other one missing; rows of which both changed are left, to be refused.
    """
    if not {"class_id", "class_name"} <= set(frame.columns):
        return frame
    ids, names = _texts(frame, "class_id", "id"), _texts(frame, "class_name")
    if not (ids.notna() & names.notna()).any():
        return frame
    known = vocabulary.current(LabelClass)["name"]
    differ = ids.notna() & names.notna() & (ids.map(known) != names)
    if differ.any():  # what a class was once called, nobody needs to have chosen
        differ &= ~vocabulary.were_named(LabelClass, ids, names)
    if not differ.any():
        return frame
    now = read()["class_id"].reindex(frame.index)
    by_name = (differ & (ids == now)).to_numpy()
    by_id = (differ & (now.map(known) == names)).to_numpy() & ~by_name
    return frame.assign(class_id=ids.mask(by_name), class_name=names.mask(by_id))


# The parts of the checks ----------------------------------------------------------------------------------------------


def _require(frame: pd.DataFrame, column: str) -> None:
    if column not in frame:
        raise ValidationException(f"The frame needs a column {column!r}; it has {list(frame.columns)}.")


def _split_boxes(frame: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    boxes = frame["bbox"].tolist()
    fits = [
        (isinstance(box, list | tuple) or (isinstance(box, np.ndarray) and box.ndim == 1)) and len(box) == 4
        for box in boxes
    ]
    bad = ~np.array(fits, bool) & frame["bbox"].notna().to_numpy()
    problems.add("bbox", bad, "It must be [x_min, y_min, x_max, y_max].")
    nowhere = [np.nan] * 4
    corners = [list(box) if fit else nowhere for box, fit in zip(boxes, fits, strict=True)]
    try:
        columns = pd.DataFrame(corners, columns=list(BOX), index=frame.index)
    except (UnicodeEncodeError, OverflowError):  # said of each corner later
        columns = pd.DataFrame(corners, columns=list(BOX), index=frame.index, dtype=object)
    return pd.concat([frame.drop(columns=["bbox", *(set(BOX) & set(frame.columns))]), columns], axis=1)


def _numbers(column: pd.Series[Any], problems: Problems) -> pd.Series[Any]:
    if column.dtype == np.dtype("float64"):
        return column
    column = without_decimals(column)
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # whole numbers beyond what a float holds
        numbers = pd.to_numeric(column.map(_bounded), errors="coerce")
    if column.dtype.kind in "mM":
        numbers = pd.Series(np.nan, index=column.index)
    if column.dtype == object:  # a truth value among numbers would pass for one
        truths = [isinstance(value, bool | np.bool_) for value in column]
        numbers = numbers.mask(truths)
    if numbers.dtype.kind not in "iuf":  # moments and truth values would pass for numbers
        numbers = pd.Series(np.nan, index=column.index)
    problems.add(str(column.name), numbers.isna() & column.notna(), "It must be a number.", column)
    return numbers


def without_decimals(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of Arrow decimals as floats, because pandas loses the missing ones in turning them to numbers."""
    dtype = column.dtype
    decimal = isinstance(dtype, pd.ArrowDtype) and pa.types.is_decimal(dtype.pyarrow_dtype)
    return column.astype(pd.ArrowDtype(pa.float64())) if decimal else column


def _bounded(value: Any) -> Any:
    if not isinstance(value, int) or abs(value) <= sys.float_info.max:
        return value
    return math.inf if value > 0 else -math.inf


def _check_are_texts(column: pd.Series[Any], problems: Problems) -> None:
    """Refuse what would become a text by chance: a list, a truth value, the 3.0 that was a 3 among missing values."""
    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype | pd.CategoricalDtype) or pd.api.types.is_integer_dtype(dtype):
        return
    given = column.tolist()
    fits = [isinstance(value, str | int | np.integer) and not isinstance(value, bool) for value in given]
    bad = ~np.array(fits, bool) & column.notna().to_numpy()
    problems.add(str(column.name), bad, "It must be a text.", column)


def as_lists(column: pd.Series[Any], dtype: pd.ArrowDtype, problems: Problems) -> pd.Series[Any]:
    """Turn a column of outlines or masks into Arrow lists; a bad value is a problem, and missing in the result."""
    try:
        return frames.arrow_list(column, dtype)
    except _NOT_CONVERTED:
        work = lambda rows: frames.arrow_list(column.iloc[rows], dtype)  # noqa: E731
        found = [row for row, _ in find_bad_rows(work, np.arange(len(column)), _NOT_CONVERTED)]
        bad = _marked(column, np.array(found, np.intp))
        name = str(column.name)
        problems.add(name, bad, f"It must be {_LIST_COLUMNS[name]}, or None.", column)
        return frames.arrow_list(column.astype(object).where(~bad, None), dtype)


def _ids_by_name(
    frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary, problems: Problems
) -> pd.Series[str]:
    """Find the ids of a thing that rows give by id, by name, or by both."""
    name_column = id_column.removesuffix("_id") + "_name"
    if not {id_column, name_column} & set(frame.columns):
        raise ValidationException(
            f"The frame needs a column {id_column!r} or {name_column!r}; it has {list(frame.columns)}."
        )
    ids, names = _texts(frame, id_column, "id", problems), _texts(frame, name_column, "name", problems)
    has_id, has_name = ids.notna(), names.notna()
    things = vocabulary.table(entity)
    as_read = has_id & has_name & (ids.map(things["name"]) == names)  # whatever the thing is called now
    if (has_id & ~ids.isin(things.index)).any() or (has_name & ~as_read).any():
        things = vocabulary.current(entity)
        if (has_id & has_name & ~as_read & ~names.isin(things["name"])).any():  # perhaps names that are given up
            as_read |= vocabulary.were_named(entity, ids, names) & ~names.isin(things["name"])
    what = entity.plural.replace("_", " ")

    strange = has_id & ~ids.isin(things.index)
    problems.add(id_column, strange, f"It must be the id of one of this project's {what}.", ids)
    differ = has_id & ~strange & has_name & ~as_read & (ids.map(things["name"]) != names)
    remedy = (
        f"It is not the name of the row's {id_column}. Drop the column that is out of date, as in "
        f".drop(columns={id_column!r}) after {name_column} was edited."
    )
    problems.add(name_column, differ, remedy, names)
    named = has_name & ~has_id
    unknown = named & ~names.isin(things["name"])
    problems.add(name_column, unknown, _suggestions(names, unknown, things["name"], what), names)
    several = things["name"][things["name"].duplicated(keep=False)]
    problems.add(
        name_column, named & names.isin(several), f"Several have this name; give {id_column!r} instead.", names
    )
    column = name_column if name_column in frame else id_column
    given = frame[[name for name in (id_column, name_column) if name in frame]].notna().any(axis=1)
    problems.add(column, ~given, f"It must be one of this project's {what}.")

    return ids.where(has_id, names.map(ids_by_name(things))).astype("str")


def _texts(
    frame: pd.DataFrame, column: str, kind: identity.Kind = "name", problems: Problems | None = None
) -> pd.Series[Any]:
    """Return a column of ids or names by value, whatever holds them; all missing if the frame does not have it."""
    if column not in frame:
        return pd.Series(None, index=frame.index, dtype="str")
    found = identity.as_series(frame[column], kind)
    if problems is not None:
        strange = identity.not_texts(frame[column], frames.arrow_array(found))
        problems.add(column, strange, identity.REMEDY if kind == "id" else "It must be a text.")
    return found


def _suggestions(texts: pd.Series[Any], bad: Any, choices: Iterable[str], what: str = "choices") -> dict[int, str]:
    """Say what would be right for each bad row; the same text is looked at once."""
    choices = list(choices)
    found = {text: suggestion(text, choices, what) for text in texts[bad].unique()}
    return {int(position): found[texts.iloc[position]] for position in np.flatnonzero(bad)}


def _check_geometry(frame: pd.DataFrame, problems: Problems, bare: Mask | None) -> None:
    boxes = frame.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan)
    missing = np.isnan(boxes)
    boxed = ~missing.any(axis=1)
    polygons = _there(frame, "polygon")
    partly = missing.any(axis=1) & ~missing.all(axis=1)
    problems.add("bbox", partly, "All four of x_min, y_min, x_max, y_max must be given, or none.", boxes)
    shapeless = ~(boxed | polygons | partly)
    if bare is not None:
        shapeless &= ~bare
    problems.add("bbox", shapeless, "A label needs a box or a polygon.", boxes)
    flat = boxed & ~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    problems.add("bbox", flat, "x_max must be greater than x_min, and y_max greater than y_min.", boxes)
    whole = boxed & (boxes == np.round(boxes)).all(axis=1)
    far = boxed & (np.abs(boxes) > _FARTHEST).any(axis=1)
    problems.add("bbox", boxed & ~whole, "Boxes are in whole pixels: round them, as with .round().", boxes)
    problems.add("bbox", far, f"No picture has more than {_FARTHEST:,} pixels a side.", boxes)
    if "polygon" in frame:
        _check_polygons(frame, problems)
    if "mask" in frame:
        masked = _there(frame, "mask")
        problems.add("mask", masked & ~boxed, "A mask lies inside a box: give x_min, y_min, x_max, y_max as well.")
        _check_masks(frame, boxes, masked & whole & ~flat & ~far, problems)


def _there(frame: pd.DataFrame, column: str) -> Mask:
    return frame[column].notna().to_numpy() if column in frame else np.zeros(len(frame), bool)


def _check_polygons(frame: pd.DataFrame, problems: Problems) -> None:
    rings = frames.arrow_array(frame["polygon"])
    lengths = rings.value_lengths().fill_null(3).to_numpy(zero_copy_only=False)
    problems.add("polygon", lengths < 3, "A polygon needs three vertices or more.")
    vertices = rings.flatten()
    finite = np.ones(len(vertices), bool)
    for axis in (0, 1):  # what is missing becomes NaN
        finite &= np.abs(pc.list_element(vertices, axis).to_numpy(zero_copy_only=False)) <= _FARTHEST
    owners = rings.value_parent_indices().to_numpy()
    problems.add("polygon", _marked(frame, owners[~finite]), _BOUNDED)


def _check_masks(frame: pd.DataFrame, boxes: npt.NDArray[np.float64], rows: Mask, problems: Problems) -> None:
    """Check the masks of the rows that have a good box."""
    lists = frames.arrow_array(frame["mask"])
    lengths = np.where(rows, lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), 0)
    paired = rows & (lengths % 2 == 0) & (lengths > 0)
    problems.add("mask", rows & ~paired, "It must be pairs of start and length, at least one.")
    owners = lists.value_parent_indices().to_numpy()
    used = paired[owners]
    runs = lists.flatten().fill_null(0).to_numpy()[used].astype(np.int64).reshape(-1, 2)
    owners = owners[used][::2]
    ends = runs.sum(axis=1)
    disorder = (runs < 1).any(axis=1)
    disorder[1:] |= (owners[1:] == owners[:-1]) & (runs[1:, 0] < ends[:-1])
    remedy = "Starts count from 1, lengths from 1, and no run begins before the one before it has ended."
    problems.add("mask", _marked(frame, owners[disorder]), remedy)
    areas = np.where(rows, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 0)
    long = np.unique(owners[ends - 1 > areas[owners]])
    remedies = {int(row): f"It is longer than its box, which has {areas[row]:,.0f} pixels." for row in long}
    problems.add_each("mask", remedies)


def _marked(frame: pd.DataFrame | pd.Series[Any], rows: npt.NDArray[np.integer[Any]]) -> Mask:
    marked = np.zeros(len(frame), bool)
    marked[rows] = True
    return marked
