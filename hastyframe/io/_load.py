"""Open what a reader is given: a path, an open file, an archive or the data itself; bounded, and inside its folder."""

from __future__ import annotations

import gc
import io
import json
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from ..arguments import check_path
from ..errors import FormatError, NotFound, SizeLimitError, ValidationException
from ..limits import DEFAULT_LIMITS, Limits
from ..paths import inside, reading
from ._files import name_of
from ._growth import TEXT_BYTES, Growth, check_nested
from ._passed_over import is_passed_over

if TYPE_CHECKING:
    from .label_set import Source

__all__ = ["FolderIn", "Text", "load_json", "unhurried_gc"]

Text: TypeAlias = bytes | memoryview

LARGEST = 2**33
"""No single file is read that is larger: 8 GiB."""
UNPACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""How members may be packed. Nobody packs data sets in other ways, and with those, a piece of 4 KiB can become GiB."""
_WAYS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "zstandard"}
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, OSError, RuntimeError, EOFError, ValueError, OverflowError)
"""What :mod:`zipfile` raises for bad archives; NotImplementedError is a RuntimeError."""


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
    source: Source,
    *,
    file: str | None = None,
    parse: Callable[[Text], Any | None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
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
    limits : Limits
        What an archive may unpack to.

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
        What is in it is not JSON.
    SizeLimitError
        An archive that would unpack to more than `limits` allow, or JSON of more lists and objects.
    """
    if isinstance(source, Mapping | list | tuple):
        return source, "the data"
    import orjson

    text, name, is_packed = _read(source, file, limits)
    if (kind := _signature(bytes(text[:_HEAD]))) is not None:
        raise FormatError(name, "", f"it is {kind} and not JSON", _remedy(kind))
    data = _in_utf8(text, name)
    check_nested(data, name, limits)
    try:
        parsed = parse(data) if parse else None
        if parsed is None:
            check_nested(data, name, limits, numbers=is_packed)
            parsed = orjson.loads(data)
        if parsed is None:
            raise FormatError(name, "", "it holds null and nothing else", "Write or fetch it again")
        return parsed, name
    except orjson.JSONDecodeError as error:
        if (found := _with_nan(data)) is not None:
            return found, name
        what = "it is empty" if not bytes(data).strip() else f"it is not JSON, or cut short: {error.msg}"
        raise FormatError(name, f"character {error.pos:,} of {len(data):,}", what, "Write or fetch it again") from None


_HEAD = 512
_POINTER = "a pointer of Git LFS"
_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstandard",
    b"7z\xbc\xaf": "packed by 7-Zip",
    b"Rar!": "packed by RAR",
    b"%PDF": "a PDF file",
    b"PAR1": "a Parquet file",
    b"<": "XML or HTML",
    b"version https://git-lfs": _POINTER,
}
"""How files begin that are taken for JSON by mistake. No JSON begins so."""


def _signature(head: bytes) -> str | None:
    """Say what a file is that begins as no JSON does, None if that is not known."""
    if head[257:262] == b"ustar":
        return "packed by tar"
    return next((kind for start, kind in _SIGNATURES.items() if head.startswith(start)), None)


def _remedy(kind: str) -> str:
    if kind == _POINTER:
        return "Fetch its file: git lfs pull"
    return "Unpack it, or give a zip archive" if kind.startswith("packed") else "Give the JSON file"


def _in_utf8(text: Text, name: str) -> Text:
    """Text without a mark ahead of it, and in UTF-8 if it is in UTF-16 or UTF-32."""
    coding = json.detect_encoding(bytes(text[:4]))
    if coding == "utf-8-sig":
        return text[3:]
    if coding == "utf-8":
        return text
    try:
        return bytes(text).decode(coding).encode()
    except UnicodeError as error:
        raise FormatError(name, "", f"it is not text in {coding.upper()}: {error}", "Save it as UTF-8") from None


