"""Picture files: the one place that opens them, whatever they claim to be."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from .errors import FormatError, HastyError, SizeLimitError
from .limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "SUFFIXES", "Head", "check_pixels", "opened", "read_head"]

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
"""What photographs come in. Pillow knows more: formats that run other programs, or that hold whole documents."""
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""How files of these formats are called."""

_ORIENTATION = 0x0112
_pillow = threading.Lock()
"""What is set while Pillow opens a file (filters of warnings, its bound) is set for all threads."""


class Head(NamedTuple):
    """What the head of a picture's file says."""

    width: int
    height: int
    format: str
    orientation: int
    """How Exif says that the picture is to be turned, 1 to 8; 1 is as it is, 5 to 8 lie on their side."""


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
        Pillow's names of the formats that are meant. What is something else is no picture here.
    limits : Limits
        Pillow refuses to open very large pictures; ``limits.pixels`` may allow larger ones.

    Raises
    ------
    FormatError
        It is none of the formats, or broken.
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
    with _opened(source, file, place, formats, limits) as picture:
        return Head(*picture.size, picture.format or "", _orientation(picture))


@contextmanager
def opened(
    source: str | os.PathLike[str] | IO[bytes],
    file: str,
    place: str = "",
    *,
    formats: Sequence[str] = FORMATS,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Image]:
    """Open a picture whose pixels are wanted.

    Parameters, and the errors, are those of :func:`read_head`. Whatever goes wrong while the picture is open is taken
    for a picture that cannot be decoded.

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
    with _opened(source, file, place, formats, limits) as picture:
        check_pixels(picture.width, picture.height, file, place, limits)
        yield picture


def check_pixels(width: int, height: int, file: str, place: str = "", limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse a picture of too many pixels.

    Raises
    ------
    SizeLimitError
        More than ``limits.pixels``.
    """
    if width * height > limits.pixels:
        raise SizeLimitError(_named(file, place), f"{width:,} by {height:,} pixels", "pixels", limits.pixels)


@contextmanager
def _opened(
    source: str | os.PathLike[str] | IO[bytes], file: str, place: str, formats: Sequence[str], limits: Limits
) -> Iterator[Image]:
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with _bound_of(limits):
            picture = Pillow.open(source, formats=tuple(formats))
        with picture:
            yield picture
    except (HastyError, MemoryError):
        raise
    except UnidentifiedImageError:
        problem = f"it is not a picture, or not one of {', '.join(formats)}"
        raise FormatError(file, place, problem, "Save it in one of these formats, or leave it out") from None
    except Pillow.DecompressionBombError:
        most = 2 * (Pillow.MAX_IMAGE_PIXELS or limits.pixels)
        raise SizeLimitError(_named(file, place), "it has more pixels than Pillow opens", "pixels", most) from None
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


def _orientation(picture: Image) -> int:
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1  # Pillow would decode all pixels, to look behind them
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # what says nothing about how it is to be turned is not turned
        return 1
    return orientation if orientation in range(1, 9) else 1


def _named(file: str, place: str) -> str:
    return f"{file}, {place}" if place else file
