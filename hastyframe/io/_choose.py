"""Fewer images and labels of a label set, or those of several in one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import identity
from ..arguments import check_number, shown
from ..errors import ValidationException
from ..painting import kinds
from ._fingerprint import fingerprint
from ._integrity import rows_by_value
from ._records import DATASET
from ._report import FormatWarning

if TYPE_CHECKING:
    from .label_set import Choice, LabelSet

__all__ = ["filtered", "merged", "sampled", "split"]


def filtered(
    label_set: LabelSet,
    images: Choice,
    labels: Choice,
    classes: Sequence[str] | str | None,
    datasets: Sequence[str] | str | None,
    statuses: Sequence[str] | str | None,
    drop_empty: bool,
) -> LabelSet:
    """Filter as :meth:`LabelSet.filter` says."""
    keep_image = _chosen(label_set.images, images)
    for column, names in (("dataset_name", datasets), ("status", statuses)):
        keep_image = keep_image & _named(label_set.images[column], names)
    keep_label = _chosen(label_set.labels, labels) & _named(label_set.labels["class_name"], classes)
    kept_classes = label_set.label_classes
    if classes is not None:
        kept_classes = kept_classes[kept_classes["name"].isin(_names(classes, "class_name"))]
    return _part(label_set, keep_image, keep_label, kept_classes, drop_empty)


def _part(
    label_set: LabelSet,
    keep_image: NDArray[np.bool_],
    keep_label: NDArray[np.bool_] | None = None,
    classes: pd.DataFrame | None = None,
    drop_empty: bool = False,
) -> LabelSet:
    """Keep images and labels, and of the rest what is about them."""
    from .label_set import LabelSet

    place = label_set.images.index.get_indexer(label_set.labels["image_id"])
    keep = keep_image[place] if keep_label is None else keep_image[place] & keep_label
    if drop_empty:
        keep_image = keep_image & np.isin(np.arange(len(keep_image)), place[keep])
    images, labels = label_set.images[keep_image], label_set.labels[keep]
    values, tags = label_set.label_attributes, label_set.tags
    return LabelSet(
        images,
        labels,
        label_set.label_classes if classes is None else classes,
        attributes=label_set.attributes,
        label_attributes=None if values is None else values[values["label_id"].isin(labels.index)],
        tags=None if tags is None else tags[tags["image_id"].isin(images.index)],
        info=label_set.info,
        skipped=label_set.skipped,
    )


def _chosen(frame: pd.DataFrame, choice: Choice) -> NDArray[np.bool_]:
    """Which rows a choice keeps."""
    if callable(choice):
        choice = choice(frame)
    if choice is None:
        return np.ones(len(frame), bool)
    if isinstance(choice, pd.Series) and pd.api.types.is_bool_dtype(choice.dtype):
        return _booleans(choice, frame)
    if not pd.api.types.is_list_like(choice) or getattr(choice, "ndim", 1) != 1:
        raise ValidationException(f"{shown(choice)} chooses no rows: give booleans, ids or a function.")
    ids = pd.Index(list(choice) if isinstance(choice, set | frozenset) else choice)
    if pd.api.types.is_bool_dtype(ids.dtype):
        if len(ids) != len(frame):
            raise ValidationException(f"{len(ids)} booleans for {len(frame)} rows: give one a row.")
        return ids.fillna(False).to_numpy(dtype=bool)
    rows = rows_by_value(frame.index, ids)
    if (rows < 0).any():
        raise ValidationException(f"There is no {frame.index.name} {ids[rows < 0].tolist()[0]!r}.")
    keep = np.zeros(len(frame), bool)
    keep[rows] = True
    return keep


def _booleans(choice: pd.Series[bool], frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Booleans in the order of a frame's rows, by their ids; False where one has none."""
    place = rows_by_value(frame.index, choice.index)
    there = place >= 0
    keep = np.zeros(len(frame), bool)
    keep[place[there]] = choice.fillna(False).to_numpy(dtype=bool)[there]
    return keep


def _named(column: pd.Series[Any], names: Sequence[str] | str | None) -> NDArray[np.bool_]:
    if names is None:
        return np.ones(len(column), bool)
    names = _names(names, str(column.name))
    if unknown := [name for name in names if name not in column.cat.categories]:
        known = ", ".join(map(str, column.cat.categories[:10]))
        raise ValidationException(f"There is no {column.name} {unknown[0]!r}; there are {known}.")
    return column.isin(names).to_numpy(dtype=bool)


