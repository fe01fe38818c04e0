"""The supernet of the DARTS family: every operation on every edge, mixed by strengths (Liu et al. 2019).

A node is the sum over its edges e and their operations o of s(e, o) · o(state). What all edges from one state
have in common is computed once, see `automl.layers.mixed`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.layers.mixed_cell import MixedNodes, Plan, Row, make_plans
from automl.layers.operations import check_image, image_memory
from automl.searchspaces.darts_cells import CELL_EDGES, Description
from automl.searchspaces.darts_genotypes import KINDS
from automl.searchspaces.darts_network import STEM, CellPlace, DartsStem, Preprocess
from automl.space import Space

ROWS = [Row(*edge) for edge in CELL_EDGES]


class MixedCell(nn.Module):
    """One cell with all operations on all edges."""

    def __init__(self, description: Description, place: CellPlace, partial: int) -> None:
        super().__init__()
        self.kind = KINDS[place.reduction]
        self.preprocess = Preprocess(place, affine=False)
        edges = [edge for edge in CELL_EDGES if edge.kind == self.kind]
        mixed = {Row(*edge): description.mixed[edge.name] for edge in edges}
        strides = {edge.source: edge.stride for edge in edges}
        self.nodes = MixedNodes(mixed, list(strides.values()), place.channels, partial)

    def forward(self, first: Tensor, second: Tensor, plan: Plan) -> Tensor:
        """The outputs of the last two cells to (N, 4·channels, H', W')."""
        states = self.nodes(self.preprocess(first, second), plan)
        return torch.cat(states[2:], 1)


class Supernet(nn.Module):
    """The weight-sharing network of all genotypes: images and strengths to logits (N, classes).

    `partial`: only 1/partial of a state's channels pass through the operations (Xu et al. 2020); the rest is
    passed by them, times the sum of the edge's strengths, and the channels are shuffled in each node.
    """

    def __init__(
        self,
        description: Description,
        shape: Sequence[int],
        classes: int,
        *,
        channels: int,
        cells: int,
        partial: int = 1,
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        self.description = description
        self.edges, self.operations = description.edges, description.operations
        self.nodes, self.skip_rows = description.nodes, description.skip_rows
        places = [CellPlace(index, cells, channels) for index in range(cells)]
        self.stem = DartsStem(shape, STEM * channels, affine=False)
        self.cells = nn.ModuleList(MixedCell(description, place, partial) for place in places)
        self.classifier = nn.Linear(places[-1].output, classes)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (edges, operations) to (N, classes); see `automl.supernets.base.Supernet`."""
        table = self.description.table
        active = table if active is None else active & table
        plans = make_plans(ROWS, self.operations, strengths, active)
        first = second = self.stem(image_memory(x))
        for cell in self.cells:
            assert isinstance(cell, MixedCell)
            first, second = second, cell(first, second, plans[cell.kind])
        logits: Tensor = self.classifier(second.mean((2, 3)))
        return logits

    def allowed(self, space: Space) -> Tensor:
        """(edges, operations), bool: what `space` leaves of the softmax of each edge."""
        value: Tensor = self.description.allowed(space)
        return value

    def derive(self, strengths: Tensor, space: Space) -> Config:
        """The two strongest edges of each node, each with its strongest operation."""
        value: Config = self.description.derive(strengths, space)
        return value

    def path(self, config: Config) -> Tensor:
        """(edges, operations), bool: the operations of a genotype."""
        value: Tensor = self.description.path(config)
        return value
