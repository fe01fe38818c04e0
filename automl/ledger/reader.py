"""Turns rows of the database into dataclasses, and refuses what this program cannot have written.

SQLite keeps any type in any column, and people edit rows by hand. A wrong value would otherwise end in an
error far from its cause, or in a wrong report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger.rules import Rule, Unreadable

T = TypeVar("T")
ADVICE: Final = "stop what uses the store, then correct that row or restore a backup (mlflow/restore.sh)"
_SHOWN: Final = 60


class Reader(Generic[T]):
    """Reads the rows of one table.

    `keys`: the columns that name a row; `whole`: what is wrong across its columns, in words.
    """

    def __init__(
        self,
        kind: Callable[..., T],
        table: str,
        keys: tuple[str, ...],
        columns: Mapping[str, Rule],
        whole: Callable[[T], str] = lambda row: "",
    ) -> None:
        self.columns = columns
        self._kind, self._table, self._keys, self._whole = kind, table, keys, whole
        self._holds = [(name, rule.holds) for name, rule in columns.items()]

    def __call__(self, row: sa.Row[Any]) -> T:
        """The dataclass of a row. Raises `RunError` for a value that breaks the rule of its column."""
        values: Mapping[str, Any] = row._asdict()
        for name, holds in self._holds:
            if not holds(values[name]):
                raise RunError(self._broken(values, name))
        read = self._kind(**values)
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
