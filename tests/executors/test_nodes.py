"""A cluster of machines without a shared folder: what travels, and which nodes are left out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from machines import Machine, Machines, marks

pytestmark = marks()
STUDY = """
name: %s
task: {metric: loss, direction: minimize}
space: "cluster_code:SPACE"
evaluator: {function: {call: "cluster_code:objective"}}
budget: {trials: 6}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: auto}}
final: {seeds: 0}
"""
CODE = """
from pathlib import Path
from automl.space import Float, Space
from parts.scaling import scale
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    there = float(Path("data/offset.txt").read_text())  # the working folder is the study's
    context.report(1, config["x"])
    return config["x"] * scale + there
"""
FILES = {
    "study/cluster_code.py": CODE,
    "study/parts/scaling.py": "scale = 2.0",
    "study/data/offset.txt": "1.0",
    "study/random.py": "raise SystemExit('it hides a library')",
}
TABLE = """
name: %s
task: {dataset: rows.csv, target: y, metric: r2}
space: tabular
evaluator: {pipeline: {folds: 2}}
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: auto}}
final: {seeds: 0}
"""
FAKED = "Metadata-Version: 2.1\nName: scipy\nVersion: 0.1\n"


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """A head without CPUs; a node without this package; one with another scipy."""
    with Machines() as machines:
        head, good = machines.add("head"), machines.add("good", packaged=False)
        old = machines.add("old")
        machines.ray_head(head, cpus=0)
        machines.ray_node(good, head)
        old.write({"lib/scipy-0.1.dist-info/METADATA": FAKED})
        machines.ray_node(old, head, cpus=1, PYTHONPATH=str(old.home / "lib"))
        yield machines


def run(machines: Machines, name: str, study: str, *words: str) -> subprocess.CompletedProcess[str]:
    head = head_of(machines)
    head.write({**FILES, f"study/{name}.yaml": study})
    command = ["automl", "run", f"{name}.yaml", "--progress", "log", *words]
    return head.shell(f"cd study && {' '.join(command)}", AUTOML_STORE=machines.database())


def head_of(machines: Machines) -> Machine:
    return next(machine for machine in machines.all if machine.name == "head")


def test_code_reaches_a_node_that_has_none_and_a_node_of_other_versions_gets_no_trial(
    machines: Machines,
) -> None:
    done = run(machines, "travels", STUDY % "travels")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("node ")]
    good, old = sorted(lines)
    assert good.startswith("node good (10.77.0.2): CPUs: 1, Python 3.")
    assert good.endswith("no shared folder: checkpoints stay there, artifacts are lost")
    assert old.startswith("node old (10.77.0.3) is left out: scipy is 0.1 there and "), old
    question = "SELECT state, host, count(*) FROM automl.trials GROUP BY state, host"
    program = "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    asked = head_of(machines).run(["python", "-c", program, machines.database(), question])
    assert asked.stdout == "[('complete', 'good', 6)]\n", asked.stdout + asked.stderr


def test_data_beside_the_study_travel(machines: Machines) -> None:
    rows = "\n".join(f"{x * 7 % 60},{x * 21 % 180}" for x in range(60))
    head_of(machines).write({"study/rows.csv": f"x,y\n{rows}\n", "study/.gitignore": "*.csv\n"})
    done = run(machines, "table", TABLE % "table")
    assert done.returncode == 0, done.stderr
    assert "data as here" in done.stderr
    report = head_of(machines).run(["automl", "report", "table", "--json"], AUTOML_STORE=machines.database())
    (search,) = json.loads(report.stdout)["arms"]["random"]
    assert search["trials"]["failed"] == 0, done.stderr


def test_models_need_a_folder_that_all_see(machines: Machines) -> None:
    rows = "\n".join(f"{x * 7 % 60},{x * 21 % 180}" for x in range(60))
    head_of(machines).write({"study/rows.csv": f"x,y\n{rows}\n"})
    done = run(machines, "models", (TABLE % "models").replace("final: {seeds: 0}", "final: {seeds: 1}"))
    assert done.returncode == 2, done.stderr
    assert "node good (10.77.0.2): it does not see /home/head/" in done.stderr
    assert "let all nodes share it, or set AUTOML_STORAGE" in done.stderr


def test_ray_client_is_refused(machines: Machines) -> None:
    client = run(machines, "client", STUDY % "client", "--set", "executor.ray.address=ray://10.77.0.1:10001")
    assert client.returncode == 2 and "automl submit" in client.stderr, client.stderr


def test_a_gpu_that_torch_does_not_see_is_refused(machines: Machines) -> None:
    machines.ray_node(machines.add("gpu"), head_of(machines), "--num-gpus=1")
    done = run(machines, "gpus", STUDY % "gpus", "--set", "executor.ray.gpus=1")
    assert done.returncode == 2, done.stderr
    assert "no node of the cluster can run trials" in done.stderr
    assert "a trial holds gpus=1, but torch" in done.stderr and "sees no CUDA device" in done.stderr
    assert "Traceback" not in done.stderr
