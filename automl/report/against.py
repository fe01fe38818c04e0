"""A campaign against an earlier one: better, worse (a regression), no different, or cannot tell.

What is compared are values per seed on validation data: of the fresh-seed retrainings where both campaigns
have them, else the best of each search. The test set has no say. The answer for the study is that of its
best arm by mean, at 0.05; those of arms that both have are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Final, Literal

from automl.contracts import Direction, RunError
from automl.report import against_words as words
from automl.report.arms import ArmReport
from automl.report.between import Answer, Difference, alike, difference
from automl.report.comparable import Comparable, comparable
from automl.report.searches import Level
from automl.report.standing import Standing, standing, standings
from automl.report.statistics import holm
from automl.report.wording import Units

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.report.records import Records

LEVELS: Final[tuple[Level, ...]] = ("fresh", "validation")


@dataclass(frozen=True)
class ArmAgainst:
    """An arm of now against an arm of before. `p_value` decides `answer` and may be corrected."""

    arm: str
    against: str
    answer: Answer
    difference: Difference
    p_value: float | None
    sentence: str


@dataclass(frozen=True)
class Against:
    """`campaign` against the earlier one `against`. `obstacle`: why they cannot be compared, else empty.

    `data` and `notes`: see `comparable.Comparable`. `level`: what is compared. `within`: how far two means
    may lie apart to be called no different, in the metric's unit. `best`: the best arm of each by mean.
    `arms`: those that both have; `added` and `removed`: the others.
    """

    campaign: str
    against: str
    answer: Answer
    sentence: str
    obstacle: str = ""
    data: Literal["same", "other", "unknown"] = "unknown"
    notes: tuple[str, ...] = ()
    level: Level | None = None
    within: float | None = None
    best: ArmAgainst | None = None
    arms: tuple[ArmAgainst, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sides:
    """Both campaigns with what is common to the comparison of every arm."""

    now: Standing
    before: Standing
    level: Level
    on: Comparable
    units: Units
    within: float

    @property
    def direction(self) -> Direction:
        return self.now.metric.direction

    def difference(self, arm: str, other: str) -> Difference:
        """Paired where it is the same arm with the same seeds on the same data."""
        values = self.now.arms[arm], self.before.arms[other]
        now, before = ({search.seed: search.value(self.level) for search in side.searches} for side in values)
        return difference(
            now, before, paired=arm == other and self.on.data == "same" and now.keys() == before.keys()
        )


def against_last(
    ledger: Records, row: CampaignRow, arms: Mapping[str, ArmReport] | None = None
) -> Against | None:
    """A finished campaign against the last one of its study that had finished by then; None without one.

    `arms`: its own, where they are known. What is damaged in either is an obstacle, in words.
    """
    if row.state != "finished":
        return None
    before = ledger.finished_before(row)
    if before is None:
        return None
    try:
        earlier = standings(ledger, [before])[0]
        now = standings(ledger, [row])[0] if arms is None else standing(row, "finished", arms, 0)
        return against(now, earlier)
    except RunError as error:
        return _not_compared(row.id, before.id, str(error))


def against(now: Standing, before: Standing, within: float | None = None) -> Against:
    """`now` against `before`.

    `within`: by default the study's `equivalent`, else half a point of a fraction, else 1 % of the mean.
    """
    on = comparable(now, before)
    if on.obstacle:
        return replace(
            _not_compared(now.campaign, before.campaign, on.obstacle), data=on.data, notes=on.notes
        )
    level = _level(now, before)
    best = best_arm(now, level), best_arm(before, level)
    if best[0] is None or best[1] is None:
        empty = [side.campaign for side, arm in zip((now, before), best, strict=True) if arm is None]
        return _not_compared(now.campaign, before.campaign, f"{' and '.join(empty)} found nothing")
    means = [mean_of(side.arms[arm], level) for side, arm in zip((now, before), best, strict=True) if arm]
    units = Units.of(now.metric.name, _values(now, before, level))
    wanted = now.settings.equivalent if within is None else within
    margin = alike(means[1] or 0.0, fraction=bool(units.unit)) if wanted is None else wanted
    sides = _Sides(now, before, level, on, units, margin)
    overall = _study(sides, best[0], best[1])
    return Against(
        campaign=now.campaign,
        against=before.campaign,
        answer=overall.answer,
        sentence=overall.sentence,
        data=on.data,
        notes=on.notes,
        level=level,
        within=margin,
        best=overall,
        arms=_arms(sides),
        added=tuple(arm for arm in now.arms if arm not in before.arms),
        removed=tuple(arm for arm in before.arms if arm not in now.arms),
    )


def best_arm(side: Standing, level: Level) -> str | None:
    """The arm with the best mean over its seeds; of equal ones the first."""
    sign = 1 if side.metric.direction is Direction.MAXIMIZE else -1
    known = {name: mean for name, arm in side.arms.items() if (mean := mean_of(arm, level)) is not None}
    return max(known, key=lambda name: sign * known[name], default=None)


def mean_of(arm: ArmReport, level: Level) -> float | None:
    """The mean of an arm's values over its seeds; None without any."""
    values = [value for search in arm.searches if (value := search.value(level)) is not None]
    return fmean(values) if values else None


