"""Reading everything back: what no answer tells, as a request that the network delivers twice, is found and mended.

After it, whatever the kind of fault, what is there is what the report says; in peace, all is as intended.
"""

from __future__ import annotations

import pytest

from .runs import SEEDS, begun, can_verify, kinds_of

pytestmark = pytest.mark.skipif(not can_verify(), reason="nothing can be verified yet")

LATER = ("at the end", "after the client has looked", "from before the last write")
"""What comes after the last look, or cannot be seen by it: only a look later on can find that."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", kinds_of("mixed", half=1))
def test_a_report_that_is_verified(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "mixed", tmp_path) as run:
        report = run.resume(run.apply())
        report = report.verify(mend=True)
        run.check("verify", run.truth.check(report, world.there()))
        report = run.resume(report)
        run.check("resume", run.truth.check_done(report, world.there()))
        run.end()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [k for k in kinds_of("mixed", sure=False) if not k.id.endswith(LATER)])
def test_a_plan_that_is_applied_and_verified(world, tmp_path, kind, seed):
    with begun(world, kind, seed, "mixed", tmp_path) as run:
        run.check("apply", run.truth.check(run.apply(verify=True), world.there()))
        run.end()
