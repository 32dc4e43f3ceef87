"""Attribute values of labels that are deleted come back with the undo."""

from __future__ import annotations

import pandas as pd
import pytest

import hastyframe as hf
from hastyframe import transport
from hastyframe.edits import Journal

pytestmark = pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning")  # of plans that delete all there is


@pytest.fixture
def valued(project, labels):
    """The labels of a project with attributes, of which two have values."""
    project.create_attribute("colour", "SELECTION", values=["red", "blue"])
    project.create_attribute("size", "INT")
    wide = pd.DataFrame({"colour": ["red", None], "size": [3, 4]}, index=labels.index[[0, 2]].rename("label_id"))
    project.set_label_attributes(wide)
    return project.get_labels()


def by_box(project):
    """The values of all labels, by what stays the same when a label is created again."""
    labels = project.get_labels()
    wide = project.get_label_attributes(labels, wide=True).set_axis(labels["z_index"] + labels["x_min"].fillna(-9))
    return wide.sort_index().astype(object).where(wide.sort_index().notna(), None).to_dict("index")


def test_undo_gives_the_values_back(project, valued, tmp_path):
    before = by_box(project)
    report = project.plan_labels(valued, valued.iloc[:0]).apply(tmp_path / "deletes.jsonl")
    assert not len(project.get_labels())
    back = report.undo().apply(tmp_path / "back.jsonl")
    assert back["outcome"].tolist() == ["created"] * 4
    assert not set(back["id"]) & set(valued.index)
    assert by_box(project) == before
    assert project.resume(tmp_path / "back.jsonl")["id"].tolist() == back["id"].tolist()

    back.undo().apply()  # and there and back again
    assert not len(project.get_labels())


def test_projects_without_attributes_pay_one_request(recorded, labels, recorder):
    plan = recorded.plan_labels(labels, labels.iloc[:2])
    recorder.clear()
    plan.apply()
    assert [seen.path.rpartition("/")[2] for seen in recorder.seen if seen.method == "GET"][:1] == ["attributes"]
    assert not [seen for seen in recorder.seen if "/labels/" in seen.path]
    rows = recorded.get_labels()
    recorder.clear()
    recorded.delete_labels(rows)  # which nobody can undo
    assert not [seen for seen in recorder.seen if seen.path.endswith("/attributes")]


def test_no_label_is_deleted_before_its_values_are_noted(project, valued, tmp_path, monkeypatch):
    plan = project.plan_labels(valued, valued.iloc[:0])
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "noted", lambda *_: (_ for _ in ()).throw(hf.ServerError("had trouble")))
        with pytest.raises(hf.BatchError, match=r"4 failed.*had trouble"):
            plan.apply(tmp_path / "journal.jsonl")
    assert len(project.get_labels()) == 4
    before = by_box(project)
    report = project.resume(tmp_path / "journal.jsonl")
    assert set(report["outcome"]) == {"deleted"}
    report.undo().apply()
    assert by_box(project) == before


def test_values_that_could_not_be_set_are_set_by_resume(project, valued, tmp_path, monkeypatch):
    before = by_box(project)
    plan = project.plan_labels(valued, valued.iloc[:0]).apply().undo()
    post = transport.Transport.post

    def fail(self, path, body, **options):
        if "/attributes/" in path and body["value"] == 3:
            raise hf.ServerError("had trouble")
        return post(self, path, body, **options)

    with monkeypatch.context() as patch:
        patch.setattr(transport.Transport, "post", fail)
        with pytest.raises(hf.BatchError, match=r"4 created;.*not all of its attribute values were set: had") as caught:
            plan.apply(tmp_path / "back.jsonl")
    assert caught.value.report["message"].notna().sum() == 1
    report = project.resume(tmp_path / "back.jsonl")
    assert report["message"].isna().all()
    assert by_box(project) == before
    assert len(project.get_labels()) == 4


def test_undo_at_faults(client, project, valued, tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    monkeypatch.setattr(transport, "_MAX_SETTLE_TIMEOUT", 0.5)
    before = by_box(project)
    client.server.faults = hf.local.Faults.everywhere(0.2, slow=0, retry_after=0)
    try:
        for _ in range(3):
            rows = project.get_labels()
            project.plan_labels(rows, rows.iloc[:0]).apply().undo().apply()
    finally:
        client.server.faults = None
    assert by_box(project) == before
    assert len(project.get_labels()) == 4


def test_values_of_attributes_that_are_gone_are_named(project, valued):
    plan = project.plan_labels(valued, valued.iloc[:0]).apply().undo()
    [attribute] = project.get_attributes().query("name == 'size'").index
    project._requester.delete(f"/v1/projects/{project.id}/attributes/{attribute}")
    report = plan.apply(errors="report")
    assert report["outcome"].tolist() == ["created"] * 4
    assert report["message"].notna().sum() == 2
