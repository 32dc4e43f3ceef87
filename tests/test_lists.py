"""Columns of Arrow lists as flat values and offsets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hastyframe.frames import MASK, POLYGON
from hastyframe.lists import ragged_of

ROWS = st.lists(st.none() | st.lists(st.integers(0, 9), max_size=4), max_size=8)


def column(array: pa.Array) -> pd.Series:
    return pd.Series(pd.array(array, dtype=pd.ArrowDtype(array.type)))


@given(ROWS, st.integers(0, 8), st.integers(0, 8))
def test_a_slice_of_a_column_gives_its_own_rows(rows, first, count):
    runs, present = ragged_of(column(pa.array(rows, MASK)).iloc[first : first + count], MASK)
    wanted = rows[first : first + count]
    assert present.tolist() == [row is not None for row in wanted]
    assert runs.to_list() == [row or [] for row in wanted]


def test_what_stands_behind_a_missing_list_is_left_out():
    hidden = pa.ListArray.from_arrays(pa.array([0, 2, 4, 6], pa.int32()), pa.array([1, 2, 3, 4, 5, 6], pa.int32()))
    present = pa.py_buffer(b"\x05")
    array = pa.ListArray.from_buffers(MASK, 3, [present, hidden.buffers()[1]], children=[hidden.values])
    runs, there = ragged_of(column(array), MASK)
    assert there.tolist() == [True, False, True]
    assert runs.to_list() == [[1, 2], [], [5, 6]]


def test_values_are_those_of_the_column_and_no_copy():
    array = pa.array([[[1.0, 2.0], [3.0, 4.0]], None, [[5.0, 6.0]]], POLYGON)
    polygons, _ = ragged_of(column(array), POLYGON)
    assert polygons.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert polygons.offsets.tolist() == [0, 2, 2, 3]
    assert np.shares_memory(polygons.values, array.values.values.to_numpy())
