"""Two clients with a plan for the same labels: each label carries one whole edit, and the other client is told."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from edits import chaos

import hastyframe as hf

from .runs import can_verify

LABELS = int(os.environ.get("HASTYFRAME_ADVERSARY_LABELS", "400"))
LATENCY = 0.05


def edits(labels: pd.DataFrame, class_name: str, by: int) -> pd.DataFrame:
    """Change two things of each label, so that half an edit shows."""
    after = labels.assign(class_name=class_name)
    after[["y_min", "y_max"]] += by
    after["z_index"] += by
    return after


@pytest.fixture
def labels(world):
    """Labels on all images, and a server that is far and asks to slow down."""
    world.begin(world.make_labels(LABELS, np.random.default_rng(0)))
    world.client.server.faults = None
    found = world.project.get_labels()
    found = found[found["image_id"] != world.strangers_image]
    world.client.server.faults = hf.local.Faults(latency=LATENCY, too_many=0.1, retry_after=0, seed=1)
    yield found
    world.client.server.faults = None


def at_once(world, plans: list[Any], tmp_path) -> list[pd.DataFrame]:
    """Apply the plans of clients of their own at the same time."""
    reports: list[Any] = [None] * len(plans)
    options = {"verify": True} if can_verify() else {}
    gate = threading.Barrier(len(plans))

    def work(number: int) -> None:
        with hf.Client(world.client.api_key, world.client.base_url, progress=False, max_workers=4) as client:
            plan = plans[number](client.get_project(world.project.id))
            gate.wait()
            reports[number] = plan.apply(tmp_path / f"{number}.jsonl", errors="report", **options)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(plans))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reports


def test_each_label_carries_one_edit_and_the_other_client_is_told(world, labels, tmp_path):
    wanted = [edits(labels, "sky", 1), edits(labels, "cell", 2)]
    plans = [lambda project, after=after: project.plan_labels(labels, after) for after in wanted]
    reports = at_once(world, plans, tmp_path)
    world.client.server.faults = None

    shall = [dict(zip(after.index, chaos.keys(world.project, after), strict=True)) for after in wanted]
    now = chaos.stored_by_id(world.client.folder, world.project.id)
    done = [set(report.index[report["outcome"] == "edited"]) for report in reports]
    both, nobodys = done[0] & done[1], set(labels.index) - done[0] - done[1]
    other = {id_ for which in (0, 1) for id_ in done[which] - both if now[id_] != shall[which][id_]}
    halves = {id_ for id_ in labels.index if now[id_] not in (shall[0][id_], shall[1][id_])}
    print(f"{len(done[0])} and {len(done[1])} edited, {len(both)} by both, {len(nobodys)} by nobody")
    assert [len(both), len(nobodys), len(other), len(halves)] == [0, 0, 0, 0]
    for which in (0, 1):
        rest = reports[which][~reports[which].index.isin(done[which])]
        assert set(rest["outcome"]) <= {"failed"}
        assert rest["message"].str.contains("Conflict").all()


def test_what_one_edits_the_other_does_not_delete(world, labels, tmp_path):
    after = edits(labels, "sky", 1)
    plans = [
        lambda project: project.plan_labels(labels, after),
        lambda project: project.plan_labels(labels, labels.iloc[:0]),
    ]
    edited, deleted = at_once(world, plans, tmp_path)
    world.client.server.faults = None

    shall = dict(zip(after.index, chaos.keys(world.project, after), strict=True))
    now = chaos.stored_by_id(world.client.folder, world.project.id)
    kept, gone = (set(r.index[r["outcome"] == word]) for r, word in ((edited, "edited"), (deleted, "deleted")))
    print(f"{len(kept)} edited, {len(gone)} deleted, {len(kept & gone)} both")
    assert len(kept & gone) == 0
    assert kept | gone == set(labels.index)
    assert all(now[id_] == shall[id_] for id_ in kept)
    assert not gone & now.keys()
