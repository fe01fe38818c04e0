"""What every search space must do; a new file in `searchspaces/` is tested the moment it exists."""

from __future__ import annotations

import json
import math
import random
from functools import cache
from typing import Any

import pytest
import torch
from torch.nn import functional

from automl import plugins
from automl.space import Space

torch.set_num_threads(1)
SPACES = plugins.names("spaces")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)]


@cache
def space(name: str) -> Space:
    loaded = plugins.load("spaces", name)
    assert isinstance(loaded, Space)
    return loaded


def builders(kind: str) -> list[str]:
    return [name for name in SPACES if getattr(space(name), kind) is not None]


def configs(name: str, count: int) -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [space(name).default_config(), *(space(name).sample(rng) for _ in range(count))]


@pytest.mark.parametrize("name", SPACES)
def test_default_and_samples_are_valid(name: str) -> None:
    for config in configs(name, 20):
        space(name).check(config)
        assert json.loads(json.dumps(config)) == config
    assert space(name).size() > 0


@pytest.mark.parametrize("name", SPACES)
def test_digest_depends_on_the_configuration_alone(name: str) -> None:
    for config in configs(name, 20):
        digest = space(name).digest(config)
        assert len(digest) == 64 and int(digest, 16) >= 0
        assert space(name).digest(dict(reversed(config.items()))) == digest
    found = {space(name).digest(config) for config in configs(name, 20)}
    assert len(found) > min(3, space(name).size() / 2)


@pytest.mark.parametrize("name", SPACES)
def test_summary_says_what_it_is(name: str) -> None:
    assert len(plugins.summaries("spaces")[name]) > 20


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", builders("network"))
def test_networks_build_and_train_on_images(name: str, shape: tuple[int, int, int]) -> None:
    """One step of SGD of the default and two random configurations leaves all parameters finite."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, *shape, generator=generator)
    y = torch.tensor([0, 1, 2, 0])
    for config in configs(name, 2 if math.prod(shape) < 4000 else 1):
        torch.manual_seed(0)
        network = space(name).network(config, shape, 3, channels=4, cells=1)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        before = functional.cross_entropy(network(x), y)
        torch.autograd.backward(before)
        optimiser.step()
        logits = network(x)
        assert logits.shape == (4, 3)
        assert torch.isfinite(logits).all()
        assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
        network.eval()
        assert network(x[:1]).shape == (1, 3)


@pytest.mark.parametrize("name", builders("network"))
def test_networks_depend_on_the_seed_alone(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = space(name).network(space(name).default_config(), (1, 8, 8), 3, channels=4, cells=1)
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize("name", builders("network"))
def test_channels_and_cells_make_larger_networks(name: str) -> None:
    def count(**size: int) -> int:
        network = space(name).network(space(name).default_config(), (1, 8, 8), 3, **size)
        return sum(parameter.numel() for parameter in network.parameters())

    smallest = count(channels=4, cells=1)
    assert count(channels=8, cells=1) > smallest
    assert count(channels=4, cells=2) > smallest


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_mix_exactly_the_spaces_operations(name: str) -> None:
    torch.manual_seed(0)
    supernet = space(name).supernet((1, 8, 8), 3, channels=4, cells=1)
    assert list(supernet.edges) == list(space(name).parameters)
    for edge in supernet.edges:
        assert list(space(name).parameters[edge].options) == list(supernet.operations)
    size = (len(supernet.edges), len(supernet.operations))
    strengths = torch.full(size, 1 / size[1], requires_grad=True)
    x = torch.randn(4, 1, 8, 8)
    loss = functional.cross_entropy(supernet(x, strengths), torch.tensor([0, 1, 2, 0]))
    slopes = torch.autograd.grad(loss, [strengths, *supernet.parameters()])
    assert all(torch.isfinite(slope).all() and slope.any() for slope in slopes[1:])
    moved = slopes[0].abs().sum(0) > 0
    assert moved.tolist() == [operation != "none" for operation in supernet.operations]
