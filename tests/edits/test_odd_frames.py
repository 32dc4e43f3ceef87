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
    project.create_tag_class("blurry")
    tags = project.add_tags([{"image_id": images.index[0], "tag_class_name": "blurry"}])
    assert "did you mean 'tag_class_name'" in repr(project.plan_tags(tags, tags.assign(tag_clas_name="x")))
    project.create_attribute("size", "INT")
    values = project.set_label_attributes(pd.DataFrame({"size": 3}, index=labels.index))
    assert "did you mean 'value'" in repr(project.plan_label_attributes(values, values.assign(vlaue=4)))
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
    with pytest.warns(UserWarning, match=r"'staus' \(did you mean 'status'\?\)") as caught:
        project.set_status(images.assign(staus="DONE"))
    assert caught[0].filename == __file__
    with pytest.raises(hf.ValidationException, match="columns of 2 levels"):
        project.plan_labels(read, pd.concat({"a": read}, axis=1))
    project.create_tag_class("blurry")
    with pytest.warns(UserWarning, match="did you mean 'tag_class_name'") as caught:
        project.add_tags([{"image_id": image.id, "tag_class_name": "blurry", "tag_class_nam": "x"}])
    assert caught[0].filename == __file__
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


# Wide frames of attributes --------------------------------------------------------------------------------------------

ODD = {"value": ("INT", 3, 4), "attribute_name": ("TEXT", "a", "b"), "attribute_id": ("TEXT", "a", "b"),
       "label_id": ("TEXT", "a", "b")}  # fmt: skip


@pytest.mark.parametrize("names", [[name] for name in ODD] + [list(ODD)], ids=repr)
def test_attributes_that_are_called_as_columns_are(project, labels, names):
    for name in names:
        project.create_attribute(name, ODD[name][0])
    project.create_attribute("size", "FLOAT")
    wide = pd.DataFrame({name: ODD[name][1] for name in names}, index=labels.index)
    assert len(project.set_label_attributes(wide)) == 4 * len(names)
    read = project.get_label_attributes(labels, wide=True)
    assert read[names].astype(object).equals(wide.astype(object))
    assert len(project.plan_label_attributes(read, read)) == 0
    after = read.assign(size=1.5, **{name: ODD[name][2] for name in names})
    plan = project.plan_label_attributes(read, after)
    assert [len(plan.creates), len(plan.edits), len(plan.deletes)] == [4, 4 * len(names), 0]
    plan.apply()
    long = project.get_label_attributes(labels)
    assert len(project.plan_label_attributes(after, long)) == 0
    assert len(project.set_label_attributes(long)) == len(long)
    if "label_id" not in names and len(names) < 3:
        assert len(project.set_label_attributes(wide.reset_index())) == 4 * len(names)


def test_problems_of_wide_frames_name_label_and_column(project, labels):
    project.create_attribute("size", "INT")
    wide = pd.DataFrame({"size": [1, "x", 2, 2.5]}, index=labels.index)
    before = project.get_label_attributes(labels, wide=True)
    for call in (
        lambda: project.set_label_attributes(wide),
        lambda: project.set_label_attributes(wide.reset_index()),
        lambda: project.plan_label_attributes(before, wide),
    ):
        with pytest.raises(hf.FrameError, match=r"size, row .*'x'. It must be a whole number") as caught:
            call()
        assert caught.value.problems[["column", "row"]].values.tolist() == [["size", key] for key in labels.index[1::2]]
    for call in (project.set_label_attributes, lambda frame: project.plan_label_attributes(before, frame)):
        with pytest.raises(hf.FrameError, match=r"siez, row .*no such attribute. Did you mean 'size'") as caught:
            call(wide.assign(size=1, siez=1))
        assert len(caught.value.problems) == 1, "not once a label"
    with pytest.raises(hf.ValidationException, match=r"needs columns .'value'."):
        project.set_label_attributes([{"label_id": labels.index[0], "attribute_name": "size", "vlaue": 3}])


# Words ----------------------------------------------------------------------------------------------------------------


def test_words_of_messages(project, images, labels):
    with pytest.raises(hf.ValidationException, match="give an id, an Image, a list"):
        project.set_status(None, "DONE")
    with pytest.raises(hf.FrameError, match=r"'x'\. There are no tag classes yet\."):
        project.add_tags([{"image_id": images.index[0], "tag_class_name": "x"}])
    with pytest.raises(hf.ValidationException, match=r"There are no tag classes yet\.$"):
        project.get_image(images.index[0]).add_tags("x")
    for value in (np.float64(2.5), [np.float64(2.5)]):
        with pytest.raises(hf.ValidationException, match=r" (\[)?2\.5(\])?; it must be a text"):
            project.create_dataset(value)
    row = {"image_id": images.index[0], "class_name": "coin", "bbox": [np.float64(0.5), 0, 3, 3]}
    for bbox in (row["bbox"], row["bbox"][:3]):
        with pytest.raises(hf.FrameError, match=r"\[0\.5, 0") as caught:
            project.create_labels([row | {"bbox": bbox}])
        assert "np." not in str(caught.value)
    read = project.get_labels()
    evaluation = hf.evaluate(
        read.iloc[:1], read.iloc[:1].assign(score=1.0), images=images.loc[read["image_id"].iloc[:1]]
    )
    assert "1 prediction against 1 label on 1 image, " in repr(evaluation)
