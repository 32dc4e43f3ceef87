"""Picture files to and from the server."""

from __future__ import annotations

import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import answers
from .arguments import check_path, shown
from .entities import Image
from .errors import (
    FormatError,
    FrameError,
    HastyError,
    OutcomeUnknown,
    Problem,
    SizeLimitError,
    UnexpectedAnswer,
    ValidationException,
)
from .images import SUFFIXES, read_head
from .paths import printable, reading, safe_name, same_place, with_mark, writing
from .urls import path_of

if TYPE_CHECKING:
    from .transport import Transport

__all__ = [
    "Addresses",
    "AnotherImage",
    "Picture",
    "check_picture",
    "check_unique",
    "download",
    "find_pictures",
    "is_turned",
    "local_files",
    "new_image",
    "picture_paths",
    "picture_size",
    "read_picture",
    "save",
    "store_picture",
    "upload_address",
    "warn_of",
]

_ADDRESSES_AT_ONCE = 100


class AnotherImage(OutcomeUnknown):
    """A new image was answered with one of another name: the server has renamed it, or the answer is somebody else's.

    What is sent again for it may come to be there twice.
    """


@dataclass(frozen=True, slots=True)
class Picture:
    """A local file that becomes an image."""

    path: Path
    name: str
    dataset_id: str
    external_id: str | None = None


def check_picture(path: str | Path) -> Path:
    """Return the path of a file that is a picture.

    Raises
    ------
    ValidationException
        If there is no such file, or it is not a picture of the formats that photographs come in.
    """
    picture_size(path)
    return Path(path)


def read_picture(path: str | Path) -> bytes:
    """Return the bytes of a picture file.

    Raises
    ------
    FormatError
        If it cannot be read: it may have gone, or changed into something else, since it was looked at.
    """
    with reading(Path(path)):
        content = Path(path).read_bytes()
    if not content:
        raise FormatError(str(path), "", "it is empty by now", "Write it again")
    return content


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of a picture, of which only the head is read; None if it is too large for Pillow.

    Raises
    ------
    ValidationException
        As :func:`check_picture`.
    """
    path = Path(path)
    _must_be_file(path)
    try:
        head = read_head(path, str(path))
    except SizeLimitError:
        return None  # a very large picture is one all the same; nothing is decoded here
    except FormatError as error:
        raise ValidationException(
            f"{str(path)!r} is not an image: {error.problem}. Give PNG, JPEG, TIFF, WebP or the like."
        ) from None
    return head.width, head.height


def _must_be_file(path: Path) -> None:
    with reading(path):
        if path.is_dir():
            raise FormatError(printable(path), "", "it is a folder", "Give the file of a picture")
        if not path.is_file():
            raise ValidationException(f"There is no file {printable(path)!r}.")
        with path.open("rb"):  # says why not, where there is a file that cannot be read
            pass


def is_turned(path: Path) -> bool:
    """Whether a picture says of itself that its rows are to be shown as columns (the tag Orientation of Exif)."""
    try:
        return read_head(path, str(path)).orientation >= 5
    except ValidationException:
        return False


def local_files(files: Any) -> list[Path]:
    """Return the paths of the pictures of a folder, of one file, or of a list of files.

    Raises
    ------
    ValidationException
        If it is one path, and nothing is there.
    """
    if not isinstance(files, str | os.PathLike):
        if isinstance(files, bytes | Mapping) or not np.iterable(files):
            raise ValidationException(f"{shown(files)} is no folder, file, or list of files.")
        return [check_path(path, f"The file number {number}") for number, path in enumerate(files)]
    path = check_path(files, "The folder or file")
    with reading(path):
        if path.is_dir():
            return find_pictures(path)
        if not path.exists():
            raise ValidationException(f"There is no folder or file {printable(path)!r}.")
    return [path]


def find_pictures(folder: Path) -> list[Path]:
    """Return the files of a folder that are named like pictures, sorted; other files are left alone."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ValidationException(f"There are no pictures in the folder {str(folder)!r}.")
    return found


def upload_address(transport: Transport, project_id: str) -> dict[str, str]:
    """Return one signed upload address, ``{id, url}``."""
    return _addresses(transport, project_id, 1)[0]


def store_picture(transport: Transport, project_id: str, picture: Picture, address: dict[str, str]) -> dict[str, Any]:
    """Upload the bytes of a picture to its address and make an image of them; return the image's JSON."""
    transport.upload(address["url"], read_picture(picture.path))
    return new_image(transport, project_id, picture, address["id"])


def new_image(transport: Transport, project_id: str, picture: Picture, upload_id: str) -> dict[str, Any]:
    """Make an image of the bytes of a picture, which have been uploaded; return the image's JSON."""
    body = {
        "dataset_id": picture.dataset_id,
        "filename": picture.name,
        "upload_id": upload_id,
        "external_id": picture.external_id,
    }
    path = path_of(Image.path, project_id=project_id)
    image = answers.create(transport, Image, path, body, {"dataset_id": picture.dataset_id})
    if what := answers.problem(Image, image, {"name": picture.name}):
        raise AnotherImage(f"The answer is another image than the one that was sent: {what}.", request=f"POST {path}")
    return image


