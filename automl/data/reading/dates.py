"""Dates as people write them, and the numbers that models learn from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.contracts import UserError
from automl.data.reading.numbers import MISSING

ISO = "ISO 8601"
_TIMES = ("", " %H:%M", " %H:%M:%S")
_DAYS = (
    "%Y-%m",
    "%m/%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_LIKE_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}){0,2}([.,]\d+)?\s*(Z|[+-]\d{2}:?\d{2})?)?$")
_LIKE_DATE = re.compile(
    r"\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ,]+\d{1,4}|[A-Za-z]{3,9} \d{1,2}, \d{4}"
    r"|(?:19|20)\d\d-\d\d$|\d\d/(?:19|20)\d\d$"
)
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Dates:
    """A column as times (n,), the format that all of them have, and another one that they have too."""

    values: Any
    format: str
    other: str | None = None


def as_dates(texts: Any, missing: Sequence[str] | None) -> Dates | None:
    """The Series `texts` (n,) as times in UTC; None unless all, but for missing ones, are dates."""
    different = texts.drop_duplicates()
    different = different[~different.isin(["", *(missing or ())])]
    if missing is None:
        different = different[~different.str.lower().isin(MISSING)]
    if different.empty:
        return None
    iso = different.head(50).map(lambda text: _LIKE_ISO.match(text) is not None).all()
    if not iso and not different.head(50).map(lambda text: _LIKE_DATE.match(text) is not None).all():
        return None
    filled = texts[texts.isin(different)]
    if iso:
        times = _parsed(filled, ISO)
        return None if times is None else Dates(times.reindex(texts.index), ISO)
    fitting = [
        form
        for form in (day + time for day in _DAYS for time in _TIMES)
        if _parsed(different.head(50), form) is not None and _parsed(different, form) is not None
    ]
    if not fitting:
        return None
    times = _parsed(filled, fitting[0])
    return Dates(times.reindex(texts.index), fitting[0], fitting[1] if len(fitting) > 1 else None)


def given_dates(name: str, texts: Any, form: str | None) -> Dates:
    """The column `name` of dates in the format `form`. Raises `UserError` for a cell that is none."""
    found = as_dates(texts, None) if form is None else None
    if found is not None:
        return found
    filled = texts[[text != "" and text.lower() not in MISSING for text in texts]]
    times = None if form is None else _parsed(filled, form)
    if times is None:
        wrong = next(
            (text for text in filled if form is None or _parsed(filled[filled == text], form) is None), ""
        )
        what = "are dates of no known format" if form is None else f"has cells that are not like {form!r}"
        raise UserError(
            f"a column of task.columns.date must hold dates, but {name!r} {what}, such as {wrong!r}; write "
            f'task.columns.date: {{{name}: "%d.%m.%Y"}} with its format'
        )
    return Dates(times.reindex(texts.index), str(form))


def other_order(texts: Any, form: str) -> str | None:
    """The format with day and month exchanged, where that is in use and all of the Series `texts` have it."""
    day, blank, time = form.partition(" ")
    exchanged = day.replace("%d", "%0").replace("%m", "%d").replace("%0", "%m")
    if exchanged == day or exchanged not in _DAYS:
        return None
    different = texts[texts != ""].drop_duplicates()
    different = different[~different.str.lower().isin(MISSING)]
    other = exchanged + blank + time
    return other if len(different) and _parsed(different, other) is not None else None


def has_hours(dates: Dates) -> bool:
    """Whether any of them has a time of day."""
    times = dates.values.dt
    return bool((times.hour.fillna(0) != 0).any() or (times.minute.fillna(0) != 0).any())


def parts(name: str, dates: Dates, *, hours: bool) -> dict[str, np.ndarray]:
    """Numbers by name, (n,) each: year, month, day, weekday, with `hours` the hour, and days since 1970."""
    times = dates.values.dt
    numbers = [times.year, times.month, times.day, times.day_of_week]
    numbers += [times.hour + times.minute / 60] if hours else []
    numbers.append(elapsed(dates))
    names = part_names(name, hours=hours)
    return {part: np.asarray(values, np.float64) for part, values in zip(names, numbers, strict=True)}


def part_names(name: str, *, hours: bool) -> tuple[str, ...]:
    """The names of those numbers."""
    hour = ("hour",) if hours else ()
    return tuple(f"{name}_{part}" for part in ("year", "month", "day", "weekday", *hour, "elapsed"))


def elapsed(dates: Dates) -> np.ndarray:
    """Days since 1970, (n,) float64, nan for missing ones."""
    days = dates.values.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(days), np.nan, (days - np.datetime64(0, "us")) / DAY)


def _parsed(texts: Any, form: str) -> Any:
    """The Series `texts` as times without a zone, or None when one is not of that format."""
    import pandas as pd  # pandas takes half a second to import

    try:
        times = pd.to_datetime(texts, format="ISO8601" if form == ISO else form, utc=True)
    except (ValueError, OverflowError):
        return None
    return times.dt.tz_localize(None)
