"""From two frames to a plan: what each kind of thing has in columns, what is checked, and how it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from . import attributes, checks, frames, identity, masks
from .arguments import color_problem, counted, file_name_problem
from .edits import Changes, Contents, Difference, Journal, Plan, Record, compare, identities, reconcile
from .entities import Attribute, Dataset, Entity, Image, Label, LabelClass, TagClass
from .errors import JournalError, ValidationException
from .frames import BOX
from .labels import clip_to_image
from .vocabulary import Vocabulary, check_choice, ids_by_name

if TYPE_CHECKING:
    from .project import Project

__all__ = [
    "Missing",
    "Outside",
    "edit_plan",
    "image_contents",
    "label_contents",
    "plan_images",
    "plan_label_attributes",
    "plan_label_classes",
    "plan_labels",
    "plan_status",
    "plan_tags",
    "status_contents",
    "stored",
    "stored_records",
    "tag_contents",
    "undo",
    "value_contents",
]

Flags: TypeAlias = npt.NDArray[np.bool_]
ChangedRows: TypeAlias = Mapping[str, Flags]
"""For each column that was compared, which of the edited rows differ in it."""
Outside = Literal["error", "clip", "keep"]
Missing = Literal["delete", "keep", "error"]

_FIELDS = {
    "labels": {"class_id": "class_id", **dict.fromkeys(BOX, "bbox"), "polygon": "polygon", "mask": "mask",
               "z_index": "z_index", "external_id": "external_id"},
    "tags": {},
    "statuses": {"status": "status"},
    "label_attributes": {"value": "value"},
    "label_classes": {"name": "name", "color": "color", "class_type": "type", "norder": "norder",
                      "external_id": "external_id"},
    "images": {"name": "name", "dataset_id": "dataset_id"},
}  # fmt: skip
"""For each kind, which column is which key of what is sent."""
_SIDES = {
    "labels": ("image_id", "label_id", "class_name"),
    "tags": ("image_id", "tag_class_id", "tag_class_name"),
    "statuses": ("image_id", "image_id", "status"),
    "label_attributes": ("label_id", "attribute_id", "attribute_name"),
    "label_classes": ("project_id", "class_id", "class_type"),
    "images": ("image_id", "image_id", "dataset_name"),
}
"""For each kind, the columns of unit, id and what counts are made by."""
_ALSO_READ = {
    "labels": ["class_name"],
    "images": ["dataset_name"],
    "tags": ["tag_class_id", "tag_class_name"],
    "label_attributes": ["attribute_id", "attribute_name"],
}
"""For each kind, the columns besides its fields that say what is to be changed."""


# Labels ---------------------------------------------------------------------------------------------------------------


def plan_labels(
    project: Project, before: Any, after: Any, outside: Outside, missing: Missing = "delete", *, undoes: bool = False
) -> Plan:
    """Plan labels from what they were to what they shall be."""
    check_choice(outside, ("error", "clip", "keep"), "outside")
    vocabulary = project._vocabulary.expire()
    before, after = _label_frames(before, after, vocabulary)
    found = _compared_labels(before, after)
    old = before.iloc[found.was]
    new = _edited_labels(old, after.iloc[found.now], found.changed)
    created = after.iloc[found.new].drop(columns="label_id", errors="ignore")
    created = created if len(created) or "image_id" in created else created.assign(image_id=None)
    gone = _gone(before, found, missing, "label_id")
    on = [part["image_id"] for part in (new, created, gone) if "image_id" in part]
    images = project._images_among(pd.concat(on).dropna().unique())
    if "image_id" in created and not created["image_id"].dropna().isin(images.index).all():
        created, known = project._find_images(created)
        images = project._images_among([*images.index, *known])
    new = _checked_edits(old, new, found.changed, images, vocabulary)
    if len(created):
        created = _named(checks.check_labels(created, vocabulary, images.index), "class_id", LabelClass, vocabulary)
    new, changed = _edits_inside(old, new, _resolved(found.changed, old, new), images, outside)
    created = _inside(created, images, outside, np.ones(len(created), bool))
    order = np.concatenate([found.new, found.now])
    changes = Changes(created, old, new, gone, changed, *_SIDES["labels"], order, images)
    cautions = (
        []
        if undoes
        else [*_cautions(len(before), len(gone)), *_equal_rows(created, gone), *_left_behind(old, new, changed)]
    )
    return _plan(project, "labels", changes, label_contents, cautions=cautions, read=(before, after))


def _label_frames(before: Any, after: Any, vocabulary: Vocabulary) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read two frames of labels; the earlier one has ids and images, the later one has ids as far as they are there."""
    before, after = (_without_gaps(checks.as_frame(Label, _rows(Label, frame))) for frame in (before, after))
    before = checks.indexed(Label, before)
    if "image_id" not in before:
        raise ValidationException(f"The frame 'before' needs a column 'image_id'; it has {list(before.columns)}.")
    before = _with_ids(before, "class_id", LabelClass, vocabulary)
    after = checks.indexed(Label, after) if {"label_id", "id"} & set(after.columns) else after
    _refuse_bytes(after)
    return before, after


