"""Reading a unit once more, after it was written: what came late, came twice, was lost or overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Flag, auto
from itertools import count
from typing import TYPE_CHECKING

from hastyframe.errors import NotFound, UnexpectedAnswer, ValidationException

from .context import IN_DOUBT, OUTCOME_OF_INTENT, RunContext
from .journal import DONE, Change, Record
from .matching import is_met, paired
from .work import UnitWork

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["Review", "Reviewer"]


_TRIES = 4


class Review(Flag):
    """What is looked for."""

    UNDECIDED = auto()
    """Rows of which nobody knows what became of them: what is there as intended is done."""
    EXTRAS = auto()
    """New things that equal one of ours and are nobody's: they are removed."""
    NAME_EXTRAS = auto()
    """The same, but they are only named, at the row that they equal."""
    EDITS = auto()
    """Edits that somebody else has overwritten since."""
    ALL = auto()
    """Every row that is done."""


class Reviewer:
    """Reads a unit and says what is not as it should be.

    Parameters
    ----------
    context : RunContext
        What all units share.
    work : UnitWork
        The work on the unit.
    """

    def __init__(self, context: RunContext, work: UnitWork) -> None:
        self._context = context
        self._work = work
        self._journal: Journal = context.journal
        self._resource = context.resource

    def review(self, what: Review) -> bool:
        """Read the unit and note all differences; return whether something is to be sent again."""
        changes = self._journal.changes(self._work.unit)
        items = self._agreed(changes, all_rows=Review.ALL in what)
        if Review.UNDECIDED in what:
            self._decide(changes, items, all_rows=Review.ALL in what)
        if self._resource.create is not None:
            if Review.ALL in what:
                self._reassign(changes, items)
            if Review.EXTRAS in what:
                self._remove_extras(changes, items)
            elif Review.NAME_EXTRAS in what:
                self._name_extras(changes, items)
        if what & (Review.EDITS | Review.ALL):
            return self._compare(changes, items, all_rows=Review.ALL in what)
        return False

    # Undecided --------------------------------------------------------------------------------------------------------

    def _decide(self, changes: Sequence[Change], items: Sequence[Record], *, all_rows: bool) -> None:
        """Note as done what is there as intended, of rows whose fate nobody knows.

        With `all_rows` also of those that the server says it has refused.
        """
        unit, outcomes = self._work.unit, self._journal.outcomes
        open_rows = {row for row in unit.rows if outcomes[row] in (None, "unknown")}
        open_rows |= {row for row in unit.unseen if outcomes[row] not in DONE}
        if all_rows:
            open_rows |= {row for row in unit.rows if outcomes[row] == "failed" and self._journal.attempts[row]}
        new = [c for c in changes if c.row in open_rows and c.key is None]
        if new and unit.there is not None:  # without a baseline none of them was sent
            mine, _ = paired(new, self._work.free(items), self._resource.content)
            if mine:
                self._work.created([c for c, _ in mine], [item for _, item in mine])
        known = [c for c in changes if c.row in open_rows and c.key is not None]
        if not self._context.unconditional:
            by_key = {item[self._resource.key]: item for item in items}
            for change in known:
                item = by_key.get(change.key)
                if is_met(change, None if item is None else self._resource.content(item)):
                    self._context.did(OUTCOME_OF_INTENT[change.intent], [change], [item])

    # Extras -----------------------------------------------------------------------------------------------------------

    def _remove_extras(self, changes: Sequence[Change], items: Sequence[Record]) -> None:
        """Delete what was created more than once: by a request that came late, or that the network delivered twice."""
        unit = self._work.unit
        removed: list[str] = []
        for tries in count(1):
            extras = [item[self._resource.key] for _, item in self._equal(self._work.ours(changes), items)]
            if not extras:
                break
            try:
                removed += self._delete(extras)
            except (*IN_DOUBT, NotFound, ValidationException):  # one of them may have gone meanwhile
                if tries == _TRIES:
                    raise
                self._context.transport.rest_before(tries)
            items = self._read()
        if removed or unit.unseen:
            self._journal.swept(unit, removed)

    def _delete(self, ids: Sequence[str]) -> Sequence[str]:
        delete, limit = self._resource.delete, self._resource.limit
        assert delete is not None  # noqa: S101 (what can be created can be deleted)
        for i in range(0, len(ids), limit):
            delete(self._work.unit.name, ids[i : i + limit], False)
        return ids

    def _name_extras(self, changes: Sequence[Change], items: Sequence[Record]) -> None:
        """Say at a row that there is another thing like it; resuming deletes that one."""
        pairs = self._equal(self._work.ours(changes), items)
        if pairs:
            self._journal.not_seen(self._work.unit, [change.row for change, _ in pairs])
        for change, item in pairs:
            self._journal.messages[change.row] = (
                f"Another {self._resource.noun} equals it, {item[self._resource.key]!r}: it was delivered twice, or is "
                "somebody else's. project.resume or report.verify(mend=True) deletes it."
            )

    def _equal(self, ours: Sequence[Change], items: Sequence[Record]) -> list[tuple[Change, Record]]:
        """Return all that is new, nobody's, and equal to one of ours."""
        found: list[tuple[Change, Record]] = []
        free = self._work.free(items)
        while ours and free:
            pairs, _ = paired(ours, free, self._resource.content)
            if not pairs:
                break
            found += pairs
            known = {item[self._resource.key] for _, item in pairs}
            free = [item for item in free if item[self._resource.key] not in known]
        return found

    def _read(self) -> list[Record]:
        try:
            return self._work.reader.read()
        except NotFound:  # the unit is gone, and all that was in it
            return []

    def _agreed(self, changes: Sequence[Change], *, all_rows: bool) -> list[Record]:
        """Read the unit; where something differs, until two readings agree: a list may be an old one, or cut short."""
        items = self._read()
        if not self._equal(self._work.ours(changes), items) and not self._differing(changes, items, all_rows=all_rows):
            return items
        for tries in range(1, 2 * _TRIES):
            again = self._read()
            if again == items:
                return items
            items = again
            self._context.transport.rest_before(tries)
        unit = f"{self._resource.unit} {self._work.unit.name!r}"
        raise UnexpectedAnswer(f"Each reading of {unit} gives something else. Look again when nobody writes to it.")

    def _reassign(self, changes: Sequence[Change], items: Sequence[Record]) -> None:
        """Give new rows the ids of what equals them, where an answer had the ids of others in their place."""
        by_key = {item[self._resource.key]: item for item in items}
        strayed = [c for c in self._work.ours(changes) if not self._is_at(c, by_key.get(str(self._journal.ids[c.row])))]
        ids = {self._journal.ids[c.row] for c in strayed}
        pool = [item for item in items if item[self._resource.key] in ids] + self._work.free(items)
        pairs, _ = paired(strayed, pool, self._resource.content)
        if pairs:
            self._work.created([c for c, _ in pairs], [item for _, item in pairs])

    def _is_at(self, change: Change, item: Record | None) -> bool:
        return self._is_kept(change, None if item is None else self._resource.content(item))

    # Differences ------------------------------------------------------------------------------------------------------

    def _compare(self, changes: Sequence[Change], items: Sequence[Record], *, all_rows: bool) -> bool:
        """Compare rows that are done with what is there; return whether some of them are to be sent again."""
        is_open = False
        for change, now in self._differing(changes, items, all_rows=all_rows):
            self._work.edited.discard(change.row)
            is_open |= self._note_difference(change, now)
        return is_open

    def _differing(
        self, changes: Sequence[Change], items: Sequence[Record], *, all_rows: bool
    ) -> list[tuple[Change, Record | None]]:
        """Return rows that are done, and are not as they were written, with what is there in their place."""
        by_key = {item[self._resource.key]: self._resource.content(item) for item in items}
        differing = []
        for change in changes:
            is_done = self._journal.outcomes[change.row] in DONE
            if is_done and (all_rows or change.row in self._work.edited):
                key = self._journal.ids[change.row] if change.key is None else change.key
                now = by_key.get(str(key))
                if not self._is_kept(change, now):
                    differing.append((change, now))
        return differing

    def _is_kept(self, change: Change, now: Record | None) -> bool:
        return is_met(change, now) or (now is not None and now == self._journal.stored.get(change.row))

    def _note_difference(self, change: Change, now: Record | None) -> bool:
        """Say in the journal what is not as it was written; return whether the write has come to nothing."""
        noun, outcome = self._resource.noun, self._journal.outcomes[change.row]
        if change.new is None:
            self._context.failed([change.row], f"The {noun} was deleted and is there all the same.")
            return True
        if change.intent == "create" and now is None:
            self._context.failed([change.row], f"The {noun} was created and is not there any more.")
            return True
        if now is None:
            self._context.failed(
                [change.row], f"Conflict: the {noun} was deleted by somebody else after it was edited."
            )
            return False
        if change.old and all(now.get(name) == value for name, value in change.old.items()):
            self._context.failed([change.row], f"The {noun} was {outcome} and is as it was before.")
            return True
        self._context.failed(
            [change.row],
            f"Conflict: somebody else changed the {noun} after it was {outcome}. Read it again and plan anew.",
        )
        return False
