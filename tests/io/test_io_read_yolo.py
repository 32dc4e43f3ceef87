"""YOLO as other tools write it: pose, tracks, OBB, names, folders, spellings; each bad line is named."""

from __future__ import annotations

import io
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

import hastyframe.io as hio
from hastyframe.errors import ValidationException

BOX = ["x_min", "y_min", "x_max", "y_max"]
HUNDRED = pd.DataFrame({"name": ["a.jpg", "b.jpg"], "width": 100, "height": 100})
CAT = ["cat"]


def folder_of(root: Path, members: dict[str, str | tuple[int, int]]) -> Path:
    """Make files of texts, and pictures of sizes."""
    for name, what in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, str):
            path.write_text(what)
        else:
            Image.new("L", what).save(path)
    return root


def read(root: Path, lines: str, **options) -> hio.LabelSet:
    (root / "a.txt").write_text(lines)
    return hio.read_yolo(root, HUNDRED, **{"classes": CAT, "progress": False} | options)


def boxes(label_set: hio.LabelSet) -> list[list[float]]:
    return label_set.labels[BOX].to_numpy().tolist()


# Pose, tracks, OBB ----------------------------------------------------------------------------------------------------


def test_pose_is_a_box_with_key_points(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cat]\nkpt_shape: [2, 3]\n")
    label_set = read(tmp_path, "0 .5 .5 .4 .6 .1 .2 2 .3 .4 1\n0 .5 .5 .2 .2", classes=None)
    assert boxes(label_set) == [[30, 20, 70, 80], [40, 40, 60, 60]]
    assert label_set.labels["polygon"].isna().all() and "score" not in label_set.labels
    assert list(label_set.labels["keypoints"].iloc[0]) == [10, 20, 2, 30, 40, 1]
    assert label_set.labels["keypoints"].isna().tolist() == [False, True]


@pytest.mark.parametrize("classes", [None, CAT])
def test_pose_of_two_numbers_a_point_with_scores_and_tracks(tmp_path, classes):
    (tmp_path / "data.yaml").write_text("kpt_shape: [1, 2]\nnames: {0: cat}")
    label_set = read(tmp_path, "0 .5 .5 .4 .6 .1 .2 .75 7\n0 .5 .5 .4 .6 0 0 .25 8", classes=classes)
    assert boxes(label_set) == [[30, 20, 70, 80]] * 2
    assert label_set.labels["score"].tolist() == [0.75, 0.25] and label_set.labels["track_id"].tolist() == [7, 8]
    assert list(map(list, label_set.labels["keypoints"])) == [[10, 20, 2], [0, 0, 0]]


def test_key_points_without_their_number_are_refused(tmp_path):
    with pytest.raises(hio.FormatError, match=r"a\.txt, line 1: .*kpt_shape in data\.yaml"):
        read(tmp_path, "0 .5 .5 .4 .6 .1 .2 2 .3 .4 1")
    (tmp_path / "data.yaml").write_text("names: [cat]\nkpt_shape: [2, 3]\n")
    with pytest.raises(hio.FormatError, match=r"line 1: it is not a box with the key points of kpt_shape \[2, 3\]"):
        read(tmp_path, "0 .5 .5 .4 .6 .1 .2 2", classes=None)
    for shape in ("[2]", "[2, 4]", "[0, 3]", "17", "[a, 3]"):
        (tmp_path / "data.yaml").write_text(f"names: [cat]\nkpt_shape: {shape}\n")
        if shape != "17":
            with pytest.raises(hio.FormatError, match=r"data\.yaml: kpt_shape is not"):
                read(tmp_path, "", classes=None)


def test_tracks(tmp_path):
    label_set = read(tmp_path, "0 .5 .5 .4 .6 29\n0 .5 .5 .4 .6 .87 30\n0 .5 .5 .4 .6")
    assert boxes(label_set) == [[30, 20, 70, 80]] * 3 and label_set.labels["polygon"].isna().all()
    assert label_set.labels["track_id"].tolist() == [29, 30, pd.NA]
    assert label_set.labels["score"].fillna(-1).tolist() == [-1, 0.87, -1]


