"""Grid search: every combination once: the default, then the others in an order of the search's seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from pydantic import Field

from automl.contracts import Config, Metric, Options, Scalar, Strategy, UserError, derive_seed
from automl.space import Choice, Parameter, Space

LARGEST = 100_000  # configurations; keeps the shuffled grid in a few tens of MB
MOST_LOOKED_AT = 300_000  # combinations, also those that constraints forbid: a second or two


class GridOptions(Options):
    """How numbers become a grid: at most `points` values, evenly spaced over the (log) range."""

    points: int = Field(default=10, ge=1, le=10_000)


def grid_values(parameter: Parameter, points: int) -> list[Scalar]:
    """The values of a parameter on the grid, ascending: all of them when there are at most `points`."""
    if isinstance(parameter, Choice):
        return list(parameter.options)
    if points == 1:
        return [parameter.middle()]
    count = int(min(points, parameter.size()))
    log = parameter.log and parameter.size() > points
    low, high = (
        (math.log(parameter.low), math.log(parameter.high)) if log else (parameter.low, parameter.high)
    )
    places = [low + (high - low) * place / max(count - 1, 1) for place in range(count)]
    return list(dict.fromkeys(parameter.nearest(math.exp(place) if log else place) for place in places))


def grid_configs(space: Space, points: int) -> Iterator[Config]:
    """All combinations on the grid, conditions respected, constraints not; the first parameter slowest."""
    names = list(space.parameters)
    values = {name: grid_values(parameter, points) for name, parameter in space.parameters.items()}
    config: Config = {}
    open_: list[tuple[int, Iterator[Scalar]]] = []  # the parameters of `config` by place, with further values
    place = 0
    while True:
        for later in range(place, len(names)):
            if space.active(space.parameters[names[later]], config):
                rest = iter(values[names[later]])
                config[names[later]] = next(rest)
                open_.append((later, rest))
        yield dict(config)
        while open_:
            place, rest = open_[-1]
            following = list(islice(rest, 1))
            if following:
                config[names[place]] = following[0]
                place += 1
                break
            del config[names[open_.pop()[0]]]
        else:
            return


class FixedSampler(BaseSampler):
    """Gives trial n the n-th of a list of configurations."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self._configs = configs

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is sampled jointly."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, object]:
        """Nothing is sampled jointly."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The parameter's value in the configuration of this trial's number."""
        return self._configs[trial.number][param_name]


class Grid(Strategy):
    """The full factorial design."""

    Options = GridOptions
    example_options: ClassVar[Mapping[str, Any]] = {"points": 3}
    remembers = "nothing"
    learns = False
    compares_reports = False

    options: GridOptions

    def __init__(self, options: GridOptions) -> None:
        super().__init__(options)
        self._shuffled: list[Config] | None = None

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial. Raises `UserError` when the grid is empty or over 100,000."""
        if self._shuffled is None:
            self._shuffled = self._grid(space)
            random.Random(derive_seed(search_seed, "grid")).shuffle(self._shuffled)
            default = space.default_config()
            self._shuffled.sort(key=lambda config: config != default)  # it is the first, if it is on the grid
        return FixedSampler(self._shuffled)

    def default_trial(self) -> int | None:
        """None: the grid begins with the default configuration where it is on the grid."""
        return None

    def proposals(self, space: Space) -> int:
        """As many as the grid has configurations."""
        return len(self._grid(space) if self._shuffled is None else self._shuffled)

    def _grid(self, space: Space) -> list[Config]:
        configs: list[Config] = []
        advice = f"with points={self.options.points}; narrow or fix parameters, or use quasi_random"
        for looked_at, config in enumerate(grid_configs(space, self.options.points)):
            if looked_at == MOST_LOOKED_AT:
                raise UserError(
                    f"a grid must have at most {MOST_LOOKED_AT} combinations, but this space has more, of "
                    f"which constraints leave {len(configs)} of the first {looked_at}, {advice}"
                )
            if not space.broken(config):
                configs.append(config)
            if len(configs) > LARGEST:
                raise UserError(
                    f"a grid must have at most {LARGEST} configurations, but this space has more {advice}"
                )
        if not configs:
            raise UserError("a grid must have a configuration, but the space's constraints leave none on it")
        return configs


PLUGIN = Grid
