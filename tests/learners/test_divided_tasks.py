"""Meta-learners whose tasks two ranks divide learn what one rank learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from two_ranks import on_ranks

from automl import plugins
from automl.contracts import Episodes
from automl.learners.backbones import Backbone

CASES = [
    (name, ways)
    for name in plugins.names("learners")
    for ways in (3, 0)
    if ("classification" if ways else "regression") in plugins.load("learners", name).kinds
]


class Source:
    """Five tasks, or eleven examples, at a time."""

    def __init__(self, ways: int) -> None:
        self.ways, self.classes = ways, 6 if ways else 0
        self.shape = (1, 6, 6) if ways else (1,)
        self.generator = torch.Generator().manual_seed(3)

    def x(self, *sizes: int) -> Tensor:
        return torch.randn(*sizes, *self.shape, generator=self.generator, dtype=torch.float64)

    def y(self, *sizes: int, classes: int) -> Tensor:
        if self.ways:
            return (torch.arange(sizes[-1]) % classes).expand(*sizes).contiguous()
        return torch.randn(*sizes, generator=self.generator, dtype=torch.float64)

    def episodes(self) -> Episodes:
        support, query = ((self.x(5, n), self.y(5, n, classes=self.ways)) for n in (3, 6))
        return Episodes(*support, *query, self.ways)

    def examples(self) -> tuple[Tensor, Tensor]:
        return self.x(11), self.y(11, classes=self.classes)


def learned(name: str, ways: int) -> list[Tensor]:
    plugin, source = plugins.load("learners", name), Source(ways)
    options = plugin.Options(**{**plugin.example_options, "formulation": "batched", "tasks_at_once": 2})
    backbone = Backbone("conv4" if ways else "mlp", source.shape, 3)
    learner = plugin(options, backbone, ways=ways, seed=0).to(dtype=torch.float64)
    learner.begin(source)
    learner.to(dtype=torch.float64)
    losses = [learner.learn(source) for _ in range(2)]
    state = learner.state_dict()
    running = [value for pair in state.get("running", []) for value in pair]
    return [*losses, *state["parameters"].values(), *running]


@pytest.mark.parametrize(("name", "ways"), CASES)
def test_two_ranks_learn_what_one_learns(name: str, ways: int) -> None:
    joint = learned(name, ways)
    first, second = on_ranks(lambda: learned(name, ways))
    for one, other, alone in zip(first, second, joint, strict=True):
        assert torch.equal(one, other)
        assert torch.allclose(one, alone, rtol=0, atol=1e-9), (
            "after two steps of Adam, that divide by small numbers"
        )


def test_the_gradient_is_that_of_all_tasks() -> None:
    def run() -> list[Tensor]:
        plugin = plugins.load("learners", "maml")
        options = plugin.Options(inner_rate=0.1, inner_steps=2, formulation="loop")
        learner = plugin(options, Backbone("conv4", (1, 6, 6), 3), ways=3, seed=0).to(dtype=torch.float64)
        loss, gradients = learner.meta_gradient(Source(3).episodes())
        return [loss, *gradients.values()]

    joint = run()
    for rank in on_ranks(run):
        assert max(float((a - b).abs().max()) for a, b in zip(rank, joint, strict=True)) < 1e-12
