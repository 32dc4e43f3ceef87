"""Frames of other libraries at every door: what they say here is what the same frame of pandas says."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hastyframe as hf
from hastyframe import frames
from hastyframe.intake import as_pandas


class Stream:
    """Something that nobody knows, which speaks the Arrow PyCapsule protocol."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


class Batch:
    """The same, with all rows at once."""

    def __init__(self, table: pa.Table) -> None:
        self._batch = table.combine_chunks().to_batches()[0]

    def __arrow_c_array__(self, requested_schema=None):
        return self._batch.__arrow_c_array__(requested_schema)


class Interchange:
    """A frame of an older library, by ``__dataframe__``; the protocol has no lists."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True):
        return self._table.__dataframe__(nan_as_null, allow_copy)


def large(table: pa.Table) -> pa.Table:
    """The same with other Arrow types for texts and lists, as other libraries have them."""
    types = {
        "polygon": pa.large_list(pa.list_(pa.float64())),
        "mask": pa.large_list(pa.int64()),
        **{name: pa.string_view() for name, type_ in zip(table.column_names, table.schema.types, strict=True)
           if pa.types.is_large_string(type_)},
    }  # fmt: skip
    for number, name in enumerate(table.column_names):
        if name in types:
            column = pa.array(table[name].to_pylist(), types[name])
            table = table.set_column(number, name, column)
    return table


def polars(frame):
    return pytest.importorskip("polars", reason="Polars is not installed").from_arrow(frame)


def duckdb(frame):
    library = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    return library.connect().from_arrow(frame)


KINDS = {
    "table": lambda table: table,
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "large": large,
    "stream": Stream,
    "array": Batch,
    "polars": polars,
    "polars, by pandas": lambda table: polars(table).to_pandas(),
    "polars, by pandas on Arrow": lambda table: polars(table).to_pandas(use_pyarrow_extension_array=True),
    "duckdb": duckdb,
    "duckdb, by pandas": lambda table: duckdb(table).df(),
    "dicts": lambda table: table.to_pylist(),
    "columns": lambda table: table.to_pydict(),
    "columns of arrays": lambda table: {name: table[name] for name in table.column_names},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def as_table(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow, its index a column like the others."""
    return pa.table(frame.reset_index()).replace_schema_metadata(None)


def of(kind: str, frame: pd.DataFrame):
    return KINDS[kind](as_table(frame))


def plain(frame: pd.DataFrame) -> list[dict]:
    return as_table(frame).to_pylist()


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """What two calls returned is the same but for dtypes."""
    columns = ["image_id", "class_name", *frames.BOX]
    both = [one[columns].astype({"image_id": "str", "class_name": "str"}) for one in (found, wanted)]
    both = [one.astype(dict.fromkeys(frames.BOX, float)).reset_index(drop=True) for one in both]
    pd.testing.assert_frame_equal(*both)


# What comes in --------------------------------------------------------------------------------------------------------


@kinds
def test_lists_arrive_as_the_schema_has_them(labels, kind):
    found = as_pandas(of(kind, labels), "label_id")
    for name, type_ in (("polygon", frames.POLYGON), ("mask", frames.MASK)):
        column = frames.arrow_list(found[name], pd.ArrowDtype(type_))
        assert frames.arrow_array(column).to_pylist() == frames.arrow_array(labels[name]).to_pylist()
        if kind in ("table", "batch", "large", "stream", "array", "polars", "duckdb"):
            assert found[name].dtype == pd.ArrowDtype(type_)
            assert found.index.name == "label_id"


def test_frames_of_older_libraries(labels):
    wanted = labels[["image_id", *frames.BOX]]
    found = as_pandas(Interchange(as_table(wanted)), "label_id")
    pd.testing.assert_frame_equal(found.astype({"image_id": "str"}), wanted, check_dtype=False, check_index_type=False)


def test_a_frame_of_pandas_stays_the_one_it_is(labels):
    assert as_pandas(labels, "label_id") is labels


def test_what_is_no_frame_stays_what_it_is():
    things = ["a", b"a", None, 3, ["a"], [], (), {"image_id": "a"}, np.zeros((2, 2)), pd.Series([1]), iter(())]
    assert all(as_pandas(thing, records=False) is thing for thing in things)


