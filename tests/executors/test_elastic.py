"""Slots follow a cluster: no node at first, nodes that join, nodes that go, machines that are taken away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from queue_source import QueueSource, job
from ray_head import head, node

from automl import plugins
from automl.contracts import Ending, Held, Job, Report, TrialState, UserError

pytestmark = [pytest.mark.slow, pytest.mark.ray]


class Source(QueueSource):
    """Notes how attempts were lost."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.endings: list[tuple[Ending, float | None]] = []

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        super().lost(trial, token, reason, ending, used)
        self.endings.append((ending, used))

    @property
    def processes(self) -> Counter[float]:
        """How many trials each worker has run."""
        return Counter(outcome.values[0] for outcome in self.outcomes.values() if outcome.values)


class Plenty(Source):
    """Has jobs until it is `enough`: from then on only those that were handed out once."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.enough, self.handed = False, set[str]()

    def next_job(self, held: Held | None = None) -> Job | None:
        if self.enough:
            self.waiting = [one for one in self.waiting if one.trial in self.handed]
        if (given := super().next_job(held)) is not None:
            self.handed.add(given.trial)
        return given


def jobs(name: str, count: int, folder: Path) -> list[Job]:
    plain = job(name, folder)
    return [replace(plain, trial=f"t{n}", workdir=str(folder / f"{n}")) for n in range(count)]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExitStack]:
    """A cluster to be entered, which this process may join."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with ExitStack() as stack:
        yield stack


def joined(stack: ExitStack, address: str, **options: Any) -> Any:
    plugin = plugins.load("executors", "ray")
    executor = plugin(plugin.Options(address=address, **options))
    stack.callback(executor.close)
    executor.check()
    return executor


def test_two_nodes_share_trials_evenly(stack: ExitStack, tmp_path: Path) -> None:
    address = stack.enter_context(head(cpus=0, RAY_AUTH_MODE="disabled"))
    for _ in range(2):
        stack.enter_context(node(address))
    executor = joined(stack, address, nodes_within=PATIENCE)
    until(lambda: executor._slots.look() == 2)
    source = Source(jobs("which_process", 16, tmp_path))
    executor.run(source)
    assert len(source.processes) == 2
    assert min(source.processes.values()) >= 4, "8 and 8, unless one worker is up long before the other"


def test_a_node_that_joins_is_used_and_one_that_dies_frees_its_trials(
    stack: ExitStack, tmp_path: Path
) -> None:
    address = stack.enter_context(head(cpus=0, RAY_AUTH_MODE="disabled"))
    first = stack.enter_context(node(address))
    executor = joined(stack, address, nodes_within=PATIENCE)
    assert executor.trials_at_once == 1
    source = Plenty(jobs("which_process", 1000, tmp_path))

    def changes() -> None:
        until(lambda: len(source.outcomes) >= 2)
        with node(address):
            until(lambda: len(source.processes) == 2)
            kill_raylet(first.pid)
            until(lambda: source.endings)
            source.enough = True
            until(lambda: source.finished)

    beside = threading.Thread(target=changes)
    beside.start()
    executor.run(source)
    beside.join()
    assert set(source.outcomes) == source.handed
    assert all(one.state is TrialState.COMPLETE for one in source.outcomes.values())
    assert len(source.processes) == 2
    assert {ending for ending, _ in source.endings} == {Ending.PREEMPTED}
    assert len(source.endings) <= 3
    assert all("is unavailable" in why for reasons in source.losses.values() for why in reasons)


def test_it_is_joined_by_a_process_that_had_a_cluster_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugin = plugins.load("executors", "ray")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with head(RAY_AUTH_MODE="disabled") as address:
        for number, where in enumerate((None, address)):
            executor = plugin(plugin.Options(address=where, trials_at_once=1))
            source = Source(jobs("which_process", 1, tmp_path / str(number)))
            try:
                executor.run(source)
            finally:
                executor.close()
            assert len(source.processes) == 1


def test_a_cluster_without_room_is_refused_after_a_while(
    stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    address = stack.enter_context(head(cpus=0, RAY_AUTH_MODE="disabled"))
    with pytest.raises(UserError, match="a trial must fit on one node, but it asks for cpus=1 gpus=0"):
        joined(stack, address, nodes_within=2.0)
    assert "waiting up to 2 s for one" in caplog.text


def test_nodes_are_chosen_by_resources_of_their_own(stack: ExitStack, tmp_path: Path) -> None:
    address = stack.enter_context(head(cpus=1, RAY_AUTH_MODE="disabled"))
    stack.enter_context(node(address, '--resources={"fast": 2}', cpus=4))
    executor = joined(stack, address, resources={"fast": 1.0}, nodes_within=PATIENCE)
    assert executor.trials_at_once == 2
    source = Source(jobs("which_process", 2, tmp_path))
    executor.run(source)
    assert len(source.outcomes) == 2


def test_a_trial_goes_on_elsewhere_from_its_checkpoint_when_its_machine_is_taken_away(
    stack: ExitStack, tmp_path: Path
) -> None:
    address = stack.enter_context(head(RAY_AUTH_MODE="disabled"))
    executor = joined(stack, address)

    class Noticed(Source):
        def report(self, trial: str, token: str, report: Report) -> str | None:
            if report.step == 2 and token == "token-1":
                os.kill(int(report.metrics["process"]), signal.SIGTERM)
            return super().report(trial, token, report)

    source = Noticed(jobs("saves_steps", 1, tmp_path))
    executor.run(source)
    (outcome,) = source.outcomes.values()
    assert outcome.state is TrialState.COMPLETE
    ((ending, used),) = source.endings
    assert ending is Ending.PREEMPTED and used is not None and used > 0
    steps = [report.step for report in source.reports["t0"]]
    assert steps in ([1, 2, 3, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 4, 5])


def until(done: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def kill_raylet(parent: int) -> None:
    """Kill the raylet that `ray start` has started, as a machine that breaks does."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            stat = (process / "stat").read_text().rpartition(")")
            name = stat[0].partition("(")[2]
        except OSError:
            continue
        if int(stat[2].split()[1]) == parent and name.startswith("raylet"):
            os.kill(int(process.name), signal.SIGKILL)
