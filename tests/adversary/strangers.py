"""Another user of the machine, who prepares what others find, or calls what others have called before.

Run as a program it is the calls of such a user, and says as JSON what became of them and what lies in the temporary
folder.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hastyframe as hf

ANN, BOB, EVE = 41001, 41002, 41666
"""Ids of users of whom nobody else has heard."""
PLACES = [str(Path(__file__).parents[number]) for number in (1, 2)]
"""Where the tests and the package lie."""
PATIENCE = 300
LONGEST_CALL = 10
ROOM = 3 << 30
"""Of addresses: what takes more memory than this ends in a `MemoryError`."""


def need_users() -> None:
    """Skip a test where no other user can be had."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv here")
    probe = _run(EVE, ["-c", "import adversary.strangers"], {})
    if probe.returncode:
        pytest.skip(f"another user cannot run this Python: {probe.stderr.strip().splitlines()[-1:]}")


def _run(user: int, arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    setpriv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    everywhere = {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": "/nonexistent"}
    everywhere["PYTHONPATH"] = os.pathsep.join(filter(None, [*PLACES, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [*setpriv, sys.executable, "-W", "ignore", *arguments],
        capture_output=True, text=True, timeout=PATIENCE, cwd="/", env={**os.environ, **everywhere, **env},
    )  # fmt: skip


@dataclass(frozen=True)
class Call:
    """What a user calls (create, apply, resume or undo), with which journal, and where temporary files are kept."""

    verb: str
    path: str = ""
    temporary: str = ""


@dataclass(frozen=True)
class Called:
    """What became of a call: how many rows were done, or which error came, and what lay in the temporary folder."""

    done: int | None
    error: str
    ours: bool
    files: list[dict[str, Any]]

    @property
    def well(self) -> bool:
        """Whether it worked, or ended in an error of ours."""
        return self.done is not None or self.ours


def call(user: int, world: Any, *calls: Call) -> list[Called]:
    """Let a user call, each time in a new process."""
    env = {"HASTY_API_KEY": world.client.api_key, "HASTY_BASE_URL": world.client.base_url}
    words = json.dumps([asdict(one) for one in calls])
    ran = _run(user, ["-m", "adversary.strangers", world.project.id, world.images[0], words], env)
    assert ran.returncode == 0, ran.stderr
    return [Called(**json.loads(line)) for line in ran.stdout.splitlines()]


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a temporary folder like that of the system, in which everybody may write."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# The other user -------------------------------------------------------------------------------------------------------


def main(project_id: str, image_id: str, words: str) -> None:
    for one in (Call(**words) for words in json.loads(words)):
        sys.stdout.flush()
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
            signal.alarm(LONGEST_CALL)
            print(json.dumps(vars(become(one, project_id, image_id))), flush=True)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            print(json.dumps(vars(Called(None, f"the process ended with {status}", False, []))))


def become(one: Call, project_id: str, image_id: str) -> Called:
    if one.temporary:
        os.environ["TMPDIR"], tempfile.tempdir = one.temporary, None
    done, error, ours = None, "", False
    try:
        with hf.Client(progress=False, timeout=10.0, max_workers=2) as client:
            done = act(client.get_project(project_id), one.verb, image_id, one.path)
    except Exception as caught:
        error, ours = f"{type(caught).__name__}: {caught}", isinstance(caught, hf.HastyError)
    return Called(done, error[:300], ours, list(found(one.temporary)) if one.temporary else [])


def found(folder: str) -> Iterator[dict[str, Any]]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            place = os.path.join(parent, name)  # noqa: PTH118
            with suppress(OSError):
                seen = os.lstat(place)
                yield {"path": place, "owner": seen.st_uid, "mode": seen.st_mode, "size": seen.st_size}


def act(project: hf.Project, verb: str, image_id: str, path: str) -> int:
    box = {"image_id": image_id, "class_name": "coin", "x_min": 1, "y_min": 1, "x_max": 5, "y_max": 5}
    new = pd.DataFrame([box] * 120)
    if verb == "create":
        return len(project.create_labels(new))
    if verb == "apply":
        labels = project.get_labels()
        return len(project.plan_labels(labels, pd.concat([labels, new], ignore_index=False)).apply(path))
    if verb == "resume":
        return len(project.resume(path))
    return len(project.undo(path).apply())


if __name__ == "__main__":
    main(*sys.argv[1:])
