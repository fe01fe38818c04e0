"""Baselines that learn from ordinary batches of all meta-train classes together, and adapt what comes out.

`set_classes` says how many classes there are (0: regression), then `joint_step` trains backbone and a linear
head. Without `transductive`, batch norms adapt with running statistics of the training batches, as such
networks usually do; with it, with those of each set of inputs.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes
from automl.learners.episodic import EpisodicLearner
from automl.learners.layouts import Stats, Tensors
from automl.learners.metric import MetricLearner

MOMENTUM = 0.1  # of the running statistics


class JointLearner(EpisodicLearner):
    """A network with a head for all classes. Subclasses say how it adapts to a task."""

    trained_by_episodes: ClassVar[bool] = False
    joint: ClassVar[bool] = True

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.running: Stats = []  # mean and variance of each norm
        self.centre: Tensor | None = None  # running mean (F,) of the features

    def initial(self) -> Tensors:
        """The backbone; the head comes with `set_classes`."""
        return self.backbone.init(self.seed)

    def set_classes(self, classes: int) -> None:
        """A fresh linear head for this many classes (0: one value), and a fresh optimiser."""
        like, features = next(iter(self.parameters.values())), self.backbone.features
        outputs = max(classes, 1)
        weight = torch.randn(outputs, features, generator=self.generator) / math.sqrt(features)
        for name, value in (("head.weight", weight), ("head.bias", torch.zeros(outputs))):
            self.parameters[name] = value.to(like).requires_grad_()
        self.optimiser = self.make_optimiser()

    def joint_step(self, x: Tensor, y: Tensor) -> Tensor:
        """One update from inputs (n, *shape) and targets (n,), global labels or values. The loss before."""
        features, found = self.backbone.apply(self.parameters, x)
        loss = self.loss(self.head(self.parameters, features), y)
        gradients = torch.autograd.grad(loss, list(self.parameters.values()))
        self._remember(features.detach().mean(0), found)
        self.outer_step(dict(zip(self.parameters, gradients, strict=True)))
        return loss.detach()

    def task_losses(self, part: Episodes) -> Tensor:
        """There are none: classes of different tasks are told apart by `joint_step` alone."""
        raise NotImplementedError(f"{type(self).__name__} learns by joint_step")

    @torch.no_grad()
    def _remember(self, centre: Tensor, found: Stats) -> None:
        if self.centre is None:
            self.centre, self.running = centre, [(mean.detach(), var.detach()) for mean, var in found]
            return
        self.centre = torch.lerp(self.centre, centre, MOMENTUM)
        self.running = [
            (torch.lerp(old[0], new[0], MOMENTUM), torch.lerp(old[1], new[1], MOMENTUM))
            for old, new in zip(self.running, found, strict=True)
        ]

    def features(self, params: Tensors, x: Tensor) -> Tensor:
        """Features (…, n, F) of inputs (…, n, *shape) at shared parameters."""
        if not self.running:  # nobody to take statistics from but the inputs themselves
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

    def state_dict(self) -> dict[str, Any]:
        """Everything that a bit-for-bit continuation needs, the running statistics too."""
        return {**super().state_dict(), "running": list(self.running), "centre": self.centre}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave, with the head it has."""
        weight = state["parameters"].get("head.weight")
        if weight is not None:
            self.set_classes(len(weight))
        super().load_state_dict(state)
        self.running, self.centre = state["running"], state["centre"]
        self._move_statistics()

    def take_exported(self, values: Tensors) -> None:
        """Become the learner whose `parameters_for_export` these are, as far as adapting goes."""
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


class EmbeddingLearner(JointLearner, MetricLearner):
    """A joint embedding that stays as it is; only what is fitted to the features belongs to a task."""

    def encode_support(self, x: Tensor) -> tuple[Tensor, None]:
        """Features (…, S, F) of support inputs."""
        return self.features(self.parameters, x), None

    def encode_query(self, x: Tensor, stats: Stats | None) -> Tensor:
        """Features (…, Q, F) of query inputs."""
        return self.features(self.parameters, x)


def unit(features: Tensor) -> Tensor:
    """Features of length 1."""
    return functional.normalize(features, dim=-1)
