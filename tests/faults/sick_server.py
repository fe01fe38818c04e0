"""A tracking server that can be made sick: a proxy before a real one."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from patience import PATIENCE

from automl.ledger import resolve_store
from automl.recorder.ui import command


class Handler(BaseHTTPRequestHandler):
    """Passes requests on, unless its server is sick."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else self._chunks()
        if self.server.sickness is None:
            self.pass_on()
        else:
            self.close_connection = True
            self.server.sickness(self)

    def pass_on(self) -> None:
        """Answer as the real server does."""
        real = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=PATIENCE)
        keep = {key: value for key, value in self.headers.items() if key.lower() != "transfer-encoding"}
        real.request(self.command, self.path, self.body, keep)
        answer = real.getresponse()
        self.answer(answer.status, answer.read(), dict(answer.getheaders()))
        real.close()

    def do_GET(self) -> None:
        self.handle_any()

    def do_POST(self) -> None:
        self.handle_any()

    def do_PUT(self) -> None:
        self.handle_any()

    def do_PATCH(self) -> None:
        self.handle_any()

    def do_DELETE(self) -> None:
        self.handle_any()

    def answer(self, status: int, text: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(key, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass


Sickness: TypeAlias = Callable[[Handler], None]


class Proxy(ThreadingHTTPServer):
    """Listens on a free port, before the server on the port `behind`."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.sickness: Sickness | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that have given up are no news."""


class TrackingServer:
    """`mlflow server` on a store in `folder`, behind a proxy whose `sickness` decides what it answers."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        store = resolve_store({"AUTOML_STORE": str(folder)})
        argv, environ = command(replace(store, tracking_uri=f"sqlite:///{folder}/mlflow.db"), port=port)
        del environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"]  # artifacts go through the server
        argv += ["--artifacts-destination", str(folder / "artifacts")]
        self._process = subprocess.Popen(argv, env=environ, start_new_session=True, stderr=subprocess.DEVNULL)
        self.proxy = Proxy(port)
        self._thread = threading.Thread(target=self.proxy.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    return
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.2)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.server_address[1]}"

    def __enter__(self) -> TrackingServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.proxy.shutdown()
        self.proxy.server_close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def status(code: int, text: str = "", **headers: str) -> Sickness:
    """Always the same answer."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler: handler.answer(code, text.encode(), named)


def dropped(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def reset(handler: Handler) -> None:
    """Break the connection in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    handler.connection.close()


def silent(handler: Handler) -> None:
    """Never answer."""
    threading.Event().wait(PATIENCE)


def dripping(handler: Handler) -> None:
    """Send a byte now and then, so that no timeout of a connection ends."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        return


def redirecting(handler: Handler) -> None:
    """Redirect to itself for ever."""
    handler.answer(302, b"", {"Location": handler.path})


def no_http(handler: Handler) -> None:
    """Another protocol."""
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n")
