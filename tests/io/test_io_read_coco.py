from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pycocotools.coco import COCO

import hastyframe as hf
import hastyframe.io as hio

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools


def again(label_set: hio.LabelSet, **options) -> dict:
    buffer = io.BytesIO()
    label_set.to_coco(buffer, **options)
    return json.loads(buffer.getvalue())


def as_pycocotools(data: dict) -> COCO:
    coco = COCO()
    coco.dataset = data
    coco.createIndex()
    return coco


def one(**annotation) -> dict:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 4}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], **annotation}],
    }


def test_the_real_file_read_and_written_is_the_same_data_set(coco_file):
    before = json.loads(coco_file.read_text())
    with pytest.warns(hio.FormatWarning, match=r"several parts.*\(75\)"):
        label_set = hio.read_coco(coco_file)
    assert repr(label_set) == "LabelSet: 100 images, 839 labels (755 polygons, 84 masks), 80 classes"
    after = again(label_set)
    for key in ("images", "categories", "info", "licenses"):
        assert after[key] == before[key], key
    assert len(after["annotations"]) == 839
    one_way, other_way = as_pycocotools(before), as_pycocotools(after)
    for old, new in zip(before["annotations"], after["annotations"], strict=True):
        assert {k: v for k, v in new.items() if k != "segmentation"} == {
            k: v for k, v in old.items() if k != "segmentation"
        }
        assert np.array_equal(one_way.annToMask(old), other_way.annToMask(new))
        if isinstance(old["segmentation"], list):
            assert new["segmentation"] == old["segmentation"]


def test_masks_of_the_real_file_are_those_of_pycocotools(coco_file):
    label_set = hio.read_coco(coco_file, masks="coco", on_loss="ignore")
    labels = label_set.labels.drop(columns=["polygon", "parts"])
    painted = labels["mask"].notna()
    masks_only = hio.LabelSet(label_set.images, labels[painted], label_set.label_classes)
    before, after = COCO(coco_file), as_pycocotools(again(masks_only))
    assert painted.sum() == 84
    for annotation in after.dataset["annotations"]:
        assert np.array_equal(after.annToMask(annotation), before.annToMask(before.anns[annotation["id"]]))


def test_without_masks_boxes_are_those_of_the_file(coco_file):
    label_set = hio.read_coco(coco_file, masks=None)
    told = pd.DataFrame([a["bbox"] for a in json.loads(coco_file.read_text())["annotations"]]).to_numpy()
    boxes = label_set.labels[["x_min", "y_min", "x_max", "y_max"]].to_numpy()
    assert np.array_equal(boxes[:, :2], told[:, :2]) and np.array_equal(boxes[:, 2:], told[:, :2] + told[:, 2:])


def test_segmentations_can_be_passed_over(coco_file):
    whole = hio.read_coco(coco_file, masks=None)
    for source in (coco_file, json.loads(coco_file.read_text())):
        boxes = hio.read_coco(source, segmentation=False)
        assert repr(boxes) == "LabelSet: 100 images, 839 labels (839 boxes), 80 classes"
        lost = ["polygon", "parts", "as_read"]
        assert_frame_equal(boxes.labels.drop(columns=lost[::2]), whole.labels.drop(columns=lost))
        assert boxes.labels["polygon"].isna().all()
        assert_frame_equal(boxes.images, whole.images)


def test_what_was_passed_over_is_missed_when_the_file_is_written(tmp_path):
    data = one(segmentation=[[0, 0, 4, 0, 4, 4]], area=7.5, bbox=[0, 0, 4, 3.9])
    label_set = hio.read_coco(io.BytesIO(json.dumps(data).encode()), segmentation=False)
    label_set.to_parquet(tmp_path)
    for each in (label_set, label_set.filter(classes="cat"), hio.read_parquet(tmp_path)):
        with pytest.warns(hio.FormatWarning, match=r"segmentations that read_coco\(.*\) passed over \(1\)"):
            after = again(each)["annotations"][0]
        assert after.items() >= {"segmentation": [], "area": 7.5, "bbox": [0, 0, 4, 3.9]}.items()


