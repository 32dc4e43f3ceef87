"""A plan: what would change on the server, to be looked at before it does."""

from __future__ import annotations

import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from hastyframe.arguments import check_path, counted
from hastyframe.errors import JournalError, PlanWarning, ValidationException
from hastyframe.vocabulary import check_choice

from .executor import Errors, check_options, execute
from .journal import Journal, Record
from .known_labels import KnownLabels
from .report import Report
from .run import Keep
from .temporary import temporary_journal

if TYPE_CHECKING:
    from hastyframe.transport import Transport

__all__ = ["Changes", "Contents", "OnConflict", "Plan"]

Contents: TypeAlias = Callable[[pd.DataFrame], list[Record]]
"""Writes rows of a frame as the API takes them."""
OnConflict: TypeAlias = Literal["report", "overwrite"]
Undo: TypeAlias = "Callable[[Path], Plan]"

_ROWS_AT_ONCE = 1 << 14
_SHOWN = 5
_UNSAID = ["sent"]
"""Columns that are for the plan's own use."""
_BOOKKEEPING = [*_UNSAID, "project_id"]
"""Columns that say nothing to people."""


@dataclass(frozen=True)
class Changes:
    """The rows of a plan, as frames of the same kind.

    Attributes
    ----------
    creates, deletes : pandas.DataFrame
        New rows, and rows that are to go.
    old, new : pandas.DataFrame
        Rows that are edited, row by row as they were read and as they shall be.
    changed : dict of numpy.ndarray of bool
        For each column, which of the edited rows differ in it.
    unit, key, name : str
        The columns that hold the unit, the id (or the name of the index) and what counts are made by.
    order : numpy.ndarray of int
        Where the new and then the edited rows stood in the frame that they come from.
    units : pandas.DataFrame, optional
        What is known of the units, by their ids: ``name``, and what else counts can be made by.
    """

    creates: pd.DataFrame
    old: pd.DataFrame
    new: pd.DataFrame
    deletes: pd.DataFrame
    changed: Mapping[str, npt.NDArray[np.bool_]]
    unit: str
    key: str
    name: str
    order: npt.NDArray[np.intp]
    units: pd.DataFrame | None = None

    def unit_names(self, ids: pd.Series[Any] | pd.Index[Any]) -> list[Any] | None:
        """Return what people call units, their ids where that is not known; None where there are no names."""
        if self.units is None or "name" not in self.units:
            return None
        names = self.units["name"].dropna().to_dict()
        return [names.get(key, key) for key in ids]

    def ids(self, frame: pd.DataFrame) -> list[Any]:
        """Return the ids of rows."""
        return frame.get(self.key, frame.index).tolist()


