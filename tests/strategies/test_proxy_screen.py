"""Screening by a proxy: what is scored, what is kept, and who goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from histories import LOSS

from automl import plugins
from automl.config import load_study
from automl.contracts import Config, PluginSpec, TrialState, UserError
from automl.space import Int, Space
from automl.strategies.history import SCORE, SCREEN
from automl.strategies.searcher import Searcher

SPACE = Space({name: Int(0, 9) for name in "abc"}, network=lambda *_: None)


def searcher(space: Space = SPACE, **options: Any) -> Searcher:
    given = {"draw": 8, "keep": 3, **options}
    return Searcher.build(space, PluginSpec("proxy_screen", given), PluginSpec("none"), [LOSS], 0)


def score(config: Config) -> float:
    return sum(float(str(value)) for value in config.values())


def tell(search: Searcher, number: int, config: Config) -> dict[str, Any]:
    if search.evaluator(number):
        return search.tell(number, TrialState.PRUNED, None, {"proxy_synflow": score(config)})
    return search.tell(number, TrialState.COMPLETE, [-score(config)], {})


def play(search: Searcher, trials: range) -> list[Config]:
    configs = []
    for number in trials:
        config = search.ask(number)
        assert config is not None
        tell(search, number, config)
        configs.append(config)
    return configs


def test_the_first_are_screened_the_best_evaluated_then_another_goes_on() -> None:
    search = searcher(then={"regularized_evolution": {"population": 3, "sample": 100}})
    configs = play(search, range(8))
    assert len({SPACE.digest(config) for config in configs}) == 8
    trials = search._memory.study.trials
    assert [trial.system_attrs[SCREEN] for trial in trials] == ["synflow"] * 8
    assert [trial.system_attrs[SCORE] for trial in trials] == list(map(score, configs))
    assert {trial.state.name for trial in trials} == {"FAIL"}, "no sampler learns from a screening"
    kept = play(search, range(8, 11))
    assert [score(config) for config in kept] == sorted(map(score, configs), reverse=True)[:3]
    assert not any(search.evaluator(number) for number in range(8, 11))
    child = search.ask(11)
    assert child is not None
    assert sum(child[name] != kept[0][name] for name in child) == 1, "a mutation of the best of the kept"


def test_of_those_that_are_still_open_the_best_known_is_taken() -> None:
    search = searcher()
    configs = [search.ask(number) for number in range(8)]
    for number, config in enumerate(configs[:6]):
        assert config is not None
        tell(search, number, config)
    first = search.ask(8)
    assert first == max((config for config in configs[:6] if config), key=score)
    for number, config in enumerate(configs[6:], 6):
        assert config is not None
        tell(search, number, config)
    second = search.ask(9)
    assert second == max((config for config in configs if config and config != first), key=score)


def test_failed_screenings_are_not_kept() -> None:
    search = searcher()
    for number in range(8):
        assert search.ask(number) is not None
        search.tell(number, TrialState.FAILED, None, {})
    assert search.ask(8) is not None
    assert not search.evaluator(8), "the other strategy goes on at once"


@pytest.mark.parametrize("then", ["random", {"tpe": {"startup": 2}}, {"local_search": None}])
def test_any_strategy_goes_on(then: Any) -> None:
    configs = play(searcher(then=then), range(24))
    for config in configs:
        SPACE.check(config)
    assert len({SPACE.digest(config) for config in configs[11:]}) > 5


def test_local_search_starts_from_the_best_kept() -> None:
    configs = play(searcher(then="local_search"), range(12))
    best = max(configs[8:11], key=score)
    assert configs[11] in list(SPACE.neighbours(best))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 9}, "keep <= draw must hold for 9 of 8"),
        ({"proxy": "synflo"}, "proxy: .*must be one of fisher, flops, .*, but got 'synflo'"),
        ({"then": {"random": {}, "tpe": {}}}, "at most 1 item"),
        ({"then": "evolution"}, "strategy must be one of those there are, but got 'evolution'"),
        ({"then": {"tpe": {"startup": -1}}}, "'tpe' must be valid: startup"),
        (
            {"then": "grid"},
            "then must be a strategy without an end or a screening of its own, but got 'grid'",
        ),
        ({"then": "proxy_screen"}, "but got 'proxy_screen'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        searcher(**options)


def test_a_space_without_networks_is_refused() -> None:
    with pytest.raises(UserError, match="needs a space that builds networks"):
        searcher(Space({"a": Int(0, 9)}))


@pytest.mark.parametrize(("evaluator", "fits"), [("network", True), ("pipeline", False)])
def test_a_study_needs_an_evaluator_that_trains_networks(tmp_path: Path, evaluator: str, fits: bool) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        f"name: s\ntask: {{dataset: digits, metric: accuracy}}\nspace: nasbench201\nevaluator: {evaluator}\n"
        "budget: {trials: 5}\narms: {random: {strategy: random}, screen: {strategy: proxy_screen}}\n"
    )
    if fits:
        strategy = load_study(study).arms["screen"].strategy
        assert strategy is not None and plugins.load("strategies", strategy.name).builder == "network"
        return
    message = r"arms.screen.strategy: proxy_screen needs an evaluator that trains a network, but got pipeline"
    with pytest.raises(UserError, match=message):
        load_study(study)
