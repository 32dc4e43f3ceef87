"""How much a file or an answer may take: what would take more is refused before the memory is there."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import ValidationException

__all__ = ["DEFAULT_LIMITS", "PAGE_SIZE", "Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds for files and answers of strangers.

    Parameters
    ----------
    unpacked_bytes : int
        Bytes by which an archive or a Parquet file may grow when it is unpacked, and the masks of a folder of pictures
        beyond its files; of JSON a quarter of it. What lies on the disk as it is, is read whatever its size.
    expansion : float
        How many times as large as it is, it may become; small files may become larger. JSON packs 10 to 30 times,
        what means harm a thousand times.
    members : int
        Files in an archive.
    answer_bytes : int
        Bytes that one answer of the API may have once unpacked.
    pixels : int
        Pixels (width times height) of a picture whose pixels are read.
    rows : int
        Rows that a reader makes of one file or folder, and items of one list of the API.
    nested : int
        Lists and objects that the JSON of one file may have, packed or not: once read, each takes 64 bytes and more.
    depth : int
        How deep lists and objects of JSON and YAML may be nested.
    seconds : float
        Total time for one download, however slowly its bytes come.

    Raises
    ------
    ValidationException
        If a bound is not above 0.

    Examples
    --------
    >>> Limits(pixels=10_000).pixels
    10000
    """

    unpacked_bytes: int = 1 << 31
    expansion: float = 50.0
    members: int = 1_000_000
    answer_bytes: int = 1 << 26
    pixels: int = 1 << 27
    rows: int = 50_000_000
    nested: int = 1 << 24
    depth: int = 200
    seconds: float = 3600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValidationException(f"{field.name} is {value}; it must be above 0.")


PAGE_SIZE = 100
"""How many things a page of a list of the API holds."""

DEFAULT_LIMITS = Limits()
"""What holds where nothing else is said."""
