"""Whether scores mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import ValidationException
from .core import Core
from .matching import IGNORED, TRUE

__all__ = ["calibration", "expected_error"]


def calibration(core: Core, bins: int, iou: float) -> pd.DataFrame:
    """Mean score and precision of the predictions in each of `bins` equal parts of 0 to 1."""
    if bins < 1:
        raise ValidationException(f"bins is {bins!r}; it must be 1 or more.")
    outcome, _ = core.at(iou)
    counts = outcome != IGNORED
    score, right = core.inputs.prediction.score[core.line.rows[counts]], outcome[counts] == TRUE
    if len(score) and not (score.min() >= 0 and score.max() <= 1):
        raise ValidationException(
            f"Scores range from {score.min():g} to {score.max():g}; calibration takes probabilities, from 0 to 1."
        )
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    some = count > 0
    sums = {"score": np.bincount(place, score, bins), "precision": np.bincount(place, right, bins)}
    means = {name: np.divide(total, count, out=np.full(bins, np.nan), where=some) for name, total in sums.items()}
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count, **means})


def expected_error(table: pd.DataFrame) -> float:
    """Mean distance between score and precision, weighted by the number of predictions; NaN without any."""
    total = table["count"].sum()
    gaps = (table["score"] - table["precision"]).abs() * table["count"]
    return float(gaps.sum() / total) if total else float("nan")
