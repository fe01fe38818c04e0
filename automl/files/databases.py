"""Addresses of databases that tables are read from, as SQLAlchemy writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from automl.contracts import UserError
from automl.files.urls import shown

_DATABASE: Final = re.compile(
    r"(sqlite|postgresql|mysql|mariadb|mssql|oracle|duckdb)(\+\w+)?://", re.IGNORECASE
)
_SQLITE: Final = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]+)", re.IGNORECASE)


def is_database(named: str) -> bool:
    """Whether `named` is the address of a database."""
    return _DATABASE.match(named) is not None


def named_database(named: str, of: str, folder: Path) -> str:
    """The database that a user names; a file of SQLite, looked for in `folder` first, as an absolute path.

    Raises `UserError` for a password in it, which belongs into the environment, and for a file that is not
    there.
    """
    if urlsplit(named).password is not None:
        raise UserError(
            f"{of} must hold no password, but {shown(named)} does; leave it out, and use what the driver "
            "reads: PGPASSWORD or ~/.pgpass of PostgreSQL, an option file of MySQL"
        )
    found = _SQLITE.match(named)
    if found is None or found[2].startswith((":memory:", "file:")):
        return named
    places = [(base / found[2]).resolve() for base in (folder, Path.cwd())]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UserError(
            f"{of} must name a database that exists, but there is none at {places[0]}; correct it"
        )
    return f"{found[1]}{file}{named[found.end() :]}"
