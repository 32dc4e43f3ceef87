"""Pages of a list: whether they fit together, so that nothing was lost between them.

A list may change while it is read. If something before a page is deleted and something else is added at the end, the
number of items is the same and an item has slipped past the border of two pages. So a page begins with the item that
the page before ended with; where that is another one, or an id comes twice, the list is read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Page", "agree", "fit", "items_of", "make_page", "offsets_after"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A page of a list, without the item that it shares with the page before."""

    result: R
    offset: int
    """Where it begins, that item included."""
    size: int
    """How many items came, that one included."""
    total: int
    first: Any
    last: Any
    """Who the items at its ends are."""
    ids: NDArray[np.int64]
    """Hashes of the ids of its items; eight bytes each, since a list may have millions."""

    @property
    def end(self) -> int:
        """The number of the item after its last."""
        return self.offset + self.size


def items_of(answer: Any) -> tuple[list[dict[str, Any]], int] | None:
    """Read an answer as the items of a page and the number of the list's items; None if it is not a page."""
    try:
        items, total = answer["items"], int(answer["meta"]["total"])
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    good = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    return (items, total) if good else None


def make_page(items: Sequence[Mapping[str, Any]], shared: int, offset: int, total: int, result: R) -> Page[R]:
    """Make a page of its items, `shared` of the page before, and of what became of the others."""
    first, last = (_identity(items[0]), _identity(items[-1])) if items else (None, None)
    return Page(result, offset, len(items), total, first, last, _ids_of(items[shared:]))


def _identity(item: Mapping[str, Any]) -> Any:
    """Who an item is: its id, or all of it where it has none."""
    found = item.get("id")
    return item if found is None else found


def _ids_of(items: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Return hashes of the ids of items that have one."""
    return np.array([hash(str(key)) for item in items if (key := item.get("id")) is not None], dtype=np.int64)


def offsets_after(first: Page[Any]) -> range:
    """Where the further pages begin after the first one; a server may hold fewer a page than it was asked for.

    Empty if there are none, and if pages of one item cannot have one in common.
    """
    if first.size < 2 or first.size >= first.total:
        return range(0)
    return range(first.size - 1, first.total - 1, first.size - 1)


def fit(pages: Sequence[Page[Any]], shared: int) -> bool:
    """Whether pages, in order, make a whole list in which nothing moved meanwhile.

    Parameters
    ----------
    pages : sequence of Page
        The pages.
    shared : int
        How many items each has in common with the one before: 1, or 0 where that cannot be.
    """
    total = pages[0].total
    if any(page.total != total for page in pages) or pages[-1].end != total:
        return False
    for before, page in pairwise(pages):
        if before.end - page.offset != shared or (shared and before.last != page.first):
            return False
    ids = _all_ids(pages)
    return len(np.unique(ids)) == len(ids)


def agree(pages: Sequence[Page[Any]], others: Sequence[Page[Any]]) -> bool:
    """Whether two readings of a list found the same items in the same order."""
    return np.array_equal(_all_ids(pages), _all_ids(others))


def _all_ids(pages: Sequence[Page[Any]]) -> NDArray[np.int64]:
    return np.concatenate([page.ids for page in pages])
