"""The same as the package computes, one label and one prediction after the other."""

from __future__ import annotations

import math

import pandas as pd
from scenes import BOX


def iou(one, other, crowd=False) -> float:
    width = min(one["x_max"], other["x_max"]) - max(one["x_min"], other["x_min"])
    height = min(one["y_max"], other["y_max"]) - max(one["y_min"], other["y_min"])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"]) for box in (one, other)]
    return width * height / (areas[0] if crowd else sum(areas) - width * height)


def rows(frame: pd.DataFrame, name: str) -> list[dict]:
    columns = [column for column in ("image_id", "class_name", *BOX, "score", "iscrowd", "occluded") if column in frame]
    return [{name: key, **row} for key, row in zip(frame.index, frame[columns].to_dict("records"), strict=True)]


def match(labels: list[dict], predictions: list[dict], least: float, across: bool = False) -> dict:
    """What each prediction took: its id to a label (a dict), or None."""
    took, gone = {}, set()
    for prediction in sorted(predictions, key=lambda row: -row["score"]):
        best = None
        for label in labels:
            if label["image_id"] != prediction["image_id"] or label["label_id"] in gone:
                continue
            if not across and label["class_name"] != prediction["class_name"]:
                continue
            overlap = iou(prediction, label, label["iscrowd"])
            better = best is None or (label["iscrowd"], -overlap) < (best["iscrowd"], -best["overlap"])
            if overlap >= least and better:
                best = {**label, "overlap": overlap}
        took[prediction["prediction_id"]] = best
        if best and not best["iscrowd"]:
            gone.add(best["label_id"])
    return took


def nearest(prediction: dict, labels: list[dict]) -> tuple[float, dict | None]:
    best = max(
        (
            (iou(prediction, label), label)
            for label in labels
            if label["image_id"] == prediction["image_id"] and not label["iscrowd"]
        ),
        key=lambda pair: pair[0],
        default=(0.0, None),
    )
    return best if best[0] > 0 else (0.0, None)


def suspects(labels: list[dict], predictions: list[dict], least: float = 0.5) -> list[tuple]:
    """(kind, label, prediction, suspicion), as the docstring of suspects() says."""
    took = match(labels, predictions, least)
    found = {label["label_id"] for label in took.values() if label}
    real = [label for label in labels if not label["iscrowd"]]
    about, out = set(), []
    for prediction in sorted(predictions, key=lambda row: -row["score"]):
        label = took[prediction["prediction_id"]]
        if label and not label["iscrowd"]:
            continue
        here = [each for each in real if each["image_id"] == prediction["image_id"]]
        same = [each for each in here if each["class_name"] == prediction["class_name"]]
        other = [each for each in here if each["class_name"] != prediction["class_name"]]
        near, place = nearest(prediction, same)
        far, target = nearest(prediction, other)
        if 0.1 <= near <= least:
            kind, subject, overlap = "shifted box", place, near
        elif far >= least:
            kind, subject, overlap = "class disagreement", target, far
        elif max(near, far) <= 0.1 and not label:
            out.append(("missing label", None, prediction["prediction_id"], prediction["score"] * (1 - max(near, far))))
            continue
        else:
            continue
        if subject["label_id"] in found or subject["label_id"] in about:
            continue
        if kind == "class disagreement" or near < least:
            about.add(subject["label_id"])
            suspicion = prediction["score"] * (overlap if kind == "class disagreement" else 1 - overlap)
            out.append((kind, subject["label_id"], prediction["prediction_id"], suspicion))
    for label in real:
        if label["label_id"] in found | about:
            continue
        overlap = max((iou(row, label) for row in predictions if row["image_id"] == label["image_id"]), default=0.0)
        if overlap <= 0.1:
            of_class = [each for each in real if each["class_name"] == label["class_name"]]
            recall = sum(each["label_id"] in found for each in of_class) / len(of_class)
            out.append(("unfound label", label["label_id"], None, recall * (1 - overlap)))
    return sorted(out, key=lambda row: -row[3])


def calibration(labels: list[dict], predictions: list[dict], bins: int) -> tuple[list[tuple], float]:
    """(count, mean score, precision) of each part, and the expected calibration error."""
    took = match(labels, predictions, 0.5)
    parts: list[list] = [[] for _ in range(bins)]
    for prediction in predictions:
        label = took[prediction["prediction_id"]]
        if not (label and label["iscrowd"]):
            parts[min(int(prediction["score"] * bins), bins - 1)].append((prediction["score"], label is not None))
    table, error, total = [], 0.0, sum(map(len, parts))
    for part in parts:
        score = sum(one for one, _ in part) / len(part) if part else math.nan
        right = sum(hit for _, hit in part) / len(part) if part else math.nan
        table.append((len(part), score, right))
        error += abs(score - right) * len(part) / total if part else 0.0
    return table, error
