"""A firing is one campaign, whatever is killed between the steps of daemons and of the campaigns' processes.

Hypothesis makes up the order of the steps; every step is the real transaction of the real ledger.
"""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from schedule_examples import NOON, study

from automl import schedule
from automl.campaign import continuing
from automl.config import Study
from automl.contracts import RunError
from automl.ledger import CampaignRow, FiringRow, Ledger, ScheduleRow, Store, owner_identity, resolve_store
from automl.progress import progress_for
from automl.schedule.daemon import Daemon

HOST = owner_identity().rsplit(":", 2)[0]
QUIET = progress_for("quiet")


class Interfering:
    """A ledger, in which another process may do its work just before a campaign is created."""

    def __init__(self, ledger: Ledger, before: Any) -> None:
        self._ledger, self._before = ledger, before

    def __getattr__(self, name: str) -> Any:
        if name == "create_campaign":
            self._before()
        return getattr(self._ledger, name)


class Child:
    """The process of a campaign, which goes a step at a time: choose, drive, finish, record, release."""

    def __init__(self, model: Firings, firing: int) -> None:
        self.model, self.firing, self.owner = model, firing, model.new_owner()
        self.status: int | None = None
        self.steps = iter((self.choose, self.drive, self.finish, self.record, self.release))
        self.campaign: CampaignRow | None = None
        self.token = 0

    def step(self, interference: Child | None = None) -> None:
        self.interference = interference
        action = next(self.steps, None)
        try:
            if action is None:
                self.end(0)
            else:
                action()
        except RunError:
            self.end(1)

    def choose(self) -> None:
        before = lambda: self.interference and self.interference.step()  # noqa: E731
        ledger: Any = Interfering(self.model.ledger, before)
        wanted = continuing.Wanted(firing=self.firing)
        chosen = continuing.choose_campaign(ledger, self.model.resolved, None, wanted, QUIET)
        self.campaign = chosen.row

    def drive(self) -> None:
        assert self.campaign is not None
        self.token = self.model.ledger.acquire(self.campaign.id, self.owner)

    def finish(self) -> None:
        assert self.campaign is not None
        assert self.model.ledger.finish_campaign(self.campaign.id, self.token)

    def record(self) -> None:
        assert self.campaign is not None
        self.model.ledger.mark_campaign_recorded(self.campaign.id, 2)

    def release(self) -> None:
        assert self.campaign is not None
        self.model.ledger.release(self.campaign.id, self.token)

    def end(self, status: int) -> None:
        self.model.alive.discard(self.owner)
        self.status = status

    # what a daemon asks for
    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        if self.status is None:
            if self.token and self.campaign is not None:
                self.model.ledger.release(self.campaign.id, self.token)
            self.end(143)

    def kill(self) -> None:
        if self.status is None:
            self.end(-9)

    def wait(self, timeout: float | None = None) -> int:
        return 0 if self.status is None else self.status


STUDY = Study.from_json(
    {
        "name": "s",
        "task": {"metrics": [{"name": "loss", "direction": "minimize"}]},
        "evaluator": {"name": "function", "options": {"call": "code:objective"}},
        "budget": {"trials": 1},
        "seeds": [0],
        "arms": {"random": {"strategy": {"name": "random", "options": {}}}},
        "final": {"seeds": 0},
    }
)


