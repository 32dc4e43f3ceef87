"""Lists of JSON values as typed columns; a value that does not fit is named with its place."""

from __future__ import annotations

import copy
import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, compress
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..bad_rows import find_bad_rows
from ..entities import Entity
from ..errors import FileProblem, FormatError, ValidationException
from ..frames import dtypes
from ..limits import DEFAULT_LIMITS, Limits
from ._fingerprint import all_different
from ._growth import TABLE_BYTES, Growth, check_depth, check_rows
from ._integrity import rows_by_value, rows_in
from ._lists import KEPT
from ._problems import CORRECT, Problems
from ._report import Losses

__all__ = [
    "CHECK",
    "BadRows",
    "Columns",
    "Table",
    "blanked",
    "column_of",
    "further_columns",
    "locate_bad_rows",
    "sifted",
    "whole_id",
]

R = TypeVar("R")
T = TypeVar("T")


CHECK = "Check what wrote the file"
MOST_BAD = 100_000
"""How many bad rows of one kind are named; with more of them, the file as a whole is wrong."""


class Columns(dict[str, Any]):
    """A list of JSON objects that was taken apart: a list of values a key, None where an object lacks it.

    Its ``bbox`` are tuples of four floats, or None; or an array of shape (n, 4), where none is missing.
    """


