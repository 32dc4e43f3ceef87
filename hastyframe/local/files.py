"""The files of the server: uploads, pictures and archives, under names of its own making, and pictures from elsewhere.

Nothing that a client says becomes part of a path: names of images stand in the database only.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ..errors import FormatError, SizeLimitError
from ..images import opened, read_head
from ..limits import Limits
from .fetch import Fetcher
from .http import Refusal
from .store import Record

__all__ = ["UPLOAD_LIMIT", "UUID", "Files", "Size", "make_private", "read_picture", "read_size"]

UPLOAD_LIMIT = 256 * 2**20
"""The most bytes of one picture."""
PIXEL_LIMIT = 2**27
"""The most pixels of one picture: a small file can hold a picture that no memory holds."""
UPLOAD_AGE = 86_400.0
"""After so many seconds, an upload that nobody made an image of is removed at the next start."""

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How the names look that the server makes."""


class Size(NamedTuple):
    """What the head of a picture's file says."""

    width: int
    height: int
    media_type: str


class Files:
    """The folder of a server.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    fetcher : Fetcher
        Brings pictures from elsewhere.
    """

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self.folder = folder
        self._fetcher = fetcher
        for name in ("images", "uploads", "exports"):
            (folder / name).mkdir(0o700, parents=True, exist_ok=True)
            (folder / name).chmod(0o700)
        self._remove_old_uploads()

    def image(self, project_id: str, image_id: str) -> Path:
        """Return where the bytes of an image are."""
        return self.folder / "images" / project_id / image_id

    def export(self, export_id: str) -> Path:
        """Return where the archive of an export is."""
        return self.folder / "exports" / f"{export_id}.zip"

    def upload(self, project_id: str, upload_id: str) -> Path:
        """Return where uploaded bytes are; the id comes from a client, so that a bad one is refused."""
        if not UUID.fullmatch(upload_id):
            raise Refusal(400, f"upload_id: {upload_id!r} is not the id of an upload")
        return self.folder / "uploads" / project_id / upload_id

    def uploaded(self, project_id: str, upload_id: str) -> Path:
        """Return where uploaded bytes are, or refuse where nothing was uploaded."""
        path = self.upload(project_id, upload_id)
        if not path.is_file():
            raise Refusal(400, f"upload_id: nothing was uploaded to {upload_id!r}, or it was used already")
        return path

    async def receive(self, pieces: AsyncIterator[bytes], path: Path) -> None:
        """Write bytes as they come; the file is there once all of them are."""
        with self.part_of(path) as file:
            async for piece in pieces:
                file.write(piece)

    @contextmanager
    def part_of(self, path: Path) -> Iterator[IO[bytes]]:
        """Give a file to write to that takes its place when all went well, and leaves nothing behind otherwise."""
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with _private_file(part) as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def passing(self) -> Iterator[Path]:
        """Give a path for a file that is gone afterwards."""
        part = self.folder / "uploads" / f"{secrets.token_hex(16)}.part"
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def fetch(self, url: str, path: Path, field: str) -> None:
        """Fetch an address into a file, or refuse with 400, naming the field that the address came in."""
        with _private_file(path) as file:
            self._fetcher.fetch(url, file, field, UPLOAD_LIMIT)

    @contextmanager
    def fetched(self, url: str) -> Iterator[Path]:
        """Fetch an address into a file that is gone afterwards."""
        with self.passing() as path:
            self.fetch(url, path, "url")
            yield path

    @contextmanager
    def picture_of(self, image: Record) -> Iterator[Path]:
        """Give the file of an image, fetched first where only its address is kept."""
        if image["media_type"] is not None:
            yield self.image(image["project_id"], image["id"])
        else:
            with self.fetched(image["public_url"]) as path:
                yield path

    def keep(self, source: Path, project_id: str, image_id: str) -> Path:
        """Make a file the bytes of an image; the source stays, so that a transaction that fails takes nothing away."""
        path = self.image(project_id, image_id)
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        try:
            os.link(source, path)
        except OSError:  # a file system without links
            with source.open("rb") as bytes_, _private_file(path) as file:
                shutil.copyfileobj(bytes_, file)
        return path

    def remove_images(self, project_id: str, image_ids: list[str]) -> None:
        """Remove the bytes of images."""
        for image_id in image_ids:
            with suppress(OSError):
                self.image(project_id, image_id).unlink()

    def remove_project(self, project_id: str, export_ids: list[str]) -> None:
        """Remove all files of a project."""
        for name in ("images", "uploads"):
            shutil.rmtree(self.folder / name / project_id, ignore_errors=True)
        for export_id in export_ids:
            with suppress(OSError):
                self.export(export_id).unlink()

    def _remove_old_uploads(self) -> None:
        oldest = time.time() - UPLOAD_AGE
        for path in (self.folder / "uploads").rglob("*"):
            with suppress(OSError):
                if UUID.fullmatch(path.name) and path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()


def make_private(path: Path) -> None:
    """Make a file where it is missing, for its owner alone in any case."""
    path.touch(0o600)
    path.chmod(0o600)


def _private_file(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def read_size(path: Path, name: str) -> Size:
    """Read size and type of a picture from the head of its file; `name` is what a refusal calls it."""
    with _refused(name):
        head = read_head(path, name)
    if head.width * head.height > PIXEL_LIMIT:
        raise Refusal(400, f"{name} has too many pixels: {head.width:,} × {head.height:,}")
    return Size(head.width, head.height, Pillow.MIME.get(head.format, "application/octet-stream"))


def read_picture(path: Path, name: str) -> npt.NDArray[np.uint8]:
    """Read a picture.

    Returns
    -------
    numpy.ndarray of uint8, shape (height, width, 3)
        Red, green and blue. Grey values of more than 8 bits are stretched from the least to the greatest.
    """
    with _refused(name), opened(path, name, limits=Limits(pixels=PIXEL_LIMIT)) as picture:
        if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
            return _stretched(np.asarray(picture, dtype=np.float64))
        return np.asarray(picture.convert("RGB"))


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Refuse what is no picture in words that do not show where the server keeps it."""
    try:
        yield
    except SizeLimitError:
        raise Refusal(400, f"{name} has too many pixels: at most {PIXEL_LIMIT:,}") from None
    except FormatError as error:
        raise Refusal(400, f"{name}: {error.problem}") from None


def _stretched(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    low, high = np.nanmin(grey), np.nanmax(grey)
    scaled = np.nan_to_num((grey - low) / (high - low or 1) * 255).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)
