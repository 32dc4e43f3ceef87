"""Jobs on the server: waiting with a progress bar, ends that are bad, archives that are fetched."""

from __future__ import annotations

import time
import zipfile

import pytest
from servers import in_turn, serve

import hastyframe as hf
from hastyframe import jobs

RUNNING = {"id": "j", "status": "IN_PROGRESS", "meta": {"progress": 40}}
DONE = {"id": "j", "status": "DONE", "meta": {"url": "http://127.0.0.1:9/x.zip", "export_name": "out"}}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(jobs, "_FIRST_LOOK", 0.01)


def job(server, handle=hf.ExportJob, **options):
    client = hf.Client("key", server.url, progress=options.pop("progress", False))
    return handle(client._transport, {"id": "j", "project_id": "p", "status": "NEW"})


@pytest.mark.parametrize("export_format", ["json_v1.1", "json_coco", "semantic_png", "images"])
def test_export_wait_and_download(project, labels, tmp_path, quick, export_format):
    export = project.export("My export", export_format, "train", "NEW")
    assert export.status != "FAILED"
    assert export.wait(timeout=60) is export
    path = export.download(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "My export.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()
    assert [one.name for one in path.parent.iterdir()] == ["My export.zip"]


def test_automated_labeling(project, images, quick):
    project.set_status(images.iloc[[0]], "DONE")
    labeling = project.create_automated_labeling_job("experiment", confidence_threshold=0.8, dataset_id="train")
    assert labeling.wait(timeout=60).progress == 100
    got = project.get_labels()
    assert set(got["image_id"]) == set(images.index[1:])
    assert len(got) == 3  # one of the two corners has a score of 0.6
    assert project.get_images(image_status="AUTO-LABELLED").index.isin(images.index[1:]).all()
    jobs_ = project.get_automated_labeling_jobs()
    assert jobs_.loc[labeling.id, "status"] == "DONE"


def test_waiting_shows_progress(quick, capsys, monkeypatch):
    looks = in_turn({**RUNNING, "meta": {"progress": 10}}, RUNNING, RUNNING, DONE)
    with serve(looks) as server:
        export = job(server, progress=True)
        bars = []
        make = export._requester.bar

        def bar(*args):
            bars.append((args, one := make(*args)))
            return one

        monkeypatch.setattr(export._requester, "bar", bar)
        export.wait()
        assert bars[0][0] == ("ExportJob", 100, "%")
        assert bars[0][1].n == 100
        assert len(server.seen) == 4
        export.wait(progress=False)
        assert bars[1][0][0] is None


@pytest.mark.parametrize("handle", [hf.ExportJob, hf.AutomatedLabelingJob])
@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_ends_that_are_bad(quick, handle, status):
    with serve(in_turn(RUNNING, {"id": "j", "status": status, "meta": {"message": "disk full"}})) as server:
        with pytest.raises(hf.JobFailed, match=f"The job j ended as {status}: disk full") as caught:
            job(server, handle).wait()
        assert caught.value.request == f"GET {handle.path.format(project_id='p')}/j"
    nothing_said = {"id": "j", "status": status, "meta": None}
    with serve(lambda seen: nothing_said) as server, pytest.raises(hf.JobFailed, match="does not say why"):
        job(server, handle).wait()


def test_a_wait_that_takes_too_long(quick):
    with serve(lambda seen: RUNNING) as server:
        began = time.monotonic()
        with pytest.raises(hf.RequestTimeout, match=r"IN_PROGRESS after 0\.1 s and goes on on the server") as caught:
            job(server).wait(timeout=0.1)
        assert 0.1 <= time.monotonic() - began < 5
        assert "timeout=" in str(caught.value)
        server.seen.clear()
        with pytest.raises(TimeoutError):
            job(server).wait(timeout=0)
        assert len(server.seen) == 1


def test_the_last_look_is_at_the_deadline(monkeypatch):
    monkeypatch.setattr(jobs, "_FIRST_LOOK", 100.0)
    with serve(in_turn(RUNNING, DONE)) as server:
        assert job(server).wait(timeout=0.5).status == "DONE"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (RUNNING, hf.ValidationException, r"IN_PROGRESS, not DONE; wait for it with \.wait\(\)"),
        ({"id": "j", "status": "FAILED"}, hf.JobFailed, "does not say why"),
        ({"id": "j", "status": "DONE", "meta": {}}, hf.UnexpectedAnswer, "no address"),
        ({"id": "j", "status": "DONE", "meta": None}, hf.UnexpectedAnswer, "no address"),
    ],
)
def test_download_of_a_job_without_an_archive(tmp_path, answer, error, words):
    with serve(lambda seen: answer) as server, pytest.raises(error, match=words):
        job(server).download(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../evil", "evil.zip"),
        ("/etc/cron.d/evil", "evil.zip"),
        ("..\\..\\evil", "evil.zip"),
        ("C:evil", "C_evil.zip"),
        ("..", "export.zip"),
        ("", "export.zip"),
        (None, "export.zip"),
        ("a\0b\nc", "a_b_c.zip"),
        ("x" * 500, "x" * 100 + ".zip"),
        (17, "17.zip"),
    ],
)
def test_hostile_names_stay_in_the_folder(tmp_path, name, expected):
    def answer(seen):
        if seen.path == "/store":
            return b"the bytes"
        assert seen.path == "/v1/projects/p/exports/j"
        return {**DONE, "meta": {"url": f"http://{seen.headers['host']}/store?secret=1", "export_name": name}}

    (tmp_path / "inner").mkdir()
    with serve(answer) as server:
        path = job(server).download(tmp_path / "inner")
        assert "x-api-key" not in server.seen[-1].headers
    assert path == tmp_path / "inner" / expected
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]
    assert path.read_bytes() == b"the bytes"


