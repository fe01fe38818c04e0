"""Our own samplers under Optuna's conformance suite, and what each method must be able to do."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from histories import LOSS, SIZE, SPACE
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from automl.contracts import Config, Metric, PluginSpec, TrialState
from automl.space import Float, Int, Space
from automl.strategies.cmaes import ReplayedSampler
from automl.strategies.grid import grid_values
from automl.strategies.quasi_random import SequenceSampler
from automl.strategies.searcher import Searcher


class TestSequenceSampler(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SequenceSampler({}, seed=0, independent_sampler=RandomSampler(seed=0))


class TestReplayedSampler(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: ReplayedSampler({}, [], seed=0, independent_sampler=RandomSampler(seed=0))


SPHERE = Space({"x": Float(-3, 3), "y": Float(1e-3, 1e3, log=True), "z": Int(0, 40)})


def sphere(config: Config) -> float:
    return config["x"] ** 2 + math.log10(config["y"]) ** 2 + ((config["z"] - 17) / 10) ** 2  # type: ignore


def best(strategy: str, seed: int, trials: int) -> float:
    searcher = Searcher.build(SPHERE, PluginSpec(strategy), PluginSpec("none"), [LOSS], seed)
    values = []
    for number in range(trials):
        config = searcher.ask(number)
        assert config is not None
        values.append(sphere(config))
        searcher.tell(number, TrialState.COMPLETE, values[-1:])
    return min(values)


@pytest.mark.parametrize(("strategy", "trials"), [("tpe", 80), ("cmaes", 80), ("nsga2", 300)])
def test_beats_random_on_a_bowl(strategy: str, trials: int) -> None:
    """Fixed seeds; medians of three."""
    ours = sorted(best(strategy, seed, trials) for seed in range(3))[1]
    baseline = sorted(best("random", seed, trials) for seed in range(3))[1]
    assert ours < baseline * 0.7


@pytest.mark.slow
def test_gp_beats_random_on_a_bowl() -> None:
    assert best("gp", 0, 25) < best("random", 0, 25) / 3


def test_cmaes_replays_the_optimizer_that_tells_would_give() -> None:
    """After any number of trials the replayed optimizer equals one told generation by generation."""
    one = Searcher.build(SPHERE, PluginSpec("cmaes"), PluginSpec("none"), [LOSS], 1)
    for number in range(40):
        config = one.ask(number)
        assert config is not None
        one.tell(number, TrialState.COMPLETE, [sphere(config)])
    kept = one._strategy._replayed[0]
    one._strategy._replayed.clear()
    again = one.ask(40)
    assert kept.generation > 3
    fresh = one._strategy._replayed[0]
    assert (fresh._mean == kept._mean).all() and fresh._sigma == kept._sigma and (fresh._C == kept._C).all()
    assert again is not None
    assert not any("optimizer" in key for trial in one._memory.study.trials for key in trial.system_attrs)


def test_cmaes_learns_from_the_first_of_a_generation_to_complete() -> None:
    searcher = Searcher.build(
        SPHERE, PluginSpec("cmaes", {"population": 4, "startup": 0}), PluginSpec("none"), [LOSS], 0
    )
    configs = [searcher.ask(number) for number in range(6)]
    for number in (5, 3, 4, 1):
        searcher.tell(number, TrialState.COMPLETE, [sphere(configs[number] or {})])
    searcher.ask(6)
    mean = searcher._strategy._replayed[0]._mean.copy()
    for number in (0, 2):  # late ones of a generation that is done
        searcher.tell(number, TrialState.COMPLETE, [0.0])
    searcher._strategy._replayed.clear()
    searcher.ask(7)
    assert (searcher._strategy._replayed[0]._mean == mean).all()


def test_the_sequence_fills_the_space_evenly() -> None:
    """Scrambled Sobol: the first 64 points have exactly 8 in each eighth of every dimension."""
    space = Space({"x": Float(0, 1), "y": Float(0, 1)})
    searcher = Searcher.build(space, PluginSpec("quasi_random"), PluginSpec("none"), [LOSS], 0)
    configs = [searcher.ask(number) or {} for number in range(64)]
    for name in ("x", "y"):
        eighths = sorted(int(float(config[name]) * 8) for config in configs)  # type: ignore[arg-type]
        assert eighths == [eighth for eighth in range(8) for _ in range(8)]


@pytest.mark.parametrize("strategy", ["nsga2", "tpe"])
def test_several_metrics_spread_over_the_front(strategy: str) -> None:
    space = Space({name: Float(-2, 4) for name in ("x", "y", "z")})
    searcher = Searcher.build(
        space,
        PluginSpec(strategy, {"population": 20} if strategy == "nsga2" else {}),
        PluginSpec("none"),
        [LOSS, SIZE],
        0,
    )
    values = []
    for number in range(160):
        point = [float(value) for value in (searcher.ask(number) or {}).values()]  # type: ignore[arg-type]
        values.append([sum(v**2 for v in point), sum((v - 2) ** 2 for v in point)])
        searcher.tell(number, TrialState.COMPLETE, values[-1])

    def volume(pairs: list[list[float]]) -> float:
        """The part of [0, 12]^2 (the ends of the front) that the pairs dominate."""
        area, low = 0.0, 12.0
        for first, second in sorted(pairs):
            if first < 12 and second < low:
                area += (12 - first) * (low - second)
                low = second
        return area / 144

    assert volume(values[80:]) > volume(values[:80])
    assert volume(values) > 0.6  # the front itself: 5 / 6


@pytest.mark.parametrize(
    ("parameter", "points", "values"),
    [
        (Float(0, 1), 3, [0.0, 0.5, 1.0]),
        (Float(0, 0.3, step=0.1), 9, [0.0, 0.1, 0.2, 0.3]),
        (Float(1, 100, log=True), 3, [1.0, 10.0, 100.0]),
        (Float(0, 1), 1, [0.5]),
        (Int(0, 9, step=3), 2, [0, 9]),
        (Int(1, 5, log=True), 5, [1, 2, 3, 4, 5]),
        (Int(1, 1000, log=True), 4, [1, 10, 100, 1000]),
        (Int(0, 7), 4, [0, 2, 5, 7]),
    ],
)
def test_grid_values(parameter: Any, points: int, values: list[float]) -> None:
    assert grid_values(parameter, points) == pytest.approx(values)


def test_nothing_is_ever_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("pickle.loads was called")

    monkeypatch.setattr(pickle, "loads", refuse)
    searcher = Searcher.build(
        SPACE, PluginSpec("cmaes", {"population": 4}), PluginSpec("none"), [Metric("m", LOSS.direction)], 0
    )
    for number in range(30):
        config = searcher.ask(number) or {}
        searcher.tell(number, TrialState.COMPLETE, [float(config["lr"])])  # type: ignore[arg-type]
    assert issubclass(ReplayedSampler, CmaEsSampler)
