"""`make quick`: the unit tests of what changed since the branch left main, and of the rules between rooms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALWAYS = ["tests/test_architecture.py"]
LEFT_OUT = "not slow and not ray and not postgres and not browser and not faults"
CONTRACTS = {  # rooms whose files are plug-ins, and the suite that checks them
    "automl/strategies": "test_strategies.py",
    "automl/executors": "test_executors.py",
    "automl/learners": "test_learners.py",
    "automl/supernets": "test_supernets.py",
    "automl/proxies": "test_proxies.py",
    "automl/data": "test_datasets.py",
    "searchspaces": "test_spaces.py",
    "studies": "test_studies.py",
}


def changed_files() -> list[Path]:
    """Files that differ from where this branch left main, committed or not."""
    base = _git("merge-base", "HEAD", "main") or ["HEAD~1"]
    if base == _git("rev-parse", "HEAD"):
        base = ["HEAD~1"]  # on main itself: the last commit
    names = [*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")]
    return [Path(name) for name in dict.fromkeys(names)]


def tests_of(files: list[Path]) -> list[str]:
    """The test files and folders that mirror `files`."""
    chosen = dict.fromkeys(ALWAYS)
    for file in files:
        parts = file.parts
        if parts[0] == "tests":
            chosen[str(file if file.name.startswith("test_") else file.parent)] = None
        elif parts[0] in {"automl", "searchspaces", "studies"}:
            room = parts[1] if parts[0] == "automl" else parts[0]
            chosen[f"tests/{room}"] = None
            chosen[f"tests/test_{Path(room).stem}.py"] = None
            suite = CONTRACTS.get("/".join(parts[:2]) if parts[0] == "automl" else parts[0])
            chosen |= {f"tests/contracts/{suite}": None} if suite else {}
    return [name for name in chosen if name != "tests" and (ROOT / name).exists()]


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


if __name__ == "__main__":
    paths = tests_of(changed_files())
    sys.stdout.write(f"{' '.join(paths)}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-m", LEFT_OUT, *paths]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)
