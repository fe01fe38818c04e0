"""A driver that is ended while Ray starts leaves no process and no file, and the next run is a whole one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_points import Fault
from fault_study import FaultStudy
from invariants import faults_of

from automl.ledger import Store


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder in which Ray can make its sockets."""
    with tempfile.TemporaryDirectory(prefix="f") as folder:
        yield Path(folder)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("moment", "signal", "status"),
    [
        pytest.param("process.end:ray", "SIGKILL", -9, marks=pytest.mark.slow),
        pytest.param("process.begin:ray", "SIGKILL", -9, marks=pytest.mark.faults),
        pytest.param("process.begin:ray", "SIGTERM", 130, marks=pytest.mark.faults),
        pytest.param("process.end:ray", "SIGTERM", 130, marks=pytest.mark.faults),
        pytest.param("process.end:ray", "SIGHUP", 130, marks=pytest.mark.faults),
        pytest.param("process.end:ray", "SIGINT", 130, marks=pytest.mark.faults),
    ],
)
def test_nothing_is_left(moment: str, signal: str, status: int, store: Store, short_path: Path) -> None:
    study = FaultStudy(short_path / "study", store, "ray", "starting")
    assert study.run(Fault(moment=moment, action=signal)) == status, study.output.read_text()
    assert study.happened
    assert study.run() == 0, study.output.read_text()
    assert faults_of(study) == []
