"""COCO run-lengths: from and to Hasty's, at a cost that follows the boxes and not the images.

Hasty counts row by row inside the label's box, COCO column by column over the whole image.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import blocks_of, in_blocks, in_threads, stacked
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.counts import counts_from_strings, counts_to_strings
from hastyframe.masks.grids import LARGEST, Grid, as_grid, as_sizes
from hastyframe.masks.ragged import Ragged, as_list, as_ragged, offsets_of, segment_sum, where
from hastyframe.masks.toggles import (
    as_runs,
    cancel,
    column_changes,
    from_runs,
    line_up,
    take_apart,
    tight_boxes,
    to_runs,
)

__all__ = ["from_coco_counts", "from_coco_rle", "to_coco_counts", "to_coco_rle"]

Kind = Literal["bytes", "str", "list"]
Column = NDArray[np.int64]

AT_ONCE = 2**17
"""Numbers of run-lengths that are written at a time."""

READ_AT_ONCE = 2**18
"""Characters or counts that are read at a time: enough for a thread to work on without asking for the interpreter."""


@takes_masks
def to_coco_rle(runs: Any, boxes: ArrayLike, image_sizes: ArrayLike, *, counts: Kind = "bytes") -> list[dict[str, Any]]:
    """COCO run-lengths of Hasty masks, equal byte by byte to those of pycocotools.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths; a column of masks (:mod:`hastyframe.geometry`) carries its boxes, which are left out then.
    boxes : array_like of shape (n, 4)
        Boxes of the labels, ``[x_min, y_min, x_max, y_max]``, inside the image.
    image_sizes : array_like of shape (n, 2) or (2,)
        ``(height, width)`` of each mask's image, or of all.
    counts : {"bytes", "str", "list"}
        Compressed, as pycocotools takes it; compressed, as JSON takes it; or not compressed.

    Returns
    -------
    list of dict
        ``{"size": [height, width], "counts": …}``, one a mask.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, a mask outside its image, an image of 2**32 pixels or more.

    See Also
    --------
    to_coco_counts : The counts as flat arrays.

    Examples
    --------
    >>> to_coco_rle([[1, 2, 7, 2]], [[1, 0, 5, 2]], (2, 6))
    [{'size': [2, 6], 'counts': b'211010O01'}]
    """
    rows, *columns = _inside(runs, boxes, image_sizes)
    height, width = columns[-2].tolist(), columns[-1].tolist()
    with _collector_paused():
        if counts == "list":
            numbers = _each_checked(_counts, rows, *columns).to_list()
            return [{"size": [h, w], "counts": each} for h, w, each in zip(height, width, numbers, strict=True)]
        strings = _each_checked(lambda *block: counts_to_strings(_counts(*block)), rows, *columns)
        blob: Any = strings.values.tobytes()
        blob = blob.decode("ascii") if counts == "str" else blob
        ends = pairwise(strings.offsets.tolist())
        return [
            {"size": [h, w], "counts": blob[start:end]} for h, w, (start, end) in zip(height, width, ends, strict=True)
        ]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python from looking for cycles while many dicts and lists are made that have none.

    It would look through everything that lives again and again, which takes several times as long as the rest.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@takes_masks
def to_coco_counts(runs: Any, boxes: ArrayLike, image_sizes: ArrayLike) -> Ragged:
    """Uncompressed COCO counts of Hasty masks, as flat arrays.

    Parameters
    ----------
    runs, boxes, image_sizes
        As in :func:`to_coco_rle`.

    Returns
    -------
    Ragged of int64
        Zeros, ones, zeros, … of each mask, column by column over the image.

    Raises
    ------
    ValidationException
        As :func:`to_coco_rle`.

    Examples
    --------
    >>> to_coco_counts([[1, 2, 7, 2]], [[1, 0, 5, 2]], (2, 6)).to_list()
    [[2, 1, 1, 1, 2, 1, 1, 1, 2]]
    """
    counts, offsets = _each_checked(_counts, *_inside(runs, boxes, image_sizes))
    return Ragged(counts.astype(np.int64, copy=False), offsets)


def _inside(runs: Any, boxes: ArrayLike, image_sizes: ArrayLike) -> tuple[Any, ...]:
    """Check boxes: runs, x, y, width and height of their boxes, height and width of their images."""
    rows = as_runs(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    height, width = as_sizes(image_sizes, rows.n)
    _check_images(height, width)
    outside = (grid.x < 0) | (grid.y < 0) | (grid.x + grid.width > width) | (grid.y + grid.height > height)
    outside &= rows.lengths > 0
    if outside.any():
        index = int(np.argmax(outside))
        raise ValidationException(
            f"The box of mask {index} is {grid.boxes[index].tolist()}, which is not inside its image of height "
            f"{height[index]} and width {width[index]}; cut it with crop() first."
        )
    return rows, *grid, height, width


def _check_images(height: NDArray[np.int64], width: NDArray[np.int64]) -> None:
    large = height * width > 2**32 - 1
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(
            f"image {index} has height {height[index]} and width {width[index]}; COCO counts hold up to 2**32 - 1 "
            "pixels, so this size is wrong or the image has to be cut."
        )


def _each_checked(work: Callable[..., Ragged], *masks: Any) -> Ragged:
    """Work on some masks at a time, each of which is checked where it is taken apart."""
    try:
        return in_blocks(work, *masks, most=AT_ONCE)
    except ValidationException:
        return work(*masks)  # which names the mask by its place among all


def _counts(
    runs: Ragged, x: Column, y: Column, width: Column, height: Column, image_height: Column, image_width: Column
) -> Ragged:
    """Lengths between toggles, from pixel 0 to the last one of the image; a mask that ends there has no last zeros."""
    values, base = column_changes(from_runs(runs, width * height), height, width, x, y, image_width, image_height)
    last = base[1:] - 1  # there is a gap of one between masks
    offsets = np.searchsorted(values, base)
    open_end = np.ones(runs.n, bool)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    open_end[filled] = values[offsets[filled + 1] - 1] < last[filled]
    ends = offsets_of(np.diff(offsets) + open_end)
    line = np.empty(int(ends[-1]), values.dtype)
    taken = np.ones(len(line), bool)
    taken[ends[1:][open_end] - 1] = False
    line[taken], line[~taken] = values, last[open_end]
    counts = line.copy()
    counts[1:] -= line[:-1]
    counts[ends[:-1]] = line[ends[:-1]] - base[:-1]
    return Ragged(counts, ends)


def from_coco_rle(rles: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[Ragged, NDArray[np.int64]]:
    """Hasty run-lengths and tight boxes from COCO run-lengths.

    Parameters
    ----------
    rles : list of dict
        ``{"size": [height, width], "counts": …}`` with counts compressed (bytes or str) or not (a list), mixed as it
        comes. One dict is one mask.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths inside the boxes.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes ``[x_min, y_min, x_max, y_max]``; zeros for an empty mask.

    Raises
    ------
    ValidationException
        Something that is not run-lengths, a string that is broken or cut short, counts that are negative or do not
        add up to height * width. The message names the mask.

    Examples
    --------
    >>> runs, boxes = from_coco_rle({"size": [2, 6], "counts": b"211010O01"})
    >>> runs.to_list(), boxes.tolist()
    ([[1, 2, 7, 2]], [[1, 0, 5, 2]])
    """
    items = [rles] if isinstance(rles, Mapping) else as_list(rles, "COCO run-lengths")
    try:
        sizes = np.array([item["size"] for item in items], dtype=object).reshape(len(items), 2)
        texts = [item["counts"] for item in items]
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise ValidationException(
            f'COCO run-lengths are {{"size": [height, width], "counts": …}}: mask {_first_broken(items)} is not.'
        ) from error
    return from_coco_texts(texts, sizes)


def from_coco_texts(texts: list[Any], image_sizes: ArrayLike) -> tuple[Ragged, NDArray[np.int64]]:
    """Hasty run-lengths and tight boxes from the counts of COCO run-lengths, whichever way each is written.

    Parameters
    ----------
    texts : list of bytes, str or list of int
        The counts.
    image_sizes : array_like of shape (n, 2) or (2,)
        ``(height, width)`` of each mask's image, or of all.

    Returns
    -------
    runs : Ragged of int32
    boxes : numpy.ndarray of int64, shape (n, 4)

    Raises
    ------
    ValidationException
        As :func:`from_coco_rle`.

    Examples
    --------
    >>> runs, boxes = from_coco_texts([b"211010O01"], (2, 6))
    >>> runs.to_list(), boxes.tolist()
    ([[1, 2, 7, 2]], [[1, 0, 5, 2]])
    """
    if not set(map(type, texts)) <= {bytes, str}:
        return from_coco_counts(_numbers(texts), image_sizes)
    strings = _characters(texts)
    height, width = as_sizes(image_sizes, strings.n)
    _check_images(height, width)
    return _decoded(lambda some, *size: _upright(counts_from_strings(some), *size), strings, height, width)


def _first_broken(items: list[Any]) -> int:
    for index, item in enumerate(items):
        size = item.get("size") if isinstance(item, Mapping) and "counts" in item else None
        if not isinstance(size, list | tuple | np.ndarray) or len(size) != 2:
            return index
    return 0


def _numbers(texts: list[Any]) -> Ragged:
    """Read the counts of all masks, whichever way each is written."""
    written = np.fromiter((isinstance(text, str | bytes) for text in texts), bool, len(texts))
    if written.all():
        return counts_from_strings(_characters(texts))
    if not written.any():
        return _lists(texts)
    first = counts_from_strings(_characters([text for text in texts if isinstance(text, str | bytes)]))
    second = _lists([text for text in texts if not isinstance(text, str | bytes)])
    both = Ragged(
        np.concatenate([first.values, second.values]),
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
    )
    order = np.empty(len(texts), np.int64)
    order[np.concatenate([np.flatnonzero(written), np.flatnonzero(~written)])] = np.arange(len(texts))
    return both.take(order)


def _lists(counts: list[Any]) -> Ragged:
    """Read lists of counts; bare numbers are none, so an empty list behind them keeps them from passing for one."""
    rows = as_ragged([*counts, []])
    return Ragged(rows.values, rows.offsets[:-1])


def _characters(texts: Iterable[str | bytes]) -> Ragged:
    rows = list(texts)
    try:
        joined = "".join(rows).encode("ascii")  # type: ignore[arg-type]  # of bytes it is a TypeError
    except (TypeError, UnicodeEncodeError):
        coded = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in rows]
        joined, rows = b"".join(coded), [*coded]
    return Ragged(np.frombuffer(joined, np.uint8), offsets_of(np.fromiter(map(len, rows), np.int64, len(rows))))


def from_coco_counts(counts: Any, image_sizes: ArrayLike) -> tuple[Ragged, NDArray[np.int64]]:
    """Hasty run-lengths and tight boxes from uncompressed COCO counts.

    Parameters
    ----------
    counts : list of int, Ragged, Arrow list array or list of lists
        Zeros, ones, zeros, … of each mask, column by column over the image.
    image_sizes : array_like of shape (n, 2) or (2,)
        ``(height, width)`` of each mask's image, or of all.

    Returns
    -------
    runs : Ragged of int32
    boxes : numpy.ndarray of int64, shape (n, 4)

    Raises
    ------
    ValidationException
        As :func:`from_coco_rle`.

    Examples
    --------
    >>> runs, boxes = from_coco_counts([2, 1, 1, 1, 2, 1, 1, 1, 2], (2, 6))
    >>> runs.to_list(), boxes.tolist()
    ([[1, 2, 7, 2]], [[1, 0, 5, 2]])
    """
    rows = as_ragged(counts)
    height, width = as_sizes(image_sizes, rows.n)
    _check_images(height, width)
    return _decoded(_upright, rows, height, width)


def _decoded(
    work: Callable[..., tuple[Ragged, NDArray[np.int64]]], rows: Ragged, height: Column, width: Column
) -> tuple[Ragged, NDArray[np.int64]]:
    """Decode some masks at a time, in threads: the processor's cache holds all that lies between the two forms."""

    def decode(block: tuple[slice, Ragged]) -> tuple[Ragged, NDArray[np.int64]]:
        which, some = block
        return work(some, height[which], width[which])

    try:
        parts = in_threads(decode, blocks_of(rows, READ_AT_ONCE))
    except ValidationException:
        return work(rows, height, width)  # which names the mask by its place among all
    return stacked([runs for runs, _ in parts]), np.concatenate([boxes for _, boxes in parts])


