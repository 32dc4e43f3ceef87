"""Ids and names that users bring, as the texts that they are: by value, whatever dtype or library they come in.

A column of ids that went through CSV, Polars, a database or ``astype`` is the same column: 1, 1.0 and ``"1"`` are one
id, and so is a UUID in capitals, as a text and as an object. Names are texts, which stay exactly as they are.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from .frames import arrow_array

__all__ = ["REMEDY", "Kind", "are_uuids", "as_index", "as_series", "is_uuid", "not_texts", "one", "scalars", "texts"]

Kind: TypeAlias = Literal["id", "name"]

REMEDY = "It must be an id: a text, a UUID or a number, if a float one of at most 15 digits."
"""What is said of a value that is none."""

_TEXT = pa.large_string()
_HELD = (str, int, float, Decimal, uuid.UUID, np.generic)
"""What can be an id among Python objects."""
_STR = pd.StringDtype(na_value=np.nan)
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_WHOLE = r"^(-?(?:0|[1-9][0-9]*))\.0+$"
_is_uuid = re.compile(_UUID).fullmatch
_whole = re.compile(_WHOLE).match


def texts(values: Any, kind: Kind = "id") -> pa.Array:
    """Bring a column of ids or names to its values.

    Parameters
    ----------
    values : pandas.Series, pandas.Index or pandas array
        Texts, numbers, UUIDs, categories of them, whoever holds them: NumPy, pandas, Arrow, Python objects.
    kind : {"id", "name"}
        Of an id, what is spelled as a whole number with zeros behind the point is that number, and a UUID is in small
        letters. A name that is a text stays as it is.

    Returns
    -------
    pyarrow.Array of large_string
        Null where there is nothing, and where something else stands, as bytes or a list: :func:`not_texts`.

    Examples
    --------
    >>> import pandas as pd
    >>> from hastyframe.identity import texts
    >>> texts(pd.Series([1.0, None])).to_pylist(), texts(pd.Series(["1.0", "01"])).to_pylist()
    (['1', None], ['1', '01'])
    >>> texts(pd.Series(["1.0"]), "name").to_pylist()
    ['1.0']
    """
    if values.dtype != np.float16:  # Arrow takes it as it is, and knows how many digits it holds
        values = scalars(values)
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return _folded(arrow_array(values, _TEXT), kind)
    if isinstance(dtype, pd.CategoricalDtype):
        codes = values.codes if isinstance(values, pd.CategoricalIndex | pd.Categorical) else values.cat.codes
        codes = np.asarray(codes)
        return texts(dtype.categories, kind).take(pa.array(codes, mask=codes < 0))
    if dtype == np.dtype(object):
        return _of_objects(values, kind)
    if isinstance(dtype, np.dtype) and dtype.kind not in "iufb":
        return pa.nulls(len(values), _TEXT)
    return _of_arrow(arrow_array(values), kind)


def scalars(values: Any) -> Any:
    """Return a column whose values are scalars that pandas can group, itself where it is one.

    Arrays without axes, as tensors of models are, become what they hold; a sparse column becomes a dense one.

    Examples
    --------
    >>> import numpy as np
    >>> scalars(pd.Series([np.array(1), "a"])).tolist()
    [1, 'a']
    """
    dtype = values.dtype
    if dtype == np.float16:
        return values.astype(np.float32)
    if isinstance(dtype, pd.SparseDtype):
        return values.astype(dtype.subtype)
    if dtype != np.dtype(object) or pd.api.types.infer_dtype(values, skipna=True) == "string":
        return values
    held = [value.item() if _is_held(value) else value for value in values]
    if all(one is other for one, other in zip(held, values, strict=True)):
        return values
    return pd.Series(held, index=getattr(values, "index", None), name=getattr(values, "name", None), dtype=object)


def not_texts(values: Any, found: pa.Array) -> npt.NDArray[np.bool_]:
    """Say which rows hold something that is neither an id nor missing.

    Parameters
    ----------
    values : pandas.Series or pandas.Index
        What was given.
    found : pyarrow.Array
        What :func:`texts` made of it.
    """
    if not found.null_count:
        return np.zeros(len(found), bool)
    missing: npt.NDArray[np.bool_] = np.asarray(values.isna())
    return found.is_null().to_numpy(zero_copy_only=False) & ~missing


def as_series(values: pd.Series[Any], kind: Kind = "id") -> pd.Series[str]:
    """Return a column as a str column of its values, itself where it is one; what is no id is missing."""
    found = _as_str(values, kind)
    return values if found is None else pd.Series(found, index=values.index, name=values.name)


def as_index(values: pd.Index[Any], kind: Kind = "id") -> pd.Index[str]:
    """Return an index as a str index of its values, itself where it is one; what is no id is missing."""
    found = _as_str(values, kind)
    return values if found is None else pd.Index(found, name=values.name)


def _as_str(values: Any, kind: Kind) -> Any:
    """Return values as a str array; None where they are one already."""
    if values.dtype != _STR:
        return pd.array(texts(values, kind), dtype=_STR)
    given = arrow_array(values, _TEXT)
    found = _folded(given, kind)
    return None if found is given else pd.array(found, dtype=_STR)


def one(value: Any, kind: Kind = "id") -> str | None:
    """Bring one id or name to its value; None if it is none.

    Examples
    --------
    >>> import uuid
    >>> from hastyframe.identity import one
    >>> one(1.0), one("AAAAAAAA-0000-4000-8000-000000000000"), one(b"1")
    ('1', 'aaaaaaaa-0000-4000-8000-000000000000', None)
    """
    if isinstance(value, str):
        return _folded_text(str(value)) if kind == "id" else str(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return str(value) if kind == "name" else None
    if isinstance(value, Integral):
        return str(int(value))
    if not isinstance(value, float | np.floating | Decimal) or not abs(float(value)) < _uncertain(value):
        return None
    return str(int(value)) if value == int(value) else str(value)


def is_uuid(text: Any) -> bool:
    """Whether a text is a UUID, as all ids of the API are.

    Examples
    --------
    >>> is_uuid("aaaaaaaa-0000-4000-8000-000000000000"), is_uuid("Big")
    (True, False)
    """
    return isinstance(text, str) and _is_uuid(text) is not None


def are_uuids(ids: Iterable[str]) -> bool:
    """Whether all of some texts are UUIDs."""
    return all(map(_is_uuid, ids))


# The parts ------------------------------------------------------------------------------------------------------------


def _is_held(value: Any) -> bool:
    """Whether a value is an array, or a tensor of any library, of one number and no axis."""
    return not isinstance(value, _HELD) and getattr(value, "ndim", None) == 0 and hasattr(value, "item")


def _uncertain(value: Any) -> float:
    """Return from where on a float stands for its neighbors as well, so that it does not say which id it was."""
    if isinstance(value, Decimal):
        return math.inf
    return float(2 ** (np.finfo(type(value)).nmant + 1))


def _folded(found: pa.Array, kind: Kind) -> pa.Array:
    """Bring spellings of one id together; the array itself where there is nothing to do, which is seen by its bytes."""
    if kind == "name" or not _may_fold(found):
        return found
    coded = found.dictionary_encode()
    folded = [_folded_text(text) for text in coded.dictionary.to_pylist()]
    return pa.array(folded, _TEXT).take(coded.indices)


def _may_fold(found: pa.Array) -> bool:
    """Whether a point or a capital stands in the texts, or beside them in the buffer that they are a part of."""
    content = found.buffers()[2]
    if content is None:
        return False
    ends = np.frombuffer(found.buffers()[1], np.int64)[found.offset : found.offset + len(found) + 1]
    if not len(ends):
        return False
    some = np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
    return bool(_FOLDED[some].any()) if len(some) < _SMALL else bool(((some == _POINT) | (some - _A < _LETTERS)).any())


_POINT, _A, _LETTERS = np.uint8(ord(".")), np.uint8(ord("A")), np.uint8(6)
_SMALL = 1 << 12
_FOLDED = np.isin(np.arange(256), [*b".ABCDEF"])


def _folded_text(text: str) -> str:
    whole = _whole(text)
    if whole is not None:
        return "0" if whole[1] == "-0" else whole[1]
    return text.lower() if _is_uuid(text) is not None else text


def _of_objects(values: Any, kind: Kind) -> pa.Array:
    given = np.asarray(values, dtype=object)
    if pd.api.types.infer_dtype(given, skipna=True) == "string":
        return _folded(pa.array(given, _TEXT, from_pandas=True), kind)
    # By type as well: 1, 1.0 and True are equal, and True is no id.
    known: dict[tuple[type, Any], str | None] = {}
    found: list[str | None] = []
    for value in given.tolist():
        if not isinstance(value, _HELD):
            found.append(None)
            continue
        key = type(value), value
        if key not in known:
            known[key] = one(value, kind)
        found.append(known[key])
    return pa.array(found, _TEXT)


def _of_arrow(array: pa.Array, kind: Kind) -> pa.Array:
    type_ = array.type
    if pa.types.is_dictionary(type_):
        return _of_arrow(array.dictionary, kind).take(array.indices)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return _folded(array.cast(_TEXT), kind)
    if pa.types.is_integer(type_):
        return array.cast(_TEXT)
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_) or pa.types.is_boolean(type_) or type_ == pa.uuid():
        coded = (array.storage if type_ == pa.uuid() else array).dictionary_encode()
        known = coded.dictionary.to_pylist()
        if type_ == pa.uuid():
            known = [uuid.UUID(bytes=value) for value in known]
        elif pa.types.is_floating(type_):
            known = [None if value is None else type_.to_pandas_dtype()(value) for value in known]
        return pa.array([one(value, kind) for value in known], _TEXT).take(coded.indices)
    return pa.nulls(len(array), _TEXT)
