"""The folder that trainers take: pictures beside their labels, and a ``data.yaml`` that says which are for what."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from ._files import FolderOut, progress_bar
from ._folders import PICTURES, ImageNames, images_frame, pictures_in, split_path
from ._load import FolderIn
from ._problems import Problems
from ._records import DATASET

if TYPE_CHECKING:
    from .label_set import Folder

__all__ = ["data_yaml", "put_pictures", "roles_of"]

TRAINED = (".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp", ".pfm", ".heic")
"""Pictures that ultralytics takes; others it passes over."""
ROLES = {
    "train": ("train", "training", "train2017"),
    "val": ("val", "valid", "validation", "val2017"),
    "test": ("test", "testing", "test2017"),
}


def put_pictures(
    images: pd.DataFrame, stems: list[PurePosixPath], source: Folder, out: FolderOut, link: bool, progress: bool
) -> tuple[list[PurePosixPath], int]:
    """Copy or link the pictures of images beside their labels.

    Parameters
    ----------
    images : pandas.DataFrame
        With ``name`` and ``dataset_name``.
    stems : list of PurePosixPath
        How their label files are called.
    source : path or zipfile.ZipFile
        Where the pictures are, in a folder a dataset or without.
    out : FolderOut
        Where to.
    link : bool
        Whether to link them.

    Returns
    -------
    paths : list of PurePosixPath
        Where they are now.
    strange : int
        How many are of formats that trainers pass over.
    """
    problems = Problems()
    with FolderIn(source) as folder:
        pictures = list(pictures_in(folder))
        places = [split_path(path, *PICTURES) for path in pictures]
        known = ImageNames(images_frame(places, [(0, 0)] * len(places)))
        datasets = images["dataset_name"].astype("str").fillna(DATASET).tolist()
        found = [known.row(*key) for key in zip(datasets, images["name"].tolist(), strict=True)]
        for row, name in zip(found, images["name"].tolist(), strict=True):
            if row is None:
                problems.add(folder.name, f"image {name!r}", "there is no picture of this name", "Put it there")
        problems.throw()
        put = []
        there = [pictures[row] for row in found if row is not None]
        for path, stem in zip(progress_bar(there, "pictures", progress), stems, strict=True):
            put.append(PurePosixPath("images", f"{stem}{path.suffix}"))
            out.put(put[-1], folder, path, link)
    return put, sum(path.suffix.lower() not in TRAINED for path in put)


def roles_of(images: pd.DataFrame, split: dict[str, pd.Index[str]] | None) -> dict[str, list[str]]:
    """Say which datasets or lists of pictures are for training, for validation, for tests.

    Where no dataset is called as those for validation are, it is what is trained on; where none is called as those for
    training, it is all others.
    """
    if split is not None:
        return {name: [f"{name}.txt"] for name in split}
    datasets = images["dataset_name"].astype("str").fillna(DATASET).unique().tolist()
    found = {role: [name for name in datasets if name.lower() in names] for role, names in ROLES.items()}
    kept = {*found["val"], *found["test"]}
    found["train"] = found["train"] or [name for name in datasets if name not in kept] or found["val"] or found["test"]
    found["val"] = found["val"] or found["train"]
    whole = set(found["train"]) == set(datasets)
    return {
        role: ["images"] if whole and names == found["train"] else [f"images/{name}" for name in names]
        for role, names in found.items()
        if names
    }


def data_yaml(names: Iterable[str], roles: dict[str, list[str]]) -> bytes:
    """Write ``data.yaml``. Without a ``path``, trainers take the folder that it is in, wherever that is put."""
    import yaml

    places: dict[str, Any] = {role: where[0] if len(where) == 1 else where for role, where in roles.items()}
    data = places | {"names": dict(enumerate(names))}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode()
