"""Frames that lack columns, have none at all, or have misspelt ones: an error or a caution that says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hastyframe as hf

NOTHING = pd.DataFrame()


def test_changed_columns_alone(project, images, labels):
    read = project.get_labels()
    plan = project.plan_labels(read, read[["class_name"]].assign(class_name="sky"))
    assert len(plan.edits) == 4 and plan.edits["image_id"].tolist() == read["image_id"].tolist()
    part = project.plan_labels(read, read[["z_index"]].iloc[:1].assign(z_index=9.0), missing="keep")
    assert len(part) == len(part.edits) == 1
    plan.apply()
    assert set(project.get_labels()["class_name"]) == {"sky"}
    with pytest.raises(hf.FrameError, match="It must be one of 'coin'"):
        project.plan_labels(read, read[["class_name"]].assign(class_name="x"))
    with pytest.raises(hf.ValidationException, match="'before' needs a column 'image_id'"):
        project.plan_labels(read[["z_index"]], read[["z_index"]].assign(z_index=3.0))
    new = pd.concat([read, read.reset_index(drop=True)]).drop(columns="image_id")
    with pytest.raises(hf.ValidationException, match="needs a column 'image_id'"):
        project.plan_labels(read, new)


def test_columns_of_classes_alone(project):
    classes = project.get_label_classes()
    plan = project.plan_label_classes(classes, classes[["color"]].assign(color="#123456ff"))
    assert len(plan.edits) == len(plan) == 3
    plan.apply()
    assert project.get_label_classes()["name"].equals(classes["name"])
    with pytest.raises(hf.FrameError, match="A class needs a name"):
        project.plan_label_classes(classes, pd.concat([classes[["color"]], pd.DataFrame({"color": ["#123456ff"]})]))
    with pytest.raises(hf.FrameError, match="norder, row"):
        project.plan_label_classes(classes, classes.assign(norder="first"))


@pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning")
def test_frames_of_nothing_are_nothing(project, images, labels):
    read, classes = project.get_labels(), project.get_label_classes()
    project.create_tag_class("blurry")
    tags = project.add_tags([{"image_id": images.index[0], "tag_class_name": "blurry"}])
    project.create_attribute("size", "INT")
    values = project.set_label_attributes(pd.DataFrame({"size": 3}, index=labels.index))
    for plan, frame in (
        (project.plan_labels, read),
        (project.plan_tags, tags),
        (project.plan_label_attributes, values),
        (project.plan_label_classes, classes),
    ):
        assert len(plan(frame, NOTHING).deletes) == len(plan(NOTHING, frame).creates) == len(frame)
        assert len(plan(NOTHING, NOTHING)) == 0
        for other in (None, 5, "x", [5]):
            for pair in ((frame, other), (other, frame)):
                with pytest.raises(hf.ValidationException):
                    plan(*pair)
    for plan in (project.plan_status, project.plan_images):
        with pytest.raises(hf.ValidationException, match="needs the index or a column 'image_id'"):
            plan(images, NOTHING)
        with pytest.raises(hf.ValidationException, match="several columns named"):
            plan(images, pd.concat([images, images], axis=1))
    for call in (project.create_labels, project.edit_labels, project.set_label_attributes, project.add_tags):
        assert not len(call(NOTHING))
    for call in (project.delete_labels, project.set_status, project.upload_images):
        with pytest.raises(hf.ValidationException, match="column"):
            call(NOTHING)


@pytest.mark.parametrize("frame", [NOTHING, pd.DataFrame({"a": [1]}), pd.DataFrame(index=["l"])], ids=repr)
def test_functions_of_frames_without_their_columns(frame):
    images = pd.DataFrame({"width": [6], "height": [4]}, index=["a"])
    labels = pd.DataFrame({"image_id": ["a"], "class_name": "c", "x_min": 0, "y_min": 0, "x_max": 2, "y_max": 2})
    for call in (
        lambda: hf.clip_to_image(frame, images),
        lambda: hf.find_duplicates(frame),
        lambda: list(hf.flatten(frame, images)),
        lambda: list(hf.flatten(labels, images, frame)),
        lambda: hf.evaluate(frame, labels.assign(score=1.0)),
        lambda: hf.evaluate_semantic(frame, labels, images),
    ):
        with pytest.raises(hf.ValidationException, match="column"):
            call()
    with pytest.raises(hf.ValidationException):
        hf.clip_to_image(labels, frame)
    assert np.isnan(hf.add_area(frame)["area"]).all()


# Misspelt columns -----------------------------------------------------------------------------------------------------


def test_a_plan_says_which_columns_may_be_misspelt(project, images, labels):
    read = project.get_labels()
    plan = project.plan_labels(read, read.assign(clas_name="sky", score=1.0))
    words = "passes over 'clas_name' (did you mean 'class_name'?)"
    assert plan.cautions == [words]
    assert repr(plan) == f"Plan for labels: nothing to do. Careful: it {words}."
    with pytest.warns(hf.PlanWarning, match="did you mean 'class_name'"):
        plan.apply()
    images = project.get_images()
    assert "did you mean 'status'" in repr(project.plan_status(images, images.assign(Staus="DONE")))
    assert "did you mean 'dataset_name'" in repr(project.plan_images(images, images.assign(datasetname="val")))
    classes = project.get_label_classes()
    assert "did you mean 'color'" in repr(project.plan_label_classes(classes, classes.assign(colour="#123456ff")))
    mine = read.assign(class_nam="mine", area=3.0)
    assert project.plan_labels(mine, mine).cautions == [], "both have it"
    assert project.plan_labels(read, read.assign(area=3.0, iou=1.0, image_name="a", x_mid=3)).cautions == []


def test_an_edit_says_which_columns_may_be_misspelt(project, images, labels):
    read = project.get_labels()
    with pytest.warns(UserWarning, match="'z_indx' \\(did you mean 'z_index'\\?\\)") as caught:
        project.edit_labels(read.assign(z_indx=3.0))
    assert caught[0].filename == __file__
    with pytest.raises(hf.ValidationException, match=r"nothing to edit.*Perhaps 'z_indx'"):
        project.edit_labels(read[["image_id"]].assign(z_indx=3.0))
    with pytest.raises(hf.ValidationException, match="nothing to edit"):
        project.edit_labels(read[[]])
    image = project.get_image(read["image_id"].iloc[0])
    with pytest.raises(hf.ValidationException, match=r"nothing to edit.*Perhaps 'z_indx'"):
        image.edit_labels([{"label_id": read.index[0], "z_indx": 3}])
    row = {"image_id": image.id, "class_name": "coin", "bbox": [0, 0, 3, 3], "zindex": 2}
    for call in (project.create_labels, image.create_labels):
        with pytest.warns(UserWarning, match="'zindex' \\(did you mean 'z_index'\\?\\)") as caught:
            call([row])
        assert caught[0].filename == __file__


# Values that the server takes from nobody -----------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["red", "#f00", "ff0000", "", "#gg0000", "#ff00000", "#ff0000\n"])
def test_colors_that_are_none(recorded, recorder, color):
    classes = recorded.get_label_classes()
    coin = recorded.get_label_class("coin")
    with pytest.raises(hf.ValidationException, match=r"color is .*must be a color as '#ff0000'"):
        recorded.create_label_class("new", color)
    with pytest.raises(hf.ValidationException, match="must be a color"):
        coin.edit(color=color)
    with pytest.raises(hf.FrameError, match="It must be a color") as caught:
        recorded.plan_label_classes(classes, classes.assign(color=[color, *classes["color"].iloc[1:]]))
    assert len(caught.value.problems) == 1
    assert not recorder.writes


def test_colors_that_are_some(project):
    for color in ("#ff0000", "#FF0000aa", None):
        made = project.create_label_class(f"of {color}", color)
        made.edit(color="#00ff00")
    classes = project.get_label_classes()
    project.plan_label_classes(classes, classes.assign(color="#0000ff")).apply()
    assert set(project.get_label_classes()["color"]) == {"#0000ff"}


@pytest.mark.parametrize("name", ["a/b.png", "a\nb.png", "a\rb.png", "/", ".", ".."])
def test_names_that_no_image_has(recorded, recorder, images, pictures, name):
    image = recorded.get_image(images.index[0])
    read = recorded.get_images()
    rows = pd.DataFrame({"path": [pictures / "ramp.png", pictures / "coins.png"], "name": ["new.png", name]})
    for call in (
        lambda: image.rename(name),
        lambda: recorded.upload_from_url("train", name, "http://127.0.0.1:9/a.png"),
        lambda: recorded.plan_images(read, read.assign(name=[name, *read["name"].iloc[1:]])),
        lambda: recorded.upload_images(rows, "train"),
    ):
        with pytest.raises(hf.ValidationException, match=r"(?s)must be a file name.*line breaks"):
            call()
    assert not recorder.writes


def test_what_is_taken_away_from_classes(project):
    classes = project.get_label_classes()
    for column in ("color", "class_type", "norder"):
        with pytest.raises(hf.FrameError, match="A class has one"):
            project.plan_label_classes(classes, classes.assign(**{column: None}))
    project.plan_label_classes(classes, classes.assign(external_id="theirs")).apply()
    theirs = project.get_label_classes()
    assert set(theirs["external_id"]) == {"theirs"}
    report = project.plan_label_classes(theirs, theirs.assign(external_id=None)).apply()
    assert project.get_label_classes()["external_id"].isna().all()
    report.undo().apply()
    assert set(project.get_label_classes()["external_id"]) == {"theirs"}


def test_boxes_that_leave_their_polygons_behind(project, images):
    square = [[10, 10], [20, 10], [20, 20], [10, 20]]
    rows = {"image_id": images.index[0], "class_name": "coin", "bbox": [10, 10, 20, 20], "polygon": square}
    project.create_labels([rows, rows, {**rows, "polygon": None}])
    read = project.get_labels()
    x = ["x_min", "x_max"]
    moved = read.copy()
    moved[x] += 5
    assert project.plan_labels(read, moved).cautions == ["moves 2 boxes without their polygons"]
    assert project.plan_labels(read, moved.drop(columns="polygon")).cautions == ["moves 2 boxes without their polygons"]
    one = pd.concat([moved.iloc[:1], read.iloc[1:]])
    plan = project.plan_labels(read, one)
    assert "Careful: it moves 1 box without its polygon." in repr(plan)
    with pytest.warns(hf.PlanWarning, match="moves 1 box without its polygon"):
        plan.apply().undo().apply()
    polygons = [[[px + 5, py] for px, py in square] if has else None for has in read["polygon"].notna()]
    assert project.plan_labels(read, moved.assign(polygon=polygons)).cautions == [], "both move"
    assert project.plan_labels(read, read.assign(polygon=polygons)).cautions == ["moves 2 polygons without their boxes"]
    simpler = [square[:3] if has else None for has in read["polygon"].notna()]
    assert project.plan_labels(read, read.assign(polygon=simpler)).cautions == [], "it lies in its box as before"
    assert project.plan_labels(read, read.assign(z_index=3.0)).cautions == []
