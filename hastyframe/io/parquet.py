"""Parquet: a folder with one file a frame, every type kept."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from .. import frames
from ..entities import Entity
from ..errors import FormatError, HastyError, ValidationException
from ..limits import DEFAULT_LIMITS, Limits
from ._files import FolderOut, json_bytes, name_of
from ._growth import TABLE_BYTES, Growth, check_depth, check_rows
from ._load import FolderIn
from ._parquet_size import as_dictionaries, is_text, json_size, size_of, text_size
from ._texts import names_bad_texts

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet

__all__ = ["read_parquet", "to_parquet"]

FRAMES = ("images", "labels", "label_classes", "attributes", "label_attributes", "tags")
JSON = b"hastyframe.json"
"""Marks a column whose values are JSON texts, being Python objects in the frame."""
INFO = b"hastyframe.info"


@names_bad_texts("folder")
def to_parquet(label_set: LabelSet, folder: Folder, *, compression: str = "lz4") -> None:
    """Write a label set as Parquet: ``images.parquet``, ``labels.parquet``, ``label_classes.parquet`` and so on.

    Everything is carried. Boxes, polygons and masks are Arrow lists that DuckDB, Polars and GeoArrow readers take as
    they are; the ids are the first column of each file.

    Parameters
    ----------
    label_set : LabelSet
        What to write.
    folder : path or zipfile.ZipFile
        Where to; a path that ends in ``.zip`` becomes an archive.
    compression : str
        As :func:`pyarrow.parquet.write_table` takes it: ``lz4`` is quick, ``zstd`` small.

    Raises
    ------
    ValidationException
        Another compression; a column of a type that neither JSON nor Parquet has.
    """
    import pyarrow.parquet as pq

    with FolderOut(folder) as out:
        for name in FRAMES:
            frame = getattr(label_set, name)
            if frame is None:
                continue
            table = _to_arrow(frame, f"{name_of(folder)}, {name}.parquet")
            if name == "images":
                table = table.replace_schema_metadata({INFO: json_bytes(label_set.info, name_of(folder), "info")})
            # Ids and coordinates seldom repeat: a dictionary of them costs time and saves nothing.
            repeated = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
            with out.open(PurePosixPath(f"{name}.parquet")) as file:
                dictionaries = [*repeated, "image_id", "class_id"]
                try:
                    pq.write_table(table, file, compression=compression, use_dictionary=dictionaries)
                except pa.ArrowException as error:  # an unknown compression, a type that Parquet does not have
                    raise ValidationException(f"{name}.parquet cannot be written: {error}.") from None


@names_bad_texts("source")
def read_parquet(source: Folder, *, limits: Limits = DEFAULT_LIMITS) -> LabelSet:
    """Read what :meth:`LabelSet.to_parquet` writes.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder, or an archive with it.
    limits : Limits
        How many rows there may be, and how much more than their files the columns may take.

    Returns
    -------
    LabelSet

    Raises
    ------
    FormatError
        A file that is missing, cut short or no Parquet; a column of another kind.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import tempfile
    >>> import hastyframe.io as hio
    >>> label_set = hio.read_hasty_json([{"image_name": "a.jpg", "labels": []}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     label_set.to_parquet(folder)
    ...     print(hio.read_parquet(folder))
    LabelSet: 1 image, 0 labels, 0 classes
    """
    from .label_set import ENTITIES, LabelSet

    with FolderIn(source, limits) as folder:
        growth = Growth(folder.name, 0, limits, TABLE_BYTES)
        tables = {name: _read(folder, name, growth) for name in ENTITIES}
        try:
            info = orjson.loads(_metadata(tables["images"]).get(INFO, b"{}"))
            check_depth(info, folder.name, "info", limits)
            loaded = {
                name: None if table is None else _to_frame(ENTITIES[name], table, f"{folder.name}, {name}.parquet")
                for name, table in tables.items()
            }
            del tables
            return LabelSet(**loaded, info=info)
        except HastyError:
            raise
        except _STRANGE as error:
            raise FormatError(folder.name, "", f"its columns cannot be read: {error}", "Write it again") from None


_STRANGE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError)
"""What Arrow and pandas raise of files and columns that are not as they expect."""


def _metadata(table: pa.Table) -> dict[bytes, bytes]:
    return table.schema.metadata or {}


def _read(folder: FolderIn, name: str, growth: Growth) -> pa.Table | None:
    import pyarrow.parquet as pq

    path = PurePosixPath(f"{name}.parquet")
    if path not in folder.paths:
        if name in FRAMES[:3]:
            raise folder.without(str(path), "A label set has images, labels and label_classes")
        return None
    try:
        with folder.open(path) as file:
            opened = pq.ParquetFile(file)
            growth.add(folder.size(path))
            check_rows(opened.metadata.num_rows, folder.name, str(path), folder.limits)
            dictionaries = as_dictionaries(opened)
            growth.take(size_of(opened.metadata, dictionaries), str(path))
            schema = opened.schema_arrow
            table = pq.ParquetFile(file, metadata=opened.metadata, read_dictionary=dictionaries).read()
        table.validate(full=True)  # texts that are no UTF-8, offsets that run out
        return _written_out(table, schema, growth, str(path))
    except HastyError:
        raise
    except MemoryError:
        problem = "its pages ask for more memory than there is"
        raise FormatError(folder.name, str(path), problem, "Write it again") from None
    except _STRANGE as error:
        raise FormatError(folder.name, str(path), f"it is not a Parquet file: {error}", "Write it again") from None


def _written_out(table: pa.Table, schema: pa.Schema, growth: Growth, path: str) -> pa.Table:
    """Give columns the types that they have in the file, once it is known how much they take."""
    columns = []
    for read, field in zip(table.columns, schema, strict=True):
        column = read
        if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(field.type):
            growth.take(text_size(column), path)
            column = column.cast(field.type)
        if JSON in (field.metadata or {}) and is_text(field.type):
            growth.take(json_size(column), path)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _to_arrow(frame: pd.DataFrame, file: str) -> pa.Table:
    arrays, fields = [pa.array(frame.index.array, pa.large_string())], [pa.field(frame.index.name, pa.large_string())]
    for name in frame:
        array, metadata = _array(frame[name], file)
        arrays.append(array)
        fields.append(pa.field(str(name), array.type, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(column: pd.Series[Any], file: str) -> tuple[Any, dict[bytes, bytes] | None]:
    if column.dtype == object:
        texts = [None if value is None else json_bytes(value, file, f"column {column.name!r}") for value in column]
        return pa.array(texts, pa.large_binary()).cast(pa.large_string()), {JSON: b""}
    if isinstance(column.dtype, np.dtype):
        return pa.array(column.to_numpy(), from_pandas=True), {b"numpy": b""}
    return pa.array(column.array), None


def _to_frame(entity: type[Entity], table: pa.Table, file: str) -> pd.DataFrame:
    names = table.column_names
    if len(set(names)) < len(names):
        raise FormatError(file, "", "two of its columns have one name", "Rename one")
    kinds = frames.dtypes(entity)
    for place, field in enumerate(table.schema):
        meant = _meant(pd.StringDtype() if place == 0 else kinds.get(field.name), field)
        if meant is not None:
            raise FormatError(file, f"column {field.name!r}", f"it holds {field.type} and not {meant}", "Convert it")
    columns = {field.name: _column(table[i], field) for i, field in enumerate(table.schema)}
    index, *names = columns
    return pd.DataFrame({name: columns[name] for name in names}, index=pd.Index(columns[index], name=index))


def _meant(dtype: Any, field: pa.Field) -> str | None:
    """Say what a column holds, if it holds something else."""
    kind = field.type
    if dtype is None or pa.types.is_null(kind):
        return None
    if isinstance(dtype, pd.ArrowDtype):
        return None if _is_list(kind) else "lists"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if dtype == np.dtype(object):
        return None if number or pa.types.is_boolean(kind) or is_text(kind) else "texts, numbers or true and false"
    if isinstance(dtype, pd.StringDtype | pd.CategoricalDtype):
        text = is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)
        return None if number or text else "texts"
    return None if number else "numbers"


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _column(values: pa.ChunkedArray, field: pa.Field) -> Any:
    kind, metadata = field.type, field.metadata or {}
    if JSON in metadata:
        out = np.empty(len(values), dtype=object)
        for row, text in enumerate(values.to_pylist()):
            out[row] = None if text is None else orjson.loads(text)
        return out
    if pa.types.is_dictionary(kind):
        return values.combine_chunks().to_pandas().array
    if b"numpy" in metadata or pa.types.is_floating(kind):
        return values.to_numpy()
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        dtype = pd.BooleanDtype() if pa.types.is_boolean(kind) else pd.Int64Dtype()
        return values.to_pandas(types_mapper=lambda _: dtype).array
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pd.array(values.cast(pa.large_string()), dtype=pd.StringDtype(na_value=np.nan))
    return pd.array(values, dtype=pd.ArrowDtype(kind))
