"""Whole projects there and back."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import signal
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hastyframe as hf
from hastyframe import transport

GEOMETRY = ["class_name", "x_min", "y_min", "x_max", "y_max", "mask", "polygon", "z_index"]


@pytest.fixture(scope="module")
def server():
    with hf.Client.local(progress=False) as client:
        yield client


def new_project(client, name):
    return client.create_project(client.get_workspaces(), name)


def small_set():
    images = pd.DataFrame(
        {
            "name": ["a.png", "a.png", "b.png"],
            "dataset_name": ["one", "two", "two"],
            "width": 20,
            "height": 10,
            "status": ["DONE", "NEW", "TO REVIEW"],
        },
        index=["i1", "i2", "i3"],
    )
    labels = pd.DataFrame(
        {
            "image_id": ["i3", "i1", "i1"],
            "class_name": ["dog", "cat", "dog"],
            "x_min": [0, 1, 2],
            "y_min": [0, 1, 2],
            "x_max": [4, 5, 6],
            "y_max": [2, 3, 4],
            "mask": [[1, 2, 7, 2], None, [1, 8]],
            "polygon": [None, [[1, 1], [5, 1], [5, 3]], None],
            "z_index": [0, 2, 1],
        },
        index=["l1", "l2", "l3"],
    )
    classes = pd.DataFrame(
        {"name": ["dog", "cat"], "color": ["#ff0000ff", "#00ff00ff"], "class_type": "object", "norder": [2.0, 1.0]},
        index=["c1", "c2"],
    )
    attributes = pd.DataFrame(
        {
            "name": ["breed", "age"],
            "attribute_type": ["SELECTION", "INT"],
            "subject_type": "LABEL",
            "values": [[{"id": "v1", "value": "pug"}, {"id": "v2", "value": "collie"}], None],
        },
        index=["a1", "a2"],
    )
    values = pd.DataFrame(
        {"label_id": ["l1", "l3", "l2"], "attribute_name": ["breed", "breed", "age"], "value": ["pug", "collie", 3]},
        index=["v1", "v2", "v3"],
    )
    tags = pd.DataFrame({"image_id": ["i1", "i3"], "tag_class_name": ["blurry", "night"]}, index=["t1", "t2"])
    tags["tag_class_id"] = tags["tag_class_name"]
    return hf.LabelSet(images, labels, classes, attributes=attributes, label_attributes=values, tags=tags)


def blank_pictures(folder: Path, images: pd.DataFrame) -> Path:
    for dataset, name, width, height in images[["dataset_name", "name", "width", "height"]].itertuples(index=False):
        path = folder / str(dataset) / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (int(width), int(height))).save(path)
    return folder


def comparable(label_set):
    """Everything but ids, which a project gives anew."""
    keys = label_set.images[["dataset_name", "name"]].astype(str).agg("/".join, axis=1)
    labels = label_set.labels[GEOMETRY].astype({"class_name": str}).assign(image=label_set.labels["image_id"].map(keys))
    return labels.sort_values(["image", "x_min", "y_min", "x_max", "y_max", "z_index"]).reset_index(drop=True)


def test_push_and_pull_give_the_same_frames(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "there and back")
    report = project.push(wanted, blank_pictures(tmp_path, wanted.images))
    assert report.groupby("kind").size().to_dict() == {
        "attribute": 2,
        "dataset": 2,
        "image": 3,
        "label": 3,
        "label class": 2,
        "tag class": 2,
    }
    assert (report["outcome"] == "created").all()

    found = project.pull()
    pd.testing.assert_frame_equal(comparable(found), comparable(wanted))
    columns = ["name", "color", "class_type", "norder"]
    by_name = [s.label_classes[columns].sort_values("name").reset_index(drop=True) for s in (found, wanted)]
    pd.testing.assert_frame_equal(*by_name)
    ids = report.set_index("source_id")["id"]
    assert found.images["status"].astype(str).loc[ids[["i1", "i2", "i3"]]].tolist() == ["DONE", "NEW", "TO REVIEW"]
    values = found.label_attributes.set_index(["label_id", "attribute_name"])["value"]
    assert [values[ids[label], name] for label, name in (("l1", "breed"), ("l3", "breed"), ("l2", "age"))] == [
        "pug",
        "collie",
        3,
    ]
    tags = found.tags.set_index("image_id")["tag_class_name"].astype(str)
    assert tags.to_dict() == {ids["i1"]: "blurry", ids["i3"]: "night"}


def test_exports_read_back_are_the_project(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "by export")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    found = project.read_export()
    pd.testing.assert_frame_equal(comparable(found), comparable(project.pull()))
    coco = project.read_export("json_coco", image_status="DONE")
    assert coco.label_attributes is None
    assert sorted(coco.labels["class_name"].astype(str)) == ["cat", "dog"]
    with pytest.raises(hf.ValidationException, match="export_format is 'images'"):
        project.read_export("images")


def test_what_is_there_is_not_created_again(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "twice")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    again = project.push(wanted)  # no pictures needed: all are there
    outcomes = again.groupby("kind")["outcome"].unique().map(list).to_dict()
    assert outcomes.pop("label") == ["created"]
    assert all(outcome == ["there already"] for outcome in outcomes.values())
    assert len(project.get_images()) == 3
    assert len(project.get_labels()) == 6


def test_missing_pictures_are_named_before_anything_is_uploaded(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "missing")
    with pytest.raises(hf.ValidationException, match="images_folder="):
        project.push(wanted)
    (blank_pictures(tmp_path, wanted.images) / "two" / "b.png").unlink()
    with pytest.raises(hf.FrameError) as caught:
        project.push(wanted, tmp_path)
    assert caught.value.problems[["row", "value"]].values.tolist() == [["i3", "b.png"]]
    assert len(project.get_images()) == 0


def nested_set(*names):
    images = pd.DataFrame({"name": names, "width": 20, "height": 10}, index=[f"i{n}" for n in range(len(names))])
    labels = pd.DataFrame(
        {"image_id": images.index, "class_name": "cat", "x_min": range(len(names)), "y_min": 0, "x_max": 9, "y_max": 4}
    )
    return hf.LabelSet(images, labels, pd.DataFrame({"name": ["cat"]}, index=["c"]))


def in_folders(folder, label_set):
    for name in label_set.images["name"]:
        path = folder / name.replace("\\", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10)).save(path)
    return folder


def called(project):
    images = project.get_images()
    return sorted(images["dataset_name"].astype(str) + ": " + images["name"])


def test_names_with_folders_are_pushed_under_names_that_the_server_takes(server, tmp_path):
    wanted = nested_set("cam1/0001.png", "cam2/0001.png", "0002.png")
    project = new_project(server, "nested")
    with pytest.warns(hf.io.FormatWarning, match="2 of 3 images.*'cam1/0001.png' is called 'cam1_0001.png' there"):
        project.push(wanted, in_folders(tmp_path, wanted))
    assert called(project) == ["default: 0002.png", "default: cam1_0001.png", "default: cam2_0001.png"]
    labels = project.get_labels().join(project.get_images()["name"], on="image_id")
    assert labels.sort_values("x_min")["name"].tolist() == ["cam1_0001.png", "cam2_0001.png", "0002.png"]
    with pytest.warns(hf.io.FormatWarning, match="folders in their names"):
        again = project.push(wanted)  # the same names again, so that nothing is uploaded twice
    assert again[again["kind"] == "image"]["outcome"].unique().tolist() == ["there already"]


def test_folders_in_names_can_be_datasets(server, tmp_path):
    wanted = nested_set("cam1/0001.png", "cam2/0001.png", "a/b/0001.png", "0001.png")
    project = new_project(server, "folders as datasets")
    project.push(wanted, in_folders(tmp_path, wanted), datasets="folders")
    assert called(project) == ["a/b: 0001.png", "cam1: 0001.png", "cam2: 0001.png", "default: 0001.png"]
    with pytest.raises(hf.ValidationException, match="datasets"):
        project.push(wanted, datasets="Folders")


def test_names_that_would_be_one_are_told_apart(server, tmp_path):
    wanted = nested_set("a/b_c.png", "a_b/c.png", "a_b_c.png", "w\\x.png")
    project = new_project(server, "told apart")
    with pytest.warns(hf.io.FormatWarning, match="folders in their names"):
        project.push(wanted, in_folders(tmp_path, wanted))
    names = project.get_images()["name"].tolist()
    assert len(set(names)) == 4 and {"a_b_c.png", "w_x.png"} < set(names)


def test_labels_without_a_place_do_not_stop_a_push(server, tmp_path):
    plain_set = nested_set("a.png", "b.png")
    labels = plain_set.labels.copy()
    labels.loc["0", ["x_min", "y_min", "x_max", "y_max"]] = None
    labels["keypoints"] = pd.Series([[{"x": 1, "y": 2}], None], labels.index, dtype=object)
    attributes = pd.DataFrame({"name": ["age"], "attribute_type": ["INT"]}, index=["a"])
    values = pd.DataFrame({"label_id": ["0", "1"], "attribute_name": "age", "value": [1, 2]}, index=["v", "w"])
    wanted = hf.LabelSet(
        plain_set.images, labels, plain_set.label_classes, attributes=attributes, label_attributes=values
    )
    project = new_project(server, "key points")
    with pytest.warns(hf.io.FormatWarning, match="1 of 2 labels have neither a box nor an outline"):
        report = project.push(wanted, in_folders(tmp_path, wanted))
    assert report[report["kind"] == "label"]["outcome"].tolist() == ["skipped", "created"]
    assert project.get_label_attributes(project.get_labels())["value"].tolist() == [2]


def test_the_attributes_of_classes_come_along(server):
    data = {
        "attributes": [{"name": "age", "type": "INT"}, {"name": "sex", "type": "TEXT"}],
        "label_classes": [
            {"class_name": "cat", "attributes": ["sex", "age"], "norder": None},
            {"class_name": "dog", "attributes": []},
            {"class_name": "cow", "attributes": ["age", "gone"]},
        ],
        "images": [],
    }
    project = new_project(server, "attributes of classes")
    for _ in range(2):
        project.push(hf.read_hasty_json(data))
    names = project.get_attributes()["name"], project.get_label_classes()["name"]
    pairs = project.get_attribute_classes()
    found = zip(pairs["attribute_id"].map(names[0]), pairs["class_id"].map(names[1]), strict=True)
    assert sorted(found) == [("age", "cat"), ("age", "cow"), ("sex", "cat")]


# Whatever breaks ------------------------------------------------------------------------------------------------------

TIMEOUT = (5.0, 1.0)


def faults(seed):
    """One request in five goes wrong; few of them by being slow, because that takes time."""
    return hf.local.Faults.everywhere(0.2, seed=seed, slow=0.01, slow_seconds=1.3, retry_after=0)


def larger_set():
    """The small set with many more labels, among them honest duplicates, and values on some of them."""
    small = small_set()
    count = 240
    labels = pd.DataFrame(
        {
            "image_id": np.array(["i1", "i2", "i3"])[np.arange(count) % 3],
            "class_name": "cat",
            "x_min": np.arange(count) % 7,
            "y_min": 0,
            "x_max": 8 + np.arange(count) % 5,
            "y_max": 4,
            "z_index": 3 + np.arange(count) // 12,
        },
        index=[f"n{number}" for number in range(count)],
    )
    labels = pd.concat([small.labels.drop(columns="class_id"), labels])
    known = small.label_attributes[["label_id", "attribute_name", "value"]].astype({"attribute_name": object})
    ages = pd.DataFrame({"label_id": [f"n{n}" for n in range(15)], "attribute_name": "age", "value": range(15)})
    values = pd.concat([known, ages], ignore_index=True)
    return hf.LabelSet(
        small.images, labels, small.label_classes,
        attributes=small.attributes, label_attributes=values.rename(index=lambda n: f"v{n}"), tags=small.tags,
    )  # fmt: skip


def plain(value):
    """A cell in a form that is equal where the cells are."""
    if isinstance(value, str):
        return value
    if np.iterable(value):
        return [plain(one) for one in value]
    return None if pd.isna(value) else float(value)


def contents(label_set):
    """All that a label set holds, by names instead of ids: two projects are equal if these are."""
    images = label_set.images[["dataset_name", "name"]].astype(str).agg("/".join, axis=1)
    named = (
        label_set.label_attributes["attribute_name"].astype(str) + "=" + label_set.label_attributes["value"].map(str)
    )
    values = named.groupby(label_set.label_attributes["label_id"]).agg(lambda texts: ", ".join(sorted(texts)))
    labels = label_set.labels[GEOMETRY].assign(
        image=label_set.labels["image_id"].map(images), values=values.reindex(label_set.labels.index)
    )
    tags = label_set.tags["image_id"].map(images).str.cat(label_set.tags["tag_class_name"].astype(str), sep=" ")
    return {
        "images": sorted(images.str.cat(label_set.images["status"].astype(str), sep=" ")),
        "labels": sorted(str([plain(value) for value in row]) for row in labels.itertuples(index=False)),
        "classes": sorted(label_set.label_classes["name"]),
        "attributes": sorted(label_set.attributes["name"]),
        "tags": sorted(tags),
    }


def check_ids(report, project, wanted):
    """The report knows which label of the project is which of the label set."""
    rows = report[report["kind"] == "label"]
    assert rows["source_id"].tolist() == wanted.labels.index.tolist()
    assert rows["id"].is_unique
    found = project.get_labels().loc[rows["id"], ["x_min", "y_min", "x_max", "y_max", "z_index"]]
    assert found.to_numpy().tolist() == wanted.labels[found.columns].to_numpy().tolist()


def insist(call, *arguments):
    """Call, and again where reading was given up after three timeouts: the same line goes on."""
    for _ in range(5):
        with contextlib.suppress(hf.RequestTimeout, hf.ReadError):
            return call(*arguments)
    return call(*arguments)


@pytest.mark.parametrize("seed", range(3))
def test_push_whatever_breaks(server, tmp_path, monkeypatch, seed):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    wanted = larger_set()
    folder = blank_pictures(tmp_path, wanted.images)
    project = new_project(server, f"faults {seed}")
    with hf.Client(server.api_key, server.base_url, progress=False, timeout=TIMEOUT) as impatient:
        through = impatient.get_project(project.id)
        server.server.faults = faults(seed)
        report = insist(through.push, wanted, folder, tmp_path / "journal.jsonl")
        again = insist(through.push, wanted, folder, tmp_path / "journal.jsonl")
        server.server.faults = None
    assert contents(project.pull()) == contents(wanted)
    assert len(project.get_datasets()) == len(project.get_tag_classes()) == 2
    check_ids(report, project, wanted)
    pd.testing.assert_series_equal(again["id"], report["id"])
    assert set(again["outcome"][again["kind"] != "label"]) == {"there already"}


def push_once(key, url, project_id, folder, journal):
    """What the process does that is killed."""
    transport._FIRST_PAUSE = 0.002
    with hf.Client(key, url, progress=False, timeout=TIMEOUT) as client:
        insist(insist(client.get_project, project_id).push, larger_set(), folder, journal)


@pytest.mark.parametrize("seed", range(2))
def test_push_that_is_killed_and_made_again(server, tmp_path, seed):
    wanted = larger_set()
    folder, journal = blank_pictures(tmp_path, wanted.images), tmp_path / "journal.jsonl"
    project = new_project(server, f"killed {seed}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hastyframe.project", "hastyframe.sync"])
    rng = random.Random(seed)
    server.server.faults = faults(seed)
    killed = 0
    for patience in (*np.geomspace(0.1, 1, 7), None):
        arguments = (server.api_key, server.base_url, project.id, folder, journal)
        process = context.Process(target=push_once, args=arguments)
        process.start()
        process.join(patience and patience * rng.uniform(0.5, 1.5))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
    server.server.faults = None
    assert process.exitcode == 0
    assert killed
    assert contents(project.pull()) == contents(wanted)
    check_ids(project.push(wanted, folder, journal), project, wanted)


def test_a_journal_of_other_labels_is_refused(server, tmp_path):
    wanted = small_set()
    folder, journal = blank_pictures(tmp_path, wanted.images), tmp_path / "journal.jsonl"
    project = new_project(server, "journals")
    project.push(wanted, folder, journal)
    changed = small_set()
    changed.labels.loc["l2", "z_index"] = 7
    for other in (changed, larger_set()):
        with pytest.raises(hf.JournalError, match="holds other changes"):
            project.push(other, folder, journal)
    with pytest.raises(hf.JournalError, match="holds other changes"):
        new_project(server, "another").push(wanted, folder, journal)
    assert len(project.get_labels()) == 3
    (tmp_path / "mine.txt").write_text("not a journal")
    with pytest.raises(hf.JournalError):
        project.push(wanted, folder, tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "not a journal"


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_a_journal_whose_plan_was_cut_off_is_written_anew(server, tmp_path, cut):
    wanted = small_set()
    folder, journal = blank_pictures(tmp_path, wanted.images), tmp_path / "journal.jsonl"
    project = new_project(server, "cut")
    project.push(wanted, folder, journal)
    journal.write_bytes(journal.read_bytes()[:cut])  # nothing of such a plan can have been sent
    project.push(wanted, folder, journal)
    assert len(project.get_labels()) == 6


def test_statuses_are_for_images_that_nobody_has_touched(server, tmp_path):
    wanted = small_set()
    folder = blank_pictures(tmp_path, wanted.images)
    project = new_project(server, "statuses")
    first = project.push(wanted, folder).set_index("source_id")["id"]
    project.set_status([first["i1"]], "SKIPPED")
    project.set_status([first["i3"]], "NEW")  # as an upload leaves it that was interrupted
    project.push(wanted, folder)
    statuses = project.get_images()["status"].astype(str)
    assert statuses.loc[first[["i1", "i2", "i3"]]].tolist() == ["SKIPPED", "NEW", "TO REVIEW"]


@pytest.mark.parametrize(("carried_out", "answered"), [(True, 1), (False, 2)])
def test_a_class_that_nobody_answered_for_is_looked_for_by_its_name(server, monkeypatch, carried_out, answered):
    project = new_project(server, "classes")
    monkeypatch.setattr(transport, "_MAX_SETTLE_TIMEOUT", 0.01)
    sent = []

    def post(self, path, body, **options):
        sent.append(path)
        if len(sent) == 1:
            with contextlib.nullcontext() if carried_out else contextlib.suppress(ZeroDivisionError):
                carried_out and self.request("POST", path, body=body)
            raise hf.OutcomeUnknown("broke off")
        return self.request("POST", path, body=body, **options)

    monkeypatch.setattr(transport.Transport, "post", post)
    classes = pd.DataFrame({"name": ["cat"]}, index=["c1"])
    empty = small_set()
    report = project.push(hf.LabelSet(empty.images.iloc[:0], empty.labels.iloc[:0], classes))
    assert len([path for path in sent if path.endswith("label_classes")]) == answered
    assert project.get_label_classes().index.tolist() == report["id"].tolist()


def test_real_annotations_there_and_back(server, tmp_path, data_folder):
    path = data_folder / "coco" / "instances_val2014_100.json"
    with pytest.warns(hf.FormatWarning, match="several parts"):
        wanted = hf.read_coco(path)
    project = new_project(server, "coco")
    with pytest.warns(hf.FormatWarning, match="rounded outwards"):
        project.push(wanted, blank_pictures(tmp_path, wanted.images.assign(dataset_name="default")))
    found = project.pull()
    assert len(found.labels) == len(json.loads(path.read_bytes())["annotations"])
    whole = wanted.labels.copy()
    whole[["x_min", "y_min"]] = np.floor(whole[["x_min", "y_min"]])
    whole[["x_max", "y_max"]] = np.ceil(whole[["x_max", "y_max"]])
    images = wanted.images.assign(dataset_name="default")
    expected = comparable(hf.LabelSet(images, whole.assign(z_index=0.0), wanted.label_classes))
    pd.testing.assert_frame_equal(comparable(found), expected)
    pd.testing.assert_frame_equal(comparable(project.read_export()), comparable(found))


def test_objects_of_several_parts_are_pushed_as_masks(server, tmp_path):
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 4}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [4, 0, 8, 0, 8, 4, 4, 4]],
            },
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]},
        ],
    }
    wanted = hf.read_coco(data, masks=None)
    project = new_project(server, "in parts")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    found = project.pull().labels
    assert hf.add_area(found)["area"].tolist() == hf.add_area(wanted.labels)["area"].tolist() == [20, 4]
    assert found["mask"].notna().tolist() == [True, False]


def test_images_are_found_however_their_accents_are_spelled(server, tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "größe é.png") for form in ("NFC", "NFD"))
    project = new_project(server, "accents")

    def named(name, external_id=None):
        images = pd.DataFrame({"name": [name], "width": 20, "height": 10, "external_id": external_id}, index=["i"])
        labels = pd.DataFrame({"image_id": ["i"], "class_name": "cat", "x_min": 0, "y_min": 0, "x_max": 4, "y_max": 2})
        return hf.LabelSet(images, labels, pd.DataFrame({"name": ["cat"]}))

    with pytest.raises(hf.FrameError, match="There is no such file"):
        project.push(named(nfc), images_folder=tmp_path)
    Image.new("RGB", (20, 10)).save(tmp_path / nfd)
    project.push(named(nfc), images_folder=tmp_path)
    assert project.get_images()["name"].tolist() == [nfc]
    project.push(named(nfd))
    assert project.get_images()["name"].tolist() == [nfc] and len(project.get_labels()) == 2


# What is where, and how large -----------------------------------------------------------------------------------------


def coco_set(*names, size=(20, 10), **more):
    images = [{"id": n, "file_name": name, "width": size[0], "height": size[1]} for n, name in enumerate(names)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 3]} for n in range(len(names))]
    return hf.read_coco({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "coin"}]}, **more)


def picture(path, size=(20, 10), orientation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size)
    exif = image.getexif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


def with_pictures(client, name, tmp_path, **datasets):
    project = new_project(client, name)
    for dataset, names in datasets.items():
        project.create_dataset(dataset)
        project.upload_images([picture(tmp_path / "there" / dataset / file) for file in names], dataset)
    return project


def test_labels_of_pictures_of_another_size_are_refused(server, tmp_path):
    project = with_pictures(server, "sizes", tmp_path, default=["a.png", "b.png"])
    with pytest.raises(hf.FrameError, match=r"'a.png' with 640 × 480 pixels, the project with 20 × 10") as caught:
        project.push(coco_set("a.png", "b.png", size=(640, 480)))
    assert caught.value.problems[["column", "row", "value"]].to_numpy().tolist() == [
        ["width", "0", 640],
        ["width", "1", 640],
    ]
    assert not len(project.get_label_classes())
    picture(tmp_path / "new" / "c.png")
    with pytest.raises(hf.FrameError, match=r"c.png' with 20 × 11 pixels, its file with 20 × 10") as caught:
        project.push(coco_set("c.png", "a.png", size=(20, 11)), tmp_path / "new")
    assert caught.value.problems[["column", "row", "value"]].to_numpy().tolist() == [
        ["height", "0", 11],
        ["height", "1", 11],
    ]
    assert len(project.get_images()) == 2 and not len(project.get_label_classes())


@pytest.mark.parametrize("uploaded", [True, False])
def test_a_turned_photograph_is_said_to_be_one(server, tmp_path, uploaded):
    project = new_project(server, f"turn {uploaded}")
    file = picture(tmp_path / "a.jpg", (60, 40), 6)
    if uploaded:
        project.create_dataset("default")
        project.upload_images([file], "default")
    with pytest.raises(hf.FrameError, match=r"60 × 40 pixels, .* with 40 × 60. That looks like a turn"):
        project.push(coco_set("a.jpg", size=(60, 40)), tmp_path)
    project.push(coco_set("a.jpg", size=(40, 60)), tmp_path)
    assert len(project.get_labels()) == 1


def test_what_the_server_makes_of_a_new_picture_is_looked_at(server, tmp_path, monkeypatch):
    project = new_project(server, "stored otherwise")
    picture(tmp_path / "a.png")
    read = type(project).get_images
    monkeypatch.setattr(type(project), "get_images", lambda *args: read(*args).assign(width=10, height=20))
    with pytest.raises(hf.FrameError, match=r"the project with 10 × 20\. That looks like a turn"):
        project.push(coco_set("a.png"), tmp_path)
    assert not len(project.get_labels())


def test_images_without_a_size_are_not_compared(server, tmp_path):
    project = with_pictures(server, "no sizes", tmp_path, default=["a.png", "b.png"])
    plain_set = coco_set("a.png", "b.png", size=(640, 480))
    for sizes in ({"width": pd.NA, "height": pd.NA}, {"width": 0, "height": 0}):
        images = plain_set.images.assign(**sizes)
        project.push(hf.LabelSet(images, plain_set.labels, plain_set.label_classes))
    assert len(project.get_labels()) == 4
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "c.png").write_text("no picture")
    with pytest.raises(hf.FrameError, match="is not an image"):
        project.push(coco_set("c.png"), tmp_path / "new")


def test_an_image_without_a_dataset_is_the_only_one_of_its_name(server, tmp_path):
    project = with_pictures(server, "elsewhere", tmp_path, photos=["a.png", "b\u00e9.png"])
    with pytest.warns(hf.io.FormatWarning, match=r"2 of 2 images.*those in 'photos' are taken"):
        report = project.push(coco_set("a.png", "be\u0301.png"))
    assert report[report["kind"] == "image"]["outcome"].tolist() == ["there already"] * 2
    assert project.get_datasets()["name"].tolist() == ["photos"]
    assert len(project.get_labels()) == 2


def test_an_image_without_a_dataset_that_may_be_several_is_refused(server, tmp_path):
    project = with_pictures(server, "several", tmp_path, one=["a.png", "b.png"], two=["a.png"])
    with pytest.raises(hf.FrameError, match="images of this name in 'one', 'two': say in dataset_name"):
        project.push(coco_set("a.png", "b.png"))
    assert project.get_datasets()["name"].tolist() == ["one", "two"] and not len(project.get_label_classes())
    project.push(coco_set("a.png", dataset="two"))
    labels = project.get_labels().join(project.get_images()["dataset_name"], on="image_id")
    assert labels["dataset_name"].tolist() == ["two"]


def test_a_missing_dataset_is_not_the_default_one_where_others_may_be_meant(server, tmp_path):
    project = with_pictures(server, "several with default", tmp_path, default=["a.png"], two=["a.png"])
    unsaid = coco_set("a.png")
    unsaid = hf.LabelSet(unsaid.images.assign(dataset_name=None), unsaid.labels, unsaid.label_classes)
    with pytest.raises(hf.FrameError, match="in 'default', 'two'"):
        project.push(unsaid)
    project.push(coco_set("a.png"))  # "default" may be meant, and is there
    labels = project.get_labels().join(project.get_images()["dataset_name"], on="image_id")
    assert labels["dataset_name"].tolist() == ["default"]


def test_an_image_of_another_dataset_is_not_taken_where_datasets_are_said(server, tmp_path):
    project = with_pictures(server, "said", tmp_path, photos=["a.png", "b.png"])
    wanted = coco_set("a.png", "b.png", "c.png")
    images = wanted.images.assign(dataset_name=["photos", "default", "default"])
    picture(tmp_path / "new" / "b.png")
    picture(tmp_path / "new" / "c.png")
    project.push(hf.LabelSet(images, wanted.labels, wanted.label_classes), tmp_path / "new")
    assert called(project) == ["default: b.png", "default: c.png", "photos: a.png", "photos: b.png"]


def test_nothing_is_created_for_images_that_cannot_be_had(server, tmp_path):
    project = with_pictures(server, "lacking", tmp_path, photos=["a.png"])
    with pytest.raises(hf.ValidationException, match=r"lacks 1 of the images, the first is 'z.png' of the dataset"):
        project.push(coco_set("z.png"))
    with pytest.raises(hf.FrameError, match="There is no such file"):
        project.push(coco_set("z.png"), tmp_path)
    assert project.get_datasets()["name"].tolist() == ["photos"] and not len(project.get_label_classes())


def test_ids_of_a_label_set_are_compared_by_value(server, tmp_path):
    project = with_pictures(server, "by value", tmp_path, default=["a.png", "b.png"])
    wanted = coco_set("a.png", "b.png")
    dtypes = ("int64", "float64", "category", "string[pyarrow]", "int64[pyarrow]", "object")
    for ids in (["1.0", "0.0"], *(pd.array([1, 0], dtype=dtype) for dtype in dtypes)):
        wanted.labels = wanted.labels.assign(image_id=ids)
        report = project.push(wanted)
        names = project.get_labels().join(project.get_images()["name"], on="image_id")["name"]
        assert names.loc[report.loc[report["kind"] == "label", "id"]].tolist() == ["b.png", "a.png"]
