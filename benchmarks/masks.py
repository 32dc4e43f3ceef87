"""Masks: this project and its peers on the same work, one thread, in one run.

Run with ``python benchmarks/masks.py``. The annotations are COCO's ``instances_val2014_100.json``, looked for in
``$HASTYFRAME_DATA/coco``, else in the folder ``shared/data/coco`` beside the checkout. Peers that are not installed are
left out: pycocotools, rlemasklib, supervision, opencv-python-headless, pillow, hasty.

All run on one processor, so that threads help nobody. Contestants take turns, so that a busy machine slows down all of
them, and what counts is the median of the rounds, in processor time. A turn repeats a short call for some milliseconds,
so that nobody pays for what the one before left in the caches. Every table says how many times as long a peer takes,
and the least that this project aims at. The floor is a copy of the same bytes.

Two peers want a word. pycocotools takes 255 masks in one call of ``area`` and ``toBbox`` and fails on more under
NumPy 2; the calls for one mask each stand beside those. rlemasklib keeps masks as objects; "parsed before" leaves out
what it takes to make them from the bytes that all others begin with.
"""

import argparse
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hastyframe import masks as hm

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
OURS = "hastyframe"
SLOW = {"hasty", "supervision", "pycocotools, whole images"}
"""Contestants that get one turn: their times are long enough to be sure."""

TURN = 20e-3
"""Seconds for which a turn repeats a call: long enough that all work on the real masks is measured with warm caches."""

AIMS = {
    ("encode", "pycocotools"): 2.0,
    ("decode", "pycocotools"): 3.5,
    ("decode", "rlemasklib"): 1.0,
    ("area", "pycocotools"): 10.0,
    ("bbox", "pycocotools"): 10.0,
    ("polygon_to_runs", "pycocotools"): 1.5,
    ("polygon_to_coco_runs", "pycocotools"): 1.0,
    ("to_coco", "pycocotools"): 3.0,
}
"""How many times as long as this project a peer should take at least."""

Contest = dict[str, Callable[[], Any]]


class Work(NamedTuple):
    """The same masks in the form that each contestant wants, made ready before the clock starts."""

    name: str
    polygons: list[Any]
    sizes: np.ndarray
    runs: hm.Ragged
    boxes: np.ndarray
    crops: list[np.ndarray]


