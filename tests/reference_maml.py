"""MAML as it is usually written: one task after the other, plain layers, autograd through the inner steps.

Tests compare gradients with it, benchmarks compare times.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl.contracts import Episodes

Params = dict[str, Tensor]


def network(params: Params, x: Tensor) -> Tensor:
    """Logits or values of `mlp` or `conv4` (batch statistics of `x`) with a linear head."""
    if "0.scale" in params:
        for block in range(4):
            x = functional.conv2d(x, params[f"{block}.weight"], padding=1)
            scale, shift = params[f"{block}.scale"], params[f"{block}.shift"]
            x = functional.relu(functional.batch_norm(x, None, None, scale, shift, training=True))
            if min(x.shape[2:]) > 1:
                x = functional.max_pool2d(x, 2)
    else:
        for layer in range(2):
            x = functional.relu(
                functional.linear(x.flatten(1), params[f"{layer}.weight"], params[f"{layer}.bias"])
            )
    return functional.linear(x.flatten(1), params["head.weight"], params["head.bias"])


def loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of labels, mean squared error of floats."""
    if y.is_floating_point():
        return functional.mse_loss(outputs.squeeze(1), y)
    return functional.cross_entropy(outputs, y)


def query_loss(
    params: Params,
    task: tuple[Tensor, ...],
    *,
    rate: float,
    steps: int,
    second: bool,
    adapted: list[str] | None = None,
) -> Tensor:
    """L_query of one task after `steps` of gradient descent on its support set."""
    support_x, support_y, query_x, query_y = task
    names = adapted or list(params)
    for _ in range(steps):
        inner = loss(network(params, support_x), support_y)
        gradients = torch.autograd.grad(inner, [params[name] for name in names], create_graph=second)
        params = params | {name: params[name] - rate * g for name, g in zip(names, gradients, strict=True)}
    return loss(network(params, query_x), query_y)


def meta_gradient(
    params: Params,
    episodes: Episodes,
    *,
    rate: float,
    steps: int,
    second: bool,
    adapted: list[str] | None = None,
) -> tuple[Tensor, Params]:
    """Mean of `query_loss` over the tasks, and its gradient."""
    total = torch.zeros((), device=episodes.support_x.device)
    tasks = zip(episodes.support_x, episodes.support_y, episodes.query_x, episodes.query_y, strict=True)
    for task in tasks:
        total = total + query_loss(params, task, rate=rate, steps=steps, second=second, adapted=adapted)
    mean = total / len(episodes)
    gradients = torch.autograd.grad(mean, list(params.values()))
    return mean.detach(), dict(zip(params, gradients, strict=True))
