"""The same verbs for a shell: ``hastyframe demo`` and ``hastyframe serve``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .errors import HastyError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line, without the program's name; `sys.argv` if not given.

    Returns
    -------
    int
        0 if all went well; 1 with a message on standard error if not.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (HastyError, OSError) as error:
        print(f"hastyframe: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"hastyframe: {error}. Install what this needs: pip install 'hastyframe[local]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hastyframe", description="The Hasty annotation platform as DataFrames.")
    parser.add_argument("--version", action="version", version=f"hastyframe {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="do the main job on real photographs: no key, no network")
    demo.add_argument("--folder", type=Path, default=Path("hastyframe-demo"), help="where it goes (%(default)s)")
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="run the embedded server: the Hasty API on this machine")
    serve.add_argument("--folder", type=Path, required=True, help="where it keeps what it stores")
    serve.add_argument("--port", type=int, default=8800, help="(%(default)s)")
    serve.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="delay of every answer")
    serve.add_argument(
        "--faults", metavar="NAME=VALUE,...", help="misbehave, as error_before=0.05,cut_after=0.05,seed=3"
    )
    serve.add_argument(
        "--allow-private-addresses",
        action="store_true",
        help="fetch pictures from this machine and its network as well, where a client gives such an address",
    )
    serve.set_defaults(run=_serve)
    return parser


def _demo(options: argparse.Namespace) -> None:
    from .demo import run

    run(options.folder)


def _serve(options: argparse.Namespace) -> None:
    from .local import Faults, LocalServer

    faults = None if options.faults is None else Faults.parse(options.faults)
    server = LocalServer(
        options.folder,
        port=options.port,
        latency=options.latency,
        faults=faults,
        private_addresses=options.allow_private_addresses,
    )

    def announce() -> None:
        # The key goes to the terminal of who started the server, to be given to clients; it is in the folder as well.
        print(f"Serving {server.folder} at {server.base_url}. Ctrl-C ends it. In another shell:\n")
        print(f"  export HASTY_BASE_URL={server.base_url}")
        print(f"  export HASTY_API_KEY={server.api_key}\n", flush=True)

    server.run(announce)
    if server.faults_done:
        print("Faults done:", ", ".join(f"{kind} {count}" for kind, count in sorted(server.faults_done.items())))
