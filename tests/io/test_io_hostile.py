"""Files from elsewhere: every reader either reads them or says what is wrong, where, and what to do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import zipfile
import zlib

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hastyframe.io as hio
from hastyframe import masks
from hastyframe.errors import NotFound, SizeLimitError, ValidationException
from hastyframe.limits import Limits

IMAGES = pd.DataFrame({"name": ["a.jpg"], "width": [20], "height": [10]})


def archive(**members: bytes | str) -> zipfile.ZipFile:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return zipfile.ZipFile(buffer)


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


CLASSES = json.dumps([{"png_index": 1, "class_name": "cat"}])


def hasty(**label) -> dict:
    return {
        "label_classes": [{"class_name": "cat"}],
        "images": [
            {
                "image_name": "a.jpg",
                "width": 20,
                "height": 10,
                "labels": [{"class_name": "cat", "bbox": [0, 0, 4, 2], **label}],
            }
        ],
    }


@pytest.mark.parametrize(
    "data, says",
    [
        (hasty(mask=[1, 2, 7, 3]), r"images\[0\] \(id 'a.jpg'\)\.labels\[0\].*"),
        (hasty(mask=[-1, 2]), "-1; starts and lengths"),
        (hasty(mask=[1, 2**40]), "starts and lengths"),
        (hasty(mask=[1]), r"labels\[0\]"),
        (hasty(mask=[3, 2, 1, 1]), r"labels\[0\]"),
        (hasty(mask=[1, 1.5]), "1.5"),
        (hasty(mask="x"), "a list"),
        (hasty(mask=[1, 2], bbox=None), r"labels\[0\]"),
        (hasty(mask=[1, 2], bbox=[0, 0, 1.5, 2]), r"labels\[0\]"),
        (hasty(mask=[1, 2], bbox=[0, 0, 1e300, 2]), r"labels\[0\]"),
        (hasty(polygon=[[0, 0], [1, 1]]), "at least three"),
        (hasty(polygon=[[0, 0], [1, 1], [2]]), "pairs"),
        (hasty(polygon=[[0, 0], [1, 1], [2, None]]), "numbers|finite"),
        (hasty(polygon=[0, 0, 1, 1]), "pairs"),
        (hasty(class_name="dog"), "class_name 'dog' is not in label_classes"),
        (hasty(attributes=[1]), "an object"),
        ({"images": [{"image_name": "a"}, {"image_name": "a"}]}, r"images\[1\].*already"),
        ({"images": [{"image_name": "a", "tags": [1]}]}, "tag 1 is not a text"),
        ({"images": [{"image_name": "a", "width": 1.5}]}, "whole"),
        ({"images": {}}, "a list"),
        ({**hasty(), "label_classes": [{"class_name": "cat"}] * 2}, r"label_classes\[1\].*twice"),
        (5, "a list|not JSON"),
    ],
)
def test_hasty_json(data, says):
    with pytest.raises(hio.FormatError, match=says):
        hio.read_hasty_json(io.BytesIO(json.dumps(data).encode()))


@pytest.mark.parametrize(
    "lines, says",
    [
        ("0 0.5 0.5 0.1", "line 1"),
        ("0 0.5 0.5 0.1 x", "line 1"),
        ("0 nan 0.5 0.1 0.1", "line 1"),
        ("\n1 0.5 0.5 0.1 0.1", "line 2.*class 1 is not one of the 1"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0 320 240 10 10", "shares of 1 and not pixels"),
        ("0 1e400 0.5 0.1 0.1", "line 1"),
    ],
)
def test_yolo(lines, says):
    with pytest.raises(hio.FormatError, match=says):
        hio.read_yolo(archive(**{"a.txt": lines}), IMAGES, classes=["cat"])


def test_yolo_folders():
    with pytest.raises(hio.FormatError, match=r"b\.txt: there is no image"):
        hio.read_yolo(archive(**{"b.txt": ""}), IMAGES, classes=["cat"])
    with pytest.raises(hio.FormatError, match=r"no data\.yaml or classes\.txt"):
        hio.read_yolo(archive(**{"a.txt": ""}), IMAGES)
    for names in (
        "names: 5",
        "names: {0: a, 2: b}",
        "names: [[a]]",
        ": : :",
        "!!python/object:os.system {}",
        "[" * 500,
    ):
        with pytest.raises(hio.FormatError, match="names"):
            hio.read_yolo(archive(**{"data.yaml": names}), IMAGES)
    with pytest.raises(hio.FormatError, match="UTF-8"):
        hio.read_yolo(archive(**{"a.txt": b"\xff\xfe"}), IMAGES, classes=["cat"])
    with pytest.raises(ValidationException, match="width and height"):
        hio.read_yolo(archive(**{"a.txt": "0 1 1 1 1"}), IMAGES.assign(width=None), classes=["cat"])


def test_yolo_files_without_a_folder():
    images = pd.DataFrame(
        {"name": ["a.jpg", "a.jpg", "b.jpg"], "dataset_name": ["train", "val", "val"], "width": 20, "height": 10}
    )
    members = {"b.txt": "0 0.5 0.5 0.5 0.5", "labels/val/a.txt": "0 0.5 0.5 0.1 0.2"}
    labels = hio.read_yolo(archive(**members), images, classes=["cat"]).labels
    assert labels["image_id"].tolist() == ["2", "1"]
    with pytest.raises(hio.FormatError, match=r"a\.txt: several images have this name: .*train/a\.jpg, val/a\.jpg"):
        hio.read_yolo(archive(**{"a.txt": ""}), images, classes=["cat"])


ENTITIES = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "{}">]><annotation><filename>&x;</filename></annotation>"""
BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>{}</ymax></bndbox>"
OBJECT = (
    "<annotation><filename>a.jpg</filename><size><width>8</width><height>{}</height></size><object>{}</object>"
    "</annotation>"
)


