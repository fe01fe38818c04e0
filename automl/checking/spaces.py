"""Checks of search spaces: their parameters, and the networks and supernets that they build."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.checking import network_export, space_supernets
from automl.checking.frame import Check
from automl.contracts import Config
from automl.space import Space

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)]
SAMPLES = 20
LARGE = 4000  # values of an image from which on fewer configurations are tried


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a search space."""
    yield Check("it is a Space", partial(_check_type, plugin))
    if isinstance(plugin, Space):
        yield from _checks(plugin)


def _checks(space: Space) -> Iterator[Check]:
    yield Check("its default and random configurations are valid and plain JSON", lambda: _valid(space))
    yield Check("a digest depends on the configuration alone", lambda: _digests(space))
    if space.builds("network"):
        for shape in SHAPES:
            rule = f"networks build and train on images of shape {shape}"
            yield Check(rule, partial(_networks_train, space, shape))
        yield Check("networks depend on torch's seed alone", lambda: _network_seeds(space))
        yield Check("channels and cells never make a network smaller", lambda: _sizes(space))
        yield Check(
            "a network is saved, loaded and exported with the same outputs",
            lambda: network_export.saved_and_exported(space, configurations(space, 1)[-1]),
        )
    if space.builds("supernet"):
        yield from space_supernets.checks(space)


def configurations(space: Space, count: int) -> list[Config]:
    """The default and `count` random configurations, always the same ones."""
    rng = random.Random(0)
    return [space.default_config(), *(space.sample(rng) for _ in range(count))]


def _check_type(plugin: object) -> None:
    assert isinstance(plugin, Space), (
        f"PLUGIN of a search space must be an automl.space.Space, but is {plugin!r}; write Space({{…}})"
    )


def _valid(space: Space) -> None:
    for config in configurations(space, SAMPLES):
        space.check(config)
        assert json.loads(json.dumps(config)) == config, f"must be plain JSON, but {config} is not"
    assert space.size() > 0, "a space must have a configuration, but its size is 0"


def _digests(space: Space) -> None:
    digests = set()
    for config in configurations(space, SAMPLES):
        digest = space.digest(config)
        same = space.digest(dict(reversed(config.items())))
        assert len(digest) == 64, f"a digest must be a sha256 in hex, but {config} has {digest!r}"
        assert same == digest, f"the order of keys must not matter, but it does for {config}"
        digests.add(digest)
    assert len(digests) > min(3, space.size() / 2), (
        f"digests must tell configurations apart, but {SAMPLES} random ones have only {len(digests)}"
    )


def _networks_train(space: Space, shape: tuple[int, int, int]) -> None:
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2, 0])
    small = shape[0] * shape[1] * shape[2] < LARGE
    for config in configurations(space, 2 if small else 1):
        network = build_network(space)(config, shape, 3, channels=4, cells=1)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its types
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
        torch.autograd.backward(functional.cross_entropy(network(x), y))
        for weight_name, weight in network.named_parameters():
            # fused optimisers of torch 2.13 pair weights and gradients by place in memory
            aligned = weight.grad is None or weight.grad.stride() == weight.stride()
            assert aligned, f"a gradient must lie in memory as its weight does, but {weight_name}'s does not"
        optimiser.step()
        logits = network(x)
        assert logits.shape == (4, 3), f"logits must be (images, classes) = (4, 3), but are {logits.shape}"
        finite = [torch.isfinite(value).all() for value in (logits, *network.parameters())]
        assert all(finite), f"one step of SGD must leave all finite, but does not for {config}"
        network.eval()
        assert network(x[:1]).shape == (1, 3), "a single image must do in evaluation"


def _network_seeds(space: Space) -> None:
    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        network = build_network(space)(space.default_config(), (1, 8, 8), 3, channels=4, cells=1)
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    assert torch.equal(weights(1), weights(1)), "the same seed must give the same weights, but does not"
    assert not torch.equal(weights(1), weights(2)), "another seed must give other weights, but does not"


def _sizes(space: Space) -> None:
    def count(**size: int) -> int:
        network = build_network(space)(space.default_config(), (1, 8, 8), 3, **size)
        return sum(parameter.numel() for parameter in network.parameters())

    smallest = count(channels=4, cells=1)
    for size in ({"channels": 8, "cells": 1}, {"channels": 4, "cells": 2}):
        found = count(**size)
        assert found >= smallest, f"{size} must not shrink the network, but {smallest} becomes {found}"


def build_network(space: Space) -> Callable[..., nn.Module]:
    """The network builder of a space that has one."""
    builder: Callable[..., Any] | None = space.network
    if builder is None:
        raise ValueError("the space builds no networks")
    return builder
