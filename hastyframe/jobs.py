"""Export and automated-labeling jobs: start, wait with a progress bar, fetch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Self

from . import entities
from .errors import JobFailed, RequestTimeout, UnexpectedAnswer, ValidationException
from .handles import Handle

__all__ = ["AutomatedLabelingJob", "ExportJob"]

_ENDS_BADLY = ("FAILED", "CANCELED", "CANCELLED")
_FIRST_LOOK, _LONGEST_BREAK = 0.2, 5.0


class _Job(Handle, entities.Job):
    """Something that runs on the server."""

    def _refresh(self) -> None:
        self._data |= self._requester.get(self._url())

    def _percent(self) -> float | None:
        """How much is done, where the server says so."""
        found = self._data.get("progress")
        if found is None:
            found = (self._data.get("meta") or {}).get("progress")
        return float(found) if isinstance(found, int | float) else None

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
        began = time.monotonic()
        pause = _FIRST_LOOK
        title = type(self).__name__
        with self._requester.bar(title if progress else None, 100, "%") as bar:
            while True:
                self._refresh()
                bar.set_postfix_str(str(self.status), refresh=False)
                percent = 100.0 if self.status == "DONE" else self._percent()
                bar.update((percent or 0.0) - bar.n)
                if self.status == "DONE":
                    return self
                if self.status in _ENDS_BADLY:
                    raise JobFailed(f"The job {self.id} ended as {self.status}: {self._reason()}")
                if timeout is not None and time.monotonic() - began + pause > timeout:
                    raise RequestTimeout(
                        f"The job {self.id} is {self.status} after {timeout:g} s and goes on on the server; wait for "
                        "it again, or with a longer timeout=."
                    )
                time.sleep(pause)
                pause = min(_LONGEST_BREAK, 1.5 * pause)

    def _reason(self) -> str:
        meta = self._data.get("meta") or {}
        return str(meta.get("message") or "the server does not say why.")


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
        """
        if self.status != "DONE" and self.check_status() != "DONE":
            raise ValidationException(f"The export is {self.status}, not DONE; wait for it with .wait().")
        meta = self.meta or {}
        if not meta.get("url"):
            raise UnexpectedAnswer(f"The export {self.id} is done and has no address to download it from.")
        # The name comes from the server: only its last part is taken, so that it stays in the folder.
        name = Path(str(meta.get("export_name") or "export").replace("\\", "/")).name or "export"
        folder = Path(local_folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.zip"
        self._requester.download(meta["url"], path)
        return path


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
