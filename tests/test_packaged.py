"""Plug-ins of installed packages are found, also those that come later, and are not looked for each time."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from automl import packaged, plugins


def install(folder: Path, name: str) -> None:
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[automl.pruners]\n{name} = {name}_code:PLUGIN\n[other]\nx = y:z\n"
    )


def test_packages_that_come_later_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plugins.names("pruners")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("first", "second"):
        install(tmp_path, name)
        assert name in plugins.names("pruners")
    assert [entry.value for entry in packaged.packaged("pruners") if entry.name == "first"] == [
        "first_code:PLUGIN"
    ]
    monkeypatch.undo()
    assert plugins.names("pruners") == before


def test_they_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = packaged.every_one()
    monkeypatch.setattr(packaged, "entry_points", lambda: pytest.fail("read again"))
    assert packaged.every_one() == known
    assert all(entry.group.startswith("automl.") for entry in known)
    assert isinstance(known, tuple) and all(isinstance(entry, metadata.EntryPoint) for entry in known)
