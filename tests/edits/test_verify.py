"""Reading everything back: what the network did twice, or not at all, though its answers were good."""

from __future__ import annotations

import copy

import pytest
from servers import Answer

from hastyframe import transport as transport_module

from .scripted import apply, content, creates, deletes, edits, scripted


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport_module, "_FIRST_PAUSE", 0.002)


def twice(server):
    """Deliver each POST two times; only the first answer comes back."""

    def after(seen, answer):
        answer = copy.deepcopy(answer)
        if seen.method == "POST":
            server.carry_out(seen)
        return answer

    server.after = after


def test_what_was_delivered_twice_is_taken_away(tmp_path):
    with scripted() as (server, transport):
        server.put_there("i", content(0))  # equal to one of ours, and somebody else's
        twice(server)
        report = apply(transport, tmp_path / "j", {"i": creates([0, 0, 1]), "k": creates([1])}, verify=True)
        assert report["outcome"].tolist() == ["created"] * 4
        assert sorted(one["bbox"][0] for one in server.of("i")) == [0, 0, 0, 1]
        assert len(server.of("k")) == 1
        assert set(report["id"]) < {one["id"] for image in "ik" for one in server.labels[image]}


def test_it_is_found_without_being_asked_for_where_the_image_is_read_again_anyway(tmp_path):
    with scripted(timeout=(5.0, 0.1)) as (server, transport):
        twice(server)
        posts = []

        def before(seen):
            posts.extend([seen] * (seen.method == "POST"))
            return Answer(502) if len(posts) == 2 and seen.method == "POST" else None

        server.before = before
        report = apply(transport, tmp_path / "j", {"i": creates(range(150))})
        assert (report["outcome"] == "created").all()
        assert len(server.of("i")) == 150


def test_a_report_names_it_and_mends_it_if_asked(tmp_path):
    with scripted() as (server, transport):
        twice(server)
        report = apply(transport, tmp_path / "j", {"i": creates([0, 1])})
        server.after = lambda seen, answer: answer
        assert len(server.of("i")) == 4
        found = report.verify()
        assert found["message"].str.contains("Another label equals it").all()
        assert len(server.of("i")) == 4
        found = report.verify(mend=True)
        assert found["message"].isna().all()
        assert len(server.of("i")) == 2
        assert {one["id"] for one in server.labels["i"]} == set(report["id"])


@pytest.mark.parametrize("mend", [True, False])
def test_what_was_answered_well_and_not_done(tmp_path, mend):
    with scripted() as (server, transport):
        server.put_there("i", content(1))
        server.put_there("k", content(2))
        plan = {"i": edits(server, "i", class_id="ours"), "k": deletes(server, "k"), "l": creates([3])}
        lies = []

        def before(seen):
            if seen.method == "GET" or len(lies) >= 3:
                return None
            lies.append(seen)
            if seen.method == "DELETE":
                return Answer(204)
            body = [{k: v for k, v in one.items() if k != "tool_used"} for one in seen.json()]
            return Answer(
                200,
                {
                    "items": [
                        {"id": one.pop("label_id", "made-up"), "image_id": seen.path.split("/")[-2], **one}
                        for one in body
                    ]
                },
            )

        server.before = before
        report = apply(transport, tmp_path / "j", plan, verify=mend)
        if not mend:
            found = report.verify()
            assert found["outcome"].tolist() == ["edited", "failed", "failed"], "an edit is looked at in any case"
            assert found["message"].iloc[1:].str.contains("is there all the same|not there any more").all()
            report = found.verify(mend=True)
        assert len(lies) == 3
        assert report["outcome"].tolist() == ["edited", "deleted", "created"]
        assert server.of("i") == [content(1, class_id="ours")]
        assert server.of("k") == []
        assert server.of("l") == [content(3)]
        assert report["id"].iloc[2] == server.labels["l"][0]["id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_was_refused_and_done(tmp_path, method):
    with scripted() as (server, transport):
        if method != "POST":
            server.put_there("i", content(1))
        plan = {
            "POST": lambda: creates([1]),
            "PUT": lambda: edits(server, "i", class_id="ours"),
            "DELETE": lambda: deletes(server, "i"),
        }
        plan = plan[method]()
        server.after = lambda seen, answer: Answer(400, {"message": "no"}) if seen.method == method else answer
        report = apply(transport, tmp_path / "j", {"i": plan}, verify=True)
        assert report["outcome"].tolist() == [{"POST": "created", "PUT": "edited", "DELETE": "deleted"}[method]]
        assert report["message"].isna().all()


def test_nothing_to_mend_is_read_twice_and_left_alone(tmp_path):
    with scripted() as (server, transport):
        report = apply(transport, tmp_path / "j", {"i": creates([1, 2])}, verify=True)
        assert [seen.method for seen in server.seen] == ["GET", "POST", "GET", "GET"]
        assert report.verify()["outcome"].tolist() == ["created", "created"]
