"""The names of a project (label classes, tag classes, attributes, datasets): ids to names and names to ids."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from weakref import proxy

import numpy as np
import pandas as pd

from . import frames, identity
from .arguments import a, shown, text_problem
from .entities import Attribute, Dataset, Entity, Kind, LabelClass, TagClass
from .errors import ValidationException
from .intake import as_pandas
from .urls import path_of

if TYPE_CHECKING:
    import pyarrow as pa

    from .transport import Transport

__all__ = ["Vocabulary", "check_choice", "ids_by_name", "ids_of", "suggestion"]

NAMED: Mapping[str, type[Entity]] = {
    "class_name": LabelClass,
    "dataset_name": Dataset,
    "tag_class_name": TagClass,
    "attribute_name": Attribute,
}
"""Whose names a name column holds."""

_LONGEST_NAME = 10_000
"""Characters of an id or a name; ids go into addresses."""


class Vocabulary:
    """What a project calls its classes, tags, attributes and datasets; read once, and again when something is new.

    Others may give a name to something else. So a call that writes begins with :meth:`expire`, and whatever turns names
    into ids asks for the :meth:`current` ones.

    Parameters
    ----------
    transport : Transport
        Where to read from.
    project_id : str
        Whose names.
    """

    def __init__(self, transport: Transport, project_id: str) -> None:
        self._transport = proxy(transport)  # which keeps this one
        self._project_id = project_id
        self._frames: dict[str, pd.DataFrame] = {}
        self._expired: set[str] = set()
        self._pairs: dict[str, set[tuple[str, str]]] = {}
        self._lock = threading.RLock()

    @classmethod
    def of(cls, transport: Transport, project_id: str) -> Vocabulary:
        """Return the one vocabulary of a project that everything on a transport shares."""
        return transport.cached((cls, project_id), lambda: cls(transport, project_id))

    def table(self, entity: type[Entity]) -> pd.DataFrame:
        """Return the frame of all label classes, tag classes, attributes or datasets, as it was last read."""
        with self._lock:
            if entity.plural not in self._frames:
                records = self._transport.listing(path_of(entity.path, project_id=self._project_id))
                found = frames.with_unique_ids(entity, frames.from_records(entity, records))
                if "name" in found:
                    self._pairs.setdefault(entity.plural, set()).update(zip(found.index, found["name"], strict=True))
                self._frames[entity.plural] = found
                self._expired.discard(entity.plural)
            return self._frames[entity.plural]

    def held(self, entity: type[Entity]) -> pd.DataFrame | None:
        """Return what :meth:`table` does if it has been read, as frames were made with it; None if it has not."""
        return self._frames.get(entity.plural)

    def were_named(self, entity: type[Entity], ids: pd.Series[Any], names: pd.Series[Any]) -> pd.Series[bool]:
        """Whether each thing was ever read with the name beside it, so that a frame may have it from there."""
        pairs = pd.DataFrame({"id": ids, "name": names})
        some = pairs.drop_duplicates().itertuples(index=False, name=None)
        known = self._pairs.get(entity.plural, set())
        found = pd.DataFrame([pair for pair in some if pair in known], columns=["id", "name"], dtype="str")
        keys = [pd.MultiIndex.from_frame(frame.astype(object)) for frame in (pairs, found)]
        return pd.Series(keys[0].isin(keys[1]), index=ids.index)

    def expire(self) -> Vocabulary:
        """Let :meth:`current` read again what was read so far: a call begins that others may have changed names before.

        Returns
        -------
        Vocabulary
            This one.
        """
        with self._lock:
            self._expired.update(self._frames)
        return self

    def current(self, entity: type[Entity]) -> pd.DataFrame:
        """Return what :meth:`table` does, read since the last :meth:`expire`: what names mean now."""
        with self._lock:
            if entity.plural in self._expired:
                self.invalidate(entity)
            return self.table(entity)

    def invalidate(self, *entities: type[Entity]) -> None:
        """Read these again when they are next asked for."""
        with self._lock:
            for entity in entities:
                self._frames.pop(entity.plural, None)

    def frame(self, entity: type[Entity], batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
        """Make a frame whose name columns know every name of the project.

        An id that is not known yet makes the names be read again, once.
        """
        batches = list(batches)
        columns = [name for name, field in entity.fields().items() if field.kind is Kind.CATEGORY and name in NAMED]
        frame = frames.from_arrow(entity, batches, self._names(columns))
        if any(_unknown(frame, column).any() for column in columns):
            self.invalidate(*(NAMED[column] for column in columns))
            frame = frames.from_arrow(entity, batches, self._names(columns))
        return frame

    def records(self, entity: type[Entity], records: frames.Records) -> pd.DataFrame:
        """Make a frame of JSON records, as :meth:`frame` does of batches."""
        return self.frame(entity, [frames.to_arrow(entity, records)])

    def ids(self, entity: type[Entity], things: Any) -> list[str]:
        """Return the ids of things that are given as handles, frames, ids or names, which are the :meth:`current` ones.

        Raises
        ------
        ValidationException
            If a text is neither an id nor a name, or a name that several have.
        """
        wanted = ids_of(entity, things, "name")
        known = self.table(entity)
        if any(_id_in(known, key) is None for key in wanted):  # a name, or newer than what was read
            known = self.current(entity)
        return [_id_in(known, key) or self._by_name(entity, key) for key in wanted]

    def one_id(self, entity: type[Entity], thing: Any) -> str:
        """Return the id of one thing, given as a handle, an id, a name or a frame of one row."""
        found = self.ids(entity, thing)
        if len(found) != 1:
            raise ValidationException(f"One {entity.noun()} is needed; {len(found)} were given.")
        return found[0]

    def _by_name(self, entity: type[Entity], name: str) -> str:
        known = self.current(entity)
        found = known.index[known["name"] == name]
        what = entity.plural.replace("_", " ")
        if len(found) == 1:
            return str(found[0])
        if len(found) > 1:
            raise ValidationException(
                f"{len(found)} {what} are named {shown(name)}; say which by its id: {list(found)}"
            )
        raise ValidationException(
            f"{shown(name)} is neither the id nor the name of one of the project's {what}. "
            f"{suggestion(name, known['name'], what)}"
        )

    def _names(self, columns: Iterable[str]) -> dict[str, pd.Series[str]]:
        return {column: self.table(NAMED[column])["name"] for column in columns}


def _id_in(known: pd.DataFrame, key: str) -> str | None:
    """Return the id among the known ones that a text is, however it is spelled."""
    found = key if key in known.index else identity.one(key)
    return found if found in known.index else None


def ids_by_name(things: pd.DataFrame) -> pd.Series[Any]:
    """Return the ids of a frame of things, indexed by their names; the first id if several have a name."""
    ids = pd.Series(things.index, index=things["name"], dtype=object)
    return ids[~ids.index.duplicated()]


def ids_of(entity: type[Entity], things: Any, kind: identity.Kind = "id") -> list[str]:
    """Return the ids of one or many things, by value.

    Parameters
    ----------
    entity : type of Entity
        What the things are.
    things : str, Entity, pandas.DataFrame, pandas.Series, pandas.Index, or an iterable of str or Entity
        A frame stands for its index, if that is of this entity's ids, else for its column of them.
    kind : {"id", "name"}
        Whether they are ids for sure, or may be names, which stay as they are.

    Raises
    ------
    ValidationException
        If something else is among them.

    Examples
    --------
    >>> from hastyframe.entities import Dataset
    >>> ids_of(Dataset, "d1"), ids_of(Dataset, [Dataset({"id": "d2"}), "d3"])
    (['d1'], ['d2', 'd3'])
    """
    things = as_pandas(things, records=not isinstance(things, Mapping))
    if isinstance(things, Entity) or identity.one(things, kind) is not None:
        things = [things]
    elif isinstance(things, Mapping | bytes) or not np.iterable(things):
        raise _is_none(entity, things)
    if isinstance(things, pd.DataFrame):
        if things.columns.duplicated().any():
            raise ValidationException(f"The frame has several columns of one name: {list(things.columns)}.")
        if things.index.name != entity.id_name and entity.id_name not in things.columns:
            raise ValidationException(
                f"The frame has neither an index nor a column named {entity.id_name!r}; it has the index "
                f"{things.index.name!r} and the columns {list(things.columns)}."
            )
        things = things.index if things.index.name == entity.id_name else things[entity.id_name]
    if isinstance(things, pd.Series | pd.Index) and things.dtype != np.dtype(object):
        ids = identity.texts(things, kind).to_pylist()
    else:
        things = list(things)
        ids = [_one_id(entity, thing, kind) for thing in things]
    for key, thing in zip(ids, things, strict=True):
        if key is None or len(key) > _LONGEST_NAME or not (key.isascii() or text_problem(key) is None):
            raise _is_none(entity, thing)
    return ids


def _one_id(entity: type[Entity], thing: Any, kind: identity.Kind) -> str | None:
    if isinstance(thing, Entity):
        return str(thing._data["id"]) if thing.id_name == entity.id_name else None
    return identity.one(thing, kind)


def _is_none(entity: type[Entity], thing: Any) -> ValidationException:
    return ValidationException(
        f"{shown(thing)} is not {a(entity.__name__)}; give an id, {a(entity.__name__)}, a list of them, or a frame."
    )


def check_choice(value: str, choices: Sequence[str], name: str) -> str:
    """Return a value that must be one of a few; `name` is that of the argument.

    Raises
    ------
    ValidationException
        If it is none of them.

    Examples
    --------
    >>> check_choice("DONE", ["NEW", "DONE"], "status")
    'DONE'
    """
    if not isinstance(value, str) or value not in choices:
        raise ValidationException(f"{name} is {shown(value)}. {suggestion(value, choices)}")
    return value


def suggestion(value: Any, choices: Iterable[str], what: str = "choices") -> str:
    """Say what would be right: the nearest of the choices, or all of them; `what` they are called.

    Examples
    --------
    >>> suggestion("DOEN", ["NEW", "DONE"])
    "Did you mean 'DONE'?"
    >>> suggestion("x", ["NEW", "DONE"])
    "It must be one of 'NEW', 'DONE'."
    >>> suggestion("x", [], "tag classes")
    'There are no tag classes yet.'
    """
    choices = [str(choice) for choice in choices]
    near = get_close_matches(value[:200], choices, n=1) if isinstance(value, str) else []
    if near:
        return f"Did you mean {near[0]!r}?"
    if not choices:
        return f"There are no {what} yet."
    shown = ", ".join(map(repr, choices[:20]))
    return f"It must be one of {shown}{', ...' if len(choices) > 20 else '.'}"


def _unknown(frame: pd.DataFrame, column: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows whose id is there and whose name is not."""
    return (frame[column].isna() & frame[column.removesuffix("_name") + "_id"].notna()).to_numpy()
