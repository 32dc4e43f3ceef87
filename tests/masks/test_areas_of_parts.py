"""The area of objects of several parts: looking only at parts that are near to each other changes no bit of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hastyframe import masks
from hastyframe.masks import polygon_areas
from hastyframe.masks.polygon import Polygons

COORDINATES = st.one_of(
    st.integers(-4, 12).map(float),
    st.floats(-4, 12, allow_nan=False, width=32),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.sampled_from([1.0, np.nextafter(1.0, 2), 4.0, np.nextafter(4.0, 5)]),
)
RINGS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=5)
OBJECTS = st.lists(st.lists(RINGS, min_size=1, max_size=3), min_size=1, max_size=3)


def polygons(objects):
    rings = [ring for rings in objects for ring in rings]
    points = np.array([point for ring in rings for point in ring])
    ends = (np.cumsum([0, *map(len, each)]) for each in (rings, objects))
    return Polygons(points, *ends)


def however_far(shapes):
    return np.arange(len(shapes.offsets) - 1)


def by_height(boxes, points):
    return (boxes[:, 1] <= points[:, 1]) & (points[:, 1] <= boxes[:, 3])


@given(OBJECTS)
def test_areas_are_those_of_a_look_at_all_parts(objects):
    shapes = polygons(objects)
    quick = masks.polygon_area(shapes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polygon_areas, "_with_near_boxes", however_far)
        patch.setattr(polygon_areas, "_holds", by_height)
        assert masks.polygon_area(shapes).tobytes() == quick.tobytes()


def test_parts_apart_are_not_looked_at(monkeypatch):
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])
    objects = [[square + np.array([10 * part, 0]) for part in range(4)] for _ in range(1000)]
    monkeypatch.setattr(polygon_areas, "_overlap", lambda shapes: pytest.fail("parts are apart"))
    assert (masks.polygon_area(polygons(objects)) == 64).all()


def test_parts_among_others_that_are_apart():
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])
    apart, overlapping, inside = [square, square + 10], [square, square + 2], [square, square / 4 + 1]
    assert masks.polygon_area(polygons([apart, overlapping, apart, inside])).tolist() == [32, 28, 32, 16]
