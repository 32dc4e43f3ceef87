"""Journals that somebody has spoiled: bytes and lines, numbers, types and ids, depth, kinds, versions, projects."""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hastyframe as hf
from hastyframe import transport

ROOM = 4 << 30
"""Of addresses that a process may take; a `MemoryError` is none of ours."""
LONGEST = 1.0
"""Seconds for which a process may read each of its journals, on the average, before it is taken to hang."""

Spoiler = Callable[[list[bytes], random.Random], list[bytes]]
Make = Callable[[Sequence[bytes], int], tuple[str, int, bytes]]
"""Gets journals and a number; returns how one of them is spoiled, which, and what it is then."""
SPOILERS: dict[str, Spoiler] = {}

ELSEWHERE = ["..", ".", ""]
HOSTILE_IDS = [
    *ELSEWHERE,
    "../..",
    "/",
    "%2e%2e",
    "..%2f..",
    "a/b",
    "?",
    "#",
    "?x=1",
    "\0",
    "\n",
    "x" * 10**6,
    "\ud800",
    0,
    None,
]
HOSTILE_NUMBERS = [
    2**33, 2**63, 2**64, 10**400, -1, -(2**63), 0.5, 1e308, float("nan"), float("inf"), True, "1", None, [], 3,
]  # fmt: skip
HOSTILE_VALUES = [None, 1, 1.5, "text", [], {}, [[]], [None], {"a": 1}, True, "\ud800", [[1, 2], [3]], {"id": ".."}]


def spoiler(function: Spoiler) -> Spoiler:
    SPOILERS[function.__name__] = function
    return function


def spoil(journals: Sequence[bytes], seed: int) -> tuple[str, int, bytes]:
    """Return how a journal is spoiled, which one, and what it is then: each way has its turn."""
    chance = random.Random(seed)
    name, number = list(SPOILERS)[seed % len(SPOILERS)], chance.randrange(len(journals))
    return name, number, b"".join(SPOILERS[name](journals[number].splitlines(keepends=True), chance))


