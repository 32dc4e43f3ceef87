"""The pages under docs/ say what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from making import make_images, make_labels, make_project

import hastyframe as hf
from hastyframe.frames import BOX
from hastyframe.io import FormatWarning

ROOT = Path(__file__).parents[1]


def test_frames_page_is_written_from_the_declarations():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert build.PAGE.read_text(encoding="utf-8") == build.page(), "run: python docs/build.py"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *[f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")]]
)
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page} links to {target}"


def blocks(page, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    prepare(tmp_path)
    names = {}
    with hf.Client.local(tmp_path / "server", progress=False) as client:
        monkeypatch.setenv("HASTY_API_KEY", client.api_key)
        monkeypatch.setenv("HASTY_BASE_URL", client.base_url)
        for block in blocks("README.md"):
            exec(compile(block, "README.md", "exec"), names)
        for name in [name for name, value in names.items() if isinstance(value, hf.Client)]:
            names[name].close()
    assert len(names["predictions"])


def test_python_of_the_server_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks("docs/server.md"):
        exec(compile(block, "docs/server.md", "exec"), {})


def test_python_of_the_evaluation_page_runs():
    names = {}
    for block in blocks("docs/evaluation.md"):
        exec(compile(block, "docs/evaluation.md", "exec"), names)
    assert len(names["evaluation"].matches) == 4


def test_python_of_the_predictions_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/predictions.md"):
        exec(compile(block, "docs/predictions.md", "exec"), names)
    assert names["evaluation"].summary()["AP"] == pytest.approx(1)


def test_python_of_the_geometry_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/geometry.md"):
        exec(compile(block, "docs/geometry.md", "exec"), names)
    printed = blocks("docs/geometry.md", "text")[0]
    assert capsys.readouterr().out.split() == printed.split()


def prepare(folder):
    """Lay the pictures that the README's lines upload into a folder."""
    import shutil
    from importlib.resources import files

    (folder / "photos").mkdir()
    for name in ("coins.png", "gravel.png"):
        shutil.copy(files("skimage") / "data" / name, folder / "photos" / name)


def test_python_of_the_edits_page_runs(project, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"project": project}
    planning, applying, resuming, undoing = (compile(b, "docs/edits.md", "exec") for b in blocks("docs/edits.md"))
    before = project.get_labels()
    exec(planning, names)
    exec(applying, names)
    stored = project.get_labels()
    assert set(before.index) - set(stored.index) == set(before.index[before["x_max"] - before["x_min"] == 3])
    assert set(stored["class_name"]) == {"coin"}
    exec(resuming, names)
    assert names["report"]["outcome"].value_counts()["deleted"] == len(before) - len(stored)
    exec(undoing, names)
    undone = project.get_labels()
    images = project.get_images()
    assert table_of(undone, images) == table_of(before, images)


def test_python_of_the_jobs_page_runs_and_does_its_jobs(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = make_project(client)
    project.create_dataset("photos")
    folders = draw_pictures(tmp_path)
    project.upload_images(folders["pictures"], "photos")
    images = project.get_images().reset_index().set_index("name")
    (tmp_path / "yolo").mkdir()
    Path("yolo", "classes.txt").write_text("coin\nleaf\n")
    Path("yolo", "a.txt").write_text(
        "0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.125 0.1\n0 0.5 0.5 0 0.25\n"
    )  # no width: dropped
    Path("yolo", "b.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    source = make_project(client)
    source.create_attribute("colour", "SELECTION", values=["red", "blue"])
    made = make_labels(source, make_images(source, folders["pictures"]))
    source.set_label_attributes([{"label_id": made.index[0], "attribute_name": "colour", "value": "red"}])
    source.pull().to_hasty_json("export.json")

    (opening, by_status, yolo, training, duplicates, rebuild, upload, export, by_steps) = blocks("docs/jobs.md")
    names = {"client": client, "project": project}

    def run(block):
        assert len(block.splitlines()) <= 5
        exec(compile(block, "docs/jobs.md", "exec"), names)

    run(opening)
    project.set_status([images.loc["b.png", "image_id"]], "DONE")
    run(by_status)
    assert project.get_images().set_index("name")["status"].astype(str).to_dict() == {
        "a.png": "TO REVIEW",
        "b.png": "DONE",
    }

    for _ in range(2):  # a second time, as after a crash: nothing is there twice
        with pytest.warns(FormatWarning, match="rounded outwards"):
            run(yolo)
        labels = project.get_labels(images["image_id"])
        boxes = labels.assign(name=labels["image_id"].map(images.reset_index().set_index("image_id")["name"]))
        found = boxes[["name", "class_name", *BOX]].astype({"class_name": str}).to_numpy().tolist()
        assert sorted(found) == [
            ["a.png", "coin", 10, 5, 30, 15],
            ["a.png", "leaf", 7, 4, 13, 6],
            ["b.png", "coin", 10, 5, 30, 15],
        ]

    run(training)
    data = yaml.safe_load(Path("training", "data.yaml").read_text())
    assert (data["train"], data["val"], {"coin", "leaf"} <= set(data["names"].values())) == (
        "train.txt",
        "val.txt",
        True,
    )
    assert len(hf.read_yolo("training").labels) == 3

    project.create_labels(labels.iloc[[0, 0]])
    run(duplicates)
    assert project.get_labels().index.tolist() == labels.index.tolist()
    assert names["report"]["outcome"].tolist() == ["deleted"] * 2
    names["report"].undo().apply()
    assert len(project.get_labels()) == 5

    run(rebuild)
    pulled, original = names["rebuilt"].pull(), source.pull()
    assert pulled.label_classes[["name", "color", "norder"]].to_numpy().tolist() == (
        original.label_classes[["name", "color", "norder"]].to_numpy().tolist()
    )
    assert sorted(pulled.images["name"]) == ["a.png", "b.png"]
    assert table_of(pulled.labels, pulled.images) == table_of(original.labels, original.images)
    assert pulled.label_attributes["value"].tolist() == ["red"]

    with pytest.warns(UserWarning, match="1 of 2 pictures were not uploaded"):
        run(upload)
    assert names["failed"]["path"].map(lambda path: Path(path).name).tolist() == ["broken.png"]
    assert "c.png" in project.get_images("photos")["name"].tolist()

    run(export)
    assert len(names["label_set"].images) == 3
    assert len(names["label_set"].labels) == 5
    run(by_steps)
    assert names["archive"].is_file()
    kept = project.get_labels(image_status=["NEW", "TO REVIEW"])  # all but those of b.png
    assert sorted(names["coco"].labels[list(BOX)].values.tolist()) == sorted(kept[list(BOX)].values.tolist())


def table_of(labels, images):
    """List labels without their ids, by the names of images and classes."""
    named = labels.assign(name=labels["image_id"].map(images["name"]))
    return sorted(map(repr, named[["name", "class_name", *BOX, "polygon", "mask", "z_index"]].to_numpy().tolist()))


def draw_pictures(folder):
    """Draw two pictures, and another one beside a file that is none."""
    from PIL import Image

    for name in ("pictures", "incoming"):
        (folder / name).mkdir()
    for place in ("pictures/a.png", "pictures/b.png", "incoming/c.png"):
        Image.new("L", (40, 20)).save(folder / place)
    (folder / "incoming" / "broken.png").write_bytes(b"no picture")
    return {name: folder / name for name in ("pictures", "incoming")}
