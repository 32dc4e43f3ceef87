"""Where a journal lies and what it is written on: full disks, foreign folders, strangers' lines."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

import orjson
import pandas as pd
import pytest

import hastyframe as hf
from hastyframe.edits import Journal, temporary
from hastyframe.transport import Transport

from .test_plan import equal_tables, mixed

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no owners and modes of this kind")


@pytest.fixture
def planned(project, images, labels, tmp_path):
    before = project.get_labels(images)
    return project.plan_labels(before, mixed(before)), before, tmp_path / "journal.jsonl"


@pytest.mark.parametrize("verb", ["resume", "undo"])
@pytest.mark.parametrize("bytes_left", [0, 7, 60])
def test_a_full_disk(project, images, planned, monkeypatch, verb, bytes_left):
    """Part of a line fits, then nothing: the part is cut off, nothing follows it, and both verbs work later."""
    monkeypatch.setattr(Transport, "settle_timeout", 0.0)
    plan, before, path = planned
    write, left = os.write, [None]

    def filling(file, data):
        if b'"did"' in bytes(data[:8]) and left[0] is None:
            left[0] = bytes_left
        if left[0] is None:
            return write(file, data)
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(file, data[: left[0]])
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr("hastyframe.edits.journal.os.write", filling)
        report = plan.apply(path, errors="report")
    assert path.read_bytes().endswith(b"}\n")
    assert (report["outcome"] == "unknown").any()
    assert report.failed["message"].str.contains("No space left on device").all()
    if verb == "resume":
        project.resume(path)
        assert equal_tables(project.get_labels(images), mixed(before))
    else:
        project.undo(path).apply()
        assert equal_tables(project.get_labels(images), before)


def test_a_disk_that_cannot_keep_what_was_written(project, images, planned, monkeypatch):
    plan, before, path = planned

    def broken(file):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("hastyframe.edits.journal.os.fsync", broken)
        with pytest.raises(hf.JournalError, match="Input/output error"):
            plan.apply(path)
    assert not path.exists()
    assert equal_tables(project.get_labels(images), before)


def test_a_plan_that_does_not_fit_on_the_disk(project, images, planned, monkeypatch):
    plan, before, path = planned

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hastyframe.edits.journal.os.write", full)
        with pytest.raises(hf.JournalError, match="No space left on device"):
            plan.apply(path)
    assert not path.exists()
    assert equal_tables(project.get_labels(images), before)
    plan.apply(path)  # nothing of it was sent, so that it still can be
    assert equal_tables(project.get_labels(images), mixed(before))


@pytest.mark.parametrize("place", ["a file/j", "a folder", "x" * 300, "nul\0nul", "a file"])
def test_a_name_that_is_no_place_for_a_journal(project, planned, tmp_path, place):
    plan, _, _ = planned
    (tmp_path / "a file").touch()
    (tmp_path / "a folder").mkdir()
    for call in (plan.apply, project.resume, project.undo):
        with pytest.raises((hf.JournalError, hf.ValidationException)):
            call(tmp_path / place)


# Journals without a name ----------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@posix
def test_they_lie_in_a_folder_of_their_user_alone(project, planned, place, monkeypatch):
    plan, _, _ = planned
    old = os.umask(0)
    try:
        report = plan.apply()
    finally:
        os.umask(old)
    assert report.journal.parent == place / f"hastyframe-{os.getuid()}"
    assert stat.S_IMODE(report.journal.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(report.journal.stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("trap", ["link", "open", "file", "foreign"])
def test_a_place_that_somebody_else_has_prepared_is_not_used(place, trap):
    usual = place / f"hastyframe-{os.getuid()}"
    (place / "theirs").mkdir(mode=0o700)
    if trap == "link":
        usual.symlink_to(place / "theirs")
    elif trap == "open":
        usual.mkdir()
        usual.chmod(0o777)
    elif trap == "file":
        usual.touch()
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        usual.mkdir(mode=0o700)
        os.chown(usual, 12345, 12345)
    path = temporary.temporary_journal("p")
    assert path.parent not in (usual, place / "theirs")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert temporary.temporary_journal("../..").parent.parent == place


# Strangers' lines -----------------------------------------------------------------------------------------------------

LINES = {
    "a row that would take memory": lambda lines: _change(lines, row=2**33),
    "a negative row": lambda lines: _change(lines, row=-1),
    "a row that is a fraction": lambda lines: _change(lines, row=0.5),
    "a row twice": lambda lines: [*lines[:1], lines[1], lines[1].replace(b'"unit":"', b'"unit":"x'), *lines[2:]],
    "a unit twice": lambda lines: [lines[0], lines[1], *lines[1:]],
    "a row that is missing": lambda lines: _change(lines, row=4),
    "an id that is a number": lambda lines: _change(lines, id=5),
    "an edit without an id": lambda lines: _change(lines, id=None, old={}, new={}),
    "another kind": lambda lines: [lines[0].replace(b'"labels"', b'"planets"'), *lines[1:]],
    "an option of another type": lambda lines: [lines[0].replace(b"{", b'{"unconditional":"yes",', 1), *lines[1:]],
    "an outcome that is none": lambda lines: [*lines, b'{"did":"exploded","rows":[0]}\n'],
    "an outcome of a row that is none": lambda lines: [*lines, b'{"did":"created","rows":[99]}\n'],
    "an outcome with fewer ids": lambda lines: [*lines, b'{"did":"created","rows":[0,1],"ids":["a"]}\n'],
    "a unit that is none": lambda lines: [*lines, b'{"unit":"x","there":[]}\n'],
    "rows of another unit": lambda lines: [*lines, lines[1][: lines[1].index(b",")] + b',"unseen":[99]}\n'],
    "fewer contents than rows": lambda lines: [*lines, b'{"rows":[0,1],"was":[{}]}\n'],
    "fewer values than rows": lambda lines: [*lines, b'{"values":[{}],"of":[0,1]}\n'],
    "a line that says nothing": lambda lines: [*lines, b"{}\n"],
    "deep lists": lambda lines: [*lines, b"[" * 100_000 + b"]" * 100_000 + b"\n"],
    "no text": lambda lines: [*lines, b'{"did":"\xff"}\n'],
    "half a surrogate": lambda lines: [*lines, b'{"did":"failed","rows":[0],"message":"\\ud800"}\n'],
}


def _change(lines, **changes):
    line = orjson.loads(lines[1])
    line["changes"][0] |= changes
    return [lines[0], orjson.dumps(line) + b"\n", *lines[2:]]


@pytest.mark.parametrize("spoil", LINES)
def test_lines_that_hastyframe_has_not_written(project, images, planned, spoil):
    plan, before, path = planned
    with Journal.create(path, "labels", project.id, plan._units()):
        pass
    path.write_bytes(b"".join(LINES[spoil](path.read_bytes().splitlines(keepends=True))))
    for verb in (project.resume, project.undo):
        with pytest.raises(hf.JournalError, match=r"Line \d+ of"):
            verb(path)
    assert equal_tables(project.get_labels(images), before)


@pytest.mark.parametrize("key", ["..", ".", "../../..", "", "a/b", "x" * 5000])
def test_ids_that_lead_elsewhere_do_no_harm(client, project, images, planned, key):
    _, before, path = planned
    with Journal.create(path, "labels", project.id, [(key, None, [{"row": 0, "label": 0, "id": "l", "old": {}}])]):
        pass
    with pytest.raises(hf.HastyError):
        project.resume(path)
    classes = project.get_label_classes()
    doomed = [{"row": 0, "label": 0, "id": key, "old": {}}]
    with Journal.create(
        path.with_name("k"), "label_classes", project.id, [(project.id, None, doomed)], {"unconditional": True}
    ):
        pass
    project.resume(path.with_name("k"))  # there is no such class, so that it is as it shall be
    assert client.get_project(project.id).name == project.name
    pd.testing.assert_frame_equal(project.get_label_classes(), classes)
    assert equal_tables(project.get_labels(images), before)


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0", "\ud800", "/dev/null", "."])
def test_what_it_takes_back_is_no_journal(project, planned, name):
    _, _, path = planned
    options = {"undoes": name.encode(errors="replace").decode(), "token": "t", "claims": True}
    with Journal.create(path, "labels", project.id, [], options):
        pass
    with contextlib.suppress(hf.JournalError):  # what is gone is taken back by nobody else
        project.resume(path)


def test_contents_that_are_none_of_a_label(project, planned):
    plan, _, path = planned
    plan.apply(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for old, new in (
        (b'"bbox":[', b'"bbox":["x",'),
        (b'"z_index":', b'"z_index":[],"zzz":'),
        (b'"mask":null', b'"mask":7'),
    ):
        path.write_bytes(b"".join(line.replace(old, new) for line in lines))
        with pytest.raises(hf.HastyError):
            project.undo(path)
