"""Labels that are created under each kind of fault: each is there once, or the report says what is not so."""

from __future__ import annotations

from random import Random

import pytest

from .kinds import KINDS
from .runs import SEEDS, begun, kinds_of


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("creates", sure=True))
def test_creates(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "creates", tmp_path) as run:
        run.hold()
        run.end()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413])
def test_an_image_that_is_refused_is_refused_alone(world, tmp_path, status):
    kind = KINDS[f"{status} for a good request"]
    with begun(world, kind, 0, "creates", tmp_path) as run:
        refused = world.images[0]
        run.proxy.policy = lambda request: (kind.fault, Random(0)) if refused in request.path else None
        report = run.plan.apply(tmp_path / "journal.jsonl", errors="report", max_workers=1)
        run.check("apply", run.truth.check(report, world.there()))
        left = report["image_id"][report["outcome"] == "failed"]
        run.end()
        assert set(left) == {refused}
        assert len(left) == (report["image_id"] == refused).sum()
        report = run.project.resume(report.journal, errors="report")
        assert set(report["image_id"][report["outcome"] != "created"]) == {refused}


@pytest.mark.parametrize("status", [401, 402])
def test_what_is_refused_for_the_account_ends_the_run(world, tmp_path, status):
    kind = KINDS[f"{status} for a good request"]
    with begun(world, kind, 0, "creates", tmp_path) as run:
        run.proxy.policy = lambda request: (kind.fault, Random(0)) if request.of_labels else None
        report = run.plan.apply(tmp_path / "journal.jsonl", errors="report", max_workers=1)
        assert sum(count for target, count in run.proxy.targets.items() if target.startswith("POST")) <= 1
        run.check("apply", run.truth.check(report, world.there()))
        run.proxy.policy = None
        run.check("resume", run.truth.check_done(run.resume(report), world.there()))
        run.end()
