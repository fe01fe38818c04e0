"""Backbones: one task, many tasks and shared weights are the same function; shapes, statistics, errors."""

import pytest
import torch
from torch import Tensor

from automl.contracts import UserError
from automl.learners.backbones import NAMES, Backbone

TASKS, SIDE = 3, 9


def make(name: str, *, transductive: bool = False) -> tuple[Backbone, dict[str, Tensor]]:
    backbone = Backbone(name, (2, SIDE, SIDE), 4, transductive=transductive)
    params = {key: value.double() for key, value in backbone.init(0).items()}
    generator = torch.Generator().manual_seed(1)
    return backbone, {
        key: value + 0.1 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
        for key, value in params.items()
    }


def inputs(count: int, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(TASKS, count, 2, SIDE, SIDE, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("transductive", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_tasks_at_once_are_the_tasks_one_by_one(name: str, transductive: bool) -> None:
    backbone, params = make(name, transductive=transductive)
    factors = torch.tensor([1.0, 1.1, 0.9], dtype=torch.float64)
    own = {key: torch.stack([value * factor for factor in factors]) for key, value in params.items()}
    support, query = inputs(5), inputs(4, seed=3)
    together = backbone.embed(own, query, support)
    shared = backbone.embed(params, query, support)
    assert together.shape == shared.shape == (TASKS, 4, backbone.features)
    for task in range(TASKS):
        each = {key: value[task] for key, value in own.items()}
        torch.testing.assert_close(together[task], backbone.embed(each, query[task], support[task]))
        torch.testing.assert_close(shared[task], backbone.embed(params, query[task], support[task]))


@pytest.mark.parametrize("name", ["conv4", "resnet12"])
def test_statistics_of_a_query_come_from_where_it_is_said(name: str) -> None:
    support, query = inputs(5)[0], inputs(4, seed=3)[0]
    apart, params = make(name)
    alone = apart.embed(params, query[:1], support)
    torch.testing.assert_close(apart.embed(params, query, support)[:1], alone)
    together, _ = make(name, transductive=True)
    assert torch.equal(together.embed(params, query, support), together.embed(params, query))
    assert not torch.allclose(together.embed(params, query)[:1], alone)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_follow_the_seed(name: str) -> None:
    backbone = Backbone(name, (1, 28, 28), 8)
    first, same, other = (backbone.init(seed) for seed in (4, 4, 5))
    weights = [key for key in first if key.endswith("weight")]
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in weights)


def test_sizes() -> None:
    assert Backbone("conv4", (1, 28, 28), 64).features == 64
    assert Backbone("conv4", (3, 84, 84), 32).features == 32 * 25
    assert Backbone("conv4", (1, 8, 8), 16).features == 16
    assert Backbone("resnet12", (1, 28, 28), 16).features == 128
    assert Backbone("mlp", (1,), 40).features == 40


@pytest.mark.parametrize(
    ("name", "shape", "width", "message"),
    [
        ("conv5", (1, 8, 8), 4, "did you mean 'conv4'"),
        ("conv4", (5,), 4, "take the backbone mlp"),
        ("mlp", (5,), 0, "width must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shape: tuple[int, ...], width: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Backbone(name, shape, width)
