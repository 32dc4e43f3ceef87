"""What a frame of each thing looks like, and the way from JSON records to frames and back.

Columns, their order and their dtypes follow from the declarations in :mod:`hastyframe.entities`. Records become
Arrow batches some at a time (so that Python objects never pile up), and the batches become one frame at the end.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .entities import STATUSES, Entity, Field, Image, Kind
from .errors import UnexpectedAnswer

__all__ = [
    "BOX",
    "MASK",
    "POLYGON",
    "VALUES",
    "Place",
    "RecordBuffer",
    "arrow_array",
    "arrow_list",
    "conform",
    "dtypes",
    "empty",
    "from_arrow",
    "from_records",
    "label_records",
    "to_arrow",
    "with_unique_ids",
]

BOX = ("x_min", "y_min", "x_max", "y_max")
"""The columns of a box, in pixels, the maxima exclusive."""
MASK = pa.list_(pa.int32())
POLYGON = pa.list_(pa.list_(pa.float64(), 2))
VALUES = pa.list_(pa.struct([("id", pa.string()), ("value", pa.string())]))

Records: TypeAlias = Sequence[Mapping[str, Any]]
Names: TypeAlias = Mapping[str, "pd.Series[str]"]

_DTYPES: dict[Kind, Any] = {
    Kind.TEXT: pd.StringDtype(na_value=np.nan),
    Kind.INTEGER: pd.Int64Dtype(),
    Kind.NUMBER: np.dtype("float64"),
    Kind.BOX: np.dtype("float64"),
    Kind.CATEGORY: pd.CategoricalDtype(),
    Kind.POLYGON: pd.ArrowDtype(POLYGON),
    Kind.MASK: pd.ArrowDtype(MASK),
    Kind.VALUES: pd.ArrowDtype(VALUES),
    Kind.ANY: np.dtype("object"),
}


def dtypes(entity: type[Entity]) -> dict[str, Any]:
    """Return the columns of an entity's frames and their dtypes, in order; the index is not among them.

    Parameters
    ----------
    entity : type of Entity
        A declaration of :mod:`hastyframe.entities`, or a handle made from one.

    Returns
    -------
    dict
        dtype by column name. A box stands as its four columns.

    Examples
    --------
    >>> from hastyframe import entities, frames
    >>> list(frames.dtypes(entities.Label))[:7]
    ['image_id', 'class_id', 'class_name', 'x_min', 'y_min', 'x_max', 'y_max']
    """
    return {column: _DTYPES[field.kind] for field in _columns(entity) for column in _column_names(field)}


def empty(entity: type[Entity], names: Names | None = None) -> pd.DataFrame:
    """Return a frame of an entity without rows, with all its columns and dtypes."""
    return from_records(entity, [], names)


def from_records(entity: type[Entity], records: Records, names: Names | None = None) -> pd.DataFrame:
    """Make a frame from JSON records.

    Parameters
    ----------
    entity : type of Entity
        What the records are.
    records : sequence of dict
        As the API sends them. Keys that are not declared are dropped; missing ones are missing values.
    names : mapping of str to pandas.Series, optional
        For a category column, the names there are, indexed by id.

    Returns
    -------
    pandas.DataFrame
        Indexed by the entity's id, columns as :func:`dtypes` says, rows in the order of the records.

    Raises
    ------
    UnexpectedAnswer
        If a value cannot be what its column holds.

    Examples
    --------
    >>> import pandas as pd
    >>> from hastyframe import entities, frames
    >>> record = {"id": "a", "class_id": "c", "bbox": [0, 0, 4, 2], "mask": [1, 3]}
    >>> names = {"class_name": pd.Series({"c": "cat", "d": "dog"})}
    >>> frame = frames.from_records(entities.Label, [record], names)
    >>> frame[["class_name", "x_max", "y_max"]].to_dict("records")
    [{'class_name': 'cat', 'x_max': 4.0, 'y_max': 2.0}]
    >>> list(frame["class_name"].cat.categories)
    ['cat', 'dog']
    """
    return from_arrow(entity, [to_arrow(entity, records)], names)


def to_arrow(entity: type[Entity], records: Records) -> pa.RecordBatch:
    """Make an Arrow batch from JSON records: the id first, then the columns that are not derived.

    Many batches together make a frame with :func:`from_arrow`.
    """
    columns: dict[str, pa.Array] = {}
    for name, key, kind in [
        (entity.id_name, "id", Kind.TEXT),
        *((field.name, field.key, field.kind) for field in _columns(entity) if not field.derived),
    ]:
        try:
            values = [record.get(key) for record in records]
            if kind is Kind.BOX:
                columns |= zip(BOX, map(_wrapped, _box_columns(values)), strict=True)
            else:
                columns[name] = _TO_ARROW[kind](values)
        except (TypeError, ValueError, OverflowError, AttributeError, pa.ArrowInvalid) as error:
            raise UnexpectedAnswer(f"{key!r} of {entity.plural} holds what is no {kind.value}: {error}") from error
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def from_arrow(entity: type[Entity], batches: Iterable[pa.RecordBatch], names: Names | None = None) -> pd.DataFrame:
    """Make one frame from the batches of :func:`to_arrow`, in their order.

    Parameters and result are those of :func:`from_records`.
    """
    batches = list(batches) or [to_arrow(entity, [])]
    table = pa.Table.from_batches(batches).combine_chunks()
    del batches
    objects = {f.name: _decode_json(table[f.name]) for f in _columns(entity) if f.kind is Kind.ANY and not f.derived}
    categories = {f.name: _category(table, f, names or {}) for f in _columns(entity) if f.kind is Kind.CATEGORY}
    table = table.drop_columns([name for name in (*objects, *categories) if name in table.column_names])
    frame = table.to_pandas(types_mapper=_types_mapper, split_blocks=True, self_destruct=True)
    del table
    frame = frame.set_index(entity.id_name)
    for name, values in {**objects, **categories}.items():
        frame[name] = values.array if isinstance(values, pd.Series) else values
    return frame[list(dtypes(entity))]


def with_unique_ids(entity: type[Entity], frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of what was read, if each row has an id of its own.

    Raises
    ------
    UnexpectedAnswer
        If an id is missing, or the server named two things by the same id.

    Examples
    --------
    >>> from hastyframe import entities, frames
    >>> frames.with_unique_ids(entities.Tag, frames.from_records(entities.Tag, [{"id": "a"}, {"id": "a"}]))
    Traceback (most recent call last):
    hastyframe.errors.UnexpectedAnswer: The server lists several tags with the id 'a'. Read them again.
    """
    if not entity.fields()["id"].required:
        return frame
    what = entity.plural.replace("_", " ")
    # Without the table that pandas would keep for its index: it takes as much memory as the ids.
    ids = arrow_array(frame.index).unique()
    if ids.null_count or ids.index("").as_py() >= 0:
        row = int(np.argmax(frame.index.isna() | (frame.index == "")))
        raise UnexpectedAnswer(f"The server lists {what} without an id: the first is number {row}. Read them again.")
    if len(ids) < len(frame):
        twice = frame.index[frame.index.duplicated()][0]
        raise UnexpectedAnswer(f"The server lists several {what} with the id {twice!r}. Read them again.")
    return frame


