"""What strategies say of themselves is kept for them: metrics and conditions they cannot take are refused."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from histories import LOSS, SIZE
from optuna.samplers import BaseSampler, RandomSampler

from automl.config import load_study
from automl.contracts import Metric, Options, PluginSpec, Strategy, UserError
from automl.plugins import build
from automl.space import Choice, Float, Int, Space
from automl.strategies.searcher import Searcher

FLAT = Space({"x": Float(0.0, 1.0)})
TREE = Space({"model": Choice(["tree", "net"]), "depth": Int(1, 9, when={"model": "tree"})})


class Plain(Strategy):
    """Random search that says it can do little."""

    max_objectives: ClassVar[int | None] = 1
    conditional: ClassVar[bool] = False

    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        return RandomSampler(seed)


@pytest.mark.parametrize(
    ("space", "metrics", "message"),
    [
        (FLAT, [LOSS], None),
        (FLAT, [LOSS, SIZE], "Plain searches by at most 1 metric, but got loss, parameters"),
        (TREE, [LOSS], "Plain searches parameters without conditions only, but got depth with conditions"),
    ],
)
def test_a_search_keeps_to_the_traits(space: Space, metrics: list[Metric], message: str | None) -> None:
    plugins = Plain(Options()), build("pruners", PluginSpec("none"))
    if message is None:
        assert Searcher(space, *plugins, metrics, 0).ask(0) is not None
        return
    with pytest.raises(UserError, match=message):
        Searcher(space, *plugins, metrics, 0)


def test_a_screening_keeps_to_the_traits_of_the_strategy_that_goes_on() -> None:
    cells = Space({"x": Float(0.0, 1.0)}, network=lambda *_: None)
    screen = build("strategies", PluginSpec("proxy_screen", {"then": "cmaes"}))
    assert screen.sampler(cells, [LOSS], 0, 0) is not None
    with pytest.raises(UserError, match="CMAES searches by at most 1 metric"):
        screen.sampler(cells, [LOSS, SIZE], 0, 0)


def test_a_study_that_asks_for_more_is_refused_where_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "traits_space.py").write_text(
        "from automl.space import *\nPLUGIN = Space({'x': Float(0, 1)})\n"
    )
    study = tmp_path / "two.yaml"
    study.write_text("""
name: two
task: {metrics: {loss: minimize, size: minimize}}
space: "traits_space:PLUGIN"
evaluator: {function: {call: "math:sqrt"}}
budget: {trials: 3}
arms: {evolution: {strategy: cmaes}}
final: {seeds: 0}
""")
    with pytest.raises(UserError, match=r"arms\.evolution.*CMAES searches by at most 1 metric"):
        load_study(study)
