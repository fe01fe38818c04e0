"""What weight-sharing methods have in common: a supernet, architecture parameters and their two optimisers.

A method is a plug-in class with `Options` (a `SearchOptions`) that extends `WeightSharing`. It may override
what a forward pass mixes (`mixture`), what is added to the validation loss of the architecture parameters
(`penalty`), how they are trained (`alpha_step`), and how a configuration is chosen after training (`select`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from automl.contracts import Config, MethodTraits, State
from automl.ranks.group import current
from automl.ranks.sharing import shared
from automl.space import Space
from automl.supernets.batch_norm import batch_norms, untracked
from automl.supernets.parts import (
    Batch as Batch,
)
from automl.supernets.parts import (
    Mixture as Mixture,
)
from automl.supernets.parts import (
    SearchOptions as SearchOptions,
)
from automl.supernets.parts import (
    Selection as Selection,
)
from automl.supernets.parts import (
    Step as Step,
)
from automl.supernets.parts import (
    Supernet as Supernet,
)
from automl.supernets.parts import (
    Tensors as Tensors,
)


class WeightSharing(MethodTraits):
    """A search that trains one supernet for all configurations of `space`; all randomness comes from `seed`.

    Class attributes: `Options` (`SearchOptions`), a subclass that adds the method's own; `selection` (0), the
    part of the search's time that `select` may take (see `automl.contracts.MethodTraits`).

    Attributes of an instance that other rooms read:

    - `architecture`: alpha (edges, operations) and a method's further parameters of that kind; a method may
      have none. They belong to their own optimiser only: a weight step does not change them, and an alpha
      step changes neither the weights nor the buffers of the supernet.
    - `active`: (edges, operations), bool, on the CPU: what a mixture by `strengths` computes.
    - `progress`: the part of the search, in [0, 1], that is done before the present step.
    - `selected`: numbers that describe what `select` did; they are recorded as metrics.
    """

    Options: ClassVar[type[SearchOptions]] = SearchOptions
    options: SearchOptions

    def __init__(self, options: SearchOptions, supernet: Supernet, *, space: Space, seed: int) -> None:
        self.options = options
        self.supernet = supernet
        self.space = space
        self.progress = 0.0
        self.selected: dict[str, float] = {}
        self.weights: dict[str, nn.Parameter] = dict(supernet.named_parameters())
        self.norms = batch_norms(self.module)
        sample = next(iter(self.weights.values()))
        self.device, self.dtype = sample.device, sample.dtype
        self.active = supernet.allowed(space)
        self.allowed = self.active.to(self.device)
        self.generator = torch.Generator().manual_seed(seed)  # on the CPU: the same draws on every device
        self.architecture = {name: self.parameter(start) for name, start in self.start().items()}
        self.weight_optimiser = torch.optim.SGD(
            self.weights.values(),
            lr=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
        self.alpha_optimiser = torch.optim.Adam(
            [{"params": list(self.architecture.values())}],  # an empty group is allowed, no group is not
            lr=options.alpha_rate,
            betas=(0.5, 0.999),
            weight_decay=options.alpha_decay,
        )

    @property
    def module(self) -> nn.Module:
        """The supernet as a torch module."""
        return cast(nn.Module, self.supernet)

    def start(self) -> Mapping[str, Tensor]:
        """Where the architecture parameters start: alpha at 1e-3 · N(0, 1)."""
        noise = torch.randn(self.active.shape, generator=self.generator, dtype=torch.float64)
        return {"alpha": 1e-3 * noise}

    def parameter(self, value: Tensor) -> Tensor:
        """An architecture parameter that starts at `value`."""
        return value.to(self.device, self.dtype).requires_grad_()

    @property
    def alpha(self) -> Tensor:
        """The architecture parameter that every operation of every edge has: (edges, operations)."""
        return self.architecture["alpha"]

    def alpha_step(self, train: Batch, validation: Batch) -> tuple[Tensor, Tensor]:
        """Change the architecture alone. Gives loss and logits on `validation` before the change.

        Here by Adam along ∇ (L_val(w, ·) + penalty) at the present weights w.
        """
        gradients, loss, logits = self.first_order(validation)
        self.descend(gradients)
        return loss, logits

    def first_order(self, validation: Batch) -> tuple[list[Tensor], Tensor, Tensor]:
        """∇ (L_val(w, ·) + penalty) for each architecture parameter, L_val, and the logits."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and bool(self.architecture)):
            logits = self.logits(None, validation[0])
            loss = functional.cross_entropy(logits, validation[1])
        return self.slopes(loss + self.penalty()), loss, logits

    def slopes(self, loss: Tensor) -> list[Tensor]:
        """The gradient of `loss` for each architecture parameter; zeros where it does not depend on it."""
        parameters = list(self.architecture.values())
        if not loss.requires_grad:
            return [torch.zeros_like(parameter) for parameter in parameters]
        return list(torch.autograd.grad(loss, parameters, materialize_grads=True))

    def descend(self, gradients: Sequence[Tensor]) -> None:
        """One step of Adam along these gradients of the architecture parameters."""
        for parameter, gradient in zip(self.architecture.values(), gradients, strict=True):
            parameter.grad = gradient
        self.alpha_optimiser.step()
        self.alpha_optimiser.zero_grad(set_to_none=True)

    def penalty(self) -> Tensor:
        """The scalar that is added to the validation loss of the architecture parameters."""
        return torch.zeros((), device=self.device, dtype=self.dtype)

    def strengths(self) -> Tensor:
        """Softmax of alpha over the allowed operations of each edge: (edges, operations), rows sum to 1."""
        return self.alpha.masked_fill(~self.allowed, -math.inf).softmax(1)

    def mixture(self) -> Mixture:
        """What the next forward pass mixes; methods that sample draw it at each call."""
        return Mixture(self.strengths(), self.active)

    def weight_mixture(self) -> Mixture:
        """What the forward pass of a weight step mixes."""
        return self.mixture()

    def rate(self) -> float:
        """The weights' learning rate: a cosine over the search."""
        low, high = self.options.minimum_rate, self.options.learning_rate
        return low + (high - low) / 2 * (1 + math.cos(math.pi * self.progress))

    def step(self, train: Batch, validation: Batch, progress: float) -> Step:
        """One alpha step and one weight step, at `progress` in [0, 1] of the search."""
        self.progress = min(progress, 1.0)
        for group in self.weight_optimiser.param_groups:
            group["lr"] = self.rate()
        self.supernet.train()
        validation_loss, logits = self.alpha_step(train, validation)
        accuracy = (logits.argmax(1) == validation[1]).float().mean()
        return Step(self.weight_step(train), validation_loss.detach(), accuracy)

    def weight_step(self, train: Batch) -> Tensor:
        """Change the weights alone, by the gradient of the training loss; gives that loss."""
        x, y = train
        with torch.no_grad():
            mixture = self.weight_mixture()
        loss = functional.cross_entropy(self.outputs(x, mixture), y)
        self.weight_optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.weights.values(), self.options.clip)
        self.weight_optimiser.step()
        return loss.detach()

    def logits(self, weights: Tensors | None, x: Tensor, mixture: Mixture | None = None) -> Tensor:
        """The supernet at `weights` (None: its own) and a mixture, in train mode; no buffer changes."""
        mixture = mixture or self.mixture()
        with untracked(self.norms):
            return self.outputs(x, mixture, weights)

    def outputs(self, x: Tensor, mixture: Mixture, weights: Tensors | None = None) -> Tensor:
        """Logits (n, classes) of images (n, C, H, W), which the ranks of the trial divide."""
        if weights is None and current().size > 1:
            weights = dict(self.weights)
        names = list(weights or ())

        def run(rows: Tensor, strengths: list[Tensor], values: list[Tensor]) -> Tensor:
            inputs = (rows, strengths[0], mixture.active)
            if not names:
                return self.supernet(*inputs)
            output: Tensor = functional_call(self.module, dict(zip(names, values, strict=True)), inputs)
            return output

        logits: Tensor = shared(run, x, [mixture.strengths], list((weights or {}).values()))
        return logits

    def loss(self, weights: Tensors, batch: Batch, mixture: Mixture | None = None) -> Tensor:
        """Cross-entropy on `batch` of the supernet at `weights` and a mixture."""
        return functional.cross_entropy(self.logits(weights, batch[0], mixture), batch[1])

    @torch.no_grad()
    def derive(self) -> Config:
        """The configuration that the present strengths stand for, by the space's rule."""
        return self.supernet.derive(self.strengths(), self.space)

    def select(self, selection: Selection) -> Config:
        """The configuration chosen after training; most methods derive it from their strengths."""
        return self.derive()

    def state_dict(self) -> State:
        """Supernet, architecture, both optimisers, the generator and the progress."""
        return {
            "supernet": self.supernet.state_dict(),
            "architecture": {name: value.detach() for name, value in self.architecture.items()},
            "weight_optimiser": self.weight_optimiser.state_dict(),
            "alpha_optimiser": self.alpha_optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "progress": self.progress,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from what `state_dict` gave."""
        self.supernet.load_state_dict(state["supernet"])
        with torch.no_grad():
            for name, value in self.architecture.items():
                value.copy_(state["architecture"][name])
        self.weight_optimiser.load_state_dict(state["weight_optimiser"])
        self.alpha_optimiser.load_state_dict(state["alpha_optimiser"])
        self.generator.set_state(state["generator"])
        self.progress = state["progress"]
