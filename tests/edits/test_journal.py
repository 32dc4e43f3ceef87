"""The journal: what a process that dies leaves behind, and how another one goes on from it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from making import make_project
from servers import Answer, page, serve

import hastyframe as hf
from hastyframe import transport
from hastyframe.edits import Journal, execute

from .test_plan import equal_tables, mixed


@pytest.fixture
def planned(project, images, labels, tmp_path):
    """A plan of two edits, a delete and two creates, what it starts from, and a name for its journal."""
    before = project.get_labels(images)
    return project.plan_labels(before, mixed(before)), before, tmp_path / "journal.jsonl"


def test_it_is_lines_of_json_that_tell_the_story_and_no_key(client, planned):
    plan, before, path = planned
    report = plan.apply(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["kind"] == "labels"
    intended = [change for line in lines for change in line.get("changes", [])]
    assert len(intended) == 5
    [edit] = [c for c in intended if c.get("id") == before.index[0]]
    assert edit["old"]["class_id"] == before["class_id"].iloc[0]
    assert set(edit["new"]) == {"class_id"}
    [planned_at] = [i for i, line in enumerate(lines) if "planned" in line]
    assert all("did" in line or "there" in line for line in lines[planned_at + 1 :])
    assert sorted(row for line in lines for row in line.get("rows", [])) == [0, 1, 2, 3, 4]
    assert client.api_key not in path.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert report.journal == path


def test_a_name_that_is_taken(project, images, planned):
    plan, before, path = planned
    path.write_text("my notes")
    with pytest.raises(hf.JournalError, match="There is a file"):
        plan.apply(path)
    assert path.read_text() == "my notes"
    assert equal_tables(project.get_labels(images), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my notes\n", "Line 1 of"),
        ("", "ends before its plan was complete"),
        ('{"hastyframe_journal":99,"kind":"labels","project_id":"p"}\n', "another version"),
        ('{"hastyframe_journal":1,"kind":"labels","project_id":"p"}\n{"planned":true}\n[1]\n', "Line 3 of"),
        ('{"hastyframe_journal":1,"kind":"labels","project_id":"p"}\n{"planned":true}\n', "of another project"),
    ],
)
def test_files_that_are_none(project, tmp_path, text, message):
    (tmp_path / "x").write_text(text)
    with pytest.raises(hf.JournalError, match=message):
        project.resume(tmp_path / "x")
    with pytest.raises(hf.JournalError, match=message):
        project.undo(tmp_path / "x")
    assert (tmp_path / "x").read_text() == text


def test_a_journal_that_is_not_there(project, tmp_path):
    with pytest.raises(hf.JournalError, match="There is no journal"):
        project.resume(tmp_path / "x")


def test_two_do_not_work_on_one_journal(client, project, planned):
    plan, _, path = planned
    plan.apply(path)
    code = f"""
import sys, hastyframe as hf
project = hf.Client({client.api_key!r}, {client.base_url!r}).get_project({project.id!r})
try:
    project.resume({str(path)!r})
except hf.JournalError as error:
    sys.exit(str(error))
