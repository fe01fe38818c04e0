"""Each proxy against its definition, computed in another way on a small network in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from automl import plugins
from automl.contracts import UserError

torch.set_num_threads(1)
N = 6


def score(name: str, network: nn.Module, batch: tuple[Tensor, Tensor]) -> float:
    return float(plugins.load("proxies", name).score(network, batch))


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(N, 1, 4, 4, generator=generator, dtype=torch.float64), torch.arange(N) % 3


@pytest.fixture
def network() -> nn.Sequential:
    """Smooth, so that finite differences are exact to many digits."""
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Softplus(), nn.Flatten(), nn.Linear(8, 3)
    ).double()


def slopes(f: Callable[[], float], weight: Tensor, step: float = 1e-5) -> Tensor:
    """The gradient of `f` for every entry of `weight` by central differences."""
    found = torch.zeros_like(weight, requires_grad=False)
    flat, out = weight.data.view(-1), found.view(-1)
    for i in range(len(flat)):
        kept = float(flat[i])
        flat[i] = kept + step
        high = f()
        flat[i] = kept - step
        out[i] = (high - f()) / (2 * step)
        flat[i] = kept
    return found


def loss_and_weights(
    network: nn.Sequential, images: tuple[Tensor, Tensor]
) -> tuple[Callable[[], float], list[Tensor]]:
    weights = [
        parameter for name, parameter in network.named_parameters() if name in ("0.weight", "4.weight")
    ]
    return lambda: float(functional.cross_entropy(network(images[0]), images[1]).detach()), list(weights)


def test_parameters_are_counted(network: nn.Sequential, images: tuple[Tensor, Tensor]) -> None:
    assert score("parameters", network, images) == 2 * 9 + 2 + 2 + 2 + 8 * 3 + 3
    network[4].bias.requires_grad_(False)
    assert score("parameters", network, images) == 2 * 9 + 2 + 2 + 2 + 8 * 3


def test_flops_are_two_for_a_multiply_add(network: nn.Sequential, images: tuple[Tensor, Tensor]) -> None:
    assert score("flops", network, images) == 2 * (2 * 2 * 2 * 9 + 8 * 3)


def test_grad_norm_and_snip(network: nn.Sequential, images: tuple[Tensor, Tensor]) -> None:
    loss, weights = loss_and_weights(network, images)
    found = [slopes(loss, weight) for weight in weights]
    assert score("grad_norm", network, images) == pytest.approx(
        sum(float(gradient.norm()) for gradient in found), rel=1e-7
    )
    saliency = sum(float((g * w.detach()).abs().sum()) for g, w in zip(found, weights, strict=True))
    assert score("snip", network, images) == pytest.approx(saliency, rel=1e-7)


def test_grasp_by_differences_of_gradients(network: nn.Sequential, images: tuple[Tensor, Tensor]) -> None:
    """H g is the change of the gradient along g."""
    _, weights = loss_and_weights(network, images)

    def gradient() -> list[Tensor]:
        return list(torch.autograd.grad(functional.cross_entropy(network(images[0]), images[1]), weights))

    along, kept, step = gradient(), [weight.detach().clone() for weight in weights], 1e-5
    ends = []
    for sign in (1, -1):
        for weight, start, g in zip(weights, kept, along, strict=True):
            weight.data = start + sign * step * g
        ends.append(gradient())
    for weight, start in zip(weights, kept, strict=True):
        weight.data = start
    products = [(high - low) / (2 * step) for high, low in zip(*ends, strict=True)]
    expected = -sum(float((w * p).sum()) for w, p in zip(kept, products, strict=True))
    assert score("grasp", network, images) == pytest.approx(expected, rel=1e-6)


def test_synflow_is_the_product_of_absolute_weights() -> None:
    """On a linear network every layer's flow is R = 1ᵀ|W₂||W₁|1, so the score is 2 R."""
    torch.manual_seed(5)
    first, last = nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)
    paths = float((last.weight.abs() @ first.weight.abs()).sum().detach())
    batch = torch.randn(N, 1, 2, 2), torch.arange(N) % 2
    network = nn.Sequential(nn.Flatten(), first, last)
    assert score("synflow", network, batch) == pytest.approx(2 * paths, rel=1e-6)
    normalised = nn.Sequential(nn.Flatten(), first, nn.BatchNorm1d(3), nn.ReLU(), last)
    assert score("synflow", normalised, batch) == pytest.approx(2 * paths, rel=1e-6)


