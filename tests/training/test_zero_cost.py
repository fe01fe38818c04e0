"""Proxies logged with a trial, and trials that are nothing but a screening."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_context import TINY_CONFIG, FakeContext, TinySpace, image_task
from torch import Tensor, nn

from automl.contracts import Config, Metric, PluginSpec, TrialState, UserError
from automl.evaluators.network import Network
from automl.metrics import DIRECTIONS
from automl.searchspaces.nasbench201 import PLUGIN as CELL
from automl.space import Choice, Space
from automl.strategies.history import best, dominates
from automl.strategies.searcher import Searcher
from automl.training import zero_cost
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
OPTIONS = NetworkOptions(epochs=2, batch_size=32, channels=4)
CHEAP = {"proxy_parameters", "proxy_synflow", "proxy_naswot"}


def context(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": image_task(), "space": TinySpace(), **fields})


def logged(path: Path, options: NetworkOptions, **fields: Any) -> dict[str, float]:
    metrics = Network(options).evaluate(TINY_CONFIG, context(path, **fields)).metrics
    return {name: value for name, value in metrics.items() if name.startswith("proxy_")}


def test_cheap_ones_are_logged_with_every_trial_but_no_retraining(tmp_path: Path) -> None:
    found = logged(tmp_path / "a", OPTIONS)
    assert set(found) == CHEAP
    assert found == logged(tmp_path / "b", OPTIONS)
    assert found["proxy_naswot"] != logged(tmp_path / "c", OPTIONS, seed=1)["proxy_naswot"]
    assert logged(tmp_path / "d", OPTIONS, final=True) == {}


def test_those_asked_for_are_logged_and_change_nothing_of_the_training(tmp_path: Path) -> None:
    asked = OPTIONS.model_copy(update={"proxies": ["snip", "fisher"]})
    assert set(logged(tmp_path / "a", asked)) == {"proxy_snip", "proxy_fisher"}
    none = OPTIONS.model_copy(update={"proxies": []})
    assert logged(tmp_path / "b", none) == {}
    with_proxies, without = context(tmp_path / "c"), context(tmp_path / "d")
    Network(asked).evaluate(TINY_CONFIG, with_proxies)
    Network(none).evaluate(TINY_CONFIG, without)
    assert with_proxies.reports == without.reports


def test_the_auxiliary_head_does_not_count(tmp_path: Path) -> None:
    found = [
        Network(OPTIONS.model_copy(update={"auxiliary": weight}))
        .evaluate(CELL.default_config(), context(tmp_path / str(weight), space=CELL))
        .metrics
        for weight in (0.0, 0.4)
    ]
    for name in CHEAP:
        assert found[0][name] == found[1][name]
    assert found[0]["train_loss"] != found[1]["train_loss"]


class Bare(nn.Sequential):
    """No ReLU, and float32 only."""

    def forward(self, x: Tensor) -> Tensor:
        return self[1](x.flatten(1) @ torch.eye(64))  # type: ignore[no-any-return]


def bare(config: Config, shape: tuple[int, ...], classes: int, *, channels: int, cells: int) -> nn.Module:
    return Bare(nn.Flatten(), nn.Linear(64, classes))


class BareSpace(Space):
    """One parameter, and the bare network."""

    def __init__(self) -> None:
        super().__init__({"kernel": Choice([3])}, network=bare)


def test_cheap_ones_that_cannot_score_a_network_are_left_out_those_asked_for_are_not(tmp_path: Path) -> None:
    assert set(logged(tmp_path, OPTIONS, space=BareSpace())) == {"proxy_parameters"}
    asked = OPTIONS.model_copy(update={"proxies": ["naswot"]})
    with pytest.raises(UserError, match="naswot needs a network with a ReLU, but got a Bare without"):
        logged(tmp_path, asked, space=BareSpace())


def test_an_unknown_proxy_is_named() -> None:
    with pytest.raises(ValueError, match="proxies must be among fisher, flops"):
        NetworkOptions(proxies=["synflo"])


def test_the_batch_is_the_same_for_every_trial(tmp_path: Path) -> None:
    one, other = (zero_cost.training_batch(context(tmp_path, seed=seed), 16) for seed in (0, 1))
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert one[0].shape == (16, *image_task().shape) and len(set(one[1].tolist())) > 1


@pytest.mark.parametrize("strategy", ["regularized_evolution", "local_search"])
def test_a_search_on_accuracy_and_resources(tmp_path: Path, strategy: str) -> None:
    """Real trainings: what is proposed after them fits, and no front is left by what dominates it."""
    metrics = [Metric(name, DIRECTIONS[name]) for name in ("accuracy", "parameters", "flops", "latency")]
    options = {"population": 3} if strategy == "regularized_evolution" else {}
    search = Searcher.build(CELL, PluginSpec(strategy, options), PluginSpec("none"), metrics, 0)
    evaluator = Network(NetworkOptions(epochs=1, channels=2, proxies=[]))
    for number in range(6):
        config = search.ask(number)
        result = evaluator.evaluate(config, context(tmp_path / str(number), space=CELL, metrics=metrics))
        assert list(result.values) == [metric.name for metric in metrics]
        search.tell(number, TrialState.COMPLETE, list(result.values.values()))
    told = search._history.complete
    assert [len(entry.losses) for entry in told] == [4] * 6
    assert told[0].losses[0] <= 0 < told[0].losses[1], "accuracy counts up, parameters down"
    front = best(told)
    assert not any(dominates(a.losses, b.losses) for a in told for b in front)
    assert any(sum(told[5].config[e] != p.config[e] for e in p.config) == 1 for p in told[:5])


def test_a_users_cheap_proxy_is_logged_and_a_broken_file_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "plugins" / "proxies"
    folder.mkdir(parents=True)
    text = "from automl.contracts import Proxy\nPLUGIN = Proxy(lambda network, batch: 2.0, cheap=True)\n"
    (folder / "two.py").write_text(f'"""Always two."""\n{text}')
    (folder / "broken.py").write_text('"""Cannot be loaded."""\nPLUGIN = lambda network, batch: 1.0\n')
    monkeypatch.setenv("AUTOML_PLUGINS", os.fspath(folder.parent))
    found = logged(tmp_path / "a", OPTIONS)
    assert set(found) == {*CHEAP, "proxy_two"} and found["proxy_two"] == 2.0
    asked = OPTIONS.model_copy(update={"proxies": ["broken"]})
    with pytest.raises(UserError, match=r"must be an automl.contracts.Proxy.*write PLUGIN = Proxy\(score\)"):
        logged(tmp_path / "b", asked)
