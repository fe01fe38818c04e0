"""Meta-gradients in float64: against the plain loop, finite differences, and each method's definition."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import reference_maml
import torch
from torch import Tensor

from automl import plugins
from automl.checking.episodes import double, images, sinusoids
from automl.contracts import Episodes
from automl.learners.backbones import Backbone
from automl.learners.formulations import Formulation
from automl.learners.imaml import conjugate_gradient

FORMULATIONS = [Formulation(0), Formulation(2), Formulation(3)]
Params = dict[str, Tensor]


def learner(
    name: str,
    network: str = "mlp",
    *,
    transductive: bool = True,
    dtype: torch.dtype = torch.float64,
    **options: Any,
) -> Any:
    plugin = plugins.load("learners", name)
    shape, ways = ((1,), 0) if network == "mlp" else ((1, 8, 8), 3)
    width = 2 if network == "resnet12" else 4
    backbone = Backbone(network, shape, width, transductive=transductive)
    made = plugin(plugin.Options(**options), backbone, ways=ways, seed=3).to(dtype=dtype)
    generator = torch.Generator().manual_seed(5)
    for value in made.parameters.values():  # away from zeros, where ReLU has its kink
        value.data += 0.05 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
    return made


def episodes(network: str) -> Episodes:
    return double(sinusoids(3) if network == "mlp" else images(3))


def difference(a: Params, b: Params) -> float:
    flat = [torch.cat([each[name].flatten() for name in a]) for each in (a, b)]
    return float((flat[0] - flat[1]).norm() / flat[1].norm())


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("network", ["mlp", "conv4"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
def test_every_formulation_gives_the_gradient_of_the_plain_loop(
    dtype: torch.dtype, tolerance: float, network: str, second: bool
) -> None:
    maml = learner("maml", network, dtype=dtype, inner_steps=2, inner_rate=0.1, first_order=not second)
    tasks = episodes(network)
    if dtype == torch.float32:
        tasks = sinusoids(3) if network == "mlp" else images(3)
    loss, expected = reference_maml.meta_gradient(maml.parameters, tasks, rate=0.1, steps=2, second=second)
    for formulation in FORMULATIONS:
        mean, gradient = maml.meta_gradient(tasks, formulation)
        assert difference(gradient, expected) < tolerance, formulation
        assert float(mean) == pytest.approx(float(loss), rel=tolerance)


def test_anil_is_maml_on_the_head_alone() -> None:
    anil, tasks = learner("anil", "conv4", inner_steps=3, inner_rate=0.3), episodes("conv4")
    head = ["head.weight", "head.bias"]
    expected = reference_maml.meta_gradient(
        anil.parameters, tasks, rate=0.3, steps=3, second=True, adapted=head
    )[1]
    for formulation in FORMULATIONS:
        assert difference(anil.meta_gradient(tasks, formulation)[1], expected) < 1e-9


UNROLLED: list[tuple[str, dict[str, Any]]] = [
    ("maml", {"inner_steps": 3, "inner_rate": 0.05}),
    ("maml", {"inner_steps": 2, "inner_rate": 0.05, "learned_rates": True, "multi_step": 10}),
    ("anil", {"inner_steps": 3, "inner_rate": 0.05}),
    ("meta_sgd", {"inner_steps": 2, "inner_rate": 0.05}),
    ("meta_curvature", {"inner_steps": 2, "inner_rate": 0.05}),
]


@pytest.mark.parametrize(("name", "options"), UNROLLED)
@pytest.mark.parametrize(
    ("network", "transductive"), [("mlp", True), ("conv4", True), ("conv4", False), ("resnet12", False)]
)
def test_second_order_gradients_agree_with_finite_differences(
    name: str, options: dict[str, Any], network: str, transductive: bool
) -> None:
    made, tasks = learner(name, network, transductive=transductive, **options), episodes(network)
    generator = torch.Generator().manual_seed(1)
    for formulation in (Formulation(0), Formulation(3)) if network != "resnet12" else (Formulation(3),):
        gradient = made.meta_gradient(tasks, formulation)[1]
        norm = torch.cat([value.flatten() for value in gradient.values()]).norm()
        direction = {
            key: value / norm + 0.01 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
            for key, value in gradient.items()
        }
        expected = slope(made, direction, partial(made.meta_gradient, tasks, formulation))
        found = sum(float((gradient[key] * direction[key]).sum()) for key in gradient)
        assert found == pytest.approx(expected, rel=1e-5)


def slope(
    made: Any, direction: Params, gradient: Callable[[], tuple[Tensor, Params]], radius: float = 1e-8
) -> float:
    """The central difference of the loss along `direction`; a wider one meets kinks of ReLU and pooling."""
    values = []
    for sign in (1, -2):
        for name, value in made.parameters.items():
            value.data += sign * radius * direction[name]
        values.append(gradient()[0].item())
    for name, value in made.parameters.items():
        value.data += radius * direction[name]
    return (values[0] - values[1]) / (2 * radius)


@pytest.mark.parametrize("network", ["mlp", "conv4"])
def test_fomaml_is_maml_with_the_jacobian_as_the_identity(network: str) -> None:
    options: dict[str, Any] = {"inner_steps": 2, "inner_rate": 0.05}
    fomaml, maml, tasks = (
        learner("fomaml", network, **options),
        learner("maml", network, **options),
        episodes(network),
    )
    part = next(Formulation(3).parts(tasks))
    adapted = {name: value.requires_grad_() for name, value in maml.solve(part).items()}
    loss = maml.loss(maml.outputs(adapted, part.query_x), part.query_y).mean()
    at_adapted = torch.autograd.grad(loss, list(adapted.values()))
    expected = {name: g.sum(0) for name, g in zip(adapted, at_adapted, strict=True)}
    found = fomaml.meta_gradient(tasks)[1]
    assert difference(found, expected) < 1e-12
    assert difference(found, maml.meta_gradient(tasks)[1]) > 0.01


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_imaml_gives_the_exact_implicit_gradient(formulation: Formulation) -> None:
    options: dict[str, Any] = {"inner_steps": 20, "inner_rate": 0.02, "strength": 5.0, "conjugate_steps": 60}
    imaml, tasks = learner("imaml", **options), episodes("mlp")
    expected = []
    for part in Formulation(0).parts(tasks):
        solved = imaml.solve(part)
        sizes = [value.numel() for value in solved.values()]

        def unpack(flat: Tensor, solved: Params = solved, sizes: list[int] = sizes) -> Params:
            pieces = zip(torch.split(flat, sizes), solved.items(), strict=True)
            return {name: piece.view_as(value) for piece, (name, value) in pieces}

        def support(flat: Tensor, part: Episodes = part, unpack: Any = unpack) -> Tensor:
            loss: Tensor = imaml.loss(imaml.outputs(unpack(flat), part.support_x), part.support_y)
            return loss

        flat = torch.cat([value.flatten() for value in solved.values()]).requires_grad_()
        query = imaml.loss(imaml.outputs(unpack(flat), part.query_x), part.query_y)
        right = torch.autograd.grad(query, flat)[0]
        slope = torch.autograd.grad(support(flat), flat, create_graph=True)[0]
        hessian = torch.stack([torch.autograd.grad(row, flat, retain_graph=True)[0] for row in slope])
        expected.append(torch.linalg.solve(torch.eye(len(flat)).double() + hessian / 5.0, right))
    found = torch.cat([value.flatten() for value in imaml.meta_gradient(tasks, formulation)[1].values()])
    wanted = torch.stack(expected).mean(0)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-8


def test_conjugate_gradients_solve_each_row_and_leave_what_is_solved() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    matrix = root @ root.transpose(1, 2) + torch.eye(5)
    right = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    right[1] = 0.0
    solved = conjugate_gradient(lambda v: torch.einsum("tij,tj->ti", matrix, v), right, 12)
    torch.testing.assert_close(solved[0], torch.linalg.solve(matrix[0], right[0]))
    assert solved[1].tolist() == [0.0] * 5


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_reptile_moves_towards_what_adam_without_momentum_reaches(formulation: Formulation) -> None:
    options: dict[str, Any] = {"inner_steps": 5, "inner_rate": 0.01, "inner_batch": 4, "outer_rate": 0.5}
    reptile = learner("reptile", **options)
    tasks = reptile.prepare(episodes("mlp"))
    before = {name: value.detach().clone() for name, value in reptile.parameters.items()}
    ends = []
    for x, y in zip(tasks.support_x, tasks.support_y, strict=True):
        values = [value.clone().requires_grad_() for value in before.values()]
        adam = torch.optim.Adam(values, lr=0.01, betas=(0.0, 0.999))
        for step in range(5):
            rows = [(4 * step + i) % len(y) for i in range(4)]
            outputs = reference_maml.network(dict(zip(before, values, strict=True)), x[rows])
            adam.zero_grad()
            torch.autograd.backward(reference_maml.loss(outputs, y[rows]))
            adam.step()
        ends.append([value.detach() for value in values])
    reptile.outer_step(reptile.meta_gradient(tasks, formulation)[1])
    for index, (name, start) in enumerate(before.items()):
        mean = torch.stack([end[index] for end in ends]).mean(0)
        torch.testing.assert_close(reptile.parameters[name].detach(), start + 0.5 * (mean - start))


def test_reptile_trains_on_query_examples_too_unless_told_not_to() -> None:
    tasks = episodes("mlp")
    assert learner("reptile").prepare(tasks).support_y.shape == (3, 11)
    kept = learner("reptile", use_query=False).prepare(tasks).support_y
    assert kept.shape == (3, 5)
    assert torch.equal(kept.sort(1).values, tasks.support_y.sort(1).values)


@pytest.mark.parametrize("name", ["meta_sgd", "meta_curvature"])
def test_learned_changes_start_as_maml(name: str) -> None:
    plugin, maml = plugins.load("learners", name), plugins.load("learners", "maml")
    tasks = episodes("conv4")
    gradients = []
    for kind in (plugin, maml):
        made = kind(kind.Options(inner_rate=0.125), Backbone("conv4", (1, 8, 8), 4), ways=3, seed=0)
        gradients.append(made.to(dtype=torch.float64).meta_gradient(tasks)[1])
    shared = {key: gradients[0][key] for key in gradients[1]}
    assert difference(shared, gradients[1]) < 1e-12
    assert len(gradients[0]) > len(gradients[1])


def test_multi_step_weights_go_from_equal_to_the_last_alone() -> None:
    maml = learner("maml", inner_steps=4, multi_step=10)
    assert maml.step_weights() == [0.25] * 4
    maml.iteration = 5
    assert maml.step_weights() == [0.125, 0.125, 0.125, 0.625]
    maml.iteration = 12
    assert maml.step_weights() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("network", ["conv4", "resnet12"])
def test_the_outer_step_is_adams_however_gradients_lie_in_memory(network: str) -> None:
    made = learner("protonet", network, dtype=torch.float32)
    expected = {name: value.detach().clone().requires_grad_() for name, value in made.parameters.items()}
    adam = torch.optim.Adam(expected.values(), lr=made.options.outer_rate, foreach=False, fused=False)
    for seed in range(2):
        torch.manual_seed(seed)
        gradients = {name: torch.randn(value.shape) for name, value in expected.items()}
        for name, value in expected.items():
            value.grad = gradients[name].clone()
        adam.step()
        order = {4: torch.channels_last}
        made.outer_step(
            {
                name: gradient.to(memory_format=order.get(gradient.dim(), torch.preserve_format))
                for name, gradient in gradients.items()
            }
        )
    found = {name: value.detach() for name, value in made.parameters.items()}
    assert difference(found, {name: value.detach() for name, value in expected.items()}) < 1e-6
