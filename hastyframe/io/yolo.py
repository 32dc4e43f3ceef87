"""YOLO: a text file an image, a line a label, everything relative to the image."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import FormatError, ValidationException
from ..frames import BOX, POLYGON
from ..limits import DEFAULT_LIMITS, Limits
from ..lists import ragged_of
from ..masks import Polygons, polygon_bounds
from ..masks.ragged import offsets_of
from ..painting import kinds
from ..paths import inside
from ._class_list import MOST_YAML, yaml_names
from ._files import FolderOut, progress_bar
from ._folders import file_paths, full_boxes, known_images, split_path
from ._growth import check_rows
from ._load import FolderIn
from ._records import DATASET, check_finite, grouped, own_numbers, report_columns
from ._report import Losses, OnLoss
from ._shapes import bare, polygon_array
from ._texts import names_bad_texts

if TYPE_CHECKING:
    from .label_set import Folder, LabelSet, Task

__all__ = ["read_yolo", "to_yolo"]

MOST_TEXT = 2**26


@names_bad_texts("source")
def read_yolo(
    source: Folder,
    images: Folder | LabelSet | pd.DataFrame | None = None,
    *,
    classes: Iterable[str] | None = None,
    progress: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read a folder of YOLO labels, detection and segmentation lines mixed as they come.

    The sizes of the images have to be known, since the files hold shares of them. A line of five numbers is a box, one
    of six a box with a score (column ``score``), a longer one a polygon, its box the bounds; one number more than whole
    pairs is its score.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder. Its class names are in ``data.yaml`` or ``classes.txt``. Label files stand in the folder itself or
        below ``labels``, each folder below a dataset; one without a folder belongs to the image of its name, whatever
        its dataset.
    images : path, zipfile.ZipFile, LabelSet or pandas.DataFrame, optional
        The pictures, in folders of the same names, or a frame with ``name``, ``dataset_name``, ``width`` and
        ``height``. By default the pictures in `source`, in the folder itself or below ``images``.
    classes : iterable of str, optional
        Class names, the first is class 0, where the folder does not say.
    progress : bool
        Whether to show a progress bar.
    limits : Limits
        How many labels there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        Images without a label file are among its images. Labels are numbered from 1.

    Raises
    ------
    FormatError
        A line that is none, a class without a name, a label file without a picture; with file and line.
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

    with FolderIn(source, limits) as folder:
        frame = known_images(source if images is None else images, progress, limits, skip="images")
        names = list(classes) if classes is not None else _class_names(folder)
        rows_of = _stems(frame, folder.name)
        paths = [path for path in folder.paths if path.suffix == ".txt" and path.name not in NOT_LABELS]
        lines: list[list[float]] = []
        owner: list[int] = []
        for path in progress_bar(paths, "YOLO", progress):
            row = rows_of.get("/".join(split_path(path.with_suffix(""), skip="labels")))
            if row is None:
                raise _no_image(folder.name, path, rows_of)
            found = _lines(folder, path, len(names))
            lines += found
            owner += [row] * len(found)
            check_rows(len(lines), folder.name, "labels", limits)
    image_rows, class_rows = np.array(owner, np.int64), np.array([line[0] for line in lines], np.int64)
    columns_of_classes = {"name": names, "norder": np.arange(1.0, len(names) + 1), "class_type": "object"}
    class_frame = pd.DataFrame(columns_of_classes, index=pd.RangeIndex(len(names)).astype("str"))
    columns = {
        "image_id": frame.index.take(image_rows),
        "class_id": class_frame.index.take(class_rows),
        **_shapes(lines, frame[["width", "height"]].to_numpy(dtype=float, na_value=np.nan)[image_rows]),
    }
    index = pd.RangeIndex(1, len(lines) + 1).astype("str")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    return LabelSet(frame, labels, class_frame)


NOT_LABELS = frozenset({"classes.txt", "README.txt", "requirements.txt", "train.txt", "val.txt", "test.txt"})


def _class_names(folder: FolderIn) -> list[str]:
    """Names in ``data.yaml`` or ``classes.txt``, wherever in the folder."""
    for path in folder.paths:
        if path.name in {"data.yaml", "data.yml", "dataset.yaml"}:
            return _yaml_names(folder, path)
    for path in folder.paths:
        if path.name == "classes.txt":
            return [line.strip() for line in _text(folder, path).splitlines() if line.strip()]
    raise FormatError(folder.name, "", "it has neither data.yaml nor classes.txt", "Give the names: classes=[...]")


def _yaml_names(folder: FolderIn, path: PurePosixPath) -> list[str]:
    text = _text(folder, path, MOST_YAML)
    try:
        return yaml_names(text, folder.limits.depth)
    except ValueError as error:
        raise FormatError(folder.name, str(path), str(error), "Give the names: classes=[...]") from None


def _text(folder: FolderIn, path: PurePosixPath, most: int = MOST_TEXT) -> str:
    try:
        return folder.read(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(folder.name, str(path), f"it is not UTF-8 text: {error.reason}", "Save it as UTF-8") from None


def _stems(images: pd.DataFrame, file: str) -> dict[str, int]:
    """Row of each image by ``<dataset>/<stem>``, as label files are called; a folder is needed to tell equal names."""
    paths = file_paths(images, "", file)
    rows = {str(path): row for row, path in enumerate(paths)}
    counts = Counter(path.name for path in paths)
    alone = {f"{DATASET}/{path.name}": row for row, path in enumerate(paths) if counts[path.name] == 1}
    return alone | rows


def _no_image(file: str, path: PurePosixPath, rows_of: Iterable[str]) -> FormatError:
    several = [place for place in rows_of if PurePosixPath(place).name == path.stem]
    if len(several) > 1:
        what = f"several images have this name: {', '.join(several)}"
        return FormatError(file, str(path), what, "Put it into a folder of the image's dataset")
    return FormatError(file, str(path), "there is no image of this name", "Give its picture in images")


def _lines(folder: FolderIn, path: PurePosixPath, classes: int) -> list[list[float]]:
    out = []
    for number, line in enumerate(_text(folder, path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            values = list(map(float, words))
        except ValueError:
            values = []
        place = f"{path}, line {number}"
        if len(values) < 5 or not all(map(math.isfinite, values)):
            raise FormatError(
                folder.name, place, f"{line[:60]!r} is no class with a box or polygon", "Correct it or leave it out"
            )
        if values[0] not in range(classes):
            raise FormatError(folder.name, place, f"class {words[0]} is not one of the {classes}", "Give all names")
        if max(map(abs, values[1:])) > FARTHEST:
            raise FormatError(
                folder.name, place, "a coordinate lies far outside the image", "YOLO holds shares of 1 and not pixels"
            )
        out.append(values)
    return out


FARTHEST = 100
"""A share of an image's side may be out of bounds, but not by this much."""


