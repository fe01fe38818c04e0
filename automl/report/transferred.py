"""Winners that were trained again on other datasets, and scored on their sealed test sets (`transfer`).

A configuration that is tuned on one dataset may be of little use on another. So the winners of every arm are
compared there as they are on the study's own test set: with those of random search, paired by seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Final

from automl.contracts import Direction, Metric, TrialState
from automl.ledger.winners import transfers, winner_opening
from automl.report.arms import ArmReport
from automl.report.interim import ended_seeds, seed_order
from automl.report.judging import Rules, compare
from automl.report.searches import SearchReport, final_values, usable
from automl.report.settings import StudySettings
from automl.report.statistics import Spread
from automl.report.verdicts import BASELINE, ArmVerdict, arm_verdict
from automl.report.wording import FRACTIONS, Units

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow, SearchRow, TrialRow
    from automl.report.records import Records

TRANSFER: Final = "transfer"  # the kind of these trials


@dataclass(frozen=True)
class TransferredSearch:
    """The present winner of a search on another dataset: a value of each training, on validation and test.

    `winner`: its trial, None without one. `failed` of `planned` trainings failed. `trainings` (that have
    ended), `device_seconds` and `test_openings` count earlier winners of the search too.
    """

    seed: int
    winner: str | None
    validation: tuple[float, ...]
    test: tuple[float, ...]
    failed: int
    planned: int
    trainings: int
    device_seconds: float
    test_openings: int

    @property
    def value(self) -> float | None:
        """The mean of its test values."""
        return fmean(self.test) if self.test else None

    @property
    def lost(self) -> int:
        """Planned trainings without a value that have failed."""
        return min(self.failed, max(0, self.planned - len(self.test)))

    @property
    def open(self) -> int:
        """Planned trainings without a value that have not failed."""
        return max(0, self.planned - len(self.test) - self.failed)


@dataclass(frozen=True)
class TransferredArm:
    """The winners of an arm: means over seeds, of the mean of each search's trainings; sums of the others."""

    arm: str
    test: Spread
    validation: Spread
    failed: int
    trainings: int
    device_seconds: float
    test_openings: int
    searches: tuple[TransferredSearch, ...]


@dataclass(frozen=True)
class Transferred:
    """All winners on one other dataset. `arms`, `ranking`: best first, by means of test values.

    `own_ranking`: the same arms on the study's own test set; `same_order`: whether it is the same, None where
    fewer than two arms have both, or means are equal. `verdicts`: of each arm against random search there.
    """

    dataset: str
    arms: tuple[TransferredArm, ...]
    verdicts: tuple[ArmVerdict, ...]
    ranking: tuple[str, ...]
    own_ranking: tuple[str, ...]
    same_order: bool | None
    trainings: int
    device_seconds: float
    test_openings: int

    def units(self, metric: Metric) -> Units:
        """The units of its values."""
        return _units(metric, [search.value for arm in self.arms for search in arm.searches])


def transferred(
    ledger: Records,
    campaign: str,
    study: StudySettings,
    arms: Mapping[str, ArmReport],
    searches: Sequence[SearchRow],
    trials: Mapping[str, Sequence[TrialRow]],
    *,
    finished: bool,
) -> tuple[Transferred, ...]:
    """An entry for each dataset of the study's `transfer`, and for any other that has trainings.

    `finished`: the campaign is, so that no planned value will come.
    """
    rows = [row for search in searches for row in trials[search.id] if row.kind == TRANSFER]
    names = dict.fromkeys([*study.transfer, *(row.dataset for row in rows if row.dataset)])
    if not names:
        return ()
    openings: dict[tuple[str, str | None], list[OpeningRow]] = {}
    for opening in ledger.transfer_openings(campaign):
        openings.setdefault((opening.search, opening.dataset), []).append(opening)
    found = []
    for name in names:
        of_arm: dict[str, list[TransferredSearch]] = {arm: [] for arm in arms}
        for search in searches:
            report = next((one for one in arms[search.arm].searches if one.seed == search.seed), None)
            if report is not None:
                opened = openings.get((search.id, name), [])
                of_arm[search.arm].append(_search(name, report, trials[search.id], opened, study.finals))
        found.append(_dataset(name, study, arms, of_arm, finished=finished))
    return tuple(found)


def _search(
    name: str, report: SearchReport, rows: Sequence[TrialRow], openings: Sequence[OpeningRow], planned: int
) -> TransferredSearch:
    best = report.best
    trained = [] if best is None else transfers(name, best.trained, rows)
    opening = None if best is None else winner_opening(best.trial, trained, openings)
    own = [row for row in rows if row.kind == TRANSFER and row.dataset == name]
    return TransferredSearch(
        seed=report.seed,
        winner=None if best is None else best.trial,
        validation=tuple(values[0] for row in trained if (values := final_values(row))),
        test=tuple(filter(usable, opening.values or ())) if opening else (),
        failed=sum(row.state is TrialState.FAILED for row in trained),
        planned=0 if best is None else planned,
        trainings=sum(row.state is not TrialState.RUNNING for row in own),
        device_seconds=math.fsum(row.device_seconds for row in own),
        test_openings=len(openings),
    )


