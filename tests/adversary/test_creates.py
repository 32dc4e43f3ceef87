"""Labels that are created under each kind of fault: each is there once, or the report says what is not so."""

from __future__ import annotations

import pytest

from .runs import SEEDS, begun, kinds_of


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("creates", sure=True))
def test_creates(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "creates", tmp_path) as run:
        run.hold()
        run.end()
