"""Single things: what they show, what editing them leaves alone, and what belongs to an image."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest
from making import make_images, make_project
from test_project import has_schema

import hastyframe as hf


@pytest.fixture(scope="module")
def project(client):
    return make_project(client)


@pytest.fixture(scope="module")
def images(project, pictures):
    return make_images(project, pictures)


@pytest.fixture
def image(project, pictures):
    """An image of the test's own, that nothing is on."""
    dataset = project.create_dataset("own")
    yield project.upload_from_file(dataset, pictures / "ramp.png", external_id="e")
    dataset.delete()


# What they show -------------------------------------------------------------------------------------------------------


class Strict(HTMLParser):
    """Checks that what is opened is closed, in order, and collects the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def test_html_is_valid_and_escaped(client, project):
    name = "<script>alert('x')</script> & \"quotes\" </td>"
    thing = project.create_label_class(name, external_id="x" * 500)
    parser = Strict()
    parser.feed(thing._repr_html_())
    parser.close()
    assert parser.open == []
    assert parser.tags == {"table", "caption", "b", "tr", "th", "td"}
    shown = dict(zip(parser.cells[::2], parser.cells[1::2], strict=True))
    assert list(shown) == ["id", "name", "project_id", "color", "class_type", "norder", "external_id"]
    assert shown["name"] == name
    assert len(shown["external_id"]) == 120
    assert client.api_key not in thing._repr_html_() + repr(thing)
    thing.delete()


def test_repr_and_equality(project):
    one, two = project.get_dataset("train"), project.get_dataset("train")
    assert repr(one).startswith(f"Dataset(id={one.id!r}, name='train'")
    assert one == two
    assert len({one, two, project.get_dataset("val")}) == 2
    assert one != project
    assert one != one.id


# Editing leaves alone what is left out --------------------------------------------------------------------------------


def test_edit_label_class(project):
    thing = project.create_label_class("lake", "#112233ff", "background", 7, "e")
    for change in ({"name": "sea"}, {"color": "#445566ff"}, {"class_type": "object"}, {"norder": 8.5}):
        before = {name: getattr(thing, name) for name in thing.fields()}
        thing.edit(**change)
        assert {name: getattr(thing, name) for name in thing.fields()} == before | change
        again = project.get_label_class(thing.id)
        assert {name: getattr(again, name) for name in thing.fields()} == before | change
    thing.edit(external_id=None)
    assert project.get_label_class("sea").external_id is None
    assert project.get_label_classes().loc[thing.id, "name"] == "sea"
    thing.delete()
    assert thing.id not in project.get_label_classes().index


def test_edit_dataset_and_tag_class(project):
    for thing, get in (
        (project.create_dataset("first", 3), project.get_dataset),
        (project.create_tag_class("first", 3), project.get_tag_class),
    ):
        thing.edit(name="second")
        assert (get(thing.id).name, get(thing.id).norder) == ("second", 3)
        thing.edit(norder=4)
        assert (get("second").name, get("second").norder) == ("second", 4)
        thing.delete()
        with pytest.raises(hf.ValidationException, match="neither the id nor the name"):
            get("second")


def test_edit_attribute_keeps_values_and_what_labels_have(project, image):
    attribute = project.create_attribute("colour", "SELECTION", "its colour", 3, ["red", "green"], "LABEL")
    label = image.create_label("coin", [0, 0, 5, 5])
    label.set_attribute("colour", "green")
    attribute.edit(name="paint")
    attribute.edit(values=["red", "green", "blue"])
    attribute.edit(description=None)
    again = project.get_attributes().loc[attribute.id]
    assert [choice["value"] for choice in again["values"]] == ["red", "green", "blue"]
    assert (again["name"], again["attribute_type"], again["norder"]) == ("paint", "SELECTION", 3)
    assert pd.isna(again["description"])
    assert label.get_attributes()[["attribute_name", "value"]].to_numpy().tolist() == [["paint", "green"]]
    with pytest.raises(hf.ValidationException, match="list of texts"):
        attribute.edit(values="red")
    with pytest.raises(hf.ValidationException, match="Did you mean 'SELECTION'"):
        attribute.edit(attribute_type="SELECTON")
    attribute.delete()


def test_edit_label(project, image):
    geometry = {"bbox": [2, 2, 8, 6], "polygon": [[2, 2], [8, 2], [8, 6.5]], "mask": [1, 24]}
    label = image.create_label("coin", **geometry, z_index=2, external_id="e")
    cell = project.get_label_class("cell")
    changes = [
        ({"label_class": "cell"}, {"class_id": cell.id}),
        ({"z_index": 3.5}, {"z_index": 3.5}),
        ({"external_id": None}, {"external_id": None}),
        ({"mask": [1, 6]}, {"mask": [1, 6]}),
        ({"bbox": [3, 3, 9, 7]}, {"bbox": [3, 3, 9, 7]}),
        ({"polygon": None}, {"polygon": None}),
        ({"bbox": [0, 0, 3, 3], "mask": None}, {"bbox": [0, 0, 3, 3], "mask": None}),
        ({"label_class": project.get_label_class("coin"), "z_index": None}, {"z_index": 0}),
        ({}, {}),
    ]
    names = ["class_id", "bbox", "polygon", "mask", "z_index", "external_id"]
    for change, expected in changes:
        before = {name: getattr(label, name) for name in names}
        label.edit(**change)
        now = {name: getattr(label, name) for name in names}
        if "label_class" in change:
            now["class_id"] = before["class_id"] = label.class_id
            assert (
                label.class_id
                == project.get_label_class(
                    change["label_class"] if isinstance(change["label_class"], str) else change["label_class"].id
                ).id
            )
            expected = {**expected, "class_id": label.class_id}
        assert now == before | expected
        stored = image.get_labels().loc[label.id]
        assert stored["class_id"] == label.class_id
        assert (stored["mask"] is pd.NA) == (label.mask is None)
        assert stored["z_index"] == label.z_index
    label.delete()
    assert len(image.get_labels()) == 0


# Images ---------------------------------------------------------------------------------------------------------------


def test_image_labels_as_dicts_and_frames(image):
    made = image.create_labels(
        [
            {"class_name": "coin", "bbox": [0, 0, 4, 2], "mask": [1, 2]},
            {"class_name": "cell", "polygon": [[0, 0], [3, 0], [3, 3]]},
        ]
    )
    has_schema(made, hf.Label)
    got = image.get_labels()
    pd.testing.assert_frame_equal(got, made)
    got.loc[got.index[0], "class_name"] = "sky"
    edited = image.edit_labels(got.drop(columns="class_id"))
    assert edited["class_name"].tolist() == ["sky", "cell"]
    assert image.edit_labels([{"label_id": got.index[0], "z_index": 4}])["mask"].tolist() == [[1, 2]]
    more = image.create_labels(pd.concat([made] * 101, ignore_index=True))
    assert len(more) == 202
    image.delete_labels(more)
    image.delete_labels(got.index[0])
    image.delete_labels(list(got.index[1:]))
    image.delete_labels([])
    assert len(image.get_labels()) == 0


def test_image_rename_move_status_download(project, image, pictures, tmp_path):
    image.rename("new name.png")
    image.move("val")
    assert (image.name, image.dataset_name, image.dataset_id) == (
        "new name.png",
        "val",
        project.get_dataset("val").id,
    )
    image.set_status("IN PROGRESS")
    assert image.status == project.get_image(image.id).status == "IN PROGRESS"
    image.download(str(tmp_path / "x.png"))
    assert (tmp_path / "x.png").read_bytes() == (pictures / "ramp.png").read_bytes()
    with pytest.raises(hf.FormatError, match="its folder is not: check the path"):
        image.download(tmp_path / "no such folder" / "x.png")
    without = hf.Image(image._requester, image._data | {"public_url": None})
    with pytest.raises(hf.ValidationException, match="has no address"):
        without.download(tmp_path / "y.png")
    image.delete()
    with pytest.raises(hf.NotFound):
        project.get_image(image.id)


def test_image_tags_in_every_form(project, image):
    blurry, dark = project.create_tag_class("blurry"), project.create_tag_class("dark")
    classes = project.get_tag_classes()

    def now():
        return sorted(image.get_tags()["tag_class_name"])

    def put_back():
        image.add_tags(classes)
        assert now() == ["blurry", "dark"]

    for form in ("blurry", ["blurry"], blurry, [blurry], {"tag_class_id": blurry.id}, [{"tag_class_id": blurry.id}]):
        added = image.add_tags(form)
        has_schema(added, hf.Tag)
        assert added["tag_class_id"].tolist() == [blurry.id]
        put_back()
        image.delete_tags(form)
        assert now() == ["dark"]
    put_back()
    tags = image.get_tags()
    image.delete_tags(tags)
    assert now() == []
    put_back()
    image.delete_tags(classes)
    put_back()
    records = image._requester.listing(hf.Tag.path.format(project_id=project.id, image_id=image.id))
    handle = hf.Tag(image._requester, records[0], {"project_id": project.id})
    image.delete_tags([handle, {"tag_class_id": records[1]["tag_class_id"]}])
    put_back()
    image.delete_tags([{"tag_id": key} for key in image.get_tags().index])
    image.delete_tags([])
    assert now() == []
    for thing in (blurry, dark):
        thing.delete()


def test_label_attributes_one_by_one(project, image):
    project.create_attribute("note", "TEXT")
    several = project.create_attribute("several", "MULTIPLE-SELECTION", values=["a", "b"])
    label = image.create_label("coin", [0, 0, 5, 5])
    label.set_attribute("note", "hello")
    label.set_attribute(several, ["b", several.values[0]["id"]])
    got = label.get_attributes()
    has_schema(got, hf.LabelAttribute)
    assert dict(zip(got["attribute_name"], got["value"], strict=True)) == {"note": "hello", "several": ["b", "a"]}
    with pytest.raises(hf.FrameError, match="a text"):
        label.set_attribute("note", 3)


def test_edit_through_a_handle_that_is_out_of_date(client, project, image):
    attribute = project.create_attribute("stale", "SELECTION", values=["a"])
    pairs = [
        (project, client.get_project(project.id)),
        (project.create_dataset("stale", 1), project.get_dataset("stale")),
        (project.create_label_class("stale", norder=1), project.get_label_class("stale")),
        (project.create_tag_class("stale", 1), project.get_tag_class("stale")),
        (attribute, hf.Attribute(attribute._requester, dict(attribute._data))),
    ]
    for one, other in pairs:
        other.edit(name=f"renamed {other.id}")
        change = {"description": "changed"} if isinstance(one, hf.Project) else {"norder": 2}
        one.edit(**change)  # what somebody else has changed meanwhile stays as it is, too
        assert one.name == other.name
    label = image.create_label("coin", [0, 0, 4, 4], mask=[1, 16])
    image.edit_labels([{"label_id": label.id, "bbox": [1, 1, 3, 3], "mask": [1, 4], "class_name": "cell"}])
    label.edit(z_index=5)
    assert (label.bbox, label.mask, label.class_id) == ([1, 1, 3, 3], [1, 4], project.get_label_class("cell").id)
    image.delete_labels([label.id])
    with pytest.raises(hf.NotFound, match=label.id):
        label.edit(z_index=6)
    attribute.delete()
    with pytest.raises(hf.NotFound, match=attribute.id):
        attribute.edit(name="x")
    pairs[1][0].delete()
    with pytest.raises(hf.NotFound):
        pairs[1][1].edit(name="x")
