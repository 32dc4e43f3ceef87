"""Journals that nobody named: in a folder of this user alone, removed at the end unless something was left undone."""

from __future__ import annotations

import atexit
import contextlib
import getpass
import os
import stat
import tempfile
import uuid
from datetime import datetime
from pathlib import Path

__all__ = ["keep", "temporary_journal"]

_files: dict[Path, int] = {}
"""Files to be removed, and the process that made each: a forked child leaves those of its parent alone."""


def temporary_journal(project_id: str) -> Path:
    """Return a name for a journal that nobody named."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in project_id[:64])
    path = _folder() / f"{name}-{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}.jsonl"
    _files[path] = os.getpid()
    return path


def keep(path: Path) -> None:
    """Keep a journal, because something was left undone."""
    _files.pop(path, None)


@atexit.register
def _remove() -> None:
    for path, process in _files.items():
        if process == os.getpid():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _folder() -> Path:
    """Return a folder that nobody else can read or write; a new one where the usual one is not ours alone."""
    usual = Path(tempfile.gettempdir(), f"hastyframe-{_user()}")
    with contextlib.suppress(FileExistsError):
        usual.mkdir(mode=0o700)
    if _is_private(usual):
        return usual
    return Path(tempfile.mkdtemp(prefix="hastyframe-"))


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def _is_private(folder: Path) -> bool:
    """Whether a folder is one, no link to one, ours, and closed to all others."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if os.name == "nt":  # the temporary folder is the user's own there
        return True
    return found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0
