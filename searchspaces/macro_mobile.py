"""Macro space of MobileNet blocks: eight layers, each an inverted residual block of two kinds or nothing.

The choices of NAS-Bench-Macro, Su et al. 2021, https://arxiv.org/abs/2103.11922: identity (`skip_connect`
here), MB3_K3 and MB6_K5, blocks of Sandler et al. 2018 (https://arxiv.org/abs/1801.04381) with expansion
3 or 6 and a depthwise 3×3 or 5×5 convolution. Unlike there, a layer never changes the shape: fixed MB3_K3
blocks of stride 2 stand between the three stages (2, 3 and 3 layers with C, 2C and 4C channels), so an
identity is one everywhere. `cells` is the number of equal blocks in a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.layered import LayeredSupernet, MixedLayer, chosen
from automl.layers.operations import check_image, image_memory
from automl.layers.regularised import Droppable, ImageNetwork, through
from automl.searchspaces.darts_network import DartsStem
from automl.space import Choice, Space

DEPTHS = (2, 3, 3)
LAYERS = [f"layer_{number}" for number in range(1, 1 + sum(DEPTHS))]
BLOCKS = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}  # expansion, kernel
CHOICES = ("skip_connect", *BLOCKS)
FEATURES = 4  # the head's channels as a multiple of the last stage's


class ConvBN(nn.Sequential):
    """BN(conv(x)), then ReLU6 unless `linear`: (N, inputs, H, W) to (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, linear: bool = False, affine: bool = True
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs, affine=affine))
        if not linear:
            self.append(nn.ReLU6())


class InvertedResidual(Droppable):
    """Widen, depthwise convolution, narrow linearly; a path beside a shortcut if the shape stays."""

    def __init__(self, inputs: int, outputs: int, kind: str, *, stride: int = 1, affine: bool = True) -> None:
        super().__init__()
        expansion, kernel = BLOCKS[kind]
        wide = expansion * inputs
        depthwise = nn.Conv2d(wide, wide, kernel, stride=stride, padding=kernel // 2, groups=wide, bias=False)
        self.shortcut = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            ConvBN(inputs, wide, affine=affine),
            nn.Sequential(depthwise, nn.BatchNorm2d(wide, affine=affine), nn.ReLU6()),
            ConvBN(wide, outputs, linear=True, affine=affine),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        value: Tensor = self.body(x)
        return x + self.dropped(value) if self.shortcut else value


def layer(name: str, width: int, cells: int, *, affine: bool = True) -> nn.Module:
    """`cells` equal blocks in a row; the identity for `skip_connect`."""
    if name == "skip_connect":
        return nn.Identity()
    return nn.Sequential(*(InvertedResidual(width, width, name, affine=affine) for _ in range(cells)))


def stages(channels: int, build: Callable[[str, int], nn.Module], *, affine: bool) -> list[nn.Module]:
    """All layers, `build(layer, width)`, with a halving block before the second and third stage."""
    body: list[nn.Module] = []
    names = iter(LAYERS)
    for stage, depth in enumerate(DEPTHS):
        width = channels * 2**stage
        body += [InvertedResidual(width // 2, width, "mb3_k3", stride=2, affine=affine)] if stage else []
        body += [build(next(names), width) for _ in range(depth)]
    return body


class MobileStem(nn.Module):
    """Images to (N, channels, H, W); larger images are halved first, as for DARTS."""

    def __init__(self, shape: Sequence[int], channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(DartsStem(shape, channels, affine=affine), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, channels, H', W')."""
        value: Tensor = self.body(image_memory(x))
        return value


def head(channels: int, classes: int, *, affine: bool = True) -> nn.Module:
    """A 1×1 convolution, the mean over all pixels, a linear classifier: logits (N, classes)."""
    width = channels * 2 ** (len(DEPTHS) - 1)
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(
        ConvBN(width, FEATURES * width, affine=affine), *pool, nn.Linear(FEATURES * width, classes)
    )


class MobileNetwork(ImageNetwork):
    """The network of one configuration: images to logits (N, classes). Raises `UserError` for a bad one.

    Its auxiliary head stands after the second of the three stages.
    """

    def __init__(
        self, config: Config, shape: Sequence[int], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        check_image(shape, classes)

        def build(name: str, width: int) -> nn.Module:
            return layer(chosen(config, name, CHOICES), width, cells)

        self.stem = MobileStem(shape, channels)
        self.body = nn.Sequential(*stages(channels, build, affine=True))
        self.head = head(channels, classes)
        self.auxiliary_inputs = 2 * channels

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the second stage."""
        x, state = through(self.body, self.stem(x), self.body[DEPTHS[0] + DEPTHS[1]])
        return self.head(x), state


def supernet(shape: Sequence[int], classes: int, *, channels: int, cells: int, partial: int = 1) -> nn.Module:
    """The weight-sharing network: every layer holds a block of each kind."""
    check_image(shape, classes)

    def mixed(_name: str, width: int) -> nn.Module:
        block: nn.Module = MixedLayer(CHOICES, width, candidate, partial=partial)
        return block

    def candidate(name: str, width: int) -> nn.Module:
        return layer(name, width, cells, affine=False)

    parts = [
        MobileStem(shape, channels, affine=False),
        *stages(channels, mixed, affine=False),
        head(channels, classes, affine=False),
    ]
    network: nn.Module = LayeredSupernet(LAYERS, CHOICES, parts)
    return network


def blocks_in_order(config: Config) -> list[object]:
    """What is computed, for a digest: the blocks of each stage; where its identities stand is no matter."""
    names = iter(LAYERS)
    found: list[object] = []
    for depth in DEPTHS:
        operations = [chosen(config, next(names), CHOICES) for _ in range(depth)]
        found.append([name for name in operations if name != "skip_connect"])
    return [*found, {name: value for name, value in config.items() if name not in LAYERS}]


PLUGIN = Space(
    {name: Choice(CHOICES) for name in LAYERS},
    default=dict.fromkeys(LAYERS, "mb3_k3"),
    canonical=blocks_in_order,
    network=MobileNetwork,
    supernet=supernet,
)
