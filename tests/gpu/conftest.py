"""Prints one table of what was measured on the GPU, for docs/speed.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cards import Card, Measured, table

Note = Callable[..., None]


@pytest.fixture
def card() -> Card:
    return Card("cuda:0")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Adds a row to the table: an evaluator, what was done, and how it went."""

    def add(evaluator: str, what: str, measured: Measured | None = None, said: str = "yes") -> None:
        seconds = "" if measured is None else f"{measured.seconds:.2f}"
        peak = "" if measured is None else f"{measured.peak / 2**20:.0f}"
        request.node.user_properties.append(("gpu_row", (evaluator, what, seconds, peak, said)))

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            own = [value for name, value in report.user_properties if name == "gpu_row"]
            rows += own if outcome == "passed" else [(*row[:-1], "NO") for row in own]
            if outcome == "failed" and not own and "tests/gpu" in report.nodeid:
                rows.append((report.nodeid.rpartition("::")[2], "", "", "", "NO"))
    if rows:
        terminalreporter.write_sep("-", "for docs/speed.md")
        for line in table(Card("cuda:0").title, rows):
            terminalreporter.write_line(line)