@pytest.mark.parametrize(
    "xml, says",
    [
        (ENTITIES.format("x"), "entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "entities"),
        ("<annotation>", "XML cannot be read"),
        ("", "XML cannot be read"),
        ("<annotation/>", "it is <annotation> and says nothing of an image"),
        (OBJECT.format("x", ""), "'size/height' is 'x'"),
        (OBJECT.format("1.5", ""), "whole number"),
        (OBJECT.format("1e999", ""), "number of pixels"),
        (OBJECT.format("4", BOX.format(2)), "object 1: 'name' is missing"),
        (OBJECT.format("4", "<name>cat</name>"), "object 1: 'bndbox/xmin' is missing"),
        (OBJECT.format("4", "<name>cat</name>" + BOX.format("nan")), "object 1: 'bndbox/ymax' is 'nan'"),
    ],
)
def test_voc(xml, says):
    with pytest.raises(hio.FormatError, match=says):
        hio.read_voc(archive(**{"a.xml": xml}))


def test_voc_twice():
    xml = OBJECT.format("4", "<name>cat</name>" + BOX.format(2))
    with pytest.raises(hio.FormatError, match="two files"):
        hio.read_voc(archive(**{"a.xml": xml, "b.xml": xml}), progress=False)


@pytest.mark.parametrize(
    "members, says",
    [
        ({"d/a.png": png(1, 1, b"\0\0")}, "no label_classes.json in it"),
        ({"label_classes.json": "{}"}, "a list"),
        ({"label_classes.json": "[{}]"}, "'class_name' is missing"),
        ({"label_classes.json": '[{"class_name": "a", "png_index": -1}]'}, "png_index"),
        ({"label_classes.json": CLASSES, "d/a.png": b"no"}, "not a picture, or not one of PNG"),
        ({"label_classes.json": CLASSES, "d/a.png": png(10**9, 1)}, "d/a.png"),
        ({"label_classes.json": CLASSES, "d/a.png": png(20000, 20000)}, "d/a.png"),
        ({"label_classes.json": CLASSES, "d/a.png": png(2, 2, b"\0")}, "cannot be read as a picture"),
        ({"label_classes.json": CLASSES, "d/a.png": png(1, 1, b"\0\7")}, "pixels of 7, which is not a class"),
    ],
)
def test_semantic_png(members, says):
    with pytest.raises(ValidationException, match=says):
        hio.read_semantic_png(archive(**members))


def test_parquet(tmp_path, small):
    with pytest.raises(NotFound):
        hio.read_parquet(tmp_path / "nothing")
    small.to_parquet(tmp_path / "a")
    labels = tmp_path / "a" / "labels.parquet"
    whole = labels.read_bytes()
    for cut in (b"", b"PAR1", whole[:-20], whole[: len(whole) // 2]):
        labels.write_bytes(cut)
        with pytest.raises(hio.FormatError, match=r"labels\.parquet: it is not a Parquet file"):
            hio.read_parquet(tmp_path / "a")
    labels.unlink()
    with pytest.raises(hio.FormatError, match=r"no labels\.parquet in it"):
        hio.read_parquet(tmp_path / "a")


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "C:/a.json", "a/../../b.json", "a\\..\\b.json", "a/./b.json"])
def test_names_in_archives_stay_inside(name):
    for read in (hio.read_coco, hio.read_hasty_json, hio.read_voc, hio.read_semantic_png, hio.read_parquet):
        with pytest.raises(hio.FormatError, match="leads out of the folder"):
            read(archive(**{name: b"{}"}))


def test_bombs_are_not_unpacked():
    bomb = archive(**{"a.json": b" " * 2**25})
    with pytest.raises(SizeLimitError, match=r"ZipFile, a\.json: .* bytes become over .*hf\.Limits\(expansion="):
        hio.read_coco(bomb)
    with pytest.raises(SizeLimitError, match=r"limits=hf\.Limits\(unpacked_bytes="):
        hio.read_coco(bomb, limits=Limits(unpacked_bytes=2**24))
    with pytest.raises(hio.FormatError, match="it is empty"):
        hio.read_coco(bomb, limits=Limits(expansion=2000))


def test_sources(tmp_path, small):
    small.to_coco(tmp_path / "coco.json")
    data = (tmp_path / "coco.json").read_bytes()
    with (tmp_path / "coco.json").open("rb") as file:
        sources = [tmp_path / "coco.json", str(tmp_path / "coco.json"), file, io.BytesIO(data), json.loads(data)]
        sources.append(archive(**{"export/coco.json": data}))
        for source in sources:
            assert len(hio.read_coco(source).labels) == 3
    two = archive(**{"a.json": data, "b.json": "{}"})
    with pytest.raises(hio.FormatError, match=r"one JSON file and has a\.json, b\.json\. Name it"):
        hio.read_coco(two)
    assert len(hio.read_coco(two, file="a.json").labels) == 3
    with pytest.raises(NotFound, match="no such file"):
        hio.read_coco(tmp_path / "nothing.json")
    with pytest.raises(
        NotFound, match=r"it is a folder, and a file is wanted\. .*JSON and zip files in it: coco\.json\.$"
    ):
        hio.read_coco(tmp_path)
    (tmp_path / "cut.json").write_bytes(data[: len(data) // 2])
    with pytest.raises(hio.FormatError, match=r"cut.json, character .*cut short.*Write or fetch it again"):
        hio.read_coco(tmp_path / "cut.json")


# Fuzz: nothing but these errors, whatever comes ----------------------------------------------------------------------

QUICK = settings(
    max_examples=int(os.environ.get("HASTYFRAME_FUZZ", "40")), deadline=None, suppress_health_check=list(HealthCheck)
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["cat", "a.jpg", "210010O03", "1", "half \ud800", 2**63, -(2**63) - 1, 2**64, 10**400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
KEYS = (
    *("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd", "size", "counts", "file_name"),
    *("width", "height", "name", "class_name", "polygon", "mask", "z_index", "attributes", "labels", "image_name"),
    *("tags", "dataset_name", "norder", "values", "type", "png_index", "as_read", "parts", "file_bbox", "x_min"),
)


@st.composite
def spoiled(draw, data):
    """A copy of valid data in which a few values are something else."""
    copy = json.loads(json.dumps(data))
    for _ in range(draw(st.integers(1, 3))):
        node = copy
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if isinstance(node, dict) and draw(st.integers(0, 9)) == 0:
                node[draw(st.sampled_from(KEYS))] = draw(VALUES)
                break
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 4)):
                node = node[key]
                continue
            node[key] = draw(VALUES)
            break
    return copy


RLE = masks.to_coco_rle([[1, 2]], [[0, 0, 2, 1]], (9, 9), counts="str")[0]
COCO = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 8, "height": 4},
        {"id": 2, "file_name": "b", "width": 9, "height": 9},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": [], "area": 4, "iscrowd": 0},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 2,
            "bbox": [0, 0, 4, 4],
            "segmentation": [[0, 0, 4, 0, 4, 4]],
            "area": 8,
        },
        {"id": 3, "image_id": 2, "category_id": 2, "segmentation": [[0, 0, 4, 0, 4, 4], [5, 5, 8, 5, 8, 8]]},
        {
            "id": 4,
            "image_id": 1,
            "category_id": 1,
            "segmentation": {"size": [4, 8], "counts": [4, 2, 26]},
            "iscrowd": 1,
        },
        {"id": 5, "image_id": 2, "category_id": 1, "segmentation": RLE, "iscrowd": 1},
    ],
}
DETECTIONS = [
    {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2.5], "score": 0.5},
    {"image_id": 2, "category_id": 2, "segmentation": RLE, "score": 1},
]
HASTY = {
    "project_name": "p",
    "attributes": [{"name": "age", "type": "SELECTION", "values": ["old"]}],
    "label_classes": [{"class_name": "cat", "color": "#ff0000ff", "class_type": "object", "norder": 1}],
    "images": [
        {
            "image_name": "a.jpg",
            "dataset_name": "d",
            "width": 20,
            "height": 10,
            "image_status": "NEW",
            "tags": ["good"],
            "labels": [
                {
                    "id": "1",
                    "class_name": "cat",
                    "bbox": [0, 0, 4, 2],
                    "mask": [1, 2, 7, 2],
                    "attributes": {"age": "old"},
                },
                {"id": "2", "class_name": "cat", "bbox": None, "polygon": [[0, 0], [4, 0], [4, 4]], "z_index": 1},
            ],
        }
    ],
}


