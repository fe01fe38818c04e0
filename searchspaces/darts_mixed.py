"""The mixed cell of the DARTS family: all operations on all edges (Liu, Simonyan & Yang 2019, section 2.2).

What all edges from one state have in common is computed once; `automl.searchspaces.mixed` says how.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.searchspaces.darts_cells import CELL_EDGES, KINDS, NODES, Description
from automl.searchspaces.darts_network import CellPlace, Preprocess
from automl.searchspaces.darts_operations import Noise
from automl.searchspaces.mixed import (
    DoubleSeparables,
    Part,
    Pool,
    Separables,
    average_pool,
    combine,
    max_pool,
    shuffle,
    weights,
    working_channels,
)
from automl.searchspaces.normalise import Norm
from automl.searchspaces.operations import image_memory

PASSED = "passed"  # in a plan, beside the operations: what partial channels leave out
Use: TypeAlias = tuple[list[int], Tensor]  # nodes, and the strength for each of them
Plan: TypeAlias = dict[int, dict[str, Use]]  # for each source and operation


class Reductions(nn.Module):
    """Skip connections of stride 2 on several edges: 1×1 convolutions of even and of odd pixels, BN."""

    def __init__(self, edges: int, channels: int) -> None:
        super().__init__()
        odd = channels // 2
        self.even = nn.ModuleList(nn.Conv2d(channels, channels - odd, 1, bias=False) for _ in range(edges))
        self.odd = nn.ModuleList(nn.Conv2d(channels, odd, 1, bias=False) for _ in range(edges))
        self.norm = Norm(channels, edges)

    def forward(self, x: Tensor, edges: list[int] | None = None, scale: Tensor | None = None) -> Tensor:
        """ReLU'd (N, C, H, W) to (N, T·C, ⌈H/2⌉, ⌈W/2⌉), a part for each of `edges` (None: all)."""
        chosen = range(len(self.even)) if edges is None else edges
        height, width = (size % 2 for size in x.shape[2:])
        shifted = functional.pad(x, (0, width, 0, height))[:, :, 1:, 1:]
        halves: list[tuple[Tensor, ...]] = []
        for image, layers in ((x, self.even), (shifted, self.odd)):
            weight = weights(layers, chosen)
            half = functional.conv2d(image_memory(image[:, :, ::2, ::2]), weight)
            halves.append(half.chunk(len(chosen), 1))
        wide = torch.cat([part for pair in zip(*halves, strict=True) for part in pair], 1)
        value: Tensor = self.norm(image_memory(wide), scale, edges)
        return value


class Source:
    """A state as the operations want it, each form made once."""

    def __init__(self, state: Tensor, stride: int) -> None:
        self.state, self.stride = state, stride
        self._found: dict[tuple[int, bool], Tensor] = {}

    def positive(self, copies: int = 1, *, dilated: bool = False) -> Tensor:
        """ReLU of the state, `copies` times side by side; for strided dilated kernels what they see of it."""
        thin = dilated and self.stride > 1
        if (copies, thin) not in self._found:
            if copies > 1:
                value = torch.cat([self.positive(dilated=dilated)] * copies, 1)
            elif thin:
                value = image_memory(self.positive()[:, :, :: self.stride, :: self.stride])
            else:
                value = functional.relu(self.state)
            self._found[copies, thin] = value
        return self._found[copies, thin]


