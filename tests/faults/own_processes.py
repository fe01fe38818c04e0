"""`automl` as processes of its own, in a folder, on a store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from patience import PATIENCE

from automl.ledger import Store

AUTOML = str(Path(sys.executable).with_name("automl"))


def on_store(store: Store) -> dict[str, str]:
    """The environment that names a store."""
    url = store.url
    return {"AUTOML_STORE": str(store.folder) if url.startswith("sqlite") else url.replace("+psycopg", "")}


def driver(folder: Path, environ: Mapping[str, str], log: Path, *words: str) -> subprocess.Popen[bytes]:
    """`automl run` with these words in the background, whose output is added to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [AUTOML, "run", *words, "--progress", "log"],
            cwd=folder,
            env=dict(environ),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def command(folder: Path, environ: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Another command; its exit status and what it said."""
    done = subprocess.run(
        [AUTOML, *words],
        cwd=folder,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout + done.stderr
