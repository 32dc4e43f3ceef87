"""Pictures to and from the server: folders, lists, frames; what fails alone, and names that mean harm."""

from __future__ import annotations

import errno
import os
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from making import make_project
from PIL import Image
from servers import Answer, serve

import hastyframe as hf
from hastyframe import paths, transport, uploads
from hastyframe import pictures as module
from hastyframe.local.files import Size

NAMES = ["cell.png", "coins.png", "ramp.jpg", "ramp.png"]


@pytest.fixture(scope="module")
def project(client):
    return make_project(client)


@pytest.fixture
def dataset(project):
    """A dataset of the test's own."""
    dataset = project.create_dataset("own")
    yield dataset
    dataset.delete()


def image(**changes):
    record = {"image_id": "i1", "dataset_name": "train", "name": "a.png", "public_url": "http://127.0.0.1:9/a"}
    return pd.DataFrame([record | changes]).set_index("image_id")


# Uploading ------------------------------------------------------------------------------------------------------------


def test_upload_a_folder(project, dataset, pictures):
    report = project.upload_images(pictures, dataset)
    assert report["name"].tolist() == NAMES
    assert set(report["outcome"]) == {"uploaded"}
    assert report["message"].isna().all()
    assert report.index.tolist() == [0, 1, 2, 3]
    images = project.get_images(dataset).loc[report["image_id"]]
    assert images["name"].tolist() == NAMES
    assert images[["width", "height"]].iloc[2:].to_numpy().tolist() == [[40, 30]] * 2
    assert set(images["dataset_name"]) == {"own"}


def test_upload_other_files_of_a_folder_are_left_alone(project, dataset, pictures, tmp_path):
    shutil.copy(pictures / "ramp.png", tmp_path / "B.PNG")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    assert project.upload_images(str(tmp_path), "own")["name"].tolist() == ["B.PNG"]


def test_upload_paths(project, dataset, pictures):
    paths = [pictures / "ramp.png", str(pictures / "cell.png")]
    assert project.upload_images(paths, dataset.id)["name"].tolist() == ["ramp.png", "cell.png"]
    assert project.upload_images(pictures / "ramp.jpg", dataset)["outcome"].tolist() == ["uploaded"]


def test_upload_a_frame(project, dataset, pictures):
    frame = pd.DataFrame(
        {
            "path": [pictures / name for name in NAMES],
            "name": ["first.png", None, "third.jpg", "fourth.png"],
            "external_id": [17, 18.0, "x", None],
            "dataset_name": ["own", "own", "val", "own"],
            "width": 3,
        },
        index=list("abcd"),
    )
    report = project.upload_images(frame)
    stored = project.get_images().loc[report["image_id"]]
    assert stored["name"].tolist() == ["first.png", "coins.png", "third.jpg", "fourth.png"]
    assert stored["external_id"].fillna("-").tolist() == ["17", "18", "x", "-"]
    assert stored["dataset_name"].tolist() == ["own", "own", "val", "own"]
    project.get_image(report["image_id"].iloc[2]).delete()


def test_one_bad_file_does_not_stop_the_others(project, dataset, pictures, tmp_path):
    for name in NAMES:
        shutil.copy(pictures / name, tmp_path / name)
    (tmp_path / "bad.png").write_text("not a picture")
    (tmp_path / "ramp.png").write_bytes((pictures / "ramp.png").read_bytes()[:20])
    with pytest.warns(UserWarning, match=r"3 of 6 pictures were not uploaded: see `outcome`.*bad\.png") as caught:
        report = project.upload_images([*sorted(tmp_path.iterdir()), tmp_path / "nowhere.png"], dataset)
    assert caught[0].filename == __file__
    assert report["name"].tolist() == ["bad.png", *NAMES, "nowhere.png"]
    assert report["outcome"].tolist() == ["failed", *["uploaded"] * 3, "failed", "failed"]
    assert "is not an image" in report["message"].iloc[0]
    assert "is not an image" in report["message"].iloc[4]
    assert "There is no file" in report["message"].iloc[5]
    assert report["image_id"].notna().tolist() == (report["outcome"] == "uploaded").tolist()
    assert sorted(project.get_images(dataset)["name"]) == NAMES[:3]


