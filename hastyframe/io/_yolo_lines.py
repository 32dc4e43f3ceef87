"""Lines of YOLO as columns: what their numbers mean is decided for the data set as a whole.

A line is ``class``, then a box, a box with key points, or an outline, then a score if there is one, then the id of a
track if there is one. Nothing in it says which of these it has: that follows from how many numbers there are, from the
key points that ``data.yaml`` tells of, and, for ids, from the lines of the same kind.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import FormatError
from ..frames import BOX
from ..masks import Polygons, polygon_bounds
from ..masks.ragged import offsets_of
from ._problems import CORRECT, Problems
from ._shapes import list_array, polygon_array

__all__ = ["Lines", "columns_of"]

BOX_LENGTH = 5
"""Numbers of a line that is a class and a box."""
FARTHEST = 2.0
"""A share of an image's side may be out of bounds, but not by this much."""
UNCERTAIN = 2.0**53
"""From here on a number of a line may stand for its neighbors as well."""
VISIBLE = 2.0
"""What COCO says of a key point that can be seen; 0 is one that is not there."""


@dataclass
class Lines:
    """Lines of label files, and where they stand.

    Attributes
    ----------
    name : str
        What to call the folder in messages.
    numbers : list of list of float
        The numbers of each line.
    ends_whole : list of bool
        Whether the last number of each is written as a whole one, and it is longer than a box.
    images : list of int
        The row of each line's image.
    """

    name: str
    numbers: list[list[float]] = field(default_factory=list)
    ends_whole: list[bool] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    _paths: list[PurePosixPath] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, path: PurePosixPath, text: str, image: int, classes: int, problems: Problems) -> None:
        """Read the lines of a file; bad ones are noted."""
        self._paths.append(path)
        file = len(self._paths) - 1
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            try:
                values = list(map(float, words))
            except ValueError:
                values = []
            if len(values) < BOX_LENGTH or not all(map(math.isfinite, values)):
                problem = f"{line[:60]!r} is not a class with a box or polygon"
                problems.add(self.name, f"{path}, line {number}", problem)
            elif values[0] not in range(classes):
                problem = f"class {words[0]} is not one of the {classes}"
                problems.add(self.name, f"{path}, line {number}", problem, "Give all names")
            else:
                self.numbers.append(values)
                self.ends_whole.append(len(values) > BOX_LENGTH and words[-1].isdecimal())
                self.images.append(image)
                self._places.append((file, number))

    def place(self, row: int) -> str:
        """Name a line."""
        file, number = self._places[row]
        return f"{self._paths[file]}, line {number}"

    def taken(self, rows: NDArray[np.bool_]) -> Lines:
        """Keep some of the lines."""
        chosen = rows.tolist()
        return Lines(
            self.name,
            list(itertools.compress(self.numbers, chosen)),
            list(itertools.compress(self.ends_whole, chosen)),
            list(itertools.compress(self.images, chosen)),
            self._paths,
            list(itertools.compress(self._places, chosen)),
        )


class _Layout(NamedTuple):
    """What the numbers of each line are."""

    shape: NDArray[np.int64]
    """How many of them are the class and its shape."""
    scored: NDArray[np.bool_]
    tracked: NDArray[np.bool_]
    posed: NDArray[np.bool_]

    def taken(self, rows: NDArray[np.bool_]) -> _Layout:
        """Keep some of the lines."""
        return _Layout(self.shape[rows], self.scored[rows], self.tracked[rows], self.posed[rows])


