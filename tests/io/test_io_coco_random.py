"""Random COCO files: what is read, written and pushed covers the pixels that pycocotools' merge covers.

HASTYFRAME_COCO_FILES=2000 draws as many files; a few dozen are enough to see a fault come back.
"""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from pycocotools import mask as coco_masks

import hastyframe as hf
import hastyframe.io as hio
from hastyframe import masks as hm
from hastyframe.painting import one_ring_each, paint

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools
COUNT = int(os.environ.get("HASTYFRAME_COCO_FILES", "30"))
BLOCK = 100
AS_ID = [int, float, str, np.int64, np.float32, np.int16]


def ring(rng, height: int, width: int) -> list[float]:
    corner, side = rng.uniform(-2, [width, height]), rng.uniform(1, [width, height])
    if rng.random() < 0.3:
        (x, y), (right, bottom) = corner.round(), (corner + side).round() + 1
        return [x, y, right, y, right, bottom, x, bottom]
    points = corner + side * rng.random((int(rng.integers(3, 9)), 2))
    return points.round(int(rng.integers(0, 3))).reshape(-1).tolist()


def hole_of(outline: list[float]) -> list[float]:
    points = np.reshape(outline, (-1, 2))
    return (points.mean(axis=0) + (points - points.mean(axis=0))[::-1] / 3).reshape(-1).tolist()


def segmentation(rng, height: int, width: int):
    """Rings that overlap, repeat and lie in each other; or run-lengths of both kinds."""
    kind = rng.random()
    if kind < 0.7:
        rings = [ring(rng, height, width) for _ in range(rng.integers(1, 5))]
        if rng.random() < 0.4:
            rings.append(hole_of(rings[0]))
        if rng.random() < 0.2:
            rings.append(rings[0])
        return rings
    image = np.asfortranarray(rng.random((height, width)) < rng.choice([0.0, 0.1, 0.6, 1.0]), np.uint8)
    rle = coco_masks.encode(image)
    if kind < 0.85:
        return {"size": list(rle["size"]), "counts": rle["counts"].decode()}
    flat = image.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return {"size": [height, width], "counts": [0, *counts] if flat[0] else counts}


