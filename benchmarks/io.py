"""Files: this project and its peers on the same work in one run.

Run with ``python benchmarks/io.py``. The COCO file is made by repeating the 100 images of COCO's
``instances_val2014_100.json`` 50 times: 5,000 images and 41,950 annotations, the size of val2017. The original is
looked for in ``$HASTYFRAME_DATA/coco``, else in the folder ``shared/data/coco`` beside the checkout. Peers that are not
installed are left out: pycocotools, hotcoco, supervision.

pycocotools and hotcoco open the file and paint nothing; ``masks=None`` is that work. *Boxes only* passes segmentations
over, ``segmentation=False``. The others also paint: all objects of several parts, and run-lengths, as masks.

Each contestant runs in a process of its own, and the processes take turns, so that a busy machine slows down all of
them. The time is that of the call, after the imports, the best of the rounds; the memory is by how much the call raised
the peak of the process, the lowest of the rounds. supervision makes a picture of every mask at once, so it gets a tenth
of the file: the whole takes more than 20 GiB.
"""

import argparse
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _memory import forget, most_held

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
LABELS = 1_000_000
PYCOCOTOOLS = "pycocotools.coco.COCO"
SUPERVISION = "supervision from_coco"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        coco_benchmark(Path(folder), options.rounds)
        parquet_benchmark(Path(folder), options.rounds)


# Contestants ----------------------------------------------------------------------------------------------------------
# Each does its imports, and returns the call that is measured.


def read_coco(**options: Any) -> Callable[[str], Any]:
    import hastyframe.io as hio

    shape = {"bbox": [0, 0, 4, 4], "segmentation": [[0, 0, 4, 0, 4, 4]] * 2}
    tiny = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **shape}],
    }
    hio.read_coco(io.BytesIO(json.dumps(tiny).encode()), **options)  # what is imported on first use
    return lambda path: hio.read_coco(path, **options, on_loss="ignore")


def pycocotools() -> Callable[[str], Any]:
    from pycocotools.coco import COCO

    return COCO


def hotcoco() -> Callable[[str], Any]:
    from hotcoco import COCO

    return COCO


def supervision() -> Callable[[str], Any]:
    import supervision as sv

    return lambda path: sv.DetectionDataset.from_coco(images_directory_path=".", annotations_path=path)


def write_parquet() -> Callable[[str], Any]:
    label_set, target = many_labels(), tempfile.mkdtemp()
    return lambda path: label_set.to_parquet(target if path == "-" else path)


def read_parquet() -> Callable[[str], Any]:
    import hastyframe.io as hio

    many_labels(images=10, labels=10)
    return hio.read_parquet


COCO: dict[str, tuple[str, Callable[[], Callable[[str], Any]]]] = {
    PYCOCOTOOLS: ("pycocotools", pycocotools),
    "hotcoco.COCO": ("hotcoco", hotcoco),
    "hastyframe, boxes only": ("hastyframe", lambda: read_coco(segmentation=False)),
    "hastyframe, masks=None": ("hastyframe", lambda: read_coco(masks=None)),
    "hastyframe": ("hastyframe", read_coco),
    'hastyframe, masks="coco"': ("hastyframe", lambda: read_coco(masks="coco")),
}
TENTH = {
    SUPERVISION: ("supervision", supervision),
    "hastyframe": COCO["hastyframe"],
}
PARQUET = {"to_parquet": ("hastyframe", write_parquet), "read_parquet": ("hastyframe", read_parquet)}


def child(name: str, path: str) -> None:
    """Run one contestant once and print seconds and megabytes."""
    warnings.simplefilter("ignore")
    _, prepare = {**COCO, **TENTH, **PARQUET}[name]
    call = prepare()
    before = forget()
    start = time.perf_counter()
    result = call(path)
    seconds = time.perf_counter() - start
    print("\n" + json.dumps([seconds, (most_held() - before) / 2**20]))
    del result


