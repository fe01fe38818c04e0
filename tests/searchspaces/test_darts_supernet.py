"""The fast supernets against their readable definition: values, first and second derivatives, statistics."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from reference_supernet import reference
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from automl import plugins
from automl.contracts import UserError
from automl.layers import kernels, mixed, normalise
from automl.layers.darts_operations import Noise

torch.set_num_threads(1)
SPACES = ["darts", "robustdarts_s1", "robustdarts_s2", "robustdarts_s3", "robustdarts_s4", "nasbench201"]
SIZES: dict[str, Any] = {"channels": 4, "cells": 3}


@pytest.fixture(autouse=True)
def _repeatable_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms draw noise in an order of their own."""

    def forward(self: Noise, x: Tensor) -> Tensor:
        like = x[:, :, :: self.stride, :: self.stride]
        return torch.arange(like.numel(), dtype=x.dtype).sin().view(like.shape)

    monkeypatch.setattr(Noise, "forward", forward)


def build(space: str, shape: tuple[int, ...] = (3, 8, 8), **options: int) -> Any:
    torch.manual_seed(0)
    sizes = SIZES | ({"cells": 1} if space == "nasbench201" else {}) | options
    return plugins.load("spaces", space).supernet(shape, 5, **sizes)


def twins(space: str, dtype: torch.dtype, *inputs: Any, **options: int) -> tuple[Any, nn.Module, list[int]]:
    """A fast supernet, its reference with other memory, and where the first's parameters are in that."""
    fast = build(space, *inputs, **options).to(dtype)
    other = copy.deepcopy(fast)
    plain = reference(other)
    places = {id(weight): place for place, weight in enumerate(plain.parameters())}
    order = [places[id(weight)] for weight in other.parameters()]
    assert sorted(order) == list(range(len(places)))
    return fast.to(memory_format=torch.channels_last), plain, order


def batch(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, *shape, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(0, 5, (4,), generator=generator)


def softmax(fast: Any, space: str, alpha: Tensor, active: Tensor | None = None) -> Tensor:
    allowed = fast.allowed(plugins.load("spaces", space)) if active is None else active
    strengths = alpha.masked_fill(~allowed, -torch.inf).softmax(1)
    return strengths.nan_to_num(0.0)  # rows without any active operation


def derivatives(
    net: nn.Module, weights: list[Tensor], logits: Callable[[nn.Module], Tensor], y: Tensor, alpha: Tensor
) -> list[Tensor]:
    """Logits; gradients for alpha and weights; and those of ⟨weight gradients, v⟩ for a fixed v."""
    value = logits(net)
    loss = functional.cross_entropy(value, y)
    wanted = [alpha, *weights]
    first = torch.autograd.grad(loss, wanted, create_graph=True, materialize_grads=True)
    product = sum(
        (slope * (37 * weight.detach()).sin()).sum() for slope, weight in zip(first[1:], weights, strict=True)
    )
    second = torch.autograd.grad(product, wanted, materialize_grads=True)
    joined = [torch.cat([slope.flatten() for slope in slopes[1:]]) for slopes in (first, second)]
    return [value, first[0], joined[0], second[0], joined[1]]


def relative(a: Tensor, b: Tensor) -> float:
    return float((a.detach() - b.detach()).norm() / b.detach().norm())


def compare(
    space: str, dtype: torch.dtype, shape: tuple[int, ...] = (3, 8, 8), **options: Any
) -> list[float]:
    """Relative distances of the two forms, train mode and then evaluation with the statistics it left."""
    pick = options.pop("active", None)
    fast, plain, order = twins(space, dtype, shape, **options)
    active = None if pick is None else pick(fast)
    torch.manual_seed(2)
    alpha = torch.randn(len(fast.edges), len(fast.operations), dtype=dtype).requires_grad_()
    x, y = batch(shape, dtype)
    weights = list(plain.parameters())

    def logits(net: nn.Module) -> Tensor:
        value: Tensor = net(x, softmax(fast, space, alpha, active), active)
        return value

    here = derivatives(fast, list(fast.parameters()), logits, y, alpha)
    there = derivatives(plain, [weights[place] for place in order], logits, y, alpha)
    assert min(float(slope.detach().norm()) for slope in there) > 1e-6
    x = batch(shape, dtype, 2)[0]
    for net, seen in ((fast.eval(), here), (plain.eval(), there)):
        value = logits(net)
        seen += [value, *torch.autograd.grad(value.sin().sum(), alpha)]
    return [relative(one, other) for one, other in zip(here, there, strict=True)]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-2)], ids=str)
def test_equals_the_reference(space: str, dtype: torch.dtype, tolerance: float) -> None:
    """Outputs, weight and alpha gradients, second-order products; train and evaluation mode."""
    assert max(compare(space, dtype)) < tolerance


