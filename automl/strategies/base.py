"""What strategies and pruners share: how they are built, and how a space reads in Optuna."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from pydantic import ValidationError

from automl import plugins
from automl.contracts import Metric, Options, PluginSpec, UserError
from automl.parameters import Choice, Float, Parameter
from automl.space import Space

TOLD = "automl:told"  # trial attribute: its place among the tells of its search
FALLBACK = "automl:fallback"  # trial attribute: drawn at random, every proposal broke a constraint


class Strategy(Protocol):
    """Proposes configurations. A plug-in is a class taking its validated `Options`.

    A new sampler is made for every proposal, so whatever it must remember belongs into Optuna's
    trial and study system attributes, written while it proposes, as plain JSON. A sampler with
    an attribute `proposals` proposes for that many trials and then no more.
    """

    Options: ClassVar[type[Options]]

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial.

        `seed` differs between trials, `search_seed` does not. Raises `UserError` when it cannot
        search this space or these metrics.
        """


class Pruner(Protocol):
    """Says when a trial is not worth going on. A plug-in is a class taking its validated `Options`.

    One that compares trials at a few steps only has a method `rungs(steps: int) -> list[int]` besides:
    those of a trial with so many steps, rising. An evaluator with an option `rungs` is told of them.
    """

    Options: ClassVar[type[Options]]

    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search for `metric`. Its answers depend on the study alone."""


def build(kind: str, spec: PluginSpec) -> Any:
    """The plug-in of a kind with its options. Raises `UserError` for unknown names and wrong options."""
    plugin = plugins.load(kind, spec.name)
    try:
        return plugin(plugin.Options(**spec.options))
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, item['loc'])) or 'options'}: {item['msg']}, but got {item['input']!r}"
            for item in error.errors()
        ]
        what = plugins.SINGULAR[kind]
        raise UserError(
            f"options of the {what} {spec.name!r} must be valid: {'; '.join(mistakes)}"
        ) from error


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
