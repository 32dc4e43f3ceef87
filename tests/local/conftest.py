"""A server on a free port for all tests, and a project of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hastyframe.local import LocalServer

from .helpers import Api


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def api(server: LocalServer) -> Iterator[Api]:
    api = Api(server)
    yield api
    api.session.close()