@pytest.mark.parametrize("handle", [hf.ExportJob, hf.AutomatedLabelingJob])
@pytest.mark.parametrize(
    "answer",
    [
        {"id": "other", "status": "DONE"},
        {"id": "j", "status": 3},
        {"id": "j", "status": None},
        {"id": "j", "status": ["DONE"]},
        {"id": "j"},
        [],
        None,
    ],
)
def test_answers_that_are_no_job(quick, handle, answer):
    with serve(lambda seen: answer) as server:
        one = job(server, handle)
        for call in (one.wait, one.check_status):
            with pytest.raises(
                hf.UnexpectedAnswer, match=r"The answer is not an (export|automated labeling) job"
            ) as caught:
                call()
            assert caught.value.request == f"GET {handle.path.format(project_id='p')}/j"
        assert one.status == "NEW"


@pytest.mark.parametrize("progress", [None, "half", True, [], {}, -5, 1e300])
def test_odd_progress_is_passed_over(quick, progress):
    running = {"id": "j", "status": "A NEW WORD", "meta": {"progress": progress}}
    with serve(in_turn(running, running, {"id": "j", "status": "DONE", "meta": None})) as server:
        assert job(server, progress=True).wait().status == "DONE"


@pytest.mark.parametrize("timeout", ["1", float("nan"), True, -1, [1]])
def test_timeouts_that_are_none(timeout):
    with serve(lambda seen: RUNNING) as server:
        with pytest.raises(hf.ValidationException, match="timeout is"):
            job(server).wait(timeout=timeout)
        assert server.seen == []


@pytest.mark.parametrize("url", [3, ["x"], {}, True])
def test_addresses_that_are_none(tmp_path, url):
    answer = {"id": "j", "status": "DONE", "meta": {"url": url}}
    with serve(lambda seen: answer) as server, pytest.raises(hf.UnexpectedAnswer, match="no address"):
        job(server).download(tmp_path)


@pytest.mark.parametrize("meta", ["text", 3, ["url"]])
def test_what_is_no_object_beside_a_job(tmp_path, quick, meta):
    with serve(lambda seen: {"id": "j", "status": "FAILED", "meta": meta}) as server:
        with pytest.raises(hf.JobFailed, match="does not say why"):
            job(server).wait()
        with pytest.raises(hf.JobFailed, match="does not say why"):
            job(server).download(tmp_path)


@pytest.mark.parametrize("name", ["ä" * 300, "con", "nul.txt", "\U0001f600" * 99, "x."])
def test_names_that_are_too_long_or_taken(tmp_path, name):
    def answer(seen):
        if seen.path == "/store":
            return b"the bytes"
        return {**DONE, "meta": {"url": f"http://{seen.headers['host']}/store", "export_name": name}}

    with serve(answer) as server:
        path = job(server).download(tmp_path)
    assert path.read_bytes() == b"the bytes"
    assert len(path.name.encode()) <= 255
    assert path.name.split(".")[0].casefold() not in {"con", "nul"}


def test_an_archive_that_cannot_be_written(tmp_path):
    (tmp_path / "out.zip").mkdir()
    (tmp_path / "file").touch()
    with serve(lambda seen: DONE) as server:
        with pytest.raises(hf.FormatError, match=r"out\.zip: it is a folder"):
            job(server).download(tmp_path)
        with pytest.raises(hf.FormatError, match=r"file: it cannot be written \(File exists\)"):
            job(server).download(tmp_path / "file")
