"""Answers that are not what was asked for: each creating, editing and reading call, and each odd answer."""

from __future__ import annotations

import pytest
from servers import Answer, Seen, page, serve

import hastyframe as hf
from hastyframe import answers, entities, transport

P = "/v1/projects/p"
THINGS = {
    "workspaces": {"id": "w", "name": "mine"},
    "projects": {"id": "p", "name": "Coins", "workspace_id": "w"},
    "datasets": {"id": "d", "name": "train", "project_id": "p", "norder": 1.0},
    "images": {"id": "i", "name": "a.png", "project_id": "p", "dataset_id": "d", "width": 4, "height": 4,
               "public_url": "http://127.0.0.1:9/a.png"},
    "label_classes": {"id": "c", "name": "coin", "project_id": "p", "type": "object", "color": "#ff0000ff"},
    "tag_classes": {"id": "t", "name": "blurry", "project_id": "p"},
    "attributes": {"id": "a", "name": "size", "project_id": "p", "type": "INT", "values": []},
    "exports": {"id": "e", "status": "NEW", "project_id": "p"},
    "automated_labeling": {"id": "j", "status": "NEW", "project_id": "p"},
    "labels": {"id": "l", "class_id": "c", "image_id": "i", "bbox": [0, 0, 2, 2]},
}  # fmt: skip
STORED = [entity for entity in entities.ENTITIES if entity is not entities.Prediction]
MODELS = ("object_detector", "instance_segmentor", "semantic_segmentor", "attributer")
MODEL = {"model_id": "m", "status": "LOADED"}


def good(seen: Seen):
    """Answer reads as a server would that has one of each thing."""
    last = seen.path.rpartition("/")[2]
    if last in MODELS:
        return MODEL
    if last == "uploads":
        return {"items": [{"id": "u", "url": f"http://{seen.headers['host']}/store"}]}
    if last == "attributes_classes":
        return []
    if last in THINGS:
        return page(seen, [THINGS[last]])
    kind = seen.path.split("/")[-2]
    return THINGS.get(kind, {})


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)


class Scene:
    """A client, and things, of a server that answers all as it should but one request."""

    def __init__(self, request: str, answer: Answer | None = None) -> None:
        self.request, self.answer = request, answer

    def handle(self, seen: Seen):
        spoilt = self.answer is not None and f"{seen.method} {seen.path}" == self.request
        return self.answer if spoilt else good(seen)

    def __enter__(self):
        answer, self.answer = self.answer, None
        self._server = serve(self.handle)
        self.server = self._server.__enter__()
        self.client = hf.Client("key", self.server.url, progress=False)
        requester = self.client._transport
        own = {"project_id": "p"}
        self.project = hf.Project(requester, THINGS["projects"])
        for entity in (entities.Dataset, entities.LabelClass, entities.TagClass, entities.Attribute):
            self.project._vocabulary.table(entity)
        self.dataset = hf.Dataset(requester, THINGS["datasets"])
        self.image = hf.Image(requester, THINGS["images"])
        self.label_class = hf.LabelClass(requester, THINGS["label_classes"])
        self.tag_class = hf.TagClass(requester, {**THINGS["tag_classes"], **own})
        self.attribute = hf.Attribute(requester, THINGS["attributes"])
        self.label = hf.Label(requester, {**THINGS["labels"], **own})
        self.export = hf.ExportJob(requester, THINGS["exports"])
        self.job = hf.AutomatedLabelingJob(requester, THINGS["automated_labeling"])
        self.detector = hf.Detector(requester, {**MODEL, **own})
        self.attributer = hf.Attributer(requester, {**MODEL, **own})
        self.answer = answer
        return self

    def __exit__(self, *error):
        self.client.close()
        self._server.__exit__(*error)


