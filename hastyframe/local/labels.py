"""Labels, the values of their attributes, and the tags of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from hastyframe.entities import Attribute, Image, Label, LabelAttribute, LabelClass, Tag, TagClass

from .bodies import Batch, LabelEdit, LabelId, LabelValue, Many, NewLabel, Paging, TagDelete, TagNew
from .http import Call, Refusal, Routes
from .resources import listing
from .schemas import items_of, list_of, one, page_of
from .store import Record, decoded

__all__ = ["routes"]

routes = Routes()

_GEOMETRY = ("bbox", "polygon", "mask")


@routes.add("GET", Label.path, query=Paging, answer=page_of(Label))
def list_labels(call: Call) -> Any:
    """List the labels of an image."""
    return listing(call, Label, {"image_id": call.find(Image)["id"]})


@routes.add("POST", Label.path, body=Batch(NewLabel), answer=items_of(one(Label)), status=201)
def create_labels(call: Call) -> Any:
    """Create labels, all or none."""
    image = call.find(Image)
    _check_classes(call, call.body)
    owner = {"project_id": image["project_id"], "image_id": image["id"]}
    records = [{**label.model_dump(), "z_index": label.z_index or 0, **owner} for label in call.body]
    return {"items": _in_order(call, call.context.store.insert_many(Label, records))}


@routes.add("PUT", Label.path, body=Batch(LabelEdit), answer=items_of(one(Label)))
def edit_labels(call: Call) -> Any:
    """Edit labels, all or none: their geometry is replaced."""
    _check_known(call, Label, [label.label_id for label in call.body], "label_id")
    _check_classes(call, call.body)
    for place, label in enumerate(call.body):
        changes = label.given("class_id", "z_index") | {key: getattr(label, key) for key in _GEOMETRY}
        _check_shape(call, place, changes)
        call.context.store.update(Label, changes.pop("label_id"), changes)
    return {"items": _in_order(call, [label.label_id for label in call.body])}


@routes.add("DELETE", Label.path, body=Many(LabelId), status=204)
def delete_labels(call: Call) -> None:
    """Delete labels, all or none."""
    ids = list(dict.fromkeys(label.id for label in call.body))
    _check_known(call, Label, ids, "id")
    call.context.store.delete(Label, ids)


def _check_shape(call: Call, place: int, changes: Record) -> None:
    """Refuse an edit that leaves a label without a shape; key points are one, and stay where they are not mentioned."""
    if changes["bbox"] is None and changes["polygon"] is None:
        there = call.context.store.get(Label, {"id": changes["label_id"]})
        if {**(there or {}), **changes}.get("keypoints") is None:
            raise Refusal(400, f"[{place}].polygon: a label needs a bbox or a polygon")


def _check_classes(call: Call, labels: Sequence[NewLabel | LabelEdit]) -> None:
    wanted = {label.class_id for label in labels if label.class_id is not None}
    known = call.context.store.ids(LabelClass, {"project_id": call.path["project_id"], "id": wanted})
    for place, label in enumerate(labels):
        if label.class_id is not None and label.class_id not in known:
            raise Refusal(400, f"[{place}].class_id: there is no label class {label.class_id!r} in this project")


def _check_known(call: Call, entity: type[Label | Tag], ids: Sequence[str], key: str) -> None:
    """Refuse ids that are not of things on this image, and ids that stand there twice."""
    known = call.context.store.ids(entity, {"image_id": call.find(Image)["id"], "id": ids})
    seen: set[str] = set()
    for place, id_ in enumerate(ids):
        if id_ not in known:
            raise Refusal(404, f"[{place}].{key}: there is no {entity.__name__} {id_!r} on this image")
        if id_ in seen:
            raise Refusal(400, f"[{place}].{key}: {id_!r} stands there twice")
        seen.add(id_)


def _in_order(call: Call, ids: Sequence[str]) -> list[Record]:
    found = {label["id"]: label for label in call.context.store.all(Label, {"id": ids})}
    return [found[id_] for id_ in ids]


# Attributes of labels -------------------------------------------------------------------------------------------------

_TYPES = {"TEXT": (str,), "INT": (int,), "FLOAT": (int, float), "BOOL": (bool,)}


@routes.add("GET", LabelAttribute.path, query=Paging, answer=page_of(LabelAttribute))
def list_label_attributes(call: Call) -> Any:
    """List the values of a label's attributes."""
    return listing(call, LabelAttribute, {"label_id": _label(call)["id"]})


