"""Picture files: the one place that opens them, whatever they claim to be.

A camera writes the rows of its sensor as they come and says, in the Exif tag Orientation, how it was held. Here a
picture has the size, and its pixels the places, that people see: labels are drawn on what people see.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from .errors import FormatError, HastyError, SizeLimitError, place_in_file
from .limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "SUFFIXES", "Head", "check_pixels", "opened", "read_head", "upright"]

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
"""What photographs come in. Pillow knows more: formats that run other programs, or that hold whole documents."""
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""How files of these formats are called."""

_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What brings a picture of each orientation upright, as Pillow calls it."""
_SAYING_ORIENTATION = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Where Pillow keeps what may say how a picture is to be turned."""
_pillow = threading.Lock()
"""What is set while Pillow opens a file (filters of warnings, its bound) is set for all threads."""


class Head(NamedTuple):
    """What the head of a picture's file says."""

    width: int
    height: int
    """As people see it; of a picture that lies on its side, the file stores them the other way round."""
    format: str
    orientation: int
    """How the stored rows are to be turned, as Exif counts: 1 is as they are, 5 to 8 lie on their side."""


def read_head(
    source: str | os.PathLike[str] | IO[bytes],
    file: str,
    place: str = "",
    *,
    formats: Sequence[str] = FORMATS,
    limits: Limits = DEFAULT_LIMITS,
) -> Head:
    """Read size, format and orientation of a picture, and none of its pixels.

    Parameters
    ----------
    source : path or binary file
        The file; an open one can be read from here and there.
    file, place : str
        What to call it in messages, and where in it.
    formats : sequence of str
        Pillow's names of the formats that are meant. What is something else is not a picture here.
    limits : Limits
        Pillow refuses to open very large pictures; ``limits.pixels`` may allow larger ones.

    Raises
    ------
    FormatError
        It has none of the formats, or is broken.
    SizeLimitError
        More pixels than Pillow opens.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("L", (8, 4)).save(file := io.BytesIO(), "PNG")
    >>> read_head(file, "a.png")
    Head(width=8, height=4, format='PNG', orientation=1)
    """
    with _opened(source, file, place, formats, limits) as (_, head):
        return head


@contextmanager
def opened(
    source: str | os.PathLike[str] | IO[bytes],
    file: str,
    place: str = "",
    *,
    formats: Sequence[str] = FORMATS,
    limits: Limits = DEFAULT_LIMITS,
    draft: int | None = None,
) -> Iterator[Image]:
    """Open a picture whose pixels are wanted, turned as people see it.

    Parameters, and the errors, are those of :func:`read_head`. Whatever goes wrong while the picture is open is taken
    for a picture that cannot be decoded.

    Parameters
    ----------
    draft : int, optional
        The picture is wanted with so many pixels a side at most: a JPEG leaves out some of what is more.

    Raises
    ------
    SizeLimitError
        More pixels than ``limits.pixels``; none was decoded.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("L", (8, 4)).save(file := io.BytesIO(), "PNG")
    >>> with opened(file, "a.png") as picture:
    ...     print(picture.convert("RGB").size)
    (8, 4)
    """
    with _opened(source, file, place, formats, limits) as (picture, head):
        check_pixels(head.width, head.height, file, place, limits)
        _drop_further_blocks(picture)
        if draft is not None and max(picture.size) > draft:
            picture.draft(None, (draft, draft))
        yield _turned(picture, head.orientation)


def upright(picture: Image) -> Image:
    """Return a picture that is open already as people see it; it stays as it is itself.

    Examples
    --------
    >>> from PIL import Image
    >>> picture = Image.new("L", (8, 4))
    >>> picture.getexif()[0x0112] = 6
    >>> upright(picture).size, upright(upright(picture)).size
    ((4, 8), (4, 8))
    """
    with _bound_of(DEFAULT_LIMITS):
        orientation = _orientation(picture)
    return _turned(picture, orientation)


