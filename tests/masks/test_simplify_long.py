"""Rings that are no halves of each other: what is left of them is as if every part were measured whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hastyframe.masks as hm
from hastyframe.masks import farthest, simplification


def slowly(points: np.ndarray, tolerance: float) -> list[int]:
    """Douglas and Peucker, a part after the other, every vertex of it measured."""
    first = int(np.argmax(np.hypot(*(points - points[0]).T)))
    kept, parts = {0, first}, [(0, first, first), (first, len(points), 0)]
    while parts:
        begin, end, wrap = parts.pop()
        if end - begin < 2:
            continue
        far = farthest.distances(points[begin + 1 : end], points[begin], points[wrap] - points[begin])
        if far.max() > tolerance:
            split = begin + 1 + int(far.argmax())
            kept.add(split)
            parts += [(begin, split, split), (split, end, wrap)]
    return sorted(kept) if len(kept) >= 3 else list(range(len(points)))


@pytest.fixture(autouse=True)
def soon_and_small(monkeypatch):
    monkeypatch.setattr(simplification, "LEVELS", 2)
    monkeypatch.setattr(farthest, "LONG", 8)
    monkeypatch.setattr(farthest, "BLOCK", 4)


GRID = arrays(np.int64, st.tuples(st.integers(3, 120), st.just(2)), elements=st.integers(0, 9))
PLANE = arrays(np.float64, st.tuples(st.integers(3, 120), st.just(2)), elements=st.floats(-1e6, 1e6))


@settings(max_examples=300, deadline=None)
@given(st.one_of(GRID, PLANE), st.sampled_from([0, 0.3, 1, 5]))
def test_any_ring(points, tolerance):
    points = points.astype(float)
    assert hm.simplify([points.tolist()], tolerance).points.tolist() == points[slowly(points, tolerance)].tolist()


def comb(count):
    across = np.arange(count // 2)
    return np.concatenate([np.column_stack([across, across % 2 + 10]), np.column_stack([across, across % 2])[::-1]])


def teeth(count):
    return np.column_stack([np.arange(count), np.arange(count) % 2 * np.linspace(100, 1, count)])


def stairs(count):
    steps = np.repeat(np.arange(count // 2), 2)
    return np.column_stack([steps[1:], steps[:-1]])


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4])
@pytest.mark.parametrize("ring", [comb, teeth, stairs])
def test_rings_from_which_each_split_takes_little(monkeypatch, ring, angle):
    monkeypatch.setattr(farthest, "LONG", 64)
    monkeypatch.setattr(farthest, "BLOCK", 16)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = ring(600) @ turn
    for tolerance in (0, 0.5, 3):
        assert hm.simplify([points.tolist()], tolerance).points.tolist() == points[slowly(points, tolerance)].tolist()


def test_the_hull_stands_for_all():
    points = np.random.default_rng(0).normal(size=(64, 2))
    hull = points[farthest._hull(points)]
    for direction in np.random.default_rng(1).normal(size=(50, 2)):
        assert (hull @ direction).max() == (points @ direction).max()
