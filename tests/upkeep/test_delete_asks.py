"""`automl delete` at a real terminal: nothing is deleted unless the answer is yes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.ledger import Store
from automl.storage import open_ledger

NAME = "mine-1"
QUESTION = "for good? [y/N]:"
END_OF_FILE = "\x04"


class Asked:
    """`automl delete NAME`, which waits at its question in a terminal of its own."""

    def __init__(self, store: Store, *words: str) -> None:
        self.shown = ""
        self.terminal, other = pty.openpty()
        environment = {**os.environ, "AUTOML_STORE": str(store.folder), "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "automl.cli", "delete", *words],
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment,
            cwd=store.folder.parent,
            start_new_session=True,
        )
        os.close(other)

    def read(self, wanted: str = "") -> str:
        """All that is shown until `wanted`, or to the end."""
        late = time.monotonic() + PATIENCE
        while time.monotonic() < late and not (wanted and wanted in self.shown):
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    part = os.read(self.terminal, 4096)
                except OSError:  # what Linux says when nobody has the other end
                    break
                if not part:
                    break
                self.shown += part.decode()
        return self.shown

    def answer(self, typed: str) -> int:
        """The exit code after this answer."""
        os.write(self.terminal, typed.encode())
        self.read()
        return self.process.wait(PATIENCE)


@contextmanager
def asked(store: Store, *words: str) -> Iterator[Asked]:
    found = Asked(store, *words)
    try:
        assert QUESTION in found.read(QUESTION)
        yield found
    finally:
        found.process.kill()
        found.process.wait()
        os.close(found.terminal)


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with a campaign that nothing drives."""
    spec = {
        "name": "mine",
        "task": {"dataset": None, "metrics": [{"name": "loss", "direction": "minimize"}], "split": {}},
        "seeds": [0],
        "arms": {"random": {"strategy": {"name": "random", "options": {}}}},
    }
    with open_ledger(store) as ledger:
        ledger.create_campaign("mine", spec, "digest", {})
    return store


def is_there(store: Store) -> bool:
    with open_ledger(store) as ledger:
        return ledger.campaign(NAME) is not None and ledger.deletion(NAME) is None


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["y\n", "yes\n"])
def test_yes_deletes(filled: Store, typed: str) -> None:
    with asked(filled, NAME) as found:
        assert f"Delete {NAME} (interrupted, 0 trials have ended)" in found.shown
        assert found.answer(typed) == 0
        assert f"{NAME} is deleted" in found.shown
    with open_ledger(filled) as ledger:
        assert ledger.campaign(NAME) is None
        gone = ledger.deletion(NAME)
        assert gone is not None and gone.done_at is not None


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["n\n", "\n", "no\n", f"perhaps\n{NAME}\nn\n"])
def test_anything_else_deletes_nothing(filled: Store, typed: str) -> None:
    with asked(filled, NAME) as found:
        assert found.answer(typed) == 1
        assert "nothing was deleted" in found.shown and "Traceback" not in found.shown
    assert is_there(filled)


@pytest.mark.slow
def test_the_end_of_the_input_deletes_nothing(filled: Store) -> None:
    with asked(filled, NAME) as found:
        assert found.answer(END_OF_FILE) == 1
        assert "nothing was deleted" in found.shown and "Traceback" not in found.shown
    assert is_there(filled)


@pytest.mark.slow
def test_ctrl_c_at_the_question_deletes_nothing(filled: Store) -> None:
    with asked(filled, NAME) as found:
        found.process.send_signal(signal.SIGINT)
        found.read()
        assert found.process.wait(PATIENCE) == 130
        assert "nothing was deleted" in found.shown and "Traceback" not in found.shown
    assert is_there(filled)


@pytest.mark.slow
def test_yes_as_an_option_needs_the_id_and_asks_nothing(filled: Store) -> None:
    refused = Asked(filled, "mine", "--yes")
    shown = refused.read()
    assert refused.process.wait(PATIENCE) == 2
    os.close(refused.terminal)
    assert f"NAME must be a campaign's id, but got 'mine'; write {NAME}" in shown
    assert QUESTION not in shown
    assert is_there(filled)


@pytest.mark.slow
def test_without_a_terminal_it_refuses(filled: Store, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "automl.cli", "delete", NAME],
        input="y\n",
        text=True,
        capture_output=True,
        env={**os.environ, "AUTOML_STORE": str(filled.folder)},
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no terminal; add --yes" in ended.stderr
    assert is_there(filled)
