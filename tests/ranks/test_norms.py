"""Batch norm over the joint batch: values, gradients of both orders, statistics, and what it replaces."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from two_ranks import on_ranks

from automl.contracts import UserError
from automl.layers.normalise import Norm
from automl.ranks.group import ALONE, Group, within
from automl.ranks.norms import SynchronisedNorm, normalised, synchronise
from automl.ranks.sharing import shared, synchronised


def image(count: int, channels: int, side: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, channels, side, side, generator=generator, dtype=torch.float64) * 2 + 1
    return x.to(memory_format=torch.channels_last)


def test_both_derivatives_are_right_numerically() -> None:
    x = image(3, 2, 2).requires_grad_()

    def value(x: Tensor) -> Tensor:
        return normalised(x, 1e-3, ALONE).value

    assert torch.autograd.gradcheck(value, [x])
    assert torch.autograd.gradgradcheck(value, [x])


def test_alone_it_is_torchs() -> None:
    x = image(4, 3)
    found = normalised(x, 1e-5, ALONE)
    mean, variance = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    expected = functional.batch_norm(x, mean, variance, None, None, True, 1.0, 1e-5)
    assert torch.allclose(found.value, expected, rtol=0, atol=1e-14)
    assert torch.allclose(found.mean, mean, rtol=0, atol=1e-14)
    assert torch.allclose(found.variance, variance, rtol=0, atol=1e-14)


class Small(nn.Module):
    """Two convolutions with norms: torch's, and one with a scale for each part."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 6, 1, bias=False)
        self.wide = Norm(3, 2)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.first(x)))
        return self.wide(self.second(x), scale).mean((2, 3))


def results(network: Small, *, divide: bool) -> list[Tensor]:
    """Loss, gradients, one of those differentiated again, and the running statistics."""
    x, y = image(7, 2, 4), torch.arange(7) % 6
    scale = torch.tensor([0.3, 1.2], dtype=torch.float64, requires_grad=True)
    weights = list(network.parameters())

    def run(rows: Tensor, values: list[Tensor], scales: list[Tensor]) -> Tensor:
        named = dict(zip(dict(network.named_parameters()), values, strict=True))
        found: Tensor = torch.func.functional_call(network, named, (rows, scales[0]))
        return found

    outputs = shared(run, x, weights, [scale]) if divide else network(x, scale)
    loss = functional.cross_entropy(outputs, y)
    slopes = torch.autograd.grad(loss, [scale, *weights], create_graph=True)
    mixed = torch.autograd.grad(sum(slope.square().sum() for slope in slopes[1:]), [scale])
    statistics = [value for value in network.buffers() if value.is_floating_point()]
    return [loss.detach(), *(slope.detach() for slope in slopes), *mixed, *statistics]


def test_a_network_of_two_ranks_is_one_on_the_joint_batch() -> None:
    torch.manual_seed(0)
    base = Small().double().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    joint = results(copy.deepcopy(base), divide=False)

    def run() -> list[Tensor]:
        network = copy.deepcopy(base)
        synchronise(network)
        return results(network, divide=True)

    for rank in on_ranks(run):
        for one, other in zip(rank, joint, strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-13)


def test_norms_that_are_not_synchronised_are_another_algorithm() -> None:
    torch.manual_seed(0)
    base = Small().double()
    joint = results(copy.deepcopy(base), divide=False)

    def run() -> list[Tensor]:
        with synchronised(False):
            return results(copy.deepcopy(base), divide=True)

    for rank in on_ranks(run):
        assert not torch.allclose(rank[1], joint[1], rtol=0, atol=1e-3)


class Pair(Group):
    """A group whose other rank nobody asks."""

    size = 2


def test_a_replaced_norm_keeps_its_state_and_mode() -> None:
    network = nn.Sequential(
        nn.Linear(2, 3), nn.BatchNorm1d(3, momentum=None), nn.BatchNorm1d(3, affine=False)
    )
    before = copy.deepcopy(network.eval())
    with within(Pair()):
        synchronise(network)
    assert [type(part) for part in network[1:]] == [SynchronisedNorm, SynchronisedNorm]
    assert network.state_dict().keys() == before.state_dict().keys()
    assert not network[1].training
    x = torch.randn(5, 2)
    for mode in (False, True):
        assert torch.equal(network.train(mode)(x), before.train(mode)(x))
    assert torch.equal(network[1].running_mean, before[1].running_mean)


def test_one_rank_keeps_the_norms_that_it_has() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3))
    synchronise(network)
    assert type(network[0]) is nn.BatchNorm2d


class Strange(nn.BatchNorm2d):
    """A norm that does something else."""


def test_a_norm_of_a_class_of_its_own_is_refused() -> None:
    network = nn.ModuleDict({"body": nn.Sequential(Strange(3))})
    with within(Pair()), pytest.raises(UserError, match=r"body\.0 is a Strange; write synchronise: false"):
        synchronise(network)
