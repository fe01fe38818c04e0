"""What a study will cost, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from automl.config import ResolvedArm, ResolvedStudy
from automl.contracts import Json
from automl.spaces import load_space


@dataclass(frozen=True)
class Forecast:
    """`searches`: arms × seeds, without references; `trials`: at most so many (None: no limit).

    `space_size`: configurations (at least, when not `space_counted`), None when continuous.
    `device_seconds`: all searches together, None when only trials limit them. `wall_seconds`: for the
    searches when `trials_at_once` trials run at a time. `references`: trials of hand-designed configurations
    and `retrainings` come on top. `simulated`: the searches are replayed, on the clock of a benchmark file;
    `wall_seconds` is then None.
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
            yield f"about {_duration(self.wall_seconds)} on the clock"
        if self.retrainings:
            yield f"then {self.retrainings} retrainings with fresh seeds"

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
    seeds, budget = len(study.seeds), study.budget
    arms = [arm for arm in resolved.arms.values() if not arm.is_reference]
    searches, devices = len(arms) * seeds, executor.devices
    limits = [budget.device_seconds, budget.wall_seconds and budget.wall_seconds * devices]
    limit = min((value for value in limits if value), default=None)
    device_seconds = None if limit is None else limit * searches
    parallel = max(1, min(executor.trials_at_once, len(resolved.arms) * seeds))
    timed = device_seconds is not None and not resolved.simulated
    return Forecast(
        searches=searches,
        references=(len(resolved.arms) - len(arms)) * seeds,
        trials=sum(_trials(arm, budget.trials) for arm in arms) * seeds if budget.trials else None,
        space_size=1 if space is None else space.value if math.isfinite(space.value) else None,
        space_counted=space is None or space.exact,
        device_seconds=device_seconds,
        wall_seconds=device_seconds / (parallel * devices) if timed and device_seconds else None,
        trials_at_once=executor.trials_at_once,
        retrainings=len(resolved.arms) * seeds * study.final.seeds,
        simulated=resolved.simulated,
    )


def _trials(arm: ResolvedArm, limit: int) -> int:
    return 1 if arm.strategy is None else limit


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
