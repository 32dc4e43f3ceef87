"""Masks of classes from a picture of their numbers, against a mask a class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hastyframe import masks
from hastyframe.io import _class_runs
from hastyframe.io._class_runs import class_runs

PICTURES = arrays(
    st.sampled_from([np.uint8, np.uint16]), st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)
)


def one_by_one(numbers):
    for place in np.unique(numbers[numbers > 0]).tolist():
        own = numbers == place
        rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        yield place, box, masks.encode(own[box[1] : box[3], box[0] : box[2]]).to_list()[0]


@pytest.mark.parametrize("band", [1, 10, 2**22])
@settings(max_examples=100, deadline=None)
@given(numbers=PICTURES)
def test_as_one_mask_a_class(numbers, band):
    before, _class_runs.BAND = _class_runs.BAND, band
    try:
        found = class_runs(numbers)
    finally:
        _class_runs.BAND = before
    assert found.runs.values.dtype == np.int32
    rows = zip(found.numbers.tolist(), found.boxes.tolist(), found.runs.to_list(), strict=True)
    assert list(rows) == list(one_by_one(numbers))


def test_runs_are_counted_before_they_are_there():
    counts = []
    class_runs(np.eye(3, dtype=np.uint8), counts.append)
    assert sum(counts) == 2 + 3 + 2  # runs of background count as well