class Place(NamedTuple):
    """Where a :class:`RecordBuffer` keeps the records of a page."""

    group: int
    start: int
    size: int


class RecordBuffer:
    """Pages of JSON records that threads bring, made into Arrow batches meanwhile.

    A conversion has a fixed price, and a page may hold few records: the labels of one image. So pages are put
    together until they hold `ENOUGH`; the thread that brings the last of them converts them all.

    Parameters
    ----------
    entity : type of Entity
        What the records are.

    Attributes
    ----------
    broken : UnexpectedAnswer or None
        Why records could not be converted, so that there are no batches.

    Examples
    --------
    >>> from hastyframe import entities, frames
    >>> gathering = frames.RecordBuffer(entities.Label)
    >>> second, first = (gathering.add([{"id": key} for key in keys]) for keys in ("c", "ab"))
    >>> frames.from_arrow(entities.Label, gathering.batches([first, second])).index.tolist()
    ['a', 'b', 'c']
    """

    ENOUGH = 200
    """More would be slower: objects that are freed soon find and leave the processor's cache warm."""

    def __init__(self, entity: type[Entity]) -> None:
        self._entity = entity
        self._lock = threading.Lock()
        self._open: list[Mapping[str, Any]] = []
        self._batches: dict[int, pa.RecordBatch] = {}
        self._group = 0
        self.broken: UnexpectedAnswer | None = None

    def add(self, records: Records) -> Place:
        """Take the records of a page.

        Raises
        ------
        UnexpectedAnswer
            If a value of this page, or of one that came before, cannot be what its column holds.
        """
        with self._lock:
            group, gathered = self._group, self._open
            place = Place(group, len(gathered), len(records))
            gathered.extend(records)
            full = len(gathered) >= self.ENOUGH
            if full:
                self._group, self._open = group + 1, []
        if full:
            try:
                self._batches[group] = to_arrow(self._entity, gathered)
            except UnexpectedAnswer as error:
                self.broken = error  # which page holds it is not known: it is the error of all
                raise
        return place

    def batches(self, places: Sequence[Place]) -> list[pa.RecordBatch]:
        """Give away the records of pages, in the order of the pages; to be called once, when all are there."""
        self._batches[self._group] = to_arrow(self._entity, self._open)
        batches = [self._batches.pop(group) for group in range(self._group + 1)]
        # Column by column: the slices of all columns would take as much memory as what small pages hold.
        columns = []
        for column in zip(*(batch.columns for batch in batches), strict=True):
            slices = [column[group].slice(start, size) for group, start, size in places]
            columns.append(pa.concat_arrays(slices or [column[0]]))
        return [pa.RecordBatch.from_arrays(columns, schema=batches[0].schema)]


