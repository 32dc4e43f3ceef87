"""Carrying out a journal: each change once, whatever breaks on the way.

A unit (an image with its labels) is the work of one thread: first what is to be gone, then what changes, then what is
new, in batches. After every answer that leaves a doubt the unit is read again, and what it holds says what is left to
do.
`docs/edits.md` has the argument why that makes exactly one of each.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hastyframe.errors import (
    HITS_ALL,
    PASSING,
    ConnectionFailed,
    HastyError,
    NotFound,
    OutcomeUnknown,
    ValidationException,
)

from .journal import DONE, Change, Journal, Record, Unit
from .resources import RESOURCES, Resource
from .sightings import Sightings
from .values import give_back, note

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["Run"]

_REFUSED = (ValidationException, NotFound)
"""The server looked at the request and did nothing."""
_IN_DOUBT = (OutcomeUnknown, *PASSING)
"""It may have been done or not, and may go better the next time."""
_ROUNDS = 8
"""So often in a row a batch may come to nothing before it is given up."""
_READINGS = 4
_DONE_BY_INTENT = {"create": "created", "edit": "edited", "delete": "deleted"}

Look = Callable[[Unit, Sequence[Change]], Sequence[Change]]
Keep = Callable[[Sequence[int], Sequence[Record]], None]


class Run:
    """One run of a journal, from where it stands to its end.

    Parameters
    ----------
    transport : Transport
        What sends.
    journal : Journal
        What is intended and what has been done; held by this process.
    bar : tqdm
        Counts rows.
    keep : callable, optional
        Gets rows and what the server stored for them.

    Attributes
    ----------
    stopped : Exception or None
        What ended the run before all units had their turn.
    unswept : list of HastyError
        Why it could not be looked for what came late, an error a unit; the next run looks again.
    """

    def __init__(self, transport: Transport, journal: Journal, bar: Any, keep: Keep | None = None) -> None:
        self._transport = transport
        self._journal = journal
        self._resource: Resource = RESOURCES[journal.kind](transport, journal.project_id)
        self._sightings = Sightings.shared(transport, journal.project_id)
        self._overwrite = journal.options.get("on_conflict") == "overwrite"
        self._blind = not self._resource.fields or bool(journal.options.get("blind"))
        self._bar = bar
        self._keep = keep
        self._lock = threading.Lock()
        self._in_doubt_at = time.monotonic()
        self.stopped: Exception | None = None
        self.unswept: list[HastyError] = []

    def finish(self, max_workers: int | None = None) -> None:
        """Carry out all units, in parallel, then look for what came late, and set the values of labels made again."""
        try:
            note(self._transport, self._journal, max_workers)
        except HastyError as error:
            self.stopped = error
            return
        units = [unit for unit in self._journal.units if not self._is_done(unit) or unit.unseen]
        self._transport.map(self._work, units, max_workers=max_workers)
        late = [unit for unit in units if unit.unseen]
        if late and self.stopped is None:
            self._transport.rest(self._in_doubt_at + self._transport.settling - time.monotonic())
            self._transport.map(self._try_to_sweep, late, max_workers=max_workers)
        if self.stopped is None:
            give_back(self._transport, self._journal, max_workers)

    # A unit -----------------------------------------------------------------------------------------------------------

    def _work(self, unit: Unit) -> None:
        if self.stopped is not None:
            return
        try:
            self._carry_out(unit)
        except Exception as error:  # whatever it is, the fate of the other rows must not be lost
            if self._transport.stopped:  # Ctrl-C: nothing is known of what was under way
                return
            if isinstance(error, (*HITS_ALL, ConnectionFailed)):
                self.stopped = error
            left = [row for row in unit.rows if self._journal.outcomes[row] is None]
            self._note_in_doubt(unit, left)
            self._fail(left, str(error))

    def _note_in_doubt(self, unit: Unit, rows: Sequence[int]) -> None:
        """Note what was sent to be created and could not be looked for, so that it is, should it come late."""
        if self._resource.create is None:
            return
        sent = [row for row in rows if self._journal.intents[row] == "create" and self._journal.attempts[row]]
        if sent:
            self._journal.not_seen(unit, sent)

    def _is_done(self, unit: Unit) -> bool:
        return all(self._journal.outcomes[row] in DONE for row in unit.rows)

    def _carry_out(self, unit: Unit) -> None:
        changes = [c for c in self._journal.changes(unit) if self._journal.outcomes[c.row] not in DONE]
        new = [c for c in changes if c.key is None]
        known = [c for c in changes if c.key is not None]
        looks = (known and not self._blind) or (new and (unit.there is None or self._journal.resumed))
        items = self._read(unit) if looks else None
        if new and items is not None:
            ids = [item[self._resource.key] for item in items]
            if unit.there is not None and self._journal.resumed:
                new = self._claim(unit, new, items)
            elif unit.there != ids:  # nothing of ours has been sent
                self._journal.found_there(unit, ids)
        if known:
            known = self._judge(unit, known, items)
            self._send(unit, [c for c in known if c.new is None], self._delete, self._look)
            self._send(unit, [c for c in known if c.new is not None], self._put, self._look)
        self._send(unit, new, self._create, self._claim)

    def _send(
        self,
        unit: Unit,
        changes: Sequence[Change],
        write: Callable[[Unit, Sequence[Change]], None],
        look: Look,
    ) -> None:
        """Write changes in batches until each is done, refused or given up.

        `look` reads what has become of a batch after an answer that leaves it in doubt, and returns what is left of it.
        """
        limit = self._resource.limit
        batches = deque(changes[i : i + limit] for i in range(0, len(changes), limit))
        rounds = 0
        while batches:
            batch = batches.popleft()
            self._journal.tried(c.row for c in batch)
            try:
                write(unit, batch)
                rounds = 0
            except _REFUSED as error:
                # What has an id may be gone, by an earlier try or by somebody else, and its batch was refused for it.
                left = self._left_of(unit, batch, look) if isinstance(error, NotFound) else batch
                if len(left) == 1 == len(batch):
                    self._fail([left[0].row], str(error))
                elif len(left) < len(batch):
                    batches.extendleft([left] if left else [])
                else:  # one bad row does not sink its neighbours: halve until it stands alone
                    middle = len(batch) // 2
                    batches.extendleft([batch[middle:], batch[:middle]])
            except _IN_DOUBT as error:
                self._in_doubt_at = time.monotonic()
                left = look(unit, batch)
                rounds = rounds + 1 if len(left) == len(batch) else 1
                if left and rounds > _ROUNDS:
                    self._fail([c.row for c in left], f"Given up after {rounds} tries: {error}")
                    if isinstance(error, ConnectionFailed):
                        raise
                elif left:
                    self._transport.rest_before(rounds)
                    batches.appendleft(left)

    @staticmethod
    def _left_of(unit: Unit, batch: Sequence[Change], look: Look) -> Sequence[Change]:
        try:
            return look(unit, batch)
        except NotFound:  # the unit itself is gone
            return batch

    # What has an id ---------------------------------------------------------------------------------------------------

    def _look(self, unit: Unit, changes: Sequence[Change]) -> list[Change]:
        return self._judge(unit, changes, self._read(unit))

    def _judge(self, unit: Unit, changes: Sequence[Change], items: Sequence[Record] | None) -> list[Change]:
        """Compare changes with what is there, and return those to be written, with the whole of what is written.

        What is there already as intended is done; what was changed by somebody else is in conflict.
        """
        if items is None:
            return list(changes)
        by_key = {item[self._resource.key]: item for item in items}
        left, noted = [], []
        for change in changes:
            item = by_key.get(change.key)
            now = None if item is None else self._resource.content(item)
            if _is_met(change, now):
                tried = self._journal.resumed or self._journal.attempts[change.row]
                fate = _DONE_BY_INTENT[change.intent] if tried else "unchanged"
                self._did(fate, [change], [item])
                continue
            trouble = self._trouble(change, now)
            if trouble:
                self._fail([change.row], trouble)
                continue
            if change.old is not None and now is not None and not now.keys() <= change.old.keys():
                noted.append((change.row, now))
            whole = None if change.new is None else {**(now or {}), **change.new}
            left.append(Change(change.row, change.label, change.key, change.old, whole))
        if noted:
            self._journal.was([row for row, _ in noted], [now for _, now in noted])
        return left

    def _trouble(self, change: Change, now: Record | None) -> str | None:
        """Say why a change must not be written over what is there, if so."""
        noun = self._resource.noun
        if now is None and change.new is not None and change.old is not None and change.old != {}:
            return f"Conflict: the {noun} was deleted since it was read."
        if change.new is not None and now is not None and (refusal := self._resource.refuse(now, change.new)):
            return refusal
        if self._overwrite or change.old == {}:
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

    def _put(self, unit: Unit, changes: Sequence[Change]) -> None:
        assert self._resource.put is not None  # noqa: S101 (a plan of this kind has no edits)
        items = self._resource.put(unit.name, [(str(c.key), c.new or {}) for c in changes])
        for fate in ("created", "edited"):
            some = [i for i, c in enumerate(changes) if _DONE_BY_INTENT[c.intent] == fate]
            if some:
                self._did(fate, [changes[i] for i in some], [items[i] for i in some])

    def _delete(self, unit: Unit, changes: Sequence[Change]) -> None:
        assert self._resource.delete is not None  # noqa: S101 (a plan of this kind has no deletes)
        self._resource.delete(unit.name, [str(c.key) for c in changes])
        self._did("deleted", changes)

    # What is new ------------------------------------------------------------------------------------------------------

    def _create(self, unit: Unit, changes: Sequence[Change]) -> None:
        assert self._resource.create is not None  # noqa: S101 (a plan of this kind has no things without ids)
        items = self._resource.create(unit.name, [c.new or {} for c in changes])
        self._created(unit, changes, items)

    def _claim(self, unit: Unit, changes: Sequence[Change], items: Sequence[Record] | None = None) -> list[Change]:
        """Find what was created of a request that nobody answered; return the rest.

        Ours is what is as we sent it, was not there before, and is not known as another row's.
        """
        mine, rest = self._match(unit, changes, items)
        if mine:
            self._created(unit, [c for c, _ in mine], [item for _, item in mine])
        in_doubt = [c.row for c in rest if self._journal.outcomes[c.row] is None]  # others were refused before
        if in_doubt:
            self._journal.not_seen(unit, in_doubt)
        return rest

    def _match(
        self, unit: Unit, changes: Sequence[Change], items: Sequence[Record] | None = None
    ) -> tuple[list[tuple[Change, Record]], list[Change]]:
        """Pair changes with equal things that are new and nobody's, each with one at most."""
        taken = {self._journal.ids[row] for row in unit.rows} | set(unit.there or ())
        found = self._read(unit) if items is None else items
        free = [(item, self._resource.content(item)) for item in found if item[self._resource.key] not in taken]
        mine, rest = [], []
        for change in changes:
            place = next((i for i, (_, content) in enumerate(free) if _is_met(change, content)), None)
            if place is None:
                rest.append(change)
            else:
                mine.append((change, free.pop(place)[0]))
        return mine, rest

    def _created(self, unit: Unit, changes: Sequence[Change], items: Sequence[Record]) -> None:
        contents = [self._resource.content(item) for item in items]
        other = [(c.row, content) for c, content in zip(changes, contents, strict=True) if content != c.new]
        if other:
            self._journal.stored_as([row for row, _ in other], [content for _, content in other])
        self._did("created", changes, items)
        self._sightings.add(unit.name, [item[self._resource.key] for item in items])

    def _try_to_sweep(self, unit: Unit) -> None:
        try:
            self._sweep(unit)
        except NotFound:  # the unit is gone, or what came late: nothing is left to take away
            self._journal.swept(unit, [])
        except HastyError as error:
            if not self._transport.stopped:
                self.unswept.append(error)

    def _sweep(self, unit: Unit) -> None:
        """Take away what a request created after it had been given up and sent again."""
        by_row = {c.row: c for c in self._journal.changes(unit)}
        rows = [by_row[row] for row in unit.unseen]
        items = self._read(unit)
        lost = [c for c in rows if self._journal.outcomes[c.row] not in DONE]
        if lost:
            mine, _ = self._match(unit, lost, items)
            self._created(unit, [c for c, _ in mine], [item for _, item in mine])
        late = [item[self._resource.key] for _, item in self._match(unit, rows, items)[0]]
        if late and self._resource.delete is not None:
            for i in range(0, len(late), self._resource.limit):
                self._resource.delete(unit.name, late[i : i + self._resource.limit])
        self._journal.swept(unit, late)

    # Shared -----------------------------------------------------------------------------------------------------------

    def _read(self, unit: Unit) -> list[Record]:
        for tries in range(1, _READINGS):
            try:
                return self._resource.read(unit.name)
            except _IN_DOUBT:
                self._transport.rest_before(tries)
        return self._resource.read(unit.name)

    def _did(self, fate: str, changes: Sequence[Change], items: Sequence[Record | None] | None = None) -> None:
        rows = [c.row for c in changes]
        ids = None if items is None else [None if item is None else item.get("id") for item in items]
        self._journal.did(fate, rows, ids)
        if self._keep is not None and items is not None:
            self._keep(rows, [item for item in items if item is not None])
        self._advance(len(rows))

    def _fail(self, rows: Sequence[int], message: str) -> None:
        if rows:
            self._journal.failed(rows, message)
            self._advance(len(rows))

    def _advance(self, rows: int) -> None:
        with self._lock:
            self._bar.update(rows)


def _is_met(change: Change, now: Record | None) -> bool:
    """Whether what is there is what is intended."""
    if change.new is None or now is None:
        return change.new is None and now is None
    return all(now.get(name) == value for name, value in change.new.items())