# Request -> the call that makes it.
CREATES = {
    "POST /v1/projects": lambda s: s.client.create_project("w", "New"),
    f"POST {P}/datasets": lambda s: s.project.create_dataset("new"),
    f"POST {P}/images": lambda s: s.project.upload_from_url("d", "new.png", "http://127.0.0.1:9/a.png"),
    f"POST {P}/label_classes": lambda s: s.project.create_label_class("new"),
    f"POST {P}/tag_classes": lambda s: s.project.create_tag_class("new"),
    f"POST {P}/attributes": lambda s: s.project.create_attribute("new", "TEXT"),
    f"POST {P}/exports": lambda s: s.project.export("new", "json_v1.1"),
    f"POST {P}/automated_labeling": lambda s: s.project.create_automated_labeling_job("x"),
    f"POST {P}/images/i/labels": lambda s: s.image.create_label("coin", [0, 0, 1, 1]),
}
EDITS = {
    f"PUT {P}": lambda s: s.project.edit("New", "new"),
    f"PUT {P}/datasets/d": lambda s: s.dataset.edit("new", 1),
    f"PUT {P}/label_classes/c": lambda s: s.label_class.edit("new", None, "object", 1, None),
    f"PUT {P}/tag_classes/t": lambda s: s.tag_class.edit("new", 1),
    f"PUT {P}/attributes/a": lambda s: s.attribute.edit("new", "INT", None, 1, None, "LABEL"),
    f"PATCH {P}/images/i": lambda s: s.image.rename("new.png"),
    f"PUT {P}/images/i/labels": lambda s: s.label.edit("coin", [0, 0, 1, 1], None, None, 1, None),
    f"POST {P}/labels/l/attributes/a": lambda s: s.label.set_attribute("size", 3),
    f"POST {P}/attributes_classes": lambda s: s.project.set_attribute_classes({"attribute_id": "a", "class_id": "c"}),
}
READS = {
    f"GET {P}": lambda s: s.client.get_project("p"),
    f"GET {P}/datasets/d": lambda s: s.project.get_dataset("d"),
    f"GET {P}/images/i": lambda s: s.project.get_image("i"),
    f"GET {P}/label_classes/c": lambda s: s.project.get_label_class("c"),
    f"GET {P}/tag_classes/t": lambda s: s.project.get_tag_class("t"),
    f"GET {P}/automated_labeling/j": lambda s: s.project.get_automated_labeling_job("j"),
    f"GET {P}/exports/e": lambda s: s.export.check_status(),
    f"GET {P}/object_detector": lambda s: s.project.get_detector(),
    f"GET {P}/instance_segmentor": lambda s: s.project.get_instance_segmentor(),
    f"GET {P}/semantic_segmentor": lambda s: s.project.get_semantic_segmentor(),
    f"GET {P}/attributer": lambda s: s.project.get_attributer(),
    f"GET {P}/attributes_classes": lambda s: s.project.get_attribute_classes(),
    f"POST {P}/object_detection": lambda s: s.detector.predict("http://127.0.0.1:9/a.png"),
    f"POST {P}/attribute_prediction": lambda s: s.attributer.predict(
        "http://127.0.0.1:9/a.png", bboxes=[[0, 0, 1, 1]]
    ),
}  # fmt: skip
ODD = {
    "nothing": Answer(201, b""),
    "null": Answer(200, b"null"),
    "an object without anything": Answer(200, b"{}"),
    "an id that is a number": Answer(200, {"id": 3, "name": "new", "status": 3, "model_id": 3}),
    "an id that is null": Answer(200, {"id": None, "name": "new", "status": None}),
    "an id that is empty": Answer(200, {"id": "", "name": "new", "status": ""}),
    "a list of null": Answer(200, [None]),
    "a list of numbers": Answer(200, [3]),
    "a number": Answer(200, b"3"),
    "a text": Answer(200, b'"done"'),
    "true": Answer(200, b"true"),
    "a workspace": Answer(200, {"id": "w", "name": "mine"}),
    "a page of a list": Answer(200, {"meta": {"total": 1}, "items": [{"id": "w"}]}),
    "HTML": Answer(200, b"<html>", {"Content-Type": "text/html"}),
}
EDITS_OF_A_THING = EDITS.keys() - {f"POST {P}/attributes_classes"}
FITS = {(f"POST {P}/labels/l/attributes/a", "a workspace")} | {
    (request, name) for request in EDITS_OF_A_THING for name in ("nothing", "null")
}
"""An answer of which nobody can see that it is none, or that says no more than that it is done."""
LIST_IS_RIGHT = {f"GET {P}/attributes_classes", f"POST {P}/attributes_classes", f"POST {P}/object_detection",
                 f"POST {P}/attribute_prediction"}  # fmt: skip


def odd_for(request: str) -> list[Answer]:
    """Return what is no answer to a request."""
    odd = {name: answer for name, answer in ODD.items() if (request, name) not in FITS}
    return [*odd.values(), *([] if request in LIST_IS_RIGHT else [Answer(200, [])])]


