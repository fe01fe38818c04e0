"""What a training reports, returns and saves is scored with batch-norm statistics that fit its weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_context import TINY_CONFIG, FakeContext, TinySpace, image_task
from torch import Tensor, nn

from automl.contracts import Config, Split, Task
from automl.evaluators.network import Network
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.space import Choice, Space
from automl.training.fit import Fit
from automl.training.norm_statistics import BETWEEN, FINISHED, reestimate
from automl.training.procedure import measure
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
OPTIONS = NetworkOptions(epochs=3, batch_size=32, channels=4, proxies=[])
CONVOLUTIONS: Config = dict.fromkeys(NASBENCH201.parameters, "nor_conv_3x3")


def context(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": image_task(), "space": TinySpace(), **fields})


def halves(train: int = 33, validation: int = 15) -> Task:
    """Three classes of 12×12 images: the left, upper or lower half is bright."""
    rng = np.random.default_rng(0)
    y = np.arange(train + validation) % 3
    x = rng.random((len(y), 1, 12, 12), dtype=np.float32)
    parts = (np.s_[..., :6], np.s_[..., :6, :], np.s_[..., 6:, :])
    for image, label in zip(x, y, strict=True):
        image[parts[label]] += 2
    x = (x - x[:train].mean()) / x[:train].std()
    split = Split(x[:train], y[:train]), Split(x[train:], y[train:])
    return Task("halves", "image", (1, 12, 12), 3, *split, "0" * 64)


# --- estimating ---


def test_the_estimate_neither_drops_nor_trains() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    x = torch.randn(400, 2) * 3 + 1
    before = torch.get_rng_state()
    reestimate(model, x)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(model[0].running_mean, x.mean(0))
    torch.testing.assert_close(model[2].running_mean, torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(model[2].running_var, torch.ones(2), atol=0.02, rtol=0)
    assert (model.training, model[0].momentum, model[0]._forward_pre_hooks) == (False, 0.1, {})


@pytest.mark.parametrize("momentum", [0.1, 0.9, None])
def test_the_momentum_does_not_matter(momentum: float | None) -> None:
    model, x = nn.Sequential(nn.BatchNorm1d(2, momentum=momentum)), 5 + torch.randn(600, 2)
    reestimate(model, x)
    torch.testing.assert_close(model[0].running_mean, x.mean(0))
    assert model[0].momentum == momentum


def test_images_sorted_by_class_give_the_variance_of_all() -> None:
    x = torch.arange(4.0).repeat_interleave(200)[:, None] * 10
    model = nn.Sequential(nn.BatchNorm1d(1))
    reestimate(model, x)
    torch.testing.assert_close(model[0].running_var, x.var(0), rtol=0.01, atol=0)


def test_a_norm_that_is_used_twice_has_the_mean_of_both_uses() -> None:
    norm = nn.BatchNorm1d(1)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: Tensor) -> Tensor:
            self.norm(x)
            out: Tensor = self.norm(x + 4)
            return out

    x = torch.randn(300, 1)
    reestimate(Twice(), x)
    torch.testing.assert_close(norm.running_mean, x.mean(0) + 2)


def test_instance_norms_with_running_statistics_are_estimated_too() -> None:
    tracked, plain = nn.InstanceNorm2d(1, track_running_stats=True), nn.InstanceNorm2d(1)
    x = 3 + 2 * torch.randn(600, 1, 8, 8)
    reestimate(nn.Sequential(tracked, plain), x)
    torch.testing.assert_close(tracked.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(tracked.running_var, x.var((2, 3)).mean(0))
    assert plain.running_mean is None


def test_frozen_norms_keep_their_statistics() -> None:
    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self[0].eval()
            return self

    model = Frozen(nn.BatchNorm1d(1), nn.BatchNorm1d(1))
    x = 5 + torch.randn(100, 1)
    reestimate(model, x)
    assert model[0].running_mean == 0
    torch.testing.assert_close(model[1].running_mean, x.mean(0), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(1, 1), nn.LayerNorm(1)),
        nn.Sequential(nn.BatchNorm1d(1, track_running_stats=False)),
        nn.Sequential(nn.Linear(1, 4), nn.GroupNorm(2, 4)),
    ],
)
def test_a_model_without_running_statistics_makes_no_pass(model: nn.Module) -> None:
    model.register_forward_pre_hook(lambda *_: pytest.fail("a pass was made"))
    reestimate(model, torch.zeros(9, 1))
    assert not model.training


@pytest.mark.parametrize(("count", "most"), [(1, 256), (33, 256), (257, 256), (5000, 1024), (1000, 999)])
def test_so_many_images_are_passed_once(count: int, most: int) -> None:
    model = nn.Sequential(nn.BatchNorm2d(1))
    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    reestimate(model, torch.arange(float(count)).view(-1, 1, 1, 1).expand(-1, 1, 2, 2), most)
    values = torch.cat(seen)[:, 0, 0, 0]
    assert len(values) == len(values.unique()) == min(count, most)
    assert max(map(len, seen)) <= 256


# --- in a training ---


@pytest.mark.parametrize("seed", range(3))
def test_few_steps_on_few_images_are_scored_by_their_weights(tmp_path: Path, seed: int) -> None:
    """16 steps: by the running statistics, which still hold a fifth of their start, most are wrong."""
    ctx = context(tmp_path, given_task=halves(), space=NASBENCH201, seed=seed, final=True)
    options = OPTIONS.model_copy(update={"epochs": 8, "batch_size": 16})
    result = Network(options).evaluate(CONVOLUTIONS, ctx)
    assert result.values["accuracy"] == ctx.reports[-1][1] == 1.0
    task = ctx.task
    saved = Network(options).score(tmp_path / "model", task, task.validation, ctx.metrics)
    assert saved == result.values


def deep_network(config: Config, shape: tuple[int, ...], classes: int, **_: int) -> nn.Module:
    """As many norms as `config` says, of small variances that the start 1 hides."""
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(shape[1] * shape[2], 16)]
    for _number in range(int(config["norms"] or 0)):
        linear = nn.Linear(16, 16)
        nn.init.normal_(linear.weight, std=0.02)
        layers += [linear, nn.BatchNorm1d(16), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(16, classes))


def accuracies(space: Space, path: Path) -> list[float]:
    values = []
    for norms in (0, 1, 2, 3):
        ctx = context(path / str(norms), given_task=halves(90, 30), space=space)
        options = OPTIONS.model_copy(update={"epochs": 2, "batch_size": 16, "learning_rate": 0.02})
        values.append(Network(options).evaluate({"norms": norms}, ctx).values["accuracy"])
    return values


def test_networks_are_not_ranked_by_how_few_norms_they_have(tmp_path: Path) -> None:
    space = Space({"norms": Choice([0, 1, 2, 3])}, network=deep_network)
    assert min(accuracies(space, tmp_path)) > 0.9


def all_images(model: nn.Module, x: Tensor) -> nn.Module:
    """A copy of `model` whose statistics are those of all images `x`."""
    exact = copy.deepcopy(model)
    reestimate(exact, x, len(x))
    return exact


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_every_reported_value_is_that_of_fitting_statistics(tmp_path: Path, ema: float) -> None:
    options, names = OPTIONS.model_copy(update={"ema": ema}), ["log_loss"]
    ctx = context(tmp_path)
    Network(options).evaluate(TINY_CONFIG, ctx)
    torch.manual_seed(ctx.seed)
    fit = Fit.start(TINY_CONFIG, ctx, options)
    for epoch, (_, _, reported) in enumerate(ctx.reports, start=1):
        fit.train_epoch(epoch)
        model = fit.model if fit.average is None else fit.average.model
        validation = type(fit.data)(torch.tensor(ctx.task.validation.x), torch.tensor(ctx.task.validation.y))
        expected = measure(all_images(model, fit.data.x), validation, names)["log_loss"]
        assert reported["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_estimate_changes_no_step_of_the_training(tmp_path: Path) -> None:
    def weights(validated: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        fit = Fit.start(TINY_CONFIG, context(tmp_path), OPTIONS)
        for epoch in (1, 2, 3):
            fit.train_epoch(epoch)
            if validated:
                with fit.trained(epoch):
                    pass
        return dict(fit.model.named_parameters())

    one, other = weights(True), weights(False)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each estimate may take."""
    seen: list[int] = []

    def spy(model: nn.Module, x: Tensor, most: int) -> None:
        seen.append(most)
        reestimate(model, x, most)

    monkeypatch.setattr("automl.training.fit.reestimate", spy)
    return seen


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [BETWEEN, BETWEEN, FINISHED]),
        ({"rungs": [1]}, [FINISHED, BETWEEN, FINISHED]),
        ({"epochs": 1}, [FINISHED]),
        ({"ema": 0.9}, [BETWEEN, BETWEEN, FINISHED]),
    ],
)
def test_one_estimate_an_epoch(
    tmp_path: Path, sizes: list[int], options: dict[str, Any], expected: list[int]
) -> None:
    Network(OPTIONS.model_copy(update=options)).evaluate(TINY_CONFIG, context(tmp_path, final=True))
    assert sizes == expected


@pytest.mark.parametrize("old", [True, False])
def test_a_finished_training_that_goes_on_gives_its_value_again(tmp_path: Path, old: bool) -> None:
    """Also from a checkpoint that holds running statistics, as earlier versions wrote them."""
    whole = Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path))
    ctx = context(tmp_path)
    loaded = ctx.checkpoint.load()
    assert loaded is not None
    step, state = loaded
    if old:
        for name, value in state["model"].items():
            if "running" in name:
                value.fill_(0.5)
        ctx.checkpoint.save(step, state)
    assert Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path)) == whole
