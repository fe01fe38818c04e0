"""The progress of a campaign in words, the same on a terminal and in a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automl.progress.status import CampaignStatus, SearchStatus

MOST_BESTS: Final = 8  # best values of an arm in one line
MOST_ARMS: Final = 8  # arms that one line names


def duration(seconds: float) -> str:
    """Seconds in units that one can read."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def rough(seconds: float) -> str:
    """An estimate, no more exact than it is."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{round(hours)} h"


def headline(status: CampaignStatus, about: float | None) -> list[str]:
    """Elapsed time, what is left of the budgets, and when the searches end."""
    parts = [f"elapsed {duration(status.elapsed)}", *left(status)]
    parts += [ending(status, about)] if status.searches else []
    if status.limit is not None:
        parts.append(f"ends in {duration(status.limit)} at the latest")
    return [part for part in parts if part]


def left(status: CampaignStatus) -> list[str]:
    """What is left of the budgets of all searches together."""
    known = [one for one in status.searches if one.budget or one.trials]
    parts = []
    if known and all(one.trials for one in known):  # where only some have a number, its rest says nothing
        rest = sum(max(0, (one.trials or 0) - one.ended) for one in known if one.searches)
        parts.append(f"left {rest:,} of {sum(one.trials or 0 for one in known):,} trials")
    if any(one.budget for one in known):
        rest_seconds = sum(max(0.0, (one.budget or 0.0) - one.spent) for one in known if one.searches)
        total = sum(one.budget or 0.0 for one in known)
        parts.append(f"left {duration(rest_seconds)} of {duration(total)} on devices")
    return parts


def ending(status: CampaignStatus, about: float | None) -> str:
    """When it ends: about, or how far its retrainings are; "" while nothing is known."""
    if status.paused:
        return next(one.state for one in status.searches if one.state in ("paused", "interrupted"))
    done = sum(one.retrained for one in status.searches)
    wanted = sum(one.retrainings for one in status.searches)
    if status.share >= 1.0:
        return f"searches have ended, {done} of {wanted} retrainings" if wanted else "searches have ended"
    if about is None:
        return ""
    then = f", then {wanted - done} retrainings" if wanted > done else ""
    return f"searches end in about {rough(about)}{then}"


def best_line(status: CampaignStatus) -> str:
    """The best value so far with its arm and its trial."""
    best = status.best
    if best is None:
        return "best: nothing yet"
    metric = f" {status.metric}" if status.metric else ""
    trial = f", trial {best.best_trial}" if best.best_trial else ""
    return f"best{metric} {value(best.best)}: {best.arm}{trial}"


def summary(status: CampaignStatus, about: float | None = None) -> str:
    """The campaign in one line."""
    arms = status.arms
    shown = list(arms.items())[:MOST_ARMS]
    parts = [", ".join(headline(status, about)), best_line(status)]
    parts += [f"{arm}: {_arm(rows)}" for arm, rows in shown]
    if len(arms) > len(shown):
        hidden = [row for arm, rows in arms.items() for row in rows if arm not in dict(shown)]
        parts.append(f"{len(arms) - len(shown)} more arms: {_arm(hidden)}")
    return " | ".join(parts)


def _arm(rows: Sequence[SearchStatus]) -> str:
    done, running = sum(row.ended for row in rows), sum(row.running for row in rows)
    return f"{done} done, {running} running, {sum(row.spent for row in rows):.0f} s, best {bests(rows)}"


def bests(rows: Sequence[SearchStatus]) -> str:
    """The best value of each search; of many searches only the smallest and the largest."""
    found = [row.best for row in rows if row.best is not None]
    if len(rows) > MOST_BESTS and found:
        return f"{value(min(found))} to {value(max(found))} in {len(found)} of {len(rows)} searches"
    return ", ".join(value(row.best) for row in rows) if len(rows) <= MOST_BESTS else "–"


def value(number: float | None) -> str:
    """A value in four digits; a dash for none."""
    return "–" if number is None else f"{number:.4g}"
