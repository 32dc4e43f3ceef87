"""The same calls by the official client and by this one, request by request; every difference stands in one table."""

from __future__ import annotations

import json
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from servers import Seen
from test_surface import METHODS, official

import hastyframe as hf

pytest.importorskip("retrying", reason="the official client is not installed")

LABELS = [{"bbox": [0, 0, 4, 2], "mask": [1, 2, 7, 2], "external_id": "e"}, {"polygon": [[1, 1], [9, 1], [9.5, 9]]}]
PAGE = "offset=0&limit=100"

# Each call, made twice: on things of the official client, and on things of this one, in two projects that are alike.
CALLS = {
    "Client.get_workspaces": lambda w: w.client.get_workspaces(),
    "Client.get_projects": lambda w: w.client.get_projects(),
    "Client.get_project": lambda w: w.client.get_project(w.project.id),
    "Client.create_project": lambda w: w.client.create_project(w.workspace, "New", "new"),
    "Project.edit": lambda w: w.project.edit("Twin 2", "edited"),
    "Project.get_datasets": lambda w: w.project.get_datasets(),
    "Project.get_dataset": lambda w: w.project.get_dataset(w.dataset.id),
    "Project.create_dataset": lambda w: w.project.create_dataset("new", 3),
    "Project.get_images": lambda w: w.project.get_images(),
    "Project.get_images, filtered": lambda w: w.project.get_images([w.dataset, w.other], ["NEW", "DONE"]),
    "Project.get_image": lambda w: w.project.get_image(w.image.id),
    "Project.upload_from_file": lambda w: w.project.upload_from_file(w.other, str(w.pictures / "ramp.png"), "e"),
    "Project.upload_from_url": lambda w: w.project.upload_from_url(w.other, "u.png", w.image.public_url, True, "e"),
    "Project.get_label_classes": lambda w: w.project.get_label_classes(),
    "Project.get_label_class": lambda w: w.project.get_label_class(w.label_class.id),
    "Project.create_label_class": lambda w: w.project.create_label_class("c", "#00ff00ff", "background", 7, "e"),
    "Project.get_tag_classes": lambda w: w.project.get_tag_classes(),
    "Project.get_tag_class": lambda w: w.project.get_tag_class(w.tag_class.id),
    "Project.create_tag_class": lambda w: w.project.create_tag_class("new", 2.5),
    "Project.get_attributes": lambda w: w.project.get_attributes(),
    "Project.create_attribute": lambda w: w.project.create_attribute(
        "size", "SELECTION", description="how large", norder=1, values=["small", "large"]
    ),
    "Project.get_attribute_classes": lambda w: w.project.get_attribute_classes(),
    "Project.set_attribute_classes": lambda w: w.project.set_attribute_classes(
        [{"attribute_id": w.attribute.id, "class_id": w.label_class.id, "attribute_order": 1}]
    ),
    "Project.delete_attribute_classes": lambda w: w.project.delete_attribute_classes(
        [{"attribute_id": w.attribute.id, "class_id": w.label_class.id}]
    ),
    "Project.export": lambda w: w.project.export("out", "json_v1.1"),
    "Project.export, with everything": lambda w: w.project.export(
        "out", "semantic_png", [w.dataset, w.other], ["NEW", "DONE"], True, "class_color", ["z_index", "class_type"]
    ),
    "Project.get_detector": lambda w: w.project.get_detector(),
    "Project.get_instance_segmentor": lambda w: w.project.get_instance_segmentor(),
    "Project.get_semantic_segmentor": lambda w: w.project.get_semantic_segmentor(),
    "Project.get_attributer": lambda w: w.project.get_attributer(),
    "Project.get_automated_labeling_jobs": lambda w: w.jobs(),
    "Project.get_automated_labeling_job": lambda w: w.project.get_automated_labeling_job(w.labeling.id),
    "Project.create_automated_labeling_job": lambda w: w.project.create_automated_labeling_job(
        "experiment", 0.7, 50, 10, 0.4, w.empty.id
    ),
    "Dataset.edit": lambda w: w.dataset.edit("train 2", 5),
    "Image.get_labels": lambda w: list(w.image.get_labels()),
    "Image.create_label": lambda w: w.image.create_label(w.label_class, [1, 2, 3, 4], external_id="e"),
    "Image.create_labels": lambda w: w.image.create_labels([{"class_id": w.label_class.id, **one} for one in LABELS]),
    "Image.edit_labels": lambda w: w.image.edit_labels(
        [{"label_id": w.label.id, "class_id": w.label_class.id, "bbox": [1, 1, 5, 5], "mask": [1, 16], "z_index": 2}]
    ),
    "Image.edit_labels, every key": lambda w: w.image.edit_labels(
        [
            {
                "label_id": w.label.id,
                "class_id": w.label_class.id,
                "bbox": [1, 1, 5, 5],
                "polygon": [[1, 1], [5, 1], [5, 5]],
                "mask": [1, 16],
                "z_index": 3,
                "external_id": "e",
            }
        ]
    ),
    "Image.delete_labels": lambda w: w.image.delete_labels([w.doomed_label.id]),
    "Image.set_status": lambda w: w.image.set_status("TO REVIEW"),
    "Image.download": lambda w: w.image.download(str(w.folder / "downloaded.png")),
    "Image.rename": lambda w: w.image.rename("renamed.png"),
    "Image.move": lambda w: w.image.move(w.other),
    "Image.get_tags": lambda w: list(w.image.get_tags()),
    "Image.add_tags": lambda w: w.image.add_tags([w.tag_class, {"tag_class_id": w.doomed_tag_class.id}]),
    "Image.delete_tags": lambda w: w.image.delete_tags([w.tag]),
    "Image.delete_tags, by class": lambda w: w.image.delete_tags([w.doomed_tag_class]),
    "LabelClass.edit": lambda w: w.label_class.edit("coin 2", "#0000ffff", "object", 4, "e"),
    "TagClass.edit": lambda w: w.tag_class.edit("blurry 2", 4),
    "Attribute.edit": lambda w: w.attribute.edit(
        "colour", "SELECTION", subject_type="LABEL", description="d", norder=3, values=["red", "green"]
    ),
    "Label.edit": lambda w: w.label.edit(w.label_class, [2, 2, 6, 6], [[2, 2], [6, 2], [6, 6]], [1, 16], 4, "e2"),
    "Label.edit, without a depth": lambda w: w.label.edit(w.label_class, [2, 2, 6, 6], None, None, None, None),
    "Label.get_attributes": lambda w: list(w.label.get_attributes()),
    "Label.set_attribute": lambda w: w.label.set_attribute(w.attribute, w.attribute.values[0]["id"]),
    "ExportJob.check_status": lambda w: w.export.check_status(),
    "ExportJob.download": lambda w: w.fresh_export.download(str(w.folder)),
    "AutomatedLabelingJob.check_status": lambda w: w.labeling.check_status(),
    "Detector.discover_model": lambda w: w.detector.discover_model(),
    "Detector.predict": lambda w: w.detector.predict(image_path=str(w.pictures / "ramp.png")),
    "InstanceSegmentor.discover_model": lambda w: w.instance_segmentor.discover_model(),
    "InstanceSegmentor.predict": lambda w: w.instance_segmentor.predict(w.image.public_url, None, 0.4, 10),
    "SemanticSegmentor.discover_model": lambda w: w.semantic_segmentor.discover_model(),
    "SemanticSegmentor.predict": lambda w: w.semantic_segmentor.predict(w.image.public_url, None, 2.0),
    "Attributer.discover_model": lambda w: w.attributer.discover_model(),
    "Attributer.predict": lambda w: w.attributer.predict(w.image.public_url, None, [[0, 0, 5, 5]], 0.4),
    "three pictures": lambda w: w.upload_three(),
    "250 labels": lambda w: w.many_labels(),
    "Label.delete": lambda w: w.label.delete(),
    "Image.delete": lambda w: w.image.delete(),
    "Attribute.delete": lambda w: w.attribute.delete(),
    "TagClass.delete": lambda w: w.tag_class.delete(),
    "LabelClass.delete": lambda w: w.label_class.delete(),
    "Dataset.delete": lambda w: w.dataset.delete(),
    "Project.delete": lambda w: w.project.delete(),
}

