"""Reading and uploading through the API, beside the official client; frames of JSON; the import.

    python benchmarks/api.py [--latency 0.05] [--images 10000] [--folder DIR]

The embedded server runs in a process of its own and delays every answer. The ideal is what the requests would take
if nothing but the latency cost time: requests / workers x latency. With `--folder` the data made for the
measurement is kept and used again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
from _common import LABELS_EACH, WORKERS, fill, picture, run, served, timed

import hastyframe as hf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import hasty

LABELLED = 1_000
UPLOADED = 200


def through_the_api(folder: Path, latency: float, images: int) -> None:
    fill(folder, images, labelled=LABELLED)
    with served(folder, latency) as (url, key), tempfile.TemporaryDirectory() as pictures:
        ours = hf.Client(key, url, max_workers=WORKERS, progress=False).get_project("Benchmark")
        theirs = hasty.Client(key, url).get_project(ours.id)
        print(f"\nServer in its own process, {latency * 1000:g} ms an answer, {WORKERS} workers\n")
        print(f"{'':<44}{'ours':>9}{'official':>10}{'ratio':>8}{'ideal':>8}{'of ideal':>10}")

        seconds, frame = timed(ours.get_images)
        expected, listed = timed(lambda: list(iterate(theirs.get_images())))
        assert len(frame) == len(listed)
        row(f"list {len(frame):,} images", seconds, expected, np.ceil(len(frame) / 100), latency)

        labelled = frame.iloc[:LABELLED]
        seconds, labels = timed(lambda: ours.get_labels(labelled))
        expected, found = timed(lambda: sum(len(list(iterate(i.get_labels()))) for i in listed[:LABELLED]))
        assert len(labels) == found
        row(f"read {len(labels):,} labels of {LABELLED:,} images", seconds, expected, LABELLED, latency)

        paths = [picture(Path(pictures), number, 256) for number in range(UPLOADED)]
        mine, other = (ours.create_dataset(name) for name in ("a", "b"))
        seconds, report = timed(lambda: ours.upload_images(paths, mine))
        assert (report["outcome"] == "uploaded").all()
        expected, _ = timed(lambda: [theirs.upload_from_file(other.id, os.fspath(path)) for path in paths])
        row(f"upload {UPLOADED} pictures", seconds, expected, 2 * UPLOADED + UPLOADED / 100, latency)
        mine.delete()
        other.delete()


def iterate(things: object) -> Iterator[object]:
    return (things[index] for index in range(len(things)))


def row(what: str, ours: float, official: float, requests: float, latency: float) -> None:
    ideal = requests / WORKERS * latency
    print(
        f"{what:<44}{ours:>7.2f} s{official:>8.2f} s{official / ours:>7.1f}x{ideal:>6.2f} s{ours / ideal:>9.2f}x",
        flush=True,
    )


FRAME_OF_JSON = """
import resource, sys, time
import numpy as np, orjson, psutil
from hastyframe import entities, frames
page = sys.stdin.buffer.read()
frames.from_records(entities.Label, orjson.loads(page)["items"])  # imports and warm-up
process = psutil.Process()
before = process.memory_info().rss
began = time.perf_counter()
gathering = frames.RecordBuffer(entities.Label)
pages = [gathering.add(orjson.loads(page)["items"]) for _ in range(int(sys.argv[1]))]
pages[::2], pages[1::2] = pages[1::2], pages[::2]  # they arrive out of order
frame = frames.from_arrow(entities.Label, gathering.batches(pages))
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
size = frame.memory_usage(deep=True).sum()
print(len(frame) / seconds, peak / size, size / len(frame))
"""


def frame_of_json(labels: int = 100_000, runs: int = 20, page_size: int = 100) -> None:
    """Make a frame of the bytes of answers, as `get_labels` does it in its threads; here in one."""
    rng = np.random.default_rng(0)
    one = "0b7c9c1e-5f3a-4d52-8c7e-3d6a2f1b9e{:02d}"
    items = [
        {
            "id": one.format(i),
            "project_id": one.format(99),
            "image_id": one.format(98),
            "class_id": one.format(i % 5),
            "bbox": [10, 20, 110, 120],
            "polygon": None,
            "mask": np.cumsum(rng.integers(1, 200, 2 * runs)).tolist(),
            "z_index": 0,
            "external_id": None,
        }
        for i in range(page_size)
    ]
    page = orjson.dumps({"meta": {"total": labels}, "items": items})
    results = [[float(v) for v in run(["-c", FRAME_OF_JSON, str(labels // page_size)], page).split()] for _ in range(5)]
    speed, memory, size = (statistics.median(values) for values in zip(*results, strict=True))
    print(f"\nframe of {labels:,} labels from JSON pages of {page_size}, masks of {runs} runs: {speed:,.0f} labels a")
    print(f"second, peak memory {memory:.2f} times the frame's ({size:.0f} bytes a label)")


def imports(times: int = 9) -> None:
    """Whole processes in turn, so that both meet the same machine."""
    seconds: dict[str, list[float]] = {"pandas": [], "hastyframe": []}
    for _ in range(times):
        for name, found in seconds.items():
            found.append(timed(lambda name=name: run(["-c", f"import {name}"]))[0])
    pandas, ours = (statistics.median(found) for found in seconds.values())
    print(f"\nimport hastyframe {ours:.2f} s, import pandas {pandas:.2f} s: {ours / pandas:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    imports()
    frame_of_json()
    frame_of_json(page_size=LABELS_EACH)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        through_the_api(folder, options.latency, options.images)


if __name__ == "__main__":
    main()