class Firings(RuleBasedStateMachine):
    """Two daemons, a study with a slot an hour, and the processes that the daemons start."""

    numbers = count()
    prepared: Store  # a store whose ledger each example copies

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="automl-test-"))
        self.store: Store = resolve_store({"AUTOML_STORE": str(self.folder)})
        shutil.copy(self.prepared.folder / "ledger.db", self.folder / "ledger.db")
        self.ledger = Ledger(self.store)
        self.patch = pytest.MonkeyPatch()
        self.alive: set[str] = set()
        for room in ("firings", "owner"):
            self.patch.setattr(f"automl.ledger.{room}.is_alive", self.alive.__contains__)
        self.patch.setattr("automl.schedule.daemon.owner_identity", lambda: self.acting)
        nothing: Any = SimpleNamespace(to_json=dict, identity={})
        self.patch.setattr(continuing, "identify", lambda *_: nothing)
        self.patch.setattr(continuing.provenance, "collect", lambda *_: nothing)
        self.patch.setattr(continuing, "Provenance", SimpleNamespace(from_json=lambda _: nothing))
        self.resolved: Any = SimpleNamespace(study=STUDY, protocol=None, arms={})
        row = schedule.add(self.ledger, study("s"), self.folder / "s.yaml")
        self.ledger.put_schedule(ScheduleRow(**{**vars(row), "planned_until": NOON}))
        self.time = NOON
        self.children: list[Child] = []
        self.kills = 0
        self.bound: dict[int, str] = {}
        self.daemons = [self.new_daemon(), self.new_daemon()]

    def new_owner(self) -> str:
        owner = f"{HOST}:{next(self.numbers)}:start"
        self.alive.add(owner)
        return owner

    def new_daemon(self) -> tuple[str, Daemon]:
        return self.new_owner(), Daemon(self.ledger, self.store, self.launch, lambda: self.time)

    def launch(self, planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Child:
        self.children.append(Child(self, firing.id))
        return self.children[-1]

    def running(self) -> list[Child]:
        return [child for child in self.children if child.status is None]

    @rule(minutes=st.sampled_from([1, 30, 60]))
    def time_passes(self, minutes: int) -> None:
        self.time += 60.0 * minutes

    @rule(which=st.integers(0, 1))
    def daemon_works(self, which: int) -> None:
        self.acting, daemon = self.daemons[which]
        daemon.plan(schedule.slots_between)
        if not daemon.active:
            daemon.claim()
        daemon.watch()

    @rule(which=st.integers(0, 1))
    def daemon_is_killed(self, which: int) -> None:
        self.alive.discard(self.daemons[which][0])
        self.daemons[which] = self.new_daemon()

    @rule(which=st.integers(0, 1))
    def daemon_is_stopped(self, which: int) -> None:
        self.acting, daemon = self.daemons[which]
        daemon.close()
        self.daemon_is_killed(which)

    @precondition(lambda self: self.running())
    @rule(which=st.integers(0), interferes=st.booleans())
    def campaign_works(self, which: int, interferes: bool) -> None:
        running = self.running()
        child = running[which % len(running)]
        others = [other for other in running if other is not child]
        child.step(others[0] if interferes and others else None)

    @precondition(lambda self: self.running())
    @rule(which=st.integers(0))
    def campaign_is_killed(self, which: int) -> None:
        running = self.running()
        running[which % len(running)].kill()
        self.kills += 1

    @invariant()
    def every_firing_is_one_campaign(self) -> None:
        firings = self.ledger.firings()
        bound = {firing.id: firing.campaign for firing in firings if firing.campaign is not None}
        assert self.bound.items() <= bound.items()  # never another one
        self.bound = bound
        campaigns = {row.id: row for row in self.ledger.campaigns()}
        assert set(bound.values()) == set(campaigns)  # none belongs to no firing
        for firing in firings:
            if firing.state == "done":
                assert campaigns[str(firing.campaign)].recorded == 2
            assert firing.state != "failed" or self.kills >= 10
        failed = sum(firing.state == "failed" for firing in firings)
        assert len(campaigns) >= len(bound) - failed  # only that of a failed one is adopted by the next

    def teardown(self) -> None:
        """When nobody is killed any more, every firing comes to its end."""
        try:
            for _ in range(30):
                for which in range(2):
                    self.daemon_works(which)
                for child in self.running():
                    child.step()
            self.every_firing_is_one_campaign()
            assert {firing.state for firing in self.ledger.firings()} <= {"done", "skipped", "failed"}
        finally:
            self.patch.undo()
            self.ledger.close()
            shutil.rmtree(self.folder)


def machine(prepared: Store, examples: int, steps: int) -> None:
    Firings.prepared = prepared
    run_state_machine_as_test(
        Firings, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


@pytest.mark.slow
def test_whatever_is_killed(prepared_store: Store) -> None:
    machine(prepared_store, 8, 25)


@pytest.mark.slow
def test_whatever_is_killed_in_many_orders(prepared_store: Store) -> None:
    machine(prepared_store, 100, 50)
