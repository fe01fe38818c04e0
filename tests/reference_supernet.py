"""Supernets as the papers write them: every operation of every edge, one after the other.

The readable definition that the fast supernet is tested and measured against. It is made from a fast supernet
and holds that one's parameters, with batch-norm statistics of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.layers.darts_operations import FactorizedReduce, operation
from automl.layers.mixed_cell import MixedNodes
from automl.layers.operations import ReLUConvBN
from automl.searchspaces import nasbench201
from automl.searchspaces.darts_cells import CELL_EDGES, Description, Edge
from automl.searchspaces.darts_supernet import MixedCell, Supernet


class MixedOperation(nn.Module):
    """s₁ o₁(x) + s₂ o₂(x) + … on one edge; with partial channels, x's rest beside it, shuffled."""

    def __init__(self, names: tuple[str, ...], channels: int, stride: int, partial: int) -> None:
        super().__init__()
        self.names, self.stride, self.partial = names, stride, partial
        self.operations = nn.ModuleDict(
            {
                name: operation(name, channels // partial, stride, affine=False, searched=True)
                for name in names
                if name != "none"
            }
        )

    def forward(self, x: Tensor, strengths: dict[str, Tensor]) -> Tensor:
        """(N, C, H, W) and the strengths of what is active to (N, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        mixed, rest = x.tensor_split([x.shape[1] // self.partial], 1)
        zero = torch.zeros_like(mixed[:, :, :: self.stride, :: self.stride])
        total = zero
        for name in self.names:
            if name in strengths:
                value = zero if name == "none" else self.operations[name](mixed)
                total = total + strengths[name] * value
        if self.partial == 1:
            return total
        if self.stride > 1:
            rest = functional.max_pool2d(rest, 2, ceil_mode=True)
        return shuffled(total, sum(strengths.values(), torch.zeros_like(x[0, 0, 0, 0])) * rest)


def shuffled(mixed: Tensor, rest: Tensor) -> Tensor:
    """The working channels (N, C/K, H, W) and the others, interleaved: (N, C, H, W)."""
    joined = torch.cat([mixed, rest], 1)
    number, channels, height, width = joined.shape
    partial = channels // mixed.shape[1]
    groups = joined.view(number, partial, channels // partial, height, width)
    return groups.transpose(1, 2).reshape(number, channels, height, width)


class ReferenceCell(nn.Module):
    """A cell of mixed operations."""

    def __init__(self, cell: MixedCell, description: Description) -> None:
        super().__init__()
        self.kind, self.preprocess = cell.kind, cell.preprocess
        self.edges = nn.ModuleDict()
        for edge in CELL_EDGES:
            if edge.kind == cell.kind:
                mixed = MixedOperation(
                    description.mixed[edge.name], cell.nodes.channels, edge.stride, cell.nodes.partial
                )
                for name, module in mixed.operations.items():
                    self._share(module, cell, edge, name)
                self.edges[edge.name] = mixed

    @staticmethod
    def _share(module: nn.Module, cell: MixedCell, edge: Edge, name: str) -> None:
        """Give `module` the parameters of `cell` for the same operation."""
        if not list(module.parameters()):
            return
        fan = cell.nodes.fans[edge.source]
        part, place = fan.parts[name], fan.nodes[name].index(edge.node)
        if isinstance(module, FactorizedReduce):
            module.even.weight, module.odd.weight = part.even[place].weight, part.odd[place].weight
            return
        pairs = [(module, part)]
        if name.startswith("sep_conv"):
            pairs = [(module[0], part.first), (module[1], part.second)]
        for (_, depthwise, pointwise, _), fast in pairs:
            depthwise.weight = fast.depthwise[place].weight
            pointwise.weight = fast.pointwise[place].weight

    def forward(self, first: Tensor, second: Tensor, strengths: dict[str, dict[str, Tensor]]) -> Tensor:
        """The outputs of the last two cells to (N, 4·channels, H', W')."""
        states = self.preprocess(first, second)
        for node in range(2, 6):
            sources = range(node)
            names = [f"{self.kind}_{source}_{node}" for source in sources]
            states.append(
                sum(
                    self.edges[name](states[source], strengths[name])
                    for source, name in zip(sources, names, strict=True)
                )
            )
        return torch.cat(states[2:], 1)


class ReferenceSupernet(nn.Module):
    """The same function of images, strengths and weights as `fast`."""

    def __init__(self, fast: Supernet) -> None:
        super().__init__()
        self.edges, self.operations = fast.edges, fast.operations
        self.description, self.allowed = fast.description, fast.allowed
        self.stem, self.classifier = fast.stem, fast.classifier
        self.cells = nn.ModuleList(ReferenceCell(cell, fast.description) for cell in fast.cells)
        self.to(next(fast.parameters()).dtype)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (edges, operations) to logits (N, classes)."""
        table = self.description.table if active is None else active & self.description.table
        named = {
            edge: {
                name: strengths[row, column]
                for column, name in enumerate(self.operations)
                if table[row, column]
            }
            for row, edge in enumerate(self.edges)
        }
        first = second = self.stem(x)
        for cell in self.cells:
            first, second = second, cell(first, second, named)
        logits: Tensor = self.classifier(second.mean((2, 3)))
        return logits


class ReferenceNasBench201(nn.Module):
    """NAS-Bench-201's supernet: the same function of images, strengths and weights as `fast`."""

    def __init__(self, fast: nasbench201.Supernet) -> None:
        super().__init__()
        self.edges, self.operations, self.allowed = fast.edges, fast.operations, fast.allowed
        self.stem, self.head = fast.stem, fast.head
        self.body = nn.ModuleList(
            NasBench201Cell(block) if isinstance(block, MixedNodes) else block for block in fast.body
        )
        self.to(next(fast.parameters()).dtype)

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (edges, operations) to logits (N, classes)."""
        x = self.stem(x)
        for block in self.body:
            x = block(x, strengths, active) if isinstance(block, NasBench201Cell) else block(x)
        logits: Tensor = self.head(x)
        return logits


class NasBench201Cell(nn.Module):
    """Each node is the sum over all earlier ones of all operations times their strengths."""

    def __init__(self, cell: MixedNodes) -> None:
        super().__init__()
        self.partial, channels = cell.partial, cell.working
        self.edges = nn.ModuleDict()
        for edge, (source, target) in zip(nasbench201.EDGES, nasbench201.PAIRS, strict=True):
            operations: dict[str, nn.Module] = {"none": nn.Identity(), "skip_connect": nn.Identity()}
            for name, kernel in nasbench201.KERNELS.items():
                operations[name] = ReLUConvBN(channels, channels, kernel, affine=False)
                place = cell.fans[source].nodes[name].index(target)
                operations[name][1].weight = cell.fans[source].parts[name].layers[place].weight
            pool = nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)
            operations["avg_pool_3x3"] = nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))
            self.edges[edge] = nn.ModuleDict({name: operations[name] for name in nasbench201.OPERATIONS})

    def forward(self, x: Tensor, strengths: Tensor, active: Tensor | None) -> Tensor:
        """(N, C, H, W) to the same shape."""
        states = [x]
        for node in range(1, nasbench201.NODES):
            total = torch.zeros_like(x)
            for row, (source, target) in enumerate(nasbench201.PAIRS):
                if target == node:
                    chosen = strengths[row] if active is None else strengths[row] * active[row]
                    used = active is None or active[row].tolist()
                    total = total + self._edge(nasbench201.EDGES[row], states[source], chosen, used)
            states.append(total)
        return states[-1]

    def _edge(self, edge: str, x: Tensor, strengths: Tensor, used: list[bool] | bool) -> Tensor:
        mixed, rest = x.tensor_split([x.shape[1] // self.partial], 1)
        zero = torch.zeros_like(mixed)
        total = zero
        for column, (name, layer) in enumerate(self.edges[edge].items()):
            if used is True or used[column]:
                total = total + strengths[column] * (zero if name == "none" else layer(mixed))
        return total if self.partial == 1 else shuffled(total, strengths.sum() * rest)


def reference(fast: nn.Module) -> nn.Module:
    """The plain form of a supernet."""
    return ReferenceNasBench201(fast) if isinstance(fast, nasbench201.Supernet) else ReferenceSupernet(fast)
