"""NSGA-II: a genetic algorithm that selects by Pareto rank and crowding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import BaseSampler, NSGAIISampler
from pydantic import Field

from automl.contracts import Json, Metric, Options, Strategy
from automl.space import Space


class NSGA2Options(Options):
    """How generations are bred.

    `population`: trials per generation; `crossover`: probability of mixing two parents;
    `swap`: probability of taking a parameter from the second one; `mutation`: probability of
    drawing a new value of a parameter (by default one parameter per child).
    """

    population: int = Field(default=50, ge=2, le=100_000)
    crossover: float = Field(default=0.9, ge=0, le=1)
    swap: float = Field(default=0.5, ge=0, le=1)
    mutation: float | None = Field(default=None, ge=0, le=1)


class NSGA2(Strategy):
    """NSGA-II (Deb et al., IEEE TEC 2002) with uniform crossover."""

    Options = NSGA2Options
    example_options: ClassVar[Mapping[str, Any]] = {"population": 4}
    constrained = True
    compares_reports = False

    options: NSGA2Options

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial."""
        return NSGAIISampler(
            seed=seed,
            population_size=self.options.population,
            crossover_prob=self.options.crossover,
            swapping_prob=self.options.swap,
            mutation_prob=self.options.mutation,
        )

    def remembered_attributes(self) -> Json:
        """They are members of the first generation."""
        return {NSGAIISampler._get_generation_key(): 0}


PLUGIN = NSGA2
