"""A process that ends at any moment, however it ends: then either verb makes the intended or the former state."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edits import chaos

import hastyframe as hf

from . import ends
from .ends import End
from .runs import SCENES, World
from .truth import Truth, told

MOMENTS = range(int(os.environ.get("HASTYFRAME_ADVERSARY_MOMENTS", "6")))


@dataclass
class Scene:
    """A plan on the disk, and the truth about it."""

    world: World
    folder: Path
    place: Path
    truth: Truth
    chance: random.Random

    @property
    def journal(self) -> Path:
        return self.place / "journal.jsonl"

    @property
    def back(self) -> Path:
        return self.place / "back.jsonl"

    @property
    def project(self) -> hf.Project:
        return self.world.project

    def run(self, verb: str, end: End | None, room: int | None = None) -> int:
        """Let a process work that ends; all that it sent is carried out before this returns."""
        code = ends.run(self.world.client, self.project, self.folder, self.place, verb, end, room)
        for _ in range(3):  # what it sent goes before what is asked for now
            self.project.get_label_classes()
            time.sleep(0.04)
        crash = self.folder / "crash"
        if crash.exists() and "KeyboardInterrupt" not in crash.read_text():
            print(crash.read_text())
            raise AssertionError(f"{verb} ends with {crash.read_text().splitlines()[-1]!r}, no error of ours.")
        if end is not None and end.how == "power cut" and code < 0:
            for journal in (self.journal, self.back):
                ends.cut_power(self.folder / "notes", journal, self.chance)
        return code

    def is_as_before(self) -> bool:
        return Counter(self.world.there().values()) == Counter(self.truth.before.values())

    def go_on(self) -> None:
        """Resume, to the intended state."""
        if chaos.planned(self.journal):
            report = self.project.resume(self.journal)
            assert not told(self.truth.check_done(report, self.world.there()))
        else:  # nothing was sent
            assert self.is_as_before()

    def take_back(self) -> None:
        """Undo, to the former state; what is undone is not resumed."""
        if not chaos.planned(self.journal):
            assert self.is_as_before()
            return
        if self.chance.random() < 0.5:
            self.run("undo", End.draw(self.chance))
        if chaos.planned(self.back):
            self.project.resume(self.back)
        else:
            self.back.unlink(missing_ok=True)
            self._plan_back().apply(self.back)
        assert self.is_as_before(), self._difference()
        if len(pd.DataFrame(self.project.resume(self.back))):
            with pytest.raises(hf.JournalError, match="undo"):
                self.project.resume(self.journal)
        assert self.is_as_before(), self._difference()

    def _plan_back(self) -> hf.edits.Plan:
        try:
            return self.project.undo(self.journal)
        except hf.JournalError as error:
            assert "resume" in str(error)
            self.project.resume(self.journal)
            return self.project.undo(self.journal)

    def _difference(self) -> str:
        was, is_ = Counter(self.truth.before.values()), Counter(self.world.there().values())
        return f"{(was - is_).total()} lost, {(is_ - was).total()} too many"


@pytest.fixture
def make_scene(world, tmp_path):
    def make(seed: int, place: Path = tmp_path) -> Scene:
        rng = np.random.default_rng(seed)
        world.begin(world.make_labels(160, rng))
        was, before = world.project.get_labels(), world.there()
        after = SCENES["mixed"].change(world, was, rng)
        was.to_pickle(tmp_path / "before.pickle")
        after.to_pickle(tmp_path / "after.pickle")
        mine = [frame[frame["external_id"].astype(object) != "strange"] for frame in (was, after)]
        return Scene(world, tmp_path, place, Truth.of(world.project, before, *mine), random.Random(seed))

    return make


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_that_ends_and_then_either_verb(make_scene, moment):
    scene = make_scene(moment)
    for _ in range(scene.chance.randint(1, 3)):
        verb = "resume" if chaos.planned(scene.journal) else "apply"
        if verb == "apply":
            scene.journal.unlink(missing_ok=True)
        end = End.draw(scene.chance)
        print(verb, end, scene.run(verb, end))
    if scene.chance.random() < 0.5:
        print("resume")
        scene.go_on()
    else:
        print("undo")
        scene.take_back()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_disk_that_is_full_and_then_either_verb(make_scene, moment):
    scene = make_scene(1000 + moment)
    code = scene.run("apply", None, room=scene.chance.randint(0, 12000))
    full = code != 0
    assert not full or "journal" in (scene.folder / "error").read_text()
    if scene.chance.random() < 0.5:
        scene.go_on()
    else:
        scene.take_back()


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 256 kB."""
    folder = tmp_path_factory.mktemp("disk")
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_small_disk_that_is_full_and_then_either_verb(make_scene, small_disk, moment):
    for old in small_disk.iterdir():
        old.unlink()
    scene = make_scene(2000 + moment, small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes((256 - scene.chance.choice([8, *range(36, 72, 4)])) * 1024))
    code = scene.run("apply", None)
    print(code, scene.journal.exists() and scene.journal.stat().st_size)
    assert code == 0 or (scene.folder / "error").exists()
    filler.unlink()
    if scene.chance.random() < 0.5:
        scene.go_on()
    else:
        scene.take_back()
