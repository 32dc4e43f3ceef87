"""The pages under docs/ say what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

import hastyframe as hf

ROOT = Path(__file__).parents[1]


def test_frames_page_is_written_from_the_declarations():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert build.PAGE.read_text(encoding="utf-8") == build.page(), "run: python docs/build.py"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *[f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")]]
)
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page} links to {target}"


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    prepare(tmp_path)
    names = {}
    with hf.Client.local(tmp_path / "server", progress=False) as client:
        monkeypatch.setenv("HASTY_API_KEY", client.api_key)
        monkeypatch.setenv("HASTY_BASE_URL", client.base_url)
        for block in blocks("README.md"):
            exec(compile(block, "README.md", "exec"), names)
        for name in [name for name, value in names.items() if isinstance(value, hf.Client)]:
            names[name].close()
    assert len(names["predictions"])


def test_python_of_the_server_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks("docs/server.md"):
        exec(compile(block, "docs/server.md", "exec"), {})


def test_python_of_the_evaluation_page_runs():
    names = {}
    for block in blocks("docs/evaluation.md"):
        exec(compile(block, "docs/evaluation.md", "exec"), names)
    assert len(names["evaluation"].matches) == 4


def prepare(folder):
    """Lay the pictures that the README's lines upload into a folder."""
    import shutil
    from importlib.resources import files

    (folder / "photos").mkdir()
    for name in ("coins.png", "gravel.png"):
        shutil.copy(files("skimage") / "data" / name, folder / "photos" / name)
