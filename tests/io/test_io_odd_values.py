"""Texts, numbers, columns and archives that no file should have: named by every reader and writer."""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import hastyframe.io as hio
from hastyframe.errors import ValidationException

HALF = "b\ud800"
COCO = {
    "images": [{"id": "1", "file_name": "a.jpg", "width": 8, "height": 4, "external_id": "e", "own": "o"}],
    "categories": [{"id": "1", "name": "cat", "color": "#fff"}],
    "annotations": [{"id": "1", "image_id": "1", "category_id": "1", "bbox": [0, 0, 2, 2], "own": "o"}],
}
HASTY = {
    "project_name": "p",
    "attributes": [{"name": "age", "type": "SELECTION", "values": ["old"]}],
    "label_classes": [{"class_name": "cat", "color": "#ff0000ff", "class_type": "object"}],
    "images": [
        {
            "image_name": "a.jpg",
            "dataset_name": "d",
            "width": 20,
            "height": 10,
            "tags": ["good"],
            "labels": [{"id": "1", "class_name": "cat", "bbox": [0, 0, 4, 2], "attributes": {"age": "old"}}],
        }
    ],
}


def zipped():
    return zipfile.ZipFile(io.BytesIO(), "w")


def write_all(label_set):
    for write in (
        lambda: label_set.to_coco(io.BytesIO(), on_loss="ignore"),
        lambda: label_set.to_hasty_json(io.BytesIO()),
        lambda: label_set.to_yolo(zipped(), on_loss="ignore", progress=False),
        lambda: label_set.to_voc(zipped(), on_loss="ignore", progress=False),
        lambda: label_set.to_semantic_png(zipped(), on_loss="ignore", progress=False),
        lambda: label_set.to_parquet(zipped()),
    ):
        try:
            write()
        except ValidationException as error:
            assert str(error).count(" ") > 3


def places(node, path=()):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, str):
            yield (*path, key)
        elif isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(data, path, value):
    copy = json.loads(json.dumps(data))
    node = copy
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copy


READ = {"coco": (COCO, hio.read_coco), "hasty": (HASTY, hio.read_hasty_json)}


@pytest.mark.parametrize("form", READ)
def test_half_a_character_in_any_text(form):
    data, read = READ[form]
    texts = [changed(data, path, HALF) for path in places(data)]
    texts += [
        json.loads(json.dumps(data).replace(f'"{text}"', json.dumps(HALF))) for text in ("1", "cat", "own", "age")
    ]
    for spoiled in texts:
        try:
            label_set = read(spoiled, on_loss="ignore")
        except ValidationException:
            continue
        write_all(label_set)
    text = json.dumps(texts[0]).encode()
    with pytest.raises(hio.FormatError, match="not JSON"):
        read(io.BytesIO(text))


@pytest.mark.filterwarnings("ignore")
def test_half_a_character_in_frames_and_arguments(tmp_path):
    label_set = hio.read_hasty_json(HASTY)
    for name, frame in label_set.frames().items():
        for column in frame:
            given = {key: value.copy() for key, value in label_set.frames().items()}
            given[name][column] = pd.Series([HALF] * len(frame), frame.index, dtype=object)
            given[name]["own"] = pd.Series([{"a": HALF}] * len(frame), frame.index, dtype=object)
            try:
                spoiled = hio.LabelSet(**given)
            except ValidationException:
                continue
            write_all(spoiled)
        given = label_set.frames() | {name: frame.set_axis(pd.Index([HALF], dtype=object))}
        with pytest.raises(ValidationException):
            hio.LabelSet(**given)
    with pytest.raises(hio.FormatError, match="what JSON cannot"):
        label_set.to_hasty_json(io.BytesIO(), project_name=HALF)
    for write in (label_set.to_coco, label_set.to_yolo, label_set.to_voc, label_set.to_parquet):
        with pytest.raises(hio.FormatError, match=r"half a character|no file is called that"):
            write(tmp_path / HALF)
    images = pd.DataFrame({"name": ["a.jpg"], "width": [2], "height": [2]})
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(hio.FormatError, match="half a character"):
        hio.read_yolo(tmp_path, images, classes=[HALF], progress=False)


