"""Nodes of a supernet's cell: which edges enter them, in which order, and channels that are passed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.contracts import UserError
from automl.layers.mixed import Fan, Use
from automl.layers.operations import image_memory
from automl.layers.sums import Part, combine

PASSED = "passed"  # in a plan, beside the operations: channels that none of them takes
Plan: TypeAlias = dict[int, dict[str, Use]]  # for each source and operation


class Row(NamedTuple):
    """An edge of a matrix of strengths: in which kind of cell it leads from where to where."""

    kind: str
    source: int
    node: int


def make_plans(
    rows: Sequence[Row], operations: Sequence[str], strengths: Tensor, active: Tensor
) -> dict[str, Plan]:
    """What each state of each kind of cell sends, with strengths that all cells of a kind share.

    `strengths` and `active`: (edges, operations). Edges pass channels by times the sum of their strengths.
    """
    total = (strengths * active.to(strengths.device)).sum(1, keepdim=True)
    extended = torch.cat([strengths, total], 1)
    used = torch.cat([active, active.any(1, keepdim=True)], 1).tolist()
    entries: list[tuple[str, int, str, list[int]]] = []
    flat: list[int] = []
    for kind, source in dict.fromkeys((row.kind, row.source) for row in rows):
        edges = [(i, row.node) for i, row in enumerate(rows) if (row.kind, row.source) == (kind, source)]
        for column, name in enumerate([*operations, PASSED]):
            chosen = [(i, node) for i, node in edges if used[i][column] and name != "none"]
            if chosen:
                entries.append((kind, source, name, [node for _, node in chosen]))
                flat += [i * extended.shape[1] + column for i, _ in chosen]
    plans: dict[str, Plan] = {row.kind: {} for row in rows}
    parts = torch.split(extended.flatten()[flat], [len(nodes) for *_, nodes in entries])
    for (kind, source, name, nodes), part in zip(entries, parts, strict=True):
        plans[kind].setdefault(source, {})[name] = nodes, part
    return plans


class MixedNodes(nn.Module):
    """All operations on all edges of a cell; 1/`partial` of the channels pass through them.

    The rest is passed by them, pooled where an edge is strided, and each node shuffles its channels (Xu et
    al. 2020, https://arxiv.org/abs/1907.05737).
    """

    def __init__(
        self, mixed: Mapping[Row, Sequence[str]], strides: Sequence[int], channels: int, partial: int
    ) -> None:
        """`mixed`: the operations of each edge; `strides`: those of the edges from each source."""
        super().__init__()
        if partial < 1 or channels % partial:
            raise UserError(
                f"a supernet's channels must be a multiple of its partial, but got channels={channels} and "
                f"partial={partial}; choose others"
            )
        self.partial, self.channels, self.working = partial, channels, channels // partial
        self.stride = strides[0]
        self.fans = nn.ModuleList()
        for source, stride in enumerate(strides):
            names = {
                row.node: tuple(name for name in operations if name != "none")
                for row, operations in mixed.items()
                if row.source == source
            }
            self.fans.append(Fan(names, self.working, stride))

    def forward(self, inputs: Sequence[Tensor], plan: Plan) -> list[Tensor]:
        """The inputs (N, channels, H, W) to all states: the inputs, then the nodes (N, channels, H', W')."""
        states = [image_memory(state) for state in inputs]
        shape = states[0][:, :, :: self.stride, :: self.stride]  # a node's
        sums: dict[tuple[bool, int], Tensor] = {}
        for source, fan in enumerate(self.fans):
            assert isinstance(fan, Fan)
            if source >= len(states):
                states.append(self._node(source, sums, shape))
            for passed, parts in enumerate(self._parts(fan, states[source], plan.get(source, {}))):
                for node, value in combine(parts).items():
                    before = sums.get((bool(passed), node))
                    sums[bool(passed), node] = value if before is None else before + value
        return [*states, self._node(len(states), sums, shape)]

    def _parts(self, fan: Fan, state: Tensor, uses: dict[str, Use]) -> tuple[list[Part], list[Part]]:
        """What passes through the operations of a state, and what is passed by them."""
        working = {name: use for name, use in uses.items() if name != PASSED}
        if self.partial == 1 or not uses:
            return fan(state, working), []
        mixed, rest = state.tensor_split([self.working], 1)
        if fan.stride > 1:
            rest = functional.max_pool2d(rest, fan.stride, ceil_mode=True)
        return fan(image_memory(mixed), working), [Part(image_memory(rest), *uses[PASSED])]

    def _node(self, node: int, sums: dict[tuple[bool, int], Tensor], like: Tensor) -> Tensor:
        parts = []
        for passed, channels in ((False, self.working), (True, self.channels - self.working)):
            value = sums.get((passed, node))
            parts.append(torch.zeros_like(like[:, :channels]) if value is None else value)
        joined = parts[0] if self.partial == 1 else shuffle(torch.cat(parts, 1), self.partial)
        state: Tensor = image_memory(joined)
        return state


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` equal parts (Zhang et al. 2018, ShuffleNet)."""
    count, channels, height, width = x.shape
    return x.reshape(count, groups, channels // groups, height, width).transpose(1, 2).flatten(1, 2)
