"""Which class a pixel of a semantic PNG is: by its number in one channel, by its color, or by a number as grey."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import FormatError
from ..images import opened
from ._class_runs import BAND
from ._load import FolderIn, load_json
from ._problems import CORRECT
from ._values import Table, column_of

__all__ = ["PngClasses"]

MOST_BYTES = 2**30
GREY = {"1", "L", "P", "I;16", "I"}
"""Pillow's modes of one channel."""
NEITHER, SEVERAL = -1, -2
_ABSENT = "'class_name' is missing"


class PngClasses:
    """The classes of a folder of semantic PNGs, as ``label_classes.json`` lists them.

    A listed index 0 is the background. What is not known of a picture of three channels until all pictures were seen
    (all black, and a class is black) is kept for :meth:`finish`.

    Attributes
    ----------
    frame : pandas.DataFrame
        The classes but the background, in the order of their numbers.
    """

    def __init__(self, folder: FolderIn) -> None:
        path = next((path for path in folder.paths if path.name.lower() == "label_classes.json"), None)
        if path is None:
            raise folder.without("label_classes.json", "Put it beside the folders of PNGs")
        data, _ = load_json(io.BytesIO(folder.read(path)))
        table = Table(data, f"{folder.name}, {path}", "label classes", limits=folder.limits)
        self._folder = folder
        self.frame, numbers, background = _read(table)
        places = range(1, len(numbers) + 1)
        self._by_number = {0: 0} | dict(zip(numbers, places, strict=True))
        self._in_grey = {_as_grey(number): place for number, place in self._by_number.items()}
        self._by_color: dict[int, list[int]] = defaultdict(list)
        for place, color in enumerate(self.frame["color"].tolist(), start=1):
            shade = _shade(color)
            if shade is None and max(numbers, default=0) > 255:
                shade = numbers[place - 1]  # painted in colors, a number is the color's value
            if shade is not None:
                self._by_color[shade].append(place)
        if background is None or 0 not in self._by_color:
            self._by_color[0].append(0)
        if background:
            self._by_color[background].append(0)
        self._is_grey = False
        self._doubt: tuple[str, str] | None = None

    def places(self, path: PurePosixPath) -> NDArray[np.unsignedinteger]:
        """Read a picture as the place of each pixel's class in the frame, from 1; 0 for background."""
        with (
            self._folder.open(path, MOST_BYTES) as file,
            opened(file, self._folder.name, str(path), formats=["PNG"], limits=self._folder.limits) as picture,
        ):
            grey = picture.mode in GREY
            known = np.array(sorted(self._by_number if grey else {*self._in_grey, *self._by_color}))
            largest = max(len(known) - 1, len(self.frame))
            codes = np.empty((picture.height, picture.width), np.min_scalar_type(largest))
            there = np.zeros(len(known), bool)
            picture.load()
            rows = max(1, BAND // picture.width)
            for top in range(0, picture.height, rows):  # the numbers of all pixels at once take eight times as much
                band = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
                values = _values_in(band, grey)
                at = np.minimum(np.searchsorted(known, values), len(known) - 1)
                if (strange := known[at] != values).any():
                    raise self._strange(path, int(values[strange].min()), grey)
                there[at.reshape(-1)] = True
                codes[top : top + rows] = at
        if grey:
            found = np.array([self._by_number[value] for value in known.tolist()])
        else:
            found = self._meant(path, known, there)
        found = found.astype(codes.dtype)
        for top in range(0, len(codes), rows):
            codes[top : top + rows] = found[codes[top : top + rows]]
        return codes

    def finish(self) -> None:
        """Refuse what was not known of a picture, if no other one has shown that numbers are stored as grey."""
        if self._doubt and not self._is_grey:
            raise FormatError(self._folder.name, *self._doubt, "Give every class a color of its own")

    def _meant(self, path: PurePosixPath, known: NDArray[np.int64], there: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Decide whether the values of a picture of three channels are colors or numbers; give the place of each."""
        values = known.tolist()
        color = np.array([_only(self._by_color.get(value)) for value in values])
        number = np.array([self._in_grey.get(value, NEITHER) for value in values])
        as_color, as_number = (color != NEITHER)[there].all(), (number != NEITHER)[there].all()
        if as_number and not as_color:
            self._is_grey = True
            return np.maximum(number, 0)
        if not as_color:
            raise self._strange(path, int(known[there & (color == NEITHER)].min()), grey=False)
        if as_number and (color == number)[there].all():
            return np.maximum(color, 0)
        several = there & (color == SEVERAL)
        if as_number and several.any() and not known[there].any():
            self._doubt = (str(path), self._said(0))
            return np.maximum(number, 0)
        if several.any():
            value = int(known[several].min())
            raise FormatError(self._folder.name, str(path), self._said(value), "Give every class a color of its own")
        if as_number:
            at = int(np.argmax(there & (color != number)))
            what = f"{self._name(color[at])} by color and {self._name(number[at])} by number"
            problem = f"its pixels of #{values[at]:06x} are {what}"
            raise FormatError(self._folder.name, str(path), problem, "Save it with one channel, or change the color")
        return np.maximum(color, 0)

    def _said(self, value: int) -> str:
        names = " and ".join(map(self._name, self._by_color[value]))
        return f"{names} have the color #{value:06x}"

    def _name(self, place: int) -> str:
        return f"class {self.frame['name'].iloc[place - 1]!r}" if place else "the background"

    def _strange(self, path: PurePosixPath, value: int, grey: bool) -> FormatError:
        what = str(value) if grey else f"#{value:06x}"
        problem = f"it has pixels of {what}, which is not a class"
        return FormatError(self._folder.name, str(path), problem, "Add it to label_classes.json")


def _only(places: list[int] | None) -> int:
    if not places:
        return NEITHER
    return places[0] if len(places) == 1 else SEVERAL


def _as_grey(number: int) -> int:
    """Make the color that a number is stored as: one up to 255 as grey, of others it is the value."""
    return number * 0x010101 if number <= 255 else number


def _values_in(picture: Any, grey: bool) -> NDArray[np.int64]:
    """Numbers of a grey picture, or colors as numbers."""
    if grey:
        return np.asarray(picture).astype(np.int64)
    return np.asarray(picture.convert("RGB")).astype(np.int64) @ np.array([65536, 256, 1])


def _read(table: Table) -> tuple[pd.DataFrame, list[int], int | None]:
    """Read the classes, their numbers, and the color of the background if it is listed."""
    names = _either(table, "class_name", "name")
    if None in names:
        raise table.wrong(names.index(None), _ABSENT, "Give every row its 'class_name'")
    numbers = table.numbers("png_index")
    whole = (numbers >= 0) & (numbers == np.rint(numbers)) & (numbers < 2**24)
    if not whole.all() or len(set(numbers)) < len(numbers):
        problem = "png_index should be a whole number from 0, of every class its own"
        raise FormatError(table.file, "", problem, "Correct it")
    colors = table.texts("color")
    types = [each if each in {"object", "background"} else "object" for each in _either(table, "class_type", "type")]
    columns: dict[str, Any] = {
        "name": pd.Series(names, dtype="str"),
        "color": pd.Series(colors, dtype="str"),
        "class_type": pd.Series(types, dtype="str"),
        "png_index": numbers.astype(int),
    }
    descriptions = [text if isinstance(text, str) else None for text in table.get("description")]
    if any(descriptions):
        columns["description"] = column_of(descriptions)
    frame = pd.DataFrame(columns)
    zero = frame.index[frame["png_index"] == 0]
    background = _shade(colors[zero[0]]) if len(zero) else None
    frame = frame.drop(index=zero)
    if (twice := frame["name"].duplicated()).any():
        row = int(twice.idxmax())
        raise table.wrong(row, f"class_name {names[row]!r} is there twice", CORRECT)
    frame = frame.set_axis(pd.Index(frame["name"], dtype="str"), axis=0).sort_values("png_index")
    ordered = frame["png_index"].tolist()
    return frame.drop(columns="png_index").assign(norder=np.arange(1.0, len(frame) + 1)), ordered, background


def _either(table: Table, key: str, other: str) -> list[str | None]:
    pairs = zip(table.texts(key), table.texts(other), strict=True)
    return [second if first is None else first for first, second in pairs]


def _shade(color: Any) -> int | None:
    """Read #rrggbb or #rrggbbaa as the number that its pixels are."""
    match = re.match("#?([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?$", color) if isinstance(color, str) else None
    return int(match[1], 16) if match else None
