"""What a YOLO data set says of itself: the names of its classes, and how many key points a label has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from ..arguments import shown
from ..errors import FormatError, ValidationException
from ..identity import one
from ._class_list import MOST_YAML, yaml_lists, yaml_names
from ._load import FolderIn

__all__ = ["MOST_TEXT", "Declared", "declared", "read_text"]

MOST_TEXT = 2**26
REMEDY = "Give the names: classes=[...]"
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names", "predefined_classes.txt", "_darknet.labels")


class Declared(NamedTuple):
    """What :func:`declared` finds."""

    names: list[str]
    key_points: tuple[int, int] | None
    """How many key points a label has, and how many numbers each of them."""


def declared(folder: FolderIn, classes: Any) -> Declared:
    """Read ``data.yaml`` or a list of classes, in the folder or up to two folders above it.

    Parameters
    ----------
    folder : FolderIn
        The data set.
    classes : iterable of str, mapping of int to str, or pandas.DataFrame, optional
        The names, if they are given.
    """
    given = None if classes is None else _given(classes)
    for place in chain([folder], folder.above()):
        for path, found in _yamls(place, strict=given is None):
            shape = _key_points(found.get("kpt_shape"), place, path)
            if given is None:
                return Declared(_once(_names(found.get("names"), place, path), place, path), shape)
            if shape is not None:
                return Declared(given, shape)
        if given is None and (list_of := next(_called(place, _LISTS), None)):
            names = [line.strip() for line in read_text(place, list_of).splitlines() if line.strip()]
            return Declared(_once(names, place, list_of), None)
    if given is None:
        raise folder.without("data.yaml or classes.txt", REMEDY)
    return Declared(given, None)


def read_text(folder: FolderIn, path: PurePosixPath, most: int = MOST_TEXT) -> str:
    """Read a file as UTF-8."""
    try:
        return folder.read(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(folder.name, str(path), f"it is not UTF-8 text: {error.reason}", "Save it as UTF-8") from None


def _given(classes: Any) -> list[str]:
    if isinstance(frame := getattr(classes, "label_classes", classes), pd.DataFrame) and "name" in frame:
        classes = frame["name"]
    if isinstance(classes, Mapping):
        by_number = {one(number): name for number, name in classes.items()}
        if by_number.keys() == set(map(str, range(len(classes)))):
            classes = [by_number[str(number)] for number in range(len(classes))]
    if not isinstance(classes, Iterable) or isinstance(classes, str | bytes | Mapping):
        raise ValidationException(f"classes is a list of names, the first is class 0, and not {shown(classes)}.")
    names = list(classes)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise ValidationException(f"classes is a list of names, and {shown(wrong[0])} is not one.")
    if (twice := _twice(names)) is not None:
        raise ValidationException(f"classes has {twice}: rename one.")
    return names


def _once(names: list[str], folder: FolderIn, path: PurePosixPath) -> list[str]:
    if (twice := _twice(names)) is not None:
        raise FormatError(folder.name, str(path), f"it has {twice}", f"Rename one there. {REMEDY}")
    return names


def _twice(names: list[str]) -> str | None:
    """Say which name comes twice, and where."""
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if first.setdefault(name, number) != number:
            return f"the class name {name!r} twice, as {first[name]} and as {number}"
    return None


def _yamls(folder: FolderIn, strict: bool) -> Iterator[tuple[PurePosixPath, dict[str, Any]]]:
    """Go through the YAML files that may be meant: those of the usual names, then others that have names."""
    usual = list(_called(folder, _YAMLS))
    others = [path for path in folder.paths if path.suffix.lower() in {".yaml", ".yml"} and len(path.parts) == 1]
    for path in [*usual, *(path for path in others if path not in usual)]:
        try:
            found = _lists_in(folder, path)
        except FormatError:
            if strict and path in usual:
                raise
            continue
        if path in usual or found.get("names") is not None:
            yield path, found


def _called(folder: FolderIn, names: tuple[str, ...]) -> Iterator[PurePosixPath]:
    """Go through the files of some names, in the order of the names, those nearest to the top first."""
    for name in names:
        found = [path for path in folder.paths if path.name.lower() == name]
        yield from sorted(found, key=lambda path: len(path.parts))


def _lists_in(folder: FolderIn, path: PurePosixPath) -> dict[str, Any]:
    text = read_text(folder, path, MOST_YAML)
    try:
        return yaml_lists(text, folder.limits.depth, {"names", "kpt_shape"})
    except ValueError as error:
        raise FormatError(folder.name, str(path), str(error), REMEDY) from None


def _names(found: Any, folder: FolderIn, path: PurePosixPath) -> list[str]:
    try:
        return yaml_names(found)
    except ValueError as error:
        raise FormatError(folder.name, str(path), str(error), REMEDY) from None


def _key_points(found: Any, folder: FolderIn, path: PurePosixPath) -> tuple[int, int] | None:
    if found is None:
        return None
    match found:
        case [str(count), "2" | "3" as numbers] if count.isdecimal() and 0 < len(count) < 6 and int(count):
            return int(count), int(numbers)
    problem = "kpt_shape is not a number of key points and 2 or 3 numbers each"
    raise FormatError(folder.name, str(path), problem, "Write it as [17, 3]")
