"""Tables of boxes: frames, dicts of columns, rows as dicts, CSV files, by the names that people give their columns."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import identity
from ..checks import Problems, as_lists
from ..errors import FormatError, ValidationException
from ..frames import BOX, MASK, POLYGON, arrow_array
from ..io import FormatWarning
from ..lists import ragged_of
from ..masks import polygon_bounds
from ..paths import reading
from ..warning import warn
from .arrays import as_numpy
from .frames import as_pandas
from .masks import Shapes
from .objects import Objects, blank

__all__ = ["BoxFormat", "boxes_from", "is_coco", "objects_in_table", "read_csv"]

BoxFormat: TypeAlias = Literal["xyxy", "xywh", "cxcywh"]

_IMAGE_IDS = ("image_id", "img_id")
_IMAGE_NAMES = ("image_name", "file_name", "filename", "image_path", "img_path", "path", "file")
_IMAGES = ("image", "img")
_CLASS_NAMES = ("class_name", "category_name", "label_name")
_CLASSES = ("label", "class", "category", "name")
_CLASS_IDS = ("class_id", "category_id")
_SCORES = ("score", "confidence", "conf", "prob", "probability")
_CORNERS: dict[tuple[str, ...], tuple[BoxFormat, ...]] = {
    BOX: ("xyxy",),
    ("xmin", "ymin", "xmax", "ymax"): ("xyxy",),
    ("x1", "y1", "x2", "y2"): ("xyxy",),
    ("x0", "y0", "x1", "y1"): ("xyxy",),
    ("left", "top", "right", "bottom"): ("xyxy",),
    ("cx", "cy", "w", "h"): ("cxcywh",),
    ("cx", "cy", "width", "height"): ("cxcywh",),
    ("xc", "yc", "w", "h"): ("cxcywh",),
    ("xc", "yc", "width", "height"): ("cxcywh",),
    ("x_center", "y_center", "w", "h"): ("cxcywh",),
    ("x_center", "y_center", "width", "height"): ("cxcywh",),
    ("center_x", "center_y", "width", "height"): ("cxcywh",),
    ("left", "top", "width", "height"): ("xywh",),
    ("x_min", "y_min", "width", "height"): ("xywh",),
    ("xmin", "ymin", "width", "height"): ("xywh",),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"): ("xywh",),
    ("x", "y", "w", "h"): ("xywh", "cxcywh"),
    ("x", "y", "width", "height"): ("xywh", "cxcywh"),
}
"""Columns of boxes, and what their names leave open; where that is two, the first holds unless another is said."""
_LISTS = ("bbox", "box", "bounding_box")
"""Columns that hold a whole box; their names do not say how."""
_TAKEN = {"polygon", "mask"}
_MISSING = ["", "nan", "NaN", "NA", "N/A", "None", "null", "NULL", "<NA>"]
_TEXT_COLUMNS = {*_IMAGE_IDS, *_IMAGE_NAMES, *_IMAGES, *_CLASS_NAMES, *_CLASSES, *_CLASS_IDS}


def read_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a CSV file: ids and names as the texts that stand there, numbers to the last digit.

    Parameters
    ----------
    path : path
        Commas, semicolons, tabs or bars between the columns, whose names are in the first line.
    """
    from pyarrow import csv as arrow_csv

    path = Path(path)
    with reading(path):
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                first = file.readline()
            separator = max(",;\t|", key=first.count)
            names = next(csv.reader([first], delimiter=separator), [])
            texts = [name for name in names if _plain(name) in _TEXT_COLUMNS]
            table = arrow_csv.read_csv(
                path,
                parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(texts, pa.string()), null_values=_MISSING
                ),
            )
        except (UnicodeDecodeError, pa.ArrowInvalid, csv.Error) as error:
            raise FormatError(str(path), "", f"it is no CSV: {error}", "Check what wrote the file") from None
    frame: pd.DataFrame = as_pandas(table)
    return frame.assign(**{name: frame[name].where(frame[name] != "", None) for name in texts})


