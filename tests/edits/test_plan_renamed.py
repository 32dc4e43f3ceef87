"""Names of classes, tag classes, attributes and datasets that somebody else has changed since they were read."""

from __future__ import annotations

import pandas as pd
import pytest

import hastyframe as hf


@pytest.fixture
def mine(recorded, images, labels):
    """The project, seen by a client that has read its labels, images and names."""
    recorded.get_labels()
    for read in (recorded.get_datasets, recorded.get_tag_classes, recorded.get_attributes):
        read()
    return recorded


def swap(project, read, one="coin", other="cell"):
    """Let somebody else exchange the names of two things."""
    ids = read().reset_index().set_index("name").iloc[:, 0]
    get = {"get_label_classes": project.get_label_class, "get_tag_classes": project.get_tag_class,
           "get_datasets": project.get_dataset}[read.__name__]  # fmt: skip
    things = get(ids[one]), get(ids[other])
    for thing, name in zip((*things, things[0]), ("between", one, other), strict=True):
        thing.edit(name=name)
    return ids


def listed(recorder, kind):
    """How often a list was read since the recorder was cleared."""
    return sum(seen.path.partition("?")[0].endswith(f"/{kind}") and seen.method == "GET" for seen in recorder.seen)


def test_a_class_that_was_renamed_is_the_one_of_that_name_now(mine, project, images, recorder):
    ids = swap(project, project.get_label_classes)
    recorder.clear()
    row = {"image_id": images.index[0], "class_name": "coin", "bbox": [0, 0, 4, 4]}
    created = mine.create_labels([row])
    assert created["class_id"].tolist() == [ids["cell"]]
    assert listed(recorder, "label_classes") == 1
    recorder.clear()
    image = mine.get_image(images.index[0])
    assert image.create_label("coin", [0, 0, 4, 4]).class_id == ids["cell"]
    assert listed(recorder, "label_classes") == 1
    recorder.clear()
    mine.create_labels([{"image_id": images.index[0], "class_id": ids["coin"], "bbox": [0, 0, 4, 4]}])
    mine.edit_labels(created.assign(z_index=3.0))
    assert not listed(recorder, "label_classes"), "no name was turned into an id"


def test_a_frame_that_was_read_before_still_edits_well(mine, project, recorder):
    read = mine.get_labels()
    swap(project, project.get_label_classes)
    recorder.clear()
    plan = mine.plan_labels(read, read.assign(z_index=9.0))
    assert len(plan) == 4 and set(plan.edits["changed"]) == {"z_index"}
    assert not listed(recorder, "label_classes")
    read = read.assign(z_index=8.0)
    assert mine.edit_labels(read)["class_id"].equals(read["class_id"])
    after = read.assign(class_name=read["class_name"].astype(object).where(read["class_name"] != "coin", "sky"))
    plan = mine.plan_labels(read, after)
    assert len(plan) == (read["class_name"] == "coin").sum()
    assert set(plan.edits["class_name_new"]) == {"sky"}
    plan.apply()
    sky = project.get_label_class("sky").id
    now = project.get_labels().loc[read.index, "class_id"]
    assert now.equals(read["class_id"].where(read["class_name"] != "coin", sky))


def test_a_frame_that_was_read_before_its_names_were_read_again(mine, project):
    read = mine.get_labels()
    project.get_label_class("coin").edit(name="penny")
    mine.get_label_classes()
    assert mine.edit_labels(read.assign(z_index=8.0))["class_id"].equals(read["class_id"])
    assert "penny" in set(mine.edit_labels(read.drop(columns="class_name").assign(z_index=7.0))["class_name"])
    project.create_label_class("coin")  # so that the frame could mean either
    with pytest.raises(hf.FrameError, match="not the name of the row's class_id") as caught:
        mine.edit_labels(read.assign(z_index=6.0))
    assert len(caught.value.problems) == (read["class_name"] == "coin").sum()
    assert not len(mine.plan_labels(read, read))
    assert set(mine.plan_labels(read, read.assign(z_index=6.0)).edits["changed"]) == {"z_index"}


def test_names_alone_are_those_that_were_read(mine, project):
    read = mine.get_labels().drop(columns="class_id")
    project.get_label_class("coin").edit(name="penny")
    plan = mine.plan_labels(read, read.assign(z_index=6.0))
    assert set(plan.edits["changed"]) == {"z_index"}
    read = mine.get_labels().drop(columns="class_id")
    swap(project, project.get_label_classes, "penny", "cell")
    with pytest.raises(hf.FrameError, match="Meanwhile something else has this name"):
        mine.plan_labels(read, read.assign(z_index=6.0))


def test_tag_classes_that_were_renamed(mine, project, images, recorder):
    for name in ("coin", "cell"):
        project.create_tag_class(name)
    mine.get_tag_classes()
    ids = swap(project, project.get_tag_classes)
    recorder.clear()
    tags = mine.add_tags([{"image_id": key, "tag_class_name": "coin"} for key in images.index])
    assert set(tags["tag_class_id"]) == {ids["cell"]}
    assert listed(recorder, "tag_classes") == 1
    swap(project, project.get_tag_classes)
    plan = mine.plan_tags(tags, pd.concat([tags, tags.assign(tag_class_id=ids["coin"], tag_class_name=None)]))
    assert len(plan.creates) == 4 and not len(plan.deletes)
    with pytest.raises(hf.FrameError, match="Meanwhile something else"):
        mine.plan_tags(tags[["image_id", "tag_class_name"]], tags)
    mine.get_image(images.index[0]).delete_tags("cell")
    assert len(project.get_tags()) == 3


def test_attributes_that_were_renamed(mine, project, labels, recorder):
    size, depth = (project.create_attribute(name, "INT") for name in ("size", "depth"))
    mine.set_label_attributes(pd.DataFrame({"size": 3}, index=labels.index))
    wide = mine.get_label_attributes(labels, wide=True)
    size.edit(name="width")
    recorder.clear()
    plan = mine.plan_label_attributes(wide, wide.assign(size=4))
    assert set(plan._changes.new["attribute_id"]) == {size.id}
    assert listed(recorder, "attributes") == 1
    with pytest.raises(hf.FrameError, match="must be one of 'width', 'depth'"):
        mine.set_label_attributes(wide[["size"]])
    depth.edit(name="size")
    stored = mine.set_label_attributes(pd.DataFrame({"size": 5}, index=labels.index))
    assert set(stored["attribute_id"]) == {depth.id}


def test_datasets_that_were_renamed(mine, project, images, pictures, recorder):
    ids = swap(project, project.get_datasets, "train", "val")
    recorder.clear()
    plan = mine.plan_images(images, images.assign(dataset_name="val"))
    assert not len(plan) or set(plan._changes.new["dataset_id"]) == {ids["train"]}
    assert listed(recorder, "datasets") <= 1
    recorder.clear()
    uploaded = mine.upload_images(pictures, "train")
    assert set(uploaded["dataset_id"]) == {ids["val"]}
    assert listed(recorder, "datasets") == 1
    mine.get_image(images.index[0]).rename("other.png")
    mine.get_image(images.index[0]).move("train")
    assert project.get_image(images.index[0]).dataset_id == ids["val"]


def test_classes_that_a_plan_has_renamed(mine):
    read, classes = mine.get_labels(), mine.get_label_classes()
    mine.plan_label_classes(classes, classes.assign(name=classes["name"] + " 2")).apply()
    edited = mine.edit_labels(read.assign(z_index=2.0))
    assert edited["class_name"].tolist() == [f"{name} 2" for name in read["class_name"]]
    assert edited["class_id"].equals(read["class_id"])
