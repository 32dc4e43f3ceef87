"""Labels and predictions over pictures: where lines, fills, names and legends are, and in which colours."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colors, pyplot
from matplotlib.collections import PathCollection
from matplotlib.path import Path

import hastyframe as hf
from hastyframe.plotting.shapes import outlines

IMAGES = pd.DataFrame(
    {"name": ["a.png", "b.png", "c.png"], "dataset_name": ["train", "train", "val"], "width": 40, "height": 30},
    index=pd.Index(["1", "2", "3"], name="image_id"),
)
LABELS = pd.DataFrame(
    {
        "image_id": ["1", "1", "1", "2"],
        "class_name": pd.Categorical(["coin", "cell", "cell", "coin"], categories=["sky", "coin", "cell"]),
        "x_min": [10.0, 2, np.nan, 0],
        "y_min": [12.0, 4, np.nan, 0],
        "x_max": [30.0, 6, np.nan, 40],
        "y_max": [22.0, 6, np.nan, 30],
        "mask": [None, [1, 2, 7, 2], None, None],
        "polygon": [None, None, [[1, 1], [9, 1], [9.5, 9]], None],
    },
    index=["l1", "l2", "l3", "l4"],
)
PREDICTIONS = LABELS.iloc[[0, 3]].assign(score=[0.914, 0.5])
CLASSES = pd.DataFrame({"name": ["coin", "cell"], "color": ["#ff000080", None]}, index=["c1", "c2"])


def lines_of(ax, label):
    [found] = [one for one in ax.collections if one.get_label() == label]
    return found


def fills_of(ax):
    return [one for one in ax.collections if isinstance(one, PathCollection) and len(one.get_facecolor())]


def hexes(rgba):
    return [colors.to_hex(colour) for colour in rgba]


def legend_of(ax):
    legend = ax.get_legend() or ax.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


# Outlines -------------------------------------------------------------------------------------------------------------


def test_labels_are_outlined_where_they_are():
    ax = hf.plot.labels(IMAGES.loc["1"], LABELS)
    box, mask, polygon = [path.vertices.tolist() for path in lines_of(ax, "labels").get_paths()]
    assert box == [[10, 12], [30, 12], [30, 22], [10, 22], [10, 12]]
    assert {tuple(point) for point in polygon} == {(1, 1), (9, 1), (9.5, 9)}
    assert {(2, 4), (4, 4), (4, 5), (6, 6)} <= {tuple(point) for point in mask}
    assert len(fills_of(ax)[0].get_paths()) == 2  # boxes are not filled
    assert ax.get_xlim() == (0, 40)
    assert ax.get_ylim() == (30, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_an_outline_encloses_the_pixels_of_its_mask(seed, height, width):
    random = np.random.default_rng(seed)
    pixels = random.random((height, width)) < random.random()
    frame = pd.DataFrame({"x_min": [3], "y_min": [5], "x_max": [3 + width], "y_max": [5 + height]})
    frame["mask"] = hf.masks.encode(pixels).to_list()
    [path], [kind] = outlines(frame)
    assert kind == "mask"
    rows, columns = np.indices(pixels.shape)
    middles = np.stack([columns + 3.5, rows + 5.5], -1).reshape(-1, 2)
    turns = np.zeros(pixels.size, int)  # rings of holes run the other way: what is inside has one turn left
    starts = [*np.flatnonzero(path.codes == Path.MOVETO), len(path)] if len(path) else [0]
    for start, end in pairwise(starts):
        x, y = path.vertices[start:end].T
        sign = np.sign(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
        turns += int(sign) * Path(path.vertices[start:end]).contains_points(middles)
    np.testing.assert_array_equal(turns.reshape(pixels.shape), pixels)


def test_parts_are_one_outline_of_several_rings():
    parts = [[[0, 0], [4, 0], [4, 4]], [[10, 10], [14, 10], [14, 14], [10, 14]]]
    [path], [kind] = outlines(pd.DataFrame({"parts": [parts]}))
    assert kind == "parts"
    assert np.flatnonzero(path.codes == Path.MOVETO).tolist() == [0, 4]
    assert np.flatnonzero(path.codes == Path.CLOSEPOLY).tolist() == [3, 8]


def test_boxes_on_demand():
    ax = hf.plot.labels(IMAGES.loc["1"], LABELS, boxes=True)
    assert [len(path) for path in lines_of(ax, "labels").get_paths()] == [5, 5, 4]  # the third has none
    assert lines_of(ax, "labels").get_paths()[1].vertices[2].tolist() == [6, 6]


def test_a_label_without_a_place_is_left_out():
    nowhere = pd.DataFrame({"class_name": ["coin"], "x_min": [np.nan]})
    ax = hf.plot.labels(np.zeros((5, 5)), nowhere, names=True)
    pyplot.savefig("/dev/null", format="png")
    assert not ax.texts


def test_predictions_are_dashed_and_labels_solid():
    ax = hf.plot.labels(IMAGES.loc["1"], LABELS, PREDICTIONS)
    assert lines_of(ax, "labels").get_linestyles()[0][1] is None
    assert lines_of(ax, "predictions").get_linestyles()[0][1]
    assert legend_of(ax) == ["labels (3)", "predictions (1)"]


# Colours --------------------------------------------------------------------------------------------------------------


def test_colours_are_those_of_the_project_and_else_of_the_palette():
    ax = hf.plot.labels(IMAGES.loc["1"], LABELS, classes=CLASSES)
    assert hexes(lines_of(ax, "labels").get_edgecolor()) == ["#ff0000", "#009e73", "#009e73"]
    assert hexes(fills_of(ax)[0].get_facecolor()) == ["#009e73", "#009e73"]


def test_a_class_has_the_same_colour_everywhere():
    first, second = hf.plot.grid(IMAGES.iloc[:2], LABELS)[0]
    colour = hexes(lines_of(first, "labels").get_edgecolor())[0]
    assert hexes(lines_of(second, "labels").get_edgecolor()) == [colour]


def test_another_column_can_say_the_colours():
    outcome = PREDICTIONS.assign(outcome=["tp", "fp"])
    axes = hf.plot.grid(IMAGES.iloc[:2], LABELS, outcome, color_by="outcome")
    assert hexes(lines_of(axes[0, 0], "predictions").get_edgecolor()) == ["#009e73"]
    assert hexes(lines_of(axes[0, 1], "predictions").get_edgecolor()) == ["#d55e00"]
    assert hexes(lines_of(axes[0, 1], "labels").get_edgecolor()) == ["#999999"]  # has no such column
    assert legend_of(axes[0, 0]) == ["labels", "predictions", "tp", "fp"]


# Names ----------------------------------------------------------------------------------------------------------------


def extents(ax):
    ax.figure.draw_without_rendering()
    renderer = ax.figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in ax.texts]


def test_names_and_scores_stand_beside_the_objects():
    ax = hf.plot.labels(IMAGES.loc["1"], LABELS, PREDICTIONS)
    assert [text.get_text() for text in ax.texts] == ["coin", "cell", "cell", "coin 0.91"]
    assert ax.texts[0].get_position() == (10, 12)
    assert ax.texts[3].get_position() == (10, 22)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_names_never_leave_the_picture(seed):
    random = np.random.default_rng(seed)
    corners = np.sort(random.uniform(0, 40, (6, 2, 2)), axis=1).reshape(6, 4)
    frame = pd.DataFrame(corners, columns=["x_min", "y_min", "x_max", "y_max"])
    frame["class_name"] = ["a", "a long name of a class", "b", "c", "d", "e"]
    ax = hf.plot.labels(np.zeros((40, 40)), frame, frame.assign(score=0.5))
    inside = ax.get_window_extent()
    for box in extents(ax):
        assert inside.x0 - 0.5 <= box.x0 < box.x1 <= inside.x1 + 0.5
        assert inside.y0 - 0.5 <= box.y0 < box.y1 <= inside.y1 + 0.5
    pyplot.close(ax.figure)


def test_names_make_way_for_each_other():
    frame = pd.DataFrame({"x_min": [10.0, 10], "y_min": [20.0, 20], "x_max": [30.0, 30], "y_max": [30.0, 30]})
    ax = hf.plot.labels(np.zeros((40, 40)), frame.assign(class_name=["cat", "dog"]))
    first, second = extents(ax)
    assert not first.overlaps(second)


def test_formulas_are_not_read_into_names():
    frame = LABELS.iloc[[0]].assign(class_name="$\\frac{$")
    ax = hf.plot.labels(IMAGES.loc["1"].replace("a.png", "$x_{$.png"), frame, names=True)
    ax.figure.draw_without_rendering()
    assert ax.texts[0].get_text() == "\\$\\frac{\\$"


def test_many_objects_are_counted_in_a_legend():
    many = pd.concat([LABELS.iloc[[0, 1]]] * 20, ignore_index=True)
    ax = hf.plot.labels(IMAGES.loc["1"], many)
    assert not ax.texts
    assert legend_of(ax) == ["coin (20)", "cell (20)"]


def test_one_class_alone_is_named_once():
    ax = hf.plot.labels(IMAGES.loc["2"], LABELS)
    assert not ax.texts
    assert legend_of(ax) == ["coin (1)"]


def test_a_legend_of_many_classes_ends():
    many = pd.DataFrame({"x_min": 1.0, "y_min": 1.0, "x_max": 3.0, "y_max": 3.0, "class_name": map(str, range(80))})
    ax = hf.plot.labels(np.zeros((9, 9)), many)
    assert legend_of(ax)[-1] == "and 69 more"
    assert len(legend_of(ax)) == 12


# Pictures -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(pictures, tmp_path):
    """A folder as downloads leave it, with one photograph of 512 by 512 pixels."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").write_bytes((pictures / "coins.png").read_bytes())
    return tmp_path