def _upright(rows: Ragged, height: Column, width: Column) -> tuple[Ragged, NDArray[np.int64]]:
    """Turn counts, column by column over the image, into run-lengths row by row in tight boxes."""
    flipped = _toggles(rows, height * width)
    zero = np.zeros_like(height)
    box = tight_boxes(flipped, Grid(zero, zero, height, width))
    large = box.size > LARGEST
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(f"mask {index} has a box of {box.size[index]:,} pixels; Hasty counts in 32 bits.")
    upright = take_apart(*column_changes(flipped, width, height, -box.x, -box.y, box.width, box.height))
    return to_runs(upright), Grid(box.y, box.x, box.height, box.width).boxes


def _toggles(counts: Ragged, size: NDArray[np.int64]) -> Ragged:
    """Toggles, column by column, from counts that must cover the image exactly."""
    values, offsets, lengths = counts.values, counts.offsets, counts.lengths
    if values.min(initial=0) < 0 or values.max(initial=0) > 2**32:
        at = int(np.argmax((values < 0) | (values > 2**32)))
        index, place = where(offsets, at)
        raise ValidationException(
            f"mask {index} holds count {values[at]} at place {place}; counts lie between 0 and height * width."
        )
    total = segment_sum(values, offsets)
    wrong = total != size
    if wrong.any():
        index = int(np.argmax(wrong))
        raise ValidationException(
            f"The counts of mask {index} add up to {total[index]} of {size[index]} pixels; "
            "they must cover height * width, zeros at the end included."
        )
    kind: Any = np.int32 if size.max(initial=0) <= LARGEST else np.int64
    line = np.cumsum(values.astype(kind, copy=False), dtype=kind)
    line -= np.repeat(offsets_of(size)[:-1].astype(kind), lengths)  # right again where 32 bits were not enough
    change = np.ones(len(line), bool)
    change[offsets[1:][lengths % 2 == 1] - 1] = False  # where the image ends is no change
    line = line.compress(change)
    toggles = Ragged(line, offsets_of(lengths & ~1))
    heads = offsets[:-1][lengths > 0]
    if np.count_nonzero(values) + np.count_nonzero(values[heads] == 0) == len(values):
        return toggles
    line, base = line_up(toggles, size)  # a count of zero within a mask: two changes at one place
    return take_apart(cancel(line), base)
