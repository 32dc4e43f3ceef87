"""The client: connect, workspaces, projects."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pandas as pd

from . import answers, entities, frames
from .arguments import check_fields, check_text
from .errors import AuthenticationException, NotFound, ValidationException
from .handles import segment
from .project import Project
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
        Your API key; if not given, that of the environment variable ``HASTY_API_KEY``.
    base_url : str, optional
        Address of the API; if not given, that of ``HASTY_BASE_URL``, else ``https://api.hasty.ai``.
    max_workers : int
        How many requests are under way at once.
    timeout : float or (float, float)
        Seconds to wait for a connection and for each piece of an answer.
    progress : bool
        Whether work that takes over a second shows a progress bar.

    Raises
    ------
    AuthenticationException
        If there is no key.

    Examples
    --------
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
    ) -> None:
        from .transport import Transport

        api_key = api_key or os.environ.get("HASTY_API_KEY")
        if not api_key:
            raise AuthenticationException(
                "There is no API key. Give Client(api_key=...) or set the environment variable HASTY_API_KEY; to try "
                "things without a key, use Client.local()."
            )
        if not api_key.isascii() or not api_key.isprintable() or api_key != api_key.strip():
            raise ValidationException("The API key holds characters that no key has, such as spaces or line breaks.")
        address = base_url or os.environ.get("HASTY_BASE_URL") or DEFAULT_BASE_URL
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
            raise ValidationException(f"{address!r} is no address; it must be like {DEFAULT_BASE_URL!r}.")
        if max_workers < 1:
            raise ValidationException(f"max_workers is {max_workers}; it must be 1 or more.")
        self._api_key = api_key
        self._server: LocalServer | None = None
        self._transport = Transport(api_key, address, max_workers=max_workers, timeout=timeout, progress=progress)

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
            As for `Client`: `max_workers`, `timeout`, `progress`.

        Returns
        -------
        Client
            Close it to stop the server, or use it in a ``with`` block. `base_url` and `api_key` let another client
            connect.

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
        server.start()
        try:
            client = cls(server.api_key, server.base_url, **options)
        except BaseException:
            server.stop()
            raise
        client._server = server
        return client

    @property
    def api_key(self) -> str:
        """The API key."""
        return self._api_key

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
        return None if self._server is None else Path(self._server.folder)

    def close(self) -> None:
        """Close the connections, and stop the embedded server if this client started it."""
        self._transport.close()
        if self._server is not None:
            self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

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
        check_text(project_id, "project_id")
        try:
            return self._read_project(segment(project_id), project_id)
        except NotFound:
            known = self.get_projects()
            found = known.index[known["name"] == project_id]
            if len(found) != 1:
                many = f"{len(found)} projects have" if len(found) else "no project has"
                hint = f"say which by its id: {list(found)}" if len(found) else suggestion(project_id, known["name"])
                raise NotFound(f"{many[0].upper()}{many[1:]} the id or name {project_id!r}; {hint}") from None
            return self._read_project(segment(found[0]), found[0])

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
