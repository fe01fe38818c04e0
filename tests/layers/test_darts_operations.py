"""The DARTS operations against their definitions: shapes, parameters, normalisation."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from automl.layers.darts_operations import FactorizedReduce, Noise, operation
from automl.searchspaces.darts_genotypes import FAMILY

torch.set_num_threads(1)
OPERATIONS = FAMILY[1:]
CHANNELS = 6
# C channels; depthwise k²C, pointwise C², affine batch-norm 2C
PARAMETERS = {
    "sep_conv_3x3": 2 * (9 * CHANNELS + CHANNELS**2 + 2 * CHANNELS),
    "sep_conv_5x5": 2 * (25 * CHANNELS + CHANNELS**2 + 2 * CHANNELS),
    "dil_conv_3x3": 9 * CHANNELS + CHANNELS**2 + 2 * CHANNELS,
    "dil_conv_5x5": 25 * CHANNELS + CHANNELS**2 + 2 * CHANNELS,
}


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_shapes_and_parameters(name: str) -> None:
    for side in (8, 7, 2, 1):
        x = torch.randn(2, CHANNELS, side, side + 1)
        assert operation(name, CHANNELS)(x).shape == x.shape
        half = (2, CHANNELS, (side + 1) // 2, (side + 2) // 2)
        assert operation(name, CHANNELS, 2)(x).shape == half
    assert count(operation(name, CHANNELS)) == PARAMETERS.get(name, 0)
    strided = CHANNELS**2 + 2 * CHANNELS if name == "skip_connect" else PARAMETERS.get(name, 0)
    assert count(operation(name, CHANNELS, 2)) == strided


@pytest.mark.parametrize("name", OPERATIONS)
def test_scales_are_learned_from_scratch_only_and_pooling_is_normalised_in_search_only(name: str) -> None:
    scratch, searched = operation(name, 4, 2), operation(name, 4, 2, affine=False, searched=True)
    assert all(norm.affine for norm in norms(scratch))
    assert not any(norm.affine for norm in norms(searched))
    assert all(norm.track_running_stats for norm in [*norms(scratch), *norms(searched)])
    pooling = "pool" in name
    assert len(norms(searched)) - len(norms(scratch)) == pooling
    if pooling:
        x = torch.randn(8, 4, 6, 6)
        value = searched(x)
        assert torch.allclose(value.mean((0, 2, 3)), torch.zeros(4), atol=1e-6)
        assert torch.allclose(value, functional.batch_norm(scratch(x), None, None, training=True), atol=1e-6)


def test_dilated_convolution_looks_further() -> None:
    """With dilation 2 a 5×5 kernel spans 9 pixels and a 3×3 one 5, as the same kernels applied twice do."""
    for name, reach in (("dil_conv_5x5", 4), ("dil_conv_3x3", 2), ("sep_conv_3x3", 2), ("sep_conv_5x5", 4)):
        x = torch.rand(1, 2, 15, 15, requires_grad=True)
        module = operation(name, 2).eval()
        for weight in module.parameters():
            nn.init.constant_(weight, 0.1)
        (slope,) = torch.autograd.grad(module(x)[0, :, 7, 7].sum(), [x])
        rows = slope.abs().sum((0, 1, 3)).nonzero().flatten()
        assert (int(rows.min()), int(rows.max())) == (7 - reach, 7 + reach)


def test_factorized_reduce_sees_even_and_odd_places() -> None:
    module = FactorizedReduce(1, 2).eval()
    with torch.no_grad():
        for weight in (module.even.weight, module.odd.weight):
            weight.fill_(1)
    x = torch.arange(15.0).view(1, 1, 3, 5)
    even, odd = module(x)[0] * (1 + 1e-5) ** 0.5
    assert torch.allclose(even, x[0, 0, ::2, ::2])
    assert torch.allclose(odd, torch.tensor([[6.0, 8.0, 0.0], [0.0, 0.0, 0.0]]))  # zero beyond the border


def test_pooling_leaves_the_border_out_of_the_mean() -> None:
    x = torch.ones(1, 1, 4, 4)
    assert torch.equal(operation("avg_pool_3x3", 1)(x), x)
    assert torch.equal(operation("max_pool_3x3", 1)(-x), -x)


def test_noise_is_standard_normal_and_new_each_time() -> None:
    """40,000 values: mean 0 ± 4 sigma (0.02), variance 1 ± 4 sigma (4·√2/200 = 0.028)."""
    torch.manual_seed(0)
    noise = Noise(stride=2)
    x = torch.full((4, 4, 100, 100), 5.0, requires_grad=True)
    first, second = noise(x), noise.eval()(x)
    assert not torch.equal(first, second) and not first.requires_grad
    assert first.shape == (4, 4, 50, 50)
    assert abs(float(first.mean())) < 0.02 and abs(float(first.var()) - 1) < 0.028
    torch.manual_seed(0)
    assert torch.equal(noise(x.contiguous(memory_format=torch.channels_last)), first)
