"""What several measurements need: a server in a process of its own, pictures, clocks."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

import hastyframe as hf

__all__ = ["LABELS_EACH", "WORKERS", "fill", "labels_on", "picture", "run", "served", "timed"]

T = TypeVar("T")

WORKERS = 16
LABELS_EACH = 10


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


def fill(folder: Path, images: int, *, side: int = 8, labelled: int = 0) -> None:
    """Make a project with many images, of which the first have labels, unless the folder has one."""
    with served(folder, 0) as (url, key), tempfile.TemporaryDirectory() as pictures:
        client = hf.Client(key, url, progress=False)
        if len(client.get_projects()):
            return
        print(f"Making {images:,} images and {labelled * LABELS_EACH:,} labels ...", flush=True)
        project = client.create_project(client.get_workspaces(), "Benchmark")
        project.create_dataset("data")
        project.create_label_class("thing")
        project.create_label_class("other")
        for number in range(images):
            Image.new("L", (side, side)).save(Path(pictures, f"{number:06d}.png"))
        report = project.upload_images(pictures, "data")
        assert (report["outcome"] == "uploaded").all()
        project.create_labels(labels_on(project.get_images().index[:labelled]))


def labels_on(image_ids: pd.Index) -> pd.DataFrame:
    """Make labels with masks on images, ten on each."""
    rows = len(image_ids) * LABELS_EACH
    corner = np.arange(rows) % 4
    boxes = {"x_min": corner, "y_min": corner, "x_max": corner + 4, "y_max": corner + 4}
    masks = [[1, 2, 5, 2, 9, 2, 13, 2]] * rows
    return pd.DataFrame({"image_id": image_ids.repeat(LABELS_EACH), "class_name": "thing", **boxes, "mask": masks})


def timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def picture(folder: Path, number: int, size: int) -> Path:
    path = folder / f"{number:06d}.png"
    pixels = np.random.default_rng(number).integers(0, 255, (size, size), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def run(arguments: list[str], data: bytes = b"") -> str:
    return subprocess.run([sys.executable, *arguments], input=data, stdout=subprocess.PIPE, check=True).stdout.decode()
