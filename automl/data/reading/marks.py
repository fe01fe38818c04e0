"""The signs in numbers: decimal signs, what stands between thousands, and units beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

GROUPS = (",", ".", "'", "’", " ", "_")  # what stands between groups of three digits
_UNITS = re.compile(r"^(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY)\s*|\s*(?:[$€£¥₹%‰]|USD|EUR|GBP|CHF|JPY)$")
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


def find_marks(
    columns: Iterable[Sequence[str]], decimal: str | None, thousands: str | None, separator: str
) -> Marks:
    """The marks that the texts of a file agree with; given ones are kept. `separator`: of its fields."""
    guess = decimal is None
    if decimal is None:
        columns = list(columns)
        texts = [bare(text) for column in columns for text in column if "," in text]
        comma = sum(_COMMA_DECIMAL.match(text) is not None for text in texts)
        groups = sum(_COMMA_GROUPS.match(text) is not None for text in texts)
        either = sum(_COMMA_EITHER.match(text) is not None for text in texts)
        guessed = not comma and not groups and bool(either)
        is_comma = comma > groups if not guessed else separator == ";" and not _has_points(columns)
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


def _has_points(columns: Iterable[Sequence[str]]) -> bool:
    return any(_POINT_DECIMAL.match(bare(text)) for column in columns for text in column)


def doubtful(texts: Any, marks: Marks, signs: Sequence[str]) -> str | None:
    """The first of the Series `texts` whose mark may be a decimal sign or stand between thousands.

    1.234 is not in doubt where `signs` has its mark, or where others of `texts` say what that mark is.
    """
    import pandas as pd  # pandas takes half a second to import

    if "." in signs and "," in signs:
        return None
    different = [bare(text) for text in pd.unique(texts)]
    for text, stripped in zip(pd.unique(texts), different, strict=True):
        found = _EITHER.match(stripped)
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


def bare(text: str) -> str:
    """`text` without units and unusual signs."""
    plain = text.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ").replace("\u2009", " ")
    if plain.startswith("(") and plain.endswith(")"):  # how accountants write a loss
        plain = f"-{plain[1:-1]}"
    sign = plain[:1] if plain[:1] in "+-" else ""
    return sign + _UNITS.sub("", _UNITS.sub("", plain[len(sign) :].strip())).strip()
