"""TPE at a cost that does not grow: Optuna's proposals, and beyond a bound those of a sample."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from optuna.samplers import TPESampler

from automl import plugins
from automl.checking.searches import LOSS, SPACE, Rows, loss, trial_row
from automl.checking.strategies import earlier
from automl.contracts import Bounds, Config, Direction, Metric, PluginSpec, TrialState, broken
from automl.space import Choice, Float, Int, Space
from automl.strategies.observations import Observations
from automl.strategies.parzen import _sample_of, _weights
from automl.strategies.searcher import Searcher

FLAT = Space(
    {
        "x": Float(-5.0, 5.0),
        "lr": Float(1e-4, 1e-1, log=True),
        "k": Int(1, 64, log=True),
        "c": Choice(["a", "b", "c"]),
    }
)
ACCURACY = Metric("accuracy", Direction.MAXIMIZE)


def value(config: Config, step: int) -> float:
    """Rounded, so that there are ties."""
    return round(float(config["x"]) ** 2 + 1 / step, 1) if "x" in config else round(loss(config, step), 1)  # type: ignore[arg-type]


def proposals(
    search: Searcher,
    trials: int,
    at_once: int,
    sign: float = 1.0,
    constraints: Mapping[str, Bounds] = MappingProxyType({}),
) -> list[Config | None]:
    """Of a parallel search, some of whose trials fail, are pruned, or break a constraint on `size`."""
    rng, waiting, found = random.Random(0), [], []
    while len(found) < trials or waiting:
        if len(found) < trials and len(waiting) < at_once:
            config = search.ask(len(found))
            assert config is not None
            waiting.append((len(found), config))
            found.append(config)
            continue
        number, config = waiting.pop(rng.randrange(len(waiting)))
        if rng.random() < 0.1:
            search.tell(number, TrialState.FAILED, None)
        elif any(search.report(number, step, sign * value(config, step)) for step in (1, 2)):
            search.tell(number, TrialState.PRUNED, None, {"size": size(config)})
        else:
            measured, reached = {"size": size(config)}, sign * value(config, 3)
            if broken(constraints, measured):
                known = {search._metrics[0].name: reached} if number % 2 else {}
                search.tell(number, TrialState.PRUNED, None, {**measured, **known})
            else:
                search.tell(number, TrialState.COMPLETE, [reached], measured)
    return found


def size(config: Config) -> float:
    return round(float(str(config["k" if "k" in config else "width"])) / 4)


def tpe(space: Space, pruner: str, metric: Metric = LOSS, **options: Any) -> Searcher:
    return Searcher.build(space, PluginSpec("tpe", options), PluginSpec(pruner), [metric], 3)


@pytest.mark.parametrize(
    ("space", "metric", "pruner", "options"),
    [
        (FLAT, LOSS, "none", {"startup": 4}),
        (FLAT, ACCURACY, "median", {"startup": 0}),
        (FLAT, LOSS, "none", {"multivariate": False}),
        (SPACE, LOSS, "median", {"startup": 4}),
        (SPACE, ACCURACY, "none", {"constant_liar": False}),
    ],
)
@pytest.mark.parametrize("constraints", [{}, {"size": Bounds(at_most=2)}])
@pytest.mark.parametrize("remembering", [False, True])
def test_it_proposes_what_optuna_does(
    space: Space,
    metric: Metric,
    pruner: str,
    options: dict[str, Any],
    remembering: bool,
    constraints: dict[str, Bounds],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def search() -> Searcher:
        made = tpe(space, pruner, metric, **options).with_constraints(constraints)
        return made.with_memory(earlier()) if remembering and space is SPACE else made

    sign = 1.0 if metric is LOSS else -1.0
    ours = proposals(search(), 30, 3, sign, constraints)
    kind = type(plugins.build("strategies", PluginSpec("tpe", {})))

    def plain(self: Any, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> TPESampler:
        joint = self.options.multivariate is not False
        return TPESampler(
            seed=seed,
            n_startup_trials=self.options.startup,
            multivariate=joint,
            group=joint and any(parameter.when for parameter in space.parameters.values()),
            constant_liar=self.options.constant_liar,
        )

    monkeypatch.setattr(kind, "sampler", plain)
    assert ours == proposals(search(), 30, 3, sign, constraints)


def filled(trials: int, kernels: int | None) -> tuple[Searcher, Rows]:
    """A search after so many trials that were not proposed by TPE, and its rows."""
    rng, rows = random.Random(1), Rows()
    for number in range(trials):
        config = {"x": rng.uniform(-5, 5), "lr": 10 ** rng.uniform(-4, -1), "k": rng.randint(1, 64), "c": "a"}
        told = {"told": number, "state": TrialState.COMPLETE, "finished_at": 1.0}
        rows.trials[number] = trial_row(number, config, number, values=[value(config, 3)], **told)
    search = tpe(FLAT, "none", kernels=kernels)
    rows.restore(search)
    return search, rows


def test_up_to_the_bound_the_density_is_of_all_and_beyond_it_of_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    columns = Observations.columns

    def counted(self: Observations, numbers: Any, names: Any) -> Any:
        sizes.append(len(numbers))
        return columns(self, numbers, names)

    monkeypatch.setattr(Observations, "columns", counted)
    for trials, kernels, good, bad in (
        (110, 100, 11, 99), (125, 100, 13, 100), (300, 100, 25, 100), (300, None, 25, 275)
    ):  # fmt: skip
        sizes.clear()
        filled(trials, kernels)[0].ask(trials)
        assert sizes == [good, bad]


def test_beyond_the_bound_it_is_the_same_after_a_restart() -> None:
    search, rows = filled(150, 100)
    config = search.ask(150)
    again = tpe(FLAT, "none", kernels=100)
    rows.restore(again)
    assert again.ask(150) == config


def test_a_sample_stands_for_all() -> None:
    places, stand_for = _sample_of(1000, 100)
    assert list(places[50:]) == list(range(950, 1000)) and list(stand_for[50:]) == [1.0] * 50
    assert stand_for.sum() == pytest.approx(1000)
    assert np.diff(places).min() >= 1 and np.diff(places[:50]).max() <= 20
    whole = _weights(np.arange(1000), 1000)
    assert (stand_for * _weights(places, 1000)).sum() == pytest.approx(whole.sum(), rel=0.01)
    assert list(whole[-25:]) == [1.0] * 25 and whole[0] == pytest.approx(1 / 1000)
