"""YOLO: a text file an image, a line a label, everything relative to the image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import FormatError, ValidationException
from ..limits import DEFAULT_LIMITS, Limits
from ..paths import inside
from ._files import FolderOut, progress_bar
from ._folders import ImageNames, check_sizes, file_paths, known_images, pictures_in, split_path
from ._growth import check_rows
from ._load import FolderIn
from ._passed_over import is_note, says_labels
from ._problems import OnError, Problems
from ._records import grouped, report_columns
from ._report import Losses, OnLoss
from ._shapes import bare
from ._texts import names_bad_texts
from ._yolo_folder import data_yaml, put_pictures, roles_of
from ._yolo_lines import Lines, columns_of
from ._yolo_names import MOST_TEXT, declared, read_text
from ._yolo_shapes import TAILS, lines_of

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet, Task

__all__ = ["read_yolo", "to_yolo"]


@names_bad_texts("source")
def read_yolo(
    source: Folder,
    images: Folder | LabelSet | pd.DataFrame | None = None,
    *,
    classes: Iterable[str] | Mapping[int, str] | None = None,
    tracks: bool | None = None,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    progress: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read a folder of YOLO labels: detection, segmentation, OBB, pose and tracking, as they come.

    The sizes of the images have to be known, since the files hold shares of them. A line is a class and a box (four
    numbers), or a polygon, its box the bounds; four corners of OBB are a polygon. Where ``data.yaml`` has
    ``kpt_shape``, key points follow the box. Then a score may follow (column ``score``), then the id of a track
    (``track_id``).

    Readmes, lists of pictures, hidden files and what programs leave behind are passed over.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder. Its class names are in ``data.yaml`` or ``classes.txt``, there or up to two folders above. Label
        files stand in the folder itself or below ``labels``, each folder below a dataset; one whose folder has no such
        image belongs to the image of its name, whatever its dataset.
    images : path, zipfile.ZipFile, LabelSet or pandas.DataFrame, optional
        The pictures, in folders of the same names, or a frame with ``name``, ``dataset_name``, ``width`` and
        ``height``. By default the pictures in `source`, in the folder itself or below ``images``; if there are none,
        and `source` is or lies in a folder ``labels``, those in the folder ``images`` beside it.
    classes : iterable of str or mapping of int to str, optional
        Class names, the first is class 0, where the folder does not say.
    tracks : bool, optional
        Whether lines that are longer than a box end with the id of a track. By default they do if all of a kind end
        with whole numbers that cannot be anything else.
    errors : {"raise", "skip"}
        Whether lines and files that are wrong are named in an error, all of them, or are left out and listed in
        ``skipped`` of the label set.
    on_loss : {"warn", "ignore", "raise"}
        What to do where there are pictures and no label file at all, which may be the wrong folder.
    progress : bool
        Whether to show a progress bar.
    limits : Limits
        How many labels there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        Images without a label file are among its images. Labels are numbered from 1. Key points are in ``keypoints``
        as COCO has them: x, y and visibility in turn, in pixels.

    Raises
    ------
    FormatError
        A line that cannot be read, a class without a name, a label file without a picture; with file and line. A folder
        with neither label files nor pictures.
    FrameError
        Images with labels and without width and height.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> import hastyframe.io as hio
    >>> images = pd.DataFrame({"name": ["a.jpg"], "width": [200], "height": [100]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.txt").write_text("1 0.5 0.5 0.25 0.5")
    ...     label_set = hio.read_yolo(folder, images, classes=["cat", "dog"], progress=False)
    >>> print(label_set.labels[["class_name", "x_min", "y_min", "x_max", "y_max"]])
             class_name  x_min  y_min  x_max  y_max
    label_id
    1               dog   75.0   25.0  125.0   75.0
    """
    from .label_set import LabelSet

    problems = Problems(errors)
    with FolderIn(source, limits) as folder:
        pictures = _beside(source, folder) if images is None else images
        frame = known_images(pictures, progress, limits, problems)
        paths = _label_files(folder)
        names, key_points = declared(folder, classes)
        if not paths and images is None and not len(frame) and not len(problems):
            raise folder.without("label file (.txt), and no picture,")
        lines = _lines(folder, paths, ImageNames(frame), len(names), problems, progress)
    if not paths:
        losses = Losses(f"{folder.name} labels nothing", on_loss)
        losses.add(len(frame), "images without a label file, which is all of them")
        losses.report()
    labeled = frame.take(np.unique(np.array(lines.images, np.int64)))
    check_sizes(labeled, needed="YOLO holds shares of the images")
    sizes = frame[["width", "height"]].to_numpy(dtype=float, na_value=np.nan).reshape(-1, 2)
    lines, shapes = columns_of(lines, sizes, key_points, tracks, problems)
    problems.throw()
    columns_of_classes = {"name": names, "norder": np.arange(1.0, len(names) + 1), "class_type": "object"}
    class_frame = pd.DataFrame(columns_of_classes, index=pd.RangeIndex(len(names)).astype("str"))
    columns = {
        "image_id": frame.index.take(np.array(lines.images, np.int64)),
        "class_id": class_frame.index.take(np.array([line[0] for line in lines.numbers], np.int64)),
        **shapes,
    }
    index = pd.RangeIndex(1, len(lines) + 1).astype("str")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    return LabelSet(frame, labels, class_frame, skipped=problems.frame)


