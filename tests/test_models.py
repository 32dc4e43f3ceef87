"""Models: predictions of one picture and of many, as frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from making import make_images, make_project
from servers import serve
from test_project import has_schema

import hastyframe as hf
from hastyframe import entities

CORNERS = [[0, 0, 4, 2], [37, 27, 40, 30]]


@pytest.fixture(scope="module")
def project(client):
    project = make_project(client)
    project.create_attribute("colour", "SELECTION", values=["red", "green"])
    return project


@pytest.fixture(scope="module")
def images(project, pictures):
    return make_images(project, pictures)


def boxes(frame):
    return frame[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist()


@pytest.mark.parametrize("kind", ["detector", "instance_segmentor", "semantic_segmentor"])
def test_predict_by_path_and_by_url(project, images, pictures, kind):
    model = getattr(project, f"get_{kind}")()
    assert (model.status, model.project_id) == ("LOADED", project.id)
    by_path = model.predict(image_path=pictures / "ramp.png")
    by_url = model.predict(images["public_url"].iloc[3])
    for frame in (by_path, by_url):
        has_schema(frame, entities.Prediction)
        assert boxes(frame) == CORNERS[: len(frame)]
        assert frame.index.tolist() == list(range(len(frame)))
        assert set(frame["class_name"]) == {"coin"}
        assert list(frame["class_name"].cat.categories) == ["coin", "cell", "sky"]
        assert frame["image_id"].isna().all()
    assert set(by_path["image_name"]) == {"ramp.png"}
    assert "?" not in by_url["image_name"].iloc[0]
    if kind == "detector":
        assert by_path["mask"].isna().all()
    else:
        assert list(by_path["mask"].iloc[0]) == [1, 2, 7, 2]
    if kind == "semantic_segmentor":
        assert by_path["score"].isna().all()
        assert len(model.predict(image_path=pictures / "ramp.png", min_size=5)) == 0
    else:
        assert by_path["score"].tolist() == [0.9, 0.6]


def test_settings(project, pictures):
    detector = project.get_detector()
    path = pictures / "ramp.png"
    assert len(detector.predict(None, path, 0.7)) == 1
    assert len(detector.predict(None, path, max_detections_per_image=1)) == 1
    nothing = detector.predict(None, path, 0.95)
    assert len(nothing) == 0
    has_schema(nothing, entities.Prediction)
    assert len(detector.predict_images([path, path], 0.7, 5)) == 2


def test_predict_images_in_their_order(project, images, pictures):
    segmentor = project.get_instance_segmentor()
    backwards = images.iloc[::-1]
    of_frame = segmentor.predict_images(backwards)
    assert of_frame["image_id"].tolist() == np.repeat(backwards.index, 2).tolist()
    assert of_frame["image_name"].tolist() == np.repeat(backwards["name"], 2).tolist()
    assert of_frame.index.tolist() == list(range(8))
    paths = [pictures / name for name in backwards["name"]]
    of_paths = segmentor.predict_images(paths)
    assert of_paths["image_id"].isna().all()
    pd.testing.assert_frame_equal(of_paths.drop(columns="image_id"), of_frame.drop(columns="image_id"))
    of_folder = segmentor.predict_images(pictures)
    assert of_folder["image_name"].unique().tolist() == sorted(images["name"])
    assert len(project.get_semantic_segmentor().predict_images(images, min_size=1)) == 4
    assert len(segmentor.predict_images([])) == 0
    has_schema(segmentor.predict_images(images.iloc[:0]), entities.Prediction)


def test_predictions_become_labels(project, images):
    found = project.get_instance_segmentor().predict_images(images.iloc[[3]])
    made = project.create_labels(found)
    assert boxes(made) == CORNERS
    project.delete_labels(made)


def test_predict_images_fetches_addresses_together(recorder, client, project, pictures):
    with hf.Client(client.api_key, recorder.url, progress=False) as through:
        through.get_project(project.id).get_detector().predict_images(pictures)
    assert [seen.query for seen in recorder.seen if seen.path.endswith("/uploads")] == [{"count": "4"}]
    assert sum(seen.method == "PUT" for seen in recorder.seen) == 4


def test_frames_without_pictures(project, images):
    detector = project.get_detector()
    with pytest.raises(hf.ValidationException, match="no public_url of 1 image"):
        detector.predict_images(images.assign(public_url=[None, *images["public_url"].iloc[1:]]))
    with pytest.raises(hf.ValidationException, match="index 'image_id' and a column 'public_url'"):
        detector.predict_images(images.reset_index(drop=True))


def test_the_picture_that_fails_is_named(project, images):
    wrong = images.copy()
    wrong.loc[wrong.index[1], "public_url"] = "http://127.0.0.1:9/nothing"
    with pytest.raises(hf.ReadError, match="could not be fetched") as caught:
        project.get_detector().predict_images(wrong)
    assert caught.value.report.query("outcome == 'failed'").index.tolist() == [wrong.index[1]]
    assert caught.value.__cause__.__notes__ == ["This happened to the picture 'coins.png'."]


def test_attributer(project, pictures):
    attributer = project.get_attributer()
    path = pictures / "ramp.png"
    found = attributer.predict(image_path=path, bboxes=CORNERS)
    [attribute] = project.get_attributes().index
    red = project.get_attributes()["values"].iloc[0][0]["id"]
    assert found["object"].tolist() == [0, 1]
    assert boxes(found) == CORNERS
    assert set(found["attribute_id"]) == {attribute}
    assert set(found["attribute_name"]) == {"colour"}
    assert found["value"].tolist() == [["red"], ["red"]]
    assert found["lov_ids"].tolist() == [[red], [red]]
    predictions = project.get_detector().predict(image_path=path)
    again = attributer.predict(image_path=path, bboxes=predictions)
    pd.testing.assert_frame_equal(again, found)
    pd.testing.assert_frame_equal(attributer.predict(image_path=path, bboxes=np.array(CORNERS)), found)
    assert len(attributer.predict(image_path=path, bboxes=[])) == 0
    with pytest.raises(hf.ValidationException, match=r"bboxes\[0\] is"):
        attributer.predict(image_path=path, bboxes=predictions.assign(x_min=np.nan))


def test_a_model_that_is_not_loaded(pictures):
    with hf.Client.local(progress=False) as client:  # no attributer of its own
        project = make_project(client)
        attributer = project.get_attributer()
        assert attributer.status == "NOT LOADED"
        with pytest.raises(hf.InferenceException, match="The Attributer is NOT LOADED, not LOADED: train a model"):
            attributer.predict(image_path=pictures / "ramp.png", bboxes=CORNERS)


def test_a_model_is_asked_for_until_it_is_loaded(pictures):
    answers = iter(["LOADING", "LOADED"])

    def answer(seen):
        if seen.path.endswith("/object_detector"):
            return {"model_id": "m", "status": next(answers)}
        if seen.path.endswith("/object_detection"):
            assert seen.json()["model_id"] == "m"
            return []
        return {"meta": {"total": 0}, "items": []}

    with serve(answer) as server, hf.Client("key", server.url, progress=False) as client:
        detector = hf.Project(client._transport, {"id": "p"}).get_detector()
        assert detector.status == "LOADING"
        assert len(detector.predict("http://127.0.0.1/x.png")) == 0
        assert detector.status == "LOADED"


def test_an_answer_that_is_none():
    def answer(seen):
        return {"model_id": "m", "status": "LOADED"} if seen.method == "GET" else {"hello": "world"}

    with serve(answer) as server, hf.Client("key", server.url, progress=False) as client:
        detector = hf.Project(client._transport, {"id": "p"}).get_detector()
        with pytest.raises(hf.UnexpectedAnswer, match="something else than a list"):
            detector.predict("http://127.0.0.1/x.png")


def test_kinds_of_models_are_told_apart(project):
    assert not isinstance(project.get_instance_segmentor(), hf.Detector)
    assert project.get_detector() == project.get_detector()
    assert project.get_detector() != project.get_instance_segmentor()
    assert "LOADED" in repr(project.get_detector())


GOOD = {"bbox": [0, 0, 2, 2], "mask": [1, 4], "score": 0.5, "class_id": "c"}
STRANGE = {
    "no dict": 3,
    "null": None,
    "inside out": {**GOOD, "bbox": [2, 0, 0, 2], "mask": None},
    "three sides": {**GOOD, "bbox": [0, 0, 2]},
    "a side missing": {**GOOD, "bbox": [0, 0, 2, None]},
    "a text for a side": {**GOOD, "bbox": ["left", 0, 2, 2]},
    "a mask in half a pixel": {**GOOD, "bbox": [0, 0, 2.5, 2]},
    "no box": {**GOOD, "bbox": None, "mask": None},
    "a mask that is longer": {**GOOD, "mask": [1, 5]},
    "half a mask": {**GOOD, "mask": [1]},
    "a mask from 0": {**GOOD, "mask": [0, 2]},
    "a mask of texts": {**GOOD, "mask": ["1", "2"]},
    "a mask without a box": {**GOOD, "bbox": None, "polygon": [[0, 0], [1, 0], [1, 1]]},
    "a text for a score": {**GOOD, "score": "high"},
    "a class that is not there": {**GOOD, "class_id": "gone"},
    "a class that is a number": {**GOOD, "class_id": 3},
    "no class": {key: value for key, value in GOOD.items() if key != "class_id"},
}


@pytest.fixture(scope="module")
def scripted():
    """A server whose models answer what a test says."""

    def answer(seen):
        if seen.path.endswith("/label_classes"):
            return {"meta": {"total": 1}, "items": [{"id": "c", "name": "coin", "type": "object"}]}
        if seen.path.endswith("/attributes"):
            return {"meta": {"total": 0}, "items": []}
        if seen.method == "GET":
            return {"model_id": "m", "status": "LOADED"}
        return server.answers.get(seen.json().get("image_url"), server.answers.get("*"))

    with serve(answer) as server, hf.Client("key", server.url, progress=False) as client:
        server.answers = {}
        server.project = hf.Project(client._transport, {"id": "p", "name": "p"})
        yield server


@pytest.mark.parametrize("what", STRANGE)
def test_predictions_that_cannot_be_are_named_with_their_picture(scripted, what):
    scripted.answers = {"http://h/a.png": [GOOD], "http://h/b.png": [GOOD, STRANGE[what]]}
    segmentor = scripted.project.get_instance_segmentor()
    frame = pd.DataFrame({"public_url": list(scripted.answers)}, index=pd.Index(["i1", "i2"], name="image_id"))
    for call in (lambda: segmentor.predict("http://h/b.png"), lambda: segmentor.predict_images(frame)):
        errors = (hf.UnexpectedAnswer, hf.ReadError)
        with pytest.raises(errors, match=r"The model answered the picture '.*b\.png' with") as caught:
            call()
        error = caught.value.__cause__ if isinstance(caught.value, hf.ReadError) else caught.value
        assert error.request == "POST /v1/projects/p/instance_segmentation"
    assert len(segmentor.predict("http://h/a.png")) == 1


def test_predictions_that_are_a_little_odd_are_let_through(scripted):
    found = [{**GOOD, "keypoints": [1]}, {**GOOD, "score": None}, {**GOOD, "mask": None, "bbox": [1, 1, 1, 5]}]
    scripted.answers = {"*": found}
    assert len(scripted.project.get_instance_segmentor().predict("http://h/a.png")) == 3


@pytest.mark.parametrize(
    "answer",
    [[], [[], []], [None], [{}], [[{"bbox": [0, 0, 2, 2]}]], [[{"attribute_id": 3}]], [[3]],
     [[{"attribute_id": "a", "bbox": [0, 0]}]], [[{"attribute_id": "a", "lov_ids": 3}]],
     [[{"attribute_id": "a", "lov_ids": [3]}]]],
)  # fmt: skip
def test_attributes_that_cannot_be(scripted, answer):
    scripted.answers = {"*": answer}
    with pytest.raises(hf.UnexpectedAnswer, match=r"the picture 'a\.png' with what are no attributes of its 1 objects"):
        scripted.project.get_attributer().predict("http://h/a.png", bboxes=[[0, 0, 2, 2]])


@pytest.mark.parametrize(
    "answer", [None, {}, [], {"model_id": "m"}, {"status": 3}, {"status": "LOADED", "model_id": 3}]
)
def test_answers_that_are_no_model(answer):
    with serve(lambda seen: answer) as server, hf.Client("key", server.url, progress=False) as client:
        project = hf.Project(client._transport, {"id": "p"})
        with pytest.raises(hf.UnexpectedAnswer, match="The answer is not a model") as caught:
            project.get_detector()
        assert caught.value.request == "GET /v1/projects/p/object_detector"