def _shapes(lines: list[list[float]], sizes: NDArray[np.float64]) -> dict[str, Any]:
    """Columns of boxes, polygons and scores; `sizes` are width and height of each line's image."""
    if np.isnan(sizes).any():
        raise ValidationException("YOLO holds shares of the images: give width and height of all of them.")
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    boxed = np.flatnonzero(lengths <= 6)
    centre = np.array([lines[row][1:5] for row in boxed.tolist()]).reshape(-1, 4) * np.tile(sizes[boxed], 2)
    boxes = np.full((len(lines), 4), np.nan)
    boxes[boxed] = np.column_stack([centre[:, :2] - centre[:, 2:] / 2, centre[:, :2] + centre[:, 2:] / 2])
    outlined = np.flatnonzero(lengths > 6)
    counts = (lengths[outlined] - 1) // 2
    rings = [lines[row][1 : 1 + 2 * count] for row, count in zip(outlined.tolist(), counts.tolist(), strict=True)]
    points = np.array(list(itertools.chain.from_iterable(rings))).reshape(-1, 2)
    points *= np.repeat(sizes[outlined], counts, axis=0)
    ends = offsets_of(counts)
    boxes[outlined] = polygon_bounds(Polygons(points, ends, np.arange(len(ends))))
    # Nine digits after the point: what scaling there and back leaves behind is not in the file.
    columns: dict[str, Any] = dict(zip(BOX, np.ascontiguousarray(np.round(boxes, 9).T), strict=True))
    columns["polygon"] = polygon_array(np.round(points, 9), ends, outlined, len(lines))
    scored = (lengths % 2 == 0) & (lengths > 5)
    if scored.any():
        columns["score"] = np.array([line[-1] if s else np.nan for line, s in zip(lines, scored.tolist(), strict=True)])
    return columns


