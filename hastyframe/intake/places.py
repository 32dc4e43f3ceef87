"""Which image and which class something is, said in whatever way: by id, by name with or without folders, by number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import identity
from ..arguments import shown
from ..errors import ValidationException
from ..images import SUFFIXES
from ..paths import name_key
from .frames import as_pandas, by_id
from .objects import TEXT

__all__ = ["COCO_ID", "Classes", "Images", "Placed"]

COCO_ID = "coco_id"
"""The column of a label set that has the numbers of an exported COCO file beside the ids of the project."""

_CHOICES = 3_000
"""Among so many names at most the nearest are looked for; of more, among those that begin alike."""
_SUGGESTED = 10
"""For so many different names at most: a message shows five."""
_SUGGESTIONS = 3


class Placed(NamedTuple):
    """Where things were found.

    Parameters
    ----------
    ids, names : pyarrow.Array of large_string
        A row each; null where there is none.
    rows : numpy.ndarray of int64
        Rows of the frame in which they are; -1 where there is none.
    wrong : dict of int to str
        What to do about rows that were not found.
    """

    ids: pa.Array
    names: pa.Array
    rows: NDArray[np.int64]
    wrong: dict[int, str]


class _NotFound(Exception):  # caught where it is raised, and never seen
    """What to do about something that was not found."""


class Images:
    """The images that there are, found by their ids or the names of their files.

    Parameters
    ----------
    images : pandas.DataFrame, LabelSet or None
        Indexed by ``image_id``; ``name`` and ``dataset_name`` are looked at. None if nothing is known of them: then ids
        stand for themselves, and so do names where there are no ids.
    complete : bool
        Whether there are no others. If there are, an id that is not among these stands for itself.

    Examples
    --------
    >>> frame = pd.DataFrame({"name": ["a.jpg", "a.jpg"], "dataset_name": ["train", "val"]}, index=["i1", "i2"])
    >>> found = Images(frame).place(pa.nulls(2, TEXT), pa.array(["/data/val/a.jpg", "a.jpg"], TEXT))
    >>> found.ids.to_pylist(), list(found.wrong)
    (['i2', None], [1])
    """

    def __init__(self, images: Any, *, complete: bool = True) -> None:
        frame = None if images is None else by_id(getattr(images, "images", images), "image_id", "images")
        self.frame, self._complete, self._near = frame, complete, _Nearest()
        if frame is None:
            return
        self.ids = _ids(frame, "images")
        self.names = _texts(frame, ("name", "image_name", "file_name"), "name")
        self._known = [name for name in self.names.tolist() if name]
        self._datasets = _texts(frame, ("dataset_name",), "name")
        self._dataset_names = {dataset for dataset in self._datasets.tolist() if dataset is not None}
        self._row_of_id = {id_: row for row, id_ in enumerate(self.ids.tolist())}
        numbers = _texts(frame, (COCO_ID,), "id").tolist()
        self._row_of_number = {number: row for row, number in enumerate(numbers) if number is not None}
        self._rows_of_file: dict[str, list[int]] = defaultdict(list)
        self._parts = [_parts(name or "") or [""] for name in self.names.tolist()]
        for row, parts in enumerate(self._parts):
            self._rows_of_file[parts[-1]].append(row)
            if (stem := _stem(parts[-1])) != parts[-1]:
                self._rows_of_file[stem].append(row)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Height and width of each image, NaN where that is not known."""
        columns = [] if self.frame is None else [self.frame.get(name) for name in ("height", "width")]
        if not columns or any(column is None for column in columns):
            return np.full((0 if self.frame is None else len(self.frame), 2), np.nan)
        return np.column_stack([pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
                                for column in columns])  # fmt: skip

    def place(self, ids: pa.Array, names: pa.Array, *, numbers: bool = False) -> Placed:
        """Find images.

        Parameters
        ----------
        ids, names : pyarrow.Array of large_string
            What is said of each row, null where nothing is.
        numbers : bool
            Whether ids are those of a COCO file.
        """

        def find(id_: str | None, name: str | None) -> tuple[str | None, str | None, int]:
            if self.frame is None:
                return _as_said(id_, name)
            row = self._row(id_, name, numbers)
            if row is not None:
                return self.ids[row], self.names[row], row
            if self._complete or id_ is None or _is_file(id_) or _is_no_id(id_, self._row_of_id):
                raise _NotFound(self._unknown(str(name if name is not None else id_), numbers))
            return id_, (None if name == id_ else name), -1

        return _each(find, ids, names)

    def _row(self, id_: str | None, name: str | None, numbers: bool) -> int | None:
        if id_ is None and name is None:
            raise _NotFound("Say which image it is on.")
        found = self._row_of_number.get(id_ or "", None) if numbers else None
        found = self._row_of_id.get(id_ or "") if found is None else found
        rows = self._named(name) if name is not None else []
        if found is not None:
            exact = [row for row in rows if self._parts[row][-1] == _parts(name or "")[-1]]
            if exact and found not in exact:
                raise _NotFound(f"As an id it is {self._called([found])}, as a name {self._called(exact)}: give one.")
            return found
        if not rows and id_ is not None and id_ != name and not id_.isdecimal():
            rows = self._named(id_)
        if len(rows) > 1:
            raise _NotFound(f"Several images have this name: {self._called(rows)}. Give the id, or the folder as well.")
        return rows[0] if rows else None

    def _named(self, name: str) -> list[int]:
        """Rows of the images that a name may mean: those that share the most of its folders."""
        asked = _parts(name)
        if not asked:
            return []
        agreed: dict[int, int] = {}
        for row in self._rows_of_file.get(asked[-1], ()):
            own = self._parts[row]
            same = _agree(asked[:-1], own[:-1])
            if same < min(len(asked), len(own)) - 1:
                continue  # a folder in the name is another one
            if same == len(own) - 1 and len(asked) > len(own) and (dataset := self._datasets[row]) is not None:
                rest = asked[: len(asked) - len(own)]
                deeper = _agree(rest, _parts(dataset))
                if not deeper and rest[-1] in self._dataset_names:
                    continue  # it is in another dataset
                same += deeper
            agreed[row] = same
        whole = {row: same for row, same in agreed.items() if self._parts[row][-1] == asked[-1]} or agreed
        most = max(whole.values(), default=0)
        return [row for row, same in whole.items() if same == most]

    def _called(self, rows: list[int]) -> str:
        names = [
            repr(f"{self._datasets[row]}/{self.names[row]}" if self._datasets[row] is not None else self.names[row])
            if self.names[row] is not None
            else repr(self.ids[row])
            for row in rows
        ]
        return ", ".join(names if len(set(names)) == len(names) else [repr(self.ids[row]) for row in rows])

    def _unknown(self, said: str, numbers: bool) -> str:
        if numbers and _is_no_id(said, self._row_of_id):
            return (
                "It is the number of an image in a COCO file, and these images have other ids. Bring them to these "
                "ids by the file that the model was fed: hf.as_predictions(..., images=hf.read_coco(file))."
            )
        file = _parts(said)[-1] if _parts(said) else said
        near = self._near(file, self._known or self._row_of_id)
        more = "" if self._complete else " Give images=, those without labels as well."
        if not self._known:
            more = f" There is no column 'name' of images, which has the names of files.{more}"
        return f"No image has this id or name.{near}{more}"


