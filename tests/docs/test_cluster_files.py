"""The ready files of docs/cluster: their form as KubeRay wants it, and the SLURM script among stand-ins.

No Kubernetes and no SLURM is at hand. What the operator's definitions of RayCluster and RayJob (ray.io/v1)
require and know of the fields that the files use is written out here; a field that is not, is a mistake.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import ROOT
from jsonschema import Draft202012Validator
from patience import PATIENCE
from sandbox import parsed

from automl.doctor.variables import KNOWN

FILES = ROOT / "docs" / "cluster"
TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}  # numbers of a command line are quoted


def closed(required: list[str], **known: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": known, "additionalProperties": False}


def listed(item: Any) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": item}


SECRET = closed(["secretKeyRef"], secretKeyRef=closed(["name", "key"], name=TEXT, key=TEXT))
QUANTITIES = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$"},
}
CONTAINER = closed(
    ["name", "image"],
    name=TEXT,
    image=TEXT,
    ports=listed(
        closed(["containerPort"], containerPort=COUNT, name={"type": "string", "pattern": r"^[a-z-]{1,15}$"})
    ),
    env=listed(
        {
            "oneOf": [
                closed(["name", "value"], name=TEXT, value=TEXT),
                closed(["name", "valueFrom"], name=TEXT, valueFrom=SECRET),
            ]
        }
    ),
    resources=closed([], requests=QUANTITIES, limits=QUANTITIES),
    volumeMounts=listed(
        closed(["name", "mountPath"], name=TEXT, mountPath={"type": "string", "pattern": "^/"})
    ),
)
VOLUME = closed(
    ["name"],
    name=TEXT,
    configMap=closed(["name"], name=TEXT),
    emptyDir=closed([], medium=TEXT, sizeLimit=TEXT),
    persistentVolumeClaim=closed(["claimName"], claimName=TEXT),
)
POD = closed(
    ["spec"],
    spec=closed(
        ["containers"],
        containers=listed(CONTAINER),
        volumes=listed(VOLUME),
        restartPolicy={"enum": ["Never"]},  # of a submitter: the operator's own is Never
        terminationGracePeriodSeconds=COUNT,
    ),
)
CLUSTER = closed(
    ["headGroupSpec"],
    rayVersion=TEXT,
    enableInTreeAutoscaling={"type": "boolean"},
    headGroupSpec=closed(["template"], rayStartParams=TEXTS, template=POD),
    workerGroupSpecs=listed(
        closed(
            ["groupName", "template", "maxReplicas", "minReplicas"],
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD,
        )
    ),
)
JOB = closed(
    ["rayClusterSpec", "entrypoint"],
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "SidecarMode"]},
    backoffLimit=COUNT,
    shutdownAfterJobFinishes={"type": "boolean"},
    ttlSecondsAfterFinished=COUNT,
    submitterPodTemplate=POD,
    rayClusterSpec=CLUSTER,
)
KINDS = {"RayCluster": CLUSTER, "RayJob": JOB}


def written(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FILES / name).read_text()))


def pods(value: Any) -> list[dict[str, Any]]:
    """The specifications of all pods in a file."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value] if isinstance(value, dict) and "containers" in value else []
    return own + [pod for one in inner for pod in pods(one)]


@pytest.mark.parametrize("name", ["kuberay-cluster.yaml", "kuberay-job.yaml"])
def test_the_operator_takes_it(name: str) -> None:
    data = written(name)
    kind = data["kind"]
    named = closed(["name"], name={"type": "string", "pattern": r"^[a-z][a-z0-9-]{0,40}$"})
    schema = closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "ray.io/v1"},
        kind={"const": kind},
        metadata=named,
        spec=KINDS[kind],
    )
    Draft202012Validator.check_schema(schema)
    wrong = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(data)
    ]
    assert wrong == []
    spec = data["spec"].get("rayClusterSpec", data["spec"])
    assert spec["rayVersion"] == metadata.version("ray"), "images and workers of the version that is tested"
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


