"""The life of a server: folder, key, restart, death, latency, many at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from hastyframe.entities import ExportJob
from hastyframe.local import LocalServer
from hastyframe.local.store import Store

from .helpers import Api, png


def test_a_temporary_folder_goes(api):
    server = LocalServer()
    assert "not started" in repr(server)
    with server:
        assert Api(server).get("")["name"] == "project"
        assert server.api_key not in repr(server)
        assert server.base_url in repr(server)
    assert not server.folder.exists()
    server.stop()  # a second time does nothing
    with pytest.raises(requests.ConnectionError):
        requests.get(server.base_url, timeout=5)


def test_everything_is_there_after_a_restart(tmp_path):
    with LocalServer(tmp_path) as server:
        key, api = server.api_key, Api(server)
        class_id, image = api.label_class(), api.image(api.dataset())
        label = api.post(f"images/{image['id']}/labels", [{"class_id": class_id, "bbox": [0, 0, 3, 3]}])["items"][0]
        url = image.pop("public_url")
    with LocalServer(tmp_path) as server:
        assert server.api_key == key
        base = f"{server.base_url}/v1/projects/{api.project['id']}"
        session = requests.Session()
        session.headers["X-Api-Key"] = key
        there = session.get(f"{base}/images/{image['id']}", timeout=10).json()
        new_url = there.pop("public_url")
        assert there == image
        assert urlsplit(new_url)[2:] == urlsplit(url)[2:]  # the port is another one
        assert requests.get(new_url, timeout=10).content == png()
        assert session.get(f"{base}/images/{image['id']}/labels", timeout=10).json()["items"] == [label]
        assert session.get(f"{server.base_url}/v1/workspaces", timeout=10).json()["meta"]["total"] == 1
        session.close()
    assert (tmp_path / "api_key").stat().st_mode & 0o777 == (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_key_of_ones_own_is_not_kept(tmp_path):
    with LocalServer(tmp_path, api_key="mine") as server:
        assert Api(server).session.headers["X-Api-Key"] == "mine"
    assert not any(b"mine" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_port_that_is_taken(server):
    with pytest.raises(OSError, match=r"(?i)in use"), LocalServer(port=int(server.base_url.rpartition(":")[2])):
        pass


def test_a_folder_that_has_a_server(tmp_path):
    with LocalServer(tmp_path) as first:
        api = Api(first)
        second = LocalServer(tmp_path)
        for _ in range(2):  # a start that failed leaves nothing that is in the way of the next
            with pytest.raises(BlockingIOError, match=f"another server works in the folder {tmp_path}"):
                second.start()
        assert api.get("")["name"] == "project"
    with second:
        assert requests.get(second.base_url + "/openapi.json", timeout=10).ok


def test_a_folder_that_has_a_server_in_another_process(tmp_path):
    with launch(tmp_path, "thread") as process:
        process.stdout.readline()
        with pytest.raises(BlockingIOError, match="another server works in the folder"), LocalServer(tmp_path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    with LocalServer(tmp_path) as server:  # whoever died holds nothing
        assert Api(server).get("")["name"] == "project"


def test_models_of_no_kind():
    with pytest.raises(ValueError, match="segmenter"):
        LocalServer(models={"segmenter": list})


def test_jobs_that_died_with_their_server_have_failed(tmp_path):
    with LocalServer(tmp_path) as server:
        project_id = Api(server).project["id"]
    store = Store(tmp_path / "hastyframe.sqlite")
    with store.transaction():
        job = store.insert(ExportJob, {"project_id": project_id, "status": "IN PROGRESS"})
    store.close()
    with LocalServer(tmp_path) as server:
        there = Api(server).get(f"/v1/projects/{project_id}/exports/{job['id']}")
    assert there["status"] == "FAILED"
    assert there["completed_on"]


def test_jobs_that_run_at_the_end_are_canceled(tmp_path):
    running = threading.Event()

    def slow(picture):
        running.set()
        time.sleep(0.2)
        return []

    with LocalServer(tmp_path, models={"instance_segmentor": slow}) as server:
        api = Api(server)
        api.label_class()
        dataset = api.dataset()
        for number in range(5):
            api.image(dataset, f"{number}.png")
        job = api.post("automated_labeling", {"experiment_id": "x"})
        assert running.wait(10)
    with LocalServer(tmp_path) as server:
        there = Api(server).get(f"{api.base}/automated_labeling/{job['id']}")
    assert there["status"] == "CANCELED"


FOREGROUND = """
import sys
from hastyframe.local import LocalServer
server = LocalServer(sys.argv[1])
say = lambda: print(server.base_url, server.api_key, flush=True)
if sys.argv[2] == "thread":
    server.start()
    say()
    sys.stdin.read()
else:
    server.run(say)
    print("ended", flush=True)
"""


def launch(folder: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FOREGROUND, str(folder), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_server_that_is_killed_loses_nothing(tmp_path):
    with launch(tmp_path, "thread") as process:
        base_url, key = process.stdout.readline().split()
        session = requests.Session()
        session.headers["X-Api-Key"] = key
        workspace = session.get(f"{base_url}/v1/workspaces", timeout=10).json()["items"][0]["id"]
        names = [f"{number}" for number in range(20)]
        for name in names:
            body = {"workspace_id": workspace, "name": name}
            session.post(f"{base_url}/v1/projects", json=body, timeout=10).raise_for_status()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        session.close()
    with LocalServer(tmp_path) as server:
        assert [project["name"] for project in Api(server).get("/v1/projects")["items"]] == [*names, "project"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground(tmp_path, number):
    with launch(tmp_path, "foreground") as process:
        base_url, _ = process.stdout.readline().split()
        assert requests.get(base_url + "/openapi.json", timeout=30).status_code == 200
        process.send_signal(number)
        assert process.stdout.read() == "ended\n"
        assert process.wait(30) == 0


def test_latency_is_not_blocking():
    with LocalServer(latency=0.1) as server:
        headers = {"X-Api-Key": server.api_key}
        start = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            codes = list(
                pool.map(
                    lambda _: requests.get(server.base_url + "/v1/projects", headers=headers, timeout=10).status_code,
                    range(16),
                )
            )
        seconds = time.perf_counter() - start
    assert codes == [200] * 16
    assert 0.2 <= seconds < 1.5  # one after the other would be 1.6


def test_many_at_once(api):
    path = f"images/{api.image(api.dataset())['id']}/labels"
    class_id = api.label_class()

    def write(number):
        body = [{"class_id": class_id, "bbox": [0, 0, number + 1, 1]}] * 3
        headers = {"X-Api-Key": api.server.api_key}
        return requests.post(api.server.base_url + api.path(path), json=body, headers=headers, timeout=20).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(write, range(64))) == {201}
    page = api.get(path, limit=1000)
    assert page["meta"]["total"] == 192
    widths = [label["bbox"][2] for label in page["items"]]
    assert widths[::3] == widths[1::3] == widths[2::3]  # batches stay together
    assert sorted(widths[::3]) == list(range(1, 65))


def test_without_the_extra_the_error_says_what_to_install():
    code = "import sys; sys.modules['uvicorn'] = None; import hastyframe; import hastyframe.local"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "the embedded server needs uvicorn: pip install 'hastyframe[local]'" in done.stderr


def test_an_empty_key_is_no_key(tmp_path):
    (tmp_path / "api_key").touch()  # as a server leaves it that is killed at the wrong moment
    with LocalServer(tmp_path) as server:
        assert len(server.api_key) > 30
        assert requests.get(server.base_url + "/v1/projects", headers={"X-Api-Key": ""}, timeout=10).status_code == 401
