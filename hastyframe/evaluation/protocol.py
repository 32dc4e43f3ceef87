"""What is measured: thresholds, area ranges and numbers of detections, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ValidationException

__all__ = ["AREA_RANGES", "Protocol", "protocol"]

AREA_RANGES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's sizes of objects, in square pixels; both ends belong to a range."""
_SUFFIXES = {"small": "s", "medium": "m", "large": "l"}

Reading: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Protocol:
    """What is measured.

    Parameters
    ----------
    iou_thresholds : numpy.ndarray of float64, shape (T,)
        From which overlap on a prediction can match a label.
    recall_thresholds : numpy.ndarray of float64, shape (R,)
        Where precision is read off.
    area_ranges : dict of str to (float, float)
        A of them, the first for all objects; both ends belong to the range.
    max_detections : tuple of int
        M of them, rising: how many of a class count in an image.
    """

    iou_thresholds: NDArray[np.float64]
    recall_thresholds: NDArray[np.float64]
    area_ranges: dict[str, tuple[float, float]]
    max_detections: tuple[int, ...]

    @property
    def figures(self) -> list[str]:
        """Names of the figures, in COCO's order."""
        sizes = list(self.area_ranges)[1:]
        return [
            "AP",
            *self.single_thresholds,
            *(f"AP{_suffix(name)}" for name in sizes),
            *(f"AR{most}" for most in self.max_detections),
            *(f"AR{_suffix(name)}" for name in sizes),
        ]

    @property
    def single_thresholds(self) -> dict[str, int]:
        """Which figures are about one overlap, and its place among the thresholds."""
        return {
            f"AP{round(100 * value)}": int(place)
            for value in (0.5, 0.75)
            for place in np.flatnonzero(np.isclose(self.iou_thresholds, value, rtol=0, atol=1e-9))[:1]
        }

    def outside(self, area: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether areas, shape (n,), lie outside each range, shape (A, n)."""
        low, high = np.array(list(self.area_ranges.values())).T[:, :, None]
        return (area < low) | (area > high)


def protocol(
    iou_thresholds: ArrayLike | None,
    max_detections: Sequence[int],
    area_ranges: Mapping[str, tuple[float, float]] | None,
) -> Protocol:
    """Check what a user asks for; COCO's own where nothing is asked for."""
    thresholds = np.linspace(0.5, 0.95, 10) if iou_thresholds is None else np.atleast_1d(np.asarray(iou_thresholds))
    if thresholds.ndim != 1 or not len(thresholds) or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValidationException(f"iou_thresholds are numbers above 0 and at most 1, not {iou_thresholds!r}.")
    most = tuple(sorted({int(number) for number in max_detections}))
    if not most or most[0] < 1:
        raise ValidationException(f"max_detections are whole numbers from 1 on, not {max_detections!r}.")
    ranges = dict(AREA_RANGES if area_ranges is None else area_ranges)
    bad = [name for name, ends in ranges.items() if len(ends) != 2 or not ends[0] <= ends[1]]
    if bad or not ranges:
        raise ValidationException(f"area_ranges are names and (low, high), the first for all; wrong: {bad or ranges}.")
    return Protocol(thresholds.astype(float), np.linspace(0.0, 1.0, 101), ranges, most)


def _suffix(name: str) -> str:
    return _SUFFIXES.get(name, f"_{name}")
