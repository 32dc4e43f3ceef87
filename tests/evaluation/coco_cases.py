"""Random data sets as frames and as COCO, and what pycocotools makes of them."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple

import numpy as np
import pandas as pd

from hastyframe import masks

IMAGES = 4
SIDE = 24
BOX = ["x_min", "y_min", "x_max", "y_max"]


class Case(NamedTuple):
    """The same data set twice."""

    images: pd.DataFrame
    labels: pd.DataFrame
    predictions: pd.DataFrame
    truth: dict
    results: list


def random_case(seed: int, classes: int, *, painted: bool = False, images: int = IMAGES) -> Case:
    """A data set in which each class is a case of its own: sizes, ties, crowds and counts of its own.

    One class in eight has no labels, one in eight no predictions; the last one is not among the categories. One in
    eight has so many predictions that not all of an image count. The last image is empty.
    """
    rng = np.random.default_rng(seed)
    sides = {"label": [], "prediction": []}
    for klass in range(1, classes + 2):
        style = rng.integers(8)
        for name, most in (("label", 6), ("prediction", 9)):
            count = rng.integers(0, most + 1, images) * (rng.random(images) < 0.8)
            if (style == 0 and name == "label") or (style == 1 and name == "prediction"):
                count[:] = 0
            if style == 2 and name == "prediction":
                count[rng.integers(images - 1)] = rng.integers(95, 115)
            count[-1] = 0
            sides[name].append(_objects(rng, klass, count, style))
    labels, predictions = (_frame(rng.permutation(np.concatenate(side))) for side in sides.values())
    labels = labels[labels["class_id"] <= classes]
    labels["iscrowd"] = rng.random(len(labels)) < np.where(labels["class_id"] % 3 == 0, 0.3, 0.05)
    edges = rng.choice([0, 1023.9, 1024, 1024.1, 9216, 9217, 2e10], len(labels))
    labels["area"] = np.where(rng.random(len(labels)) < 0.4, edges, labels["area"])
    scores = np.where(
        predictions["class_id"] % 2, rng.random(len(predictions)), rng.integers(1, 4, len(predictions)) / 4
    )
    predictions["score"] = scores
    return _both(labels, predictions, classes, images, painted, rng)


def _objects(rng, klass: int, count: np.ndarray, style: int) -> np.ndarray:
    size = count.sum()
    if style % 2:  # on a grid: equal overlaps, equal boxes
        corner, side = rng.integers(0, 4, (size, 2)) * 4.0, rng.integers(1, 4, (size, 2)) * 4.0
    else:  # one decimal: what adding and subtracting does not give back
        corner, side = rng.integers(0, 60, (size, 2)) / 10, rng.integers(40, 140, (size, 2)) / 10
    grown = rng.choice([1, 1, 1, 8, 2], size)[:, None]
    side = side * grown
    image = np.repeat(np.arange(1, len(count) + 1), count)
    return np.column_stack([corner, side, image, np.full(size, klass)])


def _frame(rows: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["x", "y", "w", "h", "image_id", "class_id"])
    frame["area"] = frame["w"] * frame["h"]
    return frame.astype({"image_id": int, "class_id": int})


def _both(labels, predictions, classes, images, painted, rng) -> Case:
    truth = {
        "images": [
            {"id": image, "file_name": f"{image}.jpg", "width": SIDE, "height": SIDE} for image in range(1, images + 1)
        ],
        "categories": [{"id": klass, "name": f"class {klass:05}"} for klass in range(1, classes + 1)],
        "info": {},
    }
    frames = []
    for side in (labels, predictions):
        frame = side.reset_index(drop=True)
        frame[BOX] = np.stack([frame["x"], frame["y"], frame["x"] + frame["w"], frame["y"] + frame["h"]], axis=1)
        if painted:
            frame[BOX], frame["mask"] = _blobs(rng, frame)
        frames.append(frame)
    annotations, results = (_records(frame, painted) for frame in frames)
    for record, crowd, area in zip(annotations, frames[0]["iscrowd"], frames[0]["area"], strict=True):
        record |= {"iscrowd": int(crowd), "area": float(area)}
    for record, score in zip(results, frames[1]["score"], strict=True):
        record |= {"score": float(score)}
    truth["annotations"] = [{"id": number, **record} for number, record in enumerate(annotations, 1)]
    names = pd.CategoricalDtype([each["name"] for each in truth["categories"]])
    for place, frame in enumerate(frames):
        own = frame["class_id"].map(lambda klass: f"class {klass:05}")
        frame["class_name"] = own.astype(names if place == 0 else "str")
        frame[["image_id", "class_id"]] = frame[["image_id", "class_id"]].astype("str")
        frames[place] = frame.drop(columns=["x", "y", "w", "h"])
    frames[0].index = pd.Index([f"l{row}" for row in range(len(frames[0]))], name="label_id")
    frames[1].index = pd.Index([f"p{row}" for row in range(len(frames[1]))], name="prediction_id")
    frame = pd.DataFrame(
        {"width": SIDE, "height": SIDE}, index=pd.Index([str(n) for n in range(1, images + 1)], name="image_id")
    )
    return Case(frame, frames[0], frames[1].drop(columns="area"), truth, results)


def _blobs(rng, frame: pd.DataFrame):
    """Masks inside the image: mostly filled boxes, with holes."""
    boxes = np.clip(np.rint(frame[BOX].to_numpy()), 0, SIDE).astype(int)
    boxes[:, :2] = np.minimum(boxes[:, :2], SIDE - 1)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    pixels = [rng.random((y1 - y0, x1 - x0)) < rng.choice([0.6, 1]) for x0, y0, x1, y1 in boxes]
    return boxes, masks.encode(pixels).to_list()


def _records(frame: pd.DataFrame, painted: bool) -> list[dict]:
    ids = frame[["image_id", "class_id"]].to_numpy()
    records = [{"image_id": int(image), "category_id": int(klass)} for image, klass in ids]
    if painted and records:
        rles = masks.to_coco_rle(frame["mask"].tolist(), frame[BOX].to_numpy(), (SIDE, SIDE))
        return [record | {"segmentation": rle} for record, rle in zip(records, rles, strict=True)]
    boxes = frame[["x", "y", "w", "h"]].to_numpy().tolist()
    return [record | {"bbox": box} for record, box in zip(records, boxes, strict=True)]


def pycocotools(truth: dict, results: list, kind: str, **params):
    """What pycocotools makes of it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "segm" if kind == "mask" else "bbox")
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        if not params:
            evaluation.summarize()
    return evaluation
