"""Small pictures of single geometries, as notebooks show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mask_svg", "polygon_svg"]

_SIDE = 100
"""Pixels of the picture's longer side."""
_STYLE = 'fill="#4c78a8" fill-opacity="0.5" stroke="#4c78a8"'


def polygon_svg(parts: Sequence[Sequence[Sequence[Sequence[float]]]]) -> str:
    """Draw a polygon.

    Examples
    --------
    >>> polygon_svg([[[[0, 0], [4, 0], [4, 2]]]]).count("<path")
    1
    """
    points = np.array([point for part in parts for ring in part for point in ring], float).reshape(-1, 2)
    if not len(points):
        return _svg(0, 0, 1, 1, "")
    (x_min, y_min), (x_max, y_max) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    line = max(x_max - x_min, y_max - y_min, 1e-9) / _SIDE
    paths = (
        " ".join(f"M{'L'.join(f'{x:g},{y:g} ' for x, y in ring)}Z" for ring in part if len(ring)) for part in parts
    )
    shapes = "".join(f'<path fill-rule="evenodd" {_STYLE} stroke-width="{line:g}" d="{path}"/>' for path in paths)
    return _svg(x_min - line, y_min - line, x_max - x_min + 2 * line, y_max - y_min + 2 * line, shapes)


def mask_svg(frame: Sequence[int], runs: NDArray[Any]) -> str:
    """Draw a mask: a bar for each run of a row.

    Examples
    --------
    >>> mask_svg([10, 20, 14, 22], np.array([1, 2, 7, 2])).count("M")
    2
    """
    x_min, y_min, x_max, y_max = frame
    width, height = max(x_max - x_min, 1), max(y_max - y_min, 1)
    first, length = runs[0::2].astype(np.int64) - 1, runs[1::2].astype(np.int64)
    bars = []
    for start, end in zip(first.tolist(), (first + length).tolist(), strict=True):
        for row in range(start // width, -(-end // width)):  # a run may go on in the next row
            left, right = max(start - row * width, 0), min(end - row * width, width)
            bars.append(f"M{left},{row}h{right - left}v1h-{right - left}z")
    return _svg(0, 0, width, height, f'<path fill="#4c78a8" d="{"".join(bars)}"/>')


def _svg(x: float, y: float, width: float, height: float, shapes: str) -> str:
    scale = _SIDE / max(width, height, 1e-9)
    size = f'width="{max(width * scale, 1):.0f}" height="{max(height * scale, 1):.0f}"'
    box = f'viewBox="{x:g} {y:g} {width:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box}>{shapes}</svg>'
