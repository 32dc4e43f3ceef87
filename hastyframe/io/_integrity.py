"""The integrity of label sets: all columns, ids beside names, and references to rows that exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hastyframe.identity import as_index, as_series

from .. import frames
from ..arguments import a, counted, shown
from ..entities import STATUSES, Entity
from ..errors import ValidationException
from ._fingerprint import all_different
from ._lists import KEPT

if TYPE_CHECKING:
    from .label_set import LabelSet

__all__ = ["category", "check_integrity", "check_label_set", "complete", "nothing", "rows_by_value", "rows_in"]


def check_integrity(given: dict[str, tuple[type[Entity], pd.DataFrame | None]]) -> dict[str, pd.DataFrame | None]:
    """Complete the frames of a label set and check that they refer to each other.

    Parameters
    ----------
    given : dict
        For each frame by name its entity and the frame, None where there is none.

    Returns
    -------
    dict
        The frames by name, with all columns of their entities first.
    """
    out = {name: None if frame is None else complete(entity, frame) for name, (entity, frame) in given.items()}
    images, labels, classes = out["images"], out["labels"], out["label_classes"]
    if images is None or labels is None or classes is None:
        raise ValidationException("A label set has images, labels and label_classes; an empty frame will do.")
    for frame, what in ((images, "image"), (classes, "label class")):
        if (nameless := frame["name"].isna()).any():
            raise ValidationException(f"The {what} {frame.index[nameless][0]!r} has no name: give it one.")
    if (twice := classes["name"].duplicated()).any():
        raise ValidationException(f"Two label classes are called {classes['name'][twice].iloc[0]!r}: rename one.")
    labels["class_name"] = category(labels["class_name"])
    for column in labels.columns.intersection(list(KEPT)):
        labels[column] = _kept(labels[column])
    _refer(labels, "image_id", images, "images")
    _name(labels, "class", classes, "label_classes")
    images["dataset_name"] = category(images["dataset_name"])
    images["status"] = category(images["status"], STATUSES)
    if (values := out["label_attributes"]) is not None:
        if (attributes := out["attributes"]) is None:
            raise ValidationException("label_attributes come with attributes: give that frame as well.")
        values["attribute_name"] = category(values["attribute_name"])
        _refer(values, "label_id", labels, "labels")
        _name(values, "attribute", attributes, "attributes")
    if (tags := out["tags"]) is not None:
        _refer(tags, "image_id", images, "images")
        tags["tag_class_name"] = category(tags["tag_class_name"])
    return out


def check_label_set(value: Any, name: str) -> LabelSet:
    """Return a label set, and refuse anything else.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        What to call it in the message.
    """
    from .label_set import LabelSet

    if not isinstance(value, LabelSet):
        raise ValidationException(f"{name} is {shown(value)}; it must be a LabelSet, as hf.read_coco returns it.")
    return value


def _kept(column: pd.Series[Any]) -> pd.Series[Any]:
    """Check a column that remembers how a file wrote labels, and give it the type that readers gave it."""
    name = str(column.name)
    type_ = KEPT[name]
    try:
        if pa.types.is_integer(type_):
            return column.astype("Int64")
        if not isinstance(column.dtype, pd.ArrowDtype):
            column = frames.arrow_list(column, pd.ArrowDtype(type_))
        if column.dtype.pyarrow_dtype != type_:
            raise TypeError(f"it holds {column.dtype}")
        if name == "file_bbox" and pc.any(pc.not_equal(pc.list_value_length(frames.arrow_array(column)), 4)).as_py():
            raise ValueError("a box has four numbers")
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid, AttributeError) as error:
        raise ValidationException(f"Labels have a column {name!r} of another kind: {error}. Drop it.") from error
    return column


def complete(entity: type[Entity], frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame all columns of its entity, first and in order, and an index of texts."""
    dtypes = frames.dtypes(entity)
    refers = [name for name in dtypes if name.endswith("_id") and name in frame and name != "external_id"]
    frame = frame.assign(**{name: as_series(frame[name]) for name in refers if frame[name].dtype != "str"})
    try:
        frame = frames.conform(entity, frame)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationException(f"The {entity.plural} have a column that holds something else: {error}") from error
    columns = {name: frame[name] if name in frame else nothing(dtype, len(frame)) for name, dtype in dtypes.items()}
    columns |= {name: frame[name] for name in frame if name not in columns}
    frame = pd.DataFrame(columns, index=frame.index, copy=False)
    if isinstance(frame.index, pd.MultiIndex):
        raise ValidationException(f"The {entity.plural} have an index of several levels: give every row one id.")
    if frame.index.dtype != "str":
        frame.index = as_index(frame.index)
    if (missing := frame.index.isna()).any():
        row = int(np.argmax(missing))
        raise ValidationException(f"Row {row:,} of the {entity.plural} has no id in the index: give every row its own.")
    frame.index = frame.index.rename(entity.id_name)
    if not all_different(_texts(frame.index)):
        twice = frame.index[frame.index.duplicated()][0]
        raise ValidationException(f"Two {entity.plural} have the id {twice!r}: give every row its own.")
    return frame


