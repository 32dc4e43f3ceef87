"""Photographs that say how they are to be turned mean what people see: in sizes, pixels, labels, plots and models."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hastyframe as hf
from hastyframe import images
from hastyframe.local import LocalServer
from hastyframe.plotting.picture import canvas

SEEN = np.zeros((64, 96), np.uint8)  # as people see it: four quarters of four shades
SEEN[:32, 48:], SEEN[32:, :48], SEEN[32:, 48:] = 80, 160, 240

STORED = {  # which side of what is seen the first row and the first column are, by the Exif standard
    1: lambda seen: seen,  # top, left
    2: lambda seen: seen[:, ::-1],  # top, right
    3: lambda seen: seen[::-1, ::-1],  # bottom, right
    4: lambda seen: seen[::-1],  # bottom, left
    5: lambda seen: seen.T,  # left, top
    6: lambda seen: seen[:, ::-1].T,  # right, top
    7: lambda seen: seen[::-1, ::-1].T,  # right, bottom
    8: lambda seen: seen[::-1].T,  # left, bottom
}
FORMATS = ["PNG", "JPEG", "WEBP", "TIFF"]

every_orientation = pytest.mark.parametrize("orientation", STORED)
every_format = pytest.mark.parametrize("format", FORMATS)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def file_of(orientation: int, format: str, seen: np.ndarray = SEEN, mode: str | None = None, **options) -> bytes:
    """A picture that is stored turned, so that people see `seen`."""
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](seen)))
    picture = picture if mode is None else picture.convert(mode)
    picture.save(buffer := io.BytesIO(), format, exif=exif_of(orientation), **options)
    return buffer.getvalue()


def is_seen(pixels: np.ndarray, seen: np.ndarray = SEEN) -> bool:
    """Whether pixels are what people see, apart from what JPEG loses."""
    grey = pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=2)
    return grey.shape == seen.shape and bool((abs(grey - seen.astype(float)) < 24).all())


@every_orientation
@every_format
def test_sizes_and_pixels(tmp_path, orientation, format):
    data = file_of(orientation, format)
    (tmp_path / "a").write_bytes(data)
    for source in (io.BytesIO(data), tmp_path / "a"):
        assert images.read_head(source, "a") == (96, 64, format, orientation)
        with images.opened(source, "a") as picture:
            assert picture.size == (96, 64)
            assert is_seen(np.asarray(picture.convert("L")))
            assert images.upright(picture).size == (96, 64)  # it is turned once


@every_orientation
@every_format
def test_plots_show_what_people_see(tmp_path, orientation, format):
    (tmp_path / "a.png").write_bytes(file_of(orientation, format))
    row = pd.Series({"name": "a.png", "width": 96, "height": 64}, name="i")
    with Image.open(tmp_path / "a.png") as picture:
        was = picture.size
        shown = [canvas(tmp_path / "a.png"), canvas(row, tmp_path), canvas(picture), canvas(picture.convert("RGB"))]
        if format != "TIFF":  # of which Pillow changes the very picture when it decodes it
            assert picture.size == was
    for one in shown:
        assert (one.width, one.height) == (96, 64)
        assert is_seen(one.pixels)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_large_pictures_are_drawn_smaller_and_turned(tmp_path, format):
    seen = np.kron(SEEN, np.ones((10, 10), np.uint8))
    (tmp_path / "a").write_bytes(file_of(6, format, seen))
    shown = canvas(tmp_path / "a", most=96)
    assert (shown.width, shown.height, shown.pixels.shape) == (960, 640, (64, 96))
    assert is_seen(shown.pixels)


@every_orientation
@every_format
def test_labels_lie_on_the_right_pixels(tmp_path, orientation, format):
    """A quarter of what is seen, from YOLO's shares of it, covers the pixels of its own shade."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    suffix = format.lower()
    (tmp_path / "images" / f"a.{suffix}").write_bytes(file_of(orientation, format))
    (tmp_path / "labels" / "a.txt").write_text("0 0.75 0.25 0.5 0.5\n1 0 0.5 0.5 0.5 0.5 1 0 1")
    (tmp_path / "classes.txt").write_text("upper right\nlower left\n")
    found = hf.read_yolo(tmp_path, progress=False)
    assert found.images[["width", "height"]].to_numpy().tolist() == [[96, 64]]
    boxes = found.labels[["x_min", "y_min", "x_max", "y_max"]].to_numpy(int).tolist()
    assert boxes == [[48, 0, 96, 32], [0, 32, 48, 64]]
    with images.opened(tmp_path / "images" / f"a.{suffix}", "a") as picture:
        pixels = np.asarray(picture.convert("L"))
    for (left, top, right, bottom), shade in zip(boxes, (80, 160), strict=True):
        assert abs(pixels[top:bottom, left:right].astype(int) - shade).max() < 24


