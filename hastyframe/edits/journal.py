"""The journal of a plan: a file of what is intended and then of what was done, from which an interrupted run goes on.

The first line says what the file is, then comes a line a unit (an image, say) with every change that is intended for
it, then the line ``planned``. Up to there nothing has been sent. Every later line says what was done or is about to be
done; docs/edits.md lists them. A line is one JSON object, so that people can read the file; it never holds the API key.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import msgspec
import orjson

from hastyframe.errors import JournalError, ValidationException

__all__ = ["DONE", "Change", "Journal", "Record", "Unit"]

Record: TypeAlias = dict[str, Any]
"""The content of a thing, as the API takes it."""

DONE = ("created", "edited", "deleted", "unchanged")
"""Outcomes of rows that need nothing more."""

_VERSION = 1
_BEGIN = b'{"hastyframe_journal":'
_MIN_CHANGE_BYTES = 16
"""No change is written in fewer bytes, so that a row's number is bounded by the size of the file."""

_Row: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Kind: TypeAlias = Literal["labels", "tags", "statuses", "label_attributes", "label_classes", "images"]
_Outcome: TypeAlias = Literal["created", "edited", "deleted", "unchanged", "failed", "unknown"]


class _Unplanned(JournalError):
    """A journal that ends before its plan was complete."""


