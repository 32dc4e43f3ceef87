"""Pictures to the server, each once, however often the call is interrupted and made again.

File names are unique within a dataset, and the server sees to it. So a name tells whether a picture has arrived: what
is there before is skipped, what nobody answered for is looked for by its name and sent again if it is not there, and
if both requests arrive after all, the server refuses the second. One listing serves all pictures of a round.
"""

from __future__ import annotations

import filecmp
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from .arguments import check_text
from .entities import Image
from .errors import (
    TRANSIENT_ERRORS,
    AuthorisationException,
    ConnectionFailed,
    FormatError,
    HastyError,
    NotFound,
    OutcomeUnknown,
    UnexpectedAnswer,
    ValidationException,
)
from .paths import printable, reading
from .pictures import Addresses, AnotherImage, Picture, is_turned, new_image, picture_size, read_picture
from .urls import path_of
from .vocabulary import check_choice

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["Compare", "upload"]

Compare: TypeAlias = Literal["size", "checksum"]

_ROUNDS = 8
"""How many rounds in a row may make no progress before the rest is given up."""
_DATASETS_AT_ONCE = 100
"""How many ids fit into the address of a request."""
_REMEDY = "Rename the file, delete the image first, or give another dataset."


def upload(
    transport: Transport, project_id: str, pictures: Sequence[Picture], compare: Compare = "size"
) -> pd.DataFrame:
    """Upload pictures in parallel, as `Project.upload_images` says; one that fails does not stop the others."""
    check_choice(compare, ("size", "checksum"), "compare")
    with transport.bar("Upload images", len(pictures), "image") as bar:
        run = _Upload(transport, project_id, pictures, compare, bar)
        try:
            run.finish()
        except KeyboardInterrupt:
            bar.close()
            print(
                f"Interrupted: {run.summary()}. The same line again goes on: it skips what is there.",
                file=sys.stderr,
                flush=True,
            )
            raise
    return run.report()


@dataclass(slots=True)
class _Fate:
    """What is known of one picture.

    Attributes
    ----------
    outcome, image_id, message : str or None
        As in the report; without an outcome it is still to be sent, and the message says why it has not arrived yet.
    size : tuple of int or None
        Width and height in pixels, as far as they are known.
    maybe_there : bool
        Whether a request for it may have been carried out.
    refused : bool
        Whether the server refused to make an image of it.
    another : bool
        Whether the server answered it with another image, so that it is not sent again.
    """

    outcome: str | None = None
    image_id: str | None = None
    message: str | None = None
    size: tuple[int, int] | None = None
    maybe_there: bool = False
    refused: bool = False
    another: bool = False


