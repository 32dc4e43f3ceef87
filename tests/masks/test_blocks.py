"""Work on blocks, in several threads."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hastyframe.masks import blocks
from hastyframe.masks.blocks import in_threads
from hastyframe.masks.blocks import processors as told


@pytest.fixture(autouse=True, params=[1, 2, 8])
def processors(request, monkeypatch):
    monkeypatch.setattr(blocks, "processors", lambda: request.param)
    return request.param


def test_processors_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert told() == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # as on systems that do not tell
    assert told() == 16
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert told() == 1


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_every_item_is_worked_on_once_and_answers_keep_its_order(count):
    seen = []

    def work(item):
        seen.append(item)
        time.sleep((item % 3) / 1000)
        return -item

    assert in_threads(work, range(count)) == [-item for item in range(count)]
    assert sorted(seen) == list(range(count))


@given(st.lists(st.booleans(), max_size=20).filter(any))
def test_of_several_errors_that_of_the_first_item_is_raised(bad):
    def work(item):
        if bad[item]:
            time.sleep((len(bad) - item) / 10_000)  # so that later ones are there earlier
            raise ValueError(item)

    with pytest.raises(ValueError, match=f"^{bad.index(True)}$"):
        in_threads(work, range(len(bad)))


def test_an_interrupt_does_not_wait_for_what_is_not_begun():
    seen = []

    def work(item):
        seen.append(item)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(1000))
    assert len(seen) < 900


def test_this_thread_works_too(processors):
    names = set()

    def work(_):
        names.add(threading.current_thread().name)
        time.sleep(0.002)

    for _ in range(20):  # on a busy machine this thread may come too late
        names.clear()
        in_threads(work, range(50))
        if len(names) == processors:
            break
    assert threading.main_thread().name in names
    assert len(names) == processors
