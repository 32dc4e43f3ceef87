"""Geometry columns: what goes in comes out, whatever the way."""

from __future__ import annotations

import io
import json
import pickle

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

import hastyframe as hf
from hastyframe import geometry
from hastyframe.geometry import Mask, MaskArray, Polygon, PolygonArray, base

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2]]
TWO = [[[0, 0], [2, 0], [2, 2]], [[5, 5], [9, 5], [9, 9]]]
RING = Polygon([[0.1, 0.2], [40.30000000000001, 0], [4, 1e-17], [-0.0, 7]])

numbers = st.floats(-1e6, 1e6, allow_nan=False)
rings = st.lists(st.tuples(numbers, numbers).map(list), min_size=1, max_size=6)
polygons = st.lists(st.lists(rings, min_size=1, max_size=3), max_size=3).map(Polygon)


@st.composite
def masks(draw):
    height, width = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    pixels = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    corner = draw(st.tuples(st.integers(-5, 100), st.integers(-5, 100)))
    return Mask.from_array(np.array(pixels, bool).reshape(height, width), *corner)


columns = st.one_of(
    st.lists(st.none() | polygons, max_size=6).map(lambda cells: pd.Series(cells, dtype="polygon")),
    st.lists(st.none() | masks(), max_size=6).map(lambda cells: pd.Series(cells, dtype="mask")),
)


def through_csv(frame):
    text = io.StringIO(frame.to_csv(index=False))
    return pd.read_csv(text, dtype={"g": frame["g"].dtype.name})


def through_parse(frame):
    text = io.StringIO(frame.to_csv(index=False))
    back = pd.read_csv(text, converters={"g": geometry.parse})
    return back.astype({"g": frame["g"].dtype})


def through_parquet(frame):
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return pd.read_parquet(buffer)


def through_feather(frame):
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return pd.read_feather(buffer)


TRIPS = {
    "csv": through_csv,
    "parse": through_parse,
    "parquet": through_parquet,
    "feather": through_feather,
    "pickle": lambda frame: pickle.loads(pickle.dumps(frame)),
    "cells": lambda frame: frame.assign(g=[pickle.loads(pickle.dumps(cell)) for cell in frame["g"]]),
    "arrow": lambda frame: pa.Table.from_pandas(frame).to_pandas(),
    "convert_dtypes": lambda frame: frame.convert_dtypes(),
    "object": lambda frame: frame.astype({"g": object}),
    "text": lambda frame: frame.assign(g=geometry.parse(frame["g"].astype("str"))) if len(frame) else frame,
    "polars": lambda frame: pl.DataFrame(pa.table({"g": frame["g"].array.__arrow_array__().storage})).to_pandas(
        use_pyarrow_extension_array=True
    ),
    "halves": lambda frame: pd.concat([frame.iloc[: len(frame) // 2], frame.iloc[len(frame) // 2 :]]),
    "taken": lambda frame: frame.iloc[::-1].iloc[::-1],
}


@pytest.mark.parametrize("trip", TRIPS)
@settings(deadline=None, max_examples=12)
@given(column=columns)
def test_what_goes_in_comes_out(trip, column):
    back = TRIPS[trip](pd.DataFrame({"g": column}))["g"]
    if back.isna().all() and back.dtype != column.dtype:
        return  # nothing says what it was
    pd.testing.assert_series_equal(
        back.astype(column.dtype) if trip in ("object", "cells", "polars") else back,
        column,
        check_index=False,
        check_names=False,
    )


def test_a_file_of_parquet_is_plain_lists_to_duckdb(tmp_path):
    frame = pd.DataFrame({"polygon": pd.array([SQUARE, None], dtype="polygon"), "mask": MaskArray([np.eye(2), None])})
    frame.to_parquet(tmp_path / "frame.parquet")
    rows = duckdb.sql(f"select * from '{tmp_path / 'frame.parquet'}'").fetchall()
    assert [list(map(list, rows[0][0][0][0]))] == [SQUARE]
    assert rows[0][1] == {"x_min": 0, "y_min": 0, "x_max": 2, "y_max": 2, "runs": [1, 1, 4, 1]}
    assert rows[1] == (None, None)
    shown = pa.Table.from_pandas(frame)  # noqa: F841 - DuckDB finds it by its name
    assert duckdb.sql("select mask.runs from shown").fetchall() == [([1, 1, 4, 1],), (None,)]


def test_json_has_plain_things():
    frame = pd.DataFrame(
        {"polygon": pd.array([SQUARE, TWO, None], dtype="polygon"), "mask": MaskArray([np.eye(2)] * 3)}
    )
    rows = json.loads(frame.to_json(orient="records"))
    assert rows[0]["polygon"] == {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]]]}
    assert rows[1]["polygon"]["type"] == "MultiPolygon" and rows[2]["polygon"] is None
    assert rows[0]["mask"] == {"frame": [0, 0, 2, 2], "runs": [1, 1, 4, 1]}
    assert PolygonArray([row["polygon"] for row in rows]).equals(frame["polygon"].array)
    assert MaskArray([row["mask"] for row in rows]).equals(frame["mask"].array)


