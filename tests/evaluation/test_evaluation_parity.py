"""COCO's protocol: every number is the one of pycocotools."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from coco_cases import pycocotools, random_case

import hastyframe as hf

FIGURES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
RANGES = {"all": (0, 1e10), "small": (0, 1024), "other": (1024, 9216)}


def assert_equal_arrays(evaluation: hf.Evaluation, reference, classes: int | None = None):
    for name in ("precision", "recall", "scores"):
        ours = getattr(evaluation, name)
        ours = np.moveaxis(ours, -3, 0)[:classes]
        theirs = np.moveaxis(reference.eval[name], -3, 0)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max(initial=0) < 1e-12, name


def assert_equal_figures(evaluation: hf.Evaluation, reference):
    summary = evaluation.summary()
    assert list(summary.index) == FIGURES
    assert np.abs(summary.fillna(-1).to_numpy() - reference.stats).max() < 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_random_classes(seed):
    case = random_case(seed, 500)
    thresholds = ([0.5, 0.75], [0.3, 0.95], [0.6, 1.0], [0.5, 0.9])[seed % 4]
    ours = hf.evaluate(
        case.labels,
        case.predictions,
        images=case.images,
        iou_thresholds=thresholds,
        max_detections=(2, 100),
        area_ranges=RANGES,
    )
    reference = pycocotools(
        case.truth,
        case.results,
        "bbox",
        iouThrs=np.array(thresholds),
        maxDets=[2, 100],
        areaRng=[list(ends) for ends in RANGES.values()],
        areaRngLbl=list(RANGES),
    )
    assert_equal_arrays(ours, reference, 500)


@pytest.mark.parametrize("seed", range(20, 24))
def test_random_masks(seed):
    case = random_case(seed, 250, painted=True)
    params = {"iouThrs": np.array([0.5, 0.7]), "maxDets": [3, 100]}
    ours = hf.evaluate(
        case.labels, case.predictions, iou="mask", iou_thresholds=params["iouThrs"], max_detections=(3, 100)
    )
    assert_equal_arrays(ours, pycocotools(case.truth, case.results, "mask", **params), 250)


@pytest.mark.parametrize("kind", ["bbox", "mask"])
@pytest.mark.parametrize("seed", range(30, 50))
def test_figures_of_random_sets(seed, kind):
    case = random_case(seed, 6, painted=kind == "mask")
    reference = pycocotools(case.truth, case.results, kind)
    ours = hf.evaluate(case.labels, case.predictions, iou=kind)
    assert_equal_figures(ours, reference)
    assert_equal_arrays(ours, reference, 6)


@pytest.mark.parametrize(
    ("kind", "results", "parts"),
    [("bbox", "fakebbox100", False), ("mask", "fakesegm100", False), ("mask", "fakesegm100", True)],
)
def test_real_files(data_folder, kind, results, parts):
    """Objects of several parts are painted when they are read, or when they are evaluated."""
    folder = data_folder / "coco"
    truth, found = folder / "instances_val2014_100.json", folder / f"instances_val2014_{results}_results.json"
    rule = "coco" if kind == "mask" else None
    label_set = hf.read_coco(truth, masks=rule, on_loss="ignore")
    predictions = hf.read_coco_detections(found, label_set, masks=rule, on_loss="ignore")
    labels = label_set.labels
    if parts:
        outlines = hf.read_coco(truth, masks=None, on_loss="ignore").labels.dropna(subset="parts")
        assert len(outlines) > 50
        assert outlines["mask"].isna().all()
        columns = outlines.columns
        labels = pd.concat([labels.drop(outlines.index)[columns], outlines]).loc[labels.index]
    ours = hf.evaluate(labels, predictions, images=label_set.images, iou=kind, rule="coco")

    reference = pycocotools(json.loads(truth.read_text()), json.loads(found.read_text()), kind)
    assert_equal_figures(ours, reference)
    assert_equal_arrays(ours, reference)


@pytest.mark.parametrize("kind", ["bbox", "mask"])
def test_working_in_small_parts_changes_nothing(kind, monkeypatch):
    case = random_case(50, 30, painted=kind == "mask", images=9)

    def measure():
        evaluation = hf.evaluate(case.labels, case.predictions, images=case.images, iou=kind)
        return evaluation, evaluation.summary(), evaluation.matches, evaluation.match(0.2)

    at_once, *expected = measure()
    for name, size in (
        ("evaluation.overlaps.AT_ONCE", 40),
        ("evaluation.matching.PAIRS_AT_ONCE", 30),
        ("evaluation.matching.AT_ONCE", 200),
        ("evaluation.figures.AT_ONCE", 3000),
        ("masks.overlap.AT_ONCE", 60),
        ("masks.ragged._AT_ONCE", 50),
    ):
        monkeypatch.setattr(f"hastyframe.{name}", size)
    in_parts, *found = measure()
    for one, other in zip(expected, found, strict=True):
        getattr(pd.testing, f"assert_{'series' if one.ndim == 1 else 'frame'}_equal")(one, other)
    for name in ("precision", "recall", "scores"):
        assert np.array_equal(getattr(at_once, name), getattr(in_parts, name))


@pytest.mark.parametrize("kind", ["bbox", "mask"])
def test_overlaps_below_all_thresholds_are_there_when_they_are_asked_for(kind):
    """They are not computed for the figures, where nothing hangs on them."""
    case = random_case(51, 30, painted=kind == "mask")
    high, low = (hf.evaluate(case.labels, case.predictions, iou=kind, iou_thresholds=[least]) for least in (0.8, 0.2))
    assert (high.match(0.2)["outcome"] == "tp").sum() > (high.match(0.8)["outcome"] == "tp").sum() > 0
    pd.testing.assert_frame_equal(high.match(0.2), low.match(0.2))
    pd.testing.assert_frame_equal(high.match(0.8), low.match(0.8))
