"""What every meta-learner is: parameters learned from many tasks, and a way to adapt to one of them.

A learner is a plug-in class with `Options` (a `LearnerOptions`). Those that learn from episodes extend
`EpisodicLearner` (`episodic.py`); those that need the classes of a whole dataset set `joint`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self, TypeAlias

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes, LearnerTraits, Options, RunError, UserError
from automl.learners.backbones import Backbone
from automl.learners.layouts import Tensors, linear

Predictor: TypeAlias = Callable[[Tensor], Tensor]  # inputs (Q, *shape) → logits (Q, ways) or values (Q,)


class LearnerOptions(Options):
    """The outer loop: Adam at `outer_rate`, or whatever the learner says instead.

    `decay`: meta-iterations over which the outer rate falls to zero by a cosine, before it starts anew
    (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983), so that a training that is continued
    learns; 0: it stays. `clip`: largest norm of the outer gradient (0: any). `formulation`: how the tasks
    of a meta-batch run, `auto` measures; `tasks_at_once` bounds the batched one (0: by memory).
    """

    outer_rate: float = Field(1e-3, gt=0)
    decay: int = Field(0, ge=0)
    clip: float = Field(0.0, ge=0)
    formulation: Literal["auto", "loop", "batched"] = "auto"
    tasks_at_once: int = Field(0, ge=0)


class Learner(LearnerTraits, ABC):
    """A meta-learner on a `backbone`; `ways` is 0 for regression; `seed` draws everything random.

    `kinds`: the kinds of tasks it can learn. `joint`: it learns from ordinary batches of all classes
    (`set_classes`, then `joint_step`) instead of episodes (`meta_step`). `trained_by_episodes`: false when
    it does not learn from episodes. `any_ways`: episodes may have other ways than it was made for.
    `adaptation_steps`: it adapts step by step, so that the error after 1,
    3, 5 steps means something. `formulation` says how the last call ran its tasks. Raises `UserError` for
    tasks it cannot learn.
    """

    Options: ClassVar[type[LearnerOptions]] = LearnerOptions
    trained_by_episodes: ClassVar[bool] = True
    joint: ClassVar[bool] = False

    def __init__(self, options: LearnerOptions, backbone: Backbone, *, ways: int, seed: int) -> None:
        if ways < 0 or ways == 1:
            raise UserError(f"ways must be at least 2, or 0 for regression, but got {ways}")
        kind = "classification" if ways else "regression"
        name = type(self).__module__.rpartition(".")[2]
        if kind not in self.kinds:
            raise UserError(
                f"the tasks of the learner {name} must be {' or '.join(sorted(self.kinds))}, but got {kind}; "
                "take another learner, or tasks of that kind"
            )
        self.options = options
        self.backbone = backbone
        self.ways = ways
        self.seed = seed
        self.iteration = 0
        self.formulation = "loop"
        self.generator = torch.Generator().manual_seed(seed)  # on the CPU: the same draws on every device
        self.parameters = {name: value.requires_grad_() for name, value in self.initial().items()}
        self.optimiser = self.make_optimiser()

    def initial(self) -> Tensors:
        """The parameters that the outer loop starts from: backbone and linear head."""
        return {**self.backbone.init(self.seed), **self.initial_head()}

    def initial_head(self) -> Tensors:
        """A linear layer of `ways` outputs (one for regression): weights from N(0, 1 / features), bias 0."""
        features, outputs = self.backbone.features, max(self.ways, 1)
        weight = torch.randn(outputs, features, generator=self.generator) / math.sqrt(features)
        return {"head.weight": weight, "head.bias": torch.zeros(outputs)}

    def make_optimiser(self) -> torch.optim.Optimizer:
        """The optimiser of the outer loop."""
        return torch.optim.Adam(self.parameters.values(), lr=self.options.outer_rate, fused=True)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(iter(self.parameters.values())).device

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move all parameters; before the first step or loading a state."""
        for value in self.parameters.values():
            value.data = value.data.to(device=device, dtype=dtype)
        return self

    def meta_step(self, episodes: Episodes) -> Tensor:
        """One update from a meta-batch. Gives the mean query loss before it, a detached scalar."""
        raise NotImplementedError(f"{type(self).__name__} learns by joint_step")

    def set_classes(self, classes: int) -> None:
        """Tell a `joint` learner how many classes there are (0: regression), before its first step."""
        raise NotImplementedError(f"{type(self).__name__} learns by meta_step")

    def joint_step(self, x: Tensor, y: Tensor) -> Tensor:
        """One update of a `joint` learner from inputs (n, *shape), targets (n,). Gives the loss before it."""
        raise NotImplementedError(f"{type(self).__name__} learns by meta_step")

    @abstractmethod
    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Adapt to one task from (S, *shape), (S,), by `steps` where it goes by steps; changes nothing."""

    def predict(self, episodes: Episodes, *, steps: int | None = None) -> Tensor:
        """Logits (T, Q, ways) or values (T, Q) of all queries, each task adapted to its support set."""
        support = zip(episodes.support_x, episodes.support_y, episodes.query_x, strict=True)
        return torch.stack([self.adapt(x, y, steps=steps)(query) for x, y, query in support])

    def outputs(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        """Logits (…, n, ways) or values (…, n) of the network with a linear head at `params`.

        `support_x`: the support set of which `x` is the query, for batch-norm statistics.
        """
        return self.head(params, self.backbone.embed(params, x, support_x))

    def head(self, params: Tensors, features: Tensor) -> Tensor:
        """Logits (…, n, ways) or values (…, n) of features (…, n, features)."""
        output = linear(features, params["head.weight"], params["head.bias"])
        return output if self.ways else output.squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy, or mean squared error, of each task: (…)."""
        if not self.ways:
            return functional.mse_loss(outputs, targets, reduction="none").mean(-1)
        flat = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
        return flat.reshape(targets.shape).mean(-1)

    def outer_step(self, gradients: Tensors) -> None:
        """Change the parameters by the outer optimiser at the present rate."""
        for name, value in self.parameters.items():
            # the fused optimisers of torch 2.13 pair values and gradients by place in memory, not by index
            value.grad = gradients[name].contiguous()
        if self.options.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.options.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.outer_rate()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.iteration += 1

    def outer_rate(self) -> float:
        """The outer rate at this iteration."""
        rate, decay = self.options.outer_rate, self.options.decay
        return rate * (1 + math.cos(math.pi * (self.iteration % decay) / decay)) / 2 if decay else rate

    def state_dict(self) -> dict[str, Any]:
        """Everything that a bit-for-bit continuation needs."""
        return {
            "parameters": {name: value.detach().clone() for name, value in self.parameters.items()},
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "iteration": self.iteration,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave. Raises `RunError` when it belongs to another learner."""
        if set(state["parameters"]) != set(self.parameters):
            raise RunError("the state of another learner or backbone cannot be loaded: start anew")
        for name, value in self.parameters.items():
            value.data = state["parameters"][name].to(value.device).clone()
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())
        self.iteration = state["iteration"]

    def take_exported(self, values: Tensors) -> None:
        """Become the learner whose `parameters_for_export` these are, as far as adapting goes."""
        for name, parameter in self.parameters.items():
            parameter.data = values[name].to(parameter.device)

    def parameters_for_export(self) -> Tensors:
        """The learned parameters by name, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.parameters.items()}