# What polygons are made of --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_",
    [
        SQUARE,
        tuple(map(tuple, SQUARE)),
        np.array(SQUARE),
        np.array(SQUARE, np.float32),
        [float(number) for point in SQUARE for number in point],
        [np.array(SQUARE).reshape(-1)],
        [SQUARE],
        [[SQUARE]],
        "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))",
        " multipolygon(((0 0,4 0,4.0 4e0, 0 4,0 0)))",
        {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]]]},
        Polygon(SQUARE),
    ],
    ids=repr,
)
def test_ways_to_say_a_square(given_):
    polygon = Polygon(given_)
    assert polygon == SQUARE and polygon == given_ if not isinstance(given_, str | dict) else polygon == SQUARE
    assert polygon.to_list() == SQUARE and polygon.area == 16 and polygon.bounds == (0, 0, 4, 4)
    assert PolygonArray([None, given_])[1] == polygon
    assert hash(polygon) == hash(Polygon(SQUARE))


@pytest.mark.parametrize(
    ("type_", "values", "wanted"),
    [
        (pa.list_(pa.list_(pa.float64())), [SQUARE, None], [SQUARE, None]),
        (pa.large_list(pa.list_(pa.int32(), 2)), [SQUARE, None], [SQUARE, None]),
        (pa.list_(pa.float32()), [[0, 0, 4, 0, 4, 4, 0, 4], None], [SQUARE, None]),
        (pa.list_(pa.list_(pa.list_(pa.float64()))), [TWO, None, []], [TWO, None, []]),
        (pa.list_(pa.list_(pa.list_(pa.list_(pa.float64())))), [[[SQUARE, HOLE]], None], [[[SQUARE, HOLE]], None]),
        (pa.string(), ["POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", None], [SQUARE, None]),
        (pa.null(), [None, None], [None, None]),
    ],
)
def test_arrow_layouts(type_, values, wanted):
    array = pa.array(values, type_)
    for one in (
        array,
        pa.chunked_array([array.slice(0, 1), array.slice(1)]),
        pa.concat_arrays([array, array])[: len(array)],
    ):
        made = PolygonArray(one)
        assert made.equals(PolygonArray(wanted)) and len(made) == len(wanted)


def test_parts_unite_and_rings_of_a_part_have_holes():
    cells = PolygonArray([SQUARE, [[SQUARE, HOLE]], TWO, [[SQUARE, HOLE], [[[5, 5], [9, 5], [9, 9]]]], [], None])
    assert cells.area.tolist()[:5] == [16, 15, 10, 23, 0] and np.isnan(cells.area[5])
    assert list(map(repr, cells)) == [
        "polygon of 4 points",
        "polygon of 8 points, 1 hole",
        "2 parts, 6 points",
        "2 parts, 11 points, 1 hole",
        "0 parts, 0 points",
        "<NA>",
    ]
    assert np.isnan(cells.bounds[4:]).all() and cells.bounds[3].tolist() == [0, 0, 9, 9]
    over = PolygonArray([[SQUARE, [[2, 2], [6, 2], [6, 6], [2, 6]]]])
    assert over.area.tolist() == [28]
    other = [[2, 2], [6, 2], [6, 6], [2, 6]]
    assert PolygonArray([[[SQUARE, HOLE], [other]], None, [[SQUARE], [other]]]).area[[0, 2]].tolist() == [27, 28]


@pytest.mark.parametrize(
    "bad",
    [
        [[0, 0], [1]],
        [0, 1, 2],
        "POLYGON 1",
        "POLYGON ((0 0, 1))",
        5,
        [[[[[1, 2]]]]],
        {"type": "Point"},
        b"ab",
        [[0, None]],
    ],
)
def test_what_is_no_polygon_is_named(bad):
    with pytest.raises(hf.ValidationException, match="Row 1 is"):
        PolygonArray([SQUARE, bad])
    with pytest.raises(hf.HastyError):
        pd.Series([SQUARE, bad], dtype="polygon")


