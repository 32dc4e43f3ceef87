"""Changes and things held against each other: whether a change is met, and which new thing is whose."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from .journal import Change, Record

__all__ = ["is_as_read", "is_met", "paired"]


def paired(
    changes: Iterable[Change], items: Iterable[Record], content: Callable[[Record], Record]
) -> tuple[list[tuple[Change, Record]], list[Change]]:
    """Pair changes with things of equal content, each with one at most; return the pairs and the changes left over."""
    changes, items = list(changes), list(items)
    names = {tuple(c.new or ()) for c in changes}
    pools: dict[Any, deque[int]] = defaultdict(deque)
    for place, item in enumerate(items):
        now = content(item)
        for some in names:
            pools[some, _frozen([now.get(name) for name in some])].append(place)
    used: set[int] = set()
    pairs, rest = [], []
    for change in changes:
        new = change.new or {}
        pool = pools.get((tuple(new), _frozen(list(new.values()))), deque())
        while pool and pool[0] in used:
            pool.popleft()
        if pool:
            used.add(pool[0])
            pairs.append((change, items[pool[0]]))
        else:
            rest.append(change)
    return pairs, rest


def _frozen(value: Any) -> Any:
    """Return a JSON value as one that can be looked up: equal if and only if the values are."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return frozenset((name, _frozen(part)) for name, part in value.items())
    return value


def is_met(change: Change, now: Record | None) -> bool:
    """Whether what is there is what is intended."""
    if change.new is None or now is None:
        return change.new is None and now is None
    return all(now.get(name) == value for name, value in change.new.items())


def is_as_read(change: Change, now: Record) -> bool:
    """Whether a thing is known to be as it was read, so that nothing was written."""
    return bool(change.old) and all(now.get(name) == value for name, value in (change.old or {}).items())
