"""The contract of meta-learners: parameters learned from many tasks, and a way to adapt to one of them.

A plug-in extends one of two bases: `EpisodicLearner` (`episodic.py`) learns from episodes, `JointLearner`
(`joint.py`) from ordinary batches of all classes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NotRequired, Protocol, Self, TypeAlias, TypedDict

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes, LearnerTraits, Options, RunError, UserError
from automl.learners.backbones import Backbone
from automl.learners.layouts import Stats, Tensors, linear

Predictor: TypeAlias = Callable[[Tensor], Tensor]  # inputs (Q, *shape) → logits (Q, ways) or values (Q,)


class LearnerOptions(Options):
    """The outer loop: Adam at `outer_rate`, unless the learner has another optimiser.

    `decay`: meta-iterations over which the outer rate falls to zero by a cosine; then it starts again
    (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983), so that a continued training still
    learns. 0: the rate is constant. `clip`: largest norm of the outer gradient (0: no limit).
    `formulation`: how the tasks of a meta-batch run, `auto` measures; `tasks_at_once` limits the batched
    one (0: by memory).
    """

    outer_rate: float = Field(1e-3, gt=0)
    decay: int = Field(0, ge=0)
    clip: float = Field(0.0, ge=0)
    formulation: Literal["auto", "loop", "batched"] = "auto"
    tasks_at_once: int = Field(0, ge=0)


class TaskSource(Protocol):
    """The training part of few-shot tasks, as a learner takes from it."""

    @property
    def classes(self) -> int:
        """How many classes the part has; 0 for regression."""

    def episodes(self) -> Episodes:
        """The next meta-batch."""

    def examples(self) -> tuple[Tensor, Tensor]:
        """The next ordinary batch: inputs (n, *shape), and classes of the part or values (n,)."""


class LearnerState(TypedDict):
    """A learner in the middle of its training; the last three are there for those that have them."""

    parameters: Tensors
    optimiser: dict[str, Any]
    generator: Tensor
    iteration: int
    chosen: NotRequired[dict[str, int]]
    running: NotRequired[Stats]
    centre: NotRequired[Tensor | None]


class Learner(LearnerTraits, ABC):
    """A meta-learner on a `backbone`; `ways` is 0 for regression; `seed` determines all random draws.

    A plug-in extends `EpisodicLearner` or `JointLearner`, mostly by one of their children, which also say
    how it adapts: `MetricLearner` (closed form), `InnerLoopLearner` or `UnrolledLearner` (gradient steps),
    `EmbeddingLearner` (joint training, closed form). It is made as `PLUGIN(options, backbone, ways=…,
    seed=…)` and raises `UserError` for tasks that it cannot learn.

    Class attributes, in addition to those of `LearnerTraits`:

    - `Options`: a `LearnerOptions`.
    - `example_options` (none): small options with which the checks of this contract make it.

    Attributes: `parameters`, the learned tensors by name; `formulation`, how the last call ran its tasks;
    `update_formulation`, the same of the last `learn` (None: it did not run by tasks).

    What must hold, on every backbone that suits the task:

    - `learn` lowers the loss when the same tasks come again, and counts `iteration`.
    - Equal seeds give equal parameters and equal learning, other seeds give other parameters; random numbers
      come from `generator` alone.
    - A learner with the `state_dict` of another one continues like it, bit for bit; a state consists of
      tensors and plain values.
    - Adaptation uses the support set alone, in any order, and changes nothing. `predict` gives the outputs
      of `adapt` for many tasks; they are finite and carry no gradient.
    - A learner that takes the exported parameters of another one adapts like it.
    """

    Options: ClassVar[type[LearnerOptions]] = LearnerOptions
    example_options: ClassVar[Mapping[str, Any]] = {}

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
        self.update_formulation: str | None = None
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

    def begin(self, source: TaskSource) -> None:
        """Called once, before `learn` and before a state is loaded, with what it will learn from."""
        return

    @abstractmethod
    def learn(self, source: TaskSource) -> Tensor:
        """One update from what `source` gives next. Returns the mean loss before it, a detached scalar."""

    @abstractmethod
    def adapt(self, support_x: Tensor, support_y: Tensor, *, steps: int | None = None) -> Predictor:
        """Adapt to one task from (S, *shape), (S,), by `steps` if it adapts in steps; changes nothing."""

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

    def state_dict(self) -> LearnerState:
        """Everything that a bit-for-bit continuation needs."""
        return {
            "parameters": {name: value.detach().clone() for name, value in self.parameters.items()},
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "iteration": self.iteration,
        }

    def load_state_dict(self, state: LearnerState) -> None:
        """Continue from a state of `state_dict`. Raises `RunError` when it belongs to another learner."""
        if set(state["parameters"]) != set(self.parameters):
            raise RunError("the state of another learner or backbone cannot be loaded: start a new training")
        for name, value in self.parameters.items():
            value.data = state["parameters"][name].to(value.device).clone()
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())
        self.iteration = state["iteration"]

    def take_exported(self, values: Tensors) -> None:
        """Load exported parameters (adaptation only)."""
        for name, parameter in self.parameters.items():
            parameter.data = values[name].to(parameter.device)

    def parameters_for_export(self) -> Tensors:
        """The learned parameters by name, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.parameters.items()}