def check_unique(pictures: Sequence[Picture]) -> None:
    """Refuse pictures of the same name for one dataset, before any is sent."""
    counts = Counter((picture.dataset_id, picture.name) for picture in pictures)
    if len(counts) < len(pictures):
        remedy = "File names are unique within a dataset: rename it, or give another dataset."
        raise FrameError(
            Problem("name", str(picture.path), picture.name, remedy)
            for picture in pictures
            if counts[picture.dataset_id, picture.name] > 1
        )


def download(transport: Transport, images: pd.DataFrame, folder: Path, overwrite: bool) -> pd.DataFrame:
    """Download pictures in parallel into a folder a dataset; one that fails does not stop the others.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``image_id``: ``path, outcome, message``. The outcome is ``downloaded``, ``there already`` or
        ``failed``.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    images = images[~images.index.duplicated()]
    paths = picture_paths(images, folder)
    faults = dict(map(_made, {path.parent for path in paths}))

    def fetch(task: tuple[Any, Path]) -> tuple[str, str | None]:
        url, path = task
        if not isinstance(url, str) or not url:
            return "failed", "The image has no public_url."
        if (fault := faults[path.parent]) is not None:
            return "failed", fault
        try:
            with reading(path):
                if path.is_file() and not overwrite:
                    return "there already", None
            save(transport, url, path)
        except HastyError as error:
            return "failed", str(error)
        return "downloaded", None

    outcomes = transport.map(
        fetch, zip(images["public_url"].astype(object), paths, strict=True), desc="Download images", unit="image"
    )
    rows = [(printable(path), *outcome) for path, outcome in zip(paths, outcomes, strict=True)]
    return pd.DataFrame(rows, columns=["path", "outcome", "message"], index=images.index, dtype="str")


def save(transport: Transport, url: str, path: Path) -> None:
    """Download a file, which is there whole or not at all.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    with writing(path):
        if path.is_dir():
            raise FormatError(printable(path), "", "it is a folder", "Give the name of a file")
        transport.download(url, path)


def picture_paths(images: pd.DataFrame, folder: Path) -> list[Path]:
    """Return where the pictures of images are, in a folder a dataset: each somewhere of its own, the same each time.

    Parameters
    ----------
    images : pandas.DataFrame
        Indexed by ``image_id``: ``dataset_name, name``.
    folder : Path
        Below which they are.

    Examples
    --------
    >>> images = pd.DataFrame({"dataset_name": "train", "name": ["a.png", "b/c.png"]}, index=["i", "j"])
    >>> [path.as_posix() for path in picture_paths(images, Path("out"))]
    ['out/train/a.png', 'out/train/b_c-09a95e65.png']
    """
    names = zip(images["dataset_name"].astype(object), images["name"].astype(object), strict=True)
    paths = [folder / safe_name(_text(dataset)) / safe_name(_text(name)) for dataset, name in names]
    places = Counter(map(same_place, paths))
    return [
        path if places[same_place(path)] == 1 else path.with_name(with_mark(path.name, str(key)))
        for key, path in zip(images.index, paths, strict=True)
    ]


def _text(name: Any) -> str:
    return "" if pd.isna(name) else str(name)


def _made(folder: Path) -> tuple[Path, str | None]:
    """Make a folder; return it, and why it could not be made."""
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except FormatError as error:
        return folder, str(error)
    return folder, None


def warn_of(report: pd.DataFrame, good: Iterable[str], what: str) -> None:
    """Say aloud how many rows of a report did not end well."""
    bad = ~report["outcome"].isin(list(good))
    if bad.any():
        first = report[bad].iloc[0]
        message = str(first["message"])
        shown = message if str(first["path"]) in message else f"{first['path']}: {message}"
        warnings.warn(
            f"{int(bad.sum()):,} of {len(report):,} {what}: see `outcome` and `message` of the report. The first: "
            f"{shown}",
            UserWarning,
            stacklevel=4,  # of this, of the call, and of what takes its frames
        )


class Addresses:
    """Signed upload addresses, fetched many at a time as they are needed: they expire."""

    def __init__(self, transport: Transport, project_id: str, needed: int) -> None:
        self._fetch: Callable[[int], list[dict[str, str]]] = lambda n: _addresses(transport, project_id, n)
        self._needed = needed
        self._stock: list[dict[str, str]] = []
        self._fetched: set[str] = set()
        self._lock = threading.Lock()

    def take(self) -> dict[str, str]:
        """Return the next one, ``{id, url}``."""
        with self._lock:
            if not self._stock:
                self._stock = self._fetch(max(1, min(_ADDRESSES_AT_ONCE, self._needed)))
                self._fetched = {address["id"] for address in self._stock}
            self._needed -= 1
            return self._stock.pop(0)

    def expired(self, address: dict[str, str]) -> None:
        """Throw away what was fetched together with an address that is no good any more."""
        with self._lock:
            if address["id"] in self._fetched:
                self._stock.clear()


def _addresses(transport: Transport, project_id: str, count: int) -> list[dict[str, str]]:
    path = path_of("/v1/projects/{project_id}/uploads", project_id=project_id)
    answer = transport.get(path, {"count": count})
    items = answer.get("items") if isinstance(answer, dict) else None
    if not items or not isinstance(items, list) or not all(map(_is_address, items)):
        raise UnexpectedAnswer("The answer is not a list of addresses to upload to, {id, url}.", request=f"GET {path}")
    return items


def _is_address(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) and item[key] for key in ("id", "url"))
