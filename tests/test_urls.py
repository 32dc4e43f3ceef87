"""Ids stay one segment of a path, and one function sees to that."""

from __future__ import annotations

import ast
import string
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import serve

import hastyframe as hf
from hastyframe.transport import Transport
from hastyframe.urls import check_path, path_of, path_segment

ROOT = Path(hf.__file__).parent
BAD = ["", ".", "..", "a\nb", "\x00", "\x7f", "\x85", "\ud800", "x" * 501, None]


@given(st.text(max_size=80))
def test_an_id_is_one_segment_that_means_the_same(key):
    try:
        segment = path_segment(key)
    except hf.NotFound:
        return
    assert set(segment) <= set(string.ascii_letters + string.digits + "-._~%")
    assert segment not in ("", ".", "..")
    assert unquote(segment) == key
    check_path(f"/v1/projects/{segment}")


@pytest.mark.parametrize("key", BAD)
def test_what_is_no_id_is_nothing_that_is_there(key):
    with pytest.raises(hf.NotFound, match="nothing with the id"):
        path_segment(key)
    with pytest.raises(hf.NotFound):
        path_of("/v1/projects/{project_id}/images", project_id=key, name="..")


@pytest.mark.parametrize(
    "path", ["", "v1", "/v1/", "//v1", "/v1/../x", "/v1/.", "/v1/a b", "/v1/a?b", "/v1/a#b", "/v1/\u00e9"]
)
def test_a_path_that_leads_elsewhere_is_not_sent(path):
    with serve(lambda seen: {}) as server:
        one = Transport("the-key", server.url, progress=False)
        for method in ("GET", "DELETE"):
            with pytest.raises(hf.ValidationException, match="no path of the API"):
                one.request(method, path)
        assert not server.seen


@pytest.mark.parametrize("key", ["..", ".", "", "a/../..", "%2e%2e", "..%2f", "a\\..\\b", "?x=1", "#", "..;"])
def test_no_id_leads_to_another_thing(key):
    """Whatever a server or a journal calls a thing, what is asked for and deleted lies below where it belongs."""
    with serve(lambda seen: {"id": key, "name": "x"}) as server:
        one = Transport("the-key", server.url, progress=False)
        calls = [
            lambda: hf.Project(one, {"id": key}).delete(),
            lambda: hf.Dataset(one, {"id": key, "project_id": "p"}).delete(),
            lambda: hf.Image(one, {"id": key, "project_id": "p"}).delete(),
            lambda: hf.LabelClass(one, {"id": "c", "project_id": key}).delete(),
            lambda: hf.Label(one, {"id": "l", "image_id": key, "project_id": "p"}).delete(),
            lambda: hf.Project(one, {"id": "p"}).get_image(key),
            lambda: hf.Project(one, {"id": key}).get_detector(),
            lambda: hf.Project(one, {"id": "p"}).get_labels([key]),
        ]
        for call in calls:
            try:
                call()
            except hf.HastyError:
                continue
        for seen in server.seen:
            parts = seen.path.split("/")
            assert not {"", ".", ".."} & set(parts[1:]), seen.path
            assert len(parts) >= 4, seen.path
        one.close()


def test_nobody_else_quotes_or_fills_paths():
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name in ("urls.py", "http/key.py") or name.startswith("local/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("urllib"):
                assert not {alias.name for alias in node.names} & {"quote", "quote_plus", "urlencode"}, name
            if isinstance(node, ast.Attribute):
                assert node.attr != "quote", name
                fills = node.attr in ("format", "format_map") and ast.unparse(node.value).endswith(".path")
                assert not fills or name.startswith("edits/"), f"{name} fills a path without quoting: use path_of"
