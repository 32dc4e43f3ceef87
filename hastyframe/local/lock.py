"""One server a folder: the second would take the first one's running jobs for dead ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .files import make_private

__all__ = ["FolderLock"]


class FolderLock:
    """Holds a folder until it is released, or until its process ends in whatever way.

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

    def release(self) -> None:
        """Let others have the folder."""
        self._held.close()
