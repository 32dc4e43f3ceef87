"""Progress bars, for work that takes over a second."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["bar"]


def bar(*, shown: bool = True, **options: Any) -> Any:
    """Return a bar of tqdm that appears after a second.

    Parameters
    ----------
    shown : bool
        Whether it may appear at all.
    **options
        As for `tqdm.tqdm`: `iterable`, `total`, `desc`, `unit`.

    Examples
    --------
    >>> [number for number in bar(iterable=[1, 2])]
    [1, 2]
    """
    with warnings.catch_warnings():
        # A notebook without widgets gets bars of text, which is no reason to warn in every notebook.
        warnings.filterwarnings("ignore", "IProgress not found")
        from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread of its own, which would outlive the call

    return Bar(delay=1.0, disable=not shown, **options)
