"""The embedded server: the Hasty API on this machine, over SQLite and a folder."""

try:
    from .server import LocalServer
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "hastyframe":
        raise
    raise ModuleNotFoundError(
        f"the embedded server needs {error.name}: pip install 'hastyframe[local]'", name=error.name
    ) from error

__all__ = ["LocalServer"]
