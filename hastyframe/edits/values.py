"""Values of label attributes: noted before their label is deleted, given to the one that is made in its place.

Both are requests a label, so they are sent only where a project has attributes, and only for deletes of a plan that
knows what it deletes, so that it can be undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hastyframe.entities import Attribute
from hastyframe.errors import ACCOUNT_ERRORS, HastyError, NotFound

from .journal import DONE, Journal
from .resources import RESOURCES

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["give_back", "note"]


def note(transport: Transport, journal: Journal, max_workers: int | None = None) -> None:
    """Write down the values of labels that are to be deleted; no label may be deleted before this has returned."""
    rows = [row for row in sorted(journal.unnoted) if journal.outcomes[row] not in DONE]
    if journal.kind != "labels" or not rows:
        return
    if not transport.listing(Attribute.path.format(project_id=journal.project_id)):
        return
    read = RESOURCES["label_attributes"](transport, journal.project_id).read

    def values_of(row: int) -> dict[str, Any]:
        try:
            return {item["attribute_id"]: item["value"] for item in read(str(journal.ids[row]))}
        except NotFound:  # somebody else has deleted it
            return {}

    found = transport.map(values_of, rows, desc="Note attribute values", unit="label", max_workers=max_workers)
    journal.noted(rows, found)


def give_back(transport: Transport, journal: Journal, max_workers: int | None = None) -> None:
    """Set the values of labels that were created in the place of others; those that fail are named in the journal."""
    rows = {row for row in journal.lacking if journal.outcomes[row] == "created"}
    if not rows:
        return
    changes = [c for unit in journal.units if rows & set(unit.rows) for c in journal.changes(unit) if c.row in rows]
    tasks = [(c.row, attribute, value) for c in changes for attribute, value in (c.values or {}).items()]
    put = RESOURCES["label_attributes"](transport, journal.project_id).put
    assert put is not None  # noqa: S101 (values can be set)

    def give(task: tuple[int, str, Any]) -> str | None:
        row, attribute, value = task
        try:
            put(str(journal.ids[row]), [(attribute, {"value": value})], False)
        except ACCOUNT_ERRORS:
            raise
        except HastyError as error:
            return str(error)
        return None

    troubles = transport.map(give, tasks, desc="Set attribute values", unit="value", max_workers=max_workers)
    failed = {row: trouble for (row, _, _), trouble in zip(tasks, troubles, strict=True) if trouble is not None}
    journal.gave([row for row in sorted(rows) if row not in failed])
    for row, trouble in failed.items():
        journal.messages[row] = f"The label was created, but not all of its attribute values were set: {trouble}"