def _names(names: Sequence[str] | str, what: str) -> list[str]:
    if isinstance(names, str):
        return [names]
    if isinstance(names, bytes | Mapping) or not pd.api.types.is_list_like(names) or getattr(names, "ndim", 1) != 1:
        raise ValidationException(f"{shown(names)} is no {what} and no list of them.")
    return [text if (text := identity.one(name, "name")) is not None else name for name in names]


def sampled(label_set: LabelSet, n: int | None, share: float | None, seed: int) -> LabelSet:
    """Sample as :meth:`LabelSet.sample` says."""
    total = len(label_set.images)
    if (n is None) == (share is None):
        raise ValidationException("Give n or share.")
    if share is not None:
        n = round(total * check_number(share, "share", least=0, most=1))
    n = check_number(n, "n", whole=True)
    if not 0 <= n <= total:
        raise ValidationException(f"{n} of {total} images cannot be drawn.")
    keep = np.zeros(total, bool)
    keep[np.random.default_rng(seed).permutation(total)[:n]] = True
    return _part(label_set, keep)


def split(label_set: LabelSet, by: Mapping[str, float] | str, stratify: bool, seed: int) -> dict[str, LabelSet]:
    """Split as :meth:`LabelSet.split` says."""
    images = label_set.images
    if isinstance(by, str):
        if by not in images:
            raise ValidationException(f"images has no column {by!r}; give one, or shares by name.")
        if (lacking := images[by].isna()).any():
            raise ValidationException(f"image {images.index[lacking][0]!r} has no {by}: fill it first.")
        return {str(value): _part(label_set, (images[by] == value).to_numpy(bool)) for value in images[by].unique()}
    if not isinstance(by, Mapping):
        raise ValidationException(f"by is {shown(by)}; it must be a column of images, or shares by name.")
    shares = np.array([check_number(share, f"The share of {name!r}") for name, share in by.items()], dtype=float)
    if not len(shares) or not (shares >= 0).all() or not np.isfinite(shares).all() or shares.sum() == 0:
        raise ValidationException("Shares are numbers from 0, not all of them 0.")
    shares /= shares.sum()
    order = np.random.default_rng(seed).permutation(len(images))
    part_of = _dealt(label_set, shares, order) if stratify else _cut(shares, order)
    return {name: _part(label_set, part_of == part) for part, name in enumerate(by)}


