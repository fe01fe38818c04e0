"""PC-DARTS: edge normalisation, gradients of alpha and beta, the delayed architecture, partial channels."""

from __future__ import annotations

import pytest
import torch
from toy_supernet import batch, build, numeric, set_alpha

from automl.searchspaces.mlp import PLUGIN as MLP
from automl.supernets.pc_darts import PcDarts


def set_beta(method: PcDarts, values: list[float]) -> None:
    with torch.no_grad():
        method.architecture["beta"].copy_(torch.tensor(values))


def test_edges_into_a_node_are_weighed_by_a_softmax_of_beta() -> None:
    method = build(PcDarts)
    set_beta(method, [5.0, 1.0, -1.0])
    weights = method.edge_weights().detach()
    assert weights[0] == 1  # alone in its node
    assert float(weights[1] / weights[2]) == pytest.approx(torch.tensor(2.0).exp())
    assert float(weights[1] + weights[2]) == pytest.approx(1)


def test_strengths_are_the_product_of_both() -> None:
    method = build(PcDarts)
    set_alpha(method, [[0.0, 1.0, 2.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    set_beta(method, [0.0, -1.0, 1.0])
    strengths, weights = method.strengths().detach(), method.edge_weights().detach()
    assert torch.allclose(strengths, method.alpha.detach().softmax(1) * weights[:, None])
    for rows in method.supernet.nodes:
        assert float(strengths[rows].sum()) == pytest.approx(1)


def test_alpha_and_beta_start_near_zero_and_are_trained_by_the_validation_loss() -> None:
    method = build(PcDarts)
    assert set(method.architecture) == {"alpha", "beta"}
    assert all(1e-5 < float(value.detach().abs().max()) < 1e-2 for value in method.architecture.values())
    set_beta(method, [0.5, -0.3, 0.2])
    gradients, _, _ = method.first_order(batch(2))
    for (name, parameter), gradient in zip(method.architecture.items(), gradients, strict=True):
        start = parameter.detach().clone()

        def loss(value: torch.Tensor, name: str = name) -> torch.Tensor:
            method.architecture[name] = value
            return method.loss(dict(method.weights), batch(2))

        assert torch.allclose(gradient, numeric(loss, start), atol=1e-8)
        method.architecture[name] = parameter
    assert gradients[1][0].abs() < 1e-12 < gradients[1][1].abs()  # an edge alone in its node has no rival


@pytest.mark.parametrize(("progress", "moves"), [(0.0, False), (0.29, False), (0.3, True), (0.9, True)])
def test_the_architecture_waits_for_the_weights(progress: float, moves: bool) -> None:
    method = build(PcDarts)
    before = {name: value.detach().clone() for name, value in method.architecture.items()}
    weights = method.supernet.head.weight.detach().clone()
    seen = method.step(batch(1), batch(2), progress)
    assert torch.isfinite(seen.validation_loss)
    assert all(torch.equal(before[name], value) != moves for name, value in method.architecture.items())
    assert not torch.equal(weights, method.supernet.head.weight)


def test_the_supernet_is_built_with_a_quarter_of_the_channels() -> None:
    options = PcDarts.Options()
    assert options.partial_channels == 4
    sizes = []
    for part in (1, options.partial_channels):
        supernet = MLP.supernet((1, 8, 8), 3, channels=4, cells=1, partial=part)
        method = PcDarts(options, supernet, space=MLP, seed=0)
        sizes.append(sum(weight.numel() for name, weight in method.weights.items() if "candidates" in name))
    assert sizes[0] == 16 * sizes[1]