def contest(contestants: dict[str, Any], path: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Best time and least memory of each contestant, in processes of their own that take turns."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(rounds):
        for name in contestants:
            command = [sys.executable, __file__, "--child", name, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            seconds, memory = json.loads(done.stdout.splitlines()[-1])
            old = best.get(name, (seconds, memory))
            best[name] = (min(seconds, old[0]), min(memory, old[1]))
    return best


# COCO -----------------------------------------------------------------------------------------------------------------


def coco_benchmark(folder: Path, rounds: int) -> None:
    source = DATA / "coco" / "instances_val2014_100.json"
    if not source.exists():
        print(f"No annotations at {source}. Set HASTYFRAME_DATA to the folder that holds coco/.", file=sys.stderr)
        return
    compare(source, folder / "coco.json", 50, COCO, PYCOCOTOOLS, rounds)
    compare(source, folder / "tenth.json", 5, TENTH, SUPERVISION, 1)


def compare(source: Path, path: Path, times: int, contestants: dict[str, Any], base: str, rounds: int) -> None:
    images, annotations = tiled(source, path, times)
    there = {name: c for name, c in contestants.items() if importlib.util.find_spec(c[0])}
    found = contest(there, path, rounds)
    print(f"\nA COCO file of {images:,} images, {annotations:,} annotations, {path.stat().st_size / 2**20:.0f} MiB")
    print(f"{'':28}{'seconds':>9}{'times as fast':>15}{'MiB':>8}")
    unit = found[base][0] if base in found else float("nan")
    for name, (seconds, memory) in found.items():
        print(f"{name:28}{seconds:9.3f}{unit / seconds:15.1f}{memory:8.0f}")


def tiled(source: Path, target: Path, times: int) -> tuple[int, int]:
    data = json.loads(source.read_text())
    images, annotations = [], []
    for copy in range(times):
        offset = copy * 1_000_000
        images += [
            {**image, "id": image["id"] + offset, "file_name": f"{copy:02}_{image['file_name']}"}
            for image in data["images"]
        ]
        first = len(annotations) + 1
        annotations += [
            {**annotation, "id": number, "image_id": annotation["image_id"] + offset}
            for number, annotation in enumerate(data["annotations"], start=first)
        ]
    target.write_text(json.dumps({**data, "images": images, "annotations": annotations}))
    return len(images), len(annotations)


# Parquet --------------------------------------------------------------------------------------------------------------


def many_labels(images: int = 10_000, labels: int = LABELS) -> Any:
    """Labels with boxes, one in ten with a mask of ten runs."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    import hastyframe.io as hio
    from hastyframe import frames

    random = np.random.default_rng(0)
    image_frame = pd.DataFrame({"name": [f"{i}.jpg" for i in range(images)], "width": 640, "height": 480})
    classes = pd.DataFrame({"name": [f"class {i}" for i in range(80)]})
    corner = random.integers(0, 400, (labels, 2)).astype(float)
    masked = np.arange(labels) % 10 == 0
    runs = np.stack([1 + 60 * np.arange(10), np.full(10, 40)], axis=1).reshape(-1).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(20 * masked)]).astype(np.int32)
    mask = pa.ListArray.from_arrays(offsets, np.tile(runs, masked.sum()), mask=pa.array(~masked))
    label_frame = pd.DataFrame(
        {
            "image_id": image_frame.index.astype("str").take(np.sort(random.integers(0, images, labels))),
            "class_name": pd.Categorical.from_codes(random.integers(0, 80, labels), classes["name"]),
            "x_min": corner[:, 0],
            "y_min": corner[:, 1],
            "x_max": corner[:, 0] + 40,
            "y_max": corner[:, 1] + 30,
            "mask": pd.array(mask, dtype=pd.ArrowDtype(frames.MASK)),
        }
    )
    return hio.LabelSet(image_frame, label_frame, classes)


def parquet_benchmark(folder: Path, rounds: int) -> None:
    path = folder / "parquet"
    written = contest({"to_parquet": PARQUET["to_parquet"]}, path, rounds)
    found = written | contest({"read_parquet": PARQUET["read_parquet"]}, path, rounds)
    size = sum(file.stat().st_size for file in path.iterdir()) / 2**20
    print(f"\n{LABELS:,} labels, one in ten with a mask, to Parquet ({size:.0f} MiB) and back")
    for name, (seconds, memory) in found.items():
        print(f"{name:28}{seconds:9.3f} s{LABELS / seconds / 1e6:8.1f} million labels a second{memory:7.0f} MiB")
    shutil.rmtree(path)


if __name__ == "__main__":
    main()
