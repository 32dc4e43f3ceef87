"""A request without an answer, after which nothing can be read: what it does later is found all the same."""

from __future__ import annotations

import pandas as pd
import pytest

from hastyframe.edits.review import Reviewer
from hastyframe.errors import AuthorisationException, OutcomeUnknown, ServerError
from hastyframe.transport import Transport


def test_what_could_not_be_looked_for_is_swept_when_it_lands_after_a_resume(project, images, tmp_path, monkeypatch):
    monkeypatch.setattr(Transport, "settle_timeout", 0.0)
    before = project.get_labels()
    new = {"image_id": images.index[0], "class_name": "coin", "x_min": 1, "y_min": 1, "x_max": 5, "y_max": 5}
    plan = project.plan_labels(before, pd.DataFrame([new]))
    post = Transport.post
    sent = []

    def lost(transport, path, body, **options):
        sent.append((path, body))
        raise OutcomeUnknown("No answer.")

    def closed(transport, path, params=None):
        raise AuthorisationException("The key was withdrawn.")

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "post", lost)
        patch.setattr(Transport, "listing", closed)
        with pytest.warns(UserWarning, match="could not be read again"):
            report = plan.apply(tmp_path / "journal", errors="report")
    assert report["outcome"].tolist() == ["unknown"]

    def then_the_lost_one_lands(transport, path, body, **options):
        answer = post(transport, path, body, **options)
        while sent:
            post(transport, *sent.pop())
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "post", then_the_lost_one_lands)
        report = project.resume(tmp_path / "journal")
    assert not sent
    assert report["outcome"].tolist() == ["created"]
    assert project.get_labels().index.tolist() == report["id"].tolist()


def test_a_look_for_what_came_late_that_fails_is_said_and_done_by_the_resume(project, images, tmp_path, monkeypatch):
    monkeypatch.setattr(Transport, "settle_timeout", 0.0)
    new = {"image_id": images.index[0], "class_name": "coin", "x_min": 1, "y_min": 1, "x_max": 5, "y_max": 5}
    plan = project.plan_labels(project.get_labels(), pd.DataFrame([new]))
    post, sent = Transport.post, []

    def once_lost(transport, path, body, **options):
        sent.append(body)
        if len(sent) == 1:
            raise OutcomeUnknown("No answer.")
        answer = post(transport, path, body, **options)
        post(transport, path, sent[0], **options)  # the lost one lands late
        return answer

    def troubled(reviewer, what):
        raise ServerError("The server had trouble.")

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "post", once_lost)
        patch.setattr(Reviewer, "review", troubled)
        with pytest.warns(UserWarning, match="The server had trouble.*resume.*looks again"):
            report = plan.apply(tmp_path / "journal")
    assert report["outcome"].tolist() == ["created"]
    assert len(project.get_labels()) == 2
    project.resume(tmp_path / "journal")
    assert project.get_labels().index.tolist() == report["id"].tolist()
