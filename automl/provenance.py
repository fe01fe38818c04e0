"""Where a result comes from: code, versions, machine, data. Contains no secrets; collecting never fails.

What is unknown is None or left out: a study outside of git, a machine without a GPU.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "automl-orchestrator"


@dataclass(frozen=True)
class GitState:
    """The state of a git repository. `dirty`: it has uncommitted changes; None when git does not say."""

    commit: str
    dirty: bool | None


@dataclass(frozen=True)
class DataIdentity:
    """The data of a campaign: name, sha256, and what reading them found out, left out or converted.

    `features`: meta-features, by which later campaigns find similar data; nothing where they were not kept.
    """

    name: str
    digest: str
    notes: list[str] = field(default_factory=list)
    features: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """Code, versions and machine of one moment, and the data of the campaign that began then.

    `identity`: what the study's names stood for (`automl.identity`); `accepted`: what of it has changed since
    and was accepted by the user, a sentence each.
    """

    study: GitState | None = None
    project: GitState | None = None
    packages: dict[str, str] = field(default_factory=dict)
    python: str = ""
    platform: str = ""
    host: str = ""
    cores: int | None = None
    devices: list[str] = field(default_factory=list)
    data: DataIdentity | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    @property
    def code(self) -> GitState | None:
        """The state of the study's code, or of this project's where the study is outside of git."""
        return self.study or self.project

    def to_json(self) -> dict[str, object]:
        """Plain JSON; without `data` where a study has none, and without what nobody noted."""
        left_out = {key for key in ("data", "identity", "accepted") if not asdict(self)[key]}
        return {key: value for key, value in asdict(self).items() if key not in left_out}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Provenance:
        """The provenance that `to_json` wrote; what older versions did not write is unknown."""
        fields = {key: value for key, value in written.items() if key in cls.__dataclass_fields__}
        for key in ("study", "project"):
            fields[key] = GitState(**fields[key]) if fields.get(key) else None
        fields["data"] = DataIdentity(**fields["data"]) if fields.get("data") else None
        return cls(**fields)


def collect(
    folder: Path, data: DataIdentity | None = None, identity: dict[str, Any] | None = None
) -> Provenance:
    """Code, versions and machine of this moment; `folder` is the study's."""
    return Provenance(
        study=git_state(folder),
        project=git_state(Path(__file__).parent, "provenance.py"),
        packages=package_versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        host=socket.gethostname(),
        cores=os.cpu_count(),
        devices=device_names(),
        data=data,
        identity=identity or {},
    )


def git_state(folder: Path, tracked: str | None = None) -> GitState | None:
    """The state of the repository around `folder`.

    None outside of git, or when `tracked` names a file there that the repository does not hold
    (a package installed inside somebody's checkout is not that checkout's code).
    """
    if tracked is not None and _git(folder, "ls-files", "--error-unmatch", tracked) is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain")
    return GitState(commit, None if changes is None else bool(changes))


def package_versions() -> dict[str, str]:
    """The installed versions of this project and of what it is declared to need."""
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        declared = []
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in declared if "extra ==" not in line}
    versions = {}
    for name in sorted({DISTRIBUTION, *names}):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def device_names() -> list[str]:
    """The processor and every GPU of this machine, by name."""
    return [_processor(), *_gpus()]


def _git(folder: Path, *arguments: str) -> str | None:
    # A git hook's GIT_DIR would point every folder at the repository of the hook.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return _output(["git", "-C", str(folder), *arguments], environ)


def _output(command: list[str], environ: dict[str, str] | None = None) -> str | None:
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, errors="replace", timeout=10, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or "" if sys.platform == "darwin" else ""
        return text or platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.machine()


def _gpus() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    listed = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return listed.splitlines() if listed else []
