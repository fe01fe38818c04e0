"""`python -m automl.cli.submitted FILE …`: a driver as a job of a cluster, started again when killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from automl.contracts import UserError
from automl.ledger import resolve_store

STORE, FOLDER = "AUTOML_STORE", "AUTOML_FOLDER"
AGAIN: Final = 10  # times in a row that a driver is started again which lived less than `LONG`
LONG: Final = 600.0  # seconds
PAUSE: Final = 5.0  # seconds between two


def keep_records(job: Path) -> str:
    """Let records and files lie where they stay: if nothing is named, in the home of the head's user.

    A line that says where. Raises `UserError` for the folder of the job, which Ray removes.
    """
    unnamed = FOLDER if "://" in os.environ.get(STORE, "") else STORE
    os.environ[unnamed] = os.environ.get(unnamed) or str(Path.home() / ".automl")
    store = resolve_store()
    if store.folder.resolve().is_relative_to(job.resolve()):
        raise UserError(
            "a driver on a cluster must keep its records where they stay, but "
            f"{unnamed} names {store.folder}, in the folder of this job; give an absolute path where "
            "the head is started"
        )
    return f"records: {store.shown}; files: {store.folder}"


def drive(command: list[str]) -> int:
    """Run a driver to its end and start it again when a signal has killed it; its exit code.

    The campaign goes on where it was. SIGTERM ends it for good.
    """
    process: subprocess.Popen[bytes] | None = None
    ended: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        ended.append(number)
        if process is not None:
            process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    short = 0
    while True:
        began = time.monotonic()
        process = subprocess.Popen(command)
        code = process.wait()
        short = short + 1 if time.monotonic() - began < LONG else 0
        if code >= 0 or ended or short > AGAIN:
            return code if code >= 0 else 128 - code
        sys.stderr.write(f"the driver was killed by signal {-code}; it is started again and goes on\n")
        time.sleep(PAUSE)


def program(words: list[str]) -> int:
    """Take over what has travelled with the job, then drive the study. `words`: of `automl run`."""
    from automl.executors.tune import arrival  # imports Ray's settings

    root = Path.cwd()
    arrival.arrive()
    path = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    try:
        sys.stderr.write(f"{keep_records(root)}\n")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    file, *more = words
    run = ["run", str(root / file), "--progress", "log", *more]
    return drive([sys.executable, "-P", "-m", "automl.cli", *run])


if __name__ == "__main__":
    sys.exit(program(sys.argv[1:]))