def lead_elsewhere(journals: Sequence[bytes], seed: int) -> tuple[str, int, bytes]:
    """Return a journal in which all changes are of ids, or all units have names, that lead elsewhere in an address."""
    way, number = divmod(seed, len(journals))
    other, name = ELSEWHERE[way // 2], ("id", "unit")[way % 2]
    lines = [json.loads(line) for line in journals[number].splitlines()]
    for line in lines:
        for record in (line, *line.get("changes", ())):
            if name in record:
                record[name] = other
    return f"{name} {other}", number, b"".join(json.dumps(line).encode() + b"\n" for line in lines)


# Bytes and lines ------------------------------------------------------------------------------------------------------


@spoiler
def flip_bytes(lines: list[bytes], chance: random.Random) -> list[bytes]:
    data = bytearray(b"".join(lines))
    for _ in range(chance.choice([1, 1, 2, 20])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return [bytes(data)]


@spoiler
def change_digits(lines: list[bytes], chance: random.Random) -> list[bytes]:
    data = bytearray(b"".join(lines))
    digits = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    for place in chance.sample(digits, min(3, len(digits))):
        data[place] = chance.choice(b"0123456789-.e")
    return [bytes(data)]


@spoiler
def drop_lines(lines: list[bytes], chance: random.Random) -> list[bytes]:
    for _ in range(chance.randint(1, 3)):
        del lines[chance.randrange(len(lines))]
    return lines


@spoiler
def double_lines(lines: list[bytes], chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(lines))
    lines.insert(chance.randint(place, len(lines)), lines[place])
    return lines


@spoiler
def swap_lines(lines: list[bytes], chance: random.Random) -> list[bytes]:
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return lines


@spoiler
def cut_off(lines: list[bytes], chance: random.Random) -> list[bytes]:
    data = b"".join(lines)
    return [data[: chance.randrange(len(data))]]


@spoiler
def cut_out(lines: list[bytes], chance: random.Random) -> list[bytes]:
    data = b"".join(lines)
    start = chance.randrange(len(data))
    return [data[:start] + data[start + chance.randint(1, 200) :]]


@spoiler
def add_rubbish(lines: list[bytes], chance: random.Random) -> list[bytes]:
    rubbish = [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\xff\xfe\n",
        b"\0" * 100 + b"\n",
        b"{" * 10**5 + b"\n",
        chance.randbytes(50) + b"\n",
    ]
    lines.insert(chance.randint(0, len(lines)), chance.choice(rubbish))
    return lines


@spoiler
def another_end_of_lines(lines: list[bytes], chance: random.Random) -> list[bytes]:
    end = chance.choice([b"\r\n", b"\r", b"", b"\n\n", b" \n"])
    return [line.rstrip(b"\n") + end for line in lines]


# JSON -----------------------------------------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def replaced(
    lines: list[bytes], chance: random.Random, values: Sequence[Any], fits: Callable[[tuple[Any, ...], Any], bool]
) -> list[bytes]:
    """Put something else where a value stands that fits."""
    for number in chance.sample(range(len(lines)), len(lines)):
        line = json.loads(lines[number])
        found = [path for path in places(line) if path and fits(path, at(line, path))]
        if found:
            path = chance.choice(found)
            at(line, path[:-1])[path[-1]] = chance.choice(values)
            lines[number] = json.dumps(line).encode() + b"\n"
            return lines
    return lines


@spoiler
def another_number(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return replaced(lines, chance, HOSTILE_NUMBERS, lambda _, value: isinstance(value, int | float))


@spoiler
def another_row(lines: list[bytes], chance: random.Random) -> list[bytes]:
    rows = {"row", "rows", "unseen", "of", "gave"}
    return replaced(lines, chance, HOSTILE_NUMBERS, lambda path, v: bool(rows & set(path)) and isinstance(v, int))


@spoiler
def another_id(lines: list[bytes], chance: random.Random) -> list[bytes]:
    names = {"id", "ids", "unit", "there", "label", "swept"}
    return replaced(lines, chance, HOSTILE_IDS, lambda path, v: bool(names & set(path)) and isinstance(v, str))


@spoiler
def another_unit(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return replaced(lines, chance, HOSTILE_IDS, lambda path, _: path == ("unit",))


@spoiler
def another_value(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return replaced(lines, chance, HOSTILE_VALUES, lambda *_: True)


@spoiler
def another_content(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return replaced(
        lines, chance, HOSTILE_VALUES, lambda path, _: bool({"old", "new", "was", "as", "values"} & set(path))
    )


@spoiler
def a_key_less(lines: list[bytes], chance: random.Random) -> list[bytes]:
    number = chance.randrange(len(lines))
    line = json.loads(lines[number])
    found = [path for path in places(line) if path and isinstance(at(line, path[:-1]), dict)]
    path = chance.choice(found)
    del at(line, path[:-1])[path[-1]]
    lines[number] = json.dumps(line).encode() + b"\n"
    return lines


@spoiler
def deep(lines: list[bytes], chance: random.Random) -> list[bytes]:
    depth = chance.choice([100, 1000, 100_000])
    lines = replaced(lines, chance, ["DEEP"], lambda *_: True)
    return [line.replace(b'"DEEP"', b"[" * depth + b"]" * depth) for line in lines]


@spoiler
def another_head(lines: list[bytes], chance: random.Random) -> list[bytes]:
    head = json.loads(lines[0])
    change = chance.choice([
        {"kind": "projects"}, {"kind": None}, {"kind": "tags"}, {"kind": "label_classes"}, {"kind": "__class__"},
        {"kind": ["labels"]}, {"hastyframe_journal": 0}, {"hastyframe_journal": 2}, {"hastyframe_journal": "1"},
        {"hastyframe_journal": None}, {"project_id": ".."}, {"project_id": None}, {"project_id": "another"},
        {"on_conflict": 7}, {"unconditional": True}, {"unconditional": "no"}, {"undoes": "/etc/passwd", "token": "x"},
        {"undoes": 5, "token": None}, {"undoes": "/etc"}, {"undoes": "x" * 5000, "token": "\0"}, {"token": 1},
    ])  # fmt: skip
    return [json.dumps(head | change).encode() + b"\n", *lines[1:]]


@spoiler
def no_journal(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return [
        chance.choice(
            [b"", b"\n", b"[]\n", b"7\n", b'"x"\n', b"PK\x03\x04", b"\xff" * 1000, b"{" * 10**6, b"x" * 10**6 + b"\n"]
        )
    ]


# A process that reads them --------------------------------------------------------------------------------------------


def read_all(
    key: str, url: str, project_id: str, journals: list[Path], make: Make, seeds: list[int], folder: Path
) -> None:
    """Spoil journals, resume and undo each, and write down what is none of our errors."""
    transport._FIRST_PAUSE = 0.001
    transport.Transport.settle_timeout = 0.0  # type: ignore[assignment, method-assign]
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    sources = [journal.read_bytes() for journal in journals]
    with (
        (folder / "found").open("a") as file,
        hf.Client(key, url, progress=False, timeout=10.0, max_workers=2) as client,
    ):
        project = client.get_project(project_id)
        for seed in seeds:
            name, number, spoiled = make(sources, seed)
            for verb in ("resume", "undo"):
                trouble = read(project, verb, spoiled, folder)
                print(json.dumps([seed, name, journals[number].name, verb, trouble]), file=file, flush=True)


def read(project: hf.Project, verb: str, spoiled: bytes, folder: Path) -> str | None:
    """Resume or undo a spoiled journal; return what came that is none of our errors."""
    path, back = folder / "spoiled.jsonl", folder / "back.jsonl"
    back.unlink(missing_ok=True)
    path.write_bytes(spoiled)
    try:
        if verb == "resume":
            project.resume(path, errors="report")
        else:
            project.undo(path).apply(back, errors="report")
    except hf.HastyError:
        return None
    except Exception as error:  # what else may come is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:100]} ({Path(where.filename).name}:{where.lineno})"
    return None


def run(
    key: str, url: str, project: hf.Project, journals: list[Path], make: Make, seeds: list[int], folder: Path
) -> list[list[Any]]:
    """Let a process of little memory read spoiled journals; return what it found of each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hastyframe.project", "edits.chaos", "adversary.ends"])
    arguments = (key, url, project.id, journals, make, seeds, folder)
    process = context.Process(target=read_all, args=arguments)
    process.start()
    process.join(60 + LONGEST * len(seeds))
    hangs = process.exitcode is None
    if hangs:
        process.kill()
        process.join()
    found = [json.loads(line) for line in (folder / "found").read_text().splitlines()]
    if hangs or process.exitcode:
        found.append([seeds[len(found) // 2], "?", "?", "?", "hangs" if hangs else f"died with {process.exitcode}"])
    return found
