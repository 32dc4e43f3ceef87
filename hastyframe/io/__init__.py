"""Files in and out: one module a format, ``read_x`` beside ``to_x``, all on :class:`LabelSet`."""

from ._report import FormatError, FormatWarning
from .coco import read_coco
from .label_set import LabelSet

__all__ = ["FormatError", "FormatWarning", "LabelSet", "read_coco"]
