"""One server for all, and clients that do not wait long."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import hastyframe as hf
from hastyframe import transport

from .runs import World

if (
    sys.platform != "linux"
):  # limits of processes, other users and what a descriptor is of are asked for as Linux has them
    collect_ignore = ["ends.py", "spoil.py", "strangers.py", "test_kills.py", "test_spoiled.py", "test_strangers.py"]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A server, and a project with images on it."""
    with hf.Client.local(tmp_path_factory.mktemp("server"), progress=False) as client:
        yield World(client, tmp_path_factory.mktemp("pictures"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Wait little between tries, and little for what comes late: here it comes when it is told to."""
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(transport.Transport, "settle_timeout", 0.01)


def pytest_collection_modifyitems(items):
    """Plans that delete most of what was read warn of it; here they are meant to."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning"))
