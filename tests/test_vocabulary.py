"""Names and ids of a project: read once, read again when something is new."""

from __future__ import annotations

import gc
import threading

import pandas as pd
import pytest
from servers import Answer, Seen, page, serve

from hastyframe import entities, frames
from hastyframe.entities import Dataset, Image, Label, LabelClass
from hastyframe.errors import ValidationException
from hastyframe.transport import Transport
from hastyframe.vocabulary import Vocabulary, check_choice, ids_of, suggestion


class Project:
    """A project of which other people change the names."""

    def __init__(self) -> None:
        self.label_classes = [{"id": "c1", "name": "cat"}, {"id": "c2", "name": "dog"}]
        self.datasets = [{"id": "d1", "name": "train"}, {"id": "d2", "name": "train"}, {"id": "d3", "name": "test"}]

    def __call__(self, seen: Seen):
        name = seen.path.rpartition("/")[2]
        return page(seen, getattr(self, name)) if hasattr(self, name) else Answer(404)


@pytest.fixture
def served():
    project = Project()
    with serve(project) as server:
        one = Transport("the-key", server.url, progress=False)
        yield project, server, Vocabulary.of(one, "p")
        one.close()


def test_names_are_read_once(served):
    _, server, vocabulary = served
    for _ in range(3):
        assert vocabulary.ids(LabelClass, ["cat", "c2"]) == ["c1", "c2"]
    assert server.paths() == ["/v1/projects/p/label_classes"]
    vocabulary.invalidate(LabelClass)
    vocabulary.table(LabelClass)
    assert len(server.seen) == 2


def test_everything_on_a_transport_shares_the_names_of_a_project():
    one, other = (Transport("the-key", "http://127.0.0.1:9") for _ in range(2))
    assert Vocabulary.of(one, "p") is Vocabulary.of(one, "p")
    assert Vocabulary.of(one, "p") is not Vocabulary.of(one, "q")
    assert Vocabulary.of(one, "p") is not Vocabulary.of(other, "p")


def test_a_vocabulary_does_not_keep_its_transport_alive():
    import weakref

    one = Transport("the-key", "http://127.0.0.1:9")
    Vocabulary.of(one, "p")
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_a_name_that_is_new_is_found(served):
    project, _, vocabulary = served
    assert vocabulary.ids(LabelClass, "cat") == ["c1"]
    project.label_classes.append({"id": "c3", "name": "bird"})
    assert vocabulary.expire().ids(LabelClass, ["bird", "c3"]) == ["c3", "c3"]


def test_a_name_that_is_anothers_now_is_found_by_the_next_call(served):
    project, server, vocabulary = served
    assert vocabulary.ids(LabelClass, ["cat", "c2"]) == ["c1", "c2"]
    project.label_classes = [{"id": "c1", "name": "dog"}, {"id": "c2", "name": "cat"}]
    server.seen.clear()
    assert vocabulary.expire().ids(LabelClass, ["c1", "c2"]) == ["c1", "c2"]
    assert not server.seen, "no name was turned into an id"
    assert vocabulary.ids(LabelClass, ["cat", "dog", "c1"]) == ["c2", "c1", "c1"]
    assert vocabulary.ids(LabelClass, "dog") == ["c1"]
    assert len(server.seen) == 1, "once a call"


def test_names_that_things_once_had(served):
    project, _, vocabulary = served
    vocabulary.table(LabelClass)
    project.label_classes[0]["name"] = "lion"
    vocabulary.expire().current(LabelClass)
    ids, names = pd.Series(["c1", "c1", "c2", None, "c1"]), pd.Series(["cat", "lion", "cat", "cat", None])
    assert vocabulary.were_named(LabelClass, ids, names).tolist() == [True, True, False, False, False]
    assert not vocabulary.were_named(Dataset, ids, names).any()


def test_a_class_that_is_new_gets_its_name_in_frames(served):
    project, server, vocabulary = served
    vocabulary.table(LabelClass)
    project.label_classes.append({"id": "c3", "name": "bird"})
    frame = vocabulary.records(Label, [{"id": "l", "class_id": "c3"}, {"id": "m", "class_id": "c1"}])
    assert frame["class_name"].tolist() == ["bird", "cat"]
    assert list(frame["class_name"].cat.categories) == ["cat", "dog", "bird"]
    assert len(server.seen) == 2