def test_gaps_take_no_digits():
    big = 2**60 + 1
    found = as_pandas(pa.table({"image_id": [big, None], "there": [True, None], "share": pa.array([1, 3])}))
    assert found["image_id"].tolist()[0] == big
    assert found["there"].tolist()[0] is True


def test_the_index_that_pandas_notes_in_a_table_comes_back(labels):
    pd.testing.assert_index_equal(as_pandas(pa.table(labels)).index, labels.index)
    nameless = as_pandas(pa.table(labels.rename_axis(None)))
    pd.testing.assert_index_equal(nameless.index, labels.index.rename(None))


def test_decimals_are_numbers():
    duck = pytest.importorskip("duckdb", reason="DuckDB is not installed").connect()
    found = as_pandas(duck.sql("SELECT 0.5 AS score, 12345678901234567890123 AS more"))
    assert found["score"].tolist() == [0.5]
    assert found["more"].dtype == float


def test_rows_and_columns_are_told_apart():
    row = {"image_id": "a", "bbox": [0, 0, 4, 4], "polygon": [[0, 0], [4, 0], [4, 4]], "mask": [1, 3]}
    assert as_pandas(row)["bbox"].tolist() == [[0, 0, 4, 4]]
    columns = {"image_id": ["a", "b"], "class_name": "cat", "bbox": np.zeros((2, 4)), "mask": [[1, 3], None]}
    assert as_pandas(columns)["class_name"].tolist() == ["cat", "cat"]
    with pytest.raises(hf.ValidationException, match="columns are no table"):
        as_pandas({"image_id": ["a", "b"], "class_name": ["cat"]})


def test_a_lazy_frame_says_what_to_do():
    lazy = pytest.importorskip("polars", reason="Polars is not installed").LazyFrame({"x_min": [1]})
    with pytest.raises(hf.ValidationException, match=r"labels is .* Collect it first"):
        hf.add_area(lazy)


@pytest.mark.parametrize("bad", ["labels.csv", 3, None, [1], pa.array(["a"])])
def test_what_is_no_frame_is_refused(bad):
    with pytest.raises(hf.ValidationException, match="must be a frame"):
        hf.add_area(bad)
    with pytest.raises(hf.ValidationException, match="must be a frame"):
        hf.evaluate(bad, bad)


# Doors without a server -----------------------------------------------------------------------------------------------


@kinds
def test_helpers_take_frames_of_every_kind(images, labels, kind):
    taken, pictures = of(kind, labels), of(kind, images[["width", "height"]])
    assert hf.add_area(taken)["area"].tolist() == hf.add_area(labels)["area"].tolist()
    assert len(hf.find_duplicates(taken)) == len(hf.find_duplicates(labels))
    same(hf.clip_to_image(of(kind, labels), pictures), hf.clip_to_image(labels, images))
    classes = of(kind, pd.DataFrame({"name": ["coin", "cell"]}))
    maps = dict(hf.flatten(of(kind, labels), of(kind, images[["width", "height"]]), classes))
    wanted = dict(hf.flatten(labels, images, pd.DataFrame({"name": ["coin", "cell"]})))
    assert maps.keys() == wanted.keys()
    assert all((maps[key] == wanted[key]).all() for key in maps)


@kinds
@pytest.mark.parametrize("iou", ["bbox", "mask"])
def test_evaluations_take_frames_of_every_kind(images, labels, kind, iou):
    sizes = images[["width", "height"]]
    predictions = labels.assign(score=[0.9, 0.8, 0.7, 0.6]).rename_axis("prediction_id")
    found = hf.evaluate(of(kind, labels), of(kind, predictions), images=of(kind, sizes), iou=iou)
    wanted = hf.evaluate(labels, predictions, images=sizes, iou=iou)
    pd.testing.assert_series_equal(found.summary(), wanted.summary())


@kinds
def test_class_maps_are_compared(images, labels, kind):
    sizes = images[["width", "height"]]
    found = hf.evaluate_semantic(of(kind, labels), of(kind, labels), of(kind, sizes), ["coin", "cell", "sky"])
    assert found.summary()["pixel_accuracy"] == 1


