"""How trials divide the machine: side by side, as memory allows, and no more CPUs than there are."""

from __future__ import annotations

import pandas as pd
import pytest

from automl.contracts import UserError
from automl.fitting import machine_use as module
from automl.fitting.machine_use import machine_use, trials_in

GIB = 1 << 30
TABLE = pd.DataFrame({"a": range(100)})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cpus", lambda: 16)
    monkeypatch.setattr(module, "machine_bytes", lambda: 64 * GIB)


@pytest.mark.usefixtures("machine")
def test_cores_are_divided_among_trials_and_then_threads() -> None:
    for cpus, at_once, threads in ((None, 8, 2), (1, 1, 1), (2, 2, 1), (16, 8, 2)):
        use = machine_use(TABLE, cpus)
        assert (use.at_once, use.cpus, use.told) == (at_once, threads, "")
        assert use.devices == at_once * threads
        assert use.executor["local"]["trials_at_once"] == at_once
    with pytest.raises(UserError, match="at most the 16 that can be used here, but got 17"):
        machine_use(TABLE, 17)


@pytest.mark.usefixtures("machine")
def test_memory_bounds_trials_and_the_rest_of_the_cores_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "machine_bytes", lambda: 3 * GIB)
    use = machine_use(TABLE)
    assert (use.at_once, use.cpus, use.told) == (4, 4, "the memory has room for 4 at once")


def test_a_table_that_fills_the_memory_leaves_one_trial() -> None:
    assert trials_in(4 * GIB, 160 << 20) == 1
    assert trials_in(GIB, 10 * GIB) == 1
    assert trials_in(64 * GIB, 160 << 20) > 20
