"""The text of a COCO file as columns.

Nearly all of such a file is the numbers of its polygons. As Python objects they would take most of the time and the
memory. So a ring stays the piece of the text that it is, until Arrow reads the numbers of many of them at once.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw

from ._values import Columns

__all__ = ["parse_coco"]

_FIELDS: dict[str, Any] = {
    "id": int | str | None,
    "image_id": int | str | None,
    "category_id": int | str | None,
    "segmentation": list[Raw] | dict[str, Any] | None,
    "bbox": tuple[float, float, float, float] | None,
    "area": float | None,
    "iscrowd": int | None,
}
"""Keys of an annotation, and what a file nearly always has there; what has something else is read another way."""


class _File(msgspec.Struct):
    annotations: list[Any]
    images: Any = None
    categories: Any = None
    info: Any = msgspec.UNSET
    licenses: Any = msgspec.UNSET


def parse_coco(text: bytes) -> dict[str, Any] | None:
    """Parse a COCO file that is as such files are.

    Parameters
    ----------
    text : bytes
        All of it.

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
    try:
        try:
            return _parsed(text, _FIELDS)
        except msgspec.ValidationError:
            keys = msgspec.json.decode(text, type=_Keys).annotations
            return _parsed(text, dict.fromkeys(sorted(set().union(*keys)), Any) | _FIELDS)
    except (
        msgspec.MsgspecError,
        ValueError,
        RecursionError,
    ):  # ValueErrors of text, and of keys that no field can have
        return None


class _Keys(msgspec.Struct):
    annotations: list[dict[str, Raw]]


def _parsed(text: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    # The names of the fields are their numbers: a key need not be a name in Python.
    names = {f"key_{number}": key for number, key in enumerate(fields)}
    annotation: Any = msgspec.defstruct(
        "annotation",
        [(name, fields[key], None) for name, key in names.items()],
        rename=names,
        forbid_unknown_fields=True,
        gc=False,
    )
    file = msgspec.defstruct("file", [("annotations", list[annotation])], bases=(_File,), kw_only=True)
    data = msgspec.structs.asdict(msgspec.json.decode(text, type=file))
    rows = data["annotations"]
    data["annotations"] = Columns((key, list(map(attrgetter(name), rows))) for name, key in names.items())
    return {key: value for key, value in data.items() if value is not msgspec.UNSET}