def is_coco(frame: pd.DataFrame) -> bool:
    """Whether columns are the keys of COCO results, whose boxes are x, y, width and height.

    Examples
    --------
    >>> is_coco(pd.DataFrame(columns=["image_id", "category_id", "bbox", "score"]))
    True
    """
    return {"image_id", "category_id"} <= set(frame.columns) and bool({"bbox", "segmentation"} & set(frame.columns))


def objects_in_table(frame: pd.DataFrame, box_format: BoxFormat | None, what: str) -> Objects:
    """Read a table, a row an object.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns by any of the usual names, whatever their capitals.
    box_format : {"xyxy", "xywh", "cxcywh"}, optional
        What the numbers of a box are, where the names of the columns do not say.
    what : str
        What the table is called in an error.

    Raises
    ------
    ValidationException
        There is no column of images, of classes or of boxes; or their names contradict `box_format`.
    FrameError
        Names the rows that hold what is no number or no box.
    """
    if isinstance(frame.index, pd.MultiIndex) or _plain(frame.index.name) in _TEXT_COLUMNS:
        frame = frame.reset_index()
    columns = {_plain(name): name for name in reversed(frame.columns)}
    problems = Problems(frame)
    objects = blank(frame.index)
    used = _images(frame, columns, objects) | _classes(frame, columns, objects)
    objects.box, taken = _boxes(frame, columns, box_format, problems)
    used |= taken
    if score := next((columns[name] for name in _SCORES if name in columns), None):
        objects.score, used = _numbers(frame[score], problems), used | {score}
    _shapes(frame, objects, problems, what)
    problems.throw(what, "nothing was read")
    if "segmentation" in frame:
        warn(
            "The column 'segmentation' is carried along and not read: it is read beside COCO's image_id and "
            "category_id, and so is a column 'polygon' of lists of [x, y].",
            FormatWarning,
        )
    more = [name for name in frame if name not in used and name not in _TAKEN]
    objects.more = {name: frame[name].array for name in more}
    return objects


