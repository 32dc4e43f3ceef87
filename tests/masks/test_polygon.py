import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hastyframe import masks as hm
from hastyframe.errors import ValidationException

from .samples import in_image, mask_lists, naive_fill, random_boxes, random_masks, shapes_of
from .test_polygon_to_rle import SIZE, objects

MANY = random_masks(10_000, seed=3)
BOXES, SIZES = random_boxes(MANY, seed=3)


def check_back(shapes, boxes, masks):
    runs, found = hm.polygon_to_rle(shapes)
    tight = hm.bbox(hm.encode(masks), boxes)
    assert (found == tight).all()
    assert runs.to_list() == hm.crop(hm.encode(masks), boxes, tight).to_list()


def test_outlines_enclose_exactly_the_mask():
    shapes = hm.rle_to_polygon(hm.encode(MANY), BOXES)
    assert shapes.n == len(MANY)
    check_back(shapes, BOXES, MANY)
    some = hm.rle_to_polygon(hm.encode(MANY[:1000]), BOXES[:1000])
    assert (hm.polygon_area(some) == [mask.sum() for mask in MANY[:1000]]).all()


@given(mask_lists)
def test_random_outlines(masks):
    shape = shapes_of(masks)
    boxes = np.concatenate([np.zeros_like(shape), shape[:, ::-1]], axis=1)
    check_back(hm.rle_to_polygon(hm.encode(masks), boxes), boxes, masks)


def shoelace(ring):
    x, y = np.array(ring).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2


def test_orientation_and_parts():
    """Every part of pixels that share sides gives one ring one way, every hole one the other way."""
    measure = pytest.importorskip("skimage.measure")
    shapes = hm.rle_to_polygon(hm.encode(MANY[:1500]), BOXES[:1500]).to_list()
    for mask, rings in zip(MANY[:1500], shapes, strict=True):
        areas = [shoelace(ring) for ring in rings]
        parts = measure.label(mask, connectivity=1).max()
        holes = measure.label(np.pad(1 - mask, 1, constant_values=1), connectivity=2).max() - 1
        assert sum(area > 0 for area in areas) == parts
        assert sum(area < 0 for area in areas) == holes
        assert sum(areas) == mask.sum()
        for ring in rings:
            assert len({tuple(point) for point in ring}) > 3
            steps = np.diff([*ring, ring[0]], axis=0)
            assert ((steps == 0).sum(axis=1) == 1).all()  # along one axis, and never standing still
            assert (((steps[:-1] == 0) != (steps[1:] == 0)).all(axis=1)).all()  # and turning at each vertex


def test_tolerance():
    y, x = np.mgrid[:200, :200]
    disc = (np.hypot(x - 100, y - 100) < 80).astype(np.uint8)
    exact = hm.rle_to_polygon(hm.encode(disc), [0, 0, 200, 200])
    for tolerance in (0.5, 1.0, 3.0):
        loose = hm.rle_to_polygon(hm.encode(disc), [0, 0, 200, 200], tolerance=tolerance)
        assert 3 <= len(loose.points) < len(exact.points)
        runs, boxes = hm.polygon_to_rle(loose)
        assert hm.iou(runs, boxes, hm.encode(disc), [0, 0, 200, 200])[0] > 1 - tolerance * 2 * np.pi * 80 / disc.sum()
    with pytest.raises(ValidationException, match="tolerance"):
        hm.rle_to_polygon(hm.encode(disc), [0, 0, 200, 200], tolerance=-1)


def distance(point, one, other):
    chord, away = other - one, point - one
    along = np.clip(away @ chord / max(chord @ chord, 1e-300), 0, 1)
    return np.hypot(*(away - along * chord))


@given(objects, st.sampled_from([0.0, 0.5, 2.0, 10.0]))
def test_simplify_keeps_within_tolerance(rings, tolerance):
    found = hm.simplify([[ring.tolist() for ring in rings]], tolerance)
    assert found.n == 1
    for ring, kept in zip(rings, found.to_list()[0], strict=True):
        assert len(kept) >= 3
        kept = np.array(kept)
        places, start = [], 0
        for point in kept:  # the kept ones come in order
            start = next(index for index in range(start, len(ring)) if (ring[index] == point).all())
            places.append(start)
            start += 1
        for index, point in enumerate(ring):
            sides = zip(kept, np.roll(kept, -1, axis=0), strict=True)
            assert min(distance(point, *side) for side in sides) <= tolerance + 1e-9, index


