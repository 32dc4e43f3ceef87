"""Picture files: one function opens them, and nothing that comes in one leads to anything but an error of ours."""

from __future__ import annotations

import ast
import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import hastyframe as hf
from hastyframe import images, pictures
from hastyframe.errors import FormatError, SizeLimitError, ValidationException
from hastyframe.limits import Limits

ROOT = Path(hf.__file__).parent
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 4\n%%EndComments\n(gone) show\nshowpage\n%%EOF\n"


def file_of(format: str, mode: str = "RGB", **options) -> bytes:
    Image.new(mode, (8, 4)).save(buffer := io.BytesIO(), format, **options)
    return buffer.getvalue()


def huge(width: int, height: int) -> bytes:
    """A PNG of few bytes and many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pictures_are_opened_in_one_place(path):
    if path == Path(images.__file__):
        return
    tree = ast.parse(path.read_text())
    pillow = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "PIL" in ast.unparse(node)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"open", "ImageFile", "preinit", "init"}:
            assert ast.unparse(node.value).split(".")[0] not in pillow, f"{path}: {ast.unparse(node)}"


@pytest.fixture
def no_other_programs(monkeypatch):
    def run(*args, **kwargs):
        raise AssertionError("another program was run")

    monkeypatch.setattr("subprocess.Popen", run)
    monkeypatch.setattr("subprocess.check_call", run)
    monkeypatch.setattr("os.system", run)


@pytest.mark.usefixtures("no_other_programs")
@pytest.mark.parametrize(
    "data",
    [EPS, b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, len(EPS)) + bytes(20) + EPS, file_of("PDF"), file_of("ICNS")],
    ids=["EPS", "EPS for DOS", "PDF", "ICNS"],
)
def test_no_other_formats_whatever_they_are_called(tmp_path, data):
    (tmp_path / "label_classes.json").write_text('[{"png_index": 1, "class_name": "cat"}]')
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for read in (
        lambda: hf.read_semantic_png(tmp_path, progress=False),
        lambda: hf.read_yolo(tmp_path, classes=["cat"], progress=False),
        lambda: hf.plot.labels(path),
        lambda: pictures.check_picture(path),
    ):
        with pytest.raises(ValidationException, match=r"a\.png.*not a picture, or not one of.*PNG"):
            read()
    assert not pictures.is_turned(path)


def test_a_semantic_png_is_a_png(tmp_path):
    (tmp_path / "label_classes.json").write_text('[{"png_index": 1, "class_name": "cat"}]')
    (tmp_path / "a.png").write_bytes(file_of("BMP", "L"))
    with pytest.raises(FormatError, match=r"a\.png: it is not a picture, or not one of PNG"):
        hf.read_semantic_png(tmp_path, progress=False)


@pytest.mark.parametrize("format", images.FORMATS)
def test_heads(format):
    head = images.read_head(io.BytesIO(file_of(format)), "a")
    assert head == (8, 4, format, 1)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    head = images.read_head(io.BytesIO(file_of(format, exif=exif)), "a")
    size = (4, 8) if 5 <= orientation <= 8 else (8, 4)
    assert head == (*size, format, orientation if 1 <= orientation <= 8 else 1)


def test_a_head_needs_no_pixels():
    """Not even of a PNG, whose Exif may stand behind them."""
    whole = file_of("PNG")
    assert images.read_head(io.BytesIO(whole[: whole.index(b"IDAT") + 4]), "a").width == 8


def test_pixels_are_counted_before_they_are_there(tmp_path):
    (tmp_path / "label_classes.json").write_text('[{"png_index": 1, "class_name": "cat"}]')
    path = tmp_path / "a.png"
    for width, height in ((12_000, 12_000), (20_000, 20_000), (2**31 - 1, 1)):
        path.write_bytes(huge(width, height))
        for read in (lambda: hf.read_semantic_png(tmp_path, progress=False), lambda: hf.plot.labels(path)):
            with pytest.raises(SizeLimitError, match=r"a\.png.* pixels.*limits=hf\.Limits\(pixels=\.\.\.\)"):
                read()
    path.write_bytes(file_of("PNG", "L"))
    for read in (lambda **more: hf.read_semantic_png(tmp_path, progress=False, **more), hf.plot.labels):
        given = [] if read is not hf.plot.labels else [path]
        with pytest.raises(SizeLimitError, match="8 by 4 pixels, where 31 is the most"):
            read(*given, limits=Limits(pixels=31))
        read(*given, limits=Limits(pixels=32))
    row = pd.Series({"name": "a.png", "width": 8, "height": 4}, name="i")
    with pytest.raises(SizeLimitError, match="8 by 4"):
        hf.plot.labels(row, pictures=tmp_path, limits=Limits(pixels=31))
    with pytest.raises(SizeLimitError, match="8 by 4"):
        hf.plot.grid(row.to_frame().T, pictures=tmp_path, limits=Limits(pixels=31))
    with pytest.raises(SizeLimitError, match="8 by 4"):
        hf.plot.labels(Image.new("L", (8, 4)), limits=Limits(pixels=31))


def test_more_pixels_than_pillow_opens_by_itself(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with images.opened(io.BytesIO(file_of("PNG")), "a") as picture:
            assert np.asarray(picture).shape == (4, 8, 3)
        with pytest.raises(SizeLimitError, match="more pixels than Pillow opens"):
            images.read_head(io.BytesIO(file_of("PNG")), "a", limits=Limits(pixels=20))
    assert Image.MAX_IMAGE_PIXELS == 10


SEEDS = [*map(file_of, images.FORMATS), file_of("TIFF", compression="tiff_lzw"), file_of("AVIF")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=4), st.floats(0, 1))
def test_nothing_but_these_errors(seed, patches, cut):
    data = bytearray(seed[: max(8, int(len(seed) * cut))])
    for at, new in patches:
        place = int(at * len(data))
        data[place : place + len(new)] = new
    for read in (images.read_head, images.opened):
        try:
            found = read(io.BytesIO(data), "a.zip", "b.png")
            if read is images.opened:
                with found as picture:
                    picture.load()
        except (FormatError, SizeLimitError) as error:
            assert str(error).startswith("a.zip, b.png: ")


def test_whatever_a_reader_of_pillow_raises(monkeypatch):
    for error in (KeyError("x"), struct.error("y"), zlib.error(), RuntimeError("avif"), AttributeError(), EOFError()):
        monkeypatch.setattr("PIL.Image.Image.convert", lambda *_, error=error: (_ for _ in ()).throw(error))
        with (
            pytest.raises(FormatError, match=r"a\.png: it cannot be read as a picture: \S+"),
            images.opened(io.BytesIO(file_of("PNG")), "a.png") as picture,
        ):
            picture.convert("L")


def test_sizes_of_pictures_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("images/a.webp", file_of("WEBP"))
        archive.writestr("labels/a.txt", "0 0.5 0.5 1 1")
        archive.writestr("classes.txt", "cat")
    assert hf.read_yolo(tmp_path / "a.zip", progress=False).labels["x_max"].tolist() == [8.0]
