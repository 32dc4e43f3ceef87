"""Imports point downwards only, and `import hastyframe` stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hastyframe

ROOT = Path(hastyframe.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

FLOOR = {"errors", "entities", "arguments", "masks", "frames", "lists", "bad_rows", "paths", "limits", "images", "urls"}
FLOOR |= {"intake", "identity", "geometry", "plain", "warning"}
NAMES = FLOOR | {"vocabulary", "transport", "answers"}
HANDLES = NAMES | {"checks", "attributes", "edits", "pictures", "handles", "reading"}
SHAPES = FLOOR | {"painting"}
PROJECT = HANDLES | SHAPES | {"uploads", "jobs", "models", "io", "labels", "evaluation", "plotting"}

KNOWS: dict[str, set[str]] = {
    "errors": set(),
    "entities": set(),
    "masks": {"errors"},
    "geometry": {"errors", "masks"},
    "plain": {"errors", "frames", "geometry", "lists", "masks"},
    "progress": set(),
    "limits": {"errors"},
    "images": {"errors", "limits"},
    "urls": {"errors"},
    "http": {"errors", "urls"},
    "transport": {"errors", "arguments", "progress", "limits", "urls", "http"},
    "frames": {"errors", "entities", "masks"},
    "identity": {"frames"},
    "lists": {"masks", "frames"},
    "intake": {"errors", "arguments", "frames", "geometry", "lists", "plain"},
    "sources": FLOOR | {"checks", "io"},
    "warning": set(),
    "bad_rows": {"errors"},
    "paths": {"errors"},
    "painting": FLOOR,
    "io": SHAPES | {"progress"},
    "evaluation": NAMES | SHAPES | {"checks", "labels", "plotting", "sources"},
    "labels": SHAPES,
    "plotting": SHAPES | {"io", "labels"},
    "arguments": {"errors", "entities"},
    "answers": {"errors", "entities", "arguments", "transport"},
    "vocabulary": FLOOR | {"transport"},
    "reading": NAMES | {"http"},
    "checks": NAMES,
    "attributes": NAMES | {"checks"},
    "edits": NAMES | {"checks", "attributes"},
    "pictures": NAMES | {"checks"},
    "uploads": NAMES | {"pictures"},
    "handles": HANDLES,
    "jobs": HANDLES,
    "models": HANDLES | {"http"},
    "planning": HANDLES | {"labels", "painting"},
    "locating": FLOOR | {"pictures", "io"},
    "sync": PROJECT | {"locating"},
    "project": PROJECT | {"http", "sync", "planning"},
    "local": SHAPES | {"io"},
    "client": PROJECT | {"http", "sync", "planning", "project", "local"},
    "demo": PROJECT | {"sync", "planning", "project", "client", "local", "cli", "__init__"},
    "cli": PROJECT | {"sync", "planning", "project", "client", "local", "demo", "__init__"},
    "__main__": {"cli"},
    "__init__": PROJECT | {"sync", "planning", "project", "client", "sources"},
}
"""What each part of the package may know besides itself."""

TYPES_ALONE = {("plotting", "evaluation"), ("sync", "project"), ("planning", "project")}
"""Who may name somebody above for the type checker, and only for it."""


STOREYS = {"intake": ({"__init__", "frames"}, "sources")}
"""Folders of two parts: modules that belong to the part of the folder's name, and what all others belong to."""


def part_of(path: Path) -> str:
    """The part that a module belongs to: the file's name, or the folder's."""
    folder, *rest = (part.removesuffix(".py") for part in path.relative_to(ROOT).parts)
    own, others = STOREYS.get(folder, (set(rest), folder))
    return folder if set(rest) <= own else others


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """What a module imports of the package, wherever it stands, and whether for the type checker alone."""
    package = ["hastyframe", *path.relative_to(ROOT).parts[:-1]]

    def visit(node: ast.AST, for_types: bool) -> Iterator[tuple[list[str], bool]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from visit(child, True)
            for child in node.orelse:
                yield from visit(child, for_types)
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name.split("."), for_types) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from (([*module, alias.name], for_types) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, for_types)

    for dotted, for_types in visit(ast.parse(path.read_text()), False):
        if dotted[0] == "hastyframe":
            known = len(dotted) > 1 and ((ROOT / dotted[1]).is_dir() or (ROOT / f"{dotted[1]}.py").exists())
            deep = [*dotted[1:2], *(name for name in dotted[2:3] if (ROOT / dotted[1] / f"{name}.py").exists())]
            yield part_of(ROOT.joinpath(*deep)) if known else "__init__", for_types


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path):
    part = part_of(path)
    assert part in KNOWS, f"say in the table of this test what {part!r} may know"
    for known, for_types in imports(path):
        allowed = known == part or known in KNOWS[part] or (for_types and (part, known) in TYPES_ALONE)
        assert allowed, f"{path.relative_to(ROOT)} imports {known}, which does not lie below {part}"


def test_the_table_has_no_circles():
    def below(part: str, above: tuple[str, ...] = ()) -> None:
        assert part not in above, f"{' knows '.join((*above, part))}"
        for known in KNOWS[part] - {part}:
            if known != "__init__" and (part, known) not in {("handles", "handles"), ("demo", "cli")}:
                below(known, (*above, part))

    below("cli")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_private_modules_are_imported_in_their_folder_alone(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and "._" in f".{node.module}".replace("__", ""):
            assert node.level == 1 and node.module.startswith("_"), ast.unparse(node)


def test_the_reading_of_imports_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "io").mkdir()
    for name in ("errors", "frames", "client"):
        (tmp_path / f"{name}.py").touch()
    module = tmp_path / "io" / "coco.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "import hastyframe.errors, os\n"
        "from .. import frames, __version__\n"
        "from ._load import x\n"
        "from ..errors import y\n"
        "if TYPE_CHECKING:\n    from ..client import Client\n"
        "def f():\n    from hastyframe.client import Client\n"
    )
    assert list(imports(module)) == [
        ("errors", False),
        ("frames", False),
        ("__init__", False),
        ("io", False),
        ("errors", False),
        ("client", True),
        ("client", False),
    ]


HEAVY = {"requests", "urllib3", "tqdm", "PIL", "fastapi", "starlette", "uvicorn", "pydantic", "matplotlib", "skimage"}
HEAVY |= {"pycocotools", "yaml", "defusedxml", "sqlite3"}


def test_importing_the_package_imports_nothing_heavy():
    script = "import sys, json; import hastyframe; print(json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert "hastyframe" in loaded
    assert not loaded & HEAVY
    assert "hastyframe.transport" not in json.loads(run.stdout)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_module_offers_is_there(path):
    tree = ast.parse(path.read_text())
    offered: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            offered = ast.literal_eval(node.value)
    defined = {
        name.id for node in ast.walk(tree) for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        if isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
    assert set(offered) <= defined
    assert len(set(offered)) == len(offered)
