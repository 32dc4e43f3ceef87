"""Semantic PNG: one picture an image whose pixels are classes."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from .. import masks
from ..entities import LABELS_ORDER, SEMANTIC_FORMATS
from ..errors import FormatError, ValidationException
from ..frames import BOX
from ..limits import DEFAULT_LIMITS, Limits
from ..masks import Ragged
from ..masks.blocks import stacked
from ..painting import kinds, paint
from ..paths import inside
from ._class_runs import NO_RUNS, class_runs
from ._files import FolderOut, progress_bar
from ._folders import MOST_PIXELS, file_paths, images_frame, split_path
from ._growth import RUN_BYTES, Growth, check_rows
from ._load import FolderIn
from ._png_classes import PngClasses
from ._problems import OnError, Problems
from ._records import records, report_columns, values_out
from ._report import Losses, OnLoss
from ._shapes import bare, mask_array
from ._texts import names_bad_texts

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from .label_set import Folder, LabelSet

__all__ = ["read_semantic_png", "to_semantic_png"]

MOST_CLASSES = 255


@names_bad_texts("source")
def read_semantic_png(
    source: Folder,
    *,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    progress: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read semantic PNGs, an export as it arrives or an unpacked one: what has one class in an image is one mask.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        A folder or archive with ``label_classes.json`` and, in a folder a dataset, one PNG an image. One channel holds
        the numbers of the classes, three or four hold their colors, or the numbers as grey. A listed index 0 is the
        background.
    errors : {"raise", "skip"}
        Whether pictures that are wrong are named in an error, all of them, or are left out and listed in ``skipped``
        of the label set.
    on_loss : {"warn", "ignore", "raise"}
        What to do where there is a list of classes and no PNG, which may be the wrong folder.
    progress : bool
        Whether to show a progress bar.
    limits : Limits
        How large the pictures may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        Images are called ``<dataset>/<file>`` after their PNGs, labels are numbered from 1, classes are called by
        their names, in the order of their numbers.

    Raises
    ------
    FormatError
        No list of classes, a pixel that is of none of them, or of two that have one color, a file that is no PNG.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import io, json, zipfile
    >>> from PIL import Image
    >>> import hastyframe.io as hio
    >>> with zipfile.ZipFile(io.BytesIO(), "w") as archive:
    ...     archive.writestr("label_classes.json", json.dumps([{"png_index": 1, "class_name": "cat"}]))
    ...     with archive.open("train/a.png", "w") as file:
    ...         Image.new("L", (4, 2), 1).save(file, "PNG")
    ...     label_set = hio.read_semantic_png(archive, progress=False)
    >>> label_set.labels.loc["1", ["image_id", "class_name"]].tolist()
    ['train/a.png', 'cat']
    """
    from .label_set import LabelSet

    problems = Problems(errors)
    with FolderIn(source, limits) as folder:
        classes = PngClasses(folder)
        growth = Growth(folder.name, 0, limits, RUN_BYTES)
        runs, boxes, found, sizes = [NO_RUNS], [np.empty((0, 4), np.int64)], [], []
        names: list[tuple[str, str]] = []
        paths = [path for path in folder.paths if path.suffix.lower() == ".png"]
        for path in progress_bar(paths, "PNG", progress):
            with problems.noting():
                places = classes.places(path)
                growth.add(max(folder.size(path), LEAST_BYTES))
                own = class_runs(places, lambda count, path=path: growth.take(8 * count, str(path)))  # type: ignore[misc]
                names.append(split_path(path))
                sizes.append((places.shape[1], places.shape[0]))
                runs.append(own.runs)
                boxes.append(own.boxes)
                found.append(own.numbers)
            check_rows(sum(map(len, found)), folder.name, "labels", limits)
        classes.finish()
    problems.throw()
    if not paths:
        losses = Losses(f"{folder.name} has the list of classes alone", on_loss)
        losses.add(1, "no PNG in it or in its folders")
        losses.report()
    images = images_frame(names, sizes)
    owner = np.repeat(np.arange(len(names)), list(map(len, found)))
    present = np.ones(len(owner), bool)
    columns = {
        "image_id": images.index.take(owner),
        "class_id": classes.frame.index.take(np.concatenate([np.empty(0, np.int64), *found]) - 1),
        **dict(zip(BOX, np.concatenate(boxes).astype(float).T, strict=True)),
        "mask": mask_array(stacked(runs), present),
    }
    index = pd.RangeIndex(1, len(owner) + 1).astype("str")
    labels = pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)
    return LabelSet(images, labels, classes.frame, skipped=problems.frame)


