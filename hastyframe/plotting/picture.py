"""The picture under an overlay, from whatever holds it."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ValidationException
from ..images import check_pixels, opened, read_head, upright
from ..limits import DEFAULT_LIMITS, Limits
from ..paths import inside

__all__ = ["Canvas", "Pictures", "canvas"]

Pictures: TypeAlias = "str | PathLike[str] | Mapping[Any, Any] | pd.Series[Any] | None"


class Canvas(NamedTuple):
    """What to paint on."""

    pixels: np.ndarray[Any, Any] | None
    """Shape (height, width) or (height, width, 3 or 4); None for a blank picture."""
    width: float
    height: float
    """The size that labels are measured in; a large picture comes with fewer pixels."""
    image_id: Hashable
    """The image whose labels belong here; None if that is not known."""
    title: str


def canvas(image: Any, pictures: Pictures = None, *, most: int = 2000, limits: Limits = DEFAULT_LIMITS) -> Canvas:
    """Open the picture of an image.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image, numpy.ndarray, pandas.Series, pandas.DataFrame or Image
        A picture file, a picture, a row of an images frame (or a frame of one row), or a handle, which is downloaded.
    pictures : str, Path, mapping or pandas.Series, optional
        For a row: the folder that it was downloaded to, or by ``image_id`` its file or picture. Without it the
        picture is blank.
    most : int
        Pictures whose longer side has more pixels than this are read smaller.
    limits : Limits
        ``limits.pixels`` is the most that a picture may have.

    Raises
    ------
    SizeLimitError
        A picture of more pixels; none was decoded.
    ValidationException
        No such file, a file that is not a picture, an image without a size, something else altogether.
    """
    if isinstance(image, pd.DataFrame):
        if len(image) != 1:
            raise ValidationException(
                f"One image at a time; the frame has {len(image):,} rows. hf.plot.grid shows many."
            )
        image = image.iloc[0]
    if isinstance(image, pd.Series):
        return _of_row(image, pictures, most, limits)
    if isinstance(image, str | PathLike):
        return _of_file(Path(image), most, limits)
    if isinstance(image, np.ndarray):
        return _of_array(image)
    if hasattr(image, "convert"):
        check_pixels(image.width, image.height, "the picture", limits=limits)
        return _of_picture(upright(image), most)
    if hasattr(image, "download"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "picture"
            image.download(file)
            return _of_file(file, most, limits)._replace(image_id=image.id, title=image.name)
    raise ValidationException(
        f"{type(image).__name__} is not an image: give a file, an array, a Pillow image, a row of an images frame or a "
        "handle."
    )


def _of_row(row: pd.Series[Any], pictures: Pictures, most: int, limits: Limits) -> Canvas:
    title = str(row.get("name", row.name))
    size = pd.to_numeric(row.reindex(["width", "height"])).to_numpy(dtype=float, na_value=np.nan)
    if pictures is None:
        if not (size > 0).all():
            raise ValidationException(f"Image {row.name!r} has no width and height; give `pictures` to read them from.")
        return Canvas(None, size[0], size[1], row.name, title)
    found = canvas(_source(row, pictures), most=most, limits=limits)
    width, height = size if (size > 0).all() else (found.width, found.height)
    return Canvas(found.pixels, width, height, row.name, title)


def _source(row: pd.Series[Any], pictures: Any) -> Any:
    """Find the file or the picture of an image."""
    if isinstance(pictures, Mapping | pd.Series):
        source = pictures.get(row.name)
        if source is None:
            raise ValidationException(f"`pictures` has nothing for image {row.name!r}.")
        return source
    name, dataset = str(row["name"]), row.get("dataset_name")
    names = [name] if pd.isna(dataset) else [f"{dataset}/{name}", name]
    files = [Path(pictures) / inside(one, "the images") for one in names]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        looked = " or ".join(repr(str(file)) for file in files)
        raise ValidationException(
            f"There is no picture of image {row.name!r}: {looked}. "
            "Fetch it with project.download_images(images, folder), and give the folder as `pictures`."
        )
    return file


def _of_file(file: Path, most: int, limits: Limits) -> Canvas:
    if not file.is_file():
        raise ValidationException(f"There is no file {str(file)!r}.")
    head = read_head(file, str(file), limits=limits)
    with opened(file, str(file), limits=limits, draft=most) as picture:
        return _of_picture(picture, most)._replace(width=head.width, height=head.height, title=file.name)


def _of_picture(picture: Any, most: int) -> Canvas:
    width, height = picture.size
    if picture.mode in ("1", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "La", "RGBa", "RGBX"):
        picture = picture.convert("RGBA" if picture.mode in ("PA", "LA", "La", "RGBa") else "RGB")
    if max(picture.size) > most:
        scale = most / max(picture.size)
        picture = picture.resize(
            [max(1, round(side * scale)) for side in picture.size], resample=None, reducing_gap=2.0
        )
    return Canvas(np.asarray(picture), width, height, None, "")


def _of_array(pixels: np.ndarray[Any, Any]) -> Canvas:
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise ValidationException(
            f"A picture is an array (height, width) or (height, width, 3 or 4); got the shape {pixels.shape}."
        )
    height, width = pixels.shape[:2]
    return Canvas(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels, width, height, None, "")
