"""A cluster that others started: with a token it is joined by who has it, without one this is told."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE
from ray_head import environment, head

from automl.doctor import Level, processes
from automl.executors.tune.token import asks_for_none

pytestmark = [pytest.mark.faults, pytest.mark.ray]
CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})
def objective(config, context):
    import time
    time.sleep(1)
    return config["x"]
"""
STUDY = """
name: clustered
task: {metric: loss, direction: minimize}
space: "clustered_code:SPACE"
evaluator: {function: {call: "clustered_code:objective"}}
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: "%s"}}
final: {seeds: 0}
"""
TOLD = "asks for no token, so whoever reaches it runs code on it"


def run(folder: Path, address: str, **auth: str) -> subprocess.CompletedProcess[str]:
    (folder / "home").mkdir(parents=True)  # without a token of the developer's
    (folder / "clustered_code.py").write_text(CODE)
    (folder / "clustered.yaml").write_text(STUDY % address)
    return subprocess.run(
        [Path(sys.executable).with_name("automl"), "run", "clustered.yaml", "--progress", "log"],
        cwd=folder,
        env=environment(AUTOML_STORE=str(folder / "store"), HOME=str(folder / "home"), **auth),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_cluster_without_a_token_is_told(tmp_path: Path) -> None:
    with head(RAY_AUTH_MODE="disabled") as address:
        assert asks_for_none(address)
        found = list(processes.cluster({"RAY_ADDRESS": address}))
        (wrong,) = [one for one in found if one.level is not Level.WELL]
        assert TOLD in wrong.text and wrong.level is Level.WARNING
        done = run(tmp_path / "without", address, RAY_AUTH_MODE="disabled")
        assert done.returncode == 0 and TOLD in done.stderr, done.stderr
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        done = run(tmp_path / "with", address, **token)  # its workers may refuse it
        assert TOLD in done.stderr, done.stderr
    assert not asks_for_none(address), "it is away"


def test_a_cluster_with_a_token_wants_it(tmp_path: Path) -> None:
    auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    with head(**auth) as address:
        assert not asks_for_none(address)
        assert all(one.level is Level.WELL for one in processes.cluster({"RAY_ADDRESS": address, **auth}))
        done = run(tmp_path / "with", address, **auth)
        assert done.returncode == 0 and "token" not in done.stderr, done.stderr
        for number, wrong in enumerate(
            (
                {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)},
                {"RAY_AUTH_MODE": "disabled"},
            )
        ):
            done = run(tmp_path / str(number), address, **wrong)
            assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
            assert "the same RAY_AUTH_TOKEN" in done.stderr
