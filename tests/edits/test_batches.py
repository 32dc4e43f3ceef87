"""Batches of writes: every row once, every row's fate told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import RESET, Answer, Seen, Server, serve

from hastyframe import errors, frames, transport
from hastyframe.edits import batches as edits
from hastyframe.edits.batches import Batch, cut, execute
from hastyframe.entities import Label, Tag
from hastyframe.transport import Transport


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)


def connect(server: Server, **options) -> Transport:
    return Transport("the-key", server.url, **{"progress": False, "max_workers": 4, "retries": 2, **options})


@pytest.fixture
def idle():
    return Transport("the-key", "http://127.0.0.1:9", max_workers=4, progress=False)


# Cutting --------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(images=st.lists(st.sampled_from("abcde"), max_size=60), limit=st.integers(1, 7))
def test_every_row_goes_out_once_in_batches_of_one_image(images, limit):
    batches = cut(pd.Series(images, dtype="str"), limit)
    sent = [int(row) for batch in batches for row in batch.rows]
    assert sorted(sent) == list(range(len(images)))
    for batch in batches:
        assert 1 <= len(batch.rows) <= limit
        assert {images[row] for row in batch.rows} == {batch.image_id}
        assert batch.rows.tolist() == sorted(batch.rows.tolist())
    of_image = Counter(batch.image_id for batch in batches)
    assert of_image == {image: -(-count // limit) for image, count in Counter(images).items()}
    assert list(dict.fromkeys(batch.image_id for batch in batches)) == list(dict.fromkeys(images))
    firsts = [batch.rows[0] for image in of_image for batch in batches if batch.image_id == image]
    assert firsts == [batch.rows[0] for batch in batches], "the batches of an image stay together, in order"


def test_no_more_than_the_api_takes():
    assert [len(batch.rows) for batch in cut(pd.Series(["a"] * 250))] == [100, 100, 50]


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_image_ids_of_any_dtype(dtype):
    batches = cut(pd.Series(["b", "a", "b"], index=[7, 7, 7]).astype(dtype))
    assert [(batch.image_id, batch.rows.tolist()) for batch in batches] == [("b", [0, 2]), ("a", [1])]


# Carrying out ---------------------------------------------------------------------------------------------------------


def batches_of(count: int, size: int = 2) -> list[Batch]:
    return [Batch(f"i{n}", np.arange(n * size, (n + 1) * size)) for n in range(count)]


def test_results_come_in_the_order_of_the_batches(idle):
    def send(batch: Batch) -> str:
        time.sleep(0.02 if batch.image_id in ("i0", "i5") else 0)
        return batch.image_id

    assert execute(idle, batches_of(20), send, pd.RangeIndex(40), desc="Do") == [f"i{n}" for n in range(20)]
    assert execute(idle, [], send, pd.RangeIndex(0), desc="Do") == []


def fates(idle: Transport, send, count: int = 6, index=None) -> errors.BatchError:
    index = pd.Index([f"row {i}" for i in range(2 * count)]) if index is None else index
    with pytest.raises(errors.BatchError) as caught:
        execute(idle, batches_of(count), send, index, desc="Create labels", ids=lambda result: result)
    return caught.value


def test_a_batch_that_fails_does_not_stop_the_others(idle):
    def send(batch: Batch) -> list[str]:
        if batch.image_id == "i1":
            raise errors.ValidationException("The box is too large", request="POST /v1/x")
        if batch.image_id == "i3":
            raise errors.OutcomeUnknown("The connection broke")
        return [f"{batch.image_id}-{row}" for row in batch.rows]

    error = fates(idle, send)
    report = error.report
    assert report.index.tolist() == [f"row {i}" for i in range(12)]
    assert list(report.columns) == ["image_id", "outcome", "id", "message"]
    assert report["image_id"].tolist() == [f"i{i // 2}" for i in range(12)]
    word = {"i1": "failed", "i3": "unknown"}
    assert report["outcome"].tolist() == [word.get(f"i{i // 2}", "done") for i in range(12)]
    assert report["id"].astype(object).where(report["id"].notna(), None).tolist() == [
        None if f"i{i // 2}" in word else f"i{i // 2}-{i}" for i in range(12)
    ]
    assert report.loc["row 2", "message"] == "The box is too large [POST /v1/x]"
    assert report.loc["row 0"].isna().tolist() == [False, False, False, True]
    assert str(error).startswith("Create labels: 8 done, 2 failed, 2 unknown; see the error's `report`")
    assert "The box is too large" in str(error)
    assert isinstance(error.__cause__, errors.ValidationException)


def test_rows_that_are_not_in_the_order_of_their_images(idle):
    batches = cut(pd.Series(["b", "a", "b", "c"]))

    def send(batch: Batch) -> list[str]:
        if batch.image_id == "a":
            raise errors.NotFound("No such image")
        return [f"{batch.image_id}{row}" for row in batch.rows]

    with pytest.raises(errors.BatchError) as caught:
        execute(idle, batches, send, pd.Index([5, 5, 6, 6]), desc="Do", ids=lambda ids: ids)
    report = caught.value.report
    assert report.index.tolist() == [5, 5, 6, 6]
    assert report["image_id"].tolist() == ["b", "a", "b", "c"]
    assert report["outcome"].tolist() == ["done", "failed", "done", "done"]
    assert report["id"].tolist()[2:] == ["b2", "c3"]


@pytest.mark.parametrize(
    "kind", [errors.AuthenticationException, errors.AuthorisationException, errors.InsufficientCredits]
)
def test_what_hits_all_stops_early(idle, kind):
    sent = []

    def send(batch: Batch) -> list[str]:
        sent.append(batch.image_id)
        time.sleep(0.002)
        raise kind("No")

    report = fates(idle, send, count=200).report
    counts = report["outcome"].value_counts()
    assert len(sent) <= 8
    assert counts["failed"] == 2 * len(sent)
    assert counts["not sent"] == 400 - 2 * len(sent)
    assert report.loc[report["outcome"] == "not sent", ["id", "message"]].isna().all(axis=None)


@pytest.mark.parametrize("error", [KeyError("items"), errors.UnexpectedAnswer("Something else"), OSError("disk")])
def test_an_error_that_nobody_expects_does_not_lose_the_fate_of_the_others(idle, error):
    def send(batch: Batch) -> list[str]:
        if batch.image_id == "i2":
            raise error
        return ["x", "y"]

    report = fates(idle, send).report
    assert report["outcome"].value_counts().to_dict() == {"done": 10, "unknown": 2}


# Labels and tags over HTTP --------------------------------------------------------------------------------------------


def labels_frame(images: list[str]) -> pd.DataFrame:
    rows = [
        {"id": f"l{i}", "image_id": image, "class_id": "c", "bbox": [0, 0, 1 + i, 1], "external_id": f"e{i}"}
        for i, image in enumerate(images)
    ]
    return frames.from_records(Label, rows)


def image_of(seen: Seen) -> str:
    return unquote(seen.path.split("/")[5])


def stores(seen: Seen):
    """Store labels as the API does; the later the image, the faster."""
    image = image_of(seen)
    time.sleep(0.02 if image == "i0" else 0)
    items = seen.json()
    stored = [
        {**item, "id": item.get("label_id") or f"new-{item['external_id']}", "image_id": image, "project_id": "p"}
        for item in items
    ]
    return {"items": stored}


IMAGES = [f"i{i % 3}" for i in range(20)] + ["i9"] * 230


def test_labels_are_created_in_the_order_of_the_rows():
    with serve(stores) as server:
        batches = edits.create_labels(connect(server), "p", labels_frame(IMAGES))
        assert Counter(map(image_of, server.seen)) == {"i0": 1, "i1": 1, "i2": 1, "i9": 3}
        assert all(len(seen.json()) <= 100 for seen in server.seen)
        assert {seen.method for seen in server.seen} == {"POST"}
        keys = {"class_id", "bbox", "polygon", "mask", "z_index", "external_id", "tool_used"}
        assert all(set(item) == keys for seen in server.seen for item in seen.json())
    frame = frames.from_arrow(Label, batches)
    assert frame["external_id"].tolist() == [f"e{i}" for i in range(250)]
    assert frame.index.tolist() == [f"new-e{i}" for i in range(250)]
    assert frame["image_id"].tolist() == IMAGES


def test_labels_are_edited_in_the_order_of_the_rows_whatever_the_order_of_the_answer():
    def shuffled(seen: Seen):
        return {"items": stores(seen)["items"][::-1]}

    with serve(shuffled) as server:
        batches = edits.edit_labels(connect(server), "p", labels_frame(IMAGES))
        assert {seen.method for seen in server.seen} == {"PUT"}
    frame = frames.from_arrow(Label, batches)
    assert frame.index.tolist() == [f"l{i}" for i in range(250)]
    assert frame["x_max"].tolist() == [1 + i for i in range(250)]


def test_labels_are_deleted_in_batches_of_an_image():
    with serve(lambda seen: Answer(204)) as server:
        edits.delete_labels(connect(server), "p", labels_frame(IMAGES)["image_id"])
        deleted = {(image_of(seen), item["id"]) for seen in server.seen for item in seen.json()}
        assert {seen.method for seen in server.seen} == {"DELETE"}
    assert deleted == {(image, f"l{i}") for i, image in enumerate(IMAGES)}


def test_nothing_to_write_sends_nothing():
    with serve(stores) as server:
        assert edits.create_labels(connect(server), "p", labels_frame([])) == []
        assert edits.edit_labels(connect(server), "p", labels_frame([])) == []
        edits.delete_labels(connect(server), "p", labels_frame([])["image_id"])
        assert server.seen == []


@pytest.mark.parametrize(
    "change",
    [
        lambda items: {"items": items[:-1]},
        lambda items: {"items": [*items, items[0]]},
        lambda items: {"items": ["a"] * len(items)},
        lambda items: {"items": None},
        lambda items: items,
        lambda items: {"items": [{**item, "bbox": [1]} for item in items]},
        lambda items: {"items": [{**item, "id": None} for item in items]},
        lambda items: {"items": [{**item, "id": "same"} for item in items]},
        lambda items: {"items": [{**item, "image_id": "other"} for item in items]},
        lambda items: {"items": [{**item, "class_id": "other"} for item in items]},
    ],
)
@pytest.mark.parametrize("write", [edits.create_labels, edits.edit_labels])
def test_an_answer_that_does_not_fit_leaves_the_outcome_unknown(change, write):
    def handle(seen: Seen):
        answer = stores(seen)
        return change(answer["items"]) if image_of(seen) == "i1" else answer

    with serve(handle) as server, pytest.raises(errors.BatchError) as caught:
        write(connect(server), "p", labels_frame(["i0", "i1", "i0", "i1", "i2"]))
    assert caught.value.report["outcome"].tolist() == ["done", "unknown", "done", "unknown", "done"]
    assert isinstance(caught.value.__cause__, errors.UnexpectedAnswer)


def test_new_labels_that_are_answered_with_nothing():
    """Of edits that is enough: they are read again."""
    with serve(lambda seen: None) as server, pytest.raises(errors.BatchError, match="with something else") as caught:
        edits.create_labels(connect(server), "p", labels_frame(["i0", "i1"]))
    assert caught.value.report["outcome"].tolist() == ["unknown", "unknown"]


def test_an_edit_that_is_answered_with_other_labels():
    def handle(seen: Seen):
        return {"items": [{**item, "id": "other"} for item in stores(seen)["items"]]}

    with serve(handle) as server, pytest.raises(errors.BatchError, match="other labels than were sent"):
        edits.edit_labels(connect(server), "p", labels_frame(["i0", "i1"]))


def test_the_fate_of_each_row_over_http():
    lock, seen_429 = threading.Lock(), []

    def handle(seen: Seen):
        match image_of(seen):
            case "refused":
                return Answer(400, {"message": "bbox: the box is too large"})
            case "broken":
                return RESET
            case "busy":
                with lock:
                    seen_429.append(1)
                    first = len(seen_429) == 1
                return Answer(429) if first else stores(seen)
        return stores(seen)

    images = ["refused", "broken", "busy", "fine", "refused"]
    with serve(handle) as server:
        with pytest.raises(errors.BatchError) as caught:
            edits.create_labels(connect(server), "p", labels_frame(images))
        assert Counter(map(image_of, server.seen)) == {"refused": 1, "broken": 1, "busy": 2, "fine": 1}
    report = caught.value.report
    assert report.index.tolist() == [f"l{i}" for i in range(5)]
    assert report["outcome"].tolist() == ["failed", "unknown", "done", "done", "failed"]
    assert "the box is too large" in report["message"].iloc[0]
    assert report["id"].tolist()[2:4] == ["new-e2", "new-e3"]


def test_an_edit_is_repeated_and_a_delete_too():
    failed = set()

    def handle(seen: Seen):
        if seen.path not in failed:
            failed.add(seen.path)
            return RESET
        return stores(seen) if seen.method == "PUT" else Answer(404, {"message": "gone already"})

    with serve(handle) as server:
        batches = edits.edit_labels(connect(server), "p", labels_frame(["i0", "i1"]))
        assert len(frames.from_arrow(Label, batches)) == 2
        failed.clear()
        edits.delete_labels(connect(server), "p", labels_frame(["i0", "i1"])["image_id"])


def test_ids_cannot_lead_to_another_path():
    with serve(stores) as server:
        edits.create_labels(connect(server), "p", labels_frame(["../../q?x=1#y"]))
        assert server.paths() == ["/v1/projects/p/images/..%2F..%2Fq%3Fx%3D1%23y/labels"]


def test_tags():
    rows = pd.DataFrame({"image_id": ["i1", "i0", "i1"], "tag_class_id": ["t1", "t2", "t3"]})

    def handle(seen: Seen):
        if seen.method == "DELETE":
            return Answer(204)
        image = image_of(seen)
        return [
            {"id": f"{image}-{item['tag_class_id']}", "image_id": image, "tag_class_name": "x", **item}
            for item in seen.json()
        ]

    with serve(handle) as server:
        batches = edits.add_tags(connect(server), "p", rows)
        edits.delete_tags(connect(server), "p", rows, "tag_class_id")
        deleted = [(image_of(seen), seen.json()) for seen in server.seen if seen.method == "DELETE"]
    frame = frames.from_arrow(Tag, batches)
    assert frame.index.tolist() == ["i1-t1", "i0-t2", "i1-t3"]
    assert frame["tag_class_id"].tolist() == ["t1", "t2", "t3"]
    assert sorted(deleted) == [
        ("i0", [{"tag_class_id": "t2"}]),
        ("i1", [{"tag_class_id": "t1"}, {"tag_class_id": "t3"}]),
    ]


def test_tags_of_which_the_server_says_something_else():
    rows = pd.DataFrame({"image_id": ["i1"], "tag_class_id": ["t1"]})
    with serve(lambda seen: {"items": []}) as server, pytest.raises(errors.BatchError, match="with something else"):
        edits.add_tags(connect(server), "p", rows)
