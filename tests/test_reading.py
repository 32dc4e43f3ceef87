"""Calls over many things: what was read is kept, what failed is said by row, and the same line again reads the rest."""

from __future__ import annotations

import pickle
import threading
from contextlib import contextmanager

import pandas as pd
import pytest
from servers import Answer, Seen, page, serve

import hastyframe as hf
from hastyframe import transport
from hastyframe.edits import KnownLabels
from hastyframe.http import parts
from hastyframe.transport import Transport

P = "/v1/projects/p"
IMAGES = [f"i{number:02}" for number in range(40)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 0.002)


class Api:
    """A project of 40 images, each with three labels with an attribute, and a tag; some paths fail."""

    def __init__(self) -> None:
        self.bad: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, seen: Seen):
        path = seen.path.removeprefix(P)
        with self.lock:
            self.asked.append(path)
        if path in self.bad:
            return self.bad[path]
        body = seen.json() if seen.method == "POST" and seen.body else {}
        if body.get("image_url") in self.bad:
            return self.bad[body["image_url"]]
        match path.strip("/").split("/"):
            case ["label_classes"]:
                return page(seen, [{"id": "c", "name": "coin", "type": "object"}])
            case ["attributes_classes"]:
                return []
            case ["tag_classes"]:
                return page(seen, [{"id": "t", "name": "sharp"}])
            case ["attributes"]:
                return page(seen, [{"id": "a", "name": "size", "type": "INT", "values": []}])
            case ["datasets"]:
                return page(seen, [{"id": "d", "name": "train"}])
            case ["images"]:
                rows = [
                    {"id": key, "name": f"{key}.png", "dataset_id": "d", "public_url": f"http://x/{key}"}
                    for key in IMAGES
                ]
                return page(seen, rows)
            case ["images", key, "labels"]:
                many = 250 if key == "i07" else 3
                box = {"class_id": "c", "bbox": [0, 0, 4, 4]}
                return page(seen, [{"id": f"{key}-{number}", "image_id": key, **box} for number in range(many)])
            case ["images", key, "tags"]:
                return page(seen, [{"id": f"{key}-t", "image_id": key, "tag_class_id": "t"}])
            case ["labels", key, "attributes"]:
                return page(seen, [{"id": f"{key}-a", "attribute_id": "a", "value": 3}])
            case ["object_detector"]:
                return {"model_id": "m", "status": "LOADED", "project_id": "p"}
            case ["object_detection"]:
                return [{"class_id": "c", "bbox": [0, 0, 4, 4], "score": 0.5}]
            case ["images", _, "status"]:
                return {}
        return Answer(404)

    def lists(self, what: str) -> list[str]:
        return [path for path in self.asked if path.endswith(what)]


@contextmanager
def connected():
    api = Api()
    with serve(api) as server:
        one = Transport("the-key", server.url, progress=False, max_workers=4, retries=1, timeout=5.0)
        yield api, hf.Project(one, {"id": "p", "name": "P", "workspace_id": "w"})
        one.close()


GONE = Answer(404, {"message": "gone"})
TROUBLE = Answer(500, {"message": "trouble"})
STRANGE = Answer(200, {"no": "page"})


@pytest.mark.parametrize("answer", [GONE, TROUBLE, STRANGE], ids=["404", "500", "no page"])
def test_labels_of_the_other_images_are_kept(answer):
    with connected() as (api, project):
        api.bad = {f"/images/{key}/labels": answer for key in ("i03", "i20")}
        with pytest.raises(hf.ReadError, match="2 of 40 could not be read, by image") as caught:
            project.get_labels()
        report, partial = caught.value.report, caught.value.partial
        assert report.index[report["outcome"] == "failed"].tolist() == ["i03", "i20"]
        assert report["message"].notna().sum() == 2
        assert partial["image_id"].unique().tolist() == [key for key in IMAGES if key not in ("i03", "i20")]
        assert len(partial) == 37 * 3 + 250
        assert isinstance(caught.value, hf.BatchError)
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.partial.equals(partial)

        api.bad = {"/images/i20/labels": answer}
        api.asked.clear()
        with pytest.raises(hf.ReadError, match="1 of 40"):
            project.get_labels()
        assert set(api.lists("labels")) == {"/images/i03/labels", "/images/i20/labels"}

        api.bad = {}
        api.asked.clear()
        labels = project.get_labels()
        assert set(api.lists("labels")) == {"/images/i20/labels"}, "only what is missing"
        api.asked.clear()
        assert project.get_labels().equals(labels)
        assert len(api.lists("labels")) == 40 + 2, "what was given out is read anew"
        assert labels["image_id"].unique().tolist() == IMAGES


def test_a_later_page_that_fails_is_its_images_alone(monkeypatch):
    with connected() as (api, project):
        plain = api.__call__

        def handle(seen: Seen):
            if seen.path.endswith("i07/labels") and seen.query["offset"] != "0":
                return GONE
            return plain(seen)

        with serve(handle) as server:
            project._requester.base_url = server.url
            with pytest.raises(hf.ReadError) as caught:
                project.get_labels()
        assert caught.value.report.query("outcome == 'failed'").index.tolist() == ["i07"]
        assert len(caught.value.partial) == 39 * 3