def test_a_polygon_does_not_change():
    with pytest.raises(AttributeError):
        RING.parts = ()
    with pytest.raises(ValueError, match="several rings"):
        np.asarray(Polygon(TWO))


# What masks are made of -----------------------------------------------------------------------------------------------


def test_ways_to_say_a_mask():
    pixels = np.zeros((7, 9), np.uint8)
    pixels[2:4, 3:8] = 1
    pixels[3, 5] = 0
    encoded = coco.encode(np.asfortranarray(pixels))
    tight = Mask.from_array(pixels[2:4, 3:8], 3, 2)
    column = MaskArray(
        [
            pixels,
            pixels.astype(bool),
            pixels.tolist(),
            encoded,
            {**encoded, "counts": encoded["counts"].decode()},
            tight,
            str(tight),
        ]
    )
    assert column.area.tolist() == [9] * 7 and (column.bounds == [3, 2, 8, 4]).all()
    assert len(MaskArray(column[3:]).unique()) == 1
    assert column[0].frame == (0, 0, 9, 7) and column[3].frame == (3, 2, 8, 4)
    assert column[0] == pixels and np.array_equal(np.asarray(column[0]), pixels)


def test_many_ways_in_one_column_stay_in_order():
    one, other = Mask([1, 4], [10, 20, 12, 22]), Mask([1, 6], [1, 2, 3, 5])
    column = MaskArray([one, None, str(other), np.eye(2), None, other.toDict(), one])
    assert [None if cell is pd.NA else cell.frame for cell in column] == [
        one.frame,
        None,
        other.frame,
        (0, 0, 2, 2),
        None,
        other.frame,
        one.frame,
    ]


@pytest.mark.parametrize(
    "bad", [[1, 4], "MASK (1 2 3) (1 2)", {"size": [2, 2], "counts": [9]}, 5, np.zeros(3), {"a": 1}]
)
def test_what_is_no_mask_is_named(bad):
    with pytest.raises(hf.ValidationException, match="Row 2 is"):
        MaskArray([np.eye(2), None, bad])


@pytest.mark.parametrize(("runs", "frame"), [([1, 5], [0, 0, 2, 2]), ([1], [0, 0, 2, 2]), ([1, 1], [0, 0, 1.5, 2])])
def test_runs_that_do_not_fit_are_refused(runs, frame):
    with pytest.raises(hf.ValidationException):
        Mask(runs, frame)


# As columns -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["polygon", "mask"])
def test_assignments(dtype):
    cells = {
        "polygon": [Polygon(SQUARE), Polygon(TWO)],
        "mask": [Mask([1, 4], [10, 20, 12, 22]), Mask([1, 4], [30, 4, 32, 6])],
    }
    one, two = cells[dtype]
    ways = [
        lambda s: s.iloc.__setitem__([0, 1], [two, one]),
        lambda s: s.loc.__setitem__(["a", "b"], [two, one]),
        lambda s: s.__setitem__(slice("a", "b"), [two, one]),
        lambda s: s.__setitem__(np.array([True, True, False]), [two, one]),
        lambda s: (s.at.__setitem__("a", two), s.at.__setitem__("b", one)),
        lambda s: (s.iat.__setitem__(0, two), s.iat.__setitem__(1, one)),
        lambda s: s.update(pd.Series([two, one], ["a", "b"], dtype=dtype)),
    ]
    for way in ways:
        column = pd.Series([one, one, None], ["a", "b", "c"], dtype=dtype)
        before = column.copy()
        way(column)
        assert (
            column.dtype == dtype
            and column.iloc[:2].tolist() == [two, one]
            and column.isna().tolist() == [False, False, True]
        )
        assert before.iloc[:2].tolist() == [one, one]
    column = pd.Series([one, None, two], dtype=dtype)
    assert column.where([False, False, True], one).tolist() == [one, one, two]
    assert column.mask([True, True, False], pd.Series([two, two, two], dtype=dtype)).tolist() == [two, two, two]
    assert column.fillna(two).tolist() == [one, two, two]
    assert (column == one).tolist() == [True, False, False] and (column != one).tolist() == [False, True, True]
    assert column.value_counts().tolist() == [1, 1] and column.isin([two]).tolist() == [False, False, True]