def _with_nan(text: Text) -> Any | None:
    """Read JSON with the words NaN and Infinity, which are not of it and Python writes; None if it is none either."""
    if not any(word in (data := bytes(text)) for word in (b"NaN", b"Infinity")):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _read(source: Any, file: str | None, limits: Limits) -> tuple[Text, str, bool]:
    """Read a text, what to call it, and whether it came out of an archive."""
    if isinstance(source, zipfile.ZipFile):
        return *_read_json_member(source, file, limits), True
    if not isinstance(source, str | os.PathLike) and hasattr(source, "read"):
        data = source.read()
        if isinstance(data, str):
            data = data.encode()
        return data, name_of(source), False
    if isinstance(source, bytes | bytearray):
        raise ValidationException(
            "The file is bytes; it must be a path, an open file or data: io.BytesIO makes a file."
        )
    path = check_path(source, "The file")
    if path.is_dir():
        there = sorted(each.name for each in path.iterdir() if each.suffix.lower() in {".json", ".zip"})
        names = ", ".join(there[:5]) or "none"
        raise NotFound(f"{path}: it is a folder, and a file is wanted. Name one; JSON and zip files in it: {names}.")
    if not path.is_file():
        raise NotFound(f"{path}: {_absent(path, 'file')}. Check the path.")
    if zipfile.is_zipfile(path):
        with _archive(path) as archive:
            return *_read_json_member(archive, file, limits), True
    return _content(path), str(path), False


def _absent(path: Path, what: str) -> str:
    """Say of a path at which no file or folder is what is there."""
    return "it is a link to what is not there" if path.is_symlink() else f"there is no such {what}"


def _content(path: Path) -> Text:
    """Read a file into an array: NumPy takes large pages for it, which are there in half the time."""
    with reading(path), path.open("rb") as file:
        text = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
        count = file.readinto(text.data)
        rest = file.read()  # of a file that grows, or does not know its size
    return text[:count].tobytes() + rest if rest else text[:count].data