def reads_or_says(read, *args, **options):
    try:
        label_set = read(*args, **options)
    except ValidationException as error:
        assert str(error).count(" ") > 3
        return
    if isinstance(label_set, hio.LabelSet):
        for write in (
            lambda: label_set.to_coco(io.BytesIO(), on_loss="ignore"),
            lambda: label_set.to_hasty_json(io.BytesIO()),
            lambda: label_set.to_parquet(zipfile.ZipFile(io.BytesIO(), "w")),
            lambda: label_set.to_yolo(zipfile.ZipFile(io.BytesIO(), "w"), on_loss="ignore", progress=False),
            lambda: label_set.to_voc(zipfile.ZipFile(io.BytesIO(), "w"), on_loss="ignore", progress=False),
        ):
            with contextlib.suppress(ValidationException):
                write()


@QUICK
@given(spoiled(COCO), st.sampled_from(["center", "coco", None]), st.booleans())
def test_fuzz_coco(data, rule, as_text):
    if as_text:
        data = io.BytesIO(json.dumps(data).encode())
    reads_or_says(hio.read_coco, data, masks=rule, on_loss="ignore")


@pytest.mark.parametrize("key", ["", 'a"b', "a\\b", "\n"])
def test_keys_of_annotations_may_be_any_texts(key):
    data = json.loads(json.dumps(COCO))
    data["annotations"][0][key] = 1
    label_set = hio.read_coco(io.BytesIO(json.dumps(data).encode()), on_loss="ignore")
    assert len(label_set.labels) == len(data["annotations"])