@pytest.mark.parametrize("text", [False, True])
def test_without_segmentations_every_annotation_has_a_box(text):
    data = one(segmentation=[[0, 0, 4, 0, 4, 4]], bbox=None)
    with pytest.raises(hio.FormatError, match=r"annotations\[0\] \(id 1\): 'bbox' is missing.*segmentation=False"):
        hio.read_coco(io.BytesIO(json.dumps(data).encode()) if text else data, segmentation=False)


def test_area_and_box_follow_geometry_that_changes():
    ring = [[0, 0, 4, 0, 4, 4]]
    label_set = hio.read_coco(one(segmentation=ring, area=7.5, bbox=[0, 0, 4, 3.9]))
    assert again(label_set)["annotations"][0]["area"] == 7.5
    labels = label_set.labels.copy()
    labels["polygon"] = [[[0, 0], [2, 0], [2, 2]]]
    assert again(hio.LabelSet(label_set.images, labels, label_set.label_classes))["annotations"][0]["area"] == 2


def test_parts_that_were_not_painted_are_when_they_have_to_be():
    parts = [[0, 0, 2, 0, 2, 2, 0, 2], [4, 0, 8, 0, 8, 4, 4, 4]]
    label_set = hio.read_coco(one(segmentation=parts), masks=None)
    assert repr(label_set) == "LabelSet: 1 image, 1 label (1 in parts), 1 class"
    assert again(label_set)["annotations"][0]["segmentation"] == parts
    buffer = io.BytesIO()
    label_set.to_hasty_json(buffer)
    label = hio.read_hasty_json(io.BytesIO(buffer.getvalue())).labels.loc["1"]
    assert label[["x_min", "y_min", "x_max", "y_max"]].tolist() == [0, 0, 8, 4]
    assert sum(list(label["mask"])[1::2]) == 2 * 2 + 4 * 4


def test_unknown_keys_become_columns_and_keys_again():
    data = one(score=0.5, keypoints=[1, 2, 2], z_index=3, occluded=True)
    data["images"][0] |= {"license": 3, "dataset_name": "train", "status": "DONE"}
    data["categories"][0] |= {"supercategory": "animal"}
    label_set = hio.read_coco(data)
    assert label_set.labels.loc["1", ["score", "z_index", "occluded"]].tolist() == [0.5, 3, True]
    assert label_set.images.loc["1", ["dataset_name", "status", "license"]].tolist() == ["train", "DONE", 3]
    after = again(label_set)
    assert after["images"] == data["images"] and after["categories"][0]["supercategory"] == "animal"
    assert after["annotations"][0].items() >= {"keypoints": [1, 2, 2], "occluded": True, "z_index": 3}.items()


def test_ids_of_any_kind(small):
    data = one()
    data["images"][0]["id"] = data["annotations"][0]["image_id"] = "n-1"
    assert hio.read_coco(data).images.index.tolist() == ["n-1"]
    assert [a["id"] for a in again(small)["annotations"]] == [1, 2, 3]


def test_boxes_are_made_where_the_file_has_none():
    data = one(segmentation=[[1, 0, 4, 0, 4, 4]], bbox=None)
    assert hio.read_coco(data).labels.loc["1", ["x_min", "y_min", "x_max", "y_max"]].tolist() == [1, 0, 4, 4]
    rle = {"size": [4, 8], "counts": [4, 2, 26]}
    for masks in ("center", "coco", None):
        label_set = hio.read_coco(one(segmentation=rle, bbox=None), masks=masks)
        assert label_set.labels.loc["1", ["x_min", "y_min", "x_max", "y_max"]].tolist() == [1, 0, 2, 2]


def test_an_empty_file_gives_empty_frames_of_the_same_dtypes(small):
    empty = hio.read_coco({"images": [], "categories": [], "annotations": []})
    full = hio.read_coco(again(small))
    assert_frame_equal(
        full.labels.iloc[:0].drop(columns="z_index"), empty.labels.drop(columns="z_index"), check_categorical=False
    )


