"""A whole project from and to a label set."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import entities
from .errors import FrameError, Problem, ValidationException
from .frames import BOX
from .io import FormatWarning, LabelSet, read_coco, read_hasty_json, read_semantic_png
from .painting import one_ring_each
from .pictures import inside

if TYPE_CHECKING:
    from .project import Project

__all__ = ["pull", "push", "read_export"]

_READERS: Mapping[str, Callable[..., LabelSet]] = {
    "json_v1.1": read_hasty_json,
    "json_coco": read_coco,
    "semantic_png": read_semantic_png,
}


def pull(project: Project, dataset: Any = None, image_status: Any = None) -> LabelSet:
    """Read a project into a label set: a request an image for labels, and one a label where there are attributes."""
    images = project.get_images(dataset, image_status)
    labels = project.get_labels(images)
    attributes, tag_classes = project.get_attributes(), project.get_tag_classes()
    return LabelSet(
        images,
        labels,
        project.get_label_classes(),
        attributes=attributes if len(attributes) else None,
        label_attributes=project.get_label_attributes(labels) if len(attributes) else None,
        tags=project.get_tags(images) if len(tag_classes) else None,
        info={"project_name": project.name},
    )


def read_export(project: Project, export_format: str = "json_v1.1", **options: Any) -> LabelSet:
    """Run an export, wait for it, download and read it: a handful of requests, however many images."""
    if export_format not in _READERS:
        raise ValidationException(f"{export_format!r} cannot be read back; it must be one of {', '.join(_READERS)}.")
    options.setdefault("image_status", list(entities.STATUSES))
    job = project.export("hastyframe", export_format, **options).wait()
    with tempfile.TemporaryDirectory(prefix="hastyframe-") as folder:
        return _READERS[export_format](job.download(folder))


def push(project: Project, label_set: LabelSet, images_folder: str | Path | None = None) -> pd.DataFrame:
    """Fill a project from a label set: what is missing by name is created, then the labels are added."""
    created = [
        *_push_named(project.get_label_classes(), label_set.label_classes, _class_creator(project), "label class"),
        *_push_named(project.get_datasets(), _datasets_of(label_set), _dataset_creator(project), "dataset"),
    ]
    if label_set.attributes is not None:
        creator = _attribute_creator(project)
        created += _push_named(project.get_attributes(), label_set.attributes, creator, "attribute")
    if label_set.tags is not None:
        names = label_set.tags["tag_class_name"].dropna().astype(str).unique()
        wanted = pd.DataFrame({"name": names}, index=names)
        creator = lambda _, row: project.create_tag_class(row["name"]).id  # noqa: E731
        created += _push_named(project.get_tag_classes(), wanted, creator, "tag class")

    images = _push_images(project, label_set.images, images_folder)
    ids = images.set_index("source_id")["id"]
    stored = _push_labels(project, label_set, ids)
    if label_set.tags is not None and len(label_set.tags):
        rows = pd.DataFrame({"image_id": label_set.tags["image_id"].map(ids)})
        project.add_tags(rows.assign(tag_class_name=label_set.tags["tag_class_name"].astype(str)))
    _push_statuses(project, label_set.images, images)
    labels = pd.DataFrame(
        {"kind": "label", "source_id": label_set.labels.index, "id": stored.index, "outcome": "created"}
    )
    return pd.concat([pd.DataFrame(created, columns=list(images)), images, labels], ignore_index=True).astype("str")


Row = tuple[str, str, str, str]
"""Kind, id in the label set, id in the project, and what became of it."""
Creator = Callable[[str, Any], str]


def _push_named(there: pd.DataFrame, wanted: pd.DataFrame, create: Creator, kind: str) -> list[Row]:
    """Create what the project has nothing of that name for."""
    known = {name: key for key, name in there["name"].items()}
    rows = []
    for source_id, row in wanted.iterrows():
        name = row["name"]
        outcome = "there already" if name in known else "created"
        if name not in known:
            known[name] = create(str(source_id), row)
        rows.append((kind, str(source_id), known[name], outcome))
    return rows


def _class_creator(project: Project) -> Creator:
    return lambda _, row: (
        project.create_label_class(
            row["name"],
            _or_none(row["color"]),
            _or_none(row["class_type"]) or "object",
            _or_none(row["norder"]),
            _or_none(row["external_id"]),
        ).id
    )


def _attribute_creator(project: Project) -> Creator:
    return lambda _, row: (
        project.create_attribute(
            row["name"],
            row["attribute_type"],
            _or_none(row["description"]),
            _or_none(row["norder"]),
            [value["value"] for value in row["values"]] if np.iterable(row["values"]) else None,
            _or_none(row["subject_type"]) or "LABEL",
        ).id
    )


def _dataset_creator(project: Project) -> Creator:
    return lambda _, row: project.create_dataset(row["name"], row["norder"]).id


def _datasets_of(label_set: LabelSet) -> pd.DataFrame:
    """Datasets of the images, in the order in which they appear."""
    names = label_set.images["dataset_name"].astype(object)
    names = names.where(names.notna(), "default").unique()
    return pd.DataFrame({"name": names, "norder": range(len(names))}, index=names)


def _push_images(project: Project, wanted: pd.DataFrame, folder: str | Path | None) -> pd.DataFrame:
    """Upload images that the project has none of that name for; ``kind, source_id, id, outcome``."""
    datasets = wanted["dataset_name"].astype(object).where(wanted["dataset_name"].notna(), "default")
    keys = pd.MultiIndex.from_arrays([datasets, wanted["name"]])
    there = project.get_images()
    known = pd.Series(there.index, pd.MultiIndex.from_arrays([there["dataset_name"].astype(object), there["name"]]))
    ids = known.reindex(keys).to_numpy(dtype=object)
    missing = pd.isna(ids)
    if missing.any():
        paths = _paths(wanted[missing], datasets[missing], folder)
        rows = pd.DataFrame({"path": paths, "name": wanted["name"][missing], "dataset_name": datasets[missing]})
        report = project.upload_images(rows.assign(external_id=wanted["external_id"][missing]))
        failed = report["outcome"] != "uploaded"
        if failed.any():
            raise ValidationException(
                f"{int(failed.sum()):,} of {len(report):,} images were not uploaded; the first: "
                f"{report['path'][failed].iloc[0]}: {report['message'][failed].iloc[0]} No label was created. Push "
                "again when it is mended: what is there already is kept."
            )
        ids[missing] = report["image_id"].to_numpy(dtype=object)
    outcomes = pd.Series(missing).map({True: "created", False: "there already"})
    return pd.DataFrame({"kind": "image", "source_id": wanted.index, "id": ids, "outcome": outcomes.to_numpy()})


def _paths(images: pd.DataFrame, datasets: pd.Series[str], folder: str | Path | None) -> list[Path]:
    """Find the files of images, in a folder of the dataset's name or right in the folder; all that lack are named."""
    if folder is None:
        raise ValidationException(
            f"The project lacks {len(images):,} of the images, the first is {images['name'].iloc[0]!r}. Give "
            "images_folder=, where their files are."
        )
    paths, problems = [], []
    for row, name, dataset in zip(images.index, images["name"], datasets, strict=True):
        choices = [inside(Path(folder), dataset, name), inside(Path(folder), name)]
        found = next((path for path in choices if path.is_file()), None)
        if found is None:
            problems.append(Problem("name", row, name, f"There is no such file in {str(folder)!r}."))
        else:
            paths.append(found)
    if problems:
        raise FrameError(problems)
    return paths


