"""Kinds of mistakes against the package of TIDE's authors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scenes import BOX, CLASSES, scene

import hastyframe as hf

THEIRS = {
    "classification": "ClassError",
    "localisation": "BoxError",
    "both": "OtherError",
    "duplicate": "DuplicateError",
    "background": "BackgroundError",
    "missed": "MissedError",
}


def tide(images, labels, predictions, iou):
    """Count and cost of each kind, as tidecv has them, the cost as a share and not in percent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tidecv = pytest.importorskip("tidecv")
        from tidecv.quantify import TIDERun
    truth, found = tidecv.Data("truth"), tidecv.Data("found")
    for image in images.index:
        truth.add_image(image, image)
    for data, frame in ((truth, labels), (found, predictions)):
        corner, side = frame[BOX[:2]].to_numpy(), frame[BOX[2:]].to_numpy() - frame[BOX[:2]].to_numpy()
        boxes = np.concatenate([corner, side], axis=1).tolist()
        for box, (_, row) in zip(boxes, frame.iterrows(), strict=True):
            klass = CLASSES.index(row["class_name"])
            if "score" in row:
                data.add_detection(row["image_id"], klass, row["score"], box=box)
            elif row["iscrowd"]:
                data.add_ignore_region(row["image_id"], klass, box=box)
            else:
                data.add_ground_truth(row["image_id"], klass, box=box)
    run = TIDERun(truth, found, iou, 0.1, "bbox", 100)
    counts = {kind.__name__: len(errors) for kind, errors in run.error_dict.items()}
    costs = {kind.__name__: cost / 100 for kind, cost in run.fix_main_errors().items()}
    special = {kind.__name__: cost / 100 for kind, cost in run.fix_special_errors().items()}
    return run.ap / 100, counts, costs, special


@pytest.mark.parametrize("iou", [0.5, 0.7])
@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_errors_are_those_of_tidecv(seed, crowds, iou):
    images, labels, predictions = scene(seed, crowds=crowds)
    ap, counts, costs, special = tide(images, labels, predictions, iou)
    evaluation = hf.evaluate(labels, predictions, images=images)
    errors = evaluation.errors(iou)
    assert list(errors.index) == [*THEIRS, "fp", "fn"]
    assert evaluation.pr_curve(iou)["precision"].mean() == pytest.approx(ap, abs=0.01)  # their recalls differ by an ulp
    assert {kind: errors["count"][kind] for kind in THEIRS} == {kind: counts[name] for kind, name in THEIRS.items()}
    for kind, name in THEIRS.items():
        assert errors["cost"][kind] == pytest.approx(costs[name], abs=1e-12), kind
    assert errors["cost"]["fp"] == pytest.approx(special["FalsePositiveError"], abs=1e-12)
    assert errors["cost"]["fn"] == pytest.approx(special["FalseNegativeError"], abs=1e-12)
    assert (errors["count"] > 0).all()
    matches = evaluation.match(iou)["outcome"].value_counts()
    assert errors["count"]["fp"] == matches["fp"]
    assert errors["count"]["fn"] == matches["fn"]


def test_nothing_found_is_all_missed():
    _, labels, predictions = scene(0, crowds=False)
    errors = hf.evaluate(labels, predictions.iloc[:0]).errors()
    assert errors["count"].to_dict() == {**dict.fromkeys(THEIRS, 0), "missed": len(labels), "fp": 0, "fn": len(labels)}
    assert (errors["cost"] == 0).all()


def test_nothing_labelled_is_all_background():
    _, labels, predictions = scene(0)
    errors = hf.evaluate(labels.iloc[:0], predictions).errors()
    assert errors["count"]["background"] == len(predictions)
    assert (errors["cost"] == 0).all()