def test_the_same_line_again_sends_nothing_twice(project, dataset, pictures, recorder, client):
    first = project.upload_images(pictures / "ramp.png", dataset)
    report = project.upload_images(pictures, dataset)
    assert report["outcome"].tolist() == ["uploaded"] * 3 + ["there already"]
    assert report["image_id"].iloc[3] == first["image_id"].iloc[0]
    with hf.Client(client.api_key, recorder.url, progress=False) as through:
        found = through.get_project(project.id)
        recorder.clear()
        again = found.upload_images(pictures, "own")
    assert set(again["outcome"]) == {"there already"}
    assert again["image_id"].tolist() == report["image_id"].tolist()
    assert not recorder.writes
    assert len(recorder.seen) == 2  # the datasets by name, the images of this one


def test_another_picture_of_the_same_name_fails(project, dataset, pictures, tmp_path):
    project.upload_images(pictures, dataset)
    shutil.copy(pictures / "coins.png", tmp_path / "ramp.png")
    shutil.copy(pictures / "cell.png", tmp_path / "cell.png")
    with pytest.warns(UserWarning, match="1 of 2 pictures"):
        report = project.upload_images(tmp_path, dataset)
    assert report["outcome"].tolist() == ["there already", "failed"]
    assert "it has 40 × 30 pixels, the file has 384 × 303. Rename" in report["message"].iloc[1]
    assert report["image_id"].isna().tolist() == [False, True]


