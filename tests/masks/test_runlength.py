import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hastyframe import masks as hm
from hastyframe.errors import ValidationException
from hastyframe.masks import runlength

from .samples import in_image, mask_lists, masks, random_boxes, random_masks, shapes_of, tight

MANY = random_masks(10_000)


@pytest.fixture(scope="module")
def official():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("hasty.label_utils")


def test_many_masks_come_back():
    runs = hm.encode(MANY)
    assert runs.values.dtype == np.int32
    assert runs.offsets.dtype == np.int64
    back = hm.decode(runs, shapes_of(MANY))
    assert all((one == other).all() for one, other in zip(MANY, back, strict=True))


def test_runs_equal_those_of_the_official_client(official):
    assert hm.encode(MANY).to_list() == [official.rle_encoding(mask) for mask in MANY]
    runs = hm.encode(MANY)
    for mask, row in zip(MANY[:1000], runs.to_list(), strict=False):
        assert (official.rle_decode(row, mask.shape[::-1]) == mask).all()


def test_area_and_tight_boxes():
    runs = hm.encode(MANY)
    boxes, _ = random_boxes(MANY)
    assert (hm.area(runs) == [mask.sum() for mask in MANY]).all()
    expected = [
        np.add(tight(mask), np.tile(box[:2], 2)) if mask.any() else [0] * 4
        for mask, box in zip(MANY, boxes, strict=True)
    ]
    assert (hm.bbox(runs, boxes) == expected).all()
    assert (hm.bbox(runs, shapes_of(MANY)) == [tight(mask) for mask in MANY]).all()


@pytest.mark.parametrize("block", [64, 128, 4096])
def test_blocks_of_pixels_make_no_difference(monkeypatch, block):
    expected = hm.encode(MANY[:1000])
    flat = hm.decode_flat(expected, shapes_of(MANY[:1000]))
    monkeypatch.setattr("hastyframe.masks.runlength.BLOCK", block)
    for way in (MANY[:1000], flat, [mask.astype(float) for mask in MANY[:1000]]):
        assert hm.encode(way).to_list() == expected.to_list()


@pytest.mark.parametrize("words", [1, 2, 64])
@pytest.mark.parametrize("dense", [0, 6.4, 64])
@pytest.mark.parametrize("largest", [0, 2**31 - 1])
def test_no_way_to_find_changes_makes_a_difference(monkeypatch, words, dense, largest):
    some = [*MANY[:200], *(np.ones((side, side), np.uint8) for side in (1, 8, 8, 16))]
    flat = hm.Ragged(np.concatenate([mask.ravel() for mask in some]), np.cumsum([0, *(mask.size for mask in some)]))
    expected = hm.encode([mask.astype(float) for mask in some])
    monkeypatch.setattr("hastyframe.masks.bits.BLOCK", words)
    monkeypatch.setattr("hastyframe.masks.bits.DENSE", dense)
    monkeypatch.setattr("hastyframe.masks.bits.LARGEST", largest)
    for way in (some, flat):
        runs = hm.encode(way)
        assert runs.values.dtype == np.int32
        assert runs.to_list() == expected.to_list()


@pytest.mark.parametrize("runs", [1, 7, 1000])
def test_blocks_of_runs_make_no_difference(monkeypatch, runs):
    monkeypatch.setattr("hastyframe.masks.runlength.RUNS", runs)
    back = hm.decode(hm.encode(MANY[:300]), shapes_of(MANY[:300]))
    assert all((one == other).all() for one, other in zip(MANY[:300], back, strict=True))


def test_so_many_runs_that_threads_share_them():
    count, each = 5000, 100  # a million numbers
    length = np.random.default_rng(5).integers(1, 9, (count, each))
    runs = np.stack([np.arange(each) * 10 + 1 + np.zeros_like(length), length], axis=2).reshape(count, -1)
    shape = (10, 100)
    assert (hm.area(runs) == length.sum(axis=1)).all()
    assert hm.problems(runs, shape) == {}
    runs[[2500, 4000], 3] = -1
    for refuse in (hm.area, lambda runs: hm.intersection_area(runs, shape, runs, shape)):
        with pytest.raises(ValidationException, match=r"^mask 2500, run 1 has length -1"):
            refuse(runs)
    assert list(hm.problems(runs, shape)) == [2500, 4000]


def test_runs_need_not_lie_side_by_side_in_memory():
    runs = hm.encode(MANY[:100])
    apart = hm.Ragged(np.repeat(runs.values, 2)[::2], runs.offsets)
    assert not apart.values.flags.c_contiguous
    shape = shapes_of(MANY[:100])
    assert (hm.bbox(apart, shape) == hm.bbox(runs, shape)).all()
    assert (hm.decode_flat(apart, shape).values == hm.decode_flat(runs, shape).values).all()


