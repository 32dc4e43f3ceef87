"""A label set in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..painting import kinds

if TYPE_CHECKING:
    from .label_set import LabelSet

__all__ = ["describe"]


def describe(label_set: LabelSet) -> str:
    """Count what a label set holds."""
    count = kinds(label_set.labels).value_counts()
    what = ", ".join(_many(count[kind], plural) for kind, plural in _PLURALS.items() if kind in count)
    datasets = label_set.images["dataset_name"].nunique()
    parts = [
        _many(len(label_set.images), "images") + (f" in {datasets:,} datasets" if datasets > 1 else ""),
        _many(len(label_set.labels), "labels") + (f" ({what})" if what else ""),
        _many(len(label_set.label_classes), "classes"),
    ]
    for name, plural in (("label_attributes", "attribute values"), ("tags", "tags")):
        frame = getattr(label_set, name)
        if frame is not None and len(frame):
            parts.append(_many(len(frame), plural))
    left_out = f"; {_many(len(label_set.skipped), 'rows')} skipped" if len(label_set.skipped) else ""
    return "LabelSet: " + ", ".join(parts) + left_out


_PLURALS = {"box": "boxes", "polygon": "polygons", "parts": "in parts", "mask": "masks", "nothing": "without place"}


def _many(count: int, plural: str) -> str:
    if count == 1:
        plural = {"boxes": "box", "classes": "class"}.get(
            plural, plural.removesuffix("s") if plural != "in parts" else plural
        )
    return f"{count:,} {plural}"
