"""The embedded server: uvicorn on a port, a folder, and the life between start and stop."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from weakref import WeakSet

import uvicorn

from hastyframe.entities import Workspace

from .app import make_app
from .connections import IDLE_SECONDS, BoundedProtocol, BoundedServer, backlog
from .context import Context
from .faults import Faults, Mischief
from .fetch import FETCH_SECONDS, Fetcher
from .files import Files, make_private
from .jobs import Jobs, fail_interrupted
from .lock import FolderLock, told
from .models import Models, Predict
from .orphans import remove_orphans, renew_mark
from .signing import Signer
from .store import Store
from .workers import Workers

__all__ = ["LocalServer"]

FETCHES = 16
"""How many pictures are fetched from elsewhere at once; a client of ours has so many workers."""
START_SECONDS = 10.0
"""For how long it is waited for a server that has the folder and has not told yet where it is."""
PREDICTIONS = 4
"""How many pictures are read for models at once; the models themselves are called one at a time."""


class LocalServer:
    """The Hasty API on a port of this machine, over SQLite and a folder.

    Parameters
    ----------
    folder : path, optional
        Where everything is kept, and found again by the next server in it. None is a temporary folder that is removed
        at :meth:`stop`.
    port : int
        0 takes a free one.
    host : str
        The address to listen on.
    models : mapping of str to callable, optional
        Models of your own in the place of the default ones; see :mod:`hastyframe.local.models`.
    api_key : str, optional
        The key that clients must send. By default one is made up and kept in the folder.
    latency : float
        Seconds that pass before a request is looked at, as on a network.
    faults : Faults, optional
        How the server misbehaves.
    upload_lifetime : float
        For how many seconds an address to upload to is good.
    private_addresses : bool
        Whether pictures are fetched from this machine and its network as well, where a client gives such an address.

    Attributes
    ----------
    base_url : str
        The address to give to clients.
    api_key : str
        The key to give to clients.
    folder : Path
        Where everything is kept.
    key_file : Path or None
        Where the key is kept; None if it was given.
    faults : Faults
        How the server misbehaves from now on; set it to change that, to None for a server that behaves.

    Raises
    ------
    BlockingIOError
        At the start, if another server works in the folder.

    Examples
    --------
    >>> import requests
    >>> with LocalServer() as server:
    ...     answer = requests.get(server.base_url + "/v1/projects", headers={"X-Api-Key": server.api_key}, timeout=10)
    >>> answer.json()
    {'meta': {'total': 0}, 'items': []}
    """

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        models: Mapping[str, Predict] | None = None,
        api_key: str | None = None,
        latency: float = 0.0,
        faults: Faults | None = None,
        upload_lifetime: float = 3600.0,
        private_addresses: bool = True,
    ) -> None:
        # First: what is wrong with them leaves nothing behind.
        self._models = Models(models)
        self._mischief = Mischief(latency, faults)
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="hastyframe-") if folder is None else folder).resolve()
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        self.key_file = None if api_key else self.folder / "api_key"
        self.api_key = api_key or _kept(self.folder / "api_key")
        self._host = host
        self._port = port
        self._upload_lifetime = upload_lifetime
        self._private_addresses = private_addresses
        self._socket: socket.socket | None = None
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._context: Context | None = None
        self._lock: FolderLock | None = None
        self._process = os.getpid()
        self._options = _options(models, latency, faults)
        _of_process.add(self)

    def __repr__(self) -> str:
        where = self.base_url if self._socket else "not started"
        return f"<LocalServer {where}, folder {str(self.folder)!r}>"

    @property
    def base_url(self) -> str:
        """The address to give to clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def faults(self) -> Faults:
        """How the server misbehaves; setting it begins the sequence of faults anew."""
        return self._mischief.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._mischief.faults = faults

    @property
    def faults_done(self) -> dict[str, int]:
        """How many requests have met each kind of fault so far."""
        return dict(self._mischief.done)

    def start(self) -> Self:
        """Serve in a background thread, and return when connections are accepted."""
        server = self._open()
        self._thread = threading.Thread(
            target=server.run, args=([self._socket],), name="hastyframe-server", daemon=True
        )
        self._thread.start()
        atexit.register(self.stop)
        while not server.started:
            if not self._thread.is_alive():
                self.stop()
                raise RuntimeError(f"the server did not start at {self.base_url}; the log says why")
            time.sleep(0.002)
        return self

    def start_or_find(self) -> str | None:
        """Start; or, where another server works in the folder, return its address.

        Raises
        ------
        BlockingIOError
            If that other server does not answer.

        Warns
        -----
        UserWarning
            If the other server was started with other options.
        """
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.start()
                return None
            except BlockingIOError:
                note = told(self.folder)
                if note is not None and _answers(note["host"], note["port"]):
                    break
                if time.monotonic() > until:
                    raise
            time.sleep(0.05)
        differ = [name for name, option in self._options.items() if option and option != note["options"].get(name)]
        if differ:
            warnings.warn(
                f"A server works in the folder {str(self.folder)!r} already and is connected to: it was started with "
                f"other {' and '.join(differ)}, which stay. Close the client that started it first, to start it anew.",
                UserWarning,
                stacklevel=3,
            )
        if note["own_key"]:
            self.key_file = None
        return str(note["base_url"])

    def stop(self) -> None:
        """End jobs, close connections, and remove the folder if it is a temporary one.

        In a child made by ``fork`` it does nothing: the server is its parent's.
        """
        if self._process != os.getpid():
            return
        atexit.unregister(self.stop)
        if self._uvicorn is not None and self._thread is not None:
            if self._context is not None:
                self._context.fetcher.stop()  # nobody waits for strangers
            self._uvicorn.should_exit = True
            self._thread.join()
        self._close()

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve in the foreground until Ctrl-C or SIGTERM.

        Parameters
        ----------
        ready : callable, optional
            Called when the port is taken, so that `base_url` is known.
        """
        with contextlib.suppress(ValueError):  # not the main thread: somebody else handles signals
            signal.signal(signal.SIGTERM, _interrupt)
        server = self._open()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                if ready is not None:
                    ready()
                server.run([self._socket] if self._socket else None)
        finally:
            self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self) -> uvicorn.Server:
        if self._uvicorn is not None:
            raise RuntimeError(f"the server is running already, at {self.base_url}")
        self._process = os.getpid()
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        self._socket = _listening(self._host, self._port)
        self._port = self._socket.getsockname()[1]
        try:
            self._lock = FolderLock(self.folder)
            self._context = context = self._make_context()
        except BaseException:
            self._close()
            raise
        self._lock.tell(
            {
                "base_url": self.base_url,
                "host": self._host,
                "port": self._port,
                "own_key": self.key_file is None,
                "options": self._options,
            }
        )
        config = uvicorn.Config(
            self._mischief.around(make_app(context, self.api_key)),
            http=BoundedProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=backlog(),
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=5,
        )
        self._uvicorn = BoundedServer(config)
        return self._uvicorn

    def _make_context(self) -> Context:
        path = self.folder / "hastyframe.sqlite"
        for one in (path, *self.folder.glob(f"{path.name}-*")):  # SQLite's own files take over the mode of the first
            make_private(one)
        store = Store(path)
        with store.transaction():
            fail_interrupted(store)
            if not store.count(Workspace, {}):
                store.insert(Workspace, {"name": "Local workspace"})
        secret = _kept(self.folder / "secret").encode()
        files = Files(self.folder, fetcher := Fetcher(self._private_addresses))
        remove_orphans(store, self.folder)
        return Context(
            store,
            files,
            Signer(secret),
            self._models,
            Jobs(path),
            fetcher,
            fetching=Workers("fetches", FETCHES, FETCH_SECONDS),
            predicting=Workers("predictions", PREDICTIONS),
            upload_lifetime=self._upload_lifetime,
        )

    def _close(self) -> None:
        if self._context is not None:
            self._context.stop()
            with contextlib.suppress(OSError, sqlite3.Error):
                renew_mark(self._context.store, self.folder)
            self._context.store.close()
        if self._socket is not None:
            self._socket.close()
        if self._lock is not None:
            self._lock.release()
        self._context = self._socket = self._uvicorn = self._thread = self._lock = None
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


_of_process: WeakSet[LocalServer] = WeakSet()


def _let_go() -> None:
    """Close what a child inherits of its parent's port, which else would stay open as long as the child lives."""
    for server in _of_process:
        if server._socket is not None:
            server._socket.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _options(models: Mapping[str, Predict] | None, latency: float, faults: Faults | None) -> dict[str, str]:
    """Write what a server was started with, to be compared: the same functions are those of the same process."""
    functions = {kind: f"{os.getpid()}:{id(one)}" for kind, one in sorted((models or {}).items())}
    return {
        "models": str(functions or ""),
        "latency": str(latency or ""),
        "faults": repr(faults) if faults is not None else "",
    }


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 2.0).close()
    except OSError:
        return False
    return True


def _kept(path: Path) -> str:
    """Return the secret in a file, made at the first time; nobody else on the machine may read it."""
    make_private(path)
    kept = path.read_text().strip()
    if not kept:
        kept = secrets.token_urlsafe(32)
        path.write_text(kept)
    return kept


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on sockets that say that they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