@pytest.mark.parametrize("request_", CREATES)
def test_what_is_created_may_be_there(quick, request_):
    with Scene(request_) as scene:
        for scene.answer in odd_for(request_):
            with pytest.raises(hf.OutcomeUnknown) as caught:
                CREATES[request_](scene)
            assert caught.value.request == request_
            assert "may have been" in str(caught.value)
            [entity] = [
                e for e in STORED if f"POST {e.path.format(project_id='p', image_id='i', label_id='l')}" == request_
            ]
            assert (entity.found_by or "started again") in str(caught.value)


@pytest.mark.parametrize("request_", EDITS)
def test_what_is_edited_may_have_changed(quick, request_):
    with Scene(request_) as scene:
        for scene.answer in odd_for(request_):
            with pytest.raises(hf.UnexpectedAnswer) as caught:
                EDITS[request_](scene)
            assert caught.value.request == request_


@pytest.mark.parametrize("answer", [Answer(200, b""), Answer(200, b"null"), Answer(202, b""), Answer(204)])
@pytest.mark.parametrize("request_", sorted(EDITS_OF_A_THING))
def test_an_edit_may_be_answered_without_a_body(request_, answer):
    """Then the thing is read again; of a value nothing is kept that would be read."""
    with Scene(request_, answer) as scene:
        before = len(scene.server.seen)
        EDITS[request_](scene)
        seen = [seen.method for seen in scene.server.seen[before:]]
        seen = seen[1:] if seen[0] == "GET" else seen  # names are read first where they are turned into ids
        assert seen == (["POST"] if "/labels/l/" in request_ else [request_.split()[0], "GET"])
        assert scene.label_class.name in ("coin", "new")


@pytest.mark.parametrize("answer", [Answer(200, b""), Answer(204)])
def test_edits_in_bulk_may_be_answered_without_a_body(quick, answer):
    stored = dict(THINGS["labels"], z_index=0)
    with Scene(f"PUT {P}/images/i/labels", answer) as scene:
        handle = scene.handle

        def keep(seen: Seen):
            if seen.method == "PUT":
                stored.update({key: value for key, value in seen.json()[0].items() if key in ("bbox", "class_id")})
            if seen.path.endswith("/images/i/labels") and seen.method == "GET":
                return page(seen, [stored])
            return handle(seen)

        scene.server.handle = keep
        rows = [{"label_id": "l", "image_id": "i", "class_id": "c", "bbox": [0, 0, 1, 1]}]
        for edit in (scene.project.edit_labels, scene.image.edit_labels):
            rows[0]["bbox"] = [0, 0, rows[0]["bbox"][2] + 1, 1]
            found = edit(rows)
            assert found[["x_max", "y_max"]].to_numpy().tolist() == [[rows[0]["bbox"][2], 1]]


@pytest.mark.parametrize("request_", READS)
def test_what_is_read_is_the_thing(quick, request_):
    with Scene(request_) as scene:
        for scene.answer in odd_for(request_):
            with pytest.raises(hf.UnexpectedAnswer) as caught:
                READS[request_](scene)
            assert caught.value.request == request_


@pytest.mark.parametrize(("request_", "thing"), [
    (f"POST {P}/datasets", {**THINGS["datasets"], "name": "other"}),
    (f"POST {P}/label_classes", {**THINGS["label_classes"], "name": "other"}),
    (f"POST {P}/label_classes", {**THINGS["label_classes"], "name": "new", "type": "background"}),
    (f"POST {P}/images", {**THINGS["images"], "name": "new.png", "dataset_id": "other"}),
    (f"POST {P}/images/i/labels", {"items": [{**THINGS["labels"], "image_id": "other"}]}),
    (f"POST {P}/images/i/labels", {"items": [THINGS["labels"]] * 2}),
])  # fmt: skip
def test_an_answer_to_another_request(quick, request_, thing):
    with Scene(request_, Answer(201, thing)) as scene, pytest.raises(hf.OutcomeUnknown, match="is no"):
        CREATES[request_](scene)


@pytest.mark.parametrize("request_", [r for r in READS if r.startswith(f"GET {P}") and r.split("/")[-1] in "pditcje"])
def test_a_thing_with_another_id(request_):
    kind = request_.split("/")[-2]
    with (
        Scene(request_, Answer(200, {**THINGS[kind], "id": "z"})) as scene,
        pytest.raises(hf.UnexpectedAnswer, match=r"id is 'z', where '.' was asked for"),
    ):
        READS[request_](scene)


