"""Pascal VOC as other tools write it: without sizes and names, from 0, with polygons; each bad object is named."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import hastyframe as hf
import hastyframe.io as hio
from hastyframe.errors import ValidationException

BOX = ["x_min", "y_min", "x_max", "y_max"]
SIZE = "<size><width>40</width><height>30</height></size>"


def box(*corners: float) -> str:
    tags = ("xmin", "ymin", "xmax", "ymax")
    return f"<bndbox>{''.join(f'<{tag}>{c}</{tag}>' for tag, c in zip(tags, corners, strict=True))}</bndbox>"


def ring(*points: tuple[float, float]) -> str:
    return f"<polygon>{''.join(f'<x{i}>{x}</x{i}><y{i}>{y}</y{i}>' for i, (x, y) in enumerate(points, 1))}</polygon>"


def xml(*objects: str, head: str = f"<filename>a.jpg</filename>{SIZE}") -> str:
    return f"<annotation>{head}{''.join(f'<object><name>cat</name>{o}</object>' for o in objects)}</annotation>"


def folder_of(root: Path, **files: str) -> Path:
    for name, text in files.items():
        (root / f"{name}.xml").write_text(text)
    return root


def read(root: Path, *objects: str, **options) -> hio.LabelSet:
    return hio.read_voc(folder_of(root, a=xml(*objects)), progress=False, **options)


def boxes(label_set: hio.LabelSet) -> list[list[float]]:
    return label_set.labels[BOX].to_numpy().tolist()


# Sizes and names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", ["", "<size><depth>3</depth></size>", "<size><width>0</width><height>0</height></size>"]
)
def test_sizes_come_from_the_pictures(tmp_path, size):
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir()
    Image.new("L", (7, 5)).save(tmp_path / "JPEGImages" / "a.jpg")
    folder_of(tmp_path / "Annotations", a=xml(box(1, 1, 4, 4), head=f"<filename>a.jpg</filename>{size}"))
    images = hio.read_voc(tmp_path, progress=False).images
    assert images[["name", "width", "height"]].to_numpy().tolist() == [["a.jpg", 7, 5]]


def test_sizes_come_from_images(tmp_path):
    images = pd.DataFrame({"name": ["a.jpg", "b.jpg"], "width": 7, "height": 5}, index=["i1", "i2"])
    folder_of(tmp_path, b=xml(box(1, 1, 4, 4), head=""))
    label_set = hio.read_voc(tmp_path, images, progress=False)
    assert label_set.labels["image_id"].tolist() == ["i2"] and len(label_set.images) == 2
    with pytest.raises(hio.FormatError, match=r"b\.xml: there is no image of this name"):
        hio.read_voc(tmp_path, images.iloc[:1], progress=False)
    with pytest.raises(hio.FormatError, match=r"b\.xml: 'size' is missing, and there is no picture"):
        hio.read_voc(tmp_path, progress=False)


@pytest.mark.parametrize("named", ["", "<filename>b</filename>", r"<filename>C:\me\b.png</filename>"])
def test_names_come_from_the_files(tmp_path, named):
    folder_of(tmp_path, b=xml(box(1, 1, 4, 4), head=named + SIZE))
    name = "b.png" if "png" in named else "b"
    assert hio.read_voc(tmp_path, progress=False).images["name"].tolist() == [name]
    Image.new("L", (7, 5)).save(tmp_path / "b.png")
    images = hio.read_voc(tmp_path, progress=False).images
    assert images[["name", "width"]].to_numpy().tolist() == [["b.png", 40]]


def test_spellings_of_one_file_name(tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    Image.new("L", (7, 5)).save(tmp_path / nfd)
    folder_of(tmp_path, b=xml(box(1, 1, 4, 4), head=f"<filename>{nfc}</filename>"))
    assert hio.read_voc(tmp_path, progress=False).images["width"].tolist() == [7]
    images = pd.DataFrame({"name": [nfd], "width": 7, "height": 5})
    assert hio.read_voc(tmp_path, images, progress=False).labels["image_id"].tolist() == ["0"]


def test_datasets_with_equal_names(tmp_path):
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        folder_of(tmp_path / folder, a=xml(box(1, 1, 4, 4)))
    Image.new("L", (7, 5)).save(tmp_path / "val" / "a.jpg")
    assert hio.read_voc(tmp_path, progress=False).images.index.tolist() == ["train/a.jpg", "val/a.jpg"]


# Boxes and polygons ---------------------------------------------------------------------------------------------------


def test_a_corner_at_0_decides_for_the_whole_data_set(tmp_path):
    folder_of(tmp_path, b=xml(box(0, 3, 9, 8), head=f"<filename>b.jpg</filename>{SIZE}"))
    with pytest.warns(hio.FormatWarning, match=r"counts from 1, and this data set from 0: .*as they stand \(2\)"):
        label_set = read(tmp_path, box(2, 3, 9, 8))
    assert boxes(label_set) == [[2, 3, 9, 8], [0, 3, 9, 8]]
    with pytest.raises(ValidationException, match="from 0"):
        read(tmp_path, box(2, 3, 9, 8), on_loss="raise")


def test_fractions_and_polygons_decide_as_well(tmp_path):
    for odd in (box(0.25, 3, 9, 8), ring((0, 3), (9, 3), (9, 8))):
        assert boxes(read(tmp_path, odd, box(2, 3, 9, 8), on_loss="ignore"))[1] == [2, 3, 9, 8]
    assert boxes(read(tmp_path, box(1, 1, 40, 30))) == [[0, 0, 40, 30]]


def test_polygons(tmp_path):
    corners = ((5, 5), (20, 5), (20, 15), (5, 15))
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in corners)
    label_set = read(
        tmp_path, ring(*corners) + box(5, 5, 20, 15), f"<polygon>{points}</polygon>", ring() + box(1, 1, 2, 2)
    )
    assert boxes(label_set) == [[4, 4, 20, 15]] * 2 + [[0, 0, 2, 2]]
    assert label_set.labels["polygon"].iloc[0] == label_set.labels["polygon"].iloc[1]
    assert label_set.labels["polygon"].isna().tolist() == [False, False, True]
    assert hf.add_area(label_set.labels)["area"].tolist() == [176, 176, 4]
    from_zero = read(tmp_path, ring((0, 0), (4, 0), (4, 4)), on_loss="ignore").labels
    assert from_zero["polygon"].iloc[0] == [[0, 0], [4, 0], [4, 4]]


def test_several_polygons_of_an_object(tmp_path):
    two = ring((1, 1), (3, 1), (3, 3), (1, 3)) + ring((5, 1), (7, 1), (7, 3), (5, 3))
    label_set = read(tmp_path, two, ring((1, 1), (2, 1), (2, 2)), box(1, 1, 2, 2))
    assert repr(label_set) == "LabelSet: 1 image, 3 labels (1 box, 1 polygon, 1 in parts), 1 class"
    assert boxes(label_set)[0] == [0, 0, 7, 3]
    assert label_set.labels["parts"].iloc[0][1] == [[4, 0], [7, 0], [7, 3], [4, 3]]


@pytest.mark.parametrize(
    "bad, says",
    [
        (box(1, 1, 4, 4) + box(2, 2, 5, 5), "it has 2 boxes, and an object has one"),
        (box(9, 1, 4, 4), "xmin 9 lies beyond xmax 4"),
        (box(1, 9, 4, 4), "ymin 9 lies beyond ymax 4"),
        (ring((1, 1), (2, 2)), "its polygon has 2 vertices"),
        ("<polygon><x1>1</x1></polygon>", "'polygon/y1' is missing"),
        (ring((1, 1), (2, 2), ("x", 3)), "'polygon/x3' is 'x'"),
        ("", "'bndbox/xmin' is missing"),
    ],
)
def test_bad_objects_are_named_or_skipped(tmp_path, bad, says):
    with pytest.raises(hio.FormatError, match=rf"a\.xml, object 2: {says}"):
        read(tmp_path, box(1, 1, 4, 4), bad)
    label_set = read(tmp_path, box(1, 1, 4, 4), bad, errors="skip")
    assert boxes(label_set) == [[0, 0, 4, 4]]
    assert label_set.skipped["place"].tolist() == ["a.xml, object 2"]


def test_all_bad_files_and_objects_are_named_at_once(tmp_path):
    folder_of(tmp_path, b="<annotation>", c="<workspace/>")
    with pytest.raises(hio.FormatError, match="4 problems") as caught:
        read(tmp_path, box(9, 1, 4, 4), box(1, 1, 4, 4), box(1, 9, 4, 4))
    assert caught.value.problems["place"].tolist() == ["a.xml, object 1", "a.xml, object 3", "b.xml", "c.xml"]
    label_set = read(tmp_path, box(9, 1, 4, 4), box(1, 1, 4, 4), errors="skip")
    assert len(label_set.labels) == 1 and label_set.images.index.tolist() == ["default/a.jpg"]
