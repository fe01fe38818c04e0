"""Drop-path and the auxiliary head of the networks that have them; those of DARTS: test_darts_network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from automl import plugins
from automl.layers.operations import ResidualBlock
from automl.layers.regularised import Droppable, ImageNetwork
from automl.searchspaces.macro_mobile import InvertedResidual
from automl.searchspaces.nasbench201 import EDGES, Cell

torch.set_num_threads(1)
NAMES = ["nasbench201", "macro_mobile", "resnet"]


def build(name: str, *, cells: int = 1, side: int = 8) -> Any:
    torch.manual_seed(0)
    space = plugins.load("spaces", name)
    return space.network(space.default_config(), (1, side, side), 3, channels=2, cells=cells)


def test_which_networks_can_be_regularised() -> None:
    found = []
    for name in plugins.names("spaces"):
        space = plugins.load("spaces", name)
        if space.network is not None and isinstance(build(name, cells=3), ImageNetwork):
            found.append(name)
    robust = [f"robustdarts_s{number}" for number in range(1, 5)]
    assert found == sorted(["darts", *NAMES, *robust])


@pytest.mark.parametrize("block", [ResidualBlock(2, 2), InvertedResidual(2, 2, "mb3_k3")], ids=["relu", "mb"])
def test_residual_branches_are_dropped_for_single_images(block: Any) -> None:
    """Of 2,000 images 0.75 ± 4·√(0.75·0.25/2000) = ± 0.039 keep it: one run in 16,000 would fail."""
    torch.manual_seed(0)
    x = torch.randn(2000, 2, 3, 3)
    with torch.no_grad():
        branch = block(x) - x
        block.drop_path = 0.25
        found = block(x) - x
        kept = found.flatten(1).abs().sum(1) > 1e-4
        assert abs(float(kept.float().mean()) - 0.75) < 0.039
        assert torch.allclose(found[kept], branch[kept] / 0.75, atol=1e-4)
        block.eval()
        whole = block(x)
        block.drop_path = 0.0
        assert torch.equal(block(x), whole)


def test_blocks_without_a_shortcut_are_never_dropped() -> None:
    block = InvertedResidual(2, 4, "mb3_k3", stride=2)
    x = torch.randn(4, 2, 4, 4)
    whole = block(x)
    block.drop_path = 0.9
    assert torch.equal(block(x), whole)


@pytest.mark.parametrize("operation", ["skip_connect", "avg_pool_3x3", "nor_conv_3x3"])
def test_edges_of_a_cell_are_dropped_each_for_itself(operation: str) -> None:
    """Two equal edges into the output: 0, 1 or 2 of them are kept; identities always are."""
    edges = dict.fromkeys(EDGES, "none") | {"edge_0_1": "skip_connect"}
    cell = Cell({**edges, "edge_0_3": operation, "edge_1_3": operation}, 2)
    x = torch.randn(400, 2, 4, 4)
    if operation == "nor_conv_3x3":
        cell.convolutions["edge_1_3"] = cell.convolutions["edge_0_3"]
    with torch.no_grad():
        whole = cell(x)
        cell.drop_path = 0.5
        ratio = (cell(x) / whole).flatten(1).median(1).values
    assert set(ratio.round(decimals=3).tolist()) == (
        {1.0} if operation == "skip_connect" else {0.0, 1.0, 2.0}
    )


@pytest.mark.parametrize("name", NAMES)
def test_networks_drop_paths_in_training_alone(name: str) -> None:
    network, x = build(name), torch.randn(8, 1, 8, 8)
    whole = network(x)
    network.drop_path = 0.5
    assert network.drop_path == 0.5
    assert {part.drop_path for part in network.modules() if isinstance(part, Droppable)} == {0.5}
    torch.manual_seed(0)
    first = network(x)
    torch.manual_seed(0)
    assert torch.equal(network(x), first)
    assert not torch.equal(network(x), first) and not torch.equal(whole, first)
    network.eval()
    whole = network(x)
    network.drop_path = 0.0
    assert torch.equal(network(x), whole)


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("name", NAMES)
def test_auxiliary_head(name: str, side: int) -> None:
    """It reads the second stage's output, trains what leads there, and leaves no trace when dropped."""
    network = build(name, cells=2, side=side)
    names = set(network.state_dict())
    network.add_auxiliary(3)
    x = torch.randn(4, 1, side, side)
    logits, auxiliary = network.forward_with_auxiliary(x)
    assert logits.shape == auxiliary.shape == (4, 3)
    network.eval()
    assert torch.equal(network(x), network.forward_with_auxiliary(x)[0])
    slopes = torch.autograd.grad(auxiliary.square().sum(), list(network.body.parameters()), allow_unused=True)
    reached = [slope is not None for slope in slopes]
    assert reached == sorted(reached, reverse=True) and 0 < sum(reached) < len(reached)
    network.auxiliary = None
    assert set(network.state_dict()) == names

    seen: list[tuple[int, ...]] = []
    network.add_auxiliary(3)
    network.auxiliary.register_forward_hook(lambda _module, given, _output: seen.append(given[0].shape))
    network.forward_with_auxiliary(x)
    stage = [part.shape for part in stages(network, x) if part.shape[1] == 4]
    assert seen == [stage[-1]] and seen[0][2] == side // 2


def stages(network: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The output of each part of the network's body."""
    outputs: list[torch.Tensor] = []
    hooks = [
        part.register_forward_hook(lambda _module, _given, output: outputs.append(output))
        for part in network.body  # type: ignore[union-attr]
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    return outputs
