"""Networks of DARTS genotypes: published sizes, plain definition, drop-path, auxiliary head, image sizes."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl.contracts import UserError
from automl.searchspaces.darts import DARTS_V2, PLUGIN
from automl.searchspaces.darts_genotypes import wiring
from automl.searchspaces.darts_network import CellPlace, DartsNetwork

torch.set_num_threads(1)


def build(
    config: dict[str, Any] = DARTS_V2,
    shape: tuple[int, ...] = (1, 8, 8),
    classes: int = 3,
    *,
    channels: int = 2,
    cells: int = 3,
) -> DartsNetwork:
    torch.manual_seed(0)
    return DartsNetwork(config, shape, classes, channels=channels, cells=cells)


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_parameters_of_the_published_network() -> None:
    """Liu et al. 2019, table 1: 3.3 M, without the auxiliary head; the authors' code prints 3.349342 MB
    (C = 36, L = 20). The head sees C' = 4·144 = 576 channels: 128 C' + 2·128 + 4·128·768 + 2·768 + 7690.
    """
    with torch.device("meta"):
        network = DartsNetwork(DARTS_V2, (3, 32, 32), 10, channels=36, cells=20)
        assert count(network) == 3_349_342
        network.add_auxiliary(10)
    assert count(network) - 3_349_342 == 128 * 576 + 256 + 4 * 128 * 768 + 1536 + 7690


def test_reductions_stand_at_one_and_two_thirds() -> None:
    """Channels double there; the first cell's inputs are both the stem's 3C."""
    places = [CellPlace(index, 8, 16) for index in range(8)]
    assert [index for index, place in enumerate(places) if place.reduction] == [2, 5]
    assert [place.channels for place in places] == [16, 16, 32, 32, 32, 64, 64, 64]
    assert [place.inputs for place in places[:4]] == [(48, 48), (48, 64), (64, 64), (64, 128)]
    assert [place.after_reduction for place in places] == [False] * 3 + [True, False, False, True, False]
    assert CellPlace(0, 1, 16).channels == 32  # a lone cell is one reduction


def plain(network: DartsNetwork, config: dict[str, Any], x: Tensor) -> Tensor:
    """Cell by cell and edge by edge, as the paper says."""
    first = second = network.stem(x)
    for cell, kind in zip(network.cells, ("normal", "reduce", "reduce"), strict=True):
        nodes = {0: cell.preprocess[0](first), 1: cell.preprocess[1](second)}
        for (node, source, _), layer in zip(wiring(config, kind), cell.operations, strict=True):
            nodes[node] = nodes.get(node, 0) + layer(nodes[source])
        first, second = second, torch.cat([nodes[node] for node in (2, 3, 4, 5)], 1)
    logits: Tensor = network.classifier(second.mean((2, 3)))
    return logits


def test_network_equals_its_definition() -> None:
    rng = random.Random(0)
    for _ in range(3):
        config = PLUGIN.sample(rng)
        network = build(config).double()
        x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
        assert torch.allclose(network(x), plain(network, config, x), rtol=0, atol=1e-12)


def test_batch_norms_learn_scales_and_none_follows_pooling() -> None:
    config = {key: value if "inputs" in key else "max_pool_3x3" for key, value in DARTS_V2.items()}
    norms = [part for part in build(config).modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 1 + 2 * 3  # the stem's and the preprocessing's
    assert all(norm.affine for norm in norms)


@pytest.mark.parametrize(
    ("side", "inside"), [((8, 8), 8), ((28, 28), 28), ((32, 32), 32), ((64, 64), 32), ((128, 96), 48)]
)
def test_stems_halve_larger_images(side: tuple[int, int], inside: int) -> None:
    network = build(shape=(3, *side))
    assert network.stem(torch.randn(2, 3, *side)).shape[1] == 6
    assert network.stem(torch.randn(2, 3, *side)).shape[3] == inside


def test_drop_path_drops_edges_of_single_images_and_scales_the_rest() -> None:
    """Node 2 is skip(0) + pool(1): the identity stays, the pooling is 0 or pool / keep.

    Of 2,000 images 0.75 ± 4·√(0.75·0.25/2000) = ± 0.039 keep it: one run in 16,000 would fail.
    """
    config = {**DARTS_V2, "normal_0_2": "skip_connect", "normal_1_2": "avg_pool_3x3"}
    cell = build(config).cells[0]
    state = torch.randn(2000, 6, 4, 4)
    with torch.no_grad():
        skipped, pooled = cell.preprocess[0](state), cell.operations[1](cell.preprocess[1](state))
        cell.drop_path = 0.25
        part = cell(state, state)[:, :2] - skipped
    kept = part.flatten(1).abs().sum(1) > 1e-4
    assert abs(float(kept.float().mean()) - 0.75) < 0.039
    assert torch.allclose(part[kept], pooled[kept] / 0.75, atol=1e-5)


def test_drop_path_spares_identities_and_evaluation() -> None:
    skips = {key: value if "inputs" in key else "skip_connect" for key, value in DARTS_V2.items()}
    x = torch.randn(8, 1, 8, 8)
    for config, training in ((skips, True), (DARTS_V2, True), (DARTS_V2, False)):
        network = build(config, cells=3).train(training)
        state = network.stem(x)
        normal = network.cells[0]  # without reduction, so that its skip connections are identities
        whole = normal(state, state)
        normal.drop_path = 0.5
        same = torch.equal(normal(state, state), whole)
        assert same == (config is skips or not training)
    network = build().train()
    network.drop_path = 0.5
    torch.manual_seed(0)
    first = network(x)
    torch.manual_seed(0)
    assert torch.equal(network(x), first) and not torch.equal(network(x), first)


@pytest.mark.parametrize(("side", "cells"), [(8, 1), (8, 3), (28, 2), (64, 3)])
def test_auxiliary_head(side: int, cells: int) -> None:
    """It fits any image, trains the trunk up to the second reduction, and leaves no trace when dropped."""
    network = build(shape=(1, side, side), cells=cells)
    names = set(network.state_dict())
    network.add_auxiliary(3)
    x = torch.randn(4, 1, side, side)
    logits, auxiliary = network.forward_with_auxiliary(x)
    assert logits.shape == auxiliary.shape == (4, 3)
    assert torch.equal(network.eval()(x), network.forward_with_auxiliary(x)[0])
    trunk = list(network.cells[: 2 * cells // 3 + 1].parameters())
    slopes = torch.autograd.grad(auxiliary.square().sum(), trunk, allow_unused=True)
    assert any(slope is not None and slope.any() for slope in slopes)
    network.auxiliary = None
    assert set(network.state_dict()) == names


def test_auxiliary_head_is_at_the_second_reduction() -> None:
    network = build(cells=8)
    network.add_auxiliary(3)
    seen: list[Tensor] = []
    network.cells[5].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    auxiliary = network.eval().forward_with_auxiliary(torch.randn(2, 1, 8, 8))[1]
    head = network.auxiliary
    assert head is not None and torch.equal(head(seen[0]), auxiliary)


def test_bad_genotypes_and_tasks_are_refused() -> None:
    with pytest.raises(UserError, match="must give normal_inputs_4 one of"):
        build({key: value for key, value in DARTS_V2.items() if key != "normal_inputs_4"})
    with pytest.raises(UserError, match="image search space"):
        build(shape=(8, 8))
    with pytest.raises(UserError, match="at least 2 classes"):
        build(classes=1)
