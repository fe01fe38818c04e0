"""What every zero-cost proxy must do; a new file in `automl/proxies/` is tested the moment it exists."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from automl import plugins
from automl.checking import Check, run_checks
from automl.checking.proxies import batch, checks
from automl.contracts import Proxy

torch.set_num_threads(1)
PROXIES = plugins.names("proxies")
CELL = plugins.load("spaces", "nasbench201")
CHECKS = [(name, check) for name in PROXIES for check in checks(plugins.load("proxies", name))]


def cell(operation: str) -> nn.Module:
    torch.manual_seed(1)
    config = dict.fromkeys(CELL.parameters, operation)
    network: nn.Module = CELL.network(config, (1, 8, 8), 3, channels=4, cells=1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda value: getattr(value, "name", value))
def test_proxy(name: str, check: Check) -> None:
    check.run()


@pytest.mark.parametrize("name", PROXIES)
def test_an_empty_cell_ranks_below_convolutions(name: str) -> None:
    """More than the contract asks for: true of all that ship."""
    score = plugins.load("proxies", name).score
    networks = {operation: cell(operation) for operation in ("nor_conv_3x3", "skip_connect", "none")}
    scores = {operation: score(network, batch()) for operation, network in networks.items()}
    assert scores["nor_conv_3x3"] > scores["none"]
    assert scores == {operation: score(copy.deepcopy(net), batch()) for operation, net in networks.items()}


def noisy(network: nn.Module, batch: object) -> float:
    return float(torch.rand(()))


def trains(network: nn.Module, batch: object) -> float:
    with torch.no_grad():
        next(iter(network.parameters())).add_(1.0)
    return 1.0


@pytest.mark.parametrize(
    ("score", "rule"),
    [
        (lambda network, batch: 1, "a score must be a float, but is a int"),
        (lambda network, batch: float("nan"), "a score must be finite, but is nan"),
        (lambda network, batch: 1.0, "different networks must get different scores"),
        (noisy, "the same weights must give the same score"),
        (trains, "must stay as they were"),
    ],
    ids=["whole", "nan", "constant", "noisy", "trains"],
)
def test_a_proxy_that_breaks_a_rule_is_found(score: Callable[..., float], rule: str) -> None:
    problems = [report.problem for report in run_checks(checks(Proxy(score)))]
    assert any(rule in problem for problem in problems), problems


def test_a_plain_function_is_no_proxy() -> None:
    [report] = run_checks(checks(noisy))
    assert "write PLUGIN = Proxy(score)" in report.problem
