"""What lies in the folders of data sets and is no part of them: one rule for all readers, on disk and in archives."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_note", "is_passed_over", "says_labels"]

_DROPPINGS = frozenset(
    [
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "__pycache__",
        "@eadir",
        "#recycle",
        "@recycle",
        "lost+found",
    ]
)
"""What operating systems, network drives and programs leave behind, in small letters."""
_CACHES = (".cache", ".pyc")
_NOTE = re.compile(
    r"(readme|licen[cs]e|copying|notice|notes?|changelog|changes|requirements|authors|citation)([ ._-].*)?"
    r"|(train|val|valid|validation|test|trainval|minival|autosplit|all|obj)([\d _.-].*)?"
    r"|labels?|(.*[_-])?(classes|names)",
    re.IGNORECASE,
)
"""Stems of texts that people and programs put beside labels: readmes, licences, lists of pictures and of classes."""


def is_passed_over(parts: Sequence[str]) -> bool:
    r"""Whether a file is hidden, or was left behind by an operating system or a program.

    Parameters
    ----------
    parts : sequence of str
        Its folders and its name, in the data set.

    Examples
    --------
    >>> [is_passed_over(p.split("/")) for p in ("a/__MACOSX/._b.txt", ".git/a.txt", "labels/train.cache", "a/b.txt")]
    [True, True, True, False]
    """
    return parts[-1].lower().endswith(_CACHES) or any(map(_is_dropping, parts))


def _is_dropping(part: str) -> bool:
    hidden = part.startswith(".") and part not in {".", ".."}  # those lead elsewhere, and are refused
    return hidden or part.lower() in _DROPPINGS


def is_note(stem: str) -> bool:
    """Whether a text is called as readmes, licences and lists are; a picture may be called so as well.

    Examples
    --------
    >>> [is_note(stem) for stem in ("README.roboflow", "train2017", "autosplit_val", "classes", "cat_01")]
    [True, True, True, True, False]
    """
    return _NOTE.fullmatch(stem) is not None


def says_labels(start: bytes) -> bool:
    """Whether a text begins as labels of YOLO do: with a line of five numbers or more.

    Examples
    --------
    >>> says_labels(b"0 0.5 0.5 1 1"), says_labels(b"./images/a.jpg")
    (True, False)
    """
    words = next((line.split() for line in start.splitlines() if line.strip()), [])
    try:
        return len(list(map(float, words))) >= 5
    except ValueError:
        return False
