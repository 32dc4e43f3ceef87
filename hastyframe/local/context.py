"""What the operations of a server work with."""

from __future__ import annotations

from dataclasses import dataclass

from .files import Files
from .jobs import Jobs
from .models import Models
from .signing import Signer
from .store import Store

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
    upload_lifetime : float
        For how many seconds an address to upload to is good.
    """

    store: Store
    files: Files
    signer: Signer
    models: Models
    jobs: Jobs
    upload_lifetime: float = 3600.0
