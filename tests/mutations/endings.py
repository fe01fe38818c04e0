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
from typing import NamedTuple, NoReturn

from automl.cli import main

LONGEST = 10.0  # seconds of CPU
HUNG = 60  # seconds of any kind, after which a command counts as hung
RULE = re.compile(r"must|cannot|could not|needs|does not|only|is damaged|was deleted|repair it with")


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


@dataclass
class Tally:
    """Endings of many cases of one kind. `wrong`: the cases that did not end as promised, in words."""

    codes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, case: str, endings: list[Ending], fault: str = "") -> None:
        """Count a case. `fault`: what else is wrong with it."""
        for ending in endings:
            self.codes[str(ending.code)] += 1
            self.slowest = max(self.slowest, ending.seconds)
            fault = fault or ending.fault
        if fault:
            told = "".join(f"\n    {line}" for ending in endings for line in _last_lines(ending))
            self.wrong.append(f"{case}: {fault}{told}")

    def merge(self, other: Tally) -> None:
        """Add what another process has counted."""
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
