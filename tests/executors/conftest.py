"""Lanes that tests drive by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lane_run import Clock, Run


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    def make(jobs: int, slots: int = 2, *, learns: bool = True) -> Run:
        return Run(tmp_path, Clock(monkeypatch), jobs, slots, learns)

    return make
