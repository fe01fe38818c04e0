"""Networks of DARTS genotypes, trained from scratch (Liu, Simonyan & Yang 2019, appendix A).

A stem with 3C channels, L = `cells` cells, the mean over all pixels, a linear classifier. The cells number
L//3 and 2L//3 are reduction cells: they double the channels, C at first, and halve height and width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.darts_operations import Conv, FactorizedReduce, operation
from automl.layers.operations import check_image, image_memory
from automl.layers.regularised import Droppable, ImageNetwork
from automl.searchspaces.darts_cells import Edge
from automl.searchspaces.darts_genotypes import NODES, wiring

STEM = 3  # the stem's channels as a multiple of C
SIDE = 32  # images up to less than twice this side enter the first cell in full size


class DartsStem(nn.Sequential):
    """BN(conv 3×3): images (N, C, H, W) to (N, channels, H, W); larger images are halved first.

    As often as leaves a side of at least 32 (64×64: once), by strided convolutions in the way of the
    paper's ImageNet stem.
    """

    def __init__(self, shape: Sequence[int], channels: int, *, affine: bool = True) -> None:
        halvings = max(0, (min(shape[1:]) // SIDE).bit_length() - 1)
        layers: list[nn.Module] = []
        for number in range(max(1, halvings)):
            inputs, stride = channels if number else shape[0], 2 if halvings else 1
            layers += [nn.ReLU()] if number else []
            layers += [nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(channels, affine=affine)]
        super().__init__(*layers)


class CellPlace:
    """Where cell number `index` of `cells` stands: its kind, its channels, and those of its two inputs."""

    def __init__(self, index: int, cells: int, channels: int) -> None:
        reductions = {cells // 3, 2 * cells // 3}

        def width(number: int) -> int:
            return channels << sum(place <= number for place in reductions)

        def output(number: int) -> int:
            return len(NODES) * width(number) if number >= 0 else STEM * channels

        self.reduction = index in reductions
        self.after_reduction = index - 1 in reductions
        self.channels = width(index)
        self.inputs = (output(index - 2), output(index - 1))
        self.output = output(index)


class Preprocess(nn.ModuleList):
    """Brings both inputs of a cell to its channels, and to the size of the second one."""

    def __init__(self, place: CellPlace, *, affine: bool = True) -> None:
        first = FactorizedReduce if place.after_reduction else Conv
        super().__init__(
            [
                first(place.inputs[0], place.channels, affine=affine),
                Conv(place.inputs[1], place.channels, affine=affine),
            ]
        )

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:
        """The cell's inputs 0 and 1, (N, channels, H, W) both."""
        return [self[0](first), self[1](second)]


class DartsCell(Droppable):
    """One cell of a genotype. Its paths are its edges, identities excepted."""

    def __init__(self, config: Config, place: CellPlace) -> None:
        super().__init__()
        kind = "reduce" if place.reduction else "normal"
        self.preprocess = Preprocess(place)
        self.wiring = wiring(config, kind)
        self.operations = nn.ModuleList(
            operation(name, place.channels, Edge(kind, source, node).stride)
            for node, source, name in self.wiring
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The outputs of the last two cells to (N, 4·channels, H', W')."""
        states = self.preprocess(first, second)
        for number in range(0, len(self.wiring), 2):
            left, right = (self._edge(place, states) for place in (number, number + 1))
            states.append(left + right)
        return torch.cat(states[2:], 1)

    def _edge(self, number: int, states: list[Tensor]) -> Tensor:
        layer = self.operations[number]
        value: Tensor = layer(states[self.wiring[number][1]])
        return value if isinstance(layer, nn.Identity) else self.dropped(value)


class DartsNetwork(ImageNetwork):
    """The network of one genotype: images to logits (N, classes). Raises `UserError` for a bad genotype.

    Its auxiliary head stands after the second reduction.
    """

    def __init__(
        self, config: Config, shape: Sequence[int], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        places = [CellPlace(index, cells, channels) for index in range(cells)]
        self.stem = DartsStem(shape, STEM * channels)
        self.cells = nn.ModuleList(DartsCell(config, place) for place in places)
        self.classifier = nn.Linear(places[-1].output, classes)
        self._second_reduction = 2 * cells // 3
        self.auxiliary_inputs = places[self._second_reduction].output

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the second reduction cell."""
        first = second = state = self.stem(image_memory(x))
        for number, cell in enumerate(self.cells):
            first, second = second, cell(first, second)
            state = second if number == self._second_reduction else state
        logits: Tensor = self.classifier(second.mean((2, 3)))
        return logits, state
