"""The configurations with which a search begins, before its strategy proposes any of its own."""

from __future__ import annotations

from collections.abc import Sequence

from automl.contracts import Config, Strategy
from automl.space import Space


def starts(
    space: Space, strategy: Strategy, known: Sequence[Config], rows: int | None = None
) -> dict[int, Config]:
    """By the place among the strategy's proposals: the space's default configuration, where it says.

    Then the space's portfolio for so many training rows, unless the strategy remembers nothing, as a
    baseline. None of those that are `known`: the first proposals of memory.
    """
    rest = [] if strategy.remembers == "nothing" else space.portfolio.of(rows)
    new = {space.digest(config): config for config in (space.default_config(), *rest)}
    for config in known:
        new.pop(space.digest(config), None)
    begin = strategy.default_trial()
    return {} if begin is None else dict(enumerate(new.values(), begin))
