"""The supernet of the DARTS family: every operation on every edge, mixed by strengths (Liu et al. 2019).

A node is the sum over its edges e and their operations o of s(e, o) · o(state).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.searchspaces.darts_cells import CELL_EDGES, KINDS, NODES, Description
from automl.searchspaces.darts_mixed import PASSED, MixedCell, Plan
from automl.searchspaces.darts_network import STEM, CellPlace, DartsStem
from automl.searchspaces.operations import check_image, image_memory
from automl.space import Space


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
        plans = self._plans(strengths, self.description.table if active is None else active)
        first = second = self.stem(image_memory(x))
        for cell in self.cells:
            assert isinstance(cell, MixedCell)
            first, second = second, cell(first, second, plans[cell.kind])
        logits: Tensor = self.classifier(second.mean((2, 3)))
        return logits

    def _plans(self, strengths: Tensor, active: Tensor) -> dict[str, Plan]:
        """What each state of each kind of cell sends, with strengths that all cells of a kind share."""
        rows = {edge: row for row, edge in enumerate(CELL_EDGES)}
        table = (active & self.description.table).tolist()
        total = (strengths * active.to(strengths.device)).sum(1, keepdim=True)
        extended = torch.cat([strengths, total], 1)
        entries: list[tuple[str, int, str, list[int]]] = []
        flat: list[int] = []
        for kind in KINDS:
            for source in range(NODES[-1]):
                edges = [edge for edge in CELL_EDGES if (edge.kind, edge.source) == (kind, source)]
                for column, name in enumerate([*self.operations, PASSED]):
                    used = [edge for edge in edges if name != "none" and mixes(table[rows[edge]], column)]
                    if used:
                        entries.append((kind, source, name, [edge.node for edge in used]))
                        flat += [rows[edge] * extended.shape[1] + column for edge in used]
        plans: dict[str, Plan] = {kind: {} for kind in KINDS}
        chosen = torch.split(extended.flatten()[flat], [len(nodes) for *_, nodes in entries])
        for (kind, source, name, nodes), strength in zip(entries, chosen, strict=True):
            plans[kind].setdefault(source, {})[name] = nodes, strength
        return plans

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


def mixes(row: list[bool], column: int) -> bool:
    """Whether an edge has the operation in `column`; behind the last one: any."""
    return row[column] if column < len(row) else any(row)
