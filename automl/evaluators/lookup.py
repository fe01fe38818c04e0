"""Look results up in a tabular benchmark: `lookup: {file: nb201_cifar10.npz, value: …, cost: …}`.

The costs of the file drive a simulated clock that budgets, pruning and anytime curves obey.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from pydantic import Field

from automl.benchmarks import Column, Table, load_table
from automl.contracts import (
    Config,
    Context,
    Metric,
    Result,
    Split,
    Tabular,
    TabularOptions,
    Task,
    TaskOutline,
    UserError,
)
from automl.metrics import RESOURCES
from automl.space import Space

T = TypeVar("T")
SEEDS = "_seeds"  # ends the name of a column's twin that has a value for each seed


class LookupOptions(TabularOptions):
    """`file` as given, beside the study, or below AUTOML_DATA. The others name columns of it.

    `value`: the reward, or `{step: column}`, of which each is reported. `cost`: device-seconds that the
    value took, or as many `{step: column}`, counted from the start of the trial. `fresh`: fresh-seed
    validation value and `test`: sealed test value of a winner; columns of these names with `_seeds`
    at the end hold the values of each seed. `metrics`: `{metric: column}` of what else is measured.
    `deadline`: wall seconds of a whole replayed search.
    """

    value: str | dict[int, str]
    cost: str | dict[int, str]
    metrics: dict[str, str] = Field({})


class Lookup(Tabular):
    """The evaluator `lookup`. A column with several seeds gives the one that a trial's seed picks."""

    Options: ClassVar[type[TabularOptions]] = LookupOptions
    example_options: ClassVar[Mapping[str, Any]] = {"file": "table.npz", "value": "value", "cost": "cost"}

    options: LookupOptions

    def __init__(self, options: LookupOptions) -> None:
        super().__init__(options)
        self._table: Table | None = None

    def evaluate(self, config: Config, context: Context) -> Result:
        """The value of `config` after its last step; each step before is charged and reported.

        A `final` evaluation gives the fresh value that its seed picks, and costs nothing. Raises
        `UserError` for a configuration without a row and for a file that is not usable.
        """
        table, seed = self._opened(), context.seed
        row = table.row(config)
        if context.final:
            context.charge(0.0)
            fresh = self.fresh(config)
            return Result({context.metrics[0].name: fresh[seed % len(fresh)], **self._more(row, seed)})
        more = self._more(row, seed)
        context.measured(**{name: more[name] for name in RESOURCES if name in more})  # known before any cost
        for step, value, cost in self._steps:
            context.charge(cost.at(row, seed))
            reached = value.at(row, seed)
            if len(self._steps) > 1:
                context.report(step, reached)
        wanted = {metric.name: more[metric.name] for metric in context.metrics[1:] if metric.name in more}
        return Result({context.metrics[0].name: reached, **wanted}, more)

    def measures(self) -> Collection[str]:
        """Those that have a column."""
        return self.options.metrics

    def least_cost(self) -> float | None:
        """The cost of the cheapest configuration of the table."""
        self._opened()
        return self._steps[-1][2].least()

    def fresh(self, config: Config) -> list[float]:
        """Fresh-seed validation values of a configuration. Raises `UserError` without such a column."""
        if self.options.fresh is None:
            raise UserError("evaluator.lookup.fresh must name a column to retrain winners, but is not given")
        table = self._opened()
        return table.column(_by_seed(table, self.options.fresh)).all(table.row(config))

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """A look-up leaves no model: always raises `UserError`."""
        raise UserError(
            "a test on data needs a model that can be loaded, but the evaluator lookup leaves none; "
            "leave task.dataset out, and name the column of the test value in evaluator.lookup.test"
        )

    def mistakes(self, space: Space, task: TaskOutline) -> list[tuple[str, str]]:
        """What is wrong with file and columns, and with `space` for them."""
        found: list[tuple[str, str]] = []

        def attempt(option: str, work: Callable[[], T]) -> T | None:
            try:
                return work()
            except UserError as error:
                found.append((option, str(error)))
                return None

        table = attempt("file", lambda: load_table(self.options.file))
        if table is None:
            return found
        misfit = table.misfit(space)
        if misfit:
            found.append(("file", f"the space must fit the table {table.path.name}: {misfit}; correct it"))
        for option, column in self._named():
            if option == "test":  # sealed: only its shape is looked at
                attempt(option, lambda name=column: table.check_shape(_by_seed(table, name)))  # type: ignore[misc]
                continue
            name = _by_seed(table, column) if option == "fresh" else column
            positive = option == "cost"
            attempt(option, lambda n=name, p=positive: table.column(n, positive=p))  # type: ignore[misc]
        found += self._inconsistent(table, task.metrics) if not found else []
        return found

    def _named(self) -> list[tuple[str, str]]:
        """Each option with the columns that it names."""
        options = self.options
        pairs: list[tuple[str, Any]] = [
            *(("value", name) for name in _by_step(options.value).values()),
            *(("cost", name) for name in _by_step(options.cost).values()),
            *(("metrics", name) for name in options.metrics.values()),
            ("fresh", options.fresh),
            ("test", options.test),
        ]
        return [(option, name) for option, name in pairs if name is not None]

    def _inconsistent(self, table: Table, metrics: Sequence[Metric]) -> list[tuple[str, str]]:
        """Rules between options whose columns are all there."""
        values, costs = _by_step(self.options.value), _by_step(self.options.cost)
        found = []
        if not values or min(values) < 1 or sorted(values) != sorted(costs):
            text = f"must have the steps of value, from 1 up ({sorted(values)}), but has {sorted(costs)}"
            found.append(("cost", f"{text}; name one column for each step"))
        else:
            falling = _falling(table, [costs[step] for step in sorted(costs)])
            if falling:
                found.append(("cost", f"must not fall from step to step, but {falling}; it counts from 0"))
        seen = {name for option, name in self._named() if option != "test"}
        if self.options.test is not None and {self.options.test, _by_seed(table, self.options.test)} & seen:
            text = "must be a column that nothing else names, for it is sealed"
            found.append(("test", f"{text}, but got {self.options.test!r}"))
        lacking = [metric.name for metric in metrics[1:] if metric.name not in self.options.metrics]
        if lacking:
            found.append(("metrics", f"must name a column for {', '.join(lacking)}, but does not"))
        return found

    def _opened(self) -> Table:
        if self._table is None:
            self._table = table = load_table(self.options.file)
            values, costs = _by_step(self.options.value), _by_step(self.options.cost)
            self._steps = [
                (step, table.column(values[step]), table.column(costs[step], positive=True))
                for step in sorted(values)
            ]
            self._others = {name: table.column(column) for name, column in self.options.metrics.items()}
        return self._table

    _steps: list[tuple[int, Column, Column]]
    _others: dict[str, Column]

    def _more(self, row: int, seed: int) -> dict[str, float]:
        return {name: column.at(row, seed) for name, column in self._others.items()}


def _by_step(columns: str | dict[int, str]) -> dict[int, str]:
    return {1: columns} if isinstance(columns, str) else columns


def _by_seed(table: Table, name: str) -> str:
    """The column with a value for each seed, where there is one."""
    return f"{name}{SEEDS}" if f"{name}{SEEDS}" in table.columns else name


def _falling(table: Table, names: list[str]) -> str:
    """Which cost is below that of the step before, in some row; without the same seeds by their means."""
    for before, after in pairwise(names):
        first, second = table.column(before), table.column(after)
        a, b = first.values, second.values
        if not np.array_equal(first.counts, second.counts):
            a, b = (np.nanmean(values, axis=1, keepdims=True) for values in (a, b))
        rows = np.flatnonzero((b < a).any(axis=1))
        if len(rows):
            return f"{after!r} is below {before!r} in row {int(rows[0])}"
    return ""


PLUGIN = Lookup
