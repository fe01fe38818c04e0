"""DARTS whose batches two ranks divide: gradients and steps of both orders are those of the joint batch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from two_ranks import on_ranks

from automl import plugins
from automl.ranks.norms import synchronise
from automl.ranks.sharing import synchronised
from automl.supernets.base import Batch, WeightSharing
from automl.supernets.eigenvalue import alpha_product

METHODS = [
    name for name in plugins.names("supernets") if name != "drnas"
]  # it draws by torch's own generator


def batches(count: int) -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(count)

    def one() -> Batch:
        x = torch.randn(count, 1, 6, 6, generator=generator, dtype=torch.float64)
        y = torch.randint(3, (count,), generator=generator)
        return x.to(memory_format=torch.channels_last), y

    return one(), one()


def supernet() -> nn.Module:
    torch.manual_seed(0)
    built = plugins.load("spaces", "nasbench201").supernet((1, 6, 6), 3, channels=4, cells=1)
    made: nn.Module = built.double().to(memory_format=torch.channels_last)
    return made


def search(base: nn.Module, name: str, *, synchronised_norms: bool = True, **options: Any) -> WeightSharing:
    network = copy.deepcopy(base)
    if synchronised_norms:
        synchronise(network)
    method = plugins.load("supernets", name)
    made: WeightSharing = method(
        method.Options(**options), network, space=plugins.load("spaces", "nasbench201"), seed=0
    )
    made.supernet.train()
    return made


def everything(method: WeightSharing) -> list[Tensor]:
    """Architecture, weights and statistics."""
    buffers = [value for value in method.module.buffers() if value.is_floating_point()]
    return [
        value.detach().clone()
        for value in (*method.architecture.values(), *method.weights.values(), *buffers)
    ]


def farthest(first: list[Tensor], second: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("count", [8, 7])
@pytest.mark.parametrize("options", [{"order": 1}, {"order": 2}, {"order": 2, "hvp": "finite_difference"}])
def test_gradients_of_two_ranks_are_those_of_the_joint_batch(options: dict[str, Any], count: int) -> None:
    base, (train, validation) = supernet(), batches(count)

    def run() -> list[Tensor]:
        method: Any = search(base, "darts", **options)
        if options["order"] == 1:
            gradients, loss, logits = method.first_order(validation)
        else:
            gradients, loss, logits = method.second_order(train, validation)
        return [*gradients, loss.detach(), logits.detach()]

    joint = run()
    for rank in on_ranks(run):
        assert farthest(rank, joint) < (1e-12 if "hvp" not in options else 1e-9)


def test_order_2_needs_every_gradient_where_it_is_born() -> None:
    """The mean of what each rank gets alone is wrong, so the test above can fail."""
    base, (train, validation) = supernet(), batches(8)
    method: Any = search(base, "darts", order=2, synchronised_norms=False)
    joint = method.second_order(train, validation)[0][0]
    parts = []
    for rows in (slice(4), slice(4, 8)):
        pair = [(x[rows], y[rows]) for x, y in (train, validation)]
        parts.append(search(base, "darts", order=2, synchronised_norms=False).second_order(*pair)[0][0])  # type: ignore[attr-defined]
    assert float(((parts[0] + parts[1]) / 2 - joint).abs().max()) > 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_steps_of_two_ranks_are_those_of_one(name: str) -> None:
    base, (train, validation) = supernet(), batches(7)

    def run() -> list[Tensor]:
        method = search(base, name)
        steps = [method.step(train, validation, done / 3) for done in range(3)]
        losses = [torch.stack([s.train_loss, s.validation_loss]).double() for s in steps]
        return [*everything(method), *losses]

    joint = run()
    first, second = on_ranks(run)
    assert farthest(first, joint) < 1e-9
    assert farthest(first, second) == 0, "one architecture and the same weights, to the last bit"


def test_norms_of_each_rank_are_another_algorithm() -> None:
    base, (train, validation) = supernet(), batches(8)

    def run() -> list[Tensor]:
        with synchronised(False):
            method = search(base, "darts", synchronised_norms=False)
            method.step(train, validation, 0.0)
        return [value.detach() for value in (*method.architecture.values(), *method.weights.values())]

    first, second = on_ranks(run)
    assert farthest(first, second) == 0, "but the ranks still agree"
    assert farthest(first, run()) > 1e-6


def test_curvature_of_two_ranks_is_that_of_one() -> None:
    base, (_, validation) = supernet(), batches(8)

    def run() -> list[Tensor]:
        method = search(base, "darts")
        vector = torch.arange(method.alpha.numel(), dtype=torch.float64).view_as(method.alpha)
        return [alpha_product(method, validation)(vector)]

    joint = run()
    for rank in on_ranks(run):
        assert farthest(rank, joint) < 1e-12
