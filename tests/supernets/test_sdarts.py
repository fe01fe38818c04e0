"""SDARTS: how strengths are perturbed in a weight step, and that alpha's own step is plain DARTS."""

from __future__ import annotations

import pytest
import torch
from toy_supernet import SPACE, batch, build, set_alpha

from automl.supernets.darts import Darts
from automl.supernets.sdarts import Sdarts

ROWS = [[0.0, -6.0, 6.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.4]]


@pytest.mark.parametrize(("progress", "epsilon"), [(0.0, 0.03), (0.5, 0.165), (1.0, 0.3)])
def test_the_perturbation_grows_and_keeps_its_bound(progress: float, epsilon: float) -> None:
    """Clipping and dividing by the sum undone: what was added lies in [−ε, ε], and comes near both ends."""
    method = build(Sdarts)
    set_alpha(method, ROWS)
    method.progress = progress
    assert method.epsilon == pytest.approx(epsilon)
    inside = []
    for _ in range(300):
        state = method.generator.get_state()
        strengths = method.weight_mixture().strengths
        method.generator.set_state(state)
        noise = 2 * torch.rand(3, 3, generator=method.generator, dtype=torch.float64) - 1
        moved = (method.strengths().detach() + epsilon * noise).clamp(0, 1)
        assert torch.allclose(strengths * moved.sum(1, keepdim=True), moved, atol=1e-12)
        assert torch.allclose(strengths.sum(1), torch.ones(3, dtype=torch.float64))
        inside.append(moved - method.strengths().detach())
    change = torch.stack(inside)
    assert change.abs().max() <= epsilon + 1e-12
    assert change.max() > 0.95 * epsilon and change.min() < -0.95 * min(epsilon, 0.3)


def test_without_perturbation_it_is_darts() -> None:
    searches = [build(Sdarts, epsilon_start=0.0, epsilon_end=0.0), build(Darts)]
    for method in searches:
        method.step(batch(1), batch(2), 0.5)
    for one, other in zip(searches[0].weights.values(), searches[1].weights.values(), strict=True):
        assert torch.allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_alpha_is_trained_without_perturbation(order: int) -> None:
    searches = [build(method, order=order) for method in (Sdarts, Darts)]
    for method in searches:
        method.progress = 1.0
        method.alpha_step(batch(1), batch(2))
    assert torch.equal(searches[0].alpha, searches[1].alpha)


def test_rows_that_are_clipped_away_keep_their_largest() -> None:
    space = SPACE.narrow({"edge_0_1": ["none", "tanh"]})
    method = build(Sdarts, space=space, epsilon_start=50.0)
    set_alpha(method, [[0.0, 1.0, 9.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.4]])
    lone = 0
    for _ in range(100):
        strengths = method.weight_mixture().strengths
        assert torch.allclose(strengths.sum(1), torch.ones(3, dtype=torch.float64))
        assert strengths.min() >= 0 and not strengths[0, 2]
        lone += int(strengths[0].tolist() == [0, 1, 0])
    assert lone > 10
