"""What became of each row of a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from hastyframe.arguments import check_flag

from .journal import Journal

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["OUTCOMES", "Report", "report_of"]

OUTCOMES = ("created", "edited", "deleted", "unchanged", "failed", "unknown", "pending")
Verify: TypeAlias = "Callable[[Path, bool], Report]"


class Report(pd.DataFrame):  # type: ignore[misc] # pandas comes without types
    """A frame with a row for each intended change, and the way back.

    Made by `Plan.apply` and `Project.resume`. Its index holds the labels of the rows in the frames that were planned
    from. ``image_id`` (or ``label_id``, ...) says what the thing belongs to, ``intent`` is ``create``, ``edit`` or
    ``delete``, ``outcome`` one of ``created``, ``edited``, ``deleted``, ``unchanged`` (there already as intended),
    ``failed``, ``unknown`` (sent, and what became of it could not be read; `Project.resume` finds it out) and, after an
    interruption, ``pending``; ``id`` is the thing's id, of a new one the one that the server
    gave it; ``attempts`` counts requests, ``message`` says why a row failed.

    Attributes
    ----------
    journal : Path or None
        The file that holds what was intended and done.
    """

    _metadata = ["journal", "_undo", "_verify"]  # noqa: RUF012 (pandas reads it from the class)

    journal: Path | None
    _undo: Callable[[Path], Plan] | None
    _verify: Verify | None

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame  # some rows of a report are no report: they cannot be undone alone

    @property
    def counts(self) -> pd.Series[int]:
        """How many rows had which outcome."""
        found = self["outcome"].value_counts()
        return found[found > 0].rename("rows")

    @property
    def failed(self) -> pd.DataFrame:
        """The rows that failed, or of which nobody knows what became of them."""
        return self[self["outcome"].isin(["failed", "unknown"])]

    def verify(self, *, mend: bool = False) -> Report:
        """Read everything back and compare it with what was written.

        Parameters
        ----------
        mend : bool
            Whether what is not as it was written is mended: what is lost is sent again, what is there twice is deleted.
            That is right at once after the run. Later it may be others' work, so that it is only named by default.

        Returns
        -------
        Report
            The same rows; those that differ have failed, with a message that says how.

        Raises
        ------
        JournalError
            If the journal is gone, or has been taken back.
        """
        if self.journal is None or self._verify is None:
            raise AttributeError("this report has no journal, so that it cannot be verified")
        return self._verify(self.journal, check_flag(mend, "mend"))

    def undo(self) -> Plan:
        """Plan the way back: what was deleted is created again, what was created is deleted, edits are reversed.

        Labels that are created again get new ids, and the attribute values that they had when they were deleted.
        Label classes come back without the labels that the server deleted along with them.

        Returns
        -------
        Plan
            To be looked at and applied. What others have changed since is in conflict and stays.

        Raises
        ------
        JournalError
            If the journal is gone, or has been taken back before.
        """
        if self.journal is None or self._undo is None:
            raise AttributeError("this report has no journal, so that it cannot be undone")
        return self._undo(self.journal)

    def summary(self) -> str:
        """Say in one line what became of the rows."""
        return ", ".join(f"{count:,} {word}" for word, count in self.counts.items()) or "nothing to do"

    def __repr__(self) -> str:
        return f"Report: {self.summary()}\n{super().__repr__()}"

    def _repr_html_(self) -> str | None:
        table = super()._repr_html_()
        return f"<p><b>Report</b>: {self.summary()}</p>{table}"


def report_of(
    journal: Journal, unit: str, stopped: Exception | None = None, undo: Any = None, verify: Verify | None = None
) -> Report:
    """Make the report of a run from its journal.

    Parameters
    ----------
    journal : Journal
        Where the run has come to.
    unit : str
        What the column of units is called.
    stopped : Exception, optional
        What ended the run early, so that rows without an outcome have failed; without it they are pending.
    undo : callable, optional
        Makes the plan of the way back from the path of the journal.
    verify : callable, optional
        Reads back what the journal at a path says, and says whether to mend it.
    """
    fates = [
        (outcome, message) if outcome else _fate_of_open(attempts, stopped)
        for outcome, message, attempts in zip(journal.outcomes, journal.messages, journal.attempts, strict=True)
    ]
    report = Report(
        {
            unit: pd.Series(journal.names, dtype="str"),
            "intent": pd.Categorical(journal.intents, categories=["create", "edit", "delete"]),
            "outcome": pd.Categorical([outcome for outcome, _ in fates], categories=list(OUTCOMES)),
            "id": pd.Series(journal.ids, dtype="str"),
            "attempts": pd.Series(journal.attempts, dtype="int64"),
            "message": pd.Series([message for _, message in fates], dtype="str"),
        }
    )
    report.index = pd.Index(journal.labels)
    report.journal, report._undo, report._verify = journal.path, undo, verify
    return report


def _fate_of_open(attempts: int, stopped: Exception | None) -> tuple[str, str | None]:
    """Say what is known of a row that the journal has no outcome of."""
    if stopped is None:
        return "pending", None
    if attempts:
        return "unknown", f"It was sent, and what became of it could not be written down: {stopped}"
    return "failed", f"Not sent, because of an earlier error: {stopped}"
