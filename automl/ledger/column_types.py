"""Types of columns that read what another program wrote, so that a reader of rows can refuse it by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from automl.ledger.rules import Unreadable

_DECODE: Final = json.JSONDecoder().decode


class Json(sa.TypeDecorator[Any]):
    """Plain JSON values as text, NaN and infinities included (the JSON type of PostgreSQL refuses those)."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: sa.Dialect) -> str | None:
        """The text of a value; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        """How a text is read; `Unreadable` for one that is not JSON, which the reader of rows refuses."""
        return _read_json


def _read_json(value: Any) -> Any:
    try:
        return None if value is None else _DECODE(value)
    except (ValueError, TypeError, RecursionError):
        return Unreadable(value)


class Flag(sa.Boolean):
    """A truth value; what SQLite holds beside 0 and 1 stays as it is, for the reader of rows to refuse."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        """How a value of the database is read."""
        return lambda value: bool(value) if value in (0, 1) else value
