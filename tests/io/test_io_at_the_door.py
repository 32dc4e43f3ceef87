"""What people hand over by mistake: the wrong folder, links to nothing, another kind of file or argument."""

from __future__ import annotations

import gzip
import io
import uuid
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hastyframe as hf
import hastyframe.io as hio

IMAGES = pd.DataFrame({"name": ["a.png"], "width": [20], "height": [10]})
VOC = (
    "<annotation><filename>a.png</filename><object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
    "<xmax>4</xmax><ymax>3</ymax></bndbox></object></annotation>"
)
CLASSES = '[{"png_index": 1, "class_name": "x"}]'
FOLDERS = {
    "voc": lambda folder: hio.read_voc(folder, progress=False),
    "yolo": lambda folder: hio.read_yolo(folder, progress=False),
    "yolo, classes": lambda folder: hio.read_yolo(folder, classes=["x"], progress=False),
    "png": lambda folder: hio.read_semantic_png(folder, progress=False),
    "parquet": hio.read_parquet,
}
FILES = {"coco": hio.read_coco, "hasty": hio.read_hasty_json}
WRITERS = ("to_coco", "to_hasty_json", "to_yolo", "to_voc", "to_semantic_png", "to_parquet")


def picture(path):
    Image.new("L", (20, 10)).save(path)


def coco(images=({},), annotations=({},), ids=(1, 1)):
    image = {"id": ids[0], "file_name": "a.png", "width": 20, "height": 10}
    annotation = {"id": 1, "image_id": ids[1], "category_id": 1, "bbox": [1, 1, 4, 3]}
    return {
        "images": [image | more for more in images],
        "annotations": [annotation | more for more in annotations],
        "categories": [{"id": 1, "name": "x"}],
    }


@pytest.fixture
def label_set():
    return hio.read_coco(coco())


# The wrong folder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_without_what_is_looked_for_is_said_to_be_one(read, tmp_path):
    with pytest.raises(hio.FormatError, match=r"there is no .*its files: none\."):
        read(tmp_path)
    (tmp_path / "coco.json").write_text("{}")
    with pytest.raises(hio.FormatError, match=r"there is no .*its files: 1 \.json\."):
        read(tmp_path)


