"""What every weight-sharing method must do: a new file in `automl/supernets/` is tested once it exists."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from automl import plugins
from automl.evaluators.supernet import SupernetOptions
from automl.supernets.base import SearchOptions, WeightSharing

torch.set_num_threads(1)
METHODS = plugins.names("supernets")
SPACES = [name for name in plugins.names("spaces") if plugins.load("spaces", name).supernet is not None]
CASES = [(method, space) for method in METHODS for space in SPACES]
over_methods_and_spaces = pytest.mark.parametrize(("name", "space_name"), CASES)


def batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(6, 1, 8, 8, generator=generator)
    return x, torch.randint(0, 3, (6,), generator=generator)


def make(name: str, space_name: str, *, seed: int = 0, fixed: dict[str, Any] | None = None) -> WeightSharing:
    plugin, space = plugins.load("supernets", name), plugins.load("spaces", space_name).fix(fixed or {})
    torch.manual_seed(seed)
    supernet = space.supernet((1, 8, 8), 3, channels=2, cells=1)
    method: WeightSharing = plugin(plugin.Options(), supernet, space=space, seed=seed)
    return method


def steps(method: WeightSharing, count: int = 2, start: int = 0) -> None:
    torch.manual_seed(start)
    for number in range(start, start + count):
        losses = method.step(batch(2 * number), batch(2 * number + 1), number / 10)
        assert torch.isfinite(losses.train_loss) and torch.isfinite(losses.validation_loss)
        assert 0 <= float(losses.validation_accuracy) <= 1


def state(method: WeightSharing) -> list[Tensor]:
    held = method.state_dict()
    return [value.clone() for value in (*held["supernet"].values(), *held["architecture"].values())]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_options_have_defaults_and_reach_the_evaluator(name: str) -> None:
    plugin = plugins.load("supernets", name)
    assert issubclass(plugin, WeightSharing) and issubclass(plugin.Options, SearchOptions)
    assert SupernetOptions(method=name, alpha_rate=0.5).method_options() == plugin.Options(alpha_rate=0.5)
    assert len(plugins.summaries("supernets")[name]) > 20


@over_methods_and_spaces
def test_same_seed_equal_other_seed_different(name: str, space_name: str) -> None:
    found = []
    for seed in (1, 1, 2):
        method = make(name, space_name, seed=seed)
        steps(method)
        found.append(state(method))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


@over_methods_and_spaces
def test_a_step_trains_weights_and_alpha(name: str, space_name: str) -> None:
    method = make(name, space_name)
    before = state(method)
    steps(method)
    after = state(method)
    assert not torch.equal(before[-1], after[-1])
    assert not equal(before[:-1], after[:-1])


@over_methods_and_spaces
def test_alpha_and_weight_steps_touch_nothing_else(name: str, space_name: str) -> None:
    method = make(name, space_name)
    steps(method)
    before = state(method)
    method.alpha_step(batch(7), batch(8))
    middle = state(method)
    assert equal(before[:-1], middle[:-1]) and not torch.equal(before[-1], middle[-1])
    method.weight_step(batch(7))
    after = state(method)
    assert torch.equal(middle[-1], after[-1]) and not equal(middle[:-1], after[:-1])


@over_methods_and_spaces
def test_state_continues_bit_for_bit(name: str, space_name: str) -> None:
    method = make(name, space_name)
    steps(method)
    other = make(name, space_name, seed=5)
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    for search in (method, other):
        steps(search, start=2)
    assert equal(state(method), state(other))


@over_methods_and_spaces
def test_derives_a_valid_configuration_without_none(name: str, space_name: str) -> None:
    space = plugins.load("spaces", space_name)
    for seed in range(5):
        method = make(name, space_name, seed=seed)
        with torch.no_grad():
            method.alpha.copy_(torch.randn_like(method.alpha))
            if "none" in method.supernet.operations:
                method.alpha[:, method.supernet.operations.index("none")] = 9.0
        derived = method.derive()
        space.check(derived)
        assert "none" not in derived.values()


@over_methods_and_spaces
def test_fixed_edges_stay_fixed(name: str, space_name: str) -> None:
    space = plugins.load("spaces", space_name)
    edge, parameter = next(iter(space.parameters.items()))
    for option in parameter.options:
        method = make(name, space_name, fixed={edge: option})
        steps(method)
        assert method.derive()[edge] == option
        assert torch.isfinite(method.alpha).all()
