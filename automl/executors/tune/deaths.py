"""Why a worker died, from what Ray says of it: by itself, for its memory, or with its machine."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ray.exceptions import ActorUnavailableError, NodeDiedError, OutOfMemoryError, RayActorError

from automl.contracts import Ending
from automl.executors.tune import health

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

NODE_GONE: Final = re.compile(r"\bnode\b.*\b(died|dead|terminated|preempted|drained)\b", re.IGNORECASE)
NO_MEMORY: Final = re.compile(r"\bnode running low on memory\b", re.IGNORECASE)  # Ray's memory monitor
GUESSES: Final = " Some common causes include"  # what Ray adds to each death, whatever its cause
HEAD: Final = re.compile(r"Failure # \d+ \(occurred at .*\)")  # Tune writes it above each error
LONGEST: Final = 300  # characters of a reason


@dataclass(frozen=True)
class Death:
    """How a worker ended, and what Ray says of it, in a line."""

    ending: Ending
    reason: str


def of(trial: Trial) -> Death:
    """The death of the worker of a Tune trial.

    Tune keeps the error where the driver writes, and `get_error` looks for it where Tune copies to, later.
    """
    error = _read(trial.pickled_error_file)
    text = (_read(trial.error_file) or b"").decode(errors="replace")
    raised = None if error is None else pickle.loads(error)  # noqa: S301 - this process has written it
    ending = how_lost(raised, text)
    if health.ended_process():  # it took its workers with it
        ending = Ending.PREEMPTED
    return Death(ending, f"its worker died{described(ending, text)}")


def how_lost(error: BaseException | None, text: str) -> Ending:
    """Why a worker died.

    A worker that only became unreachable went with its node: of any other death the node itself tells.
    """
    if isinstance(error, OutOfMemoryError) or NO_MEMORY.search(text):
        return Ending.OOM
    gone = isinstance(error, RayActorError) and error.preempted
    if gone or isinstance(error, ActorUnavailableError | NodeDiedError) or NODE_GONE.search(text):
        return Ending.PREEMPTED
    return Ending.LOST


def described(ending: Ending, text: str) -> str:
    """`: ` and Ray's reason: of several lines the one that gives the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not HEAD.fullmatch(line.strip())]
    if not lines:
        return ""
    line = lines[0] if ending is Ending.OOM else lines[-1]
    line = line.partition(GUESSES)[0]
    return f": {line}" if len(line) <= LONGEST else f": {line[:LONGEST]}…"


def _read(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        return None