def _plain(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_").replace("bbox.", "").replace("box.", "")


def _images(frame: pd.DataFrame, columns: Mapping[str, Any], objects: Objects) -> set[Any]:
    """Read which image each row is on; return the columns that say it."""
    ids, names = _first(columns, _IMAGE_IDS), _first(columns, _IMAGE_NAMES)
    either = _first(columns, _IMAGES)
    if ids is None and names is None and either is None:
        raise ValidationException(
            "There is no column that says which image a row is on: call it image_id, file_name or image. There are "
            f"{list(frame.columns)}."
        )
    for name, fields in (
        (ids, ["image_id"]),
        (names, ["image_name"]),
        (either if ids is None and names is None else None, ["image_id", "image_name"]),
    ):
        for field in fields if name is not None else ():
            column = _without_paths(frame[name])
            setattr(objects, field, identity.texts(column, "id" if field == "image_id" else "name"))
    return {ids, names, either} - {None}


def _without_paths(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column whose paths are texts."""
    if column.dtype != object:
        return column
    return column.map(lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value)


def _classes(frame: pd.DataFrame, columns: Mapping[str, Any], objects: Objects) -> set[Any]:
    """Read which class each row is of; return the columns that say it."""
    names = [columns[name] for name in _CLASS_NAMES if name in columns]
    either = [columns[name] for name in _CLASSES if name in columns]
    ids = _first(columns, _CLASS_IDS)
    texts = [name for name in either if _holds_texts(frame[name])]
    named = next(iter(names + texts), None)
    numbered = ids if ids is not None else next((name for name in either if name not in {named, *texts}), None)
    if named is None and numbered is None:
        raise ValidationException(
            "There is no column that says which class a row is of: call it class_name, class_id, label or class. There "
            f"are {list(frame.columns)}."
        )
    if named is not None:
        objects.class_name = identity.texts(frame[named], "name")
    if numbered is not None:
        objects.class_id = identity.texts(frame[numbered])
    elif named not in names:  # a text under 'label' may be an id as well
        objects.class_id = identity.texts(frame[named])
    return {named, numbered} - {None}


def _holds_texts(column: pd.Series[Any]) -> bool:
    """Whether a column holds names, and not numbers, be they written as texts."""
    texts = identity.texts(column, "name").unique().drop_null().to_pylist()
    return any(not text.lstrip("-").isdecimal() for text in texts)


def _first(columns: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((columns[name] for name in names if name in columns), None)


def _boxes(
    frame: pd.DataFrame, columns: Mapping[str, Any], box_format: BoxFormat | None, problems: Problems
) -> tuple[NDArray[np.float64], set[Any]]:
    for names, said in _CORNERS.items():
        if not columns.keys() >= set(names):
            continue
        if box_format is not None and box_format not in said:
            raise ValidationException(
                f"The columns {', '.join(names)} are {said[0]}, and box_format is {box_format!r}: leave out "
                "box_format, or rename the columns."
            )
        own = [columns[name] for name in names]
        numbers = np.column_stack([_numbers(frame[name], problems) for name in own])
        return boxes_from(numbers, box_format or said[0]), set(own)
    if (name := _first(columns, _LISTS)) is not None:
        in_coco = name == "bbox" and is_coco(frame)
        boxes, said_by_keys = _listed(frame[name], problems)
        default: BoxFormat = "xywh" if in_coco and not said_by_keys else "xyxy"
        if said_by_keys and box_format not in (None, "xyxy"):
            raise ValidationException(f"The boxes have x1, y1, x2, y2, and box_format is {box_format!r}: leave it out.")
        return boxes_from(boxes, box_format or default), {name}
    if not {"polygon", "mask"} & set(frame.columns):
        raise ValidationException(
            "There are no columns of boxes: x_min, y_min, x_max, y_max, or x1, y1, x2, y2, or x, y, width, height, or "
            f"cx, cy, w, h, or bbox. There are {list(frame.columns)}."
        )
    return np.full((len(frame), 4), np.nan), set()


def boxes_from(numbers: NDArray[np.float64], box_format: BoxFormat) -> NDArray[np.float64]:
    """Bring boxes to corners.

    Parameters
    ----------
    numbers : numpy.ndarray of float64, shape (n, 4)
        What `box_format` says.
    box_format : {"xyxy", "xywh", "cxcywh"}
        Two corners; a corner, width and height; the center, width and height.

    Examples
    --------
    >>> boxes_from(np.array([[10.0, 10, 4, 2]]), "cxcywh").tolist()
    [[8.0, 9.0, 12.0, 11.0]]
    """
    if box_format == "xyxy":
        return numbers
    corner, side = numbers[:, :2], numbers[:, 2:]
    if box_format == "xywh":
        return np.concatenate([corner, corner + side], axis=1)
    return np.concatenate([corner - side / 2, corner + side / 2], axis=1)


_BOX_KEYS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), BOX)


def _listed(column: pd.Series[Any], problems: Problems) -> tuple[NDArray[np.float64], bool]:
    """Boxes of a column of lists, of texts of lists, or of dicts whose keys say what they are, as ultralytics has."""
    there = column.notna().to_numpy()
    values = arrow_array(column).to_pylist() if isinstance(column.dtype, pd.ArrowDtype) else column.tolist()
    keys = next((keys for keys in _BOX_KEYS if there.any() and _has(values[int(np.argmax(there))], keys)), None)
    read = _from_text if isinstance(column.dtype, pd.StringDtype) else _from_any
    boxes, wrong = np.full((len(values), 4), np.nan), np.zeros(len(values), bool)
    found = [None if not here else read(value, keys) for value, here in zip(values, there.tolist(), strict=True)]
    for row, box in enumerate(found):
        wrong[row] = there[row] and box is None
    rows = np.flatnonzero(there & ~wrong)
    boxes[rows] = np.array([found[row] for row in rows.tolist()], np.float64).reshape(-1, 4)
    problems.add(str(column.name), wrong, "A box is a list of four numbers.", column)
    return boxes, keys is not None


def _has(value: Any, keys: tuple[str, ...]) -> bool:
    return isinstance(value, Mapping) and value.keys() >= set(keys)


def _from_any(value: Any, keys: tuple[str, ...] | None) -> Any:
    if isinstance(value, str):
        return _from_text(value, None)
    if keys is not None:
        value = [value[key] for key in keys] if _has(value, keys) else None
    try:
        box = as_numpy(value)
    except ValidationException:
        return None
    return box if box.shape == (4,) and box.dtype.kind in "iuf" else None


def _from_text(value: str, _: Any) -> list[float] | None:
    words = value.strip("[]() ").replace(",", " ").replace(";", " ").split()
    try:
        return list(map(float, words)) if len(words) == 4 else None
    except ValueError:
        return None


def _numbers(column: pd.Series[Any], problems: Problems) -> NDArray[np.float64]:
    """Numbers of a column, NaN where there is none."""
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        found = pd.to_numeric(column.map(_item, na_action="ignore"), errors="coerce")
    else:
        found = pd.to_numeric(column, errors="coerce")
    numbers: NDArray[np.float64] = found.to_numpy(dtype=float, na_value=np.nan)
    wrong = (np.isnan(numbers) & column.notna().to_numpy()) | np.isinf(numbers)
    problems.add(str(column.name), wrong, "It must be a finite number.", column)
    return numbers


def _item(value: Any) -> Any:
    """Return a number that may be an array of one, as tensors in columns are."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return as_numpy(value).item() if hasattr(value, "ndim") and not isinstance(value, np.generic) else value


def _shapes(frame: pd.DataFrame, objects: Objects, problems: Problems, what: str) -> None:
    """Read polygons and masks, as our frames have them, or as texts of lists."""
    if "polygon" in frame and frame["polygon"].notna().any():
        column = as_lists(_parsed(frame["polygon"], problems), pd.ArrowDtype(POLYGON), problems)
        problems.throw(what, "nothing was read")
        objects.polygon = arrow_array(column).cast(POLYGON)
        lacking = np.flatnonzero(np.isnan(objects.box).all(axis=1) & column.notna().to_numpy())
        if len(lacking):
            objects.box[lacking] = polygon_bounds(column.iloc[lacking])
    if "mask" in frame and frame["mask"].notna().any():
        column = as_lists(_parsed(frame["mask"], problems), pd.ArrowDtype(MASK), problems)
        problems.throw(what, "nothing was read")
        runs, there = ragged_of(column, MASK)
        whole = (objects.box == np.rint(objects.box)).all(axis=1)
        problems.add("mask", there & ~whole, "A mask stands in a box of whole pixels.", column)
        problems.throw(what, "nothing was read")
        objects.shapes = Shapes(runs, np.where(there[:, None], objects.box, 0).astype(np.int64), there, None)


def _parsed(column: pd.Series[Any], problems: Problems) -> pd.Series[Any]:
    """Read texts of lists."""
    if not isinstance(column.dtype, pd.StringDtype) and not column.map(lambda value: isinstance(value, str)).any():
        return column
    values, wrong = [], np.zeros(len(column), bool)
    for row, value in enumerate(column.tolist()):
        try:
            values.append(json.loads(value) if isinstance(value, str) else value)
        except ValueError:
            values.append(None)
            wrong[row] = True
    problems.add(str(column.name), wrong, "It must be a list, or the text of one.", column)
    return pd.Series(values, index=column.index, name=column.name, dtype=object)
