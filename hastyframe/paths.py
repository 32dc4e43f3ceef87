"""Names from elsewhere as paths that stay where they are put."""

from __future__ import annotations

import errno
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath, PurePosixPath

from .errors import FormatError, HastyError

__all__ = ["inside", "name_key", "printable", "reading", "safe_name", "same_place", "spelled", "with_mark", "writing"]


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


def safe_name(name: str) -> str:
    r"""Return a name that a file or folder can have on every system, made of any text; the same one each time.

    A name that is fine already stays as it is. Of others the impossible characters become ``_``, what is too long is
    cut, and a checksum of the whole name tells them apart.

    Examples
    --------
    >>> safe_name("train"), safe_name("a/b.png"), safe_name("..\\b.png"), safe_name("CON")
    ('train', 'a_b-88f7ec79.png', '.._b-0be74905.png', '_CON-a3dbc4b6')
    >>> len(safe_name("ä" * 300 + ".png").encode()) <= 255
    True
    """
    made = spelled(name)
    return made if made == name else with_mark(made, name)


def spelled(name: str) -> str:
    """Return a name that a file or folder can have on every system; those of different texts may be the same.

    Examples
    --------
    >>> spelled("coins: 2nd try?"), spelled("end."), spelled("nul.txt")
    ('coins_ 2nd try_', 'end_', '_nul.txt')
    """
    made = _IMPOSSIBLE.sub("_", name)
    stripped = made.strip().rstrip(". ")
    if stripped != made or not stripped:
        made = f"{stripped}_"
    if _RESERVED.match(made):
        made = f"_{made}"
    if len(made.encode()) > _LONGEST:
        stem, suffix = _split(made)
        made = (
            stem.encode()[: _LONGEST - len(suffix.encode()) - len("-") - _MARK].decode(errors="ignore").rstrip(". ")
            + suffix
        )
    return made


def with_mark(name: str, key: str) -> str:
    """Return the name of a file with a checksum of a key before its suffix.

    Examples
    --------
    >>> with_mark("a.png", "id of the image")
    'a-f56c27a5.png'
    """
    mark = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]
    stem, suffix = _split(name)
    return f"{stem}-{mark}{suffix}"


def same_place(path: PurePath) -> str:
    """Return what two paths have in common that are one file somewhere: not every file system tells A from a."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def name_key(name: str) -> str:
    r"""Return what two spellings of one file name have in common: macOS stores an é as e and its accent.

    Examples
    --------
    >>> name_key("caf\u00e9.jpg") == name_key("cafe\u0301.jpg")
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def printable(path: PurePath | str) -> str:
    r"""Return a path as a text that can be stored and printed, whatever bytes the name is made of.

    Examples
    --------
    >>> printable("a\udcff.png")
    'a\\udcff.png'
    """
    return str(path).encode("utf-8", "backslashreplace").decode()


@contextmanager
def writing(path: PurePath) -> Iterator[None]:
    """Say in words of ours why a file or folder cannot be written.

    Raises
    ------
    FormatError
        Where the system refuses: names the file, the system's reason and what to do.
    """
    try:
        yield
    except HastyError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        raise _failed(path, "written", error) from None


@contextmanager
def reading(path: PurePath) -> Iterator[None]:
    """Say in words of ours why a file or folder cannot be read; as :func:`writing`."""
    try:
        yield
    except HastyError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        raise _failed(path, "read", error) from None


_LONGEST = 200
"""Bytes of a name; file systems take 255, and some of them less."""
_MARK = 8
_LONGEST_SUFFIX = 20
_IMPOSSIBLE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)", re.IGNORECASE)
"""Names of devices on Windows, with any suffix."""
_REMEDIES = {
    errno.ENOSPC: "Free some space, or choose another place",
    errno.EDQUOT: "Free some space, or choose another place",
    errno.EACCES: "Get the permission, or choose another place",
    errno.EPERM: "Get the permission, or choose another place",
    errno.EROFS: "Choose another place, where you may write",
    errno.EISDIR: "A folder has this name: give the name of a file",
    errno.ENOTDIR: "A file is where a folder should be: choose another place",
    errno.EEXIST: "Something else has this name: choose another one",
    errno.ENOENT: "It is not there, or its folder is not: check the path",
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def _split(name: str) -> tuple[str, str]:
    """Split a name before its suffix, if that looks like one."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and 0 < len(suffix.encode()) < _LONGEST_SUFFIX else (name, "")


def _failed(path: PurePath, what: str, error: OSError | UnicodeEncodeError) -> FormatError:
    code = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or "no file is called that"
    remedy = _REMEDIES.get(code or 0, "Check the path")
    return FormatError(printable(path), "", f"it cannot be {what} ({reason})", remedy)


def _can_be_written(character: str) -> bool:
    """Whether it is no control character and no half of a character."""
    return character >= " " and not "\ud800" <= character <= "\udfff"
