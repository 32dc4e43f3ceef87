"""Hasty run-lengths: to and from pixels, and what can be read off them without pixels.

A mask is ``[start, length, start, length, …]``: starts count from 1, pixels run right, then down, inside the box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.grids import LARGEST, as_grid
from hastyframe.masks.ragged import Ragged, offsets_of, segment_sum
from hastyframe.masks.toggles import as_runs, extent, from_runs

__all__ = ["area", "bbox", "decode", "decode_flat", "encode"]

WORD = np.dtype("<u8")
ONES = np.uint64(0x0101010101010101)
"""Eight pixels that are all set."""

FROM = np.array([[0] * b + [1] * (8 - b) for b in range(8)], np.uint8).view(WORD).reshape(8)
"""Eight pixels of which those from place b on are set."""


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
    pixels, offsets = _pixels(masks)
    sizes = np.diff(offsets)
    if len(sizes) and sizes.max() > LARGEST:
        raise ValidationException(f"mask {int(np.argmax(sizes))} has {sizes.max():,} pixels; Hasty counts in 32 bits.")
    ends = _cut(_changes(pixels), pixels, offsets)
    begin, end = ends[0::2], ends[1::2]
    rows = np.searchsorted(begin, offsets)
    runs = np.empty(len(ends), np.int32)
    np.subtract(begin, np.repeat(offsets[:-1] - 1, np.diff(rows)), out=runs[0::2], casting="unsafe")
    np.subtract(end, begin, out=runs[1::2], casting="unsafe")
    return Ragged(runs, rows * 2)


def _pixels(masks: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All pixels in one flat array, and where each mask begins in it."""
    if isinstance(masks, Ragged):
        return _bytes(masks.values), masks.offsets
    if isinstance(masks, np.ndarray) and masks.dtype != object:
        if masks.ndim not in (2, 3):
            raise ValidationException(f"A mask is an array (height, width), a stack (n, …); got shape {masks.shape}.")
        stack = masks.reshape(-1, *masks.shape[-2:]) if masks.size else masks
        count = 1 if masks.ndim == 2 else len(masks)
        each = masks.shape[-2] * masks.shape[-1]
        return _bytes(stack.reshape(-1)), np.arange(count + 1) * each
    arrays = [np.asarray(mask) for mask in masks]
    flat = [index for index, array in enumerate(arrays) if array.ndim != 2]
    if flat:
        raise ValidationException(f"mask {flat[0]} has shape {arrays[flat[0]].shape}; a mask is (height, width).")
    offsets = offsets_of(np.fromiter((array.size for array in arrays), np.int64, len(arrays)))
    return _bytes(np.concatenate(arrays, axis=None) if arrays else np.empty(0, np.uint8)), offsets


def _bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """One byte a pixel; other kinds of numbers become 0 and 1."""
    if pixels.dtype not in (np.bool_, np.uint8):
        pixels = pixels != 0
    return np.require(pixels.view(np.uint8), requirements=["C", "A"])


