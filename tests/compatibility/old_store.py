"""Unpacks the store of commit 10a45bd anywhere, and calls the program on it as a user does."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from in_process import automl

HERE = Path(__file__).resolve().parent
OLD_HOME = "/tmp/automl-10a45bd"  # where `make_store.py` made it: every path in it begins so
OLD_MLFLOW = "3.17.2"
FINISHED = ("cells", "tables", "meta", "table-replay")
CELLS = ("random", "gdas", "resnet", "darts", "mobile", "perceptron", "s1")
LEARNERS = ("maml", "protonet", "centroid")
MOVED = {
    "ledger.db": [("campaigns", "spec"), ("trials", "workdir")],
    "mlflow.db": [
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
        ("params", "value"),
    ],
}


def unpack(home: Path) -> Path:
    """The store, its exports and its study files in the new folder `home`, as if they had been made there."""
    with tarfile.open(HERE / "store_10a45bd.tar.xz") as archive:
        archive.extractall(home, filter="data")
    for path in (HERE / "studies").iterdir():
        if path.is_file():
            (home / "studies" / path.name).write_bytes(path.read_bytes())
    for name, columns in MOVED.items():
        with database(home, name) as opened:
            for table, column in columns:
                opened.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (OLD_HOME, str(home))
                )
    return home


@contextmanager
def database(home: Path, name: str = "ledger.db") -> Iterator[sqlite3.Connection]:
    """A database of the store; changes are kept at the end."""
    with closing(sqlite3.connect(home / "store" / name, timeout=60)) as opened, opened:
        yield opened


def rows(home: Path, query: str) -> dict[str, tuple[Any, ...]]:
    """The rows of a query to the ledger, by their first column."""
    with database(home) as opened:
        return {str(key): tuple(values) for key, *values in opened.execute(query)}


class Program:
    """The command line in this process, in the folder `home` with the store there."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[], tuple[str, str]]
    ) -> None:
        self.home, self._monkeypatch, self._read = home, monkeypatch, read
        monkeypatch.chdir(home)
        monkeypatch.setattr(sys, "path", [*sys.path])  # a study's folder becomes importable
        monkeypatch.setenv("AUTOML_STORE", str(home / "store"))
        if version("mlflow") != OLD_MLFLOW:
            self("db", "upgrade")

    def __call__(self, *words: str) -> str:
        """What a command prints on standard output; a failed one fails the test."""
        code = automl(self._monkeypatch, *words)
        out, err = self._read()
        assert code == 0, f"automl {' '.join(words)} ended with {code}: {out}{err}"
        return out

    def json(self, *words: str) -> dict[str, Any]:
        """The object that a command with `--json` prints."""
        return dict(json.loads(self(*words, "--json")))


def old_report(home: Path, study: str) -> dict[str, Any]:
    """What `automl report STUDY --json` printed at the old commit, as if `home` had been its folder."""
    printed = (home / "reports.json").read_text().replace(OLD_HOME, str(home))
    return dict(json.loads(printed)[study])


def certificate(path: Path, home: Path) -> dict[str, Any]:
    """An exported winner without its checksum; `home` is written as the old one."""
    winner = dict(yaml.safe_load(path.read_text().replace(str(home), OLD_HOME)))
    del winner["checksum"]
    return winner


def assert_same(new: object, old: object, where: str = "") -> None:
    """Assert that everything in `old` is the same in `new`. Texts for people may be worded in another way."""
    if isinstance(old, Mapping):
        assert isinstance(new, Mapping), where
        for key, value in old.items():
            assert key in new, f"{where}.{key} is missing"
            assert_same(new[key], value, f"{where}.{key}")
    elif isinstance(old, list):
        assert isinstance(new, list) and len(new) == len(old), where
        for index, (left, right) in enumerate(zip(new, old, strict=True)):
            assert_same(left, right, f"{where}[{index}]")
    elif isinstance(old, float):
        assert new == pytest.approx(old, rel=1e-6, abs=1e-9), where
    elif isinstance(old, str) and " " in old:
        assert isinstance(new, str) and new, where
    else:
        assert new == old, where


def load_model_file(folder: Path) -> ModuleType:
    """The module `model.py` of a torch export."""
    spec = importlib.util.spec_from_file_location(
        f"exported_{folder.parent.name}_{folder.name}", folder / "model.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
