"""Configurations that have been good elsewhere, from which a search of a space may start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automl.contracts import Config, UserError


class Portfolio:
    """Configurations, the best first, by the least number of training rows for which the list is meant.

    Raises `UserError` for a least number that is not a whole one from 0.
    """

    def __init__(self, lists: Mapping[int, Sequence[Config]]) -> None:
        wrong = [
            least for least in lists if isinstance(least, bool) or not isinstance(least, int) or least < 0
        ]
        if wrong:
            raise UserError(f"a portfolio's keys must be numbers of rows from 0, but got {wrong!r}")
        self.lists = {least: [dict(config) for config in lists[least]] for least in sorted(lists)}

    def of(self, rows: int | None) -> list[Config]:
        """The list for data of `rows` training rows; None where there are no such rows: the first one."""
        fitting = [least for least in self.lists if least <= (rows or 0)]
        return [dict(config) for config in self.lists[fitting[-1]]] if fitting else []

    def checked(self, check: Callable[[Config], None]) -> Portfolio:
        """Itself, once `check` has raised nothing for any configuration."""
        for configs in self.lists.values():
            for config in configs:
                check(config)
        return self

    def within(self, fits: Callable[[Config], bool]) -> Portfolio:
        """The portfolio without configurations that do not fit."""
        return Portfolio({least: list(filter(fits, configs)) for least, configs in self.lists.items()})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, whose keys are strings."""
        return {str(least): configs for least, configs in self.lists.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[Config]]) -> Portfolio:
        """The portfolio that `to_json` wrote."""
        return cls({int(least): configs for least, configs in data.items()})
