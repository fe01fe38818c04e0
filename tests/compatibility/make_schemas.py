"""Makes `schemas/REVISION.tar.xz`: the ledger of a campaign as SQL, and its report, by the code of that time.

For the last commit with each revision of the ledger's tables (`git log automl/ledger/migrations/versions`):

    git worktree add --detach ../old COMMIT
    PYTHONPATH=../old .venv/bin/python tests/compatibility/make_schemas.py

All paths in it begin with `/home/example`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = "/home/example"
NEUTRAL = """
import getpass, platform, socket
getpass.getuser = socket.gethostname = platform.platform = lambda *_: "example"
"""


def main() -> None:
    """Run the study in a temporary folder, print its report, dump its ledger."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for file in ("upgraded.yaml", "upgrade_code.py"):
            shutil.copy(HERE / "studies" / file, home / file)
        (home / "sitecustomize.py").write_text(NEUTRAL)
        run(home, "run", "upgraded.yaml")
        report = json.loads(run(home, "report", "upgraded", "--json"))
        with closing(sqlite3.connect(home / "store/ledger.db")) as ledger:
            (revision,) = ledger.execute("SELECT version_num FROM automl_alembic_version").fetchone()
            sql = "\n".join(ledger.iterdump())
        texts = {"ledger.sql": sql, "report.json": json.dumps(report, indent=1, sort_keys=True)}
        with tarfile.open(HERE / f"schemas/{revision}.tar.xz", "w:xz", preset=9) as archive:
            for member, text in texts.items():
                content = text.replace(str(home), HOME).encode()
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    sys.stdout.write(f"{revision}: {report['campaign']}\n")


def run(home: Path, *words: str) -> str:
    """What a command of the old program prints."""
    path = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
    environ = {**os.environ, "AUTOML_STORE": str(home / "store"), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "automl.cli", *words]
    return subprocess.run(
        command, cwd=home, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
