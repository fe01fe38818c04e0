"""What every search space must do; a new file in `searchspaces/` is tested the moment it exists."""

from __future__ import annotations

import pytest
import torch

from automl import plugins
from automl.checking import Check
from automl.checking.spaces import build_network, checks
from automl.spaces import find_space

torch.set_num_threads(1)
SPACES = plugins.names("spaces")
CHECKS = [(name, check) for name in SPACES for check in checks(find_space(name))]


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda value: getattr(value, "name", value))
def test_space(name: str, check: Check) -> None:
    check.run()


@pytest.mark.parametrize("name", SPACES)
def test_summary_says_what_it_is(name: str) -> None:
    assert len(plugins.summaries("spaces")[name]) > 20


@pytest.mark.parametrize("name", [name for name in SPACES if find_space(name).builds("network")])
def test_channels_and_cells_make_larger_networks(name: str) -> None:
    """More than the contract asks for: our own spaces grow with both."""

    def count(**size: int) -> int:
        space = find_space(name)
        network = build_network(space)(space.default_config(), (1, 8, 8), 3, **size)
        return sum(parameter.numel() for parameter in network.parameters())

    assert min(count(channels=8, cells=1), count(channels=4, cells=2)) > count(channels=4, cells=1)


@pytest.mark.parametrize("name", [name for name in SPACES if find_space(name).builds("supernet")])
def test_supernets_have_skip_connections_and_norms(name: str) -> None:
    """More than the contract asks for: the collapse alarm counts skip connections in all our spaces."""
    supernet = find_space(name).supernet
    assert supernet is not None
    assert supernet((1, 8, 8), 3, channels=2, cells=1).skip_rows
