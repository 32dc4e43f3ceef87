"""Bulk edits: two frames -> a plan -> batched writes, each change once -> a report; the journal of it all.

:mod:`.diff` compares frames, :mod:`.plan` holds and shows what would change, :mod:`.journal` is the file of intentions
and deeds, :mod:`.run` carries it out, :mod:`.report` says what became of each row. :mod:`.resources` is the only part
that knows the API.
"""

from .diff import Difference, compare, identities
from .journal import Journal, Record
from .plan import Changes, Contents, Errors, OnConflict, Plan, carry_out
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
    "compare",
    "identities",
]
