"""Axes to draw on: one that is given, or a new one that is as large as what it shows."""

from __future__ import annotations

from typing import Any

__all__ = ["FAINT", "INK", "SOFT", "new_axes", "plain", "short"]

INK = "#333333"
"""Of texts and of lines that are no data."""
FAINT = "#dddddd"
"""Of grids."""
SOFT = "#8a8a8a"
"""Of what stands back."""


def new_axes(ax: Any, size: tuple[float, float]) -> Any:
    """Return the axes that are given, or those of a new figure of a size in inches."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def plain(ax: Any, *, grid: str | None = None) -> Any:
    """Take away from axes what says nothing: frame lines without a scale, ticks, and heavy grids."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(SOFT)
    ax.tick_params(color=SOFT, labelcolor=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(INK)
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)
    return ax


def short(text: str, longest: int) -> str:
    """Cut a text, and keep matplotlib from reading formulas into it."""
    return (text if len(text) <= longest else text[: longest - 1] + "…").replace("$", r"\$")
