"""Polygons of COCO taken out of the text before it is parsed.

Nearly all of a COCO file is the numbers of its polygons. As Python objects they take most of the time and memory of
reading it, so Arrow parses those of one ring, and the JSON parser sees what is left. Whatever is not as usual goes the
common way: then the whole text is parsed.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ._lists import offsets_of

__all__ = ["LiftedRings", "parse_lifting_rings"]

_ONE_RING = re.compile(rb'"segmentation"\s*:\s*\[\s*\[([^\]]*)\]\s*\]')


class LiftedRings(NamedTuple):
    """Rings of the annotations in `rows`: x and y in turn, and offsets that count numbers."""

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]


def parse_lifting_rings(text: bytes) -> tuple[Any, LiftedRings | None]:
    """Parse a COCO file.

    Returns
    -------
    data : object
        What the JSON says; a ``segmentation`` that was lifted is a meaningless number.
    rings : LiftedRings or None
        None where nothing was lifted.

    Raises
    ------
    orjson.JSONDecodeError
        As :func:`orjson.loads` on the whole text.
    """
    pieces = _ONE_RING.split(text)
    rings = pieces[1::2]
    if rings:
        mark = secrets.randbits(52)  # a number that is nowhere in the file
        try:
            data = orjson.loads((b'"segmentation":%d' % mark).join(pieces[::2]))
            segments = [annotation.get("segmentation") for annotation in data["annotations"]]
            rows = [row for row, segment in enumerate(segments) if segment == mark]
            values, offsets = _numbers(rings)
        except (orjson.JSONDecodeError, pa.ArrowInvalid, AttributeError, KeyError, TypeError):
            rows = []
        if len(rows) == len(rings):
            return data, LiftedRings(np.array(rows, np.int64), values, offsets)
    return orjson.loads(text), None


def _numbers(rings: list[bytes]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Parse comma-separated numbers; ArrowInvalid where one is none."""
    from pyarrow import csv

    lines = b",".join(rings).replace(b",", b"\n")
    table = csv.read_csv(
        pa.BufferReader(lines),
        read_options=csv.ReadOptions(column_names=["number"], block_size=2**22),
        parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(column_types={"number": pa.float64()}, null_values=[]),
    )
    lengths = [ring.count(b",") + 1 for ring in rings]
    if table.num_rows != sum(lengths):
        raise pa.ArrowInvalid("A line break within a number.")
    return table["number"].to_numpy(), offsets_of(lengths)
