"""Processes: children made by fork and by spawn, what is pickled, and servers that others started."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from servers import page, serve

import hastyframe as hf
from hastyframe.edits import KnownLabels
from hastyframe.local import LocalServer
from hastyframe.transport import Transport
from hastyframe.vocabulary import Vocabulary

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

KEY = "a-key-that-nobody-else-has"


def fork(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start work in a forked child; the function that is returned waits for what came of it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            answer = {"answer": work()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)

    def wait() -> Any:
        with os.fdopen(read, "rb") as pipe:
            found = json.loads(pipe.read())
        os.waitpid(child, 0)
        assert "error" not in found, found["error"]
        return found["answer"]

    return wait


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a new process, without the key of this one."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HASTY_")} | environment
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=env, capture_output=True, text=True, timeout=60
    )


def made(client: hf.Client, name: str) -> hf.Project:
    project = client.create_project(client.get_workspaces(), name)
    for number in range(3):
        project.create_label_class(f"{name} {number}")
    return project


# Fork -----------------------------------------------------------------------------------------------------------------


@forks
def test_children_get_the_answers_of_their_own_questions(client):
    projects = [made(client, f"P{number}") for number in range(6)]
    for project in projects:
        project.get_label_classes()  # connections that are kept, and names that are known

    def names(project: hf.Project) -> list[list[str]]:
        return [project.get_label_classes()["name"].tolist() for _ in range(15)]

    waits = [fork(lambda project=project: names(project)) for project in projects]
    own = names(projects[0])  # the parent goes on meanwhile
    for project, found in zip(projects, [wait() for wait in waits], strict=True):
        assert found == [[f"{project.name} {number}" for number in range(3)]] * 15
    assert own == [[f"P0 {number}" for number in range(3)]] * 15


@forks
def test_a_child_opens_connections_of_its_own():
    with serve(lambda seen: page(seen, [])) as server:
        one = Transport(KEY, server.url, progress=False)
        one.get("/v1/parent")
        fork(lambda: [one.get("/v1/child") for _ in range(3)])()
        grandchild = fork(lambda: fork(lambda: one.get("/v1/grandchild") and 1)())
        grandchild()
        one.get("/v1/parent")
        of = {path: {seen.connection for seen in server.seen if seen.path == path} for path in server.paths()}
        assert [len(of[f"/v1/{who}"]) for who in ("parent", "child", "grandchild")] == [1, 1, 1]
        assert len(set().union(*of.values())) == 3


@forks
def test_a_child_forgets_what_its_parent_knows(client):
    project = made(client, "Cached")
    vocabulary = Vocabulary.of(client._transport, project.id)
    vocabulary.table(hf.LabelClass)
    KnownLabels.shared(client._transport, project.id).saw(
        ["a"], pd.DataFrame({"image_id": []}, index=pd.Index([], dtype="str"))
    )

    def child() -> list[bool]:
        own = Vocabulary.of(client._transport, project.id)
        return [own is vocabulary, bool(own._frames), KnownLabels.shared(client._transport, project.id).of("a") is None]

    assert fork(child)() == [False, False, True]
    assert KnownLabels.shared(client._transport, project.id).of("a") == []


@forks
def test_a_child_does_not_wait_for_locks_that_threads_held(client):
    project = made(client, "Locked")
    lock = Vocabulary.of(client._transport, project.id)._lock
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock, client._transport._gate._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        assert fork(lambda: project.get_label_classes()["name"].tolist())() == [f"Locked {n}" for n in range(3)]
    finally:
        done.set()
        thread.join()


ENDS = {
    "sys.exit(0)": "sys.exit(0)",
    "the end of the script": "pass",
    "an error": "raise ValueError",
    "client.close()": "client.close()",
    "client.server.stop()": "client.server.stop()",
}


@forks
@pytest.mark.parametrize("end", ENDS)
def test_a_child_that_ends_leaves_the_server_of_its_parent(end):
    script = f"""
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import hastyframe as hf
client = hf.Client.local(progress=False)
folder = client.folder
child = os.fork()
if child == 0:
    sys.stderr = open(os.devnull, "w")
    {ENDS[end]}
else:
    os.waitpid(child, 0)
    client.create_project(client.get_workspaces(), "Still there")
    print((folder / "hastyframe.sqlite").exists(), client.get_projects()["name"].tolist(), folder)
