"""Workers and drivers that share no folder but a storage, killed: trials go on from what is there."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray_head
import stored_study
from fault_points import Fault
from patience import PATIENCE
from s3_server import Bucket

from automl.contracts import TrialState
from automl.ledger import Ledger, resolve_store
from automl.recorder.audit import audit
from automl.recorder.experiments import make_client

ARMED = Path(__file__).with_name("armed")
AUTOML = (sys.executable, "-m", "automl.cli")


class Machine:
    """Where a study runs: the driver's folder and store, and the folder of the worker's node."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        self.folder, self.node = folder, folder / "node"
        self.environ = ray_head.environment(
            **bucket.server.environ,
            AUTOML_STORAGE=bucket.url,
            AUTOML_STORE=str(folder / "store"),
            AUTOML_CACHE=str(self.node),
            OMP_NUM_THREADS="1",
        )

    def run(self, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*AUTOML, "run", "stored.yaml", "--progress", "log"],
            cwd=self.folder,
            env={**self.environ, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def begun(self) -> list[str]:
        file = self.folder / "begun"
        return file.read_text().splitlines() if file.exists() else []

    def worker(self) -> int:
        """The process of the trial that runs, by its working folder."""
        (folder,) = [path for path in (self.node / "work").iterdir() if path.is_dir()]
        return int(folder.name.partition("-")[0])

    def wipe(self) -> None:
        """Nothing of the node's disk is left."""
        shutil.rmtree(self.node)

    def check(self, trials: int = 3, finals: int = 2) -> None:
        """All trials are complete, in MLflow with their files, and the test set was opened once."""
        store = resolve_store({"AUTOML_STORE": str(self.folder / "store")})
        with Ledger(store) as ledger:
            rows = ledger.trials(campaign="stored-1")
            assert [row.state for row in rows] == [TrialState.COMPLETE] * (trials + finals)
            assert all(row.artifacts == ["notes.json"] for row in rows)
            assert audit(store, ledger, "stored-1").faults == {}
            (opening,) = ledger.openings("stored-1")
            assert opening.values is not None and len(opening.values) == finals
            client = make_client(store)
            experiment = client.get_experiment_by_name("stored")
            assert experiment is not None
            runs = {one.data.tags["automl.id"]: one for one in client.search_runs([experiment.experiment_id])}
            for row in rows:
                files = {one.path for one in client.list_artifacts(runs[row.id].info.run_id)}
                assert files == {"notes.json", *(["model"] if row.kind == "final" else [])}


def wait(what: Callable[[], object], run: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def ended(run: subprocess.Popen[str]) -> str:
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, output
    return output


def kill_in_the_second_step(machine: Machine, bucket: Bucket, run: subprocess.Popen[str]) -> None:
    """SIGKILL of the worker once the storage has the state of its second step; its disk is wiped."""
    wait(lambda: any("step-00000002.json" in key for key in bucket.objects()), run)
    os.kill(machine.worker(), signal.SIGKILL)
    machine.wipe()
    (machine.folder / "wait").unlink()


@pytest.mark.faults
def test_a_trial_goes_on_from_the_storage_when_its_worker_and_disk_are_gone(
    bucket: Bucket, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, bucket)
    stored_study.write(tmp_path, "{local: {isolate: true}}")
    (tmp_path / "wait").touch()
    run = machine.run()
    kill_in_the_second_step(machine, bucket, run)
    ended(run)
    assert machine.begun()[:2] == ["random-0/0 1", "random-0/0 3"]
    machine.check()


@contextmanager
def hidden(folder: Path, **environ: str) -> Iterator[str]:
    """A cluster of one node, to which `folder` of the driver is an empty disk of its own."""
    tried = subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    if os.getuid() != 0 or tried.returncode:
        pytest.skip("needs root, to give the node a file system of its own")
    folder.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs none {shlex.quote(str(folder))} && exec "$@"'
    with ray_head.head("unshare", "-m", "sh", "-c", mount, "sh", **environ) as address:
        yield address


@pytest.mark.faults
@pytest.mark.ray
def test_a_cluster_that_shares_no_folder_with_the_driver(bucket: Bucket, tmp_path: Path) -> None:
    machine = Machine(tmp_path, bucket)
    auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    own = {"AUTOML_CACHE": str(tmp_path / "driver-cache"), **auth}
    (tmp_path / "wait").touch()
    with hidden(tmp_path / "store", **{**machine.environ, **auth}) as address:
        stored_study.write(tmp_path, json.dumps({"ray": {"address": address}}))
        run = machine.run(**own)
        kill_in_the_second_step(machine, bucket, run)
        ended(run)
    begun = machine.begun()
    assert "random-0/0 3" in begun or "random-0/1 3" in begun, begun
    machine.check()
    for words in (["export", "stored", "-o", "best.yaml"], ["promote", "stored"]):
        done = subprocess.run(
            [*AUTOML, *words], cwd=tmp_path, env={**machine.environ, **own}, capture_output=True, text=True
        )
        assert "Traceback" not in done.stderr and done.returncode in (0, 1), done.stderr
    assert (tmp_path / "best.yaml").exists()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("moment", "nth"), [("upload.end:object", 2), ("trial.end:trial", 2), ("trial.end:final", 1)]
)
def test_a_driver_that_is_killed_between_an_upload_and_its_record_goes_on(
    moment: str, nth: int, bucket: Bucket, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, bucket)
    stored_study.write(tmp_path)
    fault = Fault("driver", moment, nth, mark=str(tmp_path / "mark"))
    paths = os.pathsep.join([str(ARMED), os.environ.get("PYTHONPATH", "")])
    run = machine.run(PYTHONPATH=paths, **fault.environment())
    run.communicate(timeout=PATIENCE)
    assert run.returncode == -signal.SIGKILL
    machine.wipe()
    ended(machine.run())
    machine.check()
    again = [line for line in machine.begun() if not line.endswith(" 1")]
    assert [line.split()[1] for line in again] == ["4"], "it goes on after its last step"
