"""Checks of a zero-cost proxy (see `automl.contracts.Proxy`)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from automl.checking.frame import Check
from automl.contracts import Proxy, UserError

SHAPE, CLASSES, IMAGES = (1, 8, 8), 3, 12
State = list[Tensor | bool | None]


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a zero-cost proxy."""
    yield Check("it is a Proxy", partial(_check_type, plugin))
    if not isinstance(plugin, Proxy):
        return
    for name, build in NETWORKS.items():
        yield Check(f"its score is a finite float ({name})", partial(_finite, plugin, build))
        yield Check(f"the same weights give the same score ({name})", partial(_repeats, plugin, build))
        yield Check(f"network and batch stay as they were ({name})", partial(_unchanged, plugin, build))
    yield Check("a network without layers is scored or refused", partial(_bare, plugin))
    yield Check("its score tells networks apart", partial(_tells_apart, plugin))


def batch() -> tuple[Tensor, Tensor]:
    """Random images (12, 1, 8, 8) and labels of three classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(IMAGES, *SHAPE, generator=generator), torch.arange(IMAGES) % CLASSES


def convolutions() -> nn.Module:
    """Three convolutions with batch-norm, in channels-last layout, as networks of spaces are."""
    torch.manual_seed(1)
    blocks = [
        nn.Sequential(nn.ReLU(), nn.Conv2d(width, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        for width in (1, 4, 4)
    ]
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its types
    return network


def mixed() -> nn.Module:
    """What a user may write: an activation in place, dropout, frozen and trained parameters, a gradient."""
    torch.manual_seed(1)
    convolution, norm, linear = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(64, CLASSES)
    assert convolution.bias is not None
    convolution.bias.requires_grad_(False)
    linear.weight.grad = torch.ones(CLASSES, 64)
    norm.eval()
    return nn.Sequential(
        convolution, norm, nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), linear
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {"convolutions": convolutions, "a mixed network": mixed}


def _check_type(plugin: object) -> None:
    assert isinstance(plugin, Proxy), (
        f"PLUGIN of a zero-cost proxy must be an automl.contracts.Proxy, but is {plugin!r}; "
        "write PLUGIN = Proxy(score)"
    )
    assert isinstance(plugin.cheap, bool), f"cheap must be True or False, but is {plugin.cheap!r}"


def _finite(proxy: Proxy, build: Callable[[], nn.Module]) -> None:
    score = proxy.score(build(), batch())
    assert isinstance(score, float), f"a score must be a float, but is a {type(score).__name__}; convert it"
    assert math.isfinite(score), f"a score must be finite, but is {score}"


def _repeats(proxy: Proxy, build: Callable[[], nn.Module]) -> None:
    network = build()
    scores = [proxy.score(each, batch()) for each in (network, network, copy.deepcopy(network))]
    assert len(set(scores)) == 1, (
        f"the same weights must give the same score, but three calls gave {scores}; take out dropout and "
        "draw nothing"
    )


def _unchanged(proxy: Proxy, build: Callable[[], nn.Module]) -> None:
    network, inputs = build(), batch()
    before, images = _state(network), inputs[0].clone()
    proxy.score(network, inputs)
    advice = "work on a copy (automl.proxies.base.working_copy)"
    same = all(map(_equal, _state(network), before))
    assert same, f"weights, buffers, gradients and modes must stay as they were, but some changed; {advice}"
    kept = torch.equal(inputs[0], images) and not inputs[0].requires_grad
    assert kept, "the batch must stay as it was, but the images changed; work on a copy"
    hooks = [hook for module in network.modules() for hook in module._forward_hooks]
    assert not hooks, f"hooks must be removed, but {len(hooks)} are left; {advice}"


def _bare(proxy: Proxy) -> None:
    """Such a network may be refused by `UserError`, and by nothing else."""
    try:
        score = proxy.score(nn.Flatten(), (torch.zeros(2, 1, 1, 3), torch.arange(2)))
    except UserError:
        return
    assert isinstance(score, float), f"a score must be a float, but is a {type(score).__name__}"


def _tells_apart(proxy: Proxy) -> None:
    scores = {name: proxy.score(build(), batch()) for name, build in NETWORKS.items()}
    assert len(set(scores.values())) == len(scores), (
        f"different networks must get different scores, but got {scores}"
    )


def _state(network: nn.Module) -> State:
    """Weights, buffers, gradients, and which parameters and modules are trained."""
    parameters = list(network.parameters())
    return [
        *(tensor.clone() for tensor in network.state_dict().values()),
        *(None if p.grad is None else p.grad.clone() for p in parameters),
        *(p.requires_grad for p in parameters),
        *(module.training for module in network.modules()),
    ]


def _equal(a: Tensor | bool | None, b: Tensor | bool | None) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b
