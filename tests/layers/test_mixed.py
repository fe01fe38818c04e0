"""The layers of supernets against torch's own, and all their derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.layers.kernels import depthwise, pointwise
from automl.layers.mixed import average_pool, max_pool
from automl.layers.mixed_cell import shuffle
from automl.layers.normalise import Norm, normalise
from automl.layers.sums import Part, combine

torch.set_num_threads(1)


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    value = torch.randn(*shape, generator=generator, dtype=torch.float64)
    if value.dim() == 4:
        value = value.contiguous(memory_format=torch.channels_last)
    return value.requires_grad_()


def check_derivatives(function: Callable[..., Tensor | tuple[Tensor, ...]], *inputs: Tensor) -> None:
    """First and second derivatives against finite differences."""
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize(("height", "width"), [(5, 6), (3, 4), (7, 10), (12, 11), (1, 1)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (5, 1, 2)]
)
def test_depthwise(kernel: int, stride: int, dilation: int, height: int, width: int) -> None:
    x, weight = randn(2, 3, height, width), randn(3, 1, kernel, kernel, seed=1)

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(x, weight, None, stride, dilation * (kernel // 2), dilation, 3)

    def ours(x: Tensor, weight: Tensor) -> Tensor:
        return depthwise(x, weight, stride, dilation)

    assert_same(plain, ours, x, weight)
    check_derivatives(ours, x, weight)


def test_depthwise_of_kernels_without_a_short_cut() -> None:
    x, weight = randn(2, 3, 9, 8), randn(3, 1, 7, 7, seed=1)
    assert_same(lambda x, w: functional.conv2d(x, w, padding=3, groups=3), depthwise, x, weight)
    check_derivatives(depthwise, x, weight)


def assert_same(plain: Callable[..., Tensor], ours: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Values and gradients."""
    values = [form(*inputs) for form in (plain, ours)]
    assert torch.allclose(*values, rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(value.sin().sum(), inputs) for value in values]
    for one, other in zip(*slopes, strict=True):
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("channels", [3, 16])  # by grouped convolutions, by products of matrices
def test_pointwise(channels: int) -> None:
    x, weight = randn(2, 2 * channels, 3, 2), randn(2, 4, channels, seed=1)

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(x, weight.reshape(8, channels, 1, 1), groups=2)

    assert_same(plain, pointwise, x, weight)
    check_derivatives(pointwise, x, weight)


@pytest.mark.parametrize("eps", [1e-5, 0.5])  # the second is not small beside the variance
def test_normalise(eps: float) -> None:
    x, scale = randn(3, 4, 2, 3), randn(2, seed=1)

    def plain(x: Tensor, scale: Tensor) -> Tensor:
        centred = x - x.mean((0, 2, 3), keepdim=True)
        variance = centred.pow(2).mean((0, 2, 3), keepdim=True)
        return centred / (variance + eps).sqrt() * scale.repeat_interleave(2)[:, None, None]

    def ours(x: Tensor, scale: Tensor) -> Tensor:
        return normalise(x, scale, eps)

    assert_same(plain, ours, x, scale)
    check_derivatives(ours, x, scale)
    check_derivatives(lambda x: normalise(x, None, eps), x)
    check_derivatives(lambda scale: normalise(x.detach(), scale, eps), scale)


def test_norm_keeps_the_statistics_of_batch_norm() -> None:
    norm, plain = Norm(2, 3).double(), nn.BatchNorm2d(6, affine=False).double()
    for seed in range(3):
        x = randn(3, 6, 4, 4, seed=seed).detach() + 1
        assert torch.allclose(norm(x), plain(x), rtol=0, atol=1e-12)
    before = norm.running_mean.clone()
    scale = torch.tensor([2.0, 3.0], dtype=torch.float64)
    value = norm(x[:, [4, 5, 0, 1]], scale, [2, 0])
    assert torch.equal(norm.running_mean[2:4], before[2:4])
    assert not torch.isclose(norm.running_mean, before)[[0, 1, 4, 5]].any()
    assert torch.allclose(value[:, :2], 2 * plain(x)[:, 4:], rtol=0, atol=1e-12)
    for layer in (norm, plain):
        layer.load_state_dict(plain.state_dict())
        layer.eval()
    assert torch.allclose(norm(x), plain(x), rtol=0, atol=1e-12)
    assert torch.allclose(norm(x[:, [4, 5]], scale[:1], [2]), 2 * plain(x)[:, 4:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 3), (1, 1)])
def test_pools(stride: int, height: int, width: int) -> None:
    x = randn(2, 3, height, width)
    plain: dict[Any, nn.Module] = {
        average_pool: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
        max_pool: nn.MaxPool2d(3, stride, padding=1),
    }
    for ours, theirs in plain.items():
        assert_same(theirs, lambda x, ours=ours: ours(x, stride), x)
    check_derivatives(lambda x: average_pool(x, stride), x)


def test_combine() -> None:
    wide, other, narrow = randn(2, 6, 3, 3), randn(2, 6, 3, 3, seed=1), randn(2, 3, 3, 3, seed=2)
    shared, scale = randn(2, 3, 3, 3, seed=3), randn(2, seed=4)

    def ours(
        wide: Tensor, other: Tensor, narrow: Tensor, shared: Tensor, scale: Tensor
    ) -> tuple[Tensor, ...]:
        parts = [Part(wide, [2, 4]), Part(other, [2, 4]), Part(narrow, [4]), Part(shared, [3, 4], scale)]
        return tuple(combine(parts).values())

    values = ours(wide, other, narrow, shared, scale)
    expected = (
        wide[:, :3] + other[:, :3],
        scale[0] * shared,
        wide[:, 3:] + other[:, 3:] + narrow + scale[1] * shared,
    )
    assert all(torch.allclose(one, two, atol=1e-14) for one, two in zip(values, expected, strict=True))
    check_derivatives(ours, wide, other, narrow, shared, scale)
    assert torch.equal(wide, randn(2, 6, 3, 3))  # sums are memory of their own
    assert combine([]) == {}


def test_shuffle_interleaves() -> None:
    x = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