LEAST_BYTES = 2**12
"""A picture counts as this large where it is smaller: those of few rectangles are, and their run-lengths are not."""


@names_bad_texts("folder")
def to_semantic_png(
    label_set: LabelSet,
    folder: Folder,
    *,
    semantic_format: str = "gs_asc",
    labels_order: Sequence[str] = ("z_index",),
    on_loss: OnLoss = "warn",
    progress: bool = True,
) -> None:
    """Write ``label_classes.json`` and, in a folder a dataset, one PNG an image.

    The classes are numbered from 1 by their ``norder`` (in the order of the frame where they have none); 0 is
    background. A mask is painted as it is, a polygon filled, a box filled where a label has nothing finer.

    Parameters
    ----------
    label_set : LabelSet
        What to write. Its images have width and height.
    folder : path or zipfile.ZipFile
        Where to; a path that ends in ``.zip`` becomes an archive.
    semantic_format : {"gs_asc", "gs_desc", "class_color"}
        One channel with the class's number, in ascending or in descending order of the classes; or three with the
        class's colour (a class without one gets one).
    labels_order : sequence of {"z_index", "class_type", "class_order"}
        What decides which label lies on top, the first key first: the greater ``z_index``; ``object`` over
        ``background``; the class that comes later. What is left equal lies in the order of the frame, the last on top.
    on_loss : {"warn", "ignore", "raise"}
        What to do about what pictures cannot carry: labels of one class apart, what lies below others, columns.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValidationException
        More than 255 classes in one channel, an image without width and height or of more than 2**28 pixels, a name
        that leads out of the folder.
    """
    if semantic_format not in SEMANTIC_FORMATS:
        raise ValidationException(f"semantic_format is one of {', '.join(SEMANTIC_FORMATS)}, not {semantic_format!r}.")
    classes = _numbered(label_set.label_classes, semantic_format)
    palette = _palette(classes) if semantic_format == "class_color" else None
    with FolderOut(folder) as out:
        sizes = _sizes(label_set.images, out.name)
        paths = file_paths(label_set.images, ".png", out.name)
        labels, starts = _stacked(label_set, labels_order)
        image_rows = np.repeat(np.arange(len(sizes)), np.diff(starts))
        runs, boxes = paint(labels, sizes[image_rows], out.name)
        values = classes["png_index"].reindex(labels["class_id"]).to_numpy()
        out.write(inside("label_classes.json", out.name), _class_list(classes))
        covered = 0
        for image, path in enumerate(progress_bar(paths, "PNG", progress)):
            rows = slice(int(starts[image]), int(starts[image + 1]) + 1)
            own = Ragged(runs.values, runs.offsets[rows])
            picture, under = _picture(sizes[image], own, boxes[rows][: own.n], values[rows][: own.n], out.name, path)
            covered += under
            out.write(path, _png(picture if palette is None else palette[picture]))
    _report(label_set, covered, on_loss)


def _numbered(classes: pd.DataFrame, semantic_format: str) -> pd.DataFrame:
    """Classes with their ``png_index``, in the order of the numbers."""
    if len(classes) > MOST_CLASSES and semantic_format != "class_color":
        raise ValidationException(
            f"{len(classes):,} classes do not fit into one channel of 8 bits: at most {MOST_CLASSES}. "
            'Filter the classes, or use semantic_format="class_color".'
        )
    ordered = classes.sort_values("norder", kind="stable", na_position="last")
    numbers = np.arange(1, len(classes) + 1)
    ordered["png_index"] = numbers[::-1] if semantic_format == "gs_desc" else numbers
    return ordered.sort_values("png_index")