@pytest.mark.parametrize("request_", CREATES)
def test_a_lost_answer_says_how_to_find_out(quick, request_):
    with Scene(request_) as scene:
        for fault in ("reset", "cut"):
            scene.answer = Answer(201, {"id": "new", "name": "new"}, fault=fault)
            with pytest.raises(hf.OutcomeUnknown, match="may have been") as caught:
                CREATES[request_](scene)
            assert caught.value.request == request_


LISTS = {
    f"GET {P}/datasets": lambda s: s.project.get_datasets(),
    f"GET {P}/label_classes": lambda s: s.project.get_label_classes(),
    f"GET {P}/tag_classes": lambda s: s.project.get_tag_classes(),
    f"GET {P}/attributes": lambda s: s.project.get_attributes(),
    f"GET {P}/images": lambda s: s.project.get_images(),
    f"GET {P}/automated_labeling": lambda s: s.project.get_automated_labeling_jobs(),
    f"GET {P}/images/i/labels": lambda s: s.project.get_labels(["i"]),
    f"GET {P}/images/i/tags": lambda s: s.project.get_tags(["i"]),
    f"GET {P}/images/i/labels ": lambda s: s.image.get_labels(),
    f"GET {P}/images/i/tags ": lambda s: s.image.get_tags(),
    "GET /v1/projects": lambda s: s.client.get_projects(),
    "GET /v1/workspaces": lambda s: s.client.get_workspaces(),
}


LISTS_OF_SOMETHING_ELSE = [
    [{}], [{"id": None}], [{"id": ""}], [{"id": 3}], [{"id": "x"}, {"id": "x"}], [None], ["x"], [["x"]],
    [{"id": ["x"]}], [{"id": "x", "name": 3, "class_id": 3, "tag_class_id": 3, "status": 3}],
]  # fmt: skip


@pytest.mark.parametrize("request_", LISTS)
def test_lists_of_something_else(quick, request_):
    with Scene(request_.strip()) as scene:
        for items in LISTS_OF_SOMETHING_ELSE:
            scene.answer = Answer(200, {"meta": {"total": len(items)}, "items": items})
            with pytest.raises(hf.UnexpectedAnswer):
                LISTS[request_](scene)


def test_what_a_server_may_leave_out_or_add():
    for entity in entities.ENTITIES:
        least = {field.key: "x" for field in entity.fields().values() if field.required}
        nulls = {field.key: None for field in entity.fields().values() if not field.required}
        assert answers.problem(entity, {**least, **nulls, "thumbnail_url": 3, "keypoints": [1]}) is None
    whole = {**THINGS["labels"], "polygon": [[0, 0.5], [1, 1], [2, 0]], "mask": [1, 4], "z_index": 2.5}
    assert answers.problem(entities.Label, whole) is None


@pytest.mark.parametrize(("key", "value"), [
    ("bbox", [0, 0, 1]), ("bbox", "box"), ("bbox", [0, 0, 1, None]), ("polygon", [[0, 0, 0]]), ("polygon", [1, 2]),
    ("mask", [1.5]), ("mask", ["1"]), ("z_index", "1"), ("z_index", True), ("external_id", 7), ("class_id", None),
])  # fmt: skip
def test_fields_of_another_kind(key, value):
    assert key in str(answers.problem(entities.Label, {**THINGS["labels"], key: value}))


def test_names_that_a_server_spells_otherwise():
    for sent, stored in (("Köln", "Ko\u0308ln"), (" a ", "a")):
        thing = {**THINGS["datasets"], "name": stored}
        assert answers.problem(entities.Dataset, thing, {"name": sent}) is None


def test_a_read_that_fails_leaves_the_handle_as_it_was():
    with Scene(f"PUT {P}/datasets/d", Answer(200, {"id": "z", "name": "z"})) as scene:
        with pytest.raises(hf.UnexpectedAnswer, match="may have been made all the same"):
            scene.dataset.edit("new", 1)
        assert (scene.dataset.id, scene.dataset.name) == ("d", "train")


def test_images_that_come_back_under_another_name_are_not_sent_again(quick, pictures):
    renamed = {**THINGS["images"], "id": "n", "name": "ramp (1).png"}
    with Scene(f"POST {P}/images", Answer(201, renamed)) as scene, pytest.warns(UserWarning, match="another image"):
        report = scene.project.upload_images([pictures / "ramp.png"], "train")
    assert report["outcome"].tolist() == ["unknown"]
    assert scene.server.paths("POST") == [f"{P}/images"]
