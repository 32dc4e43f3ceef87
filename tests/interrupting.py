"""Interrupt a request at every few lines that are run for it, and look for the key in what tracebacks show.

python tests/interrupting.py ADDRESS KEY
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hastyframe.transport import Transport

STEP = 67
WITH_LOCKS = ("threading.py", "queue.py", "_collections.py", "logging/__init__.py", "cookiejar.py")


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line that is run in a call, in any frame but those that hold locks."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: Any, event: str, arg: object) -> Interrupt | None:
        if frame.f_code.co_filename.endswith(WITH_LOCKS):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def run(self, call: Callable[[], object]) -> BaseException | None:
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt as error:
            return error
        finally:
            sys.settrace(None)
        return None


def main(url: str, key: str) -> None:
    for warm in (False, True):
        shown = 0
        for at in range(1, 20_000, STEP):
            one = Transport(key, url, progress=False)
            if warm:
                one.post("/v1/x", {"a": 1})
            error = Interrupt(at).run(lambda one=one: one.post("/v1/x", {"a": 1}))
            if error is None:
                break
            with suppress(AttributeError):  # of the repr of what was not finished
                text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
                if key in text.partition("in post")[2]:  # the frames above are those of this script
                    sys.exit(text)
                shown += 1
        print(shown, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