@pytest.mark.parametrize("read", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_with_one_zip_is_to_be_read_as_that(read, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("a.xml", VOC)
    with pytest.raises(hio.FormatError, match=r"there is no .*Read the archive: data\.zip"):
        read(tmp_path)


@pytest.mark.parametrize("read", FILES.values(), ids=FILES)
def test_a_folder_where_a_file_is_wanted_says_which_there_are(read, tmp_path):
    (tmp_path / "data.zip").touch()
    with pytest.raises(hf.NotFound, match=r"it is a folder.*data\.zip"):
        read(tmp_path)


def test_pictures_without_labels_are_read_with_a_word(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "README.txt").write_text("hello")
    with pytest.warns(hio.FormatWarning, match=r"images without a label file, which is all of them \(1\)"):
        found = hio.read_yolo(tmp_path, classes=["x"], progress=False)
    assert len(found.images) == 1 and not len(found.labels)
    with pytest.raises(hio.FormatError, match=r"no annotation \(\.xml\)"):
        hio.read_voc(tmp_path, IMAGES, progress=False)
    (tmp_path / "a.txt").touch()
    assert len(hio.read_yolo(tmp_path, classes=["x"], progress=False).images) == 1  # a background picture


def test_a_list_of_classes_without_pngs_is_read_with_a_word(tmp_path):
    (tmp_path / "label_classes.json").write_text(CLASSES)
    with pytest.warns(hio.FormatWarning, match="no PNG in it"):
        assert len(hio.read_semantic_png(tmp_path, progress=False).label_classes) == 1


# Links to what is not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, read, more",
    [
        ("a.xml", FOLDERS["voc"], {}),
        ("a.png", FOLDERS["yolo, classes"], {"a.txt": "0 .5 .5 .1 .1"}),
        ("a.txt", lambda folder: hio.read_yolo(folder, IMAGES, classes=["x"], progress=False), {}),
        ("classes.txt", lambda folder: hio.read_yolo(folder, IMAGES, progress=False), {"a.txt": "0 .5 .5 .1 .1"}),
        ("data.yaml", lambda folder: hio.read_yolo(folder, IMAGES, progress=False), {"a.txt": "0 .5 .5 .1 .1"}),
        ("label_classes.json", FOLDERS["png"], {}),
        ("a.png", FOLDERS["png"], {"label_classes.json": CLASSES}),
        ("images.parquet", FOLDERS["parquet"], {}),
    ],
)
def test_links_to_nothing_are_named(name, read, more, tmp_path):
    for file, text in more.items():
        (tmp_path / file).write_text(text)
    (tmp_path / name).symlink_to(tmp_path / "gone" / name)
    with pytest.raises(hio.FormatError, match=f"{name}: it is a link to what is not there. Mend the link"):
        read(tmp_path)


def test_links_to_nothing_are_left_out_where_that_is_wanted(tmp_path):
    (tmp_path / "a.xml").symlink_to(tmp_path / "gone")
    (tmp_path / "b.xml").write_text(VOC)
    found = hio.read_voc(tmp_path, IMAGES, errors="skip", progress=False)
    assert found.skipped["place"].tolist() == ["a.xml"] and len(found.labels) == 1
    (tmp_path / "README.txt").symlink_to(tmp_path / "gone")
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1")
    assert len(hio.read_yolo(tmp_path, IMAGES, classes=["x"], progress=False).labels) == 1


def test_other_links_to_nothing(label_set, tmp_path):
    (tmp_path / "coco.json").symlink_to(tmp_path / "gone")
    (tmp_path / "folder").symlink_to(tmp_path / "gone")
    for read, name in ((hio.read_coco, "coco.json"), (FOLDERS["voc"], "folder")):
        with pytest.raises(hf.NotFound, match="it is a link to what is not there"):
            read(tmp_path / name)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").symlink_to(tmp_path / "gone")
    with pytest.raises(hio.FormatError, match=r"a\.png: it is a link to what is not there"):
        label_set.to_yolo(tmp_path / "out", images_folder=tmp_path / "pictures", on_loss="ignore", progress=False)


# Frames of images -----------------------------------------------------------------------------------------------------


def read_with(images, folder):
    (folder / "a.txt").write_text("0 .5 .5 .1 .2")
    (folder / "a.xml").write_text(VOC)
    yield lambda: hio.read_yolo(folder, images, classes=["x"], progress=False)
    yield lambda: hio.read_voc(folder, images, progress=False)


@pytest.mark.parametrize("width", [pd.NA, None, np.nan, 0], ids=str)
def test_images_without_a_size(width, tmp_path):
    yolo, voc = read_with(IMAGES.assign(width=width), tmp_path)
    with pytest.raises(hf.FrameError, match=r"width, row '0': .*YOLO holds shares of the images: give width"):
        yolo()
    assert len(voc().labels) == 1


@pytest.mark.parametrize("width", [-3, "wide", np.inf, 20.5, [[1]]], ids=str)
def test_images_with_a_size_that_is_none(width, tmp_path):
    for read in read_with(IMAGES.assign(width=width), tmp_path):
        with pytest.raises(hf.ValidationException, match=r"(?i)the images"):
            read()


@pytest.mark.parametrize("dtype", ["float64", "Float64", "int64[pyarrow]", "str"])
def test_sizes_of_any_dtype(dtype, tmp_path):
    for read in read_with(IMAGES.astype({"width": dtype, "name": "string[pyarrow]"}), tmp_path):
        assert read().images["width"].tolist() == [20]


@pytest.mark.parametrize("index", [[5], [5.0], ["5"], pd.Index([5], dtype="int64[pyarrow]"), pd.CategoricalIndex([5])])
def test_ids_of_any_dtype(index, tmp_path):
    for read in read_with(IMAGES.set_axis(pd.Index(index)), tmp_path):
        assert read().labels["image_id"].tolist() == ["5"]


@pytest.mark.parametrize("index", [[None], [pd.NA], pd.MultiIndex.from_tuples([(1, 2)])], ids=str)
def test_images_without_an_id(index, tmp_path):
    for read in read_with(IMAGES.set_axis(pd.Index(index)), tmp_path):
        with pytest.raises(hf.ValidationException, match=r"no id in the index|several levels"):
            read()


# Arguments ------------------------------------------------------------------------------------------------------------


def kind(value):
    return type(value).__name__


NO_PATHS = [None, 5, 1.5, b"a", object(), pd.DataFrame()]


@pytest.mark.parametrize("source", [*NO_PATHS, [1], {}, "a\0b"], ids=kind)
@pytest.mark.parametrize("read", FOLDERS.values(), ids=FOLDERS)
def test_what_is_no_folder_is_refused(read, source):
    with pytest.raises(hf.ValidationException, match="The folder is "):
        read(source)


@pytest.mark.parametrize("source", [*NO_PATHS, "a\0b"], ids=kind)
@pytest.mark.parametrize("read", FILES.values(), ids=FILES)
def test_what_is_no_file_is_refused(read, source):
    with pytest.raises(hf.ValidationException, match="The file is "):
        read(source)


@pytest.mark.parametrize("target", [*NO_PATHS, [1], {}, "", "a\0b"], ids=kind)
@pytest.mark.parametrize("to", WRITERS)
def test_what_cannot_be_written_to_is_refused(to, target, label_set):
    with pytest.raises(hf.ValidationException, match=r"to write to is "):
        getattr(label_set, to)(target)


@pytest.mark.filterwarnings("ignore::hastyframe.io.FormatWarning")
@pytest.mark.parametrize("to", WRITERS)
def test_folders_that_are_not_there_are_made(to, label_set, tmp_path):
    for target in (tmp_path / "a" / "b" / "c.json", tmp_path / "d" / "e" / "f.zip"):
        getattr(label_set, to)(target)
        assert target.exists()
    (tmp_path / "file").touch()
    (tmp_path / "folder.zip").mkdir()
    for target in (tmp_path / "file" / "x", tmp_path / "folder.zip"):
        with pytest.raises(hio.FormatError, match="it cannot be written"):
            getattr(label_set, to)(target)


@pytest.mark.parametrize("value", [5, b"x", 1.5, pd.DataFrame({"a": [1]})], ids=kind)
def test_other_arguments_are_refused(value, label_set):
    for call in (
        label_set.merge,
        label_set.split,
        lambda value: label_set.filter(images=value),
        lambda value: label_set.filter(classes=value),
        lambda value: label_set.sample([value]),
        lambda value: hio.read_coco_detections([], value),
        lambda value: hio.LabelSet(label_set.images, value, label_set.label_classes),
    ):
        with pytest.raises(hf.ValidationException):
            call(value)
    with pytest.raises(hf.ValidationException, match="images is 'a'; it must be a frame"):
        hio.LabelSet("a", label_set.labels, label_set.label_classes)


def test_names_and_numbers_of_classes_are_taken_by_value(tmp_path):
    (tmp_path / "a.txt").write_text("1 .5 .5 .1 .1")
    for classes in ({0: "7", 1: "8"}, {"1": "8", "0": "7"}, {np.int64(1): "8", 0.0: "7"}, {"0": "7", 1.0: "8"}):
        label_set = hio.read_yolo(tmp_path, IMAGES, classes=classes, progress=False)
        assert label_set.labels["class_name"].tolist() == ["8"]
    for classes in ("8", ["8"], [8], [8.0], np.array([8]), pd.Series([8], dtype="category"), {8}):
        assert label_set.filter(classes=classes).label_classes["name"].tolist() == ["8"]
    with pytest.raises(hf.ValidationException, match="There is no class_name '9'"):
        label_set.filter(classes=[9])


def test_booleans_of_any_kind_choose_rows(label_set):
    for choice in ([False], (False,), np.array([False]), pd.Index([False]), pd.array([pd.NA], dtype="boolean")):
        assert not len(label_set.filter(labels=choice).labels)


def test_frames_that_were_changed_in_their_place_are_checked_before_they_are_used(label_set, tmp_path):
    label_set.labels["image_id"] = [1.0]
    label_set.to_coco(tmp_path / "a.json")
    assert hio.read_coco(tmp_path / "a.json").labels["image_id"].tolist() == ["1"]
    assert label_set.filter(labels=lambda labels: labels["image_id"] == "1").labels["image_id"].tolist() == ["1"]
    label_set.labels["image_id"] = ["elsewhere"]
    for call in (lambda: label_set.to_coco(tmp_path / "a.json"), lambda: label_set.split({"a": 1}), label_set.filter):
        with pytest.raises(hf.ValidationException, match="not in images"):
            call()


# Other files, other spellings -----------------------------------------------------------------------------------------


def png():
    file = io.BytesIO()
    Image.new("L", (2, 2)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("read", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    "content, says",
    [
        (b"null", "it holds null and nothing else"),
        (png(), "it is a PNG picture and not JSON. Give the JSON file"),
        (gzip.compress(b"{}"), "it is packed by gzip and not JSON. Unpack it"),
        (b"BZh9", "packed by bzip2"),
        (b"%PDF-1.7", "a PDF file"),
        (b"<!DOCTYPE html>", "XML or HTML"),
        (b"PAR1", "a Parquet file"),
        (b"x" * 257 + b"ustar", "packed by tar"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_of_another_kind_are_named(read, content, says, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    for source in (tmp_path / "a.json", io.BytesIO(content)):
        with pytest.raises(hio.FormatError, match=says):
            read(source)


def test_what_is_no_list_is_not_called_one(tmp_path):
    (tmp_path / "a.json").write_text("5")
    with pytest.raises(hio.FormatError, match="it is no object and not COCO instances"):
        hio.read_coco(tmp_path / "a.json")


def through(data, tmp_path):
    """Read COCO as dicts, and as a file."""
    import json

    yield lambda: hio.read_coco(data)
    (tmp_path / "a.json").write_text(json.dumps(data))
    yield lambda: hio.read_coco(tmp_path / "a.json")


def test_a_flat_segmentation_is_said_to_be_one(tmp_path):
    for read in through(coco(annotations=[{"segmentation": [1, 1, 5, 1, 5, 5]}]), tmp_path):
        with pytest.raises(
            hio.FormatError, match="should be a list of lists of numbers, one a ring, and is a list of numbers"
        ):
            read()


@pytest.mark.parametrize("width", ["20", "20.0", " 20 ", "2e1"])
def test_numbers_that_stand_as_texts_are_read(width, tmp_path):
    data = coco([{"width": width}], [{"area": "12.5", "iscrowd": "1"}])
    for read in through(data, tmp_path):
        found = read()
        assert found.images["width"].tolist() == [20]
        assert found.labels[["area", "iscrowd"]].to_numpy().tolist() == [[12.5, True]]


@pytest.mark.parametrize("width", ["20px", "", "1_0", "inf", "0x14", "20.5"])
def test_texts_that_are_no_sizes_are_refused(width, tmp_path):
    for read in through(coco([{"width": width}]), tmp_path):
        with pytest.raises(hio.FormatError, match="'width' "):
            read()


def test_ids_of_coco_are_found_by_value():
    whole = uuid.uuid4()
    for ids in ((1, "1"), ("1.0", 1), (1, Decimal(1)), (1.0, np.int64(1)), (whole, str(whole).upper()), (whole, whole)):
        label_set = hio.read_coco(coco(ids=ids))
        assert label_set.labels["image_id"].tolist() == label_set.images.index.tolist()
        detection = {"image_id": ids[1], "category_id": "1.0", "bbox": [0, 0, 4, 3], "score": "0.5"}
        found = hio.read_coco_detections([detection], label_set)
        assert found[["image_id", "class_name", "score"]].to_numpy().tolist() == [[label_set.images.index[0], "x", 0.5]]


@pytest.mark.parametrize("file, text", [("classes.txt", "cat\ndog\ncat\n"), ("data.yaml", "names: [cat, dog, cat]")])
def test_a_class_name_that_stands_twice_is_said_with_its_file(file, text, tmp_path):
    (tmp_path / file).write_text(text)
    (tmp_path / "a.txt").write_text("2 .5 .5 .1 .1")
    with pytest.raises(hio.FormatError, match=f"{file}: it has the class name 'cat' twice, as 0 and as 2"):
        hio.read_yolo(tmp_path, IMAGES, progress=False)
    with pytest.raises(hf.ValidationException, match="classes has the class name 'a' twice, as 0 and as 1"):
        hio.read_yolo(tmp_path, IMAGES, classes=["a", "a"], progress=False)


# Merging --------------------------------------------------------------------------------------------------------------


def test_labels_that_come_twice_by_merging_are_said(label_set):
    for other in (label_set, hio.LabelSet(**label_set.frames())):
        with pytest.warns(hio.FormatWarning, match="1 labels are equal to one of an earlier label set"):
            merged = label_set.merge(other)
        assert len(merged.labels) == 2
        single = merged.filter(labels=lambda labels: ~labels.index.isin(hf.find_duplicates(labels).index))
        assert len(single.labels) == 1
    moved = hio.LabelSet(label_set.images, label_set.labels.assign(x_max=7.0), label_set.label_classes)
    assert len(label_set.merge(moved).labels) == 2  # no other label is there twice
