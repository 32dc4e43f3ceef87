"""Reading a unit once more, after it was written: what came late, came twice, was lost or overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Flag, auto
from typing import TYPE_CHECKING

from hastyframe.errors import NotFound

from .journal import DONE, Change, Record
from .work import DONE_BY_INTENT, Desk, UnitWork, is_met, paired

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["Review", "Reviewer"]


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
    desk : Desk
        What all units share.
    work : UnitWork
        The work on the unit.
    """

    def __init__(self, desk: Desk, work: UnitWork) -> None:
        self._desk = desk
        self._work = work
        self._journal: Journal = desk.journal
        self._resource = desk.resource

    def review(self, what: Review) -> bool:
        """Read the unit and note all differences; return whether something is to be sent again."""
        changes = self._journal.changes(self._work.unit)
        items = self._read()
        if Review.UNDECIDED in what:
            self._decide(changes, items, all_rows=Review.ALL in what)
        if self._resource.create is not None and what & (Review.EXTRAS | Review.NAME_EXTRAS):
            self._extras(changes, items, remove=Review.EXTRAS in what)
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
        if not self._desk.blind:
            by_key = {item[self._resource.key]: item for item in items}
            for change in known:
                item = by_key.get(change.key)
                if is_met(change, None if item is None else self._resource.content(item)):
                    self._desk.did(DONE_BY_INTENT[change.intent], [change], [item])

    # Extras -----------------------------------------------------------------------------------------------------------

    def _extras(self, changes: Sequence[Change], items: Sequence[Record], *, remove: bool) -> None:
        """Find what was created more than once: a request that came late, or that the network delivered twice."""
        unit, outcomes = self._work.unit, self._journal.outcomes
        ours = [c for c in changes if c.key is None and outcomes[c.row] == "created"]
        pairs = self._equal(ours, items)
        if remove:
            removed = self._remove(ours, [item[self._resource.key] for _, item in pairs])
            if removed or unit.unseen:
                self._journal.swept(unit, removed)
            return
        for change, item in pairs:
            self._journal.messages[change.row] = (
                f"Another {self._resource.noun} equals it, {item[self._resource.key]!r}: it was delivered twice, or is "
                "somebody else's. report.verify(mend=True) deletes it."
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

    def _remove(self, ours: Sequence[Change], ids: list[str]) -> list[str]:
        """Delete extras; where one of them has gone meanwhile, so that the request is refused, look again."""
        removed: list[str] = []
        limit, delete = self._resource.limit, self._resource.delete
        while ids and delete is not None:
            try:
                delete(self._work.unit.name, ids[:limit], False)
                removed += ids[:limit]
                ids = ids[limit:]
            except NotFound:
                left = {item[self._resource.key] for _, item in self._equal(ours, self._read())}
                if left >= set(ids):
                    raise
                ids = [key for key in ids if key in left]
        return removed

    def _read(self) -> list[Record]:
        try:
            return self._work.read()
        except NotFound:  # the unit is gone, and all that was in it
            return []

    # Differences ------------------------------------------------------------------------------------------------------

    def _compare(self, changes: Sequence[Change], items: Sequence[Record], *, all_rows: bool) -> bool:
        """Compare rows that are done with what is there; return whether some of them are to be sent again."""
        by_key = {item[self._resource.key]: self._resource.content(item) for item in items}
        is_open = False
        for change in changes:
            outcome = self._journal.outcomes[change.row]
            if outcome not in DONE or not (all_rows or change.row in self._work.edited):
                continue
            key = self._journal.ids[change.row] if change.key is None else change.key
            now = by_key.get(key) if key is not None else None
            if not self._is_kept(change, now):
                self._work.edited.discard(change.row)
                is_open |= self._note_difference(change, now)
        return is_open

    def _is_kept(self, change: Change, now: Record | None) -> bool:
        return is_met(change, now) or (now is not None and now == self._journal.stored.get(change.row))

    def _note_difference(self, change: Change, now: Record | None) -> bool:
        """Say in the journal what is not as it was written; return whether the write has come to nothing."""
        noun, outcome = self._resource.noun, self._journal.outcomes[change.row]
        if change.new is None:
            self._desk.failed([change.row], f"The {noun} was deleted and is there all the same.")
            return True
        if change.intent == "create" and now is None:
            self._desk.failed([change.row], f"The {noun} was created and is not there any more.")
            return True
        if now is None:
            self._desk.failed([change.row], f"Conflict: the {noun} was deleted by somebody else after it was edited.")
            return False
        if change.old and all(now.get(name) == value for name, value in change.old.items()):
            self._desk.failed([change.row], f"The {noun} was {outcome} and is as it was before.")
            return True
        self._desk.failed(
            [change.row],
            f"Conflict: somebody else changed the {noun} after it was {outcome}. Read it again and plan anew.",
        )
        return False