def test_a_row_finds_its_picture(folder):
    from PIL import Image

    row = IMAGES.loc["1"]
    pixels = np.asarray(Image.open(folder / "train" / "a.png"))
    for where in (folder, str(folder), {"1": folder / "train" / "a.png"}, pd.Series({"1": pixels})):
        [shown] = hf.plot.labels(row, LABELS, pictures=where).images
        np.testing.assert_array_equal(shown.get_array(), pixels)
        assert shown.get_extent() == [0, 40, 30, 0]  # labels are measured in the size that the image has


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_pictures_of_every_kind(mode, tmp_path):
    from PIL import Image

    grey = Image.linear_gradient("L").resize((8, 4))
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 100) if mode == "I;16" else grey.convert(mode)
    suffix = {"CMYK": "jpg", "F": "tiff", "I": "tiff"}.get(mode, "png")
    picture.save(tmp_path / f"a.{suffix}")
    ax = hf.plot.labels(tmp_path / f"a.{suffix}")
    ax.figure.draw_without_rendering()
    [shown] = ax.images
    assert shown.get_extent() == [0, 8, 4, 0]
    values = np.asarray(shown.to_rgba(shown.get_array()))[..., :3].astype(float)
    assert values.max() > values.min()


def test_a_large_picture_is_read_smaller(tmp_path):
    from PIL import Image

    Image.new("RGB", (5000, 100)).save(tmp_path / "wide.jpg")
    [shown] = hf.plot.labels(tmp_path / "wide.jpg").images
    assert shown.get_array().shape[:2] == (40, 2000)
    assert shown.get_extent() == [0, 5000, 100, 0]


