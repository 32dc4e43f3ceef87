"""Polygons and masks as columns of pandas: each row says by itself what it covers.

The dtypes ``"polygon"`` and ``"mask"`` are known to pandas and to Arrow once this is imported, so that Parquet and
feather files, other libraries of frames and every operation of pandas keep them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from .base import is_missing
from .maskarrays import Mask, MaskArray, MaskDtype
from .polygons import Polygon, PolygonArray, PolygonDtype

__all__ = ["Mask", "MaskArray", "MaskDtype", "Polygon", "PolygonArray", "PolygonDtype", "parse"]


def parse(text: Any) -> Any:
    """Read geometries that went through text, as a CSV file keeps them.

    Parameters
    ----------
    text : str, or pandas.Series or list of str
        What ``str`` makes of a polygon (well-known text) or a mask; an empty text or a missing value is a missing one.

    Returns
    -------
    Polygon, Mask, None, or pandas.Series of them
        A column has the dtype ``polygon`` or ``mask``.

    Raises
    ------
    ValidationException
        If a text is neither.

    Examples
    --------
    >>> parse("MASK (10 20 14 22) (1 2, 7 2)")
    mask 4×2, 4 px
    >>> import pandas as pd
    >>> parse(pd.Series(["POLYGON ((0 0, 4 0, 4 2, 0 0))", None])).dtype
    PolygonDtype()
    """
    if isinstance(text, pd.Series | list):
        column = pd.Series(text, dtype=object)
        texts = [None if is_missing(each) or not str(each).strip() else each for each in column]
        first = next((each for each in texts if each is not None), "POLYGON EMPTY")
        return pd.Series(texts, index=column.index, name=column.name, dtype=_dtype(first))
    if is_missing(text) or not str(text).strip():
        return None
    return _dtype(text).construct_array_type()([text])[0]


def _dtype(text: str) -> Any:
    return MaskDtype() if str(text).lstrip()[:4].upper() == "MASK" else PolygonDtype()
