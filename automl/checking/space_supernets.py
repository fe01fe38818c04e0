"""Checks of the supernet that a space builds (see `automl.supernets.base.Supernet`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.checking.frame import Check
from automl.space import Choice, Space

NONE, NOISE = "none", "noise"  # operations without a gradient, and without repeatable values


def checks(space: Space) -> Iterator[Check]:
    """What weight-sharing methods rely on."""
    rules: dict[str, Callable[[Space], None]] = {
        "a supernet names its edges, operations, nodes and skip rows": _described,
        "a supernet derives valid configurations": _derives,
        "a supernet mixes exactly the operations of the space": _mixes,
        "what is not active adds nothing": _inactive,
        "a supernet normalises without a learned scale and keeps statistics": _normalises,
        "a supernet can compute part of its channels": _partial,
    }
    for name, rule in rules.items():
        yield Check(name, lambda rule=rule: rule(space))  # type: ignore[misc]


def _supernet(space: Space, **size: int) -> Any:
    torch.manual_seed(0)
    if space.supernet is None:
        raise ValueError("the space builds no supernets")
    return space.supernet((1, 8, 8), 3, **{"channels": 4, "cells": 3, **size})


def _labelled() -> tuple[Tensor, Tensor]:
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return x, torch.tensor([0, 1, 2, 0])


def _narrowed(space: Space) -> list[Space]:
    """The space, and the space with each of a few choices held at one option."""
    choices = {key: value for key, value in space.parameters.items() if isinstance(value, Choice)}
    return [space, space.fix({key: choices[key].options[-1] for key in list(choices)[::3]})]


def _described(space: Space) -> None:
    net = _supernet(space, channels=2, cells=1)
    rows = range(len(net.edges))
    assert len(set(net.edges)) == len(rows), f"edges must differ, but are {net.edges}"
    assert len(set(net.operations)) == len(net.operations), f"operations must differ: {net.operations}"
    in_nodes = sorted(row for node in net.nodes for row in node)
    assert in_nodes == list(rows), f"nodes must hold every row once, but hold {in_nodes} of {len(rows)}"
    assert set(net.skip_rows) <= set(rows), f"skip_rows must be rows, but are {net.skip_rows}"
    for part in _narrowed(space):
        allowed = net.allowed(part)
        assert allowed.dtype == torch.bool and allowed.device.type == "cpu", "allowed must be bool on the CPU"
        expected = (len(rows), len(net.operations))
        assert allowed.shape == expected, f"allowed must have the shape {expected}, but has {allowed.shape}"
        assert allowed.any(1).all(), "every edge must be allowed an operation, but one has none"


def _derives(space: Space) -> None:
    net = _supernet(space, channels=2, cells=1)
    generator, rng = torch.Generator().manual_seed(0), random.Random(0)
    for part in _narrowed(space):
        allowed = net.allowed(part)
        for _ in range(5):
            derived = net.derive(torch.rand(allowed.shape, generator=generator), part)
            part.check(derived)
            outside = net.path(derived) & ~allowed
            assert not outside.any(), f"derived {derived} must be made of allowed operations, but is not"
            config = part.sample(rng)
            if NONE not in config.values():  # which is never derived
                again = net.derive(net.path(config).float(), part)
                assert again == config, f"the path of {config} must derive it again, but derives {again}"


def _mixes(space: Space) -> None:
    net = _supernet(space)
    allowed = net.allowed(space)
    strengths = (allowed / allowed.sum(1, keepdim=True)).requires_grad_()
    x, y = _labelled()
    slopes = torch.autograd.grad(
        functional.cross_entropy(net(x, strengths), y), [strengths, *net.parameters()]
    )
    for (name, _), slope in zip(net.named_parameters(), slopes[1:], strict=True):
        assert torch.isfinite(slope).all() and slope.any(), f"{name} must get a finite gradient, not zero"
    mixed = allowed & torch.tensor([operation != NONE for operation in net.operations])
    wrong = ((slopes[0] != 0) != mixed).nonzero().tolist()
    assert not wrong, f"strengths of allowed operations alone must get a gradient, but wrong are {wrong}"


def _inactive(space: Space) -> None:
    net = _supernet(space, cells=1)
    path = net.path(space.sample(random.Random(1)))
    x, y = _labelled()
    logits, slopes = [], []
    for off in (0.0, 7.0):
        strengths = torch.where(path, 1.0, off).requires_grad_()
        torch.manual_seed(0)
        logits.append(net(x, strengths, path))
        slopes.append(torch.autograd.grad(functional.cross_entropy(logits[-1], y), [strengths])[0])
        assert not slopes[-1][~path].any(), "operations off the path must get no gradient, but some do"
    assert torch.equal(*logits), "logits must not depend on strengths off the path, but do"
    assert torch.equal(*slopes), "gradients must not depend on strengths off the path, but do"


def _normalises(space: Space) -> None:
    net = _supernet(space, cells=1)
    norms = [part for part in net.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        kept = norm.track_running_stats and norm.weight is None
        assert kept, f"a norm must keep statistics and have no scale (affine=False), but got {norm}"
    allowed = net.allowed(space)
    strengths = allowed / allowed.sum(1, keepdim=True)
    x = _labelled()[0]
    net(x, strengths)
    net.eval()
    alone, together = net(x[:1], strengths), net(x, strengths)[:1]
    if NOISE not in net.operations:
        same = torch.allclose(alone, together, atol=1e-5)
        assert same, "in evaluation an image's logits must not depend on its batch, but do"


def _partial(space: Space) -> None:
    def weights(net: Any) -> int:
        return sum(weight.numel() for weight in net.parameters())

    whole, part = _supernet(space), _supernet(space, partial=2)
    assert weights(part) < weights(whole), "partial=2 must leave fewer weights, but does not"
    allowed = part.allowed(space)
    logits = part(_labelled()[0], allowed / allowed.sum(1, keepdim=True))
    assert logits.shape == (4, 3) and torch.isfinite(logits).all(), "partial=2 must give finite (4, 3) logits"