def test_a_class_that_does_not_exist_has_no_name(served):
    _, server, vocabulary = served
    frame = vocabulary.records(Label, [{"id": "l", "class_id": "gone"}, {"id": "m", "class_id": None}])
    assert frame["class_name"].isna().all()
    assert len(server.seen) == 2, "read again once, not for ever"


def test_pages_of_many_lists_make_one_frame(served):
    _, _, vocabulary = served
    pages = [frames.to_arrow(Label, [{"id": f"l{i}", "class_id": "c2"}]) for i in range(3)]
    frame = vocabulary.frame(Label, pages)
    assert frame.index.tolist() == ["l0", "l1", "l2"]
    assert frame["class_name"].tolist() == ["dog"] * 3
    assert vocabulary.frame(Label, []).dtypes.to_dict() == frame.dtypes.to_dict()


def test_images_know_every_dataset(served):
    _, _, vocabulary = served
    frame = vocabulary.records(Image, [{"id": "i", "dataset_id": "d3", "dataset_name": "test"}])
    assert list(frame["dataset_name"].cat.categories) == ["train", "test"]


def test_a_name_that_two_have_is_no_name(served):
    _, _, vocabulary = served
    with pytest.raises(ValidationException, match=r"2 datasets are named 'train'.*\['d1', 'd2'\]"):
        vocabulary.ids(Dataset, "train")
    assert vocabulary.ids(Dataset, ["d2", "test"]) == ["d2", "d3"]


def test_an_unknown_name_is_answered_with_the_nearest(served):
    _, _, vocabulary = served
    with pytest.raises(ValidationException, match=r"'catt' is neither.*Did you mean 'cat'") as caught:
        vocabulary.ids(LabelClass, "catt")
    assert "label classes" in str(caught.value)


def test_many_threads_read_the_names_once(served):
    _, server, vocabulary = served
    start = threading.Barrier(8)
    found = []

    def read():
        start.wait()
        found.append(vocabulary.table(LabelClass))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.seen) == 1
    assert all(frame is found[0] for frame in found)


# Ids of what users bring ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("things", "ids"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ([], []),
        (Image({"id": "a"}), ["a"]),
        ([Image({"id": "a"}), "b"], ["a", "b"]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="image_id")), ["a"]),
        (pd.DataFrame({"image_id": ["b"]}, index=pd.Index(["l"], name="label_id")), ["b"]),
        (iter(["a"]), ["a"]),
    ],
)
def test_ids_of_things(things, ids):
    assert ids_of(Image, things) == ids


@pytest.mark.parametrize(
    "things",
    [[b"1"], [None], True, [Dataset({"id": "d"})], [float("nan")], pd.DataFrame({"x": [1]}), pd.Series(["a", None])],
)
def test_what_has_no_ids(things):
    with pytest.raises((ValidationException, TypeError)):
        ids_of(Image, things)


def test_choose():
    assert check_choice("DONE", entities.STATUSES, "status") == "DONE"
    with pytest.raises(ValidationException, match=r"status is 'DOEN'\. Did you mean 'DONE'\?"):
        check_choice("DOEN", entities.STATUSES, "status")
    with pytest.raises(ValidationException, match="status is None"):
        check_choice(None, entities.STATUSES, "status")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "choices", "said"),
    [
        ("ct", ["cat", "dog"], "Did you mean 'cat'?"),
        ("zebra", [], "There are no choices yet."),
        (float("nan"), ["man"], "It must be one of 'man'."),
        (None, ["Nonee"], "It must be one of 'Nonee'."),
        ("x" * 100_000, ["cat"], "It must be one of 'cat'."),
        ("?", [str(i) for i in range(30)], f"It must be one of {', '.join(repr(str(i)) for i in range(20))}, ..."),
    ],
)
def test_suggestions(value, choices, said):
    assert suggestion(value, choices) == said
