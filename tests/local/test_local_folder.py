"""The folder of a server: its owner's alone, and without what servers left there that were killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from hastyframe.entities import Image
from hastyframe.local import LocalServer
from hastyframe.local.store import Store

from .helpers import Api, png


@pytest.fixture
def careless():
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def test_everything_is_the_owners_alone(tmp_path, careless, monkeypatch):
    folder = tmp_path / "folder"
    with LocalServer(folder) as server:
        api = Api(server)
        dataset = api.dataset()
        api.image(dataset)
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError))  # a file system without links
        api.image(dataset, "b.png")
        api.upload(png())
        api.wait(f"exports/{api.post('exports', {'export_name': 'e', 'format': 'images'})['id']}")
        found = modes(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {"hastyframe.sqlite", "hastyframe.sqlite-wal", "lock", "secret", "api_key", "mark"} <= set(found)
        assert len(found) > 13
        for path, mode in found.items():
            assert mode == (0o700 if (folder / path).is_dir() else 0o600), path


def test_a_folder_of_before_is_closed_to_others(tmp_path, careless):
    folder = tmp_path / "folder"
    for name in ("images", "uploads", "exports"):
        (folder / name).mkdir(parents=True)
    for name in ("hastyframe.sqlite", "lock", "secret", "api_key"):
        (folder / name).touch()
    with LocalServer(folder):
        assert set(modes(folder).values()) == {0o600, 0o700}
    assert folder.stat().st_mode & 0o777 == 0o777  # whoever made it may have had a reason


KILLED = """
import os, signal, sys
from hastyframe.local import LocalServer, images, files
from local.helpers import Api, png
server = LocalServer(sys.argv[1]).start()
api = Api(server)
dataset = api.dataset()
kept, gone = api.image(dataset, "kept.png"), api.image(dataset, "gone.png")
done = api.wait(f"exports/{api.post('exports', {'export_name': 'e', 'format': 'images'})['id']}")
killed = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
print(api.project["id"], kept["id"], done["id"], flush=True)
if sys.argv[2] == "create":
    images.public = killed
    api.image(dataset, "new.png")
elif sys.argv[2] == "receive":
    async def receive(self, pieces, path):
        with self.part_of(path):
            killed()
    files.Files.receive = receive
    api.upload(png())
elif sys.argv[2] == "delete":
    files.Files.remove_images = killed
    api.delete(f"images/{gone['id']}")
elif sys.argv[2] == "dataset":
    files.Files.remove_images = killed
    api.delete(f"datasets/{dataset}")
elif sys.argv[2] == "project":
    files.Files.remove_project = killed
    api.delete("")
"""


def kept(folder: Path) -> set[str]:
    files = {path.name for kind in ("images", "exports") for path in (folder / kind).rglob("*") if path.is_file()}
    return files | {path.name for path in (folder / "uploads").rglob("*.part")}


@pytest.mark.parametrize("moment", ["create", "receive", "delete", "dataset", "project"])
def test_what_a_killed_server_left_is_removed(tmp_path, moment):
    command = [sys.executable, "-c", KILLED, str(tmp_path), moment]
    here = {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | here)
    assert done.returncode == -signal.SIGKILL, done.stderr
    project, image, export = done.stdout.split()
    left = kept(tmp_path)
    with LocalServer(tmp_path):
        store = Store(tmp_path / "hastyframe.sqlite")
        known = store.ids(Image, {})
        store.close()
        archives = set() if moment == "project" else {f"{export}.zip"}
        assert kept(tmp_path) == known | archives
        assert (image in known) == (moment not in {"dataset", "project"})
        assert left > kept(tmp_path)
        assert (tmp_path / "images" / project).exists() == (moment != "project")


def test_files_beside_another_database_stay(tmp_path, caplog):
    with LocalServer(tmp_path) as server:
        api = Api(server)
        dataset = api.dataset()
        api.image(dataset)
        shutil.copy(tmp_path / "hastyframe.sqlite", tmp_path / "copy")
    with LocalServer(tmp_path) as server:
        api.server, api.session.headers["X-Api-Key"] = server, server.api_key
        later = api.image(dataset, "later.png")["id"]
    before = kept(tmp_path)
    for database in (tmp_path / "copy", None, None):  # an older one, then a new one twice
        (tmp_path / "hastyframe.sqlite").unlink()
        if database is not None:
            shutil.copy(database, tmp_path / "hastyframe.sqlite")
        for _ in range(2):
            with LocalServer(tmp_path):
                assert later in kept(tmp_path) == before
    assert "are left alone: remove them by hand" in caplog.text


def test_files_of_other_names_stay(tmp_path):
    with LocalServer(tmp_path) as server:
        project = Api(server).project["id"]
    others = ["images/mine.png", f"images/{project}/mine.png", "exports/mine.zip", "uploads/mine.part", "mine/x.part"]
    orphans = [f"images/{project}/{uuid.uuid4()}", f"exports/{uuid.uuid4()}.zip", f"images/{uuid.uuid4()}/x"]
    for name in others + orphans:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    with LocalServer(tmp_path):
        assert [(tmp_path / name).exists() for name in others + orphans] == [True] * len(others) + [False] * 3
