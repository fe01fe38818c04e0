"""A study whose trials note what they execute, and the processes that run it with a fault."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import fault_points
import toy_benchmark
from fault_points import Fault
from patience import PATIENCE

from automl.ledger import Store

TICK = 0.005  # seconds between two notes of a trial that it runs
CODE = """
import json, os, threading, time
from pathlib import Path

import torch  # which checkpoints need: loading code is free

from automl.space import Float, Space

SPACE = Space({"x": Float(-1.0, 1.0), "y": Float(-1.0, 1.0)})
TICK = %r

def objective(config, context, steps=%d, seconds=%r):
    campaign, search, number = Path(context.workdir).parts[-3:]
    trial = "/".join([campaign, *search.rsplit("-", 1), number])
    log = os.open(Path(__file__).with_name("executed"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    began, token, ended = time.perf_counter(), f"{os.getpid()}-{time.monotonic()}", threading.Event()

    def note(step=0):
        used = time.perf_counter() - began
        line = {"trial": trial, "token": token, "step": step, "used": used}
        os.write(log, (json.dumps(line) + "\\n").encode())

    def tick():
        while not ended.wait(TICK):  # also while it waits for the answer to a report
            note()

    threading.Thread(target=tick, daemon=True).start()
    try:
        found = context.checkpoint.load()
        value = config["x"] ** 2 + config["y"] ** 2
        context.artifact("notes.txt").write_text(trial)
        for step in range(found[0] + 1 if found else 1, steps + 1):
            time.sleep(seconds)
            note(step)
            context.report(step, value + 1 / step)
            context.checkpoint.save(step, {"step": step})
        return value
    finally:
        ended.set()
        note()
"""
STUDY = """
name: %s
task: {metric: loss, direction: minimize}
space: "faulty_code:SPACE"
evaluator: {function: {call: "faulty_code:objective"}}
budget: {trials: %d}
seeds: 1
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
executor: %s
final: {seeds: 0}
"""
SCORED_CODE = """
from automl.space import Choice, Int, Space

SPACE = Space({"model": Choice(("knn",)), "knn_neighbors": Int(1, 9)})
"""
SCORED = """
name: %s
task: {dataset: iris, metric: accuracy}
space: "scored_code:SPACE"
evaluator: pipeline
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
executor: %s
final: {seeds: 1}
"""
EXECUTORS = {
    "local": "local",
    "isolated": "{local: {isolate: true}}",
    "ray": "{ray: {trials_at_once: 2}}",
}
PRELOADED = [
    "automl.cli.runs",
    "automl.campaign.run",
    "automl.recorder.follower",
    "automl.evaluators.function",
]
PRELOADED += ["automl.strategies.tpe", "automl.executors.local", "torch", "optuna"]


class Executed(NamedTuple):
    """What a trial noted: `used` seconds by attempt, and how often each step was `done`."""

    used: dict[str, float]
    done: dict[int, int]


@dataclass
class FaultStudy:
    """A study in `folder` on `store`, whose trials note what they execute: `steps` of so many `seconds`.

    `trials`, fresh-seed `finals` and `transfers` of each of its searches, whose winners are `opened` so
    often. `trials` 0: numbers that the budget decides. `smaller`: keys with which it is run to its end first,
    so that it grows.
    `slack`: seconds between a trial's clock and the notes of its code, an attempt.
    `extra` joins the environment of its processes. `hit`: the faults that have happened, in words.
    """

    folder: Path
    store: Store
    executor: str = "local"
    name: str = "faulty"
    trials: int = 4
    number: int = 1  # of its campaign that is looked at
    finals = 0
    transfers = 0  # of each winner, on other datasets
    searches = 2
    opened = 0
    smaller: tuple[str, ...] = ()
    noted = True
    kind = "trial"  # of what it runs
    steps: int = 3
    seconds: float = 0.05
    slack: float = 0.03
    extra: dict[str, str] = field(default_factory=dict)
    faults: int = 0
    hit: list[str] = field(default_factory=list)
    happened: bool = False  # the fault of the last run

    def __post_init__(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.write()

    def write(self) -> None:
        """Write the study file and what belongs to it."""
        (self.folder / "faulty_code.py").write_text(CODE % (TICK, self.steps, self.seconds))
        self.file.write_text(STUDY % (self.name, self.trials, EXECUTORS[self.executor]))

    @property
    def file(self) -> Path:
        return self.folder / "faulty.yaml"

    @property
    def output(self) -> Path:
        """What its processes have printed."""
        return self.folder / "output"

    @property
    def environment(self) -> dict[str, str]:
        """What every process of it gets."""
        armed = Path(__file__).with_name("armed")
        url = self.store.url
        return {
            **os.environ,
            "AUTOML_STORE": str(self.store.folder) if url.startswith("sqlite") else url,
            "PYTHONPATH": str(armed),
            "TMPDIR": str(self.folder),
            **self.extra,
        }

    def start(self, *words: str, fault: Fault | None = None) -> Any:
        """`automl WORDS` in a process of its own, forked from one that has imported all there is."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        environ = self.environment | (fault.environment() if fault else {})
        process = context.Process(
            target=drive,
            args=(list(words), environ, str(self.store.folder.parent), str(self.output), fault or Fault()),
        )
        process.start()
        return process

    def run(self, fault: Fault | None = None) -> int:
        """Run the study with a fault; its exit status."""
        if self.smaller:
            words = [word for key in self.smaller for word in ("--set", key)]
            process = self.start("run", str(self.file), *words, "--progress", "log")
            self.smaller = ()
            process.join(PATIENCE)
            assert process.exitcode == 0, self.output.read_text()[-2000:]
        if fault is not None:
            self.faults += 1
            mark = self.folder / f"mark-{self.faults}"
            fault = replace(fault, mark=fault.mark or str(mark))
        process = self.start("run", str(self.file), "--progress", "log", fault=fault)
        process.join(PATIENCE)
        assert process.exitcode is not None, f"hangs with {fault}"
        self.happened = fault is not None and Path(fault.mark).exists()
        if fault is not None and self.happened:
            self.hit.append(f"{fault.role} {fault.moment}#{fault.nth} {fault.action}")
        return int(process.exitcode)

    def executed(self) -> dict[str, Executed]:
        """By trial, what was executed of it."""
        found: dict[str, Executed] = defaultdict(lambda: Executed({}, defaultdict(int)))
        file = self.folder / "executed"
        for line in file.read_text().splitlines() if file.exists() else []:
            noted = json.loads(line)
            trial = found[noted["trial"]]
            trial.used[noted["token"]] = max(noted["used"], trial.used.get(noted["token"], 0.0))
            if noted["step"]:
                trial.done[noted["step"]] += 1
        return dict(found)


@dataclass
class ScoredStudy(FaultStudy):
    """A study whose winners are trained afresh and scored on the sealed test set."""

    trials: int = 2
    finals = 1
    opened = 1
    noted = False

    def write(self) -> None:
        (self.folder / "scored_code.py").write_text(SCORED_CODE)
        self.file.write_text(SCORED % (self.name, EXECUTORS[self.executor]))


@dataclass
class GrownStudy(FaultStudy):
    """A finished campaign that is asked for more trials."""

    smaller: tuple[str, ...] = ("budget.trials=2",)


@dataclass
class GrownScoredStudy(ScoredStudy):
    """A finished campaign whose winners are retrained and scored once more."""

    finals = 2
    opened = 2
    kind = "final"
    smaller: tuple[str, ...] = ("final.seeds=1",)

    def write(self) -> None:
        super().write()
        self.file.write_text(self.file.read_text().replace("final: {seeds: 1}", "final: {seeds: 2}"))


@dataclass
class TransferredStudy(ScoredStudy):
    """A study whose winners are trained on another dataset, too, and scored on its sealed test set."""

    transfers = 1
    opened = 2

    def write(self) -> None:
        super().write()
        with self.file.open("a") as file:
            file.write("transfer: [wine]\n")


@dataclass
class GrownTransferredStudy(TransferredStudy):
    """A finished campaign that is asked for another dataset."""

    transfers = 2
    opened = 3
    kind = "final"  # as workers call it
    smaller: tuple[str, ...] = ("transfer=[wine]",)

    def write(self) -> None:
        super().write()
        self.file.write_text(self.file.read_text().replace("[wine]", "[wine, breast_cancer]"))


@dataclass
class ReplayedStudy(FaultStudy):
    """Searches on a tabular benchmark, each of which is written in one transaction."""

    trials: int = 0  # as many as the budget holds, which differs
    searches = 4
    opened = 1
    noted = False

    def write(self) -> None:
        toy_benchmark.write(self.folder / "toy.npz")
        self.file.write_text(toy_benchmark.STUDY.replace("toytable", self.name))


def drive(words: list[str], environ: dict[str, str], folder: str, output: str, fault: Fault) -> None:
    """The body of a process: the program `automl` in `folder`."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    written = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fault_points.arm("driver", fault)
    fault_points.skew_clock()
    from automl.campaign import lease
    from automl.cli.__main__ import program

    lease.HEARTBEAT = 0.1  # in short campaigns too
    sys.argv = ["automl", *words]
    program()
