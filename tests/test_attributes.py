"""Values of attributes: the ids of what was chosen, its texts, long and wide."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from hastyframe import attributes
from hastyframe.errors import FrameError, UnexpectedAnswer, ValidationException
from hastyframe.vocabulary import Vocabulary

ATTRIBUTES = [
    {"id": "a-col", "name": "colour", "type": "SELECTION",
     "values": [{"id": "v-red", "value": "red"}, {"id": "v-blue", "value": "blue"}]},
    {"id": "a-par", "name": "parts", "type": "MULTIPLE-SELECTION",
     "values": [{"id": "v-l", "value": "leg"}, {"id": "v-t", "value": "tail"}]},
    {"id": "a-txt", "name": "note", "type": "TEXT", "values": []},
    {"id": "a-int", "name": "count", "type": "INT", "values": None},
    {"id": "a-flt", "name": "weight", "type": "FLOAT"},
    {"id": "a-boo", "name": "alive", "type": "BOOL"},
]  # fmt: skip
IDS = {attribute["name"]: attribute["id"] for attribute in ATTRIBUTES}


class Lists:
    """Stands for a transport that knows one list."""

    def __init__(self, records):
        self.records = records

    def listing(self, path, params=None):
        assert path.endswith("/attributes")
        return self.records


@pytest.fixture
def lists():
    return Lists(ATTRIBUTES)


@pytest.fixture
def vocabulary(lists):
    return Vocabulary(lists, "p")


def stored(*rows):
    return [
        {"id": f"s{i}", "label_id": label, "attribute_id": IDS[name], "value": value}
        for i, (label, name, value) in enumerate(rows)
    ]


ROWS = [
    ("l1", "colour", "v-red"),
    ("l1", "parts", ["v-t", "v-l"]),
    ("l1", "note", "v-red"),
    ("l2", "count", 3),
    ("l2", "weight", 2),
    ("l2", "alive", False),
    ("l2", "colour", "v-gone"),
    ("l3", "colour", None),
]


def test_selections_stand_as_their_texts(vocabulary):
    long = attributes.readable(vocabulary, stored(*ROWS))
    assert list(long.columns) == ["label_id", "attribute_id", "attribute_name", "value"]
    assert long["attribute_name"].tolist() == [name for _, name, _ in ROWS]
    assert long["value"].tolist() == ["red", ["tail", "leg"], "v-red", 3, 2, False, "v-gone", None]


def test_values_that_no_selection_has_are_left_as_they_are(vocabulary):
    odd = stored(("l1", "colour", {"a": [1]}), ("l1", "parts", [{"a": 1}, ["v-l"]]))
    assert attributes.readable(vocabulary, odd)["value"].tolist() == [{"a": [1]}, [{"a": 1}, ["leg"]]]


def test_wide_is_a_typed_column_an_attribute(vocabulary):
    long = attributes.readable(vocabulary, stored(*ROWS))
    wide = attributes.widen(vocabulary, long, pd.Index(["l2", "l1", "l9"], dtype="str"))
    assert wide.index.tolist() == ["l2", "l1", "l9"]
    assert wide.index.name == "label_id"
    assert wide.dtypes.astype(str).to_dict() == {
        "colour": "category",
        "parts": "list<item: string>[pyarrow]",
        "note": "str",
        "count": "Int64",
        "weight": "float64",
        "alive": "boolean",
    }
    assert wide["colour"].cat.categories.tolist() == ["red", "blue", "v-gone"]
    assert wide.loc["l1", "colour"] == "red"
    assert list(wide.loc["l1", "parts"]) == ["tail", "leg"]
    assert wide.loc["l2", ["count", "weight", "alive"]].tolist() == [3, 2.0, False]
    assert wide.loc["l9"].isna().all()
    empty = attributes.widen(vocabulary, attributes.readable(vocabulary, []), pd.Index([], dtype="str"))
    assert empty.dtypes.drop("colour").to_dict() == wide.dtypes.drop("colour").to_dict()
    assert empty["colour"].cat.categories.tolist() == ["red", "blue"]


def test_what_was_set_last_counts(vocabulary):
    long = attributes.readable(vocabulary, stored(("l", "count", 1), ("l", "count", 2)))
    assert attributes.widen(vocabulary, long, pd.Index(["l"]))["count"].tolist() == [2]


def test_many_attributes_are_no_reason_for_a_warning(lists, vocabulary):
    lists.records = [{"id": f"a{i}", "name": f"n{i}", "type": "INT"} for i in range(150)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert attributes.widen(vocabulary, attributes.readable(vocabulary, []), pd.Index(["l"])).shape == (1, 150)


def test_two_attributes_of_one_name_cannot_be_columns(lists, vocabulary):
    lists.records = [{"id": "a1", "name": "n", "type": "INT"}, {"id": "a2", "name": "n", "type": "TEXT"}]
    with pytest.raises(ValidationException, match="Several attributes are named 'n'"):
        attributes.widen(vocabulary, attributes.readable(vocabulary, []), pd.Index(["l"]))


@pytest.mark.parametrize(("name", "value"), [("count", "three"), ("count", 2.5), ("weight", "heavy"), ("alive", "yes")])
def test_a_stored_value_that_is_none_is_named(vocabulary, name, value):
    long = attributes.readable(vocabulary, stored(("l", name, value)))
    with pytest.raises(UnexpectedAnswer, match=f"attribute '{name}'"):
        attributes.widen(vocabulary, long, pd.Index(["l"]))


def test_wide_becomes_long_and_wide_again(vocabulary):
    long = attributes.readable(vocabulary, stored(*ROWS[:6]))
    wide = attributes.widen(vocabulary, long, pd.Index(["l1", "l2"], dtype="str"))
    again = attributes.lengthen(wide)
    assert set(zip(again["label_id"], again["attribute_name"], map(repr, again["value"]), strict=True)) >= {
        ("l1", "colour", "'red'"),
        ("l2", "count", "3"),
        ("l2", "alive", "False"),
    }
    assert len(again) == 6
    again["attribute_id"] = again["attribute_name"].map(IDS)
    values = attributes.writable(vocabulary, again)
    assert values == ["v-red", ["v-t", "v-l"], "v-red", 3, 2.0, False]


def test_nothing_becomes_long():
    for frame in (pd.DataFrame(), pd.DataFrame({"a": [None]}, index=["l"])):
        assert list(attributes.lengthen(frame).columns) == ["label_id", "attribute_name", "value"]
        assert len(attributes.lengthen(frame)) == 0


def long_frame(*rows):
    index = [f"row {i}" for i in range(len(rows))]
    values = pd.Series([value for _, value in rows], index=index, dtype=object)
    return pd.DataFrame({"attribute_id": [IDS[name] for name, _ in rows], "value": values}, index=index)


GOOD = [
    ("colour", "red", "v-red"),
    ("colour", "v-blue", "v-blue"),
    ("parts", ["leg", "v-t"], ["v-l", "v-t"]),
    ("parts", np.array(["leg"], dtype=object), ["v-l"]),
    ("parts", (), []),
    ("note", "", ""),
    ("count", np.int64(3), 3),
    ("count", 3.0, 3),
    ("count", -(2**63) + 1, -(2**63) + 1),
    ("weight", 3, 3.0),
    ("weight", 1e300, 1e300),
    ("weight", np.float32(0.5), 0.5),
    ("alive", np.bool_(True), True),
]
BAD = [
    ("colour", "rde", "Did you mean 'red'?"),
    ("colour", None, "It must be one of 'red', 'blue'."),
    ("colour", ["red"], "It must be one of 'red', 'blue'."),
    ("parts", "leg", "It must be a list of values."),
    ("parts", ["leg", "tial"], "Did you mean 'tail'?"),
    ("parts", None, "It must be a list of values."),
    ("note", 3, "It must be a text."),
    ("count", 2.5, "It must be a whole number of at most 64 bits."),
    ("count", "3", "It must be a whole number of at most 64 bits."),
    ("count", True, "It must be a whole number of at most 64 bits."),
    ("count", float("nan"), "It must be a whole number of at most 64 bits."),
    ("count", float("inf"), "It must be a whole number of at most 64 bits."),
    ("count", 2**64, "It must be a whole number of at most 64 bits."),
    ("weight", float("inf"), "It must be a finite number."),
    ("weight", 10**400, "It must be a finite number."),
    ("weight", "heavy", "It must be a finite number."),
    ("alive", 1, "It must be True or False."),
    ("alive", "yes", "It must be True or False."),
]


def test_values_go_out_as_the_api_takes_them(vocabulary):
    values = attributes.writable(vocabulary, long_frame(*((name, value) for name, value, _ in GOOD)))
    assert values == [out for _, _, out in GOOD]
    assert [type(value) for value in values] == [type(out) for _, _, out in GOOD]


def test_every_bad_value_is_named_before_anything_is_sent(vocabulary):
    rows = [("note", "fine"), *((name, value) for name, value, _ in BAD)]
    with pytest.raises(FrameError) as caught:
        attributes.writable(vocabulary, long_frame(*rows))
    problems = caught.value.problems
    assert problems["row"].tolist() == [f"row {i + 1}" for i in range(len(BAD))]
    assert problems["remedy"].tolist() == [remedy for *_, remedy in BAD]
    assert set(problems["column"]) == {"value"}


def test_a_type_that_is_newer_than_this_is_left_to_the_server():
    assert attributes.value_out({"any": 1}, "POINT", {}) == {"any": 1}
