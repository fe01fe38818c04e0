"""A store with a finished, an interrupted and a scheduled campaign, made once, to be mutated and restored."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from endings import call

from automl.ledger import resolve_store

sys.path.append(str(Path(__file__).parents[1]))
import toy_benchmark

SPACE = """
from automl.space import Float, Int, Space
PLUGIN = Space({"x": Float(-1.0, 1.0), "depth": Int(1, 4)})
"""
OBJECTIVE = """
import os

def objective(config, context):
    for step in (1, 2):
        context.report(step, config["x"] ** 2 + config["depth"] / step)
    if "MUTATIONS_GO_ON" not in os.environ and context.workdir.name == "3":
        raise KeyboardInterrupt
    if context.final:
        (context.workdir / "model").mkdir(parents=True, exist_ok=True)
        (context.workdir / "model" / "weights.txt").write_text(str(config["x"]))
    return config["x"] ** 2 + config["depth"] / 2
"""
INTERRUPTED = """
name: cut
task: {metric: loss, direction: minimize}
space: "mutation_space:PLUGIN"
evaluator: {function: {call: "mutation_objective:objective"}}
budget: {trials: 5}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 1}
"""
FINISHED = toy_benchmark.STUDY.replace("{device_seconds: 200}", "{trials: 4}").replace("seeds: 2", "seeds: 1")


def make(home: Path, store: str | None = None) -> None:
    """Two campaigns, `toytable-1` (finished, with openings) and `cut-1` (interrupted), and a schedule.

    Sets the environment of this process: its store is in `home`, or at the URL `store`.
    """
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(AUTOML_STORE=store or str(home / "store"), AUTOML_FOLDER=str(home / "store"))
    toy_benchmark.write(home / "toy.npz")
    texts = {
        "mutation_space.py": SPACE,
        "mutation_objective.py": OBJECTIVE,
        "cut.yaml": INTERRUPTED,
        "toytable.yaml": FINISHED,
    }
    for name, text in texts.items():
        (home / name).write_text(text)
    os.environ.pop("MUTATIONS_GO_ON", None)
    expect(0, "run", str(home / "toytable.yaml"), "--progress", "quiet")
    expect(130, "run", str(home / "cut.yaml"), "--progress", "quiet")
    os.environ["MUTATIONS_GO_ON"] = "1"
    expect(0, "schedule", "add", str(home / "toytable.yaml"), "--cron", "0 2 1 1 *")
    with _engine().begin() as connection:
        firing = "INSERT INTO firings (study, slot, state, owner, lease_until, token, attempts, campaign, "
        firing += "started_at, finished_at) VALUES ('toytable', 1767225600, 'done', 'elsewhere:1:1', "
        firing += "1767225700, 1, 0, 'toytable-1', 1767225600, 1767225660)"
        connection.exec_driver_sql(firing)


def expect(code: int, *words: str) -> None:
    """Call the program, which must end with that code."""
    ending = call(*words)
    if ending.code != code:
        raise RuntimeError(
            f"automl {' '.join(words)} ended with {ending.code}: {ending.output}{ending.errors}"
        )


def _engine() -> sa.Engine:
    return sa.create_engine(resolve_store().url, poolclass=sa.pool.NullPool)


class Stored:
    """The store of this process's environment: rows to mutate, and its first state to go back to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._engine = _engine()
        self.sqlite = self._engine.dialect.name == "sqlite"
        self._first = home / "first"
        if self.sqlite:
            self._first.mkdir()
            for name in ("ledger.db", "mlflow.db"):
                copy(home / "store" / name, self._first / name)
        self._meta = sa.MetaData()
        self._meta.reflect(self._engine)
        self.tables = {name: table for name, table in self._meta.tables.items() if "alembic" not in name}
        self._rows = {name: self.rows(name) for name in self.tables}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, as the database gives them."""
        plain = sa.text(f'SELECT * FROM "{table}"')
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(plain)]

    def first(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table at first."""
        return self._rows[table]

    def change(self, table: str, row: dict[str, Any], column: str, value: object) -> bool:
        """Write a value into a cell; False when the database itself refuses it."""
        keys = [key.name for key in self.tables[table].primary_key]
        where = " AND ".join(f'"{key}" = :key_{key}' for key in keys)
        statement = sa.text(f'UPDATE "{table}" SET "{column}" = :value WHERE {where}')
        try:
            with self._engine.begin() as connection:  # no foreign keys here: SQLite asks for none
                connection.execute(statement, {"value": value, **{f"key_{key}": row[key] for key in keys}})
        except (sa.exc.DBAPIError, sa.exc.StatementError, OverflowError):
            return False
        return True

    def restore(self) -> None:
        """Go back to the first state: ledger, MLflow's file and working files."""
        if self.sqlite:
            for name in ("ledger.db", "mlflow.db"):
                copy(self._first / name, self.home / "store" / name)
            return
        with self._engine.begin() as connection:
            for table in reversed(self._meta.sorted_tables):
                if table.name in self._rows:
                    connection.execute(sa.text(f'DELETE FROM "{table.name}"'))
            for table in self._meta.sorted_tables:
                if self._rows.get(table.name):
                    connection.execute(sa.insert(table), self._rows[table.name])

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def copy(source: Path, target: Path) -> None:
    """Bring a database to the state of another one, also while it is open elsewhere."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target, timeout=60)) as other:
        one.backup(other)
