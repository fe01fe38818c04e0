"""DARTS against finite differences of the true bilevel objective, and what each step must leave alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from toy_supernet import SPACE, Batch, Batches, Toy, batch, build, numeric, set_alpha, snapshot

from automl.supernets.base import Mixture, Tensors
from automl.supernets.darts import Darts, DartsOptions


def make(seed: int = 0, dtype: torch.dtype = torch.float64, **options: Any) -> Darts:
    return build(Darts, seed, dtype, **options)


def trained(method: type[Darts] = Darts, **options: Any) -> tuple[Darts, Batches]:
    """A search with momentum in its buffers and alpha away from the origin."""
    darts = build(method, learning_rate=0.1, alpha_rate=0.1, weight_decay=0.01, **options)
    batches = (batch(1), batch(2))
    for _ in range(3):
        darts.step(*batches, progress=0.0)
    return darts, batches


def bilevel(darts: Darts, architecture: Tensors, batches: Batches, rate: float) -> float:
    """L_val(w'(α), α), written out plainly."""
    train, validation = batches
    group = darts.weight_optimiser.param_groups[0]
    weights = {name: w.detach().clone().requires_grad_() for name, w in darts.weights.items()}
    buffers = {name: value.clone() for name, value in darts.supernet.named_buffers()}
    strengths = architecture["alpha"].softmax(1) * architecture.get("beta", torch.ones(3, 1))

    def loss(at: Tensors, data: Batch) -> Tensor:
        logits = functional_call(darts.supernet, (at, buffers), (data[0], strengths))
        return functional.cross_entropy(logits, data[1])

    slopes = torch.autograd.grad(loss(weights, train), list(weights.values()))
    ahead = {}
    for (name, w), slope in zip(weights.items(), slopes, strict=True):
        buffer = darts.weight_optimiser.state[darts.weights[name]]["momentum_buffer"]
        ahead[name] = w.detach() - rate * (
            group["momentum"] * buffer + slope + group["weight_decay"] * w.detach()
        )
    return float(loss(ahead, validation))


def central_differences(darts: Darts, batches: Batches, rate: float) -> list[Tensor]:
    at = {name: value.detach() for name, value in darts.architecture.items()}
    return [
        numeric(lambda moved, name=name: bilevel(darts, {**at, name: moved}, batches, rate), value)
        for name, value in at.items()
    ]


class Weighted(Darts):
    """DARTS with a second architecture parameter, a factor of each edge."""

    def start(self) -> dict[str, Tensor]:
        return {**super().start(), "beta": torch.ones(3, 1)}

    def strengths(self) -> Tensor:
        return super().strengths() * self.architecture["beta"]


def relative(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """The largest relative difference (L2) of the gradients of any parameter."""
    return max(float((one - other).norm() / other.norm()) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("method", [Darts, Weighted])
@pytest.mark.parametrize(("hvp", "tolerance"), [("exact", 1e-6), ("finite_difference", 1e-4)])
def test_second_order_is_the_gradient_of_the_bilevel_objective(
    hvp: str, tolerance: float, method: type[Darts]
) -> None:
    darts, batches = trained(method, order=2, hvp=hvp)
    truth = central_differences(darts, batches, rate=0.1)
    assert relative(darts.second_order(*batches)[0], truth) < tolerance
    assert relative(darts.first_order(batches[1])[0], truth) > 0.01  # else the toy could not tell them apart


@pytest.mark.parametrize("method", [Darts, Weighted])
def test_first_order_is_the_gradient_at_the_present_weights(method: type[Darts]) -> None:
    darts, batches = trained(method)
    truth = central_differences(darts, batches, rate=0.0)
    assert relative(darts.first_order(batches[1])[0], truth) < 1e-8


@pytest.mark.parametrize(("hvp", "tolerance"), [("exact", 1e-9), ("finite_difference", 1e-4)])
def test_the_mixed_term_is_autograds_hessian_vector_product(hvp: str, tolerance: float) -> None:
    """∇_α L_val(w') − η ∇²_{α,w} L_train · v with the Hessian's block formed whole."""
    darts, (train, validation) = trained(order=2, hvp=hvp)
    names, weights = list(darts.weights), [w.detach() for w in darts.weights.values()]
    alpha = darts.alpha.detach()

    def loss(alpha: Tensor, *weights: Tensor, data: Batch) -> Tensor:
        mixture = Mixture(alpha.softmax(1))
        return darts.loss(dict(zip(names, weights, strict=True)), data, mixture)

    inputs = [w.clone().requires_grad_() for w in weights]
    slopes = torch.autograd.grad(loss(alpha, *inputs, data=train), inputs)
    ahead = list(darts.ahead(list(slopes)).values())
    moved = alpha.clone().requires_grad_()
    direct, *v = torch.autograd.grad(loss(moved, *ahead, data=validation), [moved, *ahead])
    blocks = torch.autograd.functional.hessian(partial(loss, data=train), (alpha, *weights))[0][1:]
    product = sum(torch.tensordot(block, part, part.dim()) for block, part in zip(blocks, v, strict=True))
    assert relative(darts.second_order(train, validation)[0], [direct - 0.1 * product]) < tolerance
    assert product.norm() > 0.01 * direct.norm()


def test_second_order_without_a_weight_step_is_first_order() -> None:
    darts, batches = trained(order=2)
    darts.weight_optimiser.param_groups[0]["lr"] = 0.0
    (first,), (second,) = darts.first_order(batches[1])[0], darts.second_order(*batches)[0]
    assert torch.equal(first, second)


@pytest.mark.parametrize("hvp", ["exact", "finite_difference"])
def test_second_order_with_weights_that_do_nothing(hvp: str) -> None:
    torch.manual_seed(0)
    toy = Toy().double()
    toy.unused = nn.Linear(2, 2).double()
    darts = Darts(DartsOptions(order=2, hvp=hvp), toy, space=SPACE, seed=0)
    (gradient,) = darts.second_order(batch(1), batch(2))[0]
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options", [{"order": 1}, {"order": 2}, {"order": 2, "hvp": "finite_difference"}], ids=str
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_an_alpha_step_leaves_the_supernet_bit_for_bit(options: dict[str, Any], dtype: torch.dtype) -> None:
    darts = make(dtype=dtype, **options)
    darts.weight_step(batch(0, dtype))
    before, alpha = snapshot(darts), darts.alpha.detach().clone()
    slopes = {name: w.grad.clone() for name, w in darts.weights.items() if w.grad is not None}
    darts.alpha_step(batch(1, dtype), batch(2, dtype))
    after = snapshot(darts)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(torch.equal(slopes[name], w.grad) for name, w in darts.weights.items() if name in slopes)
    assert not torch.equal(alpha, darts.alpha)
    assert darts.alpha.grad is None


def test_a_weight_step_leaves_alpha_bit_for_bit() -> None:
    darts = make(weight_decay=0.5, clip=1e-3)
    before, alpha = snapshot(darts), darts.alpha.detach().clone()
    darts.weight_step(batch(1))
    assert torch.equal(alpha, darts.alpha)
    assert darts.alpha.grad is None
    assert not torch.equal(before["head.weight"], darts.supernet.head.weight)
    held = [p for group in darts.weight_optimiser.param_groups for p in group["params"]]
    assert not any(p is darts.alpha for p in held)
    assert len(held) == len(list(darts.supernet.parameters()))


def test_alpha_has_its_own_optimiser() -> None:
    (group,) = make().alpha_optimiser.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert len(group["params"]) == 1


def test_the_weight_step_is_clipped_momentum_descent() -> None:
    darts = make(learning_rate=0.1, weight_decay=0.01, clip=0.05)
    x, y = batch(1)
    w = darts.supernet.head.weight
    before = w.detach().clone()
    loss = functional.cross_entropy(darts.supernet(x, darts.strengths().detach()), y)
    slopes = torch.autograd.grad(loss, list(darts.weights.values()))
    norm = torch.cat([slope.flatten() for slope in slopes]).norm()
    assert norm > 0.05
    slope = slopes[list(darts.weights).index("head.weight")] * 0.05 / norm
    darts.weight_step((x, y))
    expected = before - 0.1 * (slope + 0.01 * before)
    assert torch.allclose(w, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("progress", "rate"), [(0.0, 0.1), (0.5, 0.06), (1.0, 0.02), (1.5, 0.02)])
def test_cosine_schedule(progress: float, rate: float) -> None:
    darts = make(learning_rate=0.1, minimum_rate=0.02)
    darts.step(batch(1), batch(2), progress)
    assert darts.weight_optimiser.param_groups[0]["lr"] == pytest.approx(rate)


def test_state_dict_continues_bit_for_bit() -> None:
    darts, batches = trained(order=2)
    state = copy.deepcopy(darts.state_dict())
    assert torch.equal(state["architecture"]["alpha"], darts.alpha)
    other = make(seed=5, learning_rate=0.1, alpha_rate=0.1, weight_decay=0.01, order=2)
    other.load_state_dict(state)
    for search in (darts, other):
        search.step(*batches, progress=0.3)
    assert torch.equal(darts.alpha, other.alpha)
    assert all(
        torch.equal(a, b) for a, b in zip(snapshot(darts).values(), snapshot(other).values(), strict=True)
    )


def test_seeds() -> None:
    assert torch.equal(make(3).alpha, make(3).alpha)
    assert not torch.equal(make(3).alpha, make(4).alpha)
    assert 1e-4 < float(make(3).alpha.detach().std()) < 1e-2


def test_none_is_never_derived() -> None:
    darts = make()
    set_alpha(darts, [[9.0, -1.0, -2.0], [9.0, -8.0, -3.0], [9.0, 5.0, 4.0]])
    assert list(darts.derive().values()) == ["tanh", "norm", "tanh"]


def test_only_allowed_operations_have_strength_and_are_derived() -> None:
    space = SPACE.narrow({"edge_0_1": ["none", "tanh"], "edge_0_2": ["none"]})
    darts = build(Darts, space=space, order=2)
    set_alpha(darts, [[9.0, -1.0, 8.0], [-9.0, 5.0, 5.0], [0.0, 0.0, 1.0]])
    assert list(darts.derive().values()) == ["tanh", "none", "norm"]
    strengths = darts.strengths()
    assert (strengths == 0).tolist() == [[False, False, True], [False, True, True], [False] * 3]
    assert torch.allclose(strengths.sum(1), torch.ones(3, dtype=torch.float64))
    darts.step(batch(1), batch(2), 0.0)
    assert torch.isfinite(darts.alpha).all()


@pytest.mark.slow
def test_alpha_finds_the_useful_operation() -> None:
    """Targets made by a tanh network: alpha must move towards it, in every one of three seeds."""
    for seed in range(3):
        darts = make(seed, order=2, learning_rate=0.1, alpha_rate=0.05)
        first = None
        for step in range(40):
            losses = darts.step(batch(1), batch(1), step / 40)
            first = first if first is not None else float(losses.train_loss)
        assert float(losses.train_loss) < 0.7 * first
        assert math.isfinite(float(losses.validation_loss))
        assert 0 <= float(losses.validation_accuracy) <= 1
