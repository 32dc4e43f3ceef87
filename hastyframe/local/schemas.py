"""What answers look like, as JSON schemas made from the declarations in :mod:`hastyframe.entities`."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import TypeAdapter

from hastyframe.entities import Entity, Model

from .store import STORED, annotation

__all__ = ["components", "items_of", "list_of", "one", "page_of", "record"]

Schema: TypeAlias = dict[str, Any]


def one(entity: type[Entity]) -> Schema:
    """Return the schema of a thing."""
    return {"$ref": f"#/components/schemas/{entity.__name__}"}


def list_of(item: Schema) -> Schema:
    """Return the schema of a bare list."""
    return {"type": "array", "items": item}


def items_of(item: Schema) -> Schema:
    """Return the schema of a list in ``items``."""
    return record(items=list_of(item))


def page_of(entity: type[Entity]) -> Schema:
    """Return the schema of a part of a list, with the length of the whole."""
    return record(meta=record(total={"type": "integer"}), items=list_of(one(entity)))


def record(**properties: Schema) -> Schema:
    """Return the schema of an object with these properties, all of them there.

    Examples
    --------
    >>> record(id={"type": "string"})
    {'type': 'object', 'properties': {'id': {'type': 'string'}}, 'required': ['id']}
    """
    return {"type": "object", "properties": properties, "required": list(properties)}


def components() -> dict[str, Schema]:
    """Return the schemas of all things by name."""
    return {entity.__name__: _component(entity) for entity in (*STORED, Model)}


def _component(entity: type[Entity]) -> Schema:
    fields = [field for field in entity.fields().values() if not field.derived]
    properties = {
        field.key: {**TypeAdapter(annotation(field)).json_schema(), "description": field.__doc__} for field in fields
    }
    return {**record(**properties), "description": (entity.__doc__ or "").partition("\n")[0]}
