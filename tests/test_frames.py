"""Records to frames and back: the schema, what is kept, and what is refused."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hastyframe import entities, frames
from hastyframe.entities import ENTITIES, Attribute, Image, Label, LabelAttribute, Prediction, Tag
from hastyframe.errors import UnexpectedAnswer

NAMES = {"class_name": pd.Series({"c1": "cat", "c2": "dog", "c3": "Kätzchen 🐈"})}

texts = st.text(st.characters(codec="utf-8"), max_size=8)
small = st.integers(-10_000, 10_000)
coordinates = st.one_of(small, st.floats(-1e6, 1e6, allow_nan=False, width=32))
boxes = st.lists(small, min_size=4, max_size=4)
polygons = st.lists(st.lists(coordinates, min_size=2, max_size=2), min_size=1, max_size=6)
masks = st.lists(st.integers(0, 2**31 - 1), max_size=8)
records = st.fixed_dictionaries(
    {"id": texts, "image_id": texts, "class_id": st.sampled_from(["c1", "c2", "c3"])},
    optional={
        "bbox": st.none() | boxes,
        "polygon": st.none() | polygons,
        "mask": st.none() | masks,
        "z_index": st.none() | small | st.floats(-1e6, 1e6, width=32),
        "external_id": st.none() | texts,
        "something_new": st.dictionaries(texts, texts, max_size=2),
    },
)


def sent(record: dict) -> dict:
    """What `label_records` makes of a record."""
    return {
        "class_id": record["class_id"],
        "bbox": record.get("bbox"),
        "polygon": record.get("polygon"),
        "mask": record.get("mask"),
        "z_index": record.get("z_index") or 0,
        "external_id": record.get("external_id"),
        "tool_used": "api",
    }


@settings(max_examples=40, deadline=None)
@given(pages=st.lists(st.lists(records, max_size=3), max_size=3))
def test_what_comes_in_goes_out_again(pages):
    every = [record for page in pages for record in page]
    frame = frames.from_arrow(Label, [frames.to_arrow(Label, page) for page in pages], NAMES)
    assert frame.index.tolist() == [record["id"] for record in every]
    assert frame["image_id"].tolist() == [record["image_id"] for record in every]
    assert frame["class_name"].tolist() == [NAMES["class_name"][record["class_id"]] for record in every]
    assert frames.label_records(frame) == [sent(record) for record in every]
    schema = frames.empty(Label, NAMES).dtypes
    assert frame.dtypes.to_dict() == schema.to_dict()
    assert frame.index.dtype == "str"


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 7), max_size=12), enough=st.integers(1, 20), data=st.data())
def test_gathered_pages_come_out_in_the_order_that_is_asked_for(sizes, enough, data):
    pages = [
        [{"id": f"{number}-{i}", "class_id": "c1", "bbox": [0, 0, i, 1], "mask": [number] * i} for i in range(size)]
        for number, size in enumerate(sizes)
    ]
    gathering = frames.RecordBuffer(Label)
    gathering.ENOUGH = enough
    came = data.draw(st.permutations(range(len(pages))))
    places = {number: gathering.add(pages[number]) for number in came}
    asked = data.draw(st.permutations(range(len(pages))))
    frame = frames.from_arrow(Label, gathering.batches([places[number] for number in asked]), NAMES)
    expected = frames.from_records(Label, [record for number in asked for record in pages[number]], NAMES)
    pd.testing.assert_frame_equal(frame, expected)


def test_pages_are_gathered_by_many_threads_at_once():
    pages = [[{"id": f"{number}-{i}", "mask": [number, i]} for i in range(number % 50)] for number in range(400)]
    gathering = frames.RecordBuffer(Label)
    with ThreadPoolExecutor(16) as pool:
        places = list(pool.map(gathering.add, pages))
    frame = frames.from_arrow(Label, gathering.batches(places))
    pd.testing.assert_frame_equal(frame, frames.from_records(Label, list(chain.from_iterable(pages))))


@pytest.mark.parametrize("enough", [1, 100])
def test_a_gathered_record_that_cannot_be_one_is_refused_by_its_field(enough):
    gathering = frames.RecordBuffer(Label)
    gathering.ENOUGH = enough
    with pytest.raises(UnexpectedAnswer, match="'mask' of labels holds what is no "):
        gathering.batches([gathering.add([{"id": "a"}]), gathering.add([{"id": "b", "mask": [1.5, 2]}])])


@settings(max_examples=25, deadline=None)
@given(page=st.lists(records, min_size=1, max_size=8), data=st.data())
def test_any_rows_of_a_frame_go_out_as_they_came_in(page, data):
    rows = data.draw(st.lists(st.integers(0, len(page) - 1), max_size=8))
    frame = frames.from_records(Label, page, NAMES)
    assert frames.label_records(frame.iloc[rows]) == [sent(page[row]) for row in rows]
    assert frames.label_records(frame.iloc[1:]) == [sent(record) for record in page[1:]]


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_empty_frame_has_the_schema(entity):
    frame = frames.empty(entity)
    assert list(frame.columns) == list(frames.dtypes(entity))
    assert frame.index.name == entity.id_name
    for column, dtype in frames.dtypes(entity).items():
        if isinstance(dtype, pd.CategoricalDtype):
            assert isinstance(frame[column].dtype, pd.CategoricalDtype)
        else:
            assert frame[column].dtype == dtype
    row = frames.from_records(entity, [{"id": "a"}])
    assert row.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    assert row.isna().all(axis=None)


def test_the_columns_are_the_documented_ones():
    assert list(frames.dtypes(Label)) == (
        [
            "image_id",
            "class_id",
            "class_name",
            "x_min",
            "y_min",
            "x_max",
            "y_max",
            "polygon",
            "mask",
            "z_index",
            "external_id",
        ]
    )
    assert list(frames.dtypes(Image)) == (
        ["name", "project_id", "dataset_id", "dataset_name", "width", "height", "status", "public_url", "external_id"]
    )


def test_labels_and_images_join():
    images = frames.from_records(Image, [{"id": "i", "name": "a.png", "external_id": "x"}])
    labels = frames.from_records(Label, [{"id": "l", "image_id": "i", "class_id": "c1"}], NAMES)
    joined = labels.merge(images, left_on="image_id", right_index=True, suffixes=("", "_image"))
    assert joined.loc["l", ["name", "external_id_image"]].tolist() == ["a.png", "x"]


# Categories -----------------------------------------------------------------------------------------------------------


def test_categories_know_every_class_there_is():
    frame = frames.from_records(Label, [{"id": "a", "class_id": "c1"}, {"id": "b", "class_id": "c1"}], NAMES)
    frame.loc["a", "class_name"] = "dog"
    assert frame["class_name"].tolist() == ["dog", "cat"]
    with pytest.raises(TypeError, match="new category"):
        frame.loc["a", "class_name"] = "dgo"


def test_categories_of_an_empty_frame():
    frame = frames.empty(Label, NAMES)
    assert list(frame["class_name"].cat.categories) == ["cat", "dog", "Kätzchen 🐈"]
    assert list(frames.empty(Image)["status"].cat.categories) == list(entities.STATUSES)


def test_two_classes_of_one_name_are_one_category():
    names = {"class_name": pd.Series({"c1": "cat", "c2": "cat", "c3": "dog"})}
    frame = frames.from_records(Label, [{"id": k, "class_id": k} for k in ("c2", "c3", "c1", "c9")], names)
    assert frame["class_name"].cat.categories.tolist() == ["cat", "dog"]
    assert frame["class_name"].astype(object).where(frame["class_name"].notna(), None).tolist() == [
        "cat",
        "dog",
        "cat",
        None,
    ]


def test_a_name_that_is_new_becomes_a_category():
    rows = [{"id": "a", "status": "ARCHIVED", "dataset_name": "new"}, {"id": "b", "status": "NEW"}]
    frame = frames.from_records(Image, rows, {"dataset_name": pd.Series({"d": "old"})})
    assert frame["status"].cat.categories.tolist() == [*entities.STATUSES, "ARCHIVED"]
    assert frame["dataset_name"].cat.categories.tolist() == ["old", "new"]
    assert frame["status"].tolist() == ["ARCHIVED", "NEW"]


# Where frames go ------------------------------------------------------------------------------------------------------


@pytest.fixture
def labels():
    rows = [
        {"id": "a", "image_id": "i", "class_id": "c1", "bbox": [0, 0, 4, 2], "mask": [1, 2, 7, 2]},
        {"id": "b", "image_id": "i", "class_id": "c2", "polygon": [[0, 0], [3.5, 0], [3, 2]], "z_index": 1},
    ]
    return frames.from_records(Label, rows, NAMES)


def test_dtypes_survive_pickle(labels):
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(labels)), labels)


@pytest.mark.parametrize("others", ["empty", "same", "picked"])
def test_dtypes_survive_concat(labels, others):
    other = {"empty": frames.empty(Label, NAMES), "same": labels, "picked": labels.iloc[[1, 0]]}[others]
    both = pd.concat([labels, other])
    assert both.dtypes.to_dict() == labels.dtypes.to_dict()
    assert frames.label_records(both) == frames.label_records(labels) + frames.label_records(other)


def test_dtypes_survive_parquet(labels):
    file = io.BytesIO()
    labels.to_parquet(file)
    # The lists of Arrow columns have no names that pandas could read back: Arrow types have to be asked for.
    back = frames.conform(Label, pd.read_parquet(file, dtype_backend="pyarrow"))
    back["class_name"] = back["class_name"].astype(labels["class_name"].dtype)
    pd.testing.assert_frame_equal(back, labels, check_index_type=False)
    assert frames.label_records(back) == frames.label_records(labels)


def test_lists_reach_arrow_without_a_copy(labels):
    mask = pa.chunked_array(pa.array(labels["mask"]))
    assert mask.type == frames.MASK
    assert mask.chunk(0).flatten().to_pylist() == [1, 2, 7, 2]
    assert pa.array(labels["polygon"]).type == frames.POLYGON


# Hostile records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bbox", [1, 2, 3]),
        ("bbox", [1, 2, 3, 4, 5]),
        ("bbox", [[1, 2], [3, 4]]),
        ("bbox", [[1], [2], [3], [4]]),
        ("bbox", []),
        ("bbox", 7),
        ("bbox", [1, 2, None, 4]),
        ("bbox", [1, 2, "x", 4]),
        ("bbox", [1, 2, 3, 10**400]),
        ("bbox", {"x": 1}),
        ("mask", [1, 2.5]),
        ("mask", [1.0, 2]),
        ("mask", [1, 2**31]),
        ("mask", [1, 10**400]),
        ("mask", [1, None]),
        ("mask", [1, "2"]),
        ("mask", [[1, 2]]),
        ("mask", "1 2"),
        ("mask", {"size": [1, 1]}),
        ("mask", 7),
        ("polygon", [[1, 2, 3]]),
        ("polygon", [[1], [2]]),
        ("polygon", [1, 2, 3, 4]),
        ("polygon", [[[1, 2], [3, 4]]]),
        ("polygon", [[1, "a"]]),
        ("polygon", [[1, None]]),
        ("polygon", [[1, 2], None]),
        ("polygon", 7),
        ("polygon", {"x": 1}),
        ("z_index", "top"),
        ("z_index", [1]),
        ("z_index", 10**400),
        ("image_id", 7),
        ("class_id", ["c1"]),
        ("external_id", {"a": 1}),
        ("id", 7),
    ],
)
@pytest.mark.parametrize("others", [0, 3])
def test_a_label_that_cannot_be_one_is_refused_by_its_field(key, value, others):
    good = {"id": "b", "image_id": "i", "class_id": "c1", "bbox": [0, 0, 1, 1], "mask": [1, 1], "z_index": 1}
    with pytest.raises(UnexpectedAnswer, match=f"'{key}' of labels holds what is no "):
        frames.from_records(Label, [*[good] * others, good | {key: value}], NAMES)


@pytest.mark.parametrize("runs", [[], [2**31 - 1, 0], [1, -2], [-(2**31)]])
def test_whatever_32_bits_hold_is_read_as_it_is(runs):
    frame = frames.from_records(Label, [{"id": "a", "mask": runs}])
    assert frames.arrow_array(frame["mask"]).to_pylist() == [runs]


@pytest.mark.parametrize(
    ("entity", "record"),
    [
        (Image, {"width": "12"}),
        (Image, {"width": 12.5}),
        (Image, {"width": 10**30}),
        (Image, {"width": [1]}),
        (Image, {"height": True}),
        (Image, {"status": 3}),
        (Image, {"dataset_name": ["a"]}),
        (Attribute, {"values": "red"}),
        (Attribute, {"values": [1]}),
        (Attribute, {"values": [{"id": 1, "value": "red"}]}),
        (Tag, {"tag_class_name": {}}),
        (Prediction, {"score": "high"}),
        (LabelAttribute, {"label_id": 1}),
    ],
)
def test_a_record_that_cannot_be_one_is_refused_by_its_field(entity, record):
    [key] = record
    with pytest.raises(UnexpectedAnswer, match=f"'{key}' of {entity.plural}"):
        frames.from_records(entity, [record])


@pytest.mark.parametrize("record", [None, 3, "a", ["a"]])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(UnexpectedAnswer):
        frames.from_records(Label, [record])


def test_whole_numbers_may_come_as_floats():
    frame = frames.from_records(
        Image, [{"id": "a", "width": 12.0}, {"id": "b", "width": None}, {"id": "c", "width": 5}]
    )
    assert frame["width"].dtype == "Int64"
    assert frame["width"].tolist() == [12, pd.NA, 5]


def test_values_of_any_kind_are_kept():
    values = [None, 1, 2.5, True, "a", ["a", "b"], [["x"]], {"a": 1}]
    rows = [{"id": str(i), "attribute_id": "a", "value": value} for i, value in enumerate(values)]
    found = frames.from_records(LabelAttribute, rows)["value"]
    assert found.dtype == object
    assert found.tolist() == values


# Columns that users bring ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rings",
    [
        [[[0, 0], [1, 0], [1, 1]], None],
        [((0, 0), (1, 0), (1, 1)), np.nan],
        [np.array([[0, 0], [1, 0], [1, 1]]), pd.NA],
        [[np.array([0, 0]), np.array([1, 0]), np.array([1, 1])], None],
    ],
)
def test_polygons_of_lists_tuples_and_arrays(rings):
    column = frames.arrow_list(pd.Series(rings, index=[5, 5], dtype=object), pd.ArrowDtype(frames.POLYGON))
    assert pa.chunked_array(pa.array(column)).to_pylist() == [[[0, 0], [1, 0], [1, 1]], None]
    assert column.index.tolist() == [5, 5]


@pytest.mark.parametrize("runs", [[1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0]), np.array([1, 2], np.uint8)])
def test_masks_of_lists_tuples_and_arrays(runs):
    column = frames.arrow_list(pd.Series([runs, None], dtype=object), pd.ArrowDtype(frames.MASK))
    assert pa.chunked_array(pa.array(column)).to_pylist() == [[1, 2], None]


@pytest.mark.parametrize("runs", [[1.5, 2], [1, 2**31], [2**70], ["1"], "12", "", 7, [True], [[1]], {}, [float("nan")]])
def test_what_is_no_mask_is_not_cut_to_one(runs):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        frames.arrow_list(pd.Series([runs], dtype=object), pd.ArrowDtype(frames.MASK))


@pytest.mark.parametrize("type_", [pa.large_list(pa.int64()), pa.list_(pa.uint16()), pa.list_(pa.float64())])
def test_arrow_columns_of_other_widths(type_):
    column = pd.Series(pd.array([[1, 2], None], dtype=pd.ArrowDtype(type_)))
    column = frames.arrow_list(column, pd.ArrowDtype(frames.MASK))
    assert column.dtype == pd.ArrowDtype(frames.MASK)
    assert pa.chunked_array(pa.array(column)).to_pylist() == [[1, 2], None]


def test_conform_keeps_what_is_not_the_entitys():
    frame = pd.DataFrame({"image_id": [1], "mine": [{"a"}], "mask": [None], "class_name": ["cat"]}, index=["x"])
    found = frames.conform(Label, frame)
    assert found["mine"].tolist() == [{"a"}]
    assert found["image_id"].tolist() == ["1"]
    assert found["class_name"].dtype == frame["class_name"].dtype
    assert frame["mask"].dtype == object, "the user's frame is left as it was"
