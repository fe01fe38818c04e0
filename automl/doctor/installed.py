"""Python and the packages beside it, against what this project declares and was tested with."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import automl
from automl.doctor.finding import Finding, problem, warning
from automl.provenance import DISTRIBUTION

SHOWN: Final = 5  # packages that are named in one line
_PINNED: Final = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def python() -> Iterator[Finding]:
    """The interpreter against the versions that the package admits."""
    admitted = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    text = f"Python {platform.python_version()} in {sys.prefix}"
    if platform.python_version() in SpecifierSet(admitted, prereleases=True):
        yield Finding("python", text)
    else:
        yield problem("python", f"{text}, but {admitted} is needed", "make an environment with such a Python")


def packages() -> Iterator[Finding]:
    """Every declared package: whether it is there, in a version that is admitted."""
    wanted = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [one for one in needed if not _admitted(one)]
    for one in wrong:
        found = _version(one.name)
        is_there = f"is {found}" if found else "is not installed"
        yield problem("packages", f"{one.name} {is_there}, but {one} is needed", f"pip install '{one}'")
    if not wrong:
        yield Finding("packages", f"all {len(needed)} that are needed are installed in admitted versions")


def tested_versions(constraints: Path | None = None) -> Iterator[Finding]:
    """The versions in a checkout's constraints.txt, which are those that were tested together."""
    file = constraints or Path(automl.__file__).parents[1] / "constraints.txt"
    if not file.is_file():
        return
    pinned = dict(_PINNED.findall(file.read_text(encoding="utf-8")))
    others = [
        f"{name} {found} (tested: {version})"
        for name, version in pinned.items()
        if (found := _version(name)) is not None and found.partition("+")[0] != version
    ]
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        text = f"other versions than the tested ones: {', '.join(others[:SHOWN])}{more}"
        yield warning("packages", text, f"pip install --constraint {file} where something behaves oddly")
    else:
        yield Finding("packages", f"the versions are those of {file.name}")


def _admitted(wanted: Requirement) -> bool:
    found = _version(wanted.name)
    return found is not None and wanted.specifier.contains(found, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
