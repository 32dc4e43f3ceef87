import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from hastyframe import masks as hm
from hastyframe.errors import ValidationException
from hastyframe.masks import coco as coco_module
from hastyframe.masks import toggles
from hastyframe.masks.counts import counts_from_strings, counts_to_strings

from .samples import cut, in_image, mask_lists, random_boxes, random_masks, shapes_of, tight

# pycocotools.mask.decode under NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

MANY = random_masks(10_000, seed=1)
BOXES, SIZES = random_boxes(MANY, seed=1)


@pytest.fixture(scope="module")
def expected():
    images = [in_image(*each) for each in zip(MANY, BOXES, SIZES, strict=True)]
    return [coco.encode(np.asfortranarray(image)) for image in images]


def test_strings_equal_those_of_pycocotools(expected):
    ours = hm.to_coco_rle(hm.encode(MANY), BOXES, SIZES)
    assert ours == [{"size": list(one["size"]), "counts": one["counts"]} for one in expected]


def test_strings_and_lists(expected):
    runs = hm.encode(MANY[:500])
    texts = hm.to_coco_rle(runs, BOXES[:500], SIZES[:500], counts="str")
    assert [one["counts"].encode() for one in texts] == [one["counts"] for one in expected[:500]]
    lists = hm.to_coco_rle(runs, BOXES[:500], SIZES[:500], counts="list")
    for one, other in zip(lists, expected[:500], strict=True):
        assert coco.frPyObjects(one, *one["size"])["counts"] == other["counts"]


def check_tight(runs, boxes, masks, corners, sizes):
    images = [in_image(*each) for each in zip(masks, corners, sizes, strict=True)]
    assert (boxes == np.array([tight(image) for image in images]).reshape(-1, 4)).all()
    for image, box, mask in zip(images, boxes, hm.decode(runs, boxes), strict=True):
        assert (mask == cut(image, box)).all()


def test_masks_come_back(expected):
    runs, boxes = hm.from_coco_rle(expected)
    assert runs.values.dtype == np.int32
    check_tight(runs, boxes, MANY, BOXES, SIZES)


def test_all_kinds_of_counts_mixed(expected):
    lists = hm.to_coco_rle(hm.encode(MANY[:300]), BOXES[:300], SIZES[:300], counts="list")
    mixed = [
        one if index % 3 == 0 else other if index % 3 == 1 else {**other, "counts": other["counts"].decode()}
        for index, (one, other) in enumerate(zip(lists, expected[:300], strict=True))
    ]
    runs, boxes = hm.from_coco_rle(mixed)
    check_tight(runs, boxes, MANY[:300], BOXES[:300], SIZES[:300])
    only_lists = hm.from_coco_rle(lists)
    assert only_lists[0].to_list() == runs.to_list()


@given(mask_lists)
def test_there_and_back(samples):
    shape = shapes_of(samples)
    boxes = np.concatenate([np.zeros_like(shape), shape[:, ::-1]], axis=1)
    rles = hm.to_coco_rle(hm.encode(samples), boxes, shape)
    for one, mask in zip(rles, samples, strict=True):
        assert one["counts"] == coco.encode(np.asfortranarray(mask))["counts"]
    check_tight(*hm.from_coco_rle(rles), samples, boxes, shape)


@st.composite
def column_counts(draw):
    """A size, flat ones and thin ones among them, and few or many counts, so that runs go on over columns."""
    height, width = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.sampled_from([(1, 40), (40, 1), (1, 1)]))
    size = height * width
    places = draw(st.lists(st.integers(0, size), max_size=draw(st.sampled_from([0, 1, 2, 4, size]))))
    return {"size": [height, width], "counts": np.diff([0, *sorted(places), size]).tolist()}


