"""N-way K-shot episodes from one part of a dataset, drawn straight into tensors.

Each episode has its own classes (or functions), examples and labels: which class is label 0 is random. So a
network cannot memorise the label of a class (Vinyals et al. 2016).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from automl.contracts import Episodes, EpisodeSpec, Split, derive_seed
from automl.data.few_shot import TURNS, check


class EpisodeSampler:
    """Draws episodes of `spec` from `split`; all drawing depends on `seed` alone.

    `kind` image: x (n, C, H, W) and labels y (n,) in 0 … classes-1; with `spec.rotations` each class is four.
    `kind` functions: x (n, points, d) and y (n, points), `spec.ways` 0. Raises `UserError` when the part has
    too few classes, or a class or function too few examples, for one episode.
    """

    def __init__(
        self, split: Split, spec: EpisodeSpec, *, kind: str = "image", seed: int, device: str = "cpu"
    ) -> None:
        check(split.y, split.x.shape[1:], spec, kind)
        self.spec, self.seed, self.device = spec, seed, device
        self.x = torch.tensor(split.x, dtype=torch.float32, device=device)
        self.generator = torch.Generator().manual_seed(seed)
        self.functions = kind == "functions"
        if self.functions:
            self.y = torch.tensor(split.y, dtype=torch.float32, device=device)
        else:
            self.rows, self.counts = _rows_of_classes(split.y)
            self.turns = TURNS if spec.rotations else 1

    @property
    def classes(self) -> int:
        """Classes to draw from, turned ones included; functions count as classes."""
        return len(self.x) if self.functions else len(self.counts) * self.turns

    def sample(self, tasks: int) -> Episodes:
        """The next `tasks` episodes."""
        return self._draw(tasks, self.generator)

    def examples(self, count: int) -> tuple[Tensor, Tensor]:
        """Inputs (count, *shape) and targets (count,) of the whole part, as if there were no episodes.

        Images come with their class in 0 … classes-1, points of functions with their value.
        """
        if self.functions:
            task = torch.randint(len(self.x), (count,), generator=self.generator).to(self.device)
            point = torch.randint(self.x.shape[1], (count,), generator=self.generator).to(self.device)
            return self.x[task, point], self.y[task, point]
        drawn = torch.randint(self.classes, (count,), generator=self.generator)
        classes, turns = drawn // self.turns, drawn % self.turns
        place = (torch.rand(count, generator=self.generator) * self.counts[classes]).long()
        x = self.x[self.rows[classes, place].to(self.device)]
        return (_turned(x, turns.to(self.device)) if self.turns > 1 else x), drawn.to(self.device)

    def fixed(self, count: int, batch: int, *, name: str = "fixed") -> Iterator[Episodes]:
        """The first `count` of an endless list of episodes, `batch` at a time.

        The list depends on seed and `name` only: not on `sample`, on `count` or on `batch`.
        """
        generator = torch.Generator().manual_seed(derive_seed(self.seed, name))
        for start in range(0, count, batch):
            single = [self._draw(1, generator) for _ in range(min(batch, count - start))]
            yield _joined(single)

    def state(self) -> Tensor:
        """The generator's state, for checkpoints."""
        return self.generator.get_state()

    def set_state(self, state: Tensor) -> None:
        """Go on as from `state`."""
        self.generator.set_state(state)

    def _draw(self, tasks: int, generator: torch.Generator) -> Episodes:
        return self._functions(tasks, generator) if self.functions else self._images(tasks, generator)

    def _functions(self, tasks: int, generator: torch.Generator) -> Episodes:
        shots, queries = self.spec.shots, self.spec.queries
        chosen = torch.randint(len(self.x), (tasks, 1), generator=generator)
        points = torch.rand(tasks, self.x.shape[1], generator=generator).topk(shots + queries, 1).indices
        x, y = (part[chosen.to(self.device), points.to(self.device)] for part in (self.x, self.y))
        return Episodes(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:], 0)

    def _images(self, tasks: int, generator: torch.Generator) -> Episodes:
        ways, shots, queries = self.spec.ways, self.spec.shots, self.spec.queries
        drawn = torch.rand(tasks, self.classes, generator=generator).topk(ways, 1).indices
        classes, turns = drawn // self.turns, drawn % self.turns
        order = torch.rand(tasks, ways, self.rows.shape[1], generator=generator)
        order = order.masked_fill(torch.arange(self.rows.shape[1]) >= self.counts[classes][..., None], -1.0)
        examples = order.topk(shots + queries, 2).indices
        rows = self.rows[classes[..., None], examples]  # (tasks, ways, shots + queries)
        x = self.x[rows.to(self.device)]
        if self.turns > 1:
            x = _turned(x, turns.to(self.device))
        labels = torch.arange(ways, device=self.device)
        support_y, query_y = (
            labels.repeat_interleave(size).expand(tasks, -1).contiguous() for size in (shots, queries)
        )
        support_x, query_x = (part.flatten(1, 2) for part in (x[:, :, :shots], x[:, :, shots:]))
        return Episodes(support_x, support_y, query_x, query_y, ways)


def _rows_of_classes(y: np.ndarray) -> tuple[Tensor, Tensor]:
    """Rows of each class, (classes, most), padded with its first row; and how many are real, (classes,)."""
    counts = np.bincount(y)
    order = np.argsort(y, kind="stable")
    starts = np.cumsum(counts) - counts
    places = np.arange(counts.max())[None]
    rows = order[starts[:, None] + np.where(places < counts[:, None], places, 0)]
    return torch.tensor(rows), torch.tensor(counts)


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """`x` (*, …, C, H, W) with its leading dimensions turned by that many quarter turns each (*)."""
    for turn in range(1, TURNS):
        chosen = turns == turn
        x[chosen] = torch.rot90(x[chosen], turn, (-2, -1))
    return x


def _joined(episodes: list[Episodes]) -> Episodes:
    return Episodes(
        support_x=torch.cat([episode.support_x for episode in episodes]),
        support_y=torch.cat([episode.support_y for episode in episodes]),
        query_x=torch.cat([episode.query_x for episode in episodes]),
        query_y=torch.cat([episode.query_y for episode in episodes]),
        ways=episodes[0].ways,
    )
