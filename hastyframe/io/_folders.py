"""Pictures and files that belong together by their names, in a folder a dataset."""

from __future__ import annotations

import os
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..entities import Image
from ..errors import FormatError, FrameError, Problem, ValidationException
from ..frames import BOX
from ..images import SUFFIXES, read_head
from ..intake import by_id
from ..limits import Limits
from ..masks import polygon_bounds
from ..paths import inside, name_key
from ._files import progress_bar
from ._integrity import complete
from ._load import FolderIn
from ._problems import Problems
from ._records import DATASET

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet

__all__ = [
    "MOST_PIXELS",
    "PICTURES",
    "ImageNames",
    "check_sizes",
    "file_paths",
    "full_boxes",
    "images_frame",
    "known_images",
    "pictures_in",
    "read_size",
    "split_path",
]

MOST_PIXELS = 2**28
"""The largest picture that is painted: 256 million pixels, a byte each."""
_SUFFIX = r"\.[^./\\]+$"
PICTURES = ("images", "jpegimages")
"""Folders of pictures, which are no datasets."""


def file_paths(images: pd.DataFrame, suffix: str, file: str) -> list[PurePosixPath]:
    """Name a file for each image: ``<dataset>/<stem><suffix>``.

    Where two images of a dataset share a stem, the files keep the whole names before the suffix.
    """
    datasets = images["dataset_name"].astype("str").fillna(DATASET)
    names = datasets + "/" + images["name"]
    stems = names.str.replace(_SUFFIX, "", regex=True)
    stems = stems.where(~stems.duplicated(keep=False), names)
    if stems.duplicated().any():
        twice = stems[stems.duplicated()].iloc[0]
        raise FormatError(file, f"image {twice!r}", "two images of one dataset have this name", "Rename one")
    return [inside(f"{stem}{suffix}", file) for stem in stems.tolist()]


def split_path(path: PurePosixPath, *skip: str) -> tuple[str, str]:
    """Take dataset and name out of a path; a file without a folder is in the default dataset.

    The first folder that is called like one in `skip`, in small letters, does not count.

    Examples
    --------
    >>> split_path(PurePosixPath("Images/train/a.jpg"), "images"), split_path(PurePosixPath("a.jpg"))
    (('train', 'a.jpg'), ('default', 'a.jpg'))
    """
    folders = list(path.parent.parts)
    at = next((at for at, folder in enumerate(folders) if folder.lower() in skip), None)
    if at is not None:
        del folders[at]
    return "/".join(folders) or DATASET, path.name


