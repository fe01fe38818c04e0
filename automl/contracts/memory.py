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
    """A campaign that is remembered. `distance` of its data by meta-features, 0 for the same, None: unknown.

    `trials`, `device_seconds`: its complete trials and retrainings, and what all its trials had cost.
    """

    campaign: str
    data: str
    same_data: bool
    comparable: bool
    distance: float | None
    trials: int
    device_seconds: float


@dataclass(frozen=True)
class ArmMemory:
    """What arms of one space remember.

    `first`, `trials`: as in `SearchMemory`. `converted`, `dropped`: by reason, how many configurations were
    changed to fit the space (they are proposed, but are no history) or left out. `left_out`: trials beyond
    the largest number that is kept.
    """

    first: list[Config] = field(default_factory=list)
    trials: list[EarlierTrial] = field(default_factory=list)
    converted: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    left_out: int = 0


@dataclass(frozen=True)
class CampaignMemory:
    """All that a campaign remembers, fixed when it is created.

    `arms`: by name of an arm, its place in `plans`. `passed_over`: campaigns that were not used, with reasons.
    """

    sources: list[MemorySource] = field(default_factory=list)
    plans: list[ArmMemory] = field(default_factory=list)
    arms: dict[str, int] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)

    def plan(self, arm: str) -> ArmMemory | None:
        """What an arm remembers; None for an arm that has no memory."""
        return self.plans[self.arms[arm]] if arm in self.arms else None

    def of(self, arm: str) -> SearchMemory | None:
        """What the searches of an arm are given; None without anything."""
        plan = self.plan(arm)
        if plan is None or not plan.first:
            return None
        return SearchMemory(plan.first, plan.trials, [source.comparable for source in self.sources])

    def to_json(self) -> Json:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CampaignMemory:
        """The memory that `to_json` wrote."""
        plans = [
            ArmMemory(**{**plan, "trials": [EarlierTrial(**trial) for trial in plan["trials"]]})
            for plan in data["plans"]
        ]
        sources = [MemorySource(**source) for source in data["sources"]]
        return cls(**{**data, "sources": sources, "plans": plans})
