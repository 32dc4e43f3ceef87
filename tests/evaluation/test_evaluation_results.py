"""Every table of an evaluation against a slow, obvious reference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import slow
from coco_cases import pycocotools, random_case
from scenes import CLASSES, scene

import hastyframe as hf

SEEDS = range(4)


def in_lists(seed):
    images, labels, predictions = scene(seed)
    evaluation = hf.evaluate(labels, predictions, images=images)
    return evaluation, slow.rows(labels, "label_id"), slow.rows(predictions, "prediction_id")


# Matches --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iou", [0.5, 0.3, 0.75])
@pytest.mark.parametrize("seed", SEEDS)
def test_matches_are_those_of_the_slow_rule(seed, iou):
    evaluation, labels, predictions = in_lists(seed)
    took = slow.match(labels, predictions, iou)
    found = {label["label_id"] for label in took.values() if label}
    matches = evaluation.match(iou)
    assert matches["prediction_id"].iloc[: len(predictions)].tolist() == [row["prediction_id"] for row in predictions]
    by_id = matches.iloc[: len(predictions)].set_index("prediction_id")
    for prediction in predictions:
        row, label = by_id.loc[prediction["prediction_id"]], took[prediction["prediction_id"]]
        assert row["outcome"] == ("fp" if label is None else "ignored" if label["iscrowd"] else "tp")
        assert row["image_id"] == prediction["image_id"]
        assert row["class_name"] == row["predicted_class_name"] == prediction["class_name"]
        assert row["score"] == prediction["score"]
        if label is None:
            assert pd.isna(row["label_id"])
            assert np.isnan(row["iou"])
        else:
            assert row["label_id"] == label["label_id"]
            assert row["iou"] == pytest.approx(label["overlap"], rel=1e-12)
        overlap, near = slow.nearest(prediction, labels)
        assert pd.isna(row["nearest_label_id"]) if near is None else row["nearest_label_id"] == near["label_id"]
        assert np.isnan(row["nearest_iou"]) if near is None else row["nearest_iou"] == pytest.approx(overlap, rel=1e-12)
        assert near is None or row["nearest_class_name"] == near["class_name"]
    missed = matches.iloc[len(predictions) :]
    assert missed["label_id"].tolist() == [
        label["label_id"] for label in labels if not label["iscrowd"] and label["label_id"] not in found
    ]
    assert (missed["outcome"] == "fn").all()
    assert missed[["prediction_id", "predicted_class_name", "score", "iou", "nearest_label_id"]].isna().all(axis=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_least_score_leaves_predictions_out(seed):
    evaluation, *_ = in_lists(seed)
    fewer = hf.evaluate(
        evaluation.labels, evaluation.predictions[evaluation.predictions["score"] >= 0.4], images=evaluation.images
    )
    pd.testing.assert_frame_equal(evaluation.match(score=0.4), fewer.matches)
    pd.testing.assert_frame_equal(evaluation.confusion_matrix(score=0.4), fewer.confusion_matrix())


def test_matches_are_those_of_pycocotools():
    case = random_case(5, 40)
    evaluation = hf.evaluate(case.labels, case.predictions)
    reference = pycocotools(case.truth, case.results, "bbox")
    for place, iou in enumerate(reference.params.iouThrs):
        theirs, ignored = {}, set()
        for each in reference.evalImgs:
            if each is None or each["aRng"] != reference.params.areaRng[0]:
                continue
            for number, label, aside in zip(
                each["dtIds"], each["dtMatches"][place], each["dtIgnore"][place], strict=True
            ):
                theirs[f"p{number - 1}"] = f"l{int(label) - 1}" if label else None
                if aside:
                    ignored.add(f"p{number - 1}")
        matches = evaluation.match(iou).dropna(subset="prediction_id").set_index("prediction_id")
        known = matches[matches["class_name"].isin(case.labels["class_name"].cat.categories)]
        assert set(theirs) < set(known.index)  # the others are too many for their image and class
        assert (known.drop(index=list(theirs))["outcome"] == "ignored").all()
        ours = known.loc[list(theirs)]
        assert ours["label_id"].astype(object).where(ours["label_id"].notna(), None).to_dict() == theirs
        assert set(ours.index[ours["outcome"] == "ignored"]) == ignored


@pytest.mark.parametrize("seed", SEEDS)
def test_confusion_counts_across_classes(seed):
    evaluation, labels, predictions = in_lists(seed)
    names = [*CLASSES, "background"]
    expected = pd.DataFrame(0, names, names)
    took = slow.match(labels, predictions, 0.5, across=True)
    for prediction in predictions:
        label = took[prediction["prediction_id"]]
        if not (label and label["iscrowd"]):
            expected.loc[label["class_name"] if label else "background", prediction["class_name"]] += 1
    found = {label["label_id"] for label in took.values() if label}
    for label in labels:
        if not label["iscrowd"] and label["label_id"] not in found:
            expected.loc[label["class_name"], "background"] += 1
    table = evaluation.confusion_matrix()
    assert table.index.name == "class_name"
    assert table.columns.name == "predicted_class_name"
    pd.testing.assert_frame_equal(table, expected, check_names=False)
    assert (np.diag(table) > 0).sum() == 3
    assert table.to_numpy().sum() == (expected.to_numpy()).sum()


# Figures and curves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_of_a_class_are_those_of_its_rows(seed):
    evaluation, *_ = in_lists(seed)
    table = evaluation.per_class()
    outcome = evaluation.matches.groupby("class_name", observed=False)["outcome"].value_counts().unstack()
    for name in CLASSES:
        one = hf.evaluate(
            evaluation.labels[evaluation.labels["class_name"] == name],
            evaluation.predictions[evaluation.predictions["class_name"] == name],
        )
        np.testing.assert_allclose(table.loc[name, one.summary().index].to_numpy(float), one.summary(), rtol=1e-12)
        assert table.loc[name, ["tp", "fp", "fn"]].tolist() == outcome.loc[name, ["tp", "fp", "fn"]].tolist()
        assert table.loc[name, "predictions"] == len(one.predictions)
        assert table.loc[name, "labels"] == (~one.labels["iscrowd"]).sum()
    np.testing.assert_allclose(table[evaluation.summary().index].mean(), evaluation.summary(), rtol=1e-12)


@pytest.mark.parametrize("iou", [0.5, 0.62])
@pytest.mark.parametrize("seed", SEEDS)
def test_curves_come_from_the_matches(seed, iou):
    evaluation, *_ = in_lists(seed)
    matches, curve, precise = evaluation.match(iou), evaluation.f1_curve(iou), evaluation.pr_curve(iou)
    best = evaluation.best_thresholds(iou)
    for name in CLASSES:
        own = matches[matches["class_name"] == name]
        count = own["outcome"].isin(["tp", "fn"]).sum()
        points = []
        for score in sorted(own.loc[own["outcome"].isin(["tp", "fp"]), "score"], reverse=True):
            kept = own[own["score"] >= score]["outcome"]
            tp, fp = (kept == "tp").sum(), (kept == "fp").sum()
            points.append((score, tp / (tp + fp), tp / count, 2 * tp / (2 * tp + fp + count - tp)))
        ours = curve.loc[curve["class_name"] == name, ["score", "precision", "recall", "f1"]]
        np.testing.assert_allclose(ours.to_numpy(), points, rtol=1e-12)
        top = max(points, key=lambda point: point[3])
        np.testing.assert_allclose(best.loc[name, ["score", "precision", "recall", "f1"]].to_numpy(float), top)
        mine = precise[precise["class_name"] == name]
        for recall, precision, score in mine[["recall", "precision", "score"]].to_numpy():
            beyond = [point for point in points if point[2] >= recall]
            assert precision == pytest.approx(max((point[1] for point in beyond), default=0.0), abs=1e-12)
            assert np.isnan(score) if not beyond else recall == 0 or score == beyond[0][0]


def test_the_curve_of_a_threshold_is_part_of_the_arrays():
    evaluation, *_ = in_lists(0)
    for place, iou in ((0, 0.5), (5, 0.75)):
        curve = evaluation.pr_curve(iou)["precision"].to_numpy().reshape(3, 101)
        assert (evaluation.precision[place, :, :, 0, -1] == curve.T).all()


def test_scores_that_are_equal_are_one_point():
    _, labels, predictions = scene(1)
    predictions["score"] = predictions["score"].round(1)
    curve = hf.evaluate(labels, predictions).f1_curve()
    assert not curve.duplicated(["class_name", "score"]).any()
    last = curve.groupby("class_name", observed=True).last()
    table = hf.evaluate(labels, predictions).per_class()
    np.testing.assert_allclose(last["recall"], table["tp"] / table["labels"])
    np.testing.assert_allclose(last["precision"], table["tp"] / (table["tp"] + table["fp"]))


# By columns -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_by_a_column_of_images(seed):
    evaluation, *_ = in_lists(seed)
    table = evaluation.by("dataset_name")
    assert list(table.index) == ["train", "val"]
    for name, row in table.iterrows():
        images = evaluation.images[evaluation.images["dataset_name"] == name]
        parts = [side[side["image_id"].isin(images.index)] for side in (evaluation.labels, evaluation.predictions)]
        one = hf.evaluate(*parts, images=images)
        np.testing.assert_allclose(row[one.summary().index], one.summary(), rtol=1e-12)
        assert row["predictions"] == len(parts[1])
        assert row["labels"] == (~parts[0]["iscrowd"]).sum()


def test_by_every_image_of_many_classes():
    case = random_case(7, 60, images=6)
    evaluation = hf.evaluate(case.labels, case.predictions, images=case.images)
    table = evaluation.by(pd.Series(case.images.index, index=case.images.index, name="image"))
    for image, row in table.iterrows():
        parts = [side[side["image_id"] == image] for side in (case.labels, case.predictions)]
        np.testing.assert_allclose(row[evaluation.summary().index], hf.evaluate(*parts).summary(), rtol=1e-12)
    assert table.iloc[-1].drop(["labels", "predictions"]).isna().all()


@pytest.mark.parametrize("seed", SEEDS)
def test_by_a_column_of_labels_ignores_the_others(seed):
    evaluation, *_ = in_lists(seed)
    table = evaluation.by("occluded")
    assert table.index[:2].tolist() == ["no", "yes"]
    assert pd.isna(table.index[2])
    for value, row in table.iterrows():
        own = evaluation.labels["occluded"].isna() if pd.isna(value) else evaluation.labels["occluded"] == value
        sides = evaluation.labels[["x_max", "y_max"]].to_numpy() - evaluation.labels[["x_min", "y_min"]].to_numpy()
        aside = evaluation.labels.assign(area=np.where(own, sides.prod(axis=1), -1.0))  # no size that counts
        np.testing.assert_allclose(
            row[evaluation.summary().index], hf.evaluate(aside, evaluation.predictions).summary(), rtol=1e-12
        )
        assert row["labels"] == (own & ~evaluation.labels["iscrowd"]).sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_by_a_column_of_predictions(seed):
    _, labels, predictions = scene(seed)
    evaluation = hf.evaluate(labels, predictions, max_detections=(1, 2, 3))
    for model, row in evaluation.by("model").iterrows():
        one = hf.evaluate(labels, predictions[predictions["model"] == model], max_detections=(1, 2, 3))
        np.testing.assert_allclose(row[one.summary().index], one.summary(), rtol=1e-12)


def test_by_computes_no_overlaps_again(monkeypatch):
    evaluation, *_ = in_lists(0)
    expected = {column: evaluation.by(column) for column in ("dataset_name", "occluded", "model")}
    evaluation, *_ = in_lists(0)
    evaluation.summary()

    def refuse(*_):
        raise AssertionError("overlaps were computed again")

    monkeypatch.setattr("hastyframe.evaluation.core.overlaps", refuse)
    for column, table in expected.items():
        pd.testing.assert_frame_equal(evaluation.by(column), table)
    monkeypatch.setattr("hastyframe.evaluation.core.match", refuse)
    evaluation.by("dataset_name")
    evaluation.compare(evaluation, resamples=2)


def test_by_values_of_ones_own():
    evaluation, *_ = in_lists(0)
    bins = pd.cut(hf.add_area(evaluation.labels)["area"], [0, 1024, 1e9], labels=["small", "rest"])
    table = evaluation.by(bins)
    assert table.index.name == "area"
    assert table.loc["small", "AP"] <= 1
    assert table["labels"].sum() == (~evaluation.labels["iscrowd"]).sum()


@pytest.mark.parametrize(
    ("column", "of", "match"),
    [
        ("colour", None, "There is no column 'colour'"),
        ("occluded", "images", "There is no column 'occluded'"),
        ("occluded", "image", "of is one of"),
        (pd.Series([1]), None, "Name the index"),
        (pd.Series([1, 2], pd.Index(["0", "0"], name="image_id")), None, "more than once"),
    ],
)
def test_by_what_is_not_there(column, of, match):
    evaluation, *_ = in_lists(0)
    with pytest.raises(hf.ValidationException, match=match):
        evaluation.by(column, of)


# Suspects, calibration, comparison ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_suspects_are_those_of_the_slow_rule(seed):
    evaluation, labels, predictions = in_lists(seed)
    expected = slow.suspects(labels, predictions)
    table = evaluation.suspects()
    ours = [
        tuple(None if pd.isna(value) else value for value in row)
        for row in table[["kind", "label_id", "prediction_id", "suspicion"]].itertuples(index=False)
    ]
    assert sorted(row[:3] for row in map(repr_of, ours)) == sorted(row[:3] for row in map(repr_of, expected))
    np.testing.assert_allclose([row[3] for row in ours], [row[3] for row in expected], rtol=1e-9)
    assert table["suspicion"].is_monotonic_decreasing
    assert table["kind"].nunique() >= 3
    pd.testing.assert_frame_equal(evaluation.suspects(5), table.head(5))
    some = table.dropna(subset="label_id")
    assert (evaluation.labels.loc[some["label_id"], "image_id"].to_numpy() == some["image_id"].to_numpy()).all()
    assert (evaluation.labels.loc[some["label_id"], "class_name"].to_numpy() == some["class_name"].to_numpy()).all()


def repr_of(row):
    return (str(row[0]), str(row[1]), str(row[2]))


@pytest.mark.parametrize("bins", [1, 7, 10])
@pytest.mark.parametrize("seed", SEEDS)
def test_calibration_is_that_of_the_slow_rule(seed, bins):
    evaluation, labels, predictions = in_lists(seed)
    expected, error = slow.calibration(labels, predictions, bins)
    table = evaluation.calibration(bins)
    np.testing.assert_allclose(table[["count", "score", "precision"]].to_numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(table["low"], np.arange(bins) / bins)
    assert evaluation.calibration_error(bins) == pytest.approx(error, rel=1e-12)


def test_calibration_takes_probabilities():
    _, labels, predictions = scene(0)
    with pytest.raises(hf.ValidationException, match="probabilities"):
        hf.evaluate(labels, predictions.assign(score=predictions["score"] * 3)).calibration()
    with pytest.raises(hf.ValidationException, match="bins is 0"):
        hf.evaluate(labels, predictions).calibration(0)
    ends = hf.evaluate(labels, predictions.assign(score=np.arange(len(predictions)) % 2)).calibration(2)
    assert ends["count"].min() > 0
    assert ends["score"].tolist() == [0.0, 1.0]
    assert np.isnan(hf.evaluate(labels, predictions.iloc[:0]).calibration_error())


def drawn(images, labels, predictions, draw):
    """Frames in which each image stands as often as it was drawn, its copies next to each other."""
    sides = []
    copies = [(image, f"{image}-{copy}") for copy, image in enumerate(draw)]
    for side in (labels, predictions):
        parts = [side[side["image_id"] == image].assign(image_id=name) for image, name in copies]
        sides.append(pd.concat(parts, ignore_index=True))
    return sides


@pytest.mark.parametrize("seed", range(2))
def test_intervals_are_those_of_images_drawn_again(seed):
    images, labels, predictions = scene(seed, images=8)
    other = predictions.assign(score=predictions["score"] ** 2).sample(frac=0.8, random_state=1)
    one, two = (hf.evaluate(labels, side, images=images) for side in (predictions, other))
    table = one.compare(two, resamples=15, seed=seed, confidence=0.8)
    rng, ids = np.random.default_rng(seed), one.images.index.to_numpy()
    differences = []
    for _ in range(15):
        draw = np.sort(rng.integers(len(ids), size=len(ids)))
        figures = [hf.evaluate(*drawn(images, labels, side, ids[draw])).summary() for side in (predictions, other)]
        differences.append(figures[1] - figures[0])
    differences = pd.DataFrame(differences)
    np.testing.assert_allclose(table["low"], differences.quantile(0.1), atol=1e-12)
    np.testing.assert_allclose(table["high"], differences.quantile(0.9), atol=1e-12)
    np.testing.assert_allclose(table["this"], one.summary())
    np.testing.assert_allclose(table["other"], two.summary())
    np.testing.assert_allclose(table["difference"], two.summary() - one.summary(), atol=1e-15)
    assert (table["low"] < table["high"]).any()
    pd.testing.assert_frame_equal(table, one.compare(two, resamples=15, seed=seed, confidence=0.8))


def test_only_what_is_alike_compares():
    images, labels, predictions = scene(0)
    one = hf.evaluate(labels, predictions, images=images)
    with pytest.raises(hf.ValidationException, match="different images"):
        one.compare(hf.evaluate(labels[labels["image_id"] != "3"], predictions[predictions["image_id"] != "3"]))
    with pytest.raises(hf.ValidationException, match="different figures"):
        one.compare(hf.evaluate(labels, predictions, images=images, max_detections=(1, 5)))
    for wrong in ({"confidence": 1.0}, {"resamples": 0}):
        with pytest.raises(hf.ValidationException, match=next(iter(wrong))):
            one.compare(one, **wrong)


# What it looks like ---------------------------------------------------------------------------------------------------


def test_it_says_what_it_is():
    evaluation, *_ = in_lists(0)
    assert "against 96 labels on 12 images, 3 classes, by boxes" in repr(evaluation)
    assert f"AP50 {evaluation.summary()['AP50']:.3f}" in repr(evaluation)
    assert "<table" in evaluation._repr_html_()


@pytest.mark.parametrize("empty", [("labels",), ("predictions",), ("labels", "predictions")])
def test_every_table_of_nothing(empty):
    images, labels, predictions = scene(0)
    labels, predictions = (
        side.iloc[:0] if name in empty else side for name, side in (("labels", labels), ("predictions", predictions))
    )
    evaluation = hf.evaluate(labels, predictions, images=images)
    assert len(evaluation.matches) == len(predictions) + (~labels["iscrowd"]).sum()
    assert evaluation.summary().isna().all() if len(labels) == 0 else (evaluation.summary().dropna() == 0).all()
    for table in (
        evaluation.per_class(),
        evaluation.confusion_matrix(),
        evaluation.errors(),
        evaluation.calibration(),
        evaluation.by("dataset_name"),
        evaluation.by("occluded"),
        evaluation.by("model"),
        evaluation.compare(evaluation, resamples=3),
        evaluation.suspects(),
        evaluation.pr_curve(),
        evaluation.f1_curve(),
        evaluation.best_thresholds(),
    ):
        assert isinstance(table, pd.DataFrame)
    assert evaluation.precision.shape == (10, 101, 3, 4, 3)
    assert repr(evaluation)


def test_suspects_go_back_to_review(project, images, labels):
    project.set_status(images, "DONE")
    found = labels.iloc[1:].rename_axis("prediction_id").assign(score=0.9)
    suspects = hf.evaluate(labels, found, images=images).suspects()
    assert suspects["label_id"].tolist() == [labels.index[0]]
    project.set_status(suspects, "TO REVIEW")
    statuses = project.get_images()["status"]
    assert statuses[suspects["image_id"]].tolist() == ["TO REVIEW"]
    assert (statuses.drop(suspects["image_id"]) == "DONE").all()
