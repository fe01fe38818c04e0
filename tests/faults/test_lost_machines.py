"""Machines that die in the middle of a trial, and a driver that goes on elsewhere; no folder is shared."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from machine_cluster import Cluster
from machines import Machine, Machines, marks, wait_for

pytestmark = marks()
SOON = 15.0  # seconds after which a trial runs elsewhere, where a campaign takes no longer to start
STUDY = """
name: %s
task: {metric: loss, direction: minimize}
space: "lost_code:SPACE"
evaluator: {function: {call: "lost_code:objective"}}
budget: {trials: %d}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: auto, trials_at_once: 1}}
final: {seeds: 0}
"""
CODE = """
import time
from pathlib import Path
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    Path.home().joinpath("runs").touch()
    for step in range(1, 1 + int(Path("steps").read_text())):
        time.sleep(0.25)
        context.report(step, config["x"])
    return config["x"]
"""


def start(cluster: Cluster, machine: Machine, name: str, trials: int, steps: int) -> subprocess.Popen[str]:
    files = {f"study/{name}.yaml": STUDY % (name, trials), "study/lost_code.py": CODE}
    machine.write({**files, "study/steps": str(steps)})
    return machine.start(["automl", "run", f"study/{name}.yaml", "--progress", "log"])


def running(cluster: Cluster) -> Machine | None:
    """The machine that a trial runs on, or has run."""
    return next((node for node in cluster.nodes if node.alive and node.path("runs").exists()), None)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Machines() as machines:
        yield Cluster(machines)


def test_a_node_that_dies_in_mid_trial_is_replaced_by_another(cluster: Cluster) -> None:
    driver = start(cluster, cluster.head, "killed", trials=2, steps=40)
    began = wait_for(lambda: running(cluster) is not None, "a trial runs")
    lost = running(cluster)
    assert lost is not None
    lost.kill()
    seconds = wait_for(lambda: running(cluster) is not None, "it runs elsewhere")
    other = running(cluster)
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said
    assert seconds < max(SOON, 2 * began), said
    trials = cluster.ask("SELECT id, state, host, attempt, device_seconds FROM automl.trials ORDER BY id")
    assert other is not None
    assert [(state, host) for _, state, host, _, _ in trials] == [("complete", other.name)] * 2
    ended = cluster.ask(
        "SELECT trial, ending, device_seconds FROM automl.attempts WHERE ending <> 'complete'"
    )
    (trial, ending, cost), (_, _, _, attempt, used) = ended[0], trials[0]
    assert len(ended) == 1 and trial == trials[0][0] and attempt == 2
    assert ending in ("preempted", "lost")
    assert 10.0 + cost <= used, "the trial pays for both attempts"
    assert cost < 12.0, "nothing of the time until the death was noticed"
    found = cluster.audit("killed")
    assert found["trials"] == found["runs"] == 2


def test_a_driver_goes_on_on_another_machine(cluster: Cluster) -> None:
    first = start(cluster, cluster.head, "moved", trials=12, steps=2)
    count = "SELECT count(*) FROM automl.trials WHERE state = 'complete'"
    wait_for(lambda: running(cluster) is not None, "a trial runs")
    wait_for(lambda: cluster.ask(count)[0][0] >= 3, "three trials")
    cluster.head.shell("kill -9 $(pgrep -f '[a]utoml run' | head -1)")
    first.communicate()
    said = "is being run by"
    while "is being run by" in said:  # for 30 s a driver elsewhere is not taken for dead
        second = start(cluster, cluster.nodes[1], "moved", trials=12, steps=2)
        _, said = second.communicate(timeout=900)
    assert second.returncode == 0 and "continuing moved-1" in said, said
    assert cluster.ask(count) == [[12]]
    found = cluster.audit("moved")
    assert found["trials"] == found["runs"] == 12