@pytest.mark.parametrize("name", ["kuberay-cluster.yaml", "kuberay-job.yaml"])
def test_every_pod_has_the_token_from_the_secret_and_mounts_what_there_is(name: str) -> None:
    found = pods(written(name))
    assert len(found) >= 2
    for pod in found:
        (container,) = pod["containers"]
        variables = {one["name"]: one for one in container["env"]}
        assert variables["RAY_AUTH_MODE"]["value"] == "token"
        assert variables["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "automl", "key": "token"}
        assert {one for one in variables if one.startswith("AUTOML_")} <= set(KNOWN)
        mounted = [one["name"] for one in container.get("volumeMounts", [])]
        assert sorted(mounted) == sorted(one["name"] for one in pod.get("volumes", []))
        requested = container.get("resources", {"requests": {}, "limits": {}})
        assert requested["limits"].items() <= requested["requests"].items(), "GPUs and memory are not lent"
    assert len({pod["containers"][0]["image"] for pod in found}) == 1, "the same versions everywhere"


def test_the_job_runs_a_study_that_its_head_alone_mounts() -> None:
    spec = written("kuberay-job.yaml")["spec"]
    words = shlex.split(spec["entrypoint"])
    assert words[0] == "automl"
    parsed(words[1:])
    assert words[2].startswith("/study/") and any("address: auto" in word for word in words)
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    assert "/study" in {one["mountPath"] for one in head["volumeMounts"]}


def test_commands_in_the_files_comments_exist() -> None:
    for path in (*FILES.glob("*.yaml"), FILES / "slurm.sh"):
        for line in re.findall(r"\b(automl (?:run|submit) [^#\n]*)", path.read_text()):
            if '"$' not in line and "'executor" not in line.partition("entrypoint")[1]:
                words = shlex.split(line.strip().strip('"'))
                parsed(words[1:])


STAND_INS = {
    "scontrol": """case $1 in show) printf 'n1\\nn2\\nn3\\n';; *) echo "scontrol $*" >>"$LOG";; esac""",
    "srun": """echo "srun $* | mode=$RAY_AUTH_MODE token=${#RAY_AUTH_TOKEN}" >>"$LOG"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@" """,
    "hostname": "echo 127.0.0.1 10.0.0.9",
    "ray": """for word; do case $word in --port=*) port=${word#--port=};; esac; done
[ -z "${port:-}" ] && exec sleep 1000
exec python3 -c "import socket, time; s = socket.create_server(('127.0.0.1', $port)); time.sleep(1000)" """,
    "automl": """echo "automl $*" >>"$LOG"
trap 'echo driver ended >>"$LOG"; exit 130' TERM
if [ -n "${WAITS:-}" ]; then for _ in $(seq 2000); do sleep 0.05; done; fi
exit 3""",
}


class Slurm:
    """The script among programs that stand for SLURM's and Ray's, and write down how they were called."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.log = folder / "log"
        for name, text in STAND_INS.items():
            (folder / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / name).chmod(0o755)
        path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.defpath])
        kept = {"PATH": path, "LOG": str(self.log), "SLURM_JOB_ID": "4711", "SLURM_CPUS_PER_TASK": "4"}
        kept |= {"SLURM_JOB_NODELIST": "n[1-3]", "AUTOML_STORE": "postgresql://automl@db/automl"}
        words = ["bash", str(FILES / "slurm.sh"), "mine.yaml", "--set", "executor.ray.gpus=1"]
        self.process = subprocess.Popen(
            words, env={**kept, **environ}, start_new_session=True, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Slurm:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # SLURM ends what a job has left
        self.process.communicate()

    def lines(self, wanted: str) -> list[str]:
        """What was called by then, once a line that begins so is there."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            lines = self.log.read_text().splitlines() if self.log.exists() else []
            if any(line.startswith(wanted) for line in lines):
                return lines
            time.sleep(0.02)
        raise AssertionError(f"no {wanted}: {self.log.read_text()}")


def test_slurm_starts_the_head_then_the_others_and_passes_the_drivers_code_on(tmp_path: Path) -> None:
    subprocess.run(["bash", "-n", FILES / "slurm.sh"], check=True)
    with Slurm(tmp_path) as job:
        assert job.process.wait(PATIENCE) == 3
        lines = job.lines("automl")
    nodes = [line for line in lines if " ray start " in line]
    assert "--nodelist=n1 ray start --block" in nodes[0] and "--head --node-ip-address=127.0.0.1" in nodes[0]
    port = re.search(r"--port=(\d+)", nodes[0])
    assert port is not None and int(port[1]) == 20000 + 4711
    for node, line in zip(("n2", "n3"), sorted(nodes[1:]), strict=True):
        assert f"--nodelist={node} " in line and f"--address=127.0.0.1:{port[1]}" in line
    assert all(line.endswith("| mode=token token=64") for line in nodes), "of 256 bits, in no command line"
    (run,) = [line for line in lines if line.startswith("automl")]
    address = f"--set executor.ray.address=127.0.0.1:{port[1]}"
    assert run == f"automl run mine.yaml --progress log {address} --set executor.ray.gpus=1"


def test_slurm_goes_back_into_the_queue_when_its_time_is_up(tmp_path: Path) -> None:
    with Slurm(tmp_path, WAITS="1") as job:
        job.lines("automl")
        job.process.send_signal(signal.SIGTERM)
        assert job.process.wait(PATIENCE) == 0
        assert job.lines("scontrol")[-2:] == ["driver ended", "scontrol requeue 4711"]


def test_slurm_goes_back_into_the_queue_while_its_nodes_start(tmp_path: Path) -> None:
    with Slurm(tmp_path, WAITS="1") as job:
        job.lines("srun")
        job.process.send_signal(signal.SIGTERM)
        assert job.process.wait(PATIENCE) == 0
        assert job.lines("scontrol requeue")[-1] == "scontrol requeue 4711"


def test_slurm_wants_a_store(tmp_path: Path) -> None:
    with Slurm(tmp_path, AUTOML_STORE="") as job:
        assert job.process.wait(PATIENCE) == 1
        assert job.process.stderr is not None
        assert "must name a database that the first node reaches" in job.process.stderr.read()
