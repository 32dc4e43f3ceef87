"""What the operations of a server work with."""

from __future__ import annotations

from dataclasses import dataclass

from .fetch import Fetcher
from .files import Files
from .jobs import Jobs
from .models import Models
from .signing import Signer
from .store import Store
from .workers import Workers

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """Everything that a server has besides its connections.

    Attributes
    ----------
    store : Store
        The event loop's connection to the database.
    files : Files
        The folder.
    signer : Signer
        Makes and checks addresses that need no key.
    models : Models
        What predicts.
    jobs : Jobs
        What runs in the background.
    fetcher : Fetcher
        Brings pictures from elsewhere.
    fetching, predicting : Workers
        Threads for what takes long within a request. What they wait for never keeps downloads waiting.
    upload_lifetime : float
        For how many seconds an address to upload to is good.
    """

    store: Store
    files: Files
    signer: Signer
    models: Models
    jobs: Jobs
    fetcher: Fetcher
    fetching: Workers
    predicting: Workers
    upload_lifetime: float = 3600.0

    def stop(self) -> None:
        """End what is under way."""
        self.fetcher.stop()
        self.fetching.stop()
        self.predicting.stop()
        self.jobs.stop()