@names_bad_texts("folder")
def to_yolo(
    label_set: LabelSet,
    folder: Folder,
    *,
    task: Task = "detect",
    on_loss: OnLoss = "warn",
    progress: bool = True,
) -> None:
    """Write YOLO labels: ``data.yaml``, ``classes.txt`` and ``labels/<dataset>/<stem>.txt``.

    Parameters
    ----------
    label_set : LabelSet
        What to write. Its images have width and height.
    folder : path or zipfile.ZipFile
        Where to; a path that ends in ``.zip`` becomes an archive.
    task : {"detect", "segment"}
        Whether every label becomes its box, or those with a polygon become polygons. A column ``score`` is appended.
    on_loss : {"warn", "ignore", "raise"}
        What to do about what the lines cannot carry: masks, polygons in detection, columns.
    progress : bool
        Whether to show a progress bar.
    """
    if task not in {"detect", "segment"}:
        raise ValidationException(f'task is "detect" or "segment", not {task!r}.')
    images, labels, classes = label_set.images, label_set.labels, label_set.label_classes
    place, sizes = images.index.get_indexer(labels["image_id"]), _sizes(images)
    kind = kinds(labels)
    check_finite(labels)
    boxes = full_boxes(labels)
    losses = Losses("YOLO cannot carry", on_loss)
    losses.add(int(kind.isin(["mask", "parts"] if task == "segment" else ["mask", "parts", "polygon"]).sum()), LOST)
    losses.add(int((kind == "nothing").sum()), "labels without place")
    report_columns(
        losses, label_set, images=("status", "external_id"), labels=("z_index", "external_id"), carried=["score"]
    )
    lines = _written(labels, classes, boxes, (kind == "polygon").to_numpy() & (task == "segment"), sizes[place])
    texts = grouped(lines, place, len(images))
    with FolderOut(folder) as out:
        names = classes["name"].tolist()
        out.write(inside("classes.txt", out.name), "".join(f"{name}\n" for name in names).encode())
        out.write(inside("data.yaml", out.name), _yaml(names))
        for path, text in zip(progress_bar(file_paths(images, ".txt", out.name), "YOLO", progress), texts, strict=True):
            out.write("labels" / path, "".join(line for line in text if line).encode())
    losses.report()


LOST = "masks and polygons, which become their boxes"


def _sizes(images: pd.DataFrame) -> NDArray[np.float64]:
    sizes = images[["width", "height"]].to_numpy(dtype=float, na_value=np.nan)
    if not (sizes > 0).all():
        name = images["name"].iloc[int(np.argmin((sizes > 0).all(axis=1)))]
        raise ValidationException(f"YOLO holds shares of the images: give width and height of {name!r}.")
    return sizes


def _written(
    labels: pd.DataFrame,
    classes: pd.DataFrame,
    boxes: NDArray[np.float64],
    outlined: NDArray[np.bool_],
    sizes: NDArray[np.float64],
) -> list[str]:
    """One line a label; an empty text for one without place."""
    low, high = boxes[:, :2] / sizes, boxes[:, 2:] / sizes
    numbers = np.column_stack([(low + high) / 2, high - low]).tolist()
    rings = ragged_of(labels["polygon"], POLYGON)[0]
    ends = rings.offsets
    points = rings.values.reshape(-1, 2) / np.repeat(sizes, rings.lengths, axis=0)
    for row in np.flatnonzero(outlined).tolist():
        numbers[row] = points[ends[row] : ends[row + 1]].reshape(-1).tolist()
    scores = own_numbers(labels, "score").tolist()
    numbers = [row if math.isnan(score) else [*row, score] for row, score in zip(numbers, scores, strict=True)]
    rows = zip(classes.index.get_indexer(labels["class_id"]).tolist(), numbers, strict=True)
    return [
        "" if math.isnan(row[0]) else f"{number} {' '.join(f'{share:.15g}' for share in row)}\n" for number, row in rows
    ]


def _yaml(names: list[str]) -> bytes:
    import yaml

    data = {"path": ".", "names": dict(enumerate(names))}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode()
