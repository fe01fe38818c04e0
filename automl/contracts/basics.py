"""Names, errors and small values that the contracts are made of. Use them from `automl.contracts`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict

Scalar: TypeAlias = str | int | float | bool | None
Config: TypeAlias = dict[str, Scalar]
Json: TypeAlias = dict[str, Any]  # a JSON object at an edge: values are JSON, checked by whoever reads them
PROXY = "proxy_"  # begins the name of a metric that is a zero-cost proxy's score
RESERVED_METRICS = ("device_seconds", "trials_complete", "trials_pruned", "trials_failed")  # recorded by us
LARGEST_VALUE = 1e100  # of a metric: sums of squares of many such values are finite too
LONGEST_TEXT = 100_000  # characters
_UNSEEN = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


class UserError(Exception):
    """A mistake of the user: the rule, the value, what to do. Exit code 2, no traceback."""


class RunError(Exception):
    """A failure while running: what failed, what is safe, how to go on. Exit code 1."""


class TrialStopped(BaseException):
    """Ends a trial from inside `Context.report`: pruned, out of budget, or past its deadline.

    Not an `Exception`, so that an objective's own `except Exception` cannot swallow it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TrialState(StrEnum):
    """Life of a trial: RUNNING until exactly one of the other three, for good."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class Direction(StrEnum):
    """Whether a metric's larger or smaller values are better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        return a > b if self is Direction.MAXIMIZE else a < b


class Options(BaseModel):
    """Base of every plug-in's options: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Metric:
    """One objective: its name and direction. The first of a study is its primary metric."""

    name: str
    direction: Direction


@dataclass(frozen=True)
class PluginSpec:
    """A plug-in by name with its options, as a study file writes it: `{name: {option: value}}`."""

    name: str
    options: Json = field(default_factory=dict)


def derive_seed(*parts: str | int) -> int:
    """A 31-bit seed that depends on every part and is equal in every process."""
    text = json.dumps(parts).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1


def storable(text: str, most: int = LONGEST_TEXT) -> str:
    """`text` as databases, files and terminals hold it: lone surrogates and control characters as escapes.

    Of a text of more than `most` characters the middle is left out, and it says so.
    """
    if len(text) > most:
        left_out = f" … ({len(text) - most:,} characters left out) … "
        text = f"{text[: most // 3]}{left_out}{text[len(text) - (most - most // 3) :]}"
    return text.encode("utf-8", "backslashreplace").decode().translate(_UNSEEN)


def digest(data: object) -> str:
    """Sha256 (hex) of plain JSON data, independent of key order."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from, each once."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__


def ended_by(error: BaseException) -> BaseException:
    """What ended the code that raised `error`: the first of its causes that is no `Exception`, or itself.

    Libraries that are called back from C make an error of their own of what ends a trial, such as
    `TrialStopped`, where it arrives there: numpy 2 a `ValueError` where it reads the format of a buffer. A
    `SystemExit` is none: of that code makes errors with words.
    """
    ends = (one for one in causes(error) if not isinstance(one, Exception | SystemExit))
    return next(ends, error)
