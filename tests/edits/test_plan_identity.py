"""Plans compare by value: a frame that went through another dtype or library is the same frame."""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hastyframe as hf

DTYPES = [
    "string",
    "string[pyarrow]",
    "category",
    "object",
    pd.ArrowDtype(pa.string()),
    pd.ArrowDtype(pa.large_string()),
    pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
]
INDEXES = {str(dtype): lambda index, dtype=dtype: index.astype(dtype) for dtype in DTYPES} | {
    "UUIDs": lambda index: pd.Index([uuid.UUID(key) for key in index], dtype=object, name=index.name),
    "capitals": lambda index: index.str.upper(),
    "no name": lambda index: index.astype("string").rename(None),
}


@pytest.mark.parametrize("side", ["before", "after", "both"])
@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_labels_with_an_index_of_another_dtype_are_the_same(project, images, labels, change, side):
    read = project.get_labels()
    other = read.set_axis(change(read.index))
    if side != "after" and other.index.name is None:
        other.index.name = "label_id"
    before, after = (read if side == "after" else other), (read if side == "before" else other)
    assert len(project.plan_labels(before, after)) == 0
    plan = project.plan_labels(before, after.assign(z_index=[7.0, *after["z_index"][1:]]))
    assert [len(plan.creates), len(plan.edits), len(plan.deletes)] == [0, 1, 0]
    plan.apply()
    assert project.get_labels().loc[read.index[0], "z_index"] == 7


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_labels_whose_texts_are_of_another_dtype_are_the_same(project, images, labels, dtype):
    read = project.get_labels()
    other = read.astype(dict.fromkeys(("image_id", "class_id", "class_name", "external_id"), dtype))
    for before, after in ((read, other), (other, read), (other.reset_index(), other)):
        assert len(project.plan_labels(before, after)) == 0


def test_labels_that_went_through_csv_and_pickle_are_the_same(project, images, labels, tmp_path):
    read = project.get_labels().drop(columns=["polygon", "mask"])
    read.to_csv(tmp_path / "labels.csv")
    read.to_pickle(tmp_path / "labels.pickle")
    again = [pd.read_csv(tmp_path / "labels.csv"), pd.read_csv(tmp_path / "labels.csv", dtype_backend="pyarrow")]
    for other in (*again, pd.read_pickle(tmp_path / "labels.pickle"), read.convert_dtypes()):
        assert len(project.plan_labels(read, other)) == 0


def test_ids_that_are_bytes_are_refused(project, images, labels):
    read = project.get_labels()
    for after in (
        read.set_axis(pd.Index([key.encode() for key in read.index])),
        read.reset_index().assign(label_id=[key.encode() for key in read.index]),
    ):
        with pytest.raises(hf.FrameError, match="It must be an id"):
            project.plan_labels(read, after)


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_classes_with_an_index_of_another_dtype_are_the_same(project, change):
    read = project.get_label_classes()
    assert len(project.plan_label_classes(read, read.set_axis(change(read.index)))) == 0
    plan = project.plan_label_classes(read, read.set_axis(change(read.index)).assign(color="#123456ff"))
    assert len(plan.edits) == len(plan) == 3
    plan.apply()
    assert set(project.get_label_classes()["color"]) == {"#123456ff"}


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_statuses_with_an_index_of_another_dtype(project, images, change):
    other = images.set_axis(change(images.index).rename("image_id"))
    assert len(project.plan_status(images, other)) == 0
    project.plan_status(images, other.assign(status="DONE")).apply()
    assert set(project.get_images()["status"]) == {"DONE"}
    project.set_status(other, "NEW")
    assert set(project.get_images()["status"]) == {"NEW"}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tags_and_values_of_another_dtype_are_the_same(project, images, labels, dtype):
    project.create_tag_class("blurry")
    tags = project.add_tags([{"image_id": key, "tag_class_name": "blurry"} for key in images.index])
    texts = ["image_id", "tag_class_id", "tag_class_name"]
    assert len(project.plan_tags(tags, tags.astype(dict.fromkeys(texts, dtype)))) == 0
    project.create_attribute("size", "INT")
    wide = pd.DataFrame({"size": 3}, index=labels.index.astype(dtype))
    values = project.set_label_attributes(wide.rename_axis("label_id"))
    texts = ["label_id", "attribute_id", "attribute_name"]
    assert len(project.plan_label_attributes(values, values.astype(dict.fromkeys(texts, dtype)))) == 0
    assert len(project.plan_label_attributes(wide.rename_axis("label_id"), values)) == 0


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_plain_calls_take_ids_by_value(project, images, labels, change):
    other = labels.set_axis(change(labels.index).rename("label_id"))
    other["image_id"] = change(pd.Index(labels["image_id"])).to_numpy()
    assert len(project.get_labels(change(images.index))) == 4
    assert (project.edit_labels(other.assign(z_index=5.0))["z_index"] == 5).all()
    assert len(project.get_label_attributes(change(labels.index), wide=True)) == 4
    project.delete_labels(other)
    assert not len(project.get_labels())


