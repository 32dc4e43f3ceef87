"""Lists that are read under each kind of fault: what is there, or an error of ours; never some of it without a word."""

from __future__ import annotations

import numpy as np
import pytest
from edits import chaos

import hastyframe as hf

from .kinds import KINDS
from .proxy import Dice, between
from .runs import SEEDS

LISTS = [pytest.param(kind, id=kind.name) for kind in KINDS.values() if "GET" in kind.methods and kind.sure]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", LISTS)
def test_reads(world, kind, seed):
    world.begin(world.make_labels(240, np.random.default_rng(seed)))
    there = world.there()
    options = {"progress": False, "timeout": (10.0, kind.patience), "max_workers": 4}
    with between(world.client.base_url) as proxy, hf.Client(world.client.api_key, proxy.url, **options) as client:
        proxy.strangers_image = world.strangers_image
        project = client.get_project(world.project.id)
        project.get_label_classes()
        proxy.policy = Dice({"GET": (kind.fault, kind.rate)}, seed, world.images)
        for _ in range(3):
            try:
                read = project.get_labels()
            except hf.HastyError:
                continue
            assert read.index.is_unique
            mine = read[(read["external_id"] != "strange").fillna(True)]
            assert dict(zip(mine.index, chaos.keys(world.project, mine), strict=True)) == there
        assert proxy.met["GET"]