@given(objects)
def test_clipping_keeps_the_pixels_inside(rings):
    clipped = hm.clip_polygons([[ring.tolist() for ring in rings]], SIZE)
    assert (clipped.points >= 0).all()
    assert (clipped.points <= SIZE[::-1]).all()
    runs, boxes = hm.polygon_to_rle(clipped)
    image = in_image(hm.decode(runs, boxes)[0], boxes[0], SIZE).astype(bool)
    expected = np.any([naive_fill([ring], *SIZE) for ring in rings], axis=0)
    wrong = np.argwhere(image != expected)
    for row, column in wrong:  # rounding may move an edge across a centre it goes through
        point = np.array([column + 0.5, row + 0.5])
        sides = [side for ring in rings for side in zip(ring, np.roll(ring, -1, axis=0), strict=True)]
        assert min(distance(point, *side) for side in sides) < 1e-6


def test_real_polygons_clip_to_themselves(real_polygons):
    shapes, sizes = real_polygons
    before = hm.as_polygons(shapes)
    after = hm.clip_polygons(shapes, sizes)
    assert np.allclose(hm.polygon_area(after), hm.polygon_area(before), rtol=0.01, atol=2)
    runs, _ = hm.polygon_to_rle(shapes, sizes)
    assert runs.to_list() == hm.polygon_to_rle(before)[0].to_list() or hm.polygon_bounds(before).min() < 0


def with_holes(*rings):
    return hm.as_polygons([[ring.tolist() for ring in rings]], holes=True)


def test_area_of_parts_and_holes_whichever_way_they_run():
    square = np.array([[0, 0], [6, 0], [6, 6], [0, 6]], float)
    for hole in (square / 3 + 1, (square / 3 + 1)[::-1]):
        assert hm.polygon_area(with_holes(square, hole)).tolist() == [32]
        assert hm.polygon_area([[square.tolist(), hole.tolist()]]).tolist() == [36]
    for part in (square + 10, (square + 10)[::-1]):
        assert hm.polygon_area(with_holes(square, part)).tolist() == [72]
        assert hm.polygon_area([[square.tolist(), part.tolist()]]).tolist() == [72]
    for part in (square + 4, (square + 4)[::-1]):
        assert hm.polygon_area([[square.tolist(), part.tolist()]]).tolist() == [68]
    island = with_holes(square, square / 3 + 1, square / 6 + 1.5)
    assert hm.polygon_area(island).tolist() == [33]


@given(st.integers(0, 10**6))
def test_the_area_of_parts_is_that_of_many_small_pixels(seed):
    rng = np.random.default_rng(seed)
    spokes = np.arange(7) * 2 * np.pi / 7 + rng.uniform(0, 0.8, (3, 7))  # no ring crosses itself
    reach = rng.uniform(20, 60, (3, 7, 1))
    rings = rng.uniform(60, 140, (3, 1, 2)) + reach * np.stack([np.cos(spokes), np.sin(spokes)], axis=-1)
    pixels = hm.area(hm.polygon_to_rle([(8 * rings).tolist()])[0])[0] / 64
    assert hm.polygon_area([rings.tolist()])[0] == pytest.approx(pixels, abs=15)


def test_cutting_and_simplifying_keep_holes():
    shapes = with_holes(np.array([[0, 0], [6, 0], [6, 6], [0, 6]], float), np.array([[2, 2], [4, 2], [4, 4], [2, 4.0]]))
    for changed in (shapes, hm.clip_polygons(shapes, (6, 6)), hm.clip_polygons(shapes, (5, 6)), hm.simplify(shapes, 0)):
        assert isinstance(changed, hm.Outlines)
    assert hm.polygon_area(hm.clip_polygons(shapes, (3, 6))).tolist() == [16]


def test_real_areas(coco_file, real_polygons):
    """COCO keeps areas of its own masks, so they are near and not equal."""
    stored = np.array([each["area"] for each in coco_file["annotations"] if not each["iscrowd"]])
    assert np.abs(hm.polygon_area(real_polygons[0]) / stored - 1).max() < 0.2


def test_bounds(real_polygons):
    expected = [np.concatenate([np.reshape(part, (-1, 2)) for part in parts]) for parts in real_polygons[0]]
    expected = [[*points.min(axis=0), *points.max(axis=0)] for points in expected]
    assert hm.polygon_bounds(real_polygons[0]).tolist() == np.array(expected).tolist()
    assert np.isnan(hm.polygon_bounds([[], []])).all()
    assert hm.polygon_area([[], []]).tolist() == [0, 0]


def test_arrow_and_back(real_polygons):
    before = hm.as_polygons(real_polygons[0])
    after = hm.as_polygons(before.to_arrow())
    assert all((one == other).all() for one, other in zip(before, after, strict=True))
    assert hm.as_polygons(before.to_list()).points.tolist() == before.points.tolist()
