"""Why a worker died, from what Ray says of it: by itself, for its memory, or with its machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import Ending
from automl.executors.tune import health

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

NODE_GONE: Final = re.compile(r"\bnode\b.*\b(died|dead|terminated|preempted|drained)\b", re.IGNORECASE)
UNREACHABLE: Final = re.compile(r"\bactor \S+ is unavailable\b", re.IGNORECASE)
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
    text = "" if trial.error_file is None else _read(Path(trial.error_file))
    ending = Ending.PREEMPTED if health.ended_process() else how_lost(text)  # it took its workers with it
    return Death(ending, f"its worker died{described(ending, text)}")


def how_lost(text: str) -> Ending:
    """Why a worker died, by what Ray says.

    A worker that only became unreachable went with its node: of any other death the node itself tells.
    """
    if NO_MEMORY.search(text):
        return Ending.OOM
    return Ending.PREEMPTED if NODE_GONE.search(text) or UNREACHABLE.search(text) else Ending.LOST


def described(ending: Ending, text: str) -> str:
    """`: ` and Ray's reason: of several lines the one that gives the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not HEAD.fullmatch(line.strip())]
    if not lines:
        return ""
    line = lines[0] if ending is Ending.OOM else lines[-1]
    line = line.partition(GUESSES)[0]
    return f": {line}" if len(line) <= LONGEST else f": {line[:LONGEST]}…"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
