"""Plots on matplotlib axes: labels over pictures, what a label set holds, and how good predictions are.

Every function takes an `ax`, makes one if it gets none, and returns it, so that titles, scales and sizes are set as in
any other plot. Colours are those of the project's classes where they are given, else ones that people with any kind of
colour vision can tell apart.
"""

try:
    import matplotlib  # noqa: F401 - asked for here, once, so that the error says what to install
except ImportError as error:
    raise ImportError(
        f"plots need {error.name}: pip install 'hastyframe[plot]'", name=error.name, path=error.path
    ) from error

from .curves import f1_curve, pr_curve
from .distributions import class_counts, sizes
from .mistakes import calibration, confusion_matrix, errors
from .overlay import grid, labels

__all__ = [
    "calibration",
    "class_counts",
    "confusion_matrix",
    "errors",
    "f1_curve",
    "grid",
    "labels",
    "pr_curve",
    "sizes",
]
