"""What tests of campaigns share: a clock of attempts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, in a list of one."""
    now = [100.0]
    monkeypatch.setattr("automl.campaign.attempts.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now