class Table:
    """A list of JSON objects: a column a key, and every complaint names file and row.

    Parameters
    ----------
    rows : object
        What the file has there, or `Columns` of it.
    file : str
        Its name.
    what : str
        The key that the list stands under.
    place : callable, optional
        Names a row that does not simply stand in that list.
    limits : Limits
        How many rows there may be, and how deep what they hold.
    problems : Problems, optional
        Where to note rows that are no objects, which are left out then.
    """

    def __init__(
        self,
        rows: Any,
        file: str,
        what: str,
        place: Callable[[int], str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        problems: Problems | None = None,
    ) -> None:
        self.file, self.what, self._place, self.limits = file, what, place, limits
        self._dropped: set[str] = set()
        self.origin: NDArray[np.int64] | None = None
        if isinstance(rows, Columns):
            self._columns, self._length, self._rows = rows, len(next(iter(rows.values()))), None
            check_rows(self._length, file, what, limits)
            return
        if not isinstance(rows, list | tuple):
            raise FormatError(file, what, f"it should be a list and is {_type(rows)}", CHECK)
        check_rows(len(rows), file, what, limits)
        if wrong := [row for row, value in enumerate(rows) if not isinstance(value, dict | Mapping)]:
            errors = [self._no_object(row, rows[row]) for row in wrong[:MOST_BAD]]
            if problems is None or len(wrong) > MOST_BAD:
                raise errors[0]
            for error in errors:
                problems.note(error)
            self.origin = np.setdiff1d(np.arange(len(rows)), wrong)
            rows = [rows[row] for row in self.origin.tolist()]
        self._columns, self._length, self._rows = Columns(), len(rows), plain_rows(rows)

    def __len__(self) -> int:
        return self._length

    def place(self, row: int) -> str:
        """Name a row."""
        named = next(
            (name for name in (self._value(key, row) for key in ("id", "image_name")) if name is not None), None
        )
        name = f" (id {named!r})" if isinstance(named, str | int) else ""
        number = row if self.origin is None else int(self.origin[row])
        return f"{self._place(number) if self._place else f'{self.what}[{number}]'}{name}"

    def wrong(self, row: int, problem: str, remedy: str = CORRECT) -> FormatError:
        """Complain about a row."""
        return self.all_wrong([row], lambda _: problem, remedy)

    def all_wrong(self, rows: Any, problem: Callable[[int], str] | str, remedy: str = CORRECT) -> FormatError:
        """Complain about rows that fail a check: about all of them, so that none is found later.

        Where they are more than ``MOST_BAD`` it is the file that is wrong: the error is no `BadRows` then.
        """
        rows = np.asarray(rows)
        rows = np.unique(np.flatnonzero(rows) if rows.dtype.kind == "b" else rows).tolist()
        say = problem if callable(problem) else lambda _: problem
        if len(rows) > MOST_BAD:
            what = f"{say(rows[0])}; {len(rows) - 1:,} more rows fail this check"
            return FormatError(self.file, self.place(rows[0]), what, remedy)
        return BadRows(self, rows, [FileProblem(self.file, self.place(row), say(row), remedy) for row in rows])

    def without(self, rows: list[int]) -> Table:
        """Return a table without some rows; the others are called what they are called in this one."""
        keep = np.ones(len(self), bool)
        keep[rows] = False
        less = copy.copy(self)
        less.origin = self.numbers_of_rows[keep]
        less._length = int(keep.sum())
        if self._rows is None:
            less._columns = Columns((key, _some(values, keep)) for key, values in self._columns.items())
        else:
            less._rows = list(compress(self._rows, keep.tolist()))
        return less

    @property
    def typed(self) -> bool:
        """Whether the values were checked when the list was taken apart; they are not, if the rows are at hand."""
        return self._rows is None

    def keys(self) -> set[Any]:
        """Keys that rows have."""
        return set(self._columns) if self._rows is None else set().union(*self._rows)

    def check_cells(self) -> None:
        """Refuse rows that have keys of their own each: as columns they would take the square of what they are.

        Raises
        ------
        SizeLimitError
            They would take too much.
        """
        if self._rows is None:
            return
        growth = Growth(self.file, 8 * sum(map(len, self._rows)), self.limits, TABLE_BYTES)
        growth.take(8 * len(self.keys()) * len(self), self.what)

    def get(self, key: str) -> list[Any]:
        """Values of a key, None where it is absent."""
        if key in self._dropped:
            return [None] * len(self)
        if self._rows is None:
            return self._columns.get(key, [None] * len(self))
        return [row.get(key) for row in self._rows]

    def _value(self, key: str, row: int) -> Any:
        if self._rows is None:
            return self._columns[key][row] if key in self._columns else None
        return self._rows[row].get(key)

    @property
    def numbers_of_rows(self) -> NDArray[np.int64]:
        """Which rows of the list in the file these are."""
        return np.arange(len(self)) if self.origin is None else self.origin

    def drop(self, key: str) -> None:
        """Forget a key whose values are not wanted, or not any more, and take much memory."""
        self._columns.pop(key, None)
        self._dropped.add(key)

    def has(self, key: str) -> bool:
        """Whether rows have a key."""
        return len(self) > 0 and self.get(key)[0] is not None

    def need(self, key: str) -> list[Any]:
        """Values of a key that every row must have."""
        values = blanked(self.get(key))
        if None in values:
            missing = [row for row, value in enumerate(values) if value is None]
            raise self.all_wrong(missing, f"{key!r} is missing", f"Give every row its {key!r}")
        return values

    def texts(self, key: str, *, needed: bool = False) -> list[str | None]:
        """Values that are texts."""
        return self._of_types(key, self.need(key) if needed else self.get(key), {str}, "a text")

    def ids(self, key: str) -> list[int | str]:
        """Values that are ids: whole numbers, also those that are written as 1.0, or texts."""
        values = self.need(key)
        if float in set(map(type, values)):
            values = list(map(whole_id, values))
        return self._of_types(key, values, {str, int}, "a whole number or a text")

    def index(self, key: str) -> pd.Index[str]:
        """Ids as an index of texts, no one twice."""
        ids = self._as_ids(key)
        index = pd.Index(ids.cast(pa.large_string()), dtype="str")
        if not all_different(ids):
            again = np.asarray(index.duplicated())
            raise self.all_wrong(
                again, lambda row: f"{key} {index[row]!r} is there twice", "Give every row an id of its own"
            )
        return index

    def refer(self, key: str, index: pd.Index[str], to: str) -> NDArray[np.int64]:
        """Rows of an index that these ids stand in; `to` says what the index is of."""
        rows = self._rows_in(index, key)
        if (rows < 0).any():
            names = self.get(key)
            raise self.all_wrong(
                rows < 0, lambda row: f"{key} {names[row]!r} is not in {to}", f"Add it to {to} or leave the row out"
            )
        return rows

    def known(self, key: str, index: pd.Index[str]) -> NDArray[np.bool_]:
        """Tell which of these ids are in an index."""
        return self._rows_in(index, key) >= 0

    def _rows_in(self, index: pd.Index[str], key: str) -> NDArray[np.int64]:
        """Row of each id in an index, by value: ``"1.0"`` is 1, unless both are there."""
        ids = self._as_ids(key)
        rows = rows_in(index, ids)
        return rows_by_value(index, pd.Index(ids.cast(pa.large_string()), dtype="str")) if (rows < 0).any() else rows

    def _as_ids(self, key: str) -> pa.Array:
        """Ids as numbers, where all of them are, else as texts."""
        if self.typed:  # so that no look at each of them is needed
            try:
                numbers = pa.array(self.get(key), pa.int64())
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                pass
            else:
                if not numbers.null_count:
                    return numbers
        ids = self.ids(key)
        try:
            return pa.array(ids, pa.int64())
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array(list(map(str, ids)), pa.large_string())

    def numbers(self, key: str) -> NDArray[np.float64]:
        """Values that are numbers, NaN where there is none."""
        values = self.get(key)
        try:
            return pa.array(values, pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, TypeError, OverflowError):
            values = [_read_number(value) if isinstance(value, str) else value for value in values]
            self._of_types(key, values, {int, float, bool}, "a number")
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:
            row = next(row for row, value in enumerate(values) if isinstance(value, int) and abs(value) > 2**1000)
            raise self.wrong(row, f"{key!r} is beyond all numbers") from None

    def sizes(self, key: str) -> pd.Series[Any]:
        """Values that are whole numbers of pixels, missing where there is none."""
        values = self.numbers(key)
        wrong = ~np.isnan(values) & ~((values == np.rint(values)) & (values >= 0) & (values <= 2**31))
        if wrong.any():
            raise self.all_wrong(
                wrong, lambda row: f"{key!r} is {values[row]!s}, and pixels are whole numbers", "Correct it"
            )
        return pd.Series(values).astype("Int64")

    def lists(self, key: str) -> list[Any]:
        """Values that are lists, None where there is none."""
        return self._of_types(key, self.get(key), {list, tuple}, "a list")

    def objects(self, key: str) -> list[Any]:
        """Values that are objects, None where there is none."""
        return self._of_types(key, self.get(key), {dict}, "an object")

    def _of_types(self, key: str, values: list[Any], types: set[type], what: str) -> list[Any]:
        types = {*types, type(None)}
        if not set(map(type, values)) <= types:
            values = blanked(values)
            if wrong := [row for row, value in enumerate(values) if type(value) not in types]:
                raise self.all_wrong(wrong, lambda row: f"{key!r} should be {what} and is {_type(values[row])}")
        return values

    def _no_object(self, row: int, value: Any) -> FormatError:
        where = self._place(row) if self._place else f"{self.what}[{row}]"
        return FormatError(self.file, where, f"it should be an object and is {_type(value)}", "Correct it")


class BadRows(FormatError):
    """Rows of a table that fail a check: all of them."""

    def __init__(self, table: Table, rows: list[int], problems: list[FileProblem]) -> None:
        super().__init__(*problems[0])
        self._problems = problems
        self.table, self.rows = table, rows

    def __reduce__(self) -> tuple[Any, ...]:
        return FormatError.of, (self._problems,)  # the table stays here


def locate_bad_rows(work: Callable[[NDArray[np.int64]], R], rows: NDArray[np.int64], table: Table) -> R:
    """Do work on many rows of a table at once; where it is refused, name all bad rows.

    Parameters
    ----------
    work : callable
        Takes row numbers; raises ValidationException where one of them is bad.
    rows : numpy.ndarray of int64
        All of them.
    table : Table
        What they are rows of.
    """
    try:
        return work(rows)
    except ValidationException as error:
        whole = error
    found = {row: str(error).rstrip(".") for row, error in find_bad_rows(work, rows)}
    if not found:
        raise whole
    raise table.all_wrong(list(found), found.__getitem__)


def sifted(read: Callable[[Table], T], table: Table, problems: Problems, losses: Losses) -> tuple[T, Table]:
    """Read a table; rows that are refused are noted, and the rest is read without them.

    Parameters
    ----------
    read : callable
        Raises BadRows for what it refuses.
    table : Table
        What to read.
    problems : Problems
        Where bad rows are noted.
    losses : Losses
        What `read` tells of losses; what it told before it refused something is taken back.

    Returns
    -------
    result : object
        What `read` returns.
    table : Table
        The rows that are left.
    """
    while True:
        told = losses.told()
        try:
            return read(table), table
        except BadRows as error:
            if error.table is not table:
                raise
            problems.note(error)
            losses.take_back(told)
            table = table.without(error.rows)


def _some(values: Any, keep: NDArray[np.bool_]) -> Any:
    return values[keep] if isinstance(values, np.ndarray) else list(compress(values, keep.tolist()))


def blanked(values: list[Any]) -> list[Any]:
    """Values with None in the place of NaN, for which JSON has no word."""
    if float not in set(map(type, values)):
        return values
    return [None if type(value) is float and math.isnan(value) else value for value in values]


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)