@given(mask_lists)
def test_lists_come_back(samples):
    back = hm.decode(hm.encode(samples), shapes_of(samples))
    assert len(back) == len(samples)
    assert all((one == other).all() for one, other in zip(samples, back, strict=True))


@given(masks)
def test_one_mask_comes_back(mask):
    runs = hm.encode(mask)
    assert runs.n == 1
    assert (hm.decode(runs.values, mask.shape) == mask).all()
    assert (hm.decode(runs.to_list()[0], [3, 5, 3 + mask.shape[1], 5 + mask.shape[0]]) == mask).all()
    assert (hm.decode(runs, [mask.shape])[0] == mask).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("value", [1, 255])
def test_whatever_is_not_zero_is_set(dtype, value):
    mask = np.zeros((9, 11), dtype)
    mask[2:5, 3:9] = value
    mask[8, 10] = value
    expected = hm.encode(mask != 0).to_list()
    assert hm.encode(mask).to_list() == expected
    assert hm.encode([mask]).to_list() == expected
    assert hm.encode(np.asfortranarray(mask)).to_list() == expected
    assert hm.encode(np.stack([mask, mask])).to_list() == expected * 2
    assert hm.encode(mask[::-1, ::2]).to_list() == hm.encode((mask != 0)[::-1, ::2].copy()).to_list()


def test_mixed_values_in_long_masks():
    mask = np.zeros((100, 100), np.uint8)
    mask[20:80, 7:93] = np.random.default_rng(0).integers(0, 256, (60, 86))
    assert (hm.decode(hm.encode(mask).values, mask.shape) == (mask != 0)).all()


def test_stack():
    stack = (np.random.default_rng(0).random((7, 5, 9)) < 0.5).astype(np.uint8)
    runs = hm.encode(stack)
    assert runs.n == 7
    assert (hm.decode(runs, (5, 9)) == stack).all()
    assert hm.encode(np.zeros((0, 3, 4))).n == 0
    assert hm.encode(np.zeros((3, 0, 4))).to_list() == [[], [], []]


def test_a_run_does_not_go_over_into_the_next_mask():
    runs = hm.encode([np.ones((1, 3)), np.ones((2, 2)), np.zeros((0, 4)), np.ones((1, 1))])
    assert runs.to_list() == [[1, 3], [1, 4], [], [1, 1]]


def test_nothing():
    assert hm.encode([]).n == 0
    assert hm.decode([], np.zeros((0, 4))) == []
    assert hm.area([]).shape == (0,)
    assert hm.bbox([], np.zeros((0, 4))).shape == (0, 4)
    assert (hm.decode([], (2, 3)) == np.zeros((2, 3))).all()


def test_flat_pixels_are_one_buffer():
    runs, shape = hm.encode(MANY[:50]), shapes_of(MANY[:50])
    pixels, offsets = hm.decode_flat(runs, shape)
    assert pixels.dtype == np.uint8
    assert (offsets == np.concatenate([[0], np.cumsum(shape.prod(axis=1))])).all()
    assert hm.encode(hm.Ragged(pixels, offsets)).to_list() == runs.to_list()


def test_touching_runs_are_one_area():
    assert hm.decode([1, 2, 3, 2], (1, 5)).tolist() == [[1, 1, 1, 1, 0]]
    assert hm.area([1, 2, 3, 2]).tolist() == [4]


def test_a_row_without_mask_needs_no_box():
    boxes = [[np.nan] * 4, [0, 0, 2, 1]]
    assert [mask.shape for mask in hm.decode([[], [1, 1]], boxes)] == [(0, 0), (1, 2)]
    assert hm.bbox([[], [1, 1]], boxes).tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


def test_pixels_in_image_fit():
    boxes, sizes = random_boxes(MANY[:20])
    for mask, box, size in zip(MANY[:20], boxes, sizes, strict=True):
        assert in_image(mask, box, size).sum() == mask.sum()


@settings(max_examples=25)
@given(masks)
def test_buffers_need_not_be_aligned(mask):
    raw = np.zeros(mask.size + 1, np.uint8)
    raw[1:] = mask.reshape(-1)
    assert hm.encode(raw[1:].reshape(mask.shape)).to_list() == hm.encode(mask).to_list()


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([1, 2, 3], "pairs"),
        ([0, 2], "starts at 0"),
        ([-5, 2], "starts at -5"),
        ([1, 0], "length 0"),
        ([3, -2], "length -2"),
        ([1, 3, 3, 1], "before the end"),
        ([4, 2, 1, 1], "before the end"),
        ([7, 3], "ends at pixel 9 of a box of 8"),
        ([1, 2**31 - 1], "ends at pixel"),
        ([2**31 - 1, 2**31 - 1], "ends at pixel"),
        ([1, 2**31], "beyond 32 bits"),
        ([1, 2**63], "whole number"),
        ([1, 1.5], "not a whole number"),
        ([1, float("nan")], "not a whole number"),
    ],
)
def test_bad_runs_are_named(runs, says):
    good = [1, 2, 7, 2]
    for call in (hm.decode, hm.decode_flat, hm.bbox):
        with pytest.raises(ValidationException, match="mask 1") as caught:
            call([good, runs, good], [(2, 4)] * 3)
        assert says in str(caught.value)
        with pytest.raises(ValidationException, match="mask 0"):
            call([runs], [[10, 10, 14, 12]])


