"""Networks of DARTS genotypes, trained from scratch (Liu, Simonyan & Yang 2019, appendix A).

A stem with 3C channels, L = `cells` cells, the mean over all pixels, a linear classifier. The cells number
L//3 and 2L//3 are reduction cells: they double the channels, C at first, and halve height and width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.searchspaces.darts_cells import NODES, Edge, wiring
from automl.searchspaces.darts_operations import Conv, FactorizedReduce, operation
from automl.searchspaces.operations import check_image, image_memory

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


class DartsCell(nn.Module):
    """One cell of a genotype."""

    def __init__(self, config: Config, place: CellPlace) -> None:
        super().__init__()
        kind = "reduce" if place.reduction else "normal"
        self.preprocess = Preprocess(place)
        self.wiring = wiring(config, kind)
        self.operations = nn.ModuleList(
            operation(name, place.channels, Edge(kind, source, node).stride)
            for node, source, name in self.wiring
        )

    def forward(self, first: Tensor, second: Tensor, drop_path: float = 0.0) -> Tensor:
        """The outputs of the last two cells to (N, 4·channels, H', W')."""
        states = self.preprocess(first, second)
        for number in range(0, len(self.wiring), 2):
            left, right = (self._edge(place, states, drop_path) for place in (number, number + 1))
            states.append(left + right)
        return torch.cat(states[2:], 1)

    def _edge(self, number: int, states: list[Tensor], drop_path: float) -> Tensor:
        layer = self.operations[number]
        value: Tensor = layer(states[self.wiring[number][1]])
        if self.training and drop_path > 0 and not isinstance(layer, nn.Identity):
            keep = 1 - drop_path
            value = value * (torch.rand(len(value), 1, 1, 1, device=value.device) < keep) / keep
        return value


class AuxiliaryHead(nn.Sequential):
    """The classifier beside the trunk (appendix A.1): (N, inputs, H, W) to logits (N, classes).

    Its pooling gives 2×2 pixels from any size; on the paper's 8×8 it takes windows of 4 where the original
    takes overlapping ones of 5. Parameters are the same.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


class DartsNetwork(nn.Module):
    """The network of one genotype: images to logits (N, classes). Raises `UserError` for a bad genotype.

    `drop_path` is the probability that, in training, an image loses the value of an edge (identities
    excepted; Larsson et al. 2017); what is kept is scaled by 1 / (1 - drop_path).
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
        self.drop_path = 0.0
        self.auxiliary: nn.Module | None = None
        self._second_reduction = 2 * cells // 3
        self._auxiliary_inputs = places[self._second_reduction].output

    def add_auxiliary(self, classes: int) -> None:
        """Add the auxiliary head after the second reduction. Set `auxiliary` to None to drop it again."""
        self.auxiliary = AuxiliaryHead(self._auxiliary_inputs, classes).to(self.classifier.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, classes)."""
        return self._states(x)[0]

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the auxiliary head's logits, (N, classes) both. Needs `add_auxiliary` first."""
        logits, state = self._states(x)
        assert self.auxiliary is not None, "add_auxiliary comes first"
        auxiliary: Tensor = self.auxiliary(state)
        return logits, auxiliary

    def _states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the second reduction cell."""
        first = second = state = self.stem(image_memory(x))
        for number, cell in enumerate(self.cells):
            first, second = second, cell(first, second, self.drop_path)
            state = second if number == self._second_reduction else state
        logits: Tensor = self.classifier(second.mean((2, 3)))
        return logits, state