class Plan:
    """What is to be created, edited and deleted; nothing has been sent yet.

    Made by `Project.plan_labels` and its like, and by `Report.undo`. In Jupyter it shows itself.

    Attributes
    ----------
    kind : str
        What it is about: ``labels``, ``tags``, ``statuses``, ``label_attributes``, ``label_classes`` or
        ``images``.
    cautions : list of str
        What should be looked at twice: that most of what was read is deleted, say. They stand in the first line of the
        plan, and are warned of when it is applied.
    keep : callable or None
        Gets rows and what the server stored for them, while the plan is applied.
    values : dict
        Attribute values that new labels get, by the rows' labels and the attributes' ids: those of the deleted labels
        in whose place they are created.
    baselines : dict
        The ids that units held before the first write of what this plan takes back, by the units' names. What is new
        since, and equal to a row that would be created, is there again already and is not created once more.
    undoes : Path or None
        The journal that it takes back.
    undoes_end : int or None
        How many bytes that journal had when the way back was planned.
    report : Report or None
        What became of it, once it has been applied or the application was interrupted.
    """

    def __init__(
        self,
        transport: Transport,
        project_id: str,
        kind: str,
        changes: Changes,
        contents: Contents,
        fields: Mapping[str, str],
        undo: Undo,
        *,
        new_have_keys: bool = False,
        unconditional: bool = False,
        cautions: Sequence[str] = (),
    ) -> None:
        self._transport = transport
        self._project_id = project_id
        self.kind = kind
        self._changes = changes
        self._contents = contents
        self._fields = fields
        self._undo = undo
        self._new_have_keys = new_have_keys
        self._unconditional = unconditional
        self.cautions = [*cautions]
        self.keep: Keep | None = None
        self.values: Mapping[str, Record] = {}
        self.baselines: Mapping[str, list[str]] = {}
        self.undoes: Path | None = None
        self.undoes_end: int | None = None
        self.report: Report | None = None
        self._applied: Path | None = None
        self._applying = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_applying", "keep")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, keep=None, _applying=threading.Lock())

    def __copy__(self) -> Plan:
        return self  # a second one would create anew what this one has created

    def __deepcopy__(self, memo: object) -> Plan:
        return self

    @property
    def creates(self) -> pd.DataFrame:
        """The rows that will be created."""
        return self._changes.creates.drop(columns=_UNSAID, errors="ignore")

    @property
    def edits(self) -> pd.DataFrame:
        """The rows that will be edited: ``changed`` names what, then each such column old and new side by side.

        Before these stands what tells the rows apart: their image, say, and the name of their class.
        """
        c = self._changes
        columns = [name for name, flags in c.changed.items() if flags.any()]
        for name in [name for name in columns if name.endswith("_name")]:
            if (key := f"{name.removesuffix('_name')}_id") in columns:
                columns.remove(key)  # the name says it
        names = np.array(columns, dtype=object)
        flags = np.column_stack([c.changed[name] for name in columns]) if columns else np.zeros((len(c.new), 0), bool)
        frame = c.new[[name for name in (c.unit,) if name not in _BOOKKEEPING]].copy()
        for name in ("name", c.name):
            known = c.new if name in c.new else c.old
            if name in known and name not in columns and name not in frame:
                frame[name] = known[name].array
        frame["changed"] = pd.array([", ".join(names[row]) for row in flags], dtype="str")
        for name in columns:
            frame[f"{name}_old"] = c.old[name].array
            frame[f"{name}_new"] = c.new[name].array
        return frame

    @property
    def deletes(self) -> pd.DataFrame:
        """The rows that will be deleted, as they were read."""
        return self._changes.deletes.drop(columns=_UNSAID, errors="ignore")

    def __len__(self) -> int:
        c = self._changes
        return len(c.creates) + len(c.new) + len(c.deletes)

    def counts(self, by: str) -> pd.DataFrame:
        """Count the changes.

        Parameters
        ----------
        by : str
            A column, as ``class_name`` or ``image_id``; of edited rows, what it was. Or a column of the images that the
            rows are on, as ``dataset_name`` or ``status``.

        Returns
        -------
        pandas.DataFrame
            Indexed by the column's values: ``create``, ``edit``, ``delete``.

        Raises
        ------
        ValidationException
            If neither the rows nor their images have the column.
        """
        c = self._changes
        parts = {"create": c.creates, "edit": c.old, "delete": c.deletes}
        values = {verb: self._values(frame, by) for verb, frame in parts.items()}
        columns = {verb: column.astype(object).value_counts() for verb, column in values.items() if column is not None}
        if not columns:
            known = dict.fromkeys([*self.creates.columns, *([] if c.units is None else c.units.columns)])
            raise ValidationException(f"The plan has no column {by!r}; it has {[*known]}.")
        counts = pd.DataFrame(columns).reindex(columns=list(parts)).fillna(0).astype("int64").rename_axis(by)
        return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]

    def _values(self, frame: pd.DataFrame, by: str) -> pd.Series[Any] | None:
        """Return a column of rows, or of what they are on."""
        c = self._changes
        if by in frame:
            return frame[by]
        if c.units is not None and by in c.units:
            return frame[c.unit].map(c.units[by].astype(object))
        return None

    def apply(
        self,
        journal: str | Path | None = None,
        errors: Errors = "raise",
        max_workers: int | None = None,
        on_conflict: OnConflict = "report",
        *,
        verify: bool = False,
    ) -> Report:
        """Carry out the plan: each change once, whatever breaks on the way.

        Parameters
        ----------
        journal : str or Path, optional
            A new file that records what is intended and what was done. With it, `Project.resume` finishes what was
            interrupted, in this or another process, and `Project.undo` plans the way back. If none is given, a
            temporary file serves, which is kept only if something was left undone.
        errors : {"raise", "report"}
            Whether rows that fail end in a `BatchError` (after all others were carried out), or are only in the report.
        max_workers : int, optional
            How many requests are under way at once, if not as many as the client has.
        on_conflict : {"report", "overwrite"}
            What to do about rows that have changed on the server since they were read: fail and report them, or write
            all the same.
        verify : bool
            Whether everything is read back at the end and compared: what was lost is sent again, what came twice is
            deleted, what somebody else has changed since is reported as a conflict. Edits that rest on a look are
            compared in any case; the rest only needs it where the network itself may repeat or forge requests.

        Returns
        -------
        Report
            A row for each change: the edited and new rows in the order of their frame, then the deleted ones.

        Raises
        ------
        BatchError
            If some were not carried out; its `report` says which and why.
        JournalError
            If the journal is there already, this plan has been applied, or another one has taken back what this one
            takes back; nothing was sent.
        KeyboardInterrupt
            After Ctrl-C: what was done so far and the line that resumes are printed, and the report is in `report`.

        Warns
        -----
        PlanWarning
            Of each of the `cautions`.
        """
        self._transport.check_open()
        check_options(errors, max_workers, verify)
        journal = None if journal is None else check_path(journal, "journal")
        check_choice(on_conflict, ("report", "overwrite"), "on_conflict")
        for caution in self.cautions:
            warnings.warn(f"This plan for {self._noun} {caution}.", PlanWarning, stacklevel=2)
        with self._created(journal, on_conflict) as opened:
            return self._execute(opened, errors, max_workers, verify=verify)

    def _created(self, journal: str | Path | None, on_conflict: OnConflict) -> Journal:
        """Write the plan down, once: of several threads that apply it, the first one does."""
        with self._applying:
            if self._applied is not None:
                raise JournalError(
                    f"This plan has been applied; a second time would create the same things again. "
                    f"project.resume({str(self._applied)!r}) tries what was left undone; else read and plan again."
                )
            path = temporary_journal(self._project_id) if journal is None else Path(journal)
            options: Record = {"on_conflict": on_conflict, "unconditional": self._unconditional}
            if self.undoes is not None:
                options |= {"undoes": str(self.undoes.resolve()), "undoes_end": self.undoes_end, "claims": True}
                options |= {"token": uuid.uuid4().hex}
            opened = Journal.create(path, self.kind, self._project_id, self._units(), options)
            self._applied = path
            return opened

    def finish(self, journal: str | Path) -> Report:
        """Apply the plan, or go on with it where its journal says that an earlier call ended.

        For what can plan the same again: two equal calls with the same journal do everything once.

        Parameters
        ----------
        journal : str or Path
            A new file, or the one of an earlier call of the same plan.

        Raises
        ------
        BatchError
            As :meth:`apply`.
        JournalError
            If the file holds something else; nothing was sent.
        """
        path, options = check_path(journal, "journal"), {"on_conflict": "report"}
        with Journal.create_or_open(path, self.kind, self._project_id, self._units(), options) as opened:
            return self._execute(opened)

    def _execute(
        self, journal: Journal, errors: Errors = "raise", max_workers: int | None = None, *, verify: bool = False
    ) -> Report:
        return execute(
            self._transport,
            journal,
            errors=errors,
            max_workers=max_workers,
            undo=self._undo,
            keep=self.keep,
            told=self._tell,
            verify=verify,
        )

    def _tell(self, report: Report) -> None:
        self.report = report

    # What goes into the journal ---------------------------------------------------------------------------------------

    def _units(self) -> Iterator[tuple[str, list[str] | None, list[Record]]]:
        """Group the changes by unit, some rows at a time."""
        c = self._changes
        parts = [c.creates, c.new, c.deletes]
        units = np.concatenate([part[c.unit].astype(object).to_numpy() for part in parts])
        rows = self._rows()
        codes, names = pd.factorize(units)
        order = np.lexsort([rows, codes])
        part = np.repeat(np.arange(3), [len(p) for p in parts])
        place = np.concatenate([np.arange(len(p)) for p in parts])
        ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
        known_labels = KnownLabels.shared(self._transport, self._project_id)
        start = 0
        while start < len(order):
            # Whole units, of some thousand rows together.
            end = int(ends[min(int(np.searchsorted(ends, start + _ROWS_AT_ONCE)), len(ends) - 1)])
            some = order[start:end]
            records = self._records(rows[some], part[some], place[some])
            cuts = np.flatnonzero(np.diff(codes[some], prepend=-1)).tolist()
            for first, last in zip(cuts, [*cuts[1:], len(some)], strict=True):
                name = str(names[codes[some[first]]])
                there = self.baselines.get(name, known_labels.of(name) if self.kind == "labels" else None)
                yield name, there, records[first:last]
            start = end

    def _rows(self) -> npt.NDArray[np.intp]:
        """Return the number of each change: new and edited rows in the order of their frame, then what is deleted."""
        rows = np.arange(len(self), dtype=np.intp)
        order = self._changes.order
        rows[np.argsort(order, kind="stable")] = np.arange(len(order))
        return rows

    def _records(
        self, rows: npt.NDArray[np.intp], part: npt.NDArray[np.intp], place: npt.NDArray[np.intp]
    ) -> list[Record]:
        """Write changes as the journal has them, in the order given."""
        c = self._changes
        of = [place[part == n] for n in range(3)]
        new = [iter(self._contents(frame.iloc[at])) for frame, at in ((c.creates, of[0]), (c.new, of[1]))]
        old = [iter(self._known(frame.iloc[at])) for frame, at in ((c.old, of[1]), (c.deletes, of[2]))]
        keys = [iter(c.ids(frame.iloc[at])) for frame, at in zip((c.creates, c.new, c.deletes), of, strict=True)]
        labels = [iter(frame.index[at]) for frame, at in zip((c.creates, c.new, c.deletes), of, strict=True)]
        written = self._changed_fields(of[1])
        records: list[Record] = []
        for row, n in zip(rows.tolist(), part.tolist(), strict=True):
            record: Record = {"row": row, "label": _plain(next(labels[n]))}
            key = next(keys[n])
            if n != 0 or self._new_have_keys:
                record["id"] = key
            if n == 0:
                record["new"] = next(new[0])
                if record["label"] in self.values:
                    record["values"] = self.values[record["label"]]
            else:
                record["old"] = next(old[n - 1])
            if n == 1:
                fields, content = next(written), next(new[1])
                record["new"] = content if self._unconditional else {name: content[name] for name in fields}
            records.append(record)
        return records

    def _known(self, frame: pd.DataFrame) -> list[Record]:
        """Write rows as they were read, as far as they were read."""
        if self._unconditional:
            return [{} for _ in range(len(frame))]
        known = {field for column, field in self._fields.items() if column in frame}
        return [{k: v for k, v in content.items() if k in known} for content in self._contents(frame)]

    def _changed_fields(self, at: npt.NDArray[np.intp]) -> Iterator[list[str]]:
        flags: dict[str, npt.NDArray[np.bool_]] = {}
        for column, changed in self._changes.changed.items():
            if column in self._fields:
                field = self._fields[column]
                flags[field] = flags.get(field, np.zeros(len(at), bool)) | changed[at]
        names = list(flags)
        matrix = np.column_stack(list(flags.values())) if names else np.zeros((len(at), 0), bool)
        return ([name for name, is_ in zip(names, row, strict=True) if is_] for row in matrix.tolist())

    # How it shows itself ----------------------------------------------------------------------------------------------

    @property
    def _noun(self) -> str:
        return self.kind.replace("_", " ")

    def _headline(self) -> str:
        c = self._changes
        parts = {"create": len(c.creates), "edit": len(c.new), "delete": len(c.deletes)}
        what = ", ".join(f"{count:,} to {verb}" for verb, count in parts.items() if count)
        careful = f". Careful: it {', and '.join(self.cautions)}." if self.cautions else ""
        if not what:
            return f"Plan for {self._noun}: nothing to do{careful}"
        units = len(set().union(*(frame[c.unit].dropna().unique() for frame in (c.creates, c.new, c.deletes))))
        return f"Plan for {self._noun}: {what}, on {counted(units, c.unit.removesuffix('_id'))}{careful}"

    def _details(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield titles and tables for people: counts, columns that change, examples."""
        c = self._changes
        if not len(self):
            return
        if any(c.name in frame for frame in (c.creates, c.old, c.deletes)):
            yield f"by {c.name}", self.counts(c.name).head(10).reset_index()
        by_unit = self.counts(c.unit)
        if len(by_unit) > 1:
            some = by_unit.head(_SHOWN)
            names = c.unit_names(some.index)
            called = c.unit if names is None else c.unit.removesuffix("_id")
            yield f"by {called}, the most first", some.set_axis(names or some.index).rename_axis(called).reset_index()
        edits = self.edits
        columns = {name: int(flags.sum()) for name, flags in c.changed.items() if f"{name}_new" in edits}
        if columns:
            yield "columns that change", pd.DataFrame({"column": columns.keys(), "rows": columns.values()})
        for title, frame in (("creates", self.creates), ("edits", edits), ("deletes", self.deletes)):
            if len(frame):
                some = frame.head(_SHOWN)
                shown = self._example(_old_to_new(some) if title == "edits" else some)
                yield f"{title}, the first {len(some)}", shown

    def _example(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Show rows to people: names before ids, missing cells empty."""
        c = self._changes
        kept = frame.index.name or "row"
        shown = frame.loc[:, frame.notna().any()].drop(columns=[*_BOOKKEEPING, kept], errors="ignore")
        named = {f"{column.removesuffix('_name')}_id" for column in shown if column.endswith("_name")}
        shown = shown.drop(columns=[*named & set(shown.columns)])
        # Of what has a name itself the name is said.
        rows = frame.get(c.unit, frame.index)
        names = None if {"name", "name_old"} & set(frame.columns) else c.unit_names(rows)
        if names is not None:
            shown = shown.drop(columns=c.unit, errors="ignore")
            shown.insert(0, c.unit.removesuffix("_id"), names)
        for place, name in enumerate(name for name in ("name", c.name) if name in shown):
            shown.insert(place + int(names is not None), name, shown.pop(name))
        if kept not in shown:
            shown[kept] = frame.index
        shown = shown.astype(object)
        return shown.where(shown.notna(), "")

    def __repr__(self) -> str:
        style: dict[str, Any] = {"index": False, "line_width": 120, "max_cols": 12, "max_colwidth": 24}
        tables = [f"{title}\n{frame.to_string(**style)}" for title, frame in self._details()]
        return "\n\n".join([self._headline(), *tables])

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_columns", 14, "display.max_colwidth", 32):
            tables = [f"<h4>{escape(title)}</h4>{frame.to_html(index=False)}" for title, frame in self._details()]
        return f"<p><b>{escape(self._headline())}</b></p>{''.join(tables)}"


def _old_to_new(edits: pd.DataFrame) -> pd.DataFrame:
    """Write old and new of what changes into one column each."""
    shown = edits.drop(columns="changed")
    for column in [name.removesuffix("_old") for name in edits if name.endswith("_old")]:
        old, new = (edits[f"{column}_{side}"].tolist() for side in ("old", "new"))
        does = [column in changed.split(", ") for changed in edits["changed"]]
        stays = old if column.endswith("name") else [None] * len(old)  # by its name a row is known
        shown[column] = [f"{a} → {b}" if is_ else c for a, b, c, is_ in zip(old, new, stays, does, strict=True)]
    return shown.drop(columns=[name for name in edits if name.endswith(("_old", "_new"))])


def _plain(label: Any) -> Any:
    """Return a row's label as JSON has it."""
    if isinstance(label, np.generic):
        label = label.item()
    return label if isinstance(label, str | int | float | bool) or label is None else str(label)
