"""NAS-Bench-201: cells of four nodes whose six edges each take one of five operations (15,625 cells).

Dong & Yang 2020, https://arxiv.org/abs/2001.00326. Node 0 is the cell's input, node 3 its output, and a
node is the sum of its incoming edges. The network is a stem, three stages of `cells` equal cells with
C, 2C and 4C channels, a residual block that halves height and width between stages, and a head.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.contracts import Config, UserError
from automl.layers.mixed_cell import MixedNodes, Row, make_plans
from automl.layers.operations import (
    STAGES,
    Head,
    ResidualBlock,
    Stem,
    allowed,
    average_pool,
    check_image,
    image_memory,
    strongest,
)
from automl.layers.regularised import Droppable, ImageNetwork, through
from automl.space import Choice, Space

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
NODES = 4
PAIRS = [(source, target) for target in range(1, NODES) for source in range(target)]
EDGES = [f"edge_{source}_{target}" for source, target in PAIRS]
ROWS = [Row("cell", source, target) for source, target in PAIRS]
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def arch_string(config: Config) -> str:
    """The benchmark's own spelling: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    nodes = [
        "".join(f"|{config[f'edge_{source}_{target}']}~{source}" for source in range(target))
        for target in range(1, NODES)
    ]
    return "+".join(f"{node}|" for node in nodes)


def from_arch_string(text: str) -> Config:
    """The configuration that `arch_string` spelled. Raises `UserError` for any other text."""
    config: Config = dict(zip(EDGES, re.findall(r"(\w+)~\d", text), strict=False))
    if len(config) < len(EDGES) or arch_string(config) != text or not PLUGIN.is_valid(config):
        raise UserError(
            f"a NAS-Bench-201 cell must read |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of "
            f"{', '.join(OPERATIONS)}, but got {text!r}"
        )
    return config


