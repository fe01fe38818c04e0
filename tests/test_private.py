"""Files of a store are for its user alone, whatever threads write them, and the user's umask comes back."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from patience import PATIENCE

from automl.private import ALONE, private


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


@pytest.fixture(autouse=True)
def usual() -> None:
    os.umask(0o022)


def test_blocks_may_overlap_in_threads(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def longer() -> None:
        with private():
            entered.set()
            leave.wait(PATIENCE)

    with private():
        thread = threading.Thread(target=longer)
        thread.start()
        entered.wait(PATIENCE)
    assert umask() == ALONE, "the other block has not ended"
    (tmp_path / "file").touch()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    leave.set()
    thread.join()
    assert umask() == 0o022


def test_a_block_corrects_what_is_changed_inside_it() -> None:
    with private():
        with private():
            os.umask(0)
        assert umask() == ALONE
    assert umask() == 0o022
