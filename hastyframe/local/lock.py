"""One server a folder: the second would take the first one's running jobs for dead ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson

from .files import make_private

__all__ = ["FolderLock", "told"]

_NOTE = "address"


class FolderLock:
    """Holds a folder until it is released, or until its process ends in whatever way.

    Whoever finds it held reads in a file beside it where the server is; see :func:`told`.

    The lock is SQLite's on an empty database: the same call on every system, also between threads of one process, and
    given back by the system when the process dies.

    Parameters
    ----------
    folder : Path
        What is locked.

    Raises
    ------
    BlockingIOError
        If somebody else holds it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     FolderLock(Path(folder)).release()
    ...     lock = FolderLock(Path(folder))
    ...     lock.release()
    """

    def __init__(self, folder: Path) -> None:
        make_private(folder / "lock")
        # Released by whichever thread stops the server.
        self._held = sqlite3.connect(folder / "lock", isolation_level=None, timeout=0, check_same_thread=False)
        try:
            self._held.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self.release()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise BlockingIOError(
                f"another server works in the folder {folder}: stop it, connect to it, or take another folder"
            ) from None
        self._note = folder / _NOTE
        self._note.unlink(missing_ok=True)  # of a server that was killed

    def tell(self, note: dict[str, Any]) -> None:
        """Write down where the server is, for its owner alone."""
        part = self._note.with_suffix(".part")
        make_private(part)
        part.write_bytes(orjson.dumps(note))
        part.replace(self._note)

    def release(self) -> None:
        """Let others have the folder."""
        if hasattr(self, "_note"):
            self._note.unlink(missing_ok=True)
        self._held.close()


def told(folder: Path) -> dict[str, Any] | None:
    """Return what the server of a folder has told of itself; None as long as it has not."""
    try:
        note: dict[str, Any] = orjson.loads((folder / _NOTE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return note
