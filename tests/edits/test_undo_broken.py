"""Taking back a run that was broken off, and taking back through copies of a journal."""

from __future__ import annotations

import shutil
import threading

import pandas as pd
import pytest

import hastyframe as hf
from hastyframe import transport
from hastyframe.edits import Journal

from .test_journal import alone, run_until, small  # noqa: F401 (a fixture)
from .test_plan import equal_tables, mixed


@pytest.fixture
def planned(project, images, labels, tmp_path):
    before = project.get_labels(images)
    return project.plan_labels(before, mixed(before)), before, tmp_path / "journal.jsonl"


def test_undo_of_a_run_that_died_at_any_byte(alone, tmp_path, monkeypatch):  # noqa: F811
    project = alone
    monkeypatch.setattr(transport, "_MAX_SETTLE_TIMEOUT", 0.0)  # nothing is under way here that could land late
    monkeypatch.setattr("hastyframe.edits.run.MAX_LOOK_AGE", 0.0)  # and nobody else writes
    before, after = small(project)
    project.plan_labels(before, after).apply(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for byte in range(whole.index(b'{"planned"') + 17, len(whole), 5):
        path = tmp_path / f"{byte}"
        before, after = small(project)
        run_until(project.plan_labels(before, after), byte, path, monkeypatch)
        back = project.undo(path)
        assert not back.apply(errors="report")["message"].notna().any(), byte
        assert_same_contents(project.get_labels(), before)
        with pytest.raises(hf.JournalError, match="has been taken back"):
            project.resume(path)
        assert_same_contents(project.get_labels(), before)


def assert_same_contents(labels: pd.DataFrame, others: pd.DataFrame) -> None:
    """A label that is made again has another id."""
    columns = ["class_name", "x_min", "y_min", "x_max", "y_max", "z_index"]
    assert sorted(labels[columns].itertuples(index=False)) == sorted(others[columns].itertuples(index=False))


def test_a_journal_that_was_taken_back_is_not_resumed(project, images, planned):
    plan, before, path = planned
    plan.apply(path).undo().apply()
    with pytest.raises(hf.JournalError, match="has been taken back"):
        project.resume(path)
    assert equal_tables(project.get_labels(images), before)


def test_a_way_back_that_was_planned_before_the_run_went_on(project, images, planned):
    plan, _, path = planned
    plan.apply(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    back = project.undo(path)  # which finds out the last deed
    with Journal.open(path) as journal:
        journal.did("failed", [0], message="something was done since")
    with pytest.raises(hf.JournalError, match="gone on with since"):
        back.apply()


@pytest.mark.parametrize("how", ["copied", "renamed", "renamed between"])
def test_a_journal_by_two_names_makes_no_label_twice(project, images, planned, tmp_path, how):
    plan, before, path = planned
    plan.apply(path)
    other = tmp_path / "other.jsonl"
    if how == "copied":
        shutil.copy(path, other)
        project.undo(path).apply()
    elif how == "renamed":
        path.rename(other)
        project.undo(other).apply()
        assert equal_tables(project.get_labels(images), before)
        with pytest.raises(hf.JournalError, match="has been taken back"):
            project.undo(other)
        return
    else:
        back = project.undo(path)
        path.rename(other)
        back.apply()
    assert equal_tables(project.get_labels(images), before)
    again = project.undo(other).apply(errors="report")
    assert set(again["outcome"]) <= {"unchanged"}
    assert equal_tables(project.get_labels(images), before)


def test_one_plan_in_four_threads_is_applied_once(project, images, planned):
    plan, before, _ = planned
    errors = []

    def work():
        try:
            plan.apply()
        except hf.JournalError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 3
    assert equal_tables(project.get_labels(images), mixed(before))
