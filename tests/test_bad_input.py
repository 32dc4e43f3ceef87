"""What cannot be right is refused before anything is written: the row, the value, and what would be right are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from making import make_images, make_labels, make_project
from servers import HTML, Answer, free_port, serve

import hastyframe as hf
from hastyframe import transport

LABEL = {"class_name": "coin", "bbox": [10, 10, 14, 12]}

BAD_LABELS = {
    "unknown class name": ({"class_name": "coim"}, "class_name", "coim", "Did you mean 'coin'?"),
    "class name nothing is like": ({"class_name": "zzz"}, "class_name", "zzz", "one of 'coin', 'cell', 'sky'"),
    "no class": ({"class_name": None}, "class_name", np.nan, "label classes"),
    "flat box": ({"bbox": [10, 10, 10, 12]}, "bbox", [10, 10, 10, 12], "x_max must be greater than x_min"),
    "box upside down": ({"bbox": [10, 10, 14, 8]}, "bbox", [10, 10, 14, 8], "y_max greater than y_min"),
    "broken pixels": ({"bbox": [0.5, 0, 4, 2]}, "bbox", [0.5, 0, 4, 2], "whole pixels"),
    "endless box": ({"bbox": [0, 0, np.inf, 2]}, "bbox", [0, 0, np.inf, 2], "No picture has more than"),
    "box of three": ({"bbox": [1, 2, 3]}, "bbox", [1, 2, 3], "[x_min, y_min, x_max, y_max]"),
    "no geometry": ({"bbox": None}, "bbox", [np.nan] * 4, "a box or a polygon"),
    "mask without a box": (
        {"bbox": None, "polygon": [[0, 0], [4, 0], [4, 4]], "mask": [1, 2]},
        "mask",
        [1, 2],
        "A mask lies inside a box",
    ),
    "mask longer than its box": ({"mask": [1, 9]}, "mask", [1, 9], "longer than its box, which has 8 pixels"),
    "mask that ends behind its box": ({"mask": [1, 2, 8, 2]}, "mask", [1, 2, 8, 2], "longer than its box"),
    "mask of half a pair": ({"mask": [1, 2, 7]}, "mask", [1, 2, 7], "pairs of start and length"),
    "mask that counts from 0": ({"mask": [0, 2]}, "mask", [0, 2], "Starts count from 1"),
    "mask that goes back": ({"mask": [5, 2, 1, 2]}, "mask", [5, 2, 1, 2], "has ended"),
    "polygon of two": ({"polygon": [[0, 0], [4, 4]]}, "polygon", [[0, 0], [4, 4]], "three vertices"),
    "polygon of texts": ({"polygon": "round"}, "polygon", "round", "a list of [x, y] vertices"),
    "a depth beyond 64 bits": ({"z_index": 2**63}, "z_index", float(2**63), "at most 9,007,199,254,740,992"),
    "a depth that a frame would change": ({"z_index": -(2**53) - 2}, "z_index", -(2**53) - 2, "at most 9,007,199,"),
    "a depth that is a text": ({"z_index": "front"}, "z_index", "front", "a number"),
    "a mask beyond 64 bits": ({"mask": [1, 2**63]}, "mask", [1, 2**63], "a list of whole numbers"),
    "a mask that starts beyond 64 bits": ({"mask": [2**64, 1]}, "mask", [2**64, 1], "a list of whole numbers"),
    "a mask of infinity": ({"mask": [1, np.inf]}, "mask", [1, np.inf], "a list of whole numbers"),
    "a box of 2^60": ({"bbox": [0, 0, 2**60, 1]}, "bbox", [0, 0, 2**60, 1], "more than 2,147,483,647 pixels"),
    "a box without end": ({"bbox": [0, 0, np.inf, 1]}, "bbox", [0, 0, np.inf, 1], "more than 2,147,483,647 pixels"),
    "a polygon without end": (
        {"polygon": [[0, 0], [np.inf, 0], [1, 1]]},
        "polygon",
        [[0, 0], [np.inf, 0], [1, 1]],
        "finite numbers",
    ),
    "a polygon of NaN": (
        {"polygon": [[0, 0], [np.nan, 0], [1, 1]]},
        "polygon",
        [[0, 0], [np.nan, 0], [1, 1]],
        "finite numbers",
    ),
    "a polygon beyond 64 bits": (
        {"polygon": [[0, 0], [1e308, 0], [1, 1]]},
        "polygon",
        [[0, 0], [1e308, 0], [1, 1]],
        "finite numbers",
    ),
    "a NUL in an id of one's own": ({"external_id": "a\0b"}, "external_id", "a\0b", "a NUL character"),
    "an id of one's own that is huge": (
        {"external_id": "x" * (2**20 + 1)},
        "external_id",
        "x" * (2**20 + 1),
        "1,048,576 are the most",
    ),
    "an id of one's own that is a list": ({"external_id": [1]}, "external_id", [1], "It must be a text"),
    "endless depth": ({"z_index": np.inf}, "z_index", np.inf, "finite"),
}


# Next to nothing is written here, so one project does for all tests.


@pytest.fixture(scope="module")
def project(client):
    project = make_project(client)
    project.create_tag_class("blurry")
    for attribute, kind in {"colour": "SELECTION", "colours": "MULTIPLE-SELECTION"}.items():
        project.create_attribute(attribute, kind, values=["red", "green"])
    for attribute, kind in {"note": "TEXT", "count": "INT", "size": "FLOAT", "round": "BOOL"}.items():
        project.create_attribute(attribute, kind)
    return project


@pytest.fixture(scope="module")
def images(project, pictures):
    return make_images(project, pictures)


@pytest.fixture(scope="module")
def labels(project, images):
    return make_labels(project, images)


@pytest.fixture(scope="module")
def recorded(client, _recorder, project):
    with hf.Client(client.api_key, _recorder.url, progress=False) as through:
        yield through.get_project(project.id)


def told(error: hf.FrameError, column: str, row, value, remedy: str) -> None:
    """Check that an error names column, row, value and what would be right, to people and in its frame."""
    problems = error.problems
    assert len(problems) == 1, problems
    found = problems.iloc[0]
    assert (found["column"], found["row"]) == (column, row)
    np.testing.assert_equal(np.array(found["value"]).tolist(), np.array(value).tolist())
    assert remedy in found["remedy"]
    for part in (column, repr(row), remedy):
        assert part in str(error)
    if isinstance(value, str):
        assert repr(value)[:70] in str(error)


# Labels ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_not_created(recorded, recorder, images, case):
    change, column, value, remedy = BAD_LABELS[case]
    first, second = images.index[:2]
    rows = [{"image_id": first, **LABEL}, {"image_id": second, **LABEL, **change}]
    with pytest.raises(hf.FrameError) as caught:
        recorded.create_labels(rows)
    told(caught.value, column, 1, value, remedy)
    with pytest.raises(hf.FrameError) as caught:
        recorded.create_labels(pd.DataFrame(rows, index=["good", "bad"]))
    told(caught.value, column, "bad", value, remedy)
    image = recorded.get_image(second)
    with pytest.raises(hf.FrameError) as caught:
        image.create_labels([LABEL, {**LABEL, **change}])
    told(caught.value, column, 1, value, remedy)
    assert recorder.writes == []


@pytest.mark.parametrize("case", [case for case in BAD_LABELS if "class" not in case and "geometry" not in case])
def test_bad_edits_are_not_sent(recorded, recorder, labels, case):
    change, column, _, remedy = BAD_LABELS[case]
    row = labels.index[1]  # it has a mask of its own
    for call in (recorded.edit_labels, recorded.get_image(labels["image_id"].iloc[1]).edit_labels):
        with pytest.raises(hf.FrameError) as caught:
            call([{"label_id": row, "image_id": labels["image_id"].iloc[1], "class_name": "coin", **change}])
        problems = caught.value.problems
        assert column in problems["column"].tolist()
        assert problems["row"].isin([0, row]).all()  # the position, where a list of dicts does not become a frame
        assert remedy in str(caught.value)
    assert recorder.writes == []


HALF = "a\ud83d"
"""Half a surrogate pair: what a text becomes that was cut or decoded in the wrong place."""


@pytest.mark.parametrize(
    "column", ["external_id", "class_name", "class_id", "image_id", "z_index", "bbox", "mask", "polygon"]
)
@pytest.mark.parametrize("kind", ["dicts", "frame"])
def test_half_a_surrogate_pair_in_a_frame(recorded, recorder, images, column, kind):
    rows = [{"image_id": key, **LABEL} for key in images.index[:2]]
    rows[1][column] = {"bbox": [HALF] * 4, "mask": [HALF], "polygon": [[HALF, HALF]] * 3}.get(column, HALF)
    given = rows if kind == "dicts" else pd.DataFrame(rows, index=["good", "bad"], dtype=object)
    image = recorded.get_image(images.index[0])
    for call in (recorded.create_labels, image.create_labels):
        if call == image.create_labels and column == "image_id":
            continue
        with pytest.raises(hf.FrameError) as caught:
            call(given)
        found = caught.value.problems
        assert set(found["row"]) == {1 if kind == "dicts" else "bad"}
        assert set(found["column"]) <= {column, "x_min", "y_min", "x_max", "y_max"}
        str(caught.value).encode()
    assert recorder.writes == []


@pytest.mark.parametrize("value", [True, 10**400, pd.Timestamp(0), 1j, np.uint64(2**64 - 1), np.float32(1e30)])
def test_depths_that_are_no_numbers(recorded, recorder, images, labels, value):
    for rows in ([LABEL, {**LABEL, "z_index": value}], [{**LABEL, "z_index": value}]):
        given = [{"image_id": images.index[0], **row} for row in rows]
        with pytest.raises(hf.FrameError, match=r"z_index, row \d: .*It must be a (finite )?number"):
            recorded.create_labels(given)
    label = hf.Label(recorded._requester, {"id": labels.index[0], "image_id": images.index[0]}, {"project_id": "p"})
    with pytest.raises(hf.ValidationException, match=r"z_index is .*; it must be a number"):
        label.edit(z_index=value)
    assert recorder.writes == []


@pytest.mark.parametrize("text", [HALF, "a\0", "x" * (2**20 + 1), 3, b"x"])
def test_texts_that_cannot_be_stored(recorded, recorder, images, labels, pictures, tmp_path, text):
    image = recorded.get_image(images.index[0])
    dataset, label_class = recorded.get_dataset("train"), recorded.get_label_class("coin")
    tag_class, attribute = recorded.get_tag_class("blurry"), recorded.create_attribute("to edit", "SELECTION")
    label = hf.Label(recorded._requester, {"id": labels.index[0], "image_id": image.id}, {"project_id": recorded.id})
    recorder.clear()
    calls = [
        lambda: recorded.edit(name=text),
        lambda: recorded.edit(description=text),
        lambda: recorded.create_dataset(text),
        lambda: dataset.edit(name=text),
        lambda: recorded.create_label_class(text),
        lambda: recorded.create_label_class("c", color=text),
        lambda: recorded.create_label_class("c", external_id=text),
        lambda: label_class.edit(name=text),
        lambda: label_class.edit(color=text),
        lambda: label_class.edit(external_id=text),
        lambda: recorded.create_tag_class(text),
        lambda: tag_class.edit(name=text),
        lambda: recorded.create_attribute(text, "TEXT"),
        lambda: recorded.create_attribute("a", "TEXT", description=text),
        lambda: recorded.create_attribute("a", "SELECTION", values=["good", text]),
        lambda: attribute.edit(name=text),
        lambda: attribute.edit(description=text),
        lambda: attribute.edit(values=[text]),
        lambda: image.rename(text),
        lambda: image.create_label("coin", [0, 0, 1, 1], external_id=text),
        lambda: label.edit(external_id=text),
        lambda: label.set_attribute("note", text),
        lambda: recorded.upload_from_url("train", text, "http://127.0.0.1:9/a.png"),
        lambda: recorded.upload_from_url("train", "a.png", text),
        lambda: recorded.upload_from_url("train", "a.png", "http://127.0.0.1:9/a.png", external_id=text),
        lambda: recorded.upload_from_file("train", pictures / "ramp.png", external_id=text),
        lambda: recorded.export(text, "images"),
        lambda: recorded.create_automated_labeling_job(text),
        lambda: recorded.get_detector().predict(text),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(hf.ValidationException) as caught:
            call()
        assert len(str(caught.value)) < 500, number
        str(caught.value).encode()
    assert recorder.writes == []
    attribute.delete()


@pytest.mark.parametrize("text", [HALF, "a\0"])
def test_texts_of_rows_that_cannot_be_stored(recorded, recorder, images, labels, pictures, text):
    value = {"label_id": labels.index[0], "attribute_name": "note", "value": text}
    wide = pd.DataFrame({"note": [text]}, index=labels.index[:1], dtype=object)
    picture = {"path": pictures / "ramp.png", "dataset_name": "val"}
    calls = {
        "value": [lambda: recorded.set_label_attributes([value]), lambda: recorded.set_label_attributes(wide)],
        "tag_class_name": [
            lambda: recorded.add_tags([{"image_id": images.index[0], "tag_class_name": text}]),
            lambda: recorded.delete_tags(
                pd.DataFrame([{"image_id": images.index[0], "tag_class_name": text}], dtype=object)
            ),
        ],
        "name": [lambda: recorded.upload_images(pd.DataFrame([{**picture, "name": text}], dtype=object))],
        "external_id": [lambda: recorded.upload_images(pd.DataFrame([{**picture, "external_id": text}], dtype=object))],
    }
    for column, some in calls.items():
        for call in some:
            with pytest.raises(hf.FrameError) as caught:
                call()
            assert caught.value.problems["column"].isin([column, "note"]).all()
    assert recorder.writes == []


def test_every_bad_row_is_named(recorded, recorder, images):
    rows = pd.DataFrame([{"image_id": images.index[0], **LABEL}] * 12)
    rows["class_name"] = [f"no such {i}" for i in range(12)]
    with pytest.raises(hf.FrameError, match="12 problems") as caught:
        recorded.create_labels(rows)
    assert caught.value.problems["row"].tolist() == list(range(12))
    assert "and 7 more" in str(caught.value)
    assert recorder.writes == []


def test_single_labels_are_checked_too(recorded, recorder, images):
    image = recorded.get_image(images.index[0])
    with pytest.raises(hf.ValidationException, match=r"'coim' is neither .* Did you mean 'coin'\?"):
        image.create_label("coim", [0, 0, 4, 4])
    with pytest.raises(hf.FrameError, match="x_max must be greater than x_min"):
        image.create_label("coin", [4, 0, 4, 4])
    label = image.create_label("coin", [0, 0, 4, 2], mask=[1, 8])
    recorder.clear()
    with pytest.raises(hf.FrameError, match="y_max greater than y_min"):
        label.edit(bbox=[0, 4, 4, 2], mask=None)
    with pytest.raises(hf.FrameError, match="longer than its box"):
        label.edit(mask=[1, 9])
    with pytest.raises(hf.FrameError, match="A mask lies inside a box"):
        label.edit(bbox=None, polygon=[[0, 0], [4, 0], [4, 4]])
    with pytest.raises(hf.ValidationException, match=r"other pixels.*hf.masks.crop"):
        label.edit(bbox=[0, 0, 5, 2])
    assert recorder.writes == []
    label.edit(bbox=[7, 7, 11, 9])  # it moves, and the mask with it
    assert (label.bbox, label.mask) == ([7, 7, 11, 9], [1, 8])


# Ids of somewhere else ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stranger", ["nobody", "of another project"])
def test_images_of_other_projects(client, recorded, recorder, labels, pictures, tmp_path, stranger):
    if stranger != "nobody":
        other = client.create_project(client.get_workspaces(), "Other")
        other.create_dataset("d")
        stranger = other.upload_from_file("d", pictures / "ramp.png").id
    good = labels["image_id"].iloc[0]
    tag_class = recorded.get_tag_class("blurry")
    calls = [
        lambda: recorded.create_labels([{"image_id": good, **LABEL}, {"image_id": stranger, **LABEL}]),
        lambda: recorded.edit_labels(
            pd.DataFrame({"image_id": [good, stranger], "z_index": 1.0}, index=labels.index[:2])
        ),
        lambda: recorded.delete_labels(pd.DataFrame({"image_id": [good, stranger]}, index=labels.index[:2])),
        lambda: recorded.set_status([good, stranger], "DONE"),
        lambda: recorded.add_tags(pd.DataFrame({"image_id": [good, stranger], "tag_class_id": tag_class.id})),
        lambda: recorded.delete_tags(pd.DataFrame({"image_id": [good, stranger], "tag_class_id": tag_class.id})),
        lambda: recorded.download_images([good, stranger], tmp_path),
    ]
    for call in calls:
        with pytest.raises(hf.FrameError, match="id of an image of this project") as caught:
            call()
        [found] = caught.value.problems.to_dict("records")
        assert (found["column"], found["value"]) == ("image_id", stranger)
        assert found["row"] in (1, labels.index[1])
        assert repr(stranger) in str(caught.value)
    assert recorder.writes == []


def test_labels_that_are_not_there(recorded, recorder, labels):
    for call in (
        lambda: recorded.delete_labels(["nobody", labels.index[0]]),
        lambda: recorded.edit_labels(pd.DataFrame({"z_index": [1.0]}, index=pd.Index(["nobody"], name="label_id"))),
        lambda: recorded.edit_labels([{"label_id": "nobody", "image_id": labels["image_id"].iloc[0], "z_index": 1}]),
    ):
        with pytest.raises(hf.FrameError, match="There is no such label") as caught:
            call()
        assert caught.value.problems["value"].tolist() == ["nobody"]
    with pytest.raises(hf.FrameError, match="several times"):
        recorded.edit_labels(pd.concat([labels, labels]))
    assert recorder.writes == []


# Statuses, tags, attributes, choices ----------------------------------------------------------------------------------


def test_statuses(recorded, recorder, images):
    with pytest.raises(hf.ValidationException, match=r"status is 'DOEN'. Did you mean 'DONE'\?"):
        recorded.set_status(images, "DOEN")
    wrong = images.astype({"status": object})
    wrong.loc[images.index[2], "status"] = "finished"
    with pytest.raises(hf.FrameError) as caught:
        recorded.set_status(wrong)
    told(caught.value, "status", images.index[2], "finished", "It must be one of 'NEW', 'DONE'")
    with pytest.raises(hf.FrameError, match="Other rows of the image have another one"):
        recorded.set_status(pd.DataFrame({"image_id": [images.index[0]] * 2, "status": ["NEW", "DONE"]}))
    with pytest.raises(hf.ValidationException, match="Which status"):
        recorded.set_status(list(images.index))
    with pytest.raises(hf.ValidationException, match="Did you mean 'SKIPPED'"):
        recorded.get_image(images.index[0]).set_status("SKIPED")
    with pytest.raises(hf.ValidationException, match="Did you mean 'NEW'"):
        recorded.get_images(image_status=["DONE", "NEWS"])
    assert recorder.writes == []


def test_tags(recorded, recorder, images):
    rows = pd.DataFrame({"image_id": images.index[:2], "tag_class_name": ["blurry", "blury"]})
    for call in (recorded.add_tags, recorded.delete_tags):
        with pytest.raises(hf.FrameError) as caught:
            call(rows)
        told(caught.value, "tag_class_name", 1, "blury", "Did you mean 'blurry'?")
    with pytest.raises(hf.ValidationException, match="Did you mean 'blurry'"):
        recorded.get_image(images.index[0]).add_tags(["blury"])
    with pytest.raises(hf.ValidationException, match="give 'tag_class_id'"):
        recorded.get_image(images.index[0]).add_tags([{"tag_class": "blurry"}])
    with pytest.raises(hf.ValidationException, match="column 'image_id'"):
        recorded.add_tags(pd.DataFrame({"tag_class_name": ["blurry"]}))
    assert recorder.writes == []


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("colour", "rad", "Did you mean 'red'?"),
        ("colours", ["red", "zzz"], "It must be one of 'red', 'green'."),
        ("colours", "red", "list of values"),
        ("note", 3, "a text"),
        ("count", 2.5, "a whole number"),
        ("count", True, "a whole number"),
        ("size", "large", "a finite number"),
        ("round", 1, "True or False"),
        ("colur", "red", "Did you mean 'colour'?"),
    ],
)
def test_label_attributes(recorded, recorder, labels, name, value, remedy):
    column = "value" if name != "colur" else "attribute_name"
    rows = [
        {"label_id": labels.index[0], "attribute_name": "note", "value": "good"},
        {"label_id": labels.index[1], "attribute_name": name, "value": value},
    ]
    with pytest.raises(hf.FrameError) as caught:
        recorded.set_label_attributes(rows)
    [found] = caught.value.problems.to_dict("records")
    assert (found["column"], found["row"]) == (column, 1)
    assert remedy in found["remedy"]
    wide = pd.DataFrame({"note": ["good", None], name: [None, value]}, index=labels.index[:2])
    if name != "note":
        with pytest.raises(hf.FrameError):
            recorded.set_label_attributes(wide)
    assert recorder.writes == []


def test_rows_of_attributes_that_contradict_each_other(recorded, recorder, labels):
    row = {"label_id": labels.index[0], "attribute_name": "note", "value": "a"}
    with pytest.raises(hf.FrameError, match="Several rows give the label a value of the same attribute"):
        recorded.set_label_attributes([row, {**row, "value": "b"}])
    with pytest.raises(hf.FrameError, match="the id of a label"):
        recorded.set_label_attributes([{**row, "label_id": None}])
    with pytest.raises(hf.ValidationException, match=r"needs columns \['label_id'\]"):
        recorded.set_label_attributes([{"attribute_name": "note", "value": "b"}])
    assert recorder.writes == []


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda p: p.create_label_class("x", class_type="objekt"), "Did you mean 'object'"),
        (lambda p: p.create_attribute("x", "SELECT"), "Did you mean 'SELECTION'"),
        (lambda p: p.create_attribute("x", "TEXT", subject_type="LABLE"), "Did you mean 'LABEL'"),
        (lambda p: p.create_attribute("x", "SELECTION", values="red"), "list of texts"),
        (lambda p: p.export("x", "json_coc"), "Did you mean 'json_coco'"),
        (lambda p: p.export("x", "semantic_png", semantic_format="gs"), "It must be one of 'gs_desc'"),
        (lambda p: p.export("x", "semantic_png", labels_order=["depth"]), "It must be one of 'z_index'"),
        (lambda p: p.export("x", "images", image_status="FINE"), "It must be one of 'NEW'"),
        (lambda p: p.export("x", "images", "trian"), "Did you mean 'train'"),
        (lambda p: p.get_images("trian"), "Did you mean 'train'"),
        (lambda p: p.get_dataset("trian"), "Did you mean 'train'"),
        (lambda p: p.get_label_class("coim"), "Did you mean 'coin'"),
        (lambda p: p.upload_from_url(["train", "val"], "x.png", "http://127.0.0.1/x"), "One dataset is needed; 2"),
        (lambda p: p.get_detector().predict("http://127.0.0.1/x", confidence_threshold=1.5), r"in \[0, 1\)"),
        (lambda p: p.get_detector().predict(), "image_path= or image_url="),
        (lambda p: p.get_attributer().predict("http://127.0.0.1/x"), "a list of"),
        (lambda p: p.get_attributer().predict("http://127.0.0.1/x", bboxes=[[3, 0, 3, 4]]), "the maxima greater"),
        (lambda p: p.set_attribute_classes([{"attribute_name": "x", "class_name": "coin"}]), "one of 'colour'"),
        (lambda p: p.delete(1), "takes 1 positional"),
    ],
)
def test_choices(recorded, recorder, call, remedy):
    with pytest.raises((hf.ValidationException, TypeError), match=remedy):
        call(recorded)
    assert recorder.writes == []


@pytest.mark.parametrize("key", ["", ".", "..", "no such thing", "a/b", "?x"])
def test_ids_stay_one_part_of_the_path(recorded, key):
    for get in (recorded.get_image, recorded.get_dataset, recorded.get_label_class, recorded.get_tag_class):
        with pytest.raises((hf.NotFound, hf.ValidationException), match=r"no such thing|nothing|neither"):
            get(key)


# Files ----------------------------------------------------------------------------------------------------------------


def test_files_that_are_no_images(recorded, recorder, pictures, tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name in ("notes.png", "empty.png"):
        for call in (
            lambda path: recorded.upload_from_file("train", path),
            lambda path: recorded.get_detector().predict(image_path=path),
            lambda path: recorded.get_detector().predict_images([pictures / "ramp.png", path]),
        ):
            with pytest.raises(hf.ValidationException, match=f"{name}' is not an image.*Give PNG, JPEG"):
                call(tmp_path / name)
    with pytest.raises(hf.ValidationException, match="There is no file"):
        recorded.upload_from_file("train", tmp_path / "nowhere.png")
    with pytest.raises(hf.ValidationException, match="There is no folder or file"):
        recorded.upload_images(tmp_path / "nowhere", "train")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(hf.ValidationException, match="There are no pictures in the folder"):
        recorded.upload_images(tmp_path / "nothing", "train")
    with pytest.raises(hf.ValidationException, match="Into which dataset"):
        recorded.upload_images(pictures)
    with pytest.raises(hf.ValidationException, match="Did you mean 'train'"):
        recorded.upload_images(pictures, "trian")
    with pytest.raises(hf.FrameError, match="path of a picture"):
        recorded.upload_images(pd.DataFrame({"path": [pictures / "ramp.png", None]}), "train")
    assert recorder.writes == []
    with pytest.warns(UserWarning, match="2 of 2 pictures were not uploaded"):
        recorded.upload_images(tmp_path, "train")
    assert recorder.writes == []


def test_pictures_of_the_same_name(recorded, recorder, pictures, tmp_path):
    (tmp_path / "ramp.png").write_bytes((pictures / "ramp.png").read_bytes())
    with pytest.raises(hf.FrameError, match="File names are unique within a dataset") as caught:
        recorded.upload_images([pictures / "ramp.png", pictures / "cell.png", tmp_path / "ramp.png"], "train")
    assert caught.value.problems["value"].tolist() == ["ramp.png"] * 2
    assert recorder.writes == []


# Servers and keys -----------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)


def words(error: hf.HastyError, *expected: str) -> None:
    assert isinstance(error, hf.HastyError)
    for part in expected:
        assert part in str(error)


def test_a_wrong_key(client):
    wrong = hf.Client("not-the-key", client.base_url)
    with pytest.raises(hf.AuthenticationException) as caught:
        wrong.get_projects()
    words(caught.value, "does not know the API key", "api_key=", "HASTY_API_KEY", "GET /v1/projects")
    assert "not-the-key" not in str(caught.value)


@pytest.mark.parametrize("key", ["with space ", "new\nline", "umläut", "\0"])
def test_a_key_that_is_none(key):
    with pytest.raises(hf.ValidationException, match="characters that no key has") as caught:
        hf.Client(key)
    assert key not in str(caught.value)


def test_no_key(monkeypatch):
    monkeypatch.delenv("HASTY_API_KEY", raising=False)
    with pytest.raises(hf.AuthenticationException) as caught:
        hf.Client()
    words(caught.value, "There is no API key", "HASTY_API_KEY", "Client.local()")


@pytest.mark.parametrize("address", ["api.hasty.ai", "ftp://api.hasty.ai", "http://", "C:\\"])
def test_an_address_that_is_none(address):
    with pytest.raises(hf.ValidationException, match=r"is not an address; it must be like 'https://api\.hasty\.ai'"):
        hf.Client("key", address)


def test_no_server(quick):
    with pytest.raises(hf.ConnectionFailed) as caught:
        hf.Client("key", f"http://127.0.0.1:{free_port()}").get_projects()
    words(caught.value, "Check the address and the network", "refused")


def test_a_server_that_answers_html(quick):
    with serve(lambda seen: HTML) as server, pytest.raises(hf.UnexpectedAnswer) as caught:
        hf.Client("key", server.url).get_projects()
    words(caught.value, "not JSON", "text/html", "Is the base address the one of a Hasty API")


@pytest.mark.parametrize("answer", [{"hello": "world"}, [], "text", None, {"items": 3, "meta": {"total": 1}}])
def test_a_server_that_answers_other_json(answer):
    with serve(lambda seen: Answer(body=answer)) as server:
        project = hf.Project(hf.Client("key", server.url)._transport, {"id": "p"})
        for call in (
            hf.Client("key", server.url).get_projects,
            project.get_images,
            lambda: project.set_status(["i"], "DONE"),
            lambda: hf.Image(project._requester, {"id": "i", "project_id": "p"}).get_labels(),
        ):
            with pytest.raises(hf.UnexpectedAnswer):
                call()


def test_a_server_that_does_not_answer(quick):
    with serve(lambda seen: Answer(late=0.5, body={})) as server, pytest.raises(hf.RequestTimeout) as caught:
        hf.Client("key", server.url, timeout=0.05).get_projects()
    words(caught.value, "No answer within 0.05 s", "timeout=")


def test_a_post_that_breaks_off_is_not_repeated(quick):
    with serve(lambda seen: Answer(fault="reset")) as server:
        with pytest.raises(hf.OutcomeUnknown, match="read back what is there"):
            hf.Client("key", server.url).create_project("w", "name")
        assert len(server.seen) == 1


def test_objects_of_several_parts_are_not_cut_to_their_boxes(recorded, recorder, images):
    rings = [[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]], [[6.0, 6.0], [9.0, 6.0], [9.0, 9.0]]]
    row = {"image_id": images.index[0], "class_name": "coin", "bbox": [0, 0, 9, 9], "parts": rings}
    with pytest.raises(hf.FrameError, match=r"parts, row 0.*push its label set"):
        recorded.create_labels([row])
    assert {seen.method for seen in recorder.seen} <= {"GET"}
    recorded.create_labels([{**row, "mask": [1, 9]}])
