"""Bad rows are named before anything is sent: column, row, value, and what would be right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hastyframe import checks, frames
from hastyframe.entities import Dataset, Label, LabelClass
from hastyframe.errors import FrameError, ValidationException
from hastyframe.vocabulary import Vocabulary

CLASSES = [{"id": "c1", "name": "cat"}, {"id": "c2", "name": "dog"}, {"id": "c3", "name": "bird"}]
IMAGES = ["i1", "i2"]


class Lists:
    """Stands for a transport whose project has these lists."""

    def __init__(self, **lists: list[dict]) -> None:
        self.lists = lists
        self.reads = 0

    def listing(self, path: str, params: Any = None) -> list[dict]:
        self.reads += 1
        return list(self.lists[path.rpartition("/")[2]])


LISTS = Lists(label_classes=CLASSES, datasets=[{"id": "d1", "name": "a"}, {"id": "d2", "name": "a"}])
VOCABULARY = Vocabulary(LISTS, "p")  # type: ignore[arg-type]
GOOD = {"image_id": "i1", "class_name": "cat", "bbox": [0, 0, 4, 2]}


def check(rows: Any, **options: Any) -> pd.DataFrame:
    return checks.check_labels(rows, VOCABULARY, IMAGES, **options)


def problems_of(rows: Any, **options: Any) -> list[tuple]:
    """Column, row, value and remedy of each problem."""
    with pytest.raises(FrameError) as caught:
        check(rows, **options)
    return list(caught.value.problems.itertuples(index=False, name=None))


CLASS = "It must be the id of one of this project's label classes."
IMAGE = "It must be the id of an image of this project."
ORDER = "x_max must be greater than x_min, and y_max greater than y_min."
PARTLY = "All four of x_min, y_min, x_max, y_max must be given, or none."
WHOLE = "Boxes are in whole pixels: round them, as with .round()."
FAR = "No picture has more than 2,147,483,647 pixels a side."
FOUR = "It must be [x_min, y_min, x_max, y_max]."
NUMBER = "It must be a number."
BOXLESS = "A mask lies inside a box: give x_min, y_min, x_max, y_max as well."
PAIRS = "It must be pairs of start and length, at least one."
RUNS = "Starts count from 1, lengths from 1, and no run begins before the one before it has ended."
INTEGERS = "It must be a list of whole numbers, or None."
VERTICES = "It must be a list of [x, y] vertices, or None."
THREE = "A polygon needs three vertices or more."
FINITE = "Its coordinates must be finite numbers of at most 2,147,483,647."

BAD = {
    "a class that is misspelt": ({"class_name": "catt"}, "class_name", "catt", "Did you mean 'cat'?"),
    "a class that is none": ({"class_name": "zzz"}, "class_name", "zzz", "It must be one of 'cat', 'dog', 'bird'."),
    "no class": ({"class_name": None}, "class_name", None, "It must be one of this project's label classes."),
    "a class of another project": ({"class_id": "x", "class_name": None}, "class_id", "x", CLASS),
    "an image of another project": ({"image_id": "x"}, "image_id", "x", IMAGE),
    "no image": ({"image_id": None}, "image_id", None, IMAGE),
    "x the wrong way round": ({"bbox": [4, 0, 0, 2]}, "bbox", [4, 0, 0, 2], ORDER),
    "no height": ({"bbox": [0, 2, 4, 2]}, "bbox", [0, 2, 4, 2], ORDER),
    "a box that is partly missing": ({"bbox": [0, None, 4, 2]}, "bbox", [0, None, 4, 2], PARTLY),
    "a fraction": ({"bbox": [0, 0.5, 4, 2]}, "bbox", [0, 0.5, 4, 2], WHOLE),
    "an endless box": ({"bbox": [0, 0, math.inf, 2]}, "bbox", [0, 0, math.inf, 2], FAR),
    "a box of three": ({"bbox": [0, 0, 4]}, "bbox", [0, 0, 4], FOUR),
    "a box that is a text": ({"bbox": "0 0 4 2"}, "bbox", "0 0 4 2", FOUR),
    "a corner that is a text": ({"bbox": [0, 0, "wide", 2]}, "x_max", "wide", NUMBER),
    "corners that are lists": ({"bbox": [[0], 0, 4, 2]}, "x_min", [0], NUMBER),
    "neither box nor polygon": ({"bbox": None}, "bbox", [None] * 4, "A label needs a box or a polygon."),
    "a mask without a box": (
        {"bbox": None, "polygon": [[0, 0], [1, 0], [1, 1]], "mask": [1, 1]},
        "mask",
        [1, 1],
        BOXLESS,
    ),
    "a mask longer than its box": ({"mask": [1, 9]}, "mask", [1, 9], "It is longer than its box, which has 8 pixels."),
    "an odd mask": ({"mask": [1, 2, 3]}, "mask", [1, 2, 3], PAIRS),
    "an empty mask": ({"mask": []}, "mask", [], PAIRS),
    "a mask that starts at 0": ({"mask": [0, 2]}, "mask", [0, 2], RUNS),
    "a run of length 0": ({"mask": [1, 0]}, "mask", [1, 0], RUNS),
    "a negative run": ({"mask": [3, -1]}, "mask", [3, -1], RUNS),
    "runs that overlap": ({"mask": [1, 3, 3, 1]}, "mask", [1, 3, 3, 1], RUNS),
    "runs that go back": ({"mask": [5, 1, 1, 1]}, "mask", [5, 1, 1, 1], RUNS),
    "a mask with a gap": ({"mask": [1, None]}, "mask", [1, None], RUNS),
    "a mask of fractions": ({"mask": [1, 1.5]}, "mask", [1, 1.5], INTEGERS),
    "a mask of texts": ({"mask": ["1", "2"]}, "mask", ["1", "2"], INTEGERS),
    "a mask that is a text": ({"mask": "[1, 2]"}, "mask", "[1, 2]", INTEGERS),
    "a mask beyond all bounds": ({"mask": [1, 2**40]}, "mask", [1, 2**40], INTEGERS),
    "a polygon of two": ({"polygon": [[0, 0], [1, 1]]}, "polygon", [[0, 0], [1, 1]], THREE),
    "an empty polygon": ({"polygon": []}, "polygon", [], THREE),
    "a polygon with NaN": (
        {"polygon": [[0, 0], [1, math.nan], [1, 1]]},
        "polygon",
        [[0, 0], [1, None], [1, 1]],
        FINITE,
    ),
    "a polygon with infinity": (
        {"polygon": [[0, 0], [1, math.inf], [1, 1]]},
        "polygon",
        [[0, 0], [1, math.inf], [1, 1]],
        FINITE,
    ),
    "a polygon with a gap": ({"polygon": [[0, 0], None, [1, 1]]}, "polygon", [[0, 0], None, [1, 1]], FINITE),
    "a polygon of triples": (
        {"polygon": [[0, 0, 0], [1, 1, 1], [1, 0, 0]]},
        "polygon",
        [[0, 0, 0], [1, 1, 1], [1, 0, 0]],
        VERTICES,
    ),
    "a flat polygon": ({"polygon": [0, 0, 1, 1]}, "polygon", [0, 0, 1, 1], VERTICES),
    "a place in front that is a text": ({"z_index": "top"}, "z_index", "top", NUMBER),
    "a place in front without end": (
        {"z_index": math.inf},
        "z_index",
        math.inf,
        "It must be a finite number of at most 9,007,199,254,740,992.",
    ),
}


def plain(value: Any) -> Any:
    """Lists for arrays, None for what is missing, so that values compare."""
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    return None if value is pd.NA or value is None or (isinstance(value, float) and math.isnan(value)) else value


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("stored", [False, True])
def test_every_kind_of_bad_row_is_named(name, stored):
    change, column, value, remedy = BAD[name]
    rows = [GOOD, GOOD | change, GOOD]
    frame = pd.DataFrame(rows, index=pd.Index(["a", "b", "c"], name="label_id"))
    [(found_column, row, found_value, found_remedy)] = problems_of(frame, stored=stored)
    assert (found_column, row, found_remedy) == (column, "b", remedy)
    assert plain(found_value) == value


def test_ids_and_names_that_disagree():
    rows = [GOOD | {"class_id": "c1"}, GOOD | {"class_id": "c2"}]
    [(column, row, value, remedy)] = problems_of(rows)
    assert (column, row, value) == ("class_name", 1, "cat")
    assert "not the name of the row's class_id" in remedy
    assert ".drop(columns='class_id')" in remedy


def test_an_id_without_a_name_and_a_name_without_an_id():
    rows = [
        GOOD | {"class_id": "c2", "class_name": None},
        GOOD | {"class_id": None},
        GOOD | {"class_id": "c1", "class_name": "cat"},
    ]
    assert check(rows)["class_id"].tolist() == ["c2", "c1", "c1"]


def test_a_name_that_two_have_is_refused_and_the_id_is_not():
    lists = Lists(label_classes=[*CLASSES, {"id": "c4", "name": "cat"}])
    vocabulary = Vocabulary(lists, "p")  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="Several have this name; give 'class_id' instead"):
        checks.check_labels([GOOD], vocabulary, IMAGES)
    row = GOOD | {"class_id": "c4", "class_name": "cat"}
    assert checks.check_labels([row], vocabulary, IMAGES)["class_id"].tolist() == ["c4"]


def test_a_class_that_is_new_is_found():
    lists = Lists(label_classes=list(CLASSES))
    vocabulary = Vocabulary(lists, "p")  # type: ignore[arg-type]
    vocabulary.table(LabelClass)
    lists.lists["label_classes"].append({"id": "c9", "name": "ant"})
    found = checks.check_labels([GOOD | {"class_name": "ant"}], vocabulary.expire(), IMAGES)
    assert found["class_id"].tolist() == ["c9"]
    assert lists.reads == 2


def test_labels_that_stand_twice_in_an_edit():
    frame = pd.DataFrame([GOOD] * 4, index=pd.Index(["a", "b", "a", None], name="label_id"))
    found = problems_of(frame, stored=True)
    assert [(column, row) for column, row, *_ in found[:2]] == [("label_id", "a"), ("label_id", "a")]
    assert found[2][0] == "label_id"
    assert pd.isna(found[2][1])


def test_all_problems_of_a_frame_are_reported_in_the_order_of_the_rows():
    rows = [
        GOOD | {"class_name": "catt", "bbox": [4, 0, 0, 2]},
        GOOD,
        GOOD | {"image_id": "x", "mask": [1, 100], "polygon": [[0, 0]]},
        GOOD | {"bbox": None},
    ]
    found = problems_of(rows)
    assert [(row, column) for column, row, *_ in found] == [
        (0, "class_name"),
        (0, "bbox"),
        (2, "image_id"),
        (2, "polygon"),
        (2, "mask"),
        (3, "bbox"),
    ]


def test_the_message_reads_well():
    rows = pd.DataFrame([GOOD | {"class_name": "catt"}] * 8, index=np.arange(8) * 10)
    with pytest.raises(FrameError) as caught:
        check(rows)
    assert str(caught.value) == (
        "8 problems in the frame, nothing was sent:\n"
        + "".join(f"  class_name, row {row}: 'catt'. Did you mean 'cat'?\n" for row in (0, 10, 20, 30, 40))
        + "  and 3 more: all of them are in the error's `problems`, a DataFrame."
    )
    assert caught.value.problems["row"].tolist() == list(range(0, 80, 10))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"class_name": "cat", "bbox": [0, 0, 1, 1]}], "column 'image_id'"),
        ([{"image_id": "i1", "bbox": [0, 0, 1, 1]}], "column 'class_id' or 'class_name'"),
        ([{"image_id": "i1", "class_name": "cat"}], "need a box or a polygon"),
        ([5], "Row 0 is 5, which is not a dict"),
        (pd.DataFrame(), "column 'image_id'"),
    ],
)
def test_a_column_that_is_missing(rows, words):
    with pytest.raises(ValidationException, match=words):
        check(rows)


def test_an_edit_without_ids():
    with pytest.raises(ValidationException, match="index or a column 'label_id'"):
        check([GOOD], stored=True)


# What frames may look like --------------------------------------------------------------------------------------------

FULL = [
    {"image_id": "i1", "class_id": "c1", "bbox": [0, 0, 4, 2], "mask": [1, 2, 7, 2], "z_index": 1, "external_id": "e"},
    {"image_id": "i2", "class_id": "c2", "bbox": None, "polygon": [[0, 0], [3.5, 0], [3, 2]], "external_id": None},
    {"image_id": "i1", "class_id": "c3", "bbox": [1, 1, 2, 2], "polygon": None, "mask": None, "z_index": None},
]
SENT = [
    {"class_id": "c1", "bbox": [0, 0, 4, 2], "polygon": None, "mask": [1, 2, 7, 2], "z_index": 1, "external_id": "e"},
    {
        "class_id": "c2",
        "bbox": None,
        "polygon": [[0, 0], [3.5, 0], [3, 2]],
        "mask": None,
        "z_index": 0,
        "external_id": None,
    },
    {"class_id": "c3", "bbox": [1, 1, 2, 2], "polygon": None, "mask": None, "z_index": 0, "external_id": None},
]


def variants() -> dict[str, Any]:
    objects = pd.DataFrame(FULL)
    corners = pd.DataFrame([row["bbox"] or [None] * 4 for row in FULL], columns=list(frames.BOX), dtype=object)
    split = pd.concat([objects.drop(columns="bbox"), corners], axis=1)
    stored = frames.from_records(Label, FULL, {"class_name": pd.Series({c["id"]: c["name"] for c in CLASSES})})
    arrays = objects.assign(
        bbox=[None if b is None else np.array(b) for b in objects["bbox"]],
        mask=[np.array(m) if isinstance(m, list) else None for m in objects["mask"]],
        polygon=[np.array(p) if isinstance(p, list) else None for p in objects["polygon"]],
    )
    tuples = objects.assign(
        bbox=[None if b is None else tuple(b) for b in objects["bbox"]],
        polygon=[tuple(map(tuple, p)) if isinstance(p, list) else None for p in objects["polygon"]],
    )
    large = split.assign(
        mask=pd.array([row.get("mask") for row in FULL], dtype=pd.ArrowDtype(pa.large_list(pa.int64()))),
        polygon=pd.array([row.get("polygon") for row in FULL], dtype=pd.ArrowDtype(pa.list_(pa.list_(pa.float32())))),
    )
    return {
        "dicts": FULL,
        "a generator of dicts": (row for row in FULL),
        "handles": [Label(row) for row in FULL],
        "objects": objects,
        "four columns of objects": split,
        "numbers as texts": split.assign(x_min=["0", None, "1"]),
        "as the project gives them": stored,
        "names instead of ids": stored.drop(columns="class_id"),
        "arrays": arrays,
        "tuples": tuples,
        "other Arrow types": large,
        "columns of one's own": stored.assign(area=[1, 2, 3], note=[{"a"}, None, "x"]),
        "categories": stored.assign(**{c: stored[c].astype("category") for c in ("image_id", "class_id", "z_index")}),
        "an index that is not unique": stored.set_axis([7, 7, 7]),
        "an index of tuples": stored.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)])),
        "rows of a longer frame": pd.concat([stored.iloc[:1], stored]).iloc[1:],
        "two parts": pd.concat([stored.iloc[:1], stored.iloc[1:]]),
        "every other row": stored.iloc[[0, 0, 1, 1, 2, 2]].iloc[::2],
        "float32": split.assign(**{c: split[c].astype("float32") for c in frames.BOX}),
        "Int64": split.assign(**{c: split[c].astype("Int64") for c in frames.BOX}),
    }


@pytest.mark.parametrize("name", variants())
def test_labels_come_in_many_shapes(name):
    rows = variants()[name]
    before = rows.copy(deep=True) if isinstance(rows, pd.DataFrame) else None
    checked = check(rows)
    assert [{k: v for k, v in r.items() if k != "tool_used"} for r in frames.label_records(checked)] == SENT
    assert checked["image_id"].tolist() == ["i1", "i2", "i1"]
    for column, dtype in frames.dtypes(Label).items():
        if column in checked and column != "class_name":
            assert checked[column].dtype == dtype
    if before is not None:
        pd.testing.assert_frame_equal(rows, before)
        assert checked.index.equals(rows.index)


def test_one_dict_is_one_row():
    assert len(check(GOOD)) == 1


def test_columns_of_ones_own_stay():
    assert check([GOOD | {"area": 8}])["area"].tolist() == [8]


@pytest.mark.parametrize("column", ["label_id", "id"])
def test_ids_of_labels_as_a_column(column):
    checked = check([GOOD | {column: "l1"}], stored=True)
    assert checked.index.tolist() == ["l1"]
    assert checked.index.name == "label_id"


def test_a_bad_row_among_many_is_found_by_halves(monkeypatch):
    calls = []
    convert = frames.arrow_list
    monkeypatch.setattr(frames, "arrow_list", lambda *a: (calls.append(1), convert(*a))[1])
    rows = pd.DataFrame([GOOD | {"mask": [1, 2]}] * 5000)
    rows.at[1234, "mask"] = "1 2"
    rows.at[4321, "mask"] = [1, 1.5]
    assert [row for _, row, *_ in problems_of(rows)] == [1234, 4321]
    assert len(calls) < 100


# Against a checker that looks at one row after the other --------------------------------------------------------------


def accepts(row: dict) -> bool:
    """Say whether a label is one, as the protocol has it."""
    box, polygon, mask = row.get("bbox"), row.get("polygon"), row.get("mask")
    if row["image_id"] not in IMAGES or row["class_name"] not in ("cat", "dog", "bird"):
        return False
    if box is None and polygon is None:
        return False
    if box is not None:
        if any(v is None or v != v or v != int(v) for v in box):
            return False
        if box[2] <= box[0] or box[3] <= box[1]:
            return False
    if polygon is not None and (len(polygon) < 3 or any(not math.isfinite(v) for vertex in polygon for v in vertex)):
        return False
    if mask is not None:
        if box is None or not mask or len(mask) % 2:
            return False
        free = 1
        for start, length in zip(mask[::2], mask[1::2], strict=True):
            if start < free or length < 1:
                return False
            free = start + length
        if free - 1 > (box[2] - box[0]) * (box[3] - box[1]):
            return False
    return True


near = st.integers(0, 4)
coordinate = st.sampled_from([0, 1, 2.5, -3, 1e9, math.nan, math.inf])
vertex = st.tuples(coordinate, coordinate).map(list)
good_mask = st.sampled_from([[1, 1], [1, 2], [1, 1, 2, 1], [1, 1, 3, 1], [2, 2, 4, 1, 6, 3]])
rows_of_labels = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from(["i1", "i1", "i2", "i2", "i3"]),
        "class_name": st.sampled_from(["cat", "dog", "bird", "bird", "cow", None]),
        "bbox": st.none()
        | st.tuples(near, near, st.integers(2, 8), st.integers(2, 8)).map(list)
        | st.lists(st.sampled_from([0, 1, 5, 0.5, None, -2]), min_size=4, max_size=4),
        "polygon": st.none()
        | st.lists(st.tuples(near, near).map(list), min_size=2, max_size=4)
        | st.lists(vertex, max_size=4),
        "mask": st.none() | good_mask | st.lists(st.integers(-1, 12), max_size=6),
    }
)


@settings(max_examples=70, deadline=None)
@given(st.lists(rows_of_labels, min_size=1, max_size=12))
def test_the_checks_agree_with_a_naive_checker(rows):
    bad = {number for number, row in enumerate(rows) if not accepts(row)}
    if bad:
        with pytest.raises(FrameError) as caught:
            check(rows)
        assert set(caught.value.problems["row"]) == bad
    else:
        assert len(check(rows)) == len(rows)


# The smaller checks ---------------------------------------------------------------------------------------------------


def test_a_status_that_does_not_exist():
    checks.check_statuses(pd.DataFrame({"status": ["DONE", "IN PROGRESS"]}))
    frame = pd.DataFrame({"status": ["DONE", "DOEN", None, 5]}, index=list("abcd"))
    with pytest.raises(FrameError) as caught:
        checks.check_statuses(frame)
    found = caught.value.problems
    assert found["row"].tolist() == ["b", "c", "d"]
    assert found["remedy"].tolist()[0] == "Did you mean 'DONE'?"
    assert found["remedy"].str.startswith("It must be one of 'NEW', 'DONE'").tolist() == [False, True, True]
    categories = frame.astype("category")
    with pytest.raises(FrameError):
        checks.check_statuses(categories)
    with pytest.raises(ValidationException, match="column 'status'"):
        checks.check_statuses(pd.DataFrame({"state": ["DONE"]}))


def test_ids_that_are_not_there():
    frame = pd.DataFrame({"image_id": ["i1", "x", None]})
    with pytest.raises(FrameError) as caught:
        checks.check_ids(frame, "image_id", iter(IMAGES), "Another.")
    assert caught.value.problems["row"].tolist() == [1, 2]


def test_names_of_datasets():
    frame = pd.DataFrame({"dataset_id": ["d1", "d2"]})
    assert checks.check_names(frame, "dataset_id", Dataset, VOCABULARY).tolist() == ["d1", "d2"]
    with pytest.raises(FrameError, match="Several have this name"):
        checks.check_names(pd.DataFrame({"dataset_name": ["a"]}), "dataset_id", Dataset, VOCABULARY)
    with pytest.raises(FrameError, match="this project's datasets"):
        checks.check_names(pd.DataFrame({"dataset_id": ["x"]}), "dataset_id", Dataset, VOCABULARY)


@pytest.mark.parametrize("value", [["cat"], {"a": 1}, 7, 7.5, pd.Timestamp(0)])
def test_names_that_are_no_texts(value):
    [(column, row, *_)] = problems_of([GOOD, GOOD | {"class_name": value}])
    assert (column, row) == ("class_name", 1)


# Edits that leave something out ---------------------------------------------------------------------------------------


@pytest.fixture
def now():
    names = {"class_name": pd.Series({c["id"]: c["name"] for c in CLASSES})}
    rows = [{"id": f"l{i}", **row} for i, row in enumerate(FULL)]
    return frames.from_records(Label, rows, names)


def test_what_is_left_out_stays(now):
    edit = pd.DataFrame({"image_id": ["i2", "i1"], "class_name": ["dog", "cat"]}, index=["l1", "l2"])
    full = checks.fill_missing_columns(edit.rename_axis("label_id"), lambda: now)
    checked = check(full, stored=True)
    assert checked["class_id"].tolist() == ["c2", "c1"]
    assert [r["polygon"] for r in frames.label_records(checked)] == [SENT[1]["polygon"], None]
    assert [r["bbox"] for r in frames.label_records(checked)] == [None, [1, 1, 2, 2]]


def test_one_side_of_a_box(now):
    edit = pd.DataFrame({"image_id": ["i1"], "x_max": [3]}, index=pd.Index(["l2"], name="label_id"))
    [record] = frames.label_records(check(checks.fill_missing_columns(edit, lambda: now), stored=True))
    assert record["bbox"] == [1, 1, 3, 2]


def test_nothing_is_read_where_nothing_is_left_out(now):
    assert len(checks.fill_missing_columns(now, lambda: pytest.fail("read"))) == 3
    assert len(checks.fill_missing_columns(now.drop(columns="class_id"), lambda: pytest.fail("read"))) == 3


def test_a_label_that_is_not_there(now):
    edit = pd.DataFrame({"image_id": ["i1"], "z_index": [3]}, index=pd.Index(["gone"], name="label_id"))
    with pytest.raises(FrameError, match="no such label"):
        checks.fill_missing_columns(edit, lambda: now)


def test_an_edit_that_does_not_say_on_which_image(now):
    edit = pd.DataFrame({"z_index": [3]}, index=pd.Index(["l1"], name="label_id"))
    with pytest.raises(ValidationException, match="column 'image_id'"):
        checks.fill_missing_columns(edit, lambda: now)
