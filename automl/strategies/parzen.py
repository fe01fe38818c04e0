"""Optuna's TPE for one metric, whose proposals do not become dearer as the history grows.

Optuna reads, sorts and splits the whole history for each proposal. Here each trial is looked at once, and the
density of the bad ones is made of a bounded number of them. Up to that number the proposals are Optuna's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from automl.strategies.observations import Array, Observations
from automl.strategies.remembered import RememberingStudy

FULL: Final = 25  # the youngest trials, which have the whole weight; that of older ones falls with their age


@dataclass(frozen=True)
class Side:
    """The good or the bad trials: remembered ones, then numbers of the search's own, rising.

    `weights`: of both, where one stands for several; None for Optuna's own.
    """

    earlier: list[FrozenTrial]
    own: Array
    weights: Array | None = None


class FlatTPE(TPESampler):
    """TPE for one metric. `seen`: the history, which all samplers of one search share.

    `kernels`: the most bad trials that their density is made of; None for all.
    """

    def __init__(
        self, seen: Observations, kernels: int | None, *, n_startup_trials: int, **settings: Any
    ) -> None:
        super().__init__(n_startup_trials=n_startup_trials, **settings)
        self._seen, self._kernels, self._startup = seen, kernels, n_startup_trials
        self._divided: tuple[int, tuple[Side, Side]] | None = None  # of a trial, for all of its parameters

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that are drawn together: those that the trials so far have in common, or groups."""
        if not self._is_multivariate(study):
            return {}
        self._seen.follow(study, trial.number)
        kinds = [*(one.distributions for one in _earlier(study)), *self._seen.kinds()]
        if not self._group:
            names = set(kinds[0]).intersection(*kinds) if kinds else set()
            return {name: kinds[0][name] for name in sorted(names) if not kinds[0][name].single()}
        self._search_space_group = _SearchSpaceGroup()
        for kind in kinds:
            self._search_space_group.add_distributions(kind)
        parts = (sorted(part.items()) for part in self._search_space_group.search_spaces)
        return {name: kind for part in parts for name, kind in part if not kind.single()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of a parameter that is drawn alone."""
        if not self._has_begun(study, trial):
            return self._random_sampler.sample_independent(study, trial, param_name, param_distribution)
        return self._sample(study, trial, {param_name: param_distribution})[param_name]

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if search_space and self._has_begun(study, trial):
            return self._sample(study, trial, search_space)
        return {}

    def _has_begun(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether there are enough trials for an estimate."""
        self._seen.follow(study, trial.number)
        return len(_earlier(study)) + len(self._seen.ended) >= self._startup

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if self._divided is None or self._divided[0] != trial.number:
            self._divided = trial.number, self._split(study)
        below, above = (
            self._parzen_estimator_cls(*self._observed(side, search_space, study))
            for side in self._divided[1]
        )
        drawn = below.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(drawn, self._compute_acquisition_func(drawn, below, above))
        return {name: kind.to_external_repr(chosen[name]) for name, kind in search_space.items()}

    def _observed(self, side: Side, space: dict[str, BaseDistribution], study: Study) -> tuple[Any, ...]:
        """What a density is made of: the values of those trials that have all parameters of `space`."""
        values, whole = self._seen.columns(side.own, space)
        weights = side.weights
        if side.earlier:
            before = [one for one in side.earlier if space.keys() <= one.params.keys()]
            known = self._get_internal_repr(before, space, study)
            values = {name: np.concatenate([known[name], values[name]]) for name in space}
            whole = np.concatenate([[space.keys() <= one.params.keys() for one in side.earlier], whole])
        return values, space, self._parzen_estimator_parameters, None if weights is None else weights[whole]

    def _split(self, study: Study) -> tuple[Side, Side]:
        """The best trials, 25 at most: complete, then pruned, then beyond a constraint; and all others."""
        seen, sign = self._seen, 1.0 if study.direction is StudyDirection.MINIMIZE else -1.0
        earlier = sorted(_earlier(study), key=lambda one: sign * one.values[0])
        few = default_gamma(len(earlier) + len(seen.ended))
        losses = [(sign * one.values[0], -1, i) for i, one in enumerate(earlier)]
        losses = sorted([*losses, *((*one, -1) for one in seen.best)])[:few]
        known = sum(number < 0 for _, number, _ in losses)
        pruned = [number for _, number in seen.best_pruned[: few - len(losses)]]
        beyond = [number for _, number in seen.best_beyond[: few - len(losses) - len(pruned)]]
        good = sorted([*(number for _, number, _ in losses if number >= 0), *pruned, *beyond])
        return Side(earlier[:known], np.array(good, dtype=int)), self._bad(earlier[known:], good)

    def _bad(self, earlier: list[FrozenTrial], good: Sequence[int]) -> Side:
        """All trials but the `good` ones; of too many the youngest, and a sample of the rest."""
        seen = self._seen
        running = seen.open if self._constant_liar else []
        most, count = self._kernels, len(seen.ended) - len(good)
        if most is None or count <= most:
            best = set(good)
            ended = [number for number in seen.ended if number not in best]
            return Side(earlier, np.array(sorted([*ended, *running]), dtype=int))
        places, stands_for = _sample_of(count, most)
        weights = stands_for * _weights(len(earlier) + places, len(earlier) + count + len(running))
        skipped = np.array([bisect_left(seen.ended, number) - i for i, number in enumerate(good)])
        ended = [seen.ended[i] for i in places + np.searchsorted(skipped, places, side="right")]
        order = np.argsort(np.array([*ended, *running]), kind="stable")
        before = _weights(np.arange(len(earlier)), len(earlier) + count + len(running))
        after = np.concatenate([weights, np.ones(len(running))])[order]
        return Side(earlier, np.array([*ended, *running], dtype=int)[order], np.concatenate([before, after]))


def _earlier(study: Study) -> Sequence[FrozenTrial]:
    """The trials of earlier campaigns that are shown beside the search's own."""
    return study.earlier if isinstance(study, RememberingStudy) else ()


def _sample_of(count: int, most: int) -> tuple[Array, Array]:
    """Which `most` of `count` trials are taken, and how many each stands for: shapes (most,).

    The younger half is whole; the older ones are taken at equal distances.
    """
    young = most // 2
    old = most - young
    ratio = (count - young) / old
    spread = np.floor((np.arange(old) + 0.5) * ratio).astype(int)
    return (
        np.concatenate([spread, np.arange(count - young, count)]),
        np.concatenate([np.full(old, ratio), np.ones(young)]),
    )


def _weights(places: Array, count: int) -> Array:
    """Optuna's weights of the trials at `places` among `count`, from the oldest to the youngest."""
    rising = count - FULL
    ramp = 1 / count + places * (1 - 1 / count) / max(1, rising - 1)
    return np.where(places < rising, ramp, 1.0)
