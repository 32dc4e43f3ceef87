"""The way back under each kind of fault, after a way there that met it too: what was, is again."""

from __future__ import annotations

from collections import Counter

import pytest

from .runs import SEEDS, Run, begun, kinds_of


def take_back(run: Run) -> None:
    """Undo what a run's journal says, under its faults, and hold it against the truth."""
    report, now = run.resume(run.apply()), run.world.there()
    back = report.undo()
    truth = run.truth.reversed(report, now)
    with run.troubled():
        undone = back.apply(run.folder / "undo.jsonl", errors="report")
    run.check("undo", truth.check(undone, run.world.there()))
    undone = run.resume(undone)
    run.check("resume of the undo", truth.check_done(undone, run.world.there()))
    if not run.problems:
        assert Counter(run.world.there().values()) == Counter(run.truth.before.values())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("mixed", sure=True, half=0))
def test_undo(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "mixed", tmp_path) as run:
        take_back(run)
        run.end()
