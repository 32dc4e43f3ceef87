"""Hasty JSON: the project export ``json_v1.1``, its older forms and the import lists."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..entities import Attribute, Image, Label, LabelClass
from ..frames import BOX
from ..limits import DEFAULT_LIMITS, Limits
from ..masks.ragged import offsets_of
from ..painting import one_ring_each
from ._files import write_json
from ._growth import check_depth
from ._lists import KEPT, mask_lists, polygon_lists
from ._load import load_json, unhurried_gc
from ._problems import OnError, Problems
from ._records import DATASET, boxes_out, check_finite, grouped, own_columns, records, says_something, values_out
from ._report import Losses, OnLoss
from ._shapes import bare, boxes_in, check_masks, mask_array, masks_in, points_in, polygon_array
from ._texts import names_bad_texts
from ._values import Table, column_of, further_columns, sifted

if TYPE_CHECKING:
    from .label_set import File, LabelSet, Source

__all__ = ["read_hasty_json", "to_hasty_json"]

_DATE = "%Y-%m-%d %H:%M:%SZ"


@unhurried_gc()
@names_bad_texts("source")
def read_hasty_json(
    source: Source,
    *,
    file: str | None = None,
    errors: OnError = "raise",
    on_loss: OnLoss = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> LabelSet:
    """Read Hasty JSON: an export (v1.1 or 1.0), or a list of images as the imports take them.

    Ids are those of the file. Where it has none, an image is called ``<dataset>/<name>``, labels are numbered from 1,
    and classes, attributes and tags are called by their names. Keys that the format does not define become columns, as
    ``keypoints``: a label may have nothing else. An image that a list names twice has the labels of both. Attributes
    that labels have values of and that are not declared are of the type of these values.

    Parameters
    ----------
    source : path, binary file, zipfile.ZipFile, dict or list
        The file, an archive with it (an export as it arrives), or what it says.
    file : str, optional
        Which file of an archive that has several.
    errors : {"raise", "skip"}
        What to do about bad images, classes and labels: name all of them in one error, or leave them out and list
        them in the label set's ``skipped``. Labels go with their image.
    on_loss : {"warn", "ignore", "raise"}
        What to do about keys that are called like columns and hold something else.
    limits : Limits
        How many rows and how deep lists there may be, and what an archive may unpack to.

    Returns
    -------
    LabelSet
        ``project_name`` and ``create_date`` are in its ``info``.

    Raises
    ------
    FormatError
        Whatever is wrong with the file, with its place: a class that is not declared, a name or an id twice, a mask
        that does not fit its box, a polygon of two points. All bad rows are in its ``problems``.
    SizeLimitError
        More than `limits` allow.

    Examples
    --------
    >>> import hastyframe.io as hio
    >>> images = [{"image_name": "a.jpg", "labels": [{"class_name": "cat", "bbox": [0, 0, 4, 2]}]}]
    >>> label_set = hio.read_hasty_json(images)
    >>> label_set
    LabelSet: 1 image, 1 label (1 box), 1 class
    >>> label_set.labels.loc["1", "image_id"]
    'default/a.jpg'
    """
    from .label_set import LabelSet

    problems = Problems(errors)
    data, name = load_json(source, file=file, limits=limits)
    if not isinstance(data, Mapping):
        data = {"images": _added_up(data), "label_classes": None}
    losses = Losses(f"Labels cannot carry all of {name}", on_loss)
    table = Table(data.get("images"), name, "images", limits=limits, problems=problems)
    images, table = sifted(lambda some: _images_in(some, losses), table, problems, losses)
    labels, image_rows = _label_table(table, problems)
    _, labels = sifted(lambda some: some.texts("class_name", needed=True), labels, problems, losses)
    rows = data.get("label_classes")
    if rows is None:
        rows = [{"class_name": name} for name in dict.fromkeys(labels.texts("class_name"))]
    classes, _ = sifted(
        lambda some: _classes_in(some, losses),
        Table(rows, name, "label_classes", limits=limits, problems=problems),
        problems,
        losses,
    )
    declared = Table(data.get("attributes") or [], name, "attributes", limits=limits, problems=problems)
    attributes, _ = sifted(lambda some: _attributes_in(some, losses), declared, problems, losses)

    def labels_in(some: Table) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        image_ids = images.index.take(image_rows[some.numbers_of_rows])
        frame = _labels_in(some, image_ids, classes, losses)
        return frame, _attribute_values_in(some, frame.index)

    (label_frame, values), _ = sifted(labels_in, labels, problems, losses)
    if values is not None:
        attributes = _with_undeclared(attributes, values)
    tags, _ = sifted(lambda some: _tags_in(some, images.index.take(_places(table, some))), table, problems, losses)
    problems.throw()
    losses.report()
    info = {key: data[key] for key in ("project_name", "create_date") if key in data}
    check_depth(info, name, "project_name", limits)
    return LabelSet(
        images,
        label_frame,
        classes,
        attributes=attributes if len(attributes) else None,
        label_attributes=values,
        tags=tags,
        info=info,
        skipped=problems.frame,
    )


def _places(whole: Table, some: Table) -> NDArray[np.int64]:
    """Where the rows that are left stand among those that there were."""
    return np.searchsorted(whole.numbers_of_rows, some.numbers_of_rows)


def _added_up(rows: Any) -> Any:
    """Images of a list, each once: one that is named again adds its labels to the first."""
    if not isinstance(rows, list | tuple):
        return rows
    first: dict[Any, int] = {}
    out: list[Any] = []
    for row in rows:
        if not isinstance(row, Mapping) or not isinstance(row.get("image_name"), str):
            out.append(row)
            continue
        key = (str(row.get("dataset_name")), row["image_name"])
        place = first.setdefault(key, len(out))
        if place == len(out):
            out.append(row)
        elif isinstance(out[place].get("labels"), list) and isinstance(row.get("labels"), list):
            out[place] = {**out[place], "labels": out[place]["labels"] + row["labels"]}
        else:
            out.append(row)
    return out


def _label_table(images: Table, problems: Problems) -> tuple[Table, NDArray[np.int64]]:
    """Labels of all images, one after the other, and whose they are."""
    lists = [labels or () for labels in images.lists("labels")]
    ends = offsets_of([len(labels) for labels in lists])

    def place(row: int) -> str:
        image = int(np.searchsorted(ends, row, side="right")) - 1
        return f"{images.place(image)}.labels[{row - ends[image]}]"

    rows = list(itertools.chain.from_iterable(lists))
    table = Table(rows, images.file, "labels", place, limits=images.limits, problems=problems)
    return table, np.repeat(np.arange(len(lists)), np.diff(ends))


def _images_in(table: Table, losses: Losses) -> pd.DataFrame:
    named = pd.Series(table.texts("dataset_name"), dtype="str").fillna(DATASET)
    columns = {
        "name": pd.Series(table.texts("image_name", needed=True), dtype="str"),
        "dataset_name": named,
        "width": table.sizes("width"),
        "height": table.sizes("height"),
        "status": pd.Series(table.texts("image_status"), dtype="str"),
    }
    table.lists("labels")
    key = next((key for key in ("image_id", "id") if table.has(key)), None)
    known = ("image_name", "dataset_name", "width", "height", "image_status", "tags", "labels", "image_id", "id")
    columns |= further_columns(table, known, Image, ("dataset_id", "public_url", "external_id"), losses)
    ids = named + "/" + columns["name"]
    if (twice := ids.duplicated().to_numpy()).any():
        raise table.all_wrong(twice, "its dataset has an image of this name already", "Rename one")
    return pd.DataFrame(columns).set_index(table.index(key) if key else pd.Index(ids))


def _classes_in(table: Table, losses: Losses) -> pd.DataFrame:
    names = table.texts("class_name", needed=True)
    key = next((key for key in ("class_id", "id") if table.has(key)), "class_name")
    columns = {
        "name": pd.Series(names, dtype="str"),
        "color": pd.Series(table.texts("color"), dtype="str"),
        "class_type": pd.Series(table.texts("class_type"), dtype="str").fillna("object"),
        "norder": pd.Series(table.numbers("norder")).fillna(pd.Series(np.arange(1.0, len(table) + 1))),
    }
    known = ("class_name", "color", "class_type", "norder", "class_id", "id")
    columns |= further_columns(table, known, LabelClass, ("external_id",), losses)
    if (twice := columns["name"].duplicated().to_numpy()).any():
        raise table.all_wrong(twice, lambda row: f"class {names[row]!r} is there twice", "Rename one")
    return pd.DataFrame(columns).set_index(table.index(key))


def _labels_in(table: Table, image_ids: pd.Index[str], classes: pd.DataFrame, losses: Losses) -> pd.DataFrame:
    class_rows = table.refer("class_name", pd.Index(classes["name"]), "label_classes")
    boxes = boxes_in(table)
    polygons = table.lists("polygon")
    outlined = np.array([row for row, polygon in enumerate(polygons) if polygon], np.int64)
    points, ends = points_in([polygons[row] for row in outlined.tolist()], outlined, table, "polygon")
    runs, there = masks_in(_masks_beside(polygons, table.lists("mask")), table, "mask")
    check_masks(runs, boxes, there, table)
    columns = {
        "image_id": image_ids,
        "class_id": classes.index.take(class_rows),
        **dict(zip(BOX, boxes.T, strict=True)),
        "polygon": polygon_array(points, ends, outlined, len(table)),
        "mask": mask_array(runs, there),
        "z_index": table.numbers("z_index"),
        **further_columns(table, _LABEL_KEYS, Label, ("external_id", *KEPT), losses),
    }
    index = table.index("id") if table.has("id") else pd.RangeIndex(1, len(table) + 1).astype("str")
    return pd.DataFrame({key: bare(values) for key, values in columns.items()}, index=index)


def _masks_beside(polygons: list[Any], masks: list[Any]) -> list[Any]:
    """Masks, but not an empty one beside a polygon: there the polygon counts."""
    return [None if polygon and mask == [] else mask for polygon, mask in zip(polygons, masks, strict=True)]


_LABEL_KEYS = ("id", "class_name", "bbox", "polygon", "mask", "z_index", "attributes")


def _attributes_in(table: Table, losses: Losses) -> pd.DataFrame:
    values = table.lists("values")
    columns = {
        "name": pd.Series(table.texts("name", needed=True), dtype="str"),
        "attribute_type": pd.Series(table.texts("type"), dtype="str"),
        "values": [None if v is None else [{"id": None, "value": str(text)} for text in v] for v in values],
    }
    known = ("id", "name", "type", "values")
    declared = ("subject_type", "description", "norder")
    columns |= further_columns(table, known, Attribute, declared, losses)
    return pd.DataFrame(columns).set_index(table.index("id" if table.has("id") else "name"))


def _attribute_values_in(table: Table, label_ids: pd.Index[str]) -> pd.DataFrame | None:
    given = table.objects("attributes")
    rows = [(row, name, value) for row, values in enumerate(given) for name, value in (values or {}).items()]
    if not rows:
        return None
    labels, names, values = zip(*rows, strict=True)
    index = pd.RangeIndex(1, len(rows) + 1).astype("str")
    frame = pd.DataFrame({"label_id": label_ids.take(labels), "attribute_name": names}, index=index)
    frame["value"] = column_of(list(values)).astype("object").to_numpy()
    return frame


def _with_undeclared(attributes: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Attributes, and those that only values tell of; their values tell the type."""
    unknown = values[~values["attribute_name"].isin(attributes["name"])]
    if not len(unknown):
        return attributes
    rows = []
    for name, found in unknown.groupby("attribute_name", sort=False)["value"]:
        kind = _type_of(found.tolist())
        texts = dict.fromkeys(text for value in found for text in value) if kind == "MULTIPLE-SELECTION" else None
        selection = texts and [{"id": None, "value": str(text)} for text in texts]
        rows.append({"id": name, "name": name, "attribute_type": kind, "values": selection})
    new = pd.DataFrame(rows).set_index("id").astype({"name": "str", "attribute_type": "str"})
    new.index = [name if name not in attributes.index else f"{name}-2" for name in new.index]
    return pd.concat([attributes, new]) if len(attributes) else new


