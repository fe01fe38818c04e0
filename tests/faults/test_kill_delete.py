"""`automl delete` on both stores by the command line: killed half way, done again, then `automl gc`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_points import Fault
from fault_study import FaultStudy
from invariants import query
from patience import PATIENCE

from automl.ledger import Store

OF_LEDGER = ("campaigns", "searches", "trials", "attempts", "reports", "openings", "drives", "requests")
OF_MLFLOW = ("runs", "tags", "params", "metrics", "latest_metrics")


def status(study: FaultStudy, *words: str, fault: Fault | None = None) -> int:
    process = study.start(*words, fault=fault)
    process.join(PATIENCE)
    assert process.exitcode is not None
    return int(process.exitcode)


def left(study: FaultStudy) -> list[str]:
    """Tables with rows, and files, that are left of all campaigns."""
    found = [name for name in OF_LEDGER if query(study.store.url, f"SELECT * FROM {name}")]
    found += [name for name in OF_MLFLOW if query(study.store.tracking_uri, f"SELECT * FROM {name}")]
    folders = (Path(study.store.artifacts), study.store.folder / "work")
    return found + [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


def tombstones(study: FaultStudy) -> list[tuple[str, int, bool]]:
    rows = query(study.store.url, "SELECT campaign, looks, done_at FROM deletions")
    return [(row.campaign, row.looks, row.done_at is not None) for row in rows]


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["Deletions.begin_deletion", "Deletions.delete_rows"])
def test_a_deletion_that_is_killed_is_finished_by_the_same_command(
    any_store: Store, tmp_path: Path, moment: str
) -> None:
    study = FaultStudy(tmp_path / "study", any_store, trials=2, steps=1)
    assert study.run() == 0
    mark = tmp_path / "mark"
    fault = Fault("driver", f"transaction.end:{moment}", mark=str(mark))
    assert status(study, "delete", "faulty-1", "--yes", fault=fault) == -9 and mark.exists()
    begun = moment == "Deletions.begin_deletion"
    assert tombstones(study) == [("faulty-1", 0, not begun)]
    if begun:
        assert {"campaigns", "trials", "runs"} <= set(left(study))
    assert status(study, "delete", "faulty-1", "--yes") == 0, study.output.read_text()[-1000:]
    assert left(study) == []
    assert tombstones(study) == [("faulty-1", 0, True)]
    assert status(study, "gc") == 0, study.output.read_text()[-1000:]
    assert tombstones(study) == [("faulty-1", 0, True)]
    assert study.run() == 0
    assert [row.id for row in query(study.store.url, "SELECT id FROM campaigns")] == ["faulty-2"]
