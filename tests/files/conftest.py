"""A cache of each test's own, no waiting between tries, and a disk that fails as a test says."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty import Faults, faulty

from automl.files import failing, opening


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "node"))
    monkeypatch.setattr(failing, "pause", lambda seconds: None)
    return tmp_path / "node"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/there"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    found = Faults()
    monkeypatch.setattr(opening, "opened", faulty(found))
    return found
