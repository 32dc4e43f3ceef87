"""Results of models: arrays on whatever device, masks of whatever kind, and parts that do not fit together."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import stand_ins
from stand_ins import Tensor

import hastyframe as hf

BOX = ["x_min", "y_min", "x_max", "y_max"]
BOXES, SCORES, LABELS = [[0, 0, 4, 4], [2, 1, 6, 3.5]], [0.5, 0.25], [1, 0]
CLASSES = ["cat", "dog"]
IMAGES = pd.DataFrame({"name": ["a.jpg"], "width": [8], "height": [6]}, index=["i"])


def read(**parts):
    result = {"boxes": BOXES, "scores": SCORES, "labels": LABELS, **parts}
    return hf.as_predictions(result, images=IMAGES, classes=CLASSES)


@pytest.mark.parametrize(
    "wrap",
    [
        np.asarray,
        list,
        lambda values: Tensor(values, "cuda:0"),
        lambda values: Tensor(values, "cuda:0", requires_grad=True),
        stand_ins.Brain,
        stand_ins.OnlyDlpack,
        stand_ins.Fetched,
        lambda values: np.asarray(values, np.float16),
        lambda values: [Tensor(value, "cuda:0") for value in values],
    ],
)
def test_arrays_of_whatever_library_and_device(wrap):
    found = read(boxes=wrap(BOXES), scores=wrap(SCORES), labels=wrap(LABELS))
    assert found[BOX].to_numpy().tolist() == BOXES
    assert found["score"].tolist() == SCORES
    assert found["class_name"].tolist() == ["dog", "cat"]


def test_a_tensor_on_a_gpu_refuses_to_be_seen():
    with pytest.raises(TypeError, match=r"Tensor.cpu\(\)"):
        np.asarray(Tensor(BOXES, "cuda:0"))


def test_what_is_no_array():
    with pytest.raises(hf.ValidationException, match=r"Result 0 \(dict\): .* no array of numbers"):
        read(boxes=object())
    with pytest.raises(hf.ValidationException, match="2 boxes, 3 scores"):
        read(scores=[0.1, 0.2, 0.3])
    with pytest.raises(hf.ValidationException, match=r"boxes have the shape \(2, 5\)"):
        read(boxes=np.zeros((2, 5)))
    whole = SimpleNamespace(boxes=None, masks=None, obb=None, names=CLASSES, orig_shape=(6, 8), path="a.jpg", probs=1)
    with pytest.raises(hf.ValidationException, match="the picture is as a whole"):
        hf.as_predictions(whole, images=IMAGES)
    with pytest.raises(hf.ValidationException, match="no 'labels'"):
        read(labels=None)


def masks_of(*boxes):
    found = np.zeros((len(boxes), 6, 8), bool)
    for mask, (left, top, right, bottom) in zip(found, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return found


MASKS = masks_of((0, 0, 4, 4), (2, 1, 6, 3))


@pytest.mark.parametrize(
    "masks",
    [
        MASKS,
        MASKS.astype(np.uint8) * 255,
        MASKS.astype(int),
        np.where(MASKS, 0.51, 0.5),
        np.where(MASKS, 0.51, 0.5).astype(np.float16)[:, None],
        Tensor(MASKS, "cuda:0"),
        list(MASKS),
        MASKS.transpose(0, 2, 1).copy().transpose(0, 2, 1),
        hf.masks.to_coco_rle([[1, 16], [1, 8]], [[0, 0, 4, 4], [2, 1, 6, 3]], (6, 8)),
        hf.masks.to_coco_rle([[1, 16], [1, 8]], [[0, 0, 4, 4], [2, 1, 6, 3]], (6, 8), counts="list"),
    ],
)
def test_masks_of_every_kind(masks):
    found = read(masks=masks)
    assert found["mask"].tolist() == [[1, 16], [1, 8]]
    assert found[BOX].to_numpy().tolist() == [[0, 0, 4, 4], [2, 1, 6, 3]]


def test_the_threshold_of_masks():
    soft = np.where(MASKS, 0.6, 0.4)
    found = hf.as_predictions(
        {"boxes": BOXES, "scores": SCORES, "labels": LABELS, "masks": soft},
        images=["a"], classes=CLASSES, threshold=0.3
    )  # fmt: skip
    assert found["mask"].tolist() == [[1, 48], [1, 48]]


def test_a_mask_without_pixels_stands_in_its_box():
    found = read(masks=np.stack([MASKS[0], MASKS[0] & False]))
    assert found["mask"].tolist() == [[1, 16], []]
    assert found[BOX].to_numpy().tolist() == [[0, 0, 4, 4], [2, 1, 6, 4]]
    labels = hf.as_labels({"boxes": BOXES, "labels": LABELS, "masks": MASKS}, images=IMAGES, classes=CLASSES)
    evaluation = hf.evaluate(labels, found, images=IMAGES, iou="mask")
    assert evaluation.match()["outcome"].tolist() == ["tp", "fp", "fn"]


def test_masks_that_are_none():
    with pytest.raises(hf.ValidationException, match=r"from -3 to 3; they must be probabilities"):
        read(masks=np.where(MASKS, 3.0, -3.0))
    with pytest.raises(hf.ValidationException, match=r"shape \(6, 8\)"):
        read(masks=MASKS[0])
    with pytest.raises(hf.ValidationException, match=r"2 boxes.*1 masks"):
        read(masks=MASKS[:1])


def test_masks_of_another_size_than_the_image():
    with pytest.raises(hf.FrameError, match="not those of its image") as caught:
        read(masks=np.repeat(MASKS, 2, axis=1))
    assert caught.value.problems["value"].tolist() == [[12.0, 8.0]] * 2


def segments(pixels, *infos):
    return {
        "segmentation": pixels,
        "segments_info": [dict(zip(("id", "label_id", "score"), i, strict=True)) for i in infos],
    }


def test_maps_of_segments():
    pixels = np.full((6, 8), -1)
    pixels[:4, :4], pixels[4:, 2:6] = 0, 7
    result = segments(Tensor(pixels, "cuda:0"), (0, 1, 0.9), (7, 0, 0.8))
    found = hf.as_predictions(result, images=IMAGES, classes=CLASSES)
    assert found["mask"].tolist() == [[1, 16], [1, 8]]
    assert found[BOX].to_numpy().tolist() == [[0, 0, 4, 4], [2, 4, 6, 6]]
    assert found["class_name"].tolist() == ["dog", "cat"]
    boxes = hf.as_predictions(result, images=IMAGES, classes=CLASSES, masks=False)
    assert boxes["mask"].isna().all()
    assert boxes[BOX].equals(found[BOX])
    assert len(hf.as_predictions(segments(pixels), images=IMAGES, classes=CLASSES)) == 0
    with pytest.raises(hf.ValidationException, match="return_coco_annotation"):
        hf.as_predictions(segments([[1, 4], [5, 9, 2]], (0, 1, 0.9)), images=IMAGES, classes=CLASSES)


def test_labels_that_are_texts():
    found = hf.as_predictions({"boxes": BOXES, "scores": SCORES, "labels": ["a cat", "a dog"]}, images="x")
    assert found["class_name"].tolist() == ["a cat", "a dog"]
    found = read(labels=None, text_labels=["dog", "cat"])
    assert found["class_name"].tolist() == ["dog", "cat"]


def test_ultralytics_outlines_where_masks_have_another_size():
    ring = np.array([[0, 0], [4, 0], [4, 4.5]], np.float32)
    small = np.zeros((2, 3, 4))
    result = stand_ins.ultralytics(
        BOXES, SCORES, LABELS, masks=small, outlines=[ring, np.zeros((0, 2), np.float32)], names=CLASSES, size=(6, 8)
    )
    found = hf.as_predictions(result, images=IMAGES)
    assert np.array_equal(np.stack(found["polygon"].iloc[0]), ring)
    assert found["polygon"].isna().tolist() == [False, True]
    assert found["mask"].iloc[1] == []  # nothing is left of it, so that its box is not taken for it
    assert found["x_max"].tolist() == [4, 6]


def test_ultralytics_rotated_boxes_and_tracks():
    corners = np.array([[[1, 1], [3, 2], [2, 4], [0, 3]]], np.float32)
    obb = SimpleNamespace(xyxy=Tensor([[0, 1, 3, 4]]), conf=Tensor([0.5]), cls=Tensor([1.0]), id=None, xyxyxyxy=corners)
    found = hf.as_predictions(stand_ins.ultralytics([], [], [], obb=obb, names=CLASSES), images=IMAGES)
    assert found["polygon"].tolist() == corners.tolist()
    tracked = stand_ins.ultralytics(BOXES, SCORES, LABELS, names=CLASSES, track=[7.0, 9.0])
    found = hf.as_predictions([tracked, stand_ins.ultralytics(BOXES, SCORES, LABELS, names=CLASSES)], images=["a", "b"])
    assert found["track_id"].fillna(0).tolist() == [7, 9, 0, 0]


def test_results_without_anything():
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)
    for result in (
        stand_ins.ultralytics(*nothing, names=CLASSES),
        stand_ins.supervision(*nothing),
        stand_ins.torchvision(*nothing, masks=np.zeros((0, 6, 8))),
        stand_ins.detectron(*nothing, masks=np.zeros((0, 6, 8), bool)),
        {"boxes": [], "scores": [], "labels": []},
    ):
        found = hf.as_predictions([result, stand_ins.torchvision(BOXES, SCORES, LABELS)], images=["a", "b"],
                                  classes=CLASSES)  # fmt: skip
        assert found["image_id"].tolist() == ["b", "b"]
        assert hf.as_predictions(result, images=IMAGES, classes=CLASSES)["score"].dtype == "float64"


def test_a_format_that_a_library_does_not_have():
    with pytest.raises(hf.ValidationException, match="its boxes are xyxy, whatever the model"):
        hf.as_predictions(stand_ins.supervision(BOXES, SCORES, LABELS), images=IMAGES, box_format="xywh")
    raw = {"boxes": [[0.5, 0.5, 0.5, 0.5]], "scores": [0.5], "labels": [0]}
    found = hf.as_predictions(raw, images=IMAGES, classes=CLASSES, box_format="cxcywh", normalized=True)
    assert found[BOX].to_numpy().tolist() == [[2, 1.5, 6, 4.5]]


def test_results_of_several_kinds_in_one_list():
    both = [stand_ins.torchvision(BOXES, SCORES, LABELS), stand_ins.supervision(BOXES, SCORES, LABELS)]
    found = hf.as_predictions(both, images=["a", "b"], classes=CLASSES)
    assert found.loc[["0", "1"], BOX].to_numpy().tolist() == found.loc[["2", "3"], BOX].to_numpy().tolist()
    with pytest.raises(hf.ValidationException, match="Result 2 is 7, and no result"):
        hf.as_predictions([*both, 7], images=["a", "b", "c"], classes=CLASSES)