def test_bytes_are_compared_where_size_is_not_enough(project, dataset, pictures, tmp_path):
    project.upload_images(pictures, dataset)
    shutil.copy(pictures / "cell.png", tmp_path / "cell.png")
    Image.new("L", (40, 30)).save(tmp_path / "ramp.png")
    assert set(project.upload_images(tmp_path, dataset)["outcome"]) == {"there already"}
    with pytest.warns(UserWarning, match="1 of 2 pictures"):
        report = project.upload_images(tmp_path, dataset, compare="checksum")
    assert report["outcome"].tolist() == ["there already", "failed"]
    assert "with other bytes. Rename" in report["message"].iloc[1]
    with pytest.raises(hf.ValidationException, match="compare is 'md5'"):
        project.upload_images(tmp_path, dataset, compare="md5")


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_picture_has_the_size_that_people_see(project, dataset, tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("L", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    size = (30, 40) if orientation >= 5 else (40, 30)
    report = project.upload_images(tmp_path / "a.jpg", dataset)
    assert (report["outcome"].tolist(), report["message"].isna().tolist()) == (["uploaded"], [True])
    assert [*project.get_images()[["width", "height"]].itertuples(index=False)] == [size]
    again = project.upload_images(tmp_path / "a.jpg", dataset)
    assert (again["outcome"].tolist(), again["message"].isna().tolist()) == (["there already"], [True])
    Image.new("L", (size[1], size[0])).save(tmp_path / "a.jpg")
    with pytest.warns(UserWarning, match=f"{size[0]} × {size[1]}"):
        assert project.upload_images(tmp_path / "a.jpg", dataset)["outcome"].tolist() == ["failed"]


def test_a_server_that_does_not_turn_has_the_same_picture_and_it_is_said(project, dataset, tmp_path, monkeypatch):
    """What a server makes of the orientation is up to it; labels made on what people see would lie elsewhere."""
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("L", (40, 30)).save(tmp_path / "stored.jpg")
    project.upload_images(pd.DataFrame({"path": [tmp_path / "stored.jpg"], "name": "a.jpg"}), dataset)
    report = project.upload_images(tmp_path / "a.jpg", dataset)
    assert report["outcome"].tolist() == ["there already"]
    assert "40 × 30 pixels, as the file stores them; people see 30 × 40" in report["message"].iloc[0]

    monkeypatch.setattr("hastyframe.local.images.read_size", lambda path, name: Size(40, 30, "image/jpeg"))
    report = project.upload_images(pd.DataFrame({"path": [tmp_path / "a.jpg"], "name": "b.jpg"}), dataset)
    assert report["outcome"].tolist() == ["uploaded"]
    assert "people see 30 × 40" in report["message"].iloc[0]


def test_names_that_are_taken_meanwhile(project, dataset, pictures, monkeypatch):
    """Two upload the same folder at once: who comes second finds what is there."""
    put = uploads._Upload._put

    def put_late(self, picture):
        if picture.name == "ramp.png":
            project.upload_from_file(dataset, picture.path)
        return put(self, picture)

    monkeypatch.setattr(uploads._Upload, "_put", put_late)
    frame = pd.DataFrame({"path": [pictures / "cell.png", pictures / "ramp.png"]})
    report = project.upload_images(frame, dataset)
    assert report["outcome"].tolist() == ["uploaded", "there already"]


def test_addresses_that_expire_are_fetched_anew(project, dataset, pictures, monkeypatch):
    addresses = module._addresses
    counts = []

    def stale(transport, project_id, count):
        counts.append(count)
        found = addresses(transport, project_id, count)
        return [{**one, "url": one["url"] + "0"} for one in found] if len(counts) == 1 else found

    monkeypatch.setattr(module, "_addresses", stale)
    with hf.Client(project._requester._api_key, project._requester.base_url, max_workers=1, progress=False) as one:
        report = one.get_project(project.id).upload_images(pictures, dataset.id)
    assert report["outcome"].tolist() == ["uploaded"] * 4
    assert counts == [4, 3, 1]  # the other three were no good either, and are not tried


def test_a_file_that_the_server_refuses_does_not_stop_the_others(project, dataset, pictures, tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "a.ppm")
    shutil.copy(pictures / "ramp.png", tmp_path / "b.png")
    frame = pd.DataFrame({"path": sorted(tmp_path.iterdir()), "name": ["a\\b.png", "b.png"]})
    with pytest.warns(UserWarning, match="1 of 2 pictures"):
        report = project.upload_images(frame, dataset)
    assert report["outcome"].tolist() == ["failed", "uploaded"]
    assert "cannot hold" in report["message"].iloc[0]


def test_ctrl_c_says_what_was_done(project, dataset, pictures, monkeypatch, capsys):
    new_image = uploads.new_image

    def interrupted(transport, project_id, picture, upload_id):
        if picture.name == "ramp.jpg":
            raise KeyboardInterrupt
        return new_image(transport, project_id, picture, upload_id)

    with hf.Client(project._requester._api_key, project._requester.base_url, max_workers=1, progress=False) as one:
        through = one.get_project(project.id)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(uploads, "new_image", interrupted)
            through.upload_images(pictures, dataset.id)
        said = capsys.readouterr().err
        assert said == "Interrupted: 2 uploaded, 2 pending. The same line again goes on: it skips what is there.\n"
        report = through.upload_images(pictures, dataset.id)
    assert report["outcome"].tolist() == ["there already"] * 2 + ["uploaded"] * 2


@pytest.mark.parametrize("seed", range(2))
def test_pictures_are_there_once_and_whole_whatever_breaks(tmp_path, monkeypatch, seed):
    """Of the requests one in four goes wrong, in every way there is."""
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    rng = np.random.default_rng(seed)
    (tmp_path / "in").mkdir()
    for number in range(60):
        Image.fromarray(rng.integers(0, 255, (20, 30 + number), dtype=np.uint8)).save(tmp_path / f"in/{number:02}.png")
    with hf.Client.local(progress=False, timeout=(5.0, 1.0)) as client:
        project = client.create_project(client.get_workspaces(), "Faults")
        project.create_dataset("own")
        client.server.faults = hf.local.Faults.everywhere(0.25, seed=seed, slow=0.02, slow_seconds=1.3, retry_after=0)
        report = project.upload_images(tmp_path / "in", "own")
        assert set(report["outcome"]) == {"uploaded"}
        again = project.upload_images(tmp_path / "in", "own", compare="checksum")
        assert set(again["outcome"]) == {"there already"}
        assert again["image_id"].tolist() == report["image_id"].tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what fails in spite of all tries is for the second call
            project.download_images(folder=tmp_path / "out")
        client.server.faults = None
        assert set(project.download_images(folder=tmp_path / "out")["outcome"]) <= {"there already", "downloaded"}
        images = project.get_images()
        assert sorted(images.index) == sorted(report["image_id"])
        assert images["name"].loc[report["image_id"]].tolist() == report["name"].tolist()
    for path in (tmp_path / "in").iterdir():
        assert (tmp_path / "out" / "own" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "out").rglob("*"))) == 61


