"""Which image of a project each image of a label set is, and where the picture files of the others lie."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .arguments import check_path
from .errors import FormatError, FrameError, Problem, ValidationException
from .io import FormatWarning
from .paths import inside, name_key, reading
from .pictures import picture_paths, picture_size

__all__ = ["DEFAULT_DATASET", "check_sizes", "find_files", "find_images", "sizes_of"]

DEFAULT_DATASET = "default"
"""Where an image goes that names no dataset."""

Floats = NDArray[np.float64]


def find_images(wanted: pd.DataFrame, there: pd.DataFrame) -> tuple[pd.Series[str], NDArray[Any]]:
    """Find the images of a label set in a project: by dataset and name.

    An image that names no dataset is the one of its name, if the project has only one. No dataset is named where
    ``dataset_name`` is missing, and where it is "default" in the whole label set: readers write that for files that
    name none. What is in the dataset "default" then is what is meant by it.

    Parameters
    ----------
    wanted : pandas.DataFrame
        Images of the label set: ``name``, ``dataset_name``.
    there : pandas.DataFrame
        Images of the project, the same columns.

    Returns
    -------
    datasets : pandas.Series of str
        The dataset of each image: where it is, or where it is to go.
    ids : numpy.ndarray of object
        Its id in the project, missing where the project lacks it.

    Raises
    ------
    FrameError
        Several images of the project may be meant.
    """
    given = wanted["dataset_name"].astype(object)
    missing = given.isna()
    datasets = given.where(~missing, DEFAULT_DATASET)
    ids, problems = _by_keys([datasets, wanted["name"]], [there["dataset_name"].astype(object), there["name"]], there)
    unsaid = (missing | (datasets == DEFAULT_DATASET).all() & pd.isna(ids)).to_numpy(dtype=bool)
    if unsaid.any():
        others = there[~there.index.isin(ids[~unsaid])]
        ids[unsaid], more = _by_keys([wanted["name"][unsaid]], [others["name"]], others)
        problems += more
    if problems:
        raise FrameError(problems, "the images", "nothing was created")
    return _found_in(datasets, ids, there), ids


def _by_keys(
    keys: list[pd.Series[Any]], known: list[pd.Series[Any]], images: pd.DataFrame
) -> tuple[NDArray[Any], list[Problem]]:
    """Ids of images by columns, of which the last is the name: by the very name, else however its accents are spelled.

    Returns
    -------
    ids : numpy.ndarray of object
        Missing where there is none.
    problems : list of Problem
        Where there are several.
    """
    ids = np.full(len(keys[0]), None, dtype=object)
    problems: list[Problem] = []
    for spell in (str, name_key):
        open_ = pd.isna(ids)
        if not open_.any():
            break
        wanted, places = (_index([*columns[:-1], columns[-1].map(spell)]) for columns in (keys, known))
        single = ~places.duplicated(keep=False)
        found = pd.Series(images.index[single], places[single]).reindex(wanted[open_]).to_numpy(dtype=object)
        several = np.flatnonzero(open_)[wanted[open_].isin(places[~single])]
        problems += [_several(keys[-1], at, images[places == wanted[at]]) for at in several.tolist()]
        ids[open_] = found
        if problems:
            break
    return ids, problems


def _index(columns: list[pd.Series[Any]]) -> pd.Index[Any]:
    return pd.MultiIndex.from_arrays(columns) if len(columns) > 1 else pd.Index(columns[0], dtype=object)


def _several(names: pd.Series[str], at: int, found: pd.DataFrame) -> Problem:
    datasets = ", ".join(map(repr, found["dataset_name"].astype(object).unique()[:10]))
    many = f"{len(found)} images of this name" if found["dataset_name"].nunique() == 1 else "images of this name"
    remedy = f"The project has {many} in {datasets}: say in dataset_name of the label set which one is meant."
    return Problem("name", names.index[at], names.iloc[at], remedy)


def _found_in(datasets: pd.Series[Any], ids: NDArray[Any], there: pd.DataFrame) -> pd.Series[Any]:
    """Datasets of images where they are; a word about those that are elsewhere than in "default"."""
    found = there["dataset_name"].astype(object).reindex(ids).set_axis(datasets.index)
    moved = (found.notna() & (found != datasets)).to_numpy(dtype=bool)
    if moved.any():
        first, *more = found[moved].unique()
        places = repr(first) if not more else f"{first!r} and {len(more):,} other datasets"
        warnings.warn(
            f"{int(moved.sum()):,} of {len(moved):,} images of the label set name no dataset, and the project has one "
            f"image of each name: those in {places} are taken. If others are meant, give them a dataset_name.",
            FormatWarning,
            stacklevel=5,
        )
    return datasets.where(~moved, found)


# Sizes ----------------------------------------------------------------------------------------------------------------


def sizes_of(images: pd.DataFrame) -> Floats:
    """Width and height of images, shape (n, 2); NaN where they are not known, as where a file says 0."""
    sizes = images[["width", "height"]].to_numpy(dtype=float, na_value=np.nan).reshape(-1, 2)
    return np.where(sizes > 0, sizes, np.nan)


def check_sizes(wanted: pd.DataFrame, ids: NDArray[Any], there: pd.DataFrame, files: dict[Any, Path]) -> None:
    """Refuse labels of pictures of another size: they would lie elsewhere.

    Parameters
    ----------
    wanted : pandas.DataFrame
        Images of the label set: ``name``, ``width``, ``height``. What has no size is not compared.
    ids : numpy.ndarray of object
        Their ids in the project, as far as they are there.
    there : pandas.DataFrame
        Images of the project.
    files : dict
        Picture files by row of `wanted`, of those that are not there.

    Raises
    ------
    FrameError
        All images whose sizes differ, and files that are no pictures.
    """
    own, theirs = sizes_of(wanted), sizes_of(there.reindex(ids))
    problems = []
    measured: NDArray[np.bool_] = ~np.logical_and.reduce(np.isnan(own), axis=1)
    for row, path in files.items():
        if measured[at := wanted.index.get_loc(row)]:
            try:
                theirs[at] = picture_size(path) or np.nan
            except ValidationException as error:
                problems.append(Problem("name", row, wanted["name"].iloc[at], error.message))
    with np.errstate(invalid="ignore"):
        differs = np.logical_or.reduce(np.abs(own - theirs) > 0, axis=1)
    problems += [
        _differing(wanted.index[at], wanted["name"].iloc[at], own[at], theirs[at], wanted.index[at] in files)
        for at in np.flatnonzero(differs).tolist()
    ]
    if problems:
        raise FrameError(problems, "the images", "no label was created")


def _differing(row: Any, name: str, own: Floats, theirs: Floats, is_file: bool) -> Problem:
    side = 0 if own[0] != theirs[0] and not np.isnan(own[0]) else 1
    where = "its file" if is_file else "the project"
    said, has = (" × ".join("?" if np.isnan(length) else f"{length:.0f}" for length in size) for size in (own, theirs))
    if (own == theirs[::-1]).all():
        remedy = (
            "That looks like a turn: one of them has the picture as its file stores it, the other as people see it "
            "(the orientation in its EXIF data). Turn the labels and their width and height as the picture."
        )
    else:
        remedy = "Scale the labels to the picture, with their width and height, or give the picture they were made on."
    problem = f"The label set has {name!r} with {said} pixels, {where} with {has}. {remedy}"
    return Problem(("width", "height")[side], row, int(own[side]), problem)


# Picture files --------------------------------------------------------------------------------------------------------


def find_files(images: pd.DataFrame, folder: str | Path | None) -> dict[Any, Path]:
    """Find the files of images, in a folder of the dataset's name or right in the folder.

    Parameters
    ----------
    images : pandas.DataFrame
        ``name``, ``dataset_name``, and ``file``, which is what each is called in the label set.
    folder : path or None
        Where they are.

    Returns
    -------
    dict
        Paths by row.

    Raises
    ------
    ValidationException
        There are images, and no folder.
    FrameError
        There is no such file: names all of them.
    """
    if not len(images):
        return {}
    if folder is None:
        first = images.iloc[0]
        raise ValidationException(
            f"The project lacks {len(images):,} of the images, the first is {first['name']!r} of the dataset "
            f"{first['dataset_name']!r}. Give images_folder=, where their files are."
        )
    paths, problems = {}, []
    folder = check_path(folder, "images_folder")
    written = picture_paths(images, folder)
    names = zip(images.index, images["name"], images["file"], images["dataset_name"], written, strict=True)
    for row, short, name, dataset, downloaded in names:
        choices = [*_plain(folder, dataset, name), downloaded, *_plain(folder, name)]
        choices += [*_plain(folder, dataset, short), *_plain(folder, short)] if short != name else []
        with reading(folder):
            found = next((path for path in choices if path.is_file()), None) or _respelled(choices)
        if found is None:
            problems.append(Problem("name", row, name, f"There is no such file in {str(folder)!r}."))
        else:
            paths[row] = found
    if problems:
        raise FrameError(problems)
    return paths


def _respelled(paths: list[Path]) -> Path | None:
    """Find a file whose name is one of these, only with its accents spelled otherwise."""
    for path in paths:
        if not path.name.isascii() and path.parent.is_dir():
            for other in path.parent.iterdir():
                if name_key(other.name) == name_key(path.name) and other.is_file():
                    return other
    return None


def _plain(folder: Path, *names: str) -> list[Path]:
    """Return the path of a file by its very name, if that stays in the folder."""
    try:
        return [folder.joinpath(*(inside(str(name), "the label set") for name in names))]
    except FormatError:
        return []
