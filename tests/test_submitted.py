"""A driver that is a job of a cluster: where it keeps its records, and that it is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.cli import submitted
from automl.contracts import UserError

KILLED_TWICE = """
import os, sys
from pathlib import Path
log = Path(sys.argv[1])
with log.open("a") as file:
    file.write("started\\n")
if len(log.read_text().split()) < 3:
    os.kill(os.getpid(), 9)
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(submitted, "PAUSE", 0.0)
    yield  # type: ignore[misc]
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("code", [0, 1])
def test_a_killed_driver_is_started_again_and_one_that_failed_is_not(
    code: int, tmp_path: Path, driver: None, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    assert submitted.drive([sys.executable, "-c", KILLED_TWICE, str(log), str(code)]) == code
    assert log.read_text() == "started\n" * 3
    assert capsys.readouterr().err.count("killed by signal 9; it is started again and goes on") == 2


def test_one_that_is_killed_each_time_is_given_up(
    tmp_path: Path, driver: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted, "AGAIN", 1)
    assert submitted.drive([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 128 + 9


def test_sigterm_ends_it_for_good(tmp_path: Path) -> None:
    waits = f"import time, pathlib; pathlib.Path({str(tmp_path / 'began')!r}).touch(); time.sleep(1000)"
    call = f"sys.exit(drive([sys.executable, '-c', {waits!r}]))"
    program = f"import sys; from automl.cli.submitted import drive; {call}"
    process = subprocess.Popen([sys.executable, "-c", program])
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "began").exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_records_lie_where_they_stay(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/home/ann", "AUTOML_STORE": "", "AUTOML_FOLDER": ""}.items():
        monkeypatch.setenv(name, value)
    told = submitted.keep_records(workspace)
    assert told == "records: sqlite:////home/ann/.automl/ledger.db; files: /home/ann/.automl"
    monkeypatch.setenv("AUTOML_STORE", "postgresql://ann:secret-word@db/automl")
    told = submitted.keep_records(workspace)
    assert "secret-word" not in told and told.endswith("@db/automl; files: /home/ann/.automl")
    assert os.environ["AUTOML_FOLDER"] == "/home/ann/.automl"
    monkeypatch.setenv("AUTOML_FOLDER", "here")
    with pytest.raises(
        UserError, match=r"AUTOML_FOLDER names .*/here, in the folder of this job; give an abs"
    ):
        submitted.keep_records(workspace)
