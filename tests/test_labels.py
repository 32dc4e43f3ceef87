"""Frame helpers against the same thing done pixel by pixel."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import hastyframe as hf
from hastyframe import entities, frames, masks

WIDTH, HEIGHT = 12, 9
IMAGES = pd.DataFrame({"width": WIDTH, "height": HEIGHT}, index=pd.Index(["a", "b"], name="image_id"))
CLASSES = ["cat", "dog", "owl"]


@st.composite
def label_frames(draw, within=True):
    """Labels of all kinds on two small images; near duplicates are common."""
    rows = []
    low, high = (0, 0) if within else (-4, 4)
    for _ in range(draw(st.integers(0, 12))):
        if rows and draw(st.booleans()):
            rows.append(dict(draw(st.sampled_from(rows))))
            continue
        x = sorted(draw(st.lists(st.integers(low, WIDTH + high), min_size=2, max_size=2, unique=True)))
        y = sorted(draw(st.lists(st.integers(low, HEIGHT + high), min_size=2, max_size=2, unique=True)))
        row = {"x_min": x[0], "y_min": y[0], "x_max": x[1], "y_max": y[1], "mask": None, "polygon": None}
        if draw(st.booleans()):
            shape = (y[1] - y[0], x[1] - x[0])
            pixels = np.random.default_rng(draw(st.integers(0, 99))).random(shape) < draw(
                st.sampled_from([0.1, 0.5, 0.9])
            )
            row["mask"] = masks.encode(pixels).to_list()[0] or [1, 1]
        elif draw(st.booleans()):
            # Off the grid: a pixel centre that lies on an edge goes to either side, by the last digit. Of these two
            # shifts no fraction makes the other, so that no edge meets one.
            right, down = 2**0.5 - 1, 3**0.5 - 1
            row["polygon"] = [[x[0] + right, y[0] + down], [x[1] + right, y[0] + down], [x[1] + right, y[1] + down]]
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["x_min", "y_min", "x_max", "y_max", "mask", "polygon"])
    frame["image_id"] = draw(st.lists(st.sampled_from(["a", "b"]), min_size=len(frame), max_size=len(frame)))
    frame["class_name"] = draw(st.lists(st.sampled_from(CLASSES[:2]), min_size=len(frame), max_size=len(frame)))
    frame["z_index"] = draw(st.lists(st.integers(-2, 2), min_size=len(frame), max_size=len(frame)))
    return frame.set_axis([f"label {i}" for i in range(len(frame))])


def pixels_of(row, margin=8):
    """One label on a canvas that reaches beyond the image on all sides."""
    canvas = np.zeros((HEIGHT + 2 * margin, WIDTH + 2 * margin), bool)
    x_min, y_min, x_max, y_max = (int(row[c]) + margin for c in ("x_min", "y_min", "x_max", "y_max"))
    if row["mask"] is not None and not np.isscalar(row["mask"]):
        canvas[y_min:y_max, x_min:x_max] = masks.decode([row["mask"]], [(y_max - y_min, x_max - x_min)])[0]
    elif row["polygon"] is not None and not np.isscalar(row["polygon"]):
        runs, boxes = masks.polygon_to_rle([np.array(row["polygon"]) + margin])
        x0, y0, x1, y1 = boxes[0]
        if x1 > x0:
            canvas[y0:y1, x0:x1] = masks.decode(runs, boxes)[0]
    else:
        canvas[y_min:y_max, x_min:x_max] = True
    return canvas


def image_part(canvas, margin=8):
    return canvas[margin : margin + HEIGHT, margin : margin + WIDTH]


@settings(max_examples=60, deadline=None)
@given(label_frames())
def test_area_is_the_number_of_pixels(labels):
    area = hf.add_area(labels)["area"]
    for key, row in labels.iterrows():
        expected = pixels_of(row).sum()
        if row["polygon"] is not None and row["mask"] is None:  # what it encloses, not the pixels it covers
            expected = (row["x_max"] - row["x_min"]) * (row["y_max"] - row["y_min"]) / 2
        assert area[key] == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(label_frames(), st.sampled_from([0.3, 0.7, 1.0]), st.booleans())
def test_duplicates_are_those_of_a_loop_over_pixels(labels, iou, same_class):
    kept, expected = [], {}
    for key, row in labels.iterrows():
        for earlier in kept:
            other = labels.loc[earlier]
            a, b = pixels_of(row), pixels_of(other)
            same = row["image_id"] == other["image_id"] and (not same_class or row["class_name"] == other["class_name"])
            if same and (a | b).any() and (a & b).sum() / (a | b).sum() >= iou:
                expected[key] = earlier
                break
        else:
            kept.append(key)
    found = hf.find_duplicates(labels, iou, same_class=same_class)
    assert found["duplicate_of"].to_dict() == expected
    assert (found["iou"] >= iou).all()
    assert hf.find_duplicates(labels.drop(found.index), iou, same_class=same_class).empty


@settings(max_examples=100, deadline=None)
@given(label_frames(within=False))
def test_clipping_keeps_the_pixels_inside(labels):
    note(labels.to_dict("records"))
    clipped = hf.clip_to_image(labels, IMAGES)
    for key, row in labels.iterrows():
        inside = image_part(pixels_of(row))
        if key in clipped.index:
            assert (pixels_of(clipped.loc[key])[8:-8, 8:-8] == inside).all()
            box = clipped.loc[key, ["x_min", "y_min", "x_max", "y_max"]].to_numpy(float)
            assert (box >= 0).all()
            assert (box <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        else:
            assert not inside.any()


def test_a_polygon_whose_box_lies_outside_stays():
    labels = pd.DataFrame(
        {
            "image_id": "a",
            "x_min": [0, 0],
            "y_min": [-1, -1],
            "x_max": [4, 4],
            "y_max": [0, 0],
            "polygon": [[[0.0, -1.0], [4.0, -1.0], [4.0, 2.0], [0.0, 2.0]], None],
        }
    )
    clipped = hf.clip_to_image(labels, IMAGES)
    assert clipped.index.tolist() == [0]
    assert clipped[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [[0, 0, 4, 2]]


@settings(max_examples=60, deadline=None)
@given(label_frames())
def test_flattened_is_painting_in_order(labels):
    maps = dict(hf.flatten(labels, IMAGES, pd.DataFrame({"name": CLASSES})))
    for image in IMAGES.index:
        expected = np.zeros((HEIGHT, WIDTH), int)
        for _, row in labels[labels["image_id"] == image].sort_values("z_index", kind="stable").iterrows():
            expected[image_part(pixels_of(row))] = CLASSES.index(row["class_name"]) + 1
        assert (maps[image] == expected).all()


RECORDS = [
    {"id": "masked", "image_id": "a", "class_id": "c", "bbox": [0, 0, 40, 2], "mask": [1, 30, 41, 3]},
    {"id": "outlined", "image_id": "a", "class_id": "c", "bbox": [0, 0, 40, 2], "polygon": [[0, 0], [40, 0], [40, 2]]},
    {"id": "boxed", "image_id": "a", "class_id": "c", "bbox": [0, 0, 40, 2]},
]
MIXED = frames.from_records(entities.Label, RECORDS, {"class_name": pd.Series({"c": "cat"})})


def as_objects(missing):
    """The same labels with Python lists, and what somebody takes for nothing."""
    lists = {name: MIXED[name].astype(object).where(MIXED[name].notna(), missing) for name in ("polygon", "mask")}
    return MIXED.assign(**lists)


@pytest.mark.parametrize("kinds", [["masked", "outlined", "boxed"], ["outlined", "boxed"], ["masked", "boxed"]])
@pytest.mark.parametrize("labels", [MIXED, *map(as_objects, (None, np.nan, pd.NA))])
def test_what_was_clipped_goes_on(labels, kinds):
    labels = labels.loc[kinds]
    clipped = hf.clip_to_image(labels, IMAGES)
    assert clipped.dtypes.equals(labels.dtypes)
    assert len(hf.clip_to_image(clipped, IMAGES)) == len(kinds)
    areas = {"masked": 15.0, "outlined": 12 * 0.6 / 2, "boxed": 24.0}
    assert hf.add_area(clipped)["area"].to_dict() == pytest.approx({kind: areas[kind] for kind in kinds})
    again = pd.concat([clipped, clipped.set_axis([f"{kind} again" for kind in kinds])])
    assert hf.find_duplicates(again)["duplicate_of"].tolist() == kinds
    assert dict(hf.flatten(clipped, IMAGES))["a"].sum() == 24


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_boxes_and_parts_beside_polygons_are_painted(missing):
    square = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]
    labels = pd.DataFrame({"image_id": "a", "class_name": ["cat", "dog", "owl"]})
    labels[["x_min", "y_min", "x_max", "y_max"]] = [0, 0, 4, 4]
    labels["parts"] = pd.Series([[square], missing, missing], dtype=object)
    labels["polygon"] = pd.Series([missing, square, missing], dtype=object)
    assert hf.find_duplicates(labels, same_class=False)["duplicate_of"].to_dict() == {1: 0, 2: 0}


def test_bad_input_is_named():
    labels = pd.DataFrame({"image_id": ["a", "z"], "class_name": ["cat", "cow"]}, index=["l1", "l2"])
    labels[["x_min", "y_min", "x_max", "y_max"]] = [0, 0, 2, 2]
    with pytest.raises(hf.ValidationException, match="image 'z' is not among the images"):
        hf.clip_to_image(labels, IMAGES)
    with pytest.raises(hf.ValidationException, match=r"'l2' has a class .*'cow'"):
        list(hf.flatten(labels, IMAGES, pd.DataFrame({"name": CLASSES})))
    with pytest.raises(hf.ValidationException, match="iou is 0"):
        hf.find_duplicates(labels, 0)
    with pytest.raises(hf.ValidationException, match="image_id"):
        hf.find_duplicates(labels.drop(columns="image_id"))
    with pytest.raises(hf.ValidationException, match="no width and height"):
        hf.clip_to_image(labels, IMAGES.assign(width=float("nan")).rename({"b": "z"}))


# One error for an outline that is none, and ids by value --------------------------------------------------------------

OUTLINES = {
    "polygon": [[[0, 0], [4, 0], [4, 4]], [[0, 0], [4, 4]]],
    "parts": [[[[0, 0], [4, 0], [4, 4]]], [[[0, 0], [4, 0], [4, 4]], [[0, 0], [4, 4]]]],
}


@pytest.mark.parametrize("arrow", [False, True])
@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_of_two_points_is_named_by_its_label_everywhere(name, arrow):
    labels = pd.DataFrame({"image_id": "a", "class_name": "c"}, index=pd.Index(["good", "bad"], name="label_id"))
    column = pd.Series(OUTLINES[name], index=labels.index)
    if arrow:
        column = column.astype(pd.ArrowDtype(pa.array(OUTLINES[name]).type))
    labels = labels.assign(**{name: column}, x_min=np.nan, y_min=np.nan, x_max=np.nan, y_max=np.nan)
    images = pd.DataFrame({"width": [9], "height": [9]}, index=pd.Index(["a"], name="image_id"))
    good = labels.iloc[:1].assign(score=1.0)
    calls = [
        lambda: hf.add_area(labels),
        lambda: hf.find_duplicates(labels),
        lambda: list(hf.flatten(labels, images)),
        lambda: hf.evaluate(labels, good),
        lambda: hf.evaluate(good, labels.assign(score=1.0)),
        lambda: hf.evaluate(labels, good, iou="mask"),
        lambda: hf.evaluate_semantic(labels, good, images),
        lambda: hf.plot.labels(np.zeros((9, 9), np.uint8), labels),
    ]
    if name == "polygon":
        calls.append(lambda: hf.clip_to_image(labels, images))
    for call in calls:
        with pytest.raises(hf.FrameError, match=rf"1 problem .*(?s:.*){name}, row 'bad': .*three vertices"):
            call()


@pytest.mark.parametrize("dtype", ["str", "string", "string[pyarrow]", "category", "int64[pyarrow]", "float64"])
def test_images_of_another_dtype(dtype):
    labels = pd.DataFrame({"image_id": pd.Series(["1", "2"]).astype(dtype), "class_name": "c"})
    labels[["x_min", "y_min", "x_max", "y_max"]] = [0, 0, 9, 9]
    for index in (pd.Index([1, 2]), pd.Index(["1", "2"]), pd.Index(["1.0", "2"], dtype="string")):
        images = pd.DataFrame({"width": [4, 5], "height": [3, 3]}, index=index)
        assert hf.clip_to_image(labels, images)["x_max"].tolist() == [4, 5]
        assert [class_map.shape for _, class_map in hf.flatten(labels, images)] == [(3, 4), (3, 5)]


def test_boxes_as_lists_are_those_of_the_api(images):
    rows = [
        {"label_id": "a", "image_id": images.index[0], "class_name": "coin", "bbox": [1, 1, 3, 4]},
        {"label_id": "b", "image_id": images.index[0], "class_name": "coin", "bbox": np.array([1.0, 1, 3, 4])},
        {"label_id": "c", "image_id": images.index[0], "class_name": "coin", "bbox": None},
    ]
    assert hf.add_area(rows)["area"].fillna(-1).tolist() == [6, 6, -1]
    assert hf.add_area(pd.DataFrame(rows))["x_max"].fillna(-1).tolist() == [3, 3, -1]
    assert hf.find_duplicates(rows[:2]).index.tolist() == ["b"]
    outside = [rows[0] | {"bbox": [-4, 1, 3, 4]}]
    clipped = hf.clip_to_image(outside, images)
    assert clipped[["x_min", "x_max"]].to_numpy().tolist() == [[0, 3]] and "bbox" not in clipped
    assert hf.fit_boxes(pd.DataFrame(rows[:1]))["y_max"].tolist() == [4]
    for bad in ([1, 2, 3], 5, "1234", [1, 2, 3, "x"]):
        with pytest.raises(hf.ValidationException, match=r"The bbox of 'a' is .*\[x_min, y_min, x_max, y_max\]"):
            hf.add_area([rows[0] | {"bbox": bad}])
