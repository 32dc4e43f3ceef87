"""The text of a COCO file as columns.

Nearly all of such a file is the numbers of its polygons. As Python objects they would take most of the time and the
memory. So a ring stays the piece of the text that it is, until Arrow reads the numbers of many of them at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from ._load import Text
from ._values import Columns

__all__ = ["OWN_ID", "RawRle", "Rle", "parse_coco", "parse_detections"]


class Rle(msgspec.Struct, gc=False):
    """Run-lengths as they stand in a file."""

    size: tuple[int, int]
    counts: str | list[int]


class RawRle(Rle, gc=False):
    """Run-lengths whose counts are still a piece of the text: those of crowds, which are long lists."""

    counts: Raw  # type: ignore[assignment]  # until they are read


OWN_ID = "hasty_id"
"""The key under which files of ours have ids that are no whole numbers, and so are none of COCO."""
_SHAPE: dict[str, Any] = {
    "image_id": int | str | None,
    "category_id": int | str | None,
    "segmentation": list[Raw] | Rle | None,
    "bbox": tuple[float, float, float, float] | None,
}
_INSTANCE = {
    "id": int | str | None,
    **_SHAPE,
    "segmentation": list[Raw] | RawRle | None,
    "area": float | None,
    "iscrowd": int | None,
    OWN_ID: str | None,
}
_DETECTION = {**_SHAPE, "score": float | None}
"""Keys of an object, and what a file nearly always has there; what has something else is read another way."""
MOST_KEYS = 100


class _File(msgspec.Struct):
    annotations: list[Any]
    images: Any = None
    categories: Any = None
    info: Any = msgspec.UNSET
    licenses: Any = msgspec.UNSET


class _Keys(msgspec.Struct):
    annotations: list[dict[str, Raw]]


def parse_coco(text: Text, *, segmentation: bool = True) -> dict[str, Any] | None:
    """Parse a COCO file that is as such files are.

    Parameters
    ----------
    text : bytes or memoryview
        All of it.
    segmentation : bool
        Whether segmentations are wanted.

    Returns
    -------
    dict or None
        What the file says under the keys that count, but ``annotations`` are :class:`Columns`, and the rings in them
        pieces of the text. None for a file that is not as usual, in whatever way: it is for others to say what is
        wrong with it, if anything is.

    Examples
    --------
    >>> data = parse_coco(b'{"annotations": [{"id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}]}')
    >>> data["annotations"]["id"], [bytes(ring) for ring in data["annotations"]["segmentation"][0]]
    ([1], [b'[0, 0, 4, 0, 4, 4]'])
    """

    def decode(annotation: Any) -> tuple[dict[str, Any], list[Any]]:
        file = msgspec.defstruct("file", [("annotations", list[annotation])], bases=(_File,), kw_only=True)
        data = msgspec.structs.asdict(msgspec.json.decode(text, type=file))
        return data, data.pop("annotations")

    def keys() -> set[str]:
        return set().union(*msgspec.json.decode(text, type=_Keys).annotations)

    if (found := _parsed(decode, keys, _INSTANCE, segmentation)) is None:
        return None
    data, columns = found
    if columns[OWN_ID].count(None) == len(columns[OWN_ID]):
        del columns[OWN_ID]
    return {key: value for key, value in data.items() if value is not msgspec.UNSET} | {"annotations": columns}


def parse_detections(text: Text, *, segmentation: bool = True) -> Columns | None:
    """Parse a list of detections as :func:`parse_coco` parses annotations.

    Examples
    --------
    >>> parse_detections(b'[{"image_id": 1, "score": 0.5}]')["score"]
    [0.5]
    """

    def decode(detection: Any) -> tuple[None, list[Any]]:
        return None, msgspec.json.decode(text, type=list[detection])

    def keys() -> set[str]:
        return set().union(*msgspec.json.decode(text, type=list[dict[str, Raw]]))

    found = _parsed(decode, keys, _DETECTION, segmentation)
    return found and found[1]


def _parsed(
    decode: Callable[[Any], tuple[Any, list[Any]]],
    keys: Callable[[], set[str]],
    fields: dict[str, Any],
    segmentation: bool,
) -> tuple[Any, Columns] | None:
    """Decode with the usual keys, and if that fails, with all that there are."""
    if not segmentation:
        fields = fields | {"segmentation": Raw}  # passed over as it is
    try:
        try:
            return _in_columns(decode, fields, segmentation)
        except msgspec.ValidationError:
            if len(found := keys()) > MOST_KEYS:  # each row would have room for all of them
                return None
            return _in_columns(decode, dict.fromkeys(sorted(found), Any) | fields, segmentation)
    except (
        msgspec.MsgspecError,
        ValueError,
        RecursionError,
    ):  # ValueErrors of text, and of keys that no field can have
        return None


def _in_columns(
    decode: Callable[[Any], tuple[Any, list[Any]]], fields: dict[str, Any], segmentation: bool
) -> tuple[Any, Columns]:
    # The names of the fields are their numbers: a key need not be a name in Python.
    names = {f"key_{number}": key for number, key in enumerate(fields)}
    data, rows = decode(
        msgspec.defstruct(
            "row",
            [(name, fields[key], None) for name, key in names.items()],
            rename=names,
            forbid_unknown_fields=True,
            gc=False,
        )
    )
    wanted = {name: key for name, key in names.items() if segmentation or key != "segmentation"}
    return data, Columns((key, _column(key, map(attrgetter(name), rows), len(rows))) for name, key in wanted.items())


def _column(key: str, values: Iterable[Any], count: int) -> Any:
    values = list(values)
    if key != "bbox" or None in values:
        return values
    return np.fromiter(itertools.chain.from_iterable(values), np.float64, 4 * count).reshape(-1, 4)
