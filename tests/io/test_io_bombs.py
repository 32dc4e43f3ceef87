"""Small files that become large: each reader says so, in little memory and time.

Each is read in a process of its own, which may take a GiB more than what its imports took.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hastyframe.io as hio
from hastyframe.errors import SizeLimitError
from hastyframe.limits import Limits

READ = """
import io, resource, sys, threading, warnings, zipfile
import pyarrow.parquet, PIL.PngImagePlugin, pandas as pd
import hastyframe as hf, hastyframe.io as hio
name, path = sys.argv[1:]
labels = hio.read_coco({"images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
                        "categories": [{"id": 1, "name": "cat"}]})
given = {"read_coco_detections": [labels], "read_yolo": [labels.images]}.get(name, [])
shown = {"progress": False} if name in {"read_yolo", "read_voc", "read_semantic_png"} else {}
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, now + 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    print("read", getattr(hio, name)(path, *given, **shown))
except hf.HastyError as error:
    print(type(error).__name__, error)
"""


def packed(folder: Path, method: int = zipfile.ZIP_DEFLATED, **members: bytes | str) -> Path:
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def said(name: str, path: Path) -> str:
    command = [sys.executable, "-c", READ, name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def png(width: int, height: int, color: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


CLASSES = json.dumps([{"png_index": 1, "class_name": "cat", "color": "#010101ff"}])
SIDE = 11_585
PICTURES = {
    "too many pixels": (png(13_300, 13_300, 0, b""), "SizeLimitError"),
    "all that are allowed": (png(SIDE, SIDE, 0, bytes((SIDE + 1) * SIDE)), "read LabelSet: 1 image"),
    "all in colors": (png(SIDE, SIDE, 2, bytes((3 * SIDE + 1) * SIDE)), "read LabelSet: 1 image"),
    "a chessboard": (png(SIDE, SIDE, 0, (b"\0" + b"\0\1" * (SIDE // 2) + b"\0") * SIDE), "SizeLimitError"),
}


@pytest.mark.parametrize(("picture", "says"), PICTURES.values(), ids=PICTURES)
def test_pictures(tmp_path, picture, says):
    path = packed(tmp_path, **{"label_classes.json": CLASSES, "d/a.png": picture})
    assert says in said("read_semantic_png", path)


MIB = 2**20
TEXTS = {
    "spaces": b" " * (64 * MIB),
    "lists": b"[" + b"[]," * (20 * MIB) + b"[]]",
    "objects": b'{"images": ['
    + b"{}," * (5 * MIB)
    + b'{}], "categories": [], "annotations": ['
    + b"{}," * 10
    + b"{}]}",
    "deep": b"[" * (8 * MIB),
}


@pytest.mark.parametrize(
    ("name", "text"),
    [*(("read_coco", text) for text in TEXTS), ("read_coco_detections", "lists"), ("read_hasty_json", "lists")],
)
def test_json(tmp_path, name, text):
    assert "Error" in said(name, packed(tmp_path, **{"a.json": TEXTS[text]}))


PADDED = {
    "lists": b"[" + b"[]," * (20 * MIB) + b"[]]",
    "numbers": b'{"images": [], "x": [' + b"1.5," * (36 * MIB) + b"1]}",
    "spaces": b" " * (600 * MIB),
    "images": b'{"images": [' + b"{}," * (20 * MIB) + b'{}], "categories": [], "annotations": []}',
}


@pytest.mark.parametrize(
    ("name", "text"),
    [("read_coco", text) for text in PADDED] + [("read_hasty_json", "numbers"), ("read_hasty_json", "lists")],
)
def test_json_beside_noise_that_does_not_pack(tmp_path, name, text):
    """What is left of the bound of growth: an archive of 16 MB may become 800."""
    path = packed(tmp_path, **{"a.json": PADDED[text], "noise.bin": np.random.default_rng(0).bytes(16 * MIB)})
    assert "SizeLimitError" in said(name, path)


@pytest.mark.parametrize("text", ["lists", "images"])
def test_json_that_is_not_packed(tmp_path, text):
    (tmp_path / "a.json").write_bytes(PADDED[text])
    assert "SizeLimitError" in said("read_coco", tmp_path / "a.json")
    hio.read_coco({"images": [], "annotations": [], "categories": []})  # data are no file


def test_json_of_many_lists_is_read_if_it_is_trusted(tmp_path):
    (tmp_path / "a.json").write_bytes(
        b'{"images": [], "annotations": [], "categories": [], "x": [' + b"[]," * 60 + b"[]]}"
    )
    with pytest.raises(SizeLimitError, match="nested"):
        hio.read_coco(tmp_path / "a.json", limits=Limits(nested=50))
    assert not len(hio.read_coco(tmp_path / "a.json", limits=Limits(nested=70)).images)


def test_a_key_of_its_own_for_every_row(tmp_path):
    rows = [{"id": i, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], f"k{i}": i} for i in range(20_000)]
    data = {"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "a"}], "annotations": rows}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data))
    assert "SizeLimitError" in said("read_coco", path)


def test_yolo(tmp_path):
    for member in ("a.txt", "classes.txt"):
        text = {"classes.txt": "cat", member: "0 0 0 0 0\n" * (5 * MIB)}
        assert "SizeLimitError" in said("read_yolo", packed(tmp_path, **text))


@pytest.mark.parametrize("names", ["[" + "a," * (5 * MIB // 2) + "]", "[" * MIB, "\n" + "- &a [*a]\n" * 200_000])
def test_yaml(tmp_path, names):
    (tmp_path / "data.yaml").write_text(f"names: {names}")
    assert "data.yaml" in said("read_yolo", tmp_path)


def test_voc(tmp_path):
    box = "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>"
    head = "<annotation><filename>{}</filename><size><width>8</width><height>8</height></size>"
    members = {f"{i}.xml": f"{head.format(i)}{box * 60_000}</annotation>" for i in range(8)}
    assert "SizeLimitError" in said("read_voc", packed(tmp_path, **members))


COLUMNS = {
    "numbers": lambda: pa.array(np.zeros(30_000_000)),
    "texts": lambda: pa.DictionaryArray.from_arrays(np.zeros(500_000, np.int32), ["x" * 50_000]),
    "lists": lambda: pa.ListArray.from_arrays(np.arange(0, 40_000_001, 40, np.int32), np.zeros(40_000_000, np.int32)),
    "nothing": lambda: pa.nulls(60_000_000),
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_parquet(tmp_path, column):
    column = column()
    small = hio.read_hasty_json([{"image_name": "a.jpg", "labels": []}])
    small.to_parquet(tmp_path)
    table = pa.table({"image_id": pa.nulls(len(column), pa.string()), "x": column})
    field = pa.field("x", pa.string()) if pa.types.is_dictionary(column.type) else table.schema.field("x")
    options = {"compression": "zstd", "store_schema": not pa.types.is_dictionary(column.type)}
    with pq.ParquetWriter(tmp_path / "images.parquet", table.schema, **options) as file:
        file.write_table(table, row_group_size=len(table))
    assert (tmp_path / "images.parquet").stat().st_size < 2**22, field
    assert "SizeLimitError" in said("read_parquet", tmp_path)


def test_honest_files_are_read(tmp_path):
    """Labels of an export pack ten to thirty times, which is no attack."""
    random = np.random.default_rng(0)
    corners = random.integers(0, 4000, (20_000, 2)).tolist()
    labels = [
        {"id": f"{i:032x}", "class_name": "cat", "bbox": [x, y, x + 9, y + 9], "mask": None, "attributes": {}}
        for i, (x, y) in enumerate(corners)
    ]  # fmt: skip
    data = [{"image_name": "a.jpg", "width": 5000, "height": 5000, "labels": labels}]
    text = json.dumps(data, indent=4)
    path = packed(tmp_path, **{"a.json": text})
    assert 5 < len(text) / path.stat().st_size < 50
    assert len(hio.read_hasty_json(path).labels) == 20_000
    with pytest.raises(SizeLimitError, match="unpacked_bytes"):
        hio.read_hasty_json(path, limits=Limits(unpacked_bytes=1000))
    with pytest.raises(SizeLimitError, match="20,000 rows"):
        hio.read_hasty_json(data, limits=Limits(rows=10_000))


def test_depth_rows_and_members():
    deep = json.loads("[" * 300 + "]" * 300)
    data = [{"image_name": "a.jpg", "labels": [], "own": deep}]
    with pytest.raises(SizeLimitError, match=r"'own' of images: .*depth"):
        hio.read_hasty_json(data)
    assert len(hio.read_hasty_json(data, limits=Limits(depth=400)).images) == 1
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(11):
            archive.writestr(f"{number}.json", "[]")
    with pytest.raises(SizeLimitError, match=r"11 files.*members="):
        hio.read_coco(archive, limits=Limits(members=10))
