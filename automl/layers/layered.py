"""Supernets of spaces that are a chain of layers, each with its own choice of operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from automl.contracts import Config, UserError
from automl.layers.operations import allowed, strongest
from automl.space import Space


class MixedLayer(nn.Module):
    """All operations of one layer side by side: the sum of the active ones, each times its strength.

    `build(operation, width)` gives a module that keeps the shape (N, width, …). With `partial` = K > 1 only
    the first 1/K of the features passes through the operations; then all are shuffled, so that the next
    layer mixes others (Xu et al. 2020, https://arxiv.org/abs/1907.05737).
    """

    shuffle: Tensor

    def __init__(
        self, operations: Sequence[str], width: int, build: Callable[[str, int], nn.Module], *, partial: int
    ) -> None:
        super().__init__()
        self.mixed = max(1, width // partial)
        self.candidates = nn.ModuleList(build(name, self.mixed) for name in operations)
        order = [place for first in range(self.mixed) for place in range(first, width, self.mixed)]
        self.register_buffer("shuffle", torch.tensor(order), persistent=False)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, width, …), strengths (operations,) and active (operations,) to (N, width, …)."""
        part = x[:, : self.mixed]
        used = range(len(self.candidates)) if active is None else active.nonzero().flatten().tolist()
        terms = [strengths[place] * self.candidates[place](part) for place in used]
        total = reduce(torch.add, terms) if terms else torch.zeros_like(part)
        if self.mixed == x.shape[1]:
            return total
        return torch.cat([total, x[:, self.mixed :]], 1)[:, self.shuffle]


class LayeredSupernet(nn.Module):
    """A chain with one `MixedLayer` for each edge, in order: `edges` are its layers, each a node of its own.

    `parts` are the chain's other modules, from images to logits, with the mixed layers among them.
    """

    def __init__(self, edges: Sequence[str], operations: Sequence[str], parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.edges, self.operations = list(edges), list(operations)
        self.nodes = [[row] for row in range(len(self.edges))]
        self.skip_rows = list(range(len(self.edges)))
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W), strengths and active (edges, operations) to logits (N, classes)."""
        row = 0
        for part in self.parts:
            if isinstance(part, MixedLayer):
                x = part(x, strengths[row], None if active is None else active[row])
                row += 1
            else:
                x = part(x)
        return x

    def allowed(self, space: Space) -> Tensor:
        """(edges, operations), bool: the options that `space` leaves."""
        options: Tensor = allowed(self.edges, self.operations, space)
        return options

    def derive(self, strengths: Tensor, space: Space) -> Config:
        """The strongest allowed operation of each layer."""
        config: Config = strongest(self.edges, self.operations, strengths, space)
        return config

    def path(self, config: Config) -> Tensor:
        """(edges, operations), bool: one operation on each layer. Raises `UserError` for a bad `config`."""
        rows = [chosen(config, edge, self.operations) for edge in self.edges]
        return torch.tensor([[name == row for name in self.operations] for row in rows])


def chosen(config: Config, layer: str, operations: Sequence[str]) -> str:
    """The operation of `layer` in `config`. Raises `UserError` when it is none of `operations`."""
    name = config.get(layer)
    if name not in operations:
        raise UserError(
            f"a configuration must give {layer} one of {', '.join(operations)}, but got {name!r}; "
            "see the parameters of its space (automl check)"
        )
    return str(name)
