"""The embedded server: the Hasty API on this machine, over SQLite and a folder."""

try:
    from .faults import Faults
    from .server import LocalServer
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing == "hastyframe":
        raise
    raise ModuleNotFoundError(
        f"the embedded server needs {missing}: pip install 'hastyframe[local]'", name=missing
    ) from error

__all__ = ["Faults", "LocalServer"]
