"""Folders of YOLO label files, as ``yolo predict save_txt=True save_conf=True`` leaves them behind."""

from __future__ import annotations

from typing import Any

from ..io import LabelSet, read_yolo
from .objects import Objects
from .places import Classes
from .tables import objects_in_table

__all__ = ["objects_in_folder", "objects_in_label_set"]


def objects_in_folder(source: Any, images: Any, classes: Classes) -> Objects:
    """Read a folder of label files.

    Parameters
    ----------
    source : path or zipfile.ZipFile
        The folder.
    images : path, pandas.DataFrame or None
        Pictures or frame that the sizes are taken from, as :func:`hastyframe.read_yolo` takes them.
    classes : Classes
        What numbers mean, where the folder does not say.
    """
    names = _names(classes)
    return objects_in_label_set(read_yolo(source, images, classes=names, progress=False))


def objects_in_label_set(label_set: LabelSet) -> Objects:
    """Read the labels of a label set."""
    labels = label_set.labels
    names = label_set.images["name"].reindex(labels["image_id"]).array
    unsaid = [name for name in ("z_index", "external_id") if labels[name].isna().all()]
    objects = objects_in_table(labels.drop(columns=unsaid).assign(image_name=names), None, "the labels")
    objects.in_pixels = True
    return objects


def _names(classes: Classes) -> list[str] | None:
    """Names of the classes in the order of their numbers, if that order was given."""
    numbers = classes.mapping
    if numbers is None and classes.frame is not None:
        numbers = dict(zip(classes.ids.tolist(), classes.names.tolist(), strict=True))
        if numbers.keys() != set(map(str, range(len(numbers)))):
            return None
    if numbers is None or not all(number.isdecimal() for number in numbers):
        return None
    return [numbers.get(str(number), f"class {number}") for number in range(max(map(int, numbers), default=-1) + 1)]
