"""Reading and uploading through the API, beside the official client; frames of JSON; the import.

    python benchmarks/api.py [--latency 0.05] [--images 10000] [--folder DIR]

The embedded server runs in a process of its own and delays every answer. The ideal is what the requests would take
if nothing but the latency cost time: requests / workers x latency. With `--folder` the data made for the
measurement is kept and used again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
from PIL import Image

import hastyframe as hf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import hasty

WORKERS = 16
LABELLED, LABELS_EACH = 1_000, 10
UPLOADED = 200


@contextlib.contextmanager
def served(folder: Path, latency: float) -> Iterator[tuple[str, str]]:
    """Run the embedded server in a process of its own; give its address and key."""
    command = [sys.executable, "-m", "hastyframe", "serve", "--folder", os.fspath(folder), "--port", "0"]
    process = subprocess.Popen([*command, "--latency", str(latency)], stdout=subprocess.PIPE, text=True)
    try:
        found: dict[str, str] = {}
        while len(found) < 2:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("The server did not start.")
            found |= dict(re.findall(r"export (HASTY_\w+)=(\S+)", line))
        yield found["HASTY_BASE_URL"], found["HASTY_API_KEY"]
    finally:
        process.terminate()
        process.wait()


def timed(work: Callable[[], object]) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def picture(folder: Path, number: int, size: int) -> Path:
    path = folder / f"{number:06d}.png"
    pixels = np.random.default_rng(number).integers(0, 255, (size, size), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def fill(folder: Path, images: int) -> None:
    """Make a project with many small images, some of them labelled."""
    with served(folder, 0) as (url, key), tempfile.TemporaryDirectory() as pictures:
        client = hf.Client(key, url, progress=False)
        if len(client.get_projects()):
            return
        print(f"Making {images:,} images and {LABELLED * LABELS_EACH:,} labels ...", flush=True)
        project = client.create_project(client.get_workspaces(), "Benchmark")
        project.create_dataset("data")
        project.create_label_class("thing")
        paths = [picture(Path(pictures), number, 8) for number in range(images)]
        report = project.upload_images(paths, "data")
        assert (report["outcome"] == "uploaded").all()
        ids = project.get_images().index[:LABELLED].repeat(LABELS_EACH)
        corner = np.arange(len(ids)) % 4
        project.create_labels(
            pd.DataFrame(
                {
                    "image_id": ids,
                    "class_name": "thing",
                    "x_min": corner,
                    "y_min": corner,
                    "x_max": corner + 4,
                    "y_max": corner + 4,
                    "mask": [[1, 2, 5, 2, 9, 2, 13, 2]] * len(ids),
                }
            )
        )


def through_the_api(folder: Path, latency: float, images: int) -> None:
    fill(folder, images)
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
gathering = frames.Gathering(entities.Label)
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


def run(arguments: list[str], data: bytes = b"") -> str:
    return subprocess.run([sys.executable, *arguments], input=data, stdout=subprocess.PIPE, check=True).stdout.decode()


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
