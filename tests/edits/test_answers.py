"""An answer is checked against what was sent: what does not fit is in doubt, and read."""

from __future__ import annotations

import copy

import pytest
from servers import Answer

from hastyframe import transport as transport_module

from .scripted import apply, content, creates, edits, scripted


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport_module, "_FIRST_PAUSE", 0.002)


def reordered(answer, server):
    return {"items": answer["items"][::-1]}


def ids_exchanged(answer, server):
    items = copy.deepcopy(answer["items"])
    for one, other in zip(items, answer["items"][::-1], strict=True):
        one["bbox"] = other["bbox"]
    return {"items": items}


def repeated(answer, server):
    return {"items": [answer["items"][0]] * len(answer["items"])}


def without_ids(answer, server):
    return {"items": [{**one, "id": None} for one in answer["items"]]}


def numbered(answer, server):
    return {"items": [{**one, "id": n} for n, one in enumerate(answer["items"])]}


def empty_ids(answer, server):
    return {"items": [{**one, "id": ""} for one in answer["items"]]}


def of_another_image(answer, server):
    return {"items": [{**one, "id": f"other-{n}", "image_id": "other"} for n, one in enumerate(answer["items"])]}


def of_older_labels(answer, server):
    return {"items": server.labels["i"][: len(answer["items"])]}


def fewer(answer, server):
    return {"items": answer["items"][1:]}


def more(answer, server):
    return {"items": [*answer["items"], {**answer["items"][0], "id": "more"}]}


def nothing(answer, server):
    return Answer(201, b"")


def null(answer, server):
    return Answer(200, b"null")


ANSWERS = [
    reordered, ids_exchanged, repeated, without_ids, numbered, empty_ids, of_another_image, of_older_labels, fewer,
    more, nothing, null,
]  # fmt: skip


@pytest.mark.parametrize("bend", ANSWERS, ids=lambda bend: bend.__name__)
def test_the_report_has_the_ids_of_what_is_there(tmp_path, bend):
    with scripted(timeout=(5.0, 0.1)) as (server, transport):
        server.put_there("i", *(content(n) for n in range(50, 54)))
        server.after = lambda seen, answer: bend(answer, server) if seen.method == "POST" else answer
        report = apply(transport, tmp_path / "j", {"i": creates(range(4))})
        assert report["outcome"].tolist() == ["created"] * 4
        there = {one["id"]: one["bbox"] for one in server.labels["i"]}
        assert len(there) == 8
        assert [there[key] for key in report["id"]] == [content(n)["bbox"] for n in range(4)]


@pytest.mark.parametrize("bend", [ids_exchanged, repeated, without_ids, of_another_image, null])
def test_answers_to_edits(tmp_path, bend):
    with scripted() as (server, transport):
        server.put_there("i", content(1), content(2))
        plan = edits(server, "i", class_id="ours")
        server.after = lambda seen, answer: bend(answer, server) if seen.method == "PUT" else answer
        report = apply(transport, tmp_path / "j", {"i": plan})
        assert report["outcome"].tolist() == ["edited"] * 2
        assert server.of("i") == [content(1, class_id="ours"), content(2, class_id="ours")]
        assert b'"as"' not in (tmp_path / "j").read_bytes(), "what a wrong answer says is not what is stored"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_server_that_stores_otherwise_than_it_was_sent(tmp_path, method):
    """Its answer, and what is there afterwards, say the same: that is how it stores them, and nothing is sent again."""

    def rounding(seen, answer):
        if seen.method == method:
            for one in server.labels["i"]:
                one["z_index"] = 7
            answer = copy.deepcopy(answer)
            for one in answer["items"]:
                one["z_index"] = 7
        return answer

    with scripted() as (server, transport):
        server.after = rounding
        if method == "PUT":
            server.put_there("i", content(1), content(2))
        plan = edits(server, "i", class_id="ours", z_index=3) if method == "PUT" else creates([1, 2])
        report = apply(transport, tmp_path / "j", {"i": plan})
        assert report["outcome"].tolist() == ["created" if method == "POST" else "edited"] * 2
        assert report["id"].tolist() == [one["id"] for one in server.labels["i"]]
        assert len([seen for seen in server.seen if seen.method == method]) == 1
