"""What has an id is written over what was just read: others' changes are conflicts, whenever they come."""

from __future__ import annotations

import pytest
from servers import RESET, Answer

from hastyframe import transport as transport_module

from .scripted import apply, content, deletes, edits, scripted

FAULTS = {
    "429": Answer(429, headers={"Retry-After": "1"}),
    "503": Answer(503),
    "408": Answer(408, {"message": "late"}),
    "cut": RESET,
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport_module, "_FIRST_PAUSE", 0.002)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_others_change_while_a_write_is_put_off_stays(tmp_path, method, fault):
    theirs = content(1, class_id="theirs")
    with scripted() as (server, transport):
        server.put_there("i", content(1), content(2))
        plan = edits(server, "i", class_id="ours") if method == "PUT" else deletes(server, "i")
        left = [1]

        def before(seen):
            if seen.method == method and left:
                left.pop()
                server.labels["i"][0].update(theirs)
                return FAULTS[fault]
            return None

        server.before = before
        report = apply(transport, tmp_path / "j", {"i": plan})
        assert not left
        assert report["outcome"].tolist() == ["failed", "edited" if method == "PUT" else "deleted"]
        assert "Conflict: class_id" in report["message"].iloc[0]
        assert server.of("i")[0] == theirs


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_each_batch_of_a_long_image_rests_on_a_look_of_its_own(tmp_path, method):
    with scripted() as (server, transport):
        server.put_there("i", *(content(n) for n in range(1000)))
        plan = edits(server, "i", class_id="ours") if method == "PUT" else deletes(server, "i")
        victim = server.labels["i"][750]
        writes = []

        def after(seen, answer):
            if seen.method == method:
                writes.append(seen)
                if len(writes) == 1:
                    victim["class_id"] = "theirs"
            return answer

        server.after = after
        report = apply(transport, tmp_path / "j", {"i": plan})
        assert report["outcome"].value_counts()["failed"] == 1
        assert report["outcome"].iloc[750] == "failed"
        assert victim in server.labels["i"]
        assert victim["class_id"] == "theirs"
        reads = [seen for seen in server.seen if seen.method == "GET"]
        assert len(reads) <= 6 * len(writes), "a look reads the pages of its batch, not the whole image each time"


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_long_image_whose_pages_shift_under_the_looks(tmp_path, shift):
    """Somebody adds or removes a label in front: the batch's labels are on other pages than they were."""
    with scripted() as (server, transport):
        server.put_there("i", *(content(n) for n in range(400)))
        plan = edits(server, "i", class_id="ours")[50:]
        writes = []

        def after(seen, answer):
            if seen.method == "PUT" and not writes:
                if shift < 0:
                    del server.labels["i"][0]
                else:
                    server.labels["i"].insert(0, {"id": "new", "image_id": "i", **content(9)})
            writes.append(seen)
            return answer

        server.after = after
        report = apply(transport, tmp_path / "j", {"i": plan})
        assert (report["outcome"] == "edited").all()
        assert sum(one["class_id"] == "ours" for one in server.labels["i"]) == 350


@pytest.mark.parametrize("what", ["change", "delete", "restore"])
def test_an_edit_that_is_overwritten_after_it_was_written_is_told(tmp_path, what):
    """Two clients look at the same time, and the other one writes last."""
    with scripted() as (server, transport):
        server.put_there("i", content(1), content(2))
        plan = edits(server, "i", class_id="ours")
        left = [1]

        def after(seen, answer):
            if seen.method == "PUT" and left:
                left.pop()
                if what == "delete":
                    del server.labels["i"][0]
                else:
                    server.labels["i"][0]["class_id"] = "theirs" if what == "change" else "c"
            return answer

        server.after = after
        report = apply(transport, tmp_path / "j", {"i": plan})
        if what == "restore":  # as if nothing had been written: it is written again
            assert report["outcome"].tolist() == ["edited", "edited"]
            assert [one["class_id"] for one in server.of("i")] == ["ours", "ours"]
            return
        assert report["outcome"].tolist() == ["failed", "edited"]
        assert "Conflict: " in report["message"].iloc[0]
        assert "somebody else" in report["message"].iloc[0]


def test_plain_calls_are_not_read_again(tmp_path):
    with scripted() as (server, transport):
        server.put_there("i", content(1))
        key = server.labels["i"][0]["id"]
        plan = [{"id": key, "old": {}, "new": content(1, class_id="ours")}]
        report = apply(transport, tmp_path / "j", {"i": plan}, unconditional=True)
        assert report["outcome"].tolist() == ["edited"]
        assert [seen.method for seen in server.seen] == ["PUT"]


def test_what_is_refused_for_one_image_is_that_images(tmp_path):
    """One worker, the first image forbidden: the others are written, and resuming gets to them too."""
    with scripted(max_workers=1) as (server, transport):
        units = {f"i{n}": [{"new": content(n)}] for n in range(5)}
        server.before = lambda seen: Answer(403, {"message": "no"}) if "/i0/" in seen.path else None
        report = apply(transport, tmp_path / "j", units)
        assert report["outcome"].tolist() == ["failed"] + ["created"] * 4
        assert "no" in report["message"].iloc[0]


def test_what_is_refused_for_the_account_ends_the_run(tmp_path):
    with scripted(max_workers=1) as (server, transport):
        units = {f"i{n}": [{"new": content(n)}] for n in range(60)}
        server.before = lambda seen: Answer(403, {"message": "no"})
        report = apply(transport, tmp_path / "j", units)
        assert (report["outcome"] == "failed").all()
        assert len(server.seen) == 20
        server.before, server.seen = lambda seen: Answer(401), []
        report = apply(transport, tmp_path / "k", units)
        assert (report["outcome"] == "failed").all()
        assert len(server.seen) == 1


@pytest.mark.parametrize("refusals", [1, 4, 6, 1000])
def test_an_image_is_taken_for_gone_after_many_refusals_only(tmp_path, refusals):
    with scripted() as (server, transport):
        server.put_there("i", content(1), content(2))
        written = []

        def before(seen):
            if seen.method == "PUT":
                written.append(seen)
            elif written and len(written) <= refusals:
                written.append(seen)
                return Answer(404, {"message": "no"})
            return None

        server.before = before
        report = apply(transport, tmp_path / "j", {"i": edits(server, "i", class_id="ours")})
        assert len(written) > min(refusals, 7)
        assert set(report["outcome"]) == {"failed" if refusals == 1000 else "edited"}
