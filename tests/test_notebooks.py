"""The notebooks run from start to end, and the outputs that they keep are those of such a run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_500_000
AGAIN = "run: make notebooks"


@pytest.fixture(scope="module")
def build() -> Any:
    spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "notebooks" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shape(output: Any) -> tuple[Any, ...]:
    """What kind of output it is, and of how many rows: values may differ with the versions of other packages."""
    data = output.get("data", {})
    rows = data.get("text/html", "").count("<tr"), len(output.get("text", "").splitlines())
    return output.output_type, output.get("name"), sorted(data), rows


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_keeps_the_outputs_of_a_run(build, path, tmp_path):
    fresh, kept = build.run(path, tmp_path), nbformat.read(path, as_version=4)
    for new, old in zip(code_cells(fresh), code_cells(kept), strict=True):
        assert old.execution_count == new.execution_count, AGAIN
        assert [shape(output) for output in old.outputs] == [shape(output) for output in new.outputs], AGAIN
        for output in new.outputs:
            assert output.output_type in {"execute_result", "display_data", "stream"}
            assert output.get("name") != "stderr", output


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_fit_for_the_repository(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)], AGAIN
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    assert path.stat().st_size < MOST_BYTES
    text = re.sub(r'"image/png": "[^"]*"', "", path.read_text(encoding="utf-8"))
    machine = re.search(r"/(tmp|home|root|Users|usr)/|127\.0\.0\.1|[0-9a-f]{8}-[0-9a-f]{4}-", text)
    assert machine is None, f"{text[machine.start() - 40 : machine.end() + 40]} says where it was made"


def test_there_are_notebooks():
    assert NOTEBOOKS