def test_tracks_of_outlines_and_of_few(tmp_path):
    outline = "0 .1 .1 .9 .1 .9 .9"
    label_set = read(tmp_path, f"{outline} 5\n{outline} .1 .9 6")
    assert label_set.labels["track_id"].tolist() == [5, 6] and "score" not in label_set.labels
    assert list(map(len, label_set.labels["polygon"])) == [3, 4]
    label_set = read(tmp_path, f"{outline} .5 5\n{outline} .1 .9 .25 6")
    assert label_set.labels["track_id"].tolist() == [5, 6] and label_set.labels["score"].tolist() == [0.5, 0.25]
    label_set = read(tmp_path, "0 .5 .5 .4 .6 1\n0 .5 .5 .4 .6 0")
    assert label_set.labels["track_id"].tolist() == [1, 0] and "score" not in label_set.labels


def test_scores_stay_scores(tmp_path):
    label_set = read(tmp_path, "0 .5 .5 .4 .6 1\n0 .5 .5 .4 .6 0.5\n0 0 0 1 0 1 1 1.0")
    assert label_set.labels["score"].tolist() == [1, 0.5, 1] and "track_id" not in label_set.labels
    with pytest.raises(hio.FormatError, match="line 2: its last number is not a score from 0 to 1"):
        read(tmp_path, "0 .5 .5 .4 .6 .5\n0 .5 .5 .4 .6 29")
    with pytest.raises(hio.FormatError, match="line 1: its last number is not a score"):
        read(tmp_path, "0 .5 .5 .4 .6 87.5")


def test_only_whole_numbers_are_tracks(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cat]\nkpt_shape: [2, 2]\n")
    with pytest.raises(hio.FormatError, match=r"line 1: it is not a box with the key points of kpt_shape \[2, 2\]"):
        read(tmp_path, "0 .5 .5 .4 .6 .1 .2 .3 .4 .5 .6\n")
    assert read(tmp_path, "0 .5 .5 .4 .6 .1 .2 .3 .4 .5 6\n").labels["track_id"].tolist() == [6]
    (tmp_path / "data.yaml").unlink()
    for end in ("0.4", "100000000000000000000", "9007199254740993", "-1"):
        with pytest.raises(hio.FormatError, match="line 1: its last number is not the id of a track"):
            read(tmp_path, f"0 .5 .5 .2 .2 .9 {end}\n", tracks=True)
    assert read(tmp_path, "0 .5 .5 .2 .2 .9 3.0\n", tracks=True).labels["track_id"].tolist() == [3]


def test_triangle_or_track(tmp_path):
    assert read(tmp_path, "0 0 0 1 0 1 1").labels["polygon"].iloc[0][2] == [100, 100]
    assert len(read(tmp_path, "0 .5 .5 .4 .6 .9 1\n0 .1 .1 .2 .2 .3 .3 .4 .4").labels["polygon"].iloc[0]) == 3
    either = "0 .5 .5 .4 .6 .9 1"
    with pytest.raises(hio.FormatError, match=r"line 1: .*a triangle.*tracks=True or tracks=False"):
        read(tmp_path, either)
    assert read(tmp_path, either, tracks=True).labels["track_id"].tolist() == [1]
    assert len(read(tmp_path, either, tracks=False).labels["polygon"].iloc[0]) == 3


def test_obb_is_a_polygon_of_four_points(tmp_path):
    label_set = read(tmp_path, "0 .5 .1 .9 .5 .5 .9 .1 .5\n0 .5 .1 .9 .5 .5 .9 .1 .5 .75")
    assert label_set.labels["polygon"].iloc[0] == [[50, 10], [90, 50], [50, 90], [10, 50]]
    assert boxes(label_set) == [[10, 10, 90, 90]] * 2
    assert label_set.labels["score"].fillna(-1).tolist() == [-1, 0.75]


# Bad lines ------------------------------------------------------------------------------------------------------------

BAD = "0 .5 .5 -.2 .2\n0 .5 .5 .2 .2\n\n7 .5 .5 .2 .2\n0 .5 .5 .2 -0.1 .9\nx\n0 50 50 20 20\n"


def test_all_bad_lines_are_named_at_once(tmp_path):
    (tmp_path / "c.txt").write_text("0 .5 .5 .2 .2")
    with pytest.raises(hio.FormatError, match=r"6 problems[\s\S]*errors=\"skip\"") as caught:
        read(tmp_path, BAD)
    problems = caught.value.problems.sort_values("place")
    assert problems["place"].tolist() == [*(f"a.txt, line {line}" for line in (1, 4, 5, 6, 7)), "c.txt"]
    assert problems["problem"].iloc[0] == "its width or height is below 0"


