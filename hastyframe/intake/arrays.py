"""Arrays of whatever library and device as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import shown
from ..errors import ValidationException

__all__ = ["as_numpy", "numbers"]

_FAILURES = (TypeError, ValueError, RuntimeError, BufferError, AttributeError, NotImplementedError)
"""What libraries raise of arrays that NumPy cannot see as they are."""


def as_numpy(value: Any) -> NDArray[Any]:
    """Return an array of any library as one of NumPy, from whatever device.

    Parameters
    ----------
    value : object
        An array of NumPy, PyTorch (with gradients, on a GPU, in bfloat16), JAX, TensorFlow, CuPy, or a list of numbers
        or of such arrays.

    Examples
    --------
    >>> as_numpy([[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list | tuple):
        try:
            return np.asarray([_item(each) for each in value])
        except ValueError:
            raise ValidationException("It holds lists of different lengths, and is no array.") from None
    for bring in ("detach", "cpu"):  # PyTorch: what has gradients or is on a GPU refuses to be seen
        if callable(move := getattr(value, bring, None)):
            value = move()
    for way in (_plain, np.from_dlpack, _fetched, _in_floats):
        try:
            found = way(value)
        except _FAILURES:
            continue
        if isinstance(found, np.ndarray) and found.dtype != object:
            return found
    raise ValidationException(f"{shown(value)} is no array of numbers that NumPy can read.")


def numbers(value: Any, what: str) -> NDArray[np.float64]:
    """Return an array of any library as one of float64.

    Examples
    --------
    >>> numbers([1, 2.5], "scores")
    array([1. , 2.5])
    """
    try:
        return as_numpy(value).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValidationException(f"{what} hold what is no number: {error}") from None


def _item(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else as_numpy(value)


def _plain(value: Any) -> Any:
    return np.asarray(value)


def _fetched(value: Any) -> Any:
    """Fetch what another library keeps on a device, as CuPy does."""
    return np.asarray((value.get if hasattr(value, "get") else value.numpy)())


def _in_floats(value: Any) -> Any:
    """Widen numbers of a kind that NumPy lacks, as bfloat16; each of them is a float32."""
    return np.asarray(value.float())
