"""Numbers of JSON, read from pieces of its text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hastyframe.io._numbers import numbers_of

NUMBERS = st.integers(-(10**20), 10**20) | st.decimals(-(10**6), 10**6, places=2).map(float)
PLAIN = st.lists(st.lists(NUMBERS, max_size=6), max_size=20)


@given(PLAIN, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", ":")]), st.integers(1, 30))
def test_numbers_are_those_of_the_json_however_many_are_read_at_once(lists, separators, at_once):
    values, lengths = numbers_of([Raw(json.dumps(row, separators=separators).encode()) for row in lists], at_once)
    assert lengths.tolist() == [len(row) for row in lists]
    np.testing.assert_array_equal(values, np.array([float(number) for row in lists for number in row]))


@given(PLAIN, st.sampled_from(["[1e3]", '["1"]', "[[1]]", "[null]", "[true]", "{}", "1", '"[1]"']), st.data())
def test_what_is_no_list_of_plain_numbers_is_refused(lists, other, data):
    pieces = [json.dumps(row) for row in lists]
    pieces.insert(data.draw(st.integers(0, len(pieces))), other)
    with pytest.raises(ValueError, match="a ring is a list of numbers"):
        numbers_of([Raw(piece.encode()) for piece in pieces], data.draw(st.integers(1, 30)))