API = "GET /v1/projects/<project>"
STORAGE = "PUT /storage/uploads/<project>/<new>?signed"
NAMES = "is read along, where it is not known yet: "

UPLOADING = {"Project.upload_from_file", "Detector.predict"}
PREDICTING = {f"{model}.predict" for model in ("Detector", "InstanceSegmentor", "SemanticSegmentor")}
CREATING = {"Image.create_label", "Image.create_labels"}
EDITING = {"Image.edit_labels", "Image.edit_labels, every key", "Label.edit", "Label.edit, without a depth"}
OF_JOBS = {"Project.get_automated_labeling_jobs"}


@dataclass(frozen=True)
class Difference:
    """A difference, in which calls it shows, and why it is there."""

    line: str
    calls: set[str]
    reason: str


DIFFERENCES = [
    Difference("~ cookie: sent -> not sent", set(CALLS) - {"Image.download"}, "the API does not need it"),
    Difference(
        f"~ {STORAGE} key: sent -> not sent",
        UPLOADING | {"three pictures"},
        "signed addresses belong to a storage provider, whom the key is none of the business",
    ),
    Difference(
        f"+ {API}/label_classes?{PAGE}",
        {"Image.get_labels", "250 labels"} | PREDICTING | CREATING | EDITING,
        NAMES + "the classes, for the column class_name and to check what is sent",
    ),
    Difference(
        f"+ {API}/datasets?{PAGE}",
        {
            *("Project.get_images", "Project.get_images, filtered", "Project.upload_from_file"),
            *("Project.upload_from_url", "Project.export, with everything", "Image.move", "three pictures"),
            "Project.create_automated_labeling_job",
        },
        NAMES + "the datasets, for the column dataset_name and because a name serves as well as an id",
    ),
    Difference(
        f"+ {API}/images?dataset_id=<other>&{PAGE}",
        {"three pictures"},
        "the images that the dataset has: what is there already is not sent again",
    ),
    Difference(
        f"+ {API}/tag_classes?{PAGE}",
        {"Image.get_tags", "Image.add_tags", "Image.delete_tags, by class"},
        NAMES + "the tag classes, for the column tag_class_name and because a name serves as well as an id",
    ),
    Difference(
        f"+ {API}/attributes?{PAGE}",
        {
            *("Label.get_attributes", "Label.set_attribute", "Attributer.predict"),
            *("Project.set_attribute_classes", "Project.delete_attribute_classes"),
        },
        NAMES + "the attributes, for the column attribute_name and because a text serves as well as an id",
    ),
    Difference(
        f"+ {API}/label_classes?{PAGE}",
        {"Project.set_attribute_classes", "Project.delete_attribute_classes"},
        NAMES + "the classes, because a name serves as well as an id",
    ),
    Difference(
        f"+ {API}/images/<image>/labels?{PAGE}",
        {"Image.edit_labels"},
        "a PUT replaces a label as a whole: what is left out is read first, and sent as it is",
    ),
    Difference(
        "~ PUT /v1/projects/<project>/images/<image>/labels [0].external_id: null -> 'e0'",
        {"Image.edit_labels"},
        "what is left out of an edit stays as it is",
    ),
    *(
        Difference(
            f"~ {method} /v1/projects/<project>/images/<image>/labels [{row}].z_index: null -> 0",
            calls,
            "newer servers refuse null",
        )
        for method, row, calls in [
            ("POST", 0, {"Image.create_labels"}),
            ("POST", 1, {"Image.create_labels"}),
            ("PUT", 0, {"Label.edit, without a depth"}),
        ]
    ),
    *(
        Difference(f"{sign} {API}/images/<many_image>/labels?offset={offset}&limit=100", {"250 labels"}, reason)
        for reason in ["a page begins with the item that the page before ended with, so that a list that moved shows"]
        for sign, offset in [("-", 100), ("-", 200), ("+", 99), ("+", 198)]
    ),
    Difference(f"- {API}/uploads?count=1 (3 times)", {"three pictures"}, "see the next line"),
    Difference(f"+ {API}/uploads?count=3", {"three pictures"}, "one call fetches the addresses of many uploads"),
    Difference(
        f"+ {API}/images?dataset_id=<other>&{PAGE}",
        {"three pictures"},
        "what is there already is not sent again: the images of the dataset are read first, once",
    ),
]


