"""What every weight-sharing method must do: a new file in `automl/supernets/` is tested once it exists."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from automl import plugins
from automl.contracts import Config
from automl.evaluators.supernet import SupernetOptions
from automl.space import Space
from automl.supernets.base import Mixture, SearchOptions, WeightSharing
from automl.supernets.batch_norm import reestimate

torch.set_num_threads(1)
SHAPE, CLASSES = (1, 8, 8), 3
METHODS = plugins.names("supernets")
SPACES = [name for name in plugins.names("spaces") if plugins.load("spaces", name).supernet is not None]


def one_of_a_kind() -> list[str]:
    """The space with the fewest options of those that share a class of supernet."""
    kinds: dict[object, list[str]] = {}
    for name in SPACES:
        builder = plugins.load("spaces", name).supernet
        kinds.setdefault(getattr(builder, "func", builder), []).append(name)
    return [min(names, key=lambda name: plugins.load("spaces", name).size()) for names in kinds.values()]


def batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(6, *SHAPE, generator=generator)
    return x, torch.randint(0, CLASSES, (6,), generator=generator)


def size(space: Space) -> dict[str, int]:
    """The smallest one in which every edge exists: cells with choices of inputs need all kinds of cell."""
    conditional = any(parameter.when for parameter in space.parameters.values())
    return {"channels": 4, "cells": 3 if conditional else 1}


def make(name: str, space: Space, *, seed: int = 1) -> WeightSharing:
    plugin = plugins.load("supernets", name)
    options = plugin.Options()
    part = {"partial": getattr(options, plugin.channel_part)} if plugin.channel_part else {}
    torch.manual_seed(seed)
    supernet = space.supernet(SHAPE, CLASSES, **size(space), **part)
    method: WeightSharing = plugin(options, supernet, space=space, seed=seed)
    return method


def step(method: WeightSharing, number: int) -> None:
    torch.manual_seed(number)
    losses = method.step(batch(2 * number), batch(2 * number + 1), 0.5 + number / 10)
    assert torch.isfinite(losses.train_loss) and torch.isfinite(losses.validation_loss)
    assert 0 <= float(losses.validation_accuracy) <= 1


State = tuple[list[Tensor], list[Tensor]]


def state(method: WeightSharing) -> State:
    """Copies of the supernet's weights and buffers, and of the architecture parameters."""
    held = method.state_dict()
    weights, architecture = (
        [value.clone() for value in held[key].values()] for key in ("supernet", "architecture")
    )
    return weights, architecture


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


class ShortSelection:
    """Real scores on two batches, and time for a few of them."""

    def __init__(self, method: WeightSharing, space: Space, pieces: int) -> None:
        self.method, self.space, self.rng, self.pieces = method, space, random.Random(0), pieces

    def left(self) -> float:
        return float(self.pieces)

    @torch.no_grad()
    def accuracy(self, mixture: Mixture) -> float:
        self.pieces -= 1
        supernet, (x, y) = self.method.supernet, batch(21)
        reestimate(supernet, [batch(20)[0]], *mixture)
        supernet.eval()
        return float((supernet(x, *mixture).argmax(1) == y).float().mean())

    def train(self, steps: int) -> None:
        self.pieces -= 1
        step(self.method, 4)


def some_of(space: Space) -> Config:
    """Values to fix: the first parameter's, and the last one's with all that it needs."""
    config = space.sample(random.Random(0))
    names = [next(iter(config)), list(config)[-1]]
    names += [parent for name in names for parent in space.parameters[name].when]
    return {name: config[name] for name in names}


@pytest.mark.parametrize("name", METHODS)
def test_options_have_defaults_and_reach_the_evaluator(name: str) -> None:
    plugin = plugins.load("supernets", name)
    assert issubclass(plugin, WeightSharing) and issubclass(plugin.Options, SearchOptions)
    assert SupernetOptions(method=name, alpha_rate=0.5).method_options() == plugin.Options(alpha_rate=0.5)
    assert len(plugins.summaries("supernets")[name]) > 20
    assert 0 <= plugin.selection < 1


@pytest.mark.parametrize("space_name", one_of_a_kind())
@pytest.mark.parametrize("name", METHODS)
def test_steps(name: str, space_name: str) -> None:
    """Seeds; what steps change and what they leave alone; continuing bit for bit."""
    space = plugins.load("spaces", space_name)
    first, other = make(name, space), make(name, space, seed=2)
    start = state(first)
    step(first, 0)
    step(other, 0)
    once, saved = state(first), copy.deepcopy(first.state_dict())
    assert not equal(start[0], once[0]) and not equal(once[0], state(other)[0])
    assert not first.architecture or not equal(start[1], once[1])
    again = make(name, space)
    step(again, 0)
    assert equal(once[0], state(again)[0]) and equal(once[1], state(again)[1])

    other.load_state_dict(saved)
    for method in (first, other):
        step(method, 1)
    twice = state(first)
    assert equal(twice[0], state(other)[0]) and equal(twice[1], state(other)[1])

    first.alpha_step(batch(7), batch(8))
    after_alpha = state(first)
    assert equal(twice[0], after_alpha[0])
    first.weight_step(batch(7))
    assert equal(after_alpha[1], state(first)[1]) and not equal(after_alpha[0], state(first)[0])


@pytest.mark.parametrize("space_name", SPACES)
@pytest.mark.parametrize("name", METHODS)
def test_a_short_search(name: str, space_name: str) -> None:
    """What is derived and selected is valid, keeps what is fixed, is never `none` by strength, and trains."""
    whole = plugins.load("spaces", space_name)
    fixed = some_of(whole)
    space = whole.fix(fixed)
    method = make(name, space)
    if "alpha" in method.architecture and "none" in method.supernet.operations:
        with torch.no_grad():
            method.alpha[:, method.supernet.operations.index("none")] = 9.0
    step(method, 0)
    derived = method.derive()
    assert "none" not in {value for key, value in derived.items() if key not in fixed}
    without_time = method.select(ShortSelection(method, space, pieces=0))
    selected = method.select(ShortSelection(method, space, pieces=4))
    for config in (derived, without_time, selected):
        space.check(config)
        whole.check(config)
        assert fixed.items() <= config.items()
    assert all(torch.isfinite(value).all() for value in method.architecture.values())

    network = whole.network(selected, SHAPE, CLASSES, **size(whole))
    x, y = batch(3)
    loss = functional.cross_entropy(network(x), y)
    torch.autograd.backward(loss)
    assert torch.isfinite(loss) and any(weight.grad is not None for weight in network.parameters())
