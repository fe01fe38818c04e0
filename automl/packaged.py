"""Plug-ins of installed packages: what their entry points of the groups `automl.<kind>` name."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

GROUP: Final = "automl."


def packaged(kind: str) -> list[EntryPoint]:
    """Those of a kind."""
    return [entry for entry in every_one() if entry.group == GROUP + kind]


def every_one() -> tuple[EntryPoint, ...]:
    """Those of all kinds. They are read again when a package came into a folder that is searched."""
    return _read(tuple((folder, _changed(folder or ".")) for folder in sys.path))


@lru_cache(maxsize=4)
def _read(searched: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """Reading them all takes some 20 ms, and a study file has dozens of names."""
    found = entry_points()
    groups = sorted(group for group in found.groups if group.startswith(GROUP))
    return tuple(entry for group in groups for entry in found.select(group=group))


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0
