"""The gate before the champion: every condition with its figure.

Arms are methods: the winner's arm is compared with another one by the campaign's own verdict, over seeds.
The champion is a model: the values of both models' retrainings are compared (Welch's test), only where both
were measured on the same data. A difference that is not decided is no win.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final

from automl.config import CHAMPION, Promote
from automl.contracts import Direction
from automl.promoting.decision import Condition, Measured
from automl.report.between import welch
from automl.report.searches import Level
from automl.report.statistics import ALPHA
from automl.report.wording import Units, p_text, plural

if TYPE_CHECKING:
    from automl.report import CampaignReport
    from automl.report.chosen import Chosen
    from automl.report.verdicts import ArmVerdict

_LEVELS: Final[tuple[Level, ...]] = ("test", "fresh", "validation")
_WORDS: Final = {"test": "test", "fresh": "fresh-seed validation", "validation": "validation"}


@dataclass(frozen=True)
class Champion:
    """The model that has the alias now: how it is called, and its values."""

    name: str
    measured: Measured


@dataclass(frozen=True)
class Judged:
    """A winner before the gate. `champion` None: there is none yet. `size`: parameters, where known."""

    report: CampaignReport
    chosen: Chosen
    measured: Measured
    champion: Champion | None
    size: int | None

    @property
    def direction(self) -> Direction:
        """Of the metric."""
        return self.report.metric.direction


def judge(gate: Promote, judged: Judged) -> tuple[Condition, ...]:
    """Every condition of the gate, in the order in which a study file has them."""
    return tuple(_conditions(gate, judged))


def _conditions(gate: Promote, judged: Judged) -> Iterator[Condition]:
    for name in gate.beats:
        yield _beats_champion(judged) if name == CHAMPION else _beats_arm(judged, name)
    if gate.test_at_least is not None:
        yield _at_least(judged, "test", gate.test_at_least)
    if gate.fresh_at_least is not None:
        yield _at_least(judged, "fresh", gate.fresh_at_least)
    if gate.seeds_at_least is not None:
        yield _seeds(judged, gate.seeds_at_least)
    if gate.size_at_most is not None:
        yield _size(judged, gate.size_at_most)


def _beats_arm(judged: Judged, other: str) -> Condition:
    name, report, arm = f"beats {other}", judged.report, judged.chosen.arm
    if arm == other:
        return Condition(name, False, f"the winner is of {other} itself, which no other arm has beaten")
    if other not in report.arms:
        return Condition(name, False, f"{report.campaign} has no arm {other}")
    found = _verdict(report, arm, other)
    if found is None:
        return Condition(name, False, f"{report.campaign} has no verdict on {arm} against {other}")
    verdict, swapped = found
    level = verdict.compared
    means = [report.comparison.summary[one].level(level).mean for one in (arm, other)]
    difference, interval = verdict.difference, verdict.interval
    if swapped:
        difference = None if difference is None else -difference
        interval = None if interval is None else (-interval[1], -interval[0])
    passed = verdict.verdict == ("worse" if swapped else "better")
    figure = (
        f"{_WORDS[level]} {report.metric.name} of {arm} {_shown(report.units, means[0])} against "
        f"{_shown(report.units, means[1])} over {plural(verdict.seeds, 'seed')}, "
        f"{_difference(report.units, difference, interval, verdict.p_value)}"
    )
    return Condition(name, passed, figure, means[0], means[1], difference, interval)


def _verdict(report: CampaignReport, arm: str, other: str) -> tuple[ArmVerdict, bool] | None:
    """The campaign's verdict on two arms, and whether it is on the other one against the first."""
    known = (*report.comparison.verdicts, *report.comparison.pairs)
    for verdict in known:
        if (verdict.arm, verdict.against) == (arm, other):
            return verdict, False
    for verdict in known:
        if (verdict.arm, verdict.against) == (other, arm):
            return verdict, True
    return None


