"""Ends or holds a process at one of the named moments of `automl.moments`. Loaded in tests alone.

The fault of a run stands in the environment, since the processes of its trials have it too. It happens once:
whoever makes its `mark` first does it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

true_time = time.time
VARIABLE = "AUTOML_TEST_FAULT"
CLOCK = "AUTOML_TEST_CLOCK"  # a file with the seconds by which `time.time` is ahead
HOLD = "hold"  # until a file <mark>.go is there
_ROLES = {
    "automl.executors.child": "worker",
    "automl.executors.forking": "worker",
    "default_worker": "worker",
    "serve": "daemon",
    "run": "driver",
}


@dataclass(frozen=True)
class Fault:
    """`action`: a signal's name, or HOLD. `moment`: as `transaction.end:Trials.report`; `nth`: which one.

    `log`: a file that gets a line for each moment; `mark`: the file that says that the fault has happened.
    """

    role: str = "driver"
    moment: str = ""
    nth: int = 1
    action: str = "SIGKILL"
    mark: str = ""
    log: str = ""

    def environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}


def arm_this_process() -> None:
    """Arm a process by its command line, when a fault is meant for its kind, and skew its clock."""
    words = " ".join(sys.orig_argv)
    skew_clock()
    role = next((role for word, role in _ROLES.items() if word in words), "")
    if VARIABLE in os.environ:
        arm(role, Fault(**json.loads(os.environ[VARIABLE])))


def arm(role: str, fault: Fault) -> None:
    """Listen to the moments of this process, which plays `role`."""
    seen: Counter[str] = Counter()
    log = os.open(fault.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if fault.log else None

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if not event.startswith("automl."):
            return
        moment = f"{event.removeprefix('automl.')}:{args[0]}"
        seen[moment] += 1
        if log is not None:
            os.write(log, f"{role} {moment}\n".encode())
        if (role, moment, seen[moment]) == (fault.role, fault.moment, fault.nth) and _first(fault.mark):
            _act(fault)

    sys.addaudithook(hear)


def skew_clock() -> None:
    """Let `time.time` of this process follow the file that the environment names."""
    if CLOCK in os.environ:
        file = Path(os.environ[CLOCK])
        time.time = lambda: true_time() + float(file.read_text() or 0.0)


def _first(mark: str) -> bool:
    try:
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _act(fault: Fault) -> None:
    if fault.action != HOLD:
        os.kill(os.getpid(), signal.Signals[fault.action])
        return
    while not Path(f"{fault.mark}.go").exists():
        time.sleep(0.002)