def conform(entity: type[Entity], frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns that a frame has the dtypes that the entity's frames have.

    Columns that are not the entity's are kept as they are, category columns too.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If a column cannot be converted.
    """
    frame = frame.copy(deep=False)
    for column, dtype in dtypes(entity).items():
        if column not in frame or frame[column].dtype == dtype or isinstance(dtype, pd.CategoricalDtype):
            continue
        if isinstance(dtype, pd.ArrowDtype):
            frame[column] = arrow_list(frame[column], dtype)
        elif dtype != np.dtype("object"):
            frame[column] = frame[column].astype(dtype)
    return frame


def arrow_array(column: Any, type_: pa.DataType | None = None) -> pa.Array:
    """Return a column, or an index, as one Arrow array; without a copy where it is one already.

    Examples
    --------
    >>> import pandas as pd
    >>> from hastyframe import frames
    >>> frames.arrow_array(pd.Series(["a", None], dtype="str")).to_pylist()
    ['a', None]
    """
    # Of a Series its array: Arrow asks it for attributes, and pandas looks for them among a million row labels.
    array = pa.array(getattr(column, "array", column), type_)
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()  # which copies also what is one
    return array


def arrow_list(column: pd.Series[Any], dtype: pd.ArrowDtype) -> pd.Series[Any]:
    """Turn a column of Python lists or arrays (None or NaN where there is none) into an Arrow list column.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If a value cannot be converted without loss.
    """
    type_ = dtype.pyarrow_dtype
    if isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_nested(column.dtype.pyarrow_dtype):
        array = arrow_array(column).cast(type_)
    else:
        values = [v if isinstance(v, _LISTS) or not pd.isna(v) else None for v in column]
        array = _FROM_LISTS.get(type_, _typed(type_))(values)
    return pd.Series(pd.array(array, dtype=dtype), index=column.index)


def label_records(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Write rows of a labels frame as the API takes them, without ids.

    Parameters
    ----------
    labels : pandas.DataFrame
        Columns of labels frames with ``class_id``; what is not there is sent as null, ``z_index`` as 0.

    Returns
    -------
    list of dict
        One a row, in order: ``class_id, bbox, polygon, mask, z_index, external_id, tool_used``.
    """
    rows = len(labels)
    nothing: list[Any] = [None] * rows
    columns = {
        "class_id": labels["class_id"].tolist(),
        "bbox": _boxes_out(labels) if BOX[0] in labels else nothing,
        "polygon": _polygons_out(labels["polygon"]) if "polygon" in labels else nothing,
        "mask": _lists_out(labels["mask"]) if "mask" in labels else nothing,
        "z_index": _numbers_out(labels["z_index"], missing=0) if "z_index" in labels else [0] * rows,
        "external_id": _texts_out(labels["external_id"]) if "external_id" in labels else nothing,
    }
    keys = (*columns, "tool_used")
    return [dict(zip(keys, (*row, "api"), strict=True)) for row in zip(*columns.values(), strict=True)]


# From JSON to Arrow ---------------------------------------------------------------------------------------------------


def _columns(entity: type[Entity]) -> list[Field[Any]]:
    return [field for name, field in entity.fields().items() if field.in_frame and name != "id"]


def _column_names(field: Field[Any]) -> tuple[str, ...]:
    return BOX if field.kind is Kind.BOX else (field.name,)


def _box_columns(values: list[Any]) -> npt.NDArray[np.float64]:
    nowhere = (np.nan,) * 4
    boxes = [nowhere if v is None else v for v in values]
    if not set(map(len, boxes)) <= {4}:
        raise ValueError("a box has four numbers")
    columns = np.fromiter(chain.from_iterable(zip(*boxes, strict=True)), float, 4 * len(boxes)).reshape(4, -1)
    if np.isnan(columns).sum() != 4 * values.count(None):
        raise ValueError("a box lacks a number")
    return columns


def _number_column(values: list[Any]) -> pa.Array:
    numbers = np.array(values, dtype=float)
    if numbers.ndim != 1:
        raise ValueError("a list stands where a number should")
    return _wrapped(numbers)


def _wrapped(numbers: npt.NDArray[Any]) -> pa.Array:
    """Numbers without gaps as an Arrow array. pa.array takes ten times as long for the few of a page."""
    return pa.Array.from_buffers(_ARROW_TYPES[numbers.dtype], len(numbers), [None, pa.py_buffer(numbers)])


_ARROW_TYPES = {np.dtype(name): pa.type_for_alias(name) for name in ("float64", "int32")}


def _is_number(type_: pa.DataType) -> bool:
    """Whether an inferred type is that of numbers, or of nothing at all."""
    return any(is_(type_) for is_ in (pa.types.is_integer, pa.types.is_floating, pa.types.is_null))


def _integer_array(values: list[Any]) -> pa.Array:
    numbers = pa.array(values)
    if not _is_number(numbers.type):
        raise TypeError(f"it is a {numbers.type}")
    return numbers.cast(pa.int64())  # refuses fractions; pa.array(values, pa.int64()) would cut them off


def _polygon_array(values: list[Any]) -> pa.Array:
    rings = pa.array(values, POLYGON)
    if rings.null_count < len(rings) and _has_gaps(rings):
        raise ValueError("a vertex or a coordinate is missing")
    return rings


def _has_gaps(rings: pa.Array) -> bool:
    """Whether polygons that are there have vertices or coordinates that are not."""
    vertices = rings.flatten()
    return bool(vertices.null_count or vertices.flatten().null_count)


def _mask_array(values: list[Any]) -> pa.ListArray:
    missing = None in values
    lists = [v or () for v in values] if missing else values
    offsets = np.fromiter(accumulate(map(len, lists), initial=0), np.int32, len(lists) + 1)
    runs = _int32(list(chain.from_iterable(lists)))
    mask = pa.array(np.fromiter((v is None for v in values), bool, len(values))) if missing else None
    return pa.ListArray.from_arrays(_wrapped(offsets), _wrapped(runs), mask=mask)


def _int32(numbers: list[Any]) -> npt.NDArray[np.int32]:
    """Integers and nothing else; twice as fast as NumPy and Arrow, of which NumPy cuts off fractions."""
    try:
        integers = np.frombuffer(array("I", numbers), np.uint32)
    except OverflowError:  # a negative one: slower
        return np.frombuffer(array("i", numbers), np.int32)
    if integers.max(initial=0) > np.iinfo(np.int32).max:
        raise OverflowError("a number is beyond 32 bits")
    return integers.view(np.int32)


def _typed(type_: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    return lambda values: pa.array(values, type_)


def _encode_json(values: list[Any]) -> pa.Array:
    import orjson

    return pa.array([None if v is None else orjson.dumps(v) for v in values], pa.large_binary())


def _decode_json(column: pa.ChunkedArray) -> pd.Series[Any]:
    import orjson

    values = np.empty(len(column), dtype=object)
    for row, value in enumerate(column.to_pylist()):  # one by one: NumPy would spread a list over several rows
        values[row] = None if value is None else orjson.loads(value)
    return pd.Series(values, dtype=object)  # said aloud: pandas would make a str column of texts alone


_TO_ARROW: dict[Kind, Callable[[list[Any]], pa.Array]] = {
    Kind.TEXT: _typed(pa.large_string()),
    Kind.CATEGORY: _typed(pa.large_string()),
    Kind.INTEGER: _integer_array,
    Kind.NUMBER: _number_column,
    Kind.POLYGON: _polygon_array,
    Kind.MASK: _mask_array,
    Kind.VALUES: _typed(VALUES),
    Kind.ANY: _encode_json,
}


def _types_mapper(type_: pa.DataType) -> Any:
    if pa.types.is_list(type_):
        return pd.ArrowDtype(type_)
    if pa.types.is_integer(type_):
        return pd.Int64Dtype()
    return _DTYPES[Kind.TEXT] if pa.types.is_large_string(type_) else None


def _category(table: pa.Table, field: Field[Any], names: Names) -> pd.Categorical:
    """Category column of a field; its categories are all known names, then those that came and were not known."""
    known = names.get(field.name)
    if field.derived:
        if known is None:
            known = pd.Series(dtype=_DTYPES[Kind.TEXT], index=pd.Index([], dtype=_DTYPES[Kind.TEXT]))
        ids = table[field.name.removesuffix("_name") + "_id"]
        rows = pc.index_in(ids, value_set=pa.array(known.index.tolist(), ids.type)).fill_null(-1).to_numpy()
        codes, categories = pd.factorize(known.to_numpy(dtype=object))
        return pd.Categorical.from_codes(
            np.append(codes, -1)[rows], categories=pd.Index(categories, dtype=_DTYPES[Kind.TEXT])
        )
    if known is None and field.name == Image.status.name:
        known = pd.Series(STATUSES)
    values = table[field.name]
    found = [v for v in values.unique().to_pylist() if v is not None]
    categories = list(dict.fromkeys(chain(() if known is None else known, found)))
    codes = pc.index_in(values, value_set=pa.array(categories, values.type)).fill_null(-1).to_numpy()
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=_DTYPES[Kind.TEXT]))


