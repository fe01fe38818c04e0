"""A cluster that was joined is left as it was, whatever becomes of the driver."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE
from ray_head import environment, head

from automl.executors.tune.watcher import GRACE

CODE = """
import time
from pathlib import Path
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    Path("BEGAN").touch()
    time.sleep(0.5)
    return config["x"]
"""
STUDY = """
name: joined
task: {metric: loss, direction: minimize}
space: "joined_code:SPACE"
evaluator: {function: {call: "joined_code:objective"}}
budget: {trials: 4}
seeds: 1
arms: {random: {strategy: random}}
executor: {ray: {address: "%s"}}
final: {seeds: 0}
"""


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGKILL], ids=["end", "SIGTERM", "SIGKILL"])
def test_it_outlives_a_driver(number: signal.Signals | None, tmp_path: Path) -> None:
    (tmp_path / "joined_code.py").write_text(CODE.replace("BEGAN", str(tmp_path / "began")))
    with head(RAY_AUTH_MODE="disabled") as address:
        (tmp_path / "joined.yaml").write_text(STUDY % address)
        before = of_the_cluster(address)
        assert before
        driver = start(tmp_path)
        if number is None:
            assert driver.wait(PATIENCE) == 0
        else:
            end = time.monotonic() + PATIENCE
            while not (tmp_path / "began").exists() and time.monotonic() < end:
                time.sleep(0.05)
            driver.send_signal(number)
            driver.wait(PATIENCE)
        time.sleep(GRACE + 2)  # what watches over a cluster of our own would have ended it by now
        assert before <= of_the_cluster(address)
        assert start(tmp_path).wait(PATIENCE) == 0, "it takes trials as before"


def start(folder: Path) -> subprocess.Popen[bytes]:
    environ = environment(AUTOML_STORE=str(folder / "store"), RAY_AUTH_MODE="disabled")
    command = [str(Path(sys.executable).with_name("automl")), "run", "joined.yaml", "--progress", "quiet"]
    return subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def of_the_cluster(address: str) -> set[int]:
    """The number of the head's first process, which was told its port."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "gcs_server" in command and address.rpartition(":")[2] in command:
            found.add(int(process.name))
    return found