def nothing(dtype: Any, rows: int) -> Any:
    """Make a column in which every value is missing."""
    if isinstance(dtype, pd.ArrowDtype):
        return pd.array(pa.nulls(rows, dtype.pyarrow_dtype), dtype=dtype)
    if isinstance(dtype, pd.StringDtype):
        return pd.array(pa.nulls(rows, pa.large_string()), dtype=dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(np.full(rows, -1), pd.Index([], dtype="str"))
    if dtype == np.dtype("float64"):
        return np.full(rows, np.nan)
    return pd.array([None] * rows, dtype=dtype)


def category(column: pd.Series[Any], known: Iterable[str] = ()) -> pd.Series[Any]:
    """Make a category column of texts: the known ones first, then those it has, and has had, besides."""
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    found = column.cat.categories if is_category else column.dropna().unique()
    texts = list(map(str, found))
    names = pd.Index(list(dict.fromkeys([*known, *texts])), dtype="str")
    if not is_category:
        return column.astype("str").astype(pd.CategoricalDtype(names))
    if found.dtype == names.dtype and names.equals(found):
        return column
    codes = np.append(names.get_indexer(pd.Index(texts, dtype="str")), -1)[column.cat.codes.to_numpy()]
    return pd.Series(pd.Categorical.from_codes(codes, names), column.index, name=column.name)


def rows_in(index: Any, values: Any) -> NDArray[np.int64]:
    """Row of each id in an index of texts, -1 where it is not there; by Arrow, which needs no Python objects.

    Whole numbers are found among numbers, which is quicker, if all texts of the index are the numbers that they say.
    """
    known = _texts(index)
    if isinstance(values, pa.Int64Array) and (numbers := _whole(known)) is not None:
        known = numbers
    else:
        values = _texts(values)
    rows = pc.index_in(values, value_set=known).fill_null(-1)
    return rows.to_numpy(zero_copy_only=False).astype(np.int64)


def rows_by_value(index: Any, ids: Any) -> NDArray[np.int64]:
    """Row of each id in an index, -1 where it is not there: as it is spelled, else by value.

    Parameters
    ----------
    index : pandas.Index of str
        No id twice.
    ids : pandas.Series or pandas.Index
        Of any dtype.

    Examples
    --------
    >>> rows_by_value(pd.Index(["2", "1"]), pd.Series([1.0, 2.0])).tolist()
    [1, 0]
    >>> rows_by_value(pd.Index(["1", "1.0"]), pd.Series(["1.0"])).tolist()
    [1]
    """
    rows = rows_in(index, ids) if ids.dtype == "str" else np.full(len(ids), -1)
    lost = (rows < 0) & ~np.asarray(ids.isna(), bool)
    if lost.any() and (known := as_index(index)).is_unique:
        rows[lost] = rows_in(known, as_index(pd.Index(ids[lost])))
    return rows


def _whole(texts: pa.LargeStringArray) -> pa.Int64Array | None:
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if numbers.cast(texts.type).equals(texts) else None


def _texts(values: Any) -> pa.Array:
    if isinstance(values, pa.Int64Array):
        return values.cast(pa.large_string())
    return frames.arrow_array(values, pa.large_string())


def _rows(flags: npt.NDArray[np.bool_]) -> str:
    count = int(flags.sum())
    return f"{counted(count, 'row')} {'has' if count == 1 else 'have'}"


def _refer(frame: pd.DataFrame, column: str, to: pd.DataFrame, what: str) -> None:
    """Check that every id of a column is in the index of another frame, and spell it as it is spelled there."""
    if (rows_in(to.index, frame[column]) >= 0).all():
        return
    rows = rows_by_value(to.index, frame[column])
    lost = rows < 0
    if lost.any():
        row = int(np.argmax(lost))
        raise ValidationException(
            f"{_rows(lost)} {a(column)} that is not in {what}; the first is row {frame.index[row]!r} "
            f"with {frame[column].iloc[row]!r}. Add the row to {what} or drop these."
        )
    frame[column] = to.index.take(rows).array


def _name(frame: pd.DataFrame, kind: str, to: pd.DataFrame, what: str) -> None:
    """Complete the ids of a frame with the names in another and the other way round; they may not disagree."""
    ids = frame[f"{kind}_id"]
    by_id = rows_by_value(to.index, ids)
    named = frame[f"{kind}_name"]
    by_name = np.append(rows_in(to["name"], named.cat.categories), -1)[named.cat.codes.to_numpy()]
    codes = np.where(ids.notna().to_numpy(dtype=bool), by_id, by_name)
    wrong = (codes < 0) | (named.notna().to_numpy(dtype=bool) & (codes != by_name))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValidationException(
            f"{_rows(wrong)} {a(kind)}_id or {kind}_name that is not in {what}, or two that are not of "
            f"one row there; the first is row {frame.index[row]!r} with {ids.iloc[row]!r} and "
            f"{named.iloc[row]!r}. Add it to {what}, or drop the column that is not meant."
        )
    frame[f"{kind}_id"] = to.index.take(codes).array
    frame[f"{kind}_name"] = pd.Categorical.from_codes(codes, pd.Index(to["name"]))
