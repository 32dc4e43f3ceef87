"""What the kernels of :mod:`hastyframe.masks` compute, for whole labels frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import masks
from .bad_rows import naming_outlines
from .errors import ValidationException
from .frames import BOX, MASK, POLYGON, arrow_list
from .identity import as_index, as_series
from .intake import by_id, takes_frames, without_boxes
from .lists import for_kernels
from .painting import kinds, paint

__all__ = ["add_area", "clip_to_image", "find_duplicates", "fit_boxes", "flatten"]

_PAIRS_AT_ONCE = 1 << 22


@takes_frames(labels="label_id")
def add_area(labels: pd.DataFrame) -> pd.DataFrame:
    """Add a column ``area``: how large each label is.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels or predictions.

    Returns
    -------
    pandas.DataFrame
        A copy with ``area``, float64, in square pixels: of a mask its pixels, else of a polygon what it encloses,
        else of its box; NaN for a label that has none of them.

    Raises
    ------
    ValidationException
        A mask or a polygon is not valid; names the labels.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> labels = pd.DataFrame({"x_min": [0, 0], "y_min": [0, 0], "x_max": [4, 4], "y_max": [2, 2]})
    >>> labels["mask"] = [[1, 3], None]
    >>> hf.add_area(labels)["area"].tolist()
    [3.0, 8.0]
    """
    labels = _with_sides(labels)
    boxes = _boxes(labels)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kind = kinds(labels.reindex(columns=labels.columns.union(list(BOX)))).to_numpy()
    for name, measure in (("polygon", masks.polygon_area), ("parts", masks.polygon_area), ("mask", masks.area)):
        rows = np.flatnonzero(kind == name)
        if len(rows):
            with naming_outlines(labels):
                area[rows] = measure(for_kernels(labels[name].iloc[rows]))
    return labels.assign(area=area)


def fit_boxes(labels: pd.DataFrame) -> pd.DataFrame:
    """Set boxes from masks and polygons.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels or predictions; masks and polygons as lists or as geometry columns.

    Returns
    -------
    pandas.DataFrame
        A copy in which the box of a label with a mask is the smallest around its pixels, and of a label with a polygon
        the smallest of whole pixels around its vertices; other boxes stay. Masks are cut to the new boxes.

    Raises
    ------
    ValidationException
        A mask or a polygon is not valid; names the labels.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> hf.fit_boxes(pd.DataFrame({"polygon": [[[0.5, 1], [4, 1], [4, 2.2]]]})).iloc[0, 1:].tolist()
    [0.0, 1.0, 4.0, 3.0]
    """
    frame = _with_sides(without_boxes(labels))
    boxes = _boxes(frame)
    kind = kinds(_complete(frame)).to_numpy()
    out = frame.copy()
    for name in ("polygon", "parts"):
        rows = np.flatnonzero(kind == name)
        if len(rows):
            with naming_outlines(frame):
                around = masks.polygon_bounds(for_kernels(frame[name].iloc[rows]))
            boxes[rows] = np.hstack([np.floor(around[:, :2]), np.ceil(around[:, 2:])])
    rows = np.flatnonzero(kind == "mask")
    if len(rows):
        runs, boxes[rows] = masks.trim(for_kernels(frame["mask"].iloc[rows]), boxes[rows])
        out["mask"] = _replaced(frame["mask"], rows, runs.to_list(), MASK)
    return out.assign(**dict(zip(BOX, boxes.T, strict=True)))


@takes_frames(labels="label_id")
def find_duplicates(labels: pd.DataFrame, iou: float = 1.0, *, same_class: bool = True) -> pd.DataFrame:
    """Find labels of one image that lie on each other.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels with ``image_id``; masks, polygons and boxes are compared by the pixels that they cover.
    iou : float
        From which intersection over union on they are the same, in (0, 1].
    same_class : bool
        Whether only labels of one class can be the same.

    Returns
    -------
    pandas.DataFrame
        The rows of `labels` that lie on an earlier one that is not among them itself, with ``duplicate_of`` (the
        earlier one's index) and ``iou``. What remains without these rows has no duplicates, so that
        ``project.delete_labels(find_duplicates(labels))`` keeps the first of each.

    Raises
    ------
    ValidationException
        If `iou` is not in (0, 1], a column is missing, or a mask or a polygon is not valid.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> labels = pd.DataFrame({"image_id": ["a", "a", "b"], "class_name": "cat"})
    >>> labels[["x_min", "y_min", "x_max", "y_max"]] = [0, 0, 4, 4]
    >>> hf.find_duplicates(labels)["duplicate_of"].to_dict()
    {1: 0}
    """
    if not 0 < iou <= 1:
        raise ValidationException(f"iou is {iou!r}; it must be above 0 and at most 1.")
    _require(labels, "image_id")
    labels = _with_sides(labels)
    runs, boxes = paint(_complete(labels), _generous_sizes(labels), "the labels")
    runs, boxes = masks.trim(runs, boxes)
    group = _group(labels, same_class)
    found = [
        (left[same], right[same], overlap[same])
        for left, right in _meeting(boxes, group)
        for overlap in (masks.iou(runs, boxes, runs, boxes, pairs=(left, right)),)
        for same in (overlap >= iou,)
    ]
    first, second, overlap = (np.concatenate(part) for part in zip(*found, strict=True)) if found else ([], [], [])
    return _copies(labels, np.asarray(first, int), np.asarray(second, int), np.asarray(overlap, float))


@takes_frames(labels="label_id", images="image_id")
def clip_to_image(labels: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Cut labels to their images.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels with ``image_id``.
    images : pandas.DataFrame
        Indexed by ``image_id``, with ``width`` and ``height``.

    Returns
    -------
    pandas.DataFrame
        A copy whose boxes, polygons and masks end at the borders. Labels that lie outside altogether are left out;
        compare the index with that of `labels` to see which.

    Raises
    ------
    ValidationException
        If an image is not in `images` or has no size, or a mask or a polygon is not valid.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> images = pd.DataFrame({"width": [6], "height": [4]}, index=["a"])
    >>> labels = pd.DataFrame({"image_id": "a", "x_min": [4, 9], "y_min": [1, 9], "x_max": [8, 12], "y_max": [3, 12]})
    >>> hf.clip_to_image(labels, images)[["x_min", "x_max"]].to_dict("records")
    [{'x_min': 4.0, 'x_max': 6.0}]
    """
    sizes = _sizes(labels, by_id(images, "image_id", "images"))
    labels = _with_sides(labels)
    out = labels.copy()
    before = _boxes(labels)
    boxes = np.clip(before, 0, sizes[:, [1, 0, 1, 0]])
    inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) | np.isnan(boxes).any(axis=1)
    if "mask" in out:
        rows = np.flatnonzero(out["mask"].notna().to_numpy() & inside & (boxes != before).any(axis=1))
        if len(rows):
            cut = masks.crop(for_kernels(out["mask"].iloc[rows]), before[rows], boxes[rows])
            out["mask"] = _replaced(out["mask"], rows, cut.to_arrow().to_pylist(), MASK)
            inside[rows] = cut.lengths > 0
    if "polygon" in out:
        masked = out["mask"].notna().to_numpy() if "mask" in out else np.zeros(len(out), bool)
        rows = np.flatnonzero(out["polygon"].notna().to_numpy() & (inside | ~masked))
        if len(rows):
            with naming_outlines(labels):
                clipped = masks.clip_polygons(for_kernels(out["polygon"].iloc[rows]), sizes[rows])
            rings = _first_rings(clipped)
            out["polygon"] = _replaced(out["polygon"], rows, rings, POLYGON)
            lost = ~inside[rows]  # their boxes are beside them, or flat: what counts is the polygon
            boxes[rows[lost]] = masks.polygon_bounds(clipped)[lost]
            inside[rows] = [ring is not None for ring in rings]
    out[list(BOX)] = boxes
    return out[inside]