@pytest.mark.parametrize("rule", ["center", "coco", None])
@pytest.mark.parametrize(
    ("segmentation", "key"),
    [(b'[["\xff"]]', "segmentation"), (b'{"size": [4, 8], "counts": [1, "\xff"]}', "counts")],
    ids=["ring", "counts"],
)
def test_text_that_is_no_utf8_in_pieces_that_are_parsed_later(rule, segmentation, key):
    data = json.loads(json.dumps(COCO))
    shapes = dict.fromkeys(("bbox", "segmentation"))
    data["annotations"] = [shapes | {"id": row, "image_id": 1, "category_id": 1} for row in range(3)]
    data["annotations"][1]["segmentation"] = "here"
    text = json.dumps(data).encode().replace(b'"here"', segmentation)
    with pytest.raises(hio.FormatError, match=f"annotations\\[1\\].*'{key}' is not JSON.*Correct it"):
        hio.read_coco(io.BytesIO(text), masks=rule, on_loss="ignore")


@QUICK
@given(spoiled(DETECTIONS))
def test_fuzz_coco_detections(data):
    label_set = hio.read_coco(COCO, on_loss="ignore")
    reads_or_says(hio.read_coco_detections, data, label_set, on_loss="ignore")


@QUICK
@given(spoiled(HASTY))
def test_fuzz_hasty_json(data):
    reads_or_says(hio.read_hasty_json, data, on_loss="ignore")


