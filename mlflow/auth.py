"""Writes the configuration of MLflow's user accounts for the store; its path goes to standard output.

The accounts are in the store too: a schema of their own on PostgreSQL, a file of their own with SQLite.
"""

import configparser
import os
import sys
from pathlib import Path

import sqlalchemy as sa

SHORTEST = 12  # characters of a password
SCHEMA = "mlflow_auth"


def main() -> None:
    """Make the place of the accounts and the file that names it."""
    password = os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD")
    if password is not None and len(password) < SHORTEST:
        sys.exit(
            f"MLFLOW_AUTH_ADMIN_PASSWORD must have at least {SHORTEST} characters, but has {len(password)}"
        )
    folder = Path(os.environ["AUTOML_WORK"])
    url = sa.make_url(os.environ["MLFLOW_BACKEND_STORE_URI"])
    if url.get_backend_name() == "postgresql":
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        engine.dispose()
        url = url.update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    else:
        url = url.set(database=str(folder / "accounts.db"))
    config = configparser.ConfigParser()
    config["mlflow"] = {
        "default_permission": "READ",
        "database_uri": url.render_as_string(hide_password=False).replace("%", "%%"),
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = folder / "accounts.ini"
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        config.write(file)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