# What is missing, and what should be looked at twice ------------------------------------------------------------------


def test_a_changed_part_of_what_was_read(project, images, labels):
    read = project.get_labels()
    part = read.iloc[:1].assign(z_index=9.0)
    plan = project.plan_labels(read, part, missing="keep")
    assert [len(plan.creates), len(plan.edits), len(plan.deletes)] == [0, 1, 0]
    assert plan.cautions == [] and "Careful" not in repr(plan)
    plan.apply()
    with pytest.raises(hf.FrameError, match=r"3 problems.*(?s:.*)missing='keep'"):
        project.plan_labels(read, part, missing="error")
    with pytest.raises(hf.ValidationException, match="missing is 'drop'"):
        project.plan_labels(read, part, missing="drop")


def test_a_plan_that_deletes_most_of_what_was_read_says_so(project, images, labels):
    read = project.get_labels()
    assert project.plan_labels(read, read.iloc[:2]).cautions == [], "half of it is not most of it"
    plan = project.plan_labels(read, read.iloc[:1])
    assert "deletes 3 of the 4 rows that were read" in repr(plan).splitlines()[0]
    assert "deletes 3 of the 4" in plan._repr_html_()
    with pytest.warns(hf.PlanWarning, match="deletes 3 of the 4"):
        report = plan.apply()
    back = report.undo()
    assert back.cautions == []
    back.apply().undo().apply()


def test_a_plan_that_creates_what_it_deletes_says_so(project, images, labels):
    read = project.get_labels()
    plan = project.plan_labels(read, read.reset_index(drop=True))
    first = repr(plan).splitlines()[0]
    assert "creates 4 labels that are equal to labels that it deletes" in first
    assert "deletes 4 of the 4" in first
    one = pd.concat([read.iloc[:3], read.iloc[3:].reset_index(drop=True)])
    assert project.plan_labels(read, one).cautions == [
        "creates 1 label that is equal to labels that it deletes: its id may have been lost"
    ]
    other = pd.concat([read.iloc[:3], read.iloc[3:].assign(z_index=77.0).reset_index(drop=True)])
    assert project.plan_labels(read, other).cautions == []


@pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning")
def test_tags_and_values_that_are_missing(project, images, labels):
    project.create_tag_class("blurry")
    tags = project.add_tags([{"image_id": key, "tag_class_name": "blurry"} for key in images.index])
    assert len(project.plan_tags(tags, tags.iloc[:1], missing="keep")) == 0
    plan = project.plan_tags(tags, tags.iloc[:1])
    assert "deletes 3 of the 4" in repr(plan) and "blurry" in repr(plan) and "ramp.png" in repr(plan)
    assert plan.apply().undo().cautions == []
    project.create_attribute("size", "INT")
    values = project.set_label_attributes(pd.DataFrame({"size": 3}, index=labels.index))
    assert len(project.plan_label_attributes(values, values.iloc[:1], missing="keep")) == 0
    plan = project.plan_label_attributes(values, values.iloc[:1])
    assert "deletes 3 of the 4" in repr(plan)
    assert "sent" not in repr(plan) and "sent" not in plan.deletes and "sent" not in plan.creates