def full_boxes(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Boxes of labels, shape (n, 4); the bounds of the polygon where there is none, NaN where there is nothing."""
    boxes = labels[list(BOX)].to_numpy(dtype=float, copy=True)
    missing = np.flatnonzero(np.isnan(boxes).any(axis=1) & labels["polygon"].notna().to_numpy())
    if len(missing):
        boxes[missing] = polygon_bounds(labels["polygon"].iloc[missing])
    return boxes


def known_images(
    images: Folder | LabelSet | pd.DataFrame,
    progress: bool,
    limits: Limits,
    problems: Problems,
) -> pd.DataFrame:
    """Take the images that a reader of label files is told of: a frame as it is, a folder of pictures as a frame.

    Returns
    -------
    pandas.DataFrame
        Columns ``name``, ``dataset_name``, ``width``, ``height``; indexed by ``<dataset>/<name>`` if from a folder.
    """
    if not (isinstance(images, str | os.PathLike | zipfile.ZipFile) or hasattr(images, "read")):
        frame = by_id(getattr(images, "images", images), "image_id", "images")
        if missing := {"name", "width", "height"} - set(frame):
            raise ValidationException(f"The images frame needs the columns {', '.join(sorted(missing))}.")
        frame = complete(Image, frame if "dataset_name" in frame else frame.assign(dataset_name=DATASET))
        if (nameless := frame["name"].isna()).any():
            raise ValidationException(f"The image {frame.index[nameless][0]!r} has no name: give it one.")
        check_sizes(frame)
        return frame
    names, sizes = [], []
    with FolderIn(cast("Folder", images), limits) as folder:
        for path in progress_bar(list(pictures_in(folder)), "pictures", progress):
            with problems.noting():
                sizes.append(read_size(folder, path))
                names.append(split_path(path, *PICTURES))
    return images_frame(names, sizes)


def check_sizes(images: pd.DataFrame, *, needed: str = "") -> None:
    """Refuse images whose width or height is not a number of pixels.

    Parameters
    ----------
    images : pandas.DataFrame
        With ``name``, ``width`` and ``height``, which may be missing, or 0 where a file says so.
    needed : str
        Why every image must have both; empty where they may be missing.

    Raises
    ------
    FrameError
        All rows that are wrong.
    """
    problems = []
    for side in ("width", "height"):
        values = images[side].to_numpy(dtype=float, na_value=np.nan)
        wrong = ~(values >= 1) if needed else values < 0
        remedy = (
            f"{needed}: give width and height of all of them, in pixels."
            if needed
            else "It is a number of pixels, or missing."
        )
        rows = zip(images.index[wrong], images[side][wrong], strict=True)
        problems += [Problem(side, row, None if pd.isna(value) else value, remedy) for row, value in rows]
    if problems:
        raise FrameError(problems, "the images", "nothing was read")


def pictures_in(folder: FolderIn) -> Iterator[PurePosixPath]:
    """Go through the files of a folder that are called as pictures are."""
    return (path for path in folder.paths if path.suffix.lower() in SUFFIXES)


class ImageNames:
    """Finds images by the names of their files, with and without suffix, however their accents are spelled.

    Parameters
    ----------
    images : pandas.DataFrame
        With ``name`` and ``dataset_name``.

    Examples
    --------
    >>> names = ImageNames(pd.DataFrame({"name": ["caf\u00e9.jpg", "b.jpg"], "dataset_name": "train"}))
    >>> names.row("train", "cafe\u0301"), names.row("other", "b"), names.row("train", "c")
    (0, 1, None)
    """

    def __init__(self, images: pd.DataFrame) -> None:
        datasets = images["dataset_name"].astype("str").fillna(DATASET)
        names = images["name"].astype("str").fillna("")
        stems = names.str.replace(_SUFFIX, "", regex=True)
        self._whole = (datasets + "/" + names).tolist()
        self._rows: dict[str, set[int]] = defaultdict(set)
        columns = (column.tolist() for column in (datasets, names, stems))
        for row, (dataset, name, stem) in enumerate(zip(*columns, strict=True)):
            for each in (name, stem):
                self._rows[name_key(f"{dataset}/{each}")].add(row)
                self._rows[_anywhere(each)].add(row)

    def row(self, dataset: str, name: str) -> int | None:
        """Find the row of the image of a dataset, or of any if just one image has that name; None if there is none."""
        for key in (name_key(f"{dataset}/{name}"), _anywhere(name)):
            if rows := self._rows.get(key, ()):
                return next(iter(rows)) if len(rows) == 1 else None
        return None

    def several(self, name: str) -> list[str]:
        """Where images of a name are, if there are several."""
        rows = self._rows.get(_anywhere(name), ())
        return [self._whole[row] for row in sorted(rows)] if len(rows) > 1 else []


def _anywhere(name: str) -> str:
    return "/" + name_key(PurePosixPath(name).name)


def images_frame(names: list[tuple[str, str]], sizes: Iterable[tuple[int, int]]) -> pd.DataFrame:
    """Make an images frame of datasets and names, ``(width, height)`` each."""
    width, height = np.array(list(sizes), dtype=np.int64).reshape(-1, 2).T
    datasets, files = [dataset for dataset, _ in names], [name for _, name in names]
    index = pd.Index([f"{dataset}/{name}" for dataset, name in names], dtype="str")
    texts = {"name": pd.array(files, dtype="str"), "dataset_name": pd.array(datasets, dtype="str")}
    return pd.DataFrame({**texts, "width": width, "height": height}, index=index)


def read_size(folder: FolderIn, path: PurePosixPath) -> tuple[int, int]:
    """Width and height of a picture as people see it, whatever it would take to read its pixels."""
    with folder.open(path) as file:
        head = read_head(file, folder.name, str(path), limits=replace(folder.limits, pixels=2**62))
        return head.width, head.height
