"""CMA-ES: an evolution strategy that learns scales and correlations of the numeric parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from automl.contracts import Metric, Options, Strategy, UserError
from automl.space import Space
from automl.strategies.base import FALLBACK, REMEMBERED, TOLD, common_distributions

GENERATION = "cma:generation"


class CMAESOptions(Options):
    """How the distribution adapts.

    `startup`: complete random trials before the first generation; `population`: trials per
    generation (by default 4 + 3 ln(parameters)); `separable`: learn scales without correlations.
    """

    startup: int = Field(default=1, ge=0, le=100_000)
    population: int | None = Field(default=None, ge=4, le=100_000)
    separable: bool = False


class ReplayedSampler(CmaEsSampler):
    """Optuna's sampler with the optimizer replayed from the history instead of stored with a trial.

    Generation g is learnt from the first `population_size` of its trials to complete, so the
    optimizer depends on the order of tells alone. `replayed` holds the optimizer of an earlier
    trial of the same search, from which the replay continues.
    """

    def __init__(self, common: dict[str, BaseDistribution], replayed: list[Any], **options: Any) -> None:
        super().__init__(warn_independent_sampling=False, **options)
        self._common = common
        self._replayed = replayed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The numeric parameters of every configuration."""
        return self._common

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A draw from the distribution learnt so far."""
        self._raise_error_if_multi_objective(study)
        complete = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
        if not search_space or len(complete) < self._n_startup_trials:
            return {}
        seed = int(self._cma_rng.rng.randint(2**31 - 1))
        transform = _SearchSpaceTransform(search_space, transform_0_1=True)
        if not self._replayed:
            self._x0 = self._remembered(study)
            self._replayed.append(self._init_optimizer(transform, study.direction))
        optimizer = self._replayed[0]
        self._replay(optimizer, complete, transform, study.direction)
        optimizer.reseed_rng(seed)
        study._storage.set_trial_system_attr(trial._trial_id, GENERATION, optimizer.generation)
        proposed: dict[str, Any] = transform.untransform(optimizer.ask())
        return proposed

    def _remembered(self, study: Study) -> dict[str, Any] | None:
        """The best configuration of earlier campaigns, which is the first mean; None without one."""
        trials = study._get_trials(deepcopy=False, use_cache=True)
        best = next((trial for trial in trials if trial.system_attrs.get(REMEMBERED) == 0), None)
        return None if best is None else {name: best.params[name] for name in self._common}

    def _replay(
        self,
        optimizer: Any,
        complete: list[FrozenTrial],
        transform: _SearchSpaceTransform,
        direction: StudyDirection,
    ) -> None:
        sign = 1.0 if direction == StudyDirection.MINIMIZE else -1.0
        generations: dict[int, list[FrozenTrial]] = {}
        for trial in complete:
            attributes = trial.system_attrs
            if attributes.get(GENERATION, -1) >= optimizer.generation and FALLBACK not in attributes:
                generations.setdefault(attributes[GENERATION], []).append(trial)
        size = optimizer.population_size
        while len(generations.get(optimizer.generation, ())) >= size:
            earliest = sorted(
                generations[optimizer.generation], key=lambda trial: trial.system_attrs.get(TOLD, 0)
            )
            optimizer.tell(
                [(transform.transform(trial.params), sign * trial.values[0]) for trial in earliest[:size]]
            )


class CMAES(Strategy):
    """CMA-ES (Hansen, 2016) or sep-CMA-ES (Ros and Hansen, PPSN 2008).

    Choices and parameters with conditions are drawn at random. One metric only.
    """

    Options = CMAESOptions
    max_objectives: ClassVar[int | None] = 1
    example_options: ClassVar[Mapping[str, Any]] = {"population": 4}
    compares_reports = False

    options: CMAESOptions

    def __init__(self, options: CMAESOptions) -> None:
        super().__init__(options)
        self._replayed: list[Any] = []

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial. Raises `UserError` without numeric parameters."""
        numeric = {
            name: item
            for name, item in sorted(common_distributions(space).items())
            if not isinstance(item, CategoricalDistribution)
        }
        if not numeric:
            raise UserError(
                "the strategy cmaes needs a Float or Int parameter without conditions, "
                f"but got {list(space.parameters)}; use tpe or random"
            )
        return ReplayedSampler(
            numeric,
            self._replayed,
            seed=seed,
            n_startup_trials=self.options.startup,
            popsize=self.options.population,
            use_separable_cma=self.options.separable and len(numeric) > 1,
            independent_sampler=RandomSampler(seed=seed),
        )


PLUGIN = CMAES
