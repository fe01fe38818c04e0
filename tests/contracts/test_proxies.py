"""What every zero-cost proxy must do; a new file in `automl/proxies/` is tested the moment it exists."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from automl import plugins
from automl.proxies.base import Batch

torch.set_num_threads(1)
PROXIES = plugins.names("proxies")
CELL = plugins.load("spaces", "nasbench201")


def batch(shape: tuple[int, ...] = (1, 8, 8), n: int = 12) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, *shape, generator=generator), torch.arange(n) % 3


def cell(operation: str) -> nn.Module:
    torch.manual_seed(1)
    config = dict.fromkeys(CELL.parameters, operation)
    network: nn.Module = CELL.network(config, (1, 8, 8), 3, channels=4, cells=1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def plain() -> nn.Module:
    """What a user may write: an activation in place, dropout, frozen and trained parameters, a buffer."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )
    network[0].bias.requires_grad_(False)
    network[6].weight.grad = torch.ones(3, 64)
    network[1].eval()
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions": lambda: cell("nor_conv_3x3"),
    "skips": lambda: cell("skip_connect"),
    "nothing": lambda: cell("none"),
    "plain": plain,
}
over = pytest.mark.parametrize("name", PROXIES)


def value(name: str, network: nn.Module) -> float:
    found = plugins.load("proxies", name)(network, batch())
    assert isinstance(found, float)
    return found


def state(network: nn.Module) -> list[Tensor | bool | None]:
    parameters = list(network.parameters())
    tensors = [tensor.clone() for tensor in network.state_dict().values()]
    gradients = [None if p.grad is None else p.grad.clone() for p in parameters]
    return [
        *tensors,
        *gradients,
        *(p.requires_grad for p in parameters),
        *(m.training for m in network.modules()),
    ]


def equal(a: Tensor | bool | None, b: Tensor | bool | None) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b


def test_all_are_found() -> None:
    named = "synflow snip grad_norm grasp fisher jacov naswot parameters flops"
    assert set(named.split()) <= set(PROXIES)


@over
@pytest.mark.parametrize("network", NETWORKS)
def test_finite_repeatable_and_leaves_all_as_it_was(name: str, network: str) -> None:
    subject, inputs = NETWORKS[network](), batch()
    before, images = state(subject), inputs[0].clone()
    found = plugins.load("proxies", name)(subject, inputs)
    assert math.isfinite(found)
    assert all(map(equal, state(subject), before))
    assert torch.equal(inputs[0], images) and not inputs[0].requires_grad
    assert not any(module._forward_hooks for module in subject.modules())
    assert value(name, subject) == found == value(name, copy.deepcopy(subject))


@over
def test_tells_networks_apart_and_ranks_an_empty_cell_below_convolutions(name: str) -> None:
    scores = {network: value(name, NETWORKS[network]()) for network in ("convolutions", "nothing")}
    assert scores["convolutions"] > scores["nothing"]
