"""Predictions against labels: what matches, and every measure of it as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..arguments import counted
from ..errors import ValidationException
from ..intake import takes_frames
from . import calibration, comparison, groups, matches, suspects, tables, tide
from .core import Core
from .door import predictions_in
from .figures import curves
from .groups import Of
from .inputs import Kind, Rule, read_inputs
from .protocol import protocol

if TYPE_CHECKING:
    from ..plotting.colours import Classes
    from ..plotting.picture import Pictures

__all__ = ["Evaluation", "evaluate"]


@takes_frames(labels="label_id", images="image_id")
def evaluate(
    labels: pd.DataFrame,
    predictions: Any,
    *,
    images: pd.DataFrame | None = None,
    iou: Kind = "bbox",
    iou_thresholds: ArrayLike | None = None,
    max_detections: Sequence[int] = (1, 10, 100),
    area_ranges: Mapping[str, tuple[float, float]] | None = None,
    rule: Rule = "center",
) -> Evaluation:
    """Compare predictions with labels, by COCO's protocol.

    Parameters
    ----------
    labels : pandas.DataFrame
        Indexed by ``label_id`` (or with it as a column): ``image_id``, ``class_name`` or ``class_id``, ``x_min``,
        ``y_min``, ``x_max``, ``y_max`` in pixels, whole or not, and where masks are compared ``mask``, ``polygon`` or
        ``parts`` (several rings), the first of them that a row has.
        ``iscrowd`` marks labels that stand for many objects: what matches them counts neither way. ``area`` decides
        which range of sizes a label belongs to; measured where it is missing. Other columns are carried along.
    predictions : pandas.DataFrame or object
        As `labels`, indexed by ``prediction_id``, with ``score``. Their area is measured. Or whatever
        :func:`hastyframe.as_predictions` takes: files, tables, results of models; their images are looked up in
        `images`, or among those of the labels, their classes among those of the labels.
    images : pandas.DataFrame, optional
        Indexed by ``image_id``: those that are evaluated, for :meth:`Evaluation.by` with their columns. All that
        labels or predictions are on if not given.
    iou : {"bbox", "mask"}
        What overlaps. Where masks are compared, outlines are painted, and so is a box that has nothing finer.
    iou_thresholds : array_like of float, shape (T,), optional
        From which overlap on a prediction can match a label, in (0, 1]; 0.5, 0.55, …, 0.95 by default.
    max_detections : sequence of int
        How many predictions count in an image and of a class, the best first. The greatest is that of all figures
        but the ``AR`` of the others.
    area_ranges : mapping of str to (float, float), optional
        Ranges of sizes, in square pixels, both ends included, the first for all. COCO's by default: ``all``,
        ``small`` up to 32², ``medium`` from there to 96², ``large`` from there on.
    rule : {"center", "coco"}
        Which pixels a polygon covers, see :func:`hastyframe.masks.polygon_to_rle`; ``"coco"`` paints as pycocotools
        does, and takes `images` with ``width`` and ``height``.

    Returns
    -------
    Evaluation

    Raises
    ------
    FrameError
        Names every row with a missing image or class, an image that is not in `images`, a box or a score that is not
        finite, a mask that does not fit its box, an id that is there twice.
    ValidationException
        A column that is missing, an argument that is none of the above.

    Warns
    -----
    EvaluationWarning
        If labels and predictions have no image or no class in common, classes that differ but for their spelling, or
        shares of images on one side; or if one side has only boxes where masks are compared.

    Notes
    -----
    Figures equal those of ``COCOeval`` in pycocotools to 1e-12, ties included: equal scores count in the order of
    images (by id: as numbers where all are whole numbers, else as texts), then of rows.

    Classes go by name where both frames have names, else by id. Ids are compared by value: 1, 1.0 and ``"1"`` are the
    same. A prediction of a class that no label has is a false
    positive in :meth:`Evaluation.match` and in the confusion matrix; no figure has a share in it, since there is no
    recall where nothing is to be found. That is what pycocotools does.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> box = ["x_min", "y_min", "x_max", "y_max"]
    >>> labels = pd.DataFrame({"image_id": ["a", "a", "b"], "class_name": ["cat", "dog", "cat"]}, ["l1", "l2", "l3"])
    >>> labels[box] = [[0, 0, 40, 40], [50, 0, 90, 40], [0, 0, 40, 40]]
    >>> found = pd.DataFrame({"image_id": ["a", "a"], "class_name": ["cat", "dog"]}, ["p1", "p2"])
    >>> found["score"] = [0.9, 0.8]
    >>> found[box] = [[0, 0, 40, 38], [70, 0, 110, 40]]
    >>> evaluation = hf.evaluate(labels, found)
    >>> evaluation.summary()[["AP50", "AR100"]].round(3).to_dict()
    {'AP50': 0.252, 'AR100': 0.25}
    >>> evaluation.matches[["prediction_id", "label_id", "class_name", "outcome"]]
      prediction_id label_id class_name outcome
    0            p1       l1        cat      tp
    1            p2      NaN        dog      fp
    2           NaN       l2        dog      fn
    3           NaN       l3        cat      fn
    """
    given = read_inputs(labels, predictions_in(predictions, labels, images, iou), images, iou, rule)
    return Evaluation(Core(given, protocol(iou_thresholds, max_detections, area_ranges)), iou)


class Evaluation:
    """What came of :func:`evaluate`: every result is a frame that joins with labels, predictions and images.

    Overlaps are computed once, when they are first needed; every method works on them.

    Attributes
    ----------
    labels, predictions, images : pandas.DataFrame
        What was evaluated, indexed by ``label_id``, ``prediction_id`` and ``image_id``.
    iou : {"bbox", "mask"}
        What was compared.
    """

    def __init__(self, core: Core, iou: Kind) -> None:
        self._core = core
        self.iou = iou
        self.labels = core.inputs.labels
        self.predictions = core.inputs.predictions
        self.images = core.inputs.images

    def __repr__(self) -> str:
        figures = self.summary()
        said = "  ".join(f"{name} {figures[name]:.3f}" for name in figures.index if name in _SAID)
        return f"{self._title()}\n{said}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self._title())}</p>{self.summary().to_frame().T.to_html(float_format='{:.3f}'.format)}"

    def _title(self) -> str:
        what = "boxes" if self.iou == "bbox" else "masks"
        sizes = {"prediction": self.predictions, "label": self.labels, "image": self.images}
        predictions, labels, images = (counted(len(frame), thing) for thing, frame in sizes.items())
        classes = counted(self._core.classes, "class")
        return f"Evaluation of {predictions} against {labels} on {images}, {classes}, by {what}"

    # Matches ----------------------------------------------------------------------------------------------------------

    @cached_property
    def matches(self) -> pd.DataFrame:
        """:meth:`match` at an overlap of 0.5, the predictions of every score."""
        return self.match()

    def match(self, iou: float = 0.5, score: float | None = None) -> pd.DataFrame:
        """Return what became of each prediction and each label.

        Parameters
        ----------
        iou : float
            From which overlap on a prediction can match, in (0, 1].
        score : float, optional
            Leave out predictions with a lower score; none, if not given.

        Returns
        -------
        pandas.DataFrame
            One row for each prediction, in their order, then one for each label that nothing found: ``prediction_id``
            and ``label_id`` (missing where there is none), ``image_id``, ``class_name`` (of both: COCO matches inside a
            class), ``predicted_class_name`` (missing for a missed label), ``score``, ``iou`` with the label that it
            matched, ``outcome``, and the label of whatever class that the prediction overlaps most:
            ``nearest_label_id``, ``nearest_class_name``, ``nearest_iou``.

            ``outcome`` is a category: ``tp``; ``fp``; ``fn``; ``ignored`` for predictions on a crowd or beyond the
            number that counts in an image. A crowd is no missed label.

        Raises
        ------
        ValidationException
            An `iou` that is none.

        Examples
        --------
        >>> matches = _example().match(iou=0.3)
        >>> matches.loc[matches["outcome"] == "tp", ["prediction_id", "label_id", "iou"]].round(2)
          prediction_id label_id   iou
        0            p1       l1  0.95
        1            p2       l2  0.33
        """
        return matches.matches(self._core, _overlap(iou), _least(score))

    def confusion_matrix(self, iou: float = 0.5, score: float | None = None) -> pd.DataFrame:
        """Count labels by their class and the class that was predicted for them.

        Here a prediction takes a label whatever the classes, which COCO's matching does not: the best prediction of an
        image takes the label that it overlaps most, then the next one of those that are left, and so on, all classes
        together. That is the rule of pycocotools with ``useCats = 0``; the counts on the diagonal can differ from the
        true positives of :meth:`match`.

        Parameters
        ----------
        iou, score : float
            As in :meth:`match`.

        Returns
        -------
        pandas.DataFrame of int64, shape (K + 1, K + 1)
            Rows are the classes of labels, columns those of predictions. The last row, ``background``, counts
            predictions that found no label, the last column labels that nothing found. What is ignored is left out.

        Examples
        --------
        >>> _example().confusion_matrix()
        predicted_class_name  cat  dog  background
        class_name
        cat                     1    0           1
        dog                     0    0           1
        background              0    1           0
        """
        return matches.confusion(self._core, _overlap(iou), _least(score))

    # Figures ----------------------------------------------------------------------------------------------------------

    def summary(self) -> pd.Series[float]:
        """Return the figures of COCO.

        Returns
        -------
        pandas.Series of float64
            ``AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl``; NaN where pycocotools says -1, because
            no label counts. With area ranges of your own a figure is called after its range, as ``AP_tiny``.

        Examples
        --------
        >>> _example().summary()[["AP", "AP50", "APm"]].round(3).to_dict()
        {'AP': 0.252, 'AP50': 0.252, 'APm': 0.252}
        """
        return pd.Series(tables.means(self._core.figures), index=self._core.protocol.figures, name="summary")

    def per_class(self) -> pd.DataFrame:
        """Return the figures of each class.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``class_name``: the figures of :meth:`summary`, which are the means of these without NaN, and
            counts: ``labels`` (that count) and ``predictions``, and ``tp``, ``fp`` and ``fn`` at an overlap of 0.5.

        Examples
        --------
        >>> _example().per_class()[["AP50", "labels", "predictions", "tp", "fp", "fn"]].round(3)
                     AP50  labels  predictions  tp  fp  fn
        class_name
        cat         0.505       2            1   1   0   1
        dog         0.000       1            1   0   1   1
        """
        return tables.per_class(self._core)

    def by(self, column: str | pd.Series[Any], of: Of | None = None) -> pd.DataFrame:
        """Return the figures for each value of a column.

        Overlaps are not computed again. For images nothing is even matched again.

        Parameters
        ----------
        column : str or pandas.Series
            A column of images, labels or predictions, the first of them that has it: ``dataset_name``, ``status``, an
            attribute. Or values of your own, indexed by ``image_id``, ``label_id`` or ``prediction_id``, such as
            ``pd.cut(hf.add_area(evaluation.labels)["area"], 5)``.
        of : {"images", "labels", "predictions"}, optional
            Which of them, where several have the column.

        Returns
        -------
        pandas.DataFrame
            Indexed by the values in order, what is missing last: the figures of :meth:`summary`, ``labels`` that count
            and ``predictions``.

            For a column of images these are the figures of their images alone. For a column of labels, labels with
            other values are ignored as COCO ignores those of other sizes: what matches them counts neither way, and
            what matches nothing is a mistake for every value, so that recalls compare better than precisions;
            ``predictions`` are those that matched. For a column of predictions, those with other values are left out.

        Raises
        ------
        ValidationException
            A column that is not there.

        Examples
        --------
        >>> evaluation = _example()
        >>> import pandas as pd
        >>> dataset = pd.Series({"a": "train", "b": "val"}, name="dataset_name").rename_axis("image_id")
        >>> evaluation.by(dataset)[["AP50", "labels", "predictions"]].round(3)
                      AP50  labels  predictions
        dataset_name
        train          0.5       2            2
        val            0.0       1            0
        """
        return groups.by(self._core, column, of)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision as pycocotools has it in ``eval["precision"]``.

        Shape (T, R, K, A, M): overlaps, 101 recalls, classes, area ranges, numbers of detections; -1 where no label
        counts.
        """
        return self._arrays[0]

    @property
    def recall(self) -> NDArray[np.float64]:
        """Recall as pycocotools has it in ``eval["recall"]``, shape (T, K, A, M)."""
        return self._arrays[1]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Scores from which on a recall is reached, as in ``eval["scores"]``, shape (T, R, K, A, M)."""
        return self._arrays[2]

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        core = self._core
        found = [
            curves(core.by_class.within(most), core.positives, core.protocol) for most in core.protocol.max_detections
        ]
        parts = [[np.stack(name) for name in zip(*each, strict=True)] for each in found]
        precision, recall, score = (np.moveaxis(np.stack(name), [1, 0], [-2, -1]) for name in zip(*parts, strict=True))
        return precision, recall, score

    # Curves -----------------------------------------------------------------------------------------------------------

    def pr_curve(self, iou: float = 0.5) -> pd.DataFrame:
        """Return precision over recall for each class that has labels.

        Parameters
        ----------
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            ``class_name``, ``recall`` (0, 0.01, …, 1), ``precision`` (the greatest at this recall or beyond; its mean
            is the class's AP) and ``score`` from which on the recall is reached, NaN where it is not.

        Examples
        --------
        >>> curve = _example().pr_curve()
        >>> curve.groupby("class_name", observed=True)["precision"].mean().round(3).to_dict()
        {'cat': 0.505, 'dog': 0.0}
        """
        return tables.pr_curve(self._core, _overlap(iou))

    def f1_curve(self, iou: float = 0.5) -> pd.DataFrame:
        """Return precision, recall and F1 over the score from which on predictions are kept.

        Parameters
        ----------
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            A row for each class that has labels and each score that one of its predictions has, from the highest
            down: ``class_name``, ``score``, ``precision``, ``recall``, ``f1`` = 2 tp / (2 tp + fp + fn).

        Examples
        --------
        >>> _example().f1_curve().round(3)
          class_name  score  precision  recall     f1
        0        cat    0.9        1.0     0.5  0.667
        1        dog    0.8        0.0     0.0  0.000
        """
        return tables.f1_curve(self._core, _overlap(iou))

    def best_thresholds(self, iou: float = 0.5) -> pd.DataFrame:
        """Return the score from which on predictions of each class are best kept.

        Parameters
        ----------
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``class_name``, classes with labels: ``score`` with the greatest ``f1`` (of equals the highest),
            and ``precision``, ``recall`` and ``f1`` there. Without predictions ``score`` and ``precision`` are NaN.

        Examples
        --------
        >>> _example().best_thresholds().loc["cat", "score"]
        np.float64(0.9)
        """
        return tables.best_thresholds(self._core, _overlap(iou))

    # Mistakes ---------------------------------------------------------------------------------------------------------

    def errors(self, iou: float = 0.5) -> pd.DataFrame:
        """Return how many mistakes there are of each kind, and what each kind costs.

        Parameters
        ----------
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``error``: the six kinds of TIDE, then ``fp`` and ``fn``; ``count``, and ``cost``: how much
            greater the average precision at `iou` would be without them.

            ===============  ========================================================================================
            classification   would match a label of another class
            localisation     overlaps a label of its class by 0.1 or more, not enough to match
            both             neither class nor place is right, and it lies on something
            duplicate        would match a label of its class that a better prediction took
            background       overlaps nothing by more than 0.1
            missed           a label that no prediction took and no mistake of class or place was about
            fp, fn           all wrong predictions come last; all labels without prediction are left out
            ===============  ========================================================================================

        Notes
        -----
        After Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020. A mistake of
        class or place is corrected if it is the best one about its label, else left out; duplicates, background and
        both are left out; missed labels are left out. Figures are those of the package ``tidecv`` where it numbers
        every predicted class among those with labels: here, as everywhere, classes without labels have no share in
        the mean. As there, a prediction on a crowd is named a mistake of some kind, though it costs nothing.

        Examples
        --------
        >>> _example().errors().round(3).loc[["localisation", "missed"]]
                      count   cost
        error
        localisation      1  0.500
        missed            1  0.248
        """
        return tide.errors(self._core, _overlap(iou))

    def suspects(self, n: int | None = None, iou: float = 0.5) -> pd.DataFrame:
        """Return labels and predictions that are likely mistakes of labelling, the likeliest first.

        Parameters
        ----------
        n : int, optional
            How many; all by default.
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            ``kind``, ``image_id``, ``label_id``, ``prediction_id``, ``class_name`` of the label,
            ``predicted_class_name``, ``score``, ``iou`` and ``suspicion``, 0 to 1 for scores of 0 to 1:

            ==================  =============================================  ======================================
            kind                what                                           suspicion
            ==================  =============================================  ======================================
            missing label       a prediction that overlaps no label            score × (1 - iou)
            unfound label       a label that no prediction overlaps            recall of its class × (1 - iou)
            class disagreement  a prediction on a label of another class       score × iou
            shifted box         a prediction near a label of its class         score × (1 - iou)
            ==================  =============================================  ======================================

            The kinds are those of :meth:`errors`: background, missed, classification and localisation, of these two
            the best one about each label. Up to 0.1 counts as no overlap. It has ``image_id``, so that
            ``project.set_status(evaluation.suspects(100), "TO REVIEW")`` sends the images back to review.

        Examples
        --------
        >>> _example().suspects()[["kind", "label_id", "prediction_id", "suspicion"]].round(2)
                    kind label_id prediction_id  suspicion
        0    shifted box       l2            p2       0.53
        1  unfound label       l3           NaN       0.50
        """
        return suspects.suspects(self._core, _overlap(iou), n)

    # Scores and comparisons -------------------------------------------------------------------------------------------

    def calibration(self, bins: int = 10, iou: float = 0.5) -> pd.DataFrame:
        """Return whether scores mean what they say.

        Parameters
        ----------
        bins : int
            Into how many equal parts scores of 0 to 1 are divided.
        iou : float
            From which overlap on a prediction can match.

        Returns
        -------
        pandas.DataFrame
            A row a part: ``low`` and ``high`` (exclusive but for the last), ``count`` of the predictions that are right
            or wrong, their mean ``score`` and their ``precision``, the share that is right; NaN where there is none.

        Raises
        ------
        ValidationException
            Scores below 0 or above 1.

        Examples
        --------
        >>> _example().calibration(bins=2)
           low  high  count  score  precision
        0  0.0   0.5      0    NaN        NaN
        1  0.5   1.0      2   0.85        0.5
        """
        return calibration.calibration(self._core, bins, _overlap(iou))

    def calibration_error(self, bins: int = 10, iou: float = 0.5) -> float:
        """Return the expected calibration error: the mean distance between score and precision.

        Parameters
        ----------
        bins, iou
            As in :meth:`calibration`.

        Returns
        -------
        float
            Weighted by the number of predictions; NaN without predictions.

        Notes
        -----
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, with precision in the place of
        accuracy.

        Examples
        --------
        >>> round(_example().calibration_error(bins=2), 2)
        0.35
        """
        return calibration.expected_error(self.calibration(bins, iou))

    def compare(
        self, other: Evaluation, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
    ) -> pd.DataFrame:
        """Return how another evaluation of the same images differs, and how sure that is.

        Parameters
        ----------
        other : Evaluation
            Of the same images, with the same figures; other predictions, or other labels.
        resamples : int
            How often images are drawn with replacement.
        seed : int
            The same seed draws the same images.
        confidence : float
            Share of the differences that the interval holds.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``figure``: ``this``, ``other``, ``difference`` (other less this), and the percentile interval
            of the difference, ``low`` to ``high``. One that leaves out 0 is unlikely to be chance.

        Raises
        ------
        ValidationException
            Evaluations of different images or with different figures.

        Notes
        -----
        Both are measured on the same draws of images; nothing is matched again. Copies of an image stand next to each
        other where scores are equal.

        Examples
        --------
        >>> evaluation = _example()
        >>> evaluation.compare(evaluation, resamples=20).loc["AP"].round(3).to_dict()
        {'this': 0.252, 'other': 0.252, 'difference': 0.0, 'low': 0.0, 'high': 0.0}
        """
        return comparison.compare(self._core, other._core, resamples, seed, confidence)

    # The page ---------------------------------------------------------------------------------------------------------

    def to_html(
        self,
        path: str | PathLike[str],
        pictures: Pictures = None,
        *,
        classes: Classes = None,
        worst: int = 12,
        iou: float = 0.5,
        score: float | None = None,
        title: str = "Evaluation",
    ) -> None:
        """Write one page with the figures, tables that sort and filter, and the worst images with what went wrong.

        The page needs no other file and no network, and adapts to a dark scheme and to a phone. It needs the extra
        ``hastyframe[plot]`` to be written, nothing but a browser to be read.

        Parameters
        ----------
        path : str or Path
            The file to write, as ``evaluation.html``.
        pictures : str, Path, mapping or pandas.Series, optional
            Where the pictures are: the folder that :meth:`Project.download_images` wrote to, or by ``image_id`` a
            file or a picture. Without it the worst images are blank, and left out where their size is not known.
        classes : pandas.DataFrame or mapping of str to str, optional
            The label classes of the project with their colours, or a colour (``#rrggbb``) a name.
        worst : int
            How many images are shown: those with the most wrong predictions and missed labels.
        iou : float
            From which overlap on a prediction can match.
        score : float, optional
            From which score on predictions count on the images. By default where the mean F1 of the classes is best.
        title : str
            Stands above everything.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValidationException
            A picture that is not there, an argument that is none of the above.

        Examples
        --------
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "evaluation.html")
        >>> _example().to_html(path)
        >>> os.path.getsize(path) > 10_000
        True
        """
        from ..plotting.page import write_page

        write_page(
            self, path, pictures=pictures, classes=classes, worst=worst, iou=_overlap(iou), score=score, title=title
        )


_SAID = ("AP", "AP50", "AP75", "AR100")


def _overlap(iou: float) -> float:
    if not 0 < iou <= 1:
        raise ValidationException(f"iou is {iou!r}; it must be above 0 and at most 1.")
    return iou


def _least(score: float | None) -> float:
    return -float("inf") if score is None else score


def _example() -> Evaluation:
    """Make the evaluation that is the example of :func:`evaluate`."""
    box = ["x_min", "y_min", "x_max", "y_max"]
    labels = pd.DataFrame({"image_id": ["a", "a", "b"], "class_name": ["cat", "dog", "cat"]}, index=["l1", "l2", "l3"])
    labels[box] = [[0, 0, 40, 40], [50, 0, 90, 40], [0, 0, 40, 40]]
    found = pd.DataFrame(
        {"image_id": ["a", "a"], "class_name": ["cat", "dog"], "score": [0.9, 0.8]}, index=["p1", "p2"]
    )
    found[box] = [[0, 0, 40, 38], [70, 0, 110, 40]]
    return evaluate(labels, found)
