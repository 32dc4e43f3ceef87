"""The API as a whole: all operations, and their description."""

from __future__ import annotations

from starlette.responses import Response

from . import exports, images, labels, predictions, resources
from .context import Context
from .http import App, Call, Routes
from .openapi import describe

__all__ = ["make_app"]


def make_app(context: Context, api_key: str) -> App:
    """Return the ASGI application of a server."""
    routes = Routes()
    operations = [op for module in (resources, images, labels, exports, predictions) for op in module.routes.operations]
    description = describe(operations)

    @routes.add("GET", "/openapi.json", public=True)
    async def openapi(call: Call) -> Response:
        """Describe the API."""
        return Response(description, media_type="application/json")

    return App([*operations, *routes.operations], context, api_key)