"""
    with Journal.open(path):
        with pytest.raises(hf.JournalError, match="is at work on the journal"):
            project.resume(path)
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "is at work on the journal" in other.stderr
    assert (project.resume(path)["outcome"] != "failed").all()


def test_a_plan_is_applied_once(project, images, planned):
    plan, _, path = planned
    plan.apply()
    applied = project.get_labels(images)
    with pytest.raises(hf.JournalError, match="has been applied"):
        plan.apply(path)
    assert not path.exists()
    assert equal_tables(project.get_labels(images), applied)


def test_a_journal_is_taken_back_once(project, images, planned, tmp_path):
    plan, before, path = planned
    report = plan.apply(path)
    one, other = report.undo(), project.undo(path)  # both before either is applied
    back = one.apply(tmp_path / "back")
    assert equal_tables(project.get_labels(images), before)
    for again in (other.apply, report.undo, lambda: project.undo(path)):
        with pytest.raises(hf.JournalError, match=r"has been taken back.*back"):
            again()
    assert equal_tables(project.get_labels(images), before)
    assert set(project.resume(tmp_path / "back")["outcome"]) == set(back["outcome"])  # it goes on with its own
    back.undo().apply()
    assert equal_tables(project.get_labels(images), mixed(before))


def test_a_way_back_whose_process_died_before_it_said_so(project, images, planned, tmp_path, monkeypatch):
    plan, before, path = planned
    report = plan.apply(path)
    one, other = report.undo(), report.undo()
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "undo_with", lambda *_: (_ for _ in ()).throw(Death))
        with pytest.raises(Death):
            one.apply(tmp_path / "dead")
    other.apply(tmp_path / "back")
    with pytest.raises(hf.JournalError, match="has been taken back"):
        project.resume(tmp_path / "dead")
    assert equal_tables(project.get_labels(images), before)


def test_what_failed_is_tried_again(project, images, tmp_path):
    doomed = project.create_label_class("doomed")
    rows = pd.DataFrame({"image_id": images.index[0], "class_name": ["coin", "doomed"], "x_min": [0, 1]})
    rows = rows.assign(x_max=9, y_min=0, y_max=1)
    plan = project.plan_labels(project.get_labels(images), rows)
    doomed.delete()
    plan.apply(tmp_path / "j", errors="report")
    text = (tmp_path / "j").read_text().replace(doomed.id, project.create_label_class("doomed").id)
    (tmp_path / "j").write_text(text)  # by hand: the class has another id now
    report = project.resume(tmp_path / "j")
    assert report["outcome"].tolist() == ["created", "created"]
    assert project.get_labels(images)["class_name"].tolist() == ["coin", "doomed"]


class Death(BaseException):
    """Stands for the end of a process at a byte of its journal."""


@pytest.fixture
def alone(tmp_path_factory):
    """A server with one project of one image and three labels, for runs that are repeated many times."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    Image.new("L", (40, 30)).save(folder / "a.png")
    with hf.Client.local(progress=False, max_workers=1) as client:
        project = make_project(client)
        project.upload_images(folder, "train")
        yield project