def test_a_server_that_is_gone_ends_the_upload(project, pictures, monkeypatch):
    """What was done is in the report, and what was not is not tried picture after picture."""
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    put = uploads._Upload._put

    with hf.Client.local(progress=False, max_workers=1) as client:
        theirs = make_project(client)

        def put_then_stop(self, picture):
            if picture.name == "ramp.jpg":
                client.server.stop()
            return put(self, picture)

        monkeypatch.setattr(uploads._Upload, "_put", put_then_stop)
        with pytest.warns(UserWarning, match="2 of 4 pictures"):
            report = theirs.upload_images(pictures, "train")
    assert report["outcome"].tolist() == ["uploaded"] * 2 + ["failed"] * 2
    assert report["message"].iloc[3].startswith("The server cannot be reached any more: No connection to")


def test_upload_from_file_and_url(project, dataset, pictures):
    one = project.upload_from_file("own", str(pictures / "ramp.png"), external_id="e1")
    assert (one.name, one.dataset_id, one.external_id, one.project_id) == ("ramp.png", dataset.id, "e1", project.id)
    two = project.upload_from_url(dataset, "copy.png", one.public_url, external_id="e2")
    assert (two.width, two.height, two.external_id) == (40, 30, "e2")
    with pytest.raises(hf.ValidationException, match="url"):
        project.upload_from_url(dataset, "x.png", "file:///etc/hostname")


def test_addresses_are_fetched_many_at_a_time(recorder, client, project, dataset, pictures):
    with hf.Client(client.api_key, recorder.url, progress=False) as through:
        through.get_project(project.id).upload_images(pictures, "own")
    asked = [seen.query for seen in recorder.seen if seen.path.endswith("/uploads")]
    assert asked == [{"count": "4"}]


@pytest.mark.parametrize("items", [[], [{"id": "x"}], "none", None])
def test_addresses_that_are_none(items):
    with (
        serve(lambda seen: {"items": items}) as server,
        hf.Client("key", server.url) as client,
        pytest.raises(hf.UnexpectedAnswer, match="addresses to upload to"),
    ):
        module.upload_address(client._transport, "p")


def test_a_picture_whose_fate_is_unknown(monkeypatch, pictures):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)

    def answer(seen):
        if seen.path.endswith("/uploads"):
            return {"items": [{"id": "u", "url": f"http://{seen.headers['host']}/store"}]}
        if seen.method == "GET":
            return {"meta": {"total": 1}, "items": [{"id": "d", "name": "train", "project_id": "p"}]}
        return Answer(fault="reset") if seen.method == "POST" else {}

    with serve(answer) as server, hf.Client("key", server.url, progress=False) as client:
        project = hf.Project(client._transport, {"id": "p"})
        with pytest.warns(UserWarning, match="1 of 1 pictures"):
            report = project.upload_images([pictures / "ramp.png"], "train")
        assert report["outcome"].tolist() == ["unknown"]
        assert "read back" in report["message"].iloc[0]


# Downloading ----------------------------------------------------------------------------------------------------------


