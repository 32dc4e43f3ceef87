import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hastyframe import masks as hm
from hastyframe.errors import ValidationException

ROWS = [[1, 2, 7, 2], [], [1, 1]]


def ways():
    flat = np.array([1, 2, 7, 2, 1, 1], np.int32)
    ends = np.array([0, 4, 4, 6])
    kind = pa.list_(pa.int32())
    yield hm.Ragged(flat, ends)
    yield flat, ends
    yield np.concatenate([[9, 9], flat, [9]]), ends + 2
    yield ROWS
    yield [np.array(row, np.int32) for row in ROWS]
    yield [[1.0, 2.0, 7.0, 2.0], None, [1, 1]]
    yield pa.array(ROWS, kind)
    yield pa.array(ROWS, pa.large_list(pa.int64()))
    yield pa.array([ROWS[0], None, ROWS[2]], kind)
    yield pa.array([[5, 5], *ROWS, [6]], kind)[1:4]
    yield pa.chunked_array([pa.array(ROWS[:1], kind), pa.array(ROWS[1:], kind)])
    yield pa.chunked_array([pa.array(ROWS, kind)])


@pytest.mark.parametrize("rows", list(ways()), ids=lambda rows: type(rows).__name__)
def test_every_way_to_give_lists(rows):
    ragged = hm.as_ragged(rows)
    assert ragged.to_list() == ROWS
    assert ragged.offsets.dtype == np.int64
    assert ragged.offsets[0] == 0
    assert hm.area(rows).tolist() == [4, 0, 1]


def test_pandas_columns():
    pandas = pytest.importorskip("pandas")
    kind = pandas.ArrowDtype(pa.list_(pa.int32()))
    assert hm.as_ragged(pandas.Series(ROWS, dtype=kind)).to_list() == ROWS
    assert hm.as_ragged(pandas.Series(ROWS)).to_list() == ROWS
    assert hm.as_ragged(pandas.Series([ROWS[0], None, ROWS[2]], dtype=kind)).to_list() == ROWS
    assert hm.as_ragged(pandas.Series([ROWS[0], float("nan"), ROWS[2]])).to_list() == ROWS
    assert hm.as_ragged(pandas.Series([], dtype=kind)).n == 0


def test_arrow_values_are_not_copied():
    column = pa.array(ROWS, pa.list_(pa.int32()))
    ragged = hm.as_ragged(column)
    assert ragged.values.__array_interface__["data"][0] == column.values.buffers()[1].address
    again = ragged.to_arrow()
    assert again.values.buffers()[1].address == column.values.buffers()[1].address
    assert again.to_pylist() == ROWS


def test_one_row_and_none():
    assert hm.as_ragged([1, 2]).to_list() == [[1, 2]]
    assert hm.as_ragged(np.array([1, 2])).to_list() == [[1, 2]]
    assert hm.as_ragged(np.array([[1, 2], [3, 4]])).to_list() == [[1, 2], [3, 4]]
    assert hm.as_ragged([]).n == 0
    assert hm.as_ragged([[]]).to_list() == [[]]
    assert hm.as_ragged(pa.array([None, None])).to_list() == [[], []]


def test_take():
    ragged = hm.as_ragged(ROWS)
    assert ragged.take([2, 0, 2, 1]).to_list() == [ROWS[2], ROWS[0], ROWS[2], []]
    assert ragged.take([]).n == 0


@pytest.mark.parametrize(
    "bad",
    [
        (np.array([1, 2]), np.array([0, 3])),
        (np.array([1, 2]), np.array([2, 0])),
        (np.array([1, 2]), np.array([-1, 2])),
        (np.array([1, 2]), np.array([], np.int64)),
        (np.array([1, 2]), np.array([0.0, 2.0])),
        (np.array([[1, 2]]), np.array([0, 1])),
        np.zeros((1, 1, 1)),
        [[1, "a"]],
        [["a", "b"]],
        [[1, None]],
        [3, [1]],
        [[[1, 2]]],
        ["ab"],
        pa.array([[1, None]], pa.list_(pa.int32())),
        pa.array([1, 2]),
        pa.array(["a"]),
        pa.array([["a"]]),
    ],
    ids=str,
)
def test_what_is_no_list_of_numbers(bad):
    with pytest.raises(ValidationException):
        hm.as_ragged(bad)


def test_check_names_every_bad_mask():
    runs = [[1, 2, 7, 2], [1], [0, 1], [1, 0], [4, 2, 3, 1], [8, 2], [2**40, 1], [], [1, 8]]
    found = hm.problems(runs, (2, 4))
    assert list(found) == [1, 2, 3, 4, 5, 6]
    for index, says in zip(
        found, ["pairs", "starts at 0", "length 0", "before the end", "pixel 9", "32 bits"], strict=True
    ):
        assert says in found[index]
    with pytest.raises(ValidationException, match=r"mask 1 .* \(6 of 9 masks are bad"):
        hm.check(runs, (2, 4))
    hm.check([[1, 2, 7, 2], []], [[10, 10, 14, 12], [np.nan] * 4])
    hm.check([], np.zeros((0, 4)))


def test_check_agrees_with_the_kernels():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        runs = rng.integers(-1, 9, rng.integers(0, 7)).tolist()
        if hm.problems([runs], (2, 4)):
            with pytest.raises(ValidationException):
                hm.decode([runs], [(2, 4)])
        else:
            hm.decode([runs], [(2, 4)])


ALONE = """
import sys, types
package = types.ModuleType("hastyframe")
package.__path__ = sys.argv[1:]
sys.modules["hastyframe"] = package
import hastyframe.masks
print(sorted({"pandas", "pyarrow", "pycocotools", "requests"} & set(sys.modules)))
print(sorted(name for name in sys.modules if name.startswith("hastyframe.") and ".masks" not in name))
"""


def test_importing_is_cheap():
    """NumPy only, and nothing of the package but its errors."""
    folder = str(Path(hm.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", ALONE, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['hastyframe.errors']"]