def test_bad_lines_are_skipped_and_listed(tmp_path):
    (tmp_path / "c.txt").write_text("0 .5 .5 .2 .2")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    label_set = read(tmp_path, BAD, errors="skip")
    assert boxes(label_set) == [[40, 40, 60, 60]]
    assert len(label_set.skipped) == 7 and set(label_set.skipped["file"]) == {str(tmp_path)}
    with pytest.raises(ValidationException, match='errors is "raise" or "skip"'):
        read(tmp_path, BAD, errors="ignore")


def test_two_files_about_one_image(tmp_path):
    folder_of(tmp_path, {"labels/default/a.txt": "0 .5 .5 .2 .2"})
    with pytest.raises(hio.FormatError, match=r"labels/default/a\.txt: it is about the same image as a\.txt"):
        read(tmp_path, "0 .5 .5 .2 .2")


# Names of classes -----------------------------------------------------------------------------------------------------

TEXTS = ["yes", "no", "on", "010", "12:30", "1.50"]


def test_names_are_texts_and_stand_above(tmp_path):
    pictures = {"images/train/a.jpg": (10, 10), "labels/train/a.txt": "5 .5 .5 .2 .2"}
    root = folder_of(tmp_path / "set", pictures | {"data.yaml": f"names: [{', '.join(TEXTS)}]\n"})
    for source in (root, root / "labels", root / "labels" / "train"):
        label_set = hio.read_yolo(source, progress=False)
        assert label_set.label_classes["name"].tolist() == TEXTS, source
        assert label_set.labels["class_name"].tolist() == ["1.50"]
    (root / "data.yaml").write_text(
        "".join(f"{i}: {name}\n  " for i, name in enumerate(TEXTS)).join(["names:\n  ", ""])
    )
    assert hio.read_yolo(root / "labels", progress=False).label_classes["name"].tolist() == TEXTS
    (root / "data.yaml").unlink()
    (root / "Classes.txt").write_text("\n".join(TEXTS))
    assert hio.read_yolo(root / "labels" / "train", progress=False).label_classes["name"].tolist() == TEXTS


def test_names_three_folders_above_are_no_business_of_it(tmp_path):
    root = folder_of(tmp_path, {"classes.txt": "cat", "a/b/c/a.jpg": (4, 4)})
    with pytest.raises(hio.FormatError, match=r"no data\.yaml or classes\.txt"):
        hio.read_yolo(root / "a" / "b" / "c", progress=False)


def test_a_yaml_of_another_name(tmp_path):
    root = folder_of(tmp_path, {"coco8.yaml": "names: {0: cat}", "args.yaml": "lr: 1", "hyp.yaml": ": :"})
    none = pd.DataFrame({"name": [], "width": [], "height": []})
    assert hio.read_yolo(root, none, progress=False).label_classes["name"].tolist() == CAT


def test_classes_may_be_given_in_many_ways(tmp_path):
    (tmp_path / "data.yaml").write_text(": : :")
    for classes in (CAT, {0: "cat"}, pd.Series(CAT), pd.DataFrame({"name": CAT}), (name for name in CAT)):
        assert read(tmp_path, "0 .5 .5 .2 .2", classes=classes).labels["class_name"].tolist() == CAT
    for classes in (..., 5, "cat", {1: "cat"}, [1], {0: None}):
        with pytest.raises(ValidationException, match="classes is a list of names"):
            read(tmp_path, "", classes=classes)


def test_labels_without_pictures_say_what_to_give(tmp_path):
    (tmp_path / "a.txt").write_text("0 .5 .5 .2 .2")
    with pytest.raises(hio.FormatError, match="Give its picture in images"):
        hio.read_yolo(tmp_path, classes=CAT, progress=False)


# Files and folders ----------------------------------------------------------------------------------------------------


def test_suffixes_in_any_case(tmp_path):
    root = folder_of(tmp_path, {"Images/a.JPG": (10, 10), "Labels/a.TXT": "0 .5 .5 .2 .2", "Data.YAML": "names: [cat]"})
    assert boxes(hio.read_yolo(root, progress=False)) == [[4, 4, 6, 6]]


