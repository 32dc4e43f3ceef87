"""Every public call with values of the wrong kind in the place of each argument: an error of ours, and nothing sent."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from making import make_images, make_labels, make_project

import hastyframe as hf
from hastyframe import arguments

ODD = {
    "None": None,
    "0": 0,
    "-1": -1,
    "2**70": 2**70,
    "1.5": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "True": True,
    "complex": 1j,
    "no text": "",
    "NUL": "a\0b",
    "half a pair": "a\ud800",
    "long": "x" * (arguments.LONGEST_TEXT + 1),
    "bytes": b"x",
    "a path": Path("nowhere/at all"),
    "an object": object(),
    "a moment": datetime.datetime(2024, 1, 1),
    "[]": [],
    "[None]": [None],
    "[3]": [3],
    "[[]]": [[]],
    "[half a pair]": ["\ud800"],
    "[NUL]": ["\0"],
    "[a dict]": [{"x": 1}],
    "[a half in a dict]": [{"image_id": "\ud800", "name": "\ud800", "label_id": "\ud800", "class_name": "\ud800"}],
    "{}": {},
    "a dict": {"x": 1},
    "a set": {1},
    "an array": np.array([1.5, 2.5]),
    "an array of arrays": np.zeros((2, 2)),
    "a Series": pd.Series([1, 2]),
    "an empty frame": pd.DataFrame(),
    "a frame": pd.DataFrame({"x": [1, 2]}),
    "a frame of halves": pd.DataFrame({"x": ["\ud800"], "label_id": ["\ud800"], "image_id": ["\ud800"]}, dtype=object),
    "a frame of moments": pd.DataFrame({"image_id": pd.to_datetime(["2024-01-01"]), "value": [1]}),
    "a frame of missing values": pd.DataFrame({"image_id": [None], "label_id": [None], "class_name": [None]}),
    "a frame with a column twice": pd.DataFrame([[1, 2]], columns=["image_id", "image_id"]),
    "a workspace": hf.Workspace(None, {"id": "w", "name": "w"}),
}
"""What somebody may give by mistake; a few are what some arguments take."""


class Scene:
    """One of each thing, for calls on it."""

    def __init__(self, project: hf.Project, pictures: Path, folder: Path) -> None:
        self.project, self.pictures, self.folder = project, pictures, folder
        self.images = make_images(project, pictures)
        self.labels = make_labels(project, self.images)
        self.image = project.get_image(self.images.index[0])
        self.dataset = project.get_dataset("train")
        self.label_class = project.get_label_class("coin")
        self.tag_class = project.create_tag_class("blurry")
        self.attribute = project.create_attribute("size", "INT")
        self.label = hf.Label(
            project._requester,
            {
                "id": self.labels.index[0],
                "image_id": self.image.id,
                "class_id": self.label_class.id,
                "bbox": [0, 0, 2, 2],
            },
            {"project_id": project.id},
        )
        self.export = project.export("x", "json_v1.1").wait()
        self.client = hf.Client(project._requester._api_key, project._requester.base_url, progress=False)
        self.empty = self.client.create_project(self.client.get_workspaces(), "Empty")
        self.detector = project.get_detector()
        self.segmentor = project.get_semantic_segmentor()
        self.attributer = project.get_attributer()


# Call -> the thing that has it, its name, and arguments that are good.
CALLS = {
    "Client.get_project": lambda s: (s.client.get_project, {"project_id": s.project.id}),
    "Client.create_project": lambda s: (
        s.client.create_project, {"workspace": s.client.get_workspaces(), "name": "n", "description": "d"}
    ),
    "Project.edit": lambda s: (s.project.edit, {"name": "Things", "description": "d"}),
    "Project.get_dataset": lambda s: (s.project.get_dataset, {"dataset_id": "train"}),
    "Project.create_dataset": lambda s: (s.project.create_dataset, {"name": "n", "norder": 1}),
    "Project.get_images": lambda s: (s.project.get_images, {"dataset": "train", "image_status": "NEW"}),
    "Project.get_image": lambda s: (s.project.get_image, {"image_id": s.image.id}),
    "Project.upload_from_file": lambda s: (
        s.project.upload_from_file, {"dataset": "val", "filepath": s.pictures / "ramp.png", "external_id": "e"}
    ),
    "Project.upload_from_url": lambda s: (
        s.project.upload_from_url,
        {"dataset": "val", "filename": "u.png", "url": "http://127.0.0.1:9/u.png", "copy_original": True,
         "external_id": "e"},
    ),
    "Project.upload_images": lambda s: (
        s.project.upload_images, {"images": s.pictures, "dataset": "train", "compare": "size"}
    ),
    "Project.download_images": lambda s: (
        s.project.download_images, {"images": s.images, "folder": s.folder / "out", "overwrite": False}
    ),
    "Project.set_status": lambda s: (s.project.set_status, {"images": s.images, "status": "NEW"}),
    "Project.get_labels": lambda s: (
        s.project.get_labels, {"images": s.images, "dataset": "train", "image_status": "NEW"}
    ),
    "Project.create_labels": lambda s: (s.project.create_labels, {"labels": s.labels.iloc[:0]}),
    "Project.edit_labels": lambda s: (s.project.edit_labels, {"labels": s.labels.iloc[:0]}),
    "Project.delete_labels": lambda s: (s.project.delete_labels, {"labels": s.labels.iloc[:0]}),
    "Project.get_label_attributes": lambda s: (
        s.project.get_label_attributes, {"labels": s.labels.iloc[:1], "wide": False}
    ),
    "Project.set_label_attributes": lambda s: (
        s.project.set_label_attributes, {"values": [{"label_id": s.label.id, "attribute_name": "size", "value": 1}]}
    ),
    "Project.get_tags": lambda s: (s.project.get_tags, {"images": s.images}),
    "Project.add_tags": lambda s: (s.project.add_tags, {"tags": []}),
    "Project.delete_tags": lambda s: (s.project.delete_tags, {"tags": []}),
    "Project.get_label_class": lambda s: (s.project.get_label_class, {"label_class_id": "coin"}),
    "Project.create_label_class": lambda s: (
        s.project.create_label_class,
        {"name": "n", "color": "#ff0000ff", "class_type": "object", "norder": 1, "external_id": "e"},
    ),
    "Project.get_tag_class": lambda s: (s.project.get_tag_class, {"tag_class_id": "blurry"}),
    "Project.create_tag_class": lambda s: (s.project.create_tag_class, {"name": "n", "norder": 1}),
    "Project.create_attribute": lambda s: (
        s.project.create_attribute,
        {"name": "n", "attribute_type": "SELECTION", "description": "d", "norder": 1, "values": ["a"],
         "subject_type": "LABEL"},
    ),
    "Project.set_attribute_classes": lambda s: (
        s.project.set_attribute_classes,
        {"attribute_classes": [{"attribute_id": s.attribute.id, "class_id": s.label_class.id}]},
    ),
    "Project.delete_attribute_classes": lambda s: (
        s.project.delete_attribute_classes,
        {"attribute_classes": [{"attribute_id": s.attribute.id, "class_id": s.label_class.id}]},
    ),
    "Project.export": lambda s: (
        s.project.export,
        {"name": "n", "export_format": "semantic_png", "dataset": "train", "image_status": "NEW", "sign_urls": False,
         "semantic_format": "gs_asc", "labels_order": ["z_index"]},
    ),
    "Project.pull": lambda s: (s.project.pull, {"dataset": "train", "image_status": "NEW"}),
    "Project.push": lambda s: (s.project.push, {"label_set": s.empty.pull(), "images_folder": "."}),
    "Project.read_export": lambda s: (s.project.read_export, {"export_format": "json_v1.1"}),
    "Project.get_automated_labeling_job": lambda s: (s.project.get_automated_labeling_job, {"job_id": "nobody"}),
    "Project.create_automated_labeling_job": lambda s: (
        s.project.create_automated_labeling_job,
        {"experiment_id": "x", "confidence_threshold": 0.5, "max_detections_per_image": 1, "num_images": 1,
         "masker_threshold": 0.5, "dataset_id": "val"},
    ),
    "Dataset.edit": lambda s: (s.dataset.edit, {"name": "train", "norder": 1}),
    "LabelClass.edit": lambda s: (
        s.label_class.edit,
        {"name": "coin", "color": "#ff0000ff", "class_type": "object", "norder": 1, "external_id": "e"},
    ),
    "TagClass.edit": lambda s: (s.tag_class.edit, {"name": "blurry", "norder": 1}),
    "Attribute.edit": lambda s: (
        s.attribute.edit,
        {"name": "size", "attribute_type": "INT", "description": "d", "norder": 1, "values": [],
         "subject_type": "LABEL"},
    ),
    "Image.create_label": lambda s: (
        s.image.create_label,
        {"label_class": "coin", "bbox": [0, 0, 2, 2], "polygon": [[0, 0], [2, 0], [2, 2]], "mask": [1, 4],
         "z_index": 1, "external_id": "e"},
    ),
    "Image.create_labels": lambda s: (s.image.create_labels, {"labels": []}),
    "Image.edit_labels": lambda s: (s.image.edit_labels, {"labels": []}),
    "Image.delete_labels": lambda s: (s.image.delete_labels, {"label_ids": []}),
    "Image.set_status": lambda s: (s.image.set_status, {"status": "NEW"}),
    "Image.download": lambda s: (s.image.download, {"filepath": s.folder / "one.png"}),
    "Image.rename": lambda s: (s.image.rename, {"new_name": s.image.name}),
    "Image.move": lambda s: (s.image.move, {"dataset": "train"}),
    "Image.add_tags": lambda s: (s.image.add_tags, {"tags": ["blurry"]}),
    "Image.delete_tags": lambda s: (s.image.delete_tags, {"tags": ["blurry"]}),
    "Label.edit": lambda s: (
        s.label.edit,
        {"label_class": "coin", "bbox": [0, 0, 2, 2], "polygon": None, "mask": [1, 4], "z_index": 1,
         "external_id": "e"},
    ),
    "Label.set_attribute": lambda s: (s.label.set_attribute, {"attribute": "size", "value": 1}),
    "ExportJob.wait": lambda s: (s.export.wait, {"timeout": 1, "progress": False}),
    "ExportJob.download": lambda s: (s.export.download, {"local_folder": s.folder}),
    "Detector.predict": lambda s: (
        s.detector.predict,
        {"image_url": None, "image_path": s.pictures / "ramp.png", "confidence_threshold": 0.5,
         "max_detections_per_image": 1},
    ),
    "Detector.predict, by url": lambda s: (s.detector.predict, {"image_url": s.image.public_url}),
    "Detector.predict_images": lambda s: (
        s.detector.predict_images,
        {"images": s.images, "confidence_threshold": 0.5, "max_detections_per_image": 1},
    ),
    "SemanticSegmentor.predict": lambda s: (
        s.segmentor.predict, {"image_url": None, "image_path": s.pictures / "ramp.png", "min_size": 1}
    ),
    "Attributer.predict": lambda s: (
        s.attributer.predict,
        {"image_url": None, "image_path": s.pictures / "ramp.png", "bboxes": [[0, 0, 2, 2]],
         "confidence_threshold": 0.5},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(client, _recorder, pictures, tmp_path_factory):
    with hf.Client(client.api_key, _recorder.url, progress=False) as through:
        project = through.get_project(make_project(client).id)
        yield Scene(project, pictures, tmp_path_factory.mktemp("arguments"))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_values_of_the_wrong_kind(scene, recorder, call, monkeypatch):
    monkeypatch.chdir(scene.folder)
    function, good = CALLS[call](scene)
    raw, sent = [], []
    for name in good:
        for what, value in ODD.items():
            recorder.clear()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(**{**good, name: value})
            except hf.HastyError as error:
                refused = isinstance(error, hf.ValidationException) and error.status is None
                if refused and recorder.writes:
                    sent.append((name, what, recorder.writes, str(error)))
                if len(str(error)) > 2000:
                    raw.append((name, what, "a message of", len(str(error))))
            except Exception as error:
                raw.append((name, what, type(error).__name__, str(error)[:200]))
    assert raw == []
    assert sent == []
