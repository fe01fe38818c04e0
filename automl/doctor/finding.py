"""What an examination finds: one fact, whether it is well, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from automl.contracts import RunError, UserError


class Level(StrEnum):
    """How well something is. Only a problem keeps campaigns from running as they should."""

    WELL = "well"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One fact about `topic`. `advice`: what to do; empty where all is well."""

    topic: str
    text: str
    level: Level = Level.WELL
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return {"topic": self.topic, "level": str(self.level), "text": self.text, "advice": self.advice}


Examination = Callable[[], Iterable[Finding]]


def warning(topic: str, text: str, advice: str) -> Finding:
    """A fact that costs something."""
    return Finding(topic, text, Level.WARNING, advice)


def problem(topic: str, text: str, advice: str) -> Finding:
    """A fact that keeps campaigns from running as they should."""
    return Finding(topic, text, Level.PROBLEM, advice)


def safely(topic: str, examination: Examination) -> Iterator[Finding]:
    """The findings of an examination; one that itself fails is a problem and ends no other."""
    try:
        yield from examination()
    except (UserError, RunError) as error:
        text, _, advice = str(error).rpartition("; ")
        yield problem(topic, text or advice, advice if text else "correct that")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        yield problem(topic, f"cannot be examined: {error.strerror or error}{where}", "let this user read it")
    except Exception as error:  # whatever is broken, the rest is still worth knowing
        yield problem(topic, f"cannot be examined: {type(error).__name__}: {error}", "report this as a fault")
