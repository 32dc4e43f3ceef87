"""A label set in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import counted
from ..painting import kinds

if TYPE_CHECKING:
    from .label_set import LabelSet

__all__ = ["describe"]


def describe(label_set: LabelSet) -> str:
    """Count what a label set holds."""
    count = kinds(label_set.labels).value_counts()
    what = ", ".join(_of_kind(count[kind], kind) for kind in _KINDS if kind in count)
    datasets = label_set.images["dataset_name"].nunique()
    parts = [
        counted(len(label_set.images), "image") + (f" in {datasets:,} datasets" if datasets > 1 else ""),
        counted(len(label_set.labels), "label") + (f" ({what})" if what else ""),
        counted(len(label_set.label_classes), "class"),
    ]
    for name, noun in (("label_attributes", "attribute value"), ("tags", "tag")):
        frame = getattr(label_set, name)
        if frame is not None and len(frame):
            parts.append(counted(len(frame), noun))
    left_out = f"; {counted(len(label_set.skipped), 'row')} skipped" if len(label_set.skipped) else ""
    return "LabelSet: " + ", ".join(parts) + left_out


_KINDS = ("box", "polygon", "parts", "mask", "nothing")


def _of_kind(count: int, kind: str) -> str:
    phrase = {"parts": "in parts", "nothing": "without place"}.get(kind)
    return counted(count, kind) if phrase is None else f"{count:,} {phrase}"
