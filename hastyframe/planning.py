"""From two frames to a plan: what each kind of thing has in columns, what is checked, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from . import attributes, checks, frames, masks
from .edits import Changes, Contents, Difference, Journal, Plan, Record, compare, identities, reconcile
from .entities import Attribute, Entity, Image, Label, LabelClass, TagClass
from .errors import JournalError, ValidationException
from .frames import BOX
from .geometry import clip_to_image
from .vocabulary import Vocabulary, choose

if TYPE_CHECKING:
    from .project import Project

__all__ = [
    "Outside",
    "edit_plan",
    "label_contents",
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

Outside = Literal["error", "clip", "keep"]

_FIELDS = {
    "labels": {"class_id": "class_id", **dict.fromkeys(BOX, "bbox"), "polygon": "polygon", "mask": "mask",
               "z_index": "z_index", "external_id": "external_id"},
    "tags": {},
    "statuses": {"status": "status"},
    "label_attributes": {"value": "value"},
    "label_classes": {"name": "name", "color": "color", "class_type": "type", "norder": "norder",
                      "external_id": "external_id"},
}  # fmt: skip
"""For each kind, which column is which key of what is sent."""
_SIDES = {
    "labels": ("image_id", "label_id", "class_name"),
    "tags": ("image_id", "tag_class_id", "tag_class_name"),
    "statuses": ("image_id", "image_id", "status"),
    "label_attributes": ("label_id", "attribute_id", "attribute_name"),
    "label_classes": ("project_id", "class_id", "class_type"),
}
"""For each kind, the columns of unit, id and what counts are made by."""


# Labels ---------------------------------------------------------------------------------------------------------------


def plan_labels(project: Project, before: Any, after: Any, outside: Outside) -> Plan:
    """Plan labels from what they were to what they shall be."""
    choose(outside, ("error", "clip", "keep"), "way to treat what lies outside of images")
    before, after = (_without_gaps(checks.as_frame(Label, frame)) for frame in (before, after))
    before = checks.indexed(Label, before)
    if "class_id" not in before and "class_name" in before:
        ids = project._vocabulary.things(LabelClass).reset_index().drop_duplicates("name").set_index("name")["class_id"]
        before = before.assign(class_id=before["class_name"].astype(object).map(ids).astype("str"))
    after = checks.indexed(Label, after) if {"label_id", "id"} & set(after.columns) else after
    was, now = identities(before.index), identities(after.index)
    _once(before, was, "label_id", "before")
    found = _compared(before, after, was, now, [*_FIELDS["labels"], "image_id", "class_name"])
    stays = np.ones(len(after), bool)
    stays[found.new] = False
    _once(after, now, "label_id", "after", stays)

    old, new, created = before.iloc[found.was], after.iloc[found.now].rename_axis("label_id"), after.iloc[found.new]
    problems = checks.Problems(new)
    moved = found.changed.get("image_id", np.zeros(len(new), bool))
    remedy = "A label stays on its image: delete it, and create one on the other image."
    problems.add("image_id", moved, remedy)
    problems.throw()
    new = _with_class(new, found.changed)
    created = created.drop(columns=[c for c in ("label_id",) if c in created])

    vocabulary = project._vocabulary
    gone = before.iloc[found.gone]
    images = project._images_among(pd.concat([part["image_id"] for part in (new, created, gone)]).dropna().unique())
    if len(new):
        new = checks.check_labels(_complete(new, old), vocabulary, images.index, stored=True)[
            [*new.columns, "class_id"]
        ]
        new = new.loc[:, ~new.columns.duplicated()]
        _refuse_resizing(old, new, found.changed)
    if len(created):
        created = checks.check_labels(created, vocabulary, images.index)
    changed = _resolved(found.changed, old, new)
    geometry = np.zeros(len(new), bool)
    for name in (*BOX, "polygon", "mask"):
        geometry |= changed.get(name, geometry)
    new = _inside(new, images, outside, geometry)
    created = _inside(created, images, outside, np.ones(len(created), bool))
    if outside == "clip" and geometry.any():
        again = _compared(old, new, identities(old.index), identities(new.index), _FIELDS["labels"])
        changed = {**changed, **_spread(again, len(new))}
    order = np.concatenate([found.new, found.now])
    changes = Changes(created, old, new, gone, changed, *_SIDES["labels"], order, images["name"])
    return _plan(project, "labels", changes, label_contents)


def label_contents(labels: pd.DataFrame) -> list[Record]:
    """Write labels as the API takes them."""
    if "class_id" not in labels:
        labels = labels.assign(class_id=None)
    return [{k: v for k, v in record.items() if k != "tool_used"} for record in frames.label_records(labels)]


def _without_gaps(labels: pd.DataFrame) -> pd.DataFrame:
    """Give labels without a depth the one that the server gives them."""
    return labels.assign(z_index=labels["z_index"].fillna(0)) if "z_index" in labels else labels


def _with_class(new: pd.DataFrame, changed: Mapping[str, npt.NDArray[np.bool_]]) -> pd.DataFrame:
    """Of id and name of a class that disagree, keep the one that was changed."""
    if not {"class_id", "class_name"} <= set(changed):
        return new
    by_name = changed["class_name"] & ~changed["class_id"]
    by_id = changed["class_id"] & ~changed["class_name"]
    ids, names = new["class_id"].astype(object), new["class_name"].astype(object)
    return new.assign(class_id=ids.mask(by_name, None), class_name=names.mask(by_id, None))


def _resolved(
    changed: Mapping[str, npt.NDArray[np.bool_]], old: pd.DataFrame, new: pd.DataFrame
) -> dict[str, npt.NDArray[np.bool_]]:
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


def _refuse_resizing(old: pd.DataFrame, new: pd.DataFrame, changed: Mapping[str, npt.NDArray[np.bool_]]) -> None:
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
    problems.add("bbox", resized & stays, checks.CUT_ANEW, new[list(BOX)].to_numpy())
    problems.throw()


def _inside(labels: pd.DataFrame, images: pd.DataFrame, outside: Outside, rows: npt.NDArray[np.bool_]) -> pd.DataFrame:
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


def plan_status(project: Project, before: Any, after: Any) -> Plan:
    """Plan the statuses of images."""
    before, after = (_indexed_images(frame, name) for frame, name in ((before, "before"), (after, "after")))
    checks.check_statuses(after)
    problems = checks.Problems(after)
    problems.add("image_id", ~after.index.isin(before.index), "It must be an image of the earlier frame.", after.index)
    problems.throw()
    found = compare(before, after, identities(before.index), identities(after.index), ["status"])
    old, new = (
        frame.iloc[at].assign(image_id=frame.index[at]) for frame, at in ((before, found.was), (after, found.now))
    )
    nothing = new.iloc[:0]
    changes = Changes(nothing, old, new, nothing, found.changed, *_SIDES["statuses"], found.now)
    return _plan(project, "statuses", changes, status_contents)


def status_contents(images: pd.DataFrame) -> list[Record]:
    """Write statuses as the API takes them."""
    return [{"status": status} for status in images["status"].astype(object)]


def plan_tags(project: Project, before: Any, after: Any) -> Plan:
    """Plan the tags of images: an image has a tag or does not have it."""
    vocabulary = project._vocabulary

    def read(tags: Any, name: str) -> pd.DataFrame:
        frame = tags if isinstance(tags, pd.DataFrame) else pd.DataFrame(list(tags))
        frame = frame if len(frame.columns) else frame.reindex(columns=["image_id", "tag_class_id"])
        if "image_id" not in frame:
            raise ValidationException(f"The frame {name!r} needs a column 'image_id'; it has {list(frame.columns)}.")
        ids = checks.check_names(frame, "tag_class_id", TagClass, vocabulary)
        return frame.assign(image_id=frame["image_id"].astype("str"), tag_class_id=ids)

    before, after = read(before, "before"), read(after, "after")
    after = after[~after.duplicated(["image_id", "tag_class_id"])]
    was, now = (identities(frame["image_id"], frame["tag_class_id"]) for frame in (before, after))
    found = compare(before, after, was, now, [])
    created, gone = after.iloc[found.new], before.iloc[found.gone]
    known = project._images_among(created["image_id"].unique()).index
    checks.check_ids(created, "image_id", known, "It must be the id of an image of this project.")
    nothing = after.iloc[:0]
    changes = Changes(created, nothing, nothing, gone, {}, *_SIDES["tags"], found.new)
    return _plan(project, "tags", changes, tag_contents, new_have_keys=True)


def tag_contents(tags: pd.DataFrame) -> list[Record]:
    """Write tags, which are there or not and hold nothing."""
    return [{} for _ in range(len(tags))]


def plan_label_attributes(project: Project, before: Any, after: Any) -> Plan:
    """Plan the values of label attributes, long or wide."""
    before, after = _values(project, before), _values(project, after)
    was, now = (identities(frame["label_id"], frame["attribute_id"]) for frame in (before, after))
    found = compare(before, after, was, now, ["sent"])
    created, gone = after.iloc[found.new], before.iloc[found.gone]
    old, new = before.iloc[found.was], after.iloc[found.now]
    changed = {"value": found.changed["sent"]}
    order = np.concatenate([found.new, found.now])
    changes = Changes(created, old, new, gone, changed, *_SIDES["label_attributes"], order)
    return _plan(project, "label_attributes", changes, value_contents, new_have_keys=True)


def value_contents(values: pd.DataFrame) -> list[Record]:
    """Write values as the API takes them."""
    return [{"value": value} for value in values["sent"]]


def _values(project: Project, values: Any) -> pd.DataFrame:
    """Read values long or wide; ``sent`` is what the API has for them."""
    frame = attributes.long_frame(values)
    if not len(frame):
        columns = ["label_id", "attribute_id", "attribute_name", "value", "sent"]
        return pd.DataFrame({name: pd.Series(dtype="str" if name.endswith("_id") else object) for name in columns})
    ids = checks.check_names(frame, "attribute_id", Attribute, project._vocabulary)
    frame = frame.assign(attribute_id=ids, label_id=frame["label_id"].astype("str"))
    sent = attributes.writable(project._vocabulary, frame)
    held = np.empty(len(sent), dtype=object)
    held[:] = sent
    names = project._vocabulary.things(Attribute)["name"]
    named = frame["attribute_id"].map(names).astype("str")
    return frame.assign(attribute_name=named, sent=pd.Series(held, frame.index, dtype=object))


def plan_label_classes(project: Project, before: Any, after: Any) -> Plan:
    """Plan the label classes of a project."""
    before = checks.indexed(LabelClass, frames.conform(LabelClass, before))
    after = frames.conform(LabelClass, after).assign(project_id=project.id)
    after = checks.indexed(LabelClass, after) if {"class_id", "id"} & set(after.columns) else after
    before = before.assign(project_id=project.id)
    was, now = identities(before.index), identities(after.index)
    _once(before, was, "class_id", "before")
    found = _compared(before, after, was, now, _FIELDS["label_classes"])
    problems = checks.Problems(after)
    problems.add("name", after["name"].isna() | (after["name"] == ""), "A class needs a name.")
    if "class_type" in after:
        strange = after["class_type"].notna() & ~after["class_type"].isin(["object", "background"])
        problems.add("class_type", strange, "It must be 'object' or 'background'.")
    problems.throw()
    created = after.iloc[found.new]
    if "class_type" in created:
        created = created.assign(class_type=created["class_type"].fillna("object"))
    order = np.concatenate([found.new, found.now])
    sides = _SIDES["label_classes"]
    old, new = before.iloc[found.was], after.iloc[found.now]
    changes = Changes(created, old, new, before.iloc[found.gone], found.changed, *sides, order)
    return _plan(project, "label_classes", changes, class_contents)


def class_contents(classes: pd.DataFrame) -> list[Record]:
    """Write label classes as the API takes them."""
    out = classes.reindex(columns=list(_FIELDS["label_classes"])).astype(object)
    out = out.where(out.notna(), None).rename(columns=_FIELDS["label_classes"])
    # What is not given is left to the server.
    return [{k: v for k, v in record.items() if v is not None} for record in out.to_dict("records")]


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
    return _plan(project, kind, changes, contents, new_have_keys=keyed, blind=True)


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
        end = journal.end
    make: Callable[..., Plan] = {
        "labels": lambda b, a: plan_labels(project, b, a, "keep"),
        "tags": lambda b, a: plan_tags(project, b, a),
        "statuses": lambda b, a: plan_status(project, b, a),
        "label_attributes": lambda b, a: plan_label_attributes(project, b, a),
        "label_classes": lambda b, a: plan_label_classes(project, b, a),
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
}
"""Makes frames of what a journal holds."""


# Shared ---------------------------------------------------------------------------------------------------------------


def _plan(project: Project, kind: str, changes: Changes, contents: Contents, **options: bool) -> Plan:
    return Plan(
        project._requester,
        project.id,
        kind,
        changes,
        contents,
        _FIELDS[kind],
        project.undo,
        **options,
    )


def _compared(
    before: pd.DataFrame, after: pd.DataFrame, was: pa.Array, now: pa.Array, columns: Iterable[str]
) -> Difference:
    """Compare the columns that both frames have; what only the later one has of things that are in both cannot be."""
    found = compare(before, after, was, now, [name for name in columns if name in after and name in before])
    strange = [name for name in columns if name in after and name not in before]
    if strange and len(found.new) < len(after):
        raise ValidationException(
            f"The later frame has columns that the earlier one lacks: {strange}. Plan from a frame that has them, as "
            "it was read from the server, or drop them."
        )
    return found


def _once(frame: pd.DataFrame, ids: pa.Array, name: str, which: str, rows: npt.NDArray[np.bool_] | None = None) -> None:
    """Refuse ids that stand more than once in a frame, or among some of its rows; without these, what is no id too."""
    none = ids.null_count
    # Less time and memory than duplicates of an index, which is looked through only if there are any.
    if len(ids.unique()) - bool(none) == len(ids) - none and (rows is not None or not none):
        return
    problems = checks.Problems(frame)
    missing = ids.is_null().to_numpy(zero_copy_only=False)
    twice = frame.index.duplicated(keep=False) & ~missing
    if rows is None:
        problems.add(name, missing, "It must be an id, a text.", frame.index)
    else:
        twice &= rows
    problems.add(name, twice, f"Each can stand in {which!r} once.", frame.index)
    problems.throw()


def _spread(again: Difference, rows: int) -> dict[str, npt.NDArray[np.bool_]]:
    """Put flags of the rows that differ back among all rows."""
    out = {}
    for name, flags in again.changed.items():
        out[name] = np.zeros(rows, bool)
        out[name][again.now] = flags
    return out


def _indexed_images(images: Any, which: str) -> pd.DataFrame:
    frame = checks.indexed(Image, images) if isinstance(images, pd.DataFrame) else None
    if frame is None or "status" not in frame:
        raise ValidationException(f"The frame {which!r} must be an images frame with a column 'status'.")
    _once(frame, identities(frame.index), "image_id", which)
    return frame