@pytest.mark.parametrize(
    "boxes",
    [
        [[0, 0, 4, 2]] * 2,
        [[0, 0, 4]],
        [[0, 0, 4, float("nan")]],
        [[0, 0, 4.5, 2]],
        [[0, 0, -4, 2]],
        [[0, 0, 2**40, 2]],
        [["a", "b", "c", "d"]],
        [None],
    ],
)
def test_bad_boxes_are_refused(boxes):
    with pytest.raises(ValidationException, match=r"box|shape"):
        hm.decode([[1, 2]], boxes)


def test_a_bomb_is_refused_before_it_is_painted():
    with pytest.raises(ValidationException, match="max_pixels"):
        hm.decode([[1, 2]] * 100, [(46_000, 46_000)] * 100)


def test_the_largest_mask_there_is():
    whole = [1, 2**31 - 1]
    assert hm.area(whole).tolist() == [2**31 - 1]
    for shape in ((2**31 - 1) // 7, 7), (7, (2**31 - 1) // 7):
        count = shape[0] * shape[1]
        assert hm.bbox([[1, count]], [shape]).tolist() == [[0, 0, shape[1], shape[0]]]
        with pytest.raises(ValidationException, match="ends at pixel"):
            hm.bbox([[1, count + 1]], [shape])


def test_bad_pictures():
    for wrong in (np.zeros(4), np.zeros((1, 1, 1, 1)), [np.zeros(4)], [np.zeros((2, 2)), 3]):
        with pytest.raises(ValidationException):
            hm.encode(wrong)


edges = st.sampled_from([-(2**31), -(2**31) + 1, -1, 0, 1, 2, 3, 5, 2**30, 2**31 - 2, 2**31 - 1])


@given(st.lists(st.lists(edges, max_size=6).map(lambda values: values[: len(values) // 2 * 2]), max_size=4))
def test_masks_are_read_if_and_only_if_they_have_no_problems(rows):
    flat = np.array([value for row in rows for value in row], np.int32)
    runs = hm.Ragged(flat, np.cumsum([0, *map(len, rows)]))
    shape = (2**30, 1)
    found = hm.problems(runs, shape)
    if not found:
        hm.bbox(runs, shape)
    else:
        with pytest.raises(ValidationException, match="|".join(rf"mask {index}\b" for index in found)):
            hm.bbox(runs, shape)


def naive_extent(pixels, width):
    """Smallest box around runs, pixel by pixel at their ends, whole rows where they span more than one."""
    columns, rows = set(), set()
    for begin, end in pixels:
        (top, left), (bottom, right) = divmod(begin, width), divmod(end - 1, width)
        rows |= {top, bottom}
        columns |= {left, right} if top == bottom else {0, width - 1}
    return [min(columns), min(rows), max(columns) + 1, max(rows) + 1] if rows else [0, 0, 0, 0]


sides = st.sampled_from([1, 2, 3, 7, 640, 1024, 1625, 1626, 2047, 2048, 4001, 40_000])
"""Up to boxes whose size times width is beyond 32 bits, among them 2**32 itself."""


@given(st.data(), st.lists(st.tuples(sides, sides), min_size=1, max_size=4))
def test_tight_boxes_of_any_size(data, shapes):
    pixels = []
    for height, width in shapes:
        near = st.integers(0, height * width) | st.integers(0, height).map(lambda row, width=width: row * width)
        ends = data.draw(st.lists(near, max_size=8, unique=True).map(sorted))
        pixels.append(list(zip(ends[0::2], ends[1::2], strict=False)))
    runs = [[number for begin, end in each for number in (begin + 1, end - begin)] for each in pixels]
    expected = [naive_extent(each, width) for each, (_, width) in zip(pixels, shapes, strict=True)]
    assert hm.bbox(hm.as_ragged(runs), shapes).tolist() == expected


def test_pixels_beyond_32_bits_are_counted_too():
    rows, size = hm.as_ragged([[3, 2], [1, 5, 7, 1]]), np.array([2**31 - 1, 8])
    for before in (0, 2**33):
        base = before + np.array([0, 2**31 - 1, 2**31 + 7])
        (begin, end), *more = runlength._lined_up(hm.Ragged(rows.values.astype(np.int32), rows.offsets), size, base)
        assert not more
        assert begin.tolist() == [before + 2, before + 2**31 - 1, before + 2**31 + 5]
        assert end.tolist() == [before + 4, before + 2**31 + 4, before + 2**31 + 6]