def test_download_and_again(project, dataset, pictures, tmp_path):
    project.upload_images(pictures, dataset)
    images = project.get_images(dataset).sort_values("name")
    report = project.download_images(images, tmp_path / "out")
    assert report.index.equals(images.index)
    assert report["outcome"].tolist() == ["downloaded"] * 4
    for name in NAMES:
        assert (tmp_path / "out" / "own" / name).read_bytes() == (pictures / name).read_bytes()
    changed = tmp_path / "out" / "own" / "ramp.png"
    changed.write_text("mine")
    (tmp_path / "out" / "own" / "cell.png").unlink()
    again = project.download_images(images, tmp_path / "out")
    assert again["outcome"].tolist() == ["downloaded"] + ["there already"] * 3
    assert changed.read_text() == "mine"
    assert set(project.download_images(images, tmp_path / "out", overwrite=True)["outcome"]) == {"downloaded"}
    assert changed.read_bytes() == (pictures / "ramp.png").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_download_by_ids_handles_labels_and_all(project, dataset, pictures, tmp_path):
    ids = project.upload_images(pictures, dataset)["image_id"].tolist()
    assert project.download_images(ids[0], tmp_path).index.tolist() == ids[:1]
    assert project.download_images([project.get_image(ids[1]), ids[0], ids[0]], tmp_path).index.tolist() == ids[1::-1]
    labels = pd.DataFrame({"image_id": [ids[2], ids[2]]}, index=pd.Index(["l1", "l2"], name="label_id"))
    assert project.download_images(labels, tmp_path).index.tolist() == [ids[2]]
    assert set(ids) <= set(project.download_images(folder=tmp_path).index)


@pytest.mark.parametrize(
    "names",
    [
        {"name": "../evil.png"},
        {"name": "x" * 300 + ".png"},
        {"name": "ä" * 200 + ".png"},
        {"name": "nul.png"},
        {"name": "dots..."},
        {"dataset_name": "train-" * 50},
        {"dataset_name": "CON"},
        {"name": "/etc/evil.png"},
        {"name": "..\\evil.png"},
        {"name": ".."},
        {"name": ""},
        {"name": "a\0b.png"},
        {"dataset_name": "../.."},
        {"dataset_name": "/etc"},
        {"dataset_name": "a/b"},
    ],
)
def test_names_that_would_leave_the_folder_stay_in_it(project, dataset, pictures, tmp_path, names):
    project.upload_from_file(dataset, pictures / "ramp.png")
    good = project.get_images(dataset)
    odd = image(**names).assign(public_url=good["public_url"].iloc[0])
    (tmp_path / "inner").mkdir()
    both = pd.concat([odd, good])
    report = project.download_images(both, tmp_path / "inner" / "out")
    assert report["outcome"].tolist() == ["downloaded"] * 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(map(str, files)) == sorted(report["path"])
    for path in files:
        folder, name = path.relative_to(tmp_path / "inner" / "out").parts
        assert max(len(folder.encode()), len(name.encode())) <= 255
        assert not re.search(r"^\.+$|[\\/\0]|[. ]$|^(con|nul)\b", f"{name}\n{folder}", re.MULTILINE | re.IGNORECASE)
    assert set(project.download_images(both, tmp_path / "inner" / "out")["outcome"]) == {"there already"}


def test_images_that_would_be_the_same_file_are_several(project, dataset, pictures, tmp_path):
    project.upload_images([pictures / "ramp.png", pictures / "cell.png"], dataset)
    good = project.get_images(dataset).sort_values("name", ascending=False)
    twins = good.assign(name=["RAMP.png", "ramp.png"])
    report = project.download_images(twins, tmp_path)
    assert report["outcome"].tolist() == ["downloaded"] * 2
    read = [Path(path).read_bytes() for path in report["path"]]
    assert read == [(pictures / name).read_bytes() for name in ("ramp.png", "cell.png")]
    assert len({path.casefold() for path in report["path"]}) == 2
    again = project.download_images(twins.iloc[::-1], tmp_path)
    assert set(again["outcome"]) == {"there already"}
    assert again["path"].to_dict() == report["path"].to_dict()


