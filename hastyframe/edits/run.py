"""Carrying out a journal: each change once, whatever breaks on the way.

A unit (an image with its labels) is the work of one thread, see :mod:`.work`. When all units have had their turn, those
that may hold something else than they should are read once more, see :mod:`.review`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hastyframe.errors import (
    AuthenticationException,
    AuthorisationException,
    ConnectionFailed,
    HastyError,
    InsufficientCredits,
    JournalError,
)

from .journal import DONE, Change, Journal, Record, Unit
from .known_labels import KnownLabels
from .resources import RESOURCES, Resource
from .review import Review, Reviewer
from .unit_reading import MAX_LOOK_AGE
from .values import give_back, note
from .work import UnitWork

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["Run"]

_ENDS_THE_RUN = (AuthenticationException, InsufficientCredits, ConnectionFailed, JournalError)
"""Errors that all other units would end in as well."""
_FORBIDDEN_IN_A_ROW = 20
"""After so many units in a row were refused with 403, the account is taken to have no access, and the run ends."""

_PASSES = 5
"""How often everything is read again at most."""

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
    unreviewed : list of HastyError
        Why units could not be read once more, an error each; the next run does it.
    """

    def __init__(self, transport: Transport, journal: Journal, bar: Any, keep: Keep | None = None) -> None:
        self.transport = transport
        self.journal = journal
        self.resource: Resource = RESOURCES[journal.kind](transport, journal.project_id)
        self.overwrite = journal.options.get("on_conflict") == "overwrite"
        self.unconditional = not self.resource.fields or bool(journal.options.get("unconditional"))
        self.claims = journal.resumed or bool(journal.options.get("claims"))
        self._known_labels = KnownLabels.shared(transport, journal.project_id)
        self._bar = bar
        self._keep = keep
        self._lock = threading.Lock()
        self._works: dict[str, UnitWork] = {}
        self._doubted_at = time.monotonic() if journal.resumed else -1.0
        self._window = 0.0
        self._forbidden = 0
        self.stopped: Exception | None = None
        self.unreviewed: list[HastyError] = []

    def finish(self, max_workers: int | None = None, *, verify: bool = False) -> None:
        """Carry out all units, in parallel, then read again what may have changed, and set the values of new labels.

        With `verify` every unit is read again, and what is not as it should be is mended.
        """
        try:
            note(self.transport, self.journal, max_workers)
        except HastyError as error:
            self.stopped = error
            return
        self._execute([unit for unit in self.journal.units if not self._is_done(unit)], max_workers)
        self._look_back(max_workers, verify=verify)
        if self.stopped is None:
            give_back(self.transport, self.journal, max_workers)

    def reconcile(self, max_workers: int | None = None) -> None:
        """Find out what became of rows that an ended run may have sent; nothing more of them is sent."""
        units = [unit for unit in self.journal.units if self._is_undecided(unit)]
        self._read_again(units, Review.UNDECIDED, max_workers)
        late = [unit for unit in units if self._is_undecided(unit)]
        if late:
            self._settle()
            self._read_again(late, Review.UNDECIDED | Review.EXTRAS, max_workers)
        left = [row for unit in late for row in unit.rows if self.journal.outcomes[row] in (None, "unknown")]
        if left and not self.unreviewed:
            self.failed(left, "It had not been carried out when it was looked for, before the way back was planned.")

    def verify(self, max_workers: int | None = None, *, mend: bool = False) -> None:
        """Read every unit again and name in the journal what is not as it should be; with `mend`, mend it."""
        if not mend:
            self._review(max_workers, verify=True, mend=False)
            return
        self._look_back(max_workers, verify=True)
        left = [unit for unit in self.journal.units if not self._is_done(unit)]
        if left and self.stopped is None:
            self._execute(left, max_workers)
            self._look_back(max_workers, verify=True)

    # The units --------------------------------------------------------------------------------------------------------

    def _execute(self, units: Iterable[Unit], max_workers: int | None) -> None:
        # What failed in an earlier run comes last, so that it cannot stand in the way of the others again.
        failed_last = sorted(units, key=lambda unit: any(self.journal.outcomes[row] == "failed" for row in unit.rows))
        self.transport.map(self._work, failed_last, max_workers=max_workers)

    def _work(self, unit: Unit) -> None:
        if self.stopped is not None:
            return
        work = self._work_on(unit)
        try:
            work.execute()
        except Exception as error:  # whatever it is, the fate of the other rows must not be lost
            if self.transport.stopped:  # Ctrl-C: nothing is known of what was under way
                return
            self._note_end(error)
            try:
                self._note_left(work, error)
            except JournalError as unwritable:
                self.stopped = unwritable

    def _work_on(self, unit: Unit) -> UnitWork:
        with self._lock:
            return self._works.setdefault(unit.name, UnitWork(self, unit))

    def _note_end(self, error: Exception) -> None:
        """End the run after an error that is meant for all units."""
        with self._lock:
            self._forbidden += isinstance(error, AuthorisationException)
            if isinstance(error, _ENDS_THE_RUN) or self._forbidden >= _FORBIDDEN_IN_A_ROW:
                self.stopped = error

    def _note_left(self, work: UnitWork, error: Exception) -> None:
        """Say of a unit that ended in an error what became of its rows."""
        unit = work.unit
        left = [row for row in unit.rows if self.journal.outcomes[row] is None]
        unsure = [row for row in left if row in work.uncertain]
        new = [row for row in unsure if self.journal.intents[row] == "create" and row not in unit.unseen]
        if new and self.resource.create is not None:
            self.journal.not_seen(unit, new)  # so that it is looked for, should it come late
        self.failed(unsure, f"It was sent, and what became of it could not be read: {error}", "unknown")
        self.failed([row for row in left if row not in work.uncertain], str(error))

    def _is_done(self, unit: Unit) -> bool:
        return all(self.journal.outcomes[row] in DONE for row in unit.rows)

    def _is_undecided(self, unit: Unit) -> bool:
        return bool(unit.unseen) or any(self.journal.outcomes[row] in (None, "unknown") for row in unit.rows)

    # Reading again ----------------------------------------------------------------------------------------------------

    def _look_back(self, max_workers: int | None, *, verify: bool) -> None:
        """Read again what may not be as it should, and mend it, until nothing is left to mend.

        With `verify` everything is read until two readings agree: what is late may come right after the first one.
        """
        units: list[Unit] | None = None
        for number in range(_PASSES):
            if self.stopped is not None:
                return
            before = self.journal.end
            units = self._review(max_workers, units=units, verify=verify)
            is_calm = self.journal.end == before
            if not units and (not verify or (is_calm and number > 0)):
                return
            self._execute(units, max_workers)

    def _review(
        self,
        max_workers: int | None,
        *,
        units: Sequence[Unit] | None = None,
        verify: bool = False,
        mend: bool = True,
    ) -> list[Unit]:
        """Read units once more that may not be as they should; return those of which something is to be sent again."""
        late = [unit for unit in self.journal.units if unit.unseen]
        edited = [] if self.overwrite else [work.unit for work in self._works.values() if work.edited]
        chosen = self.journal.units if verify else units or list({u.name: u for u in (*late, *edited)}.values())
        if not chosen:
            return []
        if late:
            self._settle()
        if edited:
            # Who looked before our write and writes after it has done so by then.
            self.transport.rest(MAX_LOOK_AGE + 2 * self._window)
        what = Review.UNDECIDED | (Review.ALL if verify or units else Review.EDITS)
        what |= Review.EXTRAS if mend else Review.NAME_EXTRAS
        return self._read_again(chosen, what, max_workers)

    def _read_again(self, units: Sequence[Unit], what: Review, max_workers: int | None) -> list[Unit]:
        """Review units; return those that have rows to be sent again."""

        def review(unit: Unit) -> bool:
            work = self._work_on(unit)
            try:
                return Reviewer(self, work).review(what)
            except JournalError as error:
                self.stopped = error
            except HastyError as error:
                if not self.transport.stopped:
                    self.unreviewed.append(error)
            return False

        again = self.transport.map(review, units, max_workers=max_workers)
        return [unit for unit, is_open in zip(units, again, strict=True) if is_open]

    def _settle(self) -> None:
        """Wait until requests that nobody answered have been carried out, if they ever will be."""
        if self._doubted_at >= 0:
            self.transport.rest(self._doubted_at + self.transport.settle_timeout - time.monotonic())

    # What the units share ---------------------------------------------------------------------------------------------

    def did(self, outcome: str, changes: Sequence[Change], items: Sequence[Record | None] | None = None) -> None:
        """Note what became of changes, and what the server has of them."""
        rows = [c.row for c in changes]
        ids = None if items is None else [None if item is None else item.get("id") for item in items]
        new = sum(self.journal.outcomes[row] is None for row in rows)
        self.journal.did(outcome, rows, ids)
        if outcome == "created" and items is not None and self.resource.create is not None:
            created = [item[self.resource.key] for item in items if item is not None]
            self._known_labels.add(self.journal.names[rows[0]], created)
        if self._keep is not None and items is not None:
            self._keep(rows, [item for item in items if item is not None])
        with self._lock:
            self._forbidden = 0
        self._advance(new)

    def failed(self, rows: Sequence[int], message: str, outcome: str = "failed") -> None:
        """Note why rows were not carried out."""
        if rows:
            new = sum(self.journal.outcomes[row] is None for row in rows)
            self.journal.did(outcome, rows, message=message)
            self._advance(new)

    def waited(self, seconds: float) -> None:
        """Note how long a look and the write upon it took."""
        with self._lock:
            self._window = max(self._window, seconds)

    def doubted(self) -> None:
        """Note that a request without an answer may still be under way."""
        self._doubted_at = time.monotonic()

    def _advance(self, rows: int) -> None:
        with self._lock:
            self._bar.update(rows)
