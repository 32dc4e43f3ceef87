"""Reading many things, some of which fail: what succeeded is kept, so that it is read only once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from hastyframe.errors import ACCOUNT_ERRORS, HastyError

__all__ = ["Failures", "Parts"]

T = TypeVar("T")
R = TypeVar("R")

_FRESH = 600.0
"""For how many seconds what was read of a call that failed serves the next one."""
_MOST_IN_A_ROW = 16
"""After so many failures without a success between them, the rest is not asked for."""


class Failures:
    """Which of many things failed. After an error that concerns all of them, the rest is not asked for.

    Attributes
    ----------
    found : dict of int to HastyError
        By the position of the thing.
    """

    def __init__(self) -> None:
        self.found: dict[int, HastyError] = {}
        self._in_a_row = 0
        self._end: HastyError | None = None
        self._lock = threading.Lock()

    def guard(self, function: Callable[[T], R]) -> Callable[[tuple[int, T]], R | None]:
        """Let a function take pairs of a position and a thing, and note its error instead of raising it."""

        def guarded(task: tuple[int, T]) -> R | None:
            position, thing = task
            if position in self.found:
                return None
            if self._end is not None:
                self._note(position, HastyError(f"Not asked for, after an earlier error: {self._end}"))
                return None
            try:
                result = function(thing)
            except HastyError as error:
                self._note(position, error)
                if isinstance(error, ACCOUNT_ERRORS) or self._in_a_row >= _MOST_IN_A_ROW:
                    self._end = error
                return None
            self._in_a_row = 0
            return result

        return guarded

    def _note(self, position: int, error: HastyError) -> None:
        with self._lock:
            self.found[position] = error
            self._in_a_row += 1


class Parts:
    """What failed calls have read, kept for the same calls again: for ten minutes, and until something is written.

    A call for other things, even if some are the same, gets nothing of it: it shall see what is there now.

    Examples
    --------
    >>> parts = Parts()
    >>> parts.keep(["a", "b"], {"a": [1, 2]})
    >>> parts.of(["a", "b"]), parts.of(["a"])
    ({'a': [1, 2]}, {})
    >>> parts.clear()
    >>> parts.of(["a", "b"])
    {}
    """

    def __init__(self) -> None:
        self._kept: dict[frozenset[Hashable], tuple[float, Mapping[Any, Any]]] = {}
        self._lock = threading.Lock()

    def of(self, keys: Iterable[Hashable]) -> Mapping[Hashable, Any]:
        """Return what is kept of a call for some things."""
        if not self._kept:
            return {}
        with self._lock:
            since = time.monotonic() - _FRESH
            self._kept = {call: kept for call, kept in self._kept.items() if kept[0] > since}
            return self._kept.get(frozenset(keys), (0.0, {}))[1]

    def keep(self, keys: Iterable[Hashable], parts: Mapping[Any, Any]) -> None:
        """Keep what was read of a call for some things; it is as old as the first of its parts."""
        call = frozenset(keys)
        with self._lock:
            self._kept[call] = (self._kept.get(call, (time.monotonic(),))[0], parts)

    def drop(self, keys: Iterable[Hashable]) -> None:
        """Forget a call, which has been answered."""
        if self._kept:
            with self._lock:
                self._kept.pop(frozenset(keys), None)

    def clear(self) -> None:
        """Forget all, because something was written."""
        if self._kept:
            with self._lock:
                self._kept.clear()
