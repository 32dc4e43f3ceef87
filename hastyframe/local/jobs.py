"""Work that goes on after its request was answered: exports and automated labeling."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from hastyframe.entities import AutomatedLabelingJob, ExportJob
from hastyframe.errors import HastyError

from .http import Refusal
from .store import Record, Store

__all__ = ["Canceled", "Job", "Jobs", "now"]

log = logging.getLogger(__name__)

JobEntity: TypeAlias = type[ExportJob] | type[AutomatedLabelingJob]
ENDS = ("DONE", "FAILED", "CANCELED")
WORKERS = 2


class Canceled(Exception):
    """The server stops, and the job with it."""


def now() -> str:
    """Return the time as answers have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Job:
    """A job that is running, as its work sees it.

    Attributes
    ----------
    store : Store
        A connection of its own.
    record : dict
        The job as it was created.
    """

    def __init__(self, entity: JobEntity, record: Record, store: Store, stop: threading.Event) -> None:
        self.entity = entity
        self.record = record
        self.store = store
        self._stop = stop

    def update(self, **changes: object) -> None:
        """Change what clients see of the job."""
        with self.store.transaction():
            self.store.update(self.entity, self.record["id"], changes)

    def check(self) -> None:
        """End the job if the server stops."""
        if self._stop.is_set():
            raise Canceled


Work: TypeAlias = Callable[[Job], None]
Failure: TypeAlias = Callable[[str], Record]


class Jobs:
    """Threads that do jobs, first come first served.

    Parameters
    ----------
    path : Path
        The database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._queue: SimpleQueue[tuple[JobEntity, Record, Work, Failure] | None] = SimpleQueue()
        # Daemons: an interpreter that ends without stop() is not held up by them.
        self._threads = [
            threading.Thread(target=self._serve, name="hastyframe-job", daemon=True) for _ in range(WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, entity: JobEntity, record: Record, work: Work, failure: Failure) -> None:
        """Put a job, already stored, at the end of the queue; `failure` says what is stored besides when it fails."""
        self._queue.put((entity, record, work, failure))

    def stop(self) -> None:
        """Cancel what is running or waiting, and end the threads."""
        self._stop.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            entity, record, work, failure = item
            store = Store(self._path)
            try:
                self._run(Job(entity, record, store, self._stop), work, failure)
            except Exception:
                log.exception("the end of job %s could not be stored", record["id"])
            finally:
                store.close()

    @staticmethod
    def _run(job: Job, work: Work, failure: Failure) -> None:
        try:
            job.check()
            job.update(status="IN PROGRESS")
            work(job)
        except Canceled:
            job.update(status="CANCELED", completed_on=now(), **failure("the server was stopped"))
        except Exception as error:
            expected = isinstance(error, (Refusal, HastyError))
            log.log(logging.WARNING if expected else logging.ERROR, "a job failed", exc_info=not expected)
            message = error.message if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            job.update(status="FAILED", completed_on=now(), **failure(message))


def fail_interrupted(store: Store) -> None:
    """Mark jobs as failed that were running when a server ended without being stopped."""
    for entity in (ExportJob, AutomatedLabelingJob):
        for status in ("NEW", "IN PROGRESS"):
            for id_ in store.ids(entity, {"status": status}):
                store.update(entity, id_, {"status": "FAILED", "completed_on": now()})