def test_what_is_downloaded_can_be_pushed(client, project, dataset, pictures, tmp_path):
    named = project.upload_from_file(dataset, pictures / "ramp.png")
    named.rename("ramp: 1?.png")
    dataset.edit(name="x" * 250)
    pulled = project.pull()
    project.download_images(folder=tmp_path)
    other = client.create_project(client.get_workspaces(), "Other")
    other.push(pulled, tmp_path)
    assert other.get_images()["name"].tolist() == ["ramp: 1?.png"]


def test_what_cannot_be_written_costs_its_row_only(project, dataset, pictures, tmp_path, monkeypatch):
    project.upload_images(pictures, dataset)
    images = project.get_images(dataset).sort_values("name")
    (tmp_path / "own" / "ramp.png").mkdir(parents=True)  # a folder in the place of a file
    with pytest.warns(UserWarning, match="1 of 4 pictures"):
        report = project.download_images(images, tmp_path)
    assert report["outcome"].tolist() == ["downloaded"] * 3 + ["failed"]
    assert report["message"].iloc[3].endswith("it is a folder. Give the name of a file.")
    (tmp_path / "blocked").touch()  # a file in the place of a dataset's folder
    with pytest.warns(UserWarning, match="2 of 4 pictures"):
        report = project.download_images(images.assign(dataset_name=["new", "new", "blocked", "blocked"]), tmp_path)
    assert report["outcome"].tolist() == ["downloaded"] * 2 + ["failed"] * 2
    assert "cannot be written (File exists). Something else has this name" in report["message"].iloc[3]
    with pytest.raises(hf.FormatError, match="blocked: it cannot be written"):
        project.download_images(images, tmp_path / "blocked")

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.warns(UserWarning, match="4 of 4 pictures"):
        report = project.download_images(images, tmp_path / "full")
    assert set(report["message"].str.extract(r"(\(No space.*)")[0]) == {
        "(No space left on device). Free some space, or choose another place."
    }
    with pytest.raises(hf.FormatError, match="Free some space"):
        project.get_image(images.index[0]).download(tmp_path / "one.png")
    assert not [path for path in (tmp_path / "full").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "place", ["", ".", "a\0b", "x" * 300, "file/a.png", "nowhere/a.png", None, 3, b"a.png", "\ud800"]
)
def test_one_picture_that_cannot_be_written(project, dataset, pictures, tmp_path, place, monkeypatch):
    one = project.upload_from_file(dataset, pictures / "ramp.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(hf.ValidationException, match=r"filepath is|cannot be written|is a folder"):
        one.download(place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "name", ["a.png", "Ä b.png", ".hidden", "a.b.c", "coin (1).png", "x" * 200, "nullable.png", "con1"]
)
def test_good_names_stay(name):
    assert paths.safe_name(name) == name


BAD_NAMES = [
    "", ".", "..", "...", " a", "a ", "a.", "a/b", "a\\b", "a:b", "a\0b", "a\nb", "\ud800", "con", "CON.png",
    "Lpt1.x.y", "com¹", "x" * 201, "\U0001f600" * 90, "x." + "y" * 300, "." * 300, "a?", "a*", "<a>", "a|b", 'a"b',
]  # fmt: skip


def test_bad_names_become_good_ones_that_differ():
    made = [paths.safe_name(name) for name in BAD_NAMES]
    assert len({name.casefold() for name in made}) == len(BAD_NAMES)
    for name in made:
        assert re.fullmatch(r'[^\x00-\x1f/\\:*?"<>|\ud800-\udfff]+', name)
        assert len(name.encode()) <= 255
        assert name.strip(" .") and name == name.rstrip(" .")
        assert name.split(".")[0].casefold() not in {"con", "lpt1", "com¹"}
        assert paths.safe_name(name) == name
    assert made == [paths.safe_name(name) for name in BAD_NAMES]


def test_downloads_that_fail(project, monkeypatch, tmp_path):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    with serve(lambda seen: Answer(404, b"gone", {"Content-Type": "text/plain"})) as server:
        images = pd.concat(
            [image(public_url=f"{server.url}/a.png"), image(image_id="i2", name="b.png", public_url=None)]
        )
        with pytest.warns(UserWarning, match="2 of 2"):
            report = project.download_images(images, tmp_path)
        assert all("x-api-key" not in seen.headers for seen in server.seen)
    assert report["outcome"].tolist() == ["failed", "failed"]
    assert "no public_url" in report["message"].iloc[1]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# Files ----------------------------------------------------------------------------------------------------------------


def test_very_large_pictures_are_pictures(tmp_path, monkeypatch):
    Image.new("L", (300, 200)).save(tmp_path / "large.png")
    for pixels in (40_000, 20_000):  # at first a warning, then an error
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert module.check_picture(tmp_path / "large.png") == tmp_path / "large.png"


def test_a_wrong_key_ends_the_upload(client, pictures, project):
    """Nothing of it can succeed: the other pictures are not tried."""
    stranger = hf.Client("wrong", client.base_url, progress=False)
    theirs = hf.Project(stranger._transport, project._data)
    dataset = project.get_datasets().index[0]
    files = sorted(pictures.iterdir())
    with pytest.raises(hf.AuthenticationException):
        uploads.upload(theirs._requester, theirs.id, [module.Picture(path, path.name, dataset) for path in files])


def test_files_that_cannot_be_sent_cost_their_row_only(project, dataset, pictures, tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    odd = tmp_path / os.fsdecode(b"\xff.png")
    for name in ("good.png", odd.name, "x" * 251 + ".png"):
        shutil.copy(pictures / "ramp.png", tmp_path / name)
    files = [*sorted(tmp_path.iterdir()), tmp_path / "nowhere.png", tmp_path / ("y" * 300)]
    with pytest.warns(UserWarning, match="5 of 7 pictures|6 of 7 pictures"):
        report = project.upload_images(files, dataset)
    messages = dict(zip(report["name"], report["message"].fillna(""), strict=True))
    assert messages["good.png"] == ""
    for name, words in {
        "empty.png": "is not an image",
        "folder.png": "it is a folder",
        "\\udcff.png": "half of a surrogate pair",
        "nowhere.png": "There is no file",
        "y" * 300: "File name too long",
    }.items():
        assert words in messages[name], name


@pytest.mark.parametrize("change", ["gone", "empty", "a folder"])
def test_files_that_change_while_they_are_uploaded(project, dataset, pictures, tmp_path, monkeypatch, change):
    for name in ("a.png", "b.png"):
        shutil.copy(pictures / "ramp.png", tmp_path / name)
    check = uploads._Upload._check

    def check_then_change(self):
        check(self)
        (tmp_path / "a.png").unlink()
        if change == "empty":
            (tmp_path / "a.png").touch()
        if change == "a folder":
            (tmp_path / "a.png").mkdir()

    monkeypatch.setattr(uploads._Upload, "_check", check_then_change)
    with pytest.warns(UserWarning, match="1 of 2 pictures"):
        report = project.upload_images(tmp_path, dataset)
    assert report["outcome"].tolist() == ["failed", "uploaded"]
    words = {"gone": "No such file", "empty": "empty by now", "a folder": "Is a directory"}
    assert words[change] in report["message"].iloc[0]


def test_a_file_that_may_not_be_read(project, dataset, pictures, tmp_path, monkeypatch):
    shutil.copy(pictures / "ramp.png", tmp_path / "a.png")

    def refuse(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.warns(UserWarning, match="Permission denied"):
        report = project.upload_images([tmp_path / "a.png"], dataset)
    assert report["outcome"].tolist() == ["failed"]
    for call in (
        lambda: project.upload_from_file(dataset, tmp_path / "a.png"),
        lambda: project.get_detector().predict(image_path=tmp_path / "a.png"),
    ):
        with pytest.raises(hf.FormatError, match=r"cannot be read \(Permission denied\). Get the permission"):
            call()