def _push_labels(project: Project, label_set: LabelSet, image_ids: pd.Series[str]) -> pd.DataFrame:
    """Add the labels, with their attribute values; return them as stored, in order."""
    labels = one_ring_each(label_set.labels, label_set.images)
    rows = labels.drop(columns="class_id").assign(image_id=labels["image_id"].map(image_ids))
    stored = project.create_labels(_whole_boxes(rows))
    values = label_set.label_attributes
    if values is not None and len(values):
        new = pd.Series(stored.index, labels.index)
        named = values[["label_id", "attribute_name", "value"]].assign(label_id=values["label_id"].map(new))
        project.set_label_attributes(named.astype({"attribute_name": object}))
    return stored


def _whole_boxes(labels: pd.DataFrame) -> pd.DataFrame:
    """Round boxes outwards, which in other formats need not be in whole pixels; those of masks always are."""
    boxes = labels[list(BOX)].to_numpy(dtype=float)
    whole = np.column_stack([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])])
    broken = ((whole != boxes) & ~np.isnan(boxes)).any(axis=1) & labels["mask"].isna().to_numpy()
    if not broken.any():
        return labels
    warnings.warn(
        f"{int(broken.sum()):,} of {len(labels):,} boxes are not in whole pixels, as the API has them; they were "
        "rounded outwards.",
        FormatWarning,
        stacklevel=5,
    )
    whole[~broken] = boxes[~broken]
    return labels.assign(**dict(zip(BOX, whole.T, strict=True)))


def _push_statuses(project: Project, wanted: pd.DataFrame, pushed: pd.DataFrame) -> None:
    """Give new images the statuses that the label set has for them."""
    statuses = pd.DataFrame({"image_id": pushed["id"], "status": wanted["status"].astype(object).to_numpy()})
    statuses = statuses[(pushed["outcome"] == "created") & statuses["status"].notna() & (statuses["status"] != "NEW")]
    if len(statuses):
        project.set_status(statuses)


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
