"""What a study will cost, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from automl.config import ResolvedArm, ResolvedStudy, Study
from automl.contracts import Json
from automl.spaces import load_space

WORDS: Mapping[str, Callable[[float], str]] = {
    "wall_seconds": lambda value: f"{_duration(value)} on the clock",
    "device_seconds": lambda value: f"{_duration(value)} on devices",
    "trials": lambda value: f"{value:g} trials",
}


@dataclass(frozen=True)
class Forecast:
    """`searches`: arms × seeds, without references; `trials`: at most so many (None: no limit).

    `space_size`: configurations (at least, when not `space_counted`), None when continuous.
    `device_seconds`: all searches together, None when only trials bound them. `wall_seconds`: for the
    searches when `trials_at_once` trials run at a time. `search_wall_seconds`: by the budget, for each one.
    `limits`: of the whole campaign, those that are set; the numbers before are what the budget allows
    without them. `references`: trials of hand-designed configurations, which come on top, as `retrainings`,
    `reevaluations` (of what may win, at most) and `transfers` (trainings on other datasets) do.
    `simulated`: the searches are replayed, on the clock of a benchmark file; `wall_seconds` is then None.
    """

    searches: int
    references: int
    trials: int | None
    space_size: float | None
    space_counted: bool
    device_seconds: float | None
    wall_seconds: float | None
    trials_at_once: int
    retrainings: int
    simulated: bool
    search_wall_seconds: float | None
    limits: Mapping[str, float]
    reevaluations: int = 0
    transfers: int = 0

    def to_json(self) -> Json:
        """The forecast as plain JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The forecast in words."""
        yield f"{self.searches} searches, {self.references} reference trials, {self.trials_at_once} at once"
        trials = (
            "as many trials as the budget buys" if self.trials is None else f"at most {self.trials} trials"
        )
        if self.searches:
            yield f"{trials}, from {self._size()}"
        if self.device_seconds is not None:
            where = "on the simulated clock" if self.simulated else "on devices"
            yield f"at most {_duration(self.device_seconds)} {where} for the searches"
        if self.wall_seconds is not None:
            yield f"about {_duration(self.wall_seconds)} on the clock for the searches"
        if self.search_wall_seconds is not None:
            most = _duration(self.search_wall_seconds)
            yield f"each search at most {most} on the clock, from its first trial to its last"
        if self.reevaluations:
            yield (
                f"then at most {self.reevaluations} evaluations with fresh seeds, of the best configurations "
                "of each search, to select its winner: no budget pays for them"
            )
        if self.retrainings:
            yield f"then {self.retrainings} retrainings with fresh seeds"
        if self.transfers:
            yield f"then {self.transfers} trainings of the winners on other datasets"
        if self.limits:
            given = " or ".join(WORDS[name](value) for name, value in self.limits.items())
            yield f"the whole campaign ends after {given}, retrainings and retries included"

    def _size(self) -> str:
        if self.space_size is None:
            return "a continuous space"
        if not self.space_counted:
            return f"more than 10^{math.floor(math.log10(self.space_size))} configurations"
        return f"{self.space_size:,.0f} configurations"


def forecast(resolved: ResolvedStudy) -> Forecast:
    """The cost of a study, from the study alone."""
    study, executor = resolved.study, resolved.executor
    space = None if study.space is None else load_space(study.space.model_dump()).count()
    seeds, budget = study.most_seeds, study.budget
    arms = [arm for arm in resolved.arms.values() if not arm.is_reference]
    searches = len(arms) * seeds
    parallel = max(1, min(executor.trials_at_once, len(resolved.arms) * seeds))
    device_seconds, wall_seconds = _cost(resolved, searches, parallel)
    return Forecast(
        searches=searches,
        references=(len(resolved.arms) - len(arms)) * seeds,
        trials=sum(_trials(arm, budget.trials) for arm in arms) * seeds if budget.trials else None,
        space_size=1 if space is None else space.value if math.isfinite(space.value) else None,
        space_counted=space is None or space.exact,
        device_seconds=device_seconds,
        wall_seconds=None if resolved.simulated else wall_seconds,
        trials_at_once=executor.trials_at_once,
        retrainings=len(resolved.arms) * seeds * study.final.seeds,
        simulated=resolved.simulated,
        search_wall_seconds=None if resolved.simulated else budget.wall_seconds,
        limits=study.limits.model_dump(exclude_none=True, exclude={"reserve"}),
        transfers=len(resolved.arms) * seeds * study.final.seeds * len(study.transfer),
        reevaluations=sum(_reevaluated(arm, study) for arm in arms) * seeds,
    )


def _cost(resolved: ResolvedStudy, searches: int, parallel: int) -> tuple[float | None, float | None]:
    """Device-seconds and wall seconds that the budget allows all searches; None: only trials bound them."""
    budget, at_once = resolved.study.budget, parallel * resolved.executor.slot.devices
    arms = [arm.held.devices for arm in resolved.arms.values() if not arm.is_reference]
    seeds = resolved.study.most_seeds
    costs, walls = [], []
    if budget.device_seconds is not None:
        costs.append(budget.device_seconds * searches)
        walls.append(budget.device_seconds * searches / at_once)
    if budget.wall_seconds is not None:  # as many searches at a time as there are workers, each on one
        costs.append(budget.wall_seconds * sum(arms) * seeds)
        rounds = searches / parallel if len(set(arms)) == 1 else sum(arms) * seeds / at_once
        walls.append(budget.wall_seconds * math.ceil(rounds))
    return min(costs, default=None), min(walls, default=None)


def _trials(arm: ResolvedArm, limit: int) -> int:
    return 1 if arm.strategy is None else limit


def _reevaluated(arm: ResolvedArm, study: Study) -> int:
    """Evaluations again of one search; none where there is one configuration only."""
    most = min(study.final.top, _trials(arm, study.budget.trials or study.final.top))
    return most * study.final.seeds if most > 1 else 0


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{seconds / 3600:.1f} h"
