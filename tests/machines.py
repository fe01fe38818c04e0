"""Machines on one machine: namespaces with a network, processes, names, `/tmp` and a home of their own.

Nothing is shared but what is installed, and that read-only by habit: no folder that one machine writes is
seen by another. A hub joins their networks and holds the database and an S3 server, so that the head may
die. Everything ends with the test. Needs root and Linux; `why_not` says why there are none.

    with Machines() as machines:
        head, first = machines.add("head"), machines.add("first")
        machines.ray_head(head, cpus=0)
        machines.ray_node(first, head, cpus=1)
        head.run(["automl", "run", "mine.yaml"], AUTOML_STORE=machines.database())
        first.kill()
"""

from __future__ import annotations

import functools
import os
import secrets
import shlex
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import ray
from patience import PATIENCE
from postgres_server import server_programs
from s3_server import S3

import automl

NETWORK = "10.77.0"
HUB = 254  # its last number
SPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")
PROJECT = Path(automl.__file__).parents[1]
OWN_CODE = ("automl", "searchspaces", "studies")  # what a machine without this package lacks
BUCKET = "bucket"
_S3 = """
import logging, sys
from moto.server import ThreadedMotoServer
from s3_server import S3
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # nobody reads what it says
server = ThreadedMotoServer(ip_address=sys.argv[1], port=9000, verbose=False)
server.start()
S3(f"http://{sys.argv[1]}:9000").client().create_bucket(Bucket=sys.argv[2])
print("up", flush=True)
sys.stdin.read()
"""
_POSTGRES = """
import sys
from postgres_server import PostgresServer
with PostgresServer(host=sys.argv[1]) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@functools.cache
def why_not() -> str:
    """Why this machine can hold no others; "" when it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "machines of their own need Linux and root"
    if missing := [
        name for name in ("setpriv", "unshare", "nsenter", "ip", "mount") if shutil.which(name) is None
    ]:
        return f"machines of their own need {', '.join(missing)}"
    tried = ["unshare", *SPACES, "--fork", "--mount-proc", "sh", "-c", "mount -t tmpfs none /tmp && ip link"]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    return f"namespaces are refused: {done.stderr.strip()}" if done.returncode else ""


class Machine:
    """One of them: its first process, in namespaces of its own, and what is run there.

    `packaged`: whether it has this package; without, workers get it from the driver.
    """

    def __init__(self, name: str, number: int, *, packaged: bool = True) -> None:
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.home = Path("/home") / name
        self.environ: dict[str, str] = {}  # of every command, such as a token
        words = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            *SPACES,
            "--fork",
            "--kill-child=SIGKILL",
            "--mount-proc",
            "--propagation",
        ]
        script = _boot(name, str(self.home), hides=() if packaged else OWN_CODE)
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self._outer = subprocess.Popen(
            [*words, "private", "sh", "-c", script], stdin=null, stdout=pipe, stderr=pipe, text=True
        )
        self._started = [self._outer]
        assert self._outer.stdout is not None and self._outer.stderr is not None
        assert self._outer.stdout.readline() == "up\n", self._outer.stderr.read()
        self.pid = int(Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text())

    def enter(self, command: Sequence[str | Path], **environ: str) -> list[str]:
        """The command line that runs `command` there, in its home, with nothing of this environment."""
        python = Path(sys.executable).parent  # programs of the virtual environment come first
        path = os.pathsep.join([str(python), os.environ.get("PATH", os.defpath)])
        kept = {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "USER": "root"}
        kept |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "true"}
        variables = [f"{key}={value}" for key, value in {**kept, **self.environ, **environ}.items()]
        into = ["nsenter", "--target", str(self.pid), "--all", "env", "-C", str(self.home), "-i", *variables]
        return [*into, *map(str, command)]

    def start(self, command: Sequence[str | Path], **environ: str) -> subprocess.Popen[str]:
        """Begin a program there; its output is read from the process."""
        pipe, words = subprocess.PIPE, self.enter(command, **environ)
        self._started.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return self._started[-1]

    def run(self, command: Sequence[str | Path], **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program there to its end, whatever that is."""
        words = self.enter(command, **environ)
        return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def shell(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run lines of a shell there, ending with the first that fails."""
        return self.run(["bash", "-euo", "pipefail", "-c", script], **environ)

    def path(self, name: str | Path) -> Path:
        """A file there, relative to its home, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root{self.home / name}")

    def write(self, files: Mapping[str, str]) -> None:
        """Write files there, relative to its home."""
        for name, text in files.items():
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).write_text(text)

    @property
    def alive(self) -> bool:
        return self._outer.poll() is None

    def kill(self) -> None:
        """SIGKILL its first process, and with it every other one there: as when the power fails."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        for process in self._started:
            process.wait(PATIENCE)
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                with suppress(BrokenPipeError):
                    pipe.close()


class Machines:
    """A hub and the machines at it. All end with the block."""

    def __init__(self) -> None:
        self.all: list[Machine] = []
        self.token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self.hub = self._boot("hub", HUB)
        own = "address 02:00:00:00:00:fe"  # or it takes that of a port, and changes when machines are added
        self._ip(self.hub, f"link add bridge {own} type bridge; addr add {self.hub.address}/24 dev bridge")
        self._ip(self.hub, "link set bridge up")
        return self

    def __exit__(self, *_: object) -> None:
        for machine in reversed(self.all):
            machine.kill()

    def add(self, name: str, *, packaged: bool = True) -> Machine:
        """One more machine, joined to the others' network."""
        number = len(self.all)
        machine = self._boot(name, number, packaged=packaged)
        machine.environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}
        self._ip(self.hub, f"link add port{number} type veth peer name eth0 netns {machine.pid}")
        self._ip(self.hub, f"link set port{number} master bridge up")
        self._ip(machine, f"addr add {machine.address}/24 dev eth0; link set eth0 up")
        return machine

    def cut(self, machine: Machine) -> None:
        """Take it off the network, as when a cable is pulled."""
        self._ip(machine, "link set eth0 down")

    def database(self) -> str:
        """The URL of a PostgreSQL server on the hub, which starts with the first call."""
        if not hasattr(self, "_database"):
            self._database = self._serve(_POSTGRES, self.hub.address)
        return self._database

    def storage(self) -> dict[str, str]:
        """The variables that name an S3 server on the hub, which starts with the first call."""
        if not hasattr(self, "_storage"):
            assert self._serve(_S3, self.hub.address, BUCKET) == "up"
            server = S3(f"http://{self.hub.address}:9000")
            self._storage = {**server.environ, "AUTOML_STORAGE": f"s3://{BUCKET}/automl"}
        return self._storage

    def _serve(self, program: str, *words: str) -> str:
        """Start a program on the hub, which ends with it; the first line that it says."""
        environ = {"PYTHONPATH": str(Path(__file__).parent)}
        server = self.hub.start([sys.executable, "-c", program, *words], **environ)
        assert server.stdout is not None and server.stderr is not None
        said = server.stdout.readline().strip()
        assert said, server.stderr.read()
        return said

    def ray_head(self, machine: Machine, *words: str, cpus: float = 1, **environ: str) -> str:
        """Start the first node of a cluster as the README says; its address."""
        self._ray(machine, ["--head", f"--num-cpus={cpus:g}", *words], environ)
        return f"{machine.address}:6379"

    def ray_node(self, machine: Machine, head: Machine, *words: str, cpus: float = 1, **environ: str) -> None:
        """Start one more node of the cluster as the README says."""
        self._ray(machine, [f"--address={head.address}:6379", f"--num-cpus={cpus:g}", *words], environ)

    def _ray(self, machine: Machine, words: list[str], environ: Mapping[str, str]) -> None:
        command = ["ray", "start", f"--node-ip-address={machine.address}", *words]
        done = machine.run(command, **environ)
        assert done.returncode == 0, done.stdout + done.stderr

    def _boot(self, name: str, number: int, **more: Any) -> Machine:
        machine = Machine(name, number, **more)
        self.all.append(machine)
        return machine

    @staticmethod
    def _ip(machine: Machine, commands: str) -> None:
        """Commands of `ip`, in the machine's network alone: numbers of processes are those outside."""
        for command in commands.split(";"):
            words = ["nsenter", "--target", str(machine.pid), "--net", "ip", *command.split()]
            subprocess.run(words, check=True)


