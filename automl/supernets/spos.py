"""SPOS: a supernet trained one uniform path a step, then evolution over paths with the shared weights.

Guo et al. 2020, https://arxiv.org/abs/1904.00420. Weights: min_w E_{a ~ Uniform(space)} L_train(w_a), one
configuration a per step. Then 20 generations of 50 configurations: the 10 best of all so far are parents of
the next, half of it mutants and half crossovers. A configuration's score is its validation accuracy with the
shared weights, after its batch-norm statistics were estimated again on training images.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ClassVar

from pydantic import Field

from automl.contracts import Config, UserError
from automl.space import Space
from automl.supernets.base import SearchOptions, Selection
from automl.supernets.single_path import SinglePath
from automl.supernets.timed import Timed

TRIES = 10  # per new configuration


class SposOptions(SearchOptions):
    """Size and number of generations, and how many of the best become parents."""

    population: int = Field(50, ge=2)
    generations: int = Field(20, ge=1)
    parents: int = Field(10, ge=1)


class Spos(SinglePath):
    """Single-path one-shot search with uniform sampling."""

    Options: ClassVar[type[SearchOptions]] = SposOptions
    options: SposOptions
    selection: ClassVar[float] = 0.3

    def select(self, selection: Selection) -> Config:
        """The best path of an evolution that ends with its generations, the space or the time."""
        timed = Timed(selection)
        evolution = Evolution(self.options, selection.space, selection.rng)
        best = evolution.run(lambda config: timed.accuracy(self.path(config)))
        self.selected = {"paths_scored": timed.scored}
        if evolution.scored:
            self.selected["path_accuracy"] = evolution.scored[0][0]
        return best


class Evolution:
    """Evolution over the configurations of `space`; `scored` has (score, configuration), the best first."""

    def __init__(self, options: SposOptions, space: Space, rng: Random) -> None:
        self.options, self.space, self.rng = options, space, rng
        self.scored: list[tuple[float, Config]] = []
        self.drawn: set[str] = set()

    def run(self, score: Callable[[Config], float | None]) -> Config:
        """The best configuration; `score` gives None when there is no time for another."""
        size = self.options.population
        generation = self.new(size, lambda: self.space.sample(self.rng))
        first = generation[0]
        for _ in range(self.options.generations):
            for config in generation:
                value = score(config)
                if value is None:
                    return self.scored[0][1] if self.scored else first
                self.scored.append((value, config))
                self.scored.sort(key=lambda item: -item[0])
            generation = self.new(size // 2, self.mutant) + self.new(size - size // 2, self.crossover)
        return self.scored[0][1]

    def new(self, count: int, draw: Callable[[], Config]) -> list[Config]:
        """Up to `count` configurations from `draw` that were not drawn before."""
        configs: list[Config] = []
        for _ in range(TRIES * count):
            config = draw()
            key = repr(sorted(config.items()))
            if key not in self.drawn:
                self.drawn.add(key)
                configs.append(config)
            if len(configs) == count:
                break
        return configs

    def parent(self) -> Config:
        """One of the best so far."""
        return self.rng.choice(self.scored[: self.options.parents])[1]

    def mutant(self) -> Config:
        """A parent with one parameter drawn again."""
        parent = self.parent()
        try:
            return self.space.mutate(parent, self.rng)
        except UserError:  # the space has no other configuration
            return parent

    def crossover(self) -> Config:
        """Each parameter from one of two parents; what neither has is drawn."""
        parents = [self.parent(), self.parent()]
        child = self.space.fill(
            lambda name, parameter: self.rng.choice(
                [parent[name] for parent in parents if name in parent] or [parameter.sample(self.rng)]
            )
        )
        return parents[0] if self.space.broken(child) else child


PLUGIN = Spos
