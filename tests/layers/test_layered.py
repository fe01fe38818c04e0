"""Spaces that are chains of layers: macro_mobile and mlp, their networks and what their supernets compute."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl.contracts import UserError
from automl.layers.layered import MixedLayer
from automl.searchspaces import macro_mobile, mlp

torch.set_num_threads(1)


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def mobile(*operations: str, channels: int = 4, cells: int = 1, side: int = 8) -> nn.Module:
    config = dict(zip(macro_mobile.LAYERS, operations, strict=True))
    network: nn.Module = macro_mobile.MobileNetwork(
        config, (1, side, side), 3, channels=channels, cells=cells
    )
    return network


def test_macro_sizes() -> None:
    """3^8 = 6,561 as in Su et al. 2021; by the blocks of each stage (1+2+4)·(1+2+4+8)² = 1,575 differ."""
    space = macro_mobile.PLUGIN
    assert space.size() == 6561
    every = itertools.product(macro_mobile.CHOICES, repeat=8)
    forms = {str(space.canonical(dict(zip(macro_mobile.LAYERS, config, strict=True)))) for config in every}
    assert len(forms) == 1575


def test_macro_blocks_add_what_their_definition_says() -> None:
    """A block of width W, expansion e, kernel k: 2·e·W² + k²·e·W weights and 2·(2·e·W + W) of batch-norms."""
    none = ["skip_connect"] * 8
    for place, name in itertools.product((0, 2, 7), macro_mobile.BLOCKS):
        expansion, kernel = macro_mobile.BLOCKS[name]
        width = 4 * 2 ** (0 if place < 2 else 1 if place < 5 else 2)
        block = 2 * expansion * width**2 + kernel**2 * expansion * width + 2 * (2 * expansion + 1) * width
        for cells in (1, 2):
            config = [*none[:place], name, *none[place + 1 :]]
            assert count(mobile(*config, cells=cells)) - count(mobile(*none)) == cells * block


def test_macro_halves_between_its_stages() -> None:
    network: Any = mobile(*["skip_connect"] * 8, side=8)
    assert network.body(torch.randn(2, 4, 8, 8)).shape == (2, 16, 2, 2)
    assert mobile(*["mb3_k3"] * 8, side=64).stem(torch.randn(2, 1, 64, 64)).shape == (2, 4, 32, 32)


def test_mlp_sizes() -> None:
    """4 choices on 4 layers; without the order of what is left out: Σ 3^d over the depths d = 0 … 4."""
    space = mlp.PLUGIN
    every = itertools.product(mlp.DENSE_CHOICES, repeat=4)
    forms = {str(space.canonical(dict(zip(mlp.DENSE_LAYERS, config, strict=True)))) for config in every}
    assert (space.size(), len(forms)) == (256, 121)


def test_mlp_layers() -> None:
    config = dict(zip(mlp.DENSE_LAYERS, ("relu", "skip_connect", "tanh", "gelu"), strict=True))
    network: Any = mlp.Perceptron(config, (3, 8, 8), 5, channels=2, cells=1)
    width = 2 * mlp.UNITS
    assert count(network) == (192 + 3 * width) * width + 4 * 2 * width + 5 * width + 5
    x = torch.randn(4, width)
    for layer, function in zip(network.body, (torch.relu, None, torch.tanh, nn.functional.gelu), strict=True):
        expected = x if function is None else function(layer[0][1](layer[0][0](x)))
        assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("space", [macro_mobile, mlp], ids=["macro_mobile", "mlp"])
def test_other_operations_are_refused(space: Any) -> None:
    config = {**space.PLUGIN.default_config(), "layer_3": "conv"}
    with pytest.raises(UserError, match=r"must give layer_3 one of skip_connect, .* but got 'conv'"):
        space.PLUGIN.network(config, (1, 8, 8), 3, channels=2, cells=1)
    with pytest.raises(UserError, match="must give layer_1"):
        space.PLUGIN.supernet((1, 8, 8), 3, channels=2, cells=1).path({})
    with pytest.raises(UserError, match="image search space"):
        space.PLUGIN.supernet((8,), 3, channels=2, cells=1)


def scale(name: str, _width: int) -> nn.Module:
    module = nn.Conv2d(1, 1, 1, bias=False) if name == "skip_connect" else nn.Identity()
    for weight in module.parameters():
        nn.init.constant_(weight, 10)
    return module


def test_mixed_layer_is_the_weighted_sum_of_what_is_active() -> None:
    layer = MixedLayer(("skip_connect", "other"), 1, scale, partial=1)
    x = torch.ones(2, 1, 3, 3)
    strengths = torch.tensor([0.5, 2.0])
    assert torch.equal(layer(x, strengths), 7 * x)
    assert torch.equal(layer(x, strengths, torch.tensor([False, True])), 2 * x)
    assert torch.equal(layer(x, strengths, torch.tensor([False, False])), 0 * x)


@pytest.mark.parametrize(("width", "partial"), [(8, 4), (8, 2), (6, 4), (2, 4)])
def test_partial_layers_pass_the_rest_by_and_shuffle(width: int, partial: int) -> None:
    """Each channel comes out once, those of the first 1/K changed."""
    layer = MixedLayer(("other",), width, lambda _name, _width: nn.Tanh(), partial=partial)
    x = 1 + torch.arange(float(width)).view(1, width, 1, 1)
    out: Tensor = layer(x, torch.tensor([-1.0])).flatten()
    mixed = max(1, width // partial)
    assert int((out < 0).sum()) == mixed
    assert sorted(out[out > 0].tolist()) == [float(place) for place in range(mixed + 1, width + 1)]
    if width % partial == 0:  # a channel shuffle: (K, W/K) transposed
        assert out[0] < 0 and out[1:partial].tolist() == [1.0 + mixed * place for place in range(1, partial)]


def test_supernets_contain_their_networks() -> None:
    """With the weights of its path, one strength of 1 a layer computes what the network computes."""
    config = dict(zip(mlp.DENSE_LAYERS, ("gelu", "skip_connect", "tanh", "relu"), strict=True))
    torch.manual_seed(0)
    net: Any = mlp.supernet((1, 8, 8), 3, channels=1, cells=1)
    parts = [part for part in net.parts if not isinstance(part, MixedLayer)]
    layers = [part for part in net.parts if isinstance(part, MixedLayer)]
    x = torch.randn(6, 1, 8, 8)
    value = parts[1](parts[0](x))
    for layer, name in zip(layers, config.values(), strict=True):
        value = layer.candidates[mlp.DENSE_CHOICES.index(name)](value)
    path = net.path(config)
    assert torch.allclose(net(x, path.float(), path), parts[2](value), atol=1e-6)
