"""Geometries as short texts that are read back to the last digit, for CSV files.

Polygons are well-known text (OGC 06-103r4, as shapely and databases read it); masks follow its manner:
``MASK (x_min y_min x_max y_max) (start length, start length)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import ValidationException

__all__ = ["mask_from_text", "mask_text", "polygon_from_text", "polygon_text"]

Ring = list[list[float]]
Parts = list[list[Ring]]

_WORD = re.compile(r"\s*(MULTIPOLYGON|POLYGON)\s*(?:Z\s*)?(EMPTY\s*|\(.*\)\s*)", re.IGNORECASE | re.DOTALL)
_MASK = re.compile(r"\s*MASK\s*\(([-\d\s]*)\)\s*(EMPTY|\([-\d\s,]*\))\s*", re.IGNORECASE)


def polygon_text(parts: Sequence[Sequence[Sequence[Sequence[float]]]]) -> str:
    """Write a polygon as well-known text; each ring ends where it begins, as that wants it.

    Examples
    --------
    >>> polygon_text([[[[0.0, 0.0], [4.0, 0.0], [4.0, 2.5]]]])
    'POLYGON ((0 0, 4 0, 4 2.5, 0 0))'
    """
    if not parts:
        return "POLYGON EMPTY"
    written = [f"({', '.join(map(_ring_text, rings))})" for rings in parts]
    return f"POLYGON {written[0]}" if len(written) == 1 else f"MULTIPOLYGON ({', '.join(written)})"


def polygon_from_text(text: str) -> Parts:
    """Read what :func:`polygon_text` writes.

    Examples
    --------
    >>> polygon_from_text("POLYGON ((0 0, 4 0, 4 2.5, 0 0))")
    [[[[0.0, 0.0], [4.0, 0.0], [4.0, 2.5]]]]
    """
    found = _WORD.fullmatch(text)
    if found is None:
        raise ValidationException("it is not a well-known text of a polygon, as 'POLYGON ((0 0, 4 0, 4 2, 0 0))'.")
    kind, body = found[1].upper(), found[2].strip()
    if body.upper() == "EMPTY":
        return []
    part_texts = _inside(body) if kind == "MULTIPOLYGON" else [body]
    return [[_ring(ring) for ring in _inside(part)] for part in part_texts]


def mask_text(frame: Iterable[int], runs: Sequence[int]) -> str:
    """Write a mask as text.

    Examples
    --------
    >>> mask_text([10, 20, 14, 22], [1, 2, 7, 2])
    'MASK (10 20 14 22) (1 2, 7 2)'
    """
    pairs = ", ".join(f"{start} {length}" for start, length in zip(runs[0::2], runs[1::2], strict=True))
    return f"MASK ({' '.join(map(str, frame))}) " + (f"({pairs})" if pairs else "EMPTY")


def mask_from_text(text: str) -> tuple[list[int], list[int]]:
    """Read what :func:`mask_text` writes: the frame and the runs.

    Examples
    --------
    >>> mask_from_text("MASK (10 20 14 22) (1 2, 7 2)")
    ([10, 20, 14, 22], [1, 2, 7, 2])
    """
    found = _MASK.fullmatch(text)
    frame = list(map(int, found[1].split())) if found else []
    if found is None or len(frame) != 4:
        raise ValidationException("it is not a text of a mask, as 'MASK (10 20 14 22) (1 2, 7 2)'.")
    runs = [] if found[2].upper() == "EMPTY" else list(map(int, found[2][1:-1].replace(",", " ").split()))
    return frame, runs


def _ring_text(ring: Sequence[Sequence[float]]) -> str:
    closed = [*ring, *ring[:1]]
    return f"({', '.join(f'{_number(x)} {_number(y)}' for x, y in closed)})"


def _number(value: float) -> str:
    text = repr(value)
    return text[:-2] if text.endswith(".0") and text != "-0.0" else text


def _inside(text: str) -> list[str]:
    """Return the groups in parentheses that stand within the outermost ones."""
    groups, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter == "(":
            depth += 1
            start = place if depth == 2 else start
        elif letter == ")":
            if depth == 2:
                groups.append(text[start : place + 1])
            depth -= 1
    if depth:
        raise ValidationException("its parentheses are not closed.")
    return groups


def _ring(text: str) -> Ring:
    try:
        points = [[float(number) for number in pair.split()[:2]] for pair in text.strip("()").split(",")]
    except ValueError:
        points = [[]]
    if any(len(point) != 2 for point in points):
        shown = text if len(text) < 80 else text[:77] + "..."
        raise ValidationException(f"a vertex is two numbers, and {shown!r} has others.")
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def jsonable(value: Any) -> Any:
    """Whole numbers as integers, as the documented examples of the API have them."""
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return int(value) if float(value).is_integer() else value
