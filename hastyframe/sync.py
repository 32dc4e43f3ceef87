"""A whole project from and to a label set."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import checks, entities
from .errors import OutcomeUnknown, UnexpectedAnswer, ValidationException
from .frames import BOX
from .handles import Attribute, Dataset, LabelClass, TagClass
from .io import FormatWarning, LabelSet, read_coco, read_hasty_json, read_semantic_png
from .limits import DEFAULT_LIMITS, Limits
from .locating import DEFAULT_DATASET, check_sizes, find_files, find_images, sizes_of
from .painting import one_ring_each
from .paths import with_mark
from .vocabulary import check_choice

if TYPE_CHECKING:
    from .project import Project

__all__ = ["Datasets", "pull", "push", "read_export"]

Datasets: TypeAlias = Literal["names", "folders"]
"""What is the dataset of an image that has a folder in its name: the one it names, or the folder."""

_TRIES = 8
"""How often to create a thing again whose creation got no answer, and which is not found."""

_DATASETS_AT_ONCE = 100
"""How many ids fit into the address of a request."""

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
    classes = project.get_label_classes()
    return LabelSet(
        images,
        labels,
        _with_attributes(classes, attributes, project.get_attribute_classes()) if len(attributes) else classes,
        attributes=attributes if len(attributes) else None,
        label_attributes=project.get_label_attributes(labels) if len(attributes) else None,
        tags=project.get_tags(images) if len(tag_classes) else None,
        info={"project_name": project.name},
    )


def read_export(
    project: Project, export_format: str = "json_v1.1", *, limits: Limits = DEFAULT_LIMITS, **options: Any
) -> LabelSet:
    """Run an export, wait for it, download and read it: a handful of requests, however many images."""
    check_choice(export_format, list(_READERS), "export_format")
    options.setdefault("image_status", list(entities.STATUSES))
    job = project.export("hastyframe", export_format, **options).wait()
    with tempfile.TemporaryDirectory(prefix="hastyframe-") as folder:
        return _READERS[export_format](job.download(folder), limits=limits)


def push(
    project: Project,
    label_set: LabelSet,
    images_folder: str | Path | None = None,
    journal: str | Path | None = None,
    datasets: Datasets = "names",
) -> pd.DataFrame:
    """Fill a project from a label set: what is missing by name is created, then the labels are added.

    Every step finds what an earlier call has done: things by their names, labels by the journal; tags, statuses and
    values can be set again.
    """
    check_choice(datasets, list(get_args(Datasets)), "datasets")
    label_set = LabelSet(**label_set.frames(), info=label_set.info)  # its frames may have changed: by value, and whole
    wanted_images = _without_folders(label_set.images, datasets)
    there = project.get_images()
    places, image_ids = find_images(wanted_images, there)
    wanted_images = wanted_images.assign(dataset_name=places)
    files = find_files(wanted_images[pd.isna(image_ids)], images_folder)
    check_sizes(wanted_images, image_ids, there, files)
    created = [
        *_push_named(project, "label class", project.get_label_classes, label_set.label_classes, _new_class(project)),
        *_push_named(project, "dataset", project.get_datasets, _datasets_of(wanted_images), _new_dataset(project)),
    ]
    if label_set.attributes is not None:
        create = _new_attribute(project)
        created += _push_named(project, "attribute", project.get_attributes, label_set.attributes, create)
        _push_attribute_classes(project, label_set)
    if label_set.tags is not None:
        names = label_set.tags["tag_class_name"].dropna().astype(str).unique()
        wanted = pd.DataFrame({"name": names}, index=names)
        create = lambda row: project.create_tag_class(row["name"])  # noqa: E731
        created += _push_named(project, "tag class", project.get_tag_classes, wanted, create)

    images = _push_images(project, wanted_images, image_ids, files)
    ids = images.set_index("source_id")["id"]
    bare = checks.without_shape(label_set.labels)
    label_ids = _push_labels(project, _shaped(label_set, bare), ids, journal)
    if label_set.tags is not None and len(label_set.tags):
        rows = pd.DataFrame({"image_id": label_set.tags["image_id"].map(ids)})
        project.add_tags(rows.assign(tag_class_name=label_set.tags["tag_class_name"].astype(str)))
    _push_statuses(project, label_set.images, images, there)
    labels = pd.DataFrame({"kind": "label", "source_id": label_set.labels.index, "outcome": "created"})
    labels.loc[bare, "outcome"] = "skipped"
    labels.loc[~bare, "id"] = label_ids
    return pd.concat([pd.DataFrame(created, columns=list(images)), images, labels], ignore_index=True).astype("str")


def _without_folders(images: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Images by names without folders, which the server takes; ``file`` is what each is called in the label set.

    ``cam1/0001.png`` becomes ``cam1_0001.png``, or ``0001.png`` of the dataset ``cam1``. A name that another image of
    the dataset has then gets a checksum of the whole name.
    """
    names = images["name"].astype(object)
    plain = names.str.replace("\\", "/", regex=False)
    images = images.assign(file=names)
    if not (nested := plain.str.contains("/", regex=False).to_numpy(dtype=bool)).any():
        return images
    if datasets == "folders":
        parts = plain[nested].str.rpartition("/")
        images["dataset_name"] = images["dataset_name"].astype(object).mask(nested, parts[0].reindex(images.index))
        images["name"] = names.mask(nested, parts[2].reindex(images.index))
        return images
    short = plain.str.replace("/", "_", regex=False)
    keys = images["dataset_name"].astype(object).fillna(DEFAULT_DATASET) + "/" + short
    clash = keys.duplicated(keep=False).to_numpy() & nested
    new = [with_mark(name, whole) if again else name for name, whole, again in zip(short, names, clash, strict=True)]
    images["name"] = pd.Series(new, images.index, dtype="str")
    first = int(np.argmax(nested))
    warnings.warn(
        f"{int(nested.sum()):,} of {len(images):,} images have folders in their names, which the server does not take: "
        f"{names.iloc[first]!r} is called {new[first]!r} there. To make datasets of the folders, pass "
        'datasets="folders".',
        FormatWarning,
        stacklevel=4,
    )
    return images


