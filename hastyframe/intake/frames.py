"""Frames from elsewhere: what a user holds as rows and columns, whichever library it is of, as a frame of pandas."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import chain, repeat
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from ..arguments import shown
from ..errors import ValidationException
from ..frames import BOX, MASK, POLYGON, arrow_array
from ..geometry import Mask, MaskDtype
from ..lists import PARTS
from ..plain import plain_geometry

__all__ = ["as_pandas", "by_id", "frame_of", "takes_frames", "without_boxes"]

P = ParamSpec("P")
R = TypeVar("R")

_LISTS = {"polygon": POLYGON, "parts": PARTS, "mask": MASK}
"""What columns of outlines and masks are in our frames."""
_LISTS_A_ROW = {*_LISTS, "bbox", "value", "values", "lov_ids"}
"""Keys of a row that may hold a list."""
_TEXT = pd.StringDtype(na_value=np.nan)
_VERBS = ("collect", "compute")
"""By which lazy frames become rows."""


def as_pandas(thing: Any, index: str | None = None, *, records: bool = True) -> Any:
    """Return what holds rows and columns as a frame of pandas; anything else as it is.

    Parameters
    ----------
    thing : object
        A frame of pandas, or whatever speaks the Arrow PyCapsule protocol (``__arrow_c_stream__``,
        ``__arrow_c_array__``) or ``__dataframe__``: a frame of Polars, an Arrow table, a relation of DuckDB. A dict of
        columns. A single column of these becomes a Series.
    index : str, optional
        The column that becomes the index, where there is one: the ids of the rows. Frames of pandas keep their index.
    records : bool
        Whether also a dict for each row, in a list, or of one row alone, is made a frame.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_pandas(pa.table({"label_id": ["a"], "mask": [[1, 3]]}), "label_id")["mask"].to_dict()
    {'a': [1, 3]}
    >>> as_pandas("a.png")
    'a.png'
    """
    if isinstance(thing, pd.DataFrame):
        return _with_lists(_with_one_index(_without_views(thing), index))
    if _is_lazy(thing):
        raise _no_frame("What was given", thing)
    if isinstance(thing, Mapping):
        found = frame_of(thing if _are_columns(thing) else [thing]) if records or _are_columns(thing) else None
    elif isinstance(thing, list | tuple):
        found = frame_of(list(thing)) if records and thing and all(isinstance(row, Mapping) for row in thing) else None
    else:
        found = _read(thing)
    if isinstance(found, pd.DataFrame) and index is not None and index in found:
        return _indexed(found, index)
    return thing if found is None else found


def by_id(thing: Any, index: str, name: str) -> pd.DataFrame:
    """Return a frame of any library with its ids as the index, also where its rows are only counted.

    Parameters
    ----------
    thing, index
        As for :func:`as_pandas`.
    name : str
        What it is called, if it is not a frame.
    """
    frame = as_pandas(thing, index)
    if not isinstance(frame, pd.DataFrame):
        raise _no_frame(name, frame)
    counted = frame.index.name is None and isinstance(frame.index, pd.RangeIndex)
    return _indexed(frame, index) if counted and index in frame else frame


def without_boxes(labels: Any) -> pd.DataFrame:
    """Return labels of any library as lists, with the masks of geometry columns in the frames that these carry.

    Parameters
    ----------
    labels : frame
        Labels, as :func:`by_id` takes them.
    """
    column = labels.get("mask") if isinstance(labels, pd.DataFrame) else None
    if isinstance(column, pd.Series) and (isinstance(column.dtype, MaskDtype) or column.dtype == object):
        carried = column.map(lambda cell: isinstance(cell, Mask)).to_numpy(dtype=bool)
        labels = labels.assign(**{side: labels[side].mask(carried) for side in BOX if side in labels})
    return by_id(labels, "label_id", "labels")


def _indexed(frame: pd.DataFrame, index: str) -> pd.DataFrame:
    if isinstance(frame[index], pd.DataFrame):
        raise ValidationException(f"The frame has several columns {index!r}. Drop or rename all but one.")
    return frame.set_index(index)


def frame_of(rows: Any) -> pd.DataFrame:
    """Make a frame of dicts, one a row, or of a dict of columns, whatever texts they hold."""
    if isinstance(rows, Mapping):
        rows = {name: _column(values) for name, values in rows.items()}
    try:
        return pd.DataFrame(rows)
    except UnicodeEncodeError:  # half a surrogate pair, which is said by the checks, with its row
        return pd.DataFrame(rows, dtype=object)
    except ValueError as error:  # columns that are not of one length
        raise ValidationException(f"The columns are no table: {error}.") from None


def takes_frames(only: bool = True, **index: str | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let arguments of a function be frames of any library, rows as dicts, or a dict of columns.

    Parameters
    ----------
    only : bool
        Whether other things than frames, and None where it is the default, are refused.
    **index : str, optional
        By the name of the argument, what becomes the index of a frame that has none.

    Examples
    --------
    >>> @takes_frames(labels="label_id")
    ... def count(labels):
    ...     return len(labels)
    >>> count([{"label_id": "a"}, {"label_id": "b"}])
    2
    >>> count(2)
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: labels is 2; it must be a frame: of pandas, Polars, DuckDB or Arrow, a list
    of dicts, or a dict of columns.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters
        names = list(parameters)
        optional = {name for name in index if parameters[name].default is None or not only}

        def taken(name: str, value: Any) -> Any:
            if name not in index or (value is None and name in optional):
                return value
            if _is_lazy(value):
                raise _no_frame(name, value)
            value = as_pandas(value, index[name])
            if only and not isinstance(value, pd.DataFrame):
                raise _no_frame(name, value)
            return value

        @wraps(function)
        def taking(*args: P.args, **kwargs: P.kwargs) -> R:
            given: Any = [taken(*pair) for pair in zip(chain(names, repeat("")), args, strict=False)]
            named: Any = {name: taken(name, value) for name, value in kwargs.items()}
            return function(*given, **named)

        return taking

    return decorate


def _is_lazy(value: Any) -> bool:
    """Whether this is a query, as those of Polars and Dask, and not its rows."""
    if isinstance(value, pd.DataFrame) or hasattr(value, "__arrow_c_stream__"):
        return False
    return any(callable(getattr(value, verb, None)) for verb in _VERBS)


def _no_frame(name: str, value: Any) -> ValidationException:
    verb = next((verb for verb in _VERBS if callable(getattr(value, verb, None))), None)
    collect = "" if verb is None else f" Collect it first, by its .{verb}()."
    return ValidationException(
        f"{name} is {shown(value)}; it must be a frame: of pandas, Polars, DuckDB or Arrow, a list of dicts, or a dict "
        f"of columns.{collect}"
    )


def _are_columns(thing: Mapping[str, Any]) -> bool:
    """Whether a dict holds columns, and not one row: then a key that never holds a list has one."""
    return any(_is_column(value) for key, value in thing.items() if key not in _LISTS_A_ROW)


def _is_column(value: Any) -> bool:
    return np.iterable(value) and not isinstance(value, str | bytes | Mapping)


def _column(values: Any) -> Any:
    """Return a column of a dict as pandas takes it, which an array of more dimensions, or of Arrow, is not."""
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return list(values)
    found = _read(values)
    return values if found is None else found


def _read(thing: Any) -> pd.DataFrame | pd.Series[Any] | None:
    """Read what shows itself as a table, or as a single column, by one of the protocols."""
    if isinstance(thing, pd.Series | pd.Index):
        return None
    if hasattr(thing, "__arrow_c_stream__") or hasattr(thing, "__arrow_c_array__"):
        try:
            return _of_table(pa.table(thing))
        except pa.ArrowInvalid:  # no table
            column = pa.chunked_array(thing) if hasattr(thing, "__arrow_c_stream__") else pa.array(thing)
            return _of_table(pa.table({"values": column}))["values"]
    if hasattr(thing, "__dataframe__"):
        from pyarrow.interchange import from_dataframe

        return _of_table(from_dataframe(thing))
    return None


def _of_table(table: pa.Table) -> pd.DataFrame:
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    # Without what pandas notes there of its own dtypes, which it cannot always read back.
    columns = [_arrow_column(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    frame = pa.Table.from_arrays(columns, names=table.column_names).to_pandas(types_mapper=_dtype)
    if len(index) == 1 and index[0] in frame:
        frame = frame.set_index(index[0])
        if index[0].startswith("__index_level_"):
            frame = frame.rename_axis(None)
    return frame


def _arrow_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = column.type
    if name in _LISTS and _is_nested(type_):
        return _cast(column, _LISTS[name])
    if pa.types.is_decimal(type_):  # what DuckDB makes of 0.5
        return column.cast(pa.float64())
    if pa.types.is_dictionary(type_) and pa.types.is_string_view(type_.value_type):
        return _texts(column, pa.dictionary(pa.int32(), pa.large_string()))
    return _texts(column, pa.large_string()) if pa.types.is_string_view(type_) else column


def _texts(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Give texts as Polars has them a type that pandas takes."""
    try:
        return column.cast(type_)
    except pa.ArrowNotImplementedError:  # older versions of Arrow
        return pa.chunked_array([pa.array(column.to_pylist(), pa.large_string())])


