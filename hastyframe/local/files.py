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
import requests
from PIL import Image as Pillow

from ..errors import FormatError, SizeLimitError
from ..images import opened, read_head
from ..limits import Limits
from .http import Refusal
from .store import Record

__all__ = ["UPLOAD_LIMIT", "Files", "Size", "read_picture", "read_size"]

UPLOAD_LIMIT = 256 * 2**20
"""The most bytes of one picture."""
PIXEL_LIMIT = 2**27
"""The most pixels of one picture: a small file can hold a picture that no memory holds."""
FETCH_SECONDS = 20.0
"""How long a picture may take to come from an address."""
UPLOAD_AGE = 86_400.0
"""After so many seconds, an upload that nobody made an image of is removed at the next start."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("images", "uploads", "exports"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._remove_old_uploads()

    def image(self, project_id: str, image_id: str) -> Path:
        """Return where the bytes of an image are."""
        return self.folder / "images" / project_id / image_id

    def export(self, export_id: str) -> Path:
        """Return where the archive of an export is."""
        return self.folder / "exports" / f"{export_id}.zip"

    def upload(self, project_id: str, upload_id: str) -> Path:
        """Return where uploaded bytes are; an id that is none is refused, since it comes from a client."""
        if not _UUID.fullmatch(upload_id):
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
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def fetched(self, url: str, field: str = "url") -> Iterator[Path]:
        """Fetch an address into a file that is gone afterwards, or refuse with 400, naming the field it came in."""
        part = self.folder / "uploads" / f"{secrets.token_hex(16)}.part"
        try:
            with part.open("wb") as file:
                _fetch(url, file, field)
            yield part
        finally:
            part.unlink(missing_ok=True)

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
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, path)
        except OSError:  # a file system without links
            shutil.copyfile(source, path)
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
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()


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


def _fetch(url: str, file: IO[bytes], field: str) -> None:
    """Fetch http and https only; redirects to other schemes fail, because the session knows no others."""
    deadline = time.monotonic() + FETCH_SECONDS
    size = 0
    try:
        with requests.get(url, stream=True, timeout=(5, 10)) as response:
            if response.status_code != 200:
                raise Refusal(400, f"{field}: {url} answered {response.status_code}")
            for piece in response.iter_content(2**16):
                size += len(piece)
                if size > UPLOAD_LIMIT:
                    raise Refusal(400, f"{field}: {url} is too large: at most {UPLOAD_LIMIT:,} bytes")
                if time.monotonic() > deadline:
                    raise Refusal(400, f"{field}: {url} took over {FETCH_SECONDS:.0f} seconds")
                file.write(piece)
    except (requests.RequestException, UnicodeError, ValueError) as error:
        raise Refusal(400, f"{field}: {url} could not be fetched: {type(error).__name__}") from None