def peer(name: str) -> Any:
    """Import a peer; None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


def real_work() -> Work:
    """Load the polygon annotations of 100 real images, as pycocotools paints them."""
    path = DATA / "coco" / "instances_val2014_100.json"
    if not path.exists():
        sys.exit(f"No annotations at {path}. Set HASTYFRAME_DATA to the folder that holds coco/.")
    content = json.loads(path.read_text())
    size = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    found = [each for each in content["annotations"] if isinstance(each["segmentation"], list)]
    polygons = [each["segmentation"] for each in found]
    sizes = np.array([size[each["image_id"]] for each in found])
    runs, boxes = hm.polygon_to_rle(polygons, sizes, rule="coco")
    return Work(f"{len(found)} real masks", polygons, sizes, runs, boxes, hm.decode(runs, boxes))


def many_work(real: Work, count: int) -> Work:
    """Repeat the small ones of the real masks."""
    side = np.maximum(real.boxes[:, 2] - real.boxes[:, 0], real.boxes[:, 3] - real.boxes[:, 1])
    index = np.resize(np.flatnonzero(side <= 40), count)
    runs, boxes = real.runs.take(index), real.boxes[index]
    polygons = [real.polygons[one] for one in index]
    return Work(f"{count:,} small masks", polygons, real.sizes[index], runs, boxes, hm.decode(runs, boxes))


def encode(work: Work) -> Contest:
    """Turn pixels, an array a mask, into run-lengths."""
    out: Contest = {OURS: lambda: hm.encode(work.crops)}
    flat = hm.decode_flat(work.runs, work.boxes)
    out[f"{OURS}, one buffer"] = lambda: hm.encode(flat)
    if coco := peer("pycocotools.mask"):
        turned = [np.asfortranarray(crop) for crop in work.crops]
        out["pycocotools"] = lambda: [coco.encode(crop) for crop in turned]
        out["pycocotools, from C order"] = lambda: [coco.encode(np.asfortranarray(crop)) for crop in work.crops]
    if rle := peer("rlemasklib"):
        out["rlemasklib"] = lambda: [rle.RLEMask.from_array(crop) for crop in work.crops]
    if sv := peer("supervision"):
        masks = [
            (crop[None].astype(bool), np.array([[0, 0, crop.shape[1] - 1, crop.shape[0] - 1]])) for crop in work.crops
        ]
        out["supervision"] = lambda: [sv.CompactMask.from_dense(mask, box, mask.shape[1:]) for mask, box in masks]
    if hasty := peer("hasty.label_utils"):
        out["hasty"] = lambda: [hasty.rle_encoding(crop) for crop in work.crops]
    return out


def decode(work: Work) -> Contest:
    """Turn run-lengths into pixels, an array a mask."""
    out: Contest = {OURS: lambda: hm.decode(work.runs, work.boxes)}
    out[f"{OURS}, one buffer"] = lambda: hm.decode_flat(work.runs, work.boxes)
    if coco := peer("pycocotools.mask"):
        rles = [coco.encode(np.asfortranarray(crop)) for crop in work.crops]
        out["pycocotools"] = lambda: [coco.decode(rle) for rle in rles]
        if rle := peer("rlemasklib"):
            out["rlemasklib"] = lambda: [rle.decode(one) for one in rles]
            objects = [rle.RLEMask.from_dict(one) for one in rles]
            out["rlemasklib, parsed before"] = lambda: [one.to_array() for one in objects]
    if sv := peer("supervision"):
        masks = [
            sv.CompactMask.from_dense(
                crop[None].astype(bool), np.array([[0, 0, crop.shape[1] - 1, crop.shape[0] - 1]]), crop.shape
            )
            for crop in work.crops
        ]
        out["supervision"] = lambda: [mask.crop(0) for mask in masks]
    if hasty := peer("hasty.label_utils"):
        lists = list(zip(work.runs.to_list(), [crop.shape[::-1] for crop in work.crops], strict=True))
        out["hasty"] = lambda: [hasty.rle_decode(runs, shape) for runs, shape in lists]
    return out


def area(work: Work) -> Contest:
    """Count the pixels of masks."""
    out: Contest = {OURS: lambda: hm.area(work.runs)}
    if coco := peer("pycocotools.mask"):
        rles = hm.to_coco_rle(work.runs, work.boxes, work.sizes)
        groups = [rles[start : start + 255] for start in range(0, len(rles), 255)]  # it fails on longer lists
        out["pycocotools"] = lambda: [coco.area(rle) for rle in rles]
        out["pycocotools, 255 at a time"] = lambda: [coco.area(group) for group in groups]
        if rle := peer("rlemasklib"):
            objects = [rle.RLEMask.from_dict(one) for one in rles]
            out["rlemasklib, parsed before"] = lambda: [one.area() for one in objects]
    if cv2 := peer("cv2"):
        out["opencv, from pixels"] = lambda: [cv2.countNonZero(crop) for crop in work.crops]
    return out


def bbox(work: Work) -> Contest:
    """Find tight boxes around masks."""
    out: Contest = {OURS: lambda: hm.bbox(work.runs, work.boxes)}
    if coco := peer("pycocotools.mask"):
        rles = hm.to_coco_rle(work.runs, work.boxes, work.sizes)
        groups = [rles[start : start + 255] for start in range(0, len(rles), 255)]
        out["pycocotools"] = lambda: [coco.toBbox(rle) for rle in rles]
        out["pycocotools, 255 at a time"] = lambda: [coco.toBbox(group) for group in groups]
        if rle := peer("rlemasklib"):
            objects = [rle.RLEMask.from_dict(one) for one in rles]
            out["rlemasklib, parsed before"] = lambda: [one.bbox() for one in objects]
    if cv2 := peer("cv2"):
        out["opencv, from pixels"] = lambda: [cv2.boundingRect(crop) for crop in work.crops]
    return out


def polygon_to_runs(work: Work) -> Contest:
    """Turn polygons, lists of numbers, into run-lengths."""
    flat = hm.as_polygons(work.polygons)
    out: Contest = {OURS: lambda: hm.polygon_to_rle(work.polygons, work.sizes)}
    out[f"{OURS}, from flat points"] = lambda: hm.polygon_to_rle(flat, work.sizes)
    pairs = list(zip(work.polygons, work.sizes.tolist(), strict=True))
    if coco := peer("pycocotools.mask"):
        out["pycocotools"] = lambda: [coco.frPyObjects(parts, *size) for parts, size in pairs]
        out["pycocotools, parts united"] = lambda: [coco.merge(coco.frPyObjects(parts, *size)) for parts, size in pairs]
    boxes = [hm.polygon_bounds(parts)[0] for parts in work.polygons[:1000]]
    if len(boxes) < len(work.polygons):
        return out
    frames = [(int(x), int(y), int(x_max) - int(x) + 1, int(y_max) - int(y) + 1) for x, y, x_max, y_max in boxes]
    if cv2 := peer("cv2"):
        cv2.setNumThreads(1)
        rings = [
            ([np.reshape(part, (-1, 2)).astype(np.int32) - [x, y] for part in parts], (height, width))
            for parts, (x, y, width, height) in zip(work.polygons, frames, strict=True)
        ]
        out["opencv, to pixels of the box"] = lambda: [
            cv2.fillPoly(np.zeros(shape, np.uint8), parts, 1) for parts, shape in rings
        ]
    if (image := peer("PIL.Image")) and (draw := peer("PIL.ImageDraw")):
        shifted = [
            ([(np.reshape(part, (-1, 2)) - [x, y]).reshape(-1).tolist() for part in parts], (width, height))
            for parts, (x, y, width, height) in zip(work.polygons, frames, strict=True)
        ]

        def paint() -> None:
            for parts, shape in shifted:
                canvas = image.new("L", shape)
                for part in parts:
                    draw.Draw(canvas).polygon(part, fill=1)

        out["pillow, to pixels of the box"] = paint
    return out


def polygon_to_coco_runs(work: Work) -> Contest:
    """Turn polygons into run-lengths by COCO's rule; pycocotools counts in images and by columns, this in boxes."""
    flat = hm.as_polygons(work.polygons)
    out: Contest = {OURS: lambda: hm.polygon_to_rle(work.polygons, work.sizes, rule="coco")}
    out[f"{OURS}, from flat points"] = lambda: hm.polygon_to_rle(flat, work.sizes, rule="coco")
    if coco := peer("pycocotools.mask"):
        pairs = list(zip(work.polygons, work.sizes.tolist(), strict=True))
        out["pycocotools"] = lambda: [coco.merge(coco.frPyObjects(parts, *size)) for parts, size in pairs]
    return out


