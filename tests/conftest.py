"""The embedded server with models, fresh projects on it, real pictures, and a recorder of what goes over the wire."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from making import DATA, MODELS, make_images, make_labels, make_project
from recording import Recorder, record

import hastyframe as hf


@pytest.fixture(scope="session")
def client():
    """A client of an embedded server that all tests share."""
    with hf.Client.local(models=MODELS, progress=False) as client:
        yield client


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
