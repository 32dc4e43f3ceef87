"""Hasty run-lengths: to and from pixels, and what can be read off them without pixels.

A mask is ``[start, length, start, length, …]``: starts count from 1, pixels run right, then down, inside the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.bits import changes_in_pixels, pixels_from_runs
from hastyframe.masks.blocks import blocks_of, cuts, in_threads
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import LARGEST, Grid, as_grid, numbers
from hastyframe.masks.ragged import Ragged, offsets_of, segment_sum
from hastyframe.masks.toggles import as_runs, extent, fitting, fitting_blocks

__all__ = ["area", "bbox", "decode", "decode_flat", "encode"]

BLOCK = 2**20
"""Pixels that are packed to bits at a time: few enough to stay in the cache."""

RUNS = 2**16
"""Runs that are painted at a time."""

Index = NDArray[np.int64]


def encode(masks: Any) -> Ragged:
    """Hasty run-lengths of pixel masks.

    Parameters
    ----------
    masks : array of shape (height, width) or (n, height, width), list of 2-D arrays, or Ragged
        One mask, a stack, or masks of different sizes, each the crop of its label's box. Whatever is not 0 is set;
        bool and uint8 are the fast kinds. A Ragged holds pixels row by row, a row a mask.

    Returns
    -------
    Ragged
        Runs ``start, length, …`` as int32, a row a mask.

    Raises
    ------
    ValidationException
        A mask that is not two-dimensional or has 2**31 pixels or more.

    Examples
    --------
    >>> encode(np.array([[1, 1, 0, 0], [0, 0, 1, 1]])).to_list()
    [[1, 2, 7, 2]]
    >>> encode([np.ones((2, 2)), np.zeros((1, 3)), np.eye(2)]).to_list()
    [[1, 4], [], [1, 1, 4, 1]]
    """
    blocks, offsets, sizes = _pixels(masks)
    if len(sizes) and sizes.max() > LARGEST:
        raise ValidationException(f"mask {int(np.argmax(sizes))} has {sizes.max():,} pixels; Hasty counts in 32 bits.")
    runs = changes_in_pixels(blocks, offsets)
    rows = np.searchsorted(runs[0::2], offsets.astype(runs.dtype))
    runs[1::2] -= runs[0::2]
    runs[0::2] -= np.repeat((offsets[:-1] - 1).astype(runs.dtype), np.diff(rows))
    return Ragged(runs.astype(np.int32, copy=False), rows * 2)


def _pixels(masks: Any) -> tuple[Iterator[NDArray[np.uint8]], Index, Index]:
    """All pixels in flat blocks, where each mask begins in them, and how many pixels each has."""
    if isinstance(masks, Ragged):
        return _slices(masks.values), masks.offsets, masks.lengths
    if isinstance(masks, np.ndarray) and masks.dtype != object:
        if masks.ndim not in (2, 3):
            raise ValidationException(f"A mask is an array (height, width), a stack (n, …); got shape {masks.shape}.")
        sizes = np.full(1 if masks.ndim == 2 else len(masks), masks.shape[-2] * masks.shape[-1])
        return _slices(masks.reshape(-1)), offsets_of(sizes), sizes
    arrays = [np.asarray(mask, order="C") for mask in masks]
    if not set(map(attrgetter("ndim"), arrays)) <= {2}:
        index = next(index for index, array in enumerate(arrays) if array.ndim != 2)
        raise ValidationException(f"mask {index} has shape {arrays[index].shape}; a mask is (height, width).")
    sizes = np.fromiter(map(attrgetter("size"), arrays), np.int64, len(arrays))
    offsets = offsets_of(sizes + 1) + 1  # a clear pixel ahead of each
    return _joined(arrays, offsets), offsets, sizes


def _slices(pixels: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    return (_bytes(pixels[start : start + BLOCK]) for start in range(0, len(pixels), BLOCK))


def _joined(arrays: list[NDArray[Any]], offsets: Index) -> Iterator[NDArray[np.uint8]]:
    """Masks that lie here and there in memory, joined some at a time.

    A clear pixel ahead of each keeps them apart: where masks do not touch, no run has to be cut in two.
    """
    if not set(map(attrgetter("dtype"), arrays)) <= {np.dtype(np.bool_), np.dtype(np.uint8)}:
        arrays = [_bytes(array) for array in arrays]
    rest = np.empty(0, np.uint8)
    for first, last in pairwise(cuts(offsets, BLOCK)):
        buffers: list[Any] = [rest, *arrays[first:last]]
        pixels = np.frombuffer(b"\0".join(buffers), np.uint8)
        whole = len(pixels) // 64 * 64
        yield pixels[:whole]
        rest = pixels[whole:]
    yield rest


def _bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return (pixels if pixels.dtype in (np.bool_, np.uint8) else pixels != 0).view(np.uint8)


@takes_masks
def decode(runs: Any, boxes: ArrayLike, *, max_pixels: int = 2**32) -> Any:
    """Pixel masks from Hasty run-lengths.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths of one mask or of many; a column of masks (:mod:`hastyframe.geometry`) carries its boxes,
        which are left out then.
    boxes : array_like
        Boxes ``[x_min, y_min, x_max, y_max]`` or shapes ``(height, width)``, a row a mask; one row without the outer
        axis where all masks have one size.
    max_pixels : int
        Refuse to paint more than this many pixels in all, 4 GiB by default.

    Returns
    -------
    numpy.ndarray of uint8, or list of them
        One row of runs and one box give an array (height, width); many masks of one size a stack (n, height, width);
        otherwise a list with an array a mask, views of one buffer.

    Raises
    ------
    ValidationException
        Runs that do not fit their box (see :func:`check`), or more pixels than `max_pixels`.

    See Also
    --------
    decode_flat : The buffer and offsets, without an array a mask.

    Examples
    --------
    >>> decode([1, 2, 7, 2], [10, 10, 14, 12])
    array([[1, 1, 0, 0],
           [0, 0, 1, 1]], dtype=uint8)
    >>> [mask.shape for mask in decode([[1, 1], [2, 2]], [(1, 2), (3, 1)])]
    [(1, 2), (3, 1)]
    """
    boxes = numbers(boxes)
    one_size = boxes.ndim == 1 and len(boxes) > 0
    one_row = one_size and _is_one(runs)
    rows = as_runs([runs] if one_row else runs)
    grid = as_grid(boxes, rows.n, of=rows)
    pixels, offsets = _painted(rows, grid, max_pixels)
    if one_size:
        shape = as_grid(boxes, 1)
        stack = pixels.reshape(rows.n, int(shape.height[0]), int(shape.width[0]))
        return stack[0] if one_row else stack
    kind, shapes = pixels.dtype, zip(grid.height.tolist(), grid.width.tolist(), strict=True)
    return [np.ndarray(shape, kind, pixels, begin) for shape, begin in zip(shapes, offsets[:-1].tolist(), strict=True)]


def _is_one(runs: Any) -> bool:
    if isinstance(runs, np.ndarray):
        return runs.ndim == 1 and runs.dtype != object
    return isinstance(runs, list | tuple) and all(isinstance(value, int | np.integer) for value in runs)


@takes_masks
def decode_flat(runs: Any, boxes: ArrayLike, *, max_pixels: int = 2**32) -> Ragged:
    """Pixels of many masks in one buffer, row by row, mask after mask.

    Parameters
    ----------
    runs, boxes, max_pixels
        As in :func:`decode`.

    Returns
    -------
    Ragged
        Pixels as uint8, 0 or 1, and the offsets of the masks.

    Raises
    ------
    ValidationException
        As :func:`decode`.

    Examples
    --------
    >>> decode_flat([[1, 1], [2, 2]], [(1, 2), (1, 3)])
    Ragged(values=array([1, 0, 0, 1, 1], dtype=uint8), offsets=array([0, 2, 5]))
    """
    rows = as_runs(runs)
    return _painted(rows, as_grid(boxes, rows.n, of=rows), max_pixels)


def _painted(rows: Ragged, grid: Grid, max_pixels: int) -> Ragged:
    """Check that runs fit their boxes, and paint them into one buffer."""
    total = sum(grid.size.tolist())
    if total > max_pixels:
        raise ValidationException(
            f"Painting {rows.n} masks takes {total:,} pixels, more than max_pixels={max_pixels:,}; "
            "decode fewer at a time, or work on the runs."
        )
    offsets = offsets_of(grid.size)
    return Ragged(pixels_from_runs(_lined_up(rows, grid.size, offsets), total), offsets)


def _lined_up(rows: Ragged, size: Index, base: Index) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Where runs begin and end among the pixels of all masks, some at a time."""
    kind: Any = np.uint32 if base[-1] < 2**32 else np.int64
    for masks, some in fitting_blocks(rows, size, RUNS * 2):
        shift = np.repeat(base[masks].astype(kind), some.counts)
        start, end = some.start.astype(kind, copy=False), some.end.astype(kind, copy=False)
        end += shift
        shift -= kind(1)
        start += shift
        yield start, end


