"""How good predictions are, at every score and class by class."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..arguments import counted
from ..errors import ValidationException
from .axes import INK, new_axes, plain, short
from .colours import Classes, palette

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["best_score", "f1_curve", "pr_curve"]

MOST_LINES = 7
"""Classes that have a line of their own colour; the others stand behind them in grey."""
PALE = "#c4c4c4"
RECALLS = np.linspace(0, 1, 101)

Floats = npt.NDArray[np.float64]


def pr_curve(
    evaluation: Evaluation,
    *,
    iou: float = 0.5,
    highlight: Sequence[str] | None = None,
    classes: Classes = None,
    ax: Any = None,
) -> Any:
    """Draw precision over recall, a line a class, and their mean.

    Parameters
    ----------
    evaluation : Evaluation
        What :func:`hastyframe.evaluate` returned.
    iou : float
        From which intersection over union on a prediction has found a label.
    highlight : sequence of str, optional
        Classes with a colour and a place in the legend, which gives the area under their lines, the AP. By default
        the seven with the most labels; the others are grey.
    classes : pandas.DataFrame or mapping of str to str, optional
        Colours, as :func:`labels` takes them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        Precision at a recall is the best at that recall or a higher one, at 101 recalls, as COCO has it.

    Raises
    ------
    ValidationException
        A class to highlight that has no label.
    """
    lines = _lines(evaluation, evaluation.pr_curve(iou=iou), ["recall", "precision"], _at_recalls)
    marks = {name: f"{line.mean():.2f}" for name, line in lines.items()}
    ax, mean = _draw(evaluation, RECALLS, lines, marks, highlight, classes, ax)
    ax.set(xlabel="recall", ylabel="precision")
    area = "" if mean is None else f", AP {mean.mean():.3f}"
    ax.set_title(f"Precision and recall at IoU {iou:g}{area}", loc="left", color=INK, fontsize=11)
    return ax


def f1_curve(
    evaluation: Evaluation,
    *,
    iou: float = 0.5,
    highlight: Sequence[str] | None = None,
    classes: Classes = None,
    ax: Any = None,
) -> Any:
    """Draw F1 over the score from which on predictions count, a line a class, and their mean.

    Parameters
    ----------
    evaluation, iou, highlight, classes, ax
        As :func:`pr_curve` takes them. The legend gives the best F1 of a class and the score where it has it, which
        is marked on the line, too.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValidationException
        A class to highlight that has no label.
    """
    scores, lines = _f1_lines(evaluation, iou)
    marks = {name: f"{line.max():.2f}{_from(scores, line)}" for name, line in lines.items()}
    ax, mean = _draw(evaluation, scores, lines, marks, highlight, classes, ax, dots=True)
    ax.set(xlabel="score from which on predictions count", ylabel="F1")
    best = "" if mean is None else f", best {mean.max():.3f}{_from(scores, mean)}"
    ax.set_title(f"F1 at IoU {iou:g}{best}", loc="left", color=INK, fontsize=11)
    return ax


def best_score(evaluation: Evaluation, iou: float = 0.5) -> float:
    """Score from which on the mean F1 of the classes is best; of equals the highest, 0 where there is nothing."""
    scores, lines = _f1_lines(evaluation, iou)
    mean = np.sum(list(lines.values()), axis=0)
    return float(scores[_last_best(mean)]) if np.any(mean) else 0.0


def _f1_lines(evaluation: Evaluation, iou: float) -> tuple[Floats, dict[Hashable, Floats]]:
    """F1 of the classes at 201 scores, from 0 to 1, or as far as there are scores."""
    frame = evaluation.f1_curve(iou=iou)
    found = frame["score"].to_numpy(float)
    scores = np.linspace(found.min(initial=0), found.max(initial=1), 201)

    def at_scores(score: Floats, f1: Floats) -> Floats:
        """Of all predictions from a score on; 0 where there is none."""
        order = np.argsort(score)
        return np.append(f1[order], 0.0)[np.searchsorted(score[order], scores)]

    return scores, _lines(evaluation, frame, ["score", "f1"], at_scores)


def _lines(
    evaluation: Evaluation, frame: pd.DataFrame, columns: list[str], resample: Callable[[Floats, Floats], Floats]
) -> dict[Hashable, Floats]:
    """Bring the curves of all classes with labels, the most frequent first, to the same abscissae."""
    counts = evaluation.per_class()["labels"].sort_values(ascending=False, kind="stable")
    curves = {name: part[columns].to_numpy(float).T for name, part in frame.groupby("class_name", observed=True)}
    nothing = np.empty((2, 0))
    return {name: resample(*curves.get(name, nothing)) for name in counts.index[counts > 0]}


def _at_recalls(recall: Floats, precision: Floats) -> Floats:
    """Best precision at each of 101 recalls or a higher one, 0 where none is reached."""
    order = np.argsort(recall, kind="stable")
    best = np.maximum.accumulate(precision[order][::-1])[::-1]
    return np.append(best, 0.0)[np.searchsorted(recall[order], RECALLS - 1e-12)]


def _category(names: Sequence[Any]) -> pd.Series[Any]:
    return pd.Series(pd.Categorical(names, categories=list(names)))


def _last_best(line: Floats) -> int:
    """Where a line is highest, the last of such places: the fewest predictions that do."""
    return len(line) - 1 - int(np.argmax(line[::-1]))


def _from(scores: Floats, line: Floats) -> str:
    return f" from {scores[_last_best(line)]:.2f}" if line.any() else ""


def _draw(
    evaluation: Evaluation,
    x: Floats,
    lines: dict[Hashable, Floats],
    marks: dict[Hashable, str],
    highlight: Sequence[str] | None,
    classes: Classes,
    ax: Any,
    *,
    dots: bool = False,
) -> tuple[Any, Floats | None]:
    """Draw a line a class, as far as it is above 0, and their mean; with dots where the lines are highest."""
    chosen = list(lines)[:MOST_LINES] if highlight is None else list(highlight)
    strange = [name for name in chosen if name not in lines]
    if strange:
        raise ValidationException(
            f"`highlight` has {strange[0]!r}, a class without labels; there are {', '.join(map(str, lines))}."
        )
    # Where there are more classes than colours, those that are named are told apart best by the whole palette.
    few = len(lines) <= MOST_LINES
    colours = palette([_category(evaluation.per_class().index if few else chosen)], classes)

    def dotted(line: Floats) -> dict[str, Any]:
        return {"marker": "o", "markersize": 5, "markevery": [_last_best(line)]} if dots else {}

    ax = plain(new_axes(ax, (7, 4.2)), grid="both")
    others = [line for name, line in lines.items() if name not in chosen]
    for line in others:
        ax.plot(x, np.where(line > 0, line, np.nan), color=PALE, linewidth=0.8, zorder=2, label="_other")
    for name in chosen:
        line, label = lines[name], f"{short(str(name), 24)}  {marks[name]}"
        shown = np.where(line > 0, line, np.nan)
        ax.plot(x, shown, color=colours[name], linewidth=1.8, zorder=3, label=label, **dotted(line))
    mean = np.mean(list(lines.values()), axis=0) if lines else None
    if mean is not None and len(lines) > 1:
        ax.plot(x, mean, color=INK, linewidth=2.6, zorder=4, label="mean", **dotted(mean))
    if others:
        ax.plot([], [], color=PALE, linewidth=0.8, label=counted(len(others), "more class"))
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.03))
    if lines:
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02), "borderaxespad": 0}
        ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, **place)
    return ax, mean
