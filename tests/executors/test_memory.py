"""A trial may take so much memory and no more, and the next one has all of it again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from queue_source import QueueSource, job

from automl.contracts import Ending, TrialState
from automl.executors.local import Local
from automl.executors.memory import at_most

MEGABYTE = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")


LARGER = """
with at_most(64 * MEGABYTE):
    small = bytearray(16 * MEGABYTE)
    try:
        bytearray(256 * MEGABYTE)
    except MemoryError:
        print("refused")
assert len(small) + len(bytearray(256 * MEGABYTE)) > 0
"""
PIECES = """
try:
    with at_most(64 * MEGABYTE):
        pieces = [bytearray(8 * MEGABYTE) for _ in range(32)]
except MemoryError:
    print("refused")
"""
KEPT = """
import ctypes
ctypes.CDLL(None).mallopt(-1, 1 << 30), ctypes.CDLL(None).mallopt(-3, 1 << 28)
freed = [bytearray(8 * MEGABYTE) for _ in range(40)]
del freed
"""


@pytest.mark.parametrize("code", [LARGER, PIECES, KEPT + PIECES], ids=["one", "pieces", "what another freed"])
def test_more_memory_is_refused(code: str) -> None:
    """In a process that holds nothing yet."""
    head = "from automl.executors.memory import at_most\nMEGABYTE = 2**20\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_none_is_no_limit() -> None:
    with at_most(None):
        assert len(bytearray(256 * MEGABYTE)) == 256 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("isolate", [False, True])
def test_a_trial_that_takes_too_much_fails_alone(tmp_path: Path, isolate: bool) -> None:
    greedy, good = (job(name, tmp_path) for name in ("takes_memory", "good"))
    source = QueueSource([replace(greedy, memory=64 * MEGABYTE), good])
    executor = Local(Local.Options(isolate=isolate))
    try:
        executor.run(source)
    finally:
        executor.close()
    ended = source.outcomes["takes_memory"]
    assert (ended.state, ended.reason, ended.ending) == (TrialState.FAILED, "out of memory", Ending.OOM)
    assert source.outcomes["good"].state is TrialState.COMPLETE
