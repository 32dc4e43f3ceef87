"""Bars of classes and sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hastyframe as hf
from hastyframe.plotting.colours import PALETTE, contrasting, palette

LABELS = pd.DataFrame(
    {"class_name": pd.Categorical(["b", "a", "b"], categories=["a", "b", "c"]), "area": [1, 1e3, 1e5]}
)


def bars(ax):
    return [bar.get_width() for bar in ax.patches]


def names(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_classes_are_counted_the_most_frequent_first():
    ax = hf.plot.class_counts(LABELS, classes={"b": "#123456"})
    assert (names(ax), bars(ax)) == (["b", "a", "c"], [2, 1, 0])
    assert ax.yaxis_inverted()
    assert ax.patches[0].get_facecolor()[:3] == tuple(value / 255 for value in bytes.fromhex("123456"))
    assert [text.get_text() for text in ax.texts] == ["2", "1", "0"]


def test_many_classes_become_one_bar():
    ax = hf.plot.class_counts(pd.DataFrame({"class_name": [str(n) for n in range(80) for _ in range(n)]}), most=10)
    assert names(ax)[0] == "79"
    assert names(ax)[-1] == "69 more classes"
    assert sum(bars(ax)) == 80 * 79 / 2


def test_a_label_set_brings_its_colours():
    label_set = hf.LabelSet(
        images=pd.DataFrame({"name": ["a.jpg"], "width": [8], "height": [4]}, index=["1"]),
        labels=pd.DataFrame(
            {"image_id": "1", "class_name": ["cat"], "x_min": 1, "y_min": 0, "x_max": 5, "y_max": 4}, index=["7"]
        ),
        label_classes=pd.DataFrame({"name": ["cat"], "color": "#00ff00ff"}, index=["c"]),
    )
    assert hf.plot.class_counts(label_set).patches[0].get_facecolor() == (0, 1, 0, 1)
    assert hf.plot.sizes(label_set).get_title(loc="left") == "1 label, median 4 pixels"


def test_sizes_are_counted_and_shared_out():
    ax = hf.plot.sizes(LABELS)
    assert sum(bar.get_height() for bar in ax.patches) == 3
    assert [text.get_text() for text in ax.texts] == ["small 67 %", "medium 0 %", "large 33 %"]
    assert [line.get_xdata()[0] for line in ax.lines] == [32, 96]


@pytest.mark.parametrize("side", [0.001, 1, 31.9, 32, 95.9, 96, 5000])
def test_a_size_of_any_order_is_on_the_plot(side):
    ax = hf.plot.sizes(pd.DataFrame({"area": [side**2]}))
    assert sum(bar.get_height() for bar in ax.patches) == 1
    shares = [text.get_text() for text in ax.texts]
    assert shares[np.searchsorted([32, 96], side, side="right")].endswith("100 %")


def test_empty_frames():
    for empty in (LABELS.iloc[:0], pd.DataFrame({"class_name": [], "area": []})):
        for ax in (hf.plot.class_counts(empty), hf.plot.sizes(empty)):
            ax.figure.draw_without_rendering()
            assert ax.get_title(loc="left").startswith("0 labels")


def test_a_missing_column_is_named():
    with pytest.raises(hf.ValidationException, match="'class_name'"):
        hf.plot.class_counts(LABELS[["area"]])


def test_the_palette_tells_21_classes_apart_and_goes_on():
    colours = list(palette([pd.Series([f"{n:02}" for n in range(30)])]).values())
    assert tuple(colours[:7]) == PALETTE
    assert len(set(colours[:21])) == 21
    assert colours[21:] == colours[:9]


def test_writing_on_a_colour_can_be_read():
    assert (contrasting("#f0e442"), contrasting("#0072b2")) == ("#000000", "#ffffff")
