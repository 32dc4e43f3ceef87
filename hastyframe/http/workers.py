"""Many calls at once, and what all threads wait for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

__all__ = ["RateGate", "in_parallel"]

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 1.0
"""How many seconds Ctrl-C waits for requests that are under way."""


class RateGate:
    """What all threads wait for: after a 429 nobody sends before the time that the server named."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()
        self._local = threading.local()

    def stop_on(self, stop: threading.Event) -> None:
        """Let this thread's waits end when the event is set."""
        self._local.stop = stop

    def hold(self, seconds: float) -> None:
        """Let nobody send for so long."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    @property
    def closed(self) -> bool:
        """Whether nobody may send now, because the server asked to slow down."""
        return self._until > time.monotonic()

    @property
    def stopped(self) -> bool:
        """Whether the call that this thread works for has ended."""
        stop = getattr(self._local, "stop", None)
        return stop is not None and stop.is_set()

    def wait(self) -> None:
        """Wait until sending is allowed."""
        while not self.stopped and (left := self._until - time.monotonic()) > 0:
            self.sleep(left)

    def sleep(self, seconds: float) -> None:
        """Wait; not longer than the call that this thread works for lasts."""
        stop = getattr(self._local, "stop", None)
        (time.sleep if stop is None else stop.wait)(seconds)


def in_parallel(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    count: int,
    workers: int,
    gate: RateGate,
    done: dict[int, R],
    step: Callable[[T], Any],
) -> None:
    """Call a function on many items in threads.

    Parameters
    ----------
    function : callable
        Called in a thread.
    items : iterable
        What it is called on; asked for one after the other, as threads are free.
    count : int
        How many there are.
    workers : int
        How many threads.
    gate : RateGate
        Whose waits end for these threads when the call ends.
    done : dict
        Gets each result by the position of its item.
    step : callable
        Gets each item that is done, in the thread that called.

    Raises
    ------
    BaseException
        The first error. It ends the call, as Ctrl-C does: what has not begun is dropped, who waits stops waiting. What
        is under way is waited for; after Ctrl-C for a second at most.
    """
    tasks = enumerate(items)
    lock = threading.Lock()
    fates: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    stop = threading.Event()

    def following() -> tuple[int, T] | None:
        with lock:
            return None if stop.is_set() else next(tasks, None)

    def work() -> None:
        gate.stop_on(stop)
        item = None
        try:
            while (task := following()) is not None:
                position, item = task
                done[position] = function(item)
                fates.put((item, None))
        except BaseException as error:
            fates.put((item, error))

    threads: list[threading.Thread] = []
    patience = None
    try:
        for number in range(min(workers, count)):
            # A request may hang for minutes; the end of the interpreter waits for all threads but daemons.
            thread = threading.Thread(target=work, name=f"hastyframe-pool-{number}", daemon=True)
            thread.start()
            threads.append(thread)
        for _ in range(count):
            item, error = _next(fates)
            if error is not None:
                raise error
            step(item)  # type: ignore[arg-type]
    except (KeyboardInterrupt, SystemExit):
        patience = _PATIENCE
        raise
    finally:
        stop.set()
        _join(threads, patience)


def _next(queue: SimpleQueue[T]) -> T:
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=0.5)  # not for ever: on Windows Ctrl-C does not end that


def _join(threads: Iterable[threading.Thread], patience: float | None) -> None:
    """Wait for threads to end; for no more than `patience` seconds if that is given."""
    until = None if patience is None else time.monotonic() + patience
    for thread in threads:
        thread.join(None if until is None else max(0.0, until - time.monotonic()))