def _beside(source: Folder, folder: FolderIn) -> Folder:
    """Where the pictures of a folder of labels are: in it, or in the folder ``images`` beside a folder ``labels``."""
    if not isinstance(source, str | os.PathLike) or not Path(source).is_dir() or any(pictures_in(folder)):
        return source
    parts = Path(source).absolute().parts
    for at in range(len(parts) - 1, 0, -1):
        if parts[at].lower() == "labels":
            there = (Path(*parts[:at], name, *parts[at + 1 :]) for name in ("images", "Images", "IMAGES"))
            return next((path for path in there if path.is_dir()), source)
    return source


def _label_files(folder: FolderIn) -> list[PurePosixPath]:
    """Go through the texts of a folder but readmes, licences and lists."""
    paths = [path for path in folder.paths if path.suffix.lower() == ".txt"]
    return [path for path in paths if not (is_note(path.stem) and _is_note(folder, path))]


def _is_note(folder: FolderIn, path: PurePosixPath) -> bool:
    try:
        return not says_labels(folder.read(path, MOST_TEXT)[:4096])
    except FormatError:  # as a link to what is not there; it is of no use to labels either
        return True


def _lines(
    folder: FolderIn,
    paths: list[PurePosixPath],
    images: ImageNames,
    classes: int,
    problems: Problems,
    progress: bool,
) -> Lines:
    """Read all label files; one that belongs to no picture is noted."""
    lines, owners = Lines(folder.name), dict[int, PurePosixPath]()
    for path in progress_bar(paths, "YOLO", progress):
        row = images.row(*split_path(path.with_suffix(""), "labels"))
        with problems.noting():
            if row is None:
                raise _no_image(folder.name, path, images)
            if row in owners:
                problem = f"it is about the same image as {owners[row]}"
                raise FormatError(folder.name, str(path), problem, "Leave one of them out")
            owners[row] = path
            lines.add(path, read_text(folder, path), row, classes, problems)
        check_rows(len(lines), folder.name, "labels", folder.limits)
    return lines


def _no_image(file: str, path: PurePosixPath, images: ImageNames) -> FormatError:
    if several := images.several(path.stem):
        what = f"several images have this name: {', '.join(several)}"
        return FormatError(file, str(path), what, "Put it into a folder of the image's dataset")
    return FormatError(file, str(path), "there is no image of this name", "Give its picture in images")


