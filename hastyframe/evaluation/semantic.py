"""Class maps against class maps, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..arguments import counted
from ..errors import ValidationException
from ..intake import takes_frames

__all__ = ["SemanticEvaluation", "evaluate_semantic"]

Maps: TypeAlias = "pd.DataFrame | Iterable[tuple[str, NDArray[Any]]]"


@takes_frames(only=False, labels="label_id", predictions="prediction_id", images="image_id", classes="class_id")
def evaluate_semantic(
    labels: Maps,
    predictions: Maps,
    images: pd.DataFrame | None = None,
    classes: pd.DataFrame | Sequence[str] | None = None,
) -> SemanticEvaluation:
    """Compare class maps pixel by pixel.

    Parameters
    ----------
    labels, predictions : pandas.DataFrame, or iterable of (str, numpy.ndarray)
        Frames as :func:`hastyframe.flatten` paints them, with ``image_id`` and ``class_name``; or class maps as it
        yields them: ids of images and arrays (height, width) of whole numbers, 0 for background, 1 for the first class.
        Both sides have the same images in the same order.
    images : pandas.DataFrame, optional
        Indexed by ``image_id``, with ``width`` and ``height``; needed for frames.
    classes : pandas.DataFrame or sequence of str, optional
        Label classes with ``name``, or names, in the order of the maps' numbers; needed for class maps. All classes of
        both frames if not given.

    Returns
    -------
    SemanticEvaluation

    Raises
    ------
    ValidationException
        Maps of different images or shapes, a number that is not a class, what :func:`hastyframe.flatten` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> import hastyframe as hf
    >>> truth = [("a", np.array([[1, 1, 2], [0, 0, 2]]))]
    >>> found = [("a", np.array([[1, 1, 1], [0, 2, 2]]))]
    >>> hf.evaluate_semantic(truth, found, classes=["cat", "dog"]).per_class().round(2)
                 iou  accuracy  precision  labelled  predicted
    class_name
    background  0.50       0.5       1.00         2          1
    cat         0.67       1.0       0.67         2          3
    dog         0.33       0.5       0.50         2          2
    """
    names = _names(labels, predictions, classes)
    sides = (_maps(labels, images, names), _maps(predictions, images, names))
    size = len(names) + 1
    table = np.zeros(size * size, np.int64)
    for (image, truth), (other, found) in _in_step(*sides):
        if image != other or truth.shape != found.shape:
            raise ValidationException(
                f"The maps do not go together: {image!r} of shape {truth.shape} and {other!r} of {found.shape}."
            )
        for what, pixels in (("labels", truth), ("predictions", found)):
            if pixels.size and not (pixels.min() >= 0 and pixels.max() < size):
                raise ValidationException(
                    f"The {what} of image {image!r} have numbers from {pixels.min()} to {pixels.max()}; there are "
                    f"{len(names)} classes, and 0."
                )
        table += np.bincount(truth.reshape(-1).astype(np.int64) * size + found.reshape(-1), minlength=size * size)
    return SemanticEvaluation(table.reshape(size, size), ["background", *names])


class SemanticEvaluation:
    """What came of :func:`evaluate_semantic`."""

    def __init__(self, counts: NDArray[np.int64], names: list[str]) -> None:
        self._counts = counts
        self._names = pd.Index(names)

    def __repr__(self) -> str:
        figures = self.summary()
        said = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
        return f"Evaluation of {self._counts.sum():,} pixels, {counted(len(self._names) - 1, 'class')}\n{said}"

    def confusion_matrix(self) -> pd.DataFrame:
        """Count pixels by their class and the class that was predicted.

        Returns
        -------
        pandas.DataFrame of int64, shape (K + 1, K + 1)
            Rows are the classes of labels, columns those of predictions, ``background`` first.
        """
        return pd.DataFrame(self._counts, self._names.rename("class_name"), self._names.rename("predicted_class_name"))

    def per_class(self) -> pd.DataFrame:
        """Return the figures of each class.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``class_name``: ``iou``, shared pixels over those that either side has; ``accuracy``, the share
            of the labelled pixels that were found; ``precision``, the share of the predicted ones that are right; and
            the pixels ``labelled`` and ``predicted``. NaN where nothing is to be divided.
        """
        shared, labelled, predicted = np.diag(self._counts), self._counts.sum(axis=1), self._counts.sum(axis=0)
        with np.errstate(invalid="ignore"):
            figures = {
                "iou": shared / (labelled + predicted - shared),
                "accuracy": shared / labelled,
                "precision": shared / predicted,
            }
        return pd.DataFrame(
            {**figures, "labelled": labelled, "predicted": predicted}, index=self._names.rename("class_name")
        )

    def summary(self) -> pd.Series[float]:
        """Return the figures of all classes together.

        Returns
        -------
        pandas.Series of float64
            ``pixel_accuracy``, the share of pixels that are right; ``mean_accuracy`` and ``mean_iou``, means over the
            classes that labels have, background included; ``frequency_weighted_iou``, weighted by labelled pixels.
        """
        each = self.per_class()
        each = each[each["labelled"] > 0]
        total = self._counts.sum()
        figures = {
            "pixel_accuracy": np.trace(self._counts) / total if total else np.nan,
            "mean_accuracy": each["accuracy"].mean(),
            "mean_iou": each["iou"].mean(),
            "frequency_weighted_iou": (each["iou"] * each["labelled"]).sum() / total if total else np.nan,
        }
        return pd.Series(figures, name="summary", dtype=float)


def _names(labels: Maps, predictions: Maps, classes: pd.DataFrame | Sequence[str] | None) -> list[str]:
    if isinstance(classes, pd.DataFrame):
        return [str(name) for name in classes["name"]]
    if classes is not None:
        return [str(name) for name in classes]
    if not (isinstance(labels, pd.DataFrame) and isinstance(predictions, pd.DataFrame)):
        raise ValidationException("Class maps hold numbers: give `classes`, the names that they stand for.")
    for frame in (labels, predictions):
        if "class_name" not in frame:
            raise ValidationException(f"The frame needs a column 'class_name'; it has {list(frame.columns)}.")
    found = [frame["class_name"].astype("category").cat.categories for frame in (labels, predictions)]
    return [str(name) for name in found[0].append(found[1]).unique()]


def _maps(side: Maps, images: pd.DataFrame | None, names: list[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    if not isinstance(side, pd.DataFrame):
        return iter(side)
    from ..labels import flatten

    if images is None:
        raise ValidationException("Frames are painted into their images: give `images` with width and height.")
    return flatten(side, images, pd.DataFrame({"name": names}))


def _in_step(one: Iterator[Any], other: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from zip(one, other, strict=True)
    except ValueError as error:
        if "argument" not in str(error):
            raise
        raise ValidationException("Labels and predictions have maps of different numbers of images.") from error