class Classes:
    """The classes that there are, found by id, by name, or by their number in a model.

    Parameters
    ----------
    classes : list of str, mapping, pandas.DataFrame, LabelSet or None
        What the numbers of a model mean: names in their order, or names by number. Or the classes that there are:
        a frame of label classes, a label set.
    table : pandas.DataFrame, LabelSet or None
        The classes that there are, where `classes` says what numbers mean, or nothing.
    complete : bool
        Whether there are no others than in the table.

    Examples
    --------
    >>> table = pd.DataFrame({"name": ["cat", "dog"]}, index=["c1", "c2"])
    >>> Classes(["cat", "dog"], table).place(pa.array(["1", "0"], TEXT), pa.nulls(2, TEXT)).ids.to_pylist()
    ['c2', 'c1']
    """

    def __init__(self, classes: Any, table: Any = None, *, complete: bool = True) -> None:
        self.mapping, given = _mapping(classes)
        table = getattr(table if given is None else given, "label_classes", table if given is None else given)
        self.frame = None if table is None else by_id(table, "class_id", "classes")
        self._complete, self._near = complete, _Nearest()
        if self.frame is None:
            return
        self.ids = _ids(self.frame, "classes")
        self.names = _texts(self.frame, ("name", "class_name"), "name")
        self._row_of_id = {id_: row for row, id_ in enumerate(self.ids.tolist()) if id_ is not None}
        self._row_of_name = {name: row for row, name in enumerate(self.names.tolist()) if name is not None}
        numbers = _texts(self.frame, (COCO_ID,), "id").tolist()
        self._row_of_number = {number: row for row, number in enumerate(numbers) if number is not None}

    def place(self, ids: pa.Array, names: pa.Array, *, numbers: bool = False) -> Placed:
        """Find classes; parameters as of :meth:`Images.place`."""

        def find(id_: str | None, name: str | None) -> tuple[str | None, str | None, int]:
            if id_ is None and name is None:
                raise _NotFound("Say which class it is of.")
            meant = self._meant(id_, name)
            if self.frame is None:  # neither a number of the model nor a name is an id
                return (None if meant is not None and (self.mapping or id_ == name) else id_), meant, -1
            name = meant
            row = self._row(id_, name, numbers)
            if row is not None:
                return self.ids[row], self.names[row], row
            if self._complete or (name is None and _is_no_id(id_ or "", self._row_of_id)):
                raise _NotFound(self._unknown(id_, name, numbers))
            return (id_ if name is None else None), (name if name is not None else id_), -1

        return _each(find, ids, names)

    def categories(self, names: pa.Array) -> pd.Categorical:
        """Return names as a category column that has all classes, those that are known first."""
        known = [] if self.frame is None else self.names.tolist()
        if self.frame is None and self.mapping is not None:
            known = list(self.mapping.values())
        coded = names.dictionary_encode()
        found = coded.dictionary.to_pylist()
        categories = [name for name in dict.fromkeys([*known, *found]) if name is not None]
        place = {name: code for code, name in enumerate(categories)}
        codes = np.array([*(place[name] for name in found), -1])[coded.indices.fill_null(len(found)).to_numpy()]
        return pd.Categorical.from_codes(codes, pd.Index(categories, dtype="str", name="name"))

    def _meant(self, id_: str | None, name: str | None) -> str | None:
        """Name that was given for a number of the model, or for a name; the name itself where none was."""
        if self.mapping is None:
            return name
        for said in (id_, name):
            if said is not None and said in self.mapping:
                return self.mapping[said]
        for said in (name, id_):
            if said is not None and (said in self.mapping.values() or self._is_known(said)):
                return said
        said = str(name if name is not None else id_)
        if said.isdecimal():
            raise _NotFound("It is not one of the numbers that classes= gives names for.")
        raise _NotFound(f"It is not one of the names in classes=.{self._near(said, self.mapping.values())}")

    def _is_known(self, said: str) -> bool:
        return self.frame is not None and said in self._row_of_name

    def _row(self, id_: str | None, name: str | None, numbers: bool) -> int | None:
        if name is not None:
            row = self._row_of_name.get(name)
            if row is None:
                row = self._row_of_id.get(name)
            if row is not None or self.mapping is not None:
                return row
        if id_ is None or (name is not None and name != id_):
            return None
        row = self._row_of_number.get(id_) if numbers else None
        row = self._row_of_id.get(id_) if row is None else row
        return self._row_of_name.get(id_) if row is None else row

    def _unknown(self, id_: str | None, name: str | None, numbers: bool) -> str:
        said = str(name if name is not None else id_)
        if numbers and _is_no_id(said, self._row_of_id):
            return (
                "It is the number of a category in a COCO file, and these classes have other ids. Bring them to "
                "these ids by the file that the model was fed: hf.as_predictions(..., images=hf.read_coco(file))."
            )
        if name is None and said.isdecimal():
            return (
                f"It is no id of the {len(self.ids):,} classes. If it is a number of the model, give its names: "
                "hf.as_predictions(..., classes=[...]) in their order, or a dict of number to name."
            )
        known = [each for each in self.names.tolist() if each]
        near = self._near(said, known)
        some = "" if near or not known else f" There are {', '.join(map(repr, known[:10]))}."
        return f"No class has this name or id.{near}{some}"


