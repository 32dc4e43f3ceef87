"""From a project to a model and back: what a model that was fed an export gives is about the project's images."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

import hastyframe as hf

BOX = ["x_min", "y_min", "x_max", "y_max"]


def test_results_of_a_model_that_was_fed_an_export(project, images, labels, tmp_path):
    archive = project.export("gt", "json_coco", image_status=["NEW"]).wait(timeout=60).download(tmp_path)
    with zipfile.ZipFile(archive) as members:
        gt = json.loads(members.read(members.namelist()[0]))
    results = [
        {**{key: row[key] for key in ("image_id", "category_id", "bbox")}, "score": 1.0}
        for row in gt["annotations"]
        if row["bbox"]
    ]
    fed = hf.read_coco(archive)
    found = hf.as_predictions(results, images=fed)
    assert set(found["image_id"]) <= set(images.index)
    assert found["class_id"].isin(project.get_label_classes().index).all()
    stored = project.get_labels()
    assert hf.evaluate(stored, found, images=images).summary()["AP"] == pytest.approx(1)
    assert sorted(fed.labels.index) == sorted(stored.index)
    created = project.create_labels(found[found[BOX].eq(found[BOX].round()).all(axis=1)])
    assert len(created) == 3


def test_results_by_file_name_become_labels_of_the_project(project, images):
    result = {"boxes": np.array([[1, 2, 9, 8]]), "scores": np.array([0.5]), "labels": np.array([1])}
    by_path = {f"/data/train/{name}": result for name in images["name"]}
    found = hf.as_predictions(by_path, images=images, classes=["cell", "coin"])
    created = project.create_labels(found)
    assert created["image_id"].tolist() == images.index.tolist()
    assert set(created["class_name"]) == {"coin"}
    assert created[BOX].to_numpy().tolist() == [[1, 2, 9, 8]] * len(images)
    with pytest.raises(hf.FrameError, match=r"Nearest: 'coin'"):
        hf.as_predictions(
            {"coins.png": {**result, "labels": ["Coins"]}}, images=images, classes=project.get_label_classes()
        )
