"""Nodes that share a database and an S3 server alone: files get through, also when nodes die."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from machine_cluster import Cluster
from machines import Machine, Machines, marks, wait_for

MISSING = "" if importlib.util.find_spec("moto") else "needs moto's S3 server: pip install 'moto[server]'"
pytestmark = marks(MISSING)
SOON = 15.0  # seconds after which a trial of a node that died runs elsewhere
STEPS = 12
SECONDS = 0.4  # of a step
CODE = f"""
STEPS, SECONDS = {STEPS}, {SECONDS}
"""
CODE += """
import json, time
from pathlib import Path
from automl.contracts import Evaluator, Result
from automl.space import Float, Space

SPACE = Space({"x": Float(-1.0, 1.0)})

class Stepwise(Evaluator):
    uses_mlflow = False

    def evaluate(self, config, context):
        found = context.checkpoint.load()
        begin = found[0] + 1 if found else 1
        with Path.home().joinpath("runs").open("a") as opened:
            print(time.time(), config["x"], begin, file=opened)
        for step in range(begin, STEPS + 1):
            time.sleep(SECONDS)
            context.checkpoint.save(step, {"x": config["x"]})
            context.report(step, config["x"] ** 2)
        context.artifact("notes.json").write_text(json.dumps(config))
        return Result({"loss": config["x"] ** 2})

PLUGIN = Stepwise
"""
STUDY = """
name: lives
task: {metric: loss, direction: minimize}
space: "stepwise:SPACE"
evaluator: "stepwise:PLUGIN"
budget: {trials: 14}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: auto}}
final: {seeds: 0}
"""


class Begun(NamedTuple):
    """A trial has begun on a machine, at a POSIX second of the clock that all of them share, with a step."""

    at: float
    x: float
    step: int


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Machines() as machines:
        yield Cluster(machines, machines.storage())


def begun(machine: Machine) -> list[Begun]:
    file = machine.path("runs")
    lines = file.read_text().splitlines() if file.exists() else []
    return [Begun(float(at), float(x), int(step)) for at, x, step in map(str.split, lines)]


def test_the_quickstart_runs_over_both_nodes(cluster: Cluster) -> None:
    words = ["--set", "executor={ray: {address: auto}}", "--set", "budget.device_seconds=8"]
    done = cluster.head.run(["automl", "run", "quickstart", *words, "--progress", "log"])
    assert done.returncode == 0, done.stderr
    by_host = "SELECT host, count(*) FROM automl.trials WHERE state = 'complete' GROUP BY host"
    counts = dict(cluster.ask(by_host))  # one for which no time was left may have begun nowhere
    assert counts.keys() == {"one", "two"}, counts
    assert min(counts.values()) >= 0.25 * sum(counts.values()), counts
    assert cluster.ask("SELECT count(*) FROM automl.trials WHERE state = 'failed'") == [[0]]
    found = cluster.audit("quickstart")
    assert [[found["trials"]]] == [[found["runs"]]] == cluster.ask("SELECT count(*) FROM automl.trials")
    exported = cluster.head.run(["automl", "export", "quickstart"])
    assert exported.returncode == 0, exported.stderr


def test_a_node_that_dies_is_replaced_from_the_checkpoint_and_one_that_joins_is_used(
    cluster: Cluster,
) -> None:
    one, two = cluster.nodes
    cluster.head.write({"study/lives.yaml": STUDY, "study/stepwise.py": CODE})
    driver = cluster.head.start(["automl", "run", "study/lives.yaml", "--progress", "log"])
    wait_for(lambda: begun(one) and begun(two), "both nodes are used")
    wait_for(lambda: time.time() - begun(one)[-1].at > 5 * SECONDS, "a trial has come to its fifth step")
    lost = begun(one)[-1]
    one.kill()
    died = time.time()
    wait_for(lambda: any(run.x == lost.x for run in begun(two)), "it goes on on the other node")
    again = next(run for run in begun(two) if run.x == lost.x)
    three = cluster.join("three")
    joined = time.time()
    wait_for(lambda: begun(three), "the new node is used")
    used = begun(three)[0].at - joined
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said
    late = again.at - died
    sys.stderr.write(f"\nwent on after {late:.1f} s at step {again.step}; new node: {used:.1f} s\n")
    assert 3 <= again.step <= STEPS, said
    assert late <= SOON, said
    check_ledger(cluster)
    found = cluster.audit("lives")
    assert found["trials"] == found["runs"] == 14


def check_ledger(cluster: Cluster) -> None:
    """One attempt was lost, and its trial pays for both; every other trial paid for itself alone."""
    trials = cluster.ask("SELECT id, state, attempt, device_seconds FROM automl.trials ORDER BY id")
    assert [state for _, state, _, _ in trials] == ["complete"] * 14
    ended = "SELECT trial, device_seconds FROM automl.attempts WHERE ending IN ('preempted', 'lost')"
    ((trial, cost),) = cluster.ask(ended)
    again = [attempt for name, _, attempt, _ in trials if name == trial]
    assert again == [2]
    for name, _, _, paid in trials:
        least = STEPS * SECONDS
        most = least + 4 * SECONDS + (cost if name == trial else 0.0)
        assert least <= paid + SECONDS and paid <= most, (name, paid, cost)
    assert 3 * SECONDS <= cost <= (STEPS + 3) * SECONDS, "nothing of the time until the death was noticed"