def _dataset(
    name: str,
    study: StudySettings,
    arms: Mapping[str, ArmReport],
    of_arm: Mapping[str, Sequence[TransferredSearch]],
    *,
    finished: bool,
) -> Transferred:
    entries = {arm: _arm(arm, found) for arm, found in of_arm.items()}
    here = {name: Spread.of([one.value("test") for one in arm.searches]).mean for name, arm in arms.items()}
    there = {arm: entry.test.mean for arm, entry in entries.items()}
    both = [arm for arm in arms if here[arm] is not None and there[arm] is not None]
    direction = study.metrics[0].direction
    own = _ranking({arm: here[arm] for arm in both}, direction)
    ranking = _ranking({arm: there[arm] for arm in dict.fromkeys([*own, *arms])}, direction)
    known = tuple(arm for arm in ranking if there[arm] is not None)
    among = tuple(arm for arm in known if arm in both)
    return Transferred(
        dataset=name,
        arms=tuple(entries[arm] for arm in ranking),
        verdicts=_verdicts(name, study, arms, of_arm, finished=finished),
        ranking=known,
        own_ranking=own,
        same_order=None if _has_no_order(here, both) or _has_no_order(there, both) else among == own,
        trainings=sum(entry.trainings for entry in entries.values()),
        device_seconds=math.fsum(entry.device_seconds for entry in entries.values()),
        test_openings=sum(entry.test_openings for entry in entries.values()),
    )


def _arm(arm: str, searches: Sequence[TransferredSearch]) -> TransferredArm:
    validation = [fmean(one.validation) if one.validation else None for one in searches]
    return TransferredArm(
        arm=arm,
        test=Spread.of([one.value for one in searches]),
        validation=Spread.of(validation),
        failed=sum(one.failed for one in searches),
        trainings=sum(one.trainings for one in searches),
        device_seconds=math.fsum(one.device_seconds for one in searches),
        test_openings=sum(one.test_openings for one in searches),
        searches=tuple(searches),
    )


def _ranking(means: Mapping[str, float | None], direction: Direction) -> tuple[str, ...]:
    """Best first, those without a value last; of equal ones in their order."""
    sign = -1 if direction is Direction.MAXIMIZE else 1
    losses = {arm: math.inf if mean is None else sign * mean for arm, mean in means.items()}
    return tuple(sorted(losses, key=lambda arm: losses[arm]))


def _has_no_order(means: Mapping[str, float | None], arms: Sequence[str]) -> bool:
    """Whether there are fewer than two arms, or some are equal but for the rounding of a mean."""
    values = sorted(value for arm in arms if (value := means[arm]) is not None)
    return len(values) < 2 or any(math.isclose(*pair, rel_tol=1e-12) for pair in pairwise(values))


def _verdicts(
    name: str,
    study: StudySettings,
    arms: Mapping[str, ArmReport],
    of_arm: Mapping[str, Sequence[TransferredSearch]],
    *,
    finished: bool,
) -> tuple[ArmVerdict, ...]:
    """By the looks of the study. Its margin counts for fractions alone: others have another scale there."""
    if BASELINE not in of_arm:
        return ()
    by_seed = {arm: {one.seed: one for one in found} for arm, found in of_arm.items()}

    def has_ended(arm: str, search: SearchReport) -> bool:
        one = by_seed[arm].get(search.seed)
        return search.state == "finished" and one is not None and one.value is not None and not one.open

    reports, metric = list(arms.values()), study.metrics[0]
    look = None if finished else ended_seeds(reports, study, has_ended)
    seeds = seed_order(reports, study) if look is None else look
    values = {arm: {seed: own[seed].value for seed in seeds if seed in own} for arm, own in by_seed.items()}
    margin = study.equivalent if metric.name in FRACTIONS else None
    rules = Rules(study.plan, margin, settled=finished, open=not finished and look is None)
    units = _units(metric, [one.value for found in of_arm.values() for one in found])
    judged = compare(values, BASELINE, metric.direction, rules)
    told = (arm_verdict(verdict, "test", metric.direction, units) for verdict in judged)
    return tuple(replace(verdict, sentence=f"on {name}: {verdict.sentence}") for verdict in told)


def _units(metric: Metric, values: Sequence[float | None]) -> Units:
    return Units.of(metric.name, [value for value in values if value is not None])
