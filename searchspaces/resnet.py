"""ResNet: a hand-designed family of residual networks; its default configuration is the reference.

He et al. 2016, https://arxiv.org/abs/1603.05027 (blocks in pre-activation order), on the same stem, stages
and head as the cell spaces: `depth` residual blocks stand where they have one cell, and `width` multiplies
the channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.operations import STAGES, Head, ResidualBlock, Stem, check_image, image_memory
from automl.layers.regularised import ImageNetwork, through
from automl.space import Choice, Int, Space


class ResNet(ImageNetwork):
    """The network of one configuration: images to logits (N, classes).

    Its paths are the residual branches; its auxiliary head stands after the second of the three stages.
    """

    def __init__(
        self, config: Config, shape: Sequence[int], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        depth, width, kernel = (int(str(config[name])) for name in ("depth", "width", "kernel"))
        inputs = channels * width
        body: list[nn.Module] = [Stem(shape[0], inputs)]
        for stage in range(STAGES):
            outputs = channels * width * 2**stage
            for block in range(depth * cells):
                stride = 2 if stage and not block else 1
                body.append(ResidualBlock(inputs, outputs, stride=stride, kernel=kernel))
                inputs = outputs
            if stage == STAGES - 2:
                self.auxiliary_inputs, self._second = outputs, len(body) - 1
        self.body = nn.Sequential(*body)
        self.head = Head(inputs, classes)

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the second stage."""
        x, state = through(self.body, image_memory(x), self.body[self._second])
        return self.head(x), state


PLUGIN = Space(
    {"depth": Int(1, 4), "width": Choice((1, 2, 4)), "kernel": Choice((3, 5))},
    default={"depth": 2, "width": 1, "kernel": 3},
    network=ResNet,
)
