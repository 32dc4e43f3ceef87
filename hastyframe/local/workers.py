"""Threads for long work of one kind, so that it takes none from work of other kinds."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .http import Refusal

__all__ = ["Workers"]

T = TypeVar("T")

RETRY_SECONDS = 5


class Workers:
    """A bounded number of threads.

    Parameters
    ----------
    name : str
        What they do, as refusals say it.
    count : int
        How many there are.
    patience : float, optional
        After so many seconds without a free thread, a request is refused with 429. None is no limit.

    Examples
    --------
    >>> workers = Workers("sums", 2)
    >>> asyncio.run(workers.run(sum, [1, 2]))
    3
    >>> workers.stop()
    """

    def __init__(self, name: str, count: int, patience: float | None = None) -> None:
        self._name = name
        self._count = count
        self._patience = patience
        self._free = asyncio.Semaphore(count)
        self._pool = ThreadPoolExecutor(count, f"hastyframe-{name}")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in one of the threads."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            busy = f"{self._count} {self._name} are under way already, and none has ended in {self._patience:g} seconds"
            raise Refusal(429, busy, {"Retry-After": str(RETRY_SECONDS)}) from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(function, *args))
        finally:
            self._free.release()

    def stop(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