def columns_of(
    lines: Lines,
    sizes: NDArray[np.float64],
    key_points: tuple[int, int] | None,
    tracks: bool | None,
    problems: Problems,
) -> tuple[Lines, dict[str, Any]]:
    """Make columns of lines: boxes, polygons, and where there are any, scores, tracks and key points.

    Parameters
    ----------
    lines : Lines
        What the files say.
    sizes : numpy.ndarray, shape (images, 2)
        Width and height of each image.
    key_points : (int, int), optional
        How many key points a label has, and numbers each of them.
    tracks : bool, optional
        Whether longer lines end with the id of a track.
    problems : Problems
        Told which lines cannot be what they have to be.

    Returns
    -------
    lines : Lines
        Those that are fine.
    columns : dict
        Their columns.
    """
    layout = _layout(lines, key_points, tracks)
    wrong = _wrong(lines, layout, key_points, problems)
    if wrong.any():
        lines, layout = lines.taken(~wrong), layout.taken(~wrong)
    own = sizes[np.array(lines.images, np.int64)]
    columns = _shapes(lines, layout, own)
    last = np.array([line[-1] for line in lines.numbers])
    if layout.scored.any():
        before = np.array([line[-2] for line in lines.numbers])
        columns["score"] = np.where(layout.scored, np.where(layout.tracked, before, last), np.nan)
    if layout.tracked.any():
        ids = np.where(layout.tracked, last, 0).astype(np.int64)
        columns["track_id"] = pd.array(ids, dtype="Int64")
        columns["track_id"][~layout.tracked] = pd.NA
    if key_points and layout.posed.any():
        columns["keypoints"] = _key_points(lines, np.flatnonzero(layout.posed), own, key_points)
    return lines, columns


def _layout(lines: Lines, key_points: tuple[int, int] | None, tracks: bool | None) -> _Layout:
    """Decide what the numbers of each line are."""
    lengths = np.fromiter(map(len, lines.numbers), np.int64, len(lines))
    posed = np.zeros(len(lines), bool)
    if key_points:
        posed = lengths > BOX_LENGTH + 2
        shape = np.where(posed, BOX_LENGTH + key_points[0] * key_points[1], BOX_LENGTH)
        more = lengths - shape
        # The id of a track is a whole number: two more that do not end with one are a key point too many.
        tracked = (more == 2) & np.array(lines.ends_whole, bool)
        tracked |= (more == 1) & _are_tracks(lines, more == 1, tracks)
        return _Layout(shape, more - tracked == 1, tracked, posed)
    longer, even = lengths > BOX_LENGTH, lengths % 2 == 0
    tracked = np.zeros(len(lines), bool)
    for group in (longer & even, longer & ~even):
        tracked |= group & _are_tracks(lines, group, tracks)
    scored = longer & (even ^ tracked)
    return _Layout(lengths - scored - tracked, scored, tracked, posed)


def _are_tracks(lines: Lines, group: NDArray[np.bool_], tracks: bool | None) -> bool:
    """Whether lines of one kind end with ids: they are whole numbers, and not all of them could be something else."""
    rows = np.flatnonzero(group).tolist()
    if tracks is not None or not rows:
        return bool(tracks)
    if not all(lines.ends_whole[row] for row in rows):
        return False
    ends = [lines.numbers[row] for row in rows]
    if any(line[-1] > 1 for line in ends):
        return True
    lengths = set(map(len, ends))
    if lengths == {BOX_LENGTH + 2} and all(map(_is_inside, ends)):
        problem = "its numbers are a box, a score and a track, or a triangle: both can be"
        raise FormatError(lines.name, lines.place(rows[0]), problem, "Say which: tracks=True or tracks=False")
    return lengths == {BOX_LENGTH + 1}


def _is_inside(line: list[float]) -> bool:
    """Whether the first numbers of a line are a box inside of its image."""
    x, y, width, height = line[1:BOX_LENGTH]
    return 0 < width <= 2 * min(x, 1 - x) + 1e-3 and 0 < height <= 2 * min(y, 1 - y) + 1e-3


