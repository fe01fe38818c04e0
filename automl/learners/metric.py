"""Learners that adapt in closed form: they embed the support set, fit something to it, and compare queries.

Nothing goes by steps and nothing depends on the number of ways, so training may take more ways than tests.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes, TaskKind
from automl.learners.base import Predictor
from automl.learners.episodic import EpisodicLearner
from automl.learners.layouts import Stats, Tensors
from automl.learners.parts import PartLearner


class MetricAdaptation(PartLearner):
    """Adaptation in closed form: `fit` something to an embedded support set, and compute `scores` of queries.

    The images of all tasks that run at once go through the network in one pass, each task with its own
    batch-norm statistics: those of its support set for both sets, or with `transductive` each set's own.
    """

    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    any_ways: ClassVar[bool] = True

    @abstractmethod
    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """What `scores` needs of support features (…, S, F) and targets (…, S)."""

    @abstractmethod
    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of query features (…, Q, F)."""

    def initial(self) -> Tensors:
        """The backbone."""
        return self.backbone.init(self.seed)

    def encode_support(self, x: Tensor) -> tuple[Tensor, Stats | None]:
        """Features (…, S, F) of support inputs, and the statistics for their queries (None: their own)."""
        features, stats = self._run(x, None)
        return features, stats or None

    def encode_query(self, x: Tensor, stats: Stats | None) -> Tensor:
        """Features (…, Q, F) of query inputs."""
        return self._run(x, stats)[0]

    def _run(self, x: Tensor, stats: Stats | None) -> tuple[Tensor, Stats]:
        single = x.dim() == len(self.backbone.shape) + 1
        run = self.backbone.apply if single else self.backbone.apply_shared
        return run(self.parameters, x, stats)

    def part_scores(self, part: Episodes) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries, differentiable in `parameters`."""
        support, stats = self.encode_support(part.support_x)
        fitted = self.fit(support, part.support_y, part.ways)
        return self.scores(fitted, self.encode_query(part.query_x, stats))

    @torch.no_grad()
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Logits (…, Q, ways) or values (…, Q) of the queries; nothing goes by `steps`."""
        return self.part_scores(part)

    @torch.no_grad()
    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Fit to one task from (S, *shape), (S,) with labels 0 … ways-1, however many; no `steps`."""
        support, stats = self.encode_support(support_x)
        fitted = self.fit(support, support_y, int(support_y.max()) + 1 if self.ways else 0)

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            return self.scores(fitted, self.encode_query(x, stats))

        return predict


class MetricLearner(MetricAdaptation, EpisodicLearner):
    """An embedding learned from episodes by the query loss of what is fitted to it."""

    def task_losses(self, part: Episodes) -> Tensor:
        """The query loss of each task."""
        return self.loss(self.part_scores(part), part.query_y)


def one_hot(labels: Tensor, ways: int, like: Tensor) -> Tensor:
    """Labels (…, S) as 0 and 1 (…, S, ways) in the type of `like`."""
    return functional.one_hot(labels, ways).to(like.dtype)


def class_means(features: Tensor, labels: Tensor, ways: int) -> Tensor:
    """Mean features (…, ways, F) of each class from (…, S, F) and labels (…, S)."""
    members = one_hot(labels, ways, features)
    return members.mT @ features / members.sum(-2).unsqueeze(-1)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖a_i − b_j‖² (…, n, m) of rows (…, n, F) and (…, m, F)."""
    cross = a @ b.mT
    return a.square().sum(-1).unsqueeze(-1) - 2 * cross + b.square().sum(-1).unsqueeze(-2)