def test_text_and_data_give_the_same_frames(coco_file):
    """Polygons of one ring are taken out of a text before it is parsed."""
    spaced = json.dumps(json.loads(coco_file.read_text()), indent=1)
    odd = coco_file.read_text().replace("[[", "[ [", 50).replace('"segmentation": [[', '"segmentation":[[', 10)
    sources = [coco_file, io.BytesIO(spaced.encode()), io.BytesIO(odd.encode()), json.loads(spaced)]
    first, *others = (hio.read_coco(source, on_loss="ignore") for source in sources)
    for other in others:
        assert_frame_equal(first.labels, other.labels)


NUMBERS = st.one_of(
    st.integers(-9, 99), st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 640).map(lambda x: round(x, 2))
)
JUNK = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), NUMBERS, st.just([[]]), st.just({"a": [1]}), st.just([1])
)
RINGS = st.lists(st.lists(NUMBERS, min_size=6, max_size=9).map(lambda ring: ring[: len(ring) // 2 * 2]), max_size=3)


def rle(counts) -> dict:
    return {"size": [4, 8], "counts": counts}


@st.composite
def coco_texts(draw):
    """COCO files with a few annotations, now and then with something odd in them, in all ways to write them."""

    def annotation(number: int) -> dict:
        usual = {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": draw(NUMBERS)}
        usual["segmentation"] = draw(st.one_of(RINGS, st.sampled_from(["922000;", [4, 2, 26]]).map(rle)))
        usual["bbox"] = [draw(NUMBERS), draw(NUMBERS), draw(st.integers(0, 9)), draw(st.floats(0, 9))]
        for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
            usual[draw(st.sampled_from([*usual, "score", "not a name", "id ü", "key_0"]))] = draw(JUNK)
        for key in draw(st.sets(st.sampled_from(["iscrowd", "area", "bbox", "segmentation"]), max_size=1)):
            del usual[key]
        return usual

    data = one() | {"annotations": [annotation(number) for number in range(draw(st.integers(0, 4)))]}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]))
    options = {
        "separators": separators,
        "indent": draw(st.sampled_from([None, 1])),
        "ensure_ascii": draw(st.booleans()),
    }
    return json.dumps(data, **options)


def outcome(source, read) -> tuple:
    try:
        return None, read(source)
    except hio.FormatError as error:
        return (error.place, error.problem, error.remedy), pd.DataFrame()


@settings(max_examples=60, deadline=None)
@given(coco_texts(), st.sampled_from([{}, {"masks": None}, {"segmentation": False}]))
def test_text_says_what_data_says(text, options):
    def read(source):
        return hio.read_coco(source, on_loss="ignore", **options).labels

    (found, labels), (wanted, expected) = outcome(io.BytesIO(text.encode()), read), outcome(json.loads(text), read)
    assert found == wanted
    assert_frame_equal(labels, expected)


@settings(max_examples=60, deadline=None)
@given(coco_texts(), st.sampled_from([{}, {"masks": None}, {"segmentation": False}]))
def test_text_of_detections_says_what_their_data_says(text, options):
    label_set = hio.read_coco(one())
    detections = json.loads(text)["annotations"]
    for detection in detections[1:]:  # the first keeps keys that detections rarely have
        for key in ("id", "area", "iscrowd"):
            detection.pop(key, None)

    def read(source):
        return hio.read_coco_detections(source, label_set, on_loss="ignore", **options)

    found, predictions = outcome(io.BytesIO(json.dumps(detections).encode()), read)
    wanted, expected = outcome(detections, read)
    assert found == wanted
    assert_frame_equal(predictions, expected)


@pytest.mark.parametrize("counts", ["922000;", "922000\\", "ü", "", [4, 2, 26], [4.0, 2, 26], [4.5, 2, 25.5]])
def test_run_lengths_are_read_alike_from_text_and_data(counts):
    annotations = [one(id=i, segmentation=rle(each))["annotations"][0] for i, each in enumerate(("922000;", counts))]
    label_set = hio.read_coco(one())

    def of_labels(source):
        return hio.read_coco(source, on_loss="ignore").labels

    def of_detections(source):
        return hio.read_coco_detections(source, label_set, on_loss="ignore")

    cases = [(of_labels, one() | {"annotations": some}) for some in (annotations, annotations[1:])]
    for read, data in [*cases, (of_detections, annotations)]:
        found, frame = outcome(io.BytesIO(json.dumps(data).encode()), read)
        wanted, expected = outcome(data, read)
        assert found == wanted
        assert_frame_equal(frame, expected)


def test_a_key_that_is_there_twice_has_its_last_value():
    text = json.dumps(one(segmentation=[[0, 0, 4, 0, 4, 4]])).replace(
        '"id": 1, "image_id"', '"id": 7, "id": 8, "image_id"'
    )
    text = text.replace('"segmentation":', '"segmentation": [[5, 5, 9, 5, 9, 9]], "segmentation":')
    labels = hio.read_coco(io.BytesIO(text.encode())).labels
    assert labels.index.tolist() == ["8"]
    assert [list(vertex) for vertex in labels["polygon"].iloc[0]] == [[0, 0], [4, 0], [4, 4]]


def test_a_polygon_far_away_gives_its_box():
    ring = [0, 0, 0, 4, 2**30 + 1, 4]
    label = hio.read_coco(one(segmentation=[ring], bbox=None)).labels.loc["1"]
    assert label[["x_min", "y_min", "x_max", "y_max"]].tolist() == [0, 0, 2**30 + 1, 4]
    with pytest.raises(hio.FormatError, match=r"annotations\[0\] \(id 1\): .* pixels away"):
        hio.read_coco(one(segmentation=[ring, ring], bbox=None), on_loss="ignore")


@pytest.mark.parametrize("ring", [["0", "0", "4", "0", "4", "4"], [0, 0, 4, 0, 4, None], [0, 0, 4, 0, 4, [4]]])
def test_rings_are_lists_of_numbers(ring):
    data = one(segmentation=[ring])
    for source in (data, io.BytesIO(json.dumps(data).encode())):
        with pytest.raises(hio.FormatError, match=r"annotations\[0\] \(id 1\): 'segmentation' (should be|holds)"):
            hio.read_coco(source)


@pytest.mark.parametrize("ring", ["1,2,3,4,5", "1,2,x,4,5,6", "1,2,,4,5,6", "1 2,3,4,5,6,7"])
def test_texts_of_polygons_that_are_none(ring):
    text = json.dumps(one(segmentation=0)).replace('"segmentation": 0', f'"segmentation": [[{ring}]]')
    with pytest.raises(hio.FormatError):
        hio.read_coco(io.BytesIO(text.encode()))


def test_what_only_looks_like_a_polygon_is_left_alone():
    data = one(segmentation=[[0, 0, 4, 0, 4, 4]], caption='a "segmentation": [[1, 2]] of it')
    data["info"] = {"segmentation": [[1, 2]]}
    label_set = hio.read_coco(io.BytesIO(json.dumps(data).encode()))
    assert label_set.labels["caption"].tolist() == [data["annotations"][0]["caption"]]
    assert label_set.info["info"] == data["info"] and label_set.labels["polygon"].notna().all()


HOSTILE = {
    "not json": (b"{", "cut short"),
    "empty": (b"", "empty"),
    "a list": ([], "read_coco_detections"),
    "no images": ({"annotations": []}, "images"),
    "images no list": ({"images": 5}, "a list"),
    "image no object": ({"images": [5], "categories": []}, r"images\[0\]"),
    "twice": ({**one(), "images": one()["images"] * 2}, r"images\[1\].*twice"),
    "name twice": (
        {
            **one(),
            "annotations": [one()["annotations"][0], one(id=2, category_id=2)["annotations"][0]],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}],
        },
        r"categories\[1\].*twice",
    ),
    "no name": ({**one(), "categories": [{"id": 1}]}, r"categories\[0\].*'name' is missing"),
    "no image": (one(image_id=7), r"annotations\[0\].*image_id 7 is not in images"),
    "no category": (one(category_id=None), r"'category_id' is missing"),
    "id kind": (one(id=1.5), "whole number"),
    "box of three": (one(bbox=[1, 2, 3]), "four numbers"),
    "box of texts": (one(bbox=["a", 2, 3, 4]), "numbers"),
    "box a number": (one(bbox=3), "numbers"),
    "nan": (one(bbox=[float("nan"), 0, 1, 1]), "finite"),
    "negative": (one(bbox=[0, 0, -1, 1]), "negative"),
    "odd": (one(segmentation=[[0, 0, 1, 1, 2, 2, 3]]), "pairs"),
    "nan in polygon": (one(segmentation=[[0, 0, 1, 1, 2, float("nan")]]), "finite"),
    "flat polygon": (one(segmentation=[0, 0, 1, 1, 2, 2]), "list of numbers"),
    "segmentation a text": (one(segmentation="x"), "polygons or run-lengths"),
    "far away": (one(segmentation=[[0, 0, 1e300, 1, 2, 2], [0, 0, 1, 1, 2, 2]]), r"annotations\[0\]"),
    "rle cut": (one(segmentation={"size": [4, 8], "counts": "210010"}), r"annotations\[0\]"),
    "rle of another size": (one(segmentation={"size": [8, 4], "counts": [32]}), r"\[height, width\]"),
    "rle overflows": (one(segmentation={"size": [4, 8], "counts": [2**40, 1]}), r"annotations\[0\]"),
    "rle negative": (one(segmentation={"size": [4, 8], "counts": [-1, 33]}), r"annotations\[0\]"),
    "rle without counts": (one(segmentation={"size": [4, 8]}), r"annotations\[0\]"),
    "wide": ({**one(), "images": [{"id": 1, "file_name": "a", "width": 10**18, "height": 1}]}, "width"),
    "wide enough": (
        {
            **one(segmentation={"size": [4, 10**9], "counts": [4 * 10**9]}),
            "images": [{"id": 1, "file_name": "a", "width": 10**9, "height": 4}],
        },
        None,
    ),
    "too wide": (
        {
            **one(segmentation={"size": [10**9, 10**9], "counts": [10**18]}),
            "images": [{"id": 1, "file_name": "a", "width": 10**9, "height": 10**9}],
        },
        r"annotations\[0\]",
    ),
}


