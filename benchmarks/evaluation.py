"""Predictions against labels: this project and its peers on the same files, each in a fresh process, taking turns.

Run with ``python benchmarks/evaluation.py``. The files are COCO's ``instances_val2014_100.json``, looked for in
``$HASTYFRAME_DATA/coco``, else in the folder ``shared/data/coco`` beside the checkout, and tiled: its 100 images again
and again, each annotation jittered into 0 to 2 detections, one class in seven flipped, scores at random. Peers that are
not installed are left out: pycocotools, faster-coco-eval, hotcoco.

*evaluate* is from loaded annotations (here: frames) to the twelve figures, the median of three in a process; *arrays*
adds the precision and recall of everything, which the peers cannot leave out. *file to figures* is from JSON files to
the first twelve figures in a process, imports left out. *memory* is what the process holds at most beyond its imports
(Linux). With ``--growth``, what 1,000 images take the more there are.
The figures of all contestants are compared; more than 1e-9 of difference is an error for this project.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _memory import forget, most_held

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
OURS, ARRAYS, REFERENCE = "hastyframe", "hastyframe, arrays", "pycocotools"
PEERS = {REFERENCE: "pycocotools.cocoeval", "faster-coco-eval": "faster_coco_eval", "hotcoco": "hotcoco"}


# Data -----------------------------------------------------------------------------------------------------------------


def tile(folder: Path, times: int, kind: str, seed: int = 0) -> None:
    """Write labels and detections of 100 real images, `times` over."""
    content = json.loads((DATA / "coco" / "instances_val2014_100.json").read_text())
    rng = np.random.default_rng(seed)
    images, annotations = content["images"], content["annotations"]
    place = {image["id"]: number for number, image in enumerate(images, 1)}
    categories = [category["id"] for category in content["categories"]]
    copies = [(turn, row) for turn in range(times) for row in range(len(annotations))]
    count = rng.integers(0, 3, len(copies))
    owner = np.repeat(np.arange(len(copies)), count)
    rows = np.array([row for _, row in copies])[owner]
    boxes = np.array([annotation["bbox"] for annotation in annotations])[rows]
    jitter = rng.normal(0, 0.05, (len(rows), 4))
    corner, side = boxes[:, :2] + jitter[:, :2] * boxes[:, 2:], np.maximum(boxes[:, 2:] * (1 + jitter[:, 2:]), 1)
    klass = np.array([annotation["category_id"] for annotation in annotations])[rows]
    klass = np.where(rng.random(len(rows)) < 0.15, rng.choice(categories, len(rows)), klass)
    image = [copies[each][0] * 100 + place[annotations[copies[each][1]]["image_id"]] for each in owner.tolist()]
    shapes = (
        [{"bbox": box} for box in np.round(np.concatenate([corner, side], axis=1), 2).tolist()]
        if kind == "bbox"
        else [{"segmentation": rle} for rle in shifted_masks(content, rows, jitter)]
    )
    scores = np.round(rng.random(len(rows)), 3).tolist()
    detections = [
        {"image_id": where, "category_id": name, **shape, "score": score}
        for where, name, shape, score in zip(image, klass.tolist(), shapes, scores, strict=True)
    ]
    truth = {
        **content,
        "images": [
            {**each, "id": turn * 100 + number} for turn in range(times) for number, each in enumerate(images, 1)
        ],
        "annotations": [
            {**annotations[row], "id": number, "image_id": turn * 100 + place[annotations[row]["image_id"]]}
            for number, (turn, row) in enumerate(copies, 1)
        ],
    }
    (folder / "labels.json").write_text(json.dumps(truth))
    (folder / f"{kind}.json").write_text(json.dumps(detections))


def shifted_masks(content: dict[str, Any], rows: np.ndarray, jitter: np.ndarray) -> list[dict[str, Any]]:
    """Masks of annotations, moved by some percent of their boxes, inside their images."""
    from pycocotools import mask as coco

    from hastyframe import masks

    size = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    sizes = np.array([size[annotation["image_id"]] for annotation in content["annotations"]])
    segments = [annotation["segmentation"] for annotation in content["annotations"]]
    rles = [
        coco.merge(coco.frPyObjects(segment, *shape))
        if isinstance(segment, list)
        else coco.frPyObjects(segment, *shape)
        for segment, shape in zip(segments, sizes.tolist(), strict=True)
    ]
    runs, boxes = masks.from_coco_rle(rles)
    runs, boxes, sizes = runs.take(rows), boxes[rows], sizes[rows]
    side = boxes[:, 2:] - boxes[:, :2]
    moved = np.clip(boxes[:, :2] + np.rint(jitter[:, :2] * side).astype(int), 0, sizes[:, ::-1] - side)
    return masks.to_coco_rle(runs, np.concatenate([moved, moved + side], axis=1), sizes, counts="str")


# Contestants ----------------------------------------------------------------------------------------------------------


def ours(labels: str, detections: str, kind: str, arrays: bool) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    import hastyframe as hf
    import hastyframe.evaluation
    import hastyframe.io

    shapes: Any = {"masks": "coco"} if kind == "mask" else {"segmentation": False}

    def load() -> Any:
        label_set = hf.read_coco(labels, **shapes, on_loss="ignore")
        return label_set, hf.read_coco_detections(detections, label_set, **shapes, on_loss="ignore")

    def evaluate(loaded: Any) -> Any:
        label_set, predictions = loaded
        found = hf.evaluate(label_set.labels, predictions, images=label_set.images, iou=kind, rule="coco")
        figures = found.summary().tolist()
        if arrays:
            found.precision.sum()
        return figures

    return load, evaluate


def theirs(name: str, labels: str, detections: str, kind: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    if name == REFERENCE:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluator
    elif name == "hotcoco":
        from hotcoco import COCO
        from hotcoco import COCOeval as Evaluator
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Evaluator

    def load() -> Any:
        truth = COCO(labels)
        return truth, getattr(truth, "loadRes", getattr(truth, "load_res", None))(detections)

    def evaluate(loaded: Any) -> Any:
        run = Evaluator(*loaded, "segm" if kind == "mask" else kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
        return [float(figure) for figure in run.stats[:12]]

    return load, evaluate


def run(name: str, folder: str, kind: str, warm: bool) -> None:
    """Be one contestant, and print what it took; of the evaluations after the first one where asked for."""
    warnings.simplefilter("ignore")
    files = (f"{folder}/labels.json", f"{folder}/{kind}.json")
    with contextlib.redirect_stdout(io.StringIO()):
        own = name in (OURS, ARRAYS)
        load, evaluate = ours(*files, kind, name == ARRAYS) if own else theirs(name, *files, kind)
        before, start = forget(), time.perf_counter()
        loaded = load()
        loading = time.perf_counter() - start
        figures = evaluate(loaded)
        whole, memory = time.perf_counter() - start, most_held() - before
        times = [whole - loading]
        while len(times) < (4 if warm else 3) and (warm or whole < 8):
            if not own:
                loaded = load()  # they write into what they evaluate
            start = time.perf_counter()
            evaluate(loaded)
            times.append(time.perf_counter() - start)
    middle = statistics.median(times[1:] if warm else times)
    print(json.dumps({"evaluate": middle, "first": times[0], "whole": whole, "memory": memory, "figures": figures}))


# The contest ----------------------------------------------------------------------------------------------------------


def contest(times: int, kind: str, rounds: int, threads: int | None, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tile(Path(folder), times, kind)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
        print(
            f"\n{kind}, {times * 100:,} images, files of {size:,.0f} MiB, {threads or os.cpu_count()} threads, "
            f"{rounds} rounds"
        )
        environment = environment_of(threads)
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for turn in range(rounds):
            for name in names:
                if name == REFERENCE and turn:
                    continue  # its time is long enough to be sure
                results[name].append(measure(name, folder, kind, environment))
    report(results)


def measure(name: str, folder: str, kind: str, environment: dict[str, str], *options: str) -> dict[str, Any]:
    """Let a contestant run in a process of its own."""
    command = [sys.executable, __file__, "--run", name, folder, kind, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(kind: str, tiles: list[int], threads: int | None, names: list[str]) -> None:
    """Say what an image takes the more there are: the median of three evaluations after the first one."""
    print(f"\n{kind}: the evaluation step, {threads or os.cpu_count()} threads")
    print(f"{'':20}{'images':>9}{'first':>10}{'evaluate':>11}{'1,000 images':>15}{'ratio':>8}{'memory':>12}")
    base: dict[str, float] = {}
    for times in tiles:
        with tempfile.TemporaryDirectory() as folder:
            tile(Path(folder), times, kind)
            for name in names:
                found = measure(name, folder, kind, environment_of(threads), "--warm")
                each = found["evaluate"] / times / 100
                ratio = each / base.setdefault(name, each)
                print(
                    f"{name:20}{times * 100:9,}{found['first']:8.3f} s{found['evaluate']:9.3f} s{each * 1e6:12.2f} ms"
                    f"{ratio:8.2f}{found['memory'] / 2**20:8,.0f} MiB"
                )


def environment_of(threads: int | None) -> dict[str, str]:
    return {**os.environ, "RAYON_NUM_THREADS": str(threads)} if threads else dict(os.environ)


def report(results: dict[str, list[dict[str, Any]]]) -> None:
    reference = results.get(REFERENCE, next(iter(results.values())))[0]["figures"]
    base = statistics.median(each["evaluate"] for each in results[OURS])
    print(f"{'':20}{'evaluate':>12}{'ratio':>8}{'file to figures':>18}{'memory':>12}{'difference':>13}")
    for name, each in results.items():
        evaluate, whole, memory = (
            statistics.median(one[key] for one in each) for key in ("evaluate", "whole", "memory")
        )
        gap = float(np.nanmax(np.abs(np.subtract(each[0]["figures"], reference))))
        print(f"{name:20}{evaluate:10.3f} s{evaluate / base:8.2f}{whole:16.3f} s{memory / 2**20:8,.0f} MiB{gap:13.1e}")
        if name in (OURS, ARRAYS) and gap > 1e-9:
            sys.exit(f"{name} differs from the reference by {gap}.")


def installed() -> list[str]:
    found = [OURS, ARRAYS]
    for name, module in PEERS.items():
        with contextlib.suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
            found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, nargs="+", help="how often the 100 images are repeated; 50 by default")
    parser.add_argument("--growth", action="store_true", help="what an image takes the more there are, and no contest")
    parser.add_argument("--kinds", nargs="+", default=["bbox", "mask"], choices=["bbox", "mask"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads that hotcoco may take; all by default")
    parser.add_argument("--without", nargs="+", default=[], help="contestants to leave out")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--warm", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(*options.run, options.warm)
        return
    if not (DATA / "coco").is_dir():
        sys.exit(f"No annotations at {DATA / 'coco'}. Set HASTYFRAME_DATA to the folder that holds coco/.")
    names = [name for name in installed() if name not in options.without]
    for kind in options.kinds:
        if options.growth:
            tiles = options.tiles or ([50, 100, 200, 500] if kind == "bbox" else [50, 100])
            growth(kind, tiles, options.threads, [name for name in names if name in (OURS, ARRAYS, "hotcoco")])
            continue
        for times in options.tiles or [50]:
            contest(times, kind, options.rounds, options.threads, names)


if __name__ == "__main__":
    main()
