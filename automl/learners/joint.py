"""Learners that learn from ordinary batches of all meta-train classes together, and adapt the result.

`set_classes` makes a linear head for all classes, `joint_step` trains it with the backbone. For adaptation,
batch norms use running statistics of the training batches, as such networks usually do; if `transductive`,
those of each set of inputs.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from automl.learners.backbones import Backbone
from automl.learners.base import LearnerOptions, LearnerState, TaskSource
from automl.learners.layouts import Stats, Tensors
from automl.learners.metric import MetricAdaptation
from automl.learners.parts import PartLearner
from automl.ranks.sharing import shared

MOMENTUM = 0.1  # of the running statistics


class JointLearner(PartLearner):
    """A network with a head for all classes. Subclasses say how it adapts to a task."""

    def __init__(self, options: LearnerOptions, backbone: Backbone, *, ways: int, seed: int) -> None:
        super().__init__(options, backbone, ways=ways, seed=seed)
        self.running: Stats = []  # mean and variance of each norm
        self.centre: Tensor | None = None  # running mean (F,) of the features

    def initial(self) -> Tensors:
        """The backbone; the head comes with `set_classes`."""
        return self.backbone.init(self.seed)

    def begin(self, source: TaskSource) -> None:
        """Make the head for the classes of `source`."""
        self.set_classes(source.classes)

    def learn(self, source: TaskSource) -> Tensor:
        """One update from the next ordinary batch. Returns the loss before it."""
        return self.joint_step(*source.examples())

    def set_classes(self, classes: int) -> None:
        """A fresh linear head for this many classes (0: one value), and a fresh optimiser."""
        like, features = next(iter(self.parameters.values())), self.backbone.features
        outputs = max(classes, 1)
        weight = torch.randn(outputs, features, generator=self.generator) / math.sqrt(features)
        for name, value in (("head.weight", weight), ("head.bias", torch.zeros(outputs))):
            self.parameters[name] = value.to(like).requires_grad_()
        self.optimiser = self.make_optimiser()

    def joint_step(self, x: Tensor, y: Tensor) -> Tensor:
        """One update from inputs (n, *shape) and targets (n,), classes or values. Returns the loss before."""
        statistics: Stats = []

        def run(rows: Tensor, values: list[Tensor]) -> Tensor:
            params = dict(zip(self.backbone.names, values, strict=True))
            features, found = self.backbone.apply(params, rows)
            statistics.extend(found)
            return features

        features = shared(run, x, [self.parameters[name] for name in self.backbone.names])
        loss = self.loss(self.head(self.parameters, features), y)
        gradients = torch.autograd.grad(loss, list(self.parameters.values()))
        self._remember(features.detach().mean(0), statistics)
        self.outer_step(dict(zip(self.parameters, gradients, strict=True)))
        return loss.detach()

    @torch.no_grad()
    def _remember(self, centre: Tensor, statistics: Stats) -> None:
        if self.centre is None:
            self.centre, self.running = centre, [(mean.detach(), var.detach()) for mean, var in statistics]
            return
        self.centre = torch.lerp(self.centre, centre, MOMENTUM)
        self.running = [
            (torch.lerp(old[0], new[0], MOMENTUM), torch.lerp(old[1], new[1], MOMENTUM))
            for old, new in zip(self.running, statistics, strict=True)
        ]

    def features(self, params: Tensors, x: Tensor) -> Tensor:
        """Features (…, n, F) of inputs (…, n, *shape) at shared parameters."""
        if not self.running:  # the inputs' own statistics are the only ones
            return self.backbone.embed(params, x)
        ahead = x.shape[: x.dim() - len(self.backbone.shape)]
        flat = x.reshape(-1, *self.backbone.shape)
        return self.backbone.apply(params, flat, self.running)[0].reshape(*ahead, -1)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move everything; before the first step or loading a state."""
        super().to(device, dtype)
        self._move_statistics()
        return self

    def _move_statistics(self) -> None:
        like = next(iter(self.parameters.values()))
        self.running = [(mean.to(like), variance.to(like)) for mean, variance in self.running]
        self.centre = None if self.centre is None else self.centre.to(like)

    def state_dict(self) -> LearnerState:
        """Everything that a bit-for-bit continuation needs, the running statistics too."""
        state = super().state_dict()
        state["running"], state["centre"] = list(self.running), self.centre
        return state

    def load_state_dict(self, state: LearnerState) -> None:
        """Continue from a state of `state_dict`, with its head."""
        weight = state["parameters"].get("head.weight")
        if weight is not None:
            self.set_classes(len(weight))
        super().load_state_dict(state)
        self.running, self.centre = state["running"], state["centre"]
        self._move_statistics()

    def take_exported(self, values: Tensors) -> None:
        """Load exported parameters (adaptation only)."""
        if "head.weight" in values:
            self.set_classes(len(values["head.weight"]))
        super().take_exported(values)
        self.centre = values.get("centre")
        norms = sum(name.startswith("statistics.") for name in values) // 2
        self.running = [
            (values[f"statistics.{number}.mean"], values[f"statistics.{number}.variance"])
            for number in range(norms)
        ]
        self._move_statistics()

    def parameters_for_export(self) -> Tensors:
        """Parameters, and `statistics.<norm>.mean`, `.variance` and `centre` if there are any, on the CPU."""
        statistics = {} if self.centre is None else {"centre": self.centre.cpu()}
        for number, (mean, variance) in enumerate(self.running):
            statistics |= {
                f"statistics.{number}.mean": mean.cpu(),
                f"statistics.{number}.variance": variance.cpu(),
            }
        return super().parameters_for_export() | statistics


class EmbeddingLearner(JointLearner, MetricAdaptation):
    """A joint embedding, which adaptation does not change: a task fits something to its features."""

    def encode_support(self, x: Tensor) -> tuple[Tensor, None]:
        """Features (…, S, F) of support inputs."""
        return self.features(self.parameters, x), None

    def encode_query(self, x: Tensor, stats: Stats | None) -> Tensor:
        """Features (…, Q, F) of query inputs."""
        return self.features(self.parameters, x)


def unit(features: Tensor) -> Tensor:
    """Features of length 1."""
    return functional.normalize(features, dim=-1)