@takes_frames(labels="label_id", images="image_id", classes="class_id")
def flatten(labels: pd.DataFrame, images: pd.DataFrame, classes: pd.DataFrame | None = None) -> Iterator[Any]:
    """Paint the labels of each image into one class map.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels with ``image_id``, ``class_name`` and, where some lie on others, ``z_index``.
    images : pandas.DataFrame
        Indexed by ``image_id``, with ``width`` and ``height``.
    classes : pandas.DataFrame, optional
        Label classes with ``name``: the first is 1 in the map, the second 2. The categories of ``class_name`` if not
        given.

    Yields
    ------
    image_id : str
    class_map : numpy.ndarray of uint16, shape (height, width)
        Which class lies on top at each pixel, by ``z_index`` and, where that is equal, the later row; 0 where there
        is none. One image after the other, so that only one map is in memory.

    Raises
    ------
    ValidationException
        An image that is not in `images` or has no size, a class that is not among the classes.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe as hf
    >>> images = pd.DataFrame({"width": [3], "height": [2]}, index=["a"])
    >>> labels = pd.DataFrame({"image_id": ["a", "a"], "class_name": ["cat", "dog"], "z_index": [1, 0]})
    >>> labels[["x_min", "y_min", "x_max", "y_max"]] = [[0, 0, 2, 1], [0, 0, 3, 2]]
    >>> {key: class_map.tolist() for key, class_map in hf.flatten(labels, images)}
    {'a': [[1, 1, 2], [2, 2, 2]]}
    """
    _require(labels, "image_id", "class_name")
    labels = _with_sides(labels)
    if classes is not None:
        _require(classes, "name")
    names = labels["class_name"].astype("category").cat.categories if classes is None else classes["name"]
    number = pd.Index(names).get_indexer(labels["class_name"].astype(object)) + 1
    if (number == 0).any():
        row = labels.index[np.argmax(number == 0)]
        raise ValidationException(
            f"Label {row!r} has a class that is not among the classes: {labels['class_name'][row]!r}."
        )
    images = by_id(images, "image_id", "images")
    sizes = _sizes(labels, images)
    depth = labels["z_index"].fillna(0).to_numpy(dtype=float) if "z_index" in labels else np.zeros(len(labels))
    place = _places(labels, images)
    order = np.lexsort([depth, place])
    ends = np.searchsorted(place[order], np.arange(len(images) + 1))
    for image, (width, height) in enumerate(images[["width", "height"]].to_numpy(dtype=np.int64)):
        rows = order[ends[image] : ends[image + 1]]
        class_map = np.zeros((height, width), np.uint16)
        _stamp(class_map, _complete(labels.iloc[rows]), sizes[rows], number[rows])
        yield images.index[image], class_map


