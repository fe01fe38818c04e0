"""DrNAS: moments of the draws, pathwise gradients in expectation, the anchor, private randomness."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_supernet import SPACE, batch, build, numeric, set_alpha

from automl.supernets.drnas import DrNas

ROWS = [[0.5, -0.5, 1.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.4]]


def make(**options: float) -> DrNas:
    method = build(DrNas, **options)
    set_alpha(method, ROWS)
    return method


def test_concentration_and_mean() -> None:
    method = make()
    rows = torch.tensor(ROWS, dtype=torch.float64)
    beta = torch.where(rows > 0, rows + 1, rows.exp())
    assert torch.allclose(method.concentration(), beta, atol=1e-7)
    assert torch.allclose(method.strengths(), beta / beta.sum(1, keepdim=True), atol=1e-7)


def test_draws_have_the_moments_of_the_dirichlet_distribution() -> None:
    """Mean m and variance m (1 − m) / (Σβ + 1); 9 means within 5 standard errors (one failure in 10⁵ seeds),
    variances, whose estimate is about as precise, within 15 %."""
    method, count = make(), 2000
    with torch.no_grad():
        draws = torch.stack([method.mixture().strengths for _ in range(count)])
    mean, beta = method.strengths().detach(), method.concentration().detach()
    variance = mean * (1 - mean) / (beta.sum(1, keepdim=True) + 1)
    assert torch.allclose(draws.sum(2), torch.ones(count, 3, dtype=torch.float64))
    assert ((draws.mean(0) - mean).abs() < 5 * (variance / count).sqrt()).all()
    assert torch.allclose(draws.var(0), variance, rtol=0.15)


def test_pathwise_gradients_average_to_the_gradient_of_the_expectation() -> None:
    """E Σ c θ = Σ c β / Σβ and E Σ c θ² are known, so their gradients are; within 5 standard errors each."""
    method, count = make(), 1000
    c = torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.0, 0.0], [-1.0, 2.0, 1.0]], dtype=torch.float64)

    def expected(alpha: Tensor) -> Tensor:
        beta = torch.nn.functional.elu(alpha) + 1
        total = beta.sum(1, keepdim=True)
        return (c * beta / total + c * beta * (beta + 1) / total / (total + 1)).sum()

    seen = []
    for _ in range(count):
        theta = method.mixture().strengths
        seen.append(torch.autograd.grad((c * theta + c * theta**2).sum(), [method.alpha])[0])
    gradients = torch.stack(seen)
    truth = numeric(expected, method.alpha.detach())
    error = gradients.std(0) / count**0.5
    assert ((gradients.mean(0) - truth).abs() < 5 * error).all()
    assert (truth.abs() > 5 * error).any()  # else zero would pass


def test_the_anchor_pulls_concentrations_to_one() -> None:
    method = make(anchor=0.5)
    assert method.alpha_optimiser.param_groups[0]["weight_decay"] == 0
    (pull,) = method.slopes(method.penalty())

    def penalty(alpha: Tensor) -> Tensor:
        return 0.25 * torch.nn.functional.elu(alpha).square().sum()

    assert torch.allclose(pull, numeric(penalty, method.alpha.detach()), atol=1e-9)
    assert float(DrNas.Options().model_dump()["anchor"]) == 1e-3
    state = method.generator.get_state()
    (gradient,), loss, _ = method.first_order(batch(2))
    method.generator.set_state(state)
    theta = method.mixture()
    (alone,) = method.slopes(method.loss(dict(method.weights), batch(2), theta))
    assert torch.allclose(gradient, alone + pull)
    with torch.no_grad():  # the loss told is without the penalty
        assert loss.item() == pytest.approx(method.loss(dict(method.weights), batch(2), theta).item())


def test_what_is_not_allowed_has_no_part() -> None:
    space = SPACE.narrow({"edge_0_1": ["tanh"], "edge_0_2": ["none", "norm"]})
    method = build(DrNas, space=space)
    for strengths in (method.strengths(), method.mixture().strengths):
        assert (strengths > 0).tolist() == method.active.tolist()
        assert torch.allclose(strengths.sum(1), torch.ones(3, dtype=torch.float64))
    method.step(batch(1), batch(2), 0.0)
    assert torch.isfinite(method.alpha).all()


def test_draws_leave_the_global_generator_alone_and_depend_on_their_own() -> None:
    torch.manual_seed(0)
    first, before = make(), torch.get_rng_state()
    drawn = first.mixture().strengths
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(9)
    other = DrNas(first.options, first.supernet, space=SPACE, seed=0)
    set_alpha(other, ROWS)
    assert torch.equal(drawn, other.mixture().strengths)
    assert not torch.equal(drawn, first.mixture().strengths)
