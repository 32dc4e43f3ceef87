"""How each kind of thing is read and written: the only part of a bulk edit that knows what the API looks like.

All that a plan can hold is read and written a unit at a time: labels and tags those of an image, values of attributes
those of a label. What is common to all (batches, retries, conflicts, exactly once) is in :mod:`hastyframe.edits.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hastyframe.answers import complete
from hastyframe.arguments import a
from hastyframe.attributes import complete_values
from hastyframe.checks import MASK_NEEDS_CROPPING, is_resized
from hastyframe.entities import BATCH_LIMIT, Entity, Image, Label, LabelAttribute, LabelClass, Tag
from hastyframe.errors import UnexpectedAnswer, ValidationException
from hastyframe.limits import PAGE_SIZE
from hastyframe.urls import path_segment

from .journal import Record

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["RESOURCES", "Resource"]


@dataclass(frozen=True)
class Resource:
    """A kind of thing that is written in bulk.

    Attributes
    ----------
    noun : str
        What one is called, in progress bars and messages.
    unit : str
        What the things of a unit have in common, as ``image_id``.
    key : str
        Where an item's id is. Of tags and values it is that of the tag class and the attribute: a unit has one at most.
    fields : tuple of str
        The keys of an item that are its content.
    limit : int
        The most that one request takes.
    read : callable
        Gets a unit and returns its items as the server has them.
    create : callable or None
        Gets a unit and the contents of new things; returns their items in order. None where things have ids of their
        own accord, so that `put` makes them as well.
    put : callable or None
        Gets a unit, pairs of id and whole content, and whether the request may go out once only; returns the items in
        order.
    delete : callable or None
        Gets a unit, ids, and whether the request may go out once only.
    read_page : callable or None
        Gets a unit and where a page begins; returns its items. None where a unit is read in one request anyway.
    refuse : callable
        Gets what a thing is and what changes of it; returns why that cannot be, or None.
    """

    noun: str
    unit: str
    key: str
    fields: tuple[str, ...]
    limit: int
    read: Callable[[str], list[Record]]
    create: Callable[[str, Sequence[Record]], list[Record]] | None = None
    put: Callable[[str, Sequence[tuple[str, Record]], bool], list[Record]] | None = None
    delete: Callable[[str, Sequence[str], bool], None] | None = None
    read_page: Callable[[str, int], list[Record]] | None = None
    refuse: Callable[[Record, Record], str | None] = lambda now, new: None

    def content(self, item: Mapping[str, Any]) -> Record:
        """Return what an item holds, without what the server makes up."""
        content = {name: item.get(name) for name in self.fields}
        if "z_index" in content and content["z_index"] is None:
            content["z_index"] = 0  # what the server stores where none is given
        return content


def labels(transport: Transport, project_id: str) -> Resource:
    """Labels of an image."""

    def path(image_id: str) -> str:
        return Label.path.format(project_id=project_id, image_id=path_segment(image_id))

    def create(image_id: str, contents: Sequence[Record]) -> list[Record]:
        body = [{**content, "tool_used": "api"} for content in contents]
        return _items(Label, transport.post(path(image_id), body), len(body))

    def read(image_id: str) -> list[Record]:
        return transport.listing(path(image_id))

    def put(image_id: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        body = [{"label_id": key, **content, "tool_used": "api"} for key, content in pairs]
        answer = transport.put(path(image_id), body, once=once)
        return _edited(Label, answer, [key for key, _ in pairs], lambda: read(image_id))

    def delete(image_id: str, keys: Sequence[str], once: bool) -> None:
        transport.delete(path(image_id), [{"id": key} for key in keys], missing_is_done=False, once=once)

    def read_page(image_id: str, offset: int) -> list[Record]:
        return _page(Label, transport.get(path(image_id), {"offset": offset, "limit": PAGE_SIZE}))

    fields = ("class_id", "bbox", "polygon", "mask", "z_index", "external_id")
    return Resource(
        "label", Image.id_name, "id", fields, BATCH_LIMIT, read, create, put, delete, read_page, _refuse_resizing
    )


def tags(transport: Transport, project_id: str) -> Resource:
    """Tags of an image, each known by its tag class: an image has a tag or does not have it."""

    def path(image_id: str) -> str:
        return Tag.path.format(project_id=project_id, image_id=path_segment(image_id))

    def put(image_id: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        body = [{"tag_class_id": key} for key, _ in pairs]
        # A tag that is there already stays the one it is, so that this may be sent twice.
        answer = transport.post(path(image_id), body, repeatable=True)
        items = _named(Tag, {"items": answer}, [key for key, _ in pairs], "tag_class_id")
        return complete(items, image_id=image_id)

    def delete(image_id: str, keys: Sequence[str], once: bool) -> None:
        transport.delete(path(image_id), [{"tag_class_id": key} for key in keys], missing_is_done=False, once=once)

    read = lambda unit: transport.listing(path(unit))  # noqa: E731
    return Resource("tag", Image.id_name, "tag_class_id", (), BATCH_LIMIT, read, put=put, delete=delete)


def images(transport: Transport, project_id: str) -> Resource:
    """Name and dataset of an image."""
    path = _image_path(project_id)

    def read(image_id: str) -> list[Record]:
        return [_object(Image, transport.get(path(image_id)))]

    def put(image_id: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        [(_, content)] = pairs
        [now] = read(image_id)
        # A request moves or renames, and a name stands in a dataset once: what cannot be first may be second.
        changes = [{key: content[name]} for name, key in _SENT.items() if now.get(name) != content.get(name)]
        for number, change in enumerate(changes):
            try:
                now = _object(Image, transport.patch(path(image_id), change, once=once))
            except ValidationException:
                if number or len(changes) == 1:
                    raise
                changes.append(change)
        return [now]

    fields = tuple(_SENT)
    return Resource("image", Image.id_name, "id", fields, 1, read, put=put)


_SENT = {"dataset_id": "dataset_id", "name": "filename"}
"""What a change of an image's fields is called, in the order in which they are tried."""


