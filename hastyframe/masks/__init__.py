"""Array kernels on boxes, polygons and run-lengths: NumPy in, NumPy out.

Every kernel works on many masks at once, and one mask is the smallest case. Masks are run-lengths inside boxes, as
Hasty keeps them; lists of unequal length are :class:`Ragged`, flat values and offsets as in Arrow. Coordinates are
pixels, counted from 0, and the maxima of boxes are exclusive. What comes from elsewhere is checked before memory is
taken for it.
"""

from hastyframe.masks.boundary import rle_to_polygon
from hastyframe.masks.clipping import clip_polygons
from hastyframe.masks.coco import from_coco_counts, from_coco_rle, to_coco_counts, to_coco_rle
from hastyframe.masks.overlap import box_intersection_area, box_iou, intersection_area, iou
from hastyframe.masks.placement import crop, place, trim
from hastyframe.masks.polygon import Outlines, Polygons, as_polygons, polygon_bounds
from hastyframe.masks.polygon_areas import polygon_area
from hastyframe.masks.ragged import Ragged, as_ragged
from hastyframe.masks.runlength import area, bbox, decode, decode_flat, encode
from hastyframe.masks.scanline import polygon_to_rle
from hastyframe.masks.setops import difference, intersection, union
from hastyframe.masks.simplification import simplify
from hastyframe.masks.suppression import nms
from hastyframe.masks.validity import check, problems

__all__ = [
    "Outlines",
    "Polygons",
    "Ragged",
    "area",
    "as_polygons",
    "as_ragged",
    "bbox",
    "box_intersection_area",
    "box_iou",
    "check",
    "clip_polygons",
    "crop",
    "decode",
    "decode_flat",
    "difference",
    "encode",
    "from_coco_counts",
    "from_coco_rle",
    "intersection",
    "intersection_area",
    "iou",
    "nms",
    "place",
    "polygon_area",
    "polygon_bounds",
    "polygon_to_rle",
    "problems",
    "rle_to_polygon",
    "simplify",
    "to_coco_counts",
    "to_coco_rle",
    "trim",
    "union",
]
