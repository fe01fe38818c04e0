"""Attempts that wait to be made again: trials before retrainings, in the order in which they ended."""

from __future__ import annotations

from collections import deque

from automl.ledger import TrialRow


class Retries:
    """The next attempts of one search."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[TrialRow]] = {"trial": deque(), "final": deque()}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, row: TrialRow) -> None:
        """Let an attempt wait."""
        self._waiting[row.kind].append(row)

    def next(self, kind: str) -> TrialRow | None:
        """Take out the next attempt of a kind, `trial` or `final`."""
        return self._waiting[kind].popleft() if self._waiting[kind] else None

    def holds(self, kind: str) -> bool:
        """Whether an attempt of that kind waits."""
        return bool(self._waiting[kind])