@pytest.mark.parametrize("at_once", [1, 30, coco_module.AT_ONCE])
@given(rles=st.lists(column_counts(), max_size=7))
def test_counts_against_pixels(at_once, rles):
    images = [np.repeat(np.arange(len(rle["counts"])) % 2, rle["counts"]).reshape(rle["size"][::-1]).T for rle in rles]
    strings = [coco.encode(np.asfortranarray(image, np.uint8)) for image in images]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coco_module, "AT_ONCE", at_once)
        patch.setattr(toggles, "AT_ONCE", at_once)
        for some in (rles, strings):
            runs, boxes = hm.from_coco_rle(some)
            assert (boxes == np.array([tight(image) for image in images]).reshape(-1, 4)).all()
            for image, box, mask in zip(images, boxes, hm.decode(runs, boxes), strict=True):
                assert (mask == cut(image, box)).all()
        assert hm.to_coco_rle(runs, boxes, [rle["size"] for rle in rles]) == [
            {"size": list(one["size"]), "counts": one["counts"]} for one in strings
        ]


@pytest.mark.parametrize("shape", [(70_000, 3), (3, 70_000)])
def test_more_columns_than_sixteen_bits_count(shape):
    rng = np.random.default_rng(0)
    images = [np.asfortranarray(rng.random(size) < 0.3, np.uint8) for size in (shape, (5, 7), shape)]
    rles = [coco.encode(image) for image in images]
    runs, boxes = hm.from_coco_rle(rles)
    for image, box, mask in zip(images, boxes, hm.decode(runs, boxes), strict=True):
        assert (mask == cut(image, box)).all()
    ours = hm.to_coco_rle(runs, boxes, [image.shape for image in images])
    assert [one["counts"] for one in ours] == [one["counts"] for one in rles]


@pytest.mark.parametrize("size", [(2**15, 2**16 - 1), (2**16 - 1, 2**16 + 1)])
@pytest.mark.parametrize("kind", ["list", "bytes"])
def test_images_that_together_exceed_32_bits(size, kind):
    height, width = size
    boxes = [
        [width - 3, height - 4, width, height],
        [0, 0, 3, 4],
        [width // 2, height // 3, width // 2 + 3, height // 3 + 4],
    ]
    runs = [[1, 12], [2, 5, 8, 5], [1, 1, 3, 2, 6, 7]]
    rles = hm.to_coco_rle(runs, boxes, size, counts=kind)
    found, places = hm.from_coco_rle(rles)
    assert found.to_list() == runs
    assert places.tolist() == boxes


def test_counts_that_grow_beyond_32_bits_by_small_steps():
    step = 2**29 - 1
    rows = [[0, 1], [0, *(step * number for number in range(1, 9) for _ in range(2))], [5]]
    counts = hm.as_ragged(rows)
    assert counts_from_strings(counts_to_strings(counts)).to_list() == rows


def test_a_mask_is_named_by_its_place_among_all(monkeypatch):
    monkeypatch.setattr(coco_module, "AT_ONCE", 1)
    good = {"size": [2, 6], "counts": b"211010O01"}
    with pytest.raises(ValidationException, match="mask 5 add up to 4 of 12"):
        hm.from_coco_rle([*[good] * 5, {"size": [2, 6], "counts": b"13"}, good])


def test_counts_of_zero_within_a_list():
    runs, boxes = hm.from_coco_rle({"size": [2, 4], "counts": [0, 1, 0, 1, 2, 0, 1, 3]})
    assert hm.decode(runs, boxes)[0].tolist() == [[1, 0, 0, 1], [1, 0, 1, 1]]


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=9), max_size=5))
def test_the_codec_alone(rows):
    counts = hm.as_ragged(rows)
    assert counts_from_strings(counts_to_strings(counts)).to_list() == rows


def test_the_crowd_results_file(coco_file):
    from .samples import DATA

    path = DATA / "coco" / "instances_val2014_fakesegm100_results.json"
    if not path.exists():
        pytest.skip(f"no detections at {path}")
    import json

    rles = [each["segmentation"] for each in json.loads(path.read_text())]
    rles += [each["segmentation"] for each in coco_file["annotations"] if each["iscrowd"]]
    runs, boxes = hm.from_coco_rle(rles)
    sizes = [rle["size"] for rle in rles]
    plain = [coco.frPyObjects(rle, *rle["size"]) if isinstance(rle["counts"], list) else rle for rle in rles]
    assert (hm.area(runs) == [coco.area(rle) for rle in plain]).all()
    for ours, theirs in zip(hm.to_coco_rle(runs, boxes, sizes), plain, strict=True):
        assert (coco.decode(ours) == coco.decode(theirs)).all()


