"""Workspaces, projects, datasets, classes and attributes: what is made, listed, edited and deleted alike."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from hastyframe.entities import (
    Attribute,
    Dataset,
    Entity,
    ExportJob,
    Image,
    LabelAttribute,
    LabelClass,
    Project,
    TagClass,
    Workspace,
)

from .bodies import (
    AttributeBody,
    AttributeClass,
    Body,
    DatasetBody,
    LabelClassBody,
    Many,
    Paging,
    ProjectBody,
    TagClassBody,
)
from .http import Call, Refusal, Routes
from .schemas import list_of, one, page_of, record
from .store import Record, decoded, new_id

__all__ = ["listing", "routes"]

Prepare: TypeAlias = Callable[[Call, Body, Record | None], Record]
"""What was sent and what is there (None for a new thing), to what is stored."""

routes = Routes()


def listing(call: Call, entity: type[Entity], where: Record) -> Any:
    """Return a page of things."""
    total, items = call.context.store.page(entity, where, offset=call.query.offset, limit=call.query.limit)
    return {"meta": {"total": total}, "items": items}


def _resource(entity: type[Entity], body: type[Body], prepare: Prepare, *, readable: bool = True) -> None:
    """Add the five operations of a thing that belongs to a project."""
    item_path = f"{entity.path}/{{{entity.id_name}}}"
    name = entity.__name__

    def listed(call: Call) -> Any:
        project = call.find(Project)
        return listing(call, entity, {"project_id": project["id"]})

    def shown(call: Call) -> Any:
        return call.find(entity)

    def created(call: Call) -> Any:
        project = call.find(Project)
        return call.context.store.insert(entity, {"project_id": project["id"], **prepare(call, call.body, None)})

    def edited(call: Call) -> Any:
        there = call.find(entity)
        call.context.store.update(entity, there["id"], prepare(call, call.body, there))
        return call.find(entity)

    def deleted(call: Call) -> None:
        there = call.find(entity)
        if entity is Dataset:
            images = call.context.store.ids(Image, {"dataset_id": there["id"]})
            call.afterwards.append(lambda: call.context.files.remove_images(there["project_id"], list(images)))
        call.context.store.delete(entity, [there["id"]])

    for handler, verb in (
        (listed, "List"),
        (shown, "Show"),
        (created, "Create"),
        (edited, "Edit"),
        (deleted, "Delete"),
    ):
        handler.__doc__ = f"{verb} {entity.plural.replace('_', ' ')}." if handler is listed else f"{verb} a {name}."
    routes.add("GET", entity.path, query=Paging, answer=page_of(entity))(listed)
    routes.add("POST", entity.path, body=body, answer=one(entity), status=201)(created)
    if readable:
        routes.add("GET", item_path, answer=one(entity))(shown)
    routes.add("PUT", item_path, body=body, answer=one(entity))(edited)
    routes.add("DELETE", item_path, status=204)(deleted)


# Workspaces and projects ----------------------------------------------------------------------------------------------


@routes.add("GET", Workspace.path, query=Paging, answer=page_of(Workspace))
def list_workspaces(call: Call) -> Any:
    """List workspaces."""
    return listing(call, Workspace, {})


@routes.add("GET", Project.path, query=Paging, answer=page_of(Project))
def list_projects(call: Call) -> Any:
    """List projects."""
    return listing(call, Project, {})


@routes.add("POST", Project.path, body=ProjectBody, answer=one(Project), status=201)
def create_project(call: Call) -> Any:
    """Create a project."""
    store = call.context.store
    workspace_id = call.body.workspace_id or _only_workspace(call)
    if store.get(Workspace, {"id": workspace_id}) is None:
        raise Refusal(400, f"workspace_id: there is no workspace {workspace_id!r}")
    return store.insert(Project, {**call.body.model_dump(), "workspace_id": workspace_id})


def _only_workspace(call: Call) -> str:
    ids = call.context.store.ids(Workspace, {})
    if len(ids) != 1:
        raise Refusal(400, f"workspace_id: it says which of {len(ids)} workspaces the project belongs to")
    return ids.pop()


@routes.add("GET", Project.path + "/{project_id}", answer=one(Project))
def show_project(call: Call) -> Any:
    """Show a project."""
    return call.find(Project)


@routes.add("PUT", Project.path + "/{project_id}", body=ProjectBody, answer=one(Project))
def edit_project(call: Call) -> Any:
    """Edit a project."""
    there = call.find(Project)
    changes = {key: value for key, value in call.body.given().items() if key in {"name", "description"}}
    call.context.store.update(Project, there["id"], changes)
    return call.find(Project)


@routes.add("DELETE", Project.path + "/{project_id}", status=204)
def delete_project(call: Call) -> None:
    """Delete a project and everything in it."""
    there = call.find(Project)
    exports = call.context.store.ids(ExportJob, {"project_id": there["id"]})
    call.context.store.delete(Project, [there["id"]])
    call.afterwards.append(lambda: call.context.files.remove_project(there["id"], list(exports)))


# What belongs to a project --------------------------------------------------------------------------------------------


_FIRST_ORDER = 10
"""The place in lists of the first thing that is given none."""


def _ordered(entity: type[Entity], call: Call, body: Body, there: Record | None, *keep: str) -> Record:
    """Take what was sent, with a place in lists: behind all others where none is given."""
    values = body.given("norder", *keep)
    if there is None and "norder" not in values:
        orders = call.context.store.column(entity, "norder", {"project_id": call.path["project_id"]})
        values["norder"] = max((order for order in orders if order is not None), default=_FIRST_ORDER - 1) + 1
    return values


def _dataset(call: Call, body: Body, there: Record | None) -> Record:
    return _ordered(Dataset, call, body, there)


def _tag_class(call: Call, body: Body, there: Record | None) -> Record:
    return _ordered(TagClass, call, body, there)


def _label_class(call: Call, body: Body, there: Record | None) -> Record:
    values = _ordered(LabelClass, call, body, there, "type", "color")
    if there is None:
        count = call.context.store.count(LabelClass, {"project_id": call.path["project_id"]})
        values = {"type": "object", "color": _color(count), **values}
    return values


def _color(number: int) -> str:
    """Give classes colours that are far apart: each hue a golden section on from the one before."""
    rgb = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.75, 0.95)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb) + "ff"


def _attribute(call: Call, body: Body, there: Record | None) -> Record:
    values = _ordered(Attribute, call, body, there, "subject_type", "values")
    before = decoded(there) if there is not None else {"values": []}
    if "values" in values:
        ids = {value["value"]: value["id"] for value in before["values"]}
        texts = [value["value"] for value in values["values"]]
        values["values"] = [{"id": ids.get(text) or new_id(), "value": text} for text in texts]
    if there is None:
        return {"subject_type": "LABEL", "values": [], **values}
    if not values["type"].endswith("SELECTION"):
        values["values"] = []
    _check_used(call, before, {**before, **values})
    return values


def _check_used(call: Call, before: Record, after: Record) -> None:
    """Refuse an edit that would leave labels with values that the attribute cannot have."""
    used = call.context.store.column(LabelAttribute, "value", {"attribute_id": before["id"]})
    if used and after["type"] != before["type"]:
        raise Refusal(400, f"type: {len(used)} labels have a value of type {before['type']}")
    gone = {value["id"]: value["value"] for value in before["values"]}
    for value in after["values"]:
        gone.pop(value["id"], None)
    if gone:
        chosen = {id_ for value in map(orjson.loads, used) for id_ in (value if isinstance(value, list) else [value])}
        kept = [text for id_, text in gone.items() if id_ in chosen]
        if kept:
            raise Refusal(400, f"values: labels have the value {kept[0]!r}; it cannot be taken away")


_resource(Dataset, DatasetBody, _dataset)
_resource(LabelClass, LabelClassBody, _label_class)
_resource(TagClass, TagClassBody, _tag_class)
_resource(Attribute, AttributeBody, _attribute)


# Which classes have which attributes ----------------------------------------------------------------------------------

_PAIRS_PATH = Project.path + "/{project_id}/attributes_classes"
_PAIR = record(
    attribute_id={"type": "string"},
    class_id={"type": "string"},
    attribute_order={"type": "number"},
    class_order={"type": "number"},
)
_COLUMNS = tuple(_PAIR["properties"])


@routes.add("GET", _PAIRS_PATH, answer=list_of(_PAIR))
def list_attribute_classes(call: Call) -> Any:
    """List which classes have which attributes."""
    project = call.find(Project)
    sql = (
        "SELECT attribute_id, class_id, attribute_order, class_order FROM attributes_classes"
        " WHERE class_id IN (SELECT id FROM label_classes WHERE project_id = ?) ORDER BY rowid"
    )
    rows = call.context.store.execute(sql, [project["id"]])
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


@routes.add("POST", _PAIRS_PATH, body=Many(AttributeClass), answer=list_of(_PAIR), status=201)
def set_attribute_classes(call: Call) -> Any:
    """Give classes attributes, or change the order of those they have."""
    pairs = _known_pairs(call)
    for pair in pairs:
        call.context.store.execute(
            "INSERT INTO attributes_classes VALUES (?, ?, ?, ?) ON CONFLICT (attribute_id, class_id)"
            " DO UPDATE SET attribute_order = excluded.attribute_order, class_order = excluded.class_order",
            [pair[column] for column in _COLUMNS],
        )
    return pairs


@routes.add("DELETE", _PAIRS_PATH, body=Many(AttributeClass), status=204)
def delete_attribute_classes(call: Call) -> None:
    """Take attributes from classes."""
    for place, pair in enumerate(_known_pairs(call)):
        found = call.context.store.execute(
            "DELETE FROM attributes_classes WHERE attribute_id = ? AND class_id = ?",
            [pair["attribute_id"], pair["class_id"]],
        )
        if not found.rowcount:
            raise Refusal(404, f"[{place}]: the class {pair['class_id']} does not have this attribute")


def _known_pairs(call: Call) -> list[Record]:
    where = {"project_id": call.find(Project)["id"]}
    attributes, classes = (call.context.store.ids(entity, where) for entity in (Attribute, LabelClass))
    for place, pair in enumerate(call.body):
        if pair.attribute_id not in attributes:
            raise Refusal(400, f"[{place}].attribute_id: there is no attribute {pair.attribute_id!r} in this project")
        if pair.class_id not in classes:
            raise Refusal(400, f"[{place}].class_id: there is no label class {pair.class_id!r} in this project")
    return [{column: getattr(pair, column) or 0 for column in _COLUMNS} for pair in call.body]
