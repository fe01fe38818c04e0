"""Fair DARTS: independent sigmoids and the zero-one loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_supernet import SPACE, batch, build, numeric, set_alpha

from automl.supernets.base import Mixture
from automl.supernets.fair_darts import FairDarts

ROWS = [[0.5, -0.5, 1.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.4]]


def make() -> FairDarts:
    method = build(FairDarts)
    set_alpha(method, ROWS)
    return method


def test_operations_do_not_compete() -> None:
    method = make()
    before = method.strengths().detach()
    with torch.no_grad():
        method.alpha[1, 2] = 5.0
    changed = method.strengths().detach() != before
    assert changed.nonzero().tolist() == [[1, 2]]
    assert method.strengths()[1, 2].item() == pytest.approx(1 / (1 + torch.tensor(-5.0).exp()))


def test_none_is_not_mixed() -> None:
    method = make()
    mixture = method.mixture()
    assert mixture.active is not None
    assert not mixture.strengths[:, 0].any() and not mixture.active[:, 0].any()
    assert "none" not in method.derive().values()


def test_the_zero_one_loss() -> None:
    """−10/N Σ (σ(α) − ½)² over the six operations besides `none`; smallest where all are 0 or 1."""
    method = make()
    sigmoids = method.alpha.detach()[:, 1:].sigmoid()
    assert method.penalty().item() == pytest.approx(float(-10 * ((sigmoids - 0.5) ** 2).mean()))
    set_alpha(method, [[0.0, 40.0, -40.0]] * 3)
    assert method.penalty().item() == pytest.approx(-2.5)
    set_alpha(method, [[40.0, 0.0, 0.0]] * 3)
    assert method.penalty().item() == 0


def test_alpha_descends_on_both_losses() -> None:
    method = make()
    (gradient,), loss, _ = method.first_order(batch(2))
    weights = {name: weight.detach() for name, weight in method.weights.items()}

    def total(alpha: Tensor) -> Tensor:
        strengths = alpha.sigmoid() * torch.tensor([0.0, 1.0, 1.0])
        aside = ((alpha.sigmoid() - 0.5) ** 2)[:, 1:].mean()
        return method.loss(weights, batch(2), Mixture(strengths)) - 10 * aside

    assert torch.allclose(gradient, numeric(total, method.alpha.detach()), atol=1e-8)
    with torch.no_grad():
        assert loss.item() == pytest.approx(
            method.loss(weights, batch(2)).item()
        )  # the penalty is not reported


def test_fixed_edges() -> None:
    space = SPACE.narrow({"edge_0_1": ["none"], "edge_0_2": ["norm"]})
    method = build(FairDarts, space=space)
    method.step(batch(1), batch(2), 0.0)
    assert torch.isfinite(method.alpha).all()
    assert list(method.derive().values())[:2] == ["none", "norm"]
    nothing = build(FairDarts, space=SPACE.fix(dict.fromkeys(SPACE.parameters, "none")))
    nothing.step(batch(1), batch(2), 0.0)
    assert torch.isfinite(nothing.alpha).all()
