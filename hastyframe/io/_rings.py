"""The text of a COCO file, parsed a block at a time.

Nearly all of such a file is the numbers of its polygons. As Python objects they would take most of the memory, and most
of the time goes into taking that memory. So the annotations are parsed in blocks, and the polygons of each block become
an array before the next one is parsed. What is not as usual goes the common way: the text is parsed in one piece.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ..masks.ragged import offsets_of

__all__ = ["LiftedRings", "parse_coco"]

BLOCK = 2**18
"""Bytes of a block: its objects stay in the cache of a processor."""

_BEGIN = re.compile(rb'"annotations"\s*:\s*\[\s*(?={)')
_BETWEEN = re.compile(rb"}\s*,\s*{")
_END = re.compile(rb"}\s*]")


class LiftedRings(NamedTuple):
    """Rings of the annotations in `rows`: x and y in turn, and offsets that count numbers."""

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]


def parse_coco(text: bytes) -> tuple[Any, LiftedRings | None]:
    """Parse a COCO file.

    Returns
    -------
    data : object
        What the JSON says, but that an annotation whose ring was lifted has no segmentation any more.
    rings : LiftedRings or None
        None where the text was parsed in one piece.

    Raises
    ------
    orjson.JSONDecodeError
        As :func:`orjson.loads` on the whole text.

    Examples
    --------
    >>> data, rings = parse_coco(b'{"annotations": [{"id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}]}')
    >>> data, rings.values.tolist()
    ({'annotations': [{'id': 1, 'segmentation': None}]}, [0.0, 0.0, 4.0, 0.0, 4.0, 4.0])
    """
    begin = _BEGIN.search(text)
    end = _END.search(text, begin.end()) if begin else None
    if begin and end:
        try:
            data = orjson.loads(text[: begin.end()] + text[end.end() - 1 :])
            if data["annotations"] == []:
                data["annotations"], rings = _annotations(text, begin.end(), end.start() + 1)
                return data, rings
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
            pass
    return orjson.loads(text), None


def _annotations(text: bytes, begin: int, end: int) -> tuple[list[Any], LiftedRings]:
    annotations: list[Any] = []
    rows: list[int] = []
    lengths: list[int] = []
    values = [np.empty(0)]
    for block in _blocks(text, begin, end):
        rings = []
        for row, annotation in enumerate(block, start=len(annotations)):
            segment = annotation.get("segmentation")
            if type(segment) is list and len(segment) == 1:
                rings.append(segment[0])
                rows.append(row)
                annotation["segmentation"] = None
        sizes = list(map(len, rings))
        lengths += sizes
        values.append(np.fromiter(itertools.chain.from_iterable(rings), np.float64, sum(sizes)))
        annotations += block
    return annotations, LiftedRings(np.array(rows, np.int64), np.concatenate(values), offsets_of(lengths))


def _blocks(text: bytes, begin: int, end: int) -> Iterator[list[Any]]:
    """Parse a list of objects in parts.

    A cut that is not between two objects of this very list leaves a part that is no JSON, and so is noticed.
    """
    while begin < end:
        cut = _BETWEEN.search(text, begin + BLOCK, end)
        stop, following = (cut.start() + 1, cut.end() - 1) if cut else (end, end)
        yield orjson.loads(b"[%b]" % text[begin:stop])
        begin = following
