"""Numbers as people write them: thousands, decimal commas, units, and what stands for none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
GROUPS = (",", ".", "'", "’", " ", "_")  # what stands between groups of three digits
_UNITS = re.compile(r"^(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY)\s*|\s*(?:[$€£¥₹%‰]|USD|EUR|GBP|CHF|JPY)$")
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$")
_INFINITE = re.compile(r"[+-]?(?:inf|infinity)$", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_COMMA_DECIMAL = re.compile(
    r"[+-]?(?:\d{1,3}(?:[. '’]\d{3})+|\d+),(?:\d{1,2}|\d{4,})(?:[eE][+-]?\d+)?$|[+-]?0?,\d+$"
)
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d*$|[+-]?\d{1,3}(?:,\d{3}){2,}$")
_COMMA_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}$")
_POINT_DECIMAL = re.compile(r"[+-]?\d*\.(?:\d{1,2}|\d{4,})(?:[eE][+-]?\d+)?$|[+-]?0?\.\d+$")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}$")


@dataclass(frozen=True)
class Marks:
    """The decimal sign of a file, and what may stand between groups of three digits; which are `stated`."""

    decimal: str = "."
    groups: tuple[str, ...] = ("",)
    note: str = ""
    stated: tuple[str, ...] = ()


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


def find_marks(
    columns: Iterable[Sequence[str]], decimal: str | None, thousands: str | None, separator: str
) -> Marks:
    """The marks that the texts of a file agree with; given ones are kept. `separator`: of its fields."""
    guess = decimal is None
    if decimal is None:
        texts = [_bare(text) for column in columns for text in column]
        comma = sum(_COMMA_DECIMAL.match(text) is not None for text in texts)
        groups = sum(_COMMA_GROUPS.match(text) is not None for text in texts)
        either = sum(_COMMA_EITHER.match(text) is not None for text in texts)
        point = sum(_POINT_DECIMAL.match(text) is not None for text in texts)
        guessed = not comma and not groups and bool(either)
        is_comma = comma > groups if comma or groups else either > 0 and separator == ";" and not point
        decimal = "," if is_comma else "."
    else:
        guessed = False
    marks = (thousands,) if thousands is not None else tuple(mark for mark in GROUPS if mark != decimal)
    note = "the decimal sign is a comma" if decimal == "," else ""
    if guessed:
        means = "decimal signs" if decimal == "," else "between thousands"
        note = f"commas such as in 1,234 are taken as {means}; task.read.decimal decides otherwise"
    stated = tuple(mark for mark in (None if guess else decimal, thousands) if mark)
    return Marks(decimal, marks, note, stated)


def as_numbers(texts: Any, marks: Marks, missing: Sequence[str] | None) -> Numbers | None:
    """The Series `texts` (n,) as numbers; None unless all of them, but for missing ones, are numbers.

    `missing`: texts that stand for none besides empty cells, and numbers equal to one; None takes those in
    common use. Numbers with leading zeros, such as 007, are codes and no numbers.
    """
    import pandas as pd  # pandas takes half a second to import

    different = pd.unique(texts)
    plain = marks.decimal == "."
    known = {text: float(text) for text in different if plain and _PLAIN.match(text)}  # most files hold these
    if any(map(_LEADING_ZERO.match, known)):
        return None
    found = Numbers(np.empty(0), True)
    for text in different if len(known) < len(different) else ():
        if text in known:
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
    found.values = texts.map(known).to_numpy(np.float64)
    finite = found.values[np.isfinite(found.values)]
    found.whole = bool((finite == np.floor(finite)).all())
    return found


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


def doubtful(texts: Any, marks: Marks, signs: Sequence[str]) -> str | None:
    """The first of the Series `texts` whose mark may be a decimal sign or stand between thousands.

    1.234 is not in doubt where `signs` has its mark, or where others of `texts` say what that mark is.
    """
    import pandas as pd  # pandas takes half a second to import

    if "." in signs and "," in signs:
        return None
    different = [_bare(text) for text in pd.unique(texts)]
    for text, bare in zip(pd.unique(texts), different, strict=True):
        found = _EITHER.match(bare)
        if found is None or found[1] in signs:
            continue
        mark, decimal = re.escape(found[1]), re.escape(marks.decimal)
        clear = (
            rf"[+-]?(\d*{mark}(\d{{1,2}}|\d{{4,}})|(0?|\d{{4,}}){mark}\d+)$"
            if found[1] == marks.decimal
            else rf"[+-]?\d{{1,3}}({mark}\d{{3}}({mark}\d{{3}})+|({mark}\d{{3}})+{decimal}\d*)$"
        )
        if not any(re.match(clear, other) for other in different):
            return str(text)
    return None


def unit_of(text: str) -> str:
    """What stands beside the number `text`: `%`, `€`, …; "" for nothing, and for brackets alone."""
    return "".join(sorted(found.strip() for found in _UNITS.findall(text.strip("()+- −"))))


def stands_for_none(text: str, missing: Sequence[str] | None) -> bool:
    """Whether a text in a column of numbers is a missing value; see `as_numbers`."""
    if missing is None:
        return text.lower() in MISSING
    return text in missing or (_PLAIN.match(text) is not None and float(text) in _values(missing))


def _bare(text: str) -> str:
    """`text` without units and unusual signs."""
    plain = text.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ").replace("\u2009", " ")
    if plain.startswith("(") and plain.endswith(")"):  # how accountants write a loss
        plain = f"-{plain[1:-1]}"
    sign = plain[:1] if plain[:1] in "+-" else ""
    return sign + _UNITS.sub("", _UNITS.sub("", plain[len(sign) :].strip())).strip()


def _number(text: str, marks: Marks, found: Numbers) -> float | None:
    """The number that `text` writes; what had to be taken off is noted in `found`."""
    if _INFINITE.match(text):
        return float(text)
    bare = _bare(text)
    plain = _ungrouped(bare, marks)
    if plain is None or _LEADING_ZERO.match(plain):
        return None
    if bare != text:
        found.units.append(text)
    elif len(plain) < len(bare):
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
