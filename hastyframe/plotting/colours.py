"""The colours of classes: those of the project, or a palette for every kind of colour vision."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import pandas as pd

from ..errors import ValidationException
from ..intake import as_pandas

__all__ = ["NEUTRAL", "OUTCOMES", "PALETTE", "Classes", "contrasting", "palette"]

Classes: TypeAlias = "pd.DataFrame | Mapping[str, str] | None"

PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""M. Okabe and K. Ito, "Color Universal Design", 2008, without black."""
OUTCOMES = {"tp": "#009e73", "fp": "#d55e00", "fn": "#56b4e9", "ignored": "#999999"}
NEUTRAL = "#999999"
"""Of what has no class."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?")


def palette(columns: Iterable[pd.Series[Any]], classes: Classes = None) -> dict[Hashable, str]:
    """Choose a colour for every value of some columns.

    Parameters
    ----------
    columns : iterable of pandas.Series
        What is to be told apart. A category column counts with all its categories, so that a class has the same
        colour on every picture.
    classes : pandas.DataFrame or mapping of str to str, optional
        A frame of label classes with ``name`` and ``color``, or a colour a name; what has none gets one.

    Returns
    -------
    dict
        ``#rrggbb`` by value. Beyond seven values the colours come again, lighter and darker.

    Raises
    ------
    ValidationException
        A colour that is not written as ``#rrggbb`` or ``#rrggbbaa``, a frame without names or colours.

    Examples
    --------
    >>> palette([pd.Series(["cat", "dog"])], {"dog": "#ff0000ff"})
    {'cat': '#e69f00', 'dog': '#ff0000'}
    """
    given = OUTCOMES | _given(classes)
    values = dict.fromkeys(value for column in columns for value in _values(column))
    return {value: given.get(value) or _nth(number) for number, value in enumerate(values)}


def contrasting(colour: str) -> str:
    """Return black or white, whichever reads better on a colour."""
    red, green, blue = bytes.fromhex(colour[1:7])
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def _given(classes: Classes) -> dict[Hashable, str]:
    if classes is None:
        return {}
    classes = as_pandas(classes, records=not isinstance(classes, Mapping))
    if isinstance(classes, pd.DataFrame):
        if not {"name", "color"} <= set(classes.columns):
            raise ValidationException(
                f"`classes` needs the columns 'name' and 'color'; it has {list(classes.columns)}."
            )
        known = classes.dropna(subset="color")
        colours = dict(zip(known["name"], known["color"], strict=True)) | known["color"].to_dict()
    else:
        colours = dict(classes)
    for name, colour in colours.items():
        if not _HEX.fullmatch(str(colour)):
            raise ValidationException(f"The colour of {name!r} is {colour!r}; write it as #rrggbb or #rrggbbaa.")
    return {name: colour[:7] for name, colour in colours.items()}


def _values(column: pd.Series[Any]) -> list[Hashable]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    return sorted(column.dropna().unique().tolist(), key=str)


def _nth(number: int) -> str:
    colour = PALETTE[number % len(PALETTE)]
    towards, share = [("#000000", 0.0), ("#ffffff", 0.4), ("#000000", 0.4)][number // len(PALETTE) % 3]
    mixed = (
        round(a + share * (b - a)) for a, b in zip(bytes.fromhex(colour[1:]), bytes.fromhex(towards[1:]), strict=True)
    )
    return "#" + bytes(mixed).hex()
