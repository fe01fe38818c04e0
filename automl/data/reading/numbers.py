"""Numbers as people write them, and what stands for none among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.data.reading.marks import Marks, bare, unit_of

MISSING = frozenset(  # texts that stand for no value in a column of numbers or dates, in lower case
    [
        "?",
        "-",
        "--",
        ".",
        "*",
        "na",
        "n/a",
        "#n/a",
        "nan",
        "null",
        "none",
        "nil",
        "missing",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
        "unknown",
        "<na>",
    ]
)
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$")
_INFINITE = re.compile(r"[+-]?(?:inf|infinity)$", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_LEADING_ZEROS = re.compile(r"\n[+-]?0\d")
_NOT_PLAIN = re.compile(r"[^0-9.eE+\n-]")  # what float() reads of other characters than these is plain


@dataclass
class Numbers:
    """A column as float64 numbers. `missing`: texts that stand for none; `units`: what was taken off."""

    values: np.ndarray
    whole: bool
    missing: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    grouped: list[str] = field(default_factory=list)
    signs: tuple[str, ...] = ()
    bare: bool = False

    @property
    def beside(self) -> tuple[str, ...]:
        """What stands beside the numbers: `%`, `EUR`, …; "" where some have nothing beside them."""
        return tuple(sorted({unit_of(text) for text in self.units} | ({""} if self.bare else set())))


def as_numbers(texts: Any, marks: Marks, missing: Sequence[str] | None) -> Numbers | None:
    """The Series `texts` (n,) as numbers; None unless all of them, but for missing ones, are numbers.

    `missing`: texts that stand for none besides empty cells, and numbers equal to one; None takes those in
    common use. Numbers with leading zeros, such as 007, are codes and no numbers.
    """
    if marks.decimal == "." and not _values(missing) and (found := _plain_numbers(list(texts))) is not None:
        return found
    known: dict[str, float] = {}
    found = Numbers(np.empty(0), True)
    for text in dict.fromkeys(texts):
        if marks.decimal == "." and _PLAIN.match(text):
            if _LEADING_ZERO.match(text):
                return None
            known[text] = float(text)
            continue
        if text == "" or stands_for_none(text, missing):
            known[text] = np.nan
            found.missing += [text] if text else []
            continue
        value = _number(text, marks, found)
        if value is None:
            return None
        known[text] = value
    gone = _values(missing)
    for text in [text for text, value in known.items() if value in gone] if gone else ():
        known[text] = np.nan
        found.missing.append(text)
    written = [text for text, value in known.items() if value == value]
    if not written:
        return None
    found.signs = tuple(sign for sign in ".," if any(sign in text for text in written))
    found.bare = len(written) > len(found.units)
    found.values = np.array([known[text] for text in texts], np.float64)
    found.whole = _are_whole(found.values)
    return found


def _plain_numbers(texts: list[str]) -> Numbers | None:
    """The numbers that most files hold: digits, points and empty cells alone; None of other texts."""
    together = "\n".join(("", *texts))
    if _NOT_PLAIN.search(together) or _LEADING_ZEROS.search(together) or len(together) <= len(texts):
        return None
    try:
        values = np.array([float(text) if text else np.nan for text in texts], np.float64)
    except ValueError:
        return None
    return Numbers(values, _are_whole(values), signs=(".",) if "." in together else (), bare=True)


def _are_whole(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite == np.floor(finite)).all())


def other_texts(texts: Any, marks: Marks, missing: Sequence[str] | None) -> tuple[float, list[str]]:
    """Of a column of texts: which share are numbers, and up to three that are not."""
    import pandas as pd  # pandas takes half a second to import

    counts = texts[texts != ""].value_counts()
    scratch = Numbers(np.empty(0), True)
    wrong = [
        text
        for text in pd.unique(texts[texts != ""])
        if not stands_for_none(text, missing) and _number(text, marks, scratch) is None
    ]
    total = int(counts.sum())
    return (1 - int(counts[wrong].sum()) / total if total else 0.0), wrong[:3]


def without(values: np.ndarray, missing: Sequence[str] | None) -> np.ndarray:
    """The numbers (n,), those that are one of `missing` as nan: -999.0 where -999 stands for no value."""
    gone = _values(missing)
    return np.where(np.isin(values, gone), np.nan, values) if gone else values


def _values(missing: Sequence[str] | None) -> list[float]:
    return [float(text) for text in missing or () if _PLAIN.match(text)]


def stands_for_none(text: str, missing: Sequence[str] | None) -> bool:
    """Whether a text in a column of numbers is a missing value; see `as_numbers`."""
    if missing is None:
        return text.lower() in MISSING
    return text in missing or (_PLAIN.match(text) is not None and float(text) in _values(missing))


def _number(text: str, marks: Marks, found: Numbers) -> float | None:
    """The number that `text` writes; what had to be taken off is noted in `found`."""
    if _INFINITE.match(text):
        return float(text)
    stripped = bare(text)
    plain = _ungrouped(stripped, marks)
    if plain is None or _LEADING_ZERO.match(plain):
        return None
    if stripped != text:
        found.units.append(text)
    elif len(plain) < len(stripped):
        found.grouped.append(text)
    return float(plain)


def _ungrouped(text: str, marks: Marks) -> str | None:
    """`text` with a decimal point and without marks between thousands; None when it is no number."""
    whole, sign, rest = text.partition(marks.decimal)
    for mark in marks.groups:
        if mark and mark in whole and re.match(rf"[+-]?\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+$", whole):
            whole = whole.replace(mark, "")
            break
    if marks.decimal != "." and "." in whole + rest:
        return None
    plain = whole + ("." if sign else "") + rest
    return plain if _PLAIN.match(plain) else None
