"""Where predictions go wrong: which classes they take for which, what kinds of errors cost most, how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import counted
from .axes import FAINT, INK, SOFT, new_axes, plain, short
from .colours import PALETTE, contrasting

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["calibration", "confusion_matrix", "errors"]

MOST_NUMBERS = 13
"""In larger matrices the numbers would be too small to read; colours have to do."""


def confusion_matrix(
    evaluation: Evaluation, *, iou: float = 0.5, score: float | None = None, most: int = 20, ax: Any = None
) -> Any:
    """Draw how often labels of one class were taken for another.

    Parameters
    ----------
    evaluation : Evaluation
        What :func:`hastyframe.evaluate` returned.
    iou, score : float
        As :meth:`Evaluation.confusion_matrix` takes them.
    most : int
        Classes that are shown, those with the most mistakes, in their own order. Background is always there.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row a class of labels, a column a class of predictions. Colours are shares of the row, the numbers counts.
    """
    matrix = evaluation.confusion_matrix(iou=iou, score=score)
    table = matrix.to_numpy()
    there = table.sum(axis=0) + table.sum(axis=1)
    mistakes = (there - 2 * table.diagonal())[:-1]
    busy = np.flatnonzero(there[:-1])
    worst = busy[np.argsort(-mistakes[busy], kind="stable")][:most]
    rows = np.append(np.sort(worst), len(table) - 1)  # the last is background, whatever classes are called
    counts = table[np.ix_(rows, rows)]
    shares = counts / np.maximum(table[rows].sum(axis=1), 1)[:, None]
    shown = [short(str(name), 18) for name in matrix.index[rows]]

    side = max(2.6, min(0.62, 7 / len(shown)) * len(shown))
    ax = new_axes(ax, (side + 1.8, side + 1.1))
    empty = np.zeros(counts.shape, bool)
    empty[-1, -1] = True  # what is neither labelled nor predicted cannot be counted
    image = ax.imshow(np.ma.array(shares, mask=empty), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    ticks = np.arange(len(shown))
    size = 9 if len(shown) <= MOST_NUMBERS else 8
    turned = {"rotation": 45, "ha": "right"} if len(shown) <= 4 else {"rotation": 90}
    ax.set_xticks(ticks, shown, fontsize=size, **turned)
    ax.set_yticks(ticks, shown, fontsize=size)
    ax.tick_params(length=0, labelcolor=INK)
    ax.set_xticks(ticks[1:] - 0.5, minor=True)
    ax.set_yticks(ticks[1:] - 0.5, minor=True)
    ax.grid(which="minor", color=FAINT, linewidth=0.6)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_color(FAINT)
    if len(shown) <= MOST_NUMBERS:
        for row, column in np.argwhere(counts > 0).tolist():
            colour = contrasting(
                "#" + bytes(int(255 * part) for part in image.cmap(image.norm(shares[row, column]))[:3]).hex()
            )
            ax.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=colour)
    ax.set_xlabel("predicted", color=INK)
    ax.set_ylabel("labelled", color=INK)
    classes = len(table) - 1
    more = f", {len(worst)} of {counted(classes, 'class')}" if len(worst) < classes else ""
    ax.set_title(f"Confusion at IoU {iou:g}{more}", loc="left", color=INK, fontsize=11)
    return ax


def calibration(evaluation: Evaluation, *, bins: int = 10, iou: float = 0.5, ax: Any = None) -> Any:
    """Draw how often predictions of a score are right; on the diagonal, as often as the score says.

    Parameters
    ----------
    evaluation : Evaluation
        What :func:`hastyframe.evaluate` returned.
    bins : int
        How many bars.
    iou : float
        From which intersection over union on a prediction has found a label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A bar a bin with its precision, the number of predictions on top, and a dot at their mean score.

    Raises
    ------
    ValidationException
        Scores below 0 or above 1.
    """
    frame = evaluation.calibration(bins=bins, iou=iou)
    frame = frame[frame["count"] > 0]
    ax = plain(new_axes(ax, (5.4, 4.2)), grid="y")
    ax.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--", label="as the score says")
    middle, width = (frame["low"] + frame["high"]) / 2, 0.92 * (frame["high"] - frame["low"])
    bars = ax.bar(middle, frame["precision"], width=width, color=PALETTE[1], label="share that is right")
    ax.bar_label(bars, [_brief(count) for count in frame["count"]], padding=2, fontsize=8, color=INK)
    ax.plot(frame["score"], frame["precision"], "o", color=PALETTE[5], markersize=4, label="mean score")
    ax.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="score", ylabel="share of predictions that are right")
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "borderaxespad": 4, "ncols": 3, "columnspacing": 1.2}
    ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, **place)
    error = f", expected error {evaluation.calibration_error(bins=bins, iou=iou):.3f}" if len(frame) else ""
    ax.set_title(f"Calibration{error}", loc="left", color=INK, fontsize=11)
    return ax


def errors(evaluation: Evaluation, *, iou: float = 0.5, ax: Any = None) -> Any:
    """Draw what each kind of error costs in AP, and how often it happens.

    Parameters
    ----------
    evaluation : Evaluation
        What :func:`hastyframe.evaluate` returned.
    iou : float
        From which intersection over union on a prediction has found a label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A bar a kind: how much AP there would be more without the errors of this kind. Below, in grey, the same for
        all false positives and for all false negatives, whatever the kind.

    References
    ----------
    D. Bolya, S. Foley, J. Hays, J. Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors",
    ECCV 2020.
    """
    frame = evaluation.errors(iou=iou)
    costs = frame["cost"].fillna(0).to_numpy()
    whole = frame.index.isin(_WHOLE)
    places = np.arange(len(frame)) + 0.4 * whole
    ax = plain(new_axes(ax, (7, 3)), grid="x")
    bars = ax.barh(places, costs, color=np.where(whole, "#bbbbbb", PALETTE[4]), height=0.68)
    texts = [f"{cost:.3f}  ({count:,}×)" for cost, count in zip(costs, frame["count"], strict=True)]
    ax.bar_label(bars, texts, padding=3, fontsize=8, color=INK)
    ax.set_yticks(places, [_WHOLE.get(kind, kind) for kind in frame.index], fontsize=9)
    ax.set_ylim(places[-1] + 0.6, -0.6)
    ax.set_xlim(min(0.0, 1.3 * costs.min()), max(1.3 * costs.max(), 0.01))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("AP gained without them")
    ax.set_title(f"Errors at IoU {iou:g}", loc="left", color=INK, fontsize=11)
    return ax


_WHOLE = {"fp": "all false positives", "fn": "all false negatives"}


def _brief(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"