def test_a_class_that_still_has_labels(project, images, labels):
    read = project.get_label_classes()
    plan = project.plan_label_classes(read, read[read["name"] != "coin"])
    first = repr(plan).splitlines()[0]
    assert "deletes 2 labels along with the class, 2 of 'coin', which its undo does not bring back" in first
    assert plan.deletes["labels"].tolist() == [2]
    project.delete_labels(labels[labels["class_name"] == "coin"].iloc[:1])
    assert "deletes 1 label along with the class" in repr(
        project.plan_label_classes(read, read[read["name"] != "coin"])
    )
    assert "deletes 3 labels along with their classes" in repr(project.plan_label_classes(read, read.iloc[:0]))
    assert project.plan_label_classes(read, read[read["name"] != "sky"]).cautions == [], "it has none"
    assert len(project.plan_label_classes(read, read.iloc[:1], missing="keep")) == 0
    with pytest.warns(hf.PlanWarning, match="2 of 'coin'"):
        report = plan.apply()
    report.undo().apply()
    assert "coin" in set(project.get_label_classes()["name"])
    assert "coin" not in set(project.get_labels()["class_name"]), "as the plan said"


# Images ---------------------------------------------------------------------------------------------------------------


def test_images_are_renamed_and_moved_and_back(project, images, tmp_path):
    after = images.copy()
    after["name"] = "new_" + after["name"].astype(object)
    after.loc[after.index[:2], "dataset_name"] = "val"
    plan = project.plan_images(images, after)
    assert len(plan.edits) == 4
    assert "cell.png → new_cell.png" in repr(plan) and "train → val" in repr(plan)
    assert plan.counts("dataset_name").loc["train"].tolist() == [0, 4, 0]
    report = plan.apply(tmp_path / "rename.jsonl")
    now = project.get_images().loc[images.index]
    assert now["name"].tolist() == after["name"].tolist()
    assert now["dataset_name"].tolist() == ["val", "val", "train", "train"]
    assert len(project.plan_images(now, after.assign(dataset_id=now["dataset_id"]))) == 0
    back = report.undo()
    assert back.cautions == []
    back.apply()
    again = project.get_images().loc[images.index]
    assert again[["name", "dataset_id"]].equals(images[["name", "dataset_id"]])


def test_images_move_by_id_and_by_name(project, images):
    val = project.get_dataset("val").id
    for after in (
        images.assign(dataset_id=val),
        images.assign(dataset_name="val"),
        images[[]].assign(dataset_name="val"),
    ):
        before = images if "dataset_id" in after else images[["dataset_name"]]
        assert len(project.plan_images(before, after)) == 4
    with pytest.raises(hf.FrameError, match="Did you mean 'val'"):
        project.plan_images(images, images.assign(dataset_name="vall"))


def test_moves_to_where_the_name_is_taken_until_it_is_renamed(project, images, pictures):
    project.upload_images(pictures, "val")
    every = project.get_images()
    after = every.assign(name=every["dataset_name"].astype(object) + "_" + every["name"], dataset_name="train")
    report = project.plan_images(every, after).apply()
    assert set(project.get_images()["dataset_name"]) == {"train"}
    report.undo().apply()
    assert project.get_images()["name"].nunique() == 4


def test_names_that_images_cannot_have(project, images):
    first, second = images.index[:2]
    taken = images.copy()
    taken.loc[first, "name"] = images["name"].iloc[2]
    with pytest.raises(hf.FrameError, match="Another image of its dataset has"):
        project.plan_images(images, taken)
    chain = images.copy()
    chain.loc[[first, second], "name"] = [images["name"].iloc[1], "free.png"]
    with pytest.raises(hf.FrameError, match="rename that one first"):
        project.plan_images(images, chain)
    for bad in ("", None, "a\0b"):
        with pytest.raises(hf.FrameError):
            project.plan_images(images, images.assign(name=bad))
    with pytest.raises(hf.FrameError, match=r"plan_status changes statuses"):
        project.plan_images(images, images.assign(status="DONE"))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("name", "x.png", "plan_images"), ("dataset_name", "val", "plan_images"), ("width", 3, "cannot change")],
)
def test_plans_of_statuses_do_not_pass_over_other_changes(project, images, column, value, words):
    after = images.assign(status="DONE")
    after[column] = after[column].astype(object)
    after.loc[after.index[0], column] = value
    with pytest.raises(hf.FrameError, match=words):
        project.plan_status(images, after)
    assert len(project.plan_status(images.drop(columns=column), after)) == 4
    assert len(project.plan_status(images, after.drop(columns=column).assign(mine=1))) == 4


