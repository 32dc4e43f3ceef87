"""The truth: what was intended, what is there, what the report says; all three must agree.

Labels are told apart by what they are (:func:`edits.chaos.key`: the image and all content, as one text). Equal rows are
wanted as often as they stand there. What belongs to strangers is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from edits import chaos

import hastyframe as hf

from .proxy import is_strangers

DONE = {"create": "created", "edit": "edited", "delete": "deleted"}
OPEN = ("unknown", "pending")
"""Outcomes that leave it open what is there."""


class Wrong(NamedTuple):
    """A row, or a label, on which the three sides do not agree."""

    what: str
    row: Any
    detail: str = ""


@dataclass
class Truth:
    """What was there, and what is intended.

    Attributes
    ----------
    before : dict of str
        What was there, by id.
    creates : dict of str
        What shall be created, by the label of the row in its frame.
    edits : dict of str
        What labels shall become, by id.
    deletes : set of str
        The ids of labels that shall be gone.
    """

    before: Mapping[str, str]
    creates: Mapping[Hashable, str] = field(default_factory=dict)
    edits: Mapping[str, str] = field(default_factory=dict)
    deletes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, project: hf.Project, before: Mapping[str, str], was: pd.DataFrame, after: pd.DataFrame) -> Truth:
        """Compare two frames: an independent, slow and simple diff."""
        keys = dict(zip(after.index, chaos.keys(project, after), strict=True))
        return cls(
            before,
            {row: key for row, key in keys.items() if row not in was.index},
            {row: key for row, key in keys.items() if row in was.index and key != before[row]},
            frozenset(was.index.difference(after.index)),
        )

    def __len__(self) -> int:
        return len(self.creates) + len(self.edits) + len(self.deletes)

    @property
    def intended(self) -> Counter[str]:
        """How often each label shall be there in the end."""
        kept = {id_: self.edits.get(id_, key) for id_, key in self.before.items() if id_ not in self.deletes}
        return Counter(kept.values()) + Counter(self.creates.values())

    def reversed(self, report: pd.DataFrame, now: Mapping[str, str]) -> Truth:
        """Say what the way back from what a report says was done must do."""
        done = report[report["outcome"].isin(DONE.values())]
        by = {intent: done[done["intent"] == intent] for intent in DONE}
        return Truth(
            now,
            {id_: self.before[id_] for id_ in by["delete"]["id"]},
            {id_: self.before[id_] for id_ in by["edit"]["id"]},
            frozenset(by["create"]["id"]),
        )

    def check(self, report: pd.DataFrame, now: Mapping[str, str]) -> list[Wrong]:
        """Return all on which intention, report and what is there do not agree: nothing, if all is well."""
        return [*self._check_rows(report), *self._check_creates(report, now), *self._check_known(report, now)]

    def check_done(self, report: pd.DataFrame, now: Mapping[str, str]) -> list[Wrong]:
        """As `check`, and everything must be done."""
        left = report[~report["outcome"].isin((*DONE.values(), "unchanged"))]
        wrong = [Wrong(f"left {row.outcome}", row.Index, str(row.message)) for row in left.itertuples()]
        lost, extra = self.intended - Counter(now.values()), Counter(now.values()) - self.intended
        wrong += [Wrong("not there in the end", key, str(n)) for key, n in lost.items()]
        wrong += [Wrong("there too often in the end", key, str(n)) for key, n in extra.items()]
        return wrong + self.check(report, now)

    def _check_rows(self, report: pd.DataFrame) -> list[Wrong]:
        """Each row stands in the report once."""
        wanted: Counter[Any] = Counter()
        for intent, rows in (("create", self.creates), ("edit", self.edits), ("delete", self.deletes)):
            wanted.update((row, intent) for row in rows)
        said = Counter(zip(report.index, report["intent"].astype(str), strict=True))
        wrong = [Wrong("not in the report", row) for row in (wanted - said).elements()]
        return wrong + [Wrong("in the report, not intended", row) for row in (said - wanted).elements()]

    def _check_creates(self, report: pd.DataFrame, now: Mapping[str, str]) -> list[Wrong]:
        new = {id_: key for id_, key in now.items() if id_ not in self.before}
        wrong: list[Wrong] = []
        maybe: Counter[str] = Counter()
        absent: Counter[str] = Counter()
        for row, outcome, id_ in _of(report, "create"):
            key = self.creates.get(row)
            if key is None:
                continue
            if outcome == "created":
                if id_ not in now:
                    wrong.append(Wrong("reported created, but absent", row, str(id_)))
                elif id_ in self.before:
                    wrong.append(Wrong("reported created, with the id of an older label", row, id_))
                elif id_ not in new:
                    wrong.append(Wrong("reported created, with the id of another row", row, id_))
                elif new.pop(id_) != key:
                    wrong.append(Wrong("reported created, with the id of another label", row, id_))
            elif outcome in OPEN:
                maybe[key] += 1
            else:
                absent[key] += 1
        for id_, key in new.items():
            if maybe[key]:
                maybe[key] -= 1
            elif absent[key]:
                absent[key] -= 1
                wrong.append(Wrong("reported failed, but there", id_, key))
            else:
                wrong.append(Wrong("there, and nobody's", id_, key))
        return wrong

    def _check_known(self, report: pd.DataFrame, now: Mapping[str, str]) -> list[Wrong]:
        wrong: list[Wrong] = []
        for row, outcome, id_ in _of(report, "edit"):
            was, shall, is_ = self.before.get(id_), self.edits.get(row), now.get(id_)
            if id_ != row:
                wrong.append(Wrong("an edit with another id", row, str(id_)))
            elif outcome in ("edited", "unchanged") and is_ != shall:
                wrong.append(Wrong(f"reported {outcome}, but is not", row, f"{is_} for {shall}"))
            elif outcome == "failed" and is_ == shall:
                wrong.append(Wrong("reported failed, but edited", row))
            elif outcome == "edited" and shall == was:
                wrong.append(Wrong("edited in vain", row))
            elif outcome in OPEN and is_ not in (was, shall):
                wrong.append(Wrong(f"reported {outcome}, and is something else", row, f"{is_} for {shall}"))
        for row, outcome, id_ in _of(report, "delete"):
            if id_ != row:
                wrong.append(Wrong("a delete with another id", row, str(id_)))
            elif outcome in ("deleted", "unchanged") and id_ in now:
                wrong.append(Wrong(f"reported {outcome}, but there", row))
            elif outcome == "failed" and id_ not in now:
                wrong.append(Wrong("reported failed, but deleted", row))
        untouched = {id_: key for id_, key in self.before.items() if id_ not in self.edits and id_ not in self.deletes}
        wrong += [Wrong("not ours, and changed", id_) for id_, key in untouched.items() if now.get(id_) != key]
        return wrong


def _of(report: pd.DataFrame, intent: str) -> Iterable[tuple[Any, str, Any]]:
    rows = report[report["intent"] == intent]
    ids = rows["id"].astype(object).where(rows["id"].notna(), None)
    return zip(rows.index, rows["outcome"].astype(str), ids, strict=True)


def there(folder: Path, project_id: str, strangers_image: str = "") -> dict[str, str]:
    """Read what each label is, by id, straight from the server's database, but for strangers'."""
    found = chaos.stored_by_id(folder, project_id)
    return {id_: key for id_, key in found.items() if not _is_strangers(key, strangers_image)}


def _is_strangers(key: str, image: str) -> bool:
    image_id, content = json.loads(key)
    return image_id == image or is_strangers(content)


def told(wrong: Iterable[Wrong]) -> str:
    """Say in one line what is wrong and how often."""
    wrong = list(wrong)
    counts = Counter(one.what for one in wrong)
    first = {one.what: one for one in reversed(wrong)}
    return "; ".join(f"{n} × {what} (as {first[what].row!r}: {first[what].detail[:200]})" for what, n in counts.items())
