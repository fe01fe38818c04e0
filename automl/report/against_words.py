"""How the comparison of two campaigns reads, the same in the terminal and in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automl.contracts import Direction
from automl.report.between import Answer, Difference
from automl.report.searches import Level
from automl.report.settings import Budget
from automl.report.wording import Units, p_text, plural

LEVELS: Final[dict[Level, str]] = {
    "fresh": "validation values of fresh-seed retrainings",
    "validation": "best validation values of the searches",
    "test": "test values",
}


def claim(
    now: str, before: str, answer: Answer, found: Difference, direction: Direction, units: Units
) -> str:
    """Whether `now` is better than `before`, and by how much; the leading side's difference is positive."""
    if found.mean is None:
        return f"cannot tell whether {now} is better than {before}: {_without(now, before, found)}"
    ahead = found.mean == 0 or direction.better(found.mean, 0.0)
    size = f"{units.difference(abs(found.mean))}{units.difference_unit}"
    if answer == "no different":
        seeds = f"equal on all {len(found.seeds)} seeds" if found.paired else "all of their values are equal"
        equal = f": {seeds}" if found.same and found.interval is None else ""
        return f"{now} is no different from {before}{equal}"
    if answer != "cannot tell":
        regression = " (a regression)" if answer == "worse" else ""
        return f"{now} is {answer} than {before}{regression} by {size}"
    lead = f"{'ahead' if ahead else 'behind'} by {size}" if found.mean else "the means are equal"
    return f"cannot tell whether {now} is better or worse than {before}: {lead}"


def evidence(
    found: Difference, p_value: float | None, direction: Direction, units: Units, *, family: int = 1
) -> str:
    """Means, interval, p-value, test and seeds. `family`: how many p-values are corrected together."""
    parts = []
    sign = 1 if direction is Direction.MAXIMIZE else -1
    if found.mean is not None and sign * found.mean < 0:
        sign = -sign
    if found.interval is not None:
        low, high = sorted(sign * end for end in found.interval)
        parts.append(f"95 % interval {units.difference(low)} to {units.difference(high)}")
    elif p_value is not None and not found.same:
        parts.append("no spread, so no interval")
    if p_value is not None and not (found.same and found.interval is None):
        corrected = f" corrected for {family} arms" if family > 1 else ""
        parts.append(f"{p_text(p_value)}{corrected}")
    if found.paired:
        parts.append(f"paired over {plural(len(found.seeds), 'seed')}")
    else:
        parts.append(f"Welch's test, {found.now.n} against {plural(found.before.n, 'seed')}")
    if found.mean is not None and p_value is None:
        parts.append("one seed gives no interval: run more seeds")
    if found.dropped:
        noun = "seed" if len(found.dropped) == 1 else "seeds"
        parts.append(f"left out without a value: {noun} {', '.join(map(str, found.dropped))}")
    return ", ".join(parts)


def means(now: str, before: str, found: Difference, units: Units) -> str:
    """Both means, with the arms they are of: `tpe 97.9 %, was random 97.1 %`."""
    unit = f"\N{NO-BREAK SPACE}{units.unit}" if units.unit else ""
    values = [units.value(side.mean) + unit for side in (found.now, found.before)]
    return f"{now} {values[0]}, was {'' if now == before else f'{before} '}{values[1]}"


def at_budget(now: Budget, before: Budget) -> str:
    """That both had another budget: a difference may be that of the budgets."""
    if now == before:
        return ""
    shown = [
        ", ".join(
            f"{value:g} {name.replace('_', ' ')}" for name, value in vars(one).items() if value is not None
        )
        for one in (now, before)
    ]
    return f", at another budget ({shown[0]}, was {shown[1]})"


def alike(answer: Answer, found: Difference, within: float, units: Units) -> str:
    """What no different means, where that is the answer."""
    if answer != "no different" or found.same:
        return ""
    return f"; means within {units.difference(within)}{units.difference_unit} count as no different"


def on_data(data: str, notes: Sequence[str]) -> str:
    """What of the data differs, as the end of a sentence; empty when nothing does."""
    if not notes:
        return ""
    if data == "unknown":
        return f"; perhaps on other data: {', '.join(notes)}"
    rest = [note for note in notes if note != "the data changed"]
    shown = "on other data" if len(rest) < len(notes) else "measured otherwise"
    return f"; {shown}{': ' if rest else ''}{', '.join(rest)}"


def _without(now: str, before: str, found: Difference) -> str:
    empty = [name for name, side in ((now, found.now), (before, found.before)) if side.n == 0]
    if not empty:
        return "no seed has a value in both"
    return f"{' and '.join(empty)} {'have' if len(empty) > 1 else 'has'} no value"