@pytest.mark.parametrize("space", ["robustdarts_s1", "nasbench201"])
@pytest.mark.parametrize(
    ("shape", "options"), [((1, 7, 9), {}), ((3, 8, 8), {"partial": 2}), ((1, 7, 5), {"partial": 4})]
)
def test_other_images_and_partial_channels(space: str, shape: tuple[int, ...], options: Any) -> None:
    assert max(compare(space, torch.float64, shape, **options)) < 1e-9


def some_of(fast: Any) -> Tensor:
    """Half of the operations, some edges without any, one node without any."""
    generator = torch.Generator().manual_seed(0)
    active = torch.rand(len(fast.edges), len(fast.operations), generator=generator) < 0.5
    active[fast.nodes[1]] = False
    space = "robustdarts_s1" if len(fast.edges) > 6 else "nasbench201"
    return active & fast.allowed(plugins.load("spaces", space))


@pytest.mark.parametrize("space", ["robustdarts_s1", "nasbench201"])
@pytest.mark.parametrize("partial", [1, 2])
def test_a_part_of_the_operations(space: str, partial: int) -> None:
    assert max(compare(space, torch.float64, active=some_of, partial=partial)) < 1e-9


@pytest.mark.parametrize("space", ["darts", "robustdarts_s1", "nasbench201"])
def test_a_path_is_computed_alone(space: str) -> None:
    """What is not on it is not called and gets no gradient, and whatever strengths it has do not matter."""
    plugin, fast = plugins.load("spaces", space), build(space)
    path = fast.path(plugin.sample(random.Random(3)))
    x, y = batch((3, 8, 8), torch.float32)
    logits = fast(x, path.float(), path)
    functional.cross_entropy(logits, y).backward()
    assert torch.allclose(logits, fast(x, path.float()), atol=1e-4)
    without = [name for name, weight in fast.named_parameters() if weight.grad is None]
    used = [name for name, weight in fast.named_parameters() if weight.grad is not None]
    assert without and {"stem.0.weight"} <= set(used)
    assert all("fans" in name for name in without)
    other = torch.where(path, 1.0, 7.0)
    assert torch.equal(fast(x, other, path), logits)


@pytest.mark.parametrize("space", ["darts", "nasbench201"])
def test_gradients_against_finite_differences(space: str) -> None:
    fast = build(space, (1, 4, 4), channels=2, cells=2 if space == "darts" else 1).double()
    x, y = batch((1, 4, 4), torch.float64)
    y = y % 5
    torch.manual_seed(4)
    strengths = torch.rand(len(fast.edges), len(fast.operations), dtype=torch.float64).requires_grad_()
    names = [name for name, _ in fast.named_parameters()]
    weights = dict(fast.named_parameters())
    chosen = [names[place] for place in range(1, len(names), len(names) // 6)]

    def loss(strengths: Tensor, *values: Tensor) -> Tensor:
        at = dict(zip(chosen, values, strict=True))
        return functional.cross_entropy(functional_call(fast, at, (x, strengths)), y)

    inputs = (strengths, *(weights[name].detach().clone().requires_grad_() for name in chosen))
    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True, eps=1e-7, atol=1e-5, rtol=1e-3)


def test_none_only_takes_part_in_the_softmax() -> None:
    fast = build("robustdarts_s3")
    x, _ = batch((3, 8, 8), torch.float32)
    strengths = torch.rand(len(fast.edges), len(fast.operations))
    logits = fast(x, strengths)
    strengths[:, fast.operations.index("none")] = 9
    assert torch.equal(fast(x, strengths), logits)


@pytest.mark.parametrize("space", ["darts", "nasbench201"])
def test_norms_have_statistics_and_no_parameters(space: str) -> None:
    norms = [layer for layer in build(space).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms and all(norm.weight is None and norm.running_mean is not None for norm in norms)


def test_partial_must_divide_the_channels() -> None:
    for space in ("darts", "nasbench201"):
        with pytest.raises(UserError, match="multiple of its partial"):
            build(space, partial=3)


@pytest.mark.parametrize("space", ["darts", "nasbench201"])
def test_noise_and_weights_come_from_the_seed(space: str) -> None:
    weights = [build(space).state_dict(), build(space).state_dict()]
    torch.manual_seed(1)
    other = plugins.load("spaces", space).supernet((3, 8, 8), 5, channels=4, cells=1)
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert not torch.equal(other.stem[0].weight, weights[0]["stem.0.weight"])


def test_the_form_for_other_devices_equals_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kernels, normalise, mixed):
        monkeypatch.setattr(module, "by_hand", lambda x: False)
    assert max(compare("robustdarts_s1", torch.float64)) < 1e-9


def test_autocast() -> None:
    fast = build("darts")
    x, y = batch((3, 8, 8), torch.float32)
    strengths = torch.full((len(fast.edges), len(fast.operations)), 0.125, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        logits = fast(x, strengths)
        loss = functional.cross_entropy(logits, y)
    (slope,) = torch.autograd.grad(loss, [strengths])
    assert logits.dtype == torch.bfloat16 and slope.dtype == torch.float32
    assert torch.isfinite(slope).all() and float(slope.norm()) > 0
    assert relative(logits.float(), fast(x, strengths)) < 0.1
