"""Makes `store_10a45bd.tar.xz`: campaigns, exports and printed reports of an earlier commit, 10a45bd.

Run by the Python of a checkout of that commit, with its dependencies:

    git worktree add ../old 10a45bd && make -C ../old setup
    ../old/.venv/bin/python tests/compatibility/make_store.py

All paths in the store begin with `HOME`; a test replaces that by the folder to which it unpacked the
archive. Host, user and platform are written as `example`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOME = Path("/tmp/automl-10a45bd")
ARCHIVE = HERE / "store_10a45bd.tar.xz"
FINISHED = {"cells": "cells", "tables": "tables", "meta": "meta", "table_replay": "table-replay"}
CUT = {
    "cells_cut": "cells-cut-1/darts-0",
    "network_cut": "network-cut-1/random-0",
    "meta_cut": "meta-cut-1/maml-0",
}
TORCH = {"cells": ["random", "gdas", "resnet", "darts", "mobile", "perceptron", "s1"],
         "meta": ["maml", "protonet", "centroid"]}  # fmt: skip
NEUTRAL = """
import getpass, platform, socket
getpass.getuser = socket.gethostname = platform.platform = lambda *_: "example"
"""
UNNEEDED = ("report.html", "*.svg", "checkpoint", "*.draft*", "*.lock", "mlflow.ready", "__pycache__")


def main() -> None:
    """Run, kill, print and export in `HOME`, then pack what the tests need."""
    shutil.rmtree(HOME, ignore_errors=True)
    shutil.copytree(HERE / "studies", HOME / "studies", ignore=shutil.ignore_patterns("__pycache__"))
    (HOME / "neutral").mkdir()
    (HOME / "neutral/sitecustomize.py").write_text(NEUTRAL)
    sys.path.insert(0, str(HERE.parent))
    from toy_benchmark import write

    write(HOME / "studies/toy.npz")
    for file in FINISHED:
        run("run", f"studies/{file}.yaml")
    kill("function_cut", in_the_middle)
    for file, search in CUT.items():
        kill(file, lambda search=search: len(checkpoints(search)) >= 2)  # type: ignore[misc]
    printed = {study: json.loads(run("report", study, "--json")) for study in FINISHED.values()}
    (HOME / "reports.json").write_text(json.dumps(printed, indent=1, sort_keys=True))
    for study in FINISHED.values():
        run("export", study, "-o", f"exports/{study}.yaml")
    for study, arms in TORCH.items():
        for arm in arms:
            run("export", study, "--arm", arm, "--format", "torch", "-o", f"exports/{study}-{arm}")
    strip()
    pack()


def environment() -> dict[str, str]:
    """A store in `HOME` and one thread, whatever the user has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOML_", "MLFLOW_"))}
    added = {"AUTOML_STORE": str(HOME / "store"), "PYTHONPATH": str(HOME / "neutral"), "OMP_NUM_THREADS": "1"}
    return {**kept, **added, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def run(*words: str) -> str:
    """What a command of the old program prints."""
    done = subprocess.run(
        [sys.executable, "-m", "automl.cli", *words],
        cwd=HOME, env=environment(), check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.stdout


def kill(file: str, ready: Callable[[], bool]) -> None:
    """Start a study and kill it as soon as it is `ready`."""
    command = [sys.executable, "-m", "automl.cli", "run", f"studies/{file}.yaml"]
    with subprocess.Popen(command, cwd=HOME, env=environment()) as process:
        while not ready():
            if process.poll() is not None:
                raise SystemExit(f"{file} ended before it could be killed")
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)


def in_the_middle() -> bool:
    """Whether some trials of the function have ended and one is running that has reported."""
    ended = rows("SELECT count(*) FROM trials WHERE id LIKE 'function-cut-%' AND state != 'running'")
    running = "SELECT id FROM trials WHERE id LIKE 'function-cut-%' AND state = 'running'"
    reported = rows(f"SELECT count(*) FROM reports WHERE trial IN ({running})")
    return bool(ended[0][0] >= 5 and reported[0][0] >= 1)


def checkpoints(search: str) -> list[Path]:
    """The checkpoints of the first trial of a search, the newest last."""
    return sorted((HOME / f"store/work/{search}/0/checkpoints").glob("*.json"))


def rows(query: str) -> list[tuple[Any, ...]]:
    """The rows of a query to the ledger."""
    with closing(sqlite3.connect(HOME / "store/ledger.db", timeout=60)) as ledger:
        return ledger.execute(query).fetchall()


def strip() -> None:
    """Remove what no test needs: pictures, pages, most checkpoints, free pages of databases."""
    for pattern in UNNEEDED:
        for path in list(HOME.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    newest = [checkpoints(search)[-1] for search in CUT.values()]
    kept = {*newest, *(path.with_suffix(".pt") for path in newest)}
    for path in set((HOME / "store/work").glob("**/checkpoints/*")) - kept:
        path.unlink()
    for name in ("ledger.db", "mlflow.db"):
        with closing(sqlite3.connect(HOME / "store" / name)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("VACUUM")


def pack() -> None:
    """Write the archive, without owners and times. The study files stay outside of it."""

    def neutral(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for name in ("reports.json", "exports", "store", "studies/toy.npz"):
            archive.add(HOME / name, name, filter=neutral)


if __name__ == "__main__":
    main()
