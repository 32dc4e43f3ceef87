"""Bulk edits: two frames -> a plan -> batched writes, each change once -> a report; the journal of it all.

:mod:`.diff` compares frames, :mod:`.plan` holds and shows what would change, :mod:`.journal` is the file of intentions
and deeds, :mod:`.run` carries it out (:mod:`.work` one unit, :mod:`.review` what is read again at the end), and
:mod:`.report` says what became of each row; :mod:`.execute` puts them together. :mod:`.resources` is the only part that
knows the API.
"""

from .diff import Difference, compare, identities
from .execute import Errors, carry_out, check_options, reconcile
from .journal import Journal, Record
from .plan import Changes, Contents, OnConflict, Plan
from .report import Report
from .sightings import Sightings

__all__ = [
    "Changes",
    "Contents",
    "Difference",
    "Errors",
    "Journal",
    "OnConflict",
    "Plan",
    "Record",
    "Report",
    "Sightings",
    "carry_out",
    "check_options",
    "compare",
    "identities",
    "reconcile",
]
