"""Where predictions go wrong: which classes they take for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import FAINT, INK, many, new_axes, short
from .colours import contrasting

if TYPE_CHECKING:
    from ..evaluation import Evaluation

__all__ = ["confusion_matrix"]

BACKGROUND = "background"
MOST_NUMBERS = 13
"""In larger matrices the numbers would be too small to read; colours have to do."""


def confusion_matrix(
    evaluation: Evaluation, *, iou: float = 0.5, score: float = 0.0, most: int = 20, ax: Any = None
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
    names = [name for name in matrix.index if name != BACKGROUND]
    busy = [name for name in names if matrix.loc[name].any() or matrix[name].any()]
    mistakes = {name: matrix.loc[name].sum() + matrix[name].sum() - 2 * matrix.at[name, name] for name in busy}
    worst = set(sorted(busy, key=lambda name: -mistakes[name])[:most])
    shown = [name for name in names if name in worst] + [BACKGROUND]
    counts = matrix.loc[shown, shown].to_numpy()
    shares = counts / np.maximum(matrix.loc[shown].sum(axis=1).to_numpy(), 1)[:, None]

    side = max(2.6, min(0.62, 7 / len(shown)) * len(shown))
    ax = new_axes(ax, (side + 1.8, side + 1.1))
    empty = np.zeros(counts.shape, bool)
    empty[-1, -1] = True  # what is neither labelled nor predicted cannot be counted
    image = ax.imshow(np.ma.array(shares, mask=empty), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    ticks, texts = np.arange(len(shown)), [short(str(name), 18) for name in shown]
    size = 9 if len(shown) <= MOST_NUMBERS else 8
    ax.set_xticks(
        ticks, texts, rotation=45 if len(shown) <= 4 else 90, ha="right" if len(shown) <= 4 else "center", fontsize=size
    )
    ax.set_yticks(ticks, texts, fontsize=size)
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
    left_out = len(names) - len(worst)
    more = f", {len(worst)} of {many(len(names), 'class', 'classes')}" if left_out else ""
    ax.set_title(f"Confusion at IoU {iou:g}{more}", loc="left", color=INK, fontsize=11)
    return ax