@pytest.mark.parametrize("data, says", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_named(data, says):
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    if says is None:
        hio.read_coco(source)
        return
    with pytest.raises(hio.FormatError, match=says):
        hio.read_coco(source, on_loss="ignore")


def test_keys_that_are_called_like_columns_are_left_out_and_named():
    with pytest.warns(hio.FormatWarning, match=r"key 'as_read' of annotations \(1\); key 'parts' .*; key 'x_min'"):
        label_set = hio.read_coco(one(parts=[1], as_read="x", x_min=5))
    assert "parts" not in label_set.labels and label_set.labels["x_min"].tolist() == [0]


def test_crowds_and_areas_are_numbers(small):
    for column in ("iscrowd", "area"):
        labels = small.labels.assign(**{column: ["many"] * 3})
        with pytest.raises(ValueError, match=f"numbers in the column '{column}'"):
            again(hio.LabelSet(small.images, labels, small.label_classes))


@pytest.mark.parametrize("box", ["[1e999, 0, 1, 1]", "[0, 0, 1, 1e999]"])
@pytest.mark.parametrize("segmentation", [True, False])
def test_boxes_beyond_all_numbers_are_named(box, segmentation):
    text = json.dumps(one(bbox=0)).replace('"bbox": 0', f'"bbox": {box}')
    with pytest.raises(hio.FormatError):
        hio.read_coco(io.BytesIO(text.encode()), segmentation=segmentation)


@pytest.mark.parametrize("wrong", ["centre", "COCO", True])
def test_rules_that_are_none_are_refused_even_where_nothing_is_painted(small, wrong):
    with pytest.raises(hf.ValidationException, match="masks is"):
        hio.read_coco(again(small), masks=wrong)
    with pytest.raises(hf.ValidationException, match="masks is"):
        hio.read_coco_detections([], small, masks=wrong)
