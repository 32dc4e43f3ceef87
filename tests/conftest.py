"""The embedded server with models, fresh projects on it, real pictures, and a recorder of what goes over the wire."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from recording import Recorder, record

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


@pytest.fixture(scope="session")
def client():
    """A client of an embedded server that all tests share."""
    with hf.Client.local(models=MODELS, progress=False) as client:
        yield client


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


@pytest.fixture
def project(client) -> hf.Project:
    """A project of the test's own."""
    return make_project(client)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of pictures: two photographs that scikit-image carries, two that are drawn here."""
    skimage = pytest.importorskip("skimage.data")
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    for name in ("cell.png", "coins.png"):
        shutil.copy(Path(skimage.__file__).parent / name, folder / name)
    ramp = np.add.outer(np.arange(30), np.arange(40)).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "ramp.png")
    Image.fromarray(np.stack([ramp, 2 * ramp, 3 * ramp], -1)).save(folder / "ramp.jpg")
    return folder


@pytest.fixture
def images(project, pictures):
    """The images of the project, from the folder of pictures."""
    return make_images(project, pictures)


@pytest.fixture
def labels(project, images):
    """The labels of the project."""
    return make_labels(project, images)


@pytest.fixture(scope="session")
def _recorder(client):
    with record(client.base_url) as recorder:
        yield recorder


@pytest.fixture
def recorder(_recorder) -> Recorder:
    """What goes over the wire from now on, for clients of `recorder.url`."""
    _recorder.clear()
    return _recorder


@pytest.fixture
def recorded(client, recorder, project):
    """The project, seen through the recorder by a client that knows nothing yet."""
    through = hf.Client(client.api_key, recorder.url, progress=False)
    found = through.get_project(project.id)
    recorder.clear()
    yield found
    through.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real annotations."""
    if not DATA.is_dir():
        pytest.skip(f"there is no folder {DATA}; HASTYFRAME_DATA names another one")
    return DATA
