"""What a study will cost, before anything runs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from automl import plugins
from automl.config import Arm, Study
from automl.contracts import PluginSpec


@dataclass(frozen=True)
class Forecast:
    """`searches`: arms × seeds, without references; `trials`: at most so many (None: no limit).

    `space_size`: configurations, None when continuous. `device_seconds`: all searches together,
    None when only trials limit them. `wall_seconds`: for the searches when `trials_at_once` trials
    run at a time. `references`: trials of hand-designed configurations and `retrainings` come on top.
    `simulated`: the searches are replayed, on the clock of a benchmark file; `wall_seconds` is then None.
    """

    searches: int
    references: int
    trials: int | None
    space_size: float | None
    device_seconds: float | None
    wall_seconds: float | None
    trials_at_once: int
    retrainings: int
    simulated: bool

    def to_json(self) -> dict[str, Any]:
        """The forecast as plain JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The forecast in words."""
        yield f"{self.searches} searches, {self.references} reference trials, {self.trials_at_once} at once"
        trials = (
            "as many trials as the budget buys" if self.trials is None else f"at most {self.trials} trials"
        )
        size = "a continuous space" if self.space_size is None else f"{self.space_size:,.0f} configurations"
        if self.searches:
            yield f"{trials}, from {size}"
        if self.device_seconds is not None:
            where = "on the simulated clock" if self.simulated else "on devices"
            yield f"at most {_duration(self.device_seconds)} {where} for the searches"
        if self.wall_seconds is not None:
            yield f"about {_duration(self.wall_seconds)} on the clock"
        if self.retrainings:
            yield f"then {self.retrainings} retrainings with fresh seeds"


def forecast(study: Study) -> Forecast:
    """The cost of `study`, from the study alone."""
    seeds = len(study.seeds)
    arms = [arm for arm in study.arms.values() if arm.reference is None]
    searches, at_once, devices = len(arms) * seeds, _trials_at_once(study), _devices(study)
    budget = study.budget
    limits = [budget.device_seconds, budget.wall_seconds and budget.wall_seconds * devices]
    limit = min((value for value in limits if value), default=None)
    device_seconds = None if limit is None else limit * searches
    simulated = all(_simulated(arm.evaluator or study.evaluator) for arm in study.arms.values())
    parallel = max(1, min(at_once, len(study.arms) * seeds))
    return Forecast(
        searches=searches,
        references=(len(study.arms) - len(arms)) * seeds,
        trials=sum(_trials(arm, budget.trials) for arm in arms) * seeds if budget.trials else None,
        space_size=_space_size(study),
        device_seconds=device_seconds,
        wall_seconds=None if device_seconds is None or simulated else device_seconds / (parallel * devices),
        trials_at_once=at_once,
        retrainings=len(study.arms) * seeds * study.final.seeds,
        simulated=simulated,
    )


def _simulated(evaluator: PluginSpec) -> bool:
    return bool(getattr(plugins.load("evaluators", evaluator.name), "simulated", False))


def _trials(arm: Arm, limit: int) -> int:
    return limit if arm.strategy else 1


def _space_size(study: Study) -> float | None:
    if study.space is None:
        return 1
    size: float = plugins.load_space(study.space.model_dump()).size()
    return size if math.isfinite(size) else None


def _devices(study: Study) -> float:
    """Devices a trial holds: its GPUs, or its CPUs when it has none."""
    options = study.executor.options
    return float(options.get("gpus") or options.get("cpus") or 1)


def _trials_at_once(study: Study) -> int:
    """As the executor is told; `local` runs one, and Ray without a number fills this machine's CPUs."""
    if study.executor.name == "local":
        return 1
    options = study.executor.options
    told = options.get("trials_at_once")
    return told or max(1, int((os.cpu_count() or 1) / (options.get("cpus") or 1)))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
