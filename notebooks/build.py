"""Run the notebooks and keep their outputs: ``python notebooks/build.py [NAME ...]``."""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STYLE = re.compile(r"<style scoped>.*?</style>\s*", re.DOTALL)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(path: Path, folder: str | Path) -> NotebookNode:
    """Return the notebook with the outputs of a run in a folder; an error of a cell is raised."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute()
    return tidied(notebook)


def tidied(notebook: NotebookNode) -> NotebookNode:
    """Drop what differs from run to run and from machine to machine, and nobody reads."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not is_bar(output)]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = STYLE.sub("", data["text/html"])
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
    return notebook


def is_bar(output: NotebookNode) -> bool:
    """Tell the progress bars that a slow machine gets to see from what a cell has to say."""
    text = output.get("text", "")
    return output.get("name") == "stderr" and (text.startswith("\r") or not text.strip())


def smaller(png: str) -> str:
    """Return a picture in the 256 colours that miss its own least: a quarter of the bytes."""
    picture, packed = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), io.BytesIO()
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def main(names: list[str]) -> None:
    """Run the notebooks whose names begin as given, all if none is."""
    for path in NOTEBOOKS:
        if not names or path.name.startswith(tuple(names)):
            with tempfile.TemporaryDirectory() as folder:
                notebook = run(path, folder)
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size / 1024:,.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