class Change(msgspec.Struct, frozen=True):
    """What is intended for one row, as the journal has it.

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

    row: _Row
    label: str | int | float | bool | None
    key: str | None = msgspec.field(default=None, name="id")
    old: Record | None = None
    new: Record | None = None
    values: Record | None = None

    @property
    def intent(self) -> str:
        """``create``, ``edit`` or ``delete``."""
        if self.new is None:
            return "delete"
        return "create" if self.old is None else "edit"


class _Head(msgspec.Struct, omit_defaults=True):
    """The first line: what the journal is of, and how it is to be carried out."""

    hastyframe_journal: int
    kind: _Kind
    project_id: str
    created: str | None = None
    on_conflict: Literal["report", "overwrite"] | None = None
    unconditional: bool = False
    claims: bool = False
    undoes: str | None = None
    undoes_end: int | None = None
    token: str | None = None


class _Line(msgspec.Struct):
    """Any other line; its keys say which one it is. The types refuse what hastyframe does not write."""

    unit: str | None = None
    there: list[str] | None = None
    changes: list[Change] | None = None
    planned: bool = False
    did: _Outcome | None = None
    rows: list[_Row] | None = None
    ids: list[str | None] | None = None
    message: str | None = None
    was: list[Record] | None = None
    stored: list[Record] | None = msgspec.field(default=None, name="as")
    values: list[Record] | None = None
    of: list[_Row] | None = None
    unseen: list[_Row] | None = None
    swept: list[str] | None = None
    gave: list[_Row] | None = None
    undone: str | None = None
    by: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_NOT_A_LINE = (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError, RecursionError)
"""Errors of reading a line that hastyframe has not written."""


@dataclass(slots=True)
class Unit:
    """What is read and written together, an image with its labels, say: its rows, and the place of its line."""

    name: str
    offset: int
    length: int
    rows: list[int]
    there: list[str] | None = None
    """The ids that were there before the first of ours was created; None if they have not been read yet."""
    unseen: list[int] = field(default_factory=list)
    """Rows whose request got no answer and was not carried out when the unit was read; it may come late."""


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
        Rows that are to be deleted and whose attribute values are not written down yet; rows that were created and have
        not got their attribute values yet.
    stored : dict
        What the server stored for rows, where that differs from what was sent.
    undone : dict or None
        Which journal took this one back, if one did: its ``token`` and its path.
    end : int
        How many bytes of whole lines the file has.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        self._lock = threading.RLock()
        self._unwritable: OSError | None = None
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
        self.stored: dict[int, Record] = {}
        self.undone: Record | None = None
        self.end = 0

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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | _BINARY, 0o600)
        except FileExistsError:
            if not path.parent.is_dir():
                raise JournalError(
                    f"{str(path.parent)!r} is a file, not a folder for a journal. Give another name."
                ) from None
            raise JournalError(
                f"There is a file {str(path)!r} already. If it is a journal, project.resume({str(path)!r}) finishes "
                "what it holds; else give another name."
            ) from None
        except (OSError, ValueError) as error:
            raise _not_usable(path, error, "made") from None
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
            journal.sync()
            _sync_folder(path.parent)
            journal._read()
        except BaseException:
            journal.close()
            with contextlib.suppress(OSError):
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
            if not stat.S_ISREG(path.stat().st_mode):
                raise JournalError(f"{str(path)!r} is not a file, so it cannot be a journal. Give the path of one.")
            file = os.open(path, (os.O_RDWR | os.O_APPEND if hold else os.O_RDONLY) | _BINARY)
        except FileNotFoundError:
            raise JournalError(
                f"There is no journal {str(path)!r}. Check the path: a name alone is looked for in {str(Path.cwd())!r}."
            ) from None
        except (OSError, ValueError) as error:
            raise _not_usable(path, error, "opened") from None
        journal = cls(path, file)
        try:
            if hold:
                _hold(file, path)
            journal._read()
            if hold and journal.end < os.fstat(file).st_size:
                os.ftruncate(file, journal.end)  # a line that was cut off while it was written says nothing
        except OSError as error:
            journal.close()
            raise _not_usable(path, error, "read") from None
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
        line = _decode_line(_read_at(self._file, unit.length, unit.offset))
        return line.changes or []

    def _holds(self, units: Iterable[tuple[str, list[str] | None, list[Record]]]) -> bool:
        """Whether it was created with these units; what was there is left out, because it changes."""
        mine = iter(self.units)
        for name, _, changes in units:
            unit = next(mine, None)
            end = orjson.dumps({"changes": changes}, option=_NUMPY)[1:] + b"\n"
            if unit is None or unit.name != name or not _read_at(self._file, unit.length, unit.offset).endswith(end):
                return False
        return next(mine, None) is None

    # What was done ---------------------------------------------------------------------------------------------------

    def found_there(self, unit: Unit, ids: Sequence[str], *, sync: bool = True) -> None:
        """Note what was there before the first of ours is created, so that it survives whatever comes."""
        self._write([{"unit": unit.name, "there": list(ids)}])
        if sync:
            self.sync()
        unit.there = list(ids)

    def was(self, rows: Sequence[int], contents: Sequence[Record]) -> None:
        """Note what is about to be changed, where the plan does not say it whole."""
        self._write([{"rows": list(rows), "was": list(contents)}])

    def stored_as(self, rows: Sequence[int], contents: Sequence[Record]) -> None:
        """Note what the server made of things, where that is more or other than what was sent."""
        with self._lock:
            self._write([{"rows": list(rows), "as": list(contents)}])
            self.stored.update(zip(rows, contents, strict=True))

    def did(
        self, outcome: str, rows: Sequence[int], ids: Sequence[str | None] | None = None, message: str | None = None
    ) -> None:
        """Note what became of rows."""
        deed: Record = {"did": outcome, "rows": list(rows)}
        if ids is not None:
            deed["ids"] = list(ids)
        if message is not None:
            deed["message"] = message
        with self._lock:
            self._write([deed])
            self._apply(outcome, rows, ids, message)

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
        self.sync()
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
            If a third one does, or this one has been gone on with since the way back was planned.
        """
        self.refuse_undone(other.options["token"])
        if self.undone is not None:
            return
        if self.end != other.options.get("undoes_end", self.end):
            raise JournalError(
                f"The journal {str(self.path)!r} has been gone on with since its way back was planned, which therefore "
                "does not take back all of it. Plan it again."
            )
        line = {"undone": other.options["token"], "by": str(other.path.resolve())}
        self._write([line])
        self.sync()
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

    def was_before(self) -> dict[int, Record]:
        """Read what rows were before they were changed, where the plan does not say it whole."""
        found: dict[int, Record] = {}
        for text, _, _ in self._lines():
            if text.startswith(b'{"rows"'):
                line = _decode_line(text)
                found.update(zip(line.rows or (), line.was or (), strict=line.was is not None))
        return found

    def values(self) -> dict[int, Record]:
        """Read the attribute values of rows that were to be deleted, of those that had any."""
        found: dict[int, Record] = {}
        for text, _, _ in self._lines():
            if text.startswith(b'{"values"'):
                line = _decode_line(text)
                pairs = zip(line.of or (), line.values or (), strict=True)
                found |= {row: values for row, values in pairs if values}
        return found

    # The file ---------------------------------------------------------------------------------------------------------

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines whole: a line of which only a part fits on the disk is cut off again, and nothing follows it."""
        try:
            data = memoryview(b"".join(orjson.dumps(line, option=_NUMPY) + b"\n" for line in lines))
        except TypeError as error:
            raise ValidationException(f"A change cannot be written as JSON: {error}.") from None
        with self._lock:
            if self._unwritable is not None:
                raise _not_usable(self.path, self._unwritable, "written")
            try:
                rest = data
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                self._unwritable = error
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self.end)
                raise _not_usable(self.path, error, "written") from None
            self.end += len(data)

    def sync(self) -> None:
        """Put all that was written onto the disk: it survives a power cut then."""
        try:
            os.fsync(self._file)
        except OSError as error:
            self._unwritable = error
            raise _not_usable(self.path, error, "written") from None

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

    def _read(self) -> None:
        """Read the whole file, up to the end of its last whole line."""
        planned = False
        units: dict[str, Unit] = {}
        for number, (text, offset, length) in enumerate(self._lines(), start=1):
            try:
                if number == 1:
                    self._begin(text)
                elif planned:
                    self._recall(_decode_line(text), units)
                else:
                    planned = self._intend(_decode_line(text), offset, length, units)
            except _NOT_A_LINE:
                raise JournalError(
                    f"Line {number} of {str(self.path)!r} is not as hastyframe writes it. Was it changed by hand?"
                ) from None
            self.end = offset + length
        if not planned:
            begun = _read_at(self._file, len(_BEGIN), 0)
            raise (_Unplanned if _BEGIN.startswith(begun) else JournalError)(
                f"The journal {str(self.path)!r} ends before its plan was complete, so nothing of it was sent. Delete "
                "the file and apply the plan again."
            )

    def _begin(self, text: bytes) -> None:
        version = msgspec.json.decode(text, type=dict[str, Any])["hastyframe_journal"]
        if version != _VERSION:
            raise JournalError(f"The journal {str(self.path)!r} was written by another version of hastyframe.")
        head = _decode_head(text)
        self.kind, self.project_id = head.kind, head.project_id
        outside = ("hastyframe_journal", "kind", "project_id", "created")
        self.options = {name: value for name, value in msgspec.to_builtins(head).items() if name not in outside}

    def _intend(self, line: _Line, offset: int, length: int, units: dict[str, Unit]) -> bool:
        """Take up what is intended for a unit; return whether the plan is complete."""
        if line.planned:
            if "" in self.intents:  # a row that no unit holds
                raise ValueError
            return True
        if line.unit is None or line.changes is None or line.unit in units:
            raise ValueError
        unit = Unit(line.unit, offset, length, [change.row for change in line.changes], line.there)
        rows = max(unit.rows, default=-1) + 1
        if rows > os.fstat(self._file).st_size // _MIN_CHANGE_BYTES:
            raise ValueError
        self.units.append(unit)
        units[unit.name] = unit
        for values, nothing in self._columns():
            values.extend([nothing] * (rows - len(values)))
        for change in line.changes:
            self._intend_row(unit, change)
        return False

    def _intend_row(self, unit: Unit, change: Change) -> None:
        if self.intents[change.row] or (change.key is None and change.intent != "create"):
            raise ValueError
        self.labels[change.row], self.intents[change.row] = change.label, change.intent
        self.names[change.row], self.ids[change.row] = unit.name, change.key
        if change.intent == "delete" and change.old:
            self.unnoted.add(change.row)
        if change.values:
            self.lacking.add(change.row)

    def _columns(self) -> list[tuple[list[Any], Any]]:
        return [
            (self.outcomes, None), (self.ids, None), (self.messages, None), (self.attempts, 0),
            (self.labels, None), (self.intents, ""), (self.names, ""),
        ]  # fmt: skip

    def _recall(self, line: _Line, units: Mapping[str, Unit]) -> None:
        if line.did is not None and line.rows is not None:
            self._apply(line.did, line.rows, line.ids, line.message)
        elif line.unit is not None:
            self._recall_unit(line, units[line.unit])
        elif line.of is not None and line.values is not None and len(line.of) == len(line.values):
            self.unnoted.difference_update(line.of)
        elif line.gave is not None:
            self.lacking.difference_update(line.gave)
        elif line.undone is not None and line.by is not None:
            self.undone = {"undone": line.undone, "by": line.by}
        elif line.rows is not None and line.stored is not None:
            self.stored.update(zip(line.rows, line.stored, strict=True))
        elif line.rows is None or line.was is None or len(line.rows) != len(line.was):  # read when it is needed
            raise ValueError

    @staticmethod
    def _recall_unit(line: _Line, unit: Unit) -> None:
        if line.there is not None:
            unit.there = line.there
        elif line.unseen is not None:
            if not set(line.unseen) <= set(unit.rows):
                raise ValueError
            unit.unseen.extend(line.unseen)
        elif line.swept is not None:
            unit.unseen.clear()

    def _apply(self, outcome: str, rows: Sequence[int], ids: Sequence[str | None] | None, message: str | None) -> None:
        for row, id_ in zip(rows, ids or [None] * len(rows), strict=True):
            self.outcomes[row] = outcome
            self.messages[row] = message
            if id_ is not None:
                self.ids[row] = id_


def _not_usable(path: Path, error: OSError | ValueError, what: str) -> JournalError:
    """Return the error for a file that the system refuses."""
    words = getattr(error, "strerror", None) or str(error)
    remedy = "Give another name, or look at the permissions."
    if what == "written":
        remedy = "Without it nothing more is sent. Make room; project.resume and project.undo know what was done."
    return JournalError(f"The journal {str(path)!r} cannot be {what}: {words}. {remedy}")


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