def small(project) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Begin with three labels: one is edited, one deleted; two are created that are equal to the first."""
    image = project.get_images().index[0]
    project.delete_labels(project.get_labels())
    row = {"image_id": image, "class_name": "coin", "bbox": [0, 0, 5, 5]}
    project.create_labels([row, {**row, "bbox": [1, 1, 3, 3]}, {**row, "bbox": [2, 2, 9, 9]}])
    before = project.get_labels()
    new = before.iloc[[0, 0]].reset_index(drop=True)
    after = pd.concat([before.assign(z_index=[0.0, 7.0, 0.0]).iloc[:2], new])
    return before, after


def run_until(plan, byte: int, path, monkeypatch) -> None:
    """Apply a plan in a process that dies at a byte of its journal."""
    write, left = os.write, byte

    def dying(file, data):
        nonlocal left
        if left < len(data):
            write(file, data[:left])
            left = 0
            raise Death
        left -= len(data)
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr("hastyframe.edits.journal.os.write", dying)
        patch.setattr("pathlib.Path.unlink", lambda *args, **options: None)  # the dead tidy nothing up
        with pytest.raises(Death):
            plan.apply(path)


def test_a_process_that_dies_at_any_byte_of_its_journal(alone, tmp_path, monkeypatch):
    project = alone
    monkeypatch.setattr(transport, "_MAX_SETTLE_TIMEOUT", 0.0)  # nothing is under way here that could land late
    monkeypatch.setattr("hastyframe.edits.run.MAX_LOOK_AGE", 0.0)  # and nobody else writes
    before, after = small(project)
    project.plan_labels(before, after).apply(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    planned = whole.index(b'{"planned"')
    before, after = small(project)
    for byte in range(0, len(whole), 3 if "CI" in os.environ else 1):
        path = tmp_path / f"{byte}"
        if byte <= planned + len(b'{"planned":true}'):
            if byte % 7 == 0:  # all alike: nothing was sent
                run_until(project.plan_labels(before, after), byte, path, monkeypatch)
                with pytest.raises(hf.JournalError, match="nothing of it was sent"):
                    project.resume(path)
                assert equal_tables(project.get_labels(), before)
            continue
        before, after = small(project)
        run_until(project.plan_labels(before, after), byte, path, monkeypatch)
        report = project.resume(path)
        assert set(report["outcome"]) <= {"created", "edited", "deleted"}, byte
        assert equal_tables(project.get_labels(), after), byte
        assert set(report["id"][report["intent"] == "create"]) <= set(project.get_labels().index)


def test_what_lands_late_is_taken_away(tmp_path, monkeypatch):
    """A request that the server begins only after the client has given it up and sent it again."""
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.05)
    there = {"id": "there", "class_id": "c", "bbox": [0, 0, 2, 2], "z_index": 0}
    items, posts = [there], []

    def handle(seen):
        if seen.method == "GET":
            return page(seen, list(items))
        if seen.method == "DELETE":
            items[:] = [item for item in items if item["id"] not in {one["id"] for one in seen.json()}]
            return Answer(204)
        posts.append(seen)
        if len(posts) == 1:
            time.sleep(1.6)
        new = [{**label, "id": f"{len(items)}-{n}"} for n, label in enumerate(seen.json())]
        items.extend(new)
        return {"items": new}

    nothing = dict.fromkeys(("polygon", "mask", "external_id"))
    content = {"class_id": "c", "bbox": [0, 0, 2, 2], "z_index": 0, **nothing}
    changes = [{"row": row, "label": row, "new": content} for row in range(2)]
    with serve(handle) as server:
        client = transport.Transport("key", server.url, timeout=(5.0, 1.0), progress=False)
        with Journal.create(tmp_path / "j", "labels", "p", [("i", None, changes)]) as journal:
            report = execute(client, journal)
    assert len(posts) == 2
    assert report["outcome"].tolist() == ["created", "created"]
    assert report["attempts"].tolist() == [2, 2]
    assert len(items) == 3, "the one that was there, and ours once"
    assert {"there", *report["id"]} == {item["id"] for item in items}


INTERRUPTED = """
import sys, pandas as pd, hastyframe as hf
key, url, project_id, journal = sys.argv[1:]
with hf.Client(key, url, progress=False, max_workers=2) as client:
    project = client.get_project(project_id)
    before = project.get_labels()
    images = project.get_images().index
    rows = [
        {"image_id": image, "class_name": "coin", "x_min": n % 20, "x_max": n % 20 + 5, "y_min": 0, "y_max": 5}
        for image in images for n in range(1000)
    ]
    plan = project.plan_labels(before, pd.concat([before, pd.DataFrame(rows)]))
    print("begins", flush=True)
    try:
        plan.apply(journal)
    except KeyboardInterrupt:
        print(dict(plan.report.counts), flush=True)
        sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send on Windows")
def test_ctrl_c_says_how_to_go_on_at_once(client, project, images, tmp_path):
    journal = tmp_path / "journal.jsonl"
    client.server.faults = hf.local.Faults(latency=0.1)
    arguments = [sys.executable, "-c", INTERRUPTED, client.api_key, client.base_url, project.id, str(journal)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        assert process.stdout.readline() == "begins\n"
        while not journal.exists() or b'"did"' not in journal.read_bytes():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate()
        took = time.monotonic() - began
    finally:
        watch.cancel()
        client.server.faults = None
    assert process.returncode == 130
    assert took < 10
    assert "Interrupted: " in err
    assert "pending" in err
    assert "created" in err
    assert f"project.resume({str(journal)!r})" in err
    assert "pending" in out
    report = project.resume(journal)
    assert report["outcome"].tolist() == ["created"] * 4000
    assert len(project.get_labels()) == 4000
