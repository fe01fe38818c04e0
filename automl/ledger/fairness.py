"""How many slots each campaign may hold at a place that several share. Pure arithmetic, no I/O.

A slot of campaign i takes the part sᵢ of the place: of its CPUs or of its GPUs, whichever part is larger. One
slot after the other goes to the campaign with the least

    (n − ½ + aᵢ − h) · sᵢ / wᵢ

for its n-th slot, where wᵢ is its weight, until nothing fits any machine or nobody wants more. So shares are
as even as whole slots allow. What whole slots cannot divide goes round: aᵢ, from −1 to 1, is what i has had
beyond the mean of those that want more than their fair part, in turns of a slot. And h = ½ for a slot that it
may hold already, so that slots do not change hands all the time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from automl.contracts import Room

STICK: Final = 0.5  # of a turn: what a slot must be owed to another campaign before it changes hands
MEMORY: Final = 3600.0  # slot-seconds: what is owed beyond is forgotten
ROUNDING: Final = 1e-9  # fractions of a CPU or a GPU add up to whole ones


@dataclass(frozen=True)
class Claim:
    """What a campaign asks of a place: `wanted` slots of `cpus` and `gpus` each, with a `weight`.

    `held`: slots in which its jobs run; `granted`: up to how many it may hold by its last word. `service`:
    seconds × part of the place that it has had, divided by its weight.
    """

    campaign: str
    weight: float
    cpus: float
    gpus: float
    wanted: int
    held: int = 0
    granted: int = 0
    service: float = 0.0


@dataclass(frozen=True)
class Granted:
    """What a campaign may hold: `share` is its due, `slots` what is free for it, or what it still holds."""

    share: int
    slots: int


class _Filling:
    """Machines that are filled slot by slot, each slot on the first one that has room for it."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._left = [[room.cpus, room.gpus] for room in rooms]
        self._first: dict[tuple[float, float], int] = {}  # by size of slot: machines before have no room

    def take(self, cpus: float, gpus: float) -> bool:
        """Place one slot; False when no machine has room."""
        at = self._first.get((cpus, gpus), 0)
        while at < len(self._left):
            left = self._left[at]
            if left[0] + ROUNDING >= cpus and left[1] + ROUNDING >= gpus:
                left[0] -= cpus
                left[1] -= gpus
                self._first[cpus, gpus] = at
                return True
            at += 1
        self._first[cpus, gpus] = at
        return False


def fair_shares(
    claims: Sequence[Claim], rooms: Sequence[Room], turn: float, most: int | None = None
) -> dict[str, int]:
    """The slots that each campaign may hold when all have given back what is beyond that. `turn`: seconds.

    `most`: of all of them together.
    """
    place, filling = _Place.of(claims, rooms), _Filling(rooms)
    shares = {claim.campaign: 0 for claim in claims}
    waiting = [(place.key(claim, 1, turn), claim.service, claim.campaign) for claim in claims if claim.wanted]
    named = {claim.campaign: claim for claim in claims}
    heapq.heapify(waiting)
    while waiting and (most is None or sum(shares.values()) < most):
        _, service, name = heapq.heappop(waiting)
        claim = named[name]
        if not filling.take(claim.cpus, claim.gpus):
            continue
        shares[name] += 1
        if shares[name] < claim.wanted:
            heapq.heappush(waiting, (place.key(claim, shares[name] + 1, turn), service, name))
    return shares


def grant(mine: Claim, others: Sequence[Claim], rooms: Sequence[Room], turn: float) -> Granted:
    """What `mine` may hold now, beside what all `others` may hold by their last words.

    Its own service must be as old as theirs, that of its last word: if each thought itself ahead by what it
    has used since, nobody would take what is free.
    """
    shares = fair_shares([mine, *others], rooms, turn)
    share = shares[mine.campaign]
    if all(max(other.held, other.granted) <= shares[other.campaign] for other in others):
        return Granted(share, max(share, mine.held))
    filling = _Filling(rooms)
    for other in others:
        for _ in range(max(other.held, other.granted)):
            filling.take(other.cpus, other.gpus)
    free = 0
    while free < share and filling.take(mine.cpus, mine.gpus):
        free += 1
    return Granted(share, max(free, mine.held))


