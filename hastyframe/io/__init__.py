"""Files in and out: one module a format, ``read_x`` beside ``to_x``, all on :class:`LabelSet`."""

from ..errors import FormatError
from ._report import FormatWarning
from .coco import read_coco, read_coco_detections
from .hasty_json import read_hasty_json
from .label_set import LabelSet
from .parquet import read_parquet
from .semantic_png import read_semantic_png
from .voc import read_voc
from .yolo import read_yolo

__all__ = [
    "FormatError",
    "FormatWarning",
    "LabelSet",
    "read_coco",
    "read_coco_detections",
    "read_hasty_json",
    "read_parquet",
    "read_semantic_png",
    "read_voc",
    "read_yolo",
]
