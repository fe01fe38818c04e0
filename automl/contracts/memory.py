"""What a campaign remembers of earlier ones, as plain data. Use it from `automl.contracts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from automl.contracts.basics import Config, Json


@dataclass(frozen=True)
class EarlierTrial:
    """A configuration of an earlier campaign that fits the present space.

    `values`: one per metric, the mean over all its evaluations there. `source`: its place in the list of
    sources.
    """

    config: Config
    values: list[float]
    source: int


@dataclass(frozen=True)
class SearchMemory:
    """What a search is given: `first` are its first proposals, the best one in front; `trials` its history.

    `comparable`, for each source: its values are of the same data, evaluator and code as this search's.
    """

    first: list[Config] = field(default_factory=list)
    trials: list[EarlierTrial] = field(default_factory=list)
    comparable: list[bool] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchMemory:
        """The memory that `dataclasses.asdict` wrote."""
        trials = [EarlierTrial(**trial) for trial in data["trials"]]
        return cls(**{**data, "trials": trials})


@dataclass(frozen=True)
class MemorySource:
    """A campaign that is remembered. `distance` of its data: 0 for the same ones, None where there are none.

    `comparable`: whether its values are of the same data, evaluator, code and version. `trials`,
    `device_seconds`: how many of its configurations are used, and what all its trials had cost.
    """

    campaign: str
    data: str
    distance: float | None
    comparable: bool
    trials: int
    device_seconds: float


@dataclass(frozen=True)
class ArmMemory:
    """What arms remember that have the same space and evaluator.

    `first`, `trials`: as in `SearchMemory`. `converted`, `dropped`: by reason, how many configurations were
    changed to fit the space (they may be proposed, but are no history) or left out. `left_out`: trials beyond
    the largest number that is kept. `passed_over`: campaigns that were not used, with the reason.
    """

    sources: list[MemorySource] = field(default_factory=list)
    first: list[Config] = field(default_factory=list)
    trials: list[EarlierTrial] = field(default_factory=list)
    converted: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    passed_over: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CampaignMemory:
    """All that a campaign remembers, fixed when it is created.

    `arms`: by name, its place in `plans`. `history`: those whose strategy takes trials as history.
    """

    plans: list[ArmMemory] = field(default_factory=list)
    arms: dict[str, int] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)

    def plan(self, arm: str) -> ArmMemory | None:
        """What an arm remembers; None for an arm that has no memory."""
        return self.plans[self.arms[arm]] if arm in self.arms else None

    def of(self, arm: str) -> SearchMemory | None:
        """What the searches of an arm are given; None without anything."""
        plan = self.plan(arm)
        if plan is None or not plan.first:
            return None
        trials = plan.trials if arm in self.history else []
        return SearchMemory(plan.first, trials, [source.comparable for source in plan.sources])

    def to_json(self) -> Json:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CampaignMemory:
        """The memory that `to_json` wrote."""
        return cls(**{**data, "plans": [_plan(plan) for plan in data["plans"]]})


def _plan(data: Mapping[str, Any]) -> ArmMemory:
    sources = [MemorySource(**source) for source in data["sources"]]
    trials = [EarlierTrial(**trial) for trial in data["trials"]]
    return ArmMemory(**{**data, "sources": sources, "trials": trials})
