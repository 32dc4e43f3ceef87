"""The shell: what it prints, and what bad input gets."""

import re
import signal
import socket
import subprocess
import sys
import zipfile

import pytest
import requests

import hastyframe as hf
from hastyframe.cli import main


def test_demo_does_the_main_job(tmp_path, capsys):
    assert main(["demo", "--folder", str(tmp_path / "demo")]) == 0
    said = capsys.readouterr().out
    for words in ("x_min", "class_name", "TO REVIEW", "predictions", "json_coco", "The same in a notebook"):
        assert words in said
    for archive in ("labels-hasty.zip", "labels-coco.zip"):
        assert zipfile.ZipFile(tmp_path / "demo" / archive).testzip() is None
    assert (tmp_path / "demo" / "overlay.png").read_bytes().startswith(b"\x89PNG")

    lines = said.partition("The same in a notebook:")[2]
    names = {}
    exec(lines.replace('download(".")', f"download({str(tmp_path)!r})"), names)
    names["client"].close()
    assert len(names["predictions"])


def test_demo_can_be_repeated_in_its_folder(tmp_path, capsys):
    for number in (1, 2):
        assert main(["demo", "--folder", str(tmp_path)]) == 0
        assert f"Demo {number}" in capsys.readouterr().out


def test_serve_says_where_and_ends_on_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "hastyframe", "serve", "--folder", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = "".join(process.stdout.readline() for _ in range(4))
        url, key = (re.search(rf"export {name}=(\S+)", said)[1] for name in ("HASTY_BASE_URL", "HASTY_API_KEY"))
        with hf.Client(key, url) as client:
            assert len(client.get_workspaces()) == 1
        assert requests.get(f"{url}/v1/projects", timeout=10).status_code == 401
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(("flags", "said"), [([], "does not fetch"), (["--allow-private-addresses"], "answered 401")])
def test_serve_fetches_from_its_own_network_only_if_asked(tmp_path, flags, said):
    command = [sys.executable, "-m", "hastyframe", "serve", "--folder", str(tmp_path), "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        shown = "".join(process.stdout.readline() for _ in range(4))
        url, key = (re.search(rf"export {name}=(\S+)", shown)[1] for name in ("HASTY_BASE_URL", "HASTY_API_KEY"))
        with hf.Client(key, url, progress=False) as client:
            project = client.create_project(client.get_workspaces(), "p")
            dataset = project.create_dataset("d")
            with pytest.raises(hf.ValidationException, match=said):
                project.upload_from_url(dataset, "a.png", f"{url}/v1/projects")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_serve_on_a_taken_port_says_so(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--folder", str(tmp_path), "--port", str(taken.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


def test_serve_misbehaves_on_demand(tmp_path):
    command = [sys.executable, "-m", "hastyframe", "serve", "--folder", str(tmp_path), "--port", "0"]
    command += ["--faults", "too_many=1,retry_after=9,methods=POST"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = "".join(process.stdout.readline() for _ in range(5))
        url = re.search(r"export HASTY_BASE_URL=(\S+)", said)[1]
        assert requests.get(f"{url}/openapi.json", timeout=10).status_code == 200
        response = requests.post(f"{url}/v1/projects", json={}, timeout=10)
        assert (response.status_code, response.headers["Retry-After"]) == (429, "9")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == "Faults done: too_many 1\n"


@pytest.mark.parametrize("faults", ["lag=1", "slow=2"])
def test_serve_with_faults_that_are_none_says_so(tmp_path, capsys, faults):
    assert main(["serve", "--folder", str(tmp_path), "--faults", faults]) == 1
    assert "hastyframe: " in capsys.readouterr().err


def test_serve_in_a_folder_that_has_a_server_says_so(tmp_path, capsys):
    with hf.Client.local(tmp_path):
        assert main(["serve", "--folder", str(tmp_path), "--port", "0"]) == 1
    assert "another server works in the folder" in capsys.readouterr().err


def test_version_and_help(capsys):
    for arguments, words in ((["--version"], hf.__version__), (["--help"], "demo")):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert words in capsys.readouterr().out
