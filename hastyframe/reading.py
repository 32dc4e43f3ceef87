"""Reading many things: what succeeded is kept, what failed is said, and the same call again reads the rest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pandas as pd

from . import frames
from .answers import complete
from .entities import Entity
from .errors import ReadError
from .http.parts import Failures

if TYPE_CHECKING:
    import pyarrow as pa

    from .transport import Listing, Transport

__all__ = ["read_lists", "read_many"]

R = TypeVar("R")


def read_many(
    transport: Transport,
    keys: Sequence[Hashable],
    ids: pd.Index[Any],
    read: Callable[[list[int], Failures], Sequence[Any]],
    make: Callable[[list[Any]], R],
    read_now: list[int] | None = None,
) -> R:
    """Read a part for each of many things, those that an earlier call has not read.

    Parameters
    ----------
    transport : Transport
        Which keeps the parts of a call that failed.
    keys : sequence
        What each thing is asked for by.
    ids : pandas.Index
        What people call the things.
    read : callable
        Gets the positions of things and reads their parts, in order; notes those that failed.
    make : callable
        Makes of parts what the call returns.
    read_now : list of int, optional
        Gets the positions of things that this call has read, and no earlier one.

    Raises
    ------
    ReadError
        If some could not be read, with what was. If none could, the error of the first.
    """
    kept = transport.parts.of(keys)
    missing = [position for position, key in enumerate(keys) if key not in kept]
    failures = Failures()
    found = dict(zip(missing, read(missing, failures), strict=True))
    errors = {missing[number]: error for number, error in sorted(failures.found.items())}
    good = [position for position in range(len(keys)) if position not in errors]
    if read_now is not None:
        read_now += [position for position in missing if position not in errors]
    parts = [found[position] if position in found else kept[keys[position]] for position in good]
    if not errors:
        transport.parts.drop(keys)
        return make(parts)
    first = next(iter(failures.found.values()))  # in time: others may not have been asked for any more, because of it
    if not good:
        raise first
    transport.parts.keep(keys, {keys[position]: part for position, part in zip(good, parts, strict=True)})
    outcomes = ["failed" if position in errors else "read" for position in range(len(keys))]
    messages = [str(errors[position]) if position in errors else None for position in range(len(keys))]
    report = pd.DataFrame({"outcome": outcomes, "message": messages}, index=ids, dtype="str")
    noun = str(ids.name).removesuffix("_id")
    raise ReadError(
        f"{len(errors):,} of {len(keys):,} could not be read, by {noun}: the error's `report` says which, "
        f"its `partial` holds the others. The same call again reads only what is missing. The first: {first}",
        report,
        make(parts),
    ) from first


class _Slice(NamedTuple):
    """Rows of a batch."""

    batch: pa.RecordBatch
    start: int
    size: int


def read_lists(
    transport: Transport,
    entity: type[Entity],
    lists: Sequence[Listing],
    ids: pd.Index[Any],
    make: Callable[[list[pa.RecordBatch]], pd.DataFrame],
    known: Callable[[int], Mapping[str, Any]],
    read_now: list[int],
    *,
    desc: str,
    unit: str,
) -> pd.DataFrame:
    """Read a list for each of many things into one frame, in their order; for the rest see :func:`read_many`.

    `known` says, by the number of a list, what its items may leave out.
    """

    def read(positions: list[int], failures: Failures) -> list[_Slice]:
        gathering = frames.RecordBuffer(entity)
        wanted = [lists[position] for position in positions]
        add = lambda number, items: gathering.add(complete(items, **known(positions[number])))  # noqa: E731
        pages = transport.listings(wanted, add, desc=desc, unit=unit, failures=failures)
        if gathering.broken is not None:
            raise gathering.broken
        [batch] = gathering.batches([page for of_list in pages for page in of_list])
        slices, start = [], 0
        for of_list in pages:
            size = sum(page.size for page in of_list)
            slices.append(_Slice(batch, start, size))
            start += size
        return slices

    keys = [path for path, _ in lists]
    return read_many(transport, keys, ids, read, lambda slices: make(_joined(slices)), read_now)


def _joined(slices: list[_Slice]) -> list[pa.RecordBatch]:
    """Return the rows of slices, those that follow each other in one batch together."""
    found: list[_Slice] = []
    for one in slices:
        last = found[-1] if found else None
        if last is not None and last.batch is one.batch and last.start + last.size == one.start:
            found[-1] = _Slice(last.batch, last.start, last.size + one.size)
        else:
            found.append(one)
    return [one.batch.slice(one.start, one.size) for one in found]
