"""MLP: the image's pixels through four layers, each with one of three activations or none at all.

The baseline without convolutions. A layer keeps the width W = 16 C: `relu`, `tanh` and `gelu` are
activation(BN(linear(x))), repeated `cells` times, and `skip_connect` leaves the layer out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.layered import LayeredSupernet, MixedLayer, chosen
from automl.layers.operations import check_image
from automl.space import Choice, Space

DENSE_LAYERS = [f"layer_{number}" for number in range(1, 5)]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
DENSE_CHOICES = ("skip_connect", *ACTIVATIONS)
UNITS = 16  # features for each of `channels`


class Dense(nn.Sequential):
    """activation(BN(linear(x))): (N, inputs) to (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, activation: str, *, affine: bool = True) -> None:
        linear = nn.Linear(inputs, outputs, bias=False)
        norm = nn.BatchNorm1d(outputs, affine=affine)
        super().__init__(linear, norm, ACTIVATIONS[activation]())


def dense_layer(name: str, width: int, cells: int, *, affine: bool = True) -> nn.Module:
    """`cells` equal blocks in a row; the identity for `skip_connect`."""
    if name == "skip_connect":
        return nn.Identity()
    return nn.Sequential(*(Dense(width, width, name, affine=affine) for _ in range(cells)))


class Perceptron(nn.Module):
    """The network of one configuration: images to logits (N, classes). Raises `UserError` for a bad one."""

    def __init__(
        self, config: Config, shape: Sequence[int], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        width = UNITS * channels
        self.stem = Dense(math.prod(shape), width, "relu")
        self.body = nn.Sequential(
            *(dense_layer(chosen(config, name, DENSE_CHOICES), width, cells) for name in DENSE_LAYERS)
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, classes)."""
        logits: Tensor = self.head(self.body(self.stem(x.flatten(1))))
        return logits


def supernet(shape: Sequence[int], classes: int, *, channels: int, cells: int, partial: int = 1) -> nn.Module:
    """The weight-sharing network: every layer holds a block for each activation."""
    check_image(shape, classes)
    width = UNITS * channels

    def candidate(name: str, part: int) -> nn.Module:
        return dense_layer(name, part, cells, affine=False)

    mixed = [MixedLayer(DENSE_CHOICES, width, candidate, partial=partial) for _ in DENSE_LAYERS]
    stem = Dense(math.prod(shape), width, "relu", affine=False)
    parts = [nn.Flatten(), stem, *mixed, nn.Linear(width, classes)]
    network: nn.Module = LayeredSupernet(DENSE_LAYERS, DENSE_CHOICES, parts)
    return network


def activations_in_order(config: Config) -> list[object]:
    """What is computed, for a digest: the activations; where the layers left out stand is no matter."""
    operations = [chosen(config, name, DENSE_CHOICES) for name in DENSE_LAYERS]
    rest = {name: value for name, value in config.items() if name not in DENSE_LAYERS}
    return [[name for name in operations if name != "skip_connect"], rest]


PLUGIN = Space(
    {name: Choice(DENSE_CHOICES) for name in DENSE_LAYERS},
    default=dict.fromkeys(DENSE_LAYERS, "relu"),
    canonical=activations_in_order,
    network=Perceptron,
    supernet=supernet,
)