def _image_path(project_id: str) -> Callable[[str], str]:
    return lambda image_id: f"{Image.path.format(project_id=project_id)}/{path_segment(image_id)}"


def statuses(transport: Transport, project_id: str) -> Resource:
    """Status of an image."""
    path = _image_path(project_id)

    def put(image_id: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        [(key, content)] = pairs
        transport.put(f"{path(image_id)}/status", content, once=once)
        return [{"id": key, **content}]

    read = lambda unit: [transport.get(path(unit))]  # noqa: E731
    return Resource("status", Image.id_name, "id", ("status",), 1, read, put=put)


def label_attributes(transport: Transport, project_id: str) -> Resource:
    """Values of a label's attributes, each known by its attribute."""

    def path(label_id: str) -> str:
        return LabelAttribute.path.format(project_id=project_id, label_id=path_segment(label_id))

    def put(label_id: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        [(key, content)] = pairs
        stored = transport.post(f"{path(label_id)}/{path_segment(key)}", content, repeatable=True, once=once)
        return [{**(stored if isinstance(stored, dict) else {}), "label_id": label_id, "attribute_id": key}]

    def delete(label_id: str, keys: Sequence[str], once: bool) -> None:
        [key] = keys
        transport.post(f"{path(label_id)}/{path_segment(key)}", {"value": None}, repeatable=True, once=once)

    def read(label_id: str) -> list[Record]:
        return complete_values(transport.listing(path(label_id)), label_id)

    return Resource("value", "label_id", "attribute_id", ("value",), 1, read, put=put, delete=delete)


def label_classes(transport: Transport, project_id: str) -> Resource:
    """Label classes of a project, which is their only unit."""
    path = LabelClass.path.format(project_id=project_id)

    def create(_: str, contents: Sequence[Record]) -> list[Record]:
        [content] = contents
        return [_object(LabelClass, transport.post(path, content))]

    def put(_: str, pairs: Sequence[tuple[str, Record]], once: bool) -> list[Record]:
        [(key, content)] = pairs
        answer = transport.put(f"{path}/{path_segment(key)}", content, once=once)
        return _edited(LabelClass, answer and {"items": [answer]}, [key], lambda: transport.listing(path))

    def delete(_: str, keys: Sequence[str], once: bool) -> None:
        [key] = keys
        transport.delete(f"{path}/{path_segment(key)}", missing_is_done=False, once=once)

    fields = ("name", "color", "type", "norder", "external_id")
    return Resource("class", "project_id", "id", fields, 1, lambda _: transport.listing(path), create, put, delete)


Make: TypeAlias = "Callable[[Transport, str], Resource]"
RESOURCES: Mapping[str, Make] = {
    "labels": labels,
    "tags": tags,
    "statuses": statuses,
    "label_attributes": label_attributes,
    "label_classes": label_classes,
    "images": images,
}
"""By the kind that a journal names."""


def _refuse_resizing(now: Record, new: Record) -> str | None:
    """Say why a box cannot change its size under a mask: its runs would mean other pixels."""
    if "mask" in new or not now["mask"] or "bbox" not in new or not is_resized(new["bbox"], now["bbox"]):
        return None
    return f"The box becomes {new['bbox']} and was {now['bbox']}, under a mask that stays. {MASK_NEEDS_CROPPING}"


def _object(entity: type[Entity], answer: Any) -> Record:
    if not isinstance(answer, dict) or not _is_id(answer.get("id")):
        raise UnexpectedAnswer(f"The server answered with something else than {a(entity.noun())}.")
    return answer


def _items(entity: type[Entity], answer: Any, count: int) -> list[Record]:
    """Read the answer to a list, which is in the order in which it was sent."""
    items = _page(entity, answer)
    if len(items) != count:
        raise UnexpectedAnswer(f"The server answered {count} {entity.plural} with {len(items)}.")
    return items


def _named(entity: type[Entity], answer: Any, keys: Sequence[str], key: str = "id") -> list[Record]:
    """Read the answer to a list of things that have ids already, whatever its order."""
    by_key = {item.get(key): item for item in _items(entity, answer, len(keys))}
    if by_key.keys() != set(keys):
        raise UnexpectedAnswer(f"The server answered with other {entity.plural} than were sent.")
    return [by_key[k] for k in keys]


def _edited(entity: type[Entity], answer: Any, keys: Sequence[str], read: Callable[[], list[Record]]) -> list[Record]:
    """Read the answer to edits; where it says nothing, what is there by now."""
    if answer is None:
        answer = {"items": [item for item in read() if item.get("id") in keys]}
    return _named(entity, answer, keys)


def _page(entity: type[Entity], answer: Any) -> list[Record]:
    """Read things with ids, each its own, from an answer."""
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(i, dict) and _is_id(i.get("id")) for i in items):
        raise UnexpectedAnswer(f"The server answered {entity.plural} with something else.")
    if len({item["id"] for item in items}) < len(items):
        raise UnexpectedAnswer(f"The server answered {entity.plural} of which some have the same id.")
    return items


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""