def isomorphism_class(config: Config) -> str:
    """An expression of the output that cells with the same computational graph share.

    This is the benchmark's own definition, with 6,466 classes: skip_connect is the identity, `none`
    and operations on a node with a lone `none` are the zero `#`, the terms of a sum are sorted. It is a
    string, not a proof: zeros stay in sums, so some equal cells differ, and one
    convolution used twice reads like two convolutions.
    """
    nodes = ["0"]
    for target in range(1, NODES):
        terms = []
        for source in range(target):
            operation = config[f"edge_{source}_{target}"]
            if operation == "none" or nodes[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


class Cell(Droppable):
    """One cell of a configuration: (N, channels, H, W) to the same shape.

    Edges that cannot reach the output keep their parameters, as in the benchmark, and cost no
    time; an operation on nothing but zeros gives zero. Its paths are convolutions and poolings.
    """

    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        self.operations = {pair: str(config[edge]) for pair, edge in zip(PAIRS, EDGES, strict=True)}
        self.convolutions = nn.ModuleDict()
        for edge, operation in zip(EDGES, self.operations.values(), strict=True):
            if operation in KERNELS:
                kernel = KERNELS[operation]
                convolution = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
                self.convolutions[edge] = nn.Sequential(convolution, nn.BatchNorm2d(channels))
        self.live = {NODES - 1}  # nodes from which a path leads to the output
        for source, target in reversed(PAIRS):
            if target in self.live and self.operations[source, target] != "none":
                self.live.add(source)

    def forward(self, x: Tensor) -> Tensor:
        """The output node; all zeros where no path leads to it."""
        states: list[dict[str, Tensor]] = [{"skip_connect": x}]  # no entry: the node is zero
        for target in range(1, NODES):
            sources = range(target) if target in self.live else ()
            terms = [
                self._edge(source, target, states[source])
                for source in sources
                if states[source] and self.operations[source, target] != "none"
            ]
            states.append({"skip_connect": reduce(torch.add, terms)} if terms else {})
        return states[-1].get("skip_connect", torch.zeros_like(x))

    def _edge(self, source: int, target: int, state: dict[str, Tensor]) -> Tensor:
        """One edge's value; `state` holds what all edges of its source have in common."""
        operation, x = self.operations[source, target], state["skip_connect"]
        if operation == "skip_connect":
            return x
        if operation not in KERNELS and operation not in state:
            state[operation] = average_pool(x)
        if operation in KERNELS and "relu" not in state:
            state["relu"] = functional.relu(x)
        layer = self.convolutions[f"edge_{source}_{target}"] if operation in KERNELS else None
        value: Tensor = self.dropped(state[operation] if layer is None else layer(state["relu"]))
        return value


class Network(ImageNetwork):
    """The network of one configuration: images to logits (N, classes).

    Its auxiliary head stands after the second of the three stages.
    """

    def __init__(
        self, config: Config, shape: Sequence[int], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        body: list[nn.Module] = [Stem(shape[0], channels)]
        for stage in range(STAGES):
            width = channels * 2**stage
            body += [ResidualBlock(width // 2, width, stride=2)] if stage else []
            body += [Cell(config, width) for _ in range(cells)]
            if stage == STAGES - 2:
                self.auxiliary_inputs, self._second = width, len(body) - 1
        self.body = nn.Sequential(*body)
        self.head = Head(width, classes)

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the output of the second stage."""
        x, state = through(self.body, image_memory(x), self.body[self._second])
        return self.head(x), state


class Supernet(nn.Module):
    """The weight-sharing network of the whole space. It holds weights only; strengths come from the method.

    `edges` are the space's parameters and `operations` their options, in the order of the rows and columns
    of `strengths`. `partial`: 1/partial of a state's channels pass through the operations.
    """

    def __init__(
        self, shape: Sequence[int], classes: int, *, channels: int, cells: int, partial: int = 1
    ) -> None:
        super().__init__()
        check_image(shape, classes)
        self.edges, self.operations = list(EDGES), list(OPERATIONS)
        self.nodes = [[row for row, pair in enumerate(PAIRS) if pair[1] == node] for node in range(1, NODES)]
        self.skip_rows = list(range(len(EDGES)))
        self.stem = Stem(shape[0], channels, affine=False)
        self.body = nn.ModuleList()
        for stage in range(STAGES):
            width = channels * 2**stage
            self.body.extend([ResidualBlock(width // 2, width, stride=2, affine=False)] if stage else [])
            mixed = dict.fromkeys(ROWS, OPERATIONS)
            self.body.extend(MixedNodes(mixed, [1] * (NODES - 1), width, partial) for _ in range(cells))
        self.head = Head(width, classes, affine=False)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (edges, operations) to (N, classes); see `automl.supernets.base.Supernet`."""
        everything = torch.ones(len(self.edges), len(self.operations), dtype=torch.bool)
        plans = make_plans(ROWS, self.operations, strengths, everything if active is None else active)
        x = self.stem(image_memory(x))
        for block in self.body:
            x = block([x], plans["cell"])[-1] if isinstance(block, MixedNodes) else block(x)
        logits: Tensor = self.head(x)
        return logits

    def allowed(self, space: Space) -> Tensor:
        """(edges, operations), bool: the options that `space` leaves."""
        options: Tensor = allowed(self.edges, self.operations, space)
        return options

    def derive(self, strengths: Tensor, space: Space) -> Config:
        """The strongest allowed operation of each edge; `none` only where nothing else is allowed."""
        config: Config = strongest(self.edges, self.operations, strengths, space)
        return config

    def path(self, config: Config) -> Tensor:
        """(edges, operations), bool: one operation on each edge."""
        return torch.tensor([[config[edge] == name for name in self.operations] for edge in self.edges])


PLUGIN = Space(
    {edge: Choice(tuple(OPERATIONS)) for edge in EDGES},
    default=dict.fromkeys(EDGES, "nor_conv_3x3"),
    canonical=isomorphism_class,
    network=Network,
    supernet=Supernet,
)
