"""Bulk edits: two frames -> a plan -> batched writes, each change once -> a report; the journal of it all.

Read it in this order:

- :mod:`.diff` compares two frames, :mod:`.plan` holds and shows what would change;
- :mod:`.journal` is the file of what is intended and what was done, :mod:`.temporary` names it if nobody does;
- :mod:`.executor` carries out a journal, with a bar and a :mod:`.report` of what became of each row;
- :mod:`.run` goes through its units in threads: :mod:`.work` writes one (:mod:`.unit_reading` reads it,
  :mod:`.matching` finds our things in what was read), :mod:`.review` reads it once more at the end, :mod:`.values`
  carries attribute values over; :mod:`.context` is what these share;
- :mod:`.resources` is the only part that knows the API.

:mod:`.batches` writes the labels and tags of a single image at once, without plan or journal.
"""

from .diff import Difference, compare, identities
from .executor import Errors, check_options, execute, reconcile
from .journal import Journal, Record
from .known_labels import KnownLabels
from .plan import Changes, Contents, OnConflict, Plan
from .report import Report

__all__ = [
    "Changes",
    "Contents",
    "Difference",
    "Errors",
    "Journal",
    "KnownLabels",
    "OnConflict",
    "Plan",
    "Record",
    "Report",
    "check_options",
    "compare",
    "execute",
    "identities",
    "reconcile",
]
