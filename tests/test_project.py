"""The calls over a whole project: many images, many labels, frames in and frames out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import make_images, make_project

import hastyframe as hf
from hastyframe import frames
from hastyframe.entities import STATUSES

GEOMETRY = ["x_min", "y_min", "x_max", "y_max", "polygon", "mask", "z_index", "external_id"]


def has_schema(frame, handle) -> None:
    """Check columns, their order, their dtypes and the index of a frame."""
    expected = frames.dtypes(handle)
    assert list(frame.columns) == list(expected)
    assert frame.index.name == handle.id_name
    for column, dtype in expected.items():
        if isinstance(dtype, pd.CategoricalDtype):
            assert isinstance(frame[column].dtype, pd.CategoricalDtype), column
        else:
            assert frame[column].dtype == dtype, column


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_index_type=False)


# Frames ---------------------------------------------------------------------------------------------------------------


def test_frames_have_their_schema_with_rows_and_without(client, project, labels):
    empty = make_project(client)
    image = project.get_image(labels["image_id"].iloc[0])
    project.create_tag_class("blurry")
    image.add_tags(["blurry"])
    project.create_attribute("note", "TEXT")
    project.set_label_attributes(pd.DataFrame({"note": ["x"]}, index=labels.index[:1]))
    has_schema(client.get_workspaces(), hf.Workspace)
    has_schema(client.get_projects(), hf.Project)
    for one in (project, empty):
        has_schema(one.get_datasets(), hf.Dataset)
        has_schema(one.get_images(), hf.Image)
        has_schema(one.get_label_classes(), hf.LabelClass)
        has_schema(one.get_tag_classes(), hf.TagClass)
        has_schema(one.get_attributes(), hf.Attribute)
        has_schema(one.get_labels(), hf.Label)
        has_schema(one.get_tags(), hf.Tag)
        has_schema(one.get_automated_labeling_jobs(), hf.AutomatedLabelingJob)
        has_schema(one.get_label_attributes(one.get_labels()), hf.LabelAttribute)
        has_schema(one.create_labels([]), hf.Label)
        has_schema(one.edit_labels([]), hf.Label)
    has_schema(image.get_labels(), hf.Label)
    has_schema(image.get_tags(), hf.Tag)
    has_schema(image.create_labels([]), hf.Label)
    assert len(empty.get_images()) == len(empty.get_labels()) == len(empty.get_tags()) == 0


def test_frames_join(project, labels):
    joined = labels.join(project.get_images().add_suffix("_image"), on="image_id")
    assert joined.index.equals(labels.index)
    assert joined["name_image"].tolist() == ["cell.png"] * 3 + ["coins.png"]
    assert {"external_id", "external_id_image", "width_image", "status_image"} <= set(joined.columns)


def test_categories_know_everything_there_is(project, labels):
    project.create_label_class("nothing has it yet")
    got = project.get_labels()
    assert list(got["class_name"].cat.categories) == ["coin", "cell", "sky", "nothing has it yet"]
    images = project.get_images()
    assert list(images["dataset_name"].cat.categories) == ["train", "val"]
    assert list(images["status"].cat.categories) == list(STATUSES)
    with pytest.raises(TypeError, match="category"):
        got.loc[got.index[0], "class_name"] = "no such class"


def test_frames_are_the_callers_own(project):
    mine = project.get_label_classes()
    mine["name"] = "changed"
    assert project.get_label_classes()["name"].tolist() == ["coin", "cell", "sky"]
    assert project.get_label_class("coin").name == "coin"


# Reading labels -------------------------------------------------------------------------------------------------------


def test_get_labels_of_a_project(project, images, labels):
    everything = project.get_labels()
    assert sorted(everything.index) == sorted(labels.index)
    same(everything.loc[labels.index], labels)
    order = project.get_images().index.tolist()
    assert everything["image_id"].map(order.index).is_monotonic_increasing


def test_get_labels_by_images_in_their_order(project, images, labels):
    first, second, third = images.index[:3]
    backwards = [second, first]
    for given_ in (
        backwards,
        images.loc[backwards],
        pd.Index(backwards),
        [project.get_image(second), first],
        pd.DataFrame({"image_id": [second, first, first]}),
        labels.iloc[::-1],
    ):
        got = project.get_labels(given_)
        assert got.index.tolist() == [*labels.index[3:], *labels.index[:3]]
    assert project.get_labels(second).index.tolist() == [labels.index[3]]
    assert len(project.get_labels(third)) == len(project.get_labels([])) == 0


def test_get_labels_by_dataset_and_status(project, images, labels):
    first, second = images.index[:2]
    project.get_image(second).move("val")
    project.set_status([first], "DONE")
    assert set(project.get_labels(dataset="val")["image_id"]) == {second}
    assert set(project.get_labels(dataset=["train", project.get_dataset("val")])["image_id"]) == {first, second}
    assert set(project.get_labels(image_status="DONE")["image_id"]) == {first}
    assert set(project.get_labels(image_status=["DONE", "NEW"])["image_id"]) == {first, second}
    assert set(project.get_labels([first, second], dataset="val")["image_id"]) == {second}
    assert len(project.get_labels(dataset="val", image_status="DONE")) == 0
    assert len(project.get_images([])) == 0
    assert len(project.get_images(image_status=[])) == 0


def test_get_labels_of_an_image_that_is_not_there(project):
    with pytest.raises(hf.NotFound, match="nobody"):
        project.get_labels(["nobody"])


# Creating, editing, deleting labels -----------------------------------------------------------------------------------


def test_labels_come_back_in_the_order_of_the_rows(project, images):
    rng = np.random.default_rng(7)
    n = 450
    rows = pd.DataFrame(
        {
            "image_id": rng.choice(images.index[:3], n, p=[0.7, 0.2, 0.1]),  # more than 100 on an image
            "class_name": rng.choice(["coin", "cell"], n),
            "x_min": np.arange(n, dtype=float),
            "y_min": 0,
            "x_max": np.arange(n) + 5,
            "y_max": 5,
            "external_id": [f"row {i}" for i in range(n)],
            "note": "is not sent",
        },
        index=[f"r{i}" for i in range(n)],
    )
    made = project.create_labels(rows)
    assert made["external_id"].tolist() == rows["external_id"].tolist()
    assert made["image_id"].tolist() == rows["image_id"].tolist()
    assert made["class_name"].tolist() == rows["class_name"].tolist()
    same(project.get_labels().loc[made.index], made)

    shuffled = made.sample(frac=1, random_state=1)
    shuffled["z_index"] = np.arange(n, dtype=float)
    edited = project.edit_labels(shuffled)
    assert edited.index.tolist() == shuffled.index.tolist()
    assert edited["z_index"].tolist() == shuffled["z_index"].tolist()
    same(project.get_labels().loc[edited.index], edited)

    project.delete_labels(edited.iloc[:440])
    assert sorted(project.get_labels().index) == sorted(edited.index[440:])


def test_edit_of_class_names_with_pandas(project, labels):
    rows = labels.index[[0, 3]]
    labels.loc[rows, "class_name"] = "sky"
    edited = project.edit_labels(labels.drop(columns="class_id"))
    assert edited["class_name"].tolist() == ["sky", "cell", "cell", "sky"]
    same(edited[GEOMETRY], labels[GEOMETRY])
    same(project.get_labels().loc[labels.index], edited)


def test_edit_with_class_id_and_class_name_that_disagree(project, labels):
    changed = labels.copy()
    changed.loc[labels.index[0], "class_name"] = "sky"
    classes = project.get_label_classes()["name"]
    [other] = set(classes.index[classes != "sky"]) - {labels["class_id"].iloc[0]}
    changed.loc[labels.index[0], "class_id"] = other  # both were changed, so that neither counts
    with pytest.raises(hf.FrameError, match="Drop the column that is out of date"):
        project.edit_labels(changed)
    same(project.get_labels().loc[labels.index], labels)


@pytest.mark.parametrize("with_image_id", [True, False])
@pytest.mark.parametrize(
    ("column", "value"), [("class_name", "sky"), ("z_index", 9.0), ("external_id", "new"), ("polygon", None)]
)
def test_edit_of_one_column_loses_nothing(project, labels, column, value, with_image_id):
    rows = labels.iloc[[1, 3]][["image_id", column] if with_image_id else [column]]
    rows[column] = rows[column].astype(object) if value is None else rows[column]
    rows[column] = value
    edited = project.edit_labels(rows)
    now = project.get_labels().loc[labels.index]
    kept = [name for name in labels.columns if name not in (column, "class_id", "class_name")]
    same(now[kept], labels[kept])
    if value is not None:
        assert now[column].iloc[[1, 3]].tolist() == edited[column].tolist() == [value] * 2
    same(now.iloc[[0, 2]], labels.iloc[[0, 2]])


def test_a_mask_stays_with_a_box_that_moves_and_not_with_one_that_changes_size(project, labels):
    rows = labels[["image_id", "x_min", "x_max"]]
    moved = project.edit_labels(rows + pd.DataFrame({"image_id": "", "x_min": 1, "x_max": 1}, index=rows.index))
    assert moved["x_min"].dropna().tolist() == [11, 11, 1]
    assert moved["mask"].tolist() == labels["mask"].tolist()
    wider = moved[["image_id", "x_max"]].assign(x_max=moved["x_max"] + 1)
    image = project.get_image(labels["image_id"].iloc[3])
    for call, frame, bad in (
        (project.edit_labels, wider.dropna(), [1, 3]),
        (project.edit_labels, wider.drop(columns="image_id").dropna(), [1, 3]),
        (image.edit_labels, wider.iloc[[3]], [3]),
    ):
        with pytest.raises(hf.FrameError, match=r"hf\.masks\.crop") as caught:
            call(frame)
        assert caught.value.problems["row"].tolist() == labels.index[bad].tolist()
    same(project.get_labels().loc[moved.index], moved)
    assert project.edit_labels(wider.iloc[:1])["x_max"].tolist() == [32]  # it has no mask
    without = project.edit_labels(wider.iloc[[1]].assign(mask=None))
    assert without["mask"].isna().all()


def test_edit_of_one_label_as_a_dict(project, labels):
    edited = project.edit_labels([{"label_id": labels.index[1], "z_index": 5}])
    assert edited["z_index"].tolist() == [5]
    assert edited["mask"].tolist() == [[1, 2, 7, 2]]


def test_delete_labels_by_frame_handles_and_ids(project, images, labels):
    image = project.get_image(images.index[2])
    handle = image.create_label("coin", [0, 0, 5, 5])
    project.delete_labels(handle)
    project.delete_labels([image.create_label("coin", [0, 0, 5, 5]), image.create_label("coin", [0, 0, 6, 6])])
    assert len(image.get_labels()) == 0
    project.delete_labels(labels.index[0])
    project.delete_labels([labels.index[1], labels.index[1]])
    project.delete_labels(labels.iloc[[2, 3]])
    project.delete_labels([])
    project.delete_labels(labels.iloc[:0])
    assert len(project.get_labels()) == 0


def test_create_copies_labels_to_another_image(project, images, labels):
    third = images.index[2]
    copies = project.create_labels(labels.assign(image_id=third))
    assert len(set(copies.index) & set(labels.index)) == 0
    same(copies.drop(columns="image_id"), labels.drop(columns="image_id"))


def test_create_from_the_frame_of_another_client(client, project, labels):
    with hf.Client(client.api_key, client.base_url, progress=False) as second:
        other = second.get_project(project.id)
        other.get_labels()  # it knows the classes now
        new = project.create_label_class("made meanwhile")
        row = [{"image_id": labels["image_id"].iloc[0], "class_name": "made meanwhile", "bbox": [0, 0, 5, 5]}]
        assert other.create_labels(row)["class_id"].tolist() == [new.id]
        project.get_label_class("coin").edit("penny")
        assert "penny" in set(other.get_labels()["class_name"])


def test_some_rows_fail_and_the_others_are_reported(project, images, labels):
    gone = labels.index[0]
    project.delete_labels([gone])
    with pytest.raises(hf.BatchError, match="3 edited, 1 failed") as caught:
        project.edit_labels(labels.assign(z_index=7.0))
    report = caught.value.report
    assert report.index.tolist() == labels.index.tolist()
    assert report["outcome"].tolist() == ["failed"] + ["edited"] * 3
    assert gone in report["message"].iloc[0]
    assert project.get_labels(images)["z_index"].tolist() == [7.0] * 3


def test_what_is_gone_already_is_no_error_to_delete(project, images, labels):
    project.delete_labels(labels.index[:1])
    project.delete_labels(labels)
    assert not len(project.get_labels(images))


@st.composite
def label_rows(draw):
    """Rows of a labels frame: boxes, some with a mask, some with a polygon, and polygons alone."""
    rows = []
    for _ in range(draw(st.integers(1, 16))):
        x, y = draw(st.integers(0, 300)), draw(st.integers(0, 200))
        width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
        row = {
            "image_id": draw(st.integers(0, 3)),
            "class_name": draw(st.sampled_from(["coin", "cell", "sky"])),
            "z_index": draw(st.sampled_from([0.0, 1.0, -2.5, 1e6])),
            "external_id": draw(st.none() | st.text(max_size=8).filter(lambda s: s.isprintable())),
            "bbox": [x, y, x + width, y + height],
            "mask": None,
            "polygon": None,
        }
        cuts = sorted(draw(st.sets(st.integers(0, width * height), min_size=0, max_size=8)))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        if pairs:
            row["mask"] = [number for start, end in pairs for number in (start + 1, end - start)]
        elif draw(st.booleans()):
            coordinate = st.floats(0, 300, allow_nan=False).map(lambda c: round(c, 3))
            row["polygon"] = [[draw(coordinate), draw(coordinate)] for _ in range(draw(st.integers(3, 6)))]
            if draw(st.booleans()):
                row["bbox"] = None
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def kept(client, pictures):
    """A project for many examples, with images."""
    project = make_project(client)
    return project, make_images(project, pictures).index


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=label_rows(), seed=st.integers(0, 99))
def test_labels_written_and_read_back_are_equal(kept, rows, seed):
    project, ids = kept
    rows = [{**row, "image_id": ids[row["image_id"]]} for row in rows]
    made = project.create_labels(rows)
    for key in ("image_id", "class_name", "z_index"):
        assert made[key].tolist() == [row[key] for row in rows]
    texts = made["external_id"].astype(object)
    assert texts.where(texts.notna(), None).tolist() == [row["external_id"] for row in rows]
    for position, row in enumerate(rows):
        box = made[["x_min", "y_min", "x_max", "y_max"]].iloc[position].tolist()
        assert box == row["bbox"] or (row["bbox"] is None and np.isnan(box).all())
        mask, polygon = made["mask"].iloc[position], made["polygon"].iloc[position]
        assert row["mask"] is None if mask is pd.NA else list(mask) == row["mask"]
        assert row["polygon"] is None if polygon is pd.NA else [list(v) for v in polygon] == row["polygon"]
    read = project.get_labels(made).loc[made.index]
    same(read, made)
    again = project.edit_labels(read.sample(frac=1, random_state=seed))  # an edit that changes nothing
    same(again.loc[made.index], made)
    project.delete_labels(read)
    assert len(project.get_labels()) == 0


# Attributes of labels -------------------------------------------------------------------------------------------------

KINDS = {
    "colour": "SELECTION",
    "colours": "MULTIPLE-SELECTION",
    "note": "TEXT",
    "count": "INT",
    "size": "FLOAT",
    "round": "BOOL",
}
VALUES = {"colour": "red", "colours": ["green", "red"], "note": "so-so", "count": 3, "size": 2.5, "round": False}


@pytest.fixture
def attributes(project):
    for name, kind in KINDS.items():
        project.create_attribute(name, kind, values=["red", "green"] if "SELECTION" in kind else None)
    return project.get_attributes()


def test_label_attributes_long(project, labels, attributes):
    rows = [
        {"label_id": label, "attribute_name": name, "value": value}
        for name, value in VALUES.items()
        for label in labels.index[:2]
    ]
    stored = project.set_label_attributes(rows)
    assert stored["label_id"].tolist() == [row["label_id"] for row in rows]
    assert stored["attribute_name"].tolist() == [row["attribute_name"] for row in rows]
    assert stored["value"].tolist() == [row["value"] for row in rows]
    got = project.get_label_attributes(labels)
    has_schema(got, hf.LabelAttribute)
    assert list(got["attribute_name"].cat.categories) == list(KINDS)
    same(got.loc[stored.index], stored)
    assert project.get_label_attributes([labels.index[0]]).index.tolist() == [
        key for key in got.index if got["label_id"][key] == labels.index[0]
    ]
    again = project.set_label_attributes(got.assign(value=got["value"]))  # what was read can be written
    same(again, got)


def test_label_attributes_by_id(project, labels, attributes):
    ids = attributes.reset_index().set_index("name")["attribute_id"]
    red = attributes["values"].iloc[0][0]["id"]
    rows = pd.DataFrame({"label_id": labels.index, "attribute_id": ids["colour"], "value": red})
    assert project.set_label_attributes(rows)["value"].tolist() == ["red"] * 4


def test_label_attributes_wide(project, labels, attributes):
    wide = project.get_label_attributes(labels, wide=True)
    assert wide.index.equals(labels.index)
    assert list(wide.columns) == list(KINDS)
    assert wide.isna().all(axis=None)
    for name, value in VALUES.items():
        wide[name] = wide[name].astype(object)
        wide.at[labels.index[1], name] = value
    stored = project.set_label_attributes(wide)
    assert dict(zip(stored["attribute_name"], stored["value"], strict=True)) == VALUES
    got = project.get_label_attributes(labels, wide=True)
    assert {name: str(dtype) for name, dtype in got.dtypes.items()} == {
        "colour": "category",
        "colours": "list<item: string>[pyarrow]",
        "note": "str",
        "count": "Int64",
        "size": "float64",
        "round": "boolean",
    }
    assert list(got["colour"].cat.categories) == ["red", "green"]
    row = got.loc[labels.index[1]]
    assert {**row.to_dict(), "colours": list(row["colours"])} == VALUES
    assert got.drop(labels.index[1]).isna().all(axis=None)
    project.set_label_attributes(got)  # what was read can be written
    project.set_label_attributes(got.reset_index())
    pd.testing.assert_frame_equal(project.get_label_attributes(labels, wide=True), got)
    joined = labels.join(got)
    assert joined["note"].tolist()[1] == "so-so"


def test_label_attributes_of_labels_that_are_gone(project, labels, attributes):
    project.delete_labels(labels.index[:1])
    with pytest.raises(hf.BatchError, match="1 edited, 1 failed") as caught:
        project.set_label_attributes(pd.DataFrame({"note": ["a", "b"]}, index=labels.index[:2]))
    report = caught.value.report
    assert report["label_id"].tolist() == labels.index[:2].tolist()
    assert report["outcome"].tolist() == ["failed", "edited"]
    with pytest.raises(hf.ReadError, match=labels.index[0]) as caught:
        project.get_label_attributes(labels)
    assert isinstance(caught.value.__cause__, hf.NotFound)
    assert caught.value.partial["label_id"].tolist() == [labels.index[1]]


def test_label_attributes_of_no_labels(project, labels, attributes):
    assert len(project.set_label_attributes([])) == 0
    assert project.get_label_attributes([], wide=True).shape == (0, len(KINDS))
    assert len(project.set_label_attributes(project.get_label_attributes(labels, wide=True))) == 0


# Tags and statuses ----------------------------------------------------------------------------------------------------


def test_tags(project, images):
    blurry, dark = project.create_tag_class("blurry"), project.create_tag_class("dark")
    rows = pd.DataFrame(
        {"image_id": images.index[[2, 0, 2, 1]], "tag_class_name": ["blurry", "dark", "dark", "blurry"]}
    )
    added = project.add_tags(rows)
    has_schema(added, hf.Tag)
    assert added["image_id"].tolist() == rows["image_id"].tolist()
    assert added["tag_class_name"].tolist() == rows["tag_class_name"].tolist()
    assert list(added["tag_class_name"].cat.categories) == ["blurry", "dark"]
    got = project.get_tags()
    same(got.loc[added.index], added)
    assert project.get_tags(images.index[[1]])["tag_class_id"].tolist() == [blurry.id]

    project.delete_tags(added.iloc[[0]])
    project.delete_tags(pd.DataFrame({"image_id": [images.index[0]], "tag_class_id": [dark.id]}))
    project.delete_tags([{"image_id": images.index[2], "tag_class_name": "dark"}])
    assert project.get_tags().index.tolist() == [added.index[3]]
    project.delete_tags(project.get_tags())
    assert len(project.get_tags()) == 0
    project.delete_tags([])
    assert len(project.add_tags([])) == 0


def test_more_than_100_tags_on_an_image(project, images):
    for number in range(101):
        project.create_tag_class(f"tag {number}")
    classes = project.get_tag_classes()
    rows = pd.DataFrame({"image_id": images.index[0], "tag_class_id": classes.index})
    assert project.add_tags(rows)["tag_class_id"].tolist() == classes.index.tolist()
    assert len(project.get_tags(images.index[:1])) == 101
    project.delete_tags(rows)
    assert len(project.get_tags()) == 0


def test_set_status(project, images, labels):
    assert project.set_status(images, "DONE")["status"].tolist() == ["DONE"] * 4
    assert set(project.get_images()["status"]) == {"DONE"}
    of_labels = project.set_status(labels, "TO REVIEW")
    assert of_labels.index.tolist() == images.index[:2].tolist()
    now = project.get_images().loc[images.index]
    assert now["status"].tolist() == ["TO REVIEW"] * 2 + ["DONE"] * 2
    now.loc[now.index[0], "status"] = "SKIPPED"
    project.set_status(now)
    assert project.get_images().loc[images.index, "status"].tolist() == ["SKIPPED", "TO REVIEW", "DONE", "DONE"]
    project.set_status(images.index[0], "NEW")
    project.set_status([project.get_image(images.index[1])], "NEW")
    assert len(project.get_images(image_status="NEW")) == 2
    assert list(now["status"].cat.categories) == list(of_labels["status"].cat.categories)


# Names and ids, editing the project -----------------------------------------------------------------------------------


def test_things_by_name_and_id(project):
    for get, name in (
        (project.get_dataset, "train"),
        (project.get_label_class, "sky"),
    ):
        thing = get(name)
        assert get(thing.id) == thing
        assert thing.name == name
    project.create_dataset("train/2 ?")
    assert project.get_dataset("train/2 ?").name == "train/2 ?"


def test_edit_leaves_what_is_left_out(client, project):
    project.edit(description="what it is")
    project.edit(name="Other")
    again = client.get_project(project.id)
    assert (again.name, again.description) == ("Other", "what it is")
    project.edit(description=None)
    assert client.get_project(project.id).description is None


def test_attribute_classes(project):
    attribute = project.create_attribute("note", "TEXT")
    coin, cell = (project.get_label_class(name) for name in ("coin", "cell"))
    pairs = pd.DataFrame({"attribute_name": "note", "class_name": ["coin", "cell"], "class_order": [1, None]})
    stored = project.set_attribute_classes(pairs)
    assert stored["class_id"].tolist() == [coin.id, cell.id]
    assert stored["class_order"].tolist() == [1, 0]
    project.set_attribute_classes({"attribute_id": attribute.id, "class_id": cell.id, "attribute_order": 2})
    got = project.get_attribute_classes()
    assert got.dtypes.astype(str).tolist() == ["str", "str", "float64", "float64"]
    assert got["attribute_order"].tolist() == [0, 2]
    project.delete_attribute_classes(got.iloc[[0]])
    assert project.get_attribute_classes()["class_id"].tolist() == [cell.id]
    project.delete_attribute_classes([])
    assert len(project.set_attribute_classes([])) == 0


def test_edits_of_rows_with_different_keys_are_refused(project, labels):
    """A key that one row leaves out would be sent as null, and clear what is stored."""
    rows = [
        {"label_id": key, "image_id": image, "z_index": 7} | ({"mask": [1, 2]} if number == 0 else {})
        for number, (key, image) in enumerate(labels["image_id"].items())
    ]
    before = project.get_labels()
    for edit in (project.edit_labels, project.get_image(labels["image_id"].iloc[0]).edit_labels):
        with pytest.raises(hf.ValidationException, match="Row 1 leaves out 'mask'"):
            edit(rows)
    same(project.get_labels(), before)


@pytest.mark.parametrize("empty", [[], (), pd.Series([], dtype="str"), pd.Index([]), np.array([])], ids=repr)
def test_none_of_anything_is_nothing_and_not_everything(recorded, recorder, images, labels, empty):
    for filters in ({"dataset": empty}, {"image_status": empty}, {"dataset": empty, "image_status": "NEW"}):
        assert not len(recorded.get_images(**filters))
        assert not len(recorded.get_labels(**filters))
        assert not len(recorded.get_labels(images, **filters))
        assert not len(recorded.pull(**filters).images)
        for call in (
            lambda filters=filters: recorded.export("x", "json_v1.1", **filters),
            lambda filters=filters: recorded.read_export(**filters),
        ):
            with pytest.raises(hf.ValidationException, match="is empty, so that there is nothing to export"):
                call()
    with pytest.raises(hf.ValidationException, match="dataset is empty"):
        recorded.export("x", "json_v1.1", dataset=recorded.get_datasets().iloc[:0])
    for read in (recorded.get_labels, recorded.get_tags):
        assert not len(read(empty))
    assert not recorder.writes
    assert len(recorded.read_export(image_status=None).images) == len(images)


def test_images_are_meant_by_their_names_as_well(project, images, recorded, recorder):
    name, other = images["name"].iloc[:2]
    row = {"image_id": name, "class_name": "coin", "bbox": [0, 0, 4, 4]}
    created = project.create_labels([row, {**row, "image_id": images.index[1]}])
    assert created["image_id"].tolist() == images.index[:2].tolist()
    new = created.iloc[:1].reset_index(drop=True).assign(image_id=other, z_index=9.0)
    plan = project.plan_labels(created, pd.concat([created, new]))
    assert plan.creates["image_id"].tolist() == [images.index[1]]
    project.edit_labels(created.assign(image_id=[name, other], z_index=4.0))
    assert project.get_labels(created)["z_index"].tolist() == [4.0, 4.0]
    project.create_tag_class("night")
    assert project.add_tags([{"image_id": name, "tag_class_name": "night"}])["image_id"].tolist() == [images.index[0]]
    project.delete_tags([{"image_id": name, "tag_class_name": "night"}])
    assert not len(project.get_tags())
    assert project.set_status([name, images.index[1]], "DONE").index.tolist() == images.index[:2].tolist()
    project.delete_labels(created.assign(image_id=[name, other]))
    assert not len(project.get_labels())
    recorder.clear()
    recorded.create_labels([{**row, "image_id": images.index[0]}])
    lists = [seen for seen in recorder.seen if seen.path.partition("?")[0].endswith("/images")]
    assert len(lists) <= 2, "ids are not looked for among names"


def test_a_name_that_several_images_have_is_refused(project, images, pictures):
    project.upload_images(pictures, "val")
    name = images["name"].iloc[0]
    with pytest.raises(hf.FrameError, match=r"image_id, row 0: .*Several images have this name; give the id of one"):
        project.create_labels([{"image_id": name, "class_name": "coin", "bbox": [0, 0, 4, 4]}])
    with pytest.raises(hf.FrameError, match="Several images have this name"):
        project.set_status([name], "DONE")
    with pytest.raises(hf.FrameError, match="It must be the id of an image of this project"):
        project.set_status(["none.png"], "DONE")