# What is shown --------------------------------------------------------------------------------------------------------


def test_a_plan_is_shown_by_names(project, images, labels):
    read = project.get_labels()
    after = read.copy()
    after.loc[after.index[0], "class_name"] = "sky"
    after.loc[after.index[1], "z_index"] = 4
    plan = project.plan_labels(read, after)
    shown = next(frame for title, frame in plan._details() if title.startswith("edits"))
    assert shown.columns[0] == "image" and shown.columns[-1] == "label_id"
    assert shown["class_name"].tolist() == [f"{read['class_name'].iloc[0]} → sky", read["class_name"].iloc[1]]
    assert shown["z_index"].str[-6:].tolist() == ["", " → 4.0"]
    assert not {"class_id", "project_id", "image_id"} & set(shown.columns)
    assert plan.counts("dataset_name").loc["train"].tolist() == [0, 2, 0]
    assert plan.counts("status").loc["NEW"].tolist() == [0, 2, 0]
    project.create_attribute("size", "INT")
    values = project.set_label_attributes(pd.DataFrame({"size": 3}, index=labels.index))
    plan = project.plan_label_attributes(values, values.assign(value=4))
    shown = next(frame for title, frame in plan._details() if title.startswith("edits"))
    assert set(shown["attribute_name"]) == {"size"} and set(shown["value"]) == {"3 → 4"}
    classes = project.get_label_classes()
    plan = project.plan_label_classes(classes, classes.assign(norder=classes["norder"] + 1))
    assert "coin" in repr(plan) and "project_id" not in repr(plan) and project.id not in repr(plan)


# Edits of what was read, with another class ---------------------------------------------------------------------------


def test_of_a_class_by_id_and_name_the_assigned_one_counts(project, images, labels):
    read = project.get_labels()
    classes = project.get_label_classes().reset_index().set_index("name")["class_id"]
    assert set(project.edit_labels(read.assign(class_name="sky"))["class_name"]) == {"sky"}
    assert set(project.edit_labels(project.get_labels().assign(class_id=classes["cell"]))["class_name"]) == {"cell"}
    some = project.get_labels()
    some.loc[some.index[:1], "class_name"] = "coin"
    assert project.edit_labels(some.astype({"class_name": "string"}))["class_name"].tolist() == ["coin", *["cell"] * 3]
    both = project.get_labels().assign(class_name="sky", class_id=classes["coin"]).iloc[1:]
    with pytest.raises(hf.FrameError, match="Drop the column that is out of date"):
        project.edit_labels(both)
    with pytest.raises(hf.FrameError, match="Drop the column that is out of date"):
        project.create_labels(both)


# Names are looked up before a request is made -------------------------------------------------------------------------


def test_no_name_goes_into_a_path(recorded, recorder, images, client):
    recorded.create_tag_class("odd")
    recorder.clear()
    assert recorded.get_dataset("train").name == "train"
    assert recorded.get_label_class("coin").name == "coin"
    assert recorded.get_tag_class("odd").name == "odd"
    assert recorded.get_image("ramp.png").id == images.index[images["name"] == "ramp.png"][0]
    assert len(recorded.get_labels(["ramp.png", images.index[0]])) == 0
    with pytest.raises(hf.NotFound):
        recorded.get_image("nobody.png")
    with pytest.raises(hf.NotFound):
        recorded.get_automated_labeling_job("nobody")
    parts = {part for seen in recorder.seen for part in seen.path.split("/")}
    assert not parts & {"train", "coin", "odd", "ramp.png", "nobody.png", "nobody"}
    assert client.get_project(uuid.UUID(recorded.id)).id == recorded.id
    assert recorded.get_image(uuid.UUID(images.index[0])).name == images["name"].iloc[0]


def test_a_name_that_looks_like_an_id(project):
    name = str(uuid.uuid4())
    made = project.create_dataset(name)
    assert project.get_dataset(name).id == made.id
    assert project.get_dataset(made.id.upper()).name == name
    np.testing.assert_equal(project.get_images(dataset=made.id.upper()).shape[0], 0)