def area(runs: Any) -> NDArray[np.int64]:
    """Pixels of each mask.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths. What has no mask has no pixels of one; :func:`hastyframe.add_area` measures labels, be they
        masks, outlines or boxes.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)

    Raises
    ------
    ValidationException
        An odd count of numbers, or a run without length.

    Examples
    --------
    >>> area([[1, 2, 7, 2], []])
    array([4, 0])
    """
    return np.concatenate(in_threads(_area, blocks_of(as_runs(runs), 2**18)))


def _area(block: tuple[slice, Ragged]) -> NDArray[np.int64]:
    masks, some = block
    lengths = some.values[1::2].astype(np.int64)
    if len(lengths) and lengths.min() < 1:
        fitting(some, number=masks.start)
    return segment_sum(lengths, some.offsets // 2)


@takes_masks
def bbox(runs: Any, boxes: ArrayLike) -> NDArray[np.int64]:
    """Tight boxes around masks, in pixels of the image.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths; a column of masks (:mod:`hastyframe.geometry`) carries its boxes, which are left out then.
    boxes : array_like
        Boxes of the labels, or shapes ``(height, width)``; see :func:`decode`.

    Returns
    -------
    numpy.ndarray of int64, shape (n, 4)
        ``[x_min, y_min, x_max, y_max]``, maxima exclusive; zeros for an empty mask.

    Raises
    ------
    ValidationException
        Runs that do not fit their box.

    Examples
    --------
    >>> bbox([[2, 1, 6, 1]], [[10, 10, 14, 12]])
    array([[11, 10, 12, 12]])
    """
    rows = as_runs(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    sides = np.empty((4, rows.n), np.int64)
    for masks, some in fitting_blocks(rows, grid.size):
        sides[:, masks] = extent(some, grid.take(masks))
    return sides.T