def served(mine: Claim, others: Sequence[Claim], rooms: Sequence[Room], slot_seconds: float) -> Claim:
    """`mine` after it has used so many `slot_seconds`. Who wants less than is due to it is owed nothing."""
    place = _Place.of([mine, *others], rooms)
    part = place.part(mine) / mine.weight
    service, mean, most = mine.service + slot_seconds * part, place.mean, MEMORY * part
    if mine.campaign not in place.contested:
        return replace(mine, service=max(service, mean))
    return replace(mine, service=min(max(service, mean - most), mean + most))


def joined(mine: Claim, others: Sequence[Claim], rooms: Sequence[Room]) -> Claim:
    """`mine` as it begins: nothing is owed to it, and nothing by it."""
    return replace(mine, service=_Place.of(others, rooms).mean)


@dataclass(frozen=True)
class _Place:
    """What a place has in all. `contested`: campaigns that want more than their fair part of it.

    `mean`: of their service; 0 when there is none.
    """

    cpus: float
    gpus: float
    contested: Mapping[str, Claim]
    mean: float

    @classmethod
    def of(cls, claims: Sequence[Claim], rooms: Sequence[Room]) -> _Place:
        cpus, gpus = sum(room.cpus for room in rooms), sum(room.gpus for room in rooms)
        contested = _contested(claims, cpus, gpus)
        services = [claim.service for claim in contested.values()]
        return cls(cpus, gpus, contested, sum(services) / len(services) if services else 0.0)

    def part(self, claim: Claim) -> float:
        """The part of the place that one slot takes."""
        return _part(claim, self.cpus, self.gpus)

    def key(self, claim: Claim, number: int, turn: float) -> float:
        """The campaign with the least one gets its slot of that `number` next."""
        unit, ahead = self.part(claim) / claim.weight, 0.0
        if claim.campaign in self.contested:
            ahead = min(max((claim.service - self.mean) / (turn * unit), -1.0), 1.0)
        return (number - 0.5 + ahead - (STICK if number <= claim.granted else 0.0)) * unit


def _part(claim: Claim, cpus: float, gpus: float) -> float:
    return max(claim.cpus / cpus if cpus else 1.0, claim.gpus / gpus if gpus else float(claim.gpus > 0))


def _contested(claims: Sequence[Claim], cpus: float, gpus: float) -> dict[str, Claim]:
    """Those that want more than they would get if slots could be divided at will."""
    open_ones = {claim.campaign: claim for claim in claims if claim.wanted}
    left, level, contested = [cpus, gpus], 0.0, dict[str, Claim]()
    while open_ones:
        rates = {name: claim.weight / _part(claim, cpus, gpus) for name, claim in open_ones.items()}
        flows = [
            sum(rates[name] * _needs(claim)[kind] for name, claim in open_ones.items()) for kind in (0, 1)
        ]
        satisfied = min(claim.wanted / rates[name] for name, claim in open_ones.items()) - level
        ends = [left[kind] / flows[kind] if flows[kind] else satisfied for kind in (0, 1)]
        step = max(0.0, min(satisfied, *ends))
        level += step
        left = [left[kind] - step * flows[kind] for kind in (0, 1)]
        before = len(open_ones)
        for name, claim in list(open_ones.items()):
            if claim.wanted / rates[name] <= level * (1 + ROUNDING):
                del open_ones[name]
            elif any(_needs(claim)[kind] and left[kind] <= ROUNDING for kind in (0, 1)):
                contested[name] = open_ones.pop(name)
        if len(open_ones) == before:  # by rounding: nothing is left to divide
            return contested | open_ones
    return contested


def _needs(claim: Claim) -> tuple[float, float]:
    return claim.cpus, claim.gpus
