"""Labels that are edited and deleted under each kind of fault: each is as intended, or the report says what is not."""

from __future__ import annotations

import pytest

from .runs import SEEDS, begun, kinds_of


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("edits", sure=True, half=0))
def test_edits(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "edits", tmp_path) as run:
        run.hold()
        run.end()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("deletes", sure=True, half=1))
def test_deletes(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "deletes", tmp_path) as run:
        run.hold()
        run.end()
