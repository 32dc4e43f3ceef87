"""Each intended label is there exactly once, whatever breaks: over real HTTP, with faults at one request in five."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

import hastyframe as hf
from hastyframe import transport

from . import chaos

SEEDS = range(int(os.environ.get("HASTYFRAME_CHAOS_SEEDS", "2")))
RATE = 0.2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server, a client of little patience, and a hundred images."""
    folder = tmp_path_factory.mktemp("server")
    with hf.Client.local(folder, progress=False, timeout=chaos.TIMEOUT) as client:
        yield client, chaos.make_world(client, tmp_path_factory.mktemp("pictures"), 100)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_label_is_there_once(world, tmp_path, seed):
    client, project = world
    rng = np.random.default_rng(seed)
    images = project.get_images().index.tolist()
    project.delete_labels(project.get_labels())
    wanted = chaos.with_duplicates(chaos.make_labels(images, 5000, rng), 200, rng)
    there = project.create_labels(wanted.iloc[:300])  # equal to some that will be created

    before = project.get_labels()
    plan = project.plan_labels(before, pd.concat([before, wanted]))
    client.server.faults = chaos.faults(RATE, seed)
    report = plan.apply(tmp_path / "creates.jsonl")
    assert report["outcome"].value_counts()["created"] == 5000
    expected = chaos.intended(project, pd.concat([there, wanted]))
    chaos.wait_until_settled()
    assert chaos.stored(client.folder, project.id) == expected

    client.server.faults = None
    before = project.get_labels()
    after = chaos.change(before, images, rng)
    plan = project.plan_labels(before, after)
    client.server.faults = chaos.faults(RATE, seed)
    report = plan.apply(tmp_path / "mixed.jsonl")
    assert set(report["outcome"]) == {"created", "edited", "deleted"}
    chaos.wait_until_settled()
    assert chaos.stored(client.folder, project.id) == chaos.intended(project, after)

    undone = report.undo().apply()
    assert not len(undone.failed)
    chaos.wait_until_settled()
    assert chaos.stored(client.folder, project.id) == chaos.intended(project, before)
    client.server.faults = None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_that_is_killed_and_another_that_goes_on(world, tmp_path, seed):
    client, project = world
    rng = np.random.default_rng(100 + seed)
    images = project.get_images().index.tolist()
    project.delete_labels(project.get_labels())
    project.create_labels(chaos.with_duplicates(chaos.make_labels(images, 2000, rng), 100, rng))
    before = project.get_labels()
    after = chaos.change(before, images, rng)
    before.to_pickle(tmp_path / "before.pickle")
    after.to_pickle(tmp_path / "after.pickle")

    client.server.faults = chaos.faults(RATE, seed)
    killed = chaos.kill_and_resume(client, project, tmp_path, tmp_path / "journal.jsonl", 20, seed)
    client.server.faults = None
    assert killed == 20
    chaos.wait_until_settled()
    assert chaos.stored(client.folder, project.id) == chaos.intended(project, after)
