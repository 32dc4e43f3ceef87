"""What a source is: a file, a folder, a table, results of a model; each is read by a module of its own."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import identity
from ..arguments import shown
from ..errors import ValidationException
from ..io import LabelSet, read_coco
from ..io.coco import load_detections
from .coco_results import are_detections, objects_in_detections, told
from .frames import as_pandas, frame_of
from .objects import Objects
from .places import Classes, Images
from .results import Options, Piece, is_result, read_result, said_image, together
from .tables import is_coco, objects_in_table, read_csv
from .yolo import objects_in_folder, objects_in_label_set

__all__ = ["is_list", "objects_in"]


def is_list(images: Any) -> bool:
    """Whether images are ids or names, one a result, and not a frame of images."""
    if isinstance(images, pd.Series | pd.Index | np.ndarray):
        return True
    return isinstance(images, list | tuple) and not all(isinstance(image, Mapping) for image in images)


def objects_in(source: Any, which: Any, images: Images, classes: Classes, options: Options) -> Objects:
    """Find out what a source is, and read it.

    Parameters
    ----------
    source : object
        As of :func:`hastyframe.as_predictions`.
    which : list, str or None
        Which image each result is of, if that was said; or the folder of pictures.
    images, classes : Images, Classes
        Those that there are.
    options : Options
        How to read.
    """
    if isinstance(source, str | os.PathLike | zipfile.ZipFile):
        return _in_files(source, which, images, classes, options)
    if (results := _results(source)) is not None:
        if isinstance(source, Mapping) and not is_result(source):
            if which is not None:
                raise ValidationException("The dict says which image each result is of: leave out the list images=.")
            which = list(source)
        return _in_results(results, which, images, options)
    _check_no_list(which)
    if isinstance(source, LabelSet):
        return objects_in_label_set(source)
    if isinstance(source, Mapping) or (isinstance(source, list | tuple) and _are_rows(source)):
        return _in_rows(source, images, options)
    return _in_frame(source, images, options)


def _check_no_list(which: Any) -> None:
    if which is not None:
        raise ValidationException(
            "The source says itself which image each row is on: images must be a frame of the images or a label set, "
            f"and is {shown(which)}."
        )


def _results(source: Any) -> Iterable[Any] | None:
    """Results of a model, if that is what a source is: one, several, or a dict of them."""
    if is_result(source):
        return [source]
    if isinstance(source, Mapping):
        return source.values() if source and all(map(is_result, source.values())) else None
    if isinstance(source, list | tuple):
        return source if not source or any(map(is_result, source)) else None
    return source if isinstance(source, Iterator) else None


def _are_rows(source: list[Any] | tuple[Any, ...]) -> bool:
    return all(isinstance(row, Mapping) for row in source)


def _in_rows(rows: Any, images: Images, options: Options) -> Objects:
    """Read rows as dicts, one of them, or a dict of columns."""
    if isinstance(rows, Mapping):
        if "annotations" in rows:
            return (
                objects_in_label_set(read_coco(rows))
                if "images" in rows
                else _in_rows(rows["annotations"], images, options)
            )
        if any(map(_is_column, rows.values())) and not are_detections([rows]):
            return _in_frame(rows, images, options)
        if _is_column(rows.get("image_id")):
            return _in_rows(frame_of(rows).to_dict("records"), images, options)
        rows = [rows]
    if are_detections(rows) and options.box_format in (None, "xywh"):
        return objects_in_detections(rows, images, masks=options.masks)
    return objects_in_table(frame_of(rows), options.box_format, "the rows")


def _is_column(values: Any) -> bool:
    return np.iterable(values) and not isinstance(values, str | bytes | Mapping)


def _in_frame(source: Any, images: Images, options: Options) -> Objects:
    frame = as_pandas(source)
    if not isinstance(frame, pd.DataFrame):
        raise ValidationException(
            f"{options.name} is {shown(source)}; it must be a frame, a dict of columns, rows as dicts, the path of a "
            "CSV or JSON file or of a folder of YOLO, or results of ultralytics, supervision, torchvision, "
            "transformers or detectron2."
        )
    if is_coco(frame) and "segmentation" in frame:
        return _in_rows(frame.to_dict("records"), images, options)
    objects = objects_in_table(frame, options.box_format, "the table")
    objects.numbers = is_coco(frame)
    return objects


def _in_files(source: Any, which: Any, images: Images, classes: Classes, options: Options) -> Objects:
    """Read a file by its suffix, or a folder."""
    suffix = "" if isinstance(source, zipfile.ZipFile) else Path(source).suffix.lower()
    if suffix in {".csv", ".tsv", ".parquet", ".feather", ".json"}:
        _check_no_list(which)
    if suffix in {".csv", ".tsv"}:
        return objects_in_table(read_csv(source), options.box_format, Path(source).name)
    if suffix == ".parquet":
        from pyarrow import parquet

        return _in_frame(parquet.read_table(source), images, options)
    if suffix == ".feather":
        from pyarrow import feather

        return _in_frame(feather.read_table(source), images, options)
    if suffix == ".json" or _packs_json(source, suffix):
        return _in_json(source, images, options)
    return objects_in_folder(source, images.frame if which is None else which, classes)


def _packs_json(source: Any, suffix: str) -> bool:
    """Whether an archive has a JSON file in it, and no label files of YOLO."""
    if isinstance(source, zipfile.ZipFile):
        suffixes = {Path(name).suffix.lower() for name in source.namelist()}
        return ".json" in suffixes and ".txt" not in suffixes
    if suffix != ".zip" or not zipfile.is_zipfile(source):
        return False
    with zipfile.ZipFile(source) as archive:
        return _packs_json(archive, suffix)


def _in_json(source: Any, images: Images, options: Options) -> Objects:
    data, _ = load_detections(source, segmentation=options.masks)
    if isinstance(data, Mapping) and {"annotations", "images"} <= data.keys():
        return objects_in_label_set(read_coco(source))
    if isinstance(data, Mapping) and are_detections(data) and options.box_format in (None, "xywh"):
        return objects_in_detections(data, images, masks=options.masks)
    return _in_rows(told(data) if isinstance(data, Mapping) else data, images, options)


def _in_results(results: Iterable[Any], which: Any, images: Images, options: Options) -> Objects:
    """Read results, and say which image each is of."""
    given = [which] if isinstance(which, str | os.PathLike) else None if which is None else list(which)
    pieces: list[Piece] = []
    keys: list[tuple[str | None, str | None]] = []
    for number, result in enumerate(results):
        pieces.append(read_result(result, number, options))
        if given is None:
            id_, name = said_image(result)
            keys.append((identity.one(id_), None if name is None else str(name)))
    if given is not None:
        if len(given) != len(pieces):
            what = f"There are {len(pieces):,} results, and images= names {len(given):,}: name one each."
            raise ValidationException(what)
        texts = [os.fspath(key) if isinstance(key, os.PathLike) else key for key in given]
        keys = [(identity.one(key), identity.one(key, "name")) for key in texts]
    silent = [number for number, key in enumerate(keys) if given is None and key == (None, None)]
    if silent:
        _take_in_order(keys, silent, images)
    return together(pieces, keys, options)


def _take_in_order(keys: list[tuple[str | None, str | None]], silent: list[int], images: Images) -> None:
    """Take images in their order for results that do not say which image they are of."""
    if images.frame is None or len(images.frame) != len(keys):
        there = "" if images.frame is None else f", and images= has {len(images.frame):,}"
        raise ValidationException(
            f"There are {len(keys):,} results that do not say which image they are of{there}: give "
            "images=[...] with an id or a name each, or a dict of image to result."
        )
    for number in silent:
        keys[number] = images.ids[number], None
