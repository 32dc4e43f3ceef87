"""The work on one unit (an image with its labels, say): look, judge, write, and look again after every doubt.

What has an id is written only over what was just read: a look serves one request that follows it at once. What is new
is sent once, and after an answer that leaves a doubt or does not fit, the unit is read and ours are found in it.
`docs/edits.md` has the argument why that makes exactly one of each.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from hastyframe.errors import (
    PASSING,
    ConnectionFailed,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    UnexpectedAnswer,
    ValidationException,
)
from hastyframe.limits import PAGE_SIZE

from .journal import DONE, Change, Journal, Record, Unit
from .resources import Resource

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["DONE_BY_INTENT", "IN_DOUBT", "RunContext", "UnitWork", "is_met", "paired"]

IN_DOUBT = (OutcomeUnknown, *PASSING)
"""It may have been done or not, and may go better the next time."""
DONE_BY_INTENT = {"create": "created", "edit": "edited", "delete": "deleted"}

MAX_LOOK_AGE = 0.2
"""Seconds after which a look is too old to be written upon."""
_REFUSED = (ValidationException, NotFound)
"""The server looked at the request and did nothing."""
_ROUNDS = 8
"""So often in a row a batch may come to nothing before it is given up."""
_ROUNDS_SLOWED = 60
"""So often in a row a batch may be put off by a server that asks to slow down."""
_READINGS = 4


class RunContext(Protocol):
    """What all units of a run share."""

    transport: Transport
    journal: Journal
    resource: Resource
    blind: bool
    overwrite: bool
    claims: bool

    def did(self, outcome: str, changes: Sequence[Change], items: Sequence[Record | None] | None = None) -> None:
        """Note what became of changes, and what the server has of them."""

    def failed(self, rows: Sequence[int], message: str, outcome: str = "failed") -> None:
        """Note why rows were not carried out."""

    def waited(self, seconds: float) -> None:
        """Note how long a look and the write upon it took."""

    def doubted(self) -> None:
        """Note that a request without an answer may still be under way."""


class _Misfit(UnexpectedAnswer):
    """An answer whose content is not what was sent: of another request, say, or of a server that stores otherwise."""

    def __init__(self, message: str, items: Sequence[Record]) -> None:
        super().__init__(message)
        self.items = items


class UnitWork:
    """The work on one unit, done by one thread.

    Parameters
    ----------
    context : RunContext
        What all units share.
    unit : Unit
        Which one.

    Attributes
    ----------
    uncertain : set of int
        Rows of a request that may have been carried out, as long as nobody has looked.
    edited : set of int
        Rows of edits that were written in this run, upon a look.
    """

    def __init__(self, context: RunContext, unit: Unit) -> None:
        self._context = context
        self._journal = context.journal
        self._resource = context.resource
        self.unit = unit
        self.uncertain: set[int] = set()
        self.edited: set[int] = set()
        self._order: dict[str, int] = {}
        self._looked_at = -1.0
        self._is_one_page = False
        self._was_read = False

    def carry_out(self) -> None:
        """Write what is left of the unit: first what is to be gone, then what changes, then what is new."""
        context, unit = self._context, self.unit
        changes = [c for c in self._journal.changes(unit) if self._journal.outcomes[c.row] not in DONE]
        new = [c for c in changes if c.key is None]
        known = [c for c in changes if c.key is not None]
        has_baseline = unit.there is not None
        looks = (known and not context.blind) or (new and (not has_baseline or context.claims))
        items = self.read() if looks else None
        if items is not None:
            self._note_baseline(items, new, known)
        if new and items is not None and has_baseline and context.claims:
            new = self._claim_first(new, items)
        if known:
            known = self._judge(known, items)
            known.sort(key=lambda c: self._order.get(str(c.key), 0))
            self._send([c for c in known if c.new is None], self._delete, self._look, upon_look=not context.blind)
            self._send([c for c in known if c.new is not None], self._put, self._look, upon_look=not context.blind)
        self._send(new, self._create, self._claim, upon_look=False)

    def _note_baseline(self, items: Sequence[Record], new: Sequence[Change], known: Sequence[Change]) -> None:
        """Write down what was there before the first write of ours: what is new later is told from it."""
        unit, ids = self.unit, [item[self._resource.key] for item in items]
        if unit.there is None or (unit.there != ids and not self._context.claims):
            if new:
                self._journal.found_there(unit, ids)
            elif self._resource.create is not None and any(c.new is None for c in known):
                self._journal.found_there(unit, ids, sync=False)  # an undo that is done twice would need it

    def _send(
        self,
        changes: Sequence[Change],
        write: Callable[[Sequence[Change]], None],
        look: Callable[..., Sequence[Change]],
        *,
        upon_look: bool,
    ) -> None:
        """Write changes in batches until each is done, refused or given up.

        `look` reads what has become of a batch and returns what is left of it. With `upon_look` each request rests on a
        look just before it; without, it is looked after an answer that leaves the batch in doubt.
        """
        limit = self._resource.limit
        batches = deque(changes[i : i + limit] for i in range(0, len(changes), limit))
        rounds = slowed = 0
        while batches:
            batch = batches.popleft()
            if upon_look and not self._is_fresh:
                batch = look(batch)
            if not batch:
                continue
            rows = [c.row for c in batch]
            self._journal.tried(rows)
            try:
                write(batch)
                rounds = slowed = 0
            except _REFUSED as error:
                batches.extendleft(reversed(self._after_refusal(batch, look, error)))
            except IN_DOUBT as error:
                if upon_look and isinstance(error, RateLimited):  # nothing was done; the next look waits its turn
                    slowed += not isinstance(error, NotSent)
                    if slowed > _ROUNDS_SLOWED:
                        self._context.failed(rows, f"Given up after {slowed} tries: {error}")
                    else:
                        batches.appendleft(batch)
                    continue
                self.uncertain.update(rows)
                self._context.doubted()
                left = look(batch, error)
                rounds = rounds + 1 if len(left) == len(batch) else 1
                if left and rounds > _ROUNDS:
                    self._context.failed([c.row for c in left], f"Given up after {rounds} tries: {error}")
                    if isinstance(error, ConnectionFailed):
                        raise
                elif left:
                    self._context.transport.rest_before(rounds)
                    batches.appendleft(look(left))  # it may have been carried out meanwhile

    def _after_refusal(
        self, batch: Sequence[Change], look: Callable[..., Sequence[Change]], error: Exception
    ) -> list[Sequence[Change]]:
        """Say what to send of a batch that was refused: one bad row does not sink its neighbors."""
        # What has an id may be gone, by an earlier try or by somebody else, and its batch was refused for it.
        left = self._left_of(batch, look) if isinstance(error, NotFound) else batch
        if len(left) == 1 == len(batch):
            self._context.failed([left[0].row], str(error))
            return []
        if len(left) < len(batch):
            return [left]
        middle = len(batch) // 2
        return [batch[:middle], batch[middle:]]

    @staticmethod
    def _left_of(batch: Sequence[Change], look: Callable[..., Sequence[Change]]) -> Sequence[Change]:
        try:
            return look(batch)
        except NotFound:  # the unit itself is gone
            return batch

    # What has an id ---------------------------------------------------------------------------------------------------

    def _look(self, changes: Sequence[Change], error: Exception | None = None) -> list[Change]:
        """Read the changes' things, and judge; an answer that did not fit serves to tell how the server stores them."""
        answered = error.items if isinstance(error, _Misfit) else ()
        return self._judge(changes, self._read_of(changes), answered)

    def _judge(
        self, changes: Sequence[Change], items: Sequence[Record] | None, answered: Iterable[Record] = ()
    ) -> list[Change]:
        """Compare changes with what is there, and return those to be written, with the whole of what is written.

        What is there already as intended is done; what was changed by somebody else is in conflict.
        """
        if items is None:
            return list(changes)
        by_key = {item[self._resource.key]: item for item in items}
        stored = {item[self._resource.key]: self._resource.content(item) for item in answered}
        left, noted = [], []
        for change in changes:
            item = by_key.get(change.key)
            now = None if item is None else self._resource.content(item)
            self.uncertain.discard(change.row)
            if is_met(change, now):
                self._found_done(change, item)
                continue
            if now is not None and now == stored.get(str(change.key)) and not _is_as_read(change, now):
                self._journal.stored_as([change.row], [now])
                self._found_done(change, item)
                continue
            trouble = self._trouble(change, now)
            if trouble:
                self._context.failed([change.row], trouble)
                continue
            if change.old is not None and now is not None and not now.keys() <= change.old.keys():
                noted.append((change.row, now))
            whole = None if change.new is None else {**(now or {}), **change.new}
            left.append(Change(change.row, change.label, change.key, change.old, whole))
        if noted:
            self._journal.was([row for row, _ in noted], [now for _, now in noted])
        return left

    def _found_done(self, change: Change, item: Record | None) -> None:
        was_tried = self._journal.resumed or self._journal.attempts[change.row]
        self._context.did(DONE_BY_INTENT[change.intent] if was_tried else "unchanged", [change], [item])
        if was_tried:
            self._note_edits([change])

    def _trouble(self, change: Change, now: Record | None) -> str | None:
        """Say why a change must not be written over what is there, if so."""
        noun = self._resource.noun
        if now is None and change.new is not None and change.old is not None and change.old != {}:
            return f"Conflict: the {noun} was deleted since it was read."
        if change.new is not None and now is not None and (refusal := self._resource.refuse(now, change.new)):
            return refusal
        if self._context.overwrite or change.old == {}:
            return None
        if change.old is None:
            return f"Conflict: the {noun} is there by now, as {now}." if now is not None else None
        others = [name for name, value in change.old.items() if now is not None and now.get(name) != value]
        if not others:
            return None
        return (
            f"Conflict: {', '.join(others)} of the {noun} changed on the server since it was read. Read it again and "
            "plan anew, or apply with on_conflict='overwrite'."
        )

    def _put(self, changes: Sequence[Change]) -> None:
        assert self._resource.put is not None  # noqa: S101 (a plan of this kind has no edits)
        with self._upon_look():
            pairs = [(str(c.key), c.new or {}) for c in changes]
            items = self._resource.put(self.unit.name, pairs, not self._context.blind)
        if not all(is_met(c, self._resource.content(item)) for c, item in zip(changes, items, strict=True)):
            raise _Misfit(f"The server answered edits of {self._resource.noun}s with other content.", items)
        for outcome in ("created", "edited"):
            some = [i for i, c in enumerate(changes) if DONE_BY_INTENT[c.intent] == outcome]
            if some:
                self._context.did(outcome, [changes[i] for i in some], [items[i] for i in some])
        self._note_edits(changes)

    def _note_edits(self, changes: Sequence[Change]) -> None:
        if not self._context.blind:
            self.edited.update(c.row for c in changes if c.intent == "edit")

    def _delete(self, changes: Sequence[Change]) -> None:
        assert self._resource.delete is not None  # noqa: S101 (a plan of this kind has no deletes)
        with self._upon_look():
            self._resource.delete(self.unit.name, [str(c.key) for c in changes], not self._context.blind)
        self._context.did("deleted", changes)
        gone = {c.key for c in changes}
        self._order = {key: place for place, key in enumerate(key for key in self._order if key not in gone)}

    # What is new ------------------------------------------------------------------------------------------------------

    def _create(self, changes: Sequence[Change]) -> None:
        assert self._resource.create is not None  # noqa: S101 (a plan of this kind has no things without ids)
        items = self._resource.create(self.unit.name, [c.new or {} for c in changes])
        if not self._fits(changes, items):
            noun = self._resource.noun
            raise _Misfit(f"The server answered new {noun}s with others than were sent.", items)
        self.created(changes, items)

    def _fits(self, changes: Sequence[Change], items: Sequence[Record]) -> bool:
        """Whether an answer is that of these creates: new ids, of this unit, with the content that was sent."""
        here, taken = self._resource.unit, self.taken
        return all(
            item[self._resource.key] not in taken
            and item.get(here, self.unit.name) == self.unit.name
            and is_met(change, self._resource.content(item))
            for change, item in zip(changes, items, strict=True)
        )

    @property
    def taken(self) -> set[str | None]:
        """Ids that are not those of a new row: what was there before, and what other rows have."""
        return {self._journal.ids[row] for row in self.unit.rows} | set(self.unit.there or ())

    def _claim_first(self, changes: Sequence[Change], items: Sequence[Record]) -> list[Change]:
        """Find what an earlier run, or another way back, has created already; return the rest."""
        if self._journal.resumed:
            return self._claim(changes, items=items)
        mine, rest = paired(changes, self.free(items), self._resource.content)
        if mine:
            self._context.did("unchanged", [c for c, _ in mine], [item for _, item in mine])
        return rest

    def _claim(
        self, changes: Sequence[Change], error: Exception | None = None, items: Sequence[Record] | None = None
    ) -> list[Change]:
        """Find what was created of a request that nobody answered; return the rest.

        Ours is what is as we sent it, was not there before, and is not known as another row's. Where a server stores
        otherwise than it was sent, its answer tells ours, if all of it is there and new.
        """
        found = self.read() if items is None else items
        mine, rest = paired(changes, self.free(found), self._resource.content)
        if rest and not mine and isinstance(error, _Misfit):
            mine, rest = self._stored_otherwise(changes, error.items, self.free(found))
        if mine:
            self.created([c for c, _ in mine], [item for _, item in mine])
        in_doubt = {c.row for c in rest if self._journal.outcomes[c.row] is None}  # others were refused before
        twice, _ = paired(self._ours(), self.free(found), self._resource.content)
        in_doubt |= {c.row for c, _ in twice}
        if not in_doubt <= set(self.unit.unseen):
            self._journal.not_seen(self.unit, sorted(in_doubt - set(self.unit.unseen)))
        self.uncertain.difference_update(c.row for c in changes)
        return rest

    def _ours(self) -> list[Change]:
        """Return what is new and known to be there."""
        outcomes = self._journal.outcomes
        return [c for c in self._journal.changes(self.unit) if c.key is None and outcomes[c.row] == "created"]

    def _stored_otherwise(
        self, changes: Sequence[Change], answered: Sequence[Record], free: Sequence[Record]
    ) -> tuple[list[tuple[Change, Record]], list[Change]]:
        content, by_id = self._resource.content, {item[self._resource.key]: item for item in free}
        there = [by_id.get(item[self._resource.key]) for item in answered]
        is_all_there = len(there) == len(changes) and all(
            now is not None and content(now) == content(item) for now, item in zip(there, answered, strict=True)
        )
        if not is_all_there:
            return [], list(changes)
        return [(c, now) for c, now in zip(changes, there, strict=True) if now is not None], []

    def free(self, items: Sequence[Record]) -> list[Record]:
        """Return what of the unit is new and nobody's."""
        taken = self.taken
        return [item for item in items if item[self._resource.key] not in taken]

    def created(self, changes: Sequence[Change], items: Sequence[Record]) -> None:
        """Note that new things are there."""
        contents = [self._resource.content(item) for item in items]
        other = [(c.row, content) for c, content in zip(changes, contents, strict=True) if content != c.new]
        if other:
            self._journal.stored_as([row for row, _ in other], [content for _, content in other])
        self._context.did("created", changes, items)

    # Reading ----------------------------------------------------------------------------------------------------------

    def read(self) -> list[Record]:
        """Read the whole unit."""
        items = self._tried(lambda: self._checked(self._resource.read(self.unit.name)))
        self._order = {item[self._resource.key]: place for place, item in enumerate(items)}
        self._looked(is_one_page=len(items) <= PAGE_SIZE)
        return items

    def _read_of(self, changes: Sequence[Change]) -> Sequence[Record]:
        """Read the things of changes: of a long list, the pages where they were, all at once."""
        read_page = self._resource.read_page
        places = [self._order.get(str(c.key)) for c in changes]
        pages = sorted({place // PAGE_SIZE for place in places if place is not None})
        if read_page is None or len(self._order) <= PAGE_SIZE or None in places or 2 * len(pages) > self._pages:
            return self.read()
        read = lambda page: self._checked(read_page(self.unit.name, page * PAGE_SIZE))  # noqa: E731
        found = self._tried(lambda: self._context.transport.map(read, pages))
        items = [item for page in found for item in page]
        if not {c.key for c in changes} <= {item[self._resource.key] for item in items}:
            return self.read()  # the list has shifted, or they are gone
        self._looked(is_one_page=True)
        return items

    def _checked(self, items: list[Record]) -> list[Record]:
        """Refuse what is no list of this unit: things without ids, twice, or of another unit."""
        key, here = self._resource.key, self._resource.unit
        keys = {item.get(key) for item in items if isinstance(item.get(key), str)}
        if len(keys) < len(items) or any(item.get(here, self.unit.name) != self.unit.name for item in items):
            noun = self._resource.noun
            raise UnexpectedAnswer(
                f"The list of {noun}s of {here.removesuffix('_id')} {self.unit.name!r} is none of it."
            )
        return items

    @property
    def _pages(self) -> int:
        return -(-len(self._order) // PAGE_SIZE)

    def _tried(self, read: Callable[[], Any]) -> Any:
        for tries in range(1, _READINGS):
            try:
                found = read()
            except IN_DOUBT:
                self._context.transport.rest_before(tries)
            except _REFUSED:  # not to be believed soon of a unit that was there a moment ago
                if not self._was_read:
                    raise
                self._context.transport.rest_before(tries)
            else:
                self._was_read = True
                return found
        return read()

    def _looked(self, *, is_one_page: bool) -> None:
        self._looked_at, self._is_one_page = time.monotonic(), is_one_page

    @property
    def _is_fresh(self) -> bool:
        """Whether the last look may be written upon: it took one round trip, just now, and nothing was sent since."""
        return self._is_one_page and time.monotonic() - self._looked_at < MAX_LOOK_AGE

    @contextlib.contextmanager
    def _upon_look(self) -> Iterator[None]:
        """Take the last look for one request, and note how long both took together."""
        looked_at, self._is_one_page = self._looked_at, False
        yield
        if not self._context.blind:
            self._context.waited(time.monotonic() - looked_at)


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


def _is_as_read(change: Change, now: Record) -> bool:
    """Whether a thing is known to be as it was read, so that nothing was written."""
    return bool(change.old) and all(now.get(name) == value for name, value in (change.old or {}).items())