def _type_of(values: list[Any]) -> str:
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return "BOOL"
    if types and types <= {int, float}:
        return "INT" if types == {int} else "FLOAT"
    return "MULTIPLE-SELECTION" if types == {list} else "TEXT"


def _tags_in(table: Table, image_ids: pd.Index[str]) -> pd.DataFrame | None:
    tagged = [(row, tag) for row, tags in enumerate(table.lists("tags")) for tag in tags or ()]
    if not tagged:
        return None
    if wrong := {row: tag for row, tag in reversed(tagged) if not isinstance(tag, str)}:
        raise table.all_wrong(list(wrong), lambda row: f"tag {wrong[row]!r} is not a text")
    rows, names = zip(*tagged, strict=True)
    index = pd.RangeIndex(1, len(rows) + 1).astype("str")
    return pd.DataFrame(
        {"image_id": image_ids.take(rows), "tag_class_id": names, "tag_class_name": names}, index=index, dtype="str"
    )


@names_bad_texts("file")
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
    write_json(file, data, f"{name}.json")


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
    labels = one_ring_each(label_set.labels, label_set.images)
    check_finite(labels)
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
    for row, name, value in zip(rows, values_out(values["attribute_name"]), values_out(values["value"]), strict=True):
        out[row][name] = value
    return out


def _further(entity: type[Any], frame: pd.DataFrame, *declared: str) -> dict[str, list[Any]]:
    """Columns that are written as keys of their own names, where they hold anything."""
    names = [*declared, *own_columns(entity, frame)]
    return {name: values_out(frame[name]) for name in names if says_something(frame[name]).any()}