def _dtype(type_: pa.DataType) -> Any:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _TEXT
    if pa.types.is_integer(type_):  # else with gaps they would become floats, and ids lose digits
        return pd.UInt64Dtype() if pa.types.is_uint64(type_) else pd.Int64Dtype()
    if pa.types.is_boolean(type_):
        return pd.BooleanDtype()
    return pd.ArrowDtype(type_) if _is_nested(type_) else None


def _with_one_index(frame: pd.DataFrame, index: str | None) -> pd.DataFrame:
    """Make columns of the named levels of an index, as grouping leaves them, but for the ids of the rows.

    Ids are the level of that name, else the only one without a name, which was the index of the rows before.
    """
    levels = list(frame.index.names)
    if len(levels) == 1 or frame.columns.nlevels > 1 or len(set(levels)) < len(levels):
        return frame
    kept = index if index in levels else None
    for name in levels:
        if name is not None and name != kept and name not in frame.columns:
            frame = frame.reset_index(name)
    if kept not in levels:
        return frame.reset_index(drop=True)
    return frame.droplevel([level for level, name in enumerate(frame.index.names) if name != kept])


def _without_views(frame: pd.DataFrame) -> pd.DataFrame:
    """Give columns and an index of Arrow's views of texts, which pandas cannot pick rows of, its own dtype."""
    found = {name: dtype for name, dtype in frame.dtypes.items() if _is_view(dtype)}
    if found and frame.columns.is_unique:
        frame = frame.assign(**{str(name): _viewed(frame[name]) for name in found})
    return (
        frame.set_axis(pd.Index(_viewed(frame.index), name=frame.index.name)) if _is_view(frame.index.dtype) else frame
    )


def _is_view(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and bool(pa.types.is_string_view(dtype.pyarrow_dtype))


def _viewed(values: Any) -> Any:
    return pd.array(arrow_array(values).to_pylist(), dtype=_TEXT)


def _with_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Give outlines and masks that are Arrow lists of another kind, or geometry columns, our own kind."""
    frame = plain_geometry(frame)
    changed = {}
    for name, type_ in _LISTS.items():
        if name in frame.columns and isinstance(frame[name], pd.Series):
            dtype = frame[name].dtype
            if isinstance(dtype, pd.ArrowDtype) and dtype.pyarrow_dtype != type_ and _is_nested(dtype.pyarrow_dtype):
                column = _cast(pa.chunked_array([arrow_array(frame[name])]), type_)
                changed[name] = pd.array(column, dtype=pd.ArrowDtype(column.type))
    return frame.assign(**changed) if changed else frame


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Give lists another type; where a row does not fit, they stay as they are, and the checks name the row."""
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return column


def _is_nested(type_: pa.DataType) -> bool:
    return pa.types.is_nested(type_) and not pa.types.is_dictionary(type_)
