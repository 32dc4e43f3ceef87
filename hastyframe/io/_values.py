"""Lists of JSON values as typed columns; a value that does not fit is named with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..entities import Entity
from ..errors import FormatError
from ..frames import dtypes
from ..limits import DEFAULT_LIMITS, Limits
from ._belong import rows_in
from ._fingerprint import all_different
from ._growth import TABLE_BYTES, Growth, check_depth, check_rows
from ._lists import KEPT
from ._report import Losses

__all__ = ["Columns", "Table", "column_of", "further_columns"]


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
    """

    def __init__(
        self,
        rows: Any,
        file: str,
        what: str,
        place: Callable[[int], str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.file, self.what, self._place, self.limits = file, what, place, limits
        self._dropped: set[str] = set()
        if isinstance(rows, Columns):
            self._columns, self._length, self._rows = rows, len(next(iter(rows.values()))), None
            check_rows(self._length, file, what, limits)
            return
        if not isinstance(rows, list | tuple):
            raise FormatError(file, what, f"it should be a list and is {_type(rows)}", "Check what wrote the file")
        self._columns, self._length, self._rows = Columns(), len(rows), rows
        check_rows(self._length, file, what, limits)
        self._each(rows, {dict}, "an object")

    def __len__(self) -> int:
        return self._length

    def place(self, row: int) -> str:
        """Name a row."""
        named = next((name for name in (self.get(key)[row] for key in ("id", "image_name")) if name is not None), None)
        name = f" (id {named!r})" if isinstance(named, str | int) else ""
        return f"{self._place(row) if self._place else f'{self.what}[{row}]'}{name}"

    def wrong(self, row: int, problem: str, remedy: str = "Correct it or leave it out") -> FormatError:
        """Complain about a row."""
        return FormatError(self.file, self.place(row), problem, remedy)

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

    def drop(self, key: str) -> None:
        """Forget a key whose values are not wanted, or not any more, and take much memory."""
        self._columns.pop(key, None)
        self._dropped.add(key)

    def has(self, key: str) -> bool:
        """Whether rows have a key."""
        return len(self) > 0 and self.get(key)[0] is not None

    def need(self, key: str) -> list[Any]:
        """Values of a key that every row must have."""
        values = self.get(key)
        if None in values:
            raise self.wrong(values.index(None), f"{key!r} is missing", f"Give every row its {key!r}")
        return values

    def texts(self, key: str, *, needed: bool = False) -> list[str | None]:
        """Values that are texts."""
        return self._of_types(key, self.need(key) if needed else self.get(key), {str}, "a text")

    def ids(self, key: str) -> list[int | str]:
        """Values that are ids: whole numbers or texts."""
        return self._of_types(key, self.need(key), {str, int}, "a whole number or a text")

    def index(self, key: str) -> pd.Index[str]:
        """Ids as an index of texts, no one twice."""
        ids = self._as_ids(key)
        index = pd.Index(ids.cast(pa.large_string()), dtype="str")
        if not all_different(ids):
            row = int(np.argmax(index.duplicated()))
            raise self.wrong(row, f"{key} {index[row]!r} is there twice", "Give every row an id of its own")
        return index

    def refer(self, key: str, index: pd.Index[str], to: str) -> NDArray[np.int64]:
        """Rows of an index that these ids stand in; `to` says what the index is of."""
        rows = rows_in(index, self._as_ids(key))
        if (rows < 0).any():
            row = int(np.argmin(rows))
            name = self.get(key)[row]
            raise self.wrong(row, f"{key} {name!r} is not in {to}", f"Add it to {to} or leave the row out")
        return rows

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
            row = int(np.argmax(wrong))
            raise self.wrong(row, f"{key!r} is {values[row]!s}, and pixels are whole numbers", "Correct it")
        return pd.Series(values).astype("Int64")

    def lists(self, key: str) -> list[Any]:
        """Values that are lists, None where there is none."""
        return self._of_types(key, self.get(key), {list, tuple}, "a list")

    def objects(self, key: str) -> list[Any]:
        """Values that are objects, None where there is none."""
        return self._of_types(key, self.get(key), {dict}, "an object")

    def _of_types(self, key: str, values: list[Any], types: set[type], what: str) -> list[Any]:
        if not set(map(type, values)) <= {*types, type(None)}:
            row = next(row for row, value in enumerate(values) if type(value) not in {*types, type(None)})
            raise self.wrong(row, f"{key!r} should be {what} and is {_type(values[row])}")
        return values

    def _each(self, rows: Sequence[Any], types: set[type], what: str) -> None:
        if not set(map(type, rows)) <= types:
            row = next(row for row, value in enumerate(rows) if type(value) not in types)
            where = self._place(row) if self._place else f"{self.what}[{row}]"
            raise FormatError(self.file, where, f"it should be {what} and is {_type(rows[row])}", "Correct it")


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
        if key in declared and dtype is not None and dtype == np.dtype("float64"):  # None would be equal to it
            columns[key] = pd.Series(table.numbers(key))
        elif key in declared and dtype is not None:
            columns[key] = pd.Series(table.texts(key), dtype="str")
        elif key not in declared and (dtype is not None or key in KEPT or not isinstance(key, str)):
            losses.add(len(table), f"key {key!r} of {table.what}")
        else:
            columns[key] = column = column_of(table.get(key))
            if column.dtype == object:
                check_depth(table.get(key), table.file, f"{key!r} of {table.what}", table.limits)
    return columns


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
