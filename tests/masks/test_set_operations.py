import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from hastyframe import masks as hm
from hastyframe.errors import ValidationException

from .samples import cut, in_image, masks, random_boxes, random_masks, shapes_of, tight

MANY = random_masks(4000, seed=2)
BOXES, SIZES = random_boxes(MANY, seed=2)
RUNS = hm.encode(MANY)
OTHER = np.random.default_rng(5).permutation(len(MANY))
CANVAS = (40, 40)
IMAGES = [in_image(mask, box, CANVAS) for mask, box in zip(MANY, BOXES, strict=True)]

placed = st.tuples(masks, st.integers(0, 8), st.integers(0, 8))


def boxed(samples):
    """Runs, boxes and pictures of masks at places."""
    arrays = [mask for mask, _, _ in samples]
    corner = np.array([[x, y] for _, x, y in samples]).reshape(-1, 2)
    boxes = np.concatenate([corner, corner + shapes_of(arrays)[:, ::-1]], axis=1)
    pictures = [in_image(mask, box, CANVAS) for mask, box in zip(arrays, boxes, strict=True)]
    return hm.encode(arrays), boxes, pictures


def check_same(runs, boxes, pictures):
    assert (boxes == np.array([tight(picture) for picture in pictures]).reshape(-1, 4)).all()
    hm.check(runs, boxes)
    for mask, box, picture in zip(hm.decode(runs, boxes), boxes, pictures, strict=True):
        assert (mask == cut(picture, box)).all()


RULES = [
    (hm.union, lambda one, other: one | other),
    (hm.intersection, lambda one, other: one & other),
    (hm.difference, lambda one, other: one & ~other & 1),
]


@pytest.mark.parametrize(("ours", "naive"), RULES)
def test_many_pairs(ours, naive):
    runs, boxes = ours(RUNS, BOXES, RUNS.take(OTHER), BOXES[OTHER])
    check_same(runs, boxes, [naive(one, IMAGES[other]) for one, other in zip(IMAGES, OTHER, strict=True)])


@pytest.mark.parametrize(("ours", "naive"), RULES)
@given(pairs=st.lists(st.tuples(placed, placed), max_size=4))
def test_random_pairs(ours, naive, pairs):
    runs, boxes, pictures = boxed([one for one, _ in pairs])
    other_runs, other_boxes, other_pictures = boxed([other for _, other in pairs])
    found = ours(runs, boxes, other_runs, other_boxes)
    check_same(*found, [naive(one, other) for one, other in zip(pictures, other_pictures, strict=True)])


def test_crop_and_place():
    targets = BOXES[OTHER]
    found = hm.decode(hm.crop(RUNS, BOXES, targets), targets)
    for mask, target, picture in zip(found, targets, IMAGES, strict=True):
        assert (mask == cut(picture, target)).all()
    whole = hm.place(RUNS, BOXES, CANVAS)
    assert (hm.decode(whole, CANVAS) == np.stack(IMAGES)).all()
    back = hm.crop(whole, [CANVAS] * len(MANY), BOXES)
    assert back.to_list() == RUNS.to_list()
    check_same(*hm.trim(RUNS, BOXES), IMAGES)


def test_targets_may_stick_out():
    targets = BOXES + np.array([-3, -2, 1, 5])
    found = hm.decode(hm.crop(RUNS, BOXES, targets), targets)
    padded = [np.pad(picture, 8) for picture in IMAGES]
    for mask, target, picture in zip(found, targets, padded, strict=True):
        assert (mask == cut(picture, target + 8)).all()
    small = hm.decode(hm.place(RUNS, BOXES, (7, 9)), (7, 9))
    assert (small == np.stack(IMAGES)[:, :7, :9]).all()


def naive_iou(one, other):
    union = (one | other).sum()
    return (one & other).sum() / union if union else 0.0


def test_mask_iou_row_by_row():
    expected = [naive_iou(one, IMAGES[other]) for one, other in zip(IMAGES, OTHER, strict=True)]
    assert np.allclose(hm.iou(RUNS, BOXES, RUNS.take(OTHER), BOXES[OTHER]), expected, atol=0, rtol=1e-15)
    area = [(one & IMAGES[other]).sum() for one, other in zip(IMAGES, OTHER, strict=True)]
    assert (hm.intersection_area(RUNS, BOXES, RUNS.take(OTHER), BOXES[OTHER]) == area).all()


def test_mask_iou_all_against_all_as_pycocotools():
    filled = [index for index, mask in enumerate(MANY) if mask.any()][:60]
    rles = hm.to_coco_rle(RUNS.take(filled), BOXES[filled], CANVAS)
    crowd = np.arange(25) % 3 == 0
    expected = coco.iou(rles[:35], rles[35:], crowd.astype(np.uint8).tolist())
    first, second = filled[:35], filled[35:]
    ours = hm.iou(RUNS.take(first), BOXES[first], RUNS.take(second), BOXES[second], pairs="all", crowd=crowd)
    assert ours.shape == (35, 25)
    assert np.allclose(ours, expected, rtol=1e-15, atol=0)


