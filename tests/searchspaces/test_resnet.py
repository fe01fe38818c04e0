"""The hand-designed family: what its parameters change."""

from __future__ import annotations

from typing import Any

import torch

from automl.layers.operations import ResidualBlock
from automl.searchspaces.resnet import PLUGIN, ResNet


def size(*, cells: int = 1, channels: int = 8, **changes: Any) -> int:
    config = {**PLUGIN.default_config(), **changes}
    network = ResNet(config, (1, 8, 8), 10, channels=channels, cells=cells)
    return sum(parameter.numel() for parameter in network.parameters())


def blocks(**changes: Any) -> int:
    network = ResNet({**PLUGIN.default_config(), **changes}, (1, 8, 8), 10, channels=4, cells=1)
    return sum(isinstance(module, ResidualBlock) for module in network.modules())


def test_parameters_do_what_they_say() -> None:
    assert blocks(depth=1) == 3
    assert blocks(depth=3) == 9
    assert size(width=2, channels=8) == size(width=1, channels=16)
    assert size(depth=2, cells=2) == size(depth=4, cells=1)
    assert size(kernel=5) > 2 * size(kernel=3)


def test_space() -> None:
    assert PLUGIN.size() == 24
    assert PLUGIN.supernet is None


def test_odd_images_are_halved_rounding_up() -> None:
    for side in (1, 3, 5, 7, 9):
        block = ResidualBlock(2, 4, stride=2)
        assert block(torch.randn(2, 2, side, side)).shape == (2, 4, (side + 1) // 2, (side + 1) // 2)
    assert ResidualBlock(2, 3)(torch.randn(2, 2, 4, 4)).shape == (2, 3, 4, 4)