Row = tuple[str, str, str, str]
"""Kind, id in the label set, id in the project, and what became of it."""
Read = Callable[[], pd.DataFrame]
Create = Callable[[Any], LabelClass | Dataset | Attribute | TagClass]


def _push_named(project: Project, kind: str, read: Read, wanted: pd.DataFrame, create: Create) -> list[Row]:
    """Create what the project has nothing of that name for."""
    known = _ids_by_name(read())
    rows = []
    for source_id, row in wanted.iterrows():
        name = row["name"]
        outcome = "there already" if name in known else "created"
        if name not in known:
            known[name] = _create_once(project, read, row, create)
        rows.append((kind, str(source_id), known[name], outcome))
    return rows


def _create_once(project: Project, read: Read, row: Any, create: Create) -> str:
    """Create a thing; after a request that nobody answered, look for its name before it is sent again."""
    transport = project._requester
    for tries in range(1, _TRIES + 1):
        try:
            return str(create(row).id)
        except (OutcomeUnknown, UnexpectedAnswer):
            found = _ids_by_name(read()).get(row["name"])
            if found is None:
                # It may still be under way, and the server allows a name twice.
                transport.rest(transport.settle_timeout)
                found = _ids_by_name(read()).get(row["name"])
            if found is not None:
                return found
            if tries == _TRIES:
                raise
    raise AssertionError  # pragma: no cover


def _ids_by_name(things: pd.DataFrame) -> dict[str, str]:
    return {name: key for key, name in things["name"].items()}


def _new_class(project: Project) -> Create:
    return lambda row: project.create_label_class(
        row["name"],
        _or_none(row["color"]),
        _or_none(row["class_type"]) or "object",
        _or_none(row["norder"]),
        _or_none(row["external_id"]),
    )


def _new_attribute(project: Project) -> Create:
    return lambda row: project.create_attribute(
        row["name"],
        row["attribute_type"],
        _or_none(row["description"]),
        _or_none(row["norder"]),
        [value["value"] for value in row["values"]] if np.iterable(row["values"]) else None,
        _or_none(row["subject_type"]) or "LABEL",
    )


def _new_dataset(project: Project) -> Create:
    return lambda row: project.create_dataset(row["name"], row["norder"])


def _datasets_of(images: pd.DataFrame) -> pd.DataFrame:
    """Datasets of the images, in the order in which they appear."""
    names = images["dataset_name"].astype(object).unique()
    return pd.DataFrame({"name": names, "norder": range(len(names))}, index=names)


def _push_images(project: Project, wanted: pd.DataFrame, ids: NDArray[Any], paths: dict[Any, Path]) -> pd.DataFrame:
    """Upload images that the project lacks, and look at what it made of them; ``kind, source_id, id, outcome``."""
    missing = pd.isna(ids)
    if missing.any():
        new = wanted[missing]
        rows = new[["name", "dataset_name", "external_id"]].assign(path=[paths[row] for row in new.index])
        report = project.upload_images(rows)
        failed = report["image_id"].isna()
        if failed.any():
            raise ValidationException(
                f"{int(failed.sum()):,} of {len(report):,} images were not uploaded; the first: "
                f"{report['path'][failed].iloc[0]}: {report['message'][failed].iloc[0]} No label was created. Push "
                "again when it is mended: what is there already is kept."
            )
        ids = ids.copy()
        ids[missing] = report["image_id"].to_numpy(dtype=object)
        if not np.isnan(sizes_of(new)).all():
            names = new["dataset_name"].unique().tolist()
            stored = project.get_images(names if len(names) <= _DATASETS_AT_ONCE else None)
            check_sizes(new, ids[missing], stored, {})
    outcomes = pd.Series(missing).map({True: "created", False: "there already"})
    return pd.DataFrame({"kind": "image", "source_id": wanted.index, "id": ids, "outcome": outcomes.to_numpy()})


