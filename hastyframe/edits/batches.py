"""The plain writes of single images: rows of frames -> batches of writes -> what became of each row; no journal.

A write is cut into batches of one image, sent in parallel, and put together again in the order of the rows. A batch
that fails does not stop the others; what became of every row is in the report of the error that ends the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from hastyframe import frames
from hastyframe.answers import complete
from hastyframe.entities import BATCH_LIMIT, Entity, Label, Tag
from hastyframe.errors import ACCOUNT_ERRORS, BatchError, HastyError, OutcomeUnknown, UnexpectedAnswer
from hastyframe.urls import path_segment

if TYPE_CHECKING:
    import pyarrow as pa

    from hastyframe.transport import Transport

__all__ = ["Batch", "add_tags", "create_labels", "cut", "delete_labels", "delete_tags", "edit_labels", "execute"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a frame, by position, that go out in one request."""

    image_id: str
    rows: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of a batch: a result, or an error; neither if it was not sent."""

    result: R | None = None
    error: Exception | None = None

    @property
    def word(self) -> str:
        """The fate of the batch's rows, for a report."""
        if self.error is None:
            return "not sent" if self.result is None else "done"
        # A server that answers what nobody expects may have done what it was asked for.
        refused = isinstance(self.error, HastyError) and not isinstance(self.error, OutcomeUnknown | UnexpectedAnswer)
        return "failed" if refused else "unknown"


def cut(image_ids: pd.Series[str], limit: int = BATCH_LIMIT) -> list[Batch]:
    """Cut rows into batches of one image and at most `limit` rows.

    Parameters
    ----------
    image_ids : pandas.Series
        The image of each row.
    limit : int
        The most rows of a batch.

    Returns
    -------
    list of Batch
        Images in the order of their first rows, rows of an image in their order.

    Examples
    --------
    >>> import pandas as pd
    >>> [(b.image_id, b.rows.tolist()) for b in cut(pd.Series(["b", "a", "b", "b"]), limit=2)]
    [('b', [0, 2]), ('b', [3]), ('a', [1])]
    """
    codes, images = pd.factorize(image_ids)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(images))
    place = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.flatnonzero(place % limit == 0)
    pieces = np.split(order, starts[1:]) if len(codes) else []
    return [Batch(str(images[codes[rows[0]]]), rows) for rows in pieces]


def execute(
    transport: Transport,
    batches: Sequence[Batch],
    send: Callable[[Batch], R],
    index: pd.Index[Any],
    *,
    desc: str,
    ids: Callable[[R], Sequence[str]] | None = None,
) -> list[R]:
    """Send batches in parallel.

    Parameters
    ----------
    transport : Transport
        What sends.
    batches : sequence of Batch
        What is sent.
    send : callable
        Sends one batch and returns what came of it, not None.
    index : pandas.Index
        The row labels of the frame that was cut.
    desc : str
        What is done, as ``"Create labels"``.
    ids : callable, optional
        The ids of a batch's rows, from what came of it, for the report.

    Returns
    -------
    list
        What came of each batch, in order.

    Raises
    ------
    BatchError
        If a batch was not carried out, after all others were.
    """
    hopeless = threading.Event()

    def attempt(batch: Batch) -> Outcome[R]:
        if hopeless.is_set():
            return Outcome()
        try:
            return Outcome(send(batch))
        except Exception as error:  # whatever it is, the fate of the other rows must not be lost
            if isinstance(error, ACCOUNT_ERRORS):
                hopeless.set()
            return Outcome(error=error)

    outcomes = transport.map(attempt, batches, desc=desc, unit="row", size=lambda batch: len(batch.rows))
    first = next((o.error for o in outcomes if o.error is not None), None)
    if first is not None:
        report = _report(batches, outcomes, index, ids)
        counts = report["outcome"].value_counts()
        fates = ", ".join(f"{count:,} {word}" for word, count in counts.items())
        raise BatchError(
            f"{desc}: {fates}; see the error's `report`, a DataFrame with a row for each. The first error: {first}",
            report,
        ) from first
    return [outcome.result for outcome in outcomes if outcome.result is not None]


def _report(
    batches: Sequence[Batch],
    outcomes: Sequence[Outcome[R]],
    index: pd.Index[Any],
    ids: Callable[[R], Sequence[str]] | None,
) -> pd.DataFrame:
    """One row for each row that was asked for: ``image_id, outcome, id, message``."""
    columns = {name: np.full(len(index), None, dtype=object) for name in ("image_id", "outcome", "id", "message")}
    for batch, outcome in zip(batches, outcomes, strict=True):
        columns["image_id"][batch.rows] = batch.image_id
        columns["outcome"][batch.rows] = outcome.word
        if outcome.error is not None:
            columns["message"][batch.rows] = str(outcome.error)
        elif ids and outcome.result is not None:
            columns["id"][batch.rows] = ids(outcome.result)
    return pd.DataFrame(columns, index=index, dtype="str")


# Labels ---------------------------------------------------------------------------------------------------------------


