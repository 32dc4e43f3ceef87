"""A small data set, and what a model sees on it, as arrays: the numbers are float32, as models have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import hastyframe as hf

CLASSES = ["bird", "cat", "dog"]
WIDTH, HEIGHT = 80, 60


@dataclass
class Seen:
    """What a model sees on one image."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: np.ndarray


def label_set(count: int = 6) -> hf.LabelSet:
    """Images in two datasets with UUIDs for ids, and labels with boxes and masks."""
    rng = np.random.default_rng(0)
    images = pd.DataFrame(
        {
            "name": [f"{number:03}.jpg" for number in range(count)],
            "dataset_name": np.where(np.arange(count) % 2, "val", "train"),
            "width": WIDTH,
            "height": HEIGHT,
        },
        index=[f"aaaaaaaa-0000-4000-8000-{number:012}" for number in range(count)],
    )
    classes = pd.DataFrame({"name": CLASSES}, index=[f"cccccccc-0000-4000-8000-{number:012}" for number in range(3)])
    parts = []
    for image in images.index:
        boxes = whole_boxes(rng, 5)
        names = rng.choice(CLASSES, 5)
        parts.append(pd.DataFrame({"image_id": image, "class_name": names, **columns(boxes)}))
    labels = pd.concat(parts, ignore_index=True)
    masks = [ellipse(box)[box[1] : box[3], box[0] : box[2]] for box in labels[BOX].to_numpy(int)]
    labels["mask"] = hf.masks.encode(masks).to_list()
    return hf.LabelSet(images, labels.set_axis([f"l{row}" for row in range(len(labels))]), classes)


BOX = ["x_min", "y_min", "x_max", "y_max"]


def columns(boxes):
    return dict(zip(BOX, boxes.T, strict=True))


def whole_boxes(rng, count):
    corner = np.column_stack([rng.integers(0, WIDTH - 25, count), rng.integers(0, HEIGHT - 25, count)])
    return np.concatenate([corner, corner + rng.integers(6, 25, (count, 2))], axis=1)


def ellipse(box):
    """A mask of a whole picture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return ((x - center[0]) / half[0]) ** 2 + ((y - center[1]) / half[1]) ** 2 <= 1


def seen_on(labels: hf.LabelSet) -> list[Seen]:
    """Predictions near the labels, and some that are wrong; on one image none."""
    rng = np.random.default_rng(1)
    found = []
    for number, image in enumerate(labels.images.index):
        own = labels.labels[labels.labels["image_id"] == image].iloc[: 0 if number == 2 else None]
        near = own[BOX].to_numpy() + rng.normal(0, 1.2, (len(own), 4))
        wrong = whole_boxes(rng, 3 if number != 2 else 0)
        boxes = np.concatenate([near, wrong]).astype(np.float32)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2)
        boxes = np.clip(boxes, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)
        classes = np.concatenate([own["class_name"].map(CLASSES.index).to_numpy(int), rng.integers(0, 3, len(wrong))])
        masks = np.array([ellipse(box) for box in boxes], bool).reshape(-1, HEIGHT, WIDTH)
        found.append(Seen(boxes, rng.random(len(boxes)).astype(np.float32), classes, masks))
    return found
