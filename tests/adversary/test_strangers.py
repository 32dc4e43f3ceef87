"""Strangers on the same machine: what they prepare is not used, what they used before does not hinder."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest

from .strangers import ANN, BOB, EVE, Call, Called, call, need_users, shared_folder


@pytest.fixture(autouse=True)
def users(world):
    need_users()
    world.begin(pd.DataFrame())


@pytest.fixture
def temporary():
    with shared_folder() as folder:
        yield folder


def test_the_first_calls_of_several_users(world, temporary):
    for user in (ANN, BOB, 0):
        [called] = call(user, world, Call("create", temporary=str(temporary)))
        assert called.done == 120, (user, called.error)
        mine = [file for file in called.files if file["owner"] == user]
        assert mine
        assert not [file for file in mine if file["mode"] & 0o077], "others can look into it"


# What a stranger prepared ---------------------------------------------------------------------------------------------


def own(place: Path, user: int, mode: int = 0o777) -> None:
    os.chown(place, user, user, follow_symlinks=False)
    if not place.is_symlink():
        place.chmod(mode)


def open_folder(place: Path, stash: Path) -> None:
    place.mkdir()
    own(place, EVE)


def closed_folder(place: Path, stash: Path) -> None:
    place.mkdir()
    own(place, EVE, 0o700)


def readable_folder(place: Path, stash: Path) -> None:
    place.mkdir()
    own(place, EVE, 0o755)


def link_to_a_folder(place: Path, stash: Path) -> None:
    place.symlink_to(stash)
    own(place, EVE)


def link_to_a_folder_of_his(place: Path, stash: Path) -> None:
    (stash / "his").mkdir()
    own(stash / "his", BOB, 0o700)
    place.symlink_to(stash / "his")
    own(place, EVE)


def link_to_nothing(place: Path, stash: Path) -> None:
    place.symlink_to(stash / "nothing")
    own(place, EVE)


def plain_file(place: Path, stash: Path) -> None:
    place.touch()
    own(place, EVE)


def pipe(place: Path, stash: Path) -> None:
    os.mkfifo(place)
    own(place, EVE)


def own_open_folder(place: Path, stash: Path) -> None:
    """A folder of the user's own in which everybody may write."""
    place.mkdir()
    own(place, BOB)


PREPARED = (
    open_folder, closed_folder, readable_folder, link_to_a_folder, link_to_a_folder_of_his, link_to_nothing, plain_file,
    pipe, own_open_folder,
)  # fmt: skip


def trouble(called: Called, temporary: Path, stash: Path) -> Iterator[str]:
    """Say what is wrong with a call in a temporary folder where a stranger has been."""
    if not called.well:
        yield called.error
    if any(place for place in stash.rglob("*") if place.name != "his"):
        yield "it went through the link"
    for file in called.files:
        folder = Path(file["path"]).parent
        if file["owner"] == BOB and folder != temporary:
            seen = folder.stat()
            if seen.st_uid == EVE:
                yield "it lies in the stranger's folder"
            if stat.S_IMODE(seen.st_mode) & 0o022:
                yield "others can replace it"


def test_what_a_stranger_prepared_is_not_used(world, temporary):
    [called] = call(BOB, world, Call("create", temporary=str(temporary)))
    names = sorted({Path(file["path"]).relative_to(temporary).parts[0] for file in called.files})
    with ExitStack() as stack:
        places = [(stack.enter_context(shared_folder()), stack.enter_context(shared_folder())) for _ in PREPARED]
        for prepare, (folder, stash) in zip(PREPARED, places, strict=True):
            own(stash, EVE)
            for name in names:
                prepare(folder / name, stash)
        answers = call(BOB, world, *(Call("create", temporary=str(folder)) for folder, _ in places))
        wrong = {
            prepare.__name__: found
            for prepare, called, (folder, stash) in zip(PREPARED, answers, places, strict=True)
            if (found := sorted(set(trouble(called, folder, stash))))
        }
    assert names
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


# Places where nothing can be written, or read -------------------------------------------------------------------------


def within_a_closed_folder(folder: Path) -> Path:
    (folder / "closed").mkdir(mode=0o700)
    return folder / "closed" / "journal.jsonl"


def within_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "journal.jsonl"


def a_folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    own(folder / "pipe", BOB)
    return folder / "pipe"


def a_file_of_another(folder: Path) -> Path:
    (folder / "another's").touch(0o600)
    return folder / "another's"


def a_device_without_end(folder: Path) -> Path:
    return Path("/dev/zero")


def a_full_device(folder: Path) -> Path:
    return Path("/dev/full")


def a_long_name(folder: Path) -> Path:
    return folder / ("j" * 300)


def an_empty_file(folder: Path) -> Path:
    (folder / "empty").touch()
    own(folder / "empty", BOB)
    return folder / "empty"


PLACES: tuple[Callable[[Path], Path], ...] = (
    within_a_closed_folder, within_a_file, a_folder, a_pipe, a_file_of_another, a_device_without_end, a_full_device,
    a_long_name, an_empty_file,
)  # fmt: skip


def test_journals_that_cannot_be_had(world, temporary):
    places = {make.__name__: str(make(temporary)) for make in PLACES}
    calls = {(name, verb): Call(verb, place) for name, place in places.items() for verb in ("apply", "resume", "undo")}
    answers = call(BOB, world, *calls.values())
    pairs = zip(calls, answers, strict=True)
    wrong = {name: called.error for name, called in pairs if called.done is not None or not called.ours}
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert not world.there(), "something was sent"


@pytest.fixture
def little_room():
    """A temporary folder on a disk with room for a little."""
    with shared_folder() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=1777", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_temporary_folder_that_is_full(world, little_room):
    [called] = call(BOB, world, Call("create", temporary=str(little_room)))
    assert called.well, called.error
    if called.done is None:
        assert not world.there(), "something was sent"
        assert not [file for file in called.files if file["path"].endswith("jsonl")], "something is left"


def test_temporary_folders_that_cannot_be_written(world, temporary):
    closed, gone = temporary / "closed", temporary / "gone"
    closed.mkdir(mode=0o555)
    called = call(BOB, world, Call("create", temporary=str(closed)), Call("create", temporary=str(gone)))
    assert all(one.well for one in called), called
    shutil.rmtree(closed)
