"""Real annotations, where they are at hand."""

import json

import pytest
from hypothesis import settings

settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def coco_file():
    from .samples import DATA

    path = DATA / "coco" / "instances_val2014_100.json"
    if not path.exists():
        pytest.skip(f"no COCO annotations at {path}; set HASTYFRAME_DATA to the folder that holds coco/")
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def real_polygons(coco_file):
    """Segmentations of the polygon annotations, and the sizes of their images."""
    size = {image["id"]: (image["height"], image["width"]) for image in coco_file["images"]}
    found = [each for each in coco_file["annotations"] if isinstance(each["segmentation"], list)]
    return [each["segmentation"] for each in found], [size[each["image_id"]] for each in found]
