"""A small server of labels whose every request a test can bend: before it is carried out, and in its answer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from servers import Answer, Seen, page, serve

from hastyframe.edits import Journal, Report, execute
from hastyframe.transport import Transport

NOTHING = dict.fromkeys(("polygon", "mask", "external_id"))


def content(n: int, **changes: Any) -> dict[str, Any]:
    """The content of a label, by its number."""
    return {"class_id": "c", "bbox": [n, 0, n + 2, 2], "z_index": 0, **NOTHING, **changes}


class LabelServer:
    """Labels by image. `before` may answer in the place of the server, `after` may change what it answers."""

    def __init__(self) -> None:
        self.labels: dict[str, list[dict[str, Any]]] = {}
        self.before: Callable[[Seen], Answer | None] = lambda seen: None
        self.after: Callable[[Seen, Any], Any] = lambda seen, answer: answer
        self.seen: list[Seen] = []
        self._ids = itertools.count(1)
        self._lock = threading.RLock()

    def put_there(self, image: str, *contents: dict[str, Any]) -> list[str]:
        """Store labels as somebody else's, and return their ids."""
        new = [{"id": f"id-{next(self._ids)}", "image_id": image, **one} for one in contents]
        self.labels.setdefault(image, []).extend(new)
        return [one["id"] for one in new]

    def of(self, image: str) -> list[dict[str, Any]]:
        """The contents of an image's labels."""
        return [{k: v for k, v in one.items() if k not in ("id", "image_id")} for one in self.labels.get(image, [])]

    def carry_out(self, seen: Seen) -> Any:
        """Do what a request asks for."""
        image = seen.path.split("/")[-2]
        with self._lock:
            labels = self.labels.setdefault(image, [])
            if seen.method == "GET":
                return page(seen, list(labels))
            body = [{k: v for k, v in one.items() if k != "tool_used"} for one in seen.json()]
            if seen.method == "POST":
                ids = self.put_there(image, *body)
                return {"items": [one for one in labels if one["id"] in ids]}
            known = {one["id"]: one for one in labels}
            keys = [one.get("label_id", one.get("id")) for one in body]
            if not set(keys) <= known.keys():
                return Answer(404, {"message": "There is no such label."})
            if seen.method == "DELETE":
                labels[:] = [one for one in labels if one["id"] not in keys]
                return Answer(204)
            for key, one in zip(keys, body, strict=True):
                known[key].update({k: v for k, v in one.items() if k != "label_id"})
            return {"items": [dict(known[key]) for key in keys]}

    def __call__(self, seen: Seen) -> Any:
        if seen.path.endswith("/attributes"):
            return page(seen, [])
        self.seen.append(seen)
        answer = self.before(seen)
        return answer if answer is not None else self.after(seen, self.carry_out(seen))


@contextmanager
def scripted(**options: Any) -> Iterator[tuple[LabelServer, Transport]]:
    """Run such a server, with a transport to it."""
    labels = LabelServer()
    with serve(labels) as server:
        transport = Transport("key", server.url, progress=False, **options)
        yield labels, transport
        transport.close()


def apply(
    transport: Transport,
    path: Any,
    units: dict[str, Sequence[dict[str, Any]]],
    *,
    unconditional: bool = False,
    **options: Any,
) -> Report:
    """Carry out changes (dicts of ``id``, ``old`` and ``new``), by image."""
    numbered, rows = [], itertools.count()
    for image, changes in units.items():
        numbered.append((image, None, [{"row": (n := next(rows)), "label": n, **change} for change in changes]))
    with Journal.create(
        path, "labels", "p", numbered, {"unconditional": unconditional} if unconditional else None
    ) as journal:
        return execute(transport, journal, errors="report", **options)


def edits(server: LabelServer, image: str, **changes: Any) -> list[dict[str, Any]]:
    """Plan the same edit of all labels of an image, from what they are now."""
    return [
        {"id": one["id"], "old": old, "new": changes}
        for one, old in zip(server.labels[image], server.of(image), strict=True)
    ]


def deletes(server: LabelServer, image: str) -> list[dict[str, Any]]:
    """Plan that all labels of an image are deleted."""
    return [{"id": one["id"], "old": old} for one, old in zip(server.labels[image], server.of(image), strict=True)]


def creates(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Plan new labels."""
    return [{"new": content(n)} for n in numbers]
