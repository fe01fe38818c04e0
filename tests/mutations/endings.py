"""Commands on mutated input in this process, and whether they ended as they must.

A command ends with 0, 1 or 2, without a traceback, soon, and an error says the rule and what to do.
"""

from __future__ import annotations

import contextlib
import io
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from automl.cli import main

Case: TypeAlias = dict[str, Any]
LONGEST = 10.0  # seconds of CPU
HUNG = 60  # seconds of any kind, after which a command counts as hung
_WORDS = [
    "must",
    "permitted",
    "failed: ",
    "cannot",
    "could not",
    "needs",
    "does not",
    "only",
    "damaged",
    "deleted",
]
_FINDINGS = ["repair it with", '"missing', "signed"]  # of an audit, of an examined file
RULE = re.compile("|".join([*_WORDS, *_FINDINGS]))


class Hang(BaseException):
    """A command did not end. No `Exception`, so that nothing between here and there goes on."""


class Ending(NamedTuple):
    """How a command ended: exit code, seconds of CPU, standard output and standard error."""

    code: object
    seconds: float
    output: str
    errors: str

    @property
    def fault(self) -> str:
        """What is not as promised; empty when all is."""
        text = self.output + self.errors
        if self.code not in (0, 1, 2) or "Traceback" in text or re.search(r"(?m)^unexpected \w+", text):
            return f"ended with {self.code}"
        if self.seconds > LONGEST:
            return f"took {self.seconds:.1f} s"
        if self.code and not (RULE.search(text) and re.search(r"[;:]", text)):
            return "told no rule or no remedy"
        return ""


class Played(NamedTuple):
    """How the commands of a case ended. `fault`: what is wrong beside that, in words."""

    endings: list[Ending]
    fault: str = ""


class Mutator(Protocol):
    """One kind of mutated input. A case is plain JSON, so that it can be kept."""

    def case(self, seed: int) -> Case | None:
        """The case of a seed; None when it has none."""

    def play(self, case: Case) -> Played:
        """Mutate, call the commands, and go back to the first state."""


class Wrong(NamedTuple):
    """A case that did not end as promised, and what it did instead."""

    kind: str
    case: Case
    told: str


@dataclass
class Tally:
    """Endings of many cases of one kind."""

    cases: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[Wrong] = field(default_factory=list)

    def add(self, kind: str, case: Case, played: Played) -> None:
        """Count a case."""
        self.cases += 1
        fault = played.fault
        for ending in played.endings:
            self.codes[str(ending.code)] += 1
            self.slowest = max(self.slowest, ending.seconds)
            fault = fault or ending.fault
        if fault:
            lines = [line[:300] for ending in played.endings for line in _last_lines(ending)]
            self.wrong.append(Wrong(kind, case, "\n    ".join([fault, *lines])))

    def merge(self, other: Tally) -> None:
        """Add what another process has counted."""
        self.cases += other.cases
        self.codes.update(other.codes)
        self.slowest = max(self.slowest, other.slowest)
        self.wrong += other.wrong


def _last_lines(ending: Ending) -> list[str]:
    return (ending.output + ending.errors).strip().splitlines()[-6:]


def call(*words: str) -> Ending:
    """`automl WORDS` in this process."""
    output, errors, start, arguments = io.StringIO(), io.StringIO(), time.process_time(), sys.argv
    sys.argv = ["automl", *words]
    code: object = 0
    try:
        with _limited(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException as error:
        errors.write(f"Traceback: {error!r}")
        code = repr(error)[:500]
    finally:
        sys.argv = arguments
    return Ending(code, time.process_time() - start, output.getvalue(), errors.getvalue())


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    earlier = signal.signal(signal.SIGALRM, _hang)
    signal.alarm(HUNG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def _hang(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Hang(f"no end after {HUNG} s")
