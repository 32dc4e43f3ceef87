"""Values of label attributes: as the API has them, readable, a row a value, or a column an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .checks import Problems
from .entities import Attribute, LabelAttribute
from .errors import ValidationException
from .frames import Records
from .vocabulary import Vocabulary, suggestion

__all__ = ["lengthen", "readable", "value_out", "widen", "writable"]

_SELECTIONS = ("SELECTION", "MULTIPLE-SELECTION")
_WIDE: Mapping[str, Any] = {
    "MULTIPLE-SELECTION": pd.ArrowDtype(pa.list_(pa.string())),
    "TEXT": "str",
    "INT": "Int64",
    "FLOAT": "float64",
    "BOOL": "boolean",
}


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
    texts = {v["id"]: v["value"] for values in _values(vocabulary).values() for v in values}
    values = np.empty(len(frame), dtype=object)
    for row, value in enumerate(frame["value"]):
        values[row] = [texts.get(v, v) for v in value] if isinstance(value, list) else texts.get(value, value)
    return frame.assign(value=values)


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
    kinds = vocabulary.things(Attribute)["attribute_type"].to_dict()
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
        If the value is none that the attribute can have.

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
        "INT": (_is_number(value) and float(value).is_integer(), "It must be a whole number."),
        "FLOAT": (_is_number(value), "It must be a finite number."),
        "BOOL": (isinstance(value, bool), "It must be True or False."),
    }[attribute_type]
    if not fits:
        raise ValidationException(remedy)
    return int(value) if attribute_type == "INT" else value


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
    things = vocabulary.things(Attribute)
    choices = _values(vocabulary)
    wide = pd.DataFrame(index=labels.rename("label_id"))
    for key, name, kind in zip(things.index, things["name"], things["attribute_type"], strict=True):
        rows = long[long["attribute_id"] == key].drop_duplicates("label_id", keep="last")
        values = rows.set_index("label_id")["value"].reindex(labels)
        if kind == "SELECTION":
            texts = [v["value"] for v in choices[key]]
            wide[name] = pd.Categorical(values, categories=pd.Index(dict.fromkeys(texts), dtype="str"))
        elif kind == "MULTIPLE-SELECTION":
            lists = [v if isinstance(v, list) else None for v in values]
            wide[name] = pd.array(pa.array(lists, pa.list_(pa.string())), dtype=_WIDE[kind])
        else:
            wide[name] = values.where(values.notna(), None).astype(_WIDE[kind]).array
    return wide


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
        for row, value in enumerate(column):
            values[row] = value
        parts.append(pd.DataFrame({"label_id": column.index, "attribute_name": name, "value": values}))
    if not parts:
        return pd.DataFrame({"label_id": [], "attribute_name": [], "value": []}, dtype=object)
    return pd.concat(parts, ignore_index=True)


def _values(vocabulary: Vocabulary) -> dict[str, list[dict[str, str]]]:
    """Return the choices of each attribute, by its id; none for those that are no selections."""
    things = vocabulary.things(Attribute)
    return {key: list(values) if np.iterable(values) else [] for key, values in things["values"].items()}


def _chosen(value: Any, choices: Mapping[str, str]) -> str:
    if not isinstance(value, str):
        raise ValidationException(suggestion(value, choices))
    if value in choices.values():
        return value
    if value not in choices:
        raise ValidationException(suggestion(value, choices))
    return choices[value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