def _compared_labels(before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """Compare two frames of labels; refuse labels that come twice."""
    was, now = identities(before.index), identities(after.index)
    _once(before, was, "label_id", "before")
    found = _compared(before, after, was, now, [*_FIELDS["labels"], "image_id", "class_name"])
    stays = np.ones(len(after), bool)
    stays[found.new] = False
    _once(after, now, "label_id", "after", stays)
    return found


def _edited_labels(old: pd.DataFrame, new: pd.DataFrame, changed: ChangedRows) -> pd.DataFrame:
    """Return edited labels with the ids, images and, where it stays, the class of the earlier frame."""
    new = new.set_axis(old.index)  # the ids as they were read
    problems = checks.Problems(new)
    moved = changed.get("image_id", np.zeros(len(new), bool))
    problems.add("image_id", moved, "A label stays on its image: delete it, and create one on the other image.")
    problems.throw()
    return _with_class(old, new.assign(image_id=old["image_id"]), changed)


def _checked_edits(
    old: pd.DataFrame,
    new: pd.DataFrame,
    changed: ChangedRows,
    images: pd.DataFrame,
    vocabulary: Vocabulary,
) -> pd.DataFrame:
    """Check edited labels, together with what the earlier frame alone has of them."""
    if not len(new):
        return new
    bare = checks.without_shape(old)
    checked = checks.check_labels(_complete(new, old), vocabulary, images.index, stored=True, bare=bare)
    new = checked[[*dict.fromkeys([*new.columns, "class_id"])]]
    new = _named(new, "class_id", LabelClass, vocabulary) if "class_name" in new else new
    _refuse_resizing(old, new, changed)
    return new


def _edits_inside(
    old: pd.DataFrame,
    new: pd.DataFrame,
    changed: ChangedRows,
    images: pd.DataFrame,
    outside: Outside,
) -> tuple[pd.DataFrame, ChangedRows]:
    """Refuse or cut edited labels whose geometry lies outside of their image; say anew what changed if it was cut."""
    geometry = np.zeros(len(new), bool)
    for name in (*BOX, "polygon", "mask"):
        geometry |= changed.get(name, geometry)
    new = _inside(new, images, outside, geometry)
    if outside == "clip" and geometry.any():
        again = _compared(old, new, identities(old.index), identities(new.index), _FIELDS["labels"])
        changed = {**changed, **_spread(again, len(new))}
    return new, changed


def _rows(entity: type[Entity], rows: Any) -> Any:
    """Return rows as they are; if there are neither rows nor columns, an empty frame of the entity."""
    rows = checks.rows_of(rows)
    nothing = not len(rows) and not (isinstance(rows, pd.DataFrame) and len(rows.columns))
    return frames.from_records(entity, []) if nothing else rows


def label_contents(labels: pd.DataFrame) -> list[Record]:
    """Write labels as the API takes them."""
    if "class_id" not in labels:
        labels = labels.assign(class_id=None)
    return [{k: v for k, v in record.items() if k != "tool_used"} for record in frames.label_records(labels)]


def _without_gaps(labels: pd.DataFrame) -> pd.DataFrame:
    """Give labels without a depth the one that the server gives them."""
    return labels.assign(z_index=labels["z_index"].fillna(0)) if "z_index" in labels else labels


def _refuse_bytes(labels: pd.DataFrame) -> None:
    """Refuse ids that are bytes, which would pass for new rows, as other things that are no id do."""
    if labels.index.dtype != np.dtype(object):
        return
    problems = checks.Problems(labels)
    problems.add("label_id", [isinstance(key, bytes) for key in labels.index], identity.REMEDY, labels.index)
    problems.throw()


def _equal_rows(created: pd.DataFrame, gone: pd.DataFrame) -> list[str]:
    """Say how many labels are deleted and created again: where ids were lost on the way, these are all of them."""
    columns = [name for name in ("image_id", "class_id", *BOX) if name in created and name in gone]
    if not len(created) or not len(gone) or not {"image_id", "class_id"} <= set(columns):
        return []
    hashes = [pd.util.hash_pandas_object(frame[columns], index=False).to_numpy() for frame in (created, gone)]
    one, other = (each.view(np.int64) for each in hashes)  # of unsigned ones older versions of NumPy may overflow
    # Only what has the same box is compared as a whole.
    some = [frame[np.isin(own, others)] for frame, own, others in ((created, one, other), (gone, other, one))]
    counts = (Counter(_contents_as_bytes(frame)) for frame in some)
    equal = reduce(and_, counts).total()
    if not equal:
        return []
    whom, what = ("that is", "its id") if equal == 1 else ("that are", "their ids")
    return [f"creates {counted(equal, 'label')} {whom} equal to labels that it deletes: {what} may have been lost"]


def _left_behind(old: pd.DataFrame, new: pd.DataFrame, changed: ChangedRows) -> list[str]:
    """Say how many boxes move away from their polygons, and how many polygons from their boxes."""
    outlines = next((frame["polygon"] for frame in (new, old) if "polygon" in frame), None)
    if outlines is None or not any(name in changed for name in (*BOX, "polygon")):
        return []
    no = np.zeros(len(new), bool)
    moved, redrawn = (np.logical_or.reduce([no, *(changed.get(n, no) for n in names)]) for names in (BOX, ["polygon"]))
    boxes = (new if {*BOX} <= {*new.columns} else old).reindex(columns=list(BOX))
    boxes = boxes.to_numpy(dtype=float, na_value=np.nan)
    rows = np.flatnonzero((moved != redrawn) & outlines.notna().to_numpy() & ~np.isnan(boxes).any(axis=1))
    if not len(rows):
        return []
    apart = np.abs(masks.polygon_bounds(outlines.iloc[rows]) - boxes[rows]).max(axis=1) > 1
    found = []
    for one, other, flags in (("box", "polygon", moved), ("polygon", "box", redrawn)):
        if count := int((apart & flags[rows]).sum()):
            what = f"its {other}" if count == 1 else f"their {counted(2, other)[2:]}"
            found.append(f"moves {counted(count, one)} without {what}")
    return found


def _contents_as_bytes(labels: pd.DataFrame) -> list[bytes]:
    pairs = zip(labels["image_id"].tolist(), label_contents(labels), strict=True)
    return [msgspec.json.encode(pair) for pair in pairs]


def _with_class(
    old: pd.DataFrame,
    new: pd.DataFrame,
    changed: ChangedRows,
    id_column: str = "class_id",
    name_column: str = "class_name",
) -> pd.DataFrame:
    """Of id and name of a class keep the one that was changed, and where neither was the id, whatever its name now."""
    if name_column not in changed or id_column not in old:
        return new
    named = changed[name_column]
    chosen = changed.get(id_column, np.zeros(len(new), bool))
    ids = new.get(id_column, old[id_column]).astype(object).set_axis(new.index).mask(named & ~chosen, None)
    names = new[name_column].astype(object).mask(~named & (chosen | ids.notna()), None)
    return new.assign(**{id_column: ids, name_column: names})


def _resolved(changed: ChangedRows, old: pd.DataFrame, new: pd.DataFrame) -> dict[str, Flags]:
    """Say of classes by their ids whether they changed, whatever they were given by."""
    out = {name: flags for name, flags in changed.items() if name != "image_id"}
    if "class_id" in old and "class_id" in new:
        out["class_id"] = (old["class_id"].astype(object).to_numpy() != new["class_id"].astype(object).to_numpy()) & (
            changed.get("class_id", False) | changed.get("class_name", np.zeros(len(new), bool))
        )
    return out


def _complete(new: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that only the earlier frame has, so that geometry is checked as a whole."""
    missing = [c for c in (*BOX, "polygon", "mask", "class_id") if c in old and c not in new]
    if "class_id" in missing and "class_name" in new:
        missing.remove("class_id")
    return new.assign(**{name: old[name].array for name in missing})


def _refuse_resizing(old: pd.DataFrame, new: pd.DataFrame, changed: ChangedRows) -> None:
    """Refuse boxes that change their size under a mask that stays."""
    if not ({*BOX} <= set(old.columns) and {*BOX, "mask"} <= set(new.columns)):
        return
    sizes = [
        (f["x_max"].to_numpy() - f["x_min"].to_numpy(), f["y_max"].to_numpy() - f["y_min"].to_numpy())
        for f in (old, new)
    ]
    resized = (sizes[0][0] != sizes[1][0]) | (sizes[0][1] != sizes[1][1])
    stays = new["mask"].notna().to_numpy() & ~changed.get("mask", np.zeros(len(new), bool))
    problems = checks.Problems(new)
    problems.add("bbox", resized & stays, checks.MASK_NEEDS_CROPPING, new[list(BOX)].to_numpy())
    problems.throw()


def _inside(labels: pd.DataFrame, images: pd.DataFrame, outside: Outside, rows: Flags) -> pd.DataFrame:
    """Refuse or cut what lies outside of its image."""
    if outside == "keep" or not rows.any():
        return labels
    sizes = images.loc[labels["image_id"], ["width", "height"]].to_numpy(dtype=float, na_value=np.inf)
    bounds = _bounds(labels)
    out = rows & ((bounds[:, :2] < 0) | (bounds[:, 2:] > sizes)).any(axis=1)
    if not out.any():
        return labels
    sizes_said = {int(i): f"The image has {sizes[i, 0]:.0f} by {sizes[i, 1]:.0f} pixels" for i in np.flatnonzero(out)}
    problems = checks.Problems(labels)
    if outside == "error":
        remedies = {i: f"{text}: cut the label, or plan with outside='clip'." for i, text in sizes_said.items()}
        problems.add("bbox", out, remedies, bounds)
        problems.throw()
    cut = frames.conform(Label, clip_to_image(labels[out], images))
    gone = out & ~labels.index.isin(cut.index)
    problems.add(
        "bbox", gone, {i: f"{text}: nothing of the label is inside." for i, text in sizes_said.items()}, bounds
    )
    problems.throw()
    labels = labels.copy()
    for name in (*BOX, "polygon", "mask"):
        if name in labels:
            values = labels[name].astype(object).to_numpy(copy=True)
            values[out] = cut[name].astype(object).to_numpy()
            labels[name] = values
    return frames.conform(Label, labels)


def _bounds(labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Boxes of labels, around the polygon where there is no box."""
    bounds = labels.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan)
    bounds = bounds.copy()
    if "polygon" in labels:
        rows = np.flatnonzero(labels["polygon"].notna().to_numpy())
        if len(rows):
            around = masks.polygon_bounds(labels["polygon"].iloc[rows])
            bounds[rows, :2] = np.fmin(bounds[rows, :2], around[:, :2])
            bounds[rows, 2:] = np.fmax(bounds[rows, 2:], around[:, 2:])
    return bounds


# The other kinds ------------------------------------------------------------------------------------------------------


_IMAGE_COLUMNS = {
    "status": "project.plan_status changes statuses",
    **dict.fromkeys(["name", "dataset_id", "dataset_name"], "project.plan_images renames images and moves them"),
    **dict.fromkeys(["width", "height", "external_id"], "the API cannot change it"),
}
"""Which columns of images hold what is theirs, and what changes it."""


def plan_status(project: Project, before: Any, after: Any) -> Plan:
    """Plan the statuses of images."""
    before, after = _image_frames(before, after, {"status"})
    checks.check_statuses(after)
    found = compare(before, after, identities(before.index), identities(after.index), ["status"])
    old, new = before.iloc[found.was], after.iloc[found.now]
    return _plan_of_images(project, "statuses", old, new, found, found.changed, status_contents, (before, after))


def _image_frames(before: Any, after: Any, columns: set[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read two frames of images, of which the later one differs in certain columns alone."""
    before, after = (_indexed_images(frame, name, columns) for frame, name in ((before, "before"), (after, "after")))
    problems = checks.Problems(after)
    problems.add("image_id", ~after.index.isin(before.index), "It must be an image of the earlier frame.", after.index)
    problems.throw()
    others = [name for name in _IMAGE_COLUMNS if name not in columns and name in before and name in after]
    found = compare(before, after, identities(before.index), identities(after.index), others)
    problems = checks.Problems(after.iloc[found.now])
    for name in others:
        remedy = f"It was changed as well: {_IMAGE_COLUMNS[name]}. Set it back, as it was read, or drop the column."
        problems.add(name, found.changed[name], remedy)
    problems.throw()
    return before, after


def _plan_of_images(
    project: Project,
    kind: str,
    old: pd.DataFrame,
    new: pd.DataFrame,
    found: Difference,
    changed: ChangedRows,
    contents: Contents,
    read: tuple[pd.DataFrame, pd.DataFrame],
) -> Plan:
    """Make the plan of images that are edited, which are their own units."""
    old, new = (frame.assign(image_id=frame.index) for frame in (old, new))
    nothing = new.iloc[:0]
    changes = Changes(nothing, old, new, nothing, changed, *_SIDES[kind], found.now, read[0])
    return _plan(project, kind, changes, contents, read=read)


def plan_images(project: Project, before: Any, after: Any) -> Plan:
    """Plan the names of images and the datasets that they are in."""
    before, after = _image_frames(before, after, {"name", "dataset_id", "dataset_name"})
    vocabulary = project._vocabulary.expire()
    before = _with_ids(before, "dataset_id", Dataset, vocabulary)
    was, now = identities(before.index), identities(after.index)
    found = _compared(before, after, was, now, ["name", "dataset_id", "dataset_name"])
    old, new = before.iloc[found.was], after.iloc[found.now]
    new = _with_class(old, new, found.changed, "dataset_id", "dataset_name")
    if {"dataset_id", "dataset_name"} & set(new.columns):
        ids = checks.check_names(new, "dataset_id", Dataset, vocabulary)
        new = _named(new.assign(dataset_id=ids), "dataset_id", Dataset, vocabulary)
    else:
        new = new.assign(dataset_id=old["dataset_id"].array) if "dataset_id" in old else new
    changed = {name: flags for name, flags in found.changed.items() if name != "dataset_id"}
    if "dataset_id" in old and "dataset_id" in new:
        changed["dataset_id"] = (old["dataset_id"].astype(object) != new["dataset_id"].astype(object)).to_numpy()
    _check_file_names(before, new, changed)
    return _plan_of_images(project, "images", old, new, found, changed, image_contents, (before, after))


def image_contents(images: pd.DataFrame) -> list[Record]:
    """Write names and datasets of images."""
    columns = images[[name for name in _FIELDS["images"] if name in images]].astype(object)
    records: list[Record] = columns.where(columns.notna(), None).to_dict("records")
    return records


def _check_file_names(before: pd.DataFrame, new: pd.DataFrame, changed: ChangedRows) -> None:
    """Refuse names that cannot be, and places that another image has: a name stands in a dataset once."""
    if "name" not in new:
        return
    problems = checks.Problems(new)
    names = new["name"]
    bad = problems.add_each("name", checks.remedies_by_row(names, file_name_problem))
    if "dataset_id" in new and {"name", "dataset_id"} <= set(before.columns):
        place = identities(new["dataset_id"], new["name"].where(~bad, None))
        others = before.drop(index=new.index)
        left = identities(before["dataset_id"], before["name"])
        twice = pd.Series(place.to_pylist(), index=new.index)
        stays = identities(others["dataset_id"], others["name"]).to_pylist()
        taken = (twice.duplicated(keep=False) | twice.isin(stays)).to_numpy() & ~bad
        problems.add("name", taken, "Another image of its dataset has, or gets, the same name.")
        left_by = pd.Series(before.index, index=pd.Index(left.to_pylist(), dtype=object))
        left_by = left_by[~left_by.index.duplicated()].reindex(twice.to_numpy())
        follows = left_by.notna().to_numpy() & (left_by.to_numpy() != new.index.to_numpy()) & ~taken & ~bad
        problems.add(
            "name", follows, "An image of this plan has the name as yet: rename that one first, in a plan of its own."
        )
    problems.throw()


def status_contents(images: pd.DataFrame) -> list[Record]:
    """Write statuses as the API takes them."""
    return [{"status": status} for status in images["status"].astype(object)]


def plan_tags(project: Project, before: Any, after: Any, missing: Missing = "delete", *, undoes: bool = False) -> Plan:
    """Plan the tags of images: an image has a tag or does not have it."""
    vocabulary = project._vocabulary.expire()

    def checked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
        if "image_id" not in frame:
            raise ValidationException(f"The frame {name!r} needs a column 'image_id'; it has {list(frame.columns)}.")
        ids = checks.check_names(frame, "tag_class_id", TagClass, vocabulary)
        frame = frame.assign(image_id=_ids(frame, "image_id"), tag_class_id=ids)
        return _named(frame, "tag_class_id", TagClass, vocabulary)

    before = _with_ids(_tag_frame(before), "tag_class_id", TagClass, vocabulary)
    after = _with_read_ids(_tag_frame(after), before, "tag_class_id")
    before, after = checked(before, "before"), checked(after, "after")
    after = after[~after.duplicated(["image_id", "tag_class_id"])]
    was, now = (identities(frame["image_id"], frame["tag_class_id"]) for frame in (before, after))
    found = compare(before, after, was, now, [])
    created, gone = after.iloc[found.new], _gone(before, found, missing, "tag_class_name")
    images = project._images_among(pd.concat([created["image_id"], gone["image_id"]]).unique())
    checks.check_ids(created, "image_id", images.index, "It must be the id of an image of this project.")
    nothing = after.iloc[:0]
    changes = Changes(created, nothing, nothing, gone, {}, *_SIDES["tags"], found.new, images)
    cautions = [] if undoes else _cautions(len(before), len(gone))
    return _plan(project, "tags", changes, tag_contents, new_have_keys=True, cautions=cautions, read=(before, after))


def _tag_frame(tags: Any) -> pd.DataFrame:
    frame = checks.table(tags)
    return frame if len(frame.columns) else frame.reindex(columns=["image_id", "tag_class_id"])


def tag_contents(tags: pd.DataFrame) -> list[Record]:
    """Write tags, which are there or not and hold nothing."""
    return [{} for _ in range(len(tags))]


def plan_label_attributes(
    project: Project, before: Any, after: Any, missing: Missing = "delete", *, undoes: bool = False
) -> Plan:
    """Plan the values of label attributes, long or wide."""
    vocabulary = project._vocabulary.expire()
    before, after = (attributes.long_frame(frame, vocabulary) for frame in (before, after))
    before = _with_ids(before, "attribute_id", Attribute, vocabulary)
    after = _with_read_ids(after, before, "attribute_id")
    before, after = _values(vocabulary, before), _values(vocabulary, after)
    was, now = (identities(frame["label_id"], frame["attribute_id"]) for frame in (before, after))
    found = compare(before, after, was, now, ["sent"])
    created, gone = after.iloc[found.new], _gone(before, found, missing, "value")
    old, new = before.iloc[found.was], after.iloc[found.now]
    changed = {"value": found.changed["sent"]}
    order = np.concatenate([found.new, found.now])
    changes = Changes(created, old, new, gone, changed, *_SIDES["label_attributes"], order)
    cautions = [] if undoes else _cautions(len(before), len(gone))
    return _plan(
        project,
        "label_attributes",
        changes,
        value_contents,
        new_have_keys=True,
        cautions=cautions,
        read=(before, after),
    )


def value_contents(values: pd.DataFrame) -> list[Record]:
    """Write values as the API takes them."""
    return [{"value": value} for value in values["sent"]]


def _values(vocabulary: Vocabulary, frame: pd.DataFrame) -> pd.DataFrame:
    """Find the attributes of values; ``sent`` is what the API has for them."""
    if not len(frame):
        columns = ["label_id", "attribute_id", "attribute_name", "value", "sent"]
        return pd.DataFrame({name: pd.Series(dtype="str" if name.endswith("_id") else object) for name in columns})
    with attributes.naming_cells(frame):
        ids = checks.check_names(frame, "attribute_id", Attribute, vocabulary)
        frame = frame.assign(attribute_id=ids)
        sent = attributes.writable(vocabulary, frame)
    held = np.empty(len(sent), dtype=object)
    held[:] = sent
    frame = frame.assign(sent=pd.Series(held, frame.index, dtype=object))
    return _named(frame, "attribute_id", Attribute, vocabulary)


def plan_label_classes(
    project: Project, before: Any, after: Any, missing: Missing = "delete", *, undoes: bool = False
) -> Plan:
    """Plan the label classes of a project."""
    before, after = (checks.as_frame(LabelClass, _rows(LabelClass, frame)) for frame in (before, after))
    before, after = checks.indexed(LabelClass, before), after.assign(project_id=project.id)
    if {"class_id", "id"} & {*after.columns, after.index.name}:
        after = checks.indexed(LabelClass, after)
    before = before.assign(project_id=project.id)
    was, now = identities(before.index), identities(after.index)
    _once(before, was, "class_id", "before")
    found = _compared(before, after, was, now, _FIELDS["label_classes"])
    _check_classes(after, found)
    created, gone = after.iloc[found.new], _gone(before, found, missing, "class_id")
    if "class_type" in created:
        created = created.assign(class_type=created["class_type"].fillna("object"))
    order = np.concatenate([found.new, found.now])
    old = before.iloc[found.was]
    new = after.iloc[found.now].set_axis(old.index)  # the ids as they were read
    cautions = [] if undoes else _cautions(len(before), len(gone))
    if len(gone):
        gone, caution = _with_their_labels(project, gone)
        cautions += caution
    changes = Changes(created, old, new, gone, found.changed, *_SIDES["label_classes"], order)
    return _plan(project, "label_classes", changes, class_contents, cautions=cautions, read=(before, after))


def _check_classes(after: pd.DataFrame, found: Difference) -> None:
    """Refuse label classes that cannot be as the later frame has them."""
    problems = checks.Problems(after)
    new = np.isin(np.arange(len(after)), found.new)
    names = after["name"] if "name" in after else pd.Series(None, after.index, dtype="str")
    problems.add("name", (names.isna() | (names == "")) & (new | ("name" in after)), "A class needs a name.", names)
    if "color" in after:
        given = after["color"].where(after["color"].notna(), "#000000")
        problems.add_each("color", checks.remedies_by_row(given, color_problem))
    if "class_type" in after:
        strange = after["class_type"].notna() & ~after["class_type"].isin(["object", "background"])
        problems.add("class_type", strange, "It must be 'object' or 'background'.")
    for name in {"color", "class_type", "norder"} & {*found.changed}:
        lost = np.zeros(len(after), bool)
        lost[found.now] = found.changed[name] & after[name].iloc[found.now].isna().to_numpy()
        problems.add(name, lost, "A class has one: give another one, or set it back as it was read.")
    problems.throw()


def _with_their_labels(project: Project, classes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Count the labels that go with classes."""
    counts = project._labels_by_class()
    labels = [counts[str(key)] for key in classes.index]
    classes = classes.assign(labels=labels)
    some = classes[classes["labels"] > 0].sort_values("labels", ascending=False, kind="stable")
    if not len(some):
        return classes, []
    first = [f"{count:,} of {name!r}" for name, count in zip(some["name"], some["labels"], strict=True)][:5]
    more = f" and of {len(some) - len(first)} more" if len(some) > len(first) else ""
    return classes, [
        f"deletes {counted(sum(labels), 'label')} along with {'their classes' if len(some) > 1 else 'the class'}, "
        f"{', '.join(first)}{more}, which its undo does not bring back"
    ]


def class_contents(classes: pd.DataFrame) -> list[Record]:
    """Write label classes as the API takes them."""
    out = classes.reindex(columns=list(_FIELDS["label_classes"])).astype(object)
    out = out.where(out.notna(), None).rename(columns=_FIELDS["label_classes"])
    # What is not given is left to the server.
    return [
        {k: v for k, v in record.items() if v is not None or k == "external_id"} for record in out.to_dict("records")
    ]


# Plain calls, and the way back ----------------------------------------------------------------------------------------


def edit_plan(
    project: Project,
    kind: str,
    contents: Contents,
    *,
    creates: pd.DataFrame | None = None,
    edits: pd.DataFrame | None = None,
    deletes: pd.DataFrame | None = None,
) -> Plan:
    """Plan rows that have been checked, whatever is on the server now."""
    given = [frame for frame in (creates, edits, deletes) if frame is not None]
    nothing = given[0].iloc[:0]
    created, edited, deleted = (nothing if frame is None else frame for frame in (creates, edits, deletes))
    order = np.arange(len(created) + len(edited))
    changes = Changes(created, edited, edited, deleted, {}, *_SIDES[kind], order)
    keyed = kind in ("tags", "label_attributes")
    return _plan(project, kind, changes, contents, new_have_keys=keyed, unconditional=True)


def stored_records(plan: Plan, journal: str | Path | None = None) -> list[Record]:
    """Apply a plan and return what the server stored, in the order of the rows."""
    kept: dict[int, Record] = {}
    plan.keep = lambda rows, items: kept.update(zip(rows, items, strict=True))
    plan.apply(journal)
    return [kept[row] for row in sorted(kept)]


def stored(plan: Plan, entity: type[Entity], vocabulary: Vocabulary, journal: str | Path | None = None) -> pd.DataFrame:
    """Apply a plan and return a frame of what the server stored, in the order of the rows."""
    kept: list[tuple[Sequence[int], pa.RecordBatch]] = []
    plan.keep = lambda rows, items: kept.append((rows, frames.to_arrow(entity, items)))
    plan.apply(journal)
    if not kept:
        return vocabulary.records(entity, [])
    order = np.argsort(np.concatenate([rows for rows, _ in kept]))
    table = pa.Table.from_batches([batch for _, batch in kept]).take(order)
    return vocabulary.frame(entity, table.combine_chunks().to_batches())


def undo(project: Project, path: str | Path) -> Plan:
    """Plan the way back from what a journal says was done."""
    with Journal.open(path) as journal:
        if journal.project_id != project.id:
            raise JournalError(f"The journal {str(path)!r} is of another project, {journal.project_id}.")
        journal.refuse_undone()
        reconcile(project._requester, journal)
        try:
            before, after = _sides(journal)
            read = _READ[journal.kind]
            before, after = read(project, before), read(project, after)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, pa.ArrowException) as error:
            raise JournalError(
                f"The journal {str(path)!r} holds something else than {journal.kind.replace('_', ' ')}: {error}. Was "
                "it changed by hand?"
            ) from None
        values = {str(journal.ids[row]): values for row, values in journal.values().items()}
        baselines = {unit.name: unit.there for unit in journal.units if unit.there is not None}
        journal.sync()  # the way back rests on all of it
        end = journal.end
    make: Callable[..., Plan] = {
        "labels": lambda b, a: plan_labels(project, b, a, "keep", undoes=True),
        "tags": lambda b, a: plan_tags(project, b, a, undoes=True),
        "statuses": lambda b, a: plan_status(project, b, a),
        "label_attributes": lambda b, a: plan_label_attributes(project, b, a, undoes=True),
        "label_classes": lambda b, a: plan_label_classes(project, b, a, undoes=True),
        "images": lambda b, a: plan_images(project, b, a),
    }[journal.kind]
    plan = make(before, after)
    plan.values, plan.undoes, plan.undoes_end, plan.baselines = values, Path(path), end, baselines
    return plan


def _sides(journal: Journal) -> tuple[list[Record], list[Record]]:
    """Read what the things of a journal are after it was carried out, and what they were before."""
    noted = journal.was_before()
    unit_name, key_name, _ = _SIDES[journal.kind]
    now: list[Record] = []
    was: list[Record] = []
    for unit in journal.units:
        for change in journal.changes(unit):
            done = journal.outcomes[change.row]
            if done not in ("created", "edited", "deleted"):
                continue
            key = journal.ids[change.row] if change.key is None else change.key
            common = {unit_name: unit.name, key_name: key}
            old = noted.get(change.row, change.old)
            if change.new is not None:
                now.append({**(old or {}), **change.new, **journal.stored.get(change.row, {}), **common})
            if change.intent != "create":
                was.append({**(old or {}), **common})
    return now, was


def _label_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    return project._vocabulary.records(Label, [{**record, "id": record["label_id"]} for record in records])


def _class_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    return frames.from_records(LabelClass, [{**record, "id": record["class_id"]} for record in records])


def _status_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    frame = pd.DataFrame(records, columns=["image_id", "status"])
    return frame.set_index("image_id")


def _image_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    frame = pd.DataFrame(records, columns=["image_id", "name", "dataset_id"], dtype="str").set_index("image_id")
    known = frame.loc[:, frame.notna().all()]
    return known if len(known.columns) else frame


def _value_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    frame = attributes.readable(project._vocabulary, [{**record, "id": None} for record in records])
    return frame.reset_index(drop=True)


def _tag_rows(project: Project, records: list[Record]) -> pd.DataFrame:
    return pd.DataFrame(records, columns=["image_id", "tag_class_id"], dtype="str")


_READ: Mapping[str, Callable[[Project, list[Record]], pd.DataFrame]] = {
    "labels": _label_rows,
    "tags": _tag_rows,
    "statuses": _status_rows,
    "label_attributes": _value_rows,
    "label_classes": _class_rows,
    "images": _image_rows,
}
"""Makes frames of what a journal holds."""


# Shared ---------------------------------------------------------------------------------------------------------------


def _plan(
    project: Project,
    kind: str,
    changes: Changes,
    contents: Contents,
    *,
    cautions: Iterable[str] = (),
    read: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    **options: Any,
) -> Plan:
    """Make a plan; `read` are the two frames that it compares, of which the later one may have misspelt columns."""
    cautions = [*cautions]
    if read is not None and (strange := _misspelt(kind, *read)):
        cautions.append(f"passes over {', '.join(strange)}")
    return Plan(
        project._requester,
        project.id,
        kind,
        changes,
        contents,
        _FIELDS[kind],
        project.undo,
        cautions=cautions,
        **options,
    )


def _misspelt(kind: str, before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Say which columns that only the later frame has may be misspelt."""
    known = [*_FIELDS[kind], *_ALSO_READ.get(kind, ())]
    return checks.misspelt(after.columns.difference(before.columns, sort=False), known)


def _gone(before: pd.DataFrame, found: Difference, missing: Missing, name: str) -> pd.DataFrame:
    """Return the rows that are deleted, of those that only the earlier frame has."""
    check_choice(missing, ("delete", "keep", "error"), "missing")
    gone = before.iloc[found.gone]
    if missing == "error":
        problems = checks.Problems(gone)
        values = gone.get(name, gone.index)
        remedy = "The later frame lacks it: give all rows, or say missing='delete' or missing='keep'."
        problems.add(name, np.ones(len(gone), bool), remedy, values)
        problems.throw()
    return gone if missing == "delete" else gone.iloc[:0]


def _cautions(read: int, deleted: int) -> list[str]:
    """Say that most of what was read is deleted, if so: where that is not meant, the later frame was a part of it."""
    if 2 * deleted <= read:
        return []
    if read == 1:
        return ["deletes the only row that was read (missing='keep' leaves it)"]
    return [f"deletes {deleted:,} of the {read:,} rows that were read (missing='keep' leaves them)"]


def _ids(frame: pd.DataFrame, column: str) -> pd.Series[str]:
    """Return a column of ids by value, each of which is there."""
    problems = checks.Problems(frame)
    ids = checks.ids_of_column(frame[column], problems)
    problems.add(column, frame[column].isna(), identity.REMEDY)
    problems.throw()
    return ids


def _with_ids(frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary) -> pd.DataFrame:
    """Add ids to a frame that has only names: those of the things that had the names when it was read."""
    name_column = f"{id_column.removesuffix('_id')}_name"
    if id_column in frame or name_column not in frame:
        return frame
    names = identity.as_series(frame[name_column], "name")
    was = names.map(ids_by_name(vocabulary.table(entity)))
    now = names.map(ids_by_name(vocabulary.current(entity)))
    problems = checks.Problems(frame)
    remedy = f"Meanwhile something else has this name: read the frame again, or give {id_column!r} as well."
    problems.add(name_column, was.notna() & now.notna() & (was != now), remedy)
    problems.throw()
    return frame.assign(**{id_column: was.fillna(now).astype("str")})


def _with_read_ids(after: pd.DataFrame, before: pd.DataFrame, id_column: str) -> pd.DataFrame:
    """Add ids to a frame that has only names: those that the earlier frame has, if a name is of one thing there."""
    name_column = f"{id_column.removesuffix('_id')}_name"
    if id_column in after or name_column not in after or not {id_column, name_column} <= set(before.columns):
        return after
    pairs = before[[name_column, id_column]].astype(object).drop_duplicates()
    pairs = pairs[~pairs[name_column].duplicated(keep=False)]
    ids = identity.as_series(after[name_column], "name").astype(object).map(pairs.set_index(name_column)[id_column])
    return after.assign(**{id_column: ids.astype("str")})


def _named(frame: pd.DataFrame, id_column: str, entity: type[Entity], vocabulary: Vocabulary) -> pd.DataFrame:
    """Write the names of things beside their ids, for people to read."""
    name = f"{id_column.removesuffix('_id')}_name"
    names = vocabulary.table(entity)["name"]
    return frame.assign(**{name: frame[id_column].map(names).astype("str")})


def _compared(
    before: pd.DataFrame, after: pd.DataFrame, was: pa.Array, now: pa.Array, columns: Iterable[str]
) -> Difference:
    """Compare the columns that both frames have; refuse new columns, of which nobody knows the earlier values."""
    found = compare(before, after, was, now, [name for name in columns if name in after and name in before])
    strange = [name for name in columns if name in after and name not in before]
    if strange and len(found.new) < len(after):
        raise ValidationException(
            f"The later frame has columns that the earlier one lacks: {strange}. Plan from a frame that has them, as "
            "it was read from the server, or drop them."
        )
    return found


def _once(frame: pd.DataFrame, ids: pa.Array, name: str, which: str, rows: Flags | None = None) -> None:
    """Refuse ids that come twice, in a frame or among some of its rows; without `rows`, missing ids as well."""
    none = ids.null_count
    # Less time and memory than duplicates of an index, which is looked through only if there are any.
    if len(ids.unique()) - bool(none) == len(ids) - none and (rows is not None or not none):
        return
    problems = checks.Problems(frame)
    missing = ids.is_null().to_numpy(zero_copy_only=False)
    twice = pd.Series(ids.to_pandas()).duplicated(keep=False).to_numpy() & ~missing
    if rows is None:
        problems.add(name, missing, "It must be an id, a text.", frame.index)
    else:
        twice &= rows
    problems.add(name, twice, f"It comes several times in {which!r}: drop all rows but one.", frame.index)
    problems.throw()


def _spread(again: Difference, rows: int) -> dict[str, Flags]:
    """Put flags of the rows that differ back among all rows."""
    out = {}
    for name, flags in again.changed.items():
        out[name] = np.zeros(rows, bool)
        out[name][again.now] = flags
    return out


def _indexed_images(images: Any, which: str, columns: set[str]) -> pd.DataFrame:
    frame = checks.indexed(Image, checks.table(images)) if isinstance(images, pd.DataFrame) else None
    if frame is None or not columns & set(frame.columns):
        raise ValidationException(
            f"The frame {which!r} must be an images frame with a column {' or '.join(map(repr, sorted(columns)))}."
        )
    frame = frame.assign(
        **{
            name: identity.as_series(frame[name], "id" if name == "dataset_id" else "name")
            for name in ("name", "dataset_id", "dataset_name")
            if name in frame
        }
    )
    _once(frame, identities(frame.index), "image_id", which)
    return frame