@names_bad_texts("folder")
def to_yolo(
    label_set: LabelSet,
    folder: Folder,
    *,
    task: Task = "detect",
    images_folder: Folder | None = None,
    link: bool = False,
    split: Mapping[str, float] | str | None = None,
    on_loss: OnLoss = "warn",
    progress: bool = True,
) -> None:
    r"""Write a YOLO data set: ``data.yaml``, ``classes.txt`` and ``labels/<dataset>/<stem>.txt``.

    With `images_folder` it is one that trainers take as it is.

    Parameters
    ----------
    label_set : LabelSet
        What to write. Its images have width and height.
    folder : path or zipfile.ZipFile
        Where to; a path that ends in ``.zip`` becomes an archive.
    task : {"detect", "segment"}
        Whether every label becomes its box, or its outline. Rings of one mask or polygon are joined by lines that
        enclose nothing. Where all labels are boxes they stay boxes. What reaches out of its picture is cut off.
    images_folder : path or zipfile.ZipFile, optional
        The pictures, in a folder a dataset or without; they are put into ``images/<dataset>``. The label files are
        those of a training then: columns ``score`` and ``track_id``, which are appended otherwise, are left out.
    link : bool
        Whether to link the pictures instead of copying them.
    split : mapping of str to float, or str, optional
        What ``data.yaml`` says to train on and to validate with, as in :meth:`LabelSet.split`: shares as
        ``{"train": 0.8, "val": 0.2}``, or a column of images. The pictures are listed in ``train.txt`` and ``val.txt``.
        By default it is the datasets that are called ``train``, ``val`` or ``test``; where none is for validation, what
        is trained on.
    on_loss : {"warn", "ignore", "raise"}
        What to do about what the lines cannot carry: masks, polygons in detection, columns.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    FormatError
        Images without a picture in `images_folder`, all of them.
    ValidationException
        An image without width and height, a split without ``train`` and ``val``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import hastyframe.io as hio
    >>> label = {"class_name": "cat", "bbox": [0, 0, 4, 2]}
    >>> image = {"image_name": "a.jpg", "dataset_name": "train", "width": 8, "height": 4, "labels": [label]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hio.read_hasty_json([image]).to_yolo(folder)
    ...     pathlib.Path(folder, "labels/train/a.txt").read_text()
    '0 0.25 0.25 0.5 0.5\n'
    """
    if task not in {"detect", "segment"}:
        raise ValidationException(f'task is "detect" or "segment", not {task!r}.')
    images = label_set.images
    losses = Losses("YOLO cannot carry", on_loss)
    training = images_folder is not None
    lines = lines_of(label_set, task, losses, tails=not training)
    report_columns(
        losses,
        label_set,
        images=("status", "external_id"),
        labels=("z_index", "external_id"),
        carried=() if training else TAILS,
    )
    texts = grouped(lines, images.index.get_indexer(label_set.labels["image_id"]), len(images))
    parts = None if split is None else {name: part.images.index for name, part in label_set.split(split).items()}
    if parts is not None and not {"train", "val"} <= parts.keys():
        raise ValidationException(f"split has {', '.join(parts)}, and a training takes train and val.")
    names = label_set.label_classes["name"].tolist()
    with FolderOut(folder) as out:
        stems = file_paths(images, "", out.name)
        if images_folder is not None:
            pictures, strange = put_pictures(images, stems, images_folder, out, link, progress)
            losses.add(strange, "pictures of formats that trainers pass over")
        else:
            pictures = [PurePosixPath("images", _picture(*names)) for names in zip(stems, images["name"], strict=True)]
        roles = roles_of(images, parts)
        if training and parts is None and roles["train"] == roles["val"]:
            losses.add(len(images), "images to validate with, so that it takes those that it trains on (give split)")
        out.write(inside("classes.txt", out.name), "".join(f"{name}\n" for name in names).encode())
        out.write(inside("data.yaml", out.name), data_yaml(names, roles))
        for name, ids in (parts or {}).items():
            listed = "".join(f"./{pictures[row]}\n" for row in images.index.get_indexer(ids))
            out.write(inside(f"{name}.txt", out.name), listed.encode())
        for stem, text in zip(progress_bar(stems, "YOLO", progress), texts, strict=True):
            out.write(PurePosixPath("labels", f"{stem}.txt"), "".join(text).encode())
    losses.report()


def _picture(stem: PurePosixPath, name: str) -> str:
    """Where a picture is to be put for its label file to be found."""
    return f"{stem}{PurePosixPath(name).suffix}"
