"""The client: connect, workspaces, projects."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pandas as pd

from . import answers, entities, frames, identity
from .arguments import check_fields, check_text
from .errors import AuthenticationException, NotFound, ValidationException
from .http.key import ApiKey
from .limits import DEFAULT_LIMITS, Limits
from .project import Project
from .urls import is_loopback, path_segment
from .vocabulary import ids_of, suggestion

if TYPE_CHECKING:
    from .local import Faults, LocalServer

__all__ = ["Client"]

DEFAULT_BASE_URL = "https://api.hasty.ai"


class Client:
    """A connection to the Hasty API.

    Parameters
    ----------
    api_key : str, optional
        Your API key. If not given, that of the environment variable ``HASTY_API_KEY``, which is the better place: a
        key in a notebook or a script is soon somewhere else.
    base_url : str, optional
        Address of the API; if not given, that of ``HASTY_BASE_URL``, else ``https://api.hasty.ai``.
    max_workers : int
        How many requests are under way at once.
    timeout : float or (float, float)
        Seconds to wait for a connection and for each piece of an answer. There is no waiting for ever: None is refused.
    progress : bool
        Whether work that takes over a second shows a progress bar.
    limits : Limits
        How large an answer and a list may be, and how long a download may take.

    Raises
    ------
    AuthenticationException
        If there is no key.
    ValidationException
        If an argument cannot be what it is for.

    Warns
    -----
    UserWarning
        If the address begins with ``http://`` and leads to another machine: the key would travel in the clear.

    Notes
    -----
    The key goes to the API's host, and nowhere else. It is in no message, log, repr, pickle or traceback.

    Examples
    --------
    With the key in ``HASTY_API_KEY``, this is ``hf.Client(max_workers=8)``:

    >>> import hastyframe as hf
    >>> client = hf.Client("my-key", max_workers=8)
    >>> client
    Client('https://api.hasty.ai')
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        max_workers: int = 16,
        timeout: float | tuple[float, float] = (10.0, 120.0),
        progress: bool = True,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        key, api_key = _key_of(api_key), None  # before anything can raise: tracebacks may show local variables
        if key is None:
            raise AuthenticationException(
                "There is no API key. Set the environment variable HASTY_API_KEY, or give Client(api_key=...); to try "
                "things without a key, use Client.local()."
            )
        from .transport import Transport

        address = _check_address(base_url or os.environ.get("HASTY_BASE_URL") or DEFAULT_BASE_URL)
        self._server: LocalServer | None = None
        self._folder: Path | None = None
        self._transport = Transport(
            key, address, max_workers=max_workers, timeout=timeout, progress=progress, limits=limits
        )
        if urlsplit(address).scheme == "http" and not is_loopback(address):
            warnings.warn(
                f"{address} is not encrypted: whoever is on the way reads your API key. Use https://.", stacklevel=2
            )

    @classmethod
    def local(
        cls,
        folder: str | Path | None = None,
        *,
        models: Mapping[str, Callable[..., Any]] | None = None,
        latency: float = 0.0,
        faults: Faults | None = None,
        **options: Any,
    ) -> Client:
        """Start the embedded server in a background thread and connect to it; no key and no network needed.

        Where a server works in the folder already, in this or another process, this connects to it: the same line
        can be run again.

        Parameters
        ----------
        folder : str or Path, optional
            Where the server keeps what it stores; a temporary folder if not given.
        models : mapping of str to callable, optional
            What predicts: ``detector``, ``instance_segmentor``, ``semantic_segmentor``, ``attributer``.
        latency : float
            Seconds by which the server delays every answer.
        faults : Faults, optional
            How the server misbehaves, for tests of what it is used by; see :class:`hastyframe.local.Faults`.
        **options
            As for `Client`: `max_workers`, `timeout`, `progress`, `limits`.

        Returns
        -------
        Client
            Close it to stop the server, or use it in a ``with`` block. A client that connected to a server that ran
            already leaves it running. `base_url` and `api_key` let another client connect.

        Raises
        ------
        BlockingIOError
            If a server has the folder and does not answer.

        Warns
        -----
        UserWarning
            If the server that runs already was started with other options.

        Examples
        --------
        >>> import hastyframe as hf
        >>> with hf.Client.local() as client:
        ...     project = client.create_project(client.get_workspaces(), "Coins")
        ...     client.get_projects()["name"].tolist()
        ['Coins']
        """
        from .local import LocalServer

        server = LocalServer(folder, models=models, latency=latency, faults=faults)
        address = server.start_or_find()
        try:
            client = cls(*_door_of(server, address), **options)
        except BaseException:
            if address is None:
                server.stop()
            raise
        client._server = server if address is None else None
        client._folder = server.folder
        client._transport.key_file = server.key_file
        return client

    @property
    def api_key(self) -> str:
        """The API key."""
        return self._transport._api_key.reveal()

    @property
    def base_url(self) -> str:
        """Address of the API."""
        return self._transport.base_url

    @property
    def server(self) -> LocalServer | None:
        """The embedded server that this client started, None for other servers; its `faults` can be set."""
        return self._server

    @property
    def folder(self) -> Path | None:
        """Where the embedded server keeps what it stores; None for other servers."""
        return self._folder

    def close(self) -> None:
        """Close the connections, and stop the embedded server if this client started it; what it made is done with."""
        self._transport.close()
        if self._server is not None:
            self._server.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_server": None}  # which is stopped by the one that started it

    def __enter__(self) -> Self:
        self._transport.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        made = hasattr(self, "_transport")  # tracebacks show also what was not finished
        return f"Client({self.base_url!r})" if made else "Client(...)"

    def get_workspaces(self) -> pd.DataFrame:
        """Return the workspaces, a frame indexed by ``workspace_id``."""
        return self._frame(entities.Workspace)

    def get_projects(self) -> pd.DataFrame:
        """Return the projects, a frame indexed by ``project_id``."""
        return self._frame(entities.Project)

    def get_project(self, project_id: str) -> Project:
        """Return one project.

        Parameters
        ----------
        project_id : str
            Its id or name.

        Raises
        ------
        NotFound
            If there is none.
        """
        project_id = check_text(identity.one(project_id, "name") or project_id, "project_id")
        key = identity.one(project_id)
        if identity.is_uuid(key):
            with suppress(NotFound):  # it may be a name all the same
                return self._read_project(path_segment(key), str(key))
        known = self.get_projects()
        if key in known.index:
            return self._read_project(path_segment(key), str(key))
        found = known.index[known["name"] == project_id]
        if len(found) != 1:
            many = f"{len(found)} projects have" if len(found) else "no project has"
            hint = (
                f"say which by its id: {list(found)}"
                if len(found)
                else suggestion(project_id, known["name"], "projects")
            )
            raise NotFound(f"{many[0].upper()}{many[1:]} the id or name {project_id!r}. {hint[0].upper()}{hint[1:]}")
        return self._read_project(path_segment(found[0]), found[0])

    def create_project(self, workspace: Any, name: str, description: str | None = None) -> Project:
        """Create a project.

        Parameters
        ----------
        workspace : Workspace, str or pandas.DataFrame
            A handle, an id, or a workspaces frame of one row.
        name : str
            Its name.
        description : str, optional
            What it is about.
        """
        ids = ids_of(entities.Workspace, workspace)
        if len(ids) != 1:
            raise ValidationException(f"A project belongs to one workspace; {len(ids)} were given.")
        body = {"workspace_id": ids[0], "name": name, "description": description}
        check_fields(entities.Project, body)
        return Project(self._transport, answers.create(self._transport, entities.Project, Project.path, body))

    def _read_project(self, part: str, project_id: str) -> Project:
        path = f"{Project.path}/{part}"
        data = answers.read(entities.Project, self._transport.get(path), f"GET {path}", id=project_id)
        return Project(self._transport, data)

    def _frame(self, entity: type[entities.Entity]) -> pd.DataFrame:
        return frames.with_unique_ids(entity, frames.from_records(entity, self._transport.listing(entity.path)))


def _key_of(given: Any) -> ApiKey | None:
    """Read the key that was given, or that of the environment. Nothing raises here, where it is a local variable."""
    if given is None or (isinstance(given, str) and not given):
        return ApiKey(os.environ["HASTY_API_KEY"]) if os.environ.get("HASTY_API_KEY") else None
    return given if isinstance(given, ApiKey) else ApiKey(given)


def _check_address(address: Any) -> str:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    except (ValueError, TypeError, AttributeError):
        good = bare = False
    if not (good and bare and isinstance(address, str)):  # which is not repeated: it may be the key, in the wrong place
        raise ValidationException(
            f"base_url is not an address; it must be like {DEFAULT_BASE_URL!r}, without a user name or a query."
        )
    return address


def _door_of(server: LocalServer, address: str | None) -> tuple[Any, str]:
    """Return what a client of a server needs; tracebacks may show each attribute that a line names."""
    if address is not None and server.key_file is None:  # another process gave it a key
        key = _key_of(None)
        if key is None:
            raise AuthenticationException(
                f"The server in the folder {str(server.folder)!r} was started with a key of its own: set HASTY_API_KEY."
            )
        return key, address
    return ApiKey(server.api_key), address or server.base_url