@kinds
def test_label_sets_take_frames_of_every_kind(project, images, labels, kind):
    classes = project.get_label_classes()
    found = hf.LabelSet(of(kind, images), of(kind, labels), of(kind, classes))
    wanted = hf.LabelSet(images, labels, classes)
    assert found.images.index.tolist() == wanted.images.index.tolist()
    assert found.label_classes.index.tolist() == wanted.label_classes.index.tolist()
    assert found.labels.index.tolist() == wanted.labels.index.tolist()
    assert plain(found.labels) == plain(wanted.labels)


def test_plots_take_frames_of_every_kind(images, labels):
    pytest.importorskip("matplotlib")
    from matplotlib import pyplot

    sizes = images[["name", "width", "height"]]
    for kind in ("table", "stream", "dicts", "columns"):
        hf.plot.labels(images.loc[labels["image_id"].iloc[0]], of(kind, labels), classes={"coin": "#ff0000"})
        hf.plot.grid(of(kind, sizes), of(kind, labels))
        hf.plot.class_counts(of(kind, labels), classes=of(kind, pd.DataFrame({"name": ["coin"], "color": ["#ff0000"]})))
        hf.plot.sizes(of(kind, labels))
        pyplot.close("all")


# Doors to the server --------------------------------------------------------------------------------------------------


@kinds
def test_labels_of_every_kind_are_created_edited_and_deleted(project, images, labels, kind):
    made = project.create_labels(of(kind, labels.reset_index(drop=True).rename_axis("row")))
    same(made, labels)
    edited = project.edit_labels(of(kind, made.assign(z_index=5.0)))
    assert edited["z_index"].tolist() == [5.0] * 4
    assert project.get_labels(of(kind, images))["z_index"].tolist().count(5.0) == 4
    project.delete_labels(of(kind, made))
    assert set(project.get_labels().index) == set(labels.index)


@kinds
def test_plans_of_every_kind_have_nothing_to_do(project, images, labels, kind):
    assert len(project.plan_labels(of(kind, labels), of(kind, labels))) == 0
    assert len(project.plan_labels(labels, of(kind, labels))) == 0
    assert len(project.plan_status(of(kind, images), of(kind, images))) == 0
    classes = project.get_label_classes()
    assert len(project.plan_label_classes(of(kind, classes), of(kind, classes))) == 0


@kinds
def test_statuses_tags_and_values_of_every_kind(project, images, labels, kind):
    project.set_status(of(kind, images[["status"]].assign(status="DONE")))
    assert set(project.get_images()["status"]) == {"DONE"}
    project.create_tag_class("sharp")
    tags = pd.DataFrame({"image_id": images.index, "tag_class_name": "sharp"})
    project.add_tags(of(kind, tags))
    found = project.get_tags(of(kind, images[["name"]]))
    assert len(found) == len(images)
    assert len(project.plan_tags(of(kind, found), of(kind, found))) == 0
    project.delete_tags(of(kind, found))
    assert project.get_tags().empty
    project.create_attribute("number", "INT")
    values = pd.DataFrame({"label_id": labels.index, "attribute_name": "number", "value": range(4)})
    project.set_label_attributes(of(kind, values))
    stored = project.get_label_attributes(of(kind, labels[["image_id"]]))
    assert stored["value"].tolist() == [0, 1, 2, 3]
    stored = stored.assign(value=stored["value"].astype("int64"))
    assert len(project.plan_label_attributes(of(kind, stored), of(kind, stored))) == 0


@kinds
def test_pictures_of_every_kind_go_up_and_down(project, pictures, kind, tmp_path):
    names = sorted(path.name for path in pictures.iterdir())
    wanted = pd.DataFrame({"path": [str(pictures / name) for name in names], "dataset_name": "train"})
    assert set(project.upload_images(of(kind, wanted))["outcome"]) == {"uploaded"}
    images = project.get_images()
    report = project.download_images(of(kind, images), tmp_path)
    assert set(report["outcome"]) == {"downloaded"}
    assert len(project.get_detector().predict_images(of(kind, images))) == 2 * len(images)


# There and back -------------------------------------------------------------------------------------------------------


def through_csv(labels):
    """CSV, whose lists are text: without outlines and masks, of which a later frame says nothing."""
    text = labels.drop(columns=["polygon", "mask"]).to_csv()
    return pd.read_csv(io.StringIO(text))


