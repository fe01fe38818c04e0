"""Checks of a weight-sharing method (see `automl.supernets.base.WeightSharing`)."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl import plugins
from automl.checking.frame import Check
from automl.contracts import Config
from automl.space import Space
from automl.spaces import find_space
from automl.supernets.base import Batch, Mixture, SearchOptions, Supernet, WeightSharing
from automl.supernets.batch_norm import reestimate

SHAPE, CLASSES, IMAGES = (1, 8, 8), 3, 6
NONE = "none"  # the operation that a derived network never has, unless nothing else is offered


def checks(plugin: object, spaces: dict[str, Space] | None = None) -> Iterator[Check]:
    """The checks of a weight-sharing method on `spaces` by name; by default the smallest of each kind."""
    yield Check("it is a class of weight-sharing methods with options", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, WeightSharing)):
        return
    for name, space in (smallest_spaces() if spaces is None else spaces).items():
        case = _Case(plugin, space)
        yield Check(f"a step trains, and its seed determines it ({name})", case.check_step)
        yield Check(f"weights and architecture are trained apart ({name})", case.check_apart)
        yield Check(f"a state continues bit for bit ({name})", case.check_continuation)
        yield Check(f"it derives valid networks ({name})", case.check_derived)
        yield Check(f"it selects valid networks in any time ({name})", case.check_selected)


def supernet_spaces() -> dict[str, Space]:
    """The known spaces that build supernets."""
    spaces = {name: find_space(name) for name in plugins.names("spaces")}
    return {name: space for name, space in spaces.items() if space.supernet is not None}


def smallest_spaces() -> dict[str, Space]:
    """The space with the fewest configurations of those that share a builder of supernets."""
    kinds: dict[object, dict[str, Space]] = {}
    for name, space in supernet_spaces().items():
        builder = space.supernet
        shared = builder.func if isinstance(builder, partial) else builder
        kinds.setdefault(shared, {})[name] = space
    names = [min(spaces, key=lambda name: spaces[name].size()) for spaces in kinds.values()]
    return {name: find_space(name) for name in names}


def _check_class(plugin: object) -> None:
    assert isinstance(plugin, type) and issubclass(plugin, WeightSharing), (
        "PLUGIN must be a class that extends automl.supernets.base.WeightSharing, but is "
        f"{plugin!r}; extend it"
    )
    options = plugin.Options
    assert isinstance(options, type) and issubclass(options, SearchOptions), (
        f"Options must extend automl.supernets.base.SearchOptions, but is {options!r}; extend it"
    )
    required = [name for name, field in options.model_fields.items() if field.is_required()]
    assert not required, f"options must have defaults, but {', '.join(required)} have none; give them one"
    assert 0 <= plugin.selection < 1, f"selection must be in [0, 1), but is {plugin.selection}"


@dataclass(frozen=True)
class _Case:
    """A method on one space."""

    plugin: type[WeightSharing]
    space: Space

    def build(self, seed: int = 1, space: Space | None = None) -> WeightSharing:
        used = space or self.space
        if used.supernet is None:
            raise ValueError("the space builds no supernets")
        options = self.plugin.Options.model_validate({})
        partial_channels = options.partial_channels
        assert partial_channels >= 1, f"partial_channels must be at least 1, but is {partial_channels}"
        part = {"partial": partial_channels} if partial_channels > 1 else {}
        torch.manual_seed(seed)
        supernet: Supernet = used.supernet(SHAPE, CLASSES, **_size(used), **part)
        return self.plugin(options, supernet, space=used, seed=seed)

    def check_step(self) -> None:
        first, again, other = self.build(), self.build(), self.build(seed=2)
        start = _State.of(first)
        for method in (first, again, other):
            step(method, 0)
        once = _State.of(first)
        assert not _equal(start.weights, once.weights), "a step must change the weights, but does not"
        assert not _equal(once.weights, _State.of(other).weights), "another seed must draw other weights"
        if first.architecture:
            moved = not _equal(start.architecture, once.architecture)
            assert moved, "a step must change the architecture parameters, but does not"
        assert once.equals(_State.of(again)), (
            "the same seed must give the same search, but does not; draw with self.generator only"
        )

    def check_apart(self) -> None:
        method = self.build()
        step(method, 0)
        before = _State.of(method)
        method.alpha_step(batch(7), batch(8))
        after = _State.of(method)
        assert _equal(before.weights, after.weights), (
            "alpha_step must leave the supernet's weights and buffers as they are, but changes them; "
            "compute logits with self.logits"
        )
        method.weight_step(batch(7))
        last = _State.of(method)
        assert _equal(after.architecture, last.architecture), (
            "weight_step must leave the architecture parameters as they are, but changes them"
        )
        assert not _equal(after.weights, last.weights), "weight_step must change the weights, but does not"

    def check_continuation(self) -> None:
        method, other = self.build(), self.build(seed=2)
        step(method, 0)
        other.load_state_dict(copy.deepcopy(method.state_dict()))
        for each in (method, other):
            step(each, 1)
        assert _State.of(method).equals(_State.of(other)), (
            "a search that continues from state_dict must end as the whole one, but does not; "
            "what a method remembers belongs into state_dict"
        )

    def check_derived(self) -> None:
        fixed = some_of(self.space)
        method = self.build(space=self.space.fix(fixed))
        if "alpha" in method.architecture and NONE in method.supernet.operations:
            with torch.no_grad():
                method.alpha[:, method.supernet.operations.index(NONE)] = 9.0
        step(method, 0)
        derived = method.derive()
        self._check_config(derived, fixed)
        free = {value for key, value in derived.items() if key not in fixed}
        assert NONE not in free, f"a derived network must not have the operation none, but has: {derived}"

    def check_selected(self) -> None:
        fixed = some_of(self.space)
        method = self.build(space=self.space.fix(fixed))
        step(method, 0)
        for pieces in (0, 4):
            selected = method.select(ShortSelection(method, pieces))
            self._check_config(selected, fixed)
        numbers = [value for value in method.selected.values() if not isinstance(value, int | float)]
        assert not numbers, f"selected must hold numbers, but holds {numbers}"
        finite = all(bool(torch.isfinite(value).all()) for value in method.architecture.values())
        assert finite, "architecture parameters must stay finite, but do not"
        self._check_trains(selected)

    def _check_config(self, config: Config, fixed: Config) -> None:
        self.space.check(config)
        kept = fixed.items() <= config.items()
        assert kept, f"values that the study fixes must be kept ({fixed}), but the network is {config}"

    def _check_trains(self, config: Config) -> None:
        if self.space.network is None:
            return
        network: nn.Module = self.space.network(config, SHAPE, CLASSES, **_size(self.space))
        x, y = batch(3)
        loss = functional.cross_entropy(network(x), y)
        torch.autograd.backward(loss)
        trained = any(weight.grad is not None for weight in network.parameters())
        assert trained and bool(torch.isfinite(loss)), f"the network of {config} must train, but does not"


class ShortSelection:
    """A `Selection` with real scores on two batches, and time for `pieces` of them."""

    def __init__(self, method: WeightSharing, pieces: int) -> None:
        self.method, self.space, self.rng, self.pieces = method, method.space, random.Random(0), pieces

    def left(self) -> float:
        """One second for each piece of work."""
        return float(self.pieces)

    @torch.no_grad()
    def accuracy(self, mixture: Mixture) -> float:
        """Accuracy on one batch."""
        self.pieces -= 1
        supernet, (x, y) = self.method.supernet, batch(21)
        reestimate(self.method.module, [batch(20)[0]], *mixture)
        supernet.eval()
        return float((supernet(x, *mixture).argmax(1) == y).float().mean())

    def train(self, steps: int) -> None:
        """One step, whatever is asked for."""
        self.pieces -= 1
        step(self.method, 4)


@dataclass(frozen=True)
class _State:
    """Copies of the supernet's weights and buffers, and of the architecture parameters."""

    weights: list[Tensor]
    architecture: list[Tensor]

    @classmethod
    def of(cls, method: WeightSharing) -> _State:
        weights = [value.clone() for value in method.supernet.state_dict().values()]
        return cls(weights, [value.detach().clone() for value in method.architecture.values()])

    def equals(self, other: _State) -> bool:
        return _equal(self.weights, other.weights) and _equal(self.architecture, other.architecture)


