"""Carrying out an open journal, verifying it, or finding out how far an earlier run came; with bars and a report."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hastyframe.arguments import check_flag, check_workers, counted
from hastyframe.entities import LabelClass
from hastyframe.errors import BatchError, JournalError
from hastyframe.vocabulary import Vocabulary, check_choice

from .journal import DONE, Journal
from .report import Report, report_of
from .resources import RESOURCES
from .run import Keep, Run
from .temporary import keep as keep_journal

if TYPE_CHECKING:
    from hastyframe.transport import Transport

    from .plan import Plan

__all__ = ["Errors", "check_options", "execute", "reconcile", "verified"]

Errors: TypeAlias = Literal["raise", "report"]
Undo: TypeAlias = "Callable[[Path], Plan]"


def check_options(errors: Any, max_workers: Any, verify: Any) -> None:
    """Refuse bad options of a run, before its journal is touched."""
    check_choice(errors, ("raise", "report"), "errors")
    check_flag(verify, "verify")
    if max_workers is not None:
        check_workers(max_workers)


def execute(
    transport: Transport,
    journal: Journal,
    *,
    errors: Errors = "raise",
    max_workers: int | None = None,
    undo: Undo | None = None,
    keep: Keep | None = None,
    told: Callable[[Report], None] | None = None,
    verify: bool = False,
) -> Report:
    """Carry out an open journal from where it stands, with a bar of rows; the parameters are those of `Plan.apply`."""
    transport.check_open()
    if journal.resumed:
        journal.refuse_undone()
    _claim_undo(journal)
    resource = RESOURCES[journal.kind](transport, journal.project_id)
    left = sum(outcome not in DONE for outcome in journal.outcomes)

    def report_now(stopped: Exception | None = None) -> Report:
        report = report_of(journal, resource.unit, stopped, undo, partial(verified, transport, undo=undo))
        if told is not None:
            told(report)
        return report

    with transport.bar(f"Apply {journal.kind.replace('_', ' ')}", left, "row") as bar:
        run = Run(transport, journal, bar, keep)
        try:
            run.finish(max_workers, verify=verify)
        except KeyboardInterrupt:
            bar.close()
            print(
                f"Interrupted: {report_now().summary()}. The journal is {str(journal.path)!r}. To go on: "
                f"project.resume({str(journal.path)!r})",
                file=sys.stderr,
                flush=True,
            )
            keep_journal(journal.path)
            raise
    if journal.kind == LabelClass.plural:  # whose names frames show from now on
        Vocabulary.of(transport, journal.project_id).invalidate(LabelClass)
    report = report_now(run.stopped)
    _warn_unreviewed(run, resource.unit)
    failed = report[report["message"].notna()]  # those without all of their attribute values as well
    if len(failed):
        keep_journal(journal.path)
        if errors == "raise":
            raise BatchError(
                f"{report.summary()}; see the error's `report`, a DataFrame with a row for each, or try the rest again "
                f"with project.resume({str(journal.path)!r}). The first: {failed['message'].iloc[0]}",
                report,
            ) from run.stopped
    return report


def verified(transport: Transport, path: Path, mend: bool, undo: Undo | None = None) -> Report:
    """Read back all that a journal says was done, and report each difference; with `mend`, mend what can be mended."""
    transport.check_open()
    with Journal.open(path) as journal:
        journal.refuse_undone()
        resource = RESOURCES[journal.kind](transport, journal.project_id)
        with transport.bar(f"Verify {journal.kind.replace('_', ' ')}", None, "row") as bar:
            run = Run(transport, journal, bar)
            run.verify(mend=mend)
        keep_journal(path)
        if run.stopped is not None:
            raise run.stopped
        _warn_unreviewed(run, resource.unit)
        return report_of(journal, resource.unit, None, undo, partial(verified, transport, undo=undo))


def reconcile(transport: Transport, journal: Journal) -> None:
    """Find out what became of the rows of an ended run, and write it down; nothing more of them is sent.

    Raises
    ------
    JournalError
        If that could not be read.
    """
    transport.check_open()
    with transport.bar("Look for what was done", None, "row") as bar:
        run = Run(transport, journal, bar)
        run.reconcile()
    trouble = run.stopped or next(iter(run.unreviewed), None)
    if trouble is not None:
        raise JournalError(
            f"What became of the rows of the journal {str(journal.path)!r} could not be read, so that it cannot be "
            f"taken back yet: {trouble} Try again, or finish it with project.resume({str(journal.path)!r})."
        ) from trouble


def _warn_unreviewed(run: Run, unit: str) -> None:
    if not run.unreviewed:
        return
    path = str(run.journal.path)
    keep_journal(run.journal.path)
    units = counted(len(run.unreviewed), unit.removesuffix("_id"))
    warnings.warn(
        f"{units} could not be read again, to see what became of the requests: {run.unreviewed[0]} "
        f"project.resume({path!r}) looks again.",
        UserWarning,
        stacklevel=4,
    )


def _claim_undo(journal: Journal) -> None:
    """Note in a journal that this one takes it back, which only one can: a second would create the same labels anew."""
    undoes = journal.options.get("undoes")
    if undoes is None or not os.path.exists(undoes):  # noqa: PTH110 (it takes any text; what is gone is taken back by none)
        return
    with Journal.open(undoes) as undone:
        undone.undo_with(journal)