def _read_json_member(archive: zipfile.ZipFile, file: str | None, limits: Limits) -> tuple[bytes, str]:
    folder = FolderIn(archive, limits)
    found = [path for path in folder.paths if path.suffix.lower() == ".json" and file in {None, str(path)}]
    if len(found) != 1:
        names = ", ".join(map(str, found[:5])) or "none"
        raise FormatError(
            folder.name,
            "",
            f"it should hold one JSON file and has {names}",
            "Name it: file=..." if found else "Check it",
        )
    name = f"{folder.name}, {found[0]}"
    if (size := folder.unpacked_size(found[0])) > (most := limits.unpacked_bytes // 4):  # as objects it takes more
        raise SizeLimitError(name, f"JSON of {size:,} bytes", "unpacked_bytes", most)
    return folder.read(found[0]), name


def _archive(source: str | os.PathLike[str] | IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except _BROKEN as error:
        raise FormatError(name_of(source), "", f"it is not a zip archive: {error}", "Fetch it again") from None


class FolderIn:
    """The files of a folder: on disk, or in an archive.

    Attributes
    ----------
    name : str
        What to call it in messages.
    paths : list of PurePosixPath
        Its files, sorted, relative to the folder; not what :func:`is_passed_over` passes over.
    limits : Limits
        What they may unpack to.

    Its argument `deep` says whether the files of the folders in it count as well.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | zipfile.ZipFile | IO[bytes],
        limits: Limits = DEFAULT_LIMITS,
        *,
        deep: bool = True,
    ) -> None:
        self.limits, self._deep = limits, deep
        self._archive: zipfile.ZipFile | None = None
        self._owned = False
        self._root = Path()
        self.name = name_of(source)
        if isinstance(source, zipfile.ZipFile):
            self._archive = source
        elif not isinstance(source, str | os.PathLike) and hasattr(source, "read"):
            self._archive, self._owned = _archive(source), True
        else:
            self._root = check_path(source, "The folder")
            if zipfile.is_zipfile(self._root):
                self._archive, self._owned = _archive(self._root), True
            elif self._root.is_file():
                raise NotFound(f"{self._root}: it is a file, and neither a folder nor a zip archive. Check the path.")
            elif not self._root.is_dir():
                raise NotFound(f"{self._root}: {_absent(self._root, 'folder or archive')}. Check the path.")
        self.paths = self._listed() if self._archive is None else self._members(self._archive)

    def above(self) -> Iterator[FolderIn]:
        """Go to the two folders above one on disk, with the files right in them."""
        if self._archive is None:
            for parent in self._root.absolute().parents[:2]:
                yield FolderIn(parent, self.limits, deep=False)

    def _listed(self) -> list[PurePosixPath]:
        found = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if self._deep and not is_passed_over([name])]
            place = Path(folder).relative_to(self._root).as_posix()
            found += [PurePosixPath(place, name) for name in files if not is_passed_over([name])]
        return sorted(found)

    def _members(self, archive: zipfile.ZipFile) -> list[PurePosixPath]:
        self._infos: dict[PurePosixPath, zipfile.ZipInfo] = {}
        if (count := len(archive.infolist())) > self.limits.members:
            raise SizeLimitError(self.name, f"{count:,} files", "members", self.limits.members)
        # All that is packed stands before the list of members: what that says of their sizes need not be so.
        self._growth = Growth(self.name, archive.start_dir, self.limits, TEXT_BYTES)
        for info in archive.infolist():
            if info.filename.endswith("/") or is_passed_over(info.filename.replace("\\", "/").split("/")):
                continue
            path = inside(info.filename, self.name)
            if path in self._infos:
                raise FormatError(self.name, f"member {info.filename!r}", "it is there twice", "Pack it again")
            self._infos[path] = info
        return sorted(self._infos)

    def without(self, what: str, remedy: str = "Check the path") -> FormatError:
        """Make the error of a folder in which there is nothing of what was looked for."""
        ends = Counter(path.suffix.lower() or "no suffix" for path in self.paths)
        there = ", ".join(f"{count:,} {end}" for end, count in ends.most_common(5)) or "none"
        if len(self.paths) == ends[".zip"] == 1:
            remedy = f"Read the archive: {self.paths[0]}"
        return FormatError(self.name, "", f"there is no {what} in it or in its folders; its files: {there}", remedy)

    def size(self, path: PurePosixPath) -> int:
        """How many bytes a file of the folder takes, packed if it is packed."""
        if self._archive is not None:
            return self._infos[path].compress_size
        place = self._root / path
        if place.is_symlink() and not place.exists():
            raise FormatError(self.name, str(path), "it is a link to what is not there", "Mend the link, or delete it")
        with reading(place):
            found = place.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FormatError(self.name, str(path), "it is a device or a pipe and not a file", "Leave it out")
        return found.st_size

    def unpacked_size(self, path: PurePosixPath) -> int:
        """How many bytes a file of an archive says that it has, once unpacked; it is not read if that is not so."""
        return self._infos[path].file_size

    def on_disk(self, path: PurePosixPath) -> Path | None:
        """Where a file is on disk, if it is not in an archive."""
        return None if self._archive is not None else self._root / path

    def read(self, path: PurePosixPath, most: int = LARGEST) -> bytes:
        """Read one file of the folder, not more than `most` bytes."""
        if self._archive is not None:
            return self._unpacked(self._archive, path, most)
        self._bounded(path, self.size(path), most)
        with reading(self._root / path):
            return (self._root / path).read_bytes()

    @contextmanager
    def open(self, path: PurePosixPath, most: int = LARGEST) -> Iterator[IO[bytes]]:
        """Open one file of the folder to read from here and there; one of an archive comes into memory."""
        if self._archive is not None:
            yield io.BytesIO(self._unpacked(self._archive, path, most))
            return
        self._bounded(path, self.size(path), most)
        with reading(self._root / path):
            file = (self._root / path).open("rb")
        with file:
            yield file

    def _unpacked(self, archive: zipfile.ZipFile, path: PurePosixPath, most: int) -> bytes:
        info = self._infos[path]
        if info.flag_bits & 1:
            raise FormatError(self.name, str(path), "it is encrypted", "Unpack the archive, and read the folder")
        if info.compress_type not in UNPACKED:
            way = _WAYS.get(info.compress_type, f"method {info.compress_type}")
            raise FormatError(self.name, str(path), f"it is packed by {way} and not by deflate", "Pack it as usual")
        self._bounded(path, info.file_size, most)
        self._growth.take(info.file_size, str(path))
        try:
            with archive.open(info) as member:
                data = member.read(info.file_size + 1)
        except _BROKEN as error:
            problem = f"it cannot be unpacked: {error or type(error).__name__}"
            raise FormatError(self.name, str(path), problem, "Fetch the archive again") from None
        if len(data) > info.file_size:
            raise FormatError(self.name, str(path), "it is larger than the archive says", "Fetch the archive again")
        return data

    def _bounded(self, path: PurePosixPath, size: int, most: int) -> None:
        if size > most:
            raise FormatError(self.name, str(path), f"it has {size:,} bytes; {most:,} are read", "Cut it into parts")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None and self._owned:
            self._archive.close()
