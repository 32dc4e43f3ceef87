"""Whatever a model leaves behind as a predictions frame, and whatever holds labels as a labels frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import frames, identity
from ..arguments import check_flag, check_number
from ..entities import Entity, Label, Prediction
from ..errors import FrameError, Problem, ValidationException
from ..frames import BOX, MASK
from ..io import FormatWarning
from ..warning import warn
from .objects import Objects, without_shapes
from .places import Classes, Images, Placed
from .results import Options
from .sources import is_list, objects_in
from .tables import BoxFormat

__all__ = ["as_labels", "as_predictions", "predictions_on"]


def as_predictions(
    source: Any,
    *,
    images: Any = None,
    classes: Any = None,
    box_format: BoxFormat | None = None,
    normalized: bool = False,
    masks: bool = True,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Return whatever a model leaves behind as a predictions frame.

    Parameters
    ----------
    source : object
        One of these:

        - a CSV, Parquet or Feather file, a frame of any library, a dict of columns, a list of dicts; with columns of
          images (``image_id``, ``file_name``, ``image``, ``path``, …), of classes (``class_name``, ``label``,
          ``category_id``, …), of scores (``score``, ``confidence``, …) and of boxes (``x_min`` …, ``x1`` …,
          ``left, top, right, bottom``, ``x, y, w, h``, ``cx, cy, w, h``, ``bbox``, …)
        - COCO results: a JSON file, a list of dicts
        - a folder or archive of YOLO label files with scores
        - a result of ultralytics, supervision, torchvision, transformers (post-processed), detectron2 or mmdetection,
          on whatever device; several of them, in a list or one by one; or a dict of image to result
    images : pandas.DataFrame, LabelSet, list, or str, optional
        The images that there are: ``project.get_images()``, or the label set that the model was fed. They are found by
        id, or by file name with or without folders. Of results that do not say which image they are of, a list of ids
        or names, one a result, says it; so does a frame of as many rows. Of a folder of YOLO it can be that of the
        pictures.
    classes : list of str, mapping, pandas.DataFrame or LabelSet, optional
        What the numbers of a model mean: names in their order, or a dict of number to name (or of the model's name to
        yours). Or the classes that there are, ``project.get_label_classes()``, which are found by id or name. By
        default the names that the results carry, and the classes of `images`, if that is a label set.
    box_format : {"xyxy", "xywh", "cxcywh"}, optional
        What the four numbers of a box are: two corners (the default); a corner, width and height; the center, width and
        height. Names of columns that say it need nothing, nor do results of a library.
    normalized : bool
        Whether boxes and polygons are shares of width and height, which `images` has to have then.
    masks : bool
        Whether masks and outlines are wanted. Where an object has a mask, the box is that of its pixels; without masks
        all boxes are the model's own, to the last digit.
    threshold : float
        Above which probability a pixel belongs to the object, if masks are probabilities.

    Returns
    -------
    pandas.DataFrame
        As of :func:`hastyframe.read_coco_detections`: indexed by ``prediction_id``, with ``image_id``, ``image_name``,
        ``class_id``, ``class_name``, the box, ``polygon``, ``mask`` and ``score``. Further columns come behind.

    Raises
    ------
    FrameError
        Names every row whose image or class is not found, with the nearest that there are, or is found several times;
        boxes that are inside out; masks of another size than their image.
    ValidationException
        What is given is none of the above; a column is missing.

    Warns
    -----
    FormatWarning
        If all coordinates lie between 0 and 1.

    See Also
    --------
    as_labels : The same for labels, which have no scores.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> images = pd.DataFrame({"name": ["a.jpg", "b.jpg"]}, index=pd.Index(["i1", "i2"], name="image_id"))
    >>> result = {"boxes": np.array([[0, 0, 8, 4.5]]), "scores": np.array([0.9]), "labels": np.array([1])}
    >>> found = hf.as_predictions({"photos/b.jpg": result}, images=images, classes=["cat", "dog"])
    >>> found[["image_id", "class_name", "x_max", "y_max", "score"]].to_dict("records")
    [{'image_id': 'i2', 'class_name': 'dog', 'x_max': 8.0, 'y_max': 4.5, 'score': 0.9}]
    >>> rows = pd.DataFrame({"file": ["b.jpg"], "x": 0, "y": 0, "w": 8, "h": 4.5, "conf": 0.9, "label": "dog"})
    >>> hf.as_predictions(rows, images=images)[["image_id", "x_max", "score"]].to_dict("records")
    [{'image_id': 'i2', 'x_max': 8.0, 'score': 0.9}]
    """
    options = _options(box_format, normalized, masks, threshold)
    return _frame(Prediction, source, images, classes, options, normalized)