def test_a_frame_keeps_the_types_through_pandas():
    frame = pd.DataFrame({"k": [1, 1, 2], "g": pd.array([SQUARE, None, TWO], dtype="polygon")})
    assert frame.groupby("k").first()["g"].tolist() == [SQUARE, TWO]
    assert frame.merge(pd.DataFrame({"k": [2, 3]}), how="outer")["g"].isna().tolist() == [False, True, False, True]
    assert pd.concat([frame, frame]).drop_duplicates()["g"].dtype == "polygon"
    assert (
        frame.sort_values("g")["g"].isna().tolist() == [False, False, True]
        and frame.sort_values("g")["g"].iloc[0] == TWO
    )
    assert frame.explode("k")["g"].dtype == "polygon"
    frame["g"] = frame["g"].astype("str")
    assert frame["g"].tolist()[0].startswith("POLYGON")
    assert frame.astype({"g": "polygon"})["g"].tolist()[0] == SQUARE


def test_a_slice_pickles_only_itself():
    many = MaskArray.from_runs([[1, 4]] * 10_000, [[0, 0, 2, 2]] * 10_000)
    assert len(pickle.dumps(many[:3])) < 2_000 and pickle.loads(pickle.dumps(many[5:8])).equals(many[5:8])


def test_pictures_of_cells():
    assert Polygon([[SQUARE, HOLE], [HOLE]])._repr_svg_().count("<path") == 2
    svg = Mask([1, 2, 7, 6], [10, 20, 14, 24])._repr_svg_()
    assert svg.count("M") == 3 and 'viewBox="0 0 4 4"' in svg


def test_types_are_known_to_arrow_again():
    for type_ in (PolygonArray.TYPE, MaskArray.TYPE):
        base.register(type_)
        assert pa.types.is_nested(type_.STORAGE)


# Other libraries ------------------------------------------------------------------------------------------------------


def test_shapely_takes_and_gives_them():
    column = PolygonArray([SQUARE, None, TWO, [[SQUARE, HOLE], [[[9, 9], [10, 9], [10, 10]]]]])
    shapes = column.to_shapely()
    assert shapes[1] is None and [shape.area for shape in shapes if shape] == [16, 10, 15.5]
    assert column.area[[0, 2, 3]].tolist() == [16, 10, 15.5]
    assert PolygonArray(shapes).equals(column)
    frame = pd.DataFrame({"g": column})
    frame.loc[1, "g"] = shapes[0]
    assert frame["g"][1] == SQUARE and frame["g"].dtype == "polygon"


@pytest.mark.filterwarnings("ignore")  # those of Dask about pandas
def test_dask_keeps_them(tmp_path):
    dask = pytest.importorskip("dask.dataframe")
    rows = range(40)
    frame = pd.DataFrame(
        {
            "k": [row % 7 for row in rows],
            "polygon": PolygonArray([None if row % 9 == 0 else [[0, 0], [4, 0], [4, row]] for row in rows]),
            "mask": MaskArray([None if row % 8 == 0 else np.eye(row % 5 + 1) for row in rows]),
        }
    )
    parts = dask.from_pandas(frame, npartitions=4)
    pd.testing.assert_frame_equal(parts.compute(), frame)
    assert dask.from_pandas(frame, npartitions=4).dask.keys() == parts.dask.keys()
    assert parts["mask"].isna().sum().compute() == 5 and len(parts[parts["k"] > 2].compute()) == (frame["k"] > 2).sum()
    pd.testing.assert_frame_equal(parts.shuffle("k").compute().sort_index(), frame)
    joined = parts.merge(pd.DataFrame({"k": [1, 2], "n": [3, 4]}), on="k").compute()
    assert joined.dtypes[["polygon", "mask"]].astype(str).tolist() == ["polygon", "mask"]
    parts.to_parquet(tmp_path / "parts")
    pd.testing.assert_frame_equal(dask.read_parquet(tmp_path / "parts").compute(), frame)


# Kernels --------------------------------------------------------------------------------------------------------------


