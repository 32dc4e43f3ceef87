"""Which labels an image had when all of them were last read.

If a request that creates labels gets no answer, the image is read again, and what is new must be told from what was
there before. If the client has read the image lately, it knows that already, which saves a request for each image.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hastyframe.frames import arrow_array

if TYPE_CHECKING:
    import pandas as pd

    from hastyframe.transport import Transport

__all__ = ["KnownLabels"]

FRESH = 600.0
"""For how many seconds it counts what was read."""


class KnownLabels:
    """The ids of labels that a client has read, by image.

    Examples
    --------
    >>> import pandas as pd
    >>> labels = pd.DataFrame({"image_id": ["a", "a"]}, index=["l1", "l2"])
    >>> known_labels = KnownLabels()
    >>> known_labels.saw(["a", "b"], labels)
    >>> known_labels.of("a"), known_labels.of("b"), known_labels.of("c")
    (['l1', 'l2'], [], None)
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, pa.Array | list[str]]] = {}
        self._lock = threading.Lock()

    @classmethod
    def shared(cls, transport: Transport, project_id: str) -> KnownLabels:
        """Return the one that everything on a transport shares."""
        return transport.cached((cls, project_id), cls)

    def saw(self, image_ids: Iterable[str], labels: pd.DataFrame) -> None:
        """Note all labels of images, as they have just been read.

        Parameters
        ----------
        image_ids : iterable of str
            The images, those without labels too.
        labels : pandas.DataFrame
            A labels frame; the labels of an image stand together.
        """
        now = time.monotonic()
        ids = arrow_array(labels.index, pa.large_string())
        codes, images = labels["image_id"].factorize()
        starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
        of_image = {images[codes[start]]: ids[start:end] for start, end in pairwise([*starts, len(codes)])}
        with self._lock:
            for image_id in image_ids:
                self._seen[image_id] = (now, of_image.get(image_id, []))

    def add(self, image_id: str, label_ids: Sequence[str]) -> None:
        """Note labels that have been created on an image."""
        with self._lock:
            if image_id in self._seen:
                when, ids = self._seen[image_id]
                self._seen[image_id] = (when, [*_listed(ids), *label_ids])

    def forget(self, image_id: str) -> None:
        """Let the image be read again, after something else wrote to it."""
        with self._lock:
            self._seen.pop(image_id, None)

    def of(self, image_id: str) -> list[str] | None:
        """Return the ids of an image's labels; None where they have not been read, or too long ago."""
        with self._lock:
            when, ids = self._seen.get(image_id, (-np.inf, []))
        return _listed(ids) if time.monotonic() - when < FRESH else None


def _listed(ids: pa.Array | list[str]) -> list[str]:
    return ids if isinstance(ids, list) else ids.to_pylist()
