"""Lists of JSON values as typed columns; a value that does not fit is named with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..entities import Entity
from ..frames import dtypes
from ._report import FormatError, Losses

__all__ = ["Table", "column_of", "further_columns", "rows_of"]


class Table:
    """A list of JSON objects: a column a key, and every complaint names file and row.

    Parameters
    ----------
    rows : object
        What the file has there.
    file : str
        Its name.
    what : str
        The key that the list stands under.
    """

    def __init__(self, rows: Any, file: str, what: str) -> None:
        self.file, self.what = file, what
        if not isinstance(rows, list | tuple):
            raise FormatError(file, what, f"it should be a list and is {_type(rows)}", "Check what wrote the file")
        self.rows = rows
        self._each(rows, {dict}, "an object")

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, row: int) -> str:
        """Name a row."""
        named = self.rows[row].get("id", self.rows[row].get("image_name"))
        name = f" (id {named!r})" if isinstance(named, str | int) else ""
        return f"{self.what}[{row}]{name}"

    def wrong(self, row: int, problem: str, remedy: str = "Correct it or leave it out") -> FormatError:
        """Complain about a row."""
        return FormatError(self.file, self.place(row), problem, remedy)

    def get(self, key: str) -> list[Any]:
        """Values of a key, None where it is absent."""
        return [row.get(key) for row in self.rows]

    def need(self, key: str) -> list[Any]:
        """Values of a key that every row must have."""
        values = self.get(key)
        if None in values:
            raise self.wrong(values.index(None), f"{key!r} is missing", f"Give every row its {key!r}")
        return values

    def texts(self, key: str, *, needed: bool = False) -> list[str | None]:
        """Values that are texts."""
        return self._of_types(key, self.need(key) if needed else self.get(key), {str}, "a text")

    def ids(self, key: str) -> list[str]:
        """Values that are ids, whole numbers or texts, as texts."""
        return list(map(str, self._of_types(key, self.need(key), {str, int}, "a whole number or a text")))

    def unique(self, key: str) -> list[str]:
        """Ids, no one twice."""
        ids = self.ids(key)
        if len(set(ids)) < len(ids):
            seen: set[str] = set()
            row = next(row for row, value in enumerate(ids) if value in seen or seen.add(value))  # type: ignore[func-returns-value]
            raise self.wrong(row, f"{key} {ids[row]!r} is there twice", "Give every row an id of its own")
        return ids

    def refer(self, key: str, index: dict[str, int], to: str) -> NDArray[np.int64]:
        """Rows that ids of another list stand in."""
        ids = self.ids(key)
        rows = np.fromiter((index.get(value, -1) for value in ids), np.int64, len(ids))
        if (rows < 0).any():
            row = int(np.argmin(rows))
            raise self.wrong(row, f"{key} {ids[row]!r} is not in {to}", f"Add it to {to} or leave the row out")
        return rows

    def numbers(self, key: str) -> NDArray[np.float64]:
        """Values that are numbers, NaN where there is none."""
        values = self._of_types(key, self.get(key), {int, float, bool}, "a number")
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

    def _of_types(self, key: str, values: list[Any], types: set[type], what: str) -> list[Any]:
        if not set(map(type, values)) <= {*types, type(None)}:
            row = next(row for row, value in enumerate(values) if type(value) not in {*types, type(None)})
            raise self.wrong(row, f"{key!r} should be {what} and is {_type(values[row])}")
        return values

    def _each(self, rows: Sequence[Any], types: set[type], what: str) -> None:
        if not set(map(type, rows)) <= types:
            row = next(row for row, value in enumerate(rows) if type(value) not in types)
            raise FormatError(
                self.file, f"{self.what}[{row}]", f"it should be {what} and is {_type(rows[row])}", "Correct it"
            )


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


def rows_of(ids: Iterable[str]) -> dict[str, int]:
    """Row of each id."""
    return {name: row for row, name in enumerate(ids)}


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
        What the rows are. A key that is called like one of its columns would be taken for that column.
    declared : iterable of str
        Its columns that such a key may fill all the same, since :func:`to_x` writes them so.
    losses : Losses
        Told what is left out.
    """
    columns = {}
    for key in sorted(set().union(*table.rows) - set(known), key=str):
        if key in declared and dtypes(entity)[key] == np.dtype("float64"):
            columns[key] = pd.Series(table.numbers(key))
        elif key in declared:
            columns[key] = pd.Series(table.texts(key), dtype="str")
        elif key in dtypes(entity) or not isinstance(key, str):
            losses.add(len(table), f"key {key!r} of {table.what}")
        else:
            columns[key] = column_of(table.get(key))
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
