"""What every weight-sharing method must do: a new file in `automl/supernets/` is tested once it exists."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from automl import plugins
from automl.checking import Check, run_checks
from automl.checking.supernets import checks, smallest_spaces, supernet_spaces
from automl.oneshot.options import SupernetOptions
from automl.supernets.base import Batch, SearchOptions, WeightSharing

torch.set_num_threads(1)
METHODS = plugins.names("supernets")
SPACES = supernet_spaces()
SMALL = smallest_spaces()
EVERYWHERE = ("it derives", "it selects")  # what is checked in every space of ours, not only the smallest


def all_checks(name: str) -> list[Check]:
    """On the smallest spaces everything, on the others what depends on the space."""
    method = plugins.load("supernets", name)
    others = {space: SPACES[space] for space in SPACES if space not in SMALL}
    elsewhere = [check for check in checks(method, others) if check.name.startswith(EVERYWHERE)]
    return [*checks(method), *elsewhere]


CHECKS = [(name, check) for name in METHODS for check in all_checks(name)]


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda value: getattr(value, "name", value))
def test_method(name: str, check: Check) -> None:
    check.run()


@pytest.mark.parametrize("name", METHODS)
def test_options_reach_the_evaluator(name: str) -> None:
    plugin = plugins.load("supernets", name)
    options = SupernetOptions.model_validate({"method": name, "alpha_rate": 0.5})
    assert options.method_options() == plugin.Options(alpha_rate=0.5)
    assert len(plugins.summaries("supernets")[name]) > 20


class Greedy(WeightSharing):
    """Its alpha step trains the weights too."""

    def alpha_step(self, train: Batch, validation: Batch) -> Any:
        self.weight_step(train)
        return super().alpha_step(train, validation)


class Unseeded(WeightSharing):
    """Draws from Python's own source of randomness."""

    def penalty(self) -> torch.Tensor:
        noise = torch.rand(self.alpha.shape, generator=torch.Generator().manual_seed(torch.seed()))
        return (noise * self.alpha).sum()


class NeedyOptions(SearchOptions):
    """An option without a default."""

    needed: int


class Needy(WeightSharing):
    """Has such an option."""

    Options = NeedyOptions


@pytest.mark.parametrize(
    ("plugin", "rule"),
    [
        (Greedy, "alpha_step must leave the supernet's weights and buffers as they are"),
        (Unseeded, "the same seed must give the same search"),
        (Needy, "options must have defaults, but needed have none"),
        (object(), "must be a class that extends automl.supernets.base.WeightSharing"),
    ],
    ids=["greedy", "unseeded", "needy", "object"],
)
def test_a_method_that_breaks_a_rule_is_found(plugin: object, rule: str) -> None:
    name = min(SMALL, key=lambda name: SMALL[name].size())
    reports = run_checks(checks(plugin, {name: SMALL[name]}))
    assert any(rule in report.problem for report in reports), reports
