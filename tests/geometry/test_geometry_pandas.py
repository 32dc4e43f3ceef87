"""pandas' own tests of extension arrays, for both kinds of geometry."""

from __future__ import annotations

import operator

import pytest
from pandas.tests.extension import base
from pandas.tests.extension.conftest import *  # noqa: F403 - the fixtures that the tests ask for

from hastyframe.geometry import Mask, MaskArray, MaskDtype, Polygon, PolygonArray, PolygonDtype

IMMUTABLE = "rows lie in Arrow buffers, which are never written to: a view that follows an assignment does not exist"
NO_ORDER = "geometries have no order; sorting goes by area"
NO_NUMBERS = "a plot of geometries against an axis means nothing"
NO_PIXELS = "of a list of masks NumPy keeps the pixels and not where they lie: a list is refused, a column is taken"


def polygon(side):
    return Polygon([[0, 0], [side, 0], [side, 0.5]])


def mask(side):
    return Mask([1, side], [2, 3, 2 + side, 4])


# Fixtures that stand elsewhere in the oldest pandas that is allowed.
REDUCTIONS = ["count", "sum", "max", "min", "mean", "prod", "std", "var", "median", "kurt", "skew", "sem"]


@pytest.fixture(params=["__add__", "__sub__", "__mul__", "__truediv__", "__radd__"])
def all_arithmetic_operators(request):
    return request.param


@pytest.fixture(params=["all", "any"])
def all_boolean_reductions(request):
    return request.param


@pytest.fixture(params=["cumsum", "cumprod", "cummin", "cummax"])
def all_numeric_accumulations(request):
    return request.param


@pytest.fixture(params=REDUCTIONS)
def all_numeric_reductions(request):
    return request.param


@pytest.fixture(params=["eq", "ne", "lt", "gt", "le", "ge"])
def comparison_op(request):
    return getattr(operator, request.param)


@pytest.fixture(params=[None, lambda x: x])
def sort_by_key(request):
    return request.param


@pytest.fixture(params=[True, False])
def using_nan_is_na(request):
    return request.param


@pytest.fixture(params=["polygon", "mask"])
def kind(request):
    return request.param


@pytest.fixture
def make(kind):
    one, array = {"polygon": (polygon, PolygonArray), "mask": (mask, MaskArray)}[kind]
    return lambda *sides: array([None if side is None else one(side) for side in sides])


@pytest.fixture
def dtype(kind):
    return {"polygon": PolygonDtype, "mask": MaskDtype}[kind]()


@pytest.fixture
def data(make):
    return make(*range(1, 11))


@pytest.fixture
def data_missing(make):
    return make(None, 1)


@pytest.fixture
def data_for_sorting(make):
    return make(2, 3, 1)


@pytest.fixture
def data_missing_for_sorting(make):
    return make(2, None, 1)


@pytest.fixture
def data_for_grouping(make):
    return make(2, 2, None, None, 1, 1, 2, 3)


class TestGeometry(base.ExtensionTests):
    @pytest.mark.skip(IMMUTABLE)
    def test_view(self): ...

    @pytest.mark.skip(IMMUTABLE)
    def test_setitem_preserves_views(self): ...

    @pytest.mark.skip(IMMUTABLE)
    def test_transpose(self): ...

    @pytest.mark.skip(NO_ORDER)
    def test_combine_le(self): ...

    @pytest.mark.skip(NO_NUMBERS)
    def test_plot_on_y_axis(self): ...

    def test_where_series_listlike_other(self, data, kind):
        if kind == "mask":
            pytest.skip(NO_PIXELS)
        if not hasattr(base.BaseMethodsTests, "test_where_series_listlike_other"):
            pytest.skip("this version of pandas does not test it")
        super().test_where_series_listlike_other(data)

    def test_mask_listlike_other_inplace(self, data, kind):
        if kind == "mask":
            pytest.skip(NO_PIXELS)
        if not hasattr(base.BaseMethodsTests, "test_mask_listlike_other_inplace"):
            pytest.skip("this version of pandas does not test it")
        super().test_mask_listlike_other_inplace(data)