GOOD = {"size": [2, 4], "counts": [1, 3, 4]}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"size": [2, 4], "counts": [1, 3]}, "add up to 4 of 8"),
        ({"size": [2, 4], "counts": [1, 3, 40]}, "add up to 44 of 8"),
        ({"size": [2, 4], "counts": [-1, 9]}, "count -1"),
        ({"size": [2, 4], "counts": [2**62, 2**62]}, "count"),
        ({"size": [2, 4], "counts": [2**64, 1]}, "whole number"),
        ({"size": [2, 4], "counts": [1.5, 6.5]}, "whole number"),
        ({"size": [2, 4], "counts": b"13"}, "add up to 4 of 8"),
        ({"size": [2, 4], "counts": b"13P"}, "cut short"),
        ({"size": [2, 4], "counts": b"13\x00"}, "byte 0 at place 2"),
        ({"size": [2, 4], "counts": "13é"}, "byte 195 at place 2"),
        ({"size": [2, 4], "counts": b"P" * 40 + b"0"}, "beyond 32 bits"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "image"),
        ({"size": [-2, -4], "counts": [8]}, "maxima"),
        ({"size": [2], "counts": [8]}, "mask 1"),
        ({"size": None, "counts": [8]}, "mask 1"),
        ({"counts": [8]}, "mask 1"),
        ({"size": [2, 4]}, "mask 1"),
        ({"size": [2, 4], "counts": None}, "add up to 0 of 8"),
        ({"size": [2, 4], "counts": [[8]]}, "whole numbers"),
        ({"size": [2, 4], "counts": {"a": 8}}, "whole numbers"),
        ("nonsense", "mask 1"),
        (None, "mask 1"),
    ],
)
def test_bad_counts_are_named(bad, says):
    for kind in (GOOD, hm.to_coco_rle([2, 1], [0, 0, 4, 2], (2, 4))[0]):
        with pytest.raises(ValidationException) as caught:
            hm.from_coco_rle([kind, bad])
        assert says in str(caught.value)


def test_a_wide_image_costs_nothing():
    rle = hm.to_coco_rle([1, 4], [10**9 - 2, 0, 10**9, 2], (4, 10**9))[0]
    assert rle["size"] == [4, 10**9]
    runs, boxes = hm.from_coco_rle(rle)
    assert (runs.to_list(), boxes.tolist()) == ([[1, 4]], [[10**9 - 2, 0, 10**9, 2]])
    with pytest.raises(ValidationException, match="image 0"):
        hm.to_coco_rle([1, 4], [0, 0, 2, 2], (10**9, 10**9))


def test_a_mask_outside_its_image_is_refused():
    for box in ([-1, 0, 1, 2], [0, -1, 2, 1], [4, 0, 6, 2], [0, 4, 2, 6]):
        with pytest.raises(ValidationException, match=r"mask 1 .* not inside"):
            hm.to_coco_rle([[1, 4], [1, 4]], [[0, 0, 2, 2], box], (5, 5))


def test_stripes_that_would_fill_the_memory_are_refused():
    side = 2**15
    stripes = np.stack([np.arange(1, side * side, 2 * side), np.full(side // 2, side)], axis=1)
    with pytest.raises(ValidationException, match="run ends"):
        hm.to_coco_rle(stripes.reshape(-1), [0, 0, side, side], (side, side))


@pytest.mark.parametrize("others", [[], [{"size": [1, 1], "counts": "1"}]])
def test_a_bare_number_is_no_list_of_counts(others):
    with pytest.raises(ValidationException, match="flat list"):
        hm.from_coco_rle([*others, {"size": [1, 1], "counts": 1}, {"size": [1, 1], "counts": 1}])


def test_a_mask_that_does_not_fit_is_named_by_its_place_among_all(monkeypatch):
    monkeypatch.setattr(coco_module, "AT_ONCE", 4)
    runs = [[1, 2, 7, 2], [1, 1], [1, 1], [3, 9]]
    for convert in (hm.to_coco_rle, hm.to_coco_counts):
        with pytest.raises(ValidationException, match=r"^mask 3 ends at pixel 11 of a box of 8 pixels"):
            convert(runs, [(2, 4)] * 4, (2, 6))
