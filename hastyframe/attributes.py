"""Values of label attributes: as the API has them, readable, a row a value, or a column an attribute."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .arguments import text_problem
from .checks import Problems, ids_of_column, table
from .entities import Attribute, LabelAttribute
from .errors import FrameError, Problem, UnexpectedAnswer, ValidationException
from .frames import Records
from .vocabulary import Vocabulary, suggestion

__all__ = ["complete_values", "lengthen", "long_frame", "naming_cells", "readable", "value_out", "widen", "writable"]

_WIDE: Mapping[str, Any] = {
    "MULTIPLE-SELECTION": pd.ArrowDtype(pa.list_(pa.string())),
    "TEXT": "str",
    "INT": "Int64",
    "FLOAT": "float64",
    "BOOL": "boolean",
}
_WAS_WIDE = "was_wide"
"""Where a long frame says of itself that it was made of a wide one."""
_SELECTIONS = ("SELECTION", "MULTIPLE-SELECTION")


def complete_values(items: Records, label_id: str) -> list[dict[str, Any]]:
    """Say of the values of a label whose they are, and of what: where that is missing, their ids are the attributes'.

    Examples
    --------
    >>> complete_values([{"id": "a", "value": 3}], "l")
    [{'id': 'l a', 'value': 3, 'label_id': 'l', 'attribute_id': 'a'}]
    """
    values = []
    for item in items:
        value = {**item, "label_id": label_id}
        if item.get("attribute_id") is None and isinstance(item.get("id"), str):
            value |= {"attribute_id": item["id"], "id": f"{label_id} {item['id']}"}
        values.append(value)
    return values


def readable(vocabulary: Vocabulary, records: Records) -> pd.DataFrame:
    """Make a label attributes frame in which selections stand as their texts.

    Parameters
    ----------
    vocabulary : Vocabulary
        The project's names.
    records : sequence of dict
        As the API sends them, with ``label_id``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``label_attribute_id``: ``label_id, attribute_id, attribute_name, value``.
    """
    frame = vocabulary.records(LabelAttribute, records)
    texts = {key: {v["id"]: v["value"] for v in values} for key, values in _values(vocabulary).items()}
    values = np.empty(len(frame), dtype=object)
    for row, (key, value) in enumerate(zip(frame["attribute_id"], frame["value"], strict=True)):
        values[row] = _text(value, texts.get(key, {}))
    return frame.assign(value=pd.Series(values, frame.index, dtype=object))  # texts alone would become a str column


def writable(vocabulary: Vocabulary, frame: pd.DataFrame) -> list[Any]:
    """Return the values of a long frame as the API takes them, selections by the ids of what was chosen.

    Parameters
    ----------
    vocabulary : Vocabulary
        The project's names.
    frame : pandas.DataFrame
        Columns ``attribute_id`` and ``value``.

    Raises
    ------
    FrameError
        If a value is not of its attribute's type or none of its choices; every such row is named.
    """
    things = vocabulary.table(Attribute)
    if things["attribute_type"].reindex(frame["attribute_id"].unique()).isin(_SELECTIONS).any():
        things = vocabulary.current(Attribute)  # their choices have names as well
    kinds = things["attribute_type"].to_dict()
    choices = {key: {v["value"]: v["id"] for v in values} for key, values in _values(vocabulary).items()}
    values: list[Any] = []
    wrong: dict[int, str] = {}
    for position, (key, value) in enumerate(zip(frame["attribute_id"], frame["value"], strict=True)):
        try:
            values.append(value_out(value, kinds[key], choices[key]))
        except ValidationException as error:
            wrong[position] = error.message
    problems = Problems(frame)
    problems.add("value", np.isin(np.arange(len(frame)), list(wrong)), wrong)
    problems.throw()
    return values


def value_out(value: Any, attribute_type: str, choices: Mapping[str, str]) -> Any:
    """Return one value as the API takes it.

    Parameters
    ----------
    value : str, int, float, bool or list of str
        Of a selection, the text or the id of a choice; of a multiple selection, a list of them.
    attribute_type : str
        One of `entities.ATTRIBUTE_TYPES`.
    choices : mapping of str to str
        Ids of a selection's values by their texts.

    Raises
    ------
    ValidationException
        If the attribute cannot have the value.

    Examples
    --------
    >>> value_out("red", "SELECTION", {"red": "id-of-red"})
    'id-of-red'
    >>> value_out(np.int64(3), "INT", {})
    3
    """
    if isinstance(value, np.generic):
        value = value.item()
    if attribute_type == "SELECTION":
        return _chosen(value, choices)
    if attribute_type == "MULTIPLE-SELECTION":
        if isinstance(value, str) or not np.iterable(value):
            raise ValidationException("It must be a list of values.")
        return [_chosen(v, choices) for v in value]
    fits, remedy = {
        "TEXT": (isinstance(value, str), "It must be a text."),
        "INT": (_is_number(value, 2**63 - 1) and value == int(value), "It must be a whole number of at most 64 bits."),
        "FLOAT": (_is_number(value, sys.float_info.max), "It must be a finite number."),
        "BOOL": (isinstance(value, bool), "It must be True or False."),
    }.get(attribute_type, (True, ""))  # a type that is newer than this is left to the server
    if not fits:
        raise ValidationException(remedy)
    if isinstance(value, str) and (trouble := text_problem(value)) is not None:
        raise ValidationException(trouble[0].upper() + trouble[1:])
    return {"INT": int, "FLOAT": float}.get(attribute_type, lambda same: same)(value)


def widen(vocabulary: Vocabulary, long: pd.DataFrame, labels: pd.Index[str]) -> pd.DataFrame:
    """Turn a label attributes frame into one with a typed column an attribute.

    Parameters
    ----------
    vocabulary : Vocabulary
        The project's names.
    long : pandas.DataFrame
        As :func:`readable` makes it.
    labels : pandas.Index
        The labels, one row each.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``label_id``; every attribute of the project is a column, in the project's order. Selections are
        categories with all their values.
    """
    things = vocabulary.table(Attribute)
    twice = things["name"][things["name"].duplicated()]
    if len(twice):
        raise ValidationException(
            f"Several attributes are named {twice.iloc[0]!r}, so that they cannot be columns: use wide=False."
        )
    choices = _values(vocabulary)
    by_attribute = dict(iter(long.groupby("attribute_id")))
    columns: dict[str, Any] = {}
    for key, name, kind in zip(things.index, things["name"], things["attribute_type"], strict=True):
        rows = by_attribute.get(key, long.iloc[:0]).drop_duplicates("label_id", keep="last")
        values = rows.set_index("label_id")["value"].reindex(labels)
        try:
            columns[name] = _typed(values, kind, [v["value"] for v in choices[key]])
        except (TypeError, ValueError, OverflowError) as error:
            raise UnexpectedAnswer(
                f"The attribute {name!r} of type {kind} has values of another type: {error}"
            ) from error
    return pd.DataFrame(columns, index=labels.rename("label_id"))


def lengthen(wide: pd.DataFrame) -> pd.DataFrame:
    """Turn a frame with a column an attribute (index ``label_id``) into rows of one value; missing ones are left out.

    Examples
    --------
    >>> wide = pd.DataFrame({"colour": ["red", None]}, index=pd.Index(["a", "b"], name="label_id"))
    >>> lengthen(wide).to_dict("records")
    [{'label_id': 'a', 'attribute_name': 'colour', 'value': 'red'}]
    """
    parts = []
    for name in wide.columns:
        column = wide[name].dropna()
        values = np.empty(len(column), dtype=object)
        for row, value in enumerate(column.tolist()):
            values[row] = value
        parts.append(pd.DataFrame({"label_id": column.index, "attribute_name": name, "value": values}))
    if not parts:
        return pd.DataFrame({"label_id": [], "attribute_name": [], "value": []}, dtype=object)
    return pd.concat(parts, ignore_index=True)


def long_frame(values: Any, vocabulary: Vocabulary) -> pd.DataFrame:
    """Read values that somebody brings, long or wide, as rows of one value.

    Parameters
    ----------
    values : pandas.DataFrame or list of dict
        Long: ``label_id``, ``attribute_id`` or ``attribute_name``, and ``value``. Wide: indexed by ``label_id`` (or
        with it as a column), a column an attribute; also if an attribute is called ``value``, say.
    vocabulary : Vocabulary
        The project's names.

    Raises
    ------
    ValidationException
        If a column is missing.
    FrameError
        If a row has no label, or several give a label a value of the same attribute.
    """
    frame = table(values)
    if wide := _is_wide(frame, vocabulary):
        frame = lengthen(frame if frame.index.name == "label_id" else frame.set_index("label_id"))
    elif frame.index.name == "label_id" and "label_id" not in frame:
        frame = frame.reset_index()
    if not len(frame):
        return frame
    if missing := {"label_id", "value"} - set(frame.columns):
        raise ValidationException(f"The frame needs columns {sorted(missing)}; it has {list(frame.columns)}.")
    problems = Problems(frame)
    problems.add("label_id", frame["label_id"].isna(), "It must be the id of a label.")
    ids = ids_of_column(frame["label_id"], problems)
    problems.throw()
    frame = frame.assign(label_id=ids)
    frame.attrs[_WAS_WIDE] = wide
    return frame


def _is_wide(frame: pd.DataFrame, vocabulary: Vocabulary) -> bool:
    """Whether a frame has a column an attribute, which may be called as columns of long ones are."""
    indexed = frame.index.name == "label_id"
    if not indexed and "label_id" not in frame:
        return False
    long = {"value", "attribute_id", "attribute_name"} & set(frame.columns)
    if not long or (not indexed and "value" in long and len(long) > 1):
        return not long
    taken = long | ({"label_id"} & set(frame.columns) if indexed else set())
    return taken <= set(vocabulary.table(Attribute)["name"])


@contextmanager
def naming_cells(frame: pd.DataFrame) -> Iterator[None]:
    """Say of problems of a frame that was wide in which column of which label they are; of a column once."""
    try:
        yield
    except FrameError as error:
        if not frame.attrs.get(_WAS_WIDE):
            raise
        labels, names = frame["label_id"].tolist(), frame["attribute_name"].tolist()
        cells: dict[tuple[Any, Any], Problem] = {}
        for column, row, value, remedy in error.problems.itertuples(index=False, name=None):
            if column == "attribute_name":
                unknown = Problem(value, labels[row], value, f"There is no such attribute. {remedy}")
                cells.setdefault((names[row], None), unknown)
            else:
                cells[names[row], labels[row]] = Problem(names[row], labels[row], value, remedy)
        raise FrameError(cells.values()) from None


def _typed(values: pd.Series[Any], kind: str, texts: list[str]) -> Any:
    """Make an array of the type of an attribute from values, missing ones among them."""
    if kind == "SELECTION":
        known = dict.fromkeys([*texts, *values.dropna()])  # a choice that was taken away may still be stored
        return pd.Categorical(values, categories=pd.Index(known, dtype="str"))
    if kind == "MULTIPLE-SELECTION":
        lists = [v if isinstance(v, list) else None for v in values]
        return pd.array(pa.array(lists, pa.list_(pa.string())), dtype=_WIDE[kind])
    return values.where(values.notna(), None).astype(_WIDE.get(kind, object)).array


def _values(vocabulary: Vocabulary) -> dict[str, list[dict[str, str]]]:
    """Return the choices of each attribute, by its id; none for those that are no selections."""
    things = vocabulary.table(Attribute)
    return {key: list(values) if np.iterable(values) else [] for key, values in things["values"].items()}


def _text(value: Any, texts: Mapping[str, str]) -> Any:
    """Return the text of what was chosen, or of each of several; anything else as it is."""
    if isinstance(value, list):
        return [_text(v, texts) for v in value]
    return texts.get(value, value) if isinstance(value, str) else value


def _chosen(value: Any, choices: Mapping[str, str]) -> str:
    if not isinstance(value, str):
        raise ValidationException(suggestion(value, choices))
    if value in choices.values():
        return value
    if value not in choices:
        raise ValidationException(suggestion(value, choices))
    return choices[value]


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most
