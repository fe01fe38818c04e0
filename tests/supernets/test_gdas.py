"""GDAS: hard draws, their frequencies, the straight-through gradient, and that nothing else is computed."""

from __future__ import annotations

import pytest
import torch
from toy_supernet import OPERATIONS, SPACE, batch, build, numeric, set_alpha

from automl.supernets.base import Mixture
from automl.supernets.gdas import Gdas

ROWS = [[0.5, -0.5, 1.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.4]]


@pytest.mark.parametrize(("progress", "tau"), [(0.0, 10.0), (0.5, 5.05), (1.0, 0.1)])
def test_the_temperature_falls_linearly(progress: float, tau: float) -> None:
    method = build(Gdas)
    method.step(batch(1), batch(2), progress)
    assert method.tau == pytest.approx(tau)


def test_a_draw_is_exactly_one_operation_of_each_edge() -> None:
    space = SPACE.narrow({"edge_0_2": ["tanh"], "edge_1_2": ["none", "norm"]})
    method = build(Gdas, space=space)
    for _ in range(20):
        strengths, active = method.mixture()
        assert active is not None
        assert torch.equal(strengths, active.double()) and active.sum(1).tolist() == [1, 1, 1]
        assert not (active & ~method.active).any()


def test_operations_are_drawn_with_their_probabilities() -> None:
    """Gumbel-max draws from softmax(α) at every temperature. Pearson's χ² with 6 degrees of freedom (3 edges
    with 2 each) exceeds 22.5 once in 1,000 seeds."""
    method = build(Gdas)
    set_alpha(method, ROWS)
    draws = 3000
    counts = torch.stack([method.mixture().strengths.detach() for _ in range(draws)]).sum(0)
    expected = draws * method.strengths().detach()
    assert float(((counts - expected) ** 2 / expected).sum()) < 22.5


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_the_gradient_is_that_of_the_drawn_probabilities(progress: float) -> None:
    """∂L/∂α_k = Σ_o ∂L/∂h_o · p_o (δ_ok − p_k) / τ, with ∂L/∂h by differences, for the drawn o alone."""
    method = build(Gdas)
    set_alpha(method, ROWS)
    method.progress = progress
    method.supernet.train()
    before = method.generator.get_state()
    soft = method.probabilities().detach()
    method.generator.set_state(before)
    (gradient,), _, _ = method.first_order(batch(2))

    hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1.0)
    weights = {name: weight.detach() for name, weight in method.weights.items()}
    slopes = numeric(lambda h: method.loss(weights, batch(2), Mixture(h, hard.bool())), hard)
    slopes = slopes * hard
    through = soft * (slopes - (slopes * soft).sum(1, keepdim=True)) / method.tau
    assert torch.allclose(gradient, through, rtol=1e-5, atol=1e-10)
    assert gradient.abs().max() > 1e-4 or progress == 0.9


def test_only_drawn_operations_are_computed() -> None:
    method = build(Gdas)
    called = []
    for number, layer in enumerate(method.supernet.maps):
        layer.register_forward_hook(lambda *_, number=number: called.append(divmod(number, 2)))
    for number in range(5):
        called.clear()
        state = method.generator.get_state()
        drawn = method.mixture().active
        method.generator.set_state(state)
        method.weight_step(batch(number))
        assert drawn is not None
        assert called == [
            (row, column - 1) for row, column in drawn.nonzero().tolist() if OPERATIONS[column] != "none"
        ]


def test_alpha_learns_the_better_operation() -> None:
    """At weights trained on random draws, alpha's descent makes the supernet's expected loss smaller."""
    method = build(Gdas, learning_rate=0.1, alpha_rate=0.02)
    for number in range(150):
        method.step(batch(1), batch(1), number / 150)
    weights = {name: weight.detach() for name, weight in method.weights.items()}

    def loss(column: int) -> float:
        path = torch.zeros(3, 3, dtype=torch.bool)
        path[:, column] = True
        return float(method.loss(weights, batch(1), Mixture(path.double(), path)))

    losses = [loss(column) for column in range(3)]
    assert losses[0] > min(losses[1:])  # with none everywhere only the head is left
    assert method.strengths().detach()[:, 0].mean() < 1 / 3
