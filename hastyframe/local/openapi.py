"""The description of the API in OpenAPI, made from the operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from .bodies import Query
from .http import Operation
from .schemas import components, record

__all__ = ["describe"]

_MESSAGES = {
    400: "The input is not what it should be; the message names the field.",
    401: "The header X-Api-Key is missing or holds no key that the server knows.",
    403: "The signature of the address is wrong, or the address has expired.",
    404: "What the path or the body names is not there.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is compressed.",
    429: "The server has too much to do; try again later.",
}
_SECURITY = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
_TEMPLATE = "#/components/schemas/{model}"


def describe(operations: Sequence[Operation]) -> bytes:
    """Return the description as JSON."""
    schemas: dict[str, Any] = {**components(), "Problem": record(message={"type": "string"})}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    description = {
        "openapi": "3.1.0",
        "info": {"title": "The Hasty API, served by hastyframe", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": _SECURITY}},
        "security": [{"key": []}],
    }
    return orjson.dumps(description)


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.ids
    ]
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__
        if not operation.handler.__qualname__.startswith("_resource")
        else f"{operation.handler.__name__}_{operation.path.rsplit('/', 1)[-1]}",
        "summary": operation.summary,
        "parameters": parameters + _query(operation.query),
        "responses": _responses(operation),
    }
    if operation.public:
        described["security"] = []
    if operation.body is not None:
        schema = operation.body.json_schema(ref_template=_TEMPLATE)
        schemas |= schema.pop("$defs", {})
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _query(query: type[Query] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    properties = query.model_json_schema()["properties"]
    # Lists stand in one parameter, with commas between.
    return [
        {"name": name, "in": "query", "schema": schema}
        | ({"style": "form", "explode": False} if schema.get("type") == "array" else {})
        for name, schema in properties.items()
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    errors = set(operation.errors)
    if not operation.public:
        errors.add(401)
    if operation.ids:
        errors.add(404)
    if operation.query is not None:
        errors.add(400)
    if operation.body is not None:
        errors |= {400, 408, 413, 415}
    success: dict[str, Any] = {"description": "It is done."}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": operation.answer}}
    problem = {"application/json": {"schema": one_problem()}}
    return {
        str(operation.status): success,
        **{str(code): {"description": _MESSAGES[code], "content": problem} for code in sorted(errors)},
    }


def one_problem() -> dict[str, Any]:
    """Return the schema of what says why something is refused."""
    return {"$ref": "#/components/schemas/Problem"}