def check_pixels(width: int, height: int, file: str, place: str = "", limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse a picture of too many pixels.

    Raises
    ------
    SizeLimitError
        More than ``limits.pixels``.
    """
    if width * height > limits.pixels:
        raise SizeLimitError(place_in_file(file, place), f"{width:,} by {height:,} pixels", "pixels", limits.pixels)


@contextmanager
def _opened(
    source: str | os.PathLike[str] | IO[bytes], file: str, place: str, formats: Sequence[str], limits: Limits
) -> Iterator[tuple[Image, Head]]:
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with _bound_of(limits):
            picture = Pillow.open(source, formats=tuple(formats))
            head = _head(picture)
        with picture:
            yield picture, head
    except (HastyError, MemoryError):
        raise
    except UnidentifiedImageError:
        problem = f"it is not a picture, or not one of {', '.join(formats)}"
        raise FormatError(file, place, problem, "Save it in one of these formats, or leave it out") from None
    except Pillow.DecompressionBombError:
        most = 2 * (Pillow.MAX_IMAGE_PIXELS or limits.pixels)
        raise SizeLimitError(
            place_in_file(file, place), "it has more pixels than Pillow opens", "pixels", most
        ) from None
    except Exception as error:  # what Pillow's readers of formats raise has no common parent
        problem = f"it cannot be read as a picture: {error or type(error).__name__}"
        raise FormatError(file, place, problem, "Write it again, or leave it out") from None


@contextmanager
def _bound_of(limits: Limits) -> Iterator[None]:
    """Let Pillow open what the limits allow, and not warn of what is not decoded."""
    from PIL import Image as Pillow

    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Pillow.MAX_IMAGE_PIXELS
        if before is not None and limits.pixels > 2 * before:
            Pillow.MAX_IMAGE_PIXELS = limits.pixels
        try:
            yield
        finally:
            Pillow.MAX_IMAGE_PIXELS = before


def _head(picture: Image) -> Head:
    orientation = _orientation(picture)
    tags = getattr(picture, "tag_v2", None)  # of TIFF, which Pillow turns by itself, some of it earlier than the rest
    width, height = picture.size if tags is None else (tags[_WIDTH], tags[_HEIGHT])
    if orientation >= 5:
        width, height = height, width
    # What Pillow calls MPO is a JPEG with further views behind the first, as phones write it.
    return Head(width, height, "JPEG" if picture.format == "MPO" else picture.format or "", orientation)


def _orientation(picture: Image) -> int:
    """Read how a picture is to be turned; what says nothing about it that can be read is not turned.

    Of a PNG, what stands in front of the pixels: Pillow would decode all of them to look behind.
    """
    try:
        orientation = _said_orientation(picture)
        return int(orientation) if orientation in range(1, 9) else 1
    except Exception:  # what Pillow raises for a broken block has no common parent
        return 1


def _said_orientation(picture: Image) -> Any:
    from PIL.Image import Image as Plain

    tags = getattr(picture, "tag_v2", None)  # of TIFF, whose tags have been read already
    if tags is not None and (_ORIENTATION in tags or not any(key in picture.info for key in _SAYING_ORIENTATION)):
        return tags.get(_ORIENTATION, 1)
    return Plain.getexif(picture).get(_ORIENTATION, 1)


def _drop_further_blocks(picture: Image) -> None:
    """Forget what hangs on the tags of a TIFF: Pillow reads it when it decodes, and stumbles where it is broken."""
    if picture.format == "TIFF":
        from PIL.TiffTags import TAGS_V2_GROUPS

        with _bound_of(DEFAULT_LIMITS):
            exif = picture.getexif()
        for tag in TAGS_V2_GROUPS:
            exif.pop(tag, None)


def _turned(picture: Image, orientation: int) -> Image:
    from PIL.Image import Transpose
    from PIL.TiffImagePlugin import TiffImageFile

    if orientation == 1:
        return picture
    if isinstance(picture, TiffImageFile):
        name, picture.filename = picture.filename, ""  # else Pillow maps rows of a wrong length from the file
        picture.load()  # which turns it
        picture.filename = name
        return picture
    turned = picture.transpose(Transpose[_TURNS[orientation]])
    for key in _SAYING_ORIENTATION:
        turned.info.pop(key, None)
    return turned