_LISTS = (list, tuple, np.ndarray)


def _masks_in(values: list[Any]) -> pa.Array:
    try:
        wide = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # arrays of different types do not mix
        wide = pa.array([v.tolist() if isinstance(v, np.ndarray) else v for v in values])
    inner = wide.type.value_type if pa.types.is_list(wide.type) else None
    if inner is None and not pa.types.is_null(wide.type):
        raise TypeError(f"a {wide.type} is not a list")
    if inner is not None and not _is_number(inner):
        raise TypeError(f"a {inner} is not a number")
    return wide.cast(MASK)  # refuses fractions; pa.array(values, MASK) would cut them off


def _polygons_in(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, POLYGON)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # Arrow takes no two-dimensional arrays inside of lists
        return pa.array([v.tolist() if isinstance(v, np.ndarray) else v for v in values], POLYGON)


_FROM_LISTS: dict[pa.DataType, Callable[[list[Any]], pa.Array]] = {MASK: _masks_in, POLYGON: _polygons_in}


# From frames to JSON --------------------------------------------------------------------------------------------------


def _boxes_out(labels: pd.DataFrame) -> list[list[int] | None]:
    boxes = labels[list(BOX)].to_numpy(dtype=float)
    there = ~np.isnan(boxes).any(axis=1)
    whole = np.where(there[:, None], boxes, 0).astype(np.int64).tolist()
    return [box if there_ else None for box, there_ in zip(whole, there.tolist(), strict=True)]


def _lists_out(column: pd.Series[Any]) -> list[list[Any] | None]:
    if not isinstance(column.dtype, pd.ArrowDtype):
        column = arrow_list(column, _DTYPES[Kind.MASK])
    values: list[list[Any] | None] = arrow_array(column).to_pylist()
    return values


def _polygons_out(column: pd.Series[Any]) -> list[list[Any] | None]:
    if not isinstance(column.dtype, pd.ArrowDtype):
        column = arrow_list(column, _DTYPES[Kind.POLYGON])
    # Whole coordinates go out as JSON integers, as the documented examples have them.
    return [
        None if ring is None else [[int(c) if c.is_integer() else c for c in vertex] for vertex in ring]
        for ring in arrow_array(column).to_pylist()
    ]


def _numbers_out(column: pd.Series[Any], missing: float | None) -> list[Any]:
    numbers = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    return [missing if math.isnan(n) else int(n) if n.is_integer() else n for n in numbers.tolist()]


def _texts_out(column: pd.Series[Any]) -> list[str | None]:
    return [None if missing else text for text, missing in zip(column.tolist(), column.isna().tolist(), strict=True)]
