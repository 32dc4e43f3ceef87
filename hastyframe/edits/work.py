"""The work on one unit (an image with its labels, say): look, judge, write, and look again after every doubt.

Things with ids are written only if they were read just before: one reading serves one request. New things are sent
once; after an answer that leaves a doubt or does not fit, the unit is read, to find which of its things are ours.
`docs/edits.md` explains why each change then happens exactly once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hastyframe.errors import ConnectionFailed, NotFound, NotSent, RateLimited, UnexpectedAnswer

from .context import IN_DOUBT, OUTCOME_OF_INTENT, REFUSED, RunContext
from .journal import DONE, Change, Record, Unit
from .matching import is_as_read, is_met, paired
from .unit_reading import UnitReader

__all__ = ["UnitWork"]

_ROUNDS = 8
"""How often in a row a batch may achieve nothing before it is given up."""
_ROUNDS_SLOWED = 60
"""How often in a row a server that asks to slow down may put off a batch."""


class _Misfit(UnexpectedAnswer):
    """An answer whose content is not what was sent: of another request, say, or of a server that stores otherwise."""

    def __init__(self, message: str, items: Sequence[Record]) -> None:
        super().__init__(message)
        self.items = items


@dataclass
class _Patience:
    """How often in a row a batch came to nothing, and how often a server asked to slow down."""

    rounds: int = 0
    slowed: int = 0


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
        self.reader = UnitReader(context, unit)

    def execute(self) -> None:
        """Write what is left of the unit: first what is to be gone, then what changes, then what is new."""
        context, unit = self._context, self.unit
        changes = [c for c in self._journal.changes(unit) if self._journal.outcomes[c.row] not in DONE]
        new = [c for c in changes if c.key is None]
        known = [c for c in changes if c.key is not None]
        has_baseline = unit.there is not None
        looks = (known and not context.unconditional) or (new and (not has_baseline or context.claims))
        items = self.reader.read() if looks else None
        if items is not None:
            self._note_baseline(items, new, known)
        if new and items is not None and has_baseline and context.claims:
            new = self._claim_first(new, items)
        if known:
            known = self.reader.in_order(self._judge(known, items))
            upon_look = not context.unconditional
            self._send([c for c in known if c.new is None], self._delete, self._look, upon_look=upon_look)
            self._send([c for c in known if c.new is not None], self._put, self._look, upon_look=upon_look)
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
        patience = _Patience()
        while batches:
            batch = batches.popleft()
            if upon_look and not self.reader.is_fresh:
                batch = look(batch)
            if not batch:
                continue
            self._journal.tried([c.row for c in batch])
            try:
                write(batch)
                patience = _Patience()
                continue
            except REFUSED as error:
                again = self._after_refusal(batch, look, error)
            except IN_DOUBT as error:
                if upon_look and isinstance(error, RateLimited):
                    again = self._after_rate_limit(batch, error, patience)
                else:
                    again = self._after_doubt(batch, look, error, patience)
            batches.extendleft(reversed(again))

    def _after_rate_limit(
        self, batch: Sequence[Change], error: RateLimited, patience: _Patience
    ) -> list[Sequence[Change]]:
        """Say what to send of a batch of which nothing was done; the look before it waits its turn."""
        patience.slowed += not isinstance(error, NotSent)
        if patience.slowed <= _ROUNDS_SLOWED:
            return [batch]
        self._context.failed([c.row for c in batch], f"Given up after {patience.slowed} tries: {error}")
        return []

    def _after_doubt(
        self, batch: Sequence[Change], look: Callable[..., Sequence[Change]], error: Exception, patience: _Patience
    ) -> list[Sequence[Change]]:
        """Say what to send of a batch that may have been carried out: what is not there, if it is looked for."""
        self.uncertain.update(c.row for c in batch)
        self._context.doubted()
        left = look(batch, error)
        patience.rounds = patience.rounds + 1 if len(left) == len(batch) else 1
        if not left:
            return []
        if patience.rounds > _ROUNDS:
            self._context.failed([c.row for c in left], f"Given up after {patience.rounds} tries: {error}")
            if isinstance(error, ConnectionFailed):
                raise error
            return []
        self._context.transport.rest_before(patience.rounds)
        return [look(left)]  # it may have been carried out meanwhile

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
        return self._judge(changes, self.reader.read_pages_of(changes), answered)

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
            if now is not None and now == stored.get(str(change.key)) and not is_as_read(change, now):
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
        self._context.did(OUTCOME_OF_INTENT[change.intent] if was_tried else "unchanged", [change], [item])
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
        with self.reader.upon_look():
            pairs = [(str(c.key), c.new or {}) for c in changes]
            items = self._resource.put(self.unit.name, pairs, not self._context.unconditional)
        if not all(is_met(c, self._resource.content(item)) for c, item in zip(changes, items, strict=True)):
            raise _Misfit(f"The server answered edits of {self._resource.noun}s with other content.", items)
        for outcome in ("created", "edited"):
            some = [i for i, c in enumerate(changes) if OUTCOME_OF_INTENT[c.intent] == outcome]
            if some:
                self._context.did(outcome, [changes[i] for i in some], [items[i] for i in some])
        self._note_edits(changes)

    def _note_edits(self, changes: Sequence[Change]) -> None:
        if not self._context.unconditional:
            self.edited.update(c.row for c in changes if c.intent == "edit")

    def _delete(self, changes: Sequence[Change]) -> None:
        assert self._resource.delete is not None  # noqa: S101 (a plan of this kind has no deletes)
        with self.reader.upon_look():
            self._resource.delete(self.unit.name, [str(c.key) for c in changes], not self._context.unconditional)
        self._context.did("deleted", changes)
        self.reader.note_deleted({c.key for c in changes})

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
        found = self.reader.read() if items is None else items
        mine, rest = paired(changes, self.free(found), self._resource.content)
        if rest and not mine and isinstance(error, _Misfit):
            mine, rest = self._stored_otherwise(changes, error.items, self.free(found))
        if mine:
            self.created([c for c, _ in mine], [item for _, item in mine])
        in_doubt = {c.row for c in rest if self._journal.outcomes[c.row] is None}  # others were refused before
        twice, _ = paired(self.ours(self._journal.changes(self.unit)), self.free(found), self._resource.content)
        in_doubt |= {c.row for c, _ in twice}
        if not in_doubt <= set(self.unit.unseen):
            self._journal.not_seen(self.unit, sorted(in_doubt - set(self.unit.unseen)))
        self.uncertain.difference_update(c.row for c in changes)
        return rest

    def ours(self, changes: Sequence[Change]) -> list[Change]:
        """Return what of changes is new and known to be there."""
        return [c for c in changes if c.key is None and self._journal.outcomes[c.row] == "created"]

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