def _cut(shares: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parts of the images, in a random order cut at the shares."""
    ends = np.round(np.cumsum(shares) * len(order)).astype(int)
    part_of = np.empty(len(order), np.int64)
    part_of[order] = np.searchsorted(ends, np.arange(len(order)), side="right")
    return part_of


def _dealt(label_set: LabelSet, shares: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parts of the images, dealt so that each part gets its share of each class (iterative stratification).

    Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data, 2011.
    """
    labels = label_set.labels
    counts = np.zeros((len(order), len(label_set.label_classes) + 1))
    place = label_set.images.index.get_indexer(labels["image_id"])
    np.add.at(counts, (place, label_set.label_classes.index.get_indexer(labels["class_id"])), 1)
    counts[:, -1] = 1  # the image itself, so that the parts get their share of images too
    lacking = counts.sum(axis=0)[None, :] * shares[:, None]
    frequency = np.where(counts > 0, counts.sum(axis=0), np.inf)
    rarest = frequency.argmin(axis=1)
    part_of = np.empty(len(order), np.int64)
    for image in order[np.argsort(frequency.min(axis=1)[order], kind="stable")].tolist():
        part = int(np.lexsort((-lacking[:, -1], -lacking[:, rarest[image]]))[0])
        part_of[image] = part
        lacking[part] -= counts[image]
    return part_of


def merged(label_sets: Sequence[LabelSet]) -> LabelSet:
    """Merge as :meth:`LabelSet.merge` says."""
    from .label_set import LabelSet

    images = _Union("image")
    classes, attributes = _Union("class"), _Union("attribute")
    labels, values, tags = _Union("label"), _Union("value"), _Union("tag")
    shapes: list[pd.DataFrame] = []
    for one in label_sets:
        image_ids = images.add(
            one.images, one.images["dataset_name"].astype("str").fillna(DATASET) + "/" + one.images["name"]
        )
        class_ids = classes.add(one.label_classes, one.label_classes["name"])
        label_frame = one.labels.assign(
            image_id=one.labels["image_id"].map(image_ids), class_id=one.labels["class_id"].map(class_ids)
        )
        label_ids = labels.add(label_frame)
        shapes.append(_shapes_of(label_frame))
        attribute_ids: dict[str, str] = {}
        if one.attributes is not None:
            attribute_ids = attributes.add(one.attributes, one.attributes["name"])
        if one.label_attributes is not None:
            moved = one.label_attributes
            values.add(
                moved.assign(
                    label_id=moved["label_id"].map(label_ids), attribute_id=moved["attribute_id"].map(attribute_ids)
                )
            )
        if one.tags is not None:
            tags.add(one.tags.assign(image_id=one.tags["image_id"].map(image_ids)))
    _tell_of_copies(shapes)
    info: dict[str, Any] = {}
    for one in reversed(label_sets):
        info |= one.info
    return LabelSet(
        images.frame(),
        labels.frame(),
        classes.frame(),
        attributes=attributes.frame() if attributes.parts else None,
        label_attributes=values.frame() if values.parts else None,
        tags=tags.frame() if tags.parts else None,
        info=info,
        skipped=pd.concat([one.skipped for one in label_sets], ignore_index=True),
    )


def _shapes_of(labels: pd.DataFrame) -> pd.DataFrame:
    """Image, class and geometry of labels, as far as they have one."""
    there = (kinds(labels) != "nothing").to_numpy()
    return labels.loc[there, ["image_id", "class_id"]].assign(shape=fingerprint(labels)[there])


def _tell_of_copies(shapes: list[pd.DataFrame]) -> None:
    """Warn of labels that are in several label sets: they are there several times now."""
    each_once = pd.concat([one.drop_duplicates() for one in shapes], ignore_index=True)
    many = int(each_once.duplicated().sum())
    if many:
        warnings.warn(
            f"{many:,} labels are equal to one of an earlier label set, and are there twice now. To keep the first of "
            "each: merged.filter(labels=lambda labels: ~labels.index.isin(hf.find_duplicates(labels).index)).",
            FormatWarning,
            stacklevel=4,
        )


class _Union:
    """Rows of several frames, each thing once; ids that clash are made different."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.parts: list[pd.DataFrame] = []
        self._by_key: dict[str, str] = {}
        self._taken: set[str] = set()

    def add(self, frame: pd.DataFrame, keys: pd.Series[str] | None = None) -> dict[str, str]:
        """Add a frame; `keys` say which things are the same. Return the new id of each old one."""
        ids: dict[str, str] = {}
        known = [False] * len(frame)
        for row, old in enumerate(frame.index.tolist()):
            key = None if keys is None else keys.iloc[row]
            if key is not None and key in self._by_key:
                ids[old], known[row] = self._by_key[key], True
                continue
            ids[old] = self._free(old)
            if key is not None:
                self._by_key[key] = ids[old]
        if self.what == "image":
            self._same_sizes(frame[known].rename(index=ids))
        new = frame[~np.array(known, bool)]
        self.parts.append(new.set_axis(new.index.map(ids).astype("str"), axis=0))
        return ids

    def frame(self) -> pd.DataFrame:
        """Return all rows, with the columns of all frames."""
        texts = {c for part in self.parts for c in part if isinstance(part[c].dtype, pd.CategoricalDtype)}
        plain = [part.astype(dict.fromkeys(texts & set(part), "str")) for part in self.parts]
        filled = [part for part in plain if len(part)] or plain[:1]
        return pd.concat(filled)

    def _free(self, old: str) -> str:
        new, number = old, len(self.parts) + 1
        while new in self._taken:
            new, number = f"{old}-{number}", number + 1
        self._taken.add(new)
        return new

    def _same_sizes(self, again: pd.DataFrame) -> None:
        for part in self.parts:
            both = part.index.intersection(again.index)
            for side in ("width", "height"):
                one, other = part.loc[both, side], again.loc[both, side]
                if (differs := (one != other).fillna(False)).any():
                    name = part.loc[both, "name"][differs].iloc[0]
                    raise ValidationException(f"Image {name!r} is there twice, with two sizes: rename one.")