def test_a_handle_is_downloaded(project, images):
    ax = hf.plot.labels(project.get_image(images.index[0]), project.get_labels())
    assert ax.get_title(loc="left") == images["name"].iloc[0]
    assert ax.images[0].get_array().size


def test_bad_pictures_are_named(tmp_path):
    (tmp_path / "no.png").write_text("no")
    row = IMAGES.loc["1"]
    for bad, why in [
        (tmp_path / "nothing.png", "no file"),
        (tmp_path / "no.png", "not a picture"),
        (IMAGES, "3 rows"),
        (np.zeros((3, 3, 2)), "shape"),
        (np.zeros((0, 3)), "shape"),
        (7, "int is not an image"),
        (row.drop("width"), "no width and height"),
    ]:
        with pytest.raises(hf.ValidationException, match=why):
            hf.plot.labels(bad)
    with pytest.raises(hf.ValidationException, match="download_images"):
        hf.plot.labels(row, pictures=tmp_path)
    with pytest.raises(hf.ValidationException, match="nothing for image '1'"):
        hf.plot.labels(row, pictures={})
    with pytest.raises(hf.ValidationException, match="leads out of the folder"):
        hf.plot.labels(row.replace("a.png", "../a.png"), pictures=tmp_path)


# Frames ---------------------------------------------------------------------------------------------------------------


