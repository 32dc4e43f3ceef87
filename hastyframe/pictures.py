"""Picture files to and from the server."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from .entities import Image
from .errors import FrameError, HastyError, Problem, UnexpectedAnswer, ValidationException
from .urls import path_of

if TYPE_CHECKING:
    from .transport import Transport

__all__ = [
    "Addresses",
    "Picture",
    "check_picture",
    "check_unique",
    "download",
    "find_pictures",
    "inside",
    "is_turned",
    "local_files",
    "new_image",
    "picture_size",
    "store_picture",
    "upload_address",
    "warn_of",
]

_ADDRESSES_AT_ONCE = 100


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
        If there is no such file, or it is no picture that Pillow knows.
    """
    picture_size(path)
    return Path(path)


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of a picture, of which only the head is read; None if it is too large for Pillow.

    Raises
    ------
    ValidationException
        As :func:`check_picture`.
    """
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        raise ValidationException(f"There is no file {str(path)!r}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(path) as picture:
                return picture.size
    except Pillow.DecompressionBombError:
        return None  # a very large picture is one all the same; nothing is decoded here
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise ValidationException(
            f"{str(path)!r} is not an image: Pillow does not know its content. Give PNG, JPEG, TIFF, WebP or the like."
        ) from None


def is_turned(path: Path) -> bool:
    """Whether a picture says of itself that its rows are to be shown as columns (the tag Orientation of Exif)."""
    from PIL import ExifTags
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(path) as picture:
                return picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError):
        return False


def local_files(files: Any) -> list[Path]:
    """Return the paths of the pictures of a folder, of one file, or of a list of files.

    Raises
    ------
    ValidationException
        If it is one path, and nothing is there.
    """
    if not isinstance(files, str | Path):
        return [Path(path) for path in files]
    if Path(files).is_dir():
        return find_pictures(Path(files))
    if not Path(files).exists():
        raise ValidationException(f"There is no folder or file {str(files)!r}.")
    return [Path(files)]


def find_pictures(folder: Path) -> list[Path]:
    """Return the files of a folder that are named like pictures, sorted; other files are left alone."""
    from PIL import Image as Pillow

    suffixes = Pillow.registered_extensions()
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    if not found:
        raise ValidationException(f"There are no pictures in the folder {str(folder)!r}.")
    return found


def upload_address(transport: Transport, project_id: str) -> dict[str, str]:
    """Return one signed upload address, ``{id, url}``."""
    return _addresses(transport, project_id, 1)[0]


def store_picture(transport: Transport, project_id: str, picture: Picture, address: dict[str, str]) -> dict[str, Any]:
    """Upload the bytes of a picture to its address and make an image of them; return the image's JSON."""
    transport.upload(address["url"], picture.path.read_bytes())
    return new_image(transport, project_id, picture, address["id"])


def new_image(transport: Transport, project_id: str, picture: Picture, upload_id: str) -> dict[str, Any]:
    """Make an image of the bytes of a picture, which have been uploaded; return the image's JSON."""
    body = {
        "dataset_id": picture.dataset_id,
        "filename": picture.name,
        "upload_id": upload_id,
        "external_id": picture.external_id,
    }
    image = transport.post(path_of(Image.path, project_id=project_id), body)
    if not isinstance(image, dict) or not isinstance(image.get("id"), str):
        raise UnexpectedAnswer("The server answered a new image with something else.")
    return image


def check_unique(pictures: Sequence[Picture]) -> None:
    """Refuse pictures of the same name for one dataset, before any is sent."""
    twice = pd.DataFrame([(picture.dataset_id, picture.name) for picture in pictures]).duplicated(keep=False)
    if twice.any():
        remedy = "File names are unique within a dataset: rename it, or give another dataset."
        raise FrameError(
            Problem("name", str(picture.path), picture.name, remedy)
            for picture, bad in zip(pictures, twice, strict=True)
            if bad
        )


def download(transport: Transport, images: pd.DataFrame, folder: Path, overwrite: bool) -> pd.DataFrame:
    """Download pictures in parallel into a folder a dataset; one that fails does not stop the others.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``image_id``: ``path, outcome, message``. The outcome is ``downloaded``, ``there already`` or
        ``failed``.
    """
    images = images[~images.index.duplicated()]
    columns = images[["dataset_name", "name", "public_url"]].astype(object)
    taken: set[str] = set()
    tasks = []
    for dataset, name, url in zip(columns["dataset_name"], columns["name"], columns["public_url"], strict=True):
        path, fault = None, None
        try:
            path = inside(folder, str(dataset), str(name))
        except ValidationException as error:
            fault = error.message
        else:
            if not isinstance(url, str):
                fault = "The image has no public_url."
            elif str(path).casefold() in taken:  # not every file system tells A from a
                fault = "Another of the images has the same file name."
            taken.add(str(path).casefold())
        tasks.append((url, path, fault))
    for parent in {path.parent for _, path, _ in tasks if path is not None}:
        parent.mkdir(parents=True, exist_ok=True)

    def fetch(task: tuple[str, Path | None, str | None]) -> tuple[str, str | None]:
        url, path, fault = task
        if path is None or fault is not None:
            return "failed", fault
        if path.exists() and not overwrite:
            return "there already", None
        try:
            transport.download(url, path)
        except (HastyError, OSError) as error:
            return "failed", str(error)
        return "downloaded", None

    outcomes = transport.map(fetch, tasks, desc="Download images", unit="image")
    rows = [
        (None if path is None else str(path), *outcome) for (_, path, _), outcome in zip(tasks, outcomes, strict=True)
    ]
    return pd.DataFrame(rows, columns=["path", "outcome", "message"], index=images.index, dtype="str")


def inside(folder: Path, *names: str) -> Path:
    """Return a path below a folder whose parts come from elsewhere.

    Raises
    ------
    ValidationException
        If a name would lead out of the folder or cannot be that of a file.

    Examples
    --------
    >>> inside(Path("out"), "train", "a.png").as_posix()
    'out/train/a.png'
    """
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        drive = os.name == "nt" and ":" in name
        if len(parts) != 1 or parts[0] in (".", "..", "/") or "\0" in name or drive:
            raise ValidationException(
                f"{name!r} cannot be the name of a file or folder; rename it on the server first."
            )
    return folder.joinpath(*names)


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
            stacklevel=3,
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
    answer = transport.get(path_of("/v1/projects/{project_id}/uploads", project_id=project_id), {"count": count})
    items = answer.get("items") if isinstance(answer, dict) else None
    if not items or not all(isinstance(item, dict) and {"id", "url"} <= set(item) for item in items):
        raise UnexpectedAnswer("The server answered something else than addresses to upload to.")
    found: list[dict[str, str]] = items
    return found
