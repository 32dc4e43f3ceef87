"""Whatever comes in, what goes out is an answer or a ValidationException."""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hastyframe import masks as hm
from hastyframe.errors import ValidationException

numbers = st.one_of(
    st.integers(-3, 30),
    st.sampled_from([2**31 - 1, 2**31, 2**32, 2**63, -(2**63), 10**9, 10**30]),
    st.floats(),
    st.none(),
    st.booleans(),
    st.text(max_size=3),
)
anything = st.recursive(
    numbers,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=20,
)
runs = st.one_of(
    anything, st.lists(st.lists(numbers, max_size=6), max_size=3), st.lists(st.integers(-1, 9), max_size=6)
)
boxes = st.one_of(anything, st.lists(st.lists(numbers, min_size=4, max_size=4), max_size=3), st.just([[0, 0, 5, 5]]))
polygons = st.one_of(anything, st.lists(st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=4), max_size=3))
rles = st.one_of(
    anything,
    st.lists(
        st.fixed_dictionaries(
            {
                "size": st.one_of(anything, st.just([5, 5]), st.lists(numbers, min_size=2, max_size=2)),
                "counts": st.one_of(
                    anything, st.text(max_size=9), st.binary(max_size=9), st.lists(numbers, max_size=5)
                ),
            }
        ),
        max_size=3,
    ),
)


@pytest.mark.filterwarnings("error")
@settings(max_examples=150)
@example([], [[0, 0, 1e160, 1e160]])
@given(runs, boxes)
def test_runs_and_boxes(some, places):
    for call in (
        hm.area,
        lambda given_runs: hm.decode(given_runs, places, max_pixels=10**6),
        lambda given_runs: hm.bbox(given_runs, places),
        lambda given_runs: hm.problems(given_runs, places),
        lambda given_runs: hm.to_coco_rle(given_runs, places, (50, 50)),
        lambda given_runs: hm.iou(given_runs, places, given_runs, places),
        lambda given_runs: hm.union(given_runs, places, given_runs, places),
        lambda given_runs: hm.crop(given_runs, places, places),
        lambda given_runs: hm.rle_to_polygon(given_runs, places, tolerance=1.0),
        lambda _: hm.box_iou(places, places),
        lambda _: hm.nms(places, [1.0] * 3),
    ):
        with contextlib.suppress(ValidationException):
            call(some)


@pytest.mark.filterwarnings("error")
@settings(max_examples=150)
@given(rles)
def test_coco_runs(some):
    with contextlib.suppress(ValidationException):
        hm.from_coco_rle(some)


@pytest.mark.filterwarnings("error")
@settings(max_examples=150)
@given(polygons)
def test_polygons(some):
    for call in (
        lambda: hm.polygon_to_rle(some),
        lambda: hm.polygon_to_rle(some, (20, 20)),
        lambda: hm.polygon_to_rle(some, (20, 20), rule="coco"),
        lambda: hm.polygon_area(some),
        lambda: hm.polygon_bounds(some),
        lambda: hm.clip_polygons(some, (20, 20)),
        lambda: hm.simplify(some, 1.0),
    ):
        with contextlib.suppress(ValidationException):
            call()
