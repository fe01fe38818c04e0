"""How many lanes there shall be, what each holds, and which ones make way for others."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from automl.contracts import Held, JobSource, Room
from automl.executors.tune.lane import Lane

if TYPE_CHECKING:
    from automl.executors.tune.slots import Slots

SETTLES: Final = 5.0  # seconds in which lanes that are too many may be those of a node that died
AGAIN: Final = 0.25  # seconds for which a division of the slots holds
ROUNDING: Final = 1e-9  # fractions of a CPU or a GPU add up to whole ones


@dataclass(frozen=True)
class Place:
    """What a lane holds; `node`: on which one, "" for any."""

    held: Held
    node: str = ""


class Plan(Protocol):
    """The lanes that there shall be."""

    @property
    def wanted(self) -> int:
        """How many in all: those of other campaigns need slots, too."""

    def look(self) -> None:
        """Follow what time brings; called several times a second."""

    def next(self) -> Place | None:
        """Where a further lane is to be; None when there are enough."""

    def leaves(self, lane: Lane, settled: float) -> bool:
        """Whether a lane is one too many: beyond the share, or for so many seconds beyond the slots."""

    def units(self) -> int:
        """How many slots the lanes hold."""


class Alike:
    """Lanes that all hold the same. `lanes`, and of them those that are `closing`, change with what is."""

    def __init__(
        self, held: Held, source: JobSource, slots: Slots, lanes: Mapping[str, Lane], closing: set[str]
    ) -> None:
        self._place, self._source, self._slots = Place(held), source, slots
        self._lanes, self._closing = lanes, closing
        self._fits_at = time.monotonic()  # when there were last no more lanes than slots

    @property
    def wanted(self) -> int:
        """How many in all."""
        share = self._source.share
        return self._slots.lanes if share is None else min(self._slots.lanes, share)

    def look(self) -> None:
        """Note how long there have been too many lanes."""
        if len(self._lanes) - len(self._closing) <= self._slots.lanes:
            self._fits_at = time.monotonic()

    def next(self) -> Place | None:
        """Where a further lane is to be."""
        return None if len(self._lanes) >= self.wanted else self._place

    def leaves(self, lane: Lane, settled: float) -> bool:
        """Whether a lane is one too many: which one does not matter."""
        there = len(self._lanes) - len(self._closing)
        if there > self.wanted < self._slots.lanes:
            return True
        self.look()
        return there > self._slots.lanes and time.monotonic() - self._fits_at >= settled

    def units(self) -> int:
        """How many slots the lanes hold."""
        return len(self._lanes)


class Divided:
    """Lanes of several sizes, as the campaign divides what there is.

    A lane is bound to a node, so that what small ones leave adds up to room for a large one; but not where
    others run too, who may hold what looks free.
    """

    def __init__(
        self, source: JobSource, slots: Slots, lanes: Mapping[str, Lane], closing: set[str], turn: float
    ) -> None:
        self._source, self._slots, self._turn = source, slots, turn
        self._lanes, self._closing = lanes, closing
        self._numbers: Mapping[Held, int] = {}
        self._at = -math.inf
        self._leaving: set[str] = set()
        self._seen: tuple[int, int] | None = None  # how many lanes there were when `_leaving` was made

    @property
    def wanted(self) -> int:
        """How many in all."""
        self.look()
        return sum(self._numbers.values())

    def next(self) -> Place | None:
        """Where a further lane is to be: large ones first, they need the most room."""
        self.look()
        there = Counter(lane.held for lane in self._staying())
        for held in sorted(self._numbers, key=lambda held: -held.devices):
            if there[held] < self._numbers[held] and (place := self._place(held)) is not None:
                return place
        return None

    def leaves(self, lane: Lane, settled: float) -> bool:
        """Whether a lane is one too many of its size."""
        self.look()
        seen = len(self._lanes), len(self._closing)
        if seen != self._seen:
            self._seen, self._leaving = seen, self._surplus()
        return lane.name in self._leaving

    def units(self) -> int:
        """How many slots the lanes hold, rounded up."""
        slot, lanes = self._slots.share, self._lanes.values()
        cpus, gpus = sum(lane.held.cpus for lane in lanes), sum(lane.held.gpus for lane in lanes)
        return math.ceil(max(cpus / slot.cpus, gpus / slot.gpus if slot.gpus else 0.0) - ROUNDING)

    def _staying(self) -> list[Lane]:
        return [lane for name, lane in self._lanes.items() if name not in self._closing]

    def look(self) -> None:
        """Divide again, once some time has passed."""
        now = time.monotonic()
        if now - self._at < AGAIN:
            return
        self._at, self._seen = now, None
        rooms, slots = self._rooms(), self._slots
        numbers = dict(self._source.divide(rooms, slots.most, self._turn))
        for held in slots.sizes:  # a lane that waits for a node tells so, and is what a cluster grows by
            if not any(_fits(held, room.cpus, room.gpus) for room in rooms):
                numbers[held] = 1
        self._numbers = numbers

    def _rooms(self) -> list[Room]:
        slots = self._slots
        slot = Room(slots.share.cpus, slots.share.gpus)
        if (share := self._source.share) is not None:
            return [slot] * min(share, slots.lanes)
        further = max(0, slots.lanes - slots.count) if slots.grows else 0
        return [*slots.rooms, *[slot] * further]

    def _place(self, held: Held) -> Place | None:
        """A node with room for a lane, or any node where none can be told."""
        slots = self._slots
        nodes = dict(zip(slots.nodes, slots.rooms, strict=True))
        if self._source.share is not None or not any(_fits(held, r.cpus, r.gpus) for r in nodes.values()):
            return Place(held)
        used = {node: [0.0, 0.0] for node in nodes}
        for lane in self._lanes.values():
            taken = used.get(lane.node, [0.0, 0.0])
            taken[0] += lane.held.cpus
            taken[1] += lane.held.gpus
        for node, room in nodes.items():
            if _fits(held, room.cpus - used[node][0], room.gpus - used[node][1]):
                return Place(held, node)
        return Place(held) if slots.grows and slots.lanes > slots.count else None

    def _surplus(self) -> set[str]:
        """Lanes that are beyond the number of their size: first those that are on no node that is there."""
        nodes, found = set(self._slots.nodes), set[str]()
        for held in {lane.held for lane in self._lanes.values()}:
            mine = [lane for lane in self._staying() if lane.held == held]
            more = len(mine) - self._numbers.get(held, 0)
            beside = Counter(lane.node for lane in mine)
            mine.sort(  # whole nodes are left, so that something larger finds room there
                key=lambda lane: (lane.node in nodes, lane.handle is not None, beside[lane.node], lane.node)
            )
            found |= {lane.name for lane in mine[: max(0, more)]}
        return found


def _fits(held: Held, cpus: float, gpus: float) -> bool:
    return held.cpus <= cpus + ROUNDING and held.gpus <= gpus + ROUNDING


def plan_of(
    source: JobSource, slots: Slots, lanes: Mapping[str, Lane], closing: set[str], turn: float
) -> Plan:
    """The plan for lanes of as many sizes as there are."""
    if len(slots.sizes) == 1:
        return Alike(slots.sizes[0], source, slots, lanes, closing)
    return Divided(source, slots, lanes, closing, turn)
