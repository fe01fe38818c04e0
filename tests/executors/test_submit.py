"""A study that is submitted from a laptop: the head drives it, also when its driver is killed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Iterator

import pytest
from machines import Machine, Machines, marks, wait_for

MISSING = (
    "" if importlib.util.find_spec("aiohttp_cors") else "the extra submit (ray[default]) is not installed"
)
pytestmark = marks(MISSING)
STUDY = """
name: %s
task: {metric: loss, direction: minimize}
space: "submitted_code:SPACE"
evaluator: {function: {call: "submitted_code:objective"}}
budget: {trials: %d}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {}}
final: {seeds: 0}
"""
CODE = """
import time
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    time.sleep(0.5)
    return config["x"]
"""
DRIVER = "pgrep -f '[a]utoml.cli run' | head -1"  # its number on the head; not that of this shell


class Submitting:
    """A head that drives, a node, and a laptop that has the study."""

    def __init__(self, machines: Machines) -> None:
        self.head, self.laptop = machines.add("head"), machines.add("laptop")
        self.node = machines.add("node", packaged=False)
        self.store = machines.database()
        machines.ray_head(self.head, f"--dashboard-host={self.head.address}", cpus=0, AUTOML_STORE=self.store)
        machines.ray_node(self.node, self.head)

    def call(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        address = ["--address", f"http://{self.head.address}:8265"]
        return self.laptop.run(["automl", "submit", *words, *address], **environ)

    def submit(self, name: str, trials: int) -> str:
        self.laptop.write({f"study/{name}.yaml": STUDY % (name, trials), "study/submitted_code.py": CODE})
        done = self.call(f"study/{name}.yaml")
        assert done.returncode == 0, done.stderr
        assert f"automl watch {name}" in done.stderr
        return done.stdout.strip()

    def ended_trials(self, name: str) -> int:
        program = (
            "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute('SELECT count(*) FROM "
            "automl.trials WHERE id LIKE %s AND state = %s', (sys.argv[2], 'complete')).fetchone()[0])"
        )
        asked = self.laptop.run(["python", "-c", program, self.store, f"{name}-1/%"])
        return int(asked.stdout) if asked.returncode == 0 else 0  # no tables yet

    def json(self, machine: Machine, *words: str) -> dict[str, object]:
        asked = machine.run(["automl", *words, "--json"], AUTOML_STORE=self.store)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        return dict(json.loads(asked.stdout))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Submitting]:
    with Machines() as machines:
        yield Submitting(machines)


def test_a_driver_that_is_killed_is_started_again_and_ends_the_campaign(cluster: Submitting) -> None:
    job = cluster.submit("killed", trials=12)
    wait_for(lambda: cluster.ended_trials("killed") >= 2, "two trials")
    assert cluster.head.shell(f"kill -9 $({DRIVER})").returncode == 0
    logs = cluster.call("--logs", job)
    assert logs.returncode == 0, logs.stdout + logs.stderr
    assert "killed by signal 9; it is started again and goes on" in logs.stdout
    assert "node node (10.77.0.3): CPUs: 1" in logs.stdout and "continuing killed-1" in logs.stdout
    found = cluster.json(cluster.laptop, "audit", "killed")
    assert found["trials"] == found["runs"] == 12
    assert cluster.laptop.run(["automl", "watch", "killed"], AUTOML_STORE=cluster.store).returncode == 0


def test_a_stopped_job_is_submitted_again_and_goes_on(cluster: Submitting) -> None:
    job = cluster.submit("stopped", trials=40)
    wait_for(lambda: cluster.ended_trials("stopped") >= 2, "two trials")
    done = cluster.call("--stop", job)
    assert done.returncode == 0 and "asked to end" in done.stderr
    wait_for(lambda: not cluster.head.shell(DRIVER).stdout, "the end of the driver")
    before = cluster.ended_trials("stopped")
    assert before < 40
    assert "has ended already" in cluster.call("--stop", job).stderr
    cluster.submit("stopped", trials=40)
    wait_for(lambda: cluster.ended_trials("stopped") > before, "one more trial of the same campaign")


def test_mistakes(cluster: Submitting) -> None:
    unknown = cluster.call("--logs", "nothing")
    assert unknown.returncode == 2 and "a job must be one of the cluster, but got 'nothing'" in unknown.stderr
    wrong = cluster.call("--logs", "nothing", RAY_AUTH_TOKEN="ab" * 16)
    assert wrong.returncode == 2 and "wants another token" in wrong.stderr, wrong.stderr
    away = cluster.laptop.run(["automl", "submit", "--logs", "x", "--address", "http://10.77.0.3:8265"])
    assert away.returncode == 2 and "does not answer" in away.stderr
    cluster.laptop.write({"study/wrong.yaml": STUDY % ("wrong", 1), "study/submitted_code.py": CODE})
    assert cluster.call("study/wrong.yaml", "--stop", "x").returncode == 2
    local = cluster.call("study/wrong.yaml", "--set", "executor=local")
    assert local.returncode == 2 and "must join a cluster, but it is local" in local.stderr
