"""A study whose trials sleep until a file says that they need not, and the commands that steer it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import own_processes
import sqlalchemy as sa
from patience import PATIENCE

from automl.ledger import Ledger, Store
from automl.storage import open_ledger

CODE = """
import ctypes, os, time
from pathlib import Path
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})
HERE = Path(__file__).parent

def noted(context):
    log = os.open(HERE / "begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, (str(context.workdir) + "\\n").encode())
    os.close(log)

def sleeps(config, context):
    noted(context)
    if context.final or (HERE / "quick").exists():
        return config["x"]
    time.sleep(100_000)

def in_c(config, context):
    noted(context)
    if context.final or (HERE / "quick").exists():
        return config["x"]
    ctypes.CDLL(None).sleep(100_000)

def waits(config, context):
    noted(context)
    while not (HERE / "quick").exists():
        time.sleep(0.05)
    context.report(1, config["x"])
    return config["x"]
"""
STUDY = """
name: steered
task: {metric: loss, direction: minimize}
space: "steered_code:SPACE"
evaluator: {function: {call: "steered_code:CALL"}}
budget: {trials: 4}
seeds: 1
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
executor: EXECUTOR
final: {seeds: 1}
"""
EXECUTORS = {
    "local": "local",
    "isolated": "{local: {isolate: true}}",
    "ray": "{ray: {trials_at_once: 2}}",
}


@dataclass
class Steered:
    """The study in `folder` on `store`; `call`: the function that its trials are."""

    folder: Path
    store: Store
    executor: str = "local"
    call: str = "sleeps"
    runs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "steered_code.py").write_text(CODE)
        text = STUDY.replace("CALL", self.call).replace("EXECUTOR", EXECUTORS[self.executor])
        (self.folder / "steered.yaml").write_text(text)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **own_processes.on_store(self.store)}

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        """`automl run` in the background."""
        self.runs.append(
            own_processes.driver(self.folder, self._environment, self.folder / "log", "steered.yaml", *words)
        )
        return self.runs[-1]

    def command(self, *words: str) -> tuple[int, str]:
        """Another command; its exit status and what it said."""
        return own_processes.command(self.folder, self._environment, *words)

    def begun(self) -> int:
        """Attempts that have begun."""
        file = self.folder / "begun"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def until(self, what: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until `what` is true."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, self.log
            assert process is None or process.poll() is None, self.log
            time.sleep(0.05)

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        """The exit status of a run."""
        return process.wait(PATIENCE)

    def ledger(self) -> Ledger:
        return open_ledger(self.store).__enter__()

    def latency(self, trial: str) -> float:
        """Seconds from the request for `trial`, its search or its campaign to its end."""
        engine = sa.create_engine(self.store.url)
        with engine.connect() as connection:
            asked = connection.scalar(sa.text("SELECT max(at) FROM requests WHERE wish = 'stop'"))
            ended = connection.scalar(sa.text("SELECT finished_at FROM trials WHERE id = :t"), {"t": trial})
        engine.dispose()
        return float(ended) - float(asked)

    def audit(self) -> None:
        """Nothing is recorded twice, missing or stuck."""
        code, said = self.command("audit", "steered")
        assert code == 0, said
