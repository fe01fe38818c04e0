"""The best configurations of each search, evaluated again before its winner was named (`final.top`).

What the best one of a search loses then is how far its value had been optimistic; which of them has the best
mean is the winner.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Final

from automl.contracts import Direction, TrialState, digest
from automl.report.chosen import Chosen, marked
from automl.report.judging import Rules
from automl.report.markup import Column, table
from automl.report.optimism import Gap, gap, gap_text
from automl.report.searches import final_values, tell_order
from automl.report.settings import StudySettings
from automl.report.wording import Units, plural, seconds
from automl.selection import AGAIN, NOT_AGAIN, best_of

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

TITLE: Final = "Winners selected among the best, evaluated again with fresh seeds:"
ABOUT: Final = (
    "best → again: what the best trial of a search loses (later − earlier value), mean over seeds with a "
    "95 % interval; budgets do not pay for these evaluations"
)


@dataclass(frozen=True)
class Candidate:
    """A configuration that might win: its trial, the value of that, and those of the evaluations again."""

    trial: str
    value: float
    again: tuple[float, ...]
    mean: float | None


@dataclass(frozen=True)
class Reevaluated:
    """One search: its `candidates`, the best of the search first, and the `winner` among them.

    `changed`: that is another one than the first. `optimism`: mean of the first one's values again less
    its value; `gain`: the winner's mean less that of the first. `ended` of `planned` evaluations
    have come to an end; with fewer, nothing is selected, and the best of the search stays the winner.
    """

    arm: str
    seed: int
    candidates: tuple[Candidate, ...]
    winner: str | None
    changed: bool
    optimism: float | None
    gain: float | None
    ended: int
    planned: int
    device_seconds: float

    @property
    def selected(self) -> Candidate | None:
        """The winner."""
        return next((one for one in self.candidates if one.trial == self.winner), None)


@dataclass(frozen=True)
class _Scored:
    """A complete trial, as `automl.selection` takes it."""

    row: TrialRow
    value: float

    @cached_property
    def key(self) -> str:
        """The digest of its configuration."""
        return digest(self.row.derived or self.row.config)


def reevaluated(
    search: SearchRow, rows: Sequence[TrialRow], direction: Direction, top: int, seeds: int
) -> Reevaluated | None:
    """What was evaluated again of a search that has ended; None where there was nothing to select from."""
    if top == 1 or search.state != "finished":
        return None
    ordinary = sorted((row for row in rows if row.kind == "trial"), key=tell_order)
    scored = [_Scored(row, values[0]) for row in ordinary if (values := final_values(row))]
    leaders = best_of(scored, top, direction)
    if len(leaders) < 2:
        return None
    again = [row for row in rows if row.kind == AGAIN]
    ended = [[row for row in again if digest(row.config) == one.key and _has_ended(row)] for one in leaders]
    found = tuple(map(_candidate, leaders, ended))
    first, winner = found[0], next((one for one in found if one.trial == search.winner), None)
    return Reevaluated(
        arm=search.arm,
        seed=search.seed,
        candidates=found,
        winner=search.winner,
        changed=winner is not None and winner is not first,
        optimism=None if first.mean is None else first.mean - first.value,
        gain=None if winner is None or None in (winner.mean, first.mean) else _less(winner.mean, first.mean),
        ended=sum(map(len, ended)),
        planned=seeds * len(found),
        device_seconds=math.fsum(row.device_seconds for row in again),
    )


def _has_ended(row: TrialRow) -> bool:
    """Whether it has ended by itself: what a limit or a user has ended is pruned, or not tried again."""
    if row.state is TrialState.FAILED:
        return not (row.reason or "").startswith(NOT_AGAIN)
    return row.state is TrialState.COMPLETE


def _less(value: float | None, other: float | None) -> float:
    return (value or 0.0) - (other or 0.0)


def _candidate(one: _Scored, again: Sequence[TrialRow]) -> Candidate:
    values = tuple(values[0] for row in again if (values := final_values(row)))
    return Candidate(one.row.id, one.value, values, fmean(values) if values else None)


def of_campaign(
    searches: Sequence[SearchRow], trials: Mapping[str, Sequence[TrialRow]], study: StudySettings
) -> tuple[Reevaluated, ...]:
    """Of every search that has ended; none where `final.top` is 1."""
    direction = study.metrics[0].direction
    found = (reevaluated(row, trials[row.id], direction, study.top, study.finals) for row in searches)
    return tuple(one for one in found if one is not None)


def unselected(found: Sequence[Reevaluated], *, finished: bool) -> list[str]:
    """A line for each search whose winner was not selected, for want of time."""
    return [
        f"{one.arm} with seed {one.seed}: {one.ended} of {one.planned} evaluations of its best ones with "
        "fresh seeds came to an end, so the best of its search stays the winner, whose value flatters it"
        for one in found
        if finished and one.ended < one.planned and not (one.changed or _from_table(one))
    ]


def _from_table(one: Reevaluated) -> bool:
    """Whether it was looked up: a table has as many values as it has."""
    return one.ended > 0 and one.device_seconds == 0


def lines(found: Sequence[Reevaluated], study: StudySettings, units: Units) -> Iterator[str]:
    """A line for each arm."""
    for arm, own in _by_arm(found).items():
        changed = [one for one in own if one.changed]
        text = f"{arm}: another winner in {len(changed)} of {plural(len(own), 'seed')}"
        gains = [one.gain for one in changed if one.gain is not None]
        if gains:
            text += f", better by {units.difference(abs(fmean(gains)))} in those values"
        if (optimism := _gap(own, study)).mean is not None:
            text += f"; best → again {gap_text(optimism, units)}"
        yield f"{text}; {_cost(own)}"


def section(
    found: Sequence[Reevaluated], study: StudySettings, units: Units, chosen: Chosen | None = None
) -> str:
    """The HTML table; empty where nothing was evaluated again."""
    if not found:
        return ""
    names = ("arm", "seeds", "another winner", "best → again", "winner − best, again", "evaluations")
    rows = []
    for arm, own in _by_arm(found).items():
        gains = [one.gain for one in own if one.gain is not None]
        rows.append(
            [
                escape(marked(arm, chosen)),
                str(len(own)),
                str(sum(one.changed for one in own)),
                gap_text(_gap(own, study), units),
                units.difference(fmean(gains), sign=True) if gains else "–",
                _cost(own),
            ]
        )
    return f"""<h2>Winners selected among the best</h2>
{table([Column(name) for name in names], rows)}
<p class="soft">The {study.top} best configurations of each search were evaluated again with fresh seeds, and
the one with the best mean won. {escape(ABOUT)}.</p>"""


def _by_arm(found: Sequence[Reevaluated]) -> dict[str, list[Reevaluated]]:
    arms: dict[str, list[Reevaluated]] = {}
    for one in found:
        arms.setdefault(one.arm, []).append(one)
    return arms


def _gap(own: Sequence[Reevaluated], study: StudySettings) -> Gap:
    return gap([one.optimism for one in own if one.optimism is not None], Rules(study.plan, study.equivalent))


def _cost(own: Sequence[Reevaluated]) -> str:
    cost = math.fsum(one.device_seconds for one in own)
    return f"{plural(sum(one.ended for one in own), 'evaluation')}, {seconds(cost)}"
