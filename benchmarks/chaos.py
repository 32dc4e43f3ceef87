"""Bulk creates against a server that misbehaves: what is lost and what is there twice, ours and the official client.

One request in five meets a fault: an error before or after it was carried out, a connection that is cut, half an
answer, an answer past the time-out, 429. Each seed creates 5,000 labels over 100 images, 200 of them equal to others on
purpose, where 300 equal ones are already. The official client's loop creates the same, an image at a time, and goes on
after an image that fails; its pauses between tries are left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

import hastyframe as hf
from hastyframe import transport
from hastyframe.planning import label_contents

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]
from edits import chaos  # noqa: E402 (found by the line above)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies use what Python is about to drop
    import hasty


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.2)
    options = parser.parse_args()
    totals: dict[str, Counter[str]] = {"hastyframe": Counter(), "official": Counter()}
    print(f"{'seed':>4} {'client':<11}{'lost':>6}{'twice':>7}{'seconds':>9}", flush=True)
    with (
        tempfile.TemporaryDirectory() as server,
        tempfile.TemporaryDirectory() as pictures,
        hf.Client.local(server, progress=False, timeout=chaos.TIMEOUT) as client,
    ):
        project = chaos.make_world(client, Path(pictures), 100)
        for seed in range(options.seeds):
            for name, create in (("hastyframe", ours), ("official", theirs)):
                lost, twice, seconds = one(client, project, seed, options.rate, create)
                totals[name].update(lost=lost, twice=twice, wrong=bool(lost or twice))
                print(f"{seed:>4} {name:<11}{lost:>6}{twice:>7}{seconds:>9.1f}", flush=True)
    for name, total in totals.items():
        print(f"{name}: {total['wrong']} of {options.seeds} seeds wrong, {total['lost']} lost, {total['twice']} twice")


def one(client, project, seed, rate, create) -> tuple[int, int, float]:
    """Create the labels of a seed; return how many are missing and how many too many, and the time."""
    rng = np.random.default_rng(seed)
    images = project.get_images().index.tolist()
    project.delete_labels(project.get_labels())
    wanted = chaos.with_duplicates(chaos.make_labels(images, 5000, rng), 200, rng)
    there = project.create_labels(wanted.iloc[:300])
    expected = chaos.intended(project, pd.concat([there, wanted]))
    began = time.perf_counter()
    create(client, project, wanted, lambda: setattr(client.server, "faults", chaos.faults(rate, seed)))
    seconds = time.perf_counter() - began
    client.server.faults = None
    chaos.wait_until_settled()
    stored = chaos.stored(client.folder, project.id)
    return (expected - stored).total(), (stored - expected).total(), seconds


def ours(client, project, wanted, begin) -> None:
    before = project.get_labels()
    plan = project.plan_labels(before, pd.concat([before, wanted]))
    with mock.patch.object(transport, "_FIRST_PAUSE", 0.002):
        begin()
        plan.apply()


def theirs(client, project, wanted, begin) -> None:
    ids = project.get_label_classes().reset_index().set_index("name")["class_id"]
    wanted = wanted.assign(class_id=wanted["class_name"].map(ids))
    official = hasty.Client(client.api_key, client.base_url).get_project(project.id)
    images = {image_id: official.get_image(image_id) for image_id in wanted["image_id"].unique()}
    begin()
    with mock.patch("retrying.time.sleep"):
        for image_id, rows in wanted.groupby("image_id"):
            records = label_contents(rows)
            for start in range(0, len(records), 100):
                try:
                    images[image_id].create_labels(records[start : start + 100])
                except Exception as error:
                    print(f"     official: {type(error).__name__}", file=sys.stderr)


if __name__ == "__main__":
    main()
