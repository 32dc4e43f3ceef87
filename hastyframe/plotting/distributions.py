"""What a set of labels holds: how many of each class, and how large they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..arguments import counted
from ..errors import ValidationException
from ..intake import takes_frames
from ..io import LabelSet
from ..labels import add_area
from .axes import INK, SOFT, new_axes, plain, short
from .colours import PALETTE, Classes, palette

__all__ = ["class_counts", "sizes"]

SMALL, LARGE = 32, 96
"""COCO calls objects small below 32 by 32 pixels, and large from 96 by 96 on."""
_TICKS = (1, 2, 4, 8, 16, 32, 96, 256, 512, 1024, 2048, 4096, 8192)


@takes_frames(only=False, labels="label_id")
def class_counts(labels: pd.DataFrame | LabelSet, *, classes: Classes = None, most: int = 30, ax: Any = None) -> Any:
    """Draw a bar a class: how many labels it has, the most frequent first.

    Parameters
    ----------
    labels : pandas.DataFrame or LabelSet
        Labels or predictions with ``class_name``. Classes of a category column that have no label count too.
    classes : pandas.DataFrame or mapping of str to str, optional
        Colours, as :func:`labels` takes them; a label set brings its own.
    most : int
        Classes that are shown; the others become one bar.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValidationException
        Labels without ``class_name``, or a color that matplotlib does not know.

    Examples
    --------
    >>> import hastyframe as hf
    >>> ax = hf.plot.class_counts(pd.DataFrame({"class_name": ["cat", "dog", "cat"]}))
    >>> [tick.get_text() for tick in ax.get_yticklabels()], [text.get_text() for text in ax.texts]
    (['cat', 'dog'], ['2', '1'])
    """
    labels, classes = _frame(labels, classes)
    if "class_name" not in labels:
        raise ValidationException(f"The labels need a column 'class_name'; there are {list(labels.columns)}.")
    counts = labels["class_name"].value_counts()
    colours = palette([labels["class_name"]], classes)
    shown = counts.head(most) if len(counts) > most + 1 else counts
    rest = counts[len(shown) :]
    names, widths = [str(name) for name in shown.index], shown.tolist()
    fills = [colours[name] for name in shown.index]
    if len(rest):
        names, widths, fills = [*names, f"{len(rest)} more classes"], [*widths, int(rest.sum())], [*fills, "#cccccc"]

    ax = plain(new_axes(ax, (7, max(1.6, 0.8 + 0.24 * len(names)))), grid="x")
    bars = ax.barh(np.arange(len(names)), widths, color=fills, height=0.72)
    ax.bar_label(bars, [f"{width:,}" for width in widths], padding=3, fontsize=8, color=INK)
    ax.set_yticks(np.arange(len(names)), [short(name, 32) for name in names], fontsize=9)
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    ax.set_xlim(0, 1.1 * max(widths, default=0) or 1)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_title(
        f"{counted(len(labels), 'label')} of {counted(int((counts > 0).sum()), 'class')}",
        loc="left",
        color=INK,
    )
    return ax


@takes_frames(only=False, labels="label_id")
def sizes(labels: pd.DataFrame | LabelSet, *, bins: int = 40, ax: Any = None) -> Any:
    """Draw how large the labels are, with the shares of what COCO calls small, medium and large.

    Parameters
    ----------
    labels : pandas.DataFrame or LabelSet
        Labels or predictions. The size is the side of a square of the same area: of the mask, else of the polygon,
        else of the box, as :func:`hastyframe.add_area` measures it; a column ``area`` is taken as it is.
    bins : int
        How many bars, of equal width on a logarithmic scale.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValidationException
        A mask or a polygon is not valid; names the labels.

    Examples
    --------
    >>> import hastyframe as hf
    >>> ax = hf.plot.sizes(pd.DataFrame({"area": [100, 2500, 40000]}))
    >>> [text.get_text() for text in ax.texts]
    ['small 33 %', 'medium 33 %', 'large 33 %']
    """
    labels, _ = _frame(labels, None)
    areas = (labels if "area" in labels else add_area(labels))["area"].to_numpy(dtype=float, na_value=np.nan)
    side = np.sqrt(areas[areas > 0])
    ax = plain(new_axes(ax, (7, 3.2)), grid="y")
    left, right = min(side.min(initial=16) / 1.2, 16), max(side.max(initial=160) * 1.2, 192)
    ax.set_xscale("log")
    ax.hist(side, bins=np.geomspace(left, right, bins + 1), color=PALETTE[1], edgecolor="white", linewidth=0.5)
    ax.set(xlim=(left, right), ylim=(0, 1.2 * ax.get_ylim()[1] if len(side) else 1))
    edges = [left, SMALL, LARGE, right]
    shares = np.histogram(side, [0, SMALL, LARGE, np.inf])[0] / max(len(side), 1)
    for name, share, start, end in zip(("small", "medium", "large"), shares, edges, edges[1:], strict=False):
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "top"}
        ax.text(np.sqrt(start * end), 0.98, f"{name} {100 * share:.0f} %", fontsize=9, color=INK, **place)
    for border in (SMALL, LARGE):
        ax.axvline(border, color=SOFT, linestyle="--", linewidth=1)
    ax.set_xticks([tick for tick in _TICKS if left <= tick <= right])
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.minorticks_off()
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="side of a square of the same area, in pixels", ylabel="labels")
    median = f", median {np.median(side):.0f} pixels" if len(side) else ""
    ax.set_title(f"{counted(len(labels), 'label')}{median}", loc="left", color=INK)
    return ax


def _frame(labels: Any, classes: Classes) -> tuple[pd.DataFrame, Classes]:
    """Take the labels and the colours out of a label set."""
    if isinstance(labels, LabelSet):
        return labels.labels, labels.label_classes if classes is None else classes
    return labels, classes