def _palette(classes: pd.DataFrame) -> NDArray[np.uint8]:
    """Colour of each number; black for 0. Classes without a colour get one, which is put into their row."""
    taken = set(classes["color"].dropna().str.lower().str[:7]) | {"#000000"}
    spare = (f"#{i * 0x9E3779 % 0xFFFFFF + 1:06x}" for i in itertools.count(1))
    classes["color"] = [
        next(c for c in spare if c not in taken) + "ff" if color is None else color
        for color in values_out(classes["color"])
    ]
    shades = classes["color"].astype("str").str.lower().str[:7]
    wrong = ~shades.str.fullmatch("#[0-9a-f]{6}")
    if wrong.any() or shades.duplicated().any() or (shades == "#000000").any():
        bad = classes[wrong | shades.duplicated() | (shades == "#000000")].iloc[0]
        raise ValidationException(
            f"Class {bad['name']!r} has the colour {bad['color']!r}: painting colours takes one of its own, "
            "#rrggbb and not black."
        )
    rgb = [[0, 0, 0], *([int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in shades)]
    return np.array(rgb, np.uint8)


def _class_list(classes: pd.DataFrame) -> bytes:
    columns = {
        "png_index": classes["png_index"].tolist(),
        "class_name": values_out(classes["name"]),
        "color": values_out(classes["color"]),
        "class_type": values_out(classes["class_type"]),
    }
    return orjson.dumps(records(columns), option=orjson.OPT_INDENT_2)


def _sizes(images: pd.DataFrame, file: str) -> NDArray[np.float64]:
    sizes = images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)
    bad = ~((sizes > 0).all(axis=1) & (sizes.prod(axis=1) <= MOST_PIXELS))
    if bad.any():
        row = int(np.argmax(bad))
        height, width = sizes[row]
        raise FormatError(
            file,
            f"image {images['name'].iloc[row]!r}",
            f"its width is {width:.0f} and its height {height:.0f}, and a picture has between 1 and 2**28 pixels",
            "Give the real size in images",
        )
    return sizes


def _stacked(label_set: LabelSet, labels_order: Sequence[str]) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Labels image by image, what lies on top last; where each image begins."""
    labels, classes = label_set.labels, label_set.label_classes
    if unknown := set(labels_order) - set(LABELS_ORDER):
        raise ValidationException(f"labels_order takes {', '.join(LABELS_ORDER)}, not {sorted(unknown)}.")
    class_rows = classes.index.get_indexer(labels["class_id"])
    rank = classes["norder"].rank(method="first", na_option="bottom").to_numpy()
    keys = {
        "z_index": labels["z_index"].fillna(0).to_numpy(),
        "class_type": (classes["class_type"] != "background").to_numpy()[class_rows],
        "class_order": rank[class_rows],
    }
    image_rows = label_set.images.index.get_indexer(labels["image_id"])
    order = np.lexsort([*(keys[key] for key in reversed(labels_order)), image_rows])
    starts = np.searchsorted(image_rows[order], np.arange(len(label_set.images) + 1))
    return labels.iloc[order], starts


def _picture(
    size: NDArray[np.float64],
    runs: Ragged,
    boxes: NDArray[np.int64],
    values: NDArray[np.int64],
    file: str,
    path: PurePosixPath,
) -> tuple[NDArray[Any], int]:
    """Paint one image, and count the labels that lie on others."""
    height, width = size.astype(int).tolist()
    picture = np.zeros((height, width), np.uint8 if values.max(initial=0) <= MOST_CLASSES else np.uint16)
    above = 0
    for row, (left, top, right, bottom) in enumerate(boxes.tolist()):
        if left < 0 or top < 0 or right > width or bottom > height:
            raise FormatError(
                file,
                str(path),
                f"a label's box {[left, top, right, bottom]} is not inside the image of {width} by {height} pixels",
                "Clip the labels to their images",
            )
        inside_box = masks.decode(runs.row(row), [left, top, right, bottom]).astype(bool)
        part = picture[top:bottom, left:right]
        above += bool(part[inside_box].any())
        part[inside_box] = values[row]
    return picture, above


def _png(picture: NDArray[Any]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _report(label_set: LabelSet, covered: int, on_loss: OnLoss) -> None:
    losses = Losses("Semantic PNGs cannot carry", on_loss)
    labels = label_set.labels
    kind = kinds(labels)
    losses.add(int(labels.duplicated(["image_id", "class_id"]).sum()), "labels apart from others of their class")
    losses.add(covered, "what lies below labels")
    losses.add(int((kind == "nothing").sum()), "labels without place")
    losses.add(int(kind.isin(["box", "polygon", "parts"]).sum()), "boxes and polygons, which become pixels")
    report_columns(losses, label_set, images=("status", "external_id"), labels=("external_id",))
    losses.report()
