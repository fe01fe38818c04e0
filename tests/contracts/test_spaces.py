"""What every search space must do; a new file in `searchspaces/` is tested the moment it exists."""

from __future__ import annotations

import json
import math
import random
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from fake_context import FakeContext, image_task
from torch import Tensor, nn
from torch.nn import functional

from automl import plugins
from automl.export.source import Flattened
from automl.space import Choice, Space
from automl.training import saved
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
SPACES = plugins.names("spaces")
IMPORT = re.compile(r"^(?:import|from) \S+", re.MULTILINE)
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
        network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
        before = functional.cross_entropy(network(x), y)
        torch.autograd.backward(before)
        # fused optimisers pair weights and gradients by place in memory
        assert all(w.grad is None or w.grad.stride() == w.stride() for w in network.parameters())
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


@pytest.mark.parametrize("name", builders("network"))
def test_networks_are_saved_loaded_and_exported(name: str, tmp_path: Path) -> None:
    """After one step, a random configuration's logits are those of its saved and of its exported network."""
    config, task = configs(name, 1)[-1], image_task(rows=6)
    network = space(name).network(config, task.shape, task.classes, channels=2, cells=3)
    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    torch.autograd.backward(functional.cross_entropy(network(x), y))
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    context = FakeContext(tmp_path, given_task=task, space=space(name))
    saved.save_network(network, config, cast(Any, context), NetworkOptions(channels=2, cells=3))
    flat = Flattened(f"{space(name).network.__module__}:{space(name).network.__qualname__}")
    assert "automl" not in {line.split()[1].partition(".")[0] for line in re.findall(IMPORT, flat.text)}
    scope: dict[str, Any] = {"__name__": "model"}
    exec(f"from __future__ import annotations\n{flat.text}", scope)
    exported = scope[space(name).network.__qualname__](config, (1, 8, 8), 3, channels=2, cells=3)
    exported.load_state_dict(network.state_dict())
    logits = []
    for module in (network, saved.load_network(tmp_path / "model"), exported):
        torch.manual_seed(0)  # for noise, where it is an operation
        logits.append(module.eval()(x))
    for other in logits[1:]:  # another memory layout may round differently
        assert torch.allclose(logits[0], other, atol=1e-5)


def supernet(name: str, **size: int) -> Any:
    torch.manual_seed(0)
    return space(name).supernet((1, 8, 8), 3, **{"channels": 4, "cells": 3, **size})


def labelled() -> tuple[Tensor, Tensor]:
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return x, torch.tensor([0, 1, 2, 0])


def narrowed(name: str) -> list[Space]:
    """The space, and the space with each of a few choices held at one option."""
    parameters = space(name).parameters
    choices = [key for key, value in parameters.items() if isinstance(value, Choice)]
    held = {key: cast(Choice, parameters[key]).options[-1] for key in choices[::3]}
    return [space(name), space(name).fix(held)]


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_describe_themselves(name: str) -> None:
    net = supernet(name, channels=2, cells=1)
    rows = range(len(net.edges))
    assert len(set(net.edges)) == len(rows) and len(set(net.operations)) == len(net.operations)
    assert sorted(row for node in net.nodes for row in node) == list(rows)
    assert net.skip_rows and set(net.skip_rows) <= set(rows)
    for part in narrowed(name):
        allowed = net.allowed(part)
        assert allowed.dtype == torch.bool and allowed.device.type == "cpu"
        assert allowed.shape == (len(rows), len(net.operations))
        assert allowed.any(1).all()


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_derive_valid_configurations(name: str) -> None:
    """Any strengths give a configuration of the space; those of a path give the path's own."""
    net = supernet(name, channels=2, cells=1)
    generator, rng = torch.Generator().manual_seed(0), random.Random(0)
    for part in narrowed(name):
        allowed = net.allowed(part)
        for _ in range(5):
            strengths = torch.rand(allowed.shape, generator=generator)
            derived = net.derive(strengths, part)
            part.check(derived)
            assert not (net.path(derived) & ~allowed).any()
            config = part.sample(rng)
            path = net.path(config)
            if "none" not in config.values():  # which is never derived
                assert net.derive(path.float(), part) == config


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_mix_exactly_the_spaces_operations(name: str) -> None:
    """All weights and all operations but `none` get a gradient, and nothing else does."""
    net = supernet(name)
    allowed = net.allowed(space(name))
    strengths = (allowed / allowed.sum(1, keepdim=True)).requires_grad_()
    loss = functional.cross_entropy(net(labelled()[0], strengths), labelled()[1])
    slopes = torch.autograd.grad(loss, [strengths, *net.parameters()])
    assert all(torch.isfinite(slope).all() and slope.any() for slope in slopes[1:])
    some = allowed & torch.tensor([operation != "none" for operation in net.operations])
    assert torch.equal(slopes[0] != 0, some)


@pytest.mark.parametrize("name", builders("supernet"))
def test_what_is_not_active_adds_nothing(name: str) -> None:
    """Logits and gradients do not depend on the strengths of what is not on the path."""
    net = supernet(name, cells=1)
    path = net.path(space(name).sample(random.Random(1)))
    seen = []
    for off in (0.0, 7.0):
        strengths = torch.where(path, 1.0, off).requires_grad_()
        torch.manual_seed(0)
        logits = net(labelled()[0], strengths, path)
        (slope,) = torch.autograd.grad(functional.cross_entropy(logits, labelled()[1]), [strengths])
        assert not slope[~path].any()
        seen += [logits, slope]
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_normalise_without_scale_and_keep_statistics(name: str) -> None:
    net = supernet(name, cells=1)
    norms = [part for part in net.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(norm.track_running_stats and norm.weight is None for norm in norms)
    allowed = net.allowed(space(name))
    strengths = allowed / allowed.sum(1, keepdim=True)
    net(labelled()[0], strengths)
    net.eval()
    alone = []
    for size in (1, 4):  # what else is in the batch is no matter in evaluation
        alone.append(net(labelled()[0][:size], torch.where(strengths > 0, strengths, 0.0))[:1])
    if "noise" not in net.operations:
        assert torch.allclose(alone[0], alone[1], atol=1e-5)


@pytest.mark.parametrize("name", builders("supernet"))
def test_supernets_with_part_of_the_channels(name: str) -> None:
    def weights(net: Any) -> int:
        return sum(weight.numel() for weight in net.parameters())

    whole, part = supernet(name), supernet(name, partial=2)
    assert weights(part) < weights(whole)
    allowed = part.allowed(space(name))
    logits = part(labelled()[0], allowed / allowed.sum(1, keepdim=True))
    assert logits.shape == (4, 3) and torch.isfinite(logits).all()
