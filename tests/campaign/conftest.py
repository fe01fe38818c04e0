"""What tests of campaigns share: a clock of attempts, a small study that grows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import growing_study
import pytest


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, in a list of one."""
    now = [100.0]
    monkeypatch.setattr("automl.campaign.attempts.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def study(workspace: Path) -> Path:
    """The file of `growing_study`, in the working folder."""
    (workspace / "growing_code.py").write_text(growing_study.CODE)
    path = workspace / "growing.yaml"
    path.write_text(growing_study.STUDY)
    return path
