"""Models, projects, images and labels that tests make."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import hastyframe as hf

DATA = Path(os.environ.get("HASTYFRAME_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Real annotations, where they are at hand."""


def find_corners(picture):
    """A model that sees something in two corners of every picture."""
    height, width = picture.shape[:2]
    return [
        {"bbox": [0, 0, 4, 2], "score": 0.9, "mask": np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)},
        {"bbox": [width - 3, height - 3, width, height], "score": 0.6, "mask": np.ones((3, 3), bool)},
    ]


def find_boxes(picture):
    return [{"bbox": one["bbox"], "score": one["score"]} for one in find_corners(picture)]


def find_region(picture):
    return [{"bbox": one["bbox"], "mask": one["mask"]} for one in find_corners(picture)[:1]]


def find_attributes(picture, boxes):
    """An attributer to which everything is red, in projects that have the attribute colour."""
    return [[{"attribute_name": "colour", "values": ["red"]}] for _ in boxes]


MODELS = {
    "detector": find_boxes,
    "instance_segmentor": find_corners,
    "semantic_segmentor": find_region,
    "attributer": find_attributes,
}


def make_project(client) -> hf.Project:
    """Make a project with the datasets train and val and the classes coin, cell and sky."""
    project = client.create_project(client.get_workspaces(), "Things")
    for name in ("train", "val"):
        project.create_dataset(name)
    project.create_label_class("coin", "#ff0000ff", norder=1)
    project.create_label_class("cell", "#00ff00ff", norder=2)
    project.create_label_class("sky", "#0000ffff", "background", 3)
    return project


def make_images(project, pictures):
    """Upload the pictures: an images frame in the order of their names."""
    project.upload_images(pictures, "train")
    return project.get_images().sort_values("name")


def make_labels(project, images):
    """Make labels on two of the images: a box, a mask, a polygon; and a mask."""
    first, second = images.index[:2]
    records = [
        {"image_id": first, "class_name": "coin", "bbox": [10, 20, 30, 40], "z_index": 1, "external_id": "e1"},
        {"image_id": first, "class_name": "cell", "bbox": [10, 10, 14, 12], "mask": [1, 2, 7, 2]},
        {"image_id": first, "class_name": "cell", "polygon": [[1, 1], [9, 1], [9.5, 9]]},
        {"image_id": second, "class_name": "coin", "bbox": [0, 0, 3, 3], "mask": [1, 9], "z_index": 2.5},
    ]
    return project.create_labels(records)