def _push_labels(
    project: Project, label_set: LabelSet, image_ids: pd.Series[str], journal: str | Path | None
) -> pd.Index[str]:
    """Add the labels, with their attribute values; return their ids as stored, in order."""
    labels = one_ring_each(label_set.labels, label_set.images)
    rows = labels.drop(columns="class_id").assign(image_id=labels["image_id"].map(image_ids))
    ids = project._created_labels(_whole_boxes(rows), journal)
    values = label_set.label_attributes
    if values is not None and len(values):
        new = pd.Series(ids, labels.index)
        named = values[["label_id", "attribute_name", "value"]].assign(label_id=values["label_id"].map(new))
        project.set_label_attributes(named.astype({"attribute_name": object}))
    return ids


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


def _push_statuses(project: Project, wanted: pd.DataFrame, pushed: pd.DataFrame, there: pd.DataFrame) -> None:
    """Give images that are NEW the statuses that the label set has for them.

    An earlier call may have uploaded them and ended before it came to this, so that it is not asked who made them.
    """
    statuses = pd.DataFrame({"image_id": pushed["id"], "status": wanted["status"].astype(object).to_numpy()})
    now = there["status"].astype(object).reindex(statuses["image_id"]).fillna("NEW").to_numpy()
    statuses = statuses[(now == "NEW") & statuses["status"].notna() & (statuses["status"] != "NEW")]
    if len(statuses):
        project.set_status(statuses)


def _shaped(label_set: LabelSet, bare: Any) -> LabelSet:
    """Leave out labels without a box or an outline, which the API takes from nobody."""
    if not bare.any():
        return label_set
    warnings.warn(
        f"{int(bare.sum()):,} of {len(bare):,} labels have neither a box nor an outline (key points, say), the first "
        f"is {label_set.labels.index[int(np.argmax(bare))]!r}. They were not pushed.",
        FormatWarning,
        stacklevel=4,
    )
    return label_set.filter(labels=~bare)


_OF_CLASS = "attributes"
"""The column of label classes that names the attributes of their labels, as in Hasty JSON."""


def _with_attributes(classes: pd.DataFrame, attributes: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Say of label classes which attributes their labels have, where a project says so."""
    if not len(pairs):
        return classes
    names = pairs["attribute_id"].map(attributes["name"])
    named = names.groupby(pairs["class_id"]).agg(list).reindex(classes.index)
    return classes.assign(**{_OF_CLASS: [found if isinstance(found, list) else [] for found in named]})


def _push_attribute_classes(project: Project, label_set: LabelSet) -> None:
    """Give label classes the attributes that they have in the label set, by declaration or by the values of labels."""
    wanted = [_declared_pairs(label_set.label_classes), _used_pairs(label_set)]
    attributes, classes = (_ids_by_name(read()) for read in (project.get_attributes, project.get_label_classes))
    pairs = pd.concat(wanted).drop_duplicates()
    ids = pd.DataFrame(
        {"attribute_id": pairs["attribute_name"].map(attributes), "class_id": pairs["class_name"].map(classes)}
    ).dropna()
    if not len(ids):
        return
    there = project.get_attribute_classes()[list(ids)].assign(there=True)
    new = ids.merge(there, how="left")
    new = new.loc[new["there"].isna(), list(ids)]
    if len(new):
        project.set_attribute_classes(new)


def _declared_pairs(classes: pd.DataFrame) -> pd.DataFrame:
    lists = classes[_OF_CLASS] if _OF_CLASS in classes else pd.Series(None, classes.index, dtype=object)
    pairs = [
        (str(name), attribute)
        for name, found in zip(classes["name"], lists, strict=True)
        if isinstance(found, list | np.ndarray)
        for attribute in found
        if isinstance(attribute, str)
    ]
    return pd.DataFrame(pairs, columns=["class_name", "attribute_name"], dtype=object)


def _used_pairs(label_set: LabelSet) -> pd.DataFrame:
    values = label_set.label_attributes
    if values is None:
        return pd.DataFrame(columns=["class_name", "attribute_name"], dtype=object)
    names = values["label_id"].map(label_set.labels["class_name"].astype(object))
    return pd.DataFrame({"class_name": names, "attribute_name": values["attribute_name"].astype(object)})


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
