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
from typing import Any, Final

import ray

_ending: list[subprocess.Popen[bytes]] = []  # nobody waits for them
GRACE: Final = 1.0  # seconds that Ray's processes have to end by themselves
_WATCH: Final = f"""
import os, select, shutil, sys, time

def stat(pid):
    try:
        with open(f"/proc/{{pid}}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else (int(fields[1]), fields[19])  # its parent, and when it started
    except (OSError, ValueError):
        return None

folder, driver, own, *started = sys.argv[1:]
session = os.path.basename(folder)
def command(pid):
    try:
        with open(f"/proc/{{pid}}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""

def look():
    found = {{int(pid): stat(pid) for pid in os.listdir("/proc") if pid.isdigit()}}
    for _ in range(3):  # what they have started, and what that has
        known.update((pid, now) for pid, now in found.items() if now and now[0] in known)

def kill(pids):
    for pid in pids:
        now, then = stat(pid), known[pid]
        if now and then and now[1] == then[1]:
            try:
                os.kill(pid, 9)
            except OSError:
                pass

known = {{int(pid): stat(pid) for pid in started}}
pause = 0.2
while not select.select([0], [], [], pause)[0]:
    look()
    pause = min(1.1 * pause, 5.0)  # a raylet that is killed early leaves nobody who knows its agents
for again in (True, False):  # at once, since nobody pays for what a trial goes on to do; then the newest ones
    kill([pid for pid in known if command(pid).startswith("ray::")])
    again and look()
time.sleep({GRACE})
for pid in filter(str.isdigit, os.listdir("/proc")):  # a worker that was just starting
    if session in command(pid) and int(pid) != os.getpid():
        known[int(pid)] = stat(pid)
kill(list(known))
for _ in range(20):  # what was just killed may still have written
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.exists(folder):
        break
    time.sleep(0.1)
if stat(driver) is None:  # it would have removed its own folders
    for name in os.listdir(os.path.dirname(own)):
        if name.startswith(os.path.basename(own)):
            shutil.rmtree(os.path.join(os.path.dirname(own), name), ignore_errors=True)
"""


class Guard:
    """Watches over the processes of the cluster that this process has started, if there is one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        node: Any = ray._private.worker._global_node  # there is no public way to what Ray has started
        if node is None or sys.platform != "linux":
            return
        started = [one.process.pid for found in node.all_processes.values() for one in found]
        own = str(os.getpid()), f"{tempfile.gettempdir()}/automl-ray-{os.getpid()}-"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, node.get_session_dir_path(), *own, *map(str, started)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def leave(self) -> None:
        """Let it end what is left, and itself."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            _ending[:] = [one for one in (*_ending, self._process) if one.poll() is None]
            self._process = None
