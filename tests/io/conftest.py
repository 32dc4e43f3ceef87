"""Label sets that the tests of files share."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

import hastyframe.io as hio

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def coco_file() -> Path:
    path = DATA / "coco" / "instances_val2014_100.json"
    if not path.exists():
        pytest.skip(f"the real annotations are not in {DATA}; HASTYFRAME_DATA names another folder")
    return path


@pytest.fixture
def small() -> hio.LabelSet:
    """Three images in two datasets; a mask, a polygon and a box; an empty image."""
    images = pd.DataFrame(
        {
            "name": ["a.jpg", "b.jpg", "ü 1.png"],
            "dataset_name": ["train", "train", "test"],
            "width": [8, 10, 6],
            "height": [6, 5, 6],
            "status": ["DONE", "NEW", "NEW"],
        },
        index=["i1", "i2", "i3"],
    )
    labels = pd.DataFrame(
        {
            "image_id": ["i1", "i1", "i2"],
            "class_name": ["cat", "dog", "cat"],
            "x_min": [1.0, 0.0, 2.0],
            "y_min": [1.0, 0.0, 1.0],
            "x_max": [5.0, 4.0, 6.0],
            "y_max": [3.0, 4.0, 4.0],
            "polygon": [None, [[0, 0], [4, 0], [4, 4]], None],
            "mask": [[1, 2, 7, 2], None, None],
            "z_index": [1.0, 0.0, 0.0],
        },
        index=["l1", "l2", "l3"],
    )
    classes = pd.DataFrame(
        {"name": ["cat", "dog"], "color": ["#ff0000ff", "#00ff00ff"], "class_type": "object", "norder": [1.0, 2.0]},
        index=["c1", "c2"],
    )
    return hio.LabelSet(images, labels, classes)