def _not_compared(campaign: str, other: str, obstacle: str) -> Against:
    return Against(
        campaign, other, "cannot tell", f"{campaign} cannot be compared with {other}: {obstacle}", obstacle
    )


def _level(now: Standing, before: Standing) -> Level:
    """Retrainings where every arm that has found something has some."""
    found = [
        arm for side in (now, before) for arm in side.arms.values() if mean_of(arm, "validation") is not None
    ]
    return "fresh" if found and all(mean_of(arm, "fresh") is not None for arm in found) else "validation"


def _values(now: Standing, before: Standing, level: Level) -> list[float]:
    searches = [search for side in (now, before) for arm in side.arms.values() for search in arm.searches]
    return [value for search in searches if (value := search.value(level)) is not None]


def _study(sides: _Sides, arm: str, other: str) -> ArmAgainst:
    """The best arm of now against the best of before."""
    found = sides.difference(arm, other)
    answer = found.answer(sides.direction, sides.within, found.p_value)
    now, before = sides.now.campaign, sides.before.campaign
    sentence = (
        f"{words.claim(now, before, answer, found, sides.direction, sides.units)} "
        f"({words.means(arm, other, found, sides.units)}; "
        f"{words.evidence(found, found.p_value, sides.direction, sides.units)}"
        f"{words.alike(answer, found, sides.within, sides.units)})"
        f"{words.on_data(sides.on.data, sides.on.notes)}"
        f"{words.at_budget(sides.now.settings.budget, sides.before.settings.budget)}"
    )
    return ArmAgainst(arm, other, answer, found, found.p_value, sentence)


def _arms(sides: _Sides) -> tuple[ArmAgainst, ...]:
    """Every arm that both have, with p-values corrected together."""
    found = {arm: sides.difference(arm, arm) for arm in sides.now.arms if arm in sides.before.arms}
    tested = [arm for arm in found if found[arm].p_value is not None]
    corrected, _ = holm([found[arm].p_value or 0.0 for arm in tested])
    p_values = dict(zip(tested, corrected, strict=True))
    return tuple(_arm(sides, arm, found[arm], p_values.get(arm), len(tested)) for arm in found)


def _arm(sides: _Sides, arm: str, found: Difference, p_value: float | None, family: int) -> ArmAgainst:
    answer = found.answer(sides.direction, sides.within, p_value)
    claim = words.claim(arm, "before", answer, found, sides.direction, sides.units)
    shown = words.evidence(found, p_value, sides.direction, sides.units, family=family)
    return ArmAgainst(arm, arm, answer, found, p_value, f"{claim} ({shown})")