"""
    found = run(script)
    there, names, folder = found.stdout.split(maxsplit=2)[0], "Still there" in found.stdout, found.stdout.split()[-1]
    assert (there, names) == ("True", True), found.stderr
    assert not Path(folder).exists(), "the process that made it removes it"


@forks
def test_the_port_of_a_server_is_free_when_it_ends_though_a_child_lives(tmp_path):
    server = LocalServer(tmp_path).start()
    port = server._port
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    try:
        server.stop()
        with pytest.raises(hf.ConnectionFailed):
            Transport(KEY, f"http://127.0.0.1:{port}", retries=0).get("/v1/projects")
    finally:
        os.close(write)
        os.close(read)
        os.waitpid(child, 0)


# Pickle ---------------------------------------------------------------------------------------------------------------


def through(thing: Any) -> Any:
    packed = pickle.dumps(thing)
    return packed, pickle.loads(packed)


def test_what_is_pickled_holds_no_key_and_works_in_this_process(client, project, images, labels):
    label_set = project.pull()
    evaluation = hf.evaluate(labels, labels.assign(score=1.0), images=images)
    plan = project.plan_labels(labels, labels.assign(z_index=7.0))
    image = project.get_image(images.index[0])
    report = project.plan_status(images, images.assign(status="DONE")).apply()
    things = [
        client,
        project,
        label_set,
        evaluation,
        plan,
        image,
        report,
        project.get_detector(),
        project.get_datasets(),
    ]
    things += [image.get_labels() if hasattr(image, "get_labels") else image, project.get_label_class("coin")]
    for thing in things:
        packed, back = through(thing)
        assert type(back) is type(thing)
        assert client.api_key.encode() not in packed
    assert through(project)[1].get_label_classes().equals(project.get_label_classes())
    assert through(project)[1]._requester is project._requester, "one session a process"
    assert through(plan)[1].apply().counts["edited"] == len(labels)
    back = through(report)[1]
    pd.testing.assert_frame_equal(back, report)
    assert back.journal == report.journal
    assert back.undo().apply().counts["edited"] == len(images)
    assert set(project.get_images()["status"]) == {"NEW"}
    assert through(evaluation)[1].summary().equals(evaluation.summary())
    assert through(label_set)[1].labels.index.equals(label_set.labels.index)


def test_a_report_is_verified_after_pickling(project, images):
    report = through(project.plan_status(images, images.assign(status="DONE")).apply())[1]
    assert report.verify().counts.to_dict() == {"edited": len(images)}


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_copies_talk_through_the_same_session(client, project, images, way):
    again = way(client)
    assert again._transport is client._transport
    assert again.server is None, "the one that started it stops it"
    again.get_projects()
    assert way(project).get_datasets().equals(project.get_datasets())
    plan = project.plan_status(images, images.assign(status="DONE"))
    assert way(plan) is plan


CHILD = """
import pickle, sys
import hastyframe as hf
thing = pickle.load(open(sys.argv[1], "rb"))
print(thing)
{work}
"""


def test_another_process_takes_the_key_from_the_environment(tmp_path):
    with hf.Client.local(tmp_path / "server", progress=False) as local:
        made(local, "Far")
        client = hf.Client(local.api_key, local.base_url, progress=False)
        file = tmp_path / "project.pickle"
        file.write_bytes(pickle.dumps(client.get_project("Far")))
        assert local.api_key.encode() not in file.read_bytes()
        work = CHILD.format(work="print(thing.get_label_classes()['name'].tolist())")
        found = run(work, str(file), HASTY_API_KEY=local.api_key)
        assert "['Far 0', 'Far 1', 'Far 2']" in found.stdout, found.stderr
        found = run(work, str(file))
        assert "Far" in found.stdout, "it can be looked at"
        assert "AuthenticationException" in found.stderr
        assert "HASTY_API_KEY" in found.stderr
        found = run(work, str(file), HASTY_API_KEY="of another account")
        assert "AuthenticationException" in found.stderr
        assert local.api_key not in found.stderr + found.stdout
        client.close()


def test_another_process_finds_the_key_of_an_embedded_server(tmp_path):
    with hf.Client.local(progress=False) as client:
        file = tmp_path / "project.pickle"
        file.write_bytes(pickle.dumps((client, made(client, "Near"))))
        work = CHILD.format(
            work="client, project = thing; print(project.get_label_classes()['name'].tolist()); client.close()"
        )
        found = run(work, str(file), HASTY_API_KEY="of the platform")
        assert "['Near 0', 'Near 1', 'Near 2']" in found.stdout, found.stderr
        assert client.api_key not in found.stdout + found.stderr
        assert len(client.get_projects()) == 1


def test_a_report_is_taken_back_in_another_process(tmp_path, pictures):
    with hf.Client.local(tmp_path / "server", progress=False) as client:
        project = made(client, "Undone")
        project.create_dataset("train")
        project.upload_images(pictures, "train")
        images = project.get_images()
        report = project.plan_status(images, images.assign(status="DONE")).apply(tmp_path / "statuses.jsonl")
        file = tmp_path / "report.pickle"
        file.write_bytes(pickle.dumps(report))
        assert client.api_key.encode() not in file.read_bytes()
        found = run(CHILD.format(work="print(thing.verify().summary()); thing.undo().apply()"), str(file))
        assert f"{len(images)} edited" in found.stdout, found.stderr
        assert set(project.get_images()["status"]) == {"NEW"}


def test_a_report_without_its_journal_says_so(project, images, tmp_path):
    report = project.plan_status(images, images.assign(status="DONE")).apply(tmp_path / "a.jsonl")
    back = through(report)[1]
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(hf.JournalError):
        back.undo()


# Servers that run already ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "server"


def test_the_same_line_again_connects_to_the_server_that_runs(folder):
    with hf.Client.local(folder, progress=False) as first:
        made(first, "Once")
        again = hf.Client.local(folder, progress=False)
        assert again.base_url == first.base_url
        assert again.folder == first.folder
        assert again.server is None
        assert again.get_projects()["name"].tolist() == ["Once"]
        again.close()
        assert len(first.get_projects()) == 1, "it goes on: another client started it"
    assert not (folder / "address").exists()
    with hf.Client.local(folder, progress=False) as third:
        assert third.server is not None
        assert third.get_projects()["name"].tolist() == ["Once"]


def test_the_address_of_a_server_is_for_its_owner_alone(folder):
    before = os.umask(0)
    try:
        with hf.Client.local(folder, progress=False) as client:
            assert (folder / "address").stat().st_mode & 0o777 == 0o600
            assert client.api_key not in (folder / "address").read_text()
    finally:
        os.umask(before)


SERVE = """
import sys, time
from hastyframe.local import LocalServer
server = LocalServer(sys.argv[1], **eval(sys.argv[2])).start()
print("ready", flush=True)
sys.stdin.read()
server.stop()
"""


def serving(folder: Path, options: str = "{}") -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    one = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), options], env=env, stdin=-1, stdout=subprocess.PIPE, text=True
    )
    assert one.stdout is not None and one.stdout.readline() == "ready\n"
    return one


def end(one: subprocess.Popen[str]) -> None:
    one.communicate("", timeout=30)


def test_a_server_of_another_process_is_connected_to_and_replaced_when_it_was_killed(folder):
    one = serving(folder)
    with hf.Client.local(folder, progress=False) as client:
        assert client.server is None
        made(client, "Elsewhere")
    one.kill()
    end(one)
    assert (folder / "address").exists(), "it could not clean up"
    with hf.Client.local(folder, progress=False) as client:
        assert client.server is not None
        assert client.get_projects()["name"].tolist() == ["Elsewhere"]


def test_a_key_of_its_own_is_asked_for(folder, monkeypatch):
    one = serving(folder, "{'api_key': 'a-key-of-its-own'}")
    try:
        monkeypatch.delenv("HASTY_API_KEY", raising=False)
        with pytest.raises(hf.AuthenticationException, match="a key of its own: set HASTY_API_KEY"):
            hf.Client.local(folder, progress=False)
        monkeypatch.setenv("HASTY_API_KEY", "a-key-of-its-own")
        with hf.Client.local(folder, progress=False) as client:
            assert len(client.get_workspaces()) == 1
    finally:
        end(one)


def test_many_at_once_share_one_server(folder):
    script = """
