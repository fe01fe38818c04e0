"""The history of a search, and samplers that propose whole configurations from it.

Optuna's samplers draw one parameter after the other from a study; a strategy that needs only earlier
configurations and their values is simpler, and several times faster, as a `WholeSampler`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.contracts import Config, Direction, Json, Metric, PluginSpec, TrialState
from automl.space import Space

SCREEN = "automl:screen"  # trial attribute: the proxy by which it is only scored
SCORE = "automl:score"  # trial attribute: that score


@dataclass(slots=True, eq=False)
class Entry:
    """One trial of a search. `losses`: its values when complete, signed so that less is better."""

    number: int
    config: Config
    attributes: Json
    state: TrialState = TrialState.RUNNING
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A configuration, the plain JSON to keep with its trial, and an evaluator other than the arm's own."""

    config: Config
    attributes: Json = field(default_factory=dict)
    evaluator: PluginSpec | None = None


class History:
    """The trials of one search: `trials` by number, the others in the order in which they ended.

    Screenings are neither `complete` nor `finished`.
    """

    def __init__(self, space: Space, metrics: Sequence[Metric]) -> None:
        self.trials: dict[int, Entry] = {}
        self.ended: list[Entry] = []
        self.complete: list[Entry] = []
        self.finished = 0  # complete or pruned
        self._space = space
        self._signs = [-1.0 if metric.direction is Direction.MAXIMIZE else 1.0 for metric in metrics]
        self._by_digest: dict[str, list[Entry]] = {}
        self._digested = 0

    def open(self, number: int, config: Config, attributes: Json) -> None:
        """Note that `config` is being evaluated as trial `number`."""
        self.trials[number] = Entry(number, config, attributes)

    def close(self, number: int, state: TrialState, values: list[float] | None) -> None:
        """Note how trial `number` ended; `values` when complete."""
        entry = self.trials[number]
        entry.state = state
        self.ended.append(entry)
        if SCREEN in entry.attributes:
            return
        self.finished += state is not TrialState.FAILED
        if state is TrialState.COMPLETE and values is not None:
            entry.losses = tuple(sign * value for sign, value in zip(self._signs, values, strict=True))
            self.complete.append(entry)

    def alike(self, digest: str) -> list[Entry]:
        """The trials, open or not, with a configuration of that digest."""
        if self._digested < len(self.trials):
            for entry in list(self.trials.values())[self._digested :]:
                self._by_digest.setdefault(self._space.digest(entry.config), []).append(entry)
            self._digested = len(self.trials)
        return self._by_digest.get(digest, [])

    def evaluated(self, digest: str) -> list[Entry]:
        """Those `alike` that are or were more than screened."""
        return [entry for entry in self.alike(digest) if SCREEN not in entry.attributes]


class WholeSampler(BaseSampler):
    """A sampler that proposes whole configurations, valid in the space."""

    @abstractmethod
    def propose(self, number: int, history: History) -> Proposal:
        """The strategy's proposal `number`, a function of the history and the sampler's seed."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is sampled by Optuna."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Json:
        """Nothing is sampled by Optuna."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Nothing is sampled by Optuna."""
        raise NotImplementedError(f"{type(self).__name__} proposes whole configurations")


class StagedSampler(WholeSampler):
    """A sampler that hands over to another one as the search continues."""

    @abstractmethod
    def stage(self, number: int, history: History) -> BaseSampler:
        """The sampler that proposes trial `number`: this one or another."""


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether losses `a` are nowhere above `b` and somewhere below."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def best(entries: Sequence[Entry]) -> list[Entry]:
    """The complete `entries` that no other dominates; with one metric, those with the least loss."""
    if entries and len(entries[0].losses) == 1:
        least = min((entry.losses[0] for entry in entries), default=math.inf)
        return [entry for entry in entries if entry.losses[0] == least]
    return [entry for entry in entries if not any(dominates(other.losses, entry.losses) for other in entries)]
