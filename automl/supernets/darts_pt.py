"""DARTS-PT: DARTS, then each edge keeps the operation without which the supernet's accuracy falls most.

Wang et al. 2021, https://arxiv.org/abs/2108.04392. The size of α_o need not say how much the operation o
contributes. So after a search by DARTS, for every edge e in random order:

    o*(e) = argmin_o  accuracy of the supernet whose edge e lacks o

the others are removed from e, and the supernet is trained some steps further. Where a node of the derived
cell has fewer edges than in the supernet, the edge without which accuracy stays highest is removed until so
many are left. Where time is short, decisions come before training; decisions for which no time is left are
taken by the strengths, as in DARTS. (The paper trains 5 to 10 epochs after every decision; here it is
`tuning` steps, so that choosing takes only a part of the time.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl.contracts import Config
from automl.space import Space
from automl.supernets.base import Mixture, SearchOptions, Selection, Supernet
from automl.supernets.darts import Darts, DartsOptions
from automl.supernets.timed import Timed


class DartsPtOptions(DartsOptions):
    """`tuning`: steps of training after each decision."""

    tuning: int = Field(20, ge=0)


class DartsPt(Darts):
    """DARTS with perturbation-based selection."""

    Options: ClassVar[type[SearchOptions]] = DartsPtOptions
    options: DartsPtOptions
    selection: ClassVar[float] = 0.3

    def __init__(self, options: SearchOptions, supernet: Supernet, *, space: Space, seed: int) -> None:
        super().__init__(options, supernet, space=space, seed=seed)
        self.offered = self.active.clone()
        self.chosen: dict[int, int] = {}  # row: column of the operation that was decided
        self.kept = torch.ones(len(supernet.edges), dtype=torch.bool)
        self.decided: float | None = None  # part of the decisions that were taken, once they are being taken

    def strengths(self) -> Tensor:
        """Softmax of alpha over what is left on each edge; 0 on removed edges."""
        return super().strengths() * self.kept.to(self.device, self.dtype)[:, None]

    def mixture(self) -> Mixture:
        """The strengths; nothing is computed on removed edges."""
        return Mixture(self.strengths(), self.active & self.kept[:, None])

    def rate(self) -> float:
        """A cosine, which starts again at a tenth when the decisions begin."""
        if self.decided is None:
            return super().rate()
        high = self.options.learning_rate / 10
        low = min(self.options.minimum_rate, high)
        return low + (high - low) / 2 * (1 + math.cos(math.pi * self.decided))

    @torch.no_grad()
    def derive(self) -> Config:
        """The configuration by the strengths of all operations, with the decisions that were taken."""
        strengths = self.alpha.masked_fill(~self.offered.to(self.device), -math.inf).softmax(1)
        for row, column in self.chosen.items():
            strength = strengths[row, self.candidates(row)].max()
            strengths[row] = 0
            strengths[row, column] = strength
        strengths[~self.kept.to(self.device)] = 0
        return self.supernet.derive(strengths, self.space)

    def candidates(self, row: int) -> list[int]:
        """Columns of the operations that an edge may become: not `none`, unless nothing else is offered."""
        columns: list[int] = self.offered[row].nonzero().flatten().tolist()
        real = [column for column in columns if self.supernet.operations[column] != "none"]
        return real or columns

    def select(self, selection: Selection) -> Config:
        """Decide the edges' operations, then the nodes' edges, as far as time allows."""
        timed, used = Timed(selection), self.supernet.path(self.derive()).any(1)
        rows = list(range(len(self.kept)))
        nodes = [node for node in self.supernet.nodes if not used[node].all()]
        selection.rng.shuffle(rows)
        selection.rng.shuffle(nodes)
        decisions = [partial(self.decide_operation, row) for row in rows]
        decisions += [partial(self.decide_edges, node, int(used[node].sum())) for node in nodes]
        scores = [len(self.candidates(row)) for row in rows]
        scores += [sum(range(int(used[node].sum()) + 1, len(node) + 1)) for node in nodes]
        done = 0
        for decide in decisions:
            if not decide(timed):
                break
            self.decided = done / len(decisions)
            done += 1
            timed.train(self.options.tuning if done < len(decisions) else 0, scores=sum(scores[done:]))
        self.selected = {
            "mixtures_scored": timed.scored,
            "operations_by_perturbation": min(done, len(rows)),
            "operations_by_strength": max(0, len(rows) - done),
            "nodes_by_perturbation": max(0, done - len(rows)),
            "nodes_by_strength": min(len(nodes), len(decisions) - done),
        }
        return self.derive()

    def decide_operation(self, row: int, timed: Timed) -> bool:
        """Keep the operation of an edge that accuracy needs most; False when there was no time."""
        columns, accuracies = self.candidates(row), dict[int, float]()
        strengths = self.strengths()[row].tolist()
        for column in columns if len(columns) > 1 else ():
            accuracy = timed.accuracy(self.without(row, column))
            if accuracy is None:
                return False
            accuracies[column] = accuracy
        best = min(columns, key=lambda column: (accuracies.get(column, 0.0), -strengths[column]))
        self.chosen[row] = best
        self.active[row] = torch.arange(self.active.shape[1]) == best
        self.allowed = self.active.to(self.device)
        return True

    def decide_edges(self, rows: Sequence[int], count: int, timed: Timed) -> bool:
        """Remove the edges of a node that accuracy needs least, until `count` are left; else False."""
        left = list(rows)
        while len(left) > count:
            accuracies = {}
            for row in left:
                accuracy = timed.accuracy(self.without(row))
                if accuracy is None:
                    return False
                accuracies[row] = accuracy
            least = max(left, key=accuracies.__getitem__)
            self.kept[least] = False
            left.remove(least)
        return True

    @torch.no_grad()
    def without(self, row: int, column: int | None = None) -> Mixture:
        """The mixture without an edge, or without one of its operations."""
        strengths, active = self.strengths(), (self.active & self.kept[:, None])
        part = slice(None) if column is None else column
        strengths[row, part], active[row, part] = 0, False
        return Mixture(strengths, active)


PLUGIN = DartsPt