def test_synflow_does_not_overflow_in_deep_networks() -> None:
    deep = nn.Sequential(nn.Flatten(), *[nn.Linear(64, 64, bias=False) for _ in range(60)])
    with torch.no_grad():
        for weight in deep.parameters():
            weight.fill_(1.0)  # 64^60 = 2^360 is beyond float32
    assert score("synflow", deep, (torch.randn(2, 1, 8, 8), torch.zeros(2))) == 60 * 64.0**61


@pytest.mark.parametrize("inplace", [False, True])
def test_fisher_by_a_mask_on_each_channel(images: tuple[Tensor, Tensor], inplace: bool) -> None:
    """Σ_ij a ∂L/∂a is the slope of L_n for a factor on channel c of image n."""
    torch.manual_seed(6)
    conv, linear = nn.Conv2d(1, 2, 3).double(), nn.Linear(8, 3).double()
    masks = [torch.ones(N, 2, 1, 1, dtype=torch.float64), torch.ones(N, 3, dtype=torch.float64)]

    def loss() -> float:
        hidden = functional.relu(conv(images[0]) * masks[0]).flatten(1)
        return float(functional.cross_entropy(linear(hidden) * masks[1], images[1], reduction="sum").detach())

    expected = sum(float(slopes(loss, mask).square().sum()) for mask in masks) / (2 * N)
    network = nn.Sequential(conv, nn.ReLU(inplace=inplace), nn.Flatten(), linear)
    assert score("fisher", network, images) == pytest.approx(expected, rel=1e-7)


def relu_network() -> tuple[nn.Sequential, np.ndarray, np.ndarray, np.ndarray]:
    """The network with its first weights and biases and its last weights."""
    torch.manual_seed(7)
    first, last = nn.Linear(16, 40).double(), nn.Linear(40, 3).double()
    network = nn.Sequential(nn.Flatten(), first, nn.ReLU(), last)
    w, b, v = (tensor.detach().numpy() for tensor in (first.weight, first.bias, last.weight))
    return network, w, b, v


def test_jacov_from_the_jacobian_of_a_layer(images: tuple[Tensor, Tensor]) -> None:
    network, first, bias, last = relu_network()
    on = (images[0].flatten(1).numpy() @ first.T + bias) > 0
    jacobian = np.stack([last.sum(0) @ (first * row[:, None]) for row in on])
    values = np.linalg.eigvalsh(np.corrcoef(jacobian)) + 1e-5
    expected = -(np.log(values) + 1 / values).sum()
    assert score("jacov", network, images) == pytest.approx(expected, rel=1e-6)


def test_jacov_of_images_that_all_look_alike_is_the_worst(images: tuple[Tensor, Tensor]) -> None:
    network, *_ = relu_network()
    alike = images[0][:1].expand(N, 1, 4, 4), images[1]
    layer = nn.Linear(16, 3).double()
    nn.init.zeros_(layer.weight)
    constant = nn.Sequential(nn.Flatten(), layer)
    worst = score("jacov", constant, images)
    assert score("jacov", network, alike) == pytest.approx(worst, rel=1e-6)
    assert worst < score("jacov", network, images)


def test_naswot_from_codes(images: tuple[Tensor, Tensor]) -> None:
    network, first, bias, _ = relu_network()
    on = ((images[0].flatten(1).numpy() @ first.T + bias) > 0).astype(float)
    kernel = np.array([[40 - np.abs(a - b).sum() for b in on] for a in on])  # N_A minus the Hamming distance
    assert score("naswot", network, images) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-9)


def test_naswot_counts_relus_that_are_functions(images: tuple[Tensor, Tensor]) -> None:
    network, *_ = relu_network()

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = network[1], network[3]

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(functional.relu(self.first(x.flatten(1))))
            return logits

    assert score("naswot", Functional(), images) == score("naswot", network, images)


@pytest.mark.parametrize("name", ["synflow", "snip", "grad_norm", "grasp", "fisher", "naswot"])
def test_a_network_without_the_layer_is_refused(name: str, images: tuple[Tensor, Tensor]) -> None:
    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.gelu(x).flatten(1)[:, :3]

    what = "ReLU" if name == "naswot" else "convolution or linear layer"
    with pytest.raises(UserError, match=f"{name} needs a network with a {what}, but got a Bare without"):
        score(name, Bare(), images)
