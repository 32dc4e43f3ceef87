"""Bulk edits: applying a plan beside the official client's loop and beside bare requests; planning a large difference.

    python benchmarks/edits.py [--latency 0.05] [--images 1000] [--labels 1000000] [--rounds 3] [--folder DIR]

The embedded server runs in a process of its own and delays every answer. The ideal is what the requests would take if
nothing but the latency cost time: requests / workers x latency. The runs alternate; what is said are medians.

- *plan and apply*: `project.plan_labels(before, after).apply(journal)`, timed from two frames to the report. Its images
  have been read before, as by whoever edits labels.
- *the same, nothing read before*: the two frames come from elsewhere, so that each image is read before it is written
  to, which is another request.
- *bare requests*: the same POSTs with bodies that are ready, over the same pool, without a plan, checks or a journal.
  What it takes less is the cost of safety.
- *official client*: `image.create_labels` for an image after the other, on some of the images, scaled to all of them.

Planning is measured in a process of its own. In: both frames read and checked, the difference, the project's images (a
listing over HTTP from a server without latency). Out: making the frames. Memory is the peak of resident memory while
planning, both frames included, over that of the frames.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from _common import LABELS_EACH, WORKERS, fill, labels_on, run, served, timed

import hastyframe as hf
from hastyframe.planning import label_contents

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import hasty

SIDE = 1_000


def applying(folder: Path, latency: float, images: int, rounds: int) -> None:
    fill(folder, images, side=SIDE)
    with served(folder, latency) as (url, key):
        client = hf.Client(key, url, max_workers=WORKERS, progress=False)
        project = client.get_project("Benchmark")
        theirs = hasty.Client(key, url).get_project(project.id)
        ids = project.get_images().index[:images]
        labels = labels_on(ids)
        slow = [theirs.get_image(key) for key in ids[: max(1, images // 10)]]
        records = label_contents(labels.assign(class_id=project.get_label_class("thing").id))
        bodies = [records[start : start + LABELS_EACH] for start in range(0, len(records), LABELS_EACH)]

        def ours(journal: Path) -> None:
            after = pd.concat([before, labels])
            report = project.plan_labels(before, after).apply(journal)
            assert (report["outcome"] == "created").all()

        def cold(journal: Path) -> None:
            with hf.Client(key, url, max_workers=WORKERS, progress=False) as other:
                report = other.get_project(project.id).plan_labels(before, pd.concat([before, labels])).apply(journal)
            assert (report["outcome"] == "created").all()

        def bare(_: Path) -> None:
            transport = client._transport

            def send(number: int) -> Any:
                return transport.post(f"/v1/projects/{project.id}/images/{ids[number]}/labels", bodies[number])

            transport.map(send, range(len(ids)))

        def official(_: Path) -> None:
            for number, image in enumerate(slow):
                image.create_labels(bodies[number])

        runs: dict[str, Callable[[Path], None]] = {
            "plan and apply": ours,
            "bare requests": bare,
            "the same, nothing read before": cold,
            "official client": official,
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, work in runs.items():
                project.delete_labels(project.get_labels())
                before = project.get_labels()
                with tempfile.TemporaryDirectory() as temporary:
                    seconds[name].append(timed(lambda work=work, t=temporary: work(Path(t, "journal.jsonl")))[0])
        project.delete_labels(project.get_labels())

    took = {name: statistics.median(found) for name, found in seconds.items()}
    scaled = took["official client"] * images / len(slow)
    ideal = images / WORKERS * latency
    print(f"\n{len(labels):,} labels over {images:,} images, {latency * 1000:g} ms an answer, {WORKERS} workers\n")
    print(f"{'':<44}{'seconds':>9}{'ideal':>8}{'of ideal':>10}{'official / it':>15}")
    for name, requests in {"plan and apply": 1, "the same, nothing read before": 2, "bare requests": 1}.items():
        print(
            f"{name:<44}{took[name]:>9.2f}{requests * ideal:>8.2f}{took[name] / ideal / requests:>9.2f}x"
            f"{scaled / took[name]:>14.1f}x"
        )
    share = f", {len(slow):,} images scaled" if len(slow) < images else ""
    print(f"{'official client' + share:<44}{scaled:>9.2f}")
    cost = 1 - took["bare requests"] / took["plan and apply"]
    print(f"\nplan, checks, journal and report: {cost:.1%} of plan and apply")


PLAN = """
import statistics, sys, time
import numpy as np, pandas as pd, pyarrow as pa
import hastyframe as hf
from hastyframe import frames

