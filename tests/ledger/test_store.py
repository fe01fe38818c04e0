from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger import resolve_store


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_store_is_a_folder_of_the_working_directory_by_default(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    assert store.folder == tmp_path / ".automl"
    assert store.url == f"sqlite:///{tmp_path}/.automl/ledger.db"
    assert store.tracking_uri == f"sqlite:///{tmp_path}/.automl/mlflow.db"
    assert store.artifacts == f"{tmp_path}/.automl/artifacts"
    assert listing(tmp_path) == []


@pytest.mark.parametrize("named", ["here", "../there", "ä b?c#d%20", "/{tmp}/x", "a&b=c"])
def test_the_store_may_be_any_folder(named: str, tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    named = named.replace("/{tmp}", str(tmp_path))
    store = resolve_store({"AUTOML_STORE": named, "MLFLOW_TRACKING_URI": "sqlite:///other.db"}, cwd)
    assert sa.make_url(store.url).database == str(store.folder / "ledger.db")
    assert sa.make_url(store.tracking_uri).database == str(store.folder / "mlflow.db")
    assert store.folder == Path((cwd / named).resolve())


def test_a_database_holds_both_schemas(tmp_path: Path) -> None:
    given = "postgresql://me:p%40ss@db.example:5433/team?sslmode=require&options=-c%20statement_timeout%3D9"
    store = resolve_store({"AUTOML_STORE": given, "AUTOML_ARTIFACTS": "s3://bucket/automl"}, tmp_path)
    ours, theirs = sa.make_url(store.url), sa.make_url(store.tracking_uri)
    assert (ours.drivername, ours.host, ours.port, ours.password) == (
        "postgresql+psycopg",
        "db.example",
        5433,
        "p@ss",
    )
    assert ours.query == {"sslmode": "require", "options": "-c statement_timeout=9 -csearch_path=automl"}
    assert theirs.query["options"] == "-c statement_timeout=9 -csearch_path=mlflow"
    assert store.artifacts == "s3://bucket/automl"
    assert "ss" not in store.shown.replace("postgresql+psycopg", "") and "p%40ss" not in repr(store)


def test_folder_and_tracking_server_of_a_team(tmp_path: Path) -> None:
    environ = {
        "AUTOML_STORE": "postgres://db/team",
        "AUTOML_FOLDER": "mine",
        "MLFLOW_TRACKING_URI": "https://mlflow.example",
    }
    store = resolve_store(environ, tmp_path)
    assert store.folder == tmp_path / "mine"
    assert store.tracking_uri == "https://mlflow.example"
    assert store.artifacts == str(tmp_path / "mine" / "artifacts")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("mysql://db/x", "its scheme is 'mysql'"),
        ("sqlite:///x.db", "its scheme is 'sqlite'"),
        ("postgresql+psycopg2://db/x", "its scheme is 'postgresql\\+psycopg2'"),
        ("postgresql://me:hidden@db", "must name a database"),
        ("postgresql://me:hidden@db:port/x", "cannot be parsed"),
        ("file", "is a file"),
    ],
)
def test_a_store_that_cannot_be_is_refused_and_nothing_is_created(
    named: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message) as caught:
        resolve_store({"AUTOML_STORE": named}, tmp_path)
    assert "hidden" not in str(caught.value)
    assert listing(tmp_path) == ["file"]


def test_a_missing_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.ledger.store.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'automl-orchestrator\[postgres\]'"):
        resolve_store({"AUTOML_STORE": "postgresql://db/x"}, tmp_path)
