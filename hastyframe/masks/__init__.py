"""Array kernels on boxes, polygons and run-lengths: NumPy in, NumPy out."""

from hastyframe.masks.coco import from_coco_counts, from_coco_rle, to_coco_counts, to_coco_rle
from hastyframe.masks.polygon import Polygons, as_polygons, polygon_bounds
from hastyframe.masks.ragged import Ragged, as_ragged
from hastyframe.masks.runlength import area, bbox, decode, decode_flat, encode
from hastyframe.masks.scanline import polygon_to_rle

__all__ = [
    "Polygons",
    "Ragged",
    "area",
    "as_polygons",
    "as_ragged",
    "bbox",
    "decode",
    "decode_flat",
    "encode",
    "from_coco_counts",
    "from_coco_rle",
    "polygon_bounds",
    "polygon_to_rle",
    "to_coco_counts",
    "to_coco_rle",
]
