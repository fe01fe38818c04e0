"""The program on an unpacked store of commit 10a45bd: one for all tests that only read, or one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from old_store import Program, unpack


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked store that no test changes."""
    return unpack(tmp_path_factory.mktemp("old") / "home")


@pytest.fixture
def program(unpacked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program on the store that no test changes."""
    return Program(unpacked, monkeypatch, capsys.readouterr)


@pytest.fixture
def fresh_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    """The program on a store of this test alone."""
    return Program(unpack(tmp_path / "home"), monkeypatch, capsys.readouterr)