def test_what_is_written_makes_all_be_read_again():
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": GONE}
        with pytest.raises(hf.ReadError):
            project.get_labels()
        project.set_status(["i05"], "DONE")
        api.bad = {}
        api.asked.clear()
        project.get_labels()
        assert len(set(api.lists("labels"))) == 40


def test_another_call_sees_what_is_there_now():
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": TROUBLE}
        with pytest.raises(hf.ReadError):
            project.get_labels(IMAGES)
        api.bad = {}
        for others in (IMAGES[:3], [*IMAGES[:3], "i03"], list(reversed(IMAGES[4:]))):
            api.asked.clear()
            project.get_labels(others)
            assert set(api.lists("/labels")) == {f"/images/{key}/labels" for key in others}
        api.asked.clear()
        project.get_labels(list(reversed(IMAGES)))  # the same ones
        assert set(api.lists("/labels")) == {"/images/i03/labels"}


def test_what_an_earlier_call_has_read_is_no_baseline_for_what_is_created_now():
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": TROUBLE}
        with pytest.raises(hf.ReadError):
            project.get_labels()
        api.bad = {}
        project.get_labels()
        known_labels = KnownLabels.shared(project._requester, project.id)
        assert [key for key in IMAGES if known_labels.of(key) is not None] == ["i03"]


def test_what_is_old_is_read_again(monkeypatch):
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": GONE}
        with pytest.raises(hf.ReadError):
            project.get_labels()
        monkeypatch.setattr(parts, "_FRESH", 0.0)
        api.bad = {}
        api.asked.clear()
        project.get_labels()
        assert len(set(api.lists("labels"))) == 40


def test_tags_and_values_go_on_too():
    with connected() as (api, project):
        api.bad = {"/images/i03/tags": GONE, "/labels/i00-1/attributes": TROUBLE}
        with pytest.raises(hf.ReadError) as caught:
            project.get_tags()
        assert len(caught.value.partial) == 39
        labels = project.get_labels(IMAGES[:4])
        for wide in (False, True):
            with pytest.raises(hf.ReadError) as caught:
                project.get_label_attributes(labels, wide=wide)
            assert len(caught.value.partial) == (11 if not wide else len(labels))
            assert caught.value.report.index[caught.value.report["outcome"] == "failed"].tolist() == ["i00-1"]
        api.bad = {}
        api.asked.clear()
        assert len(project.get_tags()) == 40
        assert project.get_label_attributes(labels)["label_id"].tolist() == labels.index.tolist()
        assert api.lists("tags") == ["/images/i03/tags"]
        assert [path for path in api.lists("attributes") if "labels" in path] == ["/labels/i00-1/attributes"]


def test_predictions_go_on_too():
    with connected() as (api, project):
        images = project.get_images()
        api.bad = {"http://x/i09": Answer(400, {"message": "no picture"})}
        detector = project.get_detector()
        with pytest.raises(hf.ReadError, match=r"1 of 40 .*no picture") as caught:
            detector.predict_images(images)
        assert caught.value.report.query("outcome == 'failed'").index.tolist() == ["i09"]
        assert len(caught.value.partial) == 39
        api.bad = {}
        api.asked.clear()
        found = detector.predict_images(images)
        assert found["image_id"].tolist() == IMAGES
        assert api.lists("object_detection") == ["/object_detection"]
        with pytest.raises(hf.ReadError):
            api.bad = {"http://x/i09": Answer(400)}
            detector.predict_images(images)
        api.asked.clear()
        with pytest.raises(hf.ReadError):
            detector.predict_images(images, confidence_threshold=0.9)
        assert len(api.lists("object_detection")) == 40, "another question has other answers"


def test_a_pull_goes_on():
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": TROUBLE}
        with pytest.raises(hf.ReadError):
            project.pull()
        api.bad = {}
        api.asked.clear()
        assert len(project.pull().labels) == 39 * 3 + 250
        assert set(api.lists("/labels")) == {"/images/i03/labels"}


def test_where_nothing_was_read_the_error_is_that_of_the_first():
    with connected() as (api, project):
        api.bad = {"/images/i03/labels": GONE}
        with pytest.raises(hf.NotFound):
            project.get_labels(["i03"])


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_hits_all_ends_the_call(status):
    with connected() as (api, project):
        api.bad = {f"/images/{key}/labels": Answer(status) for key in IMAGES}
        with pytest.raises((hf.AuthenticationException, hf.AuthorisationException, hf.InsufficientCredits)):
            project.get_labels()
        assert len(api.lists("labels")) <= 4
        api.bad = {f"/images/{key}/labels": Answer(status) for key in IMAGES[20:]}
        with pytest.raises(hf.ReadError) as caught:
            project.get_labels()
        assert len(caught.value.partial) == 19 * 3, "the further pages of i07 were not asked for any more"


def test_a_server_that_is_gone_is_not_asked_for_everything():
    with connected() as (api, project):
        api.bad = {f"/images/{key}/labels": TROUBLE for key in IMAGES[1:]}
        with pytest.raises(hf.ReadError, match="39 of 40") as caught:
            project.get_labels()
        assert len(set(api.lists("labels"))) <= 1 + 16 + 4
        assert caught.value.report["message"].str.contains("Not asked for, after an earlier error").sum() >= 19


def test_nothing_is_kept_of_calls_that_succeed():
    with connected() as (_, project):
        project.get_labels()
        assert project._requester.parts._kept == {}
        assert isinstance(project.get_labels([]), pd.DataFrame)
