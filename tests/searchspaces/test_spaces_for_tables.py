"""The spaces for tables: their families, what they leave out, their portfolios."""

from __future__ import annotations

import random

import pytest
from histories import LOSS, spec

from automl.plugins import load
from automl.space import Space
from automl.strategies.searcher import Searcher
from automl.tables import boosters
from automl.tables.sizes import LIMITS

TABULAR, BOOSTERS = (load("spaces", name) for name in ("tabular", "tabular_boosters"))
SPACES = pytest.mark.parametrize("space", [TABULAR, BOOSTERS], ids=["tabular", "tabular_boosters"])


def test_a_space_without_an_extra_needs_none() -> None:
    models = TABULAR.parameters["model"].options
    assert not set(models) & set(boosters.PACKAGES)
    assert BOOSTERS.parameters["model"].options == (*models, *boosters.PACKAGES)


@SPACES
def test_what_no_family_needs_is_not_drawn(space: Space) -> None:
    for seed in range(200):
        config = space.sample(random.Random(seed))
        scaled = config["model"] in ("linear", "knn", "svm", "mlp", "mlps")
        boosts = "boosting_rounds" in config
        assert scaled == ("scaling" in config) and config.get("scaling") != "none"
        assert boosts == ("imputation" not in config) == ("boosting_encoding" in config)


@SPACES
@pytest.mark.parametrize("rows", [100, 10_000])
def test_a_search_begins_with_good_configurations_of_several_families(space: Space, rows: int) -> None:
    searcher = Searcher.build(space, spec("tpe"), spec("none"), [LOSS], 0).with_default(rows)
    count = 1 + len(space.portfolio.of(rows))
    first = [searcher.ask(number) for number in range(count)]
    assert first[0] == space.default_config()
    assert first[1:] == space.portfolio.of(rows)
    assert count >= 8 and len({config["model"] for config in first if config}) >= 3
    assert len({space.digest(config) for config in first if config}) == count
    later = searcher.ask(count)
    assert later is not None and later not in first


@SPACES
def test_the_first_starts_are_no_families_with_limits_on_large_tables(space: Space) -> None:
    """So that what a large table does not try costs no early trial."""
    assert all(config["model"] not in LIMITS for config in space.portfolio.of(10_000)[:1])
