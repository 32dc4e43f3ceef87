"""COCO's rule for the pixels of a polygon: byte by byte what pycocotools paints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from hastyframe import masks as hm
from hastyframe.errors import ValidationException


def assert_same(shapes, sizes):
    """Each object, a list of flat rings, is painted as pycocotools paints and unites its rings."""
    runs, boxes = hm.polygon_to_rle(shapes, sizes, rule="coco")
    hm.check(runs, boxes)
    _, tight = hm.trim(runs, boxes)
    assert (tight == boxes).all()
    ours = hm.to_coco_rle(runs, boxes, sizes)
    for parts, size, rle in zip(shapes, sizes, ours, strict=True):
        assert rle["counts"] == coco.merge(coco.frPyObjects(parts, *size))["counts"], (parts, size)


fractions = st.one_of(
    st.integers(-6, 40),
    st.floats(-6, 40),
    st.integers(-12, 80).map(lambda v: v / 2),
    st.integers(-60, 400).map(lambda v: v / 10),  # where the fine grid rounds up or down
    st.floats(-1e4, 1e4),
)
rings = st.lists(fractions, min_size=6, max_size=18).map(lambda ring: ring[: len(ring) // 2 * 2])
sizes = st.tuples(st.integers(1, 36), st.integers(1, 36))


@given(st.lists(st.tuples(st.lists(rings, min_size=1, max_size=3), sizes), min_size=1, max_size=5))
def test_any_polygons(objects):
    shapes, sizes = zip(*objects, strict=True)
    assert_same(list(shapes), list(sizes))


def points_of_kind(rng, kind, count, height, width):
    """Vertices in and around an image."""
    span = np.array([width, height])
    inside = rng.random((count, 2)) * span
    around = (rng.random((count, 2)) * 2 - 0.5) * span
    angle = np.sort(rng.random(count)) * 2 * np.pi
    disc = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.random() + 0.5) * span
    return {
        "inside": inside,
        "around": around,
        "whole": np.rint(around),
        "half": np.rint(around * 2) / 2,
        "tenths": np.rint(around * 10) / 10,
        "fifths": np.rint(around * 5) / 5 + 0.1 * rng.integers(0, 2, (count, 2)),
        "hundredths": np.rint(disc * 100) / 100,
        "disc": disc,
        "huge": around * 10.0 ** rng.integers(1, 4),
        "upright": around * [0.02, 3] + [width / 2, -height],
        "flat": around * [3, 0.02] + [-width, height / 2],
        "one point": np.repeat(around[:1], count, axis=0),
        "line": around[:1] + np.outer(rng.random(count), span),
        "repeated": np.repeat(np.rint(inside), 2, axis=0)[:count],
        "rectangle": np.rint(np.stack([inside[[0, 1, 1, 0], 0], inside[[0, 0, 1, 1], 1]], axis=1) * 4) / 4,
        "tiny": inside[:1] + rng.random((count, 2)),
    }[kind]


KINDS = [
    *("inside", "around", "whole", "half", "tenths", "fifths", "hundredths", "disc"),
    *("huge", "upright", "flat", "one point", "line", "repeated", "rectangle", "tiny"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_many_polygons(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    shapes, sizes = [], []
    for _ in range(700):
        height, width = rng.integers(1, 10 ** rng.integers(1, 3) + 1, 2).tolist()
        parts = rng.choice([1, 1, 1, 2, 3])
        counts = rng.integers(3, 12, parts)
        shapes.append([points_of_kind(rng, kind, count, height, width).reshape(-1).tolist() for count in counts])
        sizes.append((height, width))
    assert_same(shapes, sizes)


def test_parts_that_overlap_are_united():
    square, other = [2, 2, 9, 2, 9, 9, 2, 9], [5, 5, 12, 5, 12, 12, 5, 12]
    assert_same([[square, other], [square, square], [square, other, square], [square]], [(15, 15)] * 4)
    runs, _ = hm.polygon_to_rle([[square, square]], (15, 15), rule="coco")
    assert hm.area(runs).tolist() == [49]


def test_real_polygons(real_polygons):
    assert_same(*real_polygons)


def test_objects_without_rings_and_blocks_of_any_size(real_polygons, monkeypatch):
    """Where objects are cut into blocks makes no difference."""
    shapes, sizes = real_polygons
    shapes = [[], *shapes[:80], []]
    sizes = [(5, 5), *sizes[:80], (5, 5)]
    for rule in ("center", "coco"):
        runs, boxes = hm.polygon_to_rle(shapes, sizes, rule=rule)
        assert not boxes[[0, -1]].any()
        for most in (1, 1000, 30_000):
            monkeypatch.setattr("hastyframe.masks.scanline.LEAST", most)
            monkeypatch.setattr("hastyframe.masks.scanline.MOST", most)
            again, same = hm.polygon_to_rle(shapes, sizes, rule=rule)
            assert (again.values == runs.values).all()
            assert (again.offsets == runs.offsets).all()
            assert (same == boxes).all()


def test_steep_edges_at_the_far_side_of_a_wide_image():
    """Where the steps of a walk are hardest to find: tall edges, and x large."""
    width = 2**19
    rng = np.random.default_rng(0)
    x = width - rng.integers(0, 9, (12, 3)) - rng.choice([0, 0.1, 0.5, 0.7], (12, 3))
    y = rng.integers(-(2**17), 2**17, (12, 3)) + rng.choice([0, 0.5, 0.3], (12, 3))
    assert_same([[ring.reshape(-1).tolist()] for ring in np.stack([x, y], axis=2)], [(40, width)] * 12)


def test_far_vertices_are_refused():
    near, far = [0, 0, 4, 0, 4, 4], [0, 0, 5e6, 0, 4, 4]
    with pytest.raises(ValidationException, match=r"polygon 1 has vertex \[5000000.0, 0.0\].*clip_polygons"):
        hm.polygon_to_rle([[near], [near, far]], (10, 10), rule="coco")


def test_too_many_steps_are_refused():
    zigzag = np.stack([np.arange(80), np.arange(80) % 2 * 2**22], axis=1)
    with pytest.raises(ValidationException, match="run ends"):
        hm.polygon_to_rle([zigzag.reshape(-1).tolist()], (2**22, 400), rule="coco")
