"""Lists that change while they are read, and servers that page oddly: whole, or an error."""

from __future__ import annotations

import threading

import pytest
from servers import Seen, Server, page, serve

from hastyframe import Limits, errors, transport
from hastyframe.transport import Transport


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)


def connect(server: Server, **options) -> Transport:
    return Transport("the-key", server.url, **{"progress": False, "max_workers": 4, "timeout": 5.0, **options})


def things(count: int, start: int = 0) -> list[dict]:
    return [{"id": str(i)} for i in range(start, start + count)]


class Changing:
    """A list to which something happens when a page has been given out."""

    def __init__(self, items, change, when: int, most: int = 100, times: int = 1) -> None:
        self.items, self.change, self.when, self.most, self.left = items, change, when, most, times
        self.lock = threading.Lock()

    def __call__(self, seen: Seen):
        with self.lock:
            answer = page(seen, self.items, most=self.most)
            if self.left and int(seen.query["offset"]) >= self.when:
                self.left -= 1
                self.change(self.items)
            return answer


def delete_and_add(items: list) -> None:
    del items[0]
    items.append({"id": "new"})


def move_to_the_front(items: list) -> None:
    items.insert(0, items.pop(150))


def move_to_the_end(items: list) -> None:
    items.append(items.pop(10))


def swap(items: list) -> None:
    items[50], items[150] = items[150], items[50]


def replace_border(items: list) -> None:
    items[99] = {"id": "new"}


@pytest.mark.parametrize("change", [delete_and_add, move_to_the_front, move_to_the_end, swap, replace_border])
@pytest.mark.parametrize("when", [0, 50])
@pytest.mark.parametrize("workers", [1, 4])
def test_nothing_that_was_there_all_the_time_is_lost_or_comes_twice(change, when, workers):
    before = things(250)
    changing = Changing([*before], change, when)
    with serve(changing) as server:
        found = [item["id"] for item in connect(server, max_workers=workers).listing("/v1/things")]
    assert len(set(found)) == len(found) == 250
    after = {item["id"] for item in changing.items}
    assert {item["id"] for item in before} & after <= set(found)


def test_many_random_changes_lose_nothing():
    import random

    for seed in range(30):
        rng = random.Random(seed)

        def change(items: list, rng=rng) -> None:
            for _ in range(rng.randint(1, 3)):
                del items[rng.randrange(len(items))]
                items.insert(rng.choice([0, len(items)]), {"id": f"new {rng.random()}"})

        before = things(400)
        changing = Changing([*before], change, 0, most=rng.choice([7, 40, 100]), times=rng.randint(1, 4))
        with serve(changing) as server:
            try:
                found = [item["id"] for item in connect(server).listing("/v1/things")]
            except errors.UnexpectedAnswer:
                continue
        assert len(set(found)) == len(found)
        assert {item["id"] for item in before} & {item["id"] for item in changing.items} <= set(found), seed


def test_a_list_whose_items_have_no_ids_and_shift():
    items = [{"class_id": i % 3, "attribute_id": i} for i in range(250)]

    def shift(items: list) -> None:
        del items[0]
        items.append({"class_id": 9, "attribute_id": 999})

    with serve(Changing(items, shift, 0)) as server:
        assert connect(server).listing("/v1/things") == items


def test_ids_may_come_again_in_another_list():
    with serve(lambda seen: page(seen, things(3))) as server:
        found = connect(server).listings([(f"/v1/{i}", None) for i in range(5)], lambda number, items: items)
    assert [len(pages[0]) for pages in found] == [3] * 5


@pytest.mark.parametrize("most", [1, 2, 3, 7, 99])
@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_servers_that_hold_few_a_page(most, count):
    items = things(count)
    with serve(lambda seen: page(seen, items, most=most)) as server:
        assert connect(server).listing("/v1/things") == items


def test_numbers_as_ids():
    items = [{"id": i} for i in range(250)]
    with serve(lambda seen: page(seen, items)) as server:
        assert connect(server).listing("/v1/things") == items


# What cannot be settled -----------------------------------------------------------------------------------------------


def ignores_offset(seen: Seen):
    return {"meta": {"total": 300}, "items": things(100)}


def ignores_offset_and_total(seen: Seen):
    return {"meta": {"total": 200}, "items": things(100)}


def wraps_around(seen: Seen):
    offset = int(seen.query["offset"])
    return {"meta": {"total": 250}, "items": [{"id": str((offset + i) % 120)} for i in range(100)]}


def repeats_an_id(seen: Seen):
    return {"meta": {"total": 3}, "items": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}


def one_a_page_without_offset(seen: Seen):
    return {"meta": {"total": 3}, "items": [{"id": "a"}]}


def shuffles(seen: Seen):
    import random

    items = things(250)
    random.shuffle(items)
    return page(seen, items)


@pytest.mark.parametrize(
    "handle",
    [ignores_offset, ignores_offset_and_total, wraps_around, repeats_an_id, one_a_page_without_offset, shuffles],
)
def test_what_does_not_fit_together_is_an_error(handle):
    with serve(handle) as server, pytest.raises(errors.UnexpectedAnswer, match="do not fit together"):
        connect(server).listing("/v1/things")


@pytest.mark.parametrize("total", [10**9, 10**30, -1])
def test_a_total_beyond_reason_is_refused_at_once(total):
    with serve(lambda seen: {"meta": {"total": total}, "items": things(2)}) as server:
        kind = errors.SizeLimitError if total > 0 else errors.UnexpectedAnswer
        with pytest.raises(kind, match="rows" if total > 0 else "fit"):
            connect(server).listing("/v1/things")
        assert len(server.seen) < 5


def test_pages_that_come_short_end_the_reading(monkeypatch):
    """Twelve million pages are announced; each is empty but the first."""
    monkeypatch.setattr(transport, "_PAGES_AT_ONCE", 64)

    def handle(seen: Seen):
        return {"meta": {"total": 49_000_000}, "items": things(5) if seen.query["offset"] == "0" else []}

    with serve(handle) as server, pytest.raises(errors.UnexpectedAnswer, match="49,000,000 were announced"):
        connect(server).listing("/v1/things")
    assert len(server.seen) < 100


def test_limits_of_rows_can_be_raised_and_lowered():
    items = things(250)
    with serve(lambda seen: page(seen, items)) as server:
        with pytest.raises(errors.SizeLimitError, match=r"a list of 250 items, where 200 is the most.*rows="):
            connect(server, limits=Limits(rows=200)).listing("/v1/things")
        assert connect(server, limits=Limits(rows=250)).listing("/v1/things") == items


def test_a_list_takes_at_most_one_item_more_a_page():
    items = things(10_000)
    with serve(lambda seen: page(seen, items)) as server:
        assert connect(server).listing("/v1/things") == items
        assert len(server.seen) == 101
        assert {seen.query["limit"] for seen in server.seen} == {"100"}
