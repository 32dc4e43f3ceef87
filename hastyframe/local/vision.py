"""The default models: what stands out from its surroundings, by threshold and connected components."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["find_boxes", "find_objects", "find_regions"]

SMALLEST = 3e-4
"""Objects of a smaller part of the picture are taken for noise."""
GAP = 1
RING = 4
"""The surroundings of an object: from so many pixels outside of it, up to so many."""

Grey = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.bool_]


def find_objects(picture: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Find objects that are brighter or darker than what lies around them.

    Uneven light is taken out, Otsu's threshold [1]_ parts the rest in two, and the part that has less of the border is
    taken for the objects. The score is the difference between an object and the ring around it, against the
    difference between the two parts; 1 is the most.

    Parameters
    ----------
    picture : numpy.ndarray of uint8, shape (height, width, 3)
        Any photograph.

    Returns
    -------
    list of dict
        ``bbox`` in pixels, ``mask`` as a bool array of the box's shape, ``score``.

    References
    ----------
    .. [1] N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
       Cybernetics 9(1), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.full((60, 80, 3), 30, np.uint8)
    >>> picture[20:40, 30:50] = 200
    >>> [(found["bbox"], found["mask"].shape, round(found["score"], 1)) for found in find_objects(picture)]
    [([30, 20, 50, 40], (20, 20), 1.0)]
    """
    from scipy import ndimage

    grey = _flat(picture)
    foreground = _foreground(grey)
    if not foreground.any() or foreground.all():
        return []
    difference = abs(grey[foreground].mean() - grey[~foreground].mean())
    numbers, _ = ndimage.label(foreground)
    found = []
    for number, place in enumerate(ndimage.find_objects(numbers), 1):
        pixels = numbers[place] == number
        if pixels.sum() < SMALLEST * grey.size:
            continue
        rows, columns = place
        found.append(
            {
                "bbox": [columns.start, rows.start, columns.stop, rows.stop],
                "mask": pixels,
                "score": min(_contrast(grey, numbers, number, place) / difference, 1.0),
            }
        )
    return found


def find_boxes(picture: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Find the boxes of :func:`find_objects`."""
    return [{"bbox": found["bbox"], "score": found["score"]} for found in find_objects(picture)]


def find_regions(picture: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Find the pixels of all objects of :func:`find_objects` together, as one region."""
    found = find_objects(picture)
    if not found:
        return []
    canvas = np.zeros(picture.shape[:2], bool)
    for one in found:
        left, top, right, bottom = one["bbox"]
        canvas[top:bottom, left:right] |= one["mask"]
    boxes = np.array([one["bbox"] for one in found])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return [{"bbox": [left, top, right, bottom], "mask": canvas[top:bottom, left:right]}]


def _flat(picture: npt.NDArray[np.uint8]) -> Grey:
    """Grey values without noise and without light that changes slowly over the picture."""
    from scipy import ndimage
    from skimage import color, filters

    grey = filters.gaussian(color.rgb2gray(picture), 1)
    light = grey
    for _ in range(3):  # box filters one after the other come close to a wide Gaussian, whose cost would grow with it
        light = ndimage.uniform_filter(light, max(3, min(grey.shape) // 3), mode="reflect")
    return np.asarray(grey - light)


def _foreground(grey: Grey) -> Pixels:
    from scipy import ndimage
    from skimage import filters

    if np.ptp(grey) < 1e-6:
        return np.zeros(grey.shape, bool)
    foreground = grey > filters.threshold_otsu(grey)
    border = np.concatenate([foreground[0], foreground[-1], foreground[:, 0], foreground[:, -1]])
    if border.mean() > 0.5:
        foreground = ~foreground
    # What touches by a thread comes apart, and holes belong to what they are in.
    opened = ndimage.binary_opening(foreground, iterations=2 if min(grey.shape) >= 100 else 1)
    return np.asarray(ndimage.binary_fill_holes(opened))


def _contrast(grey: Grey, numbers: npt.NDArray[np.int32], number: int, place: tuple[slice, slice]) -> float:
    from scipy import ndimage

    around = tuple(slice(max(side.start - RING - 1, 0), side.stop + RING + 1) for side in place)
    own, values = numbers[around] == number, grey[around]
    outside = numbers[around] == 0
    ring = ndimage.binary_dilation(own, iterations=RING) & ~ndimage.binary_dilation(own, iterations=GAP) & outside
    if not ring.any():
        ring = outside
    return float(abs(values[own].mean() - values[ring].mean())) if ring.any() else 0.0