def test_given_pairs(monkeypatch):
    monkeypatch.setattr("hastyframe.masks.overlap.AT_ONCE", 50)
    rows, others = np.array([3, 5, 3, 12]), np.array([4, 5, 33, 2])
    expected = [naive_iou(IMAGES[one], IMAGES[other]) for one, other in zip(rows, others, strict=True)]
    assert np.allclose(hm.iou(RUNS, BOXES, RUNS, BOXES, pairs=(rows, others)), expected)
    for bad in (([0], [0, 1]), ([len(MANY)], [0]), ([-1], [0]), "some"):
        with pytest.raises(ValidationException, match="pair"):
            hm.iou(RUNS, BOXES, RUNS, BOXES, pairs=bad)


@pytest.mark.parametrize("at_once", [1, 2**20])
@pytest.mark.parametrize("apart", [0, 60_000, 10**9])
@given(samples=st.lists(placed, max_size=6))
def test_shared_pixels_wherever_masks_lie(at_once, apart, samples):
    runs, boxes, pictures = boxed(samples)
    near = np.array([[(one & other).sum() for other in pictures] for one in pictures], int).reshape(runs.n, runs.n)
    there = boxes + apart  # so far that positions on the canvas take 64 bits
    far = np.concatenate([boxes, there]) - 2 * apart // 3
    twice = runs.take([*range(runs.n), *range(runs.n)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hastyframe.masks.overlap.AT_ONCE", at_once)
        found = hm.intersection_area(twice, far, twice, far, pairs="all")
    across = near if not apart else np.zeros_like(near)
    assert (found == np.block([[near, across], [across, near]])).all()


def test_another_number_of_masks():
    with pytest.raises(ValidationException, match=r"4000 .* 1"):
        hm.union(RUNS, BOXES, [1, 1], [0, 0, 1, 1])
    with pytest.raises(ValidationException, match=r"4000 .* 1"):
        hm.iou(RUNS, BOXES, [1, 1], [0, 0, 1, 1])


def test_rows_without_mask_have_no_box():
    runs, boxes = hm.union([[], []], [[np.nan] * 4] * 2, [[1, 1], []], [[5, 5, 6, 6], [np.nan] * 4])
    assert (runs.to_list(), boxes.tolist()) == ([[1, 1], []], [[5, 5, 6, 6], [0, 0, 0, 0]])
    assert hm.iou([[]], [[np.nan] * 4], [[]], [[0, 0, 1, 1]]).tolist() == [0]


def test_far_apart():
    with pytest.raises(ValidationException, match="too far apart"):
        hm.union([1, 1], [0, 0, 1, 1], [1, 1], [10**9, 10**9, 10**9 + 1, 10**9 + 1])
    assert hm.intersection([1, 1], [0, 0, 1, 1], [1, 1], [10**9, 10**9, 10**9 + 1, 10**9 + 1])[0].to_list() == [[]]


boxes_strategy = st.lists(
    st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(0, 12)] * 2).map(
        lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
    ),
    max_size=12,
)


def naive_box_iou(one, other):
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    total = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - width * height
    return width * height / total if total else 0.0


@given(boxes_strategy, boxes_strategy)
def test_box_iou(one, other):
    ours = hm.box_iou(one, other, pairs="all")
    assert ours.shape == (len(one), len(other))
    assert ours.tolist() == [[naive_box_iou(a, b) for b in other] for a in one]
    assert hm.box_iou(one, one).tolist() == [naive_box_iou(a, a) for a in one]


def test_bad_boxes():
    for bad in ([[0, 0, 1]], [[0, 0, 1, np.nan]], [["a"] * 4], np.zeros((2, 2, 4))):
        with pytest.raises(ValidationException, match=r"[Bb]ox"):
            hm.box_iou(bad, bad)
        with pytest.raises(ValidationException, match=r"[Bb]ox"):
            hm.nms(bad, [1])


def naive_nms(boxes, scores, groups, threshold):
    stays = [True] * len(boxes)
    order = sorted(range(len(boxes)), key=lambda index: -scores[index])
    for place, one in enumerate(order):
        if stays[one]:
            for other in order[place + 1 :]:
                if groups[one] == groups[other] and naive_box_iou(boxes[one], boxes[other]) > threshold:
                    stays[other] = False
    return stays


@given(boxes_strategy, st.data())
def test_nms(boxes, data):
    each = st.lists(st.integers(0, 4), min_size=len(boxes), max_size=len(boxes))
    scores, groups = data.draw(each), data.draw(each)
    threshold = data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    assert hm.nms(boxes, scores, groups, iou=threshold).tolist() == naive_nms(boxes, scores, groups, threshold)


def test_nms_in_many_groups(monkeypatch):
    monkeypatch.setattr("hastyframe.masks.suppression.AT_ONCE", 100)
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 30, (400, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 15, (400, 2))], axis=1)
    scores, groups = rng.random(400), rng.choice(["a", "b", "c"], 400)
    assert hm.nms(boxes, scores, groups).tolist() == naive_nms(boxes.tolist(), scores, groups, 0.5)
    with pytest.raises(ValidationException, match="NaN"):
        hm.nms(boxes, np.where(np.arange(400) == 7, np.nan, scores))
    with pytest.raises(ValidationException, match="as many"):
        hm.nms(boxes, scores[:5])
