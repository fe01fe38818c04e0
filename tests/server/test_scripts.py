"""The scripts of the tracking server, really run: start, accounts, backup, restore, retention."""

from __future__ import annotations

import base64
import os
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from patience import PATIENCE
from sockets import below, listening

from automl.contracts import Outcome, Report, TrialState
from automl.ledger import NewTrial, Store, resolve_store
from automl.storage import open_ledger

SCRIPTS = Path(__file__).parents[2] / "mlflow"
SECRET = "correct-horse-battery"


def run(script: str, *arguments: Any, store: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", SCRIPTS / script, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **store},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def fill(store: Store) -> None:
    """One campaign with one finished trial, one artifact, one checkpoint and one model."""
    spec = {"task": {"metrics": [{"name": "loss", "direction": "minimize"}]}, "arms": {}}
    with open_ledger(store) as ledger:
        campaign = ledger.create_campaign("kept", spec, "digest", {})
        search = ledger.add_search(campaign.id, "random", 0)
        work = store.folder / "work" / campaign.id / "random-0" / "0"
        trial = ledger.start_trial(
            search.id, NewTrial("trial", 0, {"x": 1}, seed=0, asked_after=0, workdir=str(work))
        )
        ledger.report(trial.id, trial.token, Report(1, 0.5, 0.1))
        ledger.finish_trial(
            trial.id, trial.token, Outcome(TrialState.COMPLETE, 0.2, values=[0.25]), told=0, attributes={}
        )
    for file in (work / "checkpoints/step-1.pt", work / "model/weights.pt"):
        file.parent.mkdir(parents=True)
        file.write_text("weights")
    artifact = Path(store.artifacts) / "1/run/artifacts/note.txt"
    artifact.parent.mkdir(parents=True)
    artifact.write_text("hello")


def rows(store: Store) -> dict[str, list[Any]]:
    """Every row of the ledger and of MLflow's experiments."""
    found = {}
    for url, names in (
        (store.url, ("campaigns", "trials", "reports")),
        (store.tracking_uri, ("experiments",)),
    ):
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            for name in names:
                query = sa.text(f"SELECT * FROM {name} ORDER BY 1")
                found[name] = [tuple(map(str, row)) for row in connection.execute(query)]
        engine.dispose()
    return found


def moved(found: dict[str, list[Any]], source: Store, target: Store) -> dict[str, list[Any]]:
    """Rows of a store as they are after it was restored elsewhere."""
    old, new = str(source.folder), str(target.folder)
    return {name: [tuple(cell.replace(old, new) for cell in row) for row in found[name]] for name in found}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of a filled store, and of an empty one of the same kind."""
    if request.param == "sqlite":
        request.getfixturevalue("store")
        return {"AUTOML_STORE": str(tmp_path / ".automl")}, {"AUTOML_STORE": str(tmp_path / "other")}
    filled = request.getfixturevalue("postgres_store")
    url = sa.make_url(filled.url).set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    empty = request.getfixturevalue("postgres_url")
    return (
        {"AUTOML_STORE": url, "AUTOML_FOLDER": str(tmp_path / ".automl")},
        {"AUTOML_STORE": empty, "AUTOML_FOLDER": str(tmp_path / "other")},
    )


@pytest.mark.slow
def test_a_backup_restores_everything(stores: Any, tmp_path: Path) -> None:
    filled, empty = stores
    source = resolve_store(filled, tmp_path)
    fill(source)
    saved = run("backup.sh", tmp_path / "backups", store=filled, cwd=tmp_path)
    assert saved.returncode == 0, saved.stderr
    backup = Path(saved.stdout.strip())
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [backup.name]

    restored = run("restore.sh", backup, store=empty, cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    target = resolve_store(empty, tmp_path)
    assert rows(target) == moved(rows(source), source, target)
    with open_ledger(target) as ledger:
        (trial,) = ledger.trials("kept-1")
        assert trial.values == [0.25]
    assert (Path(target.artifacts) / "1/run/artifacts/note.txt").read_text() == "hello"
    assert (target.folder / "work/kept-1/random-0/0/model/weights.pt").exists()
    assert not (target.folder / "work/kept-1/random-0/0/checkpoints").exists()

    again = run("restore.sh", backup, store=empty, cwd=tmp_path)
    assert (again.returncode, "nothing was changed" in again.stderr) == (2, True)
    assert rows(target) == moved(rows(source), source, target)


@pytest.mark.slow
def test_a_damaged_backup_is_refused(store: Store, tmp_path: Path) -> None:
    fill(store)
    environ = {"AUTOML_STORE": str(store.folder)}
    backup = Path(run("backup.sh", tmp_path / "backups", store=environ, cwd=tmp_path).stdout.strip())
    damaged = bytearray((backup / "ledger.db").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (backup / "ledger.db").write_bytes(damaged)
    refused = run("restore.sh", backup, store={"AUTOML_STORE": str(tmp_path / "other")}, cwd=tmp_path)
    assert refused.returncode == 2
    assert "is damaged; nothing was changed" in refused.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("backup.sh", []),
        ("restore.sh", ["/nowhere"]),
        ("retain.sh", []),
        ("retain.sh", ["0"]),
        ("retain.sh", ["-3"]),
        ("retain.sh", ["soon"]),
    ],
)
def test_wrong_arguments_say_the_usage(script: str, arguments: list[str], tmp_path: Path) -> None:
    refused = run(script, *arguments, store={}, cwd=tmp_path)
    assert refused.returncode == 2
    assert f"usage: mlflow/{script}" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_wrong_store_is_refused(tmp_path: Path) -> None:
    for script, arguments in (("serve.sh", []), ("backup.sh", ["backups"]), ("retain.sh", ["3"])):
        refused = run(script, *arguments, store={"AUTOML_STORE": "mysql://x/y"}, cwd=tmp_path)
        assert refused.returncode == 2
        assert "AUTOML_STORE must be" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_retention_keeps_what_is_needed(store: Store, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    fill(store)
    client = MlflowClient(tracking_uri=store.tracking_uri)
    kept, trashed, fresh = (client.create_run("0").info.run_id for _ in range(3))
    for run_id in (trashed, fresh):
        client.delete_run(run_id)
    engine = sa.create_engine(store.tracking_uri)
    with engine.begin() as connection:
        old = (time.time() - 40 * 86400) * 1000
        query = sa.text("UPDATE runs SET deleted_time = :old WHERE run_uuid = :run")
        connection.execute(query, {"old": int(old), "run": trashed})
    engine.dispose()
    work = store.folder / "work/kept-1/random-0"
    (work / "1/checkpoints").mkdir(parents=True)
    (work / "1/checkpoints/step-1.pt").write_text("young")
    long_ago = time.time() - 40 * 86400
    backups = [tmp_path / "backups" / f"20{year}-01-01T000000Z" for year in (20, 21)]
    for path in backups:
        path.mkdir(parents=True)
    other = tmp_path / "backups/mine"
    other.mkdir()
    for path in (work / "0/checkpoints/step-1.pt", work / "0/checkpoints", *backups, other):
        os.utime(path, (long_ago, long_ago))

    environ = {"AUTOML_STORE": str(store.folder)}
    done = run("retain.sh", 30, tmp_path / "backups", store=environ, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    left = {item.info.run_id for item in client.search_runs(["0"], run_view_type=ViewType.ALL)}
    assert left == {kept, fresh}
    assert not (work / "0/checkpoints").exists()
    assert (work / "0/model/weights.pt").exists()
    assert (work / "1/checkpoints/step-1.pt").exists()
    assert sorted((tmp_path / "backups").iterdir()) == [backups[1], other]


@contextmanager
def served(*arguments: str, store: dict[str, str], cwd: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environ = {**os.environ, **store, "AUTOML_PORT": port, "MLFLOW_SERVER_WORKERS": "1"}
    log = (cwd / "server.log").open("w")
    server = subprocess.Popen(
        ["sh", SCRIPTS / "serve.sh", *arguments],
        cwd=cwd,
        env=environ,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        for _ in range(300):
            if server.poll() is not None:
                break
            try:
                if status(f"http://127.0.0.1:{port}/health") == 200:
                    break
            except OSError:
                time.sleep(0.2)
        assert server.poll() is None, (cwd / "server.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            log.close()


def status(url: str, password: str | None = None) -> int:
    request = urllib.request.Request(url)
    if password is not None:
        request.add_header(
            "Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


SEARCH = "/api/2.0/mlflow/experiments/search?max_results=5"


@pytest.mark.slow
def test_the_server_serves_the_store(store: Store, tmp_path: Path) -> None:
    with served(store={"AUTOML_STORE": str(store.folder)}, cwd=tmp_path) as url:
        assert status(url + SEARCH) == 200
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        assert str(store.folder / "mlflow.db") not in processes


@pytest.mark.slow
def test_accounts_in_a_file_are_for_its_user_alone(tmp_path: Path) -> None:
    """So is all that the server makes; it listens on this machine only; files beside it hide no library."""
    for name in ("json.py", "sqlalchemy.py", "mlflow.py"):
        (tmp_path / name).write_text("raise RuntimeError('a trap')")
    environ = {
        "AUTOML_STORE": str(tmp_path / "store"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": SECRET,
        "MLFLOW_AUTH_ADMIN_PASSWORD": SECRET,
    }
    before = os.umask(0)
    try:
        with served("--auth", store=environ, cwd=tmp_path) as url:
            assert (status(url + SEARCH), status(url + SEARCH, SECRET)) == (401, 200)
            assert listening(below(os.getpid())) == {"0100007F"}, "127.0.0.1"
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "store").rglob("*")}
    assert {"accounts.db", "accounts.ini", "mlflow.db", "ledger.db"} <= {path.name for path in found}
    assert not {str(path): oct(mode) for path, mode in found.items() if mode & 0o077}


@pytest.mark.slow
@pytest.mark.postgres
def test_accounts_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    environ = {
        "AUTOML_STORE": postgres_url,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-long-random-text",
        "MLFLOW_AUTH_ADMIN_PASSWORD": SECRET,
    }
    with served("--auth", store=environ, cwd=tmp_path) as url:
        assert status(url + SEARCH) == 401
        assert status(url + SEARCH, "wrong-password") == 401
        assert status(url + SEARCH, SECRET) == 200
    assert (tmp_path / ".automl/accounts.ini").stat().st_mode & 0o777 == 0o600
    del environ["MLFLOW_AUTH_ADMIN_PASSWORD"]  # the account exists
    with served("--auth", store=environ, cwd=tmp_path) as url:
        assert status(url + SEARCH, SECRET) == 200


@pytest.mark.parametrize(
    ("host", "arguments"), [("0.0.0.0", []), ("", ["--host", "10.1.2.3"]), ("", ["--host=::"])]
)
def test_beyond_this_machine_it_wants_tls(
    store: Store, tmp_path: Path, host: str, arguments: list[str]
) -> None:
    environ = {"AUTOML_STORE": str(store.folder), **({"AUTOML_HOST": host} if host else {})}
    refused = run("serve.sh", *arguments, store=environ, cwd=tmp_path)
    assert refused.returncode == 2
    assert "has no TLS, but AUTOML_HOST is" in refused.stderr and "--insecure" in refused.stderr


@pytest.mark.slow
def test_accounts_need_a_secret_key_and_a_long_password(store: Store, tmp_path: Path) -> None:
    environ = {"AUTOML_STORE": str(store.folder)}
    refused = run("serve.sh", "--auth", store=environ, cwd=tmp_path)
    assert refused.returncode != 0
    assert "MLFLOW_FLASK_SERVER_SECRET_KEY: must be set" in refused.stderr
    environ |= {"MLFLOW_FLASK_SERVER_SECRET_KEY": "x", "MLFLOW_AUTH_ADMIN_PASSWORD": "short"}
    refused = run("serve.sh", "--auth", store=environ, cwd=tmp_path)
    assert refused.returncode == 2
    assert "at least 12 characters, but has 5" in refused.stderr
