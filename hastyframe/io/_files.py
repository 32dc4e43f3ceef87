"""Files, folders and archives to write to and to read from; nothing leaves its folder, nothing grows past its bound."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from ..arguments import check_path
from ..errors import FormatError
from ..paths import writing
from ..progress import bar

if TYPE_CHECKING:
    from ._load import FolderIn
    from .label_set import File, Folder

T = TypeVar("T")

__all__ = ["FolderOut", "json_bytes", "name_of", "progress_bar", "write_file", "write_json"]


def name_of(file: Any) -> str:
    """Name a file for a message."""
    if isinstance(file, str | os.PathLike):
        return os.fspath(file)
    name = getattr(file, "name", None) or getattr(file, "filename", None)
    return name if isinstance(name, str) else f"the {type(file).__name__}"


def write_file(file: File, data: bytes, member: str) -> None:
    """Write bytes to a path, to an open file, or, where the path ends in ``.zip``, as `member` of an archive."""
    if not isinstance(file, str | os.PathLike) and hasattr(file, "write"):
        file.write(data)
        return
    path = check_path(file, "The file to write to")
    if path.suffix.lower() == ".zip":
        with FolderOut(path) as folder:
            folder.write(PurePosixPath(member), data)
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_json(file: File, data: Any, member: str) -> None:
    """Write JSON as :func:`write_file` writes bytes."""
    write_file(file, json_bytes(data, name_of(file), ""), member)


def json_bytes(data: Any, file: str, place: str) -> bytes:
    """Write a value as JSON; an error for what JSON cannot hold: a number of more than 64 bits, half a character."""
    import orjson

    try:
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
    except (TypeError, RecursionError, ValueError) as error:
        raise FormatError(file, place, f"a column holds what JSON cannot: {error}", "Drop or convert it") from None


class FolderOut:
    """A folder to write files to: on disk, or an archive (a path that ends in ``.zip``, or an open ``ZipFile``)."""

    def __init__(self, folder: Folder) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._owned = False
        if isinstance(folder, zipfile.ZipFile):
            self._archive, self.name = folder, name_of(folder)
            return
        self._root = check_path(folder, "The folder to write to")
        self.name = str(self._root)
        with writing(self._root):
            if self._root.suffix.lower() == ".zip":
                self._root.parent.mkdir(parents=True, exist_ok=True)
                self._archive, self._owned = zipfile.ZipFile(self._root, "w", zipfile.ZIP_DEFLATED), True
            else:
                self._root.mkdir(parents=True, exist_ok=True)

    def write(self, path: PurePosixPath, data: bytes) -> None:
        """Write one file at a path that :func:`inside` has checked."""
        if self._archive is not None:
            stored = path.suffix in {".png", ".jpg", ".jpeg"}
            self._archive.writestr(str(path), data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
            return
        target = self._root / path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def put(self, path: PurePosixPath, source: FolderIn, member: PurePosixPath, link: bool) -> None:
        """Copy or link a file of another folder; one that is there already as the same file stays."""
        origin = source.on_disk(member)
        if origin is None or self._archive is not None:
            if link:
                what = "an archive holds no links"
                raise FormatError(self.name, str(path), what, "Give link=False, and folders on disk")
            self.write(path, source.read(member))
            return
        source.size(member)  # says what is wrong with it, if it cannot be read
        target = self._root / path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and target.samefile(origin):
                return
            target.unlink(missing_ok=True)
            if link:
                target.symlink_to(origin.absolute())
            else:
                shutil.copyfile(origin, target)

    @contextmanager
    def open(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        """Open one file to write to, for what is too large to hold twice."""
        if self._archive is not None:
            with self._archive.open(str(path), "w", force_zip64=True) as file:
                yield file
        else:
            target = self._root / path
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                file = target.open("wb")
            with file:
                yield file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._archive is not None and self._owned:
            self._archive.close()


def progress_bar(items: Sequence[T], what: str, shown: bool) -> Iterable[T]:
    """Go through items with a bar that says how far."""
    several: Iterable[T] = bar(iterable=items, desc=what, unit="file", leave=False, shown=shown and len(items) > 1)
    return several
