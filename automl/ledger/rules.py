"""What each column of the ledger may hold: the rules that a damaged or hand-edited row breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from automl.contracts import LARGEST_VALUE

LATEST: Final = 1e11  # POSIX seconds, in the year 5138; as a duration 3,000 years
LARGEST: Final = 2**31  # of numbers that count
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_OWNER: Final = re.compile(r"[^\x00]*:\d+:[^\x00]*", re.DOTALL)


@dataclass(frozen=True)
class Unreadable:
    """Text of a column of JSON that is none."""

    text: object


@dataclass(frozen=True)
class Rule:
    """What a value must be, in words and as a predicate. `detail`: what exactly is wrong with a value."""

    words: str
    holds: Callable[[Any], bool]
    detail: Callable[[Any], str] = lambda value: ""
    optional: bool = False  # None is right, too

    def or_nothing(self) -> Rule:
        """The same for a column that may be empty."""
        return Rule(f"{self.words}, or nothing", self.holds, optional=True)


def one_of(values: Collection[str]) -> Rule:
    """One of a few words."""
    known = frozenset(map(str, values))
    return Rule(f"one of {', '.join(sorted(known))}", lambda value: isinstance(value, str) and value in known)


def dictionary(words: str, of: Callable[[Any], bool]) -> Rule:
    """A JSON object whose values all pass `of`."""
    return Rule(words, lambda value: isinstance(value, dict) and all(map(of, value.values())))


def array(words: str, of: Callable[[Any], bool]) -> Rule:
    """A JSON array whose entries all pass `of`."""
    return Rule(words, lambda value: isinstance(value, list) and all(map(of, value)))


def is_number(value: object) -> bool:
    """Whether a value is a number; infinities and NaN are."""
    return type(value) in (float, int)


def is_value(value: Any) -> bool:
    """Whether a value is a number that a metric of a complete trial may have."""
    return type(value) in (float, int) and -LARGEST_VALUE <= value <= LARGEST_VALUE


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_file(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"sha256", "size"}
        and isinstance(value["sha256"], str)
        and _SHA256.fullmatch(value["sha256"]) is not None
        and type(value["size"]) is int
        and value["size"] >= 0
    )


def _is_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(is_number, value.values()))


TEXT: Final = Rule("text", _is_text)
NAME: Final = Rule("text that is not empty", lambda value: isinstance(value, str) and value != "")
SECONDS: Final = Rule(
    f"a number from 0 to {LATEST:g}", lambda value: type(value) in (float, int) and 0 <= value <= LATEST
)
COST: Final = Rule(
    f"a number from 0 to {LARGEST_VALUE:g}",
    lambda value: type(value) in (float, int) and 0 <= value <= LARGEST_VALUE,
)
NUMBER: Final = Rule("a number", is_number)
WHOLE: Final = Rule("a whole number", lambda value: type(value) is int)
COUNT: Final = Rule("a whole number of 0 or more", lambda value: type(value) is int and 0 <= value < LARGEST)
FLAG: Final = Rule("true or false", lambda value: type(value) is bool)
OWNER: Final = Rule(
    "host:process:start", lambda value: isinstance(value, str) and bool(_OWNER.fullmatch(value))
)
OBJECT: Final = dictionary("a JSON object", lambda value: True)
CONFIG: Final = dictionary("a JSON object of texts, numbers and truth values", _is_scalar)
NUMBERS: Final = dictionary("a JSON object of numbers", is_number)
VALUES: Final = Rule(
    f"a JSON array of numbers up to {LARGEST_VALUE:g} in size, at least one",
    lambda value: isinstance(value, list) and bool(value) and all(map(is_value, value)),
)
FILES: Final = dictionary("a JSON object of files, each with its sha256 and size", _is_file)
TEXTS: Final = array("a JSON array of texts", _is_text)
DETAILS: Final = array("a JSON array of objects of numbers", _is_numbers)
