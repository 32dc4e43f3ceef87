"""Open what a reader is given: a path, an open file, an archive or the data itself; bounded, and inside its folder."""

from __future__ import annotations

import gc
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from ..errors import FormatError, NotFound
from ..paths import inside
from ._files import name_of

if TYPE_CHECKING:
    from .label_set import Source

__all__ = ["FolderIn", "Text", "load_json", "unhurried_gc"]

Text: TypeAlias = bytes | memoryview

MOST_EXPANSION = 250
"""An archive's member may be this many times as large as it is packed, once it is over 64 MiB."""
LARGE = 2**26
LARGEST = 2**33
"""No single file is read that is larger: 8 GiB."""


@contextmanager
def unhurried_gc() -> Iterator[None]:
    """Keep the garbage collector from looking through millions of new lists again and again.

    As a decorator, it wakes up when the function has returned and they are gone.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load_json(
    source: Source, *, file: str | None = None, parse: Callable[[Text], Any | None] | None = None
) -> tuple[Any, str]:
    """Read JSON.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile, dict or list
        A path of an archive, or an archive, gives the JSON file in it.
    file : str, optional
        Which one, where the archive has several.
    parse : callable, optional
        Parses the text in a quicker way, and returns None where it cannot: then :func:`orjson.loads` does. Not asked
        where the source is a dict or list.

    Returns
    -------
    data : object
        What the JSON says; a dict or list as it was given.
    name : str
        What to call the source in messages.

    Raises
    ------
    NotFound
        There is no such file.
    FormatError
        What is in it is not JSON, or too large.
    """
    if isinstance(source, Mapping | list | tuple):
        return source, "the data"
    import orjson

    data, name = _read(source, file)
    try:
        parsed = parse(data) if parse else None
        return orjson.loads(data) if parsed is None else parsed, name
    except orjson.JSONDecodeError as error:
        what = "it is empty" if not bytes(data).strip() else f"it is not JSON, or cut short: {error.msg}"
        raise FormatError(name, f"character {error.pos:,} of {len(data):,}", what, "Write or fetch it again") from None


def _read(source: Any, file: str | None) -> tuple[Text, str]:
    if isinstance(source, zipfile.ZipFile):
        return _read_json_member(source, file)
    if not isinstance(source, str | os.PathLike):
        data = source.read()
        if isinstance(data, str):
            data = data.encode()
        return data, name_of(source)
    path = Path(source)
    if path.is_dir():
        names = ", ".join(sorted(each.name for each in path.glob("*.json"))[:5]) or "none"
        raise NotFound(f"{path}: it is a folder, and a file is wanted. Name one; JSON files in it: {names}.")
    if not path.is_file():
        raise NotFound(f"{path}: there is no such file. Check the path.")
    if zipfile.is_zipfile(path):
        with _archive(path) as archive:
            return _read_json_member(archive, file)
    return _content(path), str(path)


def _content(path: Path) -> Text:
    """Read a file into an array: NumPy takes large pages for it, which are there in half the time."""
    with path.open("rb") as file:
        text = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
        count = file.readinto(text.data)
        rest = file.read()  # of a file that grows, or does not know its size
    return text[:count].tobytes() + rest if rest else text[:count].data


def _read_json_member(archive: zipfile.ZipFile, file: str | None) -> tuple[bytes, str]:
    folder = FolderIn(archive)
    found = [path for path in folder.paths if path.suffix.lower() == ".json" and file in {None, str(path)}]
    if len(found) != 1:
        names = ", ".join(map(str, found[:5])) or "none"
        raise FormatError(
            folder.name,
            "",
            f"it should hold one JSON file and has {names}",
            "Name it: file=..." if found else "Check it",
        )
    return folder.read(found[0]), f"{folder.name}, {found[0]}"


def _archive(source: str | os.PathLike[str] | IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FormatError(name_of(source), "", f"it is not a zip archive: {error}", "Fetch it again") from None


class FolderIn:
    """The files of a folder: on disk, or in an archive.

    Attributes
    ----------
    name : str
        What to call it in messages.
    paths : list of PurePosixPath
        Its files, sorted, relative to the folder.
    """

    def __init__(self, source: str | os.PathLike[str] | zipfile.ZipFile | IO[bytes]) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._owned = False
        self._root = Path()
        self.name = name_of(source)
        if isinstance(source, zipfile.ZipFile):
            self._archive = source
        elif not isinstance(source, str | os.PathLike) or zipfile.is_zipfile(source):
            self._archive, self._owned = _archive(source), True
        else:
            self._root = Path(source)
            if not self._root.is_dir():
                raise NotFound(f"{self._root}: there is no such folder or archive. Check the path.")
        self.paths = self._listed() if self._archive is None else self._members(self._archive)

    def _listed(self) -> list[PurePosixPath]:
        found = (Path(folder) / file for folder, _, files in os.walk(self._root) for file in files)
        return sorted(PurePosixPath(path.relative_to(self._root).as_posix()) for path in found)

    def _members(self, archive: zipfile.ZipFile) -> list[PurePosixPath]:
        self._infos: dict[PurePosixPath, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            if info.filename.endswith("/") or info.filename.startswith("__MACOSX/"):
                continue
            path = inside(info.filename, self.name)
            if path in self._infos:
                raise FormatError(self.name, f"member {info.filename!r}", "it is there twice", "Pack it again")
            self._infos[path] = info
        return sorted(self._infos)

    def read(self, path: PurePosixPath, most: int = LARGEST) -> bytes:
        """Read one file of the folder, not more than `most` bytes."""
        if self._archive is None:
            size = (self._root / path).stat().st_size
            self._bounded(path, size, size, most)
            return (self._root / path).read_bytes()
        info = self._infos[path]
        self._bounded(path, info.file_size, info.compress_size, most)
        try:
            with self._archive.open(info) as member:
                data = member.read(info.file_size + 1)
        except (
            zipfile.BadZipFile,
            OSError,
            RuntimeError,
            NotImplementedError,
            EOFError,
            ValueError,
            _zlib_error(),
        ) as e:
            raise FormatError(self.name, str(path), f"it cannot be unpacked: {e}", "Fetch the archive again") from None
        if len(data) > info.file_size:
            raise FormatError(self.name, str(path), "it is larger than the archive says", "Fetch the archive again")
        return data

    @contextmanager
    def open(self, path: PurePosixPath) -> Iterator[IO[bytes]]:
        """Open one file of the folder to read from here and there; one of an archive comes into memory."""
        if self._archive is not None:
            yield io.BytesIO(self.read(path))
        else:
            with (self._root / path).open("rb") as file:
                yield file

    def _bounded(self, path: PurePosixPath, size: int, packed: int, most: int) -> None:
        if size > most:
            raise FormatError(self.name, str(path), f"it has {size:,} bytes; {most:,} are read", "Cut it into parts")
        if size > LARGE and size > MOST_EXPANSION * max(packed, 1):
            raise FormatError(
                self.name,
                str(path),
                f"{packed:,} bytes unpack to {size:,}, which looks like a bomb",
                "Unpack it yourself",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None and self._owned:
            self._archive.close()


def _zlib_error() -> type[Exception]:
    import zlib

    return zlib.error
