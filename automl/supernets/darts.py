"""DARTS: one supernet whose operations are mixed by a softmax of alpha, trained by gradient descent.

Liu, Simonyan & Yang 2019, https://arxiv.org/abs/1806.09055. The weights w descend on L_train, alpha on L_val
(another half of the training data) at the weights of one step ahead:

    w' = w − η (μ · momentum buffer + ∇_w L_train(w, α) + λ w)
    ∇_α L_val(w', α) − η ∇²_{α,w} L_train(w, α) · v      with v = ∇_{w'} L_val(w', α)

Order 1 takes η = 0: ∇_α L_val(w, α). α stands for every architecture parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from automl.supernets.base import Batch, SearchOptions, Tensors, WeightSharing

RADIUS = 0.01  # R = 0.01 / ‖v‖, section 2.3 of the paper


class DartsOptions(SearchOptions):
    """`hvp`: how order 2 gets ∇²_{α,w} L_train · v; finite differences drown in float32's rounding."""

    order: Literal[1, 2] = 1
    hvp: Literal["exact", "finite_difference"] = "exact"


class Darts(WeightSharing):
    """Differentiable architecture search, first and second order."""

    Options: ClassVar[type[SearchOptions]] = DartsOptions
    options: DartsOptions

    def alpha_step(self, train: Batch, validation: Batch) -> tuple[Tensor, Tensor]:
        """Change the architecture alone. Gives loss and logits on `validation` before the change."""
        if self.options.order == 1:
            return super().alpha_step(train, validation)
        gradients, loss, logits = self.second_order(train, validation)
        self.descend(gradients)
        return loss, logits

    def second_order(self, train: Batch, validation: Batch) -> tuple[list[Tensor], Tensor, Tensor]:
        """∇_α L_val(w'(α), α), and loss and logits at w'."""
        exact, alphas = self.options.hvp == "exact", list(self.architecture.values())
        weights: Tensors = {name: w.detach().requires_grad_() for name, w in self.weights.items()}
        slopes = torch.autograd.grad(
            self.loss(weights, train), list(weights.values()), create_graph=exact, materialize_grads=True
        )
        ahead = self.ahead([slope.detach() for slope in slopes])
        logits = self.logits(ahead, validation[0])
        loss = functional.cross_entropy(logits, validation[1])
        both = torch.autograd.grad(loss + self.penalty(), [*alphas, *ahead.values()], materialize_grads=True)
        direct, v = both[: len(alphas)], list(both[len(alphas) :])
        if exact:
            used = [(slope, part) for slope, part in zip(slopes, v, strict=True) if slope.requires_grad]
            mixed: Sequence[Tensor] = torch.autograd.grad(
                [slope for slope, _ in used], alphas, [part for _, part in used], materialize_grads=True
            )
        else:
            mixed = self.finite_difference(v, train)
        rate: float = self.weight_optimiser.param_groups[0]["lr"]
        return [one - rate * other for one, other in zip(direct, mixed, strict=True)], loss, logits

    def ahead(self, slopes: list[Tensor]) -> Tensors:
        """One step ahead, w' = w − η (μ · buffer + ∇_w L_train + λ w) with `slopes` = ∇_w L_train."""
        group = self.weight_optimiser.param_groups[0]
        ahead: Tensors = {}
        for (name, parameter), slope in zip(self.weights.items(), slopes, strict=True):
            w = parameter.detach()
            move = slope + group["weight_decay"] * w
            buffer = self.weight_optimiser.state[parameter].get("momentum_buffer")
            if buffer is not None:
                move = move + group["momentum"] * buffer
            ahead[name] = (w - group["lr"] * move).requires_grad_()
        return ahead

    def finite_difference(self, v: Sequence[Tensor], train: Batch) -> Sequence[Tensor]:
        """(∇_α L_train(w + R v, α) − ∇_α L_train(w − R v, α)) / 2R."""
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(part) for part in v]))
        radius = RADIUS / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        slopes: list[list[Tensor]] = []
        for sign in (1, -1):
            moved = {
                name: w.detach() + sign * radius * part
                for (name, w), part in zip(self.weights.items(), v, strict=True)
            }
            slopes.append(self.slopes(self.loss(moved, train)))
        return [(high - low) / (2 * radius) for high, low in zip(*slopes, strict=True)]


PLUGIN = Darts