@QUICK
@given(st.text("0123456789.-e \nnai", max_size=60), st.text(": -[]{}name012\n&*!?|>'\"\\ud8~,", max_size=40))
def test_fuzz_yolo(lines, names):
    members = {"a.txt": lines, "data.yaml": f"names: [cat]\n{names}"}
    reads_or_says(hio.read_yolo, archive(**members), IMAGES, progress=False)


def cut_and_patched(whole: bytes) -> st.SearchStrategy[bytes]:
    """A few bytes changed, taken out or put in."""
    place = st.integers(0, len(whole))
    patch = st.tuples(place, st.integers(0, 3), st.binary(max_size=4))

    def apply(patches: list[tuple[int, int, bytes]]) -> bytes:
        data = whole
        for start, length, new in patches:
            data = data[:start] + new + data[start + length :]
        return data

    return st.lists(patch, min_size=1, max_size=3).map(apply)


@QUICK
@given(cut_and_patched(json.dumps(COCO).encode()), st.sampled_from(["center", None]))
def test_fuzz_coco_text(text, rule):
    reads_or_says(hio.read_coco, io.BytesIO(text), masks=rule, on_loss="ignore")


@QUICK
@given(cut_and_patched(json.dumps(DETECTIONS).encode()))
def test_fuzz_coco_detections_text(text):
    label_set = hio.read_coco(COCO, on_loss="ignore")
    reads_or_says(hio.read_coco_detections, io.BytesIO(text), label_set, on_loss="ignore")


@QUICK
@given(cut_and_patched(json.dumps(HASTY).encode()))
def test_fuzz_hasty_json_text(text):
    reads_or_says(hio.read_hasty_json, io.BytesIO(text), on_loss="ignore")


@QUICK
@given(cut_and_patched(OBJECT.format("4", "<name>cat</name><difficult>1</difficult>" + BOX.format(2)).encode()))
def test_fuzz_voc(xml):
    reads_or_says(hio.read_voc, archive(**{"a.xml": xml}), progress=False)


