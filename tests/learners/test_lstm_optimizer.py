"""The learned optimiser: the paper's preprocessing, its cut gradients, and that it learns to optimise."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from automl.checking.episodes import double, sinusoids
from automl.contracts import Episodes
from automl.learners.backbones import Backbone
from automl.learners.formulations import Formulation
from automl.learners.layouts import Tensors
from automl.learners.lstm_optimizer import LstmOptimizer, LstmOptimizerOptions, preprocessed

SIZE, STEPS = 4, 10


class Quadratics(LstmOptimizer):
    """Weights θ and tasks mean((W θ − y)²), W as inputs: section 3.1 of the paper, smaller."""

    def network_names(self) -> list[str]:
        return ["theta"]

    def initial(self) -> Tensors:
        rule = {name: value for name, value in super().initial().items() if name.startswith(("lstm", "rule"))}
        return {"theta": torch.zeros(SIZE)} | rule

    def run(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        return (x @ params["theta"].unsqueeze(-1)).squeeze(-1)


def quadratics(tasks: int, seed: int) -> Episodes:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tasks, SIZE, SIZE, generator=generator)
    y = torch.randn(tasks, SIZE, generator=generator)
    return Episodes(x, y, x, y, 0)


def build(plugin: Any = LstmOptimizer, **options: Any) -> Any:
    small: dict[str, Any] = {"formulation": "batched", "hidden": 4}
    return plugin(LstmOptimizerOptions(**small | options), Backbone("mlp", (1,), 3), ways=0, seed=0)


def test_gradients_go_in_as_logarithm_and_sign() -> None:
    gradient = torch.tensor([1.0, -1.0, math.e**-5, -(math.e**-12), 0.0, math.e**3], dtype=torch.float64)
    expected = [[0, 1], [0, -1], [-0.5, 1], [-1, -(math.e**-2)], [-1, 0], [0.3, 1]]
    torch.testing.assert_close(preprocessed(gradient), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("unroll", [2, 4])
def test_tasks_at_once_give_the_gradient_of_the_loop(unroll: int) -> None:
    made = build(inner_steps=4, unroll=unroll).to(dtype=torch.float64)
    tasks = double(sinusoids(3))
    expected = made.meta_gradient(tasks, Formulation(0))[1]
    for name, value in made.meta_gradient(tasks, Formulation(3))[1].items():
        torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-12)


def test_the_gradient_of_one_step_is_a_finite_difference() -> None:
    """After one step nothing but the rule's own weights carries the gradient, so no constant hides any."""
    made, tasks = build(inner_steps=1).to(dtype=torch.float64), double(sinusoids(2))
    gradient = made.meta_gradient(tasks)[1]
    for name in ("lstm.0.weight", "lstm.1.bias", "rule.weight", "rule.bias"):
        value, losses = made.parameters[name], []
        direction = torch.randn(value.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        for sign in (1, -1):
            value.data += sign * 1e-6 * direction
            losses.append(float(made.meta_gradient(tasks)[0]))
            value.data -= sign * 1e-6 * direction
        slope = (losses[0] - losses[1]) / 2e-6
        assert float((gradient[name] * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_a_cut_stops_the_gradient_but_not_the_steps() -> None:
    whole, cut = (build(inner_steps=4, unroll=unroll) for unroll in (4, 2))
    tasks = sinusoids(2)
    (loss, gradient), (cut_loss, cut_gradient) = whole.meta_gradient(tasks), cut.meta_gradient(tasks)
    torch.testing.assert_close(loss, cut_loss)
    assert not torch.allclose(gradient["lstm.0.weight"], cut_gradient["lstm.0.weight"])


def test_a_start_that_is_not_learned_stays() -> None:
    for learned in (True, False):
        made = build(inner_steps=2, learn_start=learned)
        before = made.parameters_for_export()
        made.meta_step(sinusoids(2))
        after = made.parameters_for_export()
        assert torch.equal(before["0.weight"], after["0.weight"]) is not learned
        assert not torch.equal(before["rule.weight"], after["rule.weight"])


@pytest.mark.slow
def test_it_beats_gradient_descent_at_its_best_rate_on_quadratics() -> None:
    made = build(Quadratics, inner_steps=STEPS, hidden=20, outer_rate=1e-2, learn_start=False)
    for seed in range(80):
        made.meta_step(quadratics(16, seed))
    tasks = quadratics(200, 10_000)
    learned = loss(made.predict(tasks), tasks)
    descended = []
    for rate in torch.logspace(-2, 0, 21):
        theta = torch.zeros(200, SIZE)
        for _ in range(STEPS):
            errors = (tasks.support_x @ theta.unsqueeze(-1)).squeeze(-1) - tasks.support_y
            theta = theta - rate * 2 / SIZE * (tasks.support_x.mT @ errors.unsqueeze(-1)).squeeze(-1)
        descended.append(loss((tasks.support_x @ theta.unsqueeze(-1)).squeeze(-1), tasks))
    assert learned < min(descended)


def loss(outputs: Tensor, tasks: Episodes) -> float:
    return float((outputs - tasks.query_y).square().mean())