def test_kernels_take_columns_of_masks():
    one = MaskArray([Mask([1, 2, 7, 2], [10, 20, 14, 22]), None, Mask([2, 3], [0, 0, 2, 2])])
    other = MaskArray([Mask([1, 4], [12, 20, 14, 22]), Mask([1, 1], [5, 5, 6, 6]), None])
    runs, boxes = one.runs_in_boxes()
    more = other.runs_in_boxes()
    kernels = hf.masks
    for column in (one, pd.Series(one, ["a", "b", "c"])):
        for kernel in (
            kernels.decode,
            kernels.decode_flat,
            kernels.bbox,
            kernels.trim,
            kernels.problems,
            kernels.rle_to_polygon,
        ):
            assert repr(kernel(column)) == repr(kernel(runs, boxes)) == repr(kernel(runs=column))
        assert kernels.check(column) is None and kernels.area(column).tolist() == [4, 0, 3]
        for kernel in (kernels.iou, kernels.intersection_area, kernels.union, kernels.intersection, kernels.difference):
            wanted = kernel(runs, boxes, *more)
            for got in (kernel(column, other), kernel(column, other_runs=other), kernel(runs, boxes, other)):
                assert repr(got) == repr(wanted)
        assert kernels.iou(column, other, pairs="all").shape == (3, 3)
        assert repr(kernels.place(column, (30, 30))) == repr(kernels.place(runs, boxes, (30, 30)))
        assert kernels.to_coco_rle(column, (30, 30)) == kernels.to_coco_rle(runs, boxes, (30, 30))
        assert repr(kernels.crop(column, [0, 0, 30, 30])) == repr(kernels.crop(runs, boxes, [0, 0, 30, 30]))
    with pytest.raises(hf.ValidationException, match="boxes is given twice"):
        kernels.bbox(one, boxes=boxes)


def test_kernels_take_columns_of_polygons():
    kernels = hf.masks
    column = pd.Series([SQUARE, None, TWO], dtype="polygon")
    plain = [[SQUARE], None, TWO]
    for kernel in (kernels.polygon_area, kernels.polygon_bounds, kernels.as_polygons, kernels.polygon_to_rle):
        assert repr(kernel(column)) == repr(kernel(plain)) == repr(kernel(column.array))
    holed = pd.Series([[[SQUARE, HOLE]], SQUARE], dtype="polygon")
    assert kernels.polygon_area(holed).tolist() == [15, 16] == holed.array.area.tolist()
    with pytest.raises(hf.ValidationException, match="polygon 0 has several parts, and some have holes"):
        kernels.polygon_area(pd.Series([[[SQUARE, HOLE], [[[9, 9], [10, 9], [10, 10]]]]], dtype="polygon"))


def test_contours_of_opencv_are_rings():
    ring = np.array(SQUARE, np.int32)
    contour = ring[:, None, :]
    assert Polygon(contour) == Polygon(ring)
    assert Polygon([contour, contour + 20]) == Polygon([ring, ring + 20])
    assert PolygonArray([contour, None, (contour,)]).area.tolist()[::2] == [Polygon(ring).area] * 2
    holed = [[np.array(SQUARE) * 9, np.array(SQUARE) + 1]]
    assert len(Polygon(holed).parts[0]) == 2


def test_one_vertex_is_no_polygon():
    column = pd.Series([SQUARE] * len(SQUARE), dtype="polygon")
    with pytest.raises(
        hf.ValidationException, match=r"two numbers are one vertex.*make it a hastyframe\.geometry\.Polygon"
    ):
        column.loc[:] = [[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]]
    for vertex in ([1, 2], np.array([1.0, 2.0]), (1, 2)):
        with pytest.raises(hf.ValidationException, match="two numbers are one vertex"):
            Polygon(vertex)
    column.loc[:] = Polygon([[0, 0], [9, 0], [9, 9]])
    assert (column.array.area == 40.5).all()


def test_equal_polygons_have_one_hash():
    zero, negative = Polygon([[0.0, 0.0], [4, 0], [4, 4]]), Polygon([[-0.0, 0.0], [4, -0.0], [4, 4]])
    assert zero == negative and hash(zero) == hash(negative) and len({zero, negative}) == 1


@pytest.mark.parametrize("odd", [np.nan, 0.3, np.inf, -0.5])
def test_pixels_that_are_no_whole_numbers_need_a_threshold(odd):
    with pytest.raises(hf.ValidationException, match=r"(?s)Row 1 .*pixels > 0\.5"):
        MaskArray([np.eye(2), np.array([[odd, 1.0], [0.0, 1.0]])])
    assert MaskArray([np.array([[255.0, 0.0]]), np.array([[7, 0]])]).area.tolist() == [1, 1]


def test_texts_with_blanks_are_parsed():
    text = "POLYGON ((0 0, 4 0, 4 4, 0 0))"
    for texts in (["  ", text, None], pd.Series(["", text, np.nan], name="g")):
        column = geometry.parse(texts)
        assert column.dtype == "polygon" and column.isna().tolist() == [True, False, True]
    assert geometry.parse([]).dtype == "polygon" and geometry.parse(" ") is None
