"""The table of a benchmark: which row a configuration has, and checked columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from automl.benchmarks.files import array_names, array_shape, find_file, read_array
from automl.benchmarks.layouts import read_layout
from automl.contracts import Config, Scalar, UserError
from automl.space import Choice, Float, Int, Parameter, Space
from automl.space.basics import same

MOST_VALUES = 10_000  # of one integer parameter, to be looked up in a table


class Column:
    """One quantity of every row: (n,), or (n, seeds) of which a row may lack some at its end (NaN)."""

    def __init__(self, values: np.ndarray) -> None:
        wide = values.reshape(len(values), -1).astype(float)
        present = np.isfinite(wide)
        order = np.argsort(~present, axis=1, kind="stable")
        self.values = np.take_along_axis(wide, order, 1)
        self.counts = present.sum(1)

    def at(self, row: int, seed: int) -> float:
        """The value of `row` that `seed` picks among those of its seeds."""
        return float(self.values[row, seed % int(self.counts[row])])

    def least(self) -> float:
        """The smallest of all its values."""
        return float(np.nanmin(self.values))

    def all(self, row: int) -> list[float]:
        """All values of `row`."""
        return [float(value) for value in self.values[row, : self.counts[row]]]


class Table:
    """A benchmark file. Columns are read when they are asked for, so what is not asked for stays sealed."""

    def __init__(self, path: Path) -> None:
        layout = read_layout(path)
        self.path, self.options, self.space_name = path, layout.options, layout.space
        self.config = layout.config
        self.columns = sorted(set(array_names(path)) - layout.arrays)
        self._places = [{_key(v): i for i, v in enumerate(values)} for values in layout.options.values()]
        self._rows = {tuple(row): number for number, row in enumerate(layout.config.tolist())}
        if len(self._rows) < len(layout.config):
            raise UserError(f"{path}: every configuration must have one row, but some have several")
        self._read: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.config)

    def row(self, config: Config) -> int:
        """The row of a configuration. Raises `UserError` when it has none."""
        try:
            pairs = zip(self._places, self.options, strict=True)
            return self._rows[tuple(places[_key(config[name])] for places, name in pairs)]
        except KeyError:
            raise UserError(
                f"a configuration must be in the table to be looked up, but {self.path.name} has no row "
                f"for {config!r}; narrow the space to the table's configurations"
            ) from None

    def column(self, name: str, *, positive: bool = False) -> Column:
        """A column of finite numbers (above 0 with `positive`).

        Raises `UserError` for one that is not there, has another shape, or lacks a row's value.
        """
        if name not in self._read:
            self.check_shape(name)
            self._read[name] = Column(self._numbers(name))
        column = self._read[name]
        if positive and not (column.values[np.isfinite(column.values)] > 0).all():
            raise UserError(f"costs must be above 0 seconds, but column {name!r} has some that are not")
        return column

    def check_shape(self, name: str) -> None:
        """Raise `UserError` unless there is a column `name` with a row for every configuration."""
        if name not in self.columns:
            raise UserError(
                f"must be a column of {self.path.name}, but got {name!r}; known: {', '.join(self.columns)}"
            )
        shape = array_shape(self.path, name)
        if len(shape) not in (1, 2) or shape[0] != len(self) or 0 in shape:
            raise UserError(
                f"column {name!r} must have the shape ({len(self)},) or ({len(self)}, seeds), but has {shape}"
            )

    def _numbers(self, name: str) -> np.ndarray:
        values = read_array(self.path, name)
        if values.dtype.kind not in "fiu":
            raise UserError(f"column {name!r} must hold numbers, but holds {values.dtype}")
        wide = values.reshape(len(values), -1)
        wrong = np.isinf(wide).any(1) | ~np.isfinite(wide).any(1)
        if wrong.any():
            raise UserError(
                f"column {name!r} must have a finite number for every configuration, but {int(wrong.sum())} "
                f"of {len(self)} have none, the first in row {int(wrong.argmax())}"
            )
        return values

    def own_space(self) -> Space:
        """The space of the table's parameters, each a choice of its options."""
        return Space({name: Choice(values) for name, values in self.options.items()})

    def misfit(self, space: Space) -> str | None:
        """Why some configuration of `space` has no row, or None."""
        if set(space.parameters) != set(self.options):
            return (
                f"its parameters must be those of the table ({', '.join(self.options)}), but are "
                f"{', '.join(space.parameters)}"
            )
        mask = np.ones(len(self), dtype=bool)
        for number, (name, options) in enumerate(self.options.items()):
            values = _values(space.parameters[name])
            if values is None:
                return f"{name} must have single values to be looked up, but is {space.parameters[name]}"
            missing = [value for value in values if not any(same(value, option) for option in options)]
            if missing:
                return f"{name} must be one of {list(options)} in the table, but may be {missing[0]!r}"
            kept = [i for i, option in enumerate(options) if any(same(option, value) for value in values)]
            mask &= np.isin(self.config[:, number], kept)
        if any(parameter.when for parameter in space.parameters.values()):
            return "its parameters must all be there in every configuration, but some are conditional"
        if mask.sum() < space.size():
            return f"every configuration must have a row, but {space.size() - mask.sum():.0f} have none"
        return None


def _values(parameter: Parameter) -> Mapping[Scalar, None] | None:
    """The values a parameter may have, when they can be listed."""
    if isinstance(parameter, Choice):
        return dict.fromkeys(parameter.options)
    if isinstance(parameter, Int):
        count = parameter.size()
        values = range(parameter.low, parameter.high + 1, parameter.step)
        return dict.fromkeys(values) if count <= MOST_VALUES else None
    if isinstance(parameter, Float) and parameter.size() == 1:
        return {parameter.low: None}
    return None


def _key(value: Scalar) -> tuple[bool, Scalar]:
    """Equal for the values that `parameters.same` takes for one option."""
    return isinstance(value, bool), value


def load_table(file: str) -> Table:
    """The table of a file, read once for each change of it. Raises `UserError` for unusable ones."""
    path = find_file(file)
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(path: Path, _changed: int) -> Table:
    return Table(path)


def table_space(file: str) -> Space:
    """The space that a table's own parameters make."""
    return load_table(file).own_space()
