"""`automl doctor` with each thing broken in turn: found, with what to do; exit code and --json agree."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from http_answers import Answers
from in_process import automl
from patience import PATIENCE

from automl.doctor import installed, machine, processes, stores
from automl.executors.tune import token
from automl.ledger import Ledger, ScheduleRow, Store, resolve_store
from automl.ledger.state import look
from automl.recorder import mlflow_marker

NOWHERE = "127.0.0.1:1"


@dataclass
class Broken:
    """What a breakage may use: the store, a free folder, and what puts things back."""

    store: Store
    folder: Path
    patch: pytest.MonkeyPatch
    after: list[Callable[[], object]]


def version(name: str, found: str | None) -> Callable[[Broken], None]:
    """A package of another version, or none, for everybody who asks."""
    real = metadata.version

    def answer(asked: str) -> str:
        if asked != name:
            return real(asked)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    return lambda broken: broken.patch.setattr(metadata, "version", answer)


def python(broken: Broken) -> None:
    broken.patch.setattr(installed.platform, "python_version", lambda: "3.10.4")


def devices(broken: Broken) -> None:
    broken.patch.setattr(machine, "device_names", lambda: ["a processor", "a GPU"])
    broken.patch.setattr(machine, "cuda_devices", lambda: ("2.13.0+cpu", 0))


def shared_memory(broken: Broken) -> None:
    broken.patch.setattr(machine, "SHARED_MEMORY", 2**60)


def disk(free: int) -> Callable[[Broken], None]:
    real = shutil.disk_usage

    def breaks(broken: Broken) -> None:
        full = str(broken.store.folder)
        broken.patch.setattr(
            shutil,
            "disk_usage",
            lambda path: SimpleNamespace(free=free, total=2**40) if str(path) == full else real(path),
        )

    return breaks


def read_only(broken: Broken) -> None:
    """As on a file system that is mounted so: root may write everywhere else."""
    real = os.access
    folder = broken.store.folder
    broken.patch.setattr(
        os, "access", lambda path, mode: real(path, mode) and not (Path(path) == folder and mode & os.W_OK)
    )


def opened(broken: Broken) -> None:
    (broken.store.folder / "ledger.db").chmod(0o664)


def away(broken: Broken) -> None:
    broken.patch.setenv("AUTOML_STORE", f"postgresql://me:hunter2@{NOWHERE}/automl")


def damaged(broken: Broken) -> None:
    (broken.store.folder / "ledger.db").write_text("once upon a time " * 500)


def skewed(seconds: float) -> Callable[[Broken], None]:
    def breaks(broken: Broken) -> None:
        found = replace(look(broken.store), skew=seconds)
        broken.patch.setattr(stores, "look", lambda store: found)

    return breaks


def older(revision: str) -> Callable[[Broken], None]:
    def breaks(broken: Broken) -> None:
        engine = sa.create_engine(broken.store.url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE automl_alembic_version SET version_num = :r"), {"r": revision})
        engine.dispose()

    return breaks


def unverified(broken: Broken) -> None:
    broken.patch.setattr(mlflow_marker, "VERIFIED", frozenset({"3.0.0"}))


def server(status: int | None) -> Callable[[Broken], None]:
    def breaks(broken: Broken) -> None:
        if status is None:
            broken.patch.setenv("MLFLOW_TRACKING_URI", f"http://{NOWHERE}")
            return
        answers = Answers(status, "oh")
        answers.__enter__()
        broken.after.append(lambda: answers.__exit__(None, None, None))
        broken.patch.setenv("MLFLOW_TRACKING_URI", answers.url)

    return breaks


def no_mlflow_file(broken: Broken) -> None:
    (broken.store.folder / "mlflow.db").unlink()


def port(broken: Broken) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    broken.after.append(taken.close)
    broken.patch.setattr(machine.port, "__defaults__", (taken.getsockname()[1],))


def orphan(broken: Broken) -> None:
    """A real one: its parent has gone, and something else has adopted it."""
    program = broken.folder / "raylet"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    started = subprocess.run(
        ["sh", "-c", f"setsid {program} 600 >/dev/null 2>&1 & echo $!"],
        capture_output=True,
        text=True,
        check=True,
    )
    number = int(started.stdout)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.kill(number, 9)

    broken.after.append(end)
    deadline = time.monotonic() + PATIENCE
    while not any(one.number == number and one.is_started for one in processes._processes()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone_study(broken: Broken) -> None:
    with Ledger(broken.store) as ledger:
        ledger.create_campaign("going", {"source": str(broken.folder / "gone")}, "d", {})


def gone_schedule(broken: Broken) -> None:
    file = str(broken.folder / "s.yaml")
    with Ledger(broken.store) as ledger:
        ledger.put_schedule(ScheduleRow("s", file, "0 2 * * *", "UTC", 3600, False, 0.0, 0.0))


def gone_folder(broken: Broken) -> None:
    here = broken.folder / "here"
    here.mkdir()
    broken.patch.chdir(here)
    here.rmdir()


def variable(name: str, value: str) -> Callable[[Broken], None]:
    return lambda broken: broken.patch.setenv(name, value.format(folder=broken.folder))


def no_token(broken: Broken) -> None:
    head = socket.create_server(("127.0.0.1", 0))
    broken.after.append(head.close)
    broken.patch.setattr(token, "asks_for_none", lambda address: True)
    broken.patch.setenv("RAY_ADDRESS", f"127.0.0.1:{head.getsockname()[1]}")


# what is broken, how, the topic of the finding, its text, what to do; a problem ends with exit code 1
PROBLEMS: list[tuple[str, Callable[[Broken], None], str, str, str]] = [
    ("an old Python", python, "python", "Python 3.10.4", "make an environment with such a Python"),
    (
        "a package off its constraint",
        version("optuna", "4.9.0"),
        "packages",
        "optuna is 4.9.0, but",
        "pip install",
    ),
    (
        "a missing package",
        version("pydantic", None),
        "packages",
        "pydantic is not installed, but",
        "pip install",
    ),
    ("no Ray", version("ray", None), "ray", "Ray is not installed", "executor: local"),
    ("no MLflow", version("mlflow", None), "mlflow", "MLflow is not installed", "pip install mlflow"),
    ("a full disk", disk(10**8), "disk", "0.1 GiB free for the store", "make room there"),
    ("a store that is read-only", read_only, "store", "cannot be written by this user", "chown or chmod"),
    (
        "a store that is away",
        away,
        "ledger",
        "the store must be reachable",
        "start the server or correct AUTOML",
    ),
    (
        "a store of no known kind",
        variable("AUTOML_STORE", "mysql://me@db/x"),
        "store",
        "its scheme is 'mysql'",
        "use one of",
    ),
    ("a file for a store", variable("AUTOML_STORE", "{folder}/file"), "store", "is a file", "name a folder"),
    ("a damaged ledger", damaged, "ledger", "must be a SQLite database", "move it away"),
    ("a clock one hour off", skewed(3600.0), "clock", "is +3600.0 s from", "timedatectl set-ntp true"),
    ("a newer store", older("9999"), "ledger", "which only a newer version knows", "install that version"),
    ("no mlflow.db", no_mlflow_file, "mlflow", "mlflow.db is gone", "automl audit STUDY --repair"),
    (
        "an MLflow server that is down",
        server(None),
        "mlflow",
        "does not answer",
        "start it (mlflow/serve.sh)",
    ),
    ("an MLflow server that fails", server(500), "mlflow", "answers 500", "see its log"),
    (
        "an MLflow server with accounts",
        server(401),
        "mlflow",
        "answers 401",
        "check MLFLOW_TRACKING_USERNAME",
    ),
    (
        "a cluster that is away",
        variable("RAY_ADDRESS", NOWHERE),
        "ray",
        "cannot be reached",
        "ray start --head",
    ),
    ("no working folder", gone_folder, "folder", "the working folder cannot be used", "cd into one"),
    (
        "plug-ins that are nowhere",
        variable("AUTOML_PLUGINS", "{folder}:{folder}/no"),
        "variables",
        "/no, which is not there",
        "correct AUTOML_PLUGINS",
    ),
    (
        "a file for plug-ins",
        variable("AUTOML_PLUGINS", "{folder}/file"),
        "variables",
        "is not a folder",
        "correct AUTOML_PLUGINS",
    ),
    (
        "data that are nowhere",
        variable("AUTOML_DATA", "{folder}/no"),
        "variables",
        "/no, which is not there",
        "correct AUTOML_DATA",
    ),
    (
        "artifacts in a file",
        variable("AUTOML_ARTIFACTS", "{folder}/file/x"),
        "variables",
        "this user cannot write",
        "correct AUTOML_ARTIFACTS",
    ),
    (
        "a port that is none",
        variable("AUTOML_PORT", "http"),
        "variables",
        "must be 1 to 65535, but is 'http'",
        "unset it",
    ),
]
WARNINGS: list[tuple[str, Callable[[Broken], None], str, str, str]] = [
    (
        "GPUs that torch does not see",
        devices,
        "devices",
        "has 1 GPUs, but torch 2.13.0+cpu sees 0",
        "pytorch.org",
    ),
    ("little shared memory", shared_memory, "ray", "/dev/shm holds", "--shm-size=2g"),
    ("a disk that fills up", disk(2 * 2**30), "disk", "2.0 GiB free for the store", "make room there"),
    ("a store open to others", opened, "store", "ledger.db (mode 664)", "chmod -R go= "),
    ("a clock that is slow", skewed(-5.0), "clock", "is -5.0 s from", "timedatectl"),
    ("an older store", older("0004"), "ledger", "the tables are older (0004)", "automl db upgrade"),
    (
        "an MLflow that is not verified",
        unverified,
        "mlflow",
        "direct writing is not verified",
        "pip install mlflow==3.0.0",
    ),
    ("a cluster without a token", no_token, "ray", "asks for no token", "RAY_AUTH_TOKEN"),
    ("a port that is taken", port, "ports", "of this machine is in use", "automl ui --port"),
    ("a process without its driver", orphan, "processes", "1 processes have no driver: raylet", "kill "),
    ("a study that is nowhere", gone_study, "campaigns", "/gone, which is not there", "bring it back"),
    (
        "a schedule without its file",
        gone_schedule,
        "campaigns",
        "the schedule of s needs",
        "automl schedule add",
    ),
    (
        "a variable that nobody reads",
        variable("AUTOML_STROE", "x"),
        "variables",
        "AUTOML_STROE is set",
        "it may mean AUTOML_STORE",
    ),
    (
        "an MLflow address of a file",
        variable("MLFLOW_TRACKING_URI", "mlruns"),
        "variables",
        "names no server",
        "name the tracking",
    ),
]


@pytest.fixture
def broken(store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broken]:
    for path in (store.folder, *store.folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    for name in [name for name in os.environ if name.startswith(("AUTOML_", "MLFLOW_TRACKING", "RAY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    (workspace / "file").write_text("")
    others = {one.number for one in processes._processes() if one.is_started}  # of other programs here
    mine = processes._processes
    monkeypatch.setattr(processes, "_processes", lambda: [one for one in mine() if one.number not in others])
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setattr(machine.port, "__defaults__", (free.getsockname()[1],))
    given = Broken(resolve_store(), workspace, monkeypatch, [])
    yield given
    monkeypatch.undo()
    for put_back in given.after:
        put_back()


def examined(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, dict[str, object]]:
    """The exit code, what is shown, and the same as JSON."""
    capsys.readouterr()
    code = automl(patch, "doctor")
    shown = capsys.readouterr().out
    assert automl(patch, "doctor", "--json") == code
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return code, shown, told


def test_nothing_is_broken_here(broken: Broken, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, told = examined(broken.patch, capsys)
    assert code == 0 and "\n0 problems, 0 warnings" in shown, shown
    assert (told["problem"], told["warning"]) == (0, 0)


@pytest.mark.parametrize(
    ("level", "breaks", "topic", "text", "advice"),
    [
        *[pytest.param("problem", *rest, id=name) for name, *rest in PROBLEMS],
        *[pytest.param("warning", *rest, id=name) for name, *rest in WARNINGS],
    ],
)
def test_each_thing_in_turn(
    level: str,
    breaks: Callable[[Broken], None],
    topic: str,
    text: str,
    advice: str,
    broken: Broken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    breaks(broken)
    code, shown, told = examined(broken.patch, capsys)
    findings: list[dict[str, str]] = told["findings"]  # type: ignore[assignment]
    found = [
        one for one in findings if one["topic"] == topic and one["level"] == level and text in one["text"]
    ]
    assert len(found) == 1, shown
    assert advice in found[0]["advice"]
    assert f"{topic}: {found[0]['text']}\n" in shown and f"→ {found[0]['advice']}\n" in shown
    assert code == (1 if level == "problem" else 0), shown
    assert "hunter2" not in shown and "report this as a fault" not in shown and "Traceback" not in shown
    expected = {"problem": f"PROBLEM  {topic}", "warning": f"      !  {topic}"}
    assert expected[level] in shown
