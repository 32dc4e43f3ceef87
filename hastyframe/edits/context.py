"""What the parts of a run share: its settings, where it is noted what became of rows, and what errors mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hastyframe.errors import TRANSIENT_ERRORS, NotFound, OutcomeUnknown, ValidationException

from .journal import Change, Journal, Record
from .resources import Resource

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["IN_DOUBT", "OUTCOME_OF_INTENT", "REFUSED", "RunContext"]

IN_DOUBT = (OutcomeUnknown, *TRANSIENT_ERRORS)
"""It may have been done or not, and may go better the next time."""
REFUSED = (ValidationException, NotFound)
"""The server looked at the request and did nothing."""
OUTCOME_OF_INTENT = {"create": "created", "edit": "edited", "delete": "deleted"}


class RunContext(Protocol):
    """What all units of a run share.

    Attributes
    ----------
    transport : Transport
        What sends.
    journal : Journal
        What is intended and what has been done.
    resource : Resource
        How things of this kind are read and written.
    unconditional : bool
        Whether changes are written without a look at what is there.
    overwrite : bool
        Whether changes by others are overwritten.
    claims : bool
        Whether some new things may be there already, from an earlier run or an earlier undo.
    """

    transport: Transport
    journal: Journal
    resource: Resource
    unconditional: bool
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
