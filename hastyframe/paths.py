"""Names from elsewhere as paths that stay where they are put."""

from __future__ import annotations

from pathlib import PurePosixPath

from .errors import FormatError

__all__ = ["inside"]


def inside(name: str, file: str) -> PurePosixPath:
    """Read a name as a relative path that stays inside the folder it is put in.

    Raises
    ------
    FormatError
        No name, an absolute one, a drive letter, ``..``, a control character: anything that could lead elsewhere.

    Examples
    --------
    >>> str(inside("train/a.jpg", "x.zip"))
    'train/a.jpg'
    >>> inside("../a.jpg", "x.zip")
    Traceback (most recent call last):
    hastyframe.errors.FormatError: x.zip, name '../a.jpg': it leads out of the folder. Rename it.
    """
    parts = name.replace("\\", "/").split("/")
    if not name:
        raise FormatError(file, "a name", "it is empty", "Rename it")
    if any(part in {"", ".", ".."} or part != part.strip() for part in parts) or ":" in parts[0]:
        raise FormatError(file, f"name {name!r}", "it leads out of the folder", "Rename it")
    if not all(map(_can_be_written, name)) or any(len(part.encode()) > 250 for part in parts):
        raise FormatError(file, f"name {name!r}", "no file can be called that", "Rename it")
    return PurePosixPath(*parts)


def _can_be_written(character: str) -> bool:
    """Whether it is no control character and no half of a character."""
    return character >= " " and not "\ud800" <= character <= "\udfff"
