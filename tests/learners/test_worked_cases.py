"""The scalar cases that every course works out, and what adaptation may and may not change."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from automl import plugins
from automl.checking.episodes import double, images, sinusoids
from automl.contracts import Episodes
from automl.learners.backbones import Backbone

GRADIENT = ["anil", "fomaml", "imaml", "maml", "meta_curvature", "meta_sgd", "reptile"]


def learner(name: str, backbone: Backbone, ways: int, **options: Any) -> Any:
    plugin = plugins.load("learners", name)
    return plugin(plugin.Options(**options), backbone, ways=ways, seed=0).to(dtype=torch.float64)


def centres(*values: float) -> Episodes:
    """Tasks whose loss is (θ − c)²: at input 0 a network without other biases gives θ, its last bias."""
    y = torch.tensor(values, dtype=torch.float64)[:, None]
    x = torch.zeros(len(values), 1, 1, dtype=torch.float64)
    return Episodes(x, y, x, y, 0)


@pytest.mark.parametrize("name", ["anil", "fomaml", "imaml", "maml", "reptile"])  # rates that stay
def test_quadratic_tasks_with_centres_2_and_8_start_at_5(name: str) -> None:
    options = {"inner_rate": 0.1, "outer_rate": 0.3, "decay": 150, "formulation": "batched"}
    if (
        name == "reptile"
    ):  # Adam's steps are of one length, so it must arrive for the mean to be that of the ends
        options = {"inner_rate": 0.2, "inner_steps": 60, "outer_rate": 0.3}
    made = learner(name, Backbone("mlp", (1,), 2), 0, **options)
    theta = made.parameters["head.bias"]
    for _ in range(30 if name == "reptile" else 150):
        made.meta_step(centres(2.0, 8.0))
    assert theta.item() == pytest.approx(5.0, abs=0.01)
    theta.data.fill_(5.0)
    assert made.meta_gradient(centres(2.0, 8.0))[1]["head.bias"].item() == pytest.approx(0.0, abs=1e-12)


def test_the_gradient_of_quadratic_tasks_is_the_one_worked_out() -> None:
    """θ' = (1 − 2α) θ + 2α c, so dL/dθ = 2 (1 − 2α)² (θ − 5); without the Jacobian 2 (1 − 2α) (θ − 5)."""
    for name, factor in (("maml", 0.8**2), ("fomaml", 0.8)):
        made = learner(name, Backbone("mlp", (1,), 2), 0, inner_rate=0.1)
        made.parameters["head.bias"].data.fill_(1.0)
        gradient = made.meta_gradient(centres(2.0, 8.0))[1]["head.bias"]
        assert gradient.item() == pytest.approx(2 * factor * (1 - 5), rel=1e-12)


def test_linear_regression_adapts_to_a_weighted_mean_of_start_and_slope() -> None:
    """Tasks y = a x, model θ x, inputs symmetric: θ' = (1 − c) θ + c a with c = α · mean(x²).

    θ x is written as θ relu(x) − θ relu(−x); each half sees half of the mean, twice from the square.
    """
    made = learner("anil", Backbone("mlp", (1,), 2), 0, inner_rate=0.1)
    theta, slope = 0.7, -1.9
    exact = {
        "0.weight": [[1.0], [-1.0]],
        "1.weight": [[1.0, 0.0], [0.0, 1.0]],
        "head.weight": [[theta, -theta]],
    }
    for name, value in exact.items():
        made.parameters[name].data = torch.tensor(value, dtype=torch.float64)
    x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]], dtype=torch.float64)
    c = 0.1 * float(x.square().mean())
    predictor = made.adapt(x, slope * x[:, 0])
    for point in (1.0, 3.0, -2.0):
        found = predictor(torch.tensor([[point]], dtype=torch.float64))
        assert found.item() == pytest.approx(point * ((1 - c) * theta + c * slope), rel=1e-14)


def test_anil_moves_only_the_head() -> None:
    made = learner("anil", Backbone("conv4", (1, 8, 8), 4), 3, inner_steps=3, inner_rate=0.5)
    part = made.encode(double(images(2)))
    adapted = made.solve(part)
    for name, start in made.network().items():
        assert torch.equal(adapted[name].expand(2, *start.shape), start.expand(2, *start.shape)) == (
            not name.startswith("head.")
        ), name


@pytest.mark.parametrize("name", GRADIENT)
def test_permuting_labels_permutes_logits_where_the_head_starts_alike_for_all_classes(name: str) -> None:
    """Exact when all rows of the head are equal; meta-training gives each output a start of its own."""
    made = learner(name, Backbone("conv4", (1, 8, 8), 4), 3, inner_steps=2, inner_rate=0.1)
    for key in ("head.weight", "head.bias"):
        value = made.parameters[key]
        value.data = value.data[:1].expand_as(value).clone()
    tasks, order = double(images(1)), torch.tensor([2, 0, 1])
    x, y, query = tasks.support_x[0], tasks.support_y[0], tasks.query_x[0]
    torch.testing.assert_close(made.adapt(x, order[y])(query)[:, order], made.adapt(x, y)(query))


@pytest.mark.slow
def test_adapting_for_more_steps_than_trained_improves() -> None:
    plugin = plugins.load("learners", "maml")
    made = plugin(plugin.Options(outer_rate=3e-3), Backbone("mlp", (1,), 40), ways=0, seed=0)
    for step in range(1500):
        made.meta_step(sinusoids(10, shots=10, queries=10, seed=step))
    test = sinusoids(100, shots=10, queries=50, seed=10_000)
    errors = [
        (made.predict(test, steps=steps) - test.query_y).square().mean().item() for steps in (0, 1, 3, 10)
    ]
    assert errors == sorted(errors, reverse=True), errors


def test_the_outer_rate_falls_by_a_cosine_and_starts_anew() -> None:
    made = learner("maml", Backbone("mlp", (1,), 2), 0, outer_rate=0.4, decay=4)
    rates = []
    for _ in range(5):
        rates.append(made.outer_rate())
        made.meta_step(centres(2.0, 8.0))
    half = 0.2 * 2**-0.5
    assert rates == pytest.approx([0.4, 0.2 + half, 0.2, 0.2 - half, 0.4], rel=1e-12)
    assert learner("maml", Backbone("mlp", (1,), 2), 0, outer_rate=0.4).outer_rate() == 0.4


def test_finetuning_on_values_takes_gradients_no_longer_than_one() -> None:
    made = learner("finetune", Backbone("mlp", (1,), 4), 0, inner_rate=1.0)
    made.set_classes(0)
    tasks = double(sinusoids(3))
    tasks = replace(tasks, support_y=1000 * tasks.support_y)
    found = [made.support_gradients(made.start(tasks), tasks.support_x, tasks.support_y)]
    found += [
        {name: value[None] for name, value in made.support_gradients(made.network(), x, y).items()}
        for x, y in zip(tasks.support_x, tasks.support_y, strict=True)
    ]
    for gradients in found:
        squares = [gradient.flatten(1).square().sum(1) for gradient in gradients.values()]
        torch.testing.assert_close(sum(squares), torch.ones(len(squares[0]), dtype=torch.float64))
    assert made.predict(tasks, steps=50).isfinite().all()
