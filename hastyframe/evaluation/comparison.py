"""Two evaluations of the same images, and how sure their difference is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ValidationException
from .core import Core
from .resampling import Sample
from .tables import means

__all__ = ["compare"]


def compare(core: Core, other: Core, resamples: int, seed: int, confidence: float) -> pd.DataFrame:
    """Figures of both, their difference, and the interval of its bootstrap over images."""
    if core.protocol.figures != other.protocol.figures:
        raise ValidationException("The evaluations have different figures; use the same area ranges and detections.")
    if not 0 < confidence < 1:
        raise ValidationException(f"confidence is {confidence!r}; it must be between 0 and 1.")
    if resamples < 1:
        raise ValidationException(f"resamples is {resamples!r}; it must be 1 or more.")
    images = core.inputs.images.index
    if not images.equals(other.inputs.images.index):
        differ = images.symmetric_difference(other.inputs.images.index)
        raise ValidationException(
            f"The evaluations are of different images, {len(differ):,} are in one alone, as {differ[0]!r}; give both "
            "the same `images`."
        )
    samples = [Sample(one) for one in (core, other)]
    rng = np.random.default_rng(seed)
    draws = (np.bincount(rng.integers(len(images), size=len(images)), minlength=len(images)) for _ in range(resamples))

    def difference(copies: NDArray[np.int64]) -> NDArray[np.float64]:
        one, two = (means(sample.figures(copies.astype(np.int32))) for sample in samples)
        return two - one

    # NumPy lets go of the interpreter while it works on arrays.
    with ThreadPoolExecutor() as pool:
        found = np.array([*pool.map(difference, draws)])
    this, that = means(core.figures), means(other.figures)
    low, high = _interval(found, confidence)
    return pd.DataFrame(
        {"this": this, "other": that, "difference": that - this, "low": low, "high": high},
        index=pd.Index(core.protocol.figures, name="figure"),
    )


def _interval(found: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Percentiles of each column without what is missing, shape (2, F)."""
    ends = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    columns = [column[~np.isnan(column)] for column in found.T]
    return np.stack([np.quantile(column, ends) if len(column) else np.full(2, np.nan) for column in columns], axis=1)
