import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from hastyframe import masks as hm
from hastyframe.errors import ValidationException

from .samples import in_image, naive_fill, tight

SIZE = (24, 30)
coordinates = st.one_of(st.integers(-4, 34), st.floats(-4, 34, width=32), st.integers(-8, 68).map(lambda v: v / 2))
rings = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8).map(lambda ring: np.array(ring, float))
objects = st.lists(rings, min_size=1, max_size=3)


def painted(runs, boxes, size=SIZE):
    return [in_image(mask, box, size) for mask, box in zip(hm.decode(runs, boxes), boxes, strict=True)]


@given(st.lists(objects, max_size=4))
def test_equal_to_the_naive_rule(shapes):
    nested = [[ring.tolist() for ring in rings] for rings in shapes]
    runs, boxes = hm.polygon_to_rle(hm.as_polygons(nested, holes=True), SIZE)
    assert len(boxes) == len(shapes)
    for rings_, box, image in zip(shapes, boxes, painted(runs, boxes), strict=True):
        expected = naive_fill(rings_, *SIZE)
        assert (image == expected).all()
        assert box.tolist() == tight(expected)


@given(st.lists(objects, max_size=4))
def test_parts_unite(shapes):
    nested = [[ring.tolist() for ring in rings] for rings in shapes]
    runs, boxes = hm.polygon_to_rle(nested, SIZE)
    for rings_, box, image in zip(shapes, boxes, painted(runs, boxes), strict=True):
        expected = np.any([naive_fill([ring], *SIZE) for ring in rings_], axis=0)
        assert (image == expected).all()
        assert box.tolist() == tight(expected)


@pytest.mark.parametrize("rule", ["center", "coco"])
def test_what_two_parts_cover_belongs_to_the_object(rule):
    squares = [[5, 5, 20, 5, 20, 20, 5, 20], [10, 10, 25, 10, 25, 25, 10, 25]]
    assert hm.area(hm.polygon_to_rle(squares, (30, 30), rule=rule)[0]).tolist() == [350]
    twice = [squares[0], squares[0][::-1]]  # the same part again, the other way round
    assert hm.area(hm.polygon_to_rle(twice, (30, 30), rule=rule)[0]).tolist() == [225]
    inner = [squares[0], [8, 8, 12, 8, 12, 12, 8, 12]]
    assert hm.area(hm.polygon_to_rle(inner, (30, 30), rule=rule)[0]).tolist() == [225]
    cut_out = hm.as_polygons(inner, holes=True)
    assert hm.area(hm.polygon_to_rle(cut_out, (30, 30), rule=rule)[0]).tolist() == [225 - 16]


@given(objects)
def test_without_a_size_nothing_is_cut(rings_):
    runs, boxes = hm.polygon_to_rle(hm.as_polygons([[ring.tolist() for ring in rings_]], holes=True))
    expected = naive_fill(rings_, 60, 60, origin=-10)
    assert hm.area(runs)[0] == expected.sum()
    if expected.any():
        assert (boxes[0] + 10).tolist() == tight(expected)


@given(rings)
def test_neighbours_share_no_pixel_and_leave_none(ring):
    """Fans from two points over the same outline cover the same pixels."""
    centre = ring.mean(axis=0)
    fans = [np.array([centre, one, other]) for one, other in zip(ring, np.roll(ring, -1, axis=0), strict=True)]
    total = sum(naive_fill([fan], *SIZE).astype(int) for fan in fans)
    assert (total % 2 == naive_fill([ring], *SIZE)).all()
    runs, boxes = hm.polygon_to_rle(fans, SIZE)
    ours = sum(image.astype(int) for image in painted(runs, boxes))
    assert (ours == total).all()


def test_every_way_to_write_a_polygon():
    ring = [[1.0, 1.0], [6.0, 1.0], [6.0, 5.0], [1.0, 5.0]]
    flat = [value for point in ring for value in point]
    points = pa.list_(pa.list_(pa.float64(), 2))
    expected = [[1, 20]]
    ways = [
        ring,
        [ring],
        [[ring]],
        [flat],
        [[flat]],
        np.array(ring)[None],
        [np.array(ring)],
        [np.array(flat)],
        hm.Ragged(np.array(ring), np.array([0, 4])),
        (np.array(flat), np.array([0, 8])),
        pa.array([ring], points),
        pa.chunked_array([pa.array([ring], points)]),
        pa.array([ring], pa.list_(pa.list_(pa.float64()))),
        pa.array([[ring]], pa.list_(points)),
        pa.array([[flat]], pa.list_(pa.list_(pa.float64()))),
        hm.as_polygons(ring).to_arrow(),
        hm.as_polygons(ring),
    ]
    for way in ways:
        runs, boxes = hm.polygon_to_rle(way)
        assert runs.to_list() == expected
        assert boxes.tolist() == [[1, 1, 6, 5]]


