"""Reading a unit: just before it is written, and after every doubt. A look serves one request that follows at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hastyframe.errors import UnexpectedAnswer
from hastyframe.limits import PAGE_SIZE

from .context import IN_DOUBT, REFUSED, RunContext
from .journal import Change, Record, Unit

__all__ = ["MAX_LOOK_AGE", "UnitReader"]

T = TypeVar("T")

MAX_LOOK_AGE = 0.2
"""Seconds after which a look is too old to be written upon."""
_READINGS = 4


class UnitReader:
    """Reads a unit, whole or the pages that matter, and knows whether the last look may be written upon.

    Parameters
    ----------
    context : RunContext
        What all units share.
    unit : Unit
        Which one.
    """

    def __init__(self, context: RunContext, unit: Unit) -> None:
        self._context = context
        self._transport = context.transport
        self._resource = context.resource
        self._unit = unit.name
        self._order: dict[str, int] = {}
        self._looked_at = -1.0
        self._is_one_page = False
        self._was_read = False

    def read(self) -> list[Record]:
        """Read the whole unit."""
        items = self._repeated(lambda: self._checked(self._resource.read(self._unit)))
        self._order = {item[self._resource.key]: place for place, item in enumerate(items)}
        self._note_look(is_one_page=len(items) <= PAGE_SIZE)
        return items

    def read_pages_of(self, changes: Sequence[Change]) -> Sequence[Record]:
        """Read the things of changes: of a long list, the pages where they were, all at once."""
        read_page = self._resource.read_page
        places = [self._order.get(str(c.key)) for c in changes]
        pages = sorted({place // PAGE_SIZE for place in places if place is not None})
        if read_page is None or len(self._order) <= PAGE_SIZE or None in places or 2 * len(pages) > self._pages:
            return self.read()
        read = lambda page: self._checked(read_page(self._unit, page * PAGE_SIZE))  # noqa: E731
        found = self._repeated(lambda: self._transport.map(read, pages))
        items = [item for page in found for item in page]
        if not {c.key for c in changes} <= {item[self._resource.key] for item in items}:
            return self.read()  # the list has shifted, or they are gone
        self._note_look(is_one_page=True)
        return items

    def _checked(self, items: list[Record]) -> list[Record]:
        """Refuse a list with things that have no ids, come twice, or are of another unit."""
        key, here = self._resource.key, self._resource.unit
        keys = {item.get(key) for item in items if isinstance(item.get(key), str)}
        if len(keys) < len(items) or any(item.get(here, self._unit) != self._unit for item in items):
            noun = self._resource.noun
            unit = f"{here.removesuffix('_id')} {self._unit!r}"
            raise UnexpectedAnswer(
                f"The list of {noun}s of {unit} holds items without ids, twice, or of something else."
            )
        return items

    @property
    def _pages(self) -> int:
        return -(-len(self._order) // PAGE_SIZE)

    def _repeated(self, read: Callable[[], T]) -> T:
        """Read, and try again after errors that may pass."""
        for tries in range(1, _READINGS):
            try:
                found = read()
            except IN_DOUBT:
                self._transport.rest_before(tries)
            except REFUSED:  # not to be believed soon of a unit that was there a moment ago
                if not self._was_read:
                    raise
                self._transport.rest_before(tries)
            else:
                self._was_read = True
                return found
        return read()

    def _note_look(self, *, is_one_page: bool) -> None:
        self._looked_at, self._is_one_page = time.monotonic(), is_one_page

    @property
    def is_fresh(self) -> bool:
        """Whether the last look may be written upon: it took one round trip, just now, and nothing was sent since."""
        return self._is_one_page and time.monotonic() - self._looked_at < MAX_LOOK_AGE

    @contextlib.contextmanager
    def upon_look(self) -> Iterator[None]:
        """Take the last look for one request, and note how long both took together."""
        looked_at, self._is_one_page = self._looked_at, False
        yield
        if not self._context.unconditional:
            self._context.waited(time.monotonic() - looked_at)

    def in_order(self, changes: Sequence[Change]) -> list[Change]:
        """Sort changes of known things by where these stand in the list, so that a batch needs few pages."""
        return sorted(changes, key=lambda c: self._order.get(str(c.key), 0))

    def note_deleted(self, keys: set[str | None]) -> None:
        """Note that things are gone, so that the others have moved up in the list."""
        self._order = {key: place for place, key in enumerate(key for key in self._order if key not in keys)}
