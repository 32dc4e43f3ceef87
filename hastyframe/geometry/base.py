"""What polygons and masks have in common as columns of pandas: an extension array over one Arrow array."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray, ExtensionDtype
from pandas.api.indexers import check_array_indexer

from ..errors import ValidationException

__all__ = ["GeometryArray", "GeometryDtype", "GeometryType", "is_missing", "register"]

Cell = TypeVar("Cell")


class GeometryType(pa.ExtensionType):  # type: ignore[misc]
    """The Arrow type of a geometry column: plain nested lists, under a name that says what they mean."""

    NAME: ClassVar[str]
    STORAGE: ClassVar[pa.DataType]
    DTYPE: ClassVar[type[GeometryDtype]]

    def __init__(self) -> None:
        super().__init__(self.STORAGE, self.NAME)

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Self:
        return cls()

    def __hash__(self) -> int:
        return hash(self.NAME)

    def to_pandas_dtype(self) -> GeometryDtype:
        """Return the dtype of pandas, as which Arrow hands the column over."""
        return self.DTYPE()


class GeometryDtype(ExtensionDtype):  # type: ignore[misc]
    """The dtype of a geometry column; it takes no parameters."""

    kind: ClassVar[str] = "O"
    na_value = pd.NA
    ARRAY: ClassVar[type[GeometryArray[Any]]]

    def __init__(self) -> None:
        # Dask is never imported here: that takes seconds. Whoever hands it such a column has imported it before.
        dask = sys.modules.get("dask.dataframe.extensions")
        if dask is not None and type(self) not in dask.make_array_nonempty._lookup:
            dask.make_array_nonempty.register(type(self), _examples)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def construct_array_type(cls) -> type[GeometryArray[Any]]:
        """Return the type of the arrays."""
        return cls.ARRAY

    def __from_arrow__(self, array: pa.Array | pa.ChunkedArray) -> GeometryArray[Any]:
        """Make a column of what Arrow holds, as :func:`pandas.read_parquet` asks for."""
        return self.ARRAY.from_arrow(array)


class GeometryArray(ExtensionArray, Generic[Cell]):  # type: ignore[misc]
    """Many geometries, a row each, over one Arrow array that nobody changes.

    Rows are equal if their content is, order by area (missing ones last), and are missing where they are ``None``.
    """

    TYPE: ClassVar[type[GeometryType]]
    EXAMPLE: ClassVar[str]
    _pieces: tuple[pa.Array, ...]

    # What a kind of geometry is made of ---------------------------------------------------------------------------

    @classmethod
    def _parsed(cls, items: list[Any]) -> pa.Array:
        """Storage of Python objects, one a row."""
        raise NotImplementedError

    @classmethod
    def _stored(cls, array: pa.Array) -> pa.Array:
        """Storage of an Arrow array of whatever layout."""
        raise NotImplementedError

    @classmethod
    def _cell(cls, row: pa.Array) -> Cell:
        """One row as a value of its own."""
        raise NotImplementedError

    def _keys(self) -> list[pa.Array]:
        """Arrow arrays of bytes or numbers; rows with equal ones are equal."""
        raise NotImplementedError

    @property
    def area(self) -> NDArray[np.float64]:
        """Square pixels that each row covers, NaN where it is missing."""
        raise NotImplementedError

    # Made of ------------------------------------------------------------------------------------------------------

    def __init__(self, values: Any, copy: bool = False) -> None:
        # Arrow's buffers are never written to, so that a copy would be the same.
        self._data = values._data if isinstance(values, type(self)) else self._from_any(values)

    @classmethod
    def _from_any(cls, values: Any) -> pa.Array:
        values = getattr(values, "array", values) if isinstance(values, pd.Series | pd.Index) else values
        if isinstance(values, cls):
            return values._data
        if isinstance(values, pd.arrays.ArrowExtensionArray):
            values = values.__arrow_array__()
        if not isinstance(values, pa.Array | pa.ChunkedArray):
            if hasattr(values, "__arrow_c_stream__"):
                values = pa.chunked_array(values)
            elif hasattr(values, "__arrow_c_array__"):
                values = pa.array(values)
        if isinstance(values, pa.Array | pa.ChunkedArray):
            return cls.from_arrow(values)._data
        return cls._parsed(list(values))

    @classmethod
    def from_arrow(cls, array: pa.Array | pa.ChunkedArray) -> Self:
        """Make a column of an Arrow array, without a copy where it has our layout.

        Raises
        ------
        ValidationException
            If its type cannot hold geometries of this kind.
        """
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if isinstance(array, pa.ChunkedArray):  # nothing, or too much for one
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        if isinstance(array, pa.ExtensionArray) and isinstance(array.type, cls.TYPE):
            array = array.storage
        return cls._of(array if array.type == cls.TYPE.STORAGE else cls._stored(array))

    @classmethod
    def _of(cls, data: pa.Array) -> Self:
        made = cls.__new__(cls)
        made._data = data
        return made

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> Self:
        return cls(scalars)

    @classmethod
    def _from_sequence_of_strings(cls, strings: Any, *, dtype: Any = None, copy: bool = False) -> Self:
        return cls(list(strings))

    @classmethod
    def _from_factorized(cls, values: Any, original: Self) -> Self:
        return cls(values)

    @property
    def _data(self) -> pa.Array:
        """The rows as one Arrow array; columns that were put together become one when somebody needs it."""
        if len(self._pieces) > 1:
            self._pieces = (pa.concat_arrays(self._pieces),)
        return self._pieces[0]

    @_data.setter
    def _data(self, data: pa.Array) -> None:
        self._pieces = (data,)

    # What pandas asks for -----------------------------------------------------------------------------------------

    @property
    def dtype(self) -> GeometryDtype:
        """The dtype of the column."""
        return self.TYPE.DTYPE()

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take."""
        return sum(piece.nbytes for piece in self._pieces)

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __getitem__(self, item: Any) -> Any:
        item = self._indexer(item)
        if isinstance(item, int | np.integer):
            return self._at(int(item))
        rows = self._of(self._picked(item))
        rows._readonly = self._readonly and isinstance(item, slice)
        return rows

    def _picked(self, item: Any) -> pa.Array:
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step == 1:
                return self._data.slice(start, max(stop - start, 0))
            return self._data.take(pa.array(np.arange(start, stop, step)))
        if item.dtype == bool:
            return self._data.filter(pa.array(item))
        return self._data.take(pa.array(np.where(item < 0, item + len(self), item)))

    def _indexer(self, item: Any) -> Any:
        """Return an index as pandas allows them: a whole number, a slice, or an array of numbers or of bool."""
        if isinstance(item, tuple):  # as pandas and NumPy write an index of one axis
            item = next(iter([each for each in item if each is not Ellipsis] or [...])) if len(item) < 3 else item
        if item is Ellipsis:
            return slice(None)
        if isinstance(item, int | np.integer | slice):
            return item
        if isinstance(item, tuple) or np.isscalar(item):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays "
                "are valid indices"
            )
        return check_array_indexer(self, item)

    def _at(self, row: int) -> Any:
        if not -len(self) <= row < len(self):
            raise IndexError(f"index {row} is out of bounds for axis 0 with size {len(self)}")
        one = self._data.slice(row % len(self), 1)
        return pd.NA if one.null_count else self._cell(one)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        rows = np.arange(len(self))
        key = self._indexer(key)
        target = np.atleast_1d(rows[key])
        new = self._scalar_or_rows(value, one=isinstance(key, int | np.integer))
        if len(new) not in (1, len(target)):
            raise ValueError(f"Length of values ({len(new)}) does not match length of index ({len(target)})")
        rows[target] = len(self) + (np.arange(len(target)) if len(new) == len(target) else 0)
        self._data = pa.concat_arrays([self._data, new]).take(pa.array(rows))

    def _scalar_or_rows(self, value: Any, one: bool = False) -> pa.Array:
        """Storage of what is to be put into rows: of one geometry for all of them, or of one for each."""
        if one or is_missing(value) or isinstance(value, self._cell_type()):
            return self._parsed([value])
        if not pd.api.types.is_list_like(value):
            raise TypeError(f"Cannot set value of type '{type(value).__name__}' in a column of {self.dtype.name}s.")
        return self._from_any(value)

    @classmethod
    def _cell_type(cls) -> type:
        return cls.TYPE.DTYPE.type

    def isna(self) -> NDArray[np.bool_]:
        """Return which rows are missing."""
        return np.concatenate([piece.is_null() for piece in self._pieces])

    @property
    def _hasna(self) -> bool:
        return bool(self._data.null_count)

    def copy(self) -> Self:
        """Return an array of the same rows; the buffers are shared, as nobody can change them."""
        return self._concat_same_type([self])

    def view(self, dtype: Any = None) -> Any:
        """Return an array of the same rows."""
        if dtype is not None:
            raise NotImplementedError(f"A column of {self.dtype.name}s has no view of another dtype.")
        return self._of(self._data)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        """Return rows by their places, in the order given and as often as given.

        Parameters
        ----------
        indices : sequence of int
            Places; negative ones count from the end, or with `allow_fill` -1 is a row of `fill_value`.
        allow_fill : bool
            Whether -1 is to be filled.
        fill_value : object
            What with; missing by default.

        Returns
        -------
        GeometryArray
        """
        rows = np.asarray(indices, dtype=np.int64)
        if not len(self) and len(rows) and not (allow_fill and (rows == -1).all()):
            raise IndexError("cannot do a non-empty take from an empty axes.")
        lowest = -1 if allow_fill else -len(self)
        if allow_fill and len(rows) and rows.min() < lowest:
            raise ValueError("'indices' contains values less than allowed (-1), and allow_fill is True.")
        if len(rows) and (rows.max() >= len(self) or rows.min() < lowest):
            raise IndexError("out of bounds value in 'indices'.")
        if not allow_fill:
            return self._of(self._data.take(pa.array(np.where(rows < 0, rows + len(self), rows))))
        if is_missing(fill_value):
            return self._of(self._data.take(pa.array(rows, mask=rows < 0)))
        filled = pa.concat_arrays([self._data, self._parsed([fill_value])])
        return self._of(filled.take(pa.array(np.where(rows < 0, len(self), rows))))

    def _where(self, mask: NDArray[np.bool_], value: Any) -> Self:
        return self._chosen(mask, value)

    def _putmask(self, mask: NDArray[np.bool_], value: Any) -> None:
        self._data = self._chosen(~mask, value)._data

    def _chosen(self, keep: NDArray[np.bool_], value: Any) -> Self:
        """Keep some rows, and take the others from elsewhere: of one geometry, or of one for each row."""
        if isinstance(value, np.ndarray) and value.ndim > 1:  # pandas asked a list of cells for their numbers
            value = self._from_numbers(list(value))
        new = self._scalar_or_rows(value)
        if len(new) not in (1, len(self)):
            raise ValueError(f"Length of values ({len(new)}) does not match length of index ({len(self)})")
        rows = np.arange(len(self))
        rows[~keep] = len(self) + (rows[~keep] if len(new) == len(self) else 0)
        return self._of(pa.concat_arrays([self._data, new]).take(pa.array(rows)))

    @classmethod
    def _from_numbers(cls, values: list[Any]) -> Any:
        """Make rows of what NumPy made of cells, if they can still be told."""
        return cls(values)

    def shift(self, periods: int = 1, fill_value: Any = None) -> Self:
        """Move the rows by some places, and fill those that become free, by default with missing ones."""
        # pandas' own asks whether the fill value is missing, which a cell answers with an array.
        rows = np.arange(len(self)) - periods
        rows[(rows < 0) | (rows >= len(self))] = -1
        return self.take(rows, allow_fill=True, fill_value=fill_value)

    def searchsorted(self, value: Any, side: Any = "left", sorter: Any = None) -> Any:
        """Return where geometries belong in a column that is sorted, that is by area."""
        found = np.searchsorted(self.area, self._of(self._scalar_or_rows(value)).area, side=side, sorter=sorter)
        return found[0] if isinstance(value, self._cell_type()) else found

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Self]) -> Self:
        made = cls.__new__(cls)
        made._pieces = tuple(piece for each in to_concat for piece in each._pieces)
        return made

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Geometries become an array of objects, which is always a copy.")
        objects = np.empty(len(self), dtype=object)
        for row in range(len(self)):
            objects[row] = self._at(row)
        return objects if dtype is None or np.dtype(dtype) == object else objects.astype(dtype)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Convert to another dtype: ``object`` holds cells, ``str`` their text, ``pyarrow`` types the Arrow array."""
        dtype = pd.api.types.pandas_dtype(dtype)
        if dtype == self.dtype:
            return self.copy() if copy else self
        if isinstance(dtype, pd.ArrowDtype):
            return pd.array(self.__arrow_array__().storage, dtype=dtype)
        if isinstance(dtype, pd.StringDtype) or dtype.kind in "US":
            texts = [None if cell is pd.NA else str(cell) for cell in self]
            return pd.array(texts, dtype=dtype) if isinstance(dtype, pd.StringDtype) else np.array(texts, dtype)
        return super().astype(dtype, copy)

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:
        return repr

    # Comparison ---------------------------------------------------------------------------------------------------

    def _codes(self) -> NDArray[np.int64]:
        """Equal numbers for equal rows, from 0 in the order in which they appear; -1 where there is none."""
        codes = np.zeros(len(self), np.int64)
        for keys in self._keys():
            one = keys.dictionary_encode().indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
            codes = pd.factorize(codes * (int(one.max(initial=0)) + 1) + one)[0]
        codes[self.isna()] = -1
        return pd.factorize(np.where(codes < 0, -1, codes), use_na_sentinel=False)[0] if self._hasna else codes

    def factorize(self, use_na_sentinel: bool = True) -> tuple[NDArray[np.intp], Self]:
        """Encode the rows as numbers of the distinct ones, in the order in which they appear."""
        missing = self.isna()
        codes = pd.factorize(self._codes(), use_na_sentinel=False)[0]
        firsts = np.unique(codes, return_index=True)[1]
        if use_na_sentinel and missing.any():
            kept = ~missing[firsts]
            number = np.where(kept, np.cumsum(kept) - 1, -1)
            return number[codes].astype(np.intp), self.take(firsts[kept])
        return codes.astype(np.intp), self.take(firsts)

    def unique(self) -> Self:
        """Return the distinct rows, in the order in which they appear."""
        return self.factorize(use_na_sentinel=False)[1]

    def duplicated(self, keep: Any = "first") -> NDArray[np.bool_]:
        """Return which rows are equal to others before them, behind them, or at all (`keep` first, last, False)."""
        return pd.Series(self._codes()).duplicated(keep=keep).to_numpy()

    def value_counts(self, dropna: bool = True) -> pd.Series[int]:
        """Count how often each row is there."""
        codes, rows = self.factorize(use_na_sentinel=dropna)
        counts = np.bincount(codes[codes >= 0], minlength=len(rows))
        return pd.Series(counts, index=pd.Index(rows, dtype=self.dtype), dtype="Int64", name="count")

    def to_numpy(self, dtype: Any = None, copy: bool = False, na_value: Any = pd.NA) -> NDArray[Any]:
        """Return an array of objects: the cells, and `na_value` where a row is missing."""
        objects = self.__array__()
        objects[self.isna()] = na_value
        return objects if dtype is None else objects.astype(dtype)

    def _hash_pandas_object(
        self, *, encoding: str = "utf8", hash_key: str = "0123456789123456", categorize: bool = True
    ) -> NDArray[np.uint64]:
        texts = self.astype(pd.StringDtype(na_value=np.nan)).astype(object)
        return pd.util.hash_array(np.asarray(texts), encoding=encoding, hash_key=hash_key, categorize=categorize)

    def _compare(self, other: Any, op: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, pd.Series | pd.Index | pd.DataFrame):
            return NotImplemented
        if op not in (operator.eq, operator.ne):
            raise TypeError(f"{self.dtype.name.capitalize()}s have no order; compare their areas.")
        if is_missing(other) or not (isinstance(other, self._cell_type()) or pd.api.types.is_list_like(other)):
            same = np.zeros(len(self), bool)
        else:
            rows = self._of(self._scalar_or_rows(other))
            if not isinstance(other, self._cell_type()) and len(rows) != len(self):
                raise ValueError(f"Lengths must match to compare: {len(self)} and {len(rows)}.")
            codes = self._concat_same_type([self, rows])._codes()
            same = (codes[: len(self)] == codes[len(self) :]) & ~self.isna()
            same &= ~rows.isna()
        return same if op is operator.eq else ~same

    def __eq__(self, other: object) -> Any:
        return self._compare(other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return self._compare(other, operator.ne)

    def __lt__(self, other: object) -> Any:
        return self._compare(other, operator.lt)

    def __le__(self, other: object) -> Any:
        return self._compare(other, operator.le)

    def __gt__(self, other: object) -> Any:
        return self._compare(other, operator.gt)

    def __ge__(self, other: object) -> Any:
        return self._compare(other, operator.ge)

    __hash__ = None  # type: ignore[assignment]

    def equals(self, other: object) -> bool:
        """Whether another array has the same rows, missing ones where these are missing."""
        if type(other) is not type(self) or len(other) != len(self):
            return False
        codes = self._concat_same_type([self, other])._codes()
        return bool((codes[: len(self)] == codes[len(self) :]).all())

    def _values_for_argsort(self) -> NDArray[np.float64]:
        return self.area

    # To Arrow -----------------------------------------------------------------------------------------------------

    def __arrow_array__(self, type: Any = None) -> pa.Array:
        array = pa.ExtensionArray.from_storage(self.TYPE(), self._data)
        return array if type is None or type == array.type else array.storage.cast(type)

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self.__arrow_array__().__arrow_c_array__(requested_schema)

    def __reduce__(self) -> Any:
        # What Arrow pickles are whole buffers, of a slice as well.
        rows = pa.array(np.arange(len(self)))
        data = self._data.take(rows) if self._data.nbytes < self._data.get_total_buffer_size() else self._data
        return _unpickled, (type(self), data)


def _unpickled(cls: type[GeometryArray[Any]], data: pa.Array) -> GeometryArray[Any]:
    return cls._of(data)


def _examples(dtype: GeometryDtype) -> GeometryArray[Any]:
    """Two rows, from which Dask learns what an operation makes of a column."""
    array = dtype.construct_array_type()
    return array._concat_same_type([array([array.EXAMPLE]), array([None])])


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, ``pandas.NA``, ``pandas.NaT``."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def register(type_: type[GeometryType]) -> None:
    """Make a type known to Arrow, so that its columns survive files and other libraries."""
    try:
        pa.register_extension_type(type_())
    except pa.ArrowKeyError:  # a module that is loaded again
        pa.unregister_extension_type(type_.NAME)
        pa.register_extension_type(type_())


def refuse(row: int, value: Any, why: str) -> ValidationException:
    """Return the error for a row that is not a geometry of this kind."""
    shown = repr(value)
    return ValidationException(f"Row {row} is {shown if len(shown) < 80 else shown[:77] + '...'}: {why}")


def lists(offsets: Iterable[int] | NDArray[Any], values: pa.Array, valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """Arrow lists of 32-bit offsets, missing where they are not valid."""
    mask = None if valid is None or valid.all() else pa.array(~valid)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)
