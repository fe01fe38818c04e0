"""Each thing that a campaign needs, broken in turn: it is found, named, and something can be done."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from http_answers import Answers
from in_process import automl

from automl.doctor import Finding, Level, examine, installed, machine, processes, stores
from automl.doctor.finding import safely
from automl.doctor.processes import Process
from automl.doctor.variables import variables
from automl.ledger import Ledger, Store
from automl.recorder import mlflow_marker

NEVER = "http://127.0.0.1:1"


def only(findings: Iterator[Finding], level: Level) -> Finding:
    (found,) = [one for one in findings if one.level is not Level.WELL]
    assert found.level is level and found.advice
    return found


def test_a_sound_store_is_well(store: Store) -> None:
    for path in (store.folder, *store.folder.iterdir()):
        path.chmod(0o700)
    found = list(examine({"AUTOML_STORE": str(store.folder)}))
    wrong = [
        one for one in found if one.level is not Level.WELL and one.topic in ("store", "ledger", "mlflow")
    ]
    assert not wrong
    assert {"python", "packages", "devices", "disk", "store", "ledger", "mlflow", "ray"} <= {
        one.topic for one in found
    }


def test_nothing_is_created(workspace: Path) -> None:
    found = list(examine({}))
    assert any("the first `automl run` makes it" in one.text for one in found)
    assert list(workspace.iterdir()) == []


def test_an_impossible_store_is_a_problem_and_the_rest_is_examined(workspace: Path) -> None:
    found = list(examine({"AUTOML_STORE": "mysql://me@db/automl"}))
    (wrong,) = [one for one in found if one.level is Level.PROBLEM]
    assert wrong.topic == "store" and "mysql" in wrong.text and wrong.advice == "use one of those two"
    assert "ports" in {one.topic for one in found}


def test_an_examination_that_fails_is_a_finding() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("disk", "fine")
        raise ZeroDivisionError("of all things")

    fine, wrong = safely("disk", broken)
    assert fine.level is Level.WELL
    assert (wrong.level, wrong.text) == (
        Level.PROBLEM,
        "cannot be examined: ZeroDivisionError: of all things",
    )


@pytest.mark.parametrize(
    ("found", "text"),
    [("4.9.0", "optuna is 4.9.0, but optuna<6,>=5.0 is needed"), (None, "optuna is not installed, but")],
)
def test_packages(found: str | None, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = installed._version
    monkeypatch.setattr(installed, "_version", lambda name: found if name == "optuna" else real(name))
    wrong = only(installed.packages(), Level.PROBLEM)
    assert text in wrong.text and "pip install 'optuna" in wrong.advice


def test_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed.platform, "python_version", lambda: "3.10.4")
    assert ">=3.11" in only(installed.python(), Level.PROBLEM).text


def test_versions_that_were_not_tested(tmp_path: Path) -> None:
    file = tmp_path / "constraints.txt"
    file.write_text("# tested\noptuna==5.0.99\nnot-installed-at-all==1\nnumpy==" + metadata.version("numpy"))
    wrong = only(installed.tested_versions(file), Level.WARNING)
    assert "(tested: 5.0.99)" in wrong.text and "numpy" not in wrong.text
    assert not list(installed.tested_versions(tmp_path / "absent.txt"))


def test_gpus_that_torch_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "device_names", lambda: ["a processor", "a GPU", "a GPU"])
    monkeypatch.setattr(machine, "cuda_devices", lambda: ("2.13.0+cpu", 0))
    assert "2 GPUs, but torch 2.13.0+cpu sees 0" in only(machine.devices(), Level.WARNING).text


@pytest.mark.parametrize(
    ("free", "level"), [(machine.GIB // 2, Level.PROBLEM), (2 * machine.GIB, Level.WARNING)]
)
def test_a_disk_that_is_nearly_full(
    free: int, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    wrong = only(machine.disks({"the store": tmp_path / "not" / "there"}), level)
    assert str(tmp_path) in wrong.text and "the store" in wrong.text


def test_a_disk_without_room_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100 * machine.GIB))
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_files=10**6, f_favail=12))
    assert "12 more files" in only(machine.disks({"the store": tmp_path}), Level.PROBLEM).text


def test_little_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=64 * 2**20))
    assert "64 MiB" in only(machine.shared_memory(tmp_path), Level.WARNING).text


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert str(number) in only(machine.port(number), Level.WARNING).text
    assert [one.level for one in machine.port(number)] == [Level.WELL]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(store: Store) -> None:
    store.folder.chmod(0o500)
    assert str(store.folder) in only(stores.folder(store), Level.PROBLEM).text


def test_a_folder_that_may_not_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert str(store.folder) in only(stores.folder(store), Level.PROBLEM).text


@pytest.mark.parametrize(("mode", "words"), [(0o755, "may read"), (0o777, "may write"), (0o730, "may write")])
def test_a_folder_that_is_open_to_others(store: Store, mode: int, words: str) -> None:
    store.folder.chmod(mode)
    assert words in only(stores.folder(store), Level.WARNING).text


def test_a_new_store_is_for_its_user_alone(prepared_store: Store) -> None:
    assert {one.level for one in stores.folder(prepared_store)} == {Level.WELL}


def revised(store: Store, revision: str) -> None:
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE automl_alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()


@pytest.mark.parametrize(
    ("revision", "level", "advice"),
    [("0004", Level.WARNING, "automl db upgrade"), ("9999", Level.PROBLEM, "install that version")],
)
def test_tables_of_another_version(store: Store, revision: str, level: Level, advice: str) -> None:
    revised(store, revision)
    wrong = only(stores.ledger(store), level)
    assert revision in wrong.text and advice in wrong.advice


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scribble(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 : 8 * 4096] = os.urandom(7 * 4096)
    file.write_bytes(data)


def no_database(file: Path) -> None:
    file.write_text("once upon a time " * 100)


@pytest.mark.parametrize("damage", [cut, scribble, no_database])
def test_a_damaged_ledger(store: Store, damage: Callable[[Path], None]) -> None:
    damage(store.folder / "ledger.db")
    found = list(safely("ledger", lambda: stores.ledger(store)))
    (wrong,) = [one for one in found if one.level is Level.PROBLEM]
    assert wrong.advice and "Traceback" not in wrong.text
    assert "is damaged" in wrong.text or "must be a SQLite database" in wrong.text


def test_interrupted_campaigns(store: Store, ledger: Ledger) -> None:
    ledger.create_campaign("going", {}, "d", {})
    assert "going-1" in only(stores.ledger(store), Level.WARNING).text


def test_mlflow_is_gone(store: Store) -> None:
    (store.folder / "mlflow.db").unlink()
    assert "--repair" in only(stores.mlflow(store), Level.PROBLEM).advice


def test_mlflow_of_another_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_marker, "VERIFIED", frozenset({"3.0.0"}))
    assert "not verified" in only(stores.mlflow(store), Level.WARNING).text
    monkeypatch.undo()
    (store.folder / "mlflow.ready").write_text("{}")
    assert "not known" in only(stores.mlflow(store), Level.WARNING).text


def at(store: Store, address: str) -> Store:
    return Store(store.url, address, store.artifacts, store.folder)


def test_a_tracking_server(store: Store) -> None:
    version = metadata.version("mlflow")
    with Answers(200, version) as server:
        assert [one.level for one in stores.mlflow(at(store, server.url))] == [Level.WELL]
    with Answers(200, "2.9.1") as server:
        assert "2.9.1" in only(stores.mlflow(at(store, server.url)), Level.WARNING).text
    with Answers(401, "who are you") as server:
        assert "MLFLOW_TRACKING_USERNAME" in only(stores.mlflow(at(store, server.url)), Level.PROBLEM).advice
    with Answers(500, "oh") as server:
        assert "answers 500" in only(stores.mlflow(at(store, server.url)), Level.PROBLEM).text
    secret = NEVER.replace("//", "//me:hunter2@")
    wrong = only(stores.mlflow(at(store, secret)), Level.PROBLEM)
    assert "does not answer" in wrong.text and "hunter2" not in wrong.text


@pytest.mark.postgres
def test_postgresql(postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(stores.ledger(postgres_store))
    assert {one.level for one in found} == {Level.WELL}
    assert any("PostgreSQL" in one.text for one in found) and "clock" in {one.topic for one in found}
    real = stores.look(postgres_store)
    for skew, level in ((-5.0, Level.WARNING), (3600.0, Level.PROBLEM)):
        monkeypatch.setattr(
            stores, "look", lambda store, skew=skew: type(real)(real.server, real.revision, skew)
        )
        assert f"{skew:+.1f} s" in only(stores.ledger(postgres_store), level).text


def test_postgresql_is_away(tmp_path: Path, workspace: Path) -> None:
    found = list(examine({"AUTOML_STORE": "postgresql://me:hunter2@127.0.0.1:1/automl"}))
    (wrong,) = [one for one in found if one.topic == "ledger"]
    assert wrong.level is Level.PROBLEM and "must be reachable" in wrong.text and "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("environ", "level", "words"),
    [
        ({"RAY_ADDRESS": "127.0.0.1:1", "RAY_AUTH_TOKEN": "x"}, Level.PROBLEM, "cannot be reached"),
        ({"RAY_ADDRESS": "nonsense", "RAY_AUTH_TOKEN": "x"}, Level.PROBLEM, "cannot be reached"),
    ],
)
def test_a_cluster_that_cannot_be_reached(environ: dict[str, str], level: Level, words: str) -> None:
    assert words in only(processes.cluster(environ), level).text


@pytest.mark.faults
@pytest.mark.ray
def test_a_cluster_without_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        assert "no token" in only(processes.cluster({"RAY_ADDRESS": address}), Level.WARNING).text
        found = processes.cluster({"RAY_ADDRESS": address, "RAY_AUTH_TOKEN": "x"})
        assert [one.level for one in found] == [Level.WELL, Level.WELL]


def test_processes_without_a_driver() -> None:
    driver, driven = (
        Process(9, 5, "python", "python -m automl.cli run"),
        Process(10, 9, "raylet", "/x/raylet"),
    )
    other = Process(12, 1, "bash", "bash -c raylet")
    assert [one.level for one in processes.left_over([driver, driven, other])] == [Level.WELL]
    for orphan in (
        Process(11, 1, "raylet", "/x/raylet"),
        Process(11, 12, "gcs_server"),  # some systems have another first process
        Process(11, 1, "python", "python -P -m automl.executors.child"),
        Process(11, 1, "python3", "python3 -m mlflow server --port 5000"),
    ):
        found = only(processes.left_over([driver, driven, orphan, other]), Level.WARNING)
        assert found.text.endswith(orphan.name) and found.advice.endswith("kill 11")


def test_the_command(
    store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    assert automl(monkeypatch, "doctor") == 0
    assert "0 problems" in capsys.readouterr().out
    (store.folder / "mlflow.db").unlink()
    assert automl(monkeypatch, "doctor") == 1
    shown = capsys.readouterr().out
    assert "PROBLEM  mlflow: mlflow.db is gone" in shown and "→ automl audit STUDY --repair" in shown
    assert automl(monkeypatch, "doctor", "--json") == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["problem"] == 1
    assert [one["topic"] for one in told["findings"] if one["level"] == "problem"] == ["mlflow"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AUTOML_STORAGE", "ftp://host/x", "its scheme is 'ftp'"),
        ("AUTOML_STORAGE", "s3://key:hunter2hunter2@bucket", "must hold no password or key"),
        ("AUTOML_CACHE_SIZE", "much", "must be a size such as 500MB"),
    ],
)
def test_a_wrong_storage_or_cache_is_a_problem(name: str, value: str, says: str) -> None:
    found = only(variables({name: value}), Level.PROBLEM)
    assert says in found.text and "hunter2" not in found.text


def test_urls_are_right_in_data_and_storage() -> None:
    environ = {"AUTOML_DATA": "s3://bucket/data:/", "AUTOML_STORAGE": "gs://bucket/x", "AUTOML_CACHE": "/x"}
    assert [one.level for one in variables(environ)] == [Level.WELL]
