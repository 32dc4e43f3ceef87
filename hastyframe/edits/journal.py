"""The journal of a plan: a file of lines, intentions before deeds, from which an interrupted run goes on.

The first line says what the file is, then comes a line a unit (an image, say) with every change that is intended for
it, then the line ``planned``. Up to there nothing has been sent. Every line after it is a deed, written once the server
has answered. A line is one JSON object, so that the file can be read by hand; it never holds the API key.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import orjson

from hastyframe.errors import JournalError

__all__ = ["DONE", "Change", "Journal", "Record", "Unit"]

Record: TypeAlias = dict[str, Any]
"""The content of a thing, as the API takes it."""

DONE = ("created", "edited", "deleted", "unchanged")
"""Fates of rows that need nothing more."""

_VERSION = 1
_BEGIN = b'{"hastyframe_journal":'


class _Unplanned(JournalError):
    """A journal that ends before its plan was complete."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is intended for one row.

    Attributes
    ----------
    row : int
        Its place in the report.
    label : object
        Its label in the frame that it comes from.
    key : str or None
        The id of the thing; None for a new one, whose id the server makes up.
    old : dict or None
        What the thing was when it was read, as far as it was read; None for what was not there, empty if not known.
    new : dict or None
        What changes of it, or all of a new thing; None for what is to be gone.
    values : dict or None
        Of a label that is created in the place of a deleted one, the values of its attributes, by their ids.
    """

    row: int
    label: Any
    key: str | None
    old: Record | None
    new: Record | None
    values: Record | None = None

    @property
    def intent(self) -> str:
        """``create``, ``edit`` or ``delete``."""
        if self.new is None:
            return "delete"
        return "create" if self.old is None else "edit"


@dataclass(slots=True)
class Unit:
    """What is read and written together, an image with its labels, say: where its line is, and what became of it."""

    name: str
    offset: int
    length: int
    rows: list[int]
    there: list[str] | None = None
    """The ids that were there before the first of ours was created; None if nobody has looked yet."""
    unseen: list[int] = field(default_factory=list)
    """Rows of requests that nobody answered and that had not been carried out when it was looked: they may yet be.
    A row stands here once a request."""


class Journal:
    """An open journal, held by one process, with what became of each row.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        What the changes are of: ``labels``, ``tags``, ...
    project_id : str
        Of which project.
    options : dict
        How the plan is to be carried out, as ``on_conflict``.
    resumed : bool
        Whether an earlier run may have sent some of it.
    units : list of Unit
        In the order in which they are carried out.
    outcomes, ids, messages, attempts : list
        What became of each row; None, None, None and 0 before anything has.
    labels, intents, names : list
        Of each row: its label in the frame, what is intended, and the unit it belongs to.
    unnoted, lacking : set of int
        Rows of known things that are to be deleted and whose attribute values are not written down; rows of new things
        that have not been given theirs.
    undone : dict or None
        Which journal took this one back, if one did: its ``token`` and its path.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        self._lock = threading.Lock()
        self.kind = self.project_id = ""
        self.options: Record = {}
        self.resumed = False
        self.units: list[Unit] = []
        self.outcomes: list[str | None] = []
        self.ids: list[str | None] = []
        self.messages: list[str | None] = []
        self.attempts: list[int] = []
        self.labels: list[Any] = []
        self.intents: list[str] = []
        self.names: list[str] = []
        self.unnoted: set[int] = set()
        self.lacking: set[int] = set()
        self.undone: Record | None = None

    @classmethod
    def create(
        cls, path: Path, kind: str, project_id: str, units: Iterable[tuple[str, list[str] | None, list[Record]]],
        options: Record | None = None,
    ) -> Self:  # fmt: skip
        """Write down a plan; nothing may be sent before this has returned.

        Parameters
        ----------
        path : Path
            A file that is not there yet.
        kind, project_id : str
            What the changes are of, and of which project.
        units : iterable of (str, list of str or None, list of dict)
            Each unit's name, the ids known to be there, and its changes as :meth:`changes` reads them.
        options : dict, optional
            How it is to be carried out.

        Raises
        ------
        JournalError
            If the file is there already.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | _BINARY, 0o600)
        except FileExistsError:
            raise JournalError(
                f"There is a file {str(path)!r} already. If it is a journal, project.resume({str(path)!r}) finishes "
                "what it holds; else give another name."
            ) from None
        journal = cls(path, file)
        try:
            _hold(file, path)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            head = {"hastyframe_journal": _VERSION, "kind": kind, "project_id": project_id, "created": created}
            journal._write([head | (options or {})])
            lines = ({"unit": n} | ({} if t is None else {"there": t}) | {"changes": c} for n, t, c in units)
            while some := list(islice(lines, 256)):
                journal._write(some)
            journal._write([{"planned": True}])
            os.fsync(file)
            _sync_folder(path.parent)
            journal._read()
        except BaseException:
            journal.close()
            path.unlink(missing_ok=True)
            raise
        return journal

    @classmethod
    def create_or_open(
        cls, path: Path, kind: str, project_id: str, units: Iterable[tuple[str, list[str] | None, list[Record]]],
        options: Record | None = None,
    ) -> Self:  # fmt: skip
        """Write down a plan, or open the journal in which this very plan was written down before.

        Parameters
        ----------
        path, kind, project_id, units, options
            As for :meth:`create`, but that the file may be there.

        Raises
        ------
        JournalError
            If it holds something else, or somebody else holds it.
        """
        try:
            journal = cls.open(path) if path.exists() else None
        except _Unplanned:  # a process was killed while it wrote the plan down
            path.unlink()
            journal = None
        if journal is None:
            return cls.create(path, kind, project_id, units, options)
        if (journal.kind, journal.project_id) == (kind, project_id) and journal._holds(units):
            return journal
        journal.close()
        raise JournalError(
            f"The journal {str(path)!r} holds other changes than those that are to be made now. Give another name; "
            f"project.resume({str(path)!r}) finishes what it holds."
        )

    @classmethod
    def open(cls, path: str | Path, *, hold: bool = True) -> Self:
        """Open a journal that is there.

        Parameters
        ----------
        path : str or Path
            The file.
        hold : bool
            Whether to go on with it, which one process at a time can do; without, it is only read.

        Raises
        ------
        JournalError
            If there is none, if it is held by somebody else, if it holds something else, or if it ends before its plan
            was complete.
        """
        path = Path(path)
        try:
            file = os.open(path, (os.O_RDWR | os.O_APPEND if hold else os.O_RDONLY) | _BINARY)
        except FileNotFoundError:
            raise JournalError(
                f"There is no journal {str(path)!r}. Look at the path: a name alone is sought in {str(Path.cwd())!r}."
            ) from None
        journal = cls(path, file)
        try:
            if hold:
                _hold(file, path)
            whole = journal._read()
            if hold and whole < os.fstat(file).st_size:
                os.truncate(path, whole)  # a line that was cut off while it was written says nothing
        except BaseException:
            journal.close()
            raise
        journal.resumed = True
        return journal

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Intentions -------------------------------------------------------------------------------------------------------

    def changes(self, unit: Unit) -> list[Change]:
        """Read what is intended for a unit."""
        line = _read_at(self._file, unit.length, unit.offset)
        return [_change(c) for c in orjson.loads(line)["changes"]]

    def _holds(self, units: Iterable[tuple[str, list[str] | None, list[Record]]]) -> bool:
        """Whether it was created with these units; what was there is left out, because it changes."""
        mine = iter(self.units)
        for name, _, changes in units:
            unit = next(mine, None)
            end = orjson.dumps({"changes": changes}, option=_NUMPY)[1:] + b"\n"
            if unit is None or unit.name != name or not _read_at(self._file, unit.length, unit.offset).endswith(end):
                return False
        return next(mine, None) is None

    # Deeds ------------------------------------------------------------------------------------------------------------

    def found_there(self, unit: Unit, ids: Sequence[str]) -> None:
        """Note what was there before the first of ours is created, so that it survives whatever comes."""
        self._write([{"unit": unit.name, "there": list(ids)}])
        os.fsync(self._file)
        unit.there = list(ids)

    def was(self, rows: Sequence[int], contents: Sequence[Record]) -> None:
        """Note what is about to be changed, where the plan does not say it whole."""
        self._write([{"rows": list(rows), "was": list(contents)}])

    def stored_as(self, rows: Sequence[int], contents: Sequence[Record]) -> None:
        """Note what the server made of things, where that is more or other than what was sent."""
        self._write([{"rows": list(rows), "as": list(contents)}])

    def did(self, outcome: str, rows: Sequence[int], ids: Sequence[str | None] | None = None) -> None:
        """Note what became of rows."""
        deed: Record = {"did": outcome, "rows": list(rows)}
        if ids is not None:
            deed["ids"] = list(ids)
        with self._lock:
            self._write([deed])
            self._apply(deed)

    def failed(self, rows: Sequence[int], message: str) -> None:
        """Note that rows were not carried out, and why."""
        deed = {"did": "failed", "rows": list(rows), "message": message}
        with self._lock:
            self._write([deed])
            self._apply(deed)

    def not_seen(self, unit: Unit, rows: Sequence[int]) -> None:
        """Note rows whose request nobody answered and that are not there, or not yet."""
        with self._lock:
            self._write([{"unit": unit.name, "unseen": list(rows)}])
            unit.unseen.extend(rows)

    def swept(self, unit: Unit, removed: Sequence[str]) -> None:
        """Note that it was looked for what came late, and what of it was removed."""
        with self._lock:
            self._write([{"unit": unit.name, "swept": list(removed)}])
            unit.unseen.clear()

    def noted(self, rows: Sequence[int], values: Sequence[Record]) -> None:
        """Note the attribute values of things that are about to be deleted, by the ids of the attributes."""
        self._write([{"values": list(values), "of": list(rows)}])
        os.fsync(self._file)
        self.unnoted.difference_update(rows)

    def gave(self, rows: Sequence[int]) -> None:
        """Note that new things were given their attribute values."""
        self._write([{"gave": list(rows)}])
        self.lacking.difference_update(rows)

    def undo_with(self, other: Journal) -> None:
        """Note that another journal takes this one back, or goes on with it.

        Raises
        ------
        JournalError
            If a third one does.
        """
        self.refuse_undone(other.options["token"])
        if self.undone is None:
            line = {"undone": other.options["token"], "by": str(other.path.resolve())}
            self._write([line])
            os.fsync(self._file)
            self.undone = line

    def refuse_undone(self, token: str | None = None) -> None:
        """Refuse to be taken back if a journal has done so, other than the one of the token."""
        if self.undone is None or self.undone["undone"] == token:
            return
        by = self.undone["by"]
        raise JournalError(
            f"What the journal {str(self.path)!r} holds has been taken back, with the journal {by!r}. "
            f"project.resume({by!r}) finishes that if it was interrupted, project.undo({by!r}) takes it back in turn."
        )

    def tried(self, rows: Iterable[int]) -> None:
        """Count a request for these rows; this is not written down."""
        for row in rows:
            self.attempts[row] += 1

    def notes(self, name: Literal["was", "as"]) -> dict[int, Record]:
        """Read what rows were before they were changed, or as what they were stored, where the plan does not say it."""
        found: dict[int, Record] = {}
        for text, _, _ in self._lines():
            if text.startswith(b'{"rows"'):
                line = orjson.loads(text)
                found |= zip(line["rows"], line.get(name, ()), strict=name in line)
        return found

    def values(self) -> dict[int, Record]:
        """Read the attribute values of rows that were to be deleted, of those that had any."""
        found: dict[int, Record] = {}
        for text, _, _ in self._lines():
            if text.startswith(b'{"values"'):
                line = orjson.loads(text)
                found |= {row: values for row, values in zip(line["of"], line["values"], strict=True) if values}
        return found

    # The file ---------------------------------------------------------------------------------------------------------

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        data = b"".join(orjson.dumps(line, option=_NUMPY) + b"\n" for line in lines)
        while data:
            data = data[os.write(self._file, data) :]

    def _lines(self) -> Iterator[tuple[bytes, int, int]]:
        """Whole lines with their places; what follows the last line break was cut off and is left out."""
        offset = 0
        with open(os.dup(self._file), "rb") as file:  # noqa: PTH123 (a descriptor, not a path)
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield line, offset, len(line)
                offset += len(line)

    def _read(self) -> int:
        """Read the whole file; return where its last whole line ends."""
        planned, end = False, 0
        units: dict[str, Unit] = {}
        for number, (text, offset, length) in enumerate(self._lines(), start=1):
            try:
                line = dict(orjson.loads(text))
                if number == 1:
                    self._begin(line)
                elif not planned:
                    planned = "planned" in line or self._intend(line, offset, length, units)
                else:
                    self._recall(line, units)
            except (ValueError, KeyError, TypeError, IndexError):
                raise JournalError(
                    f"Line {number} of {str(self.path)!r} is none of a journal of hastyframe. Was it changed by hand?"
                ) from None
            end = offset + length
        if not planned:
            begun = _read_at(self._file, len(_BEGIN), 0)
            raise (_Unplanned if _BEGIN.startswith(begun) else JournalError)(
                f"The journal {str(self.path)!r} ends before its plan was complete, so nothing of it was sent. Delete "
                "the file and apply the plan again."
            )
        return end

    def _begin(self, line: Record) -> None:
        if line["hastyframe_journal"] != _VERSION:
            raise JournalError(f"The journal {str(self.path)!r} was written by another version of hastyframe.")
        self.kind, self.project_id = line["kind"], line["project_id"]
        self.options = {
            k: v for k, v in line.items() if k not in ("hastyframe_journal", "kind", "project_id", "created")
        }

    def _intend(self, line: Record, offset: int, length: int, units: dict[str, Unit]) -> bool:
        unit = Unit(line["unit"], offset, length, [c["row"] for c in line["changes"]], line.get("there"))
        self.units.append(unit)
        units[unit.name] = unit
        lacking = max(unit.rows, default=-1) + 1 - len(self.outcomes)
        for values, nothing in self._columns():
            values.extend([nothing] * lacking)
        for c in line["changes"]:
            change = _change(c)
            self.labels[change.row], self.intents[change.row] = change.label, change.intent
            self.names[change.row], self.ids[change.row] = unit.name, change.key
            if change.intent == "delete" and change.old:
                self.unnoted.add(change.row)
            if change.values:
                self.lacking.add(change.row)
        return False

    def _columns(self) -> list[tuple[list[Any], Any]]:
        return [
            (self.outcomes, None), (self.ids, None), (self.messages, None), (self.attempts, 0),
            (self.labels, None), (self.intents, ""), (self.names, ""),
        ]  # fmt: skip

    def _recall(self, line: Record, units: Mapping[str, Unit]) -> None:
        if "did" in line:
            self._apply(line)
        elif "there" in line:
            units[line["unit"]].there = line["there"]
        elif "unseen" in line:
            units[line["unit"]].unseen.extend(line["unseen"])
        elif "swept" in line:
            units[line["unit"]].unseen.clear()
        elif "values" in line:
            self.unnoted.difference_update(line["of"])
        elif "gave" in line:
            self.lacking.difference_update(line["gave"])
        elif "undone" in line:
            self.undone = line

    def _apply(self, deed: Record) -> None:
        ids = deed.get("ids") or [None] * len(deed["rows"])
        for row, id_ in zip(deed["rows"], ids, strict=True):
            self.outcomes[row] = deed["did"]
            self.messages[row] = deed.get("message")
            if id_ is not None:
                self.ids[row] = id_


def _change(written: Record) -> Change:
    optional = (written.get(name) for name in ("id", "old", "new", "values"))
    return Change(written["row"], written["label"], *optional)


_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_BINARY = getattr(os, "O_BINARY", 0)


def _read_at(file: int, length: int, offset: int) -> bytes:
    """Read a piece of a file from several threads at once."""
    if hasattr(os, "pread"):
        return os.pread(file, length, offset)
    with _seeking:  # Windows has one position a file
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, length)


_seeking = threading.Lock()


def _sync_folder(folder: Path) -> None:
    """Put the name of a new file onto the disk, where the system can: a file without its name is lost."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _hold(file: int, path: Path) -> None:
    """Take the file for this process alone; the system lets it go when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 1 << 30, os.SEEK_SET)  # far behind what is written, which others may read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(
            f"Another process, or another call in this one, is at work on the journal {str(path)!r}. Wait until it has "
            "ended."
        ) from None