def test_only_the_size_of_a_picture_counts(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    Image.new("1", (10, 10)).save(tmp_path / "b.png")
    (tmp_path / "a.txt").write_text("0 .5 .5 .2 .2")
    label_set = hio.read_yolo(tmp_path, classes=CAT, progress=False)
    assert boxes(label_set) == [[8000, 8000, 12000, 12000]]


@pytest.mark.parametrize("form, other", [("NFC", "NFD"), ("NFD", "NFC")])
def test_spellings_of_one_file_name(tmp_path, form, other):
    name = unicodedata.normalize(form, "größe é")
    images = pd.DataFrame({"name": [f"{name}.jpg"], "dataset_name": [name], "width": 10, "height": 10})
    label = unicodedata.normalize(other, f"labels/größe é/{name}.txt")
    root = folder_of(tmp_path, {label: "0 .5 .5 .2 .2"})
    label_set = hio.read_yolo(root, images, classes=CAT, progress=False)
    assert label_set.labels["image_id"].tolist() == ["0"]
    assert label_set.images["name"].tolist() == [f"{name}.jpg"], "as it was given"


def test_a_folder_of_labels_for_images_of_another_dataset(tmp_path):
    root = folder_of(tmp_path, {"obj_train_data/a.txt": "0 .5 .5 .2 .2", "obj.names": "cat"})
    assert hio.read_yolo(root, HUNDRED, progress=False).labels["image_id"].tolist() == ["0"]


@pytest.mark.parametrize("name", ["train_7.txt", "labels.txt", "readme.txt"])
def test_labels_of_no_picture_are_named_whatever_they_are_called(tmp_path, name):
    (tmp_path / name).write_text("0 .5 .5 .2 .2")
    with pytest.raises(hio.FormatError, match=rf"{name}: there is no image of this name"):
        read(tmp_path, "")


def test_pictures_may_be_called_like_lists(tmp_path):
    images = HUNDRED.assign(name=["a.jpg", "train_7.jpg"])
    (tmp_path / "train_7.txt").write_text("0 .5 .5 .2 .2")
    assert hio.read_yolo(tmp_path, images, classes=CAT, progress=False).labels["image_id"].tolist() == ["1"]


def test_broken_pictures_are_skipped(tmp_path):
    root = folder_of(tmp_path, {"a.jpg": (10, 10), "a.txt": "0 .5 .5 .2 .2", "b.png": "no picture"})
    with pytest.raises(hio.FormatError, match=r"b\.png: it is not a picture"):
        hio.read_yolo(root, classes=CAT, progress=False)
    label_set = hio.read_yolo(root, classes=CAT, errors="skip", progress=False)
    assert label_set.images.index.tolist() == ["default/a.jpg"] and len(label_set.labels) == 1
    assert label_set.skipped["place"].tolist() == ["b.png"]


def test_images_of_any_frame(tmp_path):
    (tmp_path / "b.txt").write_text("0 .5 .5 .2 .2")
    named = HUNDRED.assign(image_id=["x", "y"])
    for images in (named, named.set_index("image_id"), pa.Table.from_pandas(named), named.to_dict("records")):
        labels = hio.read_yolo(tmp_path, images, classes=CAT, progress=False).labels
        assert labels["image_id"].tolist() == ["y"]
    with pytest.raises(ValidationException, match="images is 5"):
        hio.read_yolo(tmp_path, 5, classes=CAT, progress=False)


# Folders of other tools -----------------------------------------------------------------------------------------------

LINE = "0 0.5 0.5 0.4 0.6\n"
SIZE = (20, 10)
DROPPINGS = {
    "__MACOSX/._a.jpg": "x",
    "deep/__MACOSX/._a.txt": "x",
    ".DS_Store": "x",
    "Thumbs.db": "x",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": "x",
    "desktop.ini": "x",
    ".git/HEAD": "ref",
    ".ipynb_checkpoints/a-checkpoint.txt": LINE,
}
FOLDERS = {
    "Roboflow": {
        "README.roboflow.txt": "flowers - v1\n====\n",
        "README.dataset.txt": "# flowers\nhttps://universe.roboflow.com",
        "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['yes', no]\nroboflow: {v: 1}\n",
        "train/images/a_jpg.rf.0a1.jpg": SIZE,
        "train/labels/a_jpg.rf.0a1.txt": LINE,
        "valid/images/b_jpg.rf.0b2.jpg": SIZE,
        "valid/labels/b_jpg.rf.0b2.txt": LINE + "1 0.1 0.1 0.9 0.1 0.9 0.9\n",
        "train/images/.ipynb_checkpoints/a_jpg.rf.0a1-checkpoint.jpg": SIZE,
        "train/labels/._a_jpg.rf.0a1.txt": "x",
    },
    "CVAT": {
        "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": "yes\nno\n",
        "train.txt": "data/obj_train_data/frame_000000.PNG\ndata/obj_train_data/frame_000001.PNG\n",
        "obj_train_data/frame_000000.PNG": SIZE,
        "obj_train_data/frame_000000.txt": LINE,
        "obj_train_data/frame_000001.PNG": SIZE,
        "obj_train_data/frame_000001.txt": LINE + "1 0.5 0.5 0.1 0.1\n",
    },
    "Label Studio": {
        "classes.txt": "yes\nno\n",
        "notes.json": '{"categories": [{"id": 0, "name": "yes"}]}',
        "images/1f-a.jpg": SIZE,
        "labels/1f-a.txt": LINE,
        "images/2f-b.jpg": SIZE,
        "labels/2f-b.txt": LINE + "1 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n",
    },
    "ultralytics": {
        "LICENSE": "x",
        "LICENSE.txt": "AGPL-3.0",
        "README.md": "x",
        "data.yaml": "path: ../datasets/x\ntrain: images/train2017\nval: images/val2017\nnames:\n  0: yes\n  1: no\n",
        "train2017.txt": "./images/train2017/000000000009.jpg\n",
        "val2017.txt": "./images/val2017/000000000025.jpg\n",
        "autosplit_train.txt": "./images/train2017/000000000009.jpg\n",
        "labels/train2017.cache": "x",
        "images/train2017/000000000009.jpg": SIZE,
        "images/train2017/000000000009.npy": "x",
        "labels/train2017/000000000009.txt": LINE,
        "images/val2017/000000000025.jpg": SIZE,
        "labels/val2017/000000000025.txt": LINE + "1 0.5 0.5 0.1 0.1\n",
    },
}


@pytest.mark.parametrize("tool", FOLDERS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_folders_of_other_tools_are_read_by_one_line(tmp_path, tool, packed):
    folder = folder_of(tmp_path / "set", FOLDERS[tool] | DROPPINGS)
    if packed:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
        folder = tmp_path / "set.zip"
    label_set = hio.read_yolo(folder, progress=False)
    assert len(label_set.images) == 2 and label_set.labels["class_name"].tolist() == ["yes", "yes", "no"]
    assert boxes(label_set)[:2] == [[6, 2, 14, 8]] * 2
    assert label_set.label_classes["name"].tolist() == ["yes", "no"]


def test_archives_and_folders_of_all_formats_pass_over_the_same(tmp_path, small):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        small.to_coco(tmp_path / "a.json")
        archive.write(tmp_path / "a.json", "deep/a.json")
        archive.writestr("deep/__MACOSX/._a.json", "x")
        archive.writestr("deep/.ipynb_checkpoints/a-checkpoint.json", "x")
    assert len(hio.read_coco(tmp_path / "a.zip").labels) == 3
    for name, dropping in (("voc", "._b.xml"), ("semantic_png", "._b.png")):
        getattr(small, f"to_{name}")(tmp_path / name, on_loss="ignore")
        for place in (".ipynb_checkpoints", "train", "__MACOSX"):
            (tmp_path / name / place).mkdir(exist_ok=True)
            (tmp_path / name / place / dropping).write_text("x")
        assert len(getattr(hio, f"read_{name}")(tmp_path / name, progress=False).images) == 3


def test_open_archives_are_read_and_texts_are_no_paths(tmp_path):
    (tmp_path / "in").mkdir()
    folder = folder_of(tmp_path / "in", {"a.png": (10, 10), "a.txt": "0 .5 .5 .2 .2\n", "classes.txt": "cat\n"})
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    with Path(packed).open("rb") as file:
        assert boxes(hio.read_yolo(file, progress=False)) == boxes(hio.read_yolo(packed, progress=False))
    assert boxes(hio.read_yolo(io.BytesIO(Path(packed).read_bytes()), progress=False)) == [[4, 4, 6, 6]]
    for read_it in (hio.read_coco, hio.read_yolo, hio.read_hasty_json, hio.read_voc):
        with pytest.raises(ValidationException, match="no file is called that"):
            read_it('{"images": []}' * 50)