def to_coco(work: Work) -> Contest:
    """Turn runs in boxes into COCO's strings; pycocotools decodes and encodes the boxes alone, which flatters it."""
    out: Contest = {OURS: lambda: hm.to_coco_rle(work.runs, work.boxes, work.sizes)}
    coco = peer("pycocotools.mask")
    if not coco:
        return out
    rles = [coco.encode(np.asfortranarray(crop)) for crop in work.crops]
    out["pycocotools"] = lambda: [coco.encode(coco.decode(rle)) for rle in rles]
    lists = list(zip(work.runs.to_list(), work.boxes.tolist(), work.sizes.tolist(), strict=True))[:5000]
    if (hasty := peer("hasty.label_utils")) and len(lists) == len(rles):

        def whole() -> None:
            for runs, (x, y, x_max, y_max), size in lists:
                image = np.zeros(size, np.uint8, order="F")
                image[y:y_max, x:x_max] = hasty.rle_decode(runs, (x_max - x, y_max - y))
                coco.encode(image)

        out["pycocotools, whole images"] = whole
    return out


def from_coco(work: Work) -> Contest:
    """Turn COCO's strings into runs inside tight boxes."""
    rles = hm.to_coco_rle(work.runs, work.boxes, work.sizes)
    out: Contest = {OURS: lambda: hm.from_coco_rle(rles)}
    if (coco := peer("pycocotools.mask")) and len(rles) < 5000:
        out["pycocotools, whole images"] = lambda: [hm.encode(coco.decode(rle)) for rle in rles]
    return out