def test_missing_polygons_are_empty():
    ring = [[1.0, 1.0], [6.0, 1.0], [6.0, 5.0]]
    points = pa.list_(pa.list_(pa.float64(), 2))
    for way in ([None, ring, []], pa.array([None, ring, []], points), pa.array([None, [ring], []], pa.list_(points))):
        runs, boxes = hm.polygon_to_rle(way)
        assert (runs.lengths > 0).tolist() == [False, True, False]
        assert boxes[0].tolist() == [0, 0, 0, 0]
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([None, ring], dtype=pandas.ArrowDtype(points))
    assert hm.polygon_to_rle(column)[0].n == 2
    assert hm.polygon_to_rle([])[0].n == 0
    assert hm.polygon_to_rle([[], []])[0].n == 2


def test_real_polygons_are_close_to_coco(real_polygons):
    shapes, sizes = real_polygons
    runs, boxes = hm.polygon_to_rle(shapes, sizes)
    for rle, parts, size in zip(hm.to_coco_rle(runs, boxes, sizes), shapes, sizes, strict=True):
        theirs = coco.merge(coco.frPyObjects(parts, *size))
        outline = sum(np.abs(np.diff(np.reshape(part, (-1, 2)), axis=0)).sum() for part in parts)
        union = coco.area(coco.merge([rle, theirs]))
        common = coco.area(coco.merge([rle, theirs], intersect=True))
        assert int(union) - int(common) <= outline + 10


def test_real_polygons_equal_the_naive_rule(real_polygons):
    shapes, sizes = real_polygons
    runs, boxes = hm.polygon_to_rle(shapes[:60], sizes[:60])
    for mask, box, parts, size in zip(hm.decode(runs, boxes), boxes, shapes, sizes, strict=False):
        expected = naive_fill([np.reshape(part, (-1, 2)) for part in parts], *size)
        assert (in_image(mask, box, size) == expected).all()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([[0, 0], [1, 1]], "two|2 vertices"),
        ([[0, 0]], "1 vertices"),
        ([[0, 0], [4, float("nan")], [4, 4]], "finite"),
        ([[0, 0], [4, float("inf")], [4, 4]], "finite"),
        ([[0, 0], [4, 1e300], [4, 4]], "2\\*\\*30"),
        ([[0, 0, 1], [4, 0, 1], [4, 4, 1]], "odd|pair"),
        ([[0, 0], [4, "a"], [4, 4]], "numbers"),
        ([[0, 0], [4, 10**400], [4, 4]], "numbers"),
        ([[0, 0], [4, None], [4, 4]], "finite"),
        ([[0, 0], [4], [4, 4]], "pair"),
        ([[0, 0], 4, [4, 4]], "Polygons"),
        ([[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9]], "spans"),
        ([[0, 0], [1, 0], [1, 1e9], [0, 1e9]], "run ends"),
    ],
)
def test_bad_polygons_are_refused(bad, says):
    good = [[0, 0], [4, 0], [4, 4]]
    with pytest.raises(ValidationException, match=says):
        hm.polygon_to_rle([good, bad])


def test_bad_polygon_in_coco_form():
    with pytest.raises(ValidationException, match="polygon 1"):
        hm.polygon_to_rle([[[0, 0, 4, 0, 4, 4]], [[0, 0, 4, 0, 4]]])
    with pytest.raises(ValidationException, match="polygon 1, ring 1 has 2"):
        hm.polygon_to_rle([[[0, 0, 4, 0, 4, 4]], [[0, 0, 4, 0, 4, 4], [0, 0, 1, 1]]])


def test_a_wide_image_costs_nothing():
    runs, boxes = hm.polygon_to_rle([[0, 0], [1e9, 0], [1e9, 2], [0, 2]], (2, 10**9))
    assert (runs.to_list(), boxes.tolist()) == ([[1, 2 * 10**9]], [[0, 0, 10**9, 2]])


def test_coco_rule_needs_sizes_and_bounds():
    ring = [[0, 0], [4, 0], [4, 4]]
    with pytest.raises(ValidationException, match="image_sizes"):
        hm.polygon_to_rle(ring, rule="coco")
    with pytest.raises(ValidationException, match=r"2\*\*22"):
        hm.polygon_to_rle([[0, 0], [1e9, 0], [1e9, 2]], (10, 10), rule="coco")
    with pytest.raises(ValidationException, match="rule"):
        hm.polygon_to_rle(ring, rule="other")
