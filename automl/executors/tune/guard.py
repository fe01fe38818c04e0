"""Ends what is left of a Ray of our own when its driver is gone.

Ray's agents notice the death of their raylet, then wait minutes for a head that is gone too. So a small
process watches the driver: when the pipe between them closes, it kills what Ray had started. Ray also leaves
the folder of each session, sockets and logs; that is removed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from automl.executors.tune import watcher

_ending: list[subprocess.Popen[bytes]] = []  # nobody waits for them


class Guard:
    """Watches over the cluster that this process starts from now on, whose sessions lie in a folder."""

    def __init__(self, sessions: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform != "linux":
            return
        own = f"{tempfile.gettempdir()}/automl-ray-{os.getpid()}-"
        words = [sys.executable, "-I", "-S", watcher.__file__, str(os.getpid()), sessions, own]
        # in a session of its own: Ctrl-C is not for it
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)

    def started(self, session: str) -> None:
        """Ray has started, with a session of this name."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{session}\n".encode())
            self._process.stdin.flush()

    def leave(self) -> None:
        """Let it end what is left, and itself."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            _ending[:] = [one for one in (*_ending, self._process) if one.poll() is None]
            self._process = None
