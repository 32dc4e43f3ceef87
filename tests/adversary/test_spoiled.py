"""Spoiled journals: a correct run or an error of ours, and nothing is destroyed that the journal does not hold."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from making import make_project
from PIL import Image

import hastyframe as hf
from hastyframe import transport

from . import spoil
from .kinds import KINDS
from .proxy import Dice, between

JOURNALS = int(os.environ.get("HASTYFRAME_ADVERSARY_JOURNALS", "150"))
KINDS_OF_JOURNAL = ("labels", "broken", "tags", "statuses", "label_attributes", "label_classes")


class Bystanders:
    """A project and what must not change on it, and a journal of each kind."""

    def __init__(self, client: hf.Client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.project = make_project(client)
        self.other = make_project(client)
        for number in range(4):
            Image.new("L", (100, 100)).save(folder / f"{number}.png")
        self.project.upload_images(folder, "train")
        self.images = self.project.get_images().sort_values("name")
        for name in ("dusty", "sharp"):
            self.project.create_tag_class(name)
        self.project.create_attribute("grade", "TEXT")
        self.project.create_label_class("idle")
        idle = self._labels(5).assign(image_id=self.images.index[3], class_name="idle")
        self.idle = set(self.project.create_labels(idle).index)
        done = [self._write(kind) for kind in KINDS_OF_JOURNAL]
        self.journals = [*done, *(self._begun(path, unconditional) for path in done for unconditional in (False, True))]
        self.named = {part for j in self.journals for part in re.findall(r"[0-9a-f-]{36}", j.read_text())}

    def _labels(self, count: int) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        x, y = rng.integers(0, 80, (2, count))
        frame = {
            "image_id": rng.choice(self.images.index[:3], count),
            "class_name": rng.choice(["coin", "cell"], count),
        }
        return pd.DataFrame(
            {**frame, "x_min": x, "y_min": y, "x_max": x + 9, "y_max": y + 9, "z_index": np.arange(count)}
        )

    def _write(self, kind: str) -> Path:
        """Carry out a plan of a kind and return its journal."""
        path, project = self.folder / f"{kind}.jsonl", self.project
        if kind in ("labels", "broken"):
            self._write_labels(path, broken=kind == "broken")
        elif kind == "tags":
            ids = list(self.images.index)
            before = pd.DataFrame({"image_id": ids[:2], "tag_class_name": ["dusty"] * 2})
            project.add_tags(before)
            after = pd.DataFrame({"image_id": ids[1:3], "tag_class_name": ["dusty", "sharp"]})
            project.plan_tags(project.get_tags(), after).apply(path)
        elif kind == "statuses":
            after = project.get_images().assign(status=["DONE", "TO REVIEW", "NEW", "SKIPPED"])
            project.plan_status(project.get_images(), after).apply(path)
        elif kind == "label_attributes":
            labels = project.get_labels().index[:5]
            before = pd.DataFrame({"label_id": labels, "attribute_name": "grade", "value": list("abcde")})
            project.set_label_attributes(before)
            after = before.assign(value=list("abxyz")).iloc[1:]
            project.plan_label_attributes(before, after).apply(path)
        else:
            project.create_label_class("worn out")
            before = project.get_label_classes()
            before = before[before["name"] != "idle"]
            extra = pd.DataFrame({"name": ["rust"], "color": ["#112233ff"], "class_type": ["object"]})
            after = before.assign(color=["#010203ff", *before["color"].iloc[1:]])
            after = after[after["name"] != "worn out"]
            project.plan_label_classes(before, pd.concat([after, extra])).apply(path)
        return path

    def _begun(self, path: Path, unconditional: bool) -> Path:
        """Return a journal of which nothing has been done: all of it is sent when it is resumed."""
        head, *lines = path.read_text().partition('{"planned":true}\n')[0].splitlines()
        head = json.dumps(json.loads(head) | {"unconditional": unconditional})
        begun = path.with_name(f"{'unconditional' if unconditional else 'begun'} {path.name}")
        begun.write_text("\n".join([head, *lines, '{"planned":true}', ""]))
        return begun

    def _write_labels(self, path: Path, *, broken: bool) -> None:
        """Create, edit and delete; `broken` off in the middle, with all kinds of line."""
        self.project.create_labels(self._labels(30))
        with between(self.client.base_url) as proxy, hf.Client(
            self.client.api_key, proxy.url, progress=False, max_workers=1, timeout=10.0
        ) as client:  # fmt: skip
            project = client.get_project(self.project.id)
            before = project.get_labels()
            before = before[~before.index.isin(self.idle)]
            after = before.iloc[8:].assign(class_name="sky")
            after["z_index"] += 1
            plan = project.plan_labels(before, pd.concat([after, self._labels(12)]))
            if broken:
                faults = dict.fromkeys(("POST", "PUT", "DELETE"), (KINDS["504, carried out at the end"].fault, 0.3))
                faults["GET"] = (KINDS["403 for a good request"].fault, 0.2)
                proxy.policy = Dice(faults, 3, list(self.images.index))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an image that cannot be read again
                plan.apply(path, errors="report")
            proxy.policy = None

    def state(self) -> dict[str, set[str]]:
        """Read what stays whatever a journal says: what no journal names, and whose class no journal names."""
        tables = (
            "workspaces",
            "projects",
            "datasets",
            "images",
            "label_classes",
            "tag_classes",
            "attributes",
            "labels",
        )
        with closing(sqlite3.connect(self.client.folder / "hastyframe.sqlite", timeout=30)) as database:
            ids = {table: {row[0] for row in database.execute(f"SELECT id FROM {table}")} for table in tables}
        return ids | {"labels": ids["labels"] & self.idle, "label_classes": ids["label_classes"] - self.named}


@pytest.fixture(scope="module")
def bystanders(tmp_path_factory):
    with hf.Client.local(tmp_path_factory.mktemp("server"), progress=False) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport.Transport, "settle_timeout", 0.01)
            made = Bystanders(client, tmp_path_factory.mktemp("journals"))
        yield made


def test_each_kind_of_journal_is_there(bystanders):
    lines = {key for j in bystanders.journals for line in j.read_text().splitlines() for key in json.loads(line)}
    assert {"hastyframe_journal", "unit", "there", "planned", "did", "unseen"} <= lines


MEANT = {
    "GET": "datasets|images|images/*|images/*/labels|images/*/tags|labels/*/attributes|label_classes|tag_classes"
    "|attributes",
    "POST": "images/*/labels|images/*/tags|labels/*/attributes/*|label_classes",
    "PUT": "images/*/labels|images/*/status|label_classes/*",
    "DELETE": "images/*/labels|images/*/tags|label_classes/*",
}
"""What is asked for on the way there and back, below the project; ids are segments of their own."""


def is_meant(target: str, project_id: str) -> bool:
    method, path = target.split(" ", 1)
    if target == f"GET /v1/projects/{project_id}":
        return True
    paths = "|".join(re.escape(one).replace(r"\*", r"(?!\.{1,2}(/|$))[^/]+") for one in MEANT[method].split("|"))
    return re.fullmatch(f"/v1/projects/{project_id}/({paths})", path) is not None


def hold(bystanders: Bystanders, make: spoil.Make, count: int, folder: Path) -> None:
    """Resume and undo spoiled journals, and look what came and what is lost."""
    before = bystanders.state()
    key, project = bystanders.client.api_key, bystanders.project
    with between(bystanders.client.base_url) as proxy:
        found = spoil.run(key, proxy.url, project, bystanders.journals, make, list(range(count)), folder)
    astray = [target for target in proxy.targets if not is_meant(target, project.id)]
    after = bystanders.state()
    lost = {table: len(ids - after[table]) for table, ids in before.items() if ids - after[table]}
    wrong = [one for one in found if one[-1]]
    assert not lost
    assert not astray
    assert not wrong, f"{len(wrong)} of {2 * count}:\n" + "\n".join(map(str, wrong[:60]))
    assert len(found) == 2 * count


def test_spoiled_journals(bystanders, tmp_path):
    hold(bystanders, spoil.spoil, JOURNALS, tmp_path)


def test_ids_that_lead_elsewhere(bystanders, tmp_path):
    hold(bystanders, spoil.lead_elsewhere, 2 * len(spoil.ELSEWHERE) * len(bystanders.journals), tmp_path)