# The twin projects ----------------------------------------------------------------------------------------------------


def world(client, url, pictures, folder, classes, requester):
    """Make a project with one of everything, and things of it that belong to a client's classes."""
    maker = hf.Client(client.api_key, url, progress=False)
    project = maker.create_project(maker.get_workspaces(), "Twin")
    w = SimpleNamespace(pictures=pictures, folder=folder)

    def thing(name, handle, **more):
        data = {**handle._data, "project_id": project.id, **more}
        setattr(w, name, getattr(classes, type(handle).__name__)(requester, data, {"project_id": project.id}))

    thing("project", project)
    workspace = maker.get_workspaces()
    thing("workspace", hf.Workspace(maker._transport, {"id": workspace.index[0]}))
    datasets = {name: project.create_dataset(name) for name in ("train", "val", "empty")}
    for name, dataset in zip(("dataset", "other", "empty"), datasets.values(), strict=True):
        thing(name, dataset)
    thing("label_class", coin := project.create_label_class("coin"))
    thing("tag_class", project.create_tag_class("blurry"))
    thing("doomed_tag_class", doomed := project.create_tag_class("dark"))
    thing("attribute", project.create_attribute("colour", "SELECTION", values=["red", "green"]))
    thing("image", image := project.upload_from_file("train", pictures / "ramp.png"))
    thing("many_image", many := project.upload_from_file("train", pictures / "ramp.jpg"))
    many.create_labels([{"class_id": coin.id, "bbox": [0, 0, 5, 5]}] * 250)
    thing("label", image.create_label(coin, [0, 0, 4, 4], external_id="e0"))
    thing("doomed_label", image.create_label(coin, [0, 0, 5, 5]))
    image.add_tags([doomed])
    tags = maker._transport.listing(hf.Tag.path.format(project_id=project.id, image_id=image.id))
    spare = project.create_tag_class("spare")
    image.add_tags([spare])
    tags = maker._transport.listing(hf.Tag.path.format(project_id=project.id, image_id=image.id))
    thing("tag", hf.Tag(maker._transport, tags[-1]), image_id=image.id)
    thing("export", job := project.export("out", "json_v1.1", image_status="NEW"))
    job.wait(timeout=60)
    thing("fresh_export", job)
    thing("labeling", project.create_automated_labeling_job("experiment", dataset_id="empty"))
    for kind in ("detector", "instance_segmentor", "semantic_segmentor", "attributer"):
        thing(kind, getattr(project, f"get_{kind}")())
    maker.close()
    w.symbols = {one.id: f"<{name}>" for name, one in vars(w).items() if hasattr(one, "id") and name != "fresh_export"}
    w.symbols |= {one.model_id: f"<{name}>" for name, one in vars(w).items() if hasattr(one, "model_id")}
    return w