TRIPS = {
    "csv": through_csv,
    "pickle": lambda labels: pickle.loads(pickle.dumps(labels)),
    "json": lambda labels: pd.DataFrame(labels.reset_index().to_dict("records")),
    "polars": lambda labels: polars(pa.table(labels.reset_index())),
    "duckdb": lambda labels: duckdb(pa.table(labels.reset_index())),
    "arrow": lambda labels: pa.table(labels),
    "convert_dtypes": lambda labels: labels.drop(columns=["polygon", "mask"]).convert_dtypes(),
    "convert_dtypes on Arrow": lambda labels: labels.drop(columns=["polygon", "mask"]).convert_dtypes(
        dtype_backend="pyarrow"
    ),
    **{
        f"texts as {dtype}": lambda labels, dtype=dtype: labels.astype(
            dict.fromkeys(["image_id", "class_id", "class_name", "external_id"], dtype)
        )
        for dtype in (
            "object",
            "str",
            "string",
            "string[python]",
            "string[pyarrow]",
            "large_string[pyarrow]",
            "category",
        )
    },
}


@pytest.mark.parametrize("trip", TRIPS)
def test_labels_that_come_back_plan_nothing(project, labels, trip):
    before = project.get_labels()
    plan = project.plan_labels(before, TRIPS[trip](before))
    assert len(plan) == 0, plan


# What pandas, Polars and Dask leave behind ----------------------------------------------------------------------------


def test_levels_of_an_index_are_columns_and_ids():
    rows = pd.DataFrame({"x": [1, 2], "image_id": ["p", "q"], "label_id": ["a", "b"]})
    for levels in (["image_id", "label_id"], ["label_id", "image_id"]):
        for drop in (True, False):
            found = as_pandas(rows.set_index(levels, drop=drop), "label_id")
            assert found.index.tolist() == ["a", "b"] and found.index.name == "label_id"
            assert found["image_id"].tolist() == ["p", "q"] and found["x"].tolist() == [1, 2]
    grouped = rows.drop(columns="label_id").set_index([["r", "s"]]).groupby("image_id", group_keys=True)
    found = as_pandas(grouped.apply(lambda group: group.head(1)), "label_id")
    assert found.index.tolist() == ["r", "s"] and found["image_id"].tolist() == ["p", "q"]
    without = as_pandas(rows.set_index(["image_id", "x"]), "tag_id")
    assert without.index.tolist() == [0, 1] and set(without.columns) == {"image_id", "x", "label_id"}
    assert as_pandas(rows.set_index(["image_id", "label_id"]).iloc[:0], "label_id").index.name == "label_id"


def test_plans_take_what_grouping_leaves(project, labels):
    grouped = labels.groupby("image_id", group_keys=True).apply(lambda group: group)
    assert len(project.plan_labels(labels, grouped)) == 0
    moved = labels.reset_index().set_index(["image_id", "class_name", "label_id"])
    assert len(project.plan_labels(labels, moved)) == 0
    views = pd.Index(pd.array(pa.array(labels.index.tolist(), pa.string_view()), dtype=pd.ArrowDtype(pa.string_view())))
    assert len(project.plan_labels(labels, labels.set_axis(views))) == 0
    columns = {"image_id": views.array[:0].dtype, "external_id": views.array[:0].dtype}
    assert len(project.plan_labels(labels, labels.astype(columns))) == 0
    decimals = {"x_min": pd.ArrowDtype(pa.decimal128(10, 2)), "z_index": pd.ArrowDtype(pa.decimal256(12, 4))}
    assert len(project.plan_labels(labels, labels.astype(decimals))) == 0


def test_lazy_frames_are_to_be_collected(project, labels):
    polars = pytest.importorskip("polars")

    class Lazy:
        def compute(self):
            return labels

    for lazy, verb in ((polars.LazyFrame({"label_id": ["a"]}), "collect"), (Lazy(), "compute")):
        for door in (
            lambda rows: project.plan_labels(labels, rows),
            project.create_labels,
            project.set_status,
            hf.add_area,
            lambda rows: hf.evaluate(labels, rows),
        ):
            with pytest.raises(hf.HastyError, match=rf"Collect it first, by its \.{verb}\(\)"):
                door(lazy)
