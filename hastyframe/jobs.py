"""Export and automated-labeling jobs: start, wait with a progress bar, fetch."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Self

from . import entities
from .arguments import check_flag, check_number, check_path, shown
from .errors import JobFailed, RequestTimeout, UnexpectedAnswer, ValidationException
from .handles import Handle
from .paths import spelled, writing
from .pictures import save

__all__ = ["AutomatedLabelingJob", "ExportJob"]

_ENDS_BADLY = ("FAILED", "CANCELED", "CANCELLED")
_FIRST_LOOK, _LONGEST_BREAK = 0.2, 5.0


class _Job(Handle, entities.Job):
    """Something that runs on the server."""

    def _refresh(self) -> None:
        self._data |= self._checked(self._requester.get(self._url()), f"GET {self._url()}")

    def _percent(self) -> float | None:
        """How much is done, where the server says so."""
        found = self._data.get("progress", self._meta.get("progress"))
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        return min(100.0, max(0.0, float(found)))

    @property
    def _meta(self) -> dict[str, Any]:
        """What else the server says, if it says it as an object."""
        meta = self._data.get("meta")
        return meta if isinstance(meta, dict) else {}

    def wait(self, timeout: float | None = 3600.0, progress: bool = True) -> Self:
        """Wait until the job has ended.

        Parameters
        ----------
        timeout : float, optional
            The longest to wait, in seconds; None for ever.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        The job itself, done.

        Raises
        ------
        JobFailed
            If it ended without a result.
        RequestTimeout
            If it has not ended in time; it goes on on the server, and can be waited for again.
        """
        check_number(timeout, "timeout", least=0, optional=True)
        check_flag(progress, "progress")
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        title = type(self).__name__ if progress else None
        with self._requester.bar(title, 100, "%") as bar:
            while True:
                self._refresh()
                bar.set_postfix_str(str(self.status), refresh=False)
                percent = 100.0 if self.status == "DONE" else self._percent()
                bar.update((percent or 0.0) - bar.n)
                if self.status == "DONE":
                    return self
                self._check_alive()
                left = pause if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise RequestTimeout(
                        f"The job {self.id} is {self.status} after {timeout:g} s and goes on on the server; wait for "
                        "it again, or with a longer timeout=."
                    )
                time.sleep(min(pause, left))
                pause = min(_LONGEST_BREAK, 1.5 * pause)

    def _check_alive(self) -> None:
        if self.status in _ENDS_BADLY:
            reason = self._meta.get("message") or "the server does not say why."
            raise JobFailed(
                f"The job {self.id} ended as {self.status}: {reason}",
                request=f"GET {self._url()}",
            )


class ExportJob(_Job, entities.ExportJob):
    """An export: runs on the server and ends with an archive to download."""

    def check_status(self) -> str:
        """Ask the server how it stands.

        Returns
        -------
        str
            ``DONE`` when the archive is there.
        """
        self._refresh()
        return self.status

    def download(self, local_folder: str | Path = ".") -> Path:
        """Download the archive of an export that is done.

        Parameters
        ----------
        local_folder : str or Path
            Where to; made if it is not there.

        Returns
        -------
        Path
            The zip file.

        Raises
        ------
        ValidationException
            If the export is not done; `wait` for it first.
        JobFailed
            If it ended without an archive.
        """
        folder = check_path(local_folder, "local_folder")
        # Asked for even if it is known to be done: addresses expire, and the answer has a fresh one.
        if self.check_status() != "DONE":
            self._check_alive()
            raise ValidationException(f"The export is {self.status}, not DONE; wait for it with .wait().")
        url = self._meta.get("url")
        if not isinstance(url, str) or not url:
            raise UnexpectedAnswer(
                f"The export {self.id} is done and has no address to download it from ({shown(url)}). Start it anew.",
                request=f"GET {self._url()}",
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_file_name(self._meta.get('export_name'))}.zip"
        save(self._requester, url, path)
        return path


def _file_name(name: Any) -> str:
    r"""Return what is left of a name from elsewhere that is fit for a file: its last part, on any system.

    Examples
    --------
    >>> _file_name("coins, 2nd try"), _file_name("../../etc/passwd"), _file_name("C:\\a:b"), _file_name("..")
    ('coins, 2nd try', 'passwd', 'a_b', 'export')
    """
    last = re.split(r"[/\\]", str(name or ""))[-1]
    last = last.strip(" .")[:100].rstrip(" .")
    return spelled(last) if last else "export"


class AutomatedLabelingJob(_Job, entities.AutomatedLabelingJob):
    """A run of a model over images that stores what it sees as labels."""

    def check_status(self) -> dict[str, Any]:
        """Ask the server how it stands.

        Returns
        -------
        dict
            ``status`` and ``progress``.
        """
        self._refresh()
        return {"status": self.status, "progress": self.progress}
