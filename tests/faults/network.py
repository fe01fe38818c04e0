"""A way through which a server is reached, that a test can cut or hold."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Link:
    """Passes bytes between a port of its own on the loopback interface and a server's `port` there."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._refuses = False
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self._refuses = True
        for one in list(self._sockets):
            _end(one)

    def hold(self) -> None:
        """Pass nothing on; nobody is told."""
        self._open.clear()

    def mend(self) -> None:
        """Pass everything on again."""
        self._refuses = False
        self._open.set()

    def close(self) -> None:
        """Stop listening."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            if self._refuses:
                _end(client)
                _end(server)
                continue
            self._sockets |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while read := source.recv(1 << 16):
                self._open.wait()
                target.sendall(read)
        for one in (source, target):
            _end(one)
            self._sockets.discard(one)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
