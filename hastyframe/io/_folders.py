"""Pictures and files that belong together by their names, in a folder a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import FormatError, ValidationException
from ..frames import BOX
from ..images import SUFFIXES, read_head
from ..limits import Limits
from ..masks import polygon_bounds
from ..paths import inside
from ._files import progress_bar
from ._load import FolderIn
from ._records import DATASET

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet

__all__ = [
    "MOST_PIXELS",
    "file_paths",
    "full_boxes",
    "images_frame",
    "known_images",
    "split_path",
]

MOST_PIXELS = 2**28
"""The largest picture that is painted: 256 million pixels, a byte each."""


def file_paths(images: pd.DataFrame, suffix: str, file: str) -> list[PurePosixPath]:
    """Name a file for each image: ``<dataset>/<stem><suffix>``.

    Where two images of a dataset share a stem, the files keep the whole names before the suffix.
    """
    datasets = images["dataset_name"].astype("str").fillna(DATASET)
    names = datasets + "/" + images["name"]
    stems = names.str.replace(r"\.[^./\\]+$", "", regex=True)
    stems = stems.where(~stems.duplicated(keep=False), names)
    if stems.duplicated().any():
        twice = stems[stems.duplicated()].iloc[0]
        raise FormatError(file, f"image {twice!r}", "two images of one dataset have this name", "Rename one")
    return [inside(f"{stem}{suffix}", file) for stem in stems.tolist()]


def split_path(path: PurePosixPath, skip: str | None = None) -> tuple[str, str]:
    """Take dataset and name out of a path; a file without a folder is in the default dataset.

    Examples
    --------
    >>> split_path(PurePosixPath("images/train/a.jpg"), skip="images"), split_path(PurePosixPath("a.jpg"))
    (('train', 'a.jpg'), ('default', 'a.jpg'))
    """
    folders = list(path.parent.parts)
    if skip in folders:
        folders.remove(skip)
    return "/".join(folders) or DATASET, path.name


def full_boxes(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Boxes of labels, shape (n, 4); the bounds of the polygon where there is none, NaN where there is nothing."""
    boxes = labels[list(BOX)].to_numpy(dtype=float, copy=True)
    missing = np.flatnonzero(np.isnan(boxes).any(axis=1) & labels["polygon"].notna().to_numpy())
    if len(missing):
        boxes[missing] = polygon_bounds(labels["polygon"].iloc[missing])
    return boxes


def known_images(
    images: Folder | LabelSet | pd.DataFrame, progress: bool, limits: Limits, *, skip: str | None = None
) -> pd.DataFrame:
    """Take the images that a reader of label files is told of: a frame as it is, a folder of pictures as a frame.

    Returns
    -------
    pandas.DataFrame
        Columns ``name``, ``dataset_name``, ``width``, ``height``; indexed by ``<dataset>/<name>`` if from a folder.
    """
    frame: Any = getattr(images, "images", images)
    if isinstance(frame, pd.DataFrame):
        if missing := {"name", "width", "height"} - set(frame):
            raise ValidationException(f"The images frame needs the columns {', '.join(sorted(missing))}.")
        return frame if "dataset_name" in frame else frame.assign(dataset_name=DATASET)
    with FolderIn(frame, limits) as folder:
        paths = [path for path in folder.paths if path.suffix.lower() in SUFFIXES]
        sizes = [_size(folder, path) for path in progress_bar(paths, "pictures", progress)]
    return images_frame([split_path(path, skip) for path in paths], sizes)


def images_frame(names: list[tuple[str, str]], sizes: Iterable[tuple[int, int]]) -> pd.DataFrame:
    """Make an images frame of datasets and names, ``(width, height)`` each."""
    width, height = np.array(list(sizes), dtype=np.int64).reshape(-1, 2).T
    datasets, files = [dataset for dataset, _ in names], [name for _, name in names]
    index = pd.Index([f"{dataset}/{name}" for dataset, name in names], dtype="str")
    texts = {"name": pd.array(files, dtype="str"), "dataset_name": pd.array(datasets, dtype="str")}
    return pd.DataFrame({**texts, "width": width, "height": height}, index=index)


def _size(folder: FolderIn, path: PurePosixPath) -> tuple[int, int]:
    with folder.open(path) as file:
        return read_head(file, folder.name, str(path), limits=folder.limits)[:2]
