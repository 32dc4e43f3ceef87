"""One run of a plan through the proxy under a kind of fault, held against the truth."""

from __future__ import annotations

import inspect
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from edits import chaos
from making import make_project
from PIL import Image

import hastyframe as hf
from hastyframe.edits import Plan, Report

from .kinds import KINDS, Kind, faults_of
from .proxy import Dice, Proxy, between
from .truth import Truth, Wrong, there, told

SEEDS = range(int(os.environ.get("HASTYFRAME_ADVERSARY_SEEDS", "1")))
LONG = len(SEEDS) > 1
IMAGES = 6
FIRST = 110
"""Labels that the first image has at least: more than a page and a batch."""


class World:
    """A server with a project, some images, one image of a stranger's, and her labels on all of them."""

    def __init__(self, client: hf.Client, pictures: Path) -> None:
        self.client = client
        self.project = make_project(client)
        for number in range(IMAGES + 1):
            Image.new("L", (100, 100)).save(pictures / f"{number:03}.png")
        self.project.upload_images(pictures, "train")
        *self.images, self.strangers_image = self.project.get_images().sort_values("name").index
        self.classes = self.project.get_label_classes().reset_index().set_index("name")["class_id"]

    def begin(self, labels: pd.DataFrame) -> None:
        """Have these labels and a stranger's on the server, and no others."""
        assert self.client.folder is not None
        with closing(sqlite3.connect(self.client.folder / "hastyframe.sqlite", timeout=30)) as database, database:
            database.execute("DELETE FROM labels")
        places = [*self.images * 5, *[self.strangers_image] * 5]
        box = {"x_min": 1, "y_min": 1, "x_max": 5, "y_max": 5, "external_id": "strange"}
        hers = pd.DataFrame([{"image_id": i, "class_name": "coin", **box} for i in places])
        self.project.create_labels(pd.concat([hers, labels], ignore_index=True))

    def there(self) -> dict[str, str]:
        """Read what is there, but for strangers'."""
        assert self.client.folder is not None
        return there(self.client.folder, self.project.id, self.strangers_image)

    def make_labels(self, count: int, rng: np.random.Generator) -> pd.DataFrame:
        """Make labels of which some are equal, and many on the first image."""
        rest = chaos.make_labels(self.images, count - FIRST, rng)
        first = chaos.make_labels(self.images[:1], FIRST, rng)
        return chaos.with_duplicates(pd.concat([rest, first], ignore_index=True), count // 10, rng)


@dataclass(frozen=True)
class Scene:
    """What is there first, and what becomes of it."""

    verbs: tuple[str, ...]
    start: Callable[[World, np.random.Generator], pd.DataFrame]
    change: Callable[[World, pd.DataFrame, np.random.Generator], pd.DataFrame]


def _some(world: World, rng: np.random.Generator) -> pd.DataFrame:
    return world.make_labels(180, rng)


def _creates(world: World, labels: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    new = world.make_labels(180, rng)
    mine = labels[~labels["external_id"].astype(object).astype(str).str.startswith("strange")]
    equal = mine.iloc[:10].drop(columns=["label_id"], errors="ignore").reset_index(drop=True)  # equal to what is there
    return pd.concat([labels, pd.concat([new, equal[new.columns.intersection(equal.columns)]], ignore_index=True)])


def _edits(world: World, labels: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    after, kind = labels.copy(), rng.integers(0, 3, len(labels))
    kind[_strange(labels)] = 2
    after.loc[kind == 0, "class_name"] = "sky"
    after.loc[kind == 1, ["x_min", "x_max"]] += 1
    after.loc[kind == 1, "z_index"] += 0.5
    return after


def _deletes(world: World, labels: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return labels[_strange(labels) | (rng.random(len(labels)) < 0.4)]


def _mixed(world: World, labels: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    after = _edits(world, labels, rng)
    after = after[_strange(after) | (rng.random(len(after)) < 0.8)]
    return pd.concat([after, world.make_labels(130, rng)])


def _strange(labels: pd.DataFrame) -> np.ndarray:
    return (labels["external_id"] == "strange").fillna(False).to_numpy(dtype=bool)


SCENES = {
    "creates": Scene(("POST",), lambda world, rng: world.make_labels(150, rng).iloc[:30], _creates),
    "edits": Scene(("PUT",), _some, _edits),
    "deletes": Scene(("DELETE",), _some, _deletes),
    "mixed": Scene(("POST", "PUT", "DELETE"), _some, _mixed),
}


def kinds_of(scene: str, *, sure: bool | None = None, half: int | None = None) -> list[Any]:
    """All kinds of fault that a scene can meet, as parameters of a test; every other one, if the run is a short one."""
    verbs = set(SCENES[scene].verbs)
    fit = [k for k in KINDS.values() if (verbs & set(k.methods) or k.methods == ("GET",)) and sure in (None, k.sure)]
    return [pytest.param(k, id=k.name) for k in (fit if LONG or half is None else fit[half::2])]


@dataclass
class Run:
    """A plan that is carried out through a proxy."""

    world: World
    kind: Kind
    scene: Scene
    proxy: Proxy
    project: hf.Project
    plan: Plan
    truth: Truth
    faults: Dice
    folder: Path
    problems: list[str] = field(default_factory=list)

    def apply(self, *, verify: bool = False) -> Report:
        """Apply the plan under the faults; what is still to land lands."""
        options = {"verify": True} if verify else {}
        with self.troubled():
            return self.plan.apply(self.folder / "journal.jsonl", errors="report", **options)

    def hold(self) -> Report:
        """Apply under the faults, resume in peace, and hold both against the truth."""
        report = self.apply()
        self.check("apply", self.truth.check(report, self.world.there()))
        assert sum(self.proxy.met.values())
        report = self.resume(report)
        self.check("resume", self.truth.check_done(report, self.world.there()))
        return report

    def resume(self, report: Report) -> Report:
        """Go on in peace, if something is left."""
        if set(report["outcome"]) <= {"created", "edited", "deleted", "unchanged"}:
            return report
        return self.project.resume(report.journal, errors="report")

    @contextmanager
    def troubled(self) -> Iterator[None]:
        """Have the faults meanwhile; then all that is still to land lands."""
        self.proxy.policy = self.faults
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*could not be read again.*", UserWarning)  # it is told, and resumed
                yield
        finally:
            self.proxy.policy = None
            self.proxy.settle()

    def check(self, step: str, wrong: list[Wrong]) -> None:
        """Note what is wrong after a step."""
        if wrong:
            self.problems.append(f"{step}: {told(wrong)}")

    def end(self) -> None:
        """Fail with all that was wrong."""
        assert not self.problems, f"{self.kind.name}\n" + "\n".join(self.problems)


@contextmanager
def begun(world: World, kind: Kind, seed: int, scene: str, folder: Path) -> Iterator[Run]:
    """Plan a scene through a proxy, in peace."""
    chosen, rng = SCENES[scene], np.random.default_rng(seed)
    world.begin(chosen.start(world, rng))
    options = {"progress": False, "timeout": (10.0, kind.patience), "max_workers": 4}
    # Half of the clients have read the labels that they plan from; the others know of no image what is there.
    stranger = (seed + list(KINDS).index(kind.name)) % 2
    with between(world.client.base_url) as proxy, hf.Client(world.client.api_key, proxy.url, **options) as client:
        proxy.strangers_image = world.strangers_image
        project = client.get_project(world.project.id)
        if stranger:
            with hf.Client(world.client.api_key, proxy.url, **options) as reader:
                was = reader.get_project(world.project.id).get_labels()
        else:
            was = project.get_labels()
        after = chosen.change(world, was, rng)
        before = world.there()
        was_mine = was[was.index.isin(list(before))]
        truth = Truth.of(world.project, before, was_mine, after[~_strange(after)])
        plan = project.plan_labels(was, after)
        assert len(plan) == len(truth) > 0
        faults = Dice(faults_of(kind, chosen.verbs), seed, world.images)
        yield Run(world, kind, chosen, proxy, project, plan, truth, faults, folder)


def can_verify() -> bool:
    """Whether a plan and a report can be verified."""
    return "verify" in inspect.signature(Plan.apply).parameters and hasattr(Report, "verify")
