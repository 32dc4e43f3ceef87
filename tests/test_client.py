"""Connecting: the embedded server and its folder, other clients of it, workspaces and projects."""

from __future__ import annotations

import threading
import warnings

import pandas as pd
import pytest
from making import MODELS, make_images, make_labels, make_project
from test_surface import official

import hastyframe as hf


def test_the_same_folder_holds_the_same_things(tmp_path, pictures):
    with hf.Client.local(tmp_path / "kept", progress=False) as first:
        project = make_project(first)
        labels = make_labels(project, make_images(project, pictures))
        project.create_attribute("note", "TEXT")
        project.set_label_attributes(pd.DataFrame({"note": "kept"}, index=labels.index[:1]))
        key, before = first.api_key, project.get_labels()
        assert first.folder == (tmp_path / "kept").resolve()
    with hf.Client.local(tmp_path / "kept", progress=False) as second:
        assert second.api_key == key
        again = second.get_project("Things")
        assert again == project
        pd.testing.assert_frame_equal(again.get_labels(), before)
        assert again.get_label_attributes(before)["value"].tolist() == ["kept"]
        report = again.download_images(folder=tmp_path / "out")
        assert set(report["outcome"]) == {"downloaded"}
        for name in ("cell.png", "ramp.jpg"):
            assert (tmp_path / "out" / "train" / name).read_bytes() == (pictures / name).read_bytes()


def test_a_temporary_folder_goes_with_its_client():
    with hf.Client.local(progress=False) as client:
        folder = client.folder
        assert folder.is_dir()
    assert not folder.exists()
    client.close()


def test_nothing_is_left_when_connecting_fails(tmp_path):
    threads = threading.active_count()
    with pytest.raises(TypeError):
        hf.Client.local(tmp_path, no_such_option=1)
    with pytest.raises(hf.ValidationException, match="max_workers is 0"):
        hf.Client.local(tmp_path, max_workers=0)
    with pytest.raises(ValueError, match="models has no kind 'painter'"):
        hf.Client.local(tmp_path, models={"painter": print})
    assert threading.active_count() == threads


def test_other_clients_connect_with_address_and_key(client, project, monkeypatch):
    with hf.Client(client.api_key, client.base_url + "/") as second:
        assert second.get_project(project.id) == project
    monkeypatch.setenv("HASTY_API_KEY", client.api_key)
    monkeypatch.setenv("HASTY_BASE_URL", client.base_url)
    with hf.Client() as third:
        assert third.get_project(project.id) == project
        assert third.folder is None
    monkeypatch.delenv("HASTY_BASE_URL")
    assert hf.Client().base_url == "https://api.hasty.ai"


def test_the_official_client_connects(client, project):
    pytest.importorskip("retrying", reason="the official client is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = official().Client(client.api_key, client.base_url).get_project(project.id)
        assert theirs.name == project.name
        dataset = theirs.create_dataset("from elsewhere")
    assert project.get_dataset("from elsewhere").id == dataset.id


def test_the_key_is_in_no_repr(client, project):
    for thing in (client, client._transport, client._server, project, project._vocabulary):
        assert client.api_key not in repr(thing)


def test_models_and_latency_are_passed_on(tmp_path):
    with hf.Client.local(tmp_path, models=MODELS, latency=0.05, max_workers=3, progress=False) as client:
        assert client.get_workspaces()["name"].tolist() == ["Local workspace"]
        assert client._transport.max_workers == 3
        assert make_project(client).get_attributer().status == "LOADED"


def test_projects_by_name_and_id(client, project):
    name = f"name of {project.id}"
    project.edit(name)
    assert client.get_project(name) == client.get_project(project.id) == project
    twin = client.create_project(client.get_workspaces().index[0], name, "the twin")
    with pytest.raises(hf.NotFound, match=rf"2 projects have the id or name .* [Ss]ay which by its id: .*{twin.id}"):
        client.get_project(name)
    twin.delete()
    assert client.get_project(name) == project
    with pytest.raises(hf.NotFound, match=f"No project has the id or name .* Did you mean '{name}'"):
        client.get_project(name + "x")
    for odd in ("", ".", "..", "a/b", "?"):
        with pytest.raises(hf.NotFound):
            client.get_project(odd)


def test_create_project_wants_one_workspace(client):
    with pytest.raises(hf.ValidationException, match="one workspace; 0 were given"):
        client.create_project(client.get_workspaces().iloc[:0], "x")
    with pytest.raises(hf.ValidationException, match="there is no workspace"):
        client.create_project("nobody", "x")


def test_a_closed_client_says_so(client, project, images, labels, pictures, tmp_path):
    read = project.get_labels()
    one = hf.Client(client.api_key, client.base_url, progress=False)
    mine = one.get_project(project.id)
    image = mine.get_image(images.index[0])
    plan = mine.plan_labels(read, read.assign(z_index=3.0))
    done = mine.plan_labels(read, read.assign(z_index=2.0)).apply(tmp_path / "done.jsonl")
    one.close()
    for call in (
        one.get_projects,
        mine.get_images,
        lambda: mine.get_labels(images),
        lambda: mine.create_labels(read),
        lambda: mine.upload_images(pictures, "train"),
        lambda: mine.download_images(images, tmp_path / "pictures"),
        lambda: image.rename("new.png"),
        lambda: plan.apply(tmp_path / "new.jsonl"),
        lambda: mine.resume(tmp_path / "done.jsonl"),
        done.undo,
        done.verify,
        one.__enter__,
    ):
        with pytest.raises(hf.ValidationException, match=r"^This client of http\S+ is closed. Make a new one"):
            call()
    assert not (tmp_path / "new.jsonl").exists()
    one.close()
    assert "Client(" in repr(one)
    done_elsewhere = project.resume(tmp_path / "done.jsonl")
    assert not len(done_elsewhere.failed)
