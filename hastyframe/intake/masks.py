"""Masks as models give them, as Hasty run-lengths in tight boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import masks
from ..errors import ValidationException
from ..masks import Ragged
from ..masks.blocks import stacked
from .arrays import as_numpy

__all__ = ["Shapes", "no_masks", "read_masks", "read_segments", "together"]

_AT_ONCE = 2**26
"""Pixels of segments that are told apart at a time."""


class Shapes(NamedTuple):
    """Masks of some objects.

    Parameters
    ----------
    runs : Ragged of int32
        Hasty run-lengths; none for an object without a mask.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Whole pixels that they stand in.
    there : numpy.ndarray of bool, shape (n,)
        Which objects have a mask, be it an empty one.
    size : (int, int) or None
        Height and width of the picture that they are masks of.
    """

    runs: Ragged
    boxes: NDArray[np.int64]
    there: NDArray[np.bool_]
    size: tuple[int, int] | None


def no_masks(count: int) -> Shapes:
    """Return what objects without masks have."""
    runs = Ragged(np.empty(0, np.int32), np.zeros(count + 1, np.int64))
    return Shapes(runs, np.zeros((count, 4), np.int64), np.zeros(count, bool), None)


def together(parts: list[Shapes]) -> Shapes:
    """Put masks of several results one behind the other."""
    return Shapes(
        stacked([part.runs for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.there for part in parts]),
        None,
    )


def read_masks(value: Any, threshold: float) -> Shapes:
    """Read masks of objects on one picture.

    Parameters
    ----------
    value : array or list
        One picture an object, shape (n, height, width) or (n, 1, height, width), or a list of them: true or not, whole
        numbers of which 0 is outside, or probabilities. Or a list of COCO run-lengths.
    threshold : float
        Above which probability a pixel belongs to the object.

    Raises
    ------
    ValidationException
        Another shape; numbers that are no probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> shapes = read_masks(np.array([[[0.1, 0.9], [0.2, 0.6]]]), 0.5)
    >>> shapes.runs.to_list(), shapes.boxes.tolist()
    ([[1, 2]], [[1, 0, 2, 2]])
    """
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        runs, boxes = masks.from_coco_rle(value)
        size = value[0]["size"]
        return Shapes(runs, boxes, np.ones(len(value), bool), (int(size[0]), int(size[1])))
    pixels = as_numpy(value)
    if pixels.ndim == 4 and pixels.shape[1] == 1:
        pixels = pixels[:, 0]
    if pixels.ndim != 3:
        if pixels.size == 0:
            return no_masks(0)
        raise ValidationException(
            f"Masks have the shape {pixels.shape}; it must be (n, height, width), a picture an object."
        )
    return _encoded(_inside(pixels, threshold))


def read_segments(segments: Any, numbers: list[int]) -> Shapes:
    """Read a map that says of each pixel which segment it belongs to.

    Parameters
    ----------
    segments : array, shape (height, width)
        Numbers of segments; or a mask a segment, shape (n, height, width).
    numbers : list of int
        Those that are objects.

    Examples
    --------
    >>> read_segments(np.array([[0, 7], [2, 7]]), [7, 2]).boxes.tolist()
    [[1, 0, 2, 2], [0, 1, 1, 2]]
    """
    if not numbers:
        return no_masks(0)
    if isinstance(segments, list | tuple):
        raise ValidationException(
            "'segmentation' is a list of run-lengths, which does not say how large the picture is: leave out "
            "return_coco_annotation."
        )
    pixels = as_numpy(segments)
    if pixels.ndim == 3:
        return _encoded(pixels != 0)
    if pixels.ndim != 2:
        raise ValidationException(
            f"'segmentation' has the shape {pixels.shape}; it must be (height, width), or (n, height, width) with a "
            "mask a segment."
        )
    wanted = np.asarray(numbers)
    some = max(1, _AT_ONCE // max(pixels.size, 1))
    parts = [wanted[first : first + some] for first in range(0, len(wanted), some)]
    size = pixels.shape[0], pixels.shape[1]
    return together([_encoded(pixels[None] == part[:, None, None]) for part in parts])._replace(size=size)


def _inside(pixels: NDArray[Any], threshold: float) -> NDArray[Any]:
    if pixels.dtype.kind != "f":
        return pixels
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValidationException(
            f"Masks hold numbers from {pixels.min():g} to {pixels.max():g}; they must be probabilities, 0 to 1 (of "
            "logits torch.sigmoid), true and false, or whole numbers."
        )
    return pixels > threshold


def _encoded(pixels: NDArray[Any]) -> Shapes:
    if not len(pixels):
        return no_masks(0)
    size = pixels.shape[1], pixels.shape[2]
    runs, boxes = masks.trim(masks.encode(pixels), size)
    return Shapes(runs, boxes, np.ones(len(pixels), bool), size)
