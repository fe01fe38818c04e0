"""A trial may take so much memory and no more, and the next one has all of it again."""

from __future__ import annotations

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


def test_a_larger_allocation_fails_and_smaller_ones_do_not() -> None:
    with at_most(64 * MEGABYTE):
        small = bytearray(16 * MEGABYTE)
        with pytest.raises(MemoryError):
            bytearray(256 * MEGABYTE)
    assert len(small) + len(bytearray(256 * MEGABYTE)) > 0


def test_pieces_add_up() -> None:
    pieces = []
    with at_most(64 * MEGABYTE), pytest.raises(MemoryError):
        pieces += [bytearray(8 * MEGABYTE) for _ in range(32)]
    assert not pieces


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