def mask_iou(work: Work) -> Contest:
    """Compare 300 masks with each other, all laid on one canvas."""
    count = min(len(work.crops), 300)
    some = np.arange(count)
    runs, boxes = work.runs.take(some), work.boxes[some]
    out: Contest = {OURS: lambda: hm.iou(runs, boxes, runs, boxes, pairs="all")}
    canvas = tuple(work.sizes[:count].max(axis=0).tolist())
    rles = hm.to_coco_rle(runs, boxes, canvas)
    if coco := peer("pycocotools.mask"):
        crowd = [0] * count
        out["pycocotools"] = lambda: coco.iou(rles, rles, crowd)
    return out


CONTESTS = [encode, decode, area, bbox, polygon_to_runs, polygon_to_coco_runs, to_coco, from_coco, mask_iou]


def turn(call: Callable[[], Any]) -> float:
    """Milliseconds of a call: the mean of as many as fit into a turn, after one that does not count."""
    start = time.process_time()
    call()
    took = time.process_time() - start
    if took > TURN:
        return took * 1e3
    times = int(TURN / took) + 1
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times * 1e3


def medians(contest: Contest, rounds: int) -> dict[str, float]:
    """Milliseconds of each contestant: the median of its turns."""
    times: dict[str, list[float]] = {name: [] for name in contest}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(rounds):
            for name, call in contest.items():
                if not number or name not in SLOW:
                    times[name].append(turn(call))
    return {name: float(np.median(each)) for name, each in times.items()}


def report(work: Work, rounds: int) -> None:
    """Print a table of all contests."""
    pixels = hm.decode_flat(work.runs, work.boxes).values
    print(f"\n{work.name}: {pixels.size / 1e6:.1f} Mpx inside the boxes, {len(work.runs.values) // 2:,} runs\n")
    print(f"{'':<36}{'ms':>10}{'times ours':>12}{'aim':>8}")
    floor = medians({"pixels": pixels.copy, "runs": work.runs.values.copy}, rounds)
    for name, took in floor.items():
        print(f"{'floor: a copy of the ' + name:<36}{took:10.2f}")
    for contest in CONTESTS:
        contestants = contest(work)
        times = medians(contestants, rounds)
        print(f"{contest.__name__}: {contest.__doc__}")
        for name, took in times.items():
            ratio = took / times[OURS]
            aim = AIMS.get((contest.__name__, name))
            verdict = "" if aim is None else f"{aim:8.1f}  {'reached' if ratio >= aim else 'missed'}"
            print(f"    {name:<32}{took:10.2f}" + ("" if name == OURS else f"{ratio:12.2f}{verdict}"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=15, help="how often each contestant runs")
    options.add_argument("--many", type=int, default=100_000, help="how many small masks")
    given = options.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    real = real_work()
    report(real, given.rounds)
    report(many_work(real, given.many), min(given.rounds, 5))


if __name__ == "__main__":
    main()
