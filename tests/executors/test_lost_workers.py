"""Why a worker on Ray died: by itself, for its memory, or with its machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from automl.contracts import Ending

pytestmark = pytest.mark.ray

HEAD = "Failure # 1 (occurred at 2026-11-30_13-43-32)\n"
DIED = f"""{HEAD}The actor died unexpectedly before finishing this task.
\tpid: 11382
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: \
Worker unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the \
process was killed by the OOM killer due to high memory usage, (2) ray stop --force was called; consider \
enabling resource isolation to prevent node deaths by resource contention.
"""
LEFT = f"""{HEAD}The actor 74bea385147491b2 is unavailable: The actor is temporarily unavailable: RpcError: \
RPC error: Socket closed rpc_code: 14. The task may or may not have been executed on the actor.
"""
KILLED = f"""{HEAD}1 worker(s) were killed due to the node running low on memory. Memory on the node was 1GB
OOM kill reason: Memory usage 1409232896B exceeded threshold
Object store memory usage: [- objects spillable: 0]
"""


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("The actor died because its node has died. Node Id: 12", Ending.PREEMPTED),
        ("The node was terminated unexpectedly", Ending.PREEMPTED),
        (LEFT, Ending.PREEMPTED),
        (DIED, Ending.LOST),
        (KILLED, Ending.OOM),
        ("", Ending.LOST),
    ],
)
def test_the_text_says_what_was_the_reason(text: str, ending: Ending) -> None:
    from automl.executors.tune.deaths import how_lost  # imports Ray, which only these tests need

    assert how_lost(text) is ending


def test_what_ray_says_is_read_where_tune_writes_it_and_told_in_a_line(tmp_path: Any) -> None:
    from automl.executors.tune import deaths

    text = tmp_path / "error.txt"
    trial: Any = SimpleNamespace(error_file=None)
    assert deaths.of(trial) == deaths.Death(Ending.LOST, "its worker died")
    trial = SimpleNamespace(error_file=str(text))
    assert deaths.of(trial).ending is Ending.LOST
    text.write_text(DIED)
    died = deaths.of(trial)
    assert died.ending is Ending.LOST
    assert died.reason.startswith("its worker died: The actor is dead because its worker process has died.")
    assert died.reason.endswith("connection error code 2. End of file.")
    text.write_text(KILLED)
    assert "died: 1 worker(s) were killed due to the node running low on memory" in deaths.of(trial).reason
    text.write_text(LEFT + 1000 * "x")
    assert deaths.of(trial).ending is Ending.PREEMPTED
    assert len(deaths.of(trial).reason) < 400
