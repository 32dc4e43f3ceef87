"""Ids and names are compared by value, whatever holds them."""

from __future__ import annotations

import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hastyframe.identity import are_uuids, as_index, as_series, is_uuid, not_texts, one, texts

UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

DTYPES = [
    "str",
    "object",
    "string",
    "string[pyarrow]",
    "string[python]",
    "category",
    pd.ArrowDtype(pa.string()),
    pd.ArrowDtype(pa.large_string()),
    pd.ArrowDtype(pa.string_view()),
    pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_texts_of_every_dtype_are_the_same_ids(dtype):
    given = pd.Series([UUID, None, "1", UUID], dtype="str").astype(dtype)
    assert texts(given).to_pylist() == [UUID, None, "1", UUID]
    assert texts(pd.Index(given)).to_pylist() == [UUID, None, "1", UUID]
    assert not not_texts(given, texts(given)).any()
    assert as_series(given).dtype == "str"
    assert as_index(pd.Index(given)).tolist()[0] == UUID


NUMBERS = {
    "int64": pd.Series([1, 2]),
    "uint64": pd.Series([1, 2], dtype="uint64"),
    "int8": pd.Series([1, 2], dtype="int8"),
    "Int64": pd.Series([1, 2], dtype="Int64"),
    "float64": pd.Series([1.0, 2.0]),
    "float32": pd.Series([1.0, 2.0], dtype="float32"),
    "Float64": pd.Series([1.0, 2.0], dtype="Float64"),
    "Arrow int": pd.Series([1, 2], dtype="int32[pyarrow]"),
    "Arrow float": pd.Series([1, 2], dtype="double[pyarrow]"),
    "Arrow decimal": pd.Series([Decimal("1.00"), Decimal(2)], dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
    "category of int": pd.Series([1, 2], dtype="category"),
    "category of float": pd.Series([1.0, 2.0], dtype="category"),
    "object": pd.Series([1, 2.0], dtype=object),
    "NumPy scalars": pd.Series([np.int32(1), np.float64(2)], dtype=object),
    "mixed": pd.Series(["1", 2], dtype=object),
    "texts of floats": pd.Series(["1.0", "2.000"]),
    "Decimal": pd.Series([Decimal("1.0"), Decimal(2)], dtype=object),
}


@pytest.mark.parametrize("given", NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_the_texts_of_their_values(given):
    assert texts(given).to_pylist() == ["1", "2"]


def test_what_is_another_value_is_another_id():
    assert texts(pd.Series(["01", "1", "1.5", "1.0x", "1e0", "-0.0"])).to_pylist() == [
        "01",
        "1",
        "1.5",
        "1.0x",
        "1e0",
        "0",
    ]
    big = 2**53 + 1
    assert texts(pd.Series([big, -big])).to_pylist() == [str(big), str(-big)]
    assert texts(pd.Series([2**64 - 1], dtype="uint64")).to_pylist() == [str(2**64 - 1)]
    assert texts(pd.Series([big, None], dtype=object)).to_pylist() == [str(big), None]
    assert texts(pd.Series([0.5])).to_pylist() == ["0.5"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([2.0**53, 1.0]),
        pd.Series([2.0**53 + 2, 1.0], dtype=pd.ArrowDtype(pa.float64())),
        pd.Series([2.0**24, 1.0], dtype=np.float32),
        pd.Series([2.0**24 + 2, 1.0], dtype=pd.ArrowDtype(pa.float32())),
        pd.Series([2.0**11, 1.0], dtype=np.float16),
        pd.Series([np.float32(2.0**24), 1], dtype=object),
        pd.Series(pd.Categorical([1e300, 1.0])),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_float_that_may_have_been_another_number_is_no_id(column):
    found = texts(column)
    assert found.to_pylist() == [None, "1"]
    assert not_texts(column, found).tolist() == [True, False]
    assert texts(pd.Series([2.0**53 - 1, -(2.0**53) + 1])).to_pylist() == [str(2**53 - 1), str(1 - 2**53)]


class Tensor:
    """What frameworks of models have as a single number."""

    ndim = 0

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_numbers_in_arrays_without_axes_and_in_odd_columns():
    assert texts(pd.Series([np.array(1), Tensor(2), Tensor("a"), None], dtype=object)).to_pylist() == [
        "1",
        "2",
        "a",
        None,
    ]
    assert texts(pd.Index([np.array(1), 2], dtype=object)).to_pylist() == ["1", "2"]
    assert texts(pd.Series(pd.arrays.SparseArray([3, 4]))).to_pylist() == ["3", "4"]
    assert texts(pd.Series(np.array([3, 4], np.float16))).to_pylist() == ["3", "4"]
    strange = pd.Series([np.array([1, 2])], dtype=object)
    assert not_texts(strange, texts(strange)).tolist() == [True]


def test_a_uuid_is_the_same_in_capitals_and_as_an_object():
    given = pd.Series([UUID.upper(), uuid.UUID(UUID), None], dtype=object)
    assert texts(given).to_pylist() == [UUID, UUID, None]
    assert as_index(pd.Index([UUID.upper()])).tolist() == [UUID]
    assert texts(pd.Series([uuid.UUID(UUID).bytes], dtype=pd.ArrowDtype(pa.uuid()))).to_pylist() == [UUID]


def test_names_stay_as_they_are():
    given = pd.Series(["1.0", UUID.upper(), " a"])
    assert texts(given, "name").to_pylist() == given.tolist()
    assert texts(pd.Series([1.0, True], dtype=object), "name").to_pylist() == ["1", "True"]
    assert texts(pd.Series([True]), "name").to_pylist() == ["True"]


@pytest.mark.parametrize(
    "value", [b"1", True, [1], (1,), {"a": 1}, pd.Timestamp(0), float("inf"), 1j, np.array([1])], ids=str
)
def test_what_is_no_id_is_told_from_what_is_missing(value):
    given = pd.Series([None, "a", np.nan, pd.NA, value], dtype=object)
    found = texts(given)
    assert found.to_pylist() == [None, "a", None, None, None]
    assert not_texts(given, found).tolist() == [False] * 4 + [True]
    assert one(value) is None


@pytest.mark.parametrize("given", [[True], pd.to_datetime(["2020-01-01"]), pd.Series([b"a"], dtype="binary[pyarrow]")])
def test_columns_of_what_is_no_id(given):
    given = pd.Series(given)
    found = texts(given)
    assert found.to_pylist() == [None]
    assert not_texts(given, found).all()


def test_a_column_of_texts_is_given_back_itself():
    given = pd.Series([UUID, None], dtype="str")
    assert as_series(given) is given
    index = pd.Index([UUID])
    assert as_index(index) is index
    part = pd.Series(["A.0", UUID, "B.0"], dtype="str").iloc[1:2]
    assert as_series(part) is part


def test_what_is_a_uuid():
    assert is_uuid(UUID) and is_uuid(UUID.upper())
    for text in ("Big", UUID[:-1], f"{UUID} ", f"{UUID}\n", uuid.UUID(UUID), None, ""):
        assert not is_uuid(text)
    assert are_uuids([UUID] * 3) and not are_uuids([UUID, "p"]) and are_uuids([])
