"""What a broken database says to its user: never what is not so, and never a traceback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from automl.contracts import RunError
from automl.ledger import Ledger, Store
from automl.ledger.database import Database


def used(store: Store) -> Ledger:
    """A ledger that has been written to."""
    ledger = Ledger(store)
    ledger.create_campaign("some", {}, "d", {})
    return ledger


def delete(store: Store) -> None:
    for file in store.folder.glob("ledger.db*"):
        file.unlink()


def move(store: Store) -> None:
    (store.folder / "ledger.db").rename(store.folder / "elsewhere.db")


def replace(store: Store) -> None:
    file = store.folder / "ledger.db"
    shutil.copy(file, store.folder / "copy.db")
    (store.folder / "copy.db").replace(file)


def recreate(store: Store) -> None:
    delete(store)
    (store.folder / "ledger.db").touch()


def remove_the_folder(store: Store) -> None:
    shutil.rmtree(store.folder)


@pytest.mark.parametrize("change", [delete, move, replace, recreate, remove_the_folder])
def test_a_file_that_is_gone_is_never_said_to_be_safe(store: Store, change: Callable[[Store], None]) -> None:
    """SQLite would go on writing into the file that nobody can open any more."""
    ledger = used(store)
    change(store)
    for act in (ledger.campaigns, lambda: ledger.create_campaign("more", {}, "d", {})):
        with pytest.raises(RunError, match="is lost, unless a backup is restored") as told:
            act()
        assert "is safe" not in str(told.value)
    ledger.close()


def test_tables_that_are_gone(any_store: Store) -> None:
    ledger = used(any_store)
    engine = sa.create_engine(any_store.url)
    with engine.begin() as connection:
        cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TABLE openings{cascade}")
    engine.dispose()
    with pytest.raises(RunError, match="deleted, emptied or replaced"):
        ledger.openings("some-1")
    ledger.close()


def scribble(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    file.write_bytes(data)


def no_database(file: Path) -> None:
    file.write_bytes(b"once upon a time " * 1000)


@pytest.mark.parametrize("damage", [scribble, no_database])
def test_a_damaged_file(store: Store, damage: Callable[[Path], None]) -> None:
    used(store).close()
    damage(store.folder / "ledger.db")
    ledger = Ledger(store)
    with pytest.raises(RunError, match=r"is damaged: .*restore a backup"):
        ledger.campaigns()
    ledger.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_only_be_read(store: Store) -> None:
    used(store).close()
    (store.folder / "ledger.db").chmod(0o400)
    store.folder.chmod(0o500)
    with pytest.raises(RunError, match="must be writable"):
        Ledger(store).create_campaign("more", {}, "d", {})
    store.folder.chmod(0o700)


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["role", "transaction"])
def test_a_role_that_may_only_read(postgres_store: Store, how: str) -> None:
    url = sa.make_url(postgres_store.url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS reader")
        connection.exec_driver_sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA automl TO reader")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA automl TO reader")
    if how == "role":
        url = url.set(username="reader", password="reader")
    else:
        options = f"{url.query['options']} -cdefault_transaction_read_only=on"
        url = url.update_query_dict({"options": options})
    database = Database(url.render_as_string(hide_password=False))
    try:
        found = database.read(lambda connection: connection.exec_driver_sql("SELECT 1 FROM campaigns").all())
        assert found == []
        with pytest.raises(RunError, match=r"must be writable for this user, but postgresql.* is not: "):
            database.write(lambda connection: connection.exec_driver_sql("DELETE FROM campaigns"))
    finally:
        database.close()
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY reader")
            connection.exec_driver_sql("DROP ROLE reader")
        engine.dispose()


def test_an_error_of_this_program_stays_one(store: Store) -> None:
    database = Database(store.url)
    with pytest.raises(sa.exc.DBAPIError):
        database.write(lambda connection: connection.exec_driver_sql("INSERT INTO campaigns (id) VALUES (1)"))
    database.close()
