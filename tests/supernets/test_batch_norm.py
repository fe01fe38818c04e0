"""Batch-norm statistics: estimated again for a path, and kept where they must be."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from automl import plugins
from automl.supernets.batch_norm import batch_norms, reestimate, untracked

torch.set_num_threads(1)


def build(space: str) -> nn.Module:
    torch.manual_seed(0)
    supernet: nn.Module = plugins.load("spaces", space).supernet((1, 8, 8), 3, channels=4, cells=1)
    return supernet


def images(seed: int) -> Tensor:
    return torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def buffers(supernet: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in supernet.named_buffers()}


@pytest.mark.parametrize("space", ["darts", "nasbench201", "macro_mobile"])
def test_statistics_are_those_of_the_batches_and_the_path_alone(space: str) -> None:
    """Whatever was learned before; in evaluation a batch then gives about what training gives on it."""
    plugin, one = plugins.load("spaces", space), build(space)
    path = one.path(plugin.default_config())  # type: ignore[operator]
    other = copy.deepcopy(one)
    for number in range(3):
        other(images(number) * 5 + 2, torch.rand(path.shape))
    for supernet in (one, other):
        reestimate(supernet, [images(7), images(8)], path.float(), path)
    first, second = buffers(one), buffers(other)
    assert all(torch.equal(first[name], second[name]) for name in first)
    reestimate(one, [images(7)], path.float(), path)
    trained = one(images(7), path.float(), path)
    evaluated = one.eval()(images(7), path.float(), path)
    distance = (trained - evaluated).norm() / trained.norm()
    assert float(distance.detach()) < 0.1  # running variances are unbiased ones
    assert {norm.momentum for norm in batch_norms(one)} == {0.1}


def test_a_mean_over_batches() -> None:
    norm = nn.BatchNorm1d(2, affine=False)

    class Wrapped(nn.Sequential):
        def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None) -> Tensor:
            return super().forward(x)

    batches = [torch.randn(5, 2) + shift for shift in range(3)]
    reestimate(Wrapped(norm), batches, torch.ones(1, 1), None)
    assert torch.allclose(norm.running_mean, torch.stack([x.mean(0) for x in batches]).mean(0), atol=1e-6)
    assert torch.allclose(norm.running_var, torch.stack([x.var(0) for x in batches]).mean(0), atol=1e-6)


@pytest.mark.parametrize("space", ["darts", "nasbench201"])
def test_untracked_forwards_change_no_buffer_and_no_value(space: str) -> None:
    supernet = build(space)
    strengths = torch.rand(len(supernet.edges), len(supernet.operations))
    before = buffers(supernet)
    with untracked(batch_norms(supernet)):
        value = supernet(images(0), strengths)
    assert all(torch.equal(buffer, before[name]) for name, buffer in supernet.named_buffers())
    assert torch.equal(supernet(images(0), strengths), value)
    changed = [not torch.equal(buffer, before[name]) for name, buffer in supernet.named_buffers()]
    assert all(changed)