@pytest.fixture(scope="module")
def walk(client, _recorder, pictures, tmp_path_factory):
    """What each call sent: call -> the official client's requests, and ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sockets that the official client leaves open
        hasty = official()
        for key in client.get_projects().index:  # those of earlier tests, which would make a list of several pages
            client.get_project(key).delete()
        sides = []
        for side in ("theirs", "ours"):
            theirs = side == "theirs"
            one = (hasty.Client if theirs else hf.Client)(client.api_key, _recorder.url)
            requester = one._requester if theirs else one._transport
            folder = tmp_path_factory.mktemp(side)
            w = world(client, _recorder.url, pictures, folder, hasty if theirs else hf, requester)
            w.client = one
            (complete_theirs if theirs else complete_ours)(w)
            sides.append(w)
        sent = defaultdict(list)
        for name, call in CALLS.items():
            for w in sides:
                if hasattr(w.client, "_transport"):  # as if this client knew no names yet
                    hf.Project(w.client._transport, {"id": w.project.id})._vocabulary.invalidate(
                        *(hf.Dataset, hf.LabelClass, hf.TagClass, hf.Attribute, hf.AutomatedLabelingJob)
                    )
                _recorder.clear()
                call(w)
                sent[name].append([plain(seen, w.symbols) for seen in _recorder.seen])
    sides[1].client.close()
    return sent


def complete_theirs(w):
    def upload_three():
        for name in ("cell.png", "coins.png", "ramp.jpg"):
            w.project.upload_from_file(w.other, str(w.pictures / name))

    def many_labels():
        labels = w.many_image.get_labels()
        assert len([labels[i] for i in range(len(labels))]) == 250

    w.upload_three, w.many_labels = upload_three, many_labels
    w.jobs = w.project.get_automated_labeling_jobs


def complete_ours(w):
    def upload_three():
        report = w.project.upload_images([w.pictures / name for name in ("cell.png", "coins.png", "ramp.jpg")], w.other)
        assert set(report["outcome"]) == {"uploaded"}

    def many_labels():
        assert len(w.many_image.get_labels()) == 250

    w.upload_three, w.many_labels = upload_three, many_labels
    w.jobs = w.project.get_automated_labeling_jobs


# Requests made comparable ---------------------------------------------------------------------------------------------

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Sent:
    """A request, without what differs from one project to another."""

    request: str
    body: str
    key: bool
    cookie: bool
    content_type: str | None


def plain(seen: Seen, symbols: dict[str, str]) -> Sent:
    def named(text: str) -> str:
        text = re.sub(r"http://[^/]+(/storage/[^?]+)\?\S*", r"\1?signed", text)
        return UUID.sub(lambda found: symbols.get(found.group(), "<new>"), text)

    stored = seen.path.startswith("/storage/")
    query = "&".join(f"{key}={value}" for key, value in seen.query.items())
    request = named(f"{seen.method} {seen.path}" + (f"?{'signed' if stored else query}" if seen.query else ""))
    try:
        body = named(json.dumps(json.loads(seen.body), sort_keys=True)) if seen.body else ""
    except ValueError:
        body = f"{len(seen.body)} bytes, {hash(seen.body)}"
    content_type = seen.headers.get("content-type") if seen.body else None
    return Sent(request, body, "x-api-key" in seen.headers, "cookie" in seen.headers, content_type)


def compare(theirs: list[Sent], ours: list[Sent]) -> set[str]:
    """Say how two lists of requests differ, one line a difference."""
    lines = set()
    for request in {sent.request for sent in theirs + ours}:
        # Requests that are sent in parallel arrive in any order.
        pair = [sorted((s for s in side if s.request == request), key=lambda s: s.body) for side in (theirs, ours)]
        if len(pair[0]) != len(pair[1]):
            sign = "-" if len(pair[0]) > len(pair[1]) else "+"
            times = abs(len(pair[0]) - len(pair[1]))
            lines.add(f"{sign} {request}" + (f" ({times} times)" if times > 1 else ""))
        for a, b in zip(*pair, strict=False):
            lines |= compare_one(a, b)
    if any(sent.cookie for sent in theirs) and not any(sent.cookie for sent in ours):
        lines.add("~ cookie: sent -> not sent")
    return lines


def compare_one(theirs: Sent, ours: Sent) -> set[str]:
    lines = set()
    if theirs.key != ours.key:
        told = {True: "sent", False: "not sent"}
        lines.add(f"~ {ours.request} key: {told[theirs.key]} -> {told[ours.key]}")
    if theirs.content_type != ours.content_type:
        lines.add(f"~ {ours.request} content type: {theirs.content_type!r} -> {ours.content_type!r}")
    if theirs.body == ours.body:
        return lines
    if not theirs.body.startswith(("[", "{")):
        return lines | {f"~ {ours.request} body: {theirs.body} -> {ours.body}"}
    before, after = flat(json.loads(theirs.body)), flat(json.loads(ours.body))
    nothing = object()
    for place in before | after:
        a, b = before.get(place, nothing), after.get(place, nothing)
        if a != b:
            told = ["left out" if v is nothing else "null" if v is None else repr(v) for v in (a, b)]
            lines.add(f"~ {ours.request} {place}: {told[0]} -> {told[1]}")
    return lines


def flat(value, place="") -> dict:
    if isinstance(value, dict) and value:
        parts = [flat(one, f"{place}.{key}") for key, one in value.items()]
    elif isinstance(value, list) and value:
        parts = [flat(one, f"{place}[{number}]") for number, one in enumerate(value)]
    else:
        return {place: value}
    return {key: one for part in parts for key, one in part.items()}


# The comparison -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_same_requests(walk, name):
    theirs, ours = walk[name]
    assert theirs
    assert ours
    assert compare(theirs, ours) == {difference.line for difference in DIFFERENCES if name in difference.calls}


def test_every_documented_call_is_compared():
    compared = {tuple(name.split(",")[0].split(".")) for name in CALLS if "." in name}
    assert compared == set(METHODS) - {("Client", "__init__")}


def test_every_difference_has_a_reason_and_a_call():
    for difference in DIFFERENCES:
        assert difference.reason
        assert difference.calls
        assert difference.calls <= set(CALLS)


def test_the_comparison_sees_differences():
    one = Sent("PUT /x", '{"a": [1, null]}', True, True, "application/json")
    assert compare([one], [one]) == set()
    other = Sent("PUT /x", '{"a": [2], "b": 1}', False, False, "text/plain")
    assert compare([one], [other, other, Sent("GET /y", "", True, False, None)]) == {
        "+ GET /y",
        "+ PUT /x",
        "~ cookie: sent -> not sent",
        "~ PUT /x key: sent -> not sent",
        "~ PUT /x content type: 'application/json' -> 'text/plain'",
        "~ PUT /x .a[0]: 1 -> 2",
        "~ PUT /x .a[1]: null -> left out",
        "~ PUT /x .b: left out -> 1",
    }