import sys
import hastyframe as hf
client = hf.Client.local(sys.argv[1], progress=False)
print(client.base_url, flush=True)
sys.stdin.read()
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(folder)]
    ones = [subprocess.Popen(command, env=env, stdin=-1, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    addresses = {one.stdout.readline() for one in ones if one.stdout is not None}
    for one in ones:
        end(one)
    assert len(addresses) == 1


def test_options_that_differ_are_said(folder):
    from making import MODELS

    with hf.Client.local(folder, models=MODELS, latency=0.01, progress=False):
        hf.Client.local(folder, models=MODELS, latency=0.01, progress=False).close()
        hf.Client.local(folder, progress=False).close()
        with pytest.warns(UserWarning, match="started with other models and latency"):
            hf.Client.local(folder, models={"detector": lambda picture: []}, latency=0.5, progress=False).close()
        from hastyframe.local import Faults

        with pytest.warns(UserWarning, match="started with other faults"):
            hf.Client.local(folder, faults=Faults(slow=0.1), progress=False).close()


def test_a_server_that_does_not_answer_is_an_error(folder, monkeypatch):
    from hastyframe.local import server as module
    from hastyframe.local.lock import FolderLock

    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    folder.mkdir()
    lock = FolderLock(folder)
    try:
        with pytest.raises(BlockingIOError, match="another server works in the folder"):
            hf.Client.local(folder, progress=False)
    finally:
        lock.release()


@forks
def test_a_child_connects_to_the_server_of_its_parent(folder):
    with hf.Client.local(folder, progress=False) as client:
        made(client, "Parent")
        again = fork(lambda: hf.Client.local(folder, progress=False).get_projects()["name"].tolist())
        assert again() == ["Parent"]
        assert len(client.get_projects()) == 1
