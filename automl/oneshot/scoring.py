"""Scoring mixtures and paths of a supernet: its accuracy with batch-norm statistics estimated again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from automl.contracts import Config
from automl.ranks.group import agreed, current
from automl.space import Space
from automl.supernets.base import Batch, Mixture, WeightSharing
from automl.supernets.batch_norm import reestimate
from automl.training.images import Images

STATISTICS = 512  # training images, at most, that give the batch-norm statistics
SCORED = 2000  # validation images, at most, that a mixture is scored on
PER_BATCH = 250


class Scorer:
    """Accuracy of a method's supernet on (a part of) the validation half.

    The images are the same for every mixture, and of all classes in equal parts: both halves are sorted by
    class and taken at equal distances. The supernet stays as it was, buffers included.
    """

    def __init__(
        self, method: WeightSharing, train: Images, validation: Images, *, images: int, statistics: int
    ) -> None:
        self.method = method
        self.statistics = [x for x, _ in interleaved(train, statistics)]
        self.scored = list(interleaved(validation, images))

    @torch.no_grad()
    def accuracy(self, mixture: Mixture) -> float:
        """The part of the validation images that `mixture` classifies correctly; the ranks divide them."""
        supernet = self.method.supernet
        kept = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
        training = supernet.training
        strengths, active = mixture
        reestimate(self.method.module, self.statistics, strengths, active)
        supernet.eval()
        group, right = current(), 0
        for x, y in self.scored[group.rank :: group.size]:
            right += int((supernet(x, strengths, active).argmax(1) == y).sum())
        right = sum(group.exchanged(right))
        for name, buffer in supernet.named_buffers():
            buffer.copy_(kept[name])
        supernet.train(training)
        return right / sum(len(y) for _, y in self.scored)

    def path(self, config: Config) -> Mixture:
        """The network of `config` with the shared weights."""
        active: Tensor = self.method.supernet.path(config)
        return Mixture(active.to(self.method.device, self.method.dtype), active)


def interleaved(data: Images, most: int, *, batch: int = PER_BATCH) -> Iterator[Batch]:
    """At most `most` images of `data` at equal distances, in batches that each span all of it."""
    count = min(len(data.y), most)
    chosen = torch.arange(count) * len(data.y) // count
    parts = -(-count // batch)
    for first in range(parts):
        part = chosen[first::parts].to(data.y.device)
        yield data.x[part].contiguous(memory_format=torch.channels_last), data.y[part]


class Selecting:
    """What a method's `select` may use: a clock, the validation half, and further steps."""

    def __init__(
        self, scorer: Scorer, step: Callable[[], object], *, space: Space, rng: random.Random, seconds: float
    ) -> None:
        self.scorer, self.step, self.space, self.rng = scorer, step, space, rng
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        """Wall seconds left for choosing."""
        return agreed(self.end - time.monotonic())

    def accuracy(self, mixture: Mixture) -> float:
        """Accuracy on the search's validation half; batch-norm statistics come from its training half."""
        return self.scorer.accuracy(mixture)

    def train(self, steps: int) -> None:
        """Take `steps` more steps of the method."""
        for _ in range(steps):
            self.step()
