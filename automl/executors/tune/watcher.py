"""Run as a program of its own: ends what Ray has started for a driver, once the pipe to that is closed.

Standard library only, and nothing of this package: it must start in a few hundredths of a second.
Arguments: the driver, the folder in which Ray makes that of each session, and the prefix of the driver's own
temporary folders. The driver writes the session's name into the pipe once Ray has started.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

GRACE: Final = 1.0  # seconds that Ray's processes have to end by themselves
Stat = tuple[int, str]  # the parent of a process, and when it started


def stat(pid: int) -> Stat | None:
    """None when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else (int(fields[1]), fields[19])
    except (OSError, ValueError):
        return None


def command(pid: int) -> str:
    """Its command line, with a zero byte after each word."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def processes() -> dict[int, Stat]:
    """All of this machine."""
    found = {int(path.name): stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    return {pid: now for pid, now in found.items() if now is not None}


class Watcher:
    """What Ray has started for `driver`, and what those processes started in turn; the session's folder.

    Until its name is told, a session is known by its end, the number of its driver.
    """

    def __init__(self, driver: int, sessions: str) -> None:
        self._driver, self._sessions, self._began = driver, Path(sessions), time.time()
        self._session = re.compile(rf"session_\d{{4}}(-\d\d){{2}}(_\d\d)(-\d\d){{2}}_\d+_{driver}\b")
        self._known: dict[int, Stat] = {}

    def told(self, session: str) -> None:
        """Its name: the driver may have others, before and after this one."""
        self._session, self._began = re.compile(rf"{re.escape(session)}\b"), 0.0

    def look(self) -> None:
        """Note what is there now: before the driver ends, since orphans do not tell whose they are."""
        found = processes()
        for pid, (parent, began) in found.items():
            if parent == self._driver and self._session.search(command(pid)):
                self._known[pid] = parent, began
        for _ in range(3):  # what they have started, and what that has
            self._known.update((pid, now) for pid, now in found.items() if now[0] in self._known)

    def end(self) -> None:
        """Kill all of it, trials at once, since nobody pays for what they go on to do; remove the folders."""
        for _ in range(2):  # then the newest ones
            self._kill([pid for pid in self._known if command(pid).startswith("ray::")])
            self.look()
        time.sleep(GRACE)
        for pid, now in processes().items():  # what was just starting
            if pid != os.getpid() and self._session.search(command(pid)):
                self._known[pid] = now
        self._kill(list(self._known))
        for _ in range(20):  # what was just killed may still have written
            if not (folders := self._folders()):
                break
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.1)

    def _folders(self) -> list[Path]:
        with suppress(OSError):
            own = [path for path in self._sessions.iterdir() if self._session.fullmatch(path.name)]
            return [path for path in own if path.stat().st_mtime >= self._began - 1]
        return []

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            now = stat(pid)
            if now is not None and now[1] == self._known[pid][1]:
                with suppress(OSError):
                    os.kill(pid, 9)


def main(driver: int, sessions: str, own: Path) -> None:
    """Watch until standard input is closed."""
    watcher, pause = Watcher(driver, sessions), 0.1
    while True:
        if select.select([0], [], [], pause)[0]:
            if not (name := os.read(0, 4096)):
                break
            watcher.told(name.decode().strip())
        watcher.look()
        pause = min(1.05 * pause, 5.0)  # a raylet that is killed early leaves nobody who knows its agents
    watcher.end()
    if stat(driver) is None:  # it would have removed its own folders
        for path in own.parent.glob(f"{own.name}*"):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