def lacks_database() -> str:
    """Why there is no PostgreSQL server for machines; "" when there is one."""
    return "" if server_programs() else "no PostgreSQL: install its server programs"


def marks(missing: str = "") -> list[pytest.MarkDecorator]:
    """Of tests of a Ray cluster of machines. `missing`: what else they lack, "" when nothing."""
    why = why_not() or lacks_database() or missing
    skipped = pytest.mark.skipif(bool(why), reason=why or "-")
    return [pytest.mark.faults, pytest.mark.ray, pytest.mark.postgres, skipped]


def wait_for(done: Any, what: str, seconds: float = PATIENCE) -> float:
    """Ask `done` until it says yes; the seconds that it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


def _boot(name: str, home: str, hides: Sequence[str]) -> str:
    """What the first process of a machine runs: mounts, then waiting, and burying of processes."""
    lines = ["set -e", "mount -t tmpfs none /mnt"]
    kept = [str(path) for path in _needed() if path.is_relative_to("/tmp")]
    for number, path in enumerate(kept):
        lines += [f"mkdir /mnt/{number}", f"mount --bind {shlex.quote(path)} /mnt/{number}"]
    lines += ["mount -t tmpfs none /tmp", "chmod 1777 /tmp", "mount -t tmpfs none /home"]
    lines += ["mount -t tmpfs -o size=2g none /dev/shm", "mount -t tmpfs none /var/tmp", f"mkdir -p {home}"]
    for number, path in enumerate(kept):
        lines += [f"mkdir -p {shlex.quote(path)}", f"mount --bind /mnt/{number} {shlex.quote(path)}"]
    lines += [f"mount -t tmpfs -o ro none {shlex.quote(str(PROJECT / one))}" for one in hides]
    lines += [f"hostname {name}", "ip link set lo up", "echo up", "exec </dev/null >/dev/null 2>&1"]
    return "\n".join([*lines, "while :; do sleep 3600 & wait $!; done"])


def _needed() -> set[Path]:
    """The folders of what is installed, also where a virtual environment links to another one."""
    found = {Path(sys.prefix), Path(sys.base_prefix), PROJECT, Path(ray.__file__).parents[1]}
    for folder in map(Path, site.getsitepackages()):
        found |= {entry.resolve().parent for entry in folder.glob("*") if entry.is_symlink()}
    found = {path.resolve() for path in found}
    return {path for path in found if not any(path != one and path.is_relative_to(one) for one in found)}
