"""The addresses of a store.

The default is `./.automl`: two SQLite files and a folder of artifacts. `AUTOML_STORE` names another
folder, or a PostgreSQL database (`postgresql://user@host/database`) in which our tables and
MLflow's have a schema each. Artifacts then go to `AUTOML_ARTIFACTS` (a folder that all machines can
read, or a URI such as `s3://bucket/automl`). `MLFLOW_TRACKING_URI` may name a tracking server instead.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.tables import SCHEMA

MLFLOW_SCHEMA: Final = "mlflow"


@dataclass(frozen=True)
class Store:
    """Addresses of the ledger (`url`), MLflow (`tracking_uri`, `artifacts`) and local files (`folder`)."""

    url: str = field(repr=False)  # may contain a password
    tracking_uri: str = field(repr=False)
    artifacts: str
    folder: Path

    @property
    def shown(self) -> str:
        """The ledger's address without its password."""
        return sa.make_url(self.url).set(query={}).render_as_string(hide_password=True)

    @property
    def shown_tracking(self) -> str:
        """MLflow's address without its password."""
        return sa.make_url(self.tracking_uri).set(query={}).render_as_string(hide_password=True)


def resolve_store(environ: Mapping[str, str] = os.environ, cwd: Path | None = None) -> Store:
    """The store that the environment names; creates nothing. Raises `UserError` for an impossible one."""
    cwd = cwd or Path.cwd()
    named = environ.get("AUTOML_STORE", "").strip()
    if "://" in named:
        folder = _folder(environ.get("AUTOML_FOLDER", "").strip() or ".automl", cwd)
        url, tracking = _schema_url(named, SCHEMA), _schema_url(named, MLFLOW_SCHEMA)
    else:
        folder = _folder(named or ".automl", cwd)
        url, tracking = sqlite_url(folder / "ledger.db"), sqlite_url(folder / "mlflow.db")
    server = environ.get("MLFLOW_TRACKING_URI", "").strip()
    if server.startswith(("http://", "https://")):
        tracking = server
    artifacts = environ.get("AUTOML_ARTIFACTS", "").strip() or str(folder / "artifacts")
    return Store(url=url, tracking_uri=tracking, artifacts=_absolute(artifacts, cwd), folder=folder)


def _folder(named: str, cwd: Path) -> Path:
    folder = Path(os.path.normpath(cwd / Path(named).expanduser()))
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"AUTOML_STORE must be a folder or postgresql://user@host/database, but {str(folder)!r} is a "
            "file; name a folder"
        )
    return folder


def _absolute(artifacts: str, cwd: Path) -> str:
    return artifacts if "://" in artifacts else os.path.normpath(cwd / Path(artifacts).expanduser())


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _schema_url(named: str, schema: str) -> str:
    """The URL `named` for psycopg 3, with `schema` as its search path."""
    scheme = named.partition("://")[0]
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise UserError(
            f"AUTOML_STORE must be a folder or postgresql://user@host/database, but its scheme is "
            f"{scheme!r}; use one of those two"
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UserError(
            "AUTOML_STORE=postgresql://… needs the package psycopg, which is not installed; "
            "run: pip install 'automl-orchestrator[postgres]'"
        )
    try:
        url = sa.make_url("postgresql+psycopg://" + named.partition("://")[2])
    except (sa.exc.ArgumentError, ValueError):
        raise UserError(
            "AUTOML_STORE must read postgresql://user:password@host:port/database, but it cannot be parsed; "
            "percent-encode special characters of the password"
        ) from None
    if not url.database:
        raise UserError(
            f"AUTOML_STORE must name a database, but got {url.render_as_string()!r}; append /database"
        )
    named_options = url.query.get("options", "")
    options = " ".join([named_options] if isinstance(named_options, str) else named_options)
    url = url.update_query_dict({"options": f"{options} -csearch_path={schema}".strip()})
    return url.render_as_string(hide_password=False)