def as_labels(
    source: Any,
    *,
    images: Any = None,
    classes: Any = None,
    box_format: BoxFormat | None = None,
    normalized: bool = False,
    masks: bool = True,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Return whatever holds labels as a labels frame.

    Parameters
    ----------
    source, images, classes, box_format, normalized, masks, threshold
        As of :func:`as_predictions`; scores are not needed, and left out. COCO instances are taken as well, and the
        targets of torchvision's data sets.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``label_id``: the ids that the source has, else numbers from 1. The columns are those of labels
        frames.

    Raises
    ------
    FrameError, ValidationException
        As :func:`as_predictions`.

    Examples
    --------
    >>> import hastyframe as hf
    >>> labels = hf.as_labels([{"image": "a.jpg", "label": "cat", "bbox": [4, 2, 8, 4]}], box_format="xywh")
    >>> labels[["image_id", "class_name", "x_min", "x_max"]].to_dict("records")
    [{'image_id': 'a.jpg', 'class_name': 'cat', 'x_min': 4.0, 'x_max': 12.0}]
    """
    options = _options(box_format, normalized, masks, threshold)
    return _frame(Label, source, images, classes, options, normalized)


def predictions_on(labels: pd.DataFrame, source: Any, images: pd.DataFrame | None, *, masks: bool) -> pd.DataFrame:
    """Return what a model leaves behind as predictions on the images of some labels, and of their classes.

    Parameters
    ----------
    labels : pandas.DataFrame
        Their images are looked up where `images` is None; their classes are known, beside which there may be others.
    source
        As of :func:`as_predictions`.
    images : pandas.DataFrame, optional
        All images.
    masks : bool
        Whether masks and outlines are wanted.
    """
    known = Images(_different(labels, "image_id", {"image_name": "name"}) if images is None else images,
                   complete=images is not None)  # fmt: skip
    by = "class_id" if "class_id" in labels and labels["class_id"].notna().all() else "class_name"
    table = _different(labels, by, {"class_name": "name"})
    classes = Classes(None, table if "name" in table or by == "class_id" else None, complete=False)
    objects = objects_in(source, None, known, classes, Options(None, masks, 0.5, "predictions"))
    return _assembled(Prediction, objects, known, classes, normalized=False)


def _different(labels: pd.DataFrame, by: str, more: Mapping[str, str]) -> pd.DataFrame:
    """Images or classes that labels have, by id."""
    if by not in labels:
        return pd.DataFrame(index=pd.Index([], dtype="str", name=by))
    columns = [by, *(name for name in more if name in labels and name != by)]
    found = labels.loc[labels[by].notna(), columns].astype(object).drop_duplicates(by)
    return found.set_index(by, drop=by not in more).rename(columns=more)


def _options(box_format: Any, normalized: Any, masks: Any, threshold: Any) -> Options:
    if box_format is not None and box_format not in get_args(BoxFormat):
        raise ValidationException(f'box_format is "xyxy", "xywh" or "cxcywh", not {box_format!r}.')
    check_flag(normalized, "normalized")
    return Options(box_format, check_flag(masks, "masks"), check_number(threshold, "threshold", least=0, most=1))


def _frame(
    entity: type[Entity], source: Any, images: Any, classes: Any, options: Options, normalized: bool
) -> pd.DataFrame:
    which = images if is_list(images) or isinstance(images, str | os.PathLike) else None
    known = Images(images if which is None else None)
    table = images if hasattr(images, "label_classes") else None
    looked_up = Classes(classes, table)
    objects = objects_in(source, which, known, looked_up, options)
    if not options.masks:
        objects = without_shapes(objects)
    return _assembled(entity, objects, known, looked_up, normalized=normalized)


# The frame ------------------------------------------------------------------------------------------------------------


def _assembled(
    entity: type[Entity], objects: Objects, images: Images, classes: Classes, *, normalized: bool
) -> pd.DataFrame:
    """Look up images and classes, check everything at once, and make the frame."""
    image = images.place(objects.image_id, objects.image_name, numbers=objects.numbers)
    klass = classes.place(objects.class_id, objects.class_name, numbers=objects.numbers)
    sizes = np.full((len(objects), 2), np.nan)
    if len(images.sizes):
        sizes = np.where((image.rows >= 0)[:, None], images.sizes[image.rows], np.nan)
    problems = [
        *_wrong("image", objects, image.wrong, objects.image_name, objects.image_id),
        *_wrong("class", objects, klass.wrong, objects.class_name, objects.class_id),
    ]
    if normalized and not objects.in_pixels:
        unsized = np.isnan(sizes).any(axis=1) & (image.rows >= 0) | (images.frame is None)
        problems += _each(
            "image", objects, unsized, image.ids.to_pylist(), "Shares need width and height of its image: give images=."
        )
        _scale(objects, sizes)
    problems += _wrong_shapes(objects, sizes)
    if problems:
        raise FrameError(_each_kind_first(problems), f"the {entity.plural}", "nothing was read")
    if not normalized and not objects.in_pixels:
        _warn_of_shares(objects.box[~objects.shapes.there])
    if entity is Prediction and len(objects) and np.isnan(objects.score).all():
        raise ValidationException(
            "There are no scores, which say how sure the model is. Take them as labels with hf.as_labels, or give all "
            "one, as with .assign(score=1.0)."
        )
    return _made(entity, objects, image, klass, classes)


def _each_kind_first(problems: list[Problem]) -> list[Problem]:
    """Put problems that are of one column and value behind the first of them: a message shows few."""
    again = pd.Series([(problem.column, repr(problem.value)) for problem in problems]).duplicated().tolist()
    return [problems[at] for at in np.argsort(again, kind="stable").tolist()]


def _wrong(column: str, objects: Objects, wrong: Mapping[int, str], *said: pa.Array) -> Iterator[Problem]:
    for row, remedy in wrong.items():
        value = next((values[row].as_py() for values in said if values[row].is_valid), None)
        yield Problem(column, objects.rows[row], value, remedy)


def _each(column: str, objects: Objects, bad: NDArray[np.bool_], values: Any, remedy: str) -> list[Problem]:
    rows = np.flatnonzero(bad).tolist()
    return [Problem(column, objects.rows[row], _value(values[row]), remedy) for row in rows]


def _value(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _wrong_shapes(objects: Objects, sizes: NDArray[np.float64]) -> list[Problem]:
    """Boxes that are none, and masks that were made for another size."""
    box, there = objects.box, objects.shapes.there
    lacking = np.isnan(box).any(axis=1) & ~there
    turned = (box[:, 2:] < box[:, :2]).any(axis=1) & ~there
    size = objects.size
    other = there & (size != sizes).any(axis=1) & ~np.isnan(size).any(axis=1) & ~np.isnan(sizes).any(axis=1)
    inside_out = (
        'It is inside out: x_max must not be less than x_min, nor y_max less than y_min. box_format="xywh" or "cxcywh" '
        "takes width and height."
    )
    return [
        *_each("bbox", objects, lacking, box, "It needs a box of four finite numbers, a polygon or a mask."),
        *_each("bbox", objects, turned, box, inside_out),
        *_each("mask", objects, other, size, "Its height and width are not those of its image: scale the masks to it."),
    ]


def _scale(objects: Objects, sizes: NDArray[np.float64]) -> None:
    """Bring shares of width and height to pixels."""
    objects.box = objects.box * sizes[:, [1, 0, 1, 0]]
    points = objects.polygon
    if points.null_count < len(points):
        lengths = points.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        flat = points.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
        flat = (flat * np.repeat(sizes[:, [1, 0]], lengths, axis=0)).reshape(-1)
        vertices = pa.FixedSizeListArray.from_arrays(pa.array(flat), 2)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        objects.polygon = pa.ListArray.from_arrays(offsets, vertices, mask=points.is_null()).cast(points.type)


def _warn_of_shares(box: NDArray[np.float64]) -> None:
    known = box[~np.isnan(box).any(axis=1)]
    if len(known) and known.min() >= 0 and known.max() <= 1:
        warn(
            "All coordinates lie between 0 and 1, as shares of width and height do, and are taken for pixels. If they "
            "are shares, give normalized=True, and images= with width and height.",
            FormatWarning,
        )


def _made(
    entity: type[Entity],
    objects: Objects,
    image: Placed,
    klass: Placed,
    classes: Classes,
) -> pd.DataFrame:
    index = _index(entity, objects)
    box, shapes = objects.box.copy(), objects.shapes
    box[shapes.there] = _stood_in(box, shapes.there, shapes.boxes, shapes.runs.lengths)
    mask = pa.ListArray.from_arrays(
        shapes.runs.offsets.astype(np.int32), pa.array(shapes.runs.values, pa.int32()), mask=pa.array(~shapes.there)
    )
    made = {
        "image_id": pd.array(image.ids, dtype="str"),
        "image_name": pd.array(image.names, dtype="str"),
        "class_id": pd.array(klass.ids, dtype="str"),
        "class_name": classes.categories(klass.names),
        **dict(zip(BOX, np.ascontiguousarray(box.T), strict=True)),
        "polygon": pd.array(objects.polygon, dtype=pd.ArrowDtype(objects.polygon.type)),
        "mask": pd.array(mask.cast(MASK), dtype=pd.ArrowDtype(MASK)),
        "score": objects.score,
    }
    declared, more = frames.dtypes(entity), dict(objects.more)
    nothing = frames.empty(entity)
    for name in declared:
        if name not in made:
            made[name] = more.pop(name) if name in more else nothing[name].reindex(range(len(objects))).array
    columns = {name: made[name] for name in declared}
    columns |= {name: values for name, values in more.items() if name not in made}
    return frames.conform(entity, pd.DataFrame(columns, index=index))


def _index(entity: type[Entity], objects: Objects) -> pd.Index[Any]:
    """Ids that the source has, else numbers."""
    name = entity.id_name
    if name in objects.more:
        return identity.as_index(pd.Index(objects.more.pop(name))).rename(name)
    if isinstance(objects.rows, pd.Index) and objects.rows.name == name:
        return identity.as_index(objects.rows).rename(name)
    first = int(entity is Label)
    return pd.Index(pa.array(np.arange(first, first + len(objects))).cast(pa.large_string()), dtype="str", name=name)


def _stood_in(
    box: NDArray[np.float64], there: NDArray[np.bool_], boxes: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Whole pixels that masks stand in; of a mask without pixels those around the object's box, at least one."""
    out = boxes[there].astype(np.float64)
    empty = (lengths[there] == 0) & (out[:, 2:] <= out[:, :2]).any(axis=1)
    low = np.floor(np.nan_to_num(box[there][empty][:, :2]))
    high = np.maximum(np.ceil(np.nan_to_num(box[there][empty][:, 2:])), low + 1)
    out[empty] = np.concatenate([low, high], axis=1)
    return out
