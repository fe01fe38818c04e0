"""Turns rows of the database into dataclasses, and refuses what this program cannot have written.

SQLite keeps any type in any column, and people edit rows by hand. A wrong value would otherwise end in an
error far from its cause, or in a wrong report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger.rules import Rule, Unreadable

T = TypeVar("T")
ADVICE: Final = "stop what uses the store, then correct that row or restore a backup (mlflow/restore.sh)"
_SHOWN: Final = 60


class Reader(Generic[T]):
    """Reads the rows of one table.

    `kind`: a dataclass of its `columns`. `keys`: those that name a row; `whole`: what is wrong across them,
    in words; `become`: what a column's value is turned into.
    """

    def __init__(
        self,
        kind: type[T],
        table: str,
        keys: tuple[str, ...],
        columns: Mapping[str, Rule],
        whole: Callable[[T], str] = lambda row: "",
        become: Mapping[str, Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        self.columns = columns
        self._kind, self._table, self._keys, self._whole = kind, table, keys, whole
        self._become = tuple(become.items())
        members = {name: member for base in reversed(kind.__mro__) for name, member in vars(base).items()}
        slots = "__slots__" in vars(kind)
        self._put = [(name, members[name].__set__) for name in columns] if slots else []
        self._holds = [(name, rule.holds, rule.optional) for name, rule in columns.items()]

    def __call__(self, row: sa.Row[Any]) -> T:
        """The dataclass of a row. Raises `RunError` for a value that breaks the rule of its column."""
        return self._read(row._fields, row)

    def each(self, result: sa.Result[Any]) -> Iterator[T]:
        """The dataclasses of the rows of a result, one after the other."""
        names = tuple(result.keys())
        return (self._read(names, row) for row in result)

    def _read(self, names: Sequence[str], row: Iterable[Any]) -> T:
        values: dict[str, Any] = dict(zip(names, row, strict=True))
        for name, holds, optional in self._holds:
            value = values[name]
            if not (optional and value is None) and not holds(value):
                raise RunError(self._broken(values, name))
        for name, become in self._become:
            values[name] = become(values[name])
        read = object.__new__(self._kind)  # a frozen dataclass would take most of all the time
        if not self._put:
            read.__dict__.update(values)
        for name, put in self._put:
            put(read, values[name])
        if fault := self._whole(read):
            raise RunError(f"the ledger is damaged: {self._named(values)} {fault}; {ADVICE}")
        return read

    def _broken(self, values: Mapping[str, Any], name: str) -> str:
        value, rule = values[name], self.columns[name]
        detail = rule.detail(value)
        if isinstance(value, Unreadable):
            value, detail = value.text, "it is not JSON"
        return (
            f"the ledger is damaged: {name} of {self._named(values)} must be {rule.words}, but has "
            f"{short(value)}{f' ({detail})' if detail else ''}; {ADVICE}"
        )

    def _named(self, values: Mapping[str, Any]) -> str:
        return f"{self._table} {', '.join(short(values[key]) for key in self._keys)}"


def short(value: object) -> str:
    """A value of a row in a few characters."""
    text = repr(value[:_SHOWN] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _SHOWN + 8 else f"{text[:_SHOWN]}…"
