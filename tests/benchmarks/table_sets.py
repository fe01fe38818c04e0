"""The shared tables: which there are, and how they are read. `AUTOML_DATA` names the folder with them."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from automl.contracts import Task
from automl.data import load_task

FOLDERS = ("tabular_pmlb", "tabular_raw")
DROPPED = {"adult": ["fold"]}  # which part of UCI's own split a row belongs to


@dataclass(frozen=True)
class TableSet:
    """One table: its file, the column to predict, and whether that has classes."""

    name: str
    file: Path
    target: str
    classifies: bool
    rows: int

    def task(self, metric: str) -> Task:
        """Training and validation rows, as a study with the default split has them."""
        task = {
            "dataset": str(self.file),
            "target": self.target,
            "metrics": [{"name": metric, "direction": "maximize"}],
        }
        if self.name in DROPPED:
            task["columns"] = {"drop": DROPPED[self.name]}
        return load_task(task)


def table_sets() -> list[TableSet]:
    """All of them, by name."""
    found = {}
    for root in os.environ.get("AUTOML_DATA", "").split(os.pathsep):
        for folder in (Path(root) / name for name in FOLDERS):
            if not (folder / "datasets.csv").is_file():
                continue
            for row in csv.DictReader((folder / "datasets.csv").open(encoding="utf-8")):
                file = folder / (row.get("file") or f"{row['name']}.tsv.gz")
                kind = row["task"] == "classification"
                found[row["name"]] = TableSet(row["name"], file, row["target"], kind, int(row["rows"]))
    return [found[name] for name in sorted(found)]
