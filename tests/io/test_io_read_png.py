"""Semantic PNGs as they really are: other keys, a listed background, grey as RGB, colors that two classes share."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hastyframe.io as hio

RED, GREEN, BLACK = [255, 0, 0], [0, 255, 0], [0, 0, 0]
CAT = {"png_index": 1, "class_name": "cat", "color": "#ff0000ff"}
DOG = {"png_index": 2, "class_name": "dog", "color": "#00ff00ff"}


def read(root: Path, classes: list[dict[str, Any]], *pictures: Any, **options) -> hio.LabelSet:
    (root / "label_classes.json").write_text(json.dumps(classes))
    for number, pixels in enumerate(pictures):
        Image.fromarray(np.array(pixels, np.uint8)).save(root / f"{number}.png")
    return hio.read_semantic_png(root, progress=False, **options)


def classes_of(label_set: hio.LabelSet) -> list[str]:
    return label_set.labels["class_name"].tolist()


def test_keys_of_real_lists(tmp_path):
    real = [
        {"png_index": 1, "name": "cat", "id": "0a", "color": "#ff0000ff", "type": "object", "description": "purrs"},
        {"png_index": 2, "name": "sky", "id": "0b", "color": "#0000ffff", "type": "background"},
    ]
    label_set = read(tmp_path, real, [[0, 1], [2, 2]])
    assert classes_of(label_set) == ["cat", "sky"]
    assert label_set.label_classes["class_type"].tolist() == ["object", "background"]
    assert label_set.label_classes["description"].fillna("").tolist() == ["purrs", ""]
    with pytest.raises(hio.FormatError, match="'class_name' is missing"):
        read(tmp_path, [{"png_index": 1, "id": "0a"}])
    with pytest.raises(hio.FormatError, match="class_name 'cat' is there twice"):
        read(tmp_path, [CAT, {"png_index": 2, "name": "cat"}])


@pytest.mark.parametrize("background", [{"color": "#000000ff"}, {"color": "#808080"}, {}])
def test_a_listed_index_0_is_the_background(tmp_path, background):
    listed = [{"png_index": 0, "name": "Background"} | background, CAT]
    label_set = read(tmp_path, listed, [[0, 1]], [[BLACK, RED]])
    assert classes_of(label_set) == ["cat", "cat"] and label_set.label_classes["name"].tolist() == ["cat"]
    if background.get("color") == "#808080":
        assert classes_of(read(tmp_path, listed, [[[128] * 3, RED]])) == ["cat", "cat"]


def test_grey_stored_as_rgb(tmp_path):
    assert classes_of(read(tmp_path, [CAT, DOG], [[[1] * 3, [2] * 3]], [[BLACK, RED]])) == ["cat", "dog", "cat"]
    uncolored = [{"png_index": 1, "name": "cat"}, {"png_index": 200, "name": "dog"}]
    alpha = [[[200, 200, 200, 255], [0, 0, 0, 255]]]
    assert classes_of(read(tmp_path, uncolored, [[[1] * 3, [200] * 3]], alpha)) == ["cat", "dog", "dog"]
    with pytest.raises(hio.FormatError, match=r"0\.png: it has pixels of #030303, which is not a class"):
        read(tmp_path, [CAT, DOG], [[[3] * 3, BLACK]])
    with pytest.raises(hio.FormatError, match=r"0\.png: it has pixels of #010101"):
        read(tmp_path, [CAT, DOG], [[[1] * 3, RED]])


def test_numbers_that_are_colors(tmp_path):
    numbered = [
        {"png_index": 0xFF0000, "class_name": "cat", "color": "#ff0000ff"},
        {"png_index": 0x00FF00, "class_name": "dog"},
    ]
    assert classes_of(read(tmp_path, numbered, [[RED, GREEN], [BLACK, BLACK]])) == ["dog", "cat"]


def test_two_classes_of_one_color(tmp_path):
    listed = [CAT, DOG | {"color": "#FF0000"}]
    with pytest.raises(hio.FormatError, match=r"0\.png: class 'cat' and class 'dog' have the color #ff0000"):
        read(tmp_path, listed, [[RED, BLACK]])
    assert classes_of(read(tmp_path, listed, [[0, 1], [2, 2]])) == ["cat", "dog"], "in one channel numbers count"


@pytest.mark.parametrize("picture", [[[BLACK, GREEN]], [[BLACK, BLACK]]])
def test_a_black_class(tmp_path, picture):
    listed = [CAT | {"color": "#000000ff"}, DOG]
    with pytest.raises(hio.FormatError, match=r"0\.png: class 'cat' and the background have the color #000000"):
        read(tmp_path, listed, picture)


def test_black_classes_of_pictures_in_grey(tmp_path):
    listed = [CAT | {"color": "#000000ff"}, DOG | {"color": "#000000ff"}]
    assert classes_of(read(tmp_path, listed, [[BLACK, BLACK]], [[[1] * 3, [2] * 3]])) == ["cat", "dog"]
    white = {"png_index": 0, "name": "background", "color": "#ffffff"}
    assert classes_of(read(tmp_path, [white, CAT | {"color": "#000000"}, DOG], [[BLACK, GREEN]], [[GREEN]])) == [
        "cat",
        "dog",
        "dog",
    ]


def test_a_color_that_is_the_number_of_another_class(tmp_path):
    with pytest.raises(hio.FormatError, match=r"#020202 are class 'cat' by color and class 'dog' by number"):
        read(tmp_path, [CAT | {"color": "#020202"}, DOG], [[[2] * 3, BLACK]])


def test_all_bad_pictures_are_named_or_skipped(tmp_path):
    pictures = [[[0, 7]], [[0, 1]], [[9, 9]]]
    with pytest.raises(hio.FormatError, match="2 problems") as caught:
        read(tmp_path, [CAT, DOG], *pictures)
    assert caught.value.problems["place"].tolist() == ["0.png", "2.png"]
    label_set = read(tmp_path, [CAT, DOG], *pictures, errors="skip")
    assert label_set.images["name"].tolist() == ["1.png"] and classes_of(label_set) == ["cat"]
    assert label_set.skipped["place"].tolist() == ["0.png", "2.png"]


def test_one_bit(tmp_path):
    with pytest.warns(hio.FormatWarning, match="no PNG in it"):
        read(tmp_path, [CAT])
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.PNG")
    assert classes_of(hio.read_semantic_png(tmp_path, progress=False)) == ["cat"]


def test_names_stay_as_they_are_spelled(tmp_path):
    name = unicodedata.normalize("NFD", "é.png")
    Image.fromarray(np.array([[1]], np.uint8)).save(tmp_path / name)
    assert read(tmp_path, [CAT]).images["name"].tolist() == [name]
