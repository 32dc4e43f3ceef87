"""Parquet: a folder with one file a frame, every type kept."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from ..errors import FormatError
from ._files import FolderOut
from ._load import FolderIn

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet

__all__ = ["read_parquet", "to_parquet"]

FRAMES = ("images", "labels", "label_classes", "attributes", "label_attributes", "tags")
JSON = b"hastyframe.json"
"""Marks a column whose values are JSON texts, being Python objects in the frame."""
INFO = b"hastyframe.info"


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
    """
    import pyarrow.parquet as pq

    with FolderOut(folder) as out:
        for name in FRAMES:
            frame = getattr(label_set, name)
            if frame is None:
                continue
            table = _to_arrow(frame)
            if name == "images":
                table = table.replace_schema_metadata({INFO: orjson.dumps(label_set.info)})
            # Ids and coordinates seldom repeat: a dictionary of them costs time and saves nothing.
            repeated = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
            with out.open(PurePosixPath(f"{name}.parquet")) as file:
                pq.write_table(table, file, compression=compression, use_dictionary=[*repeated, "image_id", "class_id"])


def read_parquet(source: Folder) -> LabelSet:
    """Read what :meth:`LabelSet.to_parquet` writes.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder, or an archive with it.

    Returns
    -------
    LabelSet

    Raises
    ------
    FormatError
        A file that is missing, cut short or no Parquet.

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
    from .label_set import LabelSet

    with FolderIn(source) as folder:
        tables = {name: _read(folder, name) for name in FRAMES}
        try:
            info = orjson.loads(_metadata(tables["images"]).get(INFO, b"{}"))
            loaded = {name: None if table is None else _to_frame(table) for name, table in tables.items()}
        except (orjson.JSONDecodeError, pa.ArrowException, ValueError, TypeError) as error:
            raise FormatError(folder.name, "", f"its columns cannot be read: {error}", "Write it again") from None
        del tables
        return LabelSet(**loaded, info=info)


def _metadata(table: pa.Table) -> dict[bytes, bytes]:
    return table.schema.metadata or {}


def _read(folder: FolderIn, name: str) -> pa.Table | None:
    import pyarrow.parquet as pq

    path = PurePosixPath(f"{name}.parquet")
    if path not in folder.paths:
        if name in FRAMES[:3]:
            raise FormatError(
                folder.name, str(path), "it is missing", "A label set has images, labels and label_classes"
            )
        return None
    try:
        with folder.open(path) as file:
            table = pq.read_table(file, use_pandas_metadata=False)
        table.validate(full=True)  # texts that are no UTF-8, offsets that run out
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(folder.name, str(path), f"it is no Parquet file: {error}", "Write it again") from None
    return table


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    arrays, fields = [pa.array(frame.index.array, pa.large_string())], [pa.field(frame.index.name, pa.large_string())]
    for name in frame:
        array, metadata = _array(frame[name])
        arrays.append(array)
        fields.append(pa.field(str(name), array.type, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(column: pd.Series[Any]) -> tuple[Any, dict[bytes, bytes] | None]:
    if column.dtype == object:
        texts = [None if value is None else _json(value) for value in column]
        return pa.array(texts, pa.large_string()), {JSON: b""}
    if isinstance(column.dtype, np.dtype):
        return pa.array(column.to_numpy(), from_pandas=True), {b"numpy": b""}
    return pa.array(column.array), None


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _to_frame(table: pa.Table) -> pd.DataFrame:
    columns = {field.name: _column(table[i], field) for i, field in enumerate(table.schema)}
    index, *names = columns
    return pd.DataFrame({name: columns[name] for name in names}, index=pd.Index(columns[index], name=index))


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