class _Nearest:
    """Says what is near to something that was not found; to the first few such things, since looking takes long."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, said: str, choices: Iterable[Any]) -> str:
        self._said += 1
        if self._said > _SUGGESTED:
            return ""
        by_fold: dict[str, str] = {}
        for choice in choices:
            by_fold.setdefault(str(choice).casefold(), str(choice))
        asked, likely = said[:200].casefold(), list(by_fold)
        if len(likely) > _CHOICES:
            likely = [choice for choice in likely if choice[:2] == asked[:2]][:_CHOICES]
        found = get_close_matches(asked, likely, n=_SUGGESTIONS)
        return f" Nearest: {', '.join(repr(by_fold[each]) for each in found)}." if found else ""


def _each(find: Any, ids: pa.Array, names: pa.Array) -> Placed:
    """Look up each different pair of id and name once."""
    first, inverse = _different(ids, names)
    found: list[tuple[str | None, str | None, int]] = []
    remedies: dict[int, str] = {}
    pairs = zip(ids.take(pa.array(first)).to_pylist(), names.take(pa.array(first)).to_pylist(), strict=True)
    for place, pair in enumerate(pairs):
        try:
            found.append(find(*pair))
        except _NotFound as error:
            found.append((None, None, -1))
            remedies[place] = str(error)
    places = pa.array(inverse)
    wrong = np.flatnonzero(np.isin(inverse, list(remedies))) if remedies else np.empty(0, np.int64)
    return Placed(
        pa.array([id_ for id_, _, _ in found], TEXT).take(places),
        pa.array([name for _, name, _ in found], TEXT).take(places),
        np.array([row for _, _, row in found], np.int64)[inverse],
        {row: remedies[inverse[row]] for row in wrong.tolist()},
    )


def _different(ids: pa.Array, names: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of each different pair, and which of them each row is."""
    id_codes, name_codes = _codes(ids), _codes(names)
    pairs = (id_codes + 1) * (name_codes.max(initial=-1) + 2) + name_codes + 1
    _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    return first, inverse


