"""What weight-sharing methods have in common: a supernet, architecture parameters and their two optimisers.

A method is a plug-in class with `Options` (a `SearchOptions`) that extends `WeightSharing` by `alpha_step`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from automl import contracts
from automl.contracts import Config

Batch: TypeAlias = tuple[Tensor, Tensor]  # images (n, C, H, W), labels (n,)
Tensors: TypeAlias = dict[str, Tensor]


class SearchOptions(contracts.Options):
    """How weights (SGD, cosine schedule) and architecture parameters (Adam) are trained (Liu et al. 2019)."""

    learning_rate: float = Field(0.025, gt=0)
    minimum_rate: float = Field(0.001, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(3e-4, ge=0)
    clip: float = Field(5.0, gt=0)
    alpha_rate: float = Field(3e-4, gt=0)
    alpha_decay: float = Field(1e-3, ge=0)


@dataclass(frozen=True)
class Step:
    """One step: losses and accuracy of the supernet on its two batches, each a scalar tensor."""

    train_loss: Tensor
    validation_loss: Tensor
    validation_accuracy: Tensor


class WeightSharing(ABC):
    """A search that trains one supernet for all configurations.

    `supernet` holds the weights and names `edges` and `operations`; `allowed` (edges,
    operations) is true where the space has the operation; `seed` draws alpha. Alpha belongs
    to its own optimiser only: weight steps leave it bit for bit as it is, and alpha steps the weights
    and all buffers of the supernet.
    """

    Options: ClassVar[type[SearchOptions]] = SearchOptions

    def __init__(self, options: SearchOptions, supernet: Any, *, allowed: Tensor, seed: int) -> None:
        self.options = options
        self.supernet = supernet
        self.weights: dict[str, nn.Parameter] = dict(supernet.named_parameters())
        sample = next(iter(self.weights.values()))
        generator = torch.Generator().manual_seed(seed)
        noise = 1e-3 * torch.randn(allowed.shape, generator=generator, dtype=torch.float64)
        self.alpha = noise.to(sample.device, sample.dtype).requires_grad_()
        self.allowed = allowed.to(sample.device)
        self.weight_optimiser = torch.optim.SGD(
            self.weights.values(),
            lr=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
        self.alpha_optimiser = torch.optim.Adam(
            [self.alpha], lr=options.alpha_rate, betas=(0.5, 0.999), weight_decay=options.alpha_decay
        )

    @abstractmethod
    def alpha_step(self, train: Batch, validation: Batch) -> tuple[Tensor, Tensor]:
        """Change alpha alone. Gives loss and logits on `validation` before the change."""

    def strengths(self) -> Tensor:
        """Softmax of alpha over the allowed operations of each edge: (edges, operations), rows sum to 1."""
        return self.alpha.masked_fill(~self.allowed, -math.inf).softmax(1)

    def step(self, train: Batch, validation: Batch, progress: float) -> Step:
        """One alpha step and one weight step, at `progress` in [0, 1] of the search."""
        low, high = self.options.minimum_rate, self.options.learning_rate
        for group in self.weight_optimiser.param_groups:
            group["lr"] = low + (high - low) / 2 * (1 + math.cos(math.pi * min(progress, 1.0)))
        self.supernet.train()
        validation_loss, logits = self.alpha_step(train, validation)
        accuracy = (logits.argmax(1) == validation[1]).float().mean()
        return Step(self.weight_step(train), validation_loss.detach(), accuracy)

    def weight_step(self, train: Batch) -> Tensor:
        """Change the weights alone, by the gradient of the training loss; gives that loss."""
        x, y = train
        loss = functional.cross_entropy(self.supernet(x, self.strengths().detach()), y)
        self.weight_optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.weights.values(), self.options.clip)
        self.weight_optimiser.step()
        return loss.detach()

    def logits(self, weights: Tensors, x: Tensor) -> Tensor:
        """The supernet at `weights` and the present alpha; its own weights and buffers stay as they are."""
        buffers = {name: buffer.clone() for name, buffer in self.supernet.named_buffers()}
        output: Tensor = functional_call(self.supernet, (weights, buffers), (x, self.strengths()))
        return output

    def loss(self, weights: Tensors, batch: Batch) -> Tensor:
        """Cross-entropy on `batch` of the supernet at `weights` and the present alpha."""
        return functional.cross_entropy(self.logits(weights, batch[0]), batch[1])

    @torch.no_grad()
    def derive(self) -> Config:
        """The strongest allowed operation of each edge; `none` only where nothing else is allowed."""
        strengths = self.strengths()
        operations = self.supernet.operations
        if "none" in operations:
            none = operations.index("none")
            strengths[:, none] -= 2  # below every strength, above what is not allowed
        chosen = strengths.masked_fill(~self.allowed, -math.inf).argmax(1).tolist()
        return {edge: operations[index] for edge, index in zip(self.supernet.edges, chosen, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """Supernet, alpha and both optimisers."""
        return {
            "supernet": self.supernet.state_dict(),
            "alpha": self.alpha.detach(),
            "weight_optimiser": self.weight_optimiser.state_dict(),
            "alpha_optimiser": self.alpha_optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self.supernet.load_state_dict(state["supernet"])
        with torch.no_grad():
            self.alpha.copy_(state["alpha"])
        self.weight_optimiser.load_state_dict(state["weight_optimiser"])
        self.alpha_optimiser.load_state_dict(state["alpha_optimiser"])
