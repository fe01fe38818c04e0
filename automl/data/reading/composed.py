"""Texts that are made of parts: lists, addresses of pages, times of day; and the features of their parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np

from automl.contracts import ReadColumn, UserError

KINDS: Final = ("list", "url", "time")
LEAST: Final = 20  # filled cells
MOST: Final = 50  # items of a list
_EACH: Final = 5  # rows of an item, on average
_LONG: Final = 30  # characters of an item
_URL: Final = re.compile(r"(?:https?|ftp)://([^/?#\s]+)([^?#\s]*)", re.IGNORECASE)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$")
_LIST: Final = re.compile(r"[\[({]?(.*?)[\])}]?$", re.DOTALL)


def find_composed(name: str, texts: Any) -> ReadColumn | None:
    """How the column of `texts` (n,), with "" for missing ones, is composed; None of others."""
    filled = texts[texts != ""]
    if len(filled) < LEAST:
        return None
    different = filled.drop_duplicates()
    if all(map(_TIME.match, different)):
        return ReadColumn(name, "time")
    if all(map(_URL.match, different)):
        column = ReadColumn(name, "url")
        different = [len(set(feature.tolist())) for feature in made_of(column, filled).values()]
        return column if max(different) > 1 else None
    return next((found for mark in ";|," if (found := _as_list(name, filled, mark)) is not None), None)


def made_names(column: ReadColumn) -> tuple[str, ...]:
    """The names of the features of such a column."""
    if column.kind == "list":
        return (*(f"{column.name}={item}" for item in column.known or ()), f"{column.name}_count")
    return (f"{column.name}_host", f"{column.name}_depth") if column.kind == "url" else (column.name,)


def made_of(column: ReadColumn, texts: Any) -> dict[str, np.ndarray]:
    """The features (n,) of `texts` (n,): of missing ones ("" or None) nan, no host, no item of a list.

    A time is its hours. Of a page the host is a category, and how deep it lies below it a number. Of a list
    each known item is 0 or 1, and the number of its items is a feature too.
    """
    texts = ["" if text is None else text for text in texts]
    if column.kind == "time":
        return {column.name: np.array([_hours(text) for text in texts], np.float64)}
    if column.kind == "url":
        pages = [_URL.match(text) for text in texts]
        hosts = np.array([None if page is None else page[1].lower() for page in pages], object)
        deep = [
            np.nan if page is None else len([part for part in page[2].split("/") if part]) for page in pages
        ]
        return dict(zip(made_names(column), (hosts, np.array(deep, np.float64)), strict=True))
    rows = [set(_items(text, column.format)) for text in texts]
    there = [np.array([float(item in row) for row in rows]) for item in column.known or ()]
    count = np.array([float(len(row)) for row in rows])
    return dict(zip(made_names(column), (*there, count), strict=True))


def check_apart(name: str, made: Collection[str], others: Collection[str]) -> None:
    """Raise `UserError` when a feature that is made of a column has the name of another one."""
    both = [feature for feature in made if feature in others]
    if both:
        raise UserError(
            f"every feature must have a name of its own, but {both[0]!r} is one of {name!r} and of another "
            "column; rename one of them in the file, or leave it out (task.columns.drop)"
        )


def other_parts(column: ReadColumn, texts: Any) -> list[str]:
    """Texts of a column that are no times or pages, or items of lists that it did not have."""
    different = [str(text) for text in dict.fromkeys(texts) if text]
    if column.kind == "list":
        items = dict.fromkeys(item for text in different for item in _items(text, column.format))
        return [item for item in items if item not in (column.known or ())]
    form = _TIME if column.kind == "time" else _URL
    return [text for text in different if form.match(text) is None]


def told(column: ReadColumn) -> str:
    """What is made of the column, for a note."""
    what = {
        "time": "times of day: hours are its feature",
        "url": "addresses of pages: the host and how deep a page lies are its features",
        "list": f"lists with {column.format!r}: each of {len(column.known or ())} items and their number are "
        "its features",
    }[column.kind]
    return f"{column.name!r} is read as {what}; task.columns.categorical: [{column.name}] keeps it as it is"


def _as_list(name: str, filled: Any, mark: str) -> ReadColumn | None:
    """A list has several items in half of its cells, few different ones, and these in several companies."""
    if filled.isin([text for text in filled.unique() if mark in text]).mean() < 0.5:
        return None  # most columns: their cells are not taken apart
    rows = [_items(text, mark) for text in filled]
    counts = Counter(item for row in rows for item in row)
    several = sum(len(row) > 1 for row in rows) >= len(rows) / 2
    if not several or not 2 <= len(counts) <= MOST or sum(counts.values()) < _EACH * len(counts):
        return None
    plain = all(len(item) <= _LONG and len(item.split()) <= 3 for item in counts)
    companies = len({frozenset(row) for row in rows}) > len(counts)
    return ReadColumn(name, "list", format=mark, known=tuple(sorted(counts))) if plain and companies else None


def _items(text: str, mark: str) -> Sequence[str]:
    inner = _LIST.match(text)
    parts = (inner[1] if inner else text).split(mark)
    return [part for part in (part.strip().strip("\"'").strip() for part in parts) if part]


def _hours(text: str) -> float:
    found = _TIME.match(text)
    if found is None:
        return float("nan")
    return int(found[1]) + int(found[2]) / 60 + int(found[3] or 0) / 3600
