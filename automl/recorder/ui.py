"""Serves MLflow's pages on a store."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from automl.contracts import RunError, UserError
from automl.ledger import as_interrupts
from automl.masking import mask
from automl.private import ALONE
from automl.recorder.environment import SETTINGS

if TYPE_CHECKING:
    from automl.ledger.store import Store

PARENT_DEATH: Final = 1  # prctl(2)
ERR: Final = 2  # descriptor
LOOK: Final = 0.2  # seconds between two looks whether the server listens
PATIENCE: Final = 5.0  # seconds that the server may take to end


def serve(
    store: Store, *, host: str = "127.0.0.1", port: int = 5000, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve the pages until Ctrl-C, SIGTERM or the end of the terminal; no process of it is left then.

    `ready` is called when the server listens. Raises `UserError` when the store is on a server of its own or
    the port is taken.
    """
    argv, environ = command(store, host=host, port=port)
    _check_port(host, port)
    with as_interrupts():
        server = subprocess.Popen(
            argv,
            env=environ,
            stdout=ERR,  # on standard output is the address alone
            start_new_session=True,
            preexec_fn=partial(_dies_with_parent, os.getpid()),
            umask=ALONE,
        )
        try:
            _wait_for(server, host, port, ready)
            code = server.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(server)
    if code != 0:
        raise RunError(
            f"MLflow's server ended with code {code}; the store is unchanged; its messages are above"
        )


def _wait_for(server: subprocess.Popen[bytes], host: str, port: int, ready: Callable[[], None]) -> None:
    """Call `ready` once the server listens, if it comes to that."""
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            ready()
            return
        time.sleep(LOOK)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server with all its workers, however often that is interrupted."""
    for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            server.wait(patience)


def _dies_with_parent(parent: int) -> None:
    """Have the server end when this process is killed, where the system can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGTERM)
        if os.getppid() != parent:  # killed before it could be told
            os._exit(1)


def command(store: Store, *, host: str = "127.0.0.1", port: int = 5000) -> tuple[list[str], dict[str, str]]:
    """The command line and environment that serve the pages on a SQL store.

    The store's address is in the environment only because it may contain a password. Job execution is off:
    it is not used and takes eight more processes and 600 MB.
    """
    if store.tracking_uri.startswith("http"):
        raise UserError(
            "`automl ui` serves a local or SQL store, but this one is on the tracking server "
            f"{mask(store.tracking_uri)}; open that address"
        )
    environ = {
        **os.environ,
        **SETTINGS,
        "MLFLOW_BACKEND_STORE_URI": store.tracking_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": store.artifacts,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONSAFEPATH": "1",  # a file in the working folder hides no library,
        "UVICORN_APP_DIR": str(store.folder),  # which uvicorn would put first by itself
    }
    environ.pop("MLFLOW_TRACKING_URI", None)
    options = ["--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *options], environ


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"host and port must be free to listen on, but {host}:{port} is not: {error}; "
                "choose another --port"
            ) from None