@QUICK
@given(cut_and_patched(png(3, 2, b"\0\0\1\1\0\1\0\0")), spoiled(json.loads(CLASSES)))
def test_fuzz_semantic_png(picture, classes):
    reads_or_says(hio.read_semantic_png, archive(**{"label_classes.json": json.dumps(classes), "d/a.png": picture}))


@QUICK
@given(st.data())
def test_fuzz_parquet(data):
    label_set = hio.read_coco(COCO, on_loss="ignore")
    with zipfile.ZipFile(io.BytesIO(), "w") as written:
        label_set.to_parquet(written)
        members = {name: written.read(name) for name in written.namelist()}
    name = data.draw(st.sampled_from(sorted(members)))
    if data.draw(st.booleans()):
        members[name] = data.draw(with_another_column(members[name]))
    if data.draw(st.booleans()):
        members[name] = data.draw(cut_and_patched(members[name]))
    reads_or_says(hio.read_parquet, archive(**members))


TYPES = (
    *(pa.binary(), pa.large_binary(), pa.binary(3), pa.float16(), pa.float32(), pa.int8(), pa.uint64(), pa.bool_()),
    *(pa.decimal128(20, 2), pa.struct([("a", pa.int64())]), pa.list_(pa.string()), pa.list_(pa.float64()), pa.date32()),
    *(pa.timestamp("ns", "UTC"), pa.duration("s"), pa.time64("us"), pa.string_view(), pa.large_string(), pa.null()),
    *(
        pa.dictionary(pa.int32(), pa.binary()),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int8(), pa.int64()),
    ),
    *(
        pa.list_(pa.list_(pa.float64(), 2)),
        pa.large_list(pa.int32()),
        pa.list_(pa.int32(), 4),
        pa.map_(pa.string(), pa.int8()),
    ),
)


@st.composite
def with_another_column(draw, member):
    """A Parquet file in which a column is of another type, or has another name, or says that it is JSON."""
    table = pq.read_table(io.BytesIO(member))
    place = draw(st.integers(0, table.num_columns - 1))
    kind = draw(st.sampled_from(TYPES))
    try:
        column = pa.array(
            [draw(st.sampled_from([0, 1, "1", "a", b"abc", [1, 2], [[1, 2]] * 3, None]))] * len(table), kind
        )
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        column = pa.nulls(len(table), kind)
    field = table.schema.field(place)
    name = draw(st.sampled_from([field.name, field.name, field.name, *table.column_names, "parts", "as_read", "", "x"]))
    metadata = draw(st.sampled_from([field.metadata, {b"hastyframe.json": b""}, {b"numpy": b""}, None]))
    buffer = io.BytesIO()
    pq.write_table(table.set_column(place, pa.field(name, column.type, metadata=metadata), column), buffer)
    return buffer.getvalue()


def test_a_member_of_an_archive_without_a_name():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("a", "[]")
    data = buffer.getvalue()
    entry, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    nameless = data[: entry + 28] + b"\0\0" + data[entry + 30 : entry + 46] + data[entry + 47 : end + 12]
    size = int.from_bytes(data[end + 12 : end + 16], "little") - 1
    nameless += size.to_bytes(4, "little") + data[end + 16 :]
    with pytest.raises(hio.FormatError, match="a name: it is empty"):
        hio.read_coco(zipfile.ZipFile(io.BytesIO(nameless)))


METHODS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@QUICK
@given(st.data())
def test_fuzz_archives(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", data.draw(st.sampled_from(METHODS))) as packed:
        packed.writestr("a.json", json.dumps(COCO))
    spoiled_bytes = data.draw(cut_and_patched(buffer.getvalue()))
    try:
        opened = zipfile.ZipFile(io.BytesIO(spoiled_bytes))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return
    reads_or_says(hio.read_coco, opened, on_loss="ignore")