@routes.add("POST", LabelAttribute.path + "/{attribute_id}", body=LabelValue, answer=one(LabelAttribute))
def set_label_attribute(call: Call) -> Any:
    """Give a label a value of an attribute; null takes it away."""
    label, attribute, store = _label(call), decoded(call.find(Attribute)), call.context.store
    where = {"label_id": label["id"], "attribute_id": attribute["id"]}
    there = store.get(LabelAttribute, where)
    value = call.body.value
    if value is None:
        record = there or store.insert(LabelAttribute, {**where, "project_id": label["project_id"], "value": None})
        store.delete(LabelAttribute, [record["id"]])
        return {**record, "value": None}
    _check_value(attribute, value)
    if there is None:
        return store.insert(LabelAttribute, {**where, "project_id": label["project_id"], "value": value})
    store.update(LabelAttribute, there["id"], {"value": value})
    return {**there, "value": value}


def _label(call: Call) -> Record:
    label = call.context.store.get(Label, {"id": call.path["label_id"], "project_id": call.path["project_id"]})
    if label is None:
        raise Refusal(404, f"there is no Label with id {call.path['label_id']!r} in this project")
    return label


def _check_value(attribute: Record, value: Any) -> None:
    type_ = attribute["type"]
    if type_ in _TYPES:
        # True is an int to Python, and to nobody else.
        if not isinstance(value, _TYPES[type_]) or (isinstance(value, bool) and type_ != "BOOL"):
            raise Refusal(400, f"value: {_shown(value)} is not of type {type_}, which {attribute['name']!r} wants")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise Refusal(400, f"value: {value} has more than 64 bits")
        return
    known = {choice["id"] for choice in attribute["values"]}
    chosen = value if type_ == "MULTIPLE-SELECTION" else [value]
    if not isinstance(chosen, list):
        raise Refusal(400, f"value: {attribute['name']!r} wants a list of ids of its values, not {_shown(value)}")
    for one_ in chosen:
        if not isinstance(one_, str) or one_ not in known:
            raise Refusal(400, f"value: {_shown(one_)} is not the id of a value of {attribute['name']!r}")
    if len(set(chosen)) < len(chosen):
        raise Refusal(400, "value: the same id stands there twice")


def _shown(value: Any) -> str:
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # it reads deeper than it writes
        return "what is nested so deeply"
    return text if len(text) <= 60 else f"{text[:59]}…"


# Tags of images -------------------------------------------------------------------------------------------------------


@routes.add("GET", Tag.path, query=Paging, answer=page_of(Tag))
def list_tags(call: Call) -> Any:
    """List the tags of an image."""
    return listing(call, Tag, {"image_id": call.find(Image)["id"]})


@routes.add("POST", Tag.path, body=Batch(TagNew), answer=list_of(one(Tag)), status=201)
def create_tags(call: Call) -> Any:
    """Tag an image; a tag that it has already stays the one it has."""
    image, store = call.find(Image), call.context.store
    classes = store.ids(TagClass, {"project_id": image["project_id"]})
    tags = []
    for place, tag in enumerate(call.body):
        if tag.tag_class_id not in classes:
            raise Refusal(400, f"[{place}].tag_class_id: there is no tag class {tag.tag_class_id!r} in this project")
        where = {"image_id": image["id"], "tag_class_id": tag.tag_class_id}
        there = store.get(Tag, where)
        tags.append(there or store.insert(Tag, {**where, "project_id": image["project_id"]}))
    return tags


@routes.add("DELETE", Tag.path, body=Many(TagDelete), status=204)
def delete_tags(call: Call) -> None:
    """Take tags from an image; those that it does not have are passed over."""
    image, store = call.find(Image), call.context.store
    for tag in call.body:
        named = {"id": tag.tag_id, "tag_class_id": tag.tag_class_id}
        where = {"image_id": image["id"], **{key: value for key, value in named.items() if value is not None}}
        store.delete(Tag, store.ids(Tag, where))