labels, runs = int(sys.argv[3]), int(sys.argv[4])
project = hf.Client(sys.argv[2], sys.argv[1], progress=False).get_project("Benchmark")
images = project.get_images().index
classes = project.get_label_classes()
rng = np.random.default_rng(0)

def make(rows, ids):
    x, y = rng.integers(0, 900, (2, rows))
    # Runs in order inside of a box of 100 by 100: gap and length in turn.
    steps = rng.integers(1, 200, (rows, runs, 2))
    ends = steps.reshape(rows, -1).cumsum(1).reshape(rows, runs, 2)
    values = np.stack([ends[..., 0], steps[..., 1]], -1).astype(np.int32)
    offsets = np.arange(0, (rows + 1) * 2 * runs, 2 * runs, dtype=np.int32)
    masks = pa.ListArray.from_arrays(offsets, values.reshape(-1))
    frame = pd.DataFrame({
        "image_id": images[rng.integers(0, len(images), rows)].sort_values(),
        "class_id": classes.index[rng.integers(0, len(classes), rows)],
        "x_min": x, "y_min": y, "x_max": x + 100, "y_max": y + 100,
        "mask": pd.array(masks, dtype=pd.ArrowDtype(frames.MASK)), "z_index": 0.0,
    }, index=ids)
    frame["class_name"] = pd.Categorical(frame["class_id"].map(classes["name"]), categories=classes["name"])
    frame["polygon"] = pd.array([None] * rows, dtype=pd.ArrowDtype(frames.POLYGON))
    frame["external_id"] = pd.Series([None] * rows, index=ids, dtype="str")
    return frames.conform(hf.entities.Label, frame)[list(frames.dtypes(hf.entities.Label))]

ids = pd.Index([f"{a:08x}-5f3a-4d52-8c7e-{b:012x}" for a, b in rng.integers(0, 2**32, (labels, 2)).tolist()],
               dtype="str", name="label_id")
before = make(labels, ids)
after = before.copy()
edited = rng.permutation(labels)[: labels * 3 // 100]
name, z, mask = np.array_split(edited, 3)
differs = np.zeros(labels, bool)
differs[edited] = True
differs[name] = before["class_name"].iloc[name] != classes["name"].iloc[-1]
after.iloc[name, after.columns.get_loc("class_name")] = classes["name"].iloc[-1]
after.iloc[z, after.columns.get_loc("z_index")] = 1.0
other = make(len(mask), None)["mask"].array
after.iloc[mask, after.columns.get_loc("mask")] = other
gone = rng.random(labels) < 0.01
after = pd.concat([after[~gone], make(labels // 100, pd.RangeIndex(labels // 100))])

def rss(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what))

size = sum(frame.memory_usage(deep=True).sum() for frame in (before, after))
project.plan_labels(before.iloc[:100], after.iloc[:100])  # imports and warm-up
seconds, peaks = [], []
for _ in range(int(sys.argv[5])):
    pa.default_memory_pool().release_unused()
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak of resident memory begins anew
    start = rss("VmRSS")
    began = time.perf_counter()
    plan = project.plan_labels(before, after)
    seconds.append(time.perf_counter() - began)
    peaks.append(rss("VmHWM") - start)
    counts = len(plan.creates), len(plan) - len(plan.creates) - len(plan.deletes), len(plan.deletes)
    assert counts == (labels // 100, (differs & ~gone).sum(), gone.sum()), counts
    del plan
print(statistics.median(seconds), (max(peaks) + size) / size, size)
"""


def planning(folder: Path, labels: int, runs: int, rounds: int) -> None:
    with served(folder, 0) as (url, key):
        answer = run(["-c", PLAN, url, key, str(labels), str(runs), str(rounds)])
    seconds, memory, size = map(float, answer.split())
    print(f"\nplan {labels:,} labels with masks of {runs} runs, 3 % edited, 1 % new, 1 % gone: {seconds:.2f} s,")
    print(f"peak memory {memory:.2f} times that of both frames ({size / 1e6:,.0f} MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        applying(folder, options.latency, options.images, options.rounds)
        planning(folder, options.labels, 20, options.rounds)


if __name__ == "__main__":
    main()