def _changes(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sorted positions at which a pixel differs from the one before it, with nothing set before and after all."""
    whole = len(pixels) // 8
    words = pixels[: whole * 8].view(WORD)
    busy = _busy(words)
    if busy is None:
        return _changes((pixels != 0).view(np.uint8))
    before = np.zeros(len(busy), WORD)
    before[busy > 0] = words[busy[busy > 0] - 1]
    here = words[busy]
    change = here ^ ((here << np.uint64(8)) | (before >> np.uint64(56)))
    some = change != 0
    rest = pixels[max(whole * 8 - 1, 0) :] != 0
    tail = np.flatnonzero(np.diff(rest, prepend=rest[:1] if whole else False, append=False))
    tail += max(whole * 8 - 1, 0)
    return np.concatenate([_places(busy[some], change[some]), tail])


def _busy(words: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Which words of eight pixels may hold a change; None where pixels are not 0 and 1 alone.

    A word that equals the one before it holds none if it is all set or all clear. So only the first word of a stretch
    of equal ones is looked at, and all of the stretch where that word is mixed.
    """
    if not len(words):
        return np.empty(0, np.int64)
    first = np.concatenate([[0], nonzero(words[1:] != words[:-1]) + 1])
    value = words[first]
    if (value & ~ONES).any():
        return None
    mixed = (value != 0) & (value != ONES)
    length = np.diff(first, append=len(words))
    if not (mixed & (length > 1)).any():
        return first
    length[~mixed] = 1
    offsets = offsets_of(length)
    return np.repeat(first - offsets[:-1], length) + np.arange(offsets[-1])


def nonzero(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find what is set where little is: eight at a time first."""
    whole = len(flags) // 8 * 8
    words = np.flatnonzero(flags[:whole].view(WORD))
    inside = np.flatnonzero(flags[:whole].reshape(-1, 8)[words])
    found = (words * 8)[inside >> 3]
    found += inside & 7
    return np.concatenate([found, np.flatnonzero(flags[whole:]) + whole])


def _places(words: NDArray[np.int64], change: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of the bytes that are set in `change`, the changes of `words`."""
    count = np.bitwise_count(change).astype(np.int64)
    slot = offsets_of(count)[:-1]
    out = np.empty(int(count.sum()), np.int64)
    while len(change):
        lowest = change & (~change + np.uint64(1))
        out[slot] = words * 8 + (np.bitwise_count(lowest - np.uint64(1)) >> 3)
        change = change ^ lowest
        more = change != 0
        words, change, slot = words[more], change[more], slot[more] + 1
    return out


def _cut(ends: NDArray[np.int64], pixels: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """End runs where masks end: a run that goes over from one mask to the next becomes two."""
    inner = np.unique(offsets[(offsets > offsets[0]) & (offsets < offsets[-1])])
    inner = inner[(pixels[inner - 1] != 0) & (pixels[inner] != 0)]
    return np.insert(ends, np.repeat(np.searchsorted(ends, inner), 2), np.repeat(inner, 2))


def decode(runs: Any, boxes: ArrayLike, *, max_pixels: int = 2**32) -> Any:
    """Pixel masks from Hasty run-lengths.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array or list of lists
        Hasty run-lengths of one mask or of many.
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
    one_size = np.ndim(boxes) == 1 and len(np.asarray(boxes)) > 0
    one_row = one_size and _is_one(runs)
    rows = as_runs([runs] if one_row else runs)
    pixels, offsets = decode_flat(rows, boxes, max_pixels=max_pixels)
    grid = as_grid(boxes, rows.n, used=rows.lengths > 0)
    if one_size:
        shape = as_grid(boxes, 1)
        stack = pixels.reshape(rows.n, int(shape.height[0]), int(shape.width[0]))
        return stack[0] if one_row else stack
    parts = zip(offsets[:-1].tolist(), offsets[1:].tolist(), grid.height.tolist(), grid.width.tolist(), strict=True)
    return [pixels[start:end].reshape(height, width) for start, end, height, width in parts]


def _is_one(runs: Any) -> bool:
    if isinstance(runs, np.ndarray):
        return runs.ndim == 1 and runs.dtype != object
    return isinstance(runs, list | tuple) and all(isinstance(value, int | np.integer) for value in runs)


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
    grid = as_grid(boxes, rows.n, used=rows.lengths > 0)
    toggles = from_runs(rows, grid.size)
    total = sum(grid.size.tolist())
    if total > max_pixels:
        raise ValidationException(
            f"Painting {rows.n} masks takes {total:,} pixels, more than max_pixels={max_pixels:,}; "
            "decode fewer at a time, or work on the runs."
        )
    offsets = offsets_of(grid.size)
    return Ragged(_paint(toggles.values + np.repeat(offsets[:-1], rows.lengths), total), offsets)


def _paint(ends: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Pixels from sorted positions of change: whole words first, then the words in which something changes."""
    count = size // 8 + 1
    full = (ends + 7) >> 3
    length = np.empty(len(ends) + 1, np.int64)
    length[0], length[-1] = (full[0], count - full[-1]) if len(ends) else (count, count)
    np.subtract(full[1:], full[:-1], out=length[1:-1])
    value = np.zeros(len(length), WORD)
    value[1::2] = ONES
    words = np.repeat(value, length)
    place = ends & 7
    partial = FROM[place]
    np.negative(partial[1::2], out=partial[1::2])
    partial[place == 0] = 0
    np.add.at(words, ends >> 3, partial)
    return words.view(np.uint8)[:size]


def area(runs: Any) -> NDArray[np.int64]:
    """Pixels of each mask.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array or list of lists
        Hasty run-lengths.

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
    rows = as_runs(runs)
    lengths = rows.values[1::2]
    if len(lengths) and lengths.min() < 1:
        from_runs(rows)
    return segment_sum(lengths, rows.offsets // 2)


def bbox(runs: Any, boxes: ArrayLike) -> NDArray[np.int64]:
    """Tight boxes around masks, in pixels of the image.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array or list of lists
        Hasty run-lengths.
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
    grid = as_grid(boxes, rows.n, used=rows.lengths > 0)
    found = extent(from_runs(rows, grid.size), grid.width)
    filled = (rows.lengths > 0).astype(np.int64)
    return found._replace(x=found.x + grid.x * filled, y=found.y + grid.y * filled).boxes
