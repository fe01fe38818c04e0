"""Which parameters decided who was among the best (PED-ANOVA: Watanabe, Bansal and Hutter 2023)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import optuna
from optuna.storages import InMemoryStorage

from automl.contracts import Config, Direction, Scalar

FEWEST: Final = 30  # trials below which no importance is reported
_MOST: Final = 2000  # trials looked at, evenly picked: more cost seconds and change little
_BEST: Final = 0.1  # the share of trials that counts as the best, at least 5 trials


def importance(trials: Sequence[tuple[Config, float]], direction: Direction) -> dict[str, float]:
    """Shares (summing to 1, largest first) of the parameters in reaching the best tenth of `trials`.

    `trials`: configuration and finite value, of one space. A number enters by its rank among the values
    tried, so that its scale does not matter. Empty for fewer than 30 trials or when all are equal.
    """
    if len(trials) < FEWEST or len({value for _, value in trials}) == 1:
        return {}
    trials = trials[:: math.ceil(len(trials) / _MOST)]
    names = list(dict.fromkeys(name for config, _ in trials for name in config))
    columns = {name: _column([config.get(name) for config, _ in trials]) for name in names}
    storage = InMemoryStorage()
    study = _quiet_study(direction, storage)
    for i, (config, value) in enumerate(trials):
        number = storage.create_new_trial(study._study_id)
        trial = storage.get_trial(number)  # filled in place: `add_trial` copies each one deeply
        trial.params = {name: columns[name][0][i] for name in config}
        trial.distributions = {name: columns[name][1] for name in config}
        storage.set_trial_state_values(number, optuna.trial.TrialState.COMPLETE, [value])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=max(_BEST, 5 / len(trials)))
    with warnings.catch_warnings():  # rare branches of a conditional space
        warnings.simplefilter("ignore", UserWarning)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items() if np.isfinite(share)}


def _quiet_study(direction: Direction, storage: InMemoryStorage) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(storage=storage, direction=direction.value)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _column(
    values: Sequence[Scalar],
) -> tuple[list[Scalar], optuna.distributions.BaseDistribution]:
    """The values of one parameter (None where inactive) as Optuna is to see them."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
        levels = np.unique(np.asarray(present, dtype=float))
        ranks = np.searchsorted(levels, np.asarray([value or 0.0 for value in values], dtype=float))
        last = len(levels) - 1
        return [int(rank) for rank in np.minimum(ranks, last)], optuna.distributions.IntDistribution(0, last)
    options = list(dict.fromkeys(values))
    return list(values), optuna.distributions.CategoricalDistribution(options)
