"""Training one network whose batches two ranks divide: the weights are those of one rank."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_context import ACCURACY, FakeContext, image_task
from torch import Tensor
from two_ranks import on_ranks

from automl import plugins
from automl.ranks.group import current
from automl.ranks.norms import SynchronisedNorm, synchronise
from automl.training import fit, images
from automl.training.averaging import Average
from automl.training.fit import Fit
from automl.training.images import Images
from automl.training.procedure import measure
from automl.training.recipe import NetworkOptions

SPACE = plugins.load("spaces", "nasbench201")
OPTIONS = NetworkOptions(batch_size=14, channels=4, label_smoothing=0.1, clip=1.0, ema=0.9, augment="none")


def started(tmp_path: Path, options: NetworkOptions, space: Any = SPACE) -> Fit:
    """A training in float64, which is the same in every thread."""
    context = FakeContext(tmp_path, given_task=image_task(), space=space)
    made = Fit.start(space.default_config(), context, options)
    made.model.double()
    data = Images(made.data.x[:44].double(), made.data.y[:44])
    return replace(made, data=data)


def trained(base: Fit, steps: int = 8) -> list[Tensor]:
    """Weights, statistics, averages and loss after some batches, the last one smaller."""
    model = copy.deepcopy(base.model)
    if base.options.synchronise:
        synchronise(model)
    average = Average(model, base.options.ema) if base.options.ema else None
    own = replace(base, model=model, average=average, optimiser=fit._optimiser(model, base.options))
    parts = [torch.arange(first, min(first + 14, 44)) for first in range(0, 44, 14)] * 2
    loss, _ = own.train_batches(parts[:steps], lambda number: 0.05)
    averages = [] if average is None else list(average.model.parameters())
    values = [*model.parameters(), *averages, *(b for b in model.buffers() if b.is_floating_point())]
    return [*(value.detach().clone() for value in values), torch.tensor(loss, dtype=torch.float64)]


def farthest(first: list[Tensor], second: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


def test_gradients_of_two_ranks_are_those_of_the_joint_batch(tmp_path: Path) -> None:
    base = started(tmp_path, OPTIONS)

    def run() -> list[Tensor]:
        model = copy.deepcopy(base.model).train()
        synchronise(model)
        own = replace(base, model=model)
        part = torch.arange(13)
        loss = own._loss(part)
        torch.autograd.backward(loss)
        own._sum_gradients(len(part))
        return [loss.detach(), *(w.grad for w in model.parameters() if w.grad is not None)]

    joint = run()
    for rank in on_ranks(run):
        assert farthest(rank, joint) < 1e-12


def test_a_training_of_two_ranks_is_that_of_one(tmp_path: Path) -> None:
    base = started(tmp_path, OPTIONS)
    joint = trained(base)
    first, second = on_ranks(lambda: trained(base))
    assert farthest(first, joint) < 1e-9
    assert farthest(first, second) == 0


def test_an_auxiliary_head_is_trained_alike(tmp_path: Path) -> None:
    space = plugins.load("spaces", "darts")
    options = OPTIONS.model_copy(update={"auxiliary": 0.4, "ema": 0.0, "channels": 2})
    base = started(tmp_path, options, space)
    joint = trained(base, 2)
    first, second = on_ranks(lambda: trained(base, 2))
    assert farthest(first, joint) < 1e-9
    assert farthest(first, second) == 0


def test_norms_of_each_rank_are_another_algorithm(tmp_path: Path) -> None:
    base = started(tmp_path, OPTIONS.model_copy(update={"synchronise": False}))
    joint = trained(base)
    weights = len(list(base.model.parameters()))
    first, second = on_ranks(lambda: trained(base))
    assert farthest(first[:weights], second[:weights]) == 0
    assert farthest(first, joint) > 1e-4


def test_a_training_starts_with_norms_of_the_joint_batch(tmp_path: Path) -> None:
    def run() -> list[bool]:
        made = started(tmp_path / str(current().rank), OPTIONS)
        return [isinstance(part, SynchronisedNorm) for part in made.model.modules()]

    assert all(any(kinds) for kinds in on_ranks(run))
    assert not any(isinstance(part, SynchronisedNorm) for part in started(tmp_path, OPTIONS).model.modules())


@pytest.mark.parametrize("names", [["accuracy"], ["log_loss", "parameters"]])
def test_validation_of_two_ranks_is_that_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr(images, "_PREDICT_BATCH", 7)
    base = started(tmp_path, OPTIONS)

    def run() -> dict[str, float]:
        return measure(copy.deepcopy(base.model), base.data, names, extra=[ACCURACY.name])

    joint = run()
    assert on_ranks(run) == [joint, joint]