class Fan(nn.Module):
    """All operations on the edges from state `source` of a cell."""

    def __init__(self, mixed: dict[int, tuple[str, ...]], channels: int, stride: int) -> None:
        """`mixed`: the operations by node."""
        super().__init__()
        self.stride = stride
        names = dict.fromkeys(name for names in mixed.values() for name in names)
        self.nodes = {name: [node for node, names in mixed.items() if name in names] for name in names}
        self.parts = nn.ModuleDict()
        for name, nodes in self.nodes.items():
            part = self._part(name, len(nodes), channels)
            self.parts.update({name: part} if part is not None else {})

    def _part(self, name: str, edges: int, channels: int) -> nn.Module | None:
        part: nn.Module | None = None  # the identity
        kernel, stride = name[-1], self.stride
        if name.endswith("pool_3x3"):
            part = Pool(channels, max_pool if name.startswith("max") else average_pool, stride)
        elif name.startswith("sep_conv"):
            part = DoubleSeparables(edges, channels, int(kernel), stride=stride)
        elif name.startswith("dil_conv"):  # strided, it gets the pixels it sees alone: `Source.positive`
            part = Separables(edges, channels, int(kernel), dilation=1 if stride > 1 else 2)
        elif name == "noise":
            part = Noise(stride)
        elif stride > 1:
            part = Reductions(edges, channels)
        return part

    def forward(self, state: Tensor, uses: dict[str, Use]) -> list[Part]:
        """What the operations in `uses` add to which nodes."""
        source, found = Source(state, self.stride), []
        for name, (nodes, strengths) in uses.items():
            if name == "noise":  # drawn for each edge
                values = [image_memory(self.parts[name](state)) for _ in nodes]
                found += [Part(value, [nodes[i]], strengths[i : i + 1]) for i, value in enumerate(values)]
            elif name not in self.parts:
                found.append(Part(state, nodes, strengths))
            elif isinstance(self.parts[name], Pool):
                found.append(Part(self.parts[name](state), nodes, strengths))
            else:
                copies = 1 if isinstance(self.parts[name], Reductions) else len(nodes)
                wide = source.positive(copies, dilated=name.startswith("dil_conv"))
                places = [self.nodes[name].index(node) for node in nodes]
                edges = places if len(nodes) < len(self.nodes[name]) else None
                found.append(Part(self.parts[name](wide, edges, strengths), nodes))
        return found


class MixedCell(nn.Module):
    """One cell with all operations; 1/`partial` of the channels pass through them."""

    def __init__(self, description: Description, place: CellPlace, partial: int) -> None:
        super().__init__()
        self.kind = KINDS[place.reduction]
        self.partial = partial
        self.channels = working_channels(place.channels, partial)
        self.preprocess = Preprocess(place, affine=False)
        edges = [edge for edge in CELL_EDGES if edge.kind == self.kind]
        self.strides = {edge.source: edge.stride for edge in edges}
        self.fans = nn.ModuleList()
        for source in self.strides:
            mixed = {
                edge.node: tuple(name for name in description.mixed[edge.name] if name != "none")
                for edge in edges
                if edge.source == source
            }
            self.fans.append(Fan(mixed, self.channels, self.strides[source]))

    def forward(self, first: Tensor, second: Tensor, plan: Plan) -> Tensor:
        """The outputs of the last two cells to (N, 4·channels, H', W')."""
        states = [image_memory(state) for state in self.preprocess(first, second)]
        height, width = (-(-size // self.strides[0]) for size in states[0].shape[2:])
        empty = states[0][:, :, :1, :1].expand(-1, -1, height, width)  # of a node's shape
        sums: dict[tuple[bool, int], Tensor] = {}
        for source, fan in enumerate(self.fans):
            assert isinstance(fan, Fan)
            if source > 1:
                states.append(self._node(source, sums, empty))
            for passed, parts in enumerate(self._parts(fan, states[source], plan.get(source, {}))):
                for node, value in combine(parts).items():
                    before = sums.get((bool(passed), node))
                    sums[bool(passed), node] = value if before is None else before + value
        states.append(self._node(NODES[-1], sums, empty))
        return torch.cat(states[2:], 1)

    def _parts(self, fan: Fan, state: Tensor, uses: dict[str, Use]) -> tuple[list[Part], list[Part]]:
        """What passes through the operations of a state, and what is passed by them."""
        if self.partial == 1 or not uses:
            return fan(state, {name: use for name, use in uses.items() if name != PASSED}), []
        mixed, rest = state.tensor_split([self.channels], 1)
        if fan.stride > 1:
            rest = functional.max_pool2d(rest, fan.stride, ceil_mode=True)
        nodes, strengths = uses[PASSED]
        mixed = image_memory(mixed)
        parts = fan(mixed, {name: use for name, use in uses.items() if name != PASSED})
        return parts, [Part(image_memory(rest), nodes, strengths)]

    def _node(self, node: int, sums: dict[tuple[bool, int], Tensor], like: Tensor) -> Tensor:
        parts = []
        for passed, channels in ((False, self.channels), (True, like.shape[1] - self.channels)):
            value = sums.get((passed, node))
            parts.append(torch.zeros_like(like[:, :channels]) if value is None else value)
        joined = parts[0] if self.partial == 1 else shuffle(torch.cat(parts, 1), self.partial)
        state: Tensor = image_memory(joined)
        return state
