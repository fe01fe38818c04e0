"""Cells of the DARTS family: edges, mixed operations, discretisation, and their search space.

Liu, Simonyan & Yang 2019, https://arxiv.org/abs/1806.09055. A cell has two inputs (0 and 1) and four nodes
(2 to 5). Each node is the sum of one operation on each of two predecessors; the output is the four nodes'
concatenation. A network has `normal` cells and, at one and two thirds, `reduce` cells of half the height
and width.

A configuration says for every kind of cell and every node n which two predecessors it has,
`{kind}_inputs_{n}: "p,q"` (node 2 has only 0 and 1, so no such parameter), and for each of them the
operation, `{kind}_{p}_{n}`. So every sample is a genotype, and every genotype a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from automl.contracts import Config, UserError
from automl.searchspaces.darts_genotypes import (
    FAMILY,
    KINDS,
    NODES,
    canonical,
    pairs,
    wiring,
)
from automl.space import Choice, Parameter, Space


class Edge(NamedTuple):
    """From the predecessor `source` to `node`, in each cell of one kind."""

    kind: str
    source: int
    node: int

    @property
    def name(self) -> str:
        """The parameter of its operation."""
        return f"{self.kind}_{self.source}_{self.node}"

    @property
    def stride(self) -> int:
        """2 on the edges from the inputs of a reduction cell, else 1."""
        return 2 if self.kind == "reduce" and self.source < 2 else 1


CELL_EDGES = [Edge(kind, source, node) for kind in KINDS for node in NODES for source in range(node)]
EDGE_NAMES = [edge.name for edge in CELL_EDGES]


@dataclass(frozen=True)
class Description:
    """Which operations the softmax of each edge mixes, by the edge's name; `none` may be among them.

    What all parts of a space share: its configurations (`space`), and for the supernet the names and
    meaning of rows and columns of a matrix of strengths. The first column is always `none`, which is
    what an edge that a narrowed space has cut off consists of.
    """

    mixed: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if list(self.mixed) != EDGE_NAMES:
            raise UserError(
                f"operations must be given for the edges {EDGE_NAMES}, but got {list(self.mixed)}"
            )
        for name, operations in self.mixed.items():
            if not set(operations) <= set(FAMILY) or not set(operations) - {"none"}:
                raise UserError(f"{name!r} must mix some of {', '.join(FAMILY)}, but got {list(operations)}")

    @property
    def edges(self) -> list[str]:
        """Names of the rows."""
        return list(EDGE_NAMES)

    @cached_property
    def operations(self) -> list[str]:
        """Names of the columns: `none`, then what any edge mixes, in the paper's order."""
        used = {"none"}.union(*self.mixed.values())
        return [name for name in FAMILY if name in used]

    @property
    def nodes(self) -> list[list[int]]:
        """The rows that end in each node, kind by kind."""
        return [
            [row for row, edge in enumerate(CELL_EDGES) if (edge.kind, edge.node) == (kind, node)]
            for kind in KINDS
            for node in NODES
        ]

    @property
    def skip_rows(self) -> list[int]:
        """The normal cell's rows: the paper's rule counts the skip connections there."""
        return [row for row, edge in enumerate(CELL_EDGES) if edge.kind == "normal"]

    @property
    def table(self) -> Tensor:
        """(edges, operations), bool: what each edge mixes in the whole space."""
        return torch.tensor(
            [[name in operations for name in self.operations] for operations in self.mixed.values()]
        )

    def allowed(self, space: Space) -> Tensor:
        """(edges, operations), bool: what each edge mixes in `space`, perhaps fixed or narrowed.

        `none` stays where the whole space mixes it, although no configuration has it; it is
        alone on an edge that `space` cannot use any more.
        """
        rows = []
        for edge, mixed in self.mixed.items():
            options = choices(space, edge)
            kept = {*options, *({"none"} & set(mixed))} if options else {"none"}
            rows.append([name in kept for name in self.operations])
        return torch.tensor(rows)

    def derive(self, strengths: Tensor, space: Space) -> Config:
        """The paper's discretisation, within `space`: strengths (edges, operations) to a configuration.

        An edge is worth its strongest operation other than `none`; each node keeps its two best edges
        (of the pairs that `space` allows: the one with the best edge, then the best other edge).
        """
        best: dict[str, tuple[float, str]] = {}
        for edge, row in zip(self.edges, strengths.detach().double().cpu().tolist(), strict=True):
            worth = dict(zip(self.operations, row, strict=True))
            options = choices(space, edge)
            if options:
                name = max(options, key=worth.__getitem__)
                best[edge] = (worth[name], name)
        config: Config = {}
        for kind in KINDS:
            for node in NODES:
                options = choices(space, f"{kind}_inputs_{node}") or pairs(node)
                ends = {pair: [f"{kind}_{source}_{node}" for source in pair.split(",")] for pair in options}
                value = {pair: sorted((best[edge][0] for edge in ends[pair]), reverse=True) for pair in ends}
                chosen = max(options, key=value.__getitem__)
                config |= {f"{kind}_inputs_{node}": chosen} if node > 2 else {}
                config |= {edge: best[edge][1] for edge in ends[chosen]}
        return config

    def path(self, config: Config) -> Tensor:
        """(edges, operations), bool: the operations of a genotype. Raises `UserError` when it is none."""
        used = {(f"{kind}_{p}_{n}", name) for kind in KINDS for n, p, name in wiring(config, kind)}
        return torch.tensor([[(edge, name) in used for name in self.operations] for edge in self.edges])

    def space(
        self,
        *,
        default: Config | None = None,
        network: Callable[..., Any] | None = None,
        supernet: Callable[..., Any] | None = None,
    ) -> Space:
        """The search space: all genotypes of these operations without `none`."""
        parameters: dict[str, Parameter] = {}
        for kind in KINDS:
            for node in NODES:
                inputs, options = f"{kind}_inputs_{node}", pairs(node)
                parameters |= {inputs: Choice(tuple(options))} if node > 2 else {}
                for source in range(node):
                    edge = Edge(kind, source, node).name
                    names = tuple(name for name in self.mixed[edge] if name != "none")
                    fitting = [pair for pair in options if str(source) in pair.split(",")]
                    parameters[edge] = Choice(names, when={inputs: fitting} if node > 2 else {})
        return Space(
            parameters,
            default=default or self._plain(),
            canonical=canonical,
            network=network,
            supernet=supernet,
        )

    def _plain(self) -> Config:
        """Nodes on the two inputs, each edge with its first convolution, or first operation."""
        config: Config = {}
        for kind in KINDS:
            for node in NODES:
                config |= {f"{kind}_inputs_{node}": "0,1"} if node > 2 else {}
                for edge in (f"{kind}_0_{node}", f"{kind}_1_{node}"):
                    names = [name for name in self.mixed[edge] if name != "none"]
                    config[edge] = next((name for name in names if "conv" in name), names[0])
        return config


def choices(space: Space, name: str) -> list[str]:
    """The options of a parameter; empty when `space` has no such parameter."""
    parameter = space.parameters.get(name)
    return [str(option) for option in parameter.options] if isinstance(parameter, Choice) else []