def test_names_of_files_in_another_encoding(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    try:
        (tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.png"))
    except OSError:
        pytest.skip("the file system has names in UTF-8 alone")
    (tmp_path / "label_classes.json").write_text('[{"png_index": 1, "class_name": "cat"}]')
    for read in (hio.read_semantic_png, lambda *a, **k: hio.read_yolo(*a, classes=["cat"], **k)):
        with pytest.raises(hio.FormatError, match=r"b\\udcff\.png.*half a character"):
            read(tmp_path, progress=False)


NUMBERS = [2**63, 2**64, -(2**70), 10**400, float("inf"), float("nan"), [1], {"a": 1}, "x", b"x", 1j]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_numbers_that_are_none(number):
    def read_and_write(make):
        try:
            label_set = make()
        except ValidationException:
            return
        write_all(label_set)

    for key in ("z_index", "own"):
        read_and_write(lambda key=key: hio.read_hasty_json(changed(HASTY, ("images", 0, "labels", 0, key), number)))
    for key in ("score", "area", "iscrowd", "z_index"):
        read_and_write(lambda key=key: hio.read_coco(changed(COCO, ("annotations", 0, key), number), on_loss="ignore"))
    label_set = hio.read_hasty_json(HASTY)
    for name, column in (("labels", "score"), ("labels", "z_index"), ("images", "width"), ("label_classes", "norder")):
        frame = getattr(label_set, name)
        wrong = frame.assign(**{column: pd.Series([number] * len(frame), frame.index, dtype=object)})
        read_and_write(lambda name=name, wrong=wrong: hio.LabelSet(**(label_set.frames() | {name: wrong})))


@pytest.mark.parametrize("dtype", [object, "Float64", "Int64", "float64"])
def test_missing_scores_are_left_out(dtype):
    label_set = hio.read_hasty_json(HASTY)
    labels = label_set.labels.assign(score=pd.Series([None], label_set.labels.index, dtype=dtype))
    out = zipped()
    hio.LabelSet(**(label_set.frames() | {"labels": labels})).to_yolo(out, on_loss="ignore", progress=False)
    assert out.read("labels/d/a.txt").split() == b"0 0.1 0.1 0.2 0.2".split()


@pytest.mark.parametrize("column", ["x_max", "score", "z_index", "own"])
def test_infinite_numbers_are_not_written(column):
    label_set = hio.read_hasty_json(HASTY)
    labels = label_set.labels.assign(**{column: np.inf})
    endless = hio.LabelSet(**(label_set.frames() | {"labels": labels}))
    with pytest.raises(ValidationException, match=r"Row '1' has no finite number"):
        endless.to_hasty_json(io.BytesIO())
    if column in ("x_max", "score"):
        with pytest.raises(ValidationException, match=r"Row '1' has no finite number"):
            endless.to_yolo(zipped(), on_loss="ignore", progress=False)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "classes.txt").write_text("cat")
    with pytest.raises(hio.FormatError, match=r"no label file .* and no picture"):
        hio.read_yolo(tmp_path, progress=False)
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(hio.FormatError, match=r"a\.txt: there is no image of this name"):
        hio.read_yolo(tmp_path, progress=False)


NO_IMAGES = pd.DataFrame({"name": [], "width": [], "height": []})


@pytest.mark.parametrize("name", ["2024-01-01", "no", "1.50", "1:30", "0x1F", "2024-99-99"])
def test_class_names_are_what_stands_there(tmp_path, name):
    (tmp_path / "data.yaml").write_text(f"names: [cat, {name}]")
    assert hio.read_yolo(tmp_path, NO_IMAGES, progress=False).label_classes["name"].tolist() == ["cat", name]


@pytest.mark.parametrize("names", ["[~]", "[*a]", '["\\ud800"]', "[!!binary YQ==]", "{0: a, 0: b}", "{1: a}", "cat"])
def test_class_names_that_are_none(tmp_path, names):
    (tmp_path / "data.yaml").write_text(f"a: &a b\nnames: {names}")
    with pytest.raises(hio.FormatError, match=r"data\.yaml: .* Give the names: classes="):
        hio.read_yolo(tmp_path, progress=False)


@pytest.mark.parametrize(("method", "way"), [(zipfile.ZIP_LZMA, "LZMA"), (zipfile.ZIP_BZIP2, "bzip2")])
def test_members_that_are_packed_in_other_ways(method, way):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.json", "[]")
    with pytest.raises(hio.FormatError, match=rf"a\.json: it is packed by {way}.*Pack it as usual"):
        hio.read_hasty_json(zipfile.ZipFile(buffer))


@pytest.mark.parametrize("at, new", [(8, b"\1"), (10, b"\x5d"), (42, b"\xf0\xff\xff\xff"), (20, b"\xff\xff\xff\x7f")])
def test_archives_that_lie(at, new):
    """Encrypted, packed by zstandard, an offset beyond the file, a size beyond it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", "[]" * 100)
    data = bytearray(buffer.getvalue())
    entry = data.rindex(b"PK\1\2")
    data[entry + at : entry + at + len(new)] = new
    with pytest.raises(ValidationException, match=r"a\.json|not a zip archive"):
        hio.read_hasty_json(zipfile.ZipFile(io.BytesIO(data)))


def test_devices_are_no_files(tmp_path):
    (tmp_path / "classes.txt").symlink_to("/dev/zero")
    with pytest.raises(hio.FormatError, match=r"classes\.txt: it is a device"):
        hio.read_yolo(tmp_path, progress=False)


TYPES = {
    "binary": pa.array([b"a"]),
    "struct": pa.array([{"a": 1}]),
    "decimal": pa.array([1], pa.decimal128(20, 2)),
    "dictionary": pa.array([b"a"]).dictionary_encode(),
    "list": pa.array([["a"]]),
    "date": pa.array([0], pa.date32()),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("column", ["image_id", "name", "width", "status"])
def test_columns_of_other_types(tmp_path, kind, column):
    hio.read_hasty_json(HASTY).to_parquet(tmp_path)
    table = pq.read_table(tmp_path / "images.parquet")
    pq.write_table(table.set_column(table.column_names.index(column), column, TYPES[kind]), tmp_path / "images.parquet")
    meant = "numbers" if column == "width" else "texts"
    with pytest.raises(hio.FormatError, match=rf"images\.parquet, column '{column}': it holds .* and not {meant}"):
        hio.read_parquet(tmp_path)


def test_other_types_that_mean_the_same(tmp_path):
    hio.read_hasty_json(HASTY).to_parquet(tmp_path)
    table = pq.read_table(tmp_path / "images.parquet")
    for column, values in (
        ("width", pa.array([20], pa.float16())),
        ("name", pa.array(["a.jpg"]).dictionary_encode()),
        ("external_id", pa.array(["x"], pa.string_view())),
        ("height", pa.array([10], pa.uint8())),
    ):
        table = table.set_column(table.column_names.index(column), column, values)
    pq.write_table(table, tmp_path / "images.parquet")
    images = hio.read_parquet(tmp_path).images
    assert images[["name", "external_id", "width", "height"]].iloc[0].tolist() == ["a.jpg", "x", 20, 10]
    assert str(images["width"].dtype) == "Int64"


def test_an_unknown_compression(tmp_path):
    with pytest.raises(ValidationException, match=r"images\.parquet cannot be written: .*nope"):
        hio.read_hasty_json(HASTY).to_parquet(tmp_path, compression="nope")
