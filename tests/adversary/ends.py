"""Processes that end in the middle of a plan: killed, terminated, interrupted, without power, without room on the disk.

The process itself counts what it does and ends at the n-th of it, so that equal seeds end at equal places. What it has
synced is noted in a file beside the journal: a power cut may take all behind that.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from edits import chaos

import hastyframe as hf
from hastyframe import transport

SIGNALS = {
    "kill": signal.SIGKILL,
    "terminate": signal.SIGTERM,
    "interrupt": signal.SIGINT,
    "power cut": signal.SIGKILL,
}
MOST = {"write": 32, "sync": 8, "request": 30, "time": 300}
"""How many of each a run does, about; times are in milliseconds."""


@dataclass(frozen=True)
class End:
    """How and when a process ends: at the n-th of something, before it, half through (of writes) or after it."""

    how: str
    at: str
    number: int
    when: str

    @classmethod
    def draw(cls, chance: random.Random) -> End:
        at = chance.choice(list(MOST))
        return cls(
            chance.choice(list(SIGNALS)), at, chance.randint(1, MOST[at]), chance.choice(["before", "half", "after"])
        )


class Ending:
    """Makes the process end when it is time, and notes what of a journal is on the disk for good."""

    def __init__(self, end: End | None, notes: Path, room: int | None) -> None:
        self._end = end
        self._room = room
        self._counts = dict.fromkeys(MOST, 0)
        self._lock = threading.Lock()
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._write, self._fsync, self._send = os.write, os.fsync, requests.Session.send

    def begin(self) -> None:
        """Count from now on."""
        os.write, os.fsync = self.write, self.fsync
        ending, send = self, self._send

        def counted(session: requests.Session, *args: Any, **options: Any) -> requests.Response:
            return ending.do("request", lambda: send(session, *args, **options))

        requests.Session.send = counted  # type: ignore[method-assign]
        if self._end is not None and self._end.at == "time":
            timer = threading.Timer(self._end.number / 1000, self.now)
            timer.daemon = True
            timer.start()

    def do(self, what: str, act: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        with self._lock:
            self._counts[what] += 1
            due = self._end is not None and (self._end.at, self._end.number) == (what, self._counts[what])
        if not due or self._end is None:
            return act()
        if self._end.when == "half" and half is not None and self._end.how != "interrupt":
            half()
        if self._end.when != "after":
            self.now()
        result = act()
        if self._end.when == "after":
            self.now()
        return result

    def now(self) -> None:
        assert self._end is not None
        os.kill(os.getpid(), SIGNALS[self._end.how])

    def write(self, file: int, data: Any) -> int:
        if not _is_journal(file):
            return self._write(file, data)
        return self.do("write", lambda: self._write(file, data), lambda: self._write(file, data[: len(data) // 2]))

    def fsync(self, file: int) -> None:
        if not _is_journal(file):
            return self._fsync(file)

        def sync() -> None:
            size = os.fstat(file).st_size
            self._fsync(file)
            self._write(self._notes, f"{_path(file)}\t{size}\n".encode())
            if self._room is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + self._room, resource.RLIM_INFINITY))
                self._room = None

        return self.do("sync", sync)


def _path(file: int) -> Path:
    return Path(f"/proc/self/fd/{file}").readlink()


def _is_journal(file: int) -> bool:
    return _path(file).suffix == ".jsonl"


def synced(notes: Path, journal: Path) -> int:
    """Return how much of a journal is on the disk for good."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return max([int(size) for path, size in (line.split("\t") for line in lines) if path == str(journal)], default=0)


def cut_power(notes: Path, journal: Path, chance: random.Random) -> None:
    """Take from a journal what was not synced, to some length."""
    if journal.exists():
        size = journal.stat().st_size
        os.truncate(journal, chance.randint(min(size, synced(notes, journal)), size))


# What the process does ------------------------------------------------------------------------------------------------


def work(
    key: str, url: str, project_id: str, folder: Path, place: Path, verb: str, end: End | None, room: int | None
) -> None:
    """Apply a plan, go on with it, or take it back; its frames are in the folder, its journals at the place."""
    transport._FIRST_PAUSE = 0.002
    transport.Transport.settle_timeout = 0.01  # type: ignore[assignment, method-assign]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    journal, back = place / "journal.jsonl", place / "back.jsonl"
    with hf.Client(key, url, progress=False, timeout=(10.0, 10.0), max_workers=4) as client:
        project = client.get_project(project_id)
        try:
            plan = _plan(project, folder) if verb == "apply" else None
            Ending(end, folder / "notes", room).begin()
            if plan is not None:
                plan.apply(journal)
            elif verb == "resume":
                project.resume(journal)
            elif chaos.planned(back):
                project.resume(back)
            else:
                back.unlink(missing_ok=True)
                project.undo(journal).apply(back)
        except hf.HastyError as error:
            (folder / "error").write_text(f"{type(error).__name__}: {error}")
            raise
        except BaseException:
            (folder / "crash").write_text(traceback.format_exc())
            raise


def _plan(project: hf.Project, folder: Path) -> Any:
    before, after = (pd.read_pickle(folder / f"{name}.pickle") for name in ("before", "after"))
    return project.plan_labels(before, after)


def run(client: hf.Client, project: hf.Project, *arguments: Any) -> int:
    """Let a process work, and return how it ended; what it is told is as of `work`, from the folder on."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hastyframe.project", "edits.chaos", "adversary.ends"])
    for name in ("error", "crash"):
        (arguments[0] / name).unlink(missing_ok=True)
    process = context.Process(target=work, args=(client.api_key, client.base_url, project.id, *arguments))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode
