"""A PostgreSQL server of our own, from the programs that Debian or another system installs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
from patience import PATIENCE


def server_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None without them, or for root without a user `postgres`."""
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return None
    on_path = shutil.which("initdb")
    folders = [Path(on_path).parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class PostgresServer:
    """A server on a free port of the loopback interface, in a temporary folder of its own.

    `host`: another address of this machine, whose whole network may then call.
    """

    def __init__(
        self, *, durable: bool = False, settings: Sequence[str] = (), host: str = "127.0.0.1"
    ) -> None:
        programs = server_programs()
        if programs is None:
            raise RuntimeError("no PostgreSQL server programs on this machine")
        self._programs = programs
        self._durable, self._host = durable, host
        self._settings = [word for setting in settings for word in ("-c", setting)]
        self._folder = Path(tempfile.mkdtemp(prefix="automl-postgres-"))
        self._data = self._folder / "data"
        self._port = _free_port()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # which PostgreSQL refuses
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://automl:secret-word@{self._host}:{self._port}/postgres"

    def __enter__(self) -> Self:
        password = self._folder / "password"
        password.write_text("secret-word")
        password.chmod(0o644)
        command = [self._programs / "initdb", "-D", self._data, "-U", "automl", "-A", "scram-sha-256"]
        command += ["--pwfile", password, "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._as)
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")
        self.start()
        return self

    def start(self) -> None:
        """Start the server and wait until it answers; after a kill that may need several tries."""
        sync = "on" if self._durable else "off"
        options = ["-p", str(self._port), "-k", "", "-h", self._host, "-c", f"fsync={sync}"]
        options += self._settings
        command = [str(self._programs / "postgres"), "-D", str(self._data), *options]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                with (self._folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        command, stdout=log, stderr=log, cwd=self._folder, **self._as
                    )
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL the server; its children end when they notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
            self._process.wait(PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