def _beats_champion(judged: Judged) -> Condition:
    name, champion = f"beats {CHAMPION}", judged.champion
    if champion is None:
        return Condition(name, True, f"{judged.report.study} has no champion yet")
    obstacle = _obstacle(judged.measured, champion)
    if obstacle:
        return Condition(name, False, f"it cannot be compared with {champion.name}: {obstacle}")
    level, now, before = _common(judged.measured, champion.measured)
    if level is None:
        return Condition(name, False, f"it and {champion.name} have no values of one kind")
    difference, interval, p_value = welch(now, before)
    units = Units.of(judged.measured.metric, [*now, *before])
    decided = p_value is not None and p_value < ALPHA and difference is not None
    passed = decided and judged.direction.better(difference or 0.0, 0.0)
    few = min(len(now), len(before)) < 2
    told = "which one value of each cannot decide; write final: {seeds: 3}" if few else ""
    figure = (
        f"{_WORDS[level]} {judged.measured.metric} {_shown(units, fmean(now))} ({_count(level, now)}) "
        f"against {_shown(units, fmean(before))} of {champion.name} ({_count(level, before)}), "
        f"{_difference(units, difference, interval, p_value)}{f', {told}' if told else ''}"
    )
    return Condition(name, passed, figure, fmean(now), fmean(before), difference, interval)


def _obstacle(now: Measured, champion: Champion) -> str:
    """Why the values of two models do not compare; empty when they do."""
    ours, theirs = json.loads(now.key), json.loads(champion.measured.key)
    if ours.get("dataset") is not None and None in (ours.get("data"), theirs.get("data")):
        return "the store has no digest of the data of one of them"
    names = {"data": "other data", "reading": "data that are read or split in another way"}
    names["without"] = "another evaluator or other code"
    differing = [names.get(key, f"another {key}") for key in ours if ours[key] != theirs.get(key)]
    return f"that one was measured on {', '.join(differing)}" if differing else ""


def _common(now: Measured, before: Measured) -> tuple[Level | None, Sequence[float], Sequence[float]]:
    """The highest level at which both have values."""
    levels = [(now.test, before.test), (now.fresh, before.fresh), (now.validation, before.validation)]
    for level, (ours, theirs) in zip(_LEVELS, levels, strict=True):
        if ours and theirs:
            return level, ours, theirs
    return None, (), ()


def _count(level: Level, values: Sequence[float]) -> str:
    return plural(len(values), "seed" if level == "validation" else "retraining")


def _at_least(judged: Judged, level: Level, wanted: float) -> Condition:
    search, units, direction = judged.chosen.search, judged.report.units, judged.direction
    values = search.test if level == "test" else search.fresh
    word = "least" if direction is Direction.MAXIMIZE else "most"
    name = f"{level} at {word} {wanted:g}"
    if not values:
        return Condition(name, False, f"the winner has no {_WORDS[level]} value", wanted=wanted)
    mean = fmean(values)
    spread = f" ± {units.difference(stdev(values))}" if len(values) > 1 else ""
    figure = (
        f"{judged.report.metric.name} {_shown(units, mean)}{spread} in {plural(len(values), 'retraining')}"
    )
    return Condition(name, not direction.better(wanted, mean), figure, mean, wanted, mean - wanted)


def _seeds(judged: Judged, wanted: int) -> Condition:
    arm = judged.report.arms[judged.chosen.arm]
    found = sum(search.best is not None for search in arm.searches)
    figure = f"{arm.name} has {plural(found, 'search', 'searches')} with a result"
    return Condition(f"seeds at least {wanted}", found >= wanted, figure, float(found), float(wanted))


def _size(judged: Judged, wanted: int) -> Condition:
    name, size = f"size at most {wanted:,}", judged.size
    if size is None:
        figure = "the number of its parameters is not recorded; return it as the metric parameters"
        return Condition(name, False, figure, wanted=float(wanted))
    return Condition(name, size <= wanted, f"{size:,} parameters", float(size), float(wanted))


def _shown(units: Units, value: float | None) -> str:
    return f"{units.value(value)} {units.unit}".rstrip()


def _difference(
    units: Units, difference: float | None, interval: tuple[float, float] | None, p_value: float | None
) -> str:
    if difference is None:
        return "no difference is known"
    ends = ", ".join(units.difference(end) for end in interval) if interval else ""
    shown = f"difference {units.difference(difference)}{f' [{ends}]' if ends else ''}{units.difference_unit}"
    return f"{shown}, {p_text(p_value)}" if p_value is not None else shown
