"""Proxy screening: scores many untrained networks by a zero-cost proxy and hands the best to a strategy."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import BaseSampler
from pydantic import Field, field_validator, model_validator

from automl import plugins
from automl.contracts import Json, Metric, Options, PluginSpec, Strategy, UserError
from automl.space import Space
from automl.strategies.history import SCORE, SCREEN, Entry, History, Proposal, StagedSampler

TRIES = 100  # random draws at most to find a configuration that was not proposed before


class ProxyScreenOptions(Options):
    """What is scored, and which strategy continues.

    The first `draw` trials are random configurations that are only scored by `proxy`; the `keep` best
    are evaluated; `then` (a strategy, or {strategy: options}) continues with them as its history. A
    screening counts as a trial, and costs the device-seconds it takes.
    """

    proxy: str = Field(default="synflow", min_length=1)
    draw: int = Field(default=100, ge=1, le=100_000)
    keep: int = Field(default=10, ge=1, le=100_000)
    then: dict[str, Json] = Field(default={"regularized_evolution": {}}, min_length=1, max_length=1)

    @field_validator("then", mode="before", json_schema_input_type=str | dict[str, dict[str, Any] | None])
    @classmethod
    def _written_out(cls, then: Any) -> Any:
        if isinstance(then, dict):
            return {name: {} if options is None else options for name, options in then.items()}
        return {then: {}} if isinstance(then, str) else then

    @field_validator("proxy")
    @classmethod
    def _known(cls, proxy: str) -> str:
        known = plugins.names("proxies")
        if ":" not in proxy and proxy not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return proxy

    @model_validator(mode="after")
    def _fits(self) -> ProxyScreenOptions:
        if self.keep > self.draw:
            raise ValueError(f"keep <= draw must hold for {self.keep} of {self.draw}")
        return self

    @property
    def evaluator(self) -> PluginSpec:
        """What scores."""
        return PluginSpec("proxy_score", {"proxy": self.proxy})

    @property
    def strategy(self) -> PluginSpec:
        """The strategy that continues."""
        return next(PluginSpec(name, options) for name, options in self.then.items())


class ScreenSampler(StagedSampler):
    """The proposal of one trial: a screening, one of the best, or that of the strategy that continues."""

    def __init__(self, space: Space, options: ProxyScreenOptions, then: BaseSampler, seed: int) -> None:
        self.space, self.options, self.then, self.seed = space, options, then, seed

    def stage(self, number: int, history: History) -> BaseSampler:
        """The present sampler while configurations are screened or kept, then the other strategy's."""
        if number < self.options.draw or self._kept(number, history):
            return self
        return self.then

    def propose(self, number: int, history: History) -> Proposal:
        """A configuration that was not screened yet, or the best screened one that was not evaluated."""
        kept = self._kept(number, history)
        if kept:
            return Proposal(dict(kept[0].config))
        rng = random.Random(self.seed)
        for _ in range(TRIES):
            config = self.space.sample(rng)
            if not history.alike(self.space.digest(config)):
                break
        return Proposal(config, {SCREEN: self.options.proxy}, self.options.evaluator)

    def _kept(self, number: int, history: History) -> list[Entry]:
        """Screened configurations that may be proposed as trial `number`, the best first."""
        draw, keep = self.options.draw, self.options.keep
        if not draw <= number < draw + keep:
            return []
        scored = [entry for entry in history.ended if SCORE in entry.attributes]
        best = sorted(scored, key=lambda entry: (-entry.attributes[SCORE], entry.number))[:keep]
        return [entry for entry in best if not history.evaluated(self.space.digest(entry.config))]


class ProxyScreen(Strategy):
    """Zero-cost warm-up (Abdelfattah et al., ICLR 2021, https://arxiv.org/abs/2101.08134).

    Screenings end as pruned, with their score. With several workers, the best
    are chosen from the screenings that have ended.
    """

    Options = ProxyScreenOptions
    example_options: ClassVar[Mapping[str, Any]] = {
        "draw": 6,
        "keep": 2,
        "then": {"regularized_evolution": {"population": 4}},
    }
    builder = "network"  # what the evaluator must train

    options: ProxyScreenOptions

    def __init__(self, options: ProxyScreenOptions) -> None:
        super().__init__(options)
        self._then = plugins.build("strategies", options.strategy)

    def default_trial(self) -> int | None:
        """The first one after the screenings and the best of them."""
        return self.options.draw + self.options.keep

    @property
    def evaluators(self) -> tuple[PluginSpec, ...]:
        """The evaluator of its screenings."""
        return (self.options.evaluator,)

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial. Raises `UserError` when there are no networks to score."""
        if space.network is None:
            raise UserError(
                "the strategy proxy_screen needs a space that builds networks, but this one has no `network` "
                "builder; choose another space or strategy (automl list spaces)"
            )
        self._then.check_search(space, metrics)
        then = self._then.sampler(space, metrics, seed, search_seed)
        if self._then.proposals(space) is not None or isinstance(then, StagedSampler):
            raise UserError(
                "then must be a strategy without an end or a screening of its own, but got "
                f"{self.options.strategy.name!r}; write regularized_evolution, for instance"
            )
        return ScreenSampler(space, self.options, then, seed)


PLUGIN = ProxyScreen
