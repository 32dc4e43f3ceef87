"""Paths over levels, and what lies inside outlines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hastyframe import masks as hm
from hastyframe.masks.filling import Crossings, fill, passage
from hastyframe.masks.ragged import offsets_of

from .samples import in_image, tight

SIZE = (7, 9)
rows, columns = st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1])
outlines = st.lists(st.tuples(rows, columns, columns), max_size=8)
"""Each row there and back: crossed at two places, which may be one."""


@given(st.lists(st.lists(st.integers(-5, 5), max_size=8), max_size=5))
def test_passage_is_the_walk_from_level_to_level(paths):
    levels, rings = np.array([level for path in paths for level in path], int), offsets_of([*map(len, paths)])
    cells, starts, rises = [], [], []
    for path in paths:
        for here, there in zip(path, [*path[1:], *path[:1]], strict=True):
            starts.append(len(cells))
            cells += range(here, there) if there > here else range(here - 1, there - 1, -1)
            rises.append(there - here)
    found = passage(levels, rings)
    assert found.cells.tolist() == cells
    assert found.offsets.tolist() == [*starts, len(cells)]
    assert found.begin.tolist() == [place for place, rise in enumerate(rises) if rise]
    assert found.rise.tolist() == [rise for rise in rises if rise]
    owner = np.repeat(np.arange(len(rises)), np.abs(rises).astype(int)).tolist()
    assert found.begin[found.along(np.arange(len(found.begin)))].tolist() == owner


@given(st.lists(st.lists(outlines, max_size=3), max_size=4))
def test_fill_unites_what_lies_inside_an_odd_number_of_crossings(objects):
    parts = [outline for each in objects for outline in each]
    row = np.array([row for outline in parts for row, *_ in outline for _ in range(2)], np.int32)
    column = np.array([column for outline in parts for _, *both in outline for column in both], np.int32)
    crossings = Crossings(row, column, offsets_of([2 * len(outline) for outline in parts]))
    runs, boxes = fill(crossings, offsets_of([*map(len, objects)]))
    hm.check(runs, boxes)
    for each, mask, box in zip(objects, hm.decode(runs, boxes), boxes, strict=True):
        expected = np.zeros(SIZE, bool)
        for outline in each:
            inside = np.zeros(SIZE, bool)
            for at, *both in outline:
                for place in both:
                    inside[at, place:] ^= True
            expected |= inside
        assert (in_image(mask, box, SIZE) == expected).all()
        assert box.tolist() == tight(expected)