def _read_number(text: str) -> float | str:
    """Read a number that stands as a text; a text that is something else stays.

    Examples
    --------
    >>> _read_number("64"), _read_number("1e1 "), _read_number("64px")
    (64.0, 10.0, '64px')
    """
    return float(text) if _NUMBER.fullmatch(text) else text


def whole_id(value: Any) -> Any:
    """Make an int of an id that was written as 1.0."""
    return int(value) if type(value) is float and value.is_integer() else value


def plain_rows(rows: Sequence[Any]) -> Sequence[Any]:
    """Objects with lists and Python numbers in the place of NumPy's arrays and scalars, if there are any.

    Examples
    --------
    >>> plain_rows([{"id": np.int64(3), "bbox": np.array([0.0, 1.5])}])
    [{'id': 3, 'bbox': [0.0, 1.5]}]
    """
    types = set(map(type, rows)) | set(map(type, chain.from_iterable(row.values() for row in rows)))
    if types <= _PLAIN:
        return rows
    return [{key: plain(value) for key, value in row.items()} for row in rows]


_PLAIN = {dict, list, tuple, str, int, float, bool, type(None)}


def plain(value: Any) -> Any:
    """Make Python's own of a value of NumPy, of another mapping, or of what pandas has for missing."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, uuid.UUID | Decimal):
        return str(value) if isinstance(value, uuid.UUID) else float(value)
    for kind in (str, bool, int, float):
        if isinstance(value, kind) and type(value) is not kind:
            return kind(value)
    return value


def _type(value: Any) -> str:
    return {
        "NoneType": "missing",
        "dict": "an object",
        "list": "a list",
        "str": "a text",
        "bool": "true or false",
        "int": "a number",
        "float": "a number",
    }.get(type(value).__name__, f"a {type(value).__name__}")


def further_columns(
    table: Table, known: Iterable[str], entity: type[Entity], declared: Iterable[str], losses: Losses
) -> dict[str, pd.Series[Any]]:
    """Columns of the keys that a format does not define.

    Parameters
    ----------
    table : Table
        The list of objects.
    known : iterable of str
        Keys that the format defines.
    entity : type of Entity
        What the rows are. A key that is called like one of its columns, or like a column that readers of files add,
        would be taken for that column.
    declared : iterable of str
        Such columns that a key may fill all the same, since the writer of the format writes them so.
    losses : Losses
        Told what is left out.
    """
    columns = {}
    table.check_cells()
    for key in sorted(table.keys() - set(known), key=str):
        dtype = dtypes(entity).get(key)
        if key in declared and dtype is not None:
            columns[key] = _declared_column(table, key, dtype == np.dtype("float64"), losses)
        elif key not in declared and (dtype is not None or key in KEPT or not isinstance(key, str)):
            losses.add(len(table), f"key {key!r} of {table.what}")
        else:
            columns[key] = column = column_of(table.get(key))
            if column.dtype == object:
                check_depth(table.get(key), table.file, f"{key!r} of {table.what}", table.limits)
    return columns


def _declared_column(table: Table, key: str, numeric: bool, losses: Losses) -> pd.Series[Any]:
    """Make a column of a key that has a type here; what other writers put under that name is kept, if it can be."""
    values = blanked(table.get(key))
    if numeric and set(map(type, values)) <= {int, float, bool, type(None)}:
        return pd.Series(table.numbers(key))
    convert: Callable[[Any], Any] = _COLUMN_VALUES.get(key, _number if numeric else _text)
    if set(map(type, values)) - {str, type(None)} or numeric:
        foreign = values
        values = [None if value is None else convert(value) for value in foreign]
        lost = sum(new is None and old is not None for new, old in zip(values, foreign, strict=True))
        losses.add(lost, f"values of key {key!r} of {table.what} that mean something else here")
    return pd.Series(np.array(values, np.float64) if numeric else values, dtype=None if numeric else "str")


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _name(value: Any) -> str | None:
    return str(value) if type(value) in (str, int) else None


def _color(value: Any) -> str | None:
    """Write a color of three or four numbers from 0 to 255 as ``#rrggbb`` or ``#rrggbbaa``."""
    if not isinstance(value, list | tuple) or len(value) not in (3, 4):
        return _text(value)
    levels = [int(part) for part in value if type(part) in (int, float) and part in range(256)]
    return "#" + bytes(levels).hex() if len(levels) == len(value) else None


_COLUMN_VALUES: dict[str, Callable[[Any], Any]] = {"color": _color, "external_id": _name, "dataset_name": _name}
"""How values of some columns are taken that have another type than these columns."""


def column_of(values: list[Any]) -> pd.Series[Any]:
    """Make a column of values of any kind: typed where all are of one type, else of Python objects.

    Examples
    --------
    >>> [str(column_of(v).dtype) for v in (["a", None], [1, None], [1, 2.5], [True, False], [[1], "a"])]
    ['str', 'Int64', 'float64', 'bool', 'object']
    """
    types = set(map(type, values)) - {type(None)}
    if types == {str}:
        return pd.Series(values, dtype="str")
    if types == {bool}:
        return pd.Series(values, dtype="boolean" if None in values else "bool")
    if types and types <= {int, float}:
        try:
            return pd.Series(values, dtype="Int64" if types == {int} else "float64")
        except (OverflowError, TypeError):
            pass
    column = pd.Series([None] * len(values), dtype="object")
    column[:] = values if values else []
    return column