def test_bad_frames_are_refused():
    for kwargs, why in [
        ({"labels": LABELS}, "of 2 images"),
        ({"labels": LABELS.iloc[:1], "color_by": "outcome"}, "'outcome'"),
        ({"labels": LABELS.iloc[:1], "classes": {"coin": "red"}}, "'red'"),
        ({"labels": LABELS.iloc[:1], "classes": CLASSES[["name"]]}, "'color'"),
    ]:
        with pytest.raises(hf.ValidationException, match=why):
            hf.plot.labels(np.zeros((9, 9)), **kwargs)
    with pytest.raises(hf.ValidationException, match="'image_id'"):
        hf.plot.labels(IMAGES.loc["1"], LABELS.drop(columns="image_id"))


def test_no_labels_are_no_problem():
    for none in (None, LABELS.iloc[:0], pd.DataFrame()):
        ax = hf.plot.labels(np.zeros((9, 9)), none, none)
        assert not ax.collections
        assert not ax.figure.legends


def test_axes_are_taken_and_returned():
    _, ax = pyplot.subplots()
    assert hf.plot.labels(IMAGES.loc["1"], LABELS, names=False, ax=ax) is ax
    assert legend_of(ax) == ["cell (2)", "coin (1)"]


# Grids ----------------------------------------------------------------------------------------------------------------


def test_a_grid_follows_the_order_of_the_rows():
    axes = hf.plot.grid(IMAGES.loc[["3", "1", "2"]], LABELS, columns=2)
    assert axes.shape == (2, 2)
    assert [ax.get_title(loc="left") for ax in axes.flat] == ["c.png", "a.png", "b.png", ""]
    assert [len(ax.collections) for ax in axes.flat] == [0, 2, 1, 0]
    assert not axes[1, 1].axison


def test_a_grid_has_titles_of_your_own():
    axes = hf.plot.grid(IMAGES.assign(title=["x", "y", "z"]), titles="title")
    assert [ax.get_title(loc="left") for ax in axes.flat] == ["x", "y", "z"]


def test_bad_grids_are_refused():
    for images in (IMAGES.iloc[:0], pd.concat([IMAGES] * 70)):
        with pytest.raises(hf.ValidationException, match=r"images\.head"):
            hf.plot.grid(images)
    with pytest.raises(hf.ValidationException, match="'title'"):
        hf.plot.grid(IMAGES, titles="title")


def test_without_matplotlib_the_error_says_what_to_install():
    script = "import sys; sys.modules['matplotlib'] = None; import hastyframe as hf; dir(hf); hf.plot"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError: plots need matplotlib: pip install 'hastyframe[plot]'" in run.stderr


def test_real_annotations(data_folder):
    with pytest.warns(hf.FormatWarning):
        label_set = hf.read_coco(data_folder / "coco" / "instances_val2014_100.json")
    busiest = label_set.labels["image_id"].value_counts().index[:4]
    axes = hf.plot.grid(label_set.images.loc[busiest], label_set.labels, columns=2)
    drawn = [len(lines_of(ax, "labels").get_paths()) for ax in axes.flat]
    assert drawn == label_set.labels["image_id"].value_counts().head(4).tolist()
    axes[0, 0].figure.draw_without_rendering()
