"""Lanes of several sizes: how many of each, on which node, and which make way for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lane_run import Clock, Handle, Source, ended
from queue_source import job

from automl.contracts import Held, Job, Room
from automl.executors.tune.dividing import Divided, Place
from automl.executors.tune.lanes import Lanes

LARGE, SMALL = Held(4.0), Held(1.0)


@dataclass
class Slots:
    """Two nodes of four CPUs; a slot is a large one."""

    nodes: tuple[str, ...] = ("one", "two")
    rooms: tuple[Room, ...] = (Room(4.0), Room(4.0))
    sizes: tuple[Held, ...] = (LARGE, SMALL)
    share: Held = LARGE
    most: int | None = None
    grows: bool = False
    held: int = 0

    @property
    def count(self) -> int:
        return len(self.nodes)

    @property
    def lanes(self) -> int:
        return self.most if self.grows and self.most is not None else self.count

    def hold(self, slots: int) -> None:
        self.held = slots

    def fault(self, outcome: object) -> str:
        return ""


class Divides(Source):
    """Wants lanes as a test says."""

    numbers: Mapping[Held, int]
    rooms: Sequence[Room] = ()

    def divide(self, rooms: Sequence[Room], most: int | None, turn: float) -> Mapping[Held, int]:
        self.rooms = rooms
        return self.numbers


class Run:
    """Lanes without workers that Tune asks for."""

    def __init__(self, jobs: list[Job], clock: Clock, **slots: Any) -> None:
        self.source, self.slots, self.clock = Divides(jobs), Slots(**slots), clock
        self.source.numbers = {LARGE: 1, SMALL: 4}
        self.lanes = Lanes(self.source, self.slots, 30.0)  # type: ignore[arg-type]
        self.handles: dict[str, Handle] = {}

    def open_all(self, *, start: bool = True) -> list[Place]:
        """All lanes that are wanted now."""
        found = []
        while (place := self.lanes.plan.next()) is not None:
            name = f"lane-{len(self.handles)}"
            self.handles[name] = Handle()
            self.lanes.opened(name, place)
            if start:
                self.lanes.started(name, self.handles[name])
            found.append(place)
        return found

    def wants(self, large: int, small: int) -> None:
        """From now on."""
        self.source.numbers = {LARGE: large, SMALL: small}
        self.clock.now += 1

    def closing(self) -> Counter[tuple[Held, str]]:
        return Counter((lane.held, lane.node) for lane in self.lanes.by_name.values() if lane.closing)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def jobs(folder: Path, large: int, small: int) -> list[Job]:
    plain = job("good", folder)
    sized = [replace(plain, cpus=4.0)] * large + [replace(plain, cpus=1.0)] * small
    return [replace(one, trial=f"t{n}", token=f"t{n}") for n, one in enumerate(sized, start=1)]


def test_lanes_are_bound_to_nodes_that_have_room_the_large_ones_first(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 2, 8), clock)
    assert run.open_all() == [Place(LARGE, "one")] + [Place(SMALL, "two")] * 4
    assert run.lanes.plan.wanted == 5 and run.slots.held == 2, "in slots, of which each is a large one"


def test_each_lane_gets_jobs_of_its_size(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 2, 8), clock)
    run.open_all()
    for name, lane in run.lanes.by_name.items():
        assert lane.jobs and {handed.job.held for handed in lane.jobs} == {lane.held}, name
    large = next(lane for lane in run.lanes.by_name.values() if lane.held == LARGE)
    run.lanes.told(large.name, [ended(large.jobs[0].number)])
    assert large.jobs[0].job.trial == "t2"
    run.lanes.told(large.name, [ended(large.jobs[0].number)])
    assert not large.jobs and not large.closing, "small jobs are none of its business"


def test_a_job_of_a_size_waits_for_its_own_lane_while_that_starts(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 1, 1), clock)
    run.open_all(start=False)
    run.lanes.look()
    assert sorted(handed.job.trial for handed in run.lanes.waiting) == ["t1", "t2"]
    small = next(name for name, lane in run.lanes.by_name.items() if lane.held == SMALL)
    run.lanes.started(small, run.handles[small])
    assert [handed.job.trial for handed in run.lanes.waiting] == ["t1"]


def test_small_lanes_leave_whole_nodes_to_a_large_one(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 2, 0), clock)
    run.wants(0, 8)
    assert Counter(place.node for place in run.open_all()) == {"one": 4, "two": 4}
    run.wants(1, 4)
    run.lanes.look()
    for lane in list(run.lanes.by_name.values()):
        run.lanes.serve(lane)
    assert run.closing() in ({(SMALL, "one"): 4}, {(SMALL, "two"): 4}), "not two of each"
    assert run.open_all() == [], "what closes is still held"
    node = next(iter(run.closing()))[1]
    for name in [name for name, lane in run.lanes.by_name.items() if lane.closing]:
        run.lanes.gone(name)
    assert run.open_all() == [Place(LARGE, node)]


def test_a_lane_that_runs_a_trial_makes_way_at_its_end(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 0, 20), clock)
    run.wants(0, 8)
    run.open_all()
    run.wants(1, 4)
    run.lanes.look()
    assert not run.closing()
    for lane in list(run.lanes.by_name.values()):
        run.lanes.told(lane.name, [ended(lane.jobs[0].number)])
    assert sum(run.closing().values()) == 4


def test_lanes_of_a_node_that_is_gone_make_way_first(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 1, 8), clock)
    run.wants(0, 8)
    run.open_all()
    run.slots.nodes, run.slots.rooms = ("two",), (Room(4.0),)
    run.wants(0, 4)
    for lane in list(run.lanes.by_name.values()):
        run.lanes.told(lane.name, [ended(lane.jobs[0].number)])
    assert run.closing() == {(SMALL, "one"): 4}


def test_beside_other_campaigns_lanes_are_bound_to_no_node(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 0, 8), clock)
    run.source.bound = 1
    run.wants(0, 4)
    assert run.open_all() == [Place(SMALL)] * 4
    assert run.source.rooms == [Room(4.0)], "one slot, which small ones share"
    run.source.bound = 0
    run.wants(0, 0)
    assert run.lanes.plan.wanted == 2 and run.source.rooms == []


def test_what_fits_no_node_is_asked_of_the_cluster_and_waited_for(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 1, 2), clock, rooms=(Room(2.0), Room(2.0)))
    run.wants(0, 2)
    assert run.open_all(start=False)[0] == Place(LARGE)
    run.lanes.look()
    assert "t1" in {job.trial for job in run.lanes.unplaced()}, "it is told that it waits"


def test_a_cluster_that_may_grow_is_asked_for_as_much_as_is_allowed(tmp_path: Path, clock: Clock) -> None:
    run = Run(jobs(tmp_path, 2, 8), clock, grows=True, most=3)
    run.wants(2, 4)
    places = run.open_all(start=False)
    assert len(run.source.rooms) == 3 and run.source.rooms[-1] == Room(4.0)
    assert Counter(place.node for place in places) == {"one": 1, "two": 1, "": 4}


def test_the_plan_is_that_of_several_sizes(tmp_path: Path, clock: Clock) -> None:
    assert isinstance(Run([], clock).lanes.plan, Divided)