class _Upload:
    """One upload, in rounds: all that is left is sent, then what is in doubt is looked for."""

    def __init__(
        self, transport: Transport, project_id: str, pictures: Sequence[Picture], compare: Compare, bar: Any
    ) -> None:
        self._transport = transport
        self._project_id = project_id
        self._pictures = pictures
        self._compare = compare
        self._bar = bar
        self._lock = threading.Lock()
        self._fates = [_Fate() for _ in pictures]
        self._addresses = Addresses(transport, project_id, 0)
        self._unreached = threading.Event()

    def finish(self) -> None:
        """Send every picture until it is there, refused or given up."""
        self._check()  # not in threads: it holds back warnings for all of them
        self._recognise(self._left)
        rounds = 0
        while left := self._left:
            rounds += 1
            self._unreached.clear()
            self._addresses = Addresses(self._transport, self._project_id, len(left))
            self._transport.map(self._send, left)
            try:
                self._recognise(self._left)
            except ConnectionFailed as error:
                self._give_up(f"The server cannot be reached any more: {error}")
            if len(self._left) < len(left):
                rounds = 0
            elif rounds == _ROUNDS:
                self._give_up(f"Given up after {rounds} tries")
            else:
                self._transport.rest_before(rounds)

    @property
    def _left(self) -> list[int]:
        return [i for i, fate in enumerate(self._fates) if fate.outcome is None]

    def _check(self) -> None:
        for i, picture in enumerate(self._pictures):
            try:
                check_text(picture.name, "The name of the file", empty=False)
                self._fates[i].size = picture_size(picture.path)
            except ValidationException as error:
                self._decide(i, "failed", message=error.message)

    # Sending ----------------------------------------------------------------------------------------------------------

    def _send(self, i: int) -> None:
        if self._unreached.is_set():  # the next round tries again
            return
        fate, picture = self._fates[i], self._pictures[i]
        fate.refused = False
        try:
            address = self._put(picture)
            if address is not None:
                image = new_image(self._transport, self._project_id, picture, address["id"])
                self._decide(i, "uploaded", image["id"], self._unturned(i, image))
            else:
                fate.message = "The address to upload to had expired."
        except OutcomeUnknown as error:
            fate.maybe_there, fate.message, fate.another = True, str(error), isinstance(error, AnotherImage)
        except TRANSIENT_ERRORS as error:
            fate.maybe_there |= isinstance(error, UnexpectedAnswer)
            fate.message = str(error)
            if isinstance(error, ConnectionFailed):
                self._unreached.set()
        except FormatError as error:  # of a file that has gone or changed meanwhile
            self._decide(i, "failed", message=error.message)
        except (ValidationException, NotFound) as error:
            fate.refused, fate.message = True, str(error)

    def _put(self, picture: Picture) -> dict[str, str] | None:
        """Upload the bytes of a picture; return the address that they are at, None if it had expired."""
        content = read_picture(picture.path)
        address = self._addresses.take()
        try:
            self._transport.upload(address["url"], content)
        except AuthorisationException:  # of the storage, which knows no keys
            self._addresses.expired(address)
            return None
        return address

    # Looking for what is there ----------------------------------------------------------------------------------------

    def _recognise(self, some: Sequence[int]) -> None:
        """Look for pictures by their names; what the server refused and does not have has failed."""
        if not some:
            return
        try:
            there = self._there({self._pictures[i].dataset_id for i in some})
        except ConnectionFailed:
            raise
        except TRANSIENT_ERRORS:  # others upload as well, say; the next round looks again
            return
        found = []
        for i in some:
            item = there.get((self._pictures[i].dataset_id, self._pictures[i].name))
            if item is not None:
                found.append((i, item))
            elif self._fates[i].refused or self._fates[i].another:
                outcome = "failed" if self._fates[i].refused else "unknown"
                self._decide(i, outcome, message=self._fates[i].message)
        differences = [self._difference(i, item) for i, item in found]
        if self._compare == "checksum":
            tasks = [(i, item) for (i, item), difference in zip(found, differences, strict=True) if difference is None]
            compared = iter(self._transport.map(self._difference_of_bytes, tasks))
            differences = [next(compared) if difference is None else difference for difference in differences]
        for (i, item), difference in zip(found, differences, strict=True):
            if difference is not None:
                self._decide(i, "failed", message=difference)
            else:
                outcome = "uploaded" if self._fates[i].maybe_there else "there already"
                self._decide(i, outcome, item["id"], self._unturned(i, item))

    def _there(self, datasets: set[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """Read the images of datasets, by dataset and name."""
        ids = sorted(datasets)
        path = path_of(Image.path, project_id=self._project_id)
        queries = [
            {"dataset_id": ",".join(ids[start : start + _DATASETS_AT_ONCE])}
            for start in range(0, len(ids), _DATASETS_AT_ONCE)
        ]
        pages = self._transport.listings([(path, query) for query in queries], lambda _, items: items)
        items = (item for of_list in pages for page in of_list for item in page)
        return {(str(item.get("dataset_id")), str(item.get("name"))): item for item in items}

    def _difference(self, i: int, item: dict[str, Any]) -> str | None:
        """Say how the image of a picture's name differs from it in size, if it does and both are known."""
        here, there = self._fates[i].size, (item.get("width"), item.get("height"))
        if here is None or None in there or here == there or self._unturned(i, item) is not None:
            return None
        return (
            f"The dataset has another image of this name: it has {there[0]} × {there[1]} pixels, the file has "
            f"{here[0]} × {here[1]}. {_REMEDY}"
        )

    def _unturned(self, i: int, item: dict[str, Any]) -> str | None:
        """Say that the server does not turn a picture that is to be turned, where it tells by the size."""
        here, there = self._fates[i].size, (item.get("width"), item.get("height"))
        if here is None or here == there or here != there[::-1] or not is_turned(self._pictures[i].path):
            return None
        return (
            f"The server has it with {there[0]} × {there[1]} pixels, as the file stores them; people see "
            f"{here[0]} × {here[1]}. Labels made on what people see lie elsewhere there: turn the pixels of the file, "
            "and upload it again."
        )

    def _difference_of_bytes(self, task: tuple[int, dict[str, Any]]) -> str | None:
        i, item = task
        try:
            with tempfile.TemporaryDirectory(prefix="hastyframe-") as folder:
                copy = Path(folder, "image")
                self._transport.download(str(item.get("public_url")), copy)
                with reading(self._pictures[i].path):
                    same = filecmp.cmp(copy, self._pictures[i].path, shallow=False)
        except (HastyError, OSError) as error:
            return f"The dataset has an image of this name, and it could not be compared: {error}"
        return None if same else f"The dataset has another image of this name, with other bytes. {_REMEDY}"

    # Fates ------------------------------------------------------------------------------------------------------------

    def _decide(self, i: int, outcome: str, image_id: str | None = None, message: str | None = None) -> None:
        fate = self._fates[i]
        fate.outcome, fate.image_id, fate.message = outcome, image_id, message
        with self._lock:
            self._bar.update(1)

    def _give_up(self, why: str) -> None:
        for i in self._left:
            fate = self._fates[i]
            message = why if fate.message is None else f"{why}: {fate.message}"
            self._decide(i, "unknown" if fate.maybe_there else "failed", message=message)

    def summary(self) -> str:
        """Say in one line what became of the pictures."""
        counts = Counter(fate.outcome or "pending" for fate in self._fates)
        return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common())

    def report(self) -> pd.DataFrame:
        """Return a row a picture."""
        rows = [
            (
                printable(picture.path),
                printable(picture.name),
                picture.dataset_id,
                fate.image_id,
                fate.outcome,
                fate.message,
            )
            for picture, fate in zip(self._pictures, self._fates, strict=True)
        ]
        return pd.DataFrame(rows, columns=["path", "name", "dataset_id", "image_id", "outcome", "message"], dtype="str")