def create_labels(transport: Transport, project_id: str, labels: pd.DataFrame) -> list[pa.RecordBatch]:
    """Create checked labels; return what the server stored, in the order of the rows."""

    def send(batch: Batch) -> pa.RecordBatch:
        body = frames.label_records(labels.iloc[batch.rows])
        return _items(Label, transport.post(_path(Label, project_id, batch), body), batch, body)

    return _write(transport, labels, send, "Create labels")


def edit_labels(transport: Transport, project_id: str, labels: pd.DataFrame) -> list[pa.RecordBatch]:
    """Replace checked labels, whose ids are the index; return what the server stored, in the order of the rows."""

    def send(batch: Batch) -> pa.RecordBatch:
        rows = labels.iloc[batch.rows]
        body = [{"label_id": key, **record} for key, record in zip(rows.index, frames.label_records(rows), strict=True)]
        keys, path = rows.index.tolist(), _path(Label, project_id, batch)
        answer = transport.put(path, body)
        if answer is None:  # a server may say no more than that it is done
            answer = {"items": [item for item in transport.listing(path) if item.get("id") in set(keys)]}
        return _items(Label, answer, batch, body, keys)

    return _write(transport, labels, send, "Edit labels")


def delete_labels(transport: Transport, project_id: str, image_ids: pd.Series[str]) -> None:
    """Delete labels, whose ids are the index, of the images that are the values."""

    def send(batch: Batch) -> list[str]:
        ids = image_ids.index[batch.rows].tolist()
        transport.delete(_path(Label, project_id, batch), [{"id": key} for key in ids])
        return ids

    execute(transport, cut(image_ids), send, image_ids.index, desc="Delete labels", ids=lambda ids: ids)


# Tags -----------------------------------------------------------------------------------------------------------------


def add_tags(transport: Transport, project_id: str, tags: pd.DataFrame) -> list[pa.RecordBatch]:
    """Tag images (columns ``image_id, tag_class_id``); return what the server stored, in the order of the rows."""

    def send(batch: Batch) -> pa.RecordBatch:
        body = [{"tag_class_id": key} for key in tags["tag_class_id"].iloc[batch.rows]]
        return _items(Tag, {"items": transport.post(_path(Tag, project_id, batch), body)}, batch, body)

    return _write(transport, tags, send, "Add tags")


def delete_tags(transport: Transport, project_id: str, tags: pd.DataFrame, key: str) -> None:
    """Delete tags of images, named by the column `key`: ``tag_id`` or ``tag_class_id``."""

    def send(batch: Batch) -> list[str]:
        ids = tags[key].iloc[batch.rows].tolist()
        transport.delete(_path(Tag, project_id, batch), [{key: value} for value in ids])
        return ids

    execute(transport, cut(tags["image_id"]), send, tags.index, desc="Delete tags", ids=lambda ids: ids)


# Shared ---------------------------------------------------------------------------------------------------------------


def _write(
    transport: Transport, rows: pd.DataFrame, send: Callable[[Batch], pa.RecordBatch], desc: str
) -> list[pa.RecordBatch]:
    import pyarrow as pa

    batches = cut(rows["image_id"])
    answers = execute(transport, batches, send, rows.index, desc=desc, ids=lambda answer: answer[0].to_pylist())
    if not answers:
        return []
    sent = np.concatenate([batch.rows for batch in batches])
    table = pa.Table.from_batches(answers).take(np.argsort(sent))
    return table.combine_chunks().to_batches()


def _path(entity: type[Entity], project_id: str, batch: Batch) -> str:
    return entity.path.format(project_id=project_id, image_id=path_segment(batch.image_id))


def _items(
    entity: type[Entity],
    answer: Any,
    batch: Batch,
    sent: Sequence[dict[str, Any]],
    ids: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """Read the answer to a batch, in the order in which it was sent; `ids` if that is known."""
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnexpectedAnswer(f"The server answered {len(batch.rows)} {entity.plural} with something else.")
    if len(items) != len(batch.rows):
        raise UnexpectedAnswer(f"The server answered {len(batch.rows)} {entity.plural} with {len(items)}.")
    by_id = {item["id"]: item for item in items if isinstance(item.get("id"), str) and item["id"]}
    if len(by_id) < len(items):
        raise UnexpectedAnswer(f"The server answered {entity.plural} of which some have no id of their own.")
    if ids is not None:
        if by_id.keys() != set(ids):
            raise UnexpectedAnswer(f"The server answered with other {entity.plural} than were sent.")
        items = [by_id[key] for key in ids]
    if not all(_is_of(item, batch, one) for item, one in zip(items, sent, strict=True)):
        raise UnexpectedAnswer(f"The server answered with {entity.plural} of another image or class than were sent.")
    return frames.to_arrow(entity, complete(items, image_id=batch.image_id))


def _is_of(item: dict[str, Any], batch: Batch, sent: dict[str, Any]) -> bool:
    """Whether a thing is of the image and the class that were sent."""
    classes = all(item.get(name, sent[name]) == sent[name] for name in ("class_id", "tag_class_id") if sent.get(name))
    return classes and item.get("image_id", batch.image_id) == batch.image_id
