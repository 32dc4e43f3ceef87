"""Curves, confusion, errors and calibration of an evaluation: what is drawn is what its frames say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors

import hastyframe as hf

PLOTS = (hf.plot.pr_curve, hf.plot.f1_curve, hf.plot.confusion_matrix, hf.plot.errors, hf.plot.calibration)
BOX = ["x_min", "y_min", "x_max", "y_max"]


def evaluation_of(classes=("coin", "cell"), images=20, seed=0):
    """An evaluation of boxes of random classes; most are found, some with another class."""
    random = np.random.default_rng(seed)
    labels = pd.DataFrame({"image_id": np.repeat([f"i{n:02}" for n in range(images)], 3)})
    labels["class_name"] = pd.Categorical(random.choice(classes, len(labels)), categories=list(classes))
    corner = random.uniform(0, 60, (len(labels), 2)) + np.tile([[0, 0], [0, 200], [200, 0]], (images, 1))
    labels[BOX] = np.hstack([corner, corner + random.uniform(8, 120, (len(labels), 2))])
    found = labels.sample(frac=0.8, random_state=seed).assign(score=lambda frame: random.uniform(0, 1, len(frame)))
    found[BOX] += random.normal(0, 3, (len(found), 4))
    flipped = random.random(len(found)) < 0.2
    found.loc[flipped, "class_name"] = random.choice(classes, int(flipped.sum()))
    frame = pd.DataFrame({"name": "x.png", "width": 400, "height": 400}, index=labels["image_id"].unique())
    return hf.evaluate(labels, found, images=frame)


@pytest.fixture(scope="module")
def two():
    return evaluation_of()


@pytest.fixture(scope="module")
def many():
    return evaluation_of([f"class {n:02}" for n in range(30)], images=80)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line_of(ax, start):
    [found] = [line for line in ax.lines if line.get_label().startswith(start)]
    return found


def test_precision_is_that_of_coco(two):
    ax = hf.plot.pr_curve(two)
    summary, classes = two.summary(), two.per_class()
    assert ax.get_title(loc="left") == f"Precision and recall at IoU 0.5, AP {summary['AP50']:.3f}"
    order = classes["labels"].sort_values(ascending=False).index
    assert legend_of(ax) == [*(f"{name}  {classes.loc[name, 'AP50']:.2f}" for name in order), "mean"]
    curve = two.pr_curve().query("class_name == 'coin' and precision > 0")
    shown = np.array(line_of(ax, "coin").get_data())
    np.testing.assert_allclose(shown[:, shown[1] > 0], curve[["recall", "precision"]].to_numpy().T)
    assert line_of(ax, "mean").get_ydata().mean() == pytest.approx(summary["AP50"])


def test_another_overlap_is_another_curve(two):
    ax = hf.plot.pr_curve(two, iou=0.75)
    assert ax.get_title(loc="left").endswith(f"at IoU 0.75, AP {two.summary()['AP75']:.3f}")


def test_f1_is_that_of_what_a_score_keeps(two):
    ax = hf.plot.f1_curve(two)
    score, shown = line_of(ax, "cell").get_data()
    for threshold, f1 in zip(score[::20], np.nan_to_num(shown[::20]), strict=True):
        counts = two.match(score=threshold).query("class_name == 'cell'")["outcome"].value_counts()
        assert f1 == pytest.approx(2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"]))
    [dot] = line_of(ax, "cell").get_markevery()
    assert np.nanmax(shown) == shown[dot]
    assert f"{shown[dot]:.2f} from {score[dot]:.2f}" in line_of(ax, "cell").get_label()


def test_lines_have_the_colours_of_the_classes(two):
    ax = hf.plot.pr_curve(two, classes={"cell": "#123456"})
    assert [colors.to_hex(line_of(ax, name).get_color()) for name in ("coin", "cell")] == ["#e69f00", "#123456"]


def test_many_classes_stand_back(many):
    for ax in (hf.plot.pr_curve(many), hf.plot.f1_curve(many)):
        assert len(legend_of(ax)) == 7 + 2
        assert legend_of(ax)[-1] == "23 more classes"
        assert sum(line.get_color() == "#c4c4c4" for line in ax.lines) == 23 + 1
    ax = hf.plot.pr_curve(many, highlight=["class 03"])
    assert legend_of(ax)[0].startswith("class 03")
    assert legend_of(ax)[-1] == "29 more classes"
    with pytest.raises(hf.ValidationException, match="'class 99'"):
        hf.plot.f1_curve(many, highlight=["class 99"])


def test_confusion_is_counted_and_shaded_by_row(two):
    ax = hf.plot.confusion_matrix(two)
    matrix = two.confusion_matrix()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(matrix.index)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(matrix.columns)
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    counts = matrix.to_numpy()
    assert shown == {(c, r): f"{counts[r, c]:,}" for r, c in np.argwhere(counts > 0).tolist()}
    shares = ax.images[0].get_array()
    np.testing.assert_allclose(shares[:2].sum(axis=1), 1)
    assert shares.mask[-1, -1]


def test_a_large_matrix_shows_the_worst_classes(many):
    ax = hf.plot.confusion_matrix(many, most=5)
    matrix = many.confusion_matrix()
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * pd.Series(np.diag(matrix), matrix.index)
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names[-1] == "background"
    assert wrong[names[:-1]].min() >= wrong.drop([*names[:-1], "background"]).max()
    assert ax.get_title(loc="left") == "Confusion at IoU 0.5, 5 of 30 classes"
    assert not hf.plot.confusion_matrix(many).texts  # 21 rows: too small for numbers


def test_errors_are_bars_with_their_cost(two):
    ax = hf.plot.errors(two, iou=0.6)
    frame = two.errors(iou=0.6)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(frame["cost"].tolist())
    assert [text.get_text() for text in ax.texts] == [
        f"{e.cost:.3f}  ({e.count:,}×)" for e in frame.itertuples(False, "E")
    ]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == [*frame.index[:6], "all false positives", "all false negatives"]
    assert ax.yaxis_inverted()


def test_calibration_is_precision_by_score(two):
    ax = hf.plot.calibration(two, bins=5)
    frame = two.calibration(bins=5)
    heights = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in ax.patches]
    np.testing.assert_allclose(heights, np.stack([frame[["low", "high"]].mean(axis=1), frame["precision"]], 1))
    assert [text.get_text() for text in ax.texts] == [str(count) for count in frame["count"]]
    assert ax.get_title(loc="left") == f"Calibration, expected error {two.calibration_error(bins=5):.3f}"
    np.testing.assert_allclose(ax.lines[1].get_xydata(), frame[["score", "precision"]])


def test_scores_that_are_no_probabilities(two):
    evaluation = hf.evaluate(two.labels, two.predictions.assign(score=lambda frame: frame["score"] * 30 - 10))
    ax = hf.plot.f1_curve(evaluation)
    scores = evaluation.f1_curve()["score"]
    assert ax.get_xlim() == (scores.min(), scores.max())
    assert scores.min() < 0
    best = evaluation.best_thresholds().loc["cell"]
    assert f"{best['f1']:.2f} from" in line_of(ax, "cell").get_label()


def test_a_class_called_background(two):
    rename = {"coin": "background"}
    labels, found = (
        frame.assign(class_name=frame["class_name"].astype(str).replace(rename))
        for frame in (two.labels, two.predictions)
    )
    ax = hf.plot.confusion_matrix(hf.evaluate(labels, found))
    assert sorted(text.get_text() for text in ax.texts) == sorted(
        text.get_text() for text in hf.plot.confusion_matrix(two).texts
    )


@pytest.mark.parametrize("part", ["labels", "predictions", "both"])
def test_nothing_to_evaluate(two, part):
    labels = two.labels.iloc[:0] if part != "predictions" else two.labels
    predictions = two.predictions.iloc[:0] if part != "labels" else two.predictions
    evaluation = hf.evaluate(labels, predictions, images=two.images)
    for draw in PLOTS:
        draw(evaluation).figure.draw_without_rendering()


def test_one_class_alone():
    one = evaluation_of(["coin"])
    assert legend_of(hf.plot.pr_curve(one)) == [f"coin  {one.summary()['AP50']:.2f}"]
    assert [tick.get_text() for tick in hf.plot.confusion_matrix(one).get_yticklabels()] == ["coin", "background"]


def test_axes_are_taken_and_returned(two):
    from matplotlib import pyplot

    for draw in PLOTS:
        _, ax = pyplot.subplots()
        assert draw(two, ax=ax) is ax
