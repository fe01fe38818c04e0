"""What strategies and pruners share: names of trial attributes, and a space in Optuna's terms."""

from __future__ import annotations

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState as OptunaState

from automl.contracts import TrialState
from automl.space import Space
from automl.space.parameters import Choice, Float, Parameter

TOLD = "automl:told"  # trial attribute: its place in the order in which trials of its search ended
REMEMBERED = "automl:remembered"  # trial attribute: its place among the best of earlier campaigns
FALLBACK = "automl:fallback"  # trial attribute: drawn at random, because every proposal broke a constraint

STATES = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
}


def distribution(parameter: Parameter) -> BaseDistribution:
    """The Optuna distribution with the same values."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.options)
    if isinstance(parameter, Float):
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
    return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def common_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Distributions of the parameters that every configuration has and that can differ."""
    return {
        name: distribution(parameter)
        for name, parameter in space.parameters.items()
        if not parameter.when and parameter.size() > 1
    }