def _wrong(lines: Lines, layout: _Layout, key_points: tuple[int, int] | None, problems: Problems) -> NDArray[np.bool_]:
    """Find lines that cannot be what they have to be, and note them."""
    lengths = np.fromiter(map(len, lines.numbers), np.int64, len(lines))
    flat = np.fromiter(itertools.chain.from_iterable(lines.numbers), np.float64, int(lengths.sum()))
    starts = offsets_of(lengths)[:-1]
    boxed = np.flatnonzero(layout.posed | (layout.shape == BOX_LENGTH))
    odd = lengths - layout.shape - layout.scored - layout.tracked != 0
    negative = np.zeros(len(lines), bool)
    negative[boxed] = (flat[starts[boxed, None] + np.array([3, 4])] < 0).any(axis=1)
    column = np.arange(len(flat)) - np.repeat(starts, lengths)
    measured = (column > 0) & (column < np.repeat(layout.shape, lengths))
    if key_points and key_points[1] == 3:  # how well a key point is seen is no coordinate
        measured &= (column < BOX_LENGTH) | ((column - BOX_LENGTH) % 3 < 2)
    far = np.zeros(len(lines), bool)
    far[np.searchsorted(starts, np.flatnonzero(measured & (np.abs(flat) >= FARTHEST)), side="right") - 1] = True
    score = np.zeros(len(lines))
    score[layout.scored] = flat[(starts + lengths - 1 - layout.tracked)[layout.scored]]
    last = flat[starts + lengths - 1]
    no_track = layout.tracked & ((last != np.rint(last)) | (last < 0) | (last >= UNCERTAIN))
    remedy = "YOLO holds shares of 1 and not pixels"
    if not key_points:
        remedy += "; key points need kpt_shape in data.yaml"
    wrong = np.zeros(len(lines), bool)
    for rows, problem, what_to_do in (
        (odd, f"it is not a box with the key points of kpt_shape {list(key_points or ())}", CORRECT),
        (far, "a coordinate lies far outside the image", remedy),
        (negative, "its width or height is below 0", CORRECT),
        ((score < 0) | (score > 1), "its last number is not a score from 0 to 1", CORRECT),
        (no_track, "its last number is not the id of a track, which is a whole number", CORRECT),
    ):
        for row in np.flatnonzero(rows & ~wrong).tolist():
            problems.add(lines.name, lines.place(row), problem, what_to_do)
        wrong |= rows
    return wrong


def _shapes(lines: Lines, layout: _Layout, sizes: NDArray[np.float64]) -> dict[str, Any]:
    """Columns of boxes and polygons; `sizes` are width and height of each line's image."""
    is_box = layout.posed | (layout.shape == BOX_LENGTH)
    boxed, outlined = np.flatnonzero(is_box), np.flatnonzero(~is_box)
    corners = np.array([lines.numbers[row][1:5] for row in boxed.tolist()]).reshape(-1, 4) * np.tile(sizes[boxed], 2)
    boxes = np.full((len(lines), 4), np.nan)
    boxes[boxed] = np.column_stack([corners[:, :2] - corners[:, 2:] / 2, corners[:, :2] + corners[:, 2:] / 2])
    counts = (layout.shape[outlined] - 1) // 2
    rings = [lines.numbers[row][1 : 1 + 2 * n] for row, n in zip(outlined.tolist(), counts.tolist(), strict=True)]
    points = np.array(list(itertools.chain.from_iterable(rings))).reshape(-1, 2)
    points *= np.repeat(sizes[outlined], counts, axis=0)
    ends = offsets_of(counts)
    boxes[outlined] = polygon_bounds(Polygons(points, ends, np.arange(len(ends))))
    # Nine digits after the point: what scaling there and back leaves behind is not in the file.
    columns: dict[str, Any] = dict(zip(BOX, np.ascontiguousarray(np.round(boxes, 9).T), strict=True))
    columns["polygon"] = polygon_array(np.round(points, 9), ends, outlined, len(lines))
    return columns


def _key_points(
    lines: Lines, rows: NDArray[np.int64], sizes: NDArray[np.float64], key_points: tuple[int, int]
) -> pa.Array:
    """Key points as COCO has them: x, y and how well it is seen, in turn."""
    count, numbers = key_points
    end = BOX_LENGTH + count * numbers
    found = np.array([lines.numbers[row][BOX_LENGTH:end] for row in rows.tolist()]).reshape(-1, count, numbers)
    points = np.empty((len(rows), count, 3))
    points[..., :2] = np.round(found[..., :2] * sizes[rows, None, :], 9)
    seen = np.where((found == 0).all(axis=2), 0.0, VISIBLE)
    points[..., 2] = found[..., 2] if numbers == 3 else seen
    lengths, present = np.zeros(len(lines), np.int64), np.zeros(len(lines), bool)
    lengths[rows], present[rows] = 3 * count, True
    return list_array(offsets_of(lengths), pa.array(points.reshape(-1)), present)