def test_yolo_on_a_photograph_on_its_side(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    Image.new("L", (100, 40)).save(tmp_path / "a.jpg", exif=exif_of(6))
    (tmp_path / "a.txt").write_text("0 .5 .5 .5 .2")
    found = hf.read_yolo(tmp_path, classes=["cat"], progress=False)
    assert found.images[["width", "height"]].to_numpy().tolist() == [[40, 100]]
    assert found.labels[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [[10, 40, 30, 60]]


@every_orientation
def test_masks_of_classes_are_turned(tmp_path, orientation):
    seen = np.zeros((4, 6), np.uint8)
    seen[1:3, 0:2] = 1
    (tmp_path / "a.png").write_bytes(file_of(orientation, "PNG", seen))
    (tmp_path / "label_classes.json").write_text('[{"png_index": 1, "class_name": "cat"}]')
    found = hf.read_semantic_png(tmp_path, progress=False)
    assert found.images[["width", "height"]].to_numpy().tolist() == [[6, 4]]
    assert found.labels[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("mode", "format"), [("I;16", "PNG"), ("I;16", "TIFF"), ("P", "PNG"), ("1", "PNG"), ("L", "GIF")]
)
@pytest.mark.parametrize("orientation", [1, 5, 6, 7])
def test_pictures_of_other_modes(mode, format, orientation):
    seen = SEEN.astype(np.uint16) * 256 if mode == "I;16" else np.where(SEEN > 100, 255, 0).astype(np.uint8)
    data = file_of(orientation, format, seen, None if mode in ("I;16", "L") else mode)
    with images.opened(io.BytesIO(data), "a") as picture:
        found = np.asarray(picture if mode == "I;16" else picture.convert("L"))
    if format == "GIF":  # has no Exif
        seen = STORED[orientation](seen)
    assert (found == seen).all()


@pytest.mark.parametrize("format", ["MPO", "GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_of_several_pictures_in_a_file(format):
    first = Image.fromarray(np.ascontiguousarray(STORED[6](SEEN))).convert("RGB")
    more = [Image.new("RGB", first.size, "white")]
    options = {} if format == "GIF" else {"exif": exif_of(6)}
    if format == "WEBP":
        options["lossless"] = True
    first.save(buffer := io.BytesIO(), format, save_all=True, append_images=more, **options)
    head = images.read_head(buffer, "a")
    assert head.format == ("JPEG" if format == "MPO" else format)
    with images.opened(buffer, "a") as picture:
        assert picture.size == head[:2] == ((64, 96) if format == "GIF" else (96, 64))
        assert format == "GIF" or is_seen(np.asarray(picture.convert("L")))


def test_orientation_of_other_metadata():
    """Pillow may read it in XMP as well, from some version on, and turns a TIFF by that: size and pixels agree."""
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.new("L", (100, 40)).save(tiff := io.BytesIO(), "TIFF", tiffinfo={700: xmp})
    Image.new("L", (100, 40)).save(webp := io.BytesIO(), "WEBP", xmp=xmp)
    for file in (tiff, webp):
        with images.opened(file, "a") as picture:
            assert np.asarray(picture.convert("L")).shape == images.read_head(file, "a")[1::-1]


BROKEN = {
    "nothing": b"",
    "noise": b"\x17" * 40,
    "no TIFF": b"Exif\0\0XX*\0\x08\0\0\0",
    "cut short": b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01",
    "far away": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "a text": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI4s", 0x0112, 2, 4, b"six\0") + bytes(4),
    "no orientation": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 77, 0) + bytes(4),
}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN)
def test_a_broken_exif_block_sinks_nothing(tmp_path, format, block):
    Image.fromarray(SEEN).save(tmp_path / "a", format, exif=block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert images.read_head(tmp_path / "a", "a") == (96, 64, format, 1)
        with images.opened(tmp_path / "a", "a") as picture:
            assert is_seen(np.asarray(picture.convert("L")))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_an_orientation_in_front_of_broken_tags_counts(tmp_path, format):
    """It is read whatever comes behind it, and nobody is warned of what does not matter."""
    tags = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x010F, 2, 90, 2**31)
    block = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + tags + bytes(4)
    Image.new("L", (100, 40)).save(tmp_path / "a", format, exif=block)
    assert images.read_head(tmp_path / "a", "a") == (40, 100, format, 6)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("offset", [0, 3, 2**31])
def test_other_blocks_of_a_tiff_may_be_broken(tmp_path, orientation, offset):
    exif = exif_of(orientation)
    exif[0x8769] = 0
    exif._ifds[0x8769] = {0x9000: b"0232"}
    Image.new("L", (100, 40)).save(tmp_path / "a.tif", exif=exif)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(b"\x69\x87") + 8  # where the block is
    data[at : at + 4] = struct.pack("<I", offset)
    (tmp_path / "a.tif").write_bytes(data)
    with images.opened(tmp_path / "a.tif", "a") as picture:
        assert picture.convert("RGB").size == ((40, 100) if orientation == 6 else (100, 40))


@pytest.fixture(scope="module")
def project():
    def shade_of_the_corner(picture):
        """Box the upper right quarter of what it is given, scored by its shade."""
        height, width = picture.shape[:2]
        shade = float(picture[: height // 2, width // 2 :].mean() / 255)
        return [{"bbox": [width // 2, 0, width, height // 2], "score": shade}]

    with LocalServer(models={"detector": shade_of_the_corner}) as server:
        client = hf.Client(server.api_key, server.base_url, progress=False)
        project = client.create_project(client.get_workspaces(), "turned")
        project.create_dataset("d")
        project.create_label_class("thing")
        yield project


@every_format
@pytest.mark.parametrize("orientation", [1, 2, 5, 6, 8])
def test_the_embedded_server_sees_what_people_see(project, tmp_path, orientation, format):
    name = f"{orientation}.{format.lower()}"
    path = tmp_path / name
    path.write_bytes(file_of(orientation, format))
    project.upload_images(path, "d")
    everything = project.get_images()
    image = everything[everything["name"] == name]
    assert image[["width", "height"]].to_numpy().tolist() == [[96, 64]]
    for found in (project.get_detector().predict_images(image, 0.1), project.get_detector().predict_images(path, 0.1)):
        assert found[["x_min", "y_min", "x_max", "y_max"]].to_numpy().tolist() == [[48, 0, 96, 32]]
        assert found["score"].round(1).tolist() == [0.3]
    project.download_images(image, tmp_path / "back")
    assert (tmp_path / "back" / "d" / name).read_bytes() == path.read_bytes()
