"""Mutated input of every kind ends with 0, 1 or 2, without a traceback, soon, honestly, in little memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from endings import Mutator, Tally
from mutate import SHARES, kept, mutators, play
from mutated_ledgers import MutatedLedgers
from patience import PATIENCE
from stored_campaigns import Stored, make

from automl.recorder import Recorder

SOME = {"studies": 60, "data": 12, "ledger": 60, "answers": 12, "winners": 30}
AHEAD = 10**6  # seeds of the command begin at 0


@pytest.fixture(scope="module")
def by_kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Mutator]]:
    """A mutator of each kind; environment and defaults are put back."""
    environ, patience = dict(os.environ), Recorder.drain.__defaults__
    with mutators(tmp_path_factory.mktemp("mutations")) as found:
        yield found
    os.environ.clear()
    os.environ.update(environ)
    Recorder.drain.__defaults__ = patience


@pytest.mark.filterwarnings("ignore")  # MLflow's server runs in this process, with warnings of its own
@pytest.mark.logs_errors
@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARES)
def test_some(by_kind: dict[str, Mutator], kind: str) -> None:
    tally = Tally()
    for seed in range(AHEAD, AHEAD + SOME[kind]):
        play(by_kind[kind], kind, seed, tally)
    assert tally.wrong == []
    assert tally.cases > SOME[kind] / 2


@pytest.mark.filterwarnings("ignore")  # MLflow's server runs in this process, with warnings of its own
@pytest.mark.logs_errors
@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARES)
def test_what_once_went_wrong(by_kind: dict[str, Mutator], kind: str) -> None:
    tally = Tally()
    for case in kept(kind):
        tally.add(kind, case, by_kind[kind].play(case))
    assert tally.wrong == []


@pytest.mark.slow
@pytest.mark.logs_errors
@pytest.mark.postgres
def test_rows_of_postgresql(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_STORE", postgres_url)  # put back at the end, whatever is set below
    monkeypatch.setenv("AUTOML_FOLDER", str(tmp_path))
    make(tmp_path / "home", postgres_url)
    stored, tally = Stored(tmp_path / "home"), Tally()
    mutator = MutatedLedgers(stored, writes=False)
    for seed in range(60):
        play(mutator, "ledger", seed, tally)
    stored.close()
    assert tally.wrong == []
    assert tally.cases > 20


@pytest.mark.slow
def test_the_command() -> None:
    script = Path(__file__).with_name("mutate.py")
    done = subprocess.run(
        [sys.executable, script, "100", "--first", "500000"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    memory = re.search(r"most memory: ([\d.]+) GiB", done.stdout)
    assert memory is not None and float(memory[1]) < 2
