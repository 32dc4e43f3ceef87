"""Masks and polygons to test with, and the naive answers to compare with."""

import os
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
masks = shapes.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
mask_lists = st.lists(masks, max_size=6)


def random_masks(count, seed=0):
    """`count` masks of many kinds: noise of all densities, empty, full, one pixel, checkerboards, lines, blobs."""
    rng = np.random.default_rng(seed)
    out = []
    for index in range(count):
        height, width = rng.integers(1, 30, 2)
        kind = index % 10
        if kind == 7:
            height = 1
        if kind == 8:
            width = 1
        mask = rng.random((height, width)) < rng.random()
        if kind == 0:
            mask[:] = False
        elif kind == 1:
            mask[:] = True
        elif kind == 2:
            mask[:] = False
            mask[rng.integers(height), rng.integers(width)] = True
        elif kind == 3:
            mask = (np.add.outer(np.arange(height), np.arange(width)) + index // 10) % 2 == 0
        elif kind == 4:
            y, x = np.mgrid[:height, :width]
            mask = np.hypot(y - height / 2, x - width / 2) < rng.random() * height
        out.append(mask.astype(np.uint8))
    return out


def shapes_of(masks):
    return np.array([mask.shape for mask in masks]).reshape(-1, 2)


def random_boxes(masks, seed=0):
    """Boxes for the masks, each somewhere in an image of its own."""
    rng = np.random.default_rng(seed)
    shape = shapes_of(masks)
    corner = rng.integers(0, 6, shape.shape)
    sizes = corner + shape + rng.integers(0, 3, shape.shape)
    boxes = np.concatenate([corner[:, ::-1], (corner + shape)[:, ::-1]], axis=1)
    return boxes, sizes


def in_image(mask, box, size):
    """The mask painted into its image."""
    image = np.zeros(size, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = mask
    return image


def tight(mask):
    """The naive tight box of a picture."""
    ys, xs = np.nonzero(mask)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(ys) else [0, 0, 0, 0]


def cut(image, box):
    return image[box[1] : box[3], box[0] : box[2]]


def naive_fill(rings, height, width, origin=0):
    """Even-odd rule at pixel centres, each pixel against each edge; the first pixel is (origin, origin)."""
    inside = np.zeros((height, width), bool)
    x, y = np.arange(width)[None, :] + 0.5 + origin, np.arange(height)[:, None] + 0.5 + origin
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            if y0 == y1:
                continue
            cross = x0 + (y - y0) * ((x1 - x0) / (y1 - y0))
            inside ^= (y0 <= y) & (y < y1) & (x >= cross)
    return inside
