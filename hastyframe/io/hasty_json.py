"""Hasty JSON: the project export ``json_v1.1``, its older forms and the import lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd

from ..entities import Attribute, Image, Label, LabelClass
from ._files import write_file
from ._lists import mask_lists, polygon_lists
from ._records import boxes_out, grouped, own_columns, records, says_something, values_out

if TYPE_CHECKING:
    from .label_set import File, LabelSet

__all__ = ["to_hasty_json"]

_DATE = "%Y-%m-%d %H:%M:%SZ"


def to_hasty_json(
    label_set: LabelSet,
    file: File,
    *,
    project_name: str | None = None,
    create_date: datetime | None = None,
    export_date: datetime | None = None,
) -> None:
    """Write a label set as Hasty JSON v1.1.

    Images, labels and classes keep their ids (``image_id``, ``id``, ``class_id``), and columns that the format has no
    key for become further keys where they hold a value, so that reading the file gives the same frames.

    Parameters
    ----------
    label_set : LabelSet
        What to write.
    file : path or binary file
        Where to. A path that ends in ``.zip`` gets an archive with one JSON file in it, as an export has.
    project_name : str, optional
        Else ``label_set.info["project_name"]``.
    create_date, export_date : datetime.datetime, optional
        When the project was made and when this file was; by default, as ``label_set.info`` says, and now.
    """
    name = project_name or label_set.info.get("project_name") or "project"
    now = _date(export_date or datetime.now(UTC))
    data = {
        "project_name": name,
        "create_date": _date(create_date) if create_date else label_set.info.get("create_date", now),
        "export_format_version": "1.1",
        "export_date": now,
        "attributes": _attributes(label_set.attributes),
        "label_classes": _classes(label_set.label_classes),
        "images": _images(label_set),
    }
    write_file(file, orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), f"{name}.json")


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_DATE)


def _attributes(attributes: pd.DataFrame | None) -> list[dict[str, Any]]:
    if attributes is None:
        return []
    columns = {
        "name": values_out(attributes["name"]),
        "type": values_out(attributes["attribute_type"]),
        "values": [[v["value"] for v in values or ()] for values in values_out(attributes["values"])],
    }
    return records(columns, _further(Attribute, attributes, "subject_type", "description", "norder"))


def _classes(classes: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {
        "class_id": classes.index.tolist(),
        "class_name": values_out(classes["name"]),
        "color": values_out(classes["color"]),
        "class_type": values_out(classes["class_type"]),
        "norder": values_out(classes["norder"]),
    }
    return records(columns, _further(LabelClass, classes, "external_id"))


def _images(label_set: LabelSet) -> list[dict[str, Any]]:
    images, labels, tags = label_set.images, label_set.labels, label_set.tags
    of_image = grouped(_labels(label_set), images.index.get_indexer(labels["image_id"]), len(images))
    tagged: list[list[str]] = [[] for _ in range(len(images))]
    if tags is not None:
        tagged = grouped(values_out(tags["tag_class_name"]), images.index.get_indexer(tags["image_id"]), len(images))
    columns = {
        "image_id": images.index.tolist(),
        "image_name": values_out(images["name"]),
        "dataset_name": values_out(images["dataset_name"]),
        "width": values_out(images["width"]),
        "height": values_out(images["height"]),
        "image_status": values_out(images["status"]),
        "tags": tagged,
        "labels": of_image,
    }
    return records(columns, _further(Image, images, "dataset_id", "public_url", "external_id"))


def _labels(label_set: LabelSet) -> list[dict[str, Any]]:
    labels = label_set.labels
    columns = {
        "id": labels.index.tolist(),
        "class_name": values_out(labels["class_name"]),
        "bbox": boxes_out(labels),
        "polygon": polygon_lists(labels["polygon"]),
        "mask": mask_lists(labels["mask"]),
        "z_index": values_out(labels["z_index"]),
        "attributes": _attribute_values(label_set),
    }
    return records(columns, _further(Label, labels, "external_id"))


def _attribute_values(label_set: LabelSet) -> list[dict[str, Any]]:
    values, labels = label_set.label_attributes, label_set.labels
    out: list[dict[str, Any]] = [{} for _ in range(len(labels))]
    if values is None:
        return out
    rows = labels.index.get_indexer(values["label_id"]).tolist()
    for row, name, value in zip(rows, values_out(values["attribute_name"]), values["value"].tolist(), strict=True):
        out[row][name] = value
    return out


def _further(entity: type[Any], frame: pd.DataFrame, *declared: str) -> dict[str, list[Any]]:
    """Columns that are written as keys of their own names, where they hold anything."""
    names = [*declared, *own_columns(entity, frame)]
    return {name: values_out(frame[name]) for name in names if says_something(frame[name]).any()}
