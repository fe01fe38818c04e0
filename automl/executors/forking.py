"""The other side of `nursery`: `python -m automl.executors.forking` loads, then forks when it is asked to."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from contextlib import suppress
from typing import Any, Final, NoReturn

from automl.contracts import Needs
from automl.executors.child import die_with, serve, standard_pipe
from automl.executors.nursery import LONGEST, SHUNNED
from automl.executors.worker import load

PIPES: Final = 2  # files that come with a wish: input and output of the new process


class Forking:
    """Says when it has loaded, which processes were born, and how they ended."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._numbers: dict[int, int] = {}  # by process
        self._wakes, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the byte is written
        self._open = (self._wakes, waking)

    def run(self) -> None:
        """Do what is asked until the driver closes its end."""
        while True:
            there, _, _ = select.select([self._channel.fileno(), self._wakes], [], [])
            if self._wakes in there:
                os.read(self._wakes, LONGEST)
                self._bury()
            if self._channel.fileno() in there:
                told, files, _, _ = socket.recv_fds(self._channel, LONGEST, PIPES)
                if not told:
                    return
                self._do(json.loads(told), files)

    def _do(self, wish: dict[str, Any], files: list[int]) -> None:
        if "prepare" in wish:
            load(Needs.from_json(wish["prepare"]))
            sys.stdout.flush()  # or what is forked would write it once more
            gc.collect()
            gc.freeze()  # what is loaded stays shared with what is forked
            self._say(ready=time.monotonic())
            return
        nursery = os.getpid()
        with warnings.catch_warnings():
            # 2026-11-30, Python 3.12: threads of libraries such as OpenBLAS, which start again after a fork
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if not process:
            self._live(nursery, *files)
        with suppress(OSError):  # it has done so itself, and may be another program or at its end by now
            os.setpgid(process, process)
        for file in files:
            os.close(file)
        self._numbers[process] = wish["fork"]
        self._say(born=wish["fork"], process=process)

    def _live(self, nursery: int, incoming: int, outgoing: int) -> NoReturn:
        """The life of a new process."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = 1
        try:
            os.setpgid(0, 0)
            for file in (*self._open, self._channel.detach()):
                os.close(file)
            for place, file in enumerate((incoming, outgoing)):
                os.dup2(file, place)
                os.close(file)
            if SHUNNED in sys.modules:
                os.execv(sys.executable, [sys.executable, "-P", "-m", "automl.executors.child"])
            die_with(nursery)
            serve(standard_pipe())
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        while self._numbers:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            if process in self._numbers:
                self._say(ended=self._numbers.pop(process), code=os.waitstatus_to_exitcode(status))

    def _say(self, **message: Any) -> None:
        self._channel.send(json.dumps(message).encode())


def main() -> None:
    """Serve the driver at the other end of standard input."""
    die_with(os.getppid())
    channel = socket.socket(fileno=os.dup(0))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)  # what code prints when it is imported
    Forking(channel).run()


if __name__ == "__main__":
    main()