def random_file(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 40, (int(rng.integers(1, 4)), 2)).tolist()
    images = [{"id": n + 1, "file_name": f"{n}.png", "height": h, "width": w} for n, (h, w) in enumerate(sizes)]
    rows = []
    for number in range(int(rng.integers(1, 9))):
        image = int(rng.integers(len(images)))
        found = segmentation(rng, *sizes[image])
        row = {"id": number + 1, "image_id": image + 1, "category_id": 1, "segmentation": found}
        rows.append(row | {"iscrowd": int(isinstance(found, dict)), "bbox": [0, 0, 1, 1], "area": 1})
    return {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cell"}]}


def with_ids_of(data: dict, as_id, as_other_id) -> dict:
    """The same file with ids of other types; a text of a number is the number."""
    rows = [row | {"id": as_other_id(row["id"]), "image_id": as_id(row["image_id"])} for row in data["annotations"]]
    return data | {"images": [row | {"id": as_other_id(row["id"])} for row in data["images"]], "annotations": rows}


def expected_pixels(data: dict) -> list[np.ndarray]:
    size = {row["id"]: (row["height"], row["width"]) for row in data["images"]}
    out = []
    for row in data["annotations"]:
        rles = coco_masks.frPyObjects(row["segmentation"], *size[row["image_id"]]) if not (
            isinstance(row["segmentation"], dict) and isinstance(row["segmentation"]["counts"], str)
        ) else row["segmentation"]  # fmt: skip
        out.append(coco_masks.decode(coco_masks.merge(rles) if isinstance(rles, list) else rles).astype(bool))
    return out


def pixels_of(label_set: hio.LabelSet, labels=None) -> list[np.ndarray]:
    labels = label_set.labels if labels is None else labels
    sizes = label_set.images[["height", "width"]].loc[labels["image_id"]].to_numpy(float)
    runs, boxes = paint(labels, sizes, "the labels", "coco")
    return in_images(runs, boxes, sizes.astype(int))


def in_images(runs, boxes, sizes) -> list[np.ndarray]:
    out = []
    for mask, (x, y, right, bottom), size in zip(hm.decode(runs, boxes), boxes.tolist(), sizes.tolist(), strict=True):
        image = np.zeros(size, bool)
        image[y:bottom, x:right] = mask
        out.append(image)
    return out


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("block", range(0, COUNT, BLOCK))
def test_random_files_cover_the_pixels_of_pycocotools(block):
    for seed in range(block, min(block + BLOCK, COUNT)):
        data = random_file(seed)
        expected = expected_pixels(data)
        rng = np.random.default_rng(seed)
        as_id, other = (AS_ID[number] for number in rng.integers(len(AS_ID), size=2))
        source = with_ids_of(data, as_id, other)
        if not {as_id, other} & {np.int64, np.float32, np.int16}:
            source = io.BytesIO(json.dumps(source).encode())
        label_set = hio.read_coco(source, masks="coco", on_loss="ignore")
        assert same(pixels_of(label_set), expected), seed
        rings = hio.read_coco(data, masks=None, on_loss="ignore")
        drawn = [row for row, each in enumerate(data["annotations"]) if isinstance(each["segmentation"], list)]
        assert same(pixels_of(rings, rings.labels.iloc[drawn]), [expected[row] for row in drawn]), seed
        for segmentation in ("keep", "rle"):
            file = io.BytesIO()
            label_set.to_coco(file, segmentation=segmentation, on_loss="ignore")
            written = json.loads(file.getvalue())
            if segmentation == "keep":
                assert same(expected_pixels(written), expected), seed
            back = hio.read_coco(io.BytesIO(file.getvalue()), masks="coco", on_loss="ignore")
            if segmentation == "keep":
                assert same(pixels_of(back), expected), seed
        pushed = one_ring_each(label_set.labels, label_set.images)
        assert "parts" not in pushed or not (pushed["parts"].notna() & pushed["mask"].isna()).any()
        assert same(pixels_of(label_set, pushed), expected), seed


def test_by_the_rule_of_centres_parts_unite_too():
    for seed in range(20):
        data = random_file(seed)
        label_set = hio.read_coco(data, on_loss="ignore")
        for row, label in zip(data["annotations"], label_set.labels.itertuples(), strict=True):
            if isinstance(row["segmentation"], dict) or len(row["segmentation"]) < 2:
                continue
            size = label_set.images.loc[label.image_id, ["height", "width"]].to_numpy(int)
            images = [in_images(*hm.polygon_to_rle([ring], size), size[None])[0] for ring in row["segmentation"]]
            whole = in_images(*paint(label_set.labels.loc[[label.Index]], size[None].astype(float), "x"), size[None])
            assert np.array_equal(whole[0], np.any(images, axis=0)), seed


def test_what_is_pushed_is_the_union(tmp_path):
    parts = [[5, 5, 20, 5, 20, 20, 5, 20], [10, 10, 25, 10, 25, 25, 10, 25]]
    data = random_file(0) | {
        "images": [{"id": 1, "file_name": "a.png", "height": 30, "width": 32}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": parts}],
    }
    from PIL import Image

    Image.new("L", (32, 30)).save(tmp_path / "a.png")
    client = hf.Client.local(tmp_path / "server", progress=False)
    project = client.get_workspaces().index[0]
    project = client.create_project(project, "parts")
    for masks in ("center", None):
        label_set = hio.read_coco(data, masks=masks, on_loss="ignore")
        project.push(label_set, tmp_path)
    assert hf.add_area(project.get_labels())["area"].tolist() == [350, 350]