# Parts ----------------------------------------------------------------------------------------------------------------


def _stamp(
    class_map: npt.NDArray[np.uint16],
    labels: pd.DataFrame,
    sizes: npt.NDArray[np.float64],
    number: npt.NDArray[np.intp],
) -> None:
    """Paint labels one over the other into a class map: the last of them on top."""
    height, width = class_map.shape
    runs, boxes = paint(labels, sizes, "the labels")
    inside = masks.place(runs, boxes, (height, width))
    starts, lengths = inside.values[0::2].astype(np.int64) - 1, inside.values[1::2].astype(np.int64)
    owner = np.repeat(number, np.diff(inside.offsets) // 2)
    pixels = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    class_map.reshape(-1)[pixels] = np.repeat(owner, lengths)


def _meeting(
    boxes: npt.NDArray[np.int64], group: npt.NDArray[np.intp]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Pairs of rows of one group whose boxes meet, some at a time: a sweep from left to right over each group."""
    order = np.lexsort([boxes[:, 0], group])
    left, right = boxes[order, 0], boxes[order, 2]
    # One axis for all groups: each lies to the right of the ones before it.
    span = int(right.max(initial=0) - left.min(initial=0)) + 1
    shift = group[order].astype(np.int64) * span
    last = np.searchsorted(left + shift, right + shift, side="left")
    counts = np.maximum(last - np.arange(len(order)) - 1, 0)
    for rows in np.split(np.arange(len(order)), np.searchsorted(np.cumsum(counts), _steps(counts.sum()))):
        one = np.repeat(rows, counts[rows])
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
        one, other = order[one], order[other]
        meet = (boxes[one, 1] < boxes[other, 3]) & (boxes[other, 1] < boxes[one, 3])
        yield np.minimum(one, other)[meet], np.maximum(one, other)[meet]


def _steps(total: int) -> npt.NDArray[np.int64]:
    return np.arange(_PAIRS_AT_ONCE, max(total, 1), _PAIRS_AT_ONCE)


def _copies(
    labels: pd.DataFrame, first: npt.NDArray[Any], second: npt.NDArray[Any], overlap: npt.NDArray[np.float64]
) -> pd.DataFrame:
    """Of pairs of equals, keep each row that lies on one that stays."""
    original = np.full(len(labels), -1)
    value = np.full(len(labels), np.nan)
    # In the order of the rows: whether a row stays is known before any later row asks for it.
    for pair in np.lexsort([first, second]):
        one, other = first[pair], second[pair]
        if original[one] < 0 and original[other] < 0:
            original[other], value[other] = one, overlap[pair]
    rows = np.flatnonzero(original >= 0)
    return labels.iloc[rows].assign(duplicate_of=labels.index[original[rows]], iou=value[rows])


def _group(labels: pd.DataFrame, same_class: bool) -> npt.NDArray[np.intp]:
    keys = ["image_id"]
    if same_class:
        keys += [column for column in ("class_id", "class_name") if column in labels][:1]
    return labels.groupby(keys, observed=True, dropna=False, sort=False).ngroup().to_numpy()


def _boxes(labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    return labels.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan).copy()


def _with_sides(labels: pd.DataFrame) -> pd.DataFrame:
    """Turn a column of boxes ``[x_min, y_min, x_max, y_max]``, as dicts of the API have them, into the four columns."""
    if "bbox" not in labels or set(BOX) & set(labels.columns):
        return labels
    boxes = np.full((len(labels), len(BOX)), np.nan)
    for row in np.flatnonzero(labels["bbox"].notna().to_numpy()).tolist():
        given = labels["bbox"].iloc[row]
        try:
            boxes[row] = np.asarray(given, float).reshape(len(BOX))
        except (TypeError, ValueError):
            name = labels.index[row]
            problem = f"The bbox of {name!r} is {given!r}; it must be [x_min, y_min, x_max, y_max]."
            raise ValidationException(problem) from None
    return labels.drop(columns="bbox").assign(**dict(zip(BOX, boxes.T, strict=True)))


def _complete(labels: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in (*BOX, "polygon", "mask") if column not in labels]
    return labels.assign(**dict.fromkeys(missing, np.nan))


def _require(frame: pd.DataFrame, *columns: str) -> None:
    for column in columns:
        if column not in frame:
            raise ValidationException(f"The frame needs a column {column!r}; it has {list(frame.columns)}.")


def _sizes(labels: pd.DataFrame, images: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Height and width of each label's image."""
    _require(labels, "image_id")
    _require(images, "width", "height")
    place = _places(labels, images)
    if (place < 0).any():
        bad = labels["image_id"].iloc[int(np.argmax(place < 0))]
        raise ValidationException(f"The image {bad!r} is not among the images.")
    sizes = images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[place]
    if np.isnan(sizes).any():
        bad = labels["image_id"].iloc[int(np.argmax(np.isnan(sizes).any(axis=1)))]
        raise ValidationException(f"The image {bad!r} has no width and height.")
    return sizes


def _places(labels: pd.DataFrame, images: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Where among the images that of each label is, -1 for none; ids are compared by value."""
    ids = as_index(images.index)
    if not ids.is_unique:
        raise ValidationException(f"The image {ids[ids.duplicated()][0]!r} stands in the images more than once.")
    return ids.get_indexer(pd.Index(as_series(labels["image_id"])))


def _generous_sizes(labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Sizes that cut nothing off; what lies left of or above the origin is no part of any image."""
    return np.full((len(labels), 2), float(np.iinfo(np.int32).max // 2))


def _replaced(column: pd.Series[Any], rows: npt.NDArray[np.intp], values: list[Any], type_: Any) -> pd.Series[Any]:
    """Put lists into some rows of a column, which stays Arrow lists where it was."""
    objects = column.astype(object).copy()
    new = np.empty(len(rows), dtype=object)
    new[:] = values
    objects.iloc[rows] = new
    return arrow_list(objects, pd.ArrowDtype(type_)) if isinstance(column.dtype, pd.ArrowDtype) else objects


def _first_rings(clipped: masks.Polygons) -> list[Any]:
    """Return the ring of each object, None where nothing is left."""
    counts = np.diff(clipped.offsets)
    return [
        clipped.points[clipped.rings[first] : clipped.rings[first + 1]].tolist() if count else None
        for first, count in zip(clipped.offsets[:-1], counts, strict=True)
    ]
