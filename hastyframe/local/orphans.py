"""Files that a server left behind that was killed: no row names them, so nobody could reach or remove them.

They are removed at the next start, but only where the database is the one that the last server in the folder worked
with. Beside an older one, or a new one, what no row names may be the last copy of somebody's pictures.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hastyframe.entities import ExportJob, Image, Project

from .files import UUID
from .store import Store

__all__ = ["remove_orphans", "renew_mark"]

log = logging.getLogger(__name__)

_PART = re.compile(rf"({UUID.pattern}(\.zip)?\.[0-9a-f]{{8}}|[0-9a-f]{{32}})\.part")
_ARCHIVE = re.compile(rf"({UUID.pattern})\.zip")


def remove_orphans(store: Store, folder: Path) -> None:
    """Remove files that no row names. Nobody else may be at work in the folder."""
    for kind in ("images", "uploads", "exports"):
        for part in (folder / kind).rglob("*.part"):
            with suppress(OSError):
                if _PART.fullmatch(part.name):
                    part.unlink()
    orphans = list(_orphans(store, folder))
    if orphans and not _is_known(store, folder):
        log.warning(
            "%d files and folders in %s are named by no row of its database, which is not the one they were stored"
            " beside; they are left alone: remove them by hand, as %s",
            *(len(orphans), folder, orphans[0].relative_to(folder)),
        )
        return
    for path in orphans:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
    _mark(store, folder)


def renew_mark(store: Store, folder: Path) -> None:
    """Let copies of the database that were made until now belong to the folder no more."""
    if _is_known(store, folder):
        _mark(store, folder)


def _mark(store: Store, folder: Path) -> None:
    old, new = store.mark, 1 + secrets.randbelow(2**31 - 1)
    path = folder / "mark"
    path.touch(mode=0o600)
    path.write_text(f"{old} {new}")  # so that they match as well if this is cut short
    store.mark = new
    path.write_text(f"{new}")


def _is_known(store: Store, folder: Path) -> bool:
    try:
        return store.mark != 0 and str(store.mark) in (folder / "mark").read_text().split()
    except (OSError, ValueError):
        return False


def _orphans(store: Store, folder: Path) -> Iterator[Path]:
    """Give what has a name of the server's own making and no row."""
    projects = store.ids(Project, {})
    for kind in ("images", "uploads"):
        for of_project in _entries(folder / kind):
            if not of_project.is_dir():
                continue
            if of_project.name not in projects:
                yield of_project
            elif kind == "images":
                known = store.ids(Image, {"project_id": of_project.name})
                yield from (path for path in _entries(of_project) if path.name not in known)
    archives = store.ids(ExportJob, {"status": "DONE"})
    for path in (folder / "exports").iterdir():
        named = _ARCHIVE.fullmatch(path.name)
        if named is not None and named[1] not in archives:
            yield path


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if UUID.fullmatch(path.name) and not path.is_symlink())
