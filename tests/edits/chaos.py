"""A server that misbehaves, edits in bulk against it, and what is on it in the end."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from making import make_project
from PIL import Image

import hastyframe as hf
from hastyframe import transport
from hastyframe.edits import Journal
from hastyframe.planning import label_contents

TIMEOUT = (5.0, 1.0)
SLOW = 1.3
GIVEN_UP = 5
"""So many of the processes of one plan may end with an error before something else must be wrong."""


def faults(rate: float, seed: int) -> hf.local.Faults:
    """All kinds of faults, at a rate; a slow answer is slower than the client is patient."""
    return hf.local.Faults.everywhere(rate, seed=seed, slow_seconds=SLOW, retry_after=0)


def make_world(client: hf.Client, folder: Path, images: int) -> hf.Project:
    """Make a project with images of 100 by 100 pixels."""
    project = make_project(client)
    for number in range(images):
        Image.new("L", (100, 100)).save(folder / f"{number:03}.png")
    project.upload_images(folder, "train")
    return project


def make_labels(image_ids: list[str], count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make labels of every kind, spread over images, no two of them equal."""
    x, y = rng.integers(0, 80, (2, count))
    labels = pd.DataFrame(
        {
            "image_id": rng.choice(image_ids, count),
            "class_name": rng.choice(["coin", "cell", "sky"], count),
            "x_min": x,
            "y_min": y,
            "x_max": x + rng.integers(2, 20, count),
            "y_max": y + rng.integers(2, 20, count),
            "z_index": np.arange(count, dtype=float),
        }
    )
    labels["mask"] = [[1, 2] if number % 3 == 0 else None for number in range(count)]
    labels["polygon"] = [[[1, 1.5], [5, 1], [5, 9]] if number % 3 == 1 else None for number in range(count)]
    labels["external_id"] = [f"mine-{number}" if number % 5 == 0 else None for number in range(count)]
    return labels


def with_duplicates(labels: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make the last rows equal to others: honest duplicates."""
    copies = labels.iloc[rng.integers(0, len(labels) - count, count)]
    return pd.concat([labels.iloc[: len(labels) - count], copies], ignore_index=True)


def change(labels: pd.DataFrame, image_ids: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Edit a third of the labels in different ways, delete a sixth, add some."""
    after = labels.copy()
    kind = rng.integers(0, 6, len(after))
    after.loc[kind == 0, "class_name"] = "sky"
    after.loc[(kind == 1) & after["polygon"].isna(), ["x_min", "x_max"]] += 1
    after.loc[kind == 1, "z_index"] += 0.5
    new = make_labels(image_ids, len(labels) // 10, rng)
    return pd.concat([after[kind != 2], new])


def intended(project: hf.Project, labels: pd.DataFrame) -> Counter[str]:
    """Count the labels that a frame holds, by what they are."""
    return Counter(keys(project, labels))


def stored(folder: Path, project_id: str) -> Counter[str]:
    """Count the labels that the server holds, by what they are, straight from its database."""
    return Counter(stored_by_id(folder, project_id).values())


def stored_by_id(folder: Path, project_id: str) -> dict[str, str]:
    """Read what each label that the server holds is, straight from its database."""
    with closing(sqlite3.connect(folder / "hastyframe.sqlite")) as database:
        fields = ("class_id", "bbox", "polygon", "mask", "z_index", "external_id")
        rows = database.execute(
            f"SELECT id, image_id, {', '.join(fields)} FROM labels WHERE project_id = ?", [project_id]
        ).fetchall()
    return {
        id_: key(
            image_id, {k: json.loads(v) if k in fields[1:4] and v else v for k, v in zip(fields, values, strict=True)}
        )
        for id_, image_id, *values in rows
    }


def keys(project: hf.Project, labels: pd.DataFrame) -> list[str]:
    """Say of each label of a frame what it is, as one text: equal labels have equal ones."""
    ids = project.get_label_classes().reset_index().set_index("name")["class_id"]
    labels = labels.assign(class_id=labels["class_name"].astype(object).map(ids))
    rows = zip(labels["image_id"], label_contents(labels), strict=True)
    return [key(image_id, content) for image_id, content in rows]


def key(image_id: str, content: dict) -> str:
    """Say what a label is, as one text."""
    numbers = {k: np.asarray(v, float).tolist() if k in ("bbox", "polygon", "mask", "z_index") and v is not None else v
               for k, v in content.items()}  # fmt: skip
    return json.dumps([image_id, numbers], sort_keys=True)


# Processes that are killed --------------------------------------------------------------------------------------------


def work(key: str, url: str, project_id: str, frames: Path, journal: Path) -> None:
    """Apply a plan, or go on with it: what the killed process does."""
    transport._FIRST_PAUSE = 0.002
    with hf.Client(key, url, progress=False, timeout=TIMEOUT) as client:
        project = client.get_project(project_id)
        if not planned(journal):
            journal.unlink(missing_ok=True)
            before, after = (pd.read_pickle(frames / f"{name}.pickle") for name in ("before", "after"))
            project.plan_labels(before, after).apply(journal)
        else:
            project.resume(journal)


def planned(journal: Path) -> bool:
    """Whether a journal holds a whole plan."""
    try:
        Journal.open(journal, hold=False).close()
    except hf.JournalError:
        return False
    return True


def kill_and_resume(client: hf.Client, project: hf.Project, frames: Path, journal: Path, kills: int, seed: int) -> int:
    """Apply the plan of two pickled frames in processes of which some are killed; return how many were.

    A process that gives up with an error, as it may with these faults, is followed by one more, like a killed one.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hastyframe.project", "edits.chaos"])
    rng = random.Random(seed)
    done = errors = 0
    while errors <= GIVEN_UP:
        process = context.Process(target=work, args=(client.api_key, client.base_url, project.id, frames, journal))
        process.start()
        if done < kills:
            process.join(rng.uniform(0.02, 0.4))
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                done += 1
                continue
        process.join()
        if process.exitcode == 0:
            return done
        errors += 1
    raise AssertionError(f"{errors} processes ended with an error.")


def wait_until_settled() -> None:
    """Let the server end what it is still at for clients that have gone."""
    time.sleep(SLOW + 0.1)