def _equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def batch(seed: int) -> Batch:
    """Six random images and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(IMAGES, *SHAPE, generator=generator)
    return x, torch.randint(0, CLASSES, (IMAGES,), generator=generator)


def step(method: WeightSharing, number: int) -> None:
    """Step `number` of a search, on batches of its own."""
    torch.manual_seed(number)
    step = method.step(batch(2 * number), batch(2 * number + 1), 0.5 + number / 10)
    losses = [float(step.train_loss), float(step.validation_loss)]
    assert torch.isfinite(torch.tensor(losses)).all(), f"losses must be finite, but are {losses}"
    accuracy = float(step.validation_accuracy)
    assert 0 <= accuracy <= 1, f"an accuracy must be in [0, 1], but is {accuracy}"


def some_of(space: Space) -> Config:
    """Values to fix: the first parameter's, and the last one's with all that it needs."""
    config = space.sample(random.Random(0))
    names = [next(iter(config)), list(config)[-1]]
    names += [parent for name in names for parent in space.parameters[name].when]
    return {name: config[name] for name in names}


def _size(space: Space) -> dict[str, int]:
    """The smallest size with every edge: cells with conditional inputs need all kinds of cell."""
    conditional = any(parameter.when for parameter in space.parameters.values())
    return {"channels": 4, "cells": 3 if conditional else 1}