def _codes(texts: pa.Array) -> NDArray[np.int64]:
    return texts.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _as_said(id_: str | None, name: str | None) -> tuple[str, str | None, int]:
    """Let an id stand for itself, and a name where there is no id, if there are no images to look them up in."""
    said = id_ if id_ is not None else name
    if said is None:
        raise _NotFound("Say which image it is on: images=...")
    return said, None if name == id_ and not _is_file(said) else name, -1


def _mapping(classes: Any) -> tuple[dict[str, str] | None, Any]:
    """Return what numbers or names mean, and the table of classes, whichever of them is given."""
    if classes is None or hasattr(classes, "label_classes"):
        return None, classes
    if isinstance(classes, Mapping) and not all(isinstance(name, str) for name in classes.values()):
        return None, as_pandas(classes)
    if isinstance(classes, Mapping):
        return {identity.one(key) or str(key): name for key, name in classes.items()}, None
    if isinstance(classes, pd.Series):
        return _mapping(classes.astype(object).to_dict())
    frame = as_pandas(classes)
    if isinstance(frame, pd.DataFrame):
        return None, frame
    if isinstance(classes, str | bytes) or not isinstance(classes, Iterable):
        raise ValidationException(
            f"classes is {shown(classes)}; it must be a list of names, a dict of number to name, a frame of label "
            "classes or a label set."
        )
    names = list(classes)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise ValidationException(f"classes is a list of names, and {shown(strange[0])} is not one.")
    return {str(number): name for number, name in enumerate(names)}, None


def _ids(frame: pd.DataFrame, what: str) -> NDArray[Any]:
    """Ids of images or classes, each there once."""
    found = _listed(identity.texts(frame.index))
    if (twice := pd.isna(found) | pd.Series(found, dtype=object).duplicated().to_numpy()).any():
        raise ValidationException(
            f"{what} has the id {frame.index[int(np.argmax(twice))]!r} twice, or it is none: its index must be the ids."
        )
    return found


def _texts(frame: pd.DataFrame, columns: tuple[str, ...], kind: identity.Kind) -> NDArray[Any]:
    column = next((frame[name] for name in columns if name in frame), None)
    return np.full(len(frame), None, object) if column is None else _listed(identity.texts(column, kind))


def _listed(texts: pa.Array) -> NDArray[Any]:
    return texts.to_numpy(zero_copy_only=False)


def _parts(name: str) -> list[str]:
    """Folders and file of a name, however its slashes and accents are written."""
    return [part for part in name_key(name).replace("\\", "/").split("/") if part not in ("", ".")]


def _stem(file: str) -> str:
    head, dot, suffix = file.rpartition(".")
    return head if dot and head and f".{suffix.lower()}" in SUFFIXES else file


def _is_file(text: str) -> bool:
    return _stem(text) != text


def _is_no_id(said: str, known: Mapping[Any, int]) -> bool:
    """Whether something is a number, and none of the ids that there are is one."""
    return said.isdecimal() and bool(known) and not any(id_ is not None and id_.isdecimal() for id_ in known)


def _agree(one: list[str], other: list[str]) -> int:
    """How many parts two paths have in common, from the end."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
