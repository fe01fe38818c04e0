"""Shares of a place: never more than it has, nothing idle that somebody wants, nobody starves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from automl.contracts import Room
from automl.ledger.fairness import Claim, fair_shares, grant, joined, served

TURN = 10.0  # seconds
SIZES = [(1.0, 0.0), (2.0, 0.0), (0.5, 0.25), (1.0, 1.0), (4.0, 2.0), (1 / 3, 1 / 3)]
ROOMS = st.lists(
    st.builds(Room, st.sampled_from([1.0, 2.0, 4.0, 8.0]), st.sampled_from([0.0, 1.0, 4.0])),
    min_size=1,
    max_size=4,
)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    return [
        Claim(
            f"c-{number}",
            draw(st.integers(1, 100)),
            *draw(st.sampled_from(SIZES)),
            wanted=draw(st.integers(0, 12)),
            granted=draw(st.integers(0, 4)),
            service=draw(st.floats(0, 100)),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


def fits(slots: list[tuple[float, float]], rooms: list[Room]) -> bool:
    """Whether slots can be placed one by one, each on the first machine with room for it."""
    left = [[room.cpus, room.gpus] for room in rooms]
    for cpus, gpus in slots:
        for one in left:
            if one[0] + 1e-6 >= cpus and one[1] + 1e-6 >= gpus:
                one[0] -= cpus
                one[1] -= gpus
                break
        else:
            return False
    return True


def used(asked: list[Claim], shares: dict[str, int]) -> tuple[float, float]:
    return (
        sum(shares[one.campaign] * one.cpus for one in asked),
        sum(shares[one.campaign] * one.gpus for one in asked),
    )


@given(claims(), ROOMS)
def test_shares_never_exceed_the_place_nor_what_is_wanted(asked: list[Claim], rooms: list[Room]) -> None:
    shares = fair_shares(asked, rooms, TURN)
    cpus, gpus = used(asked, shares)
    assert cpus <= sum(room.cpus for room in rooms) + 1e-6 and gpus <= sum(room.gpus for room in rooms) + 1e-6
    assert all(0 <= shares[one.campaign] <= one.wanted for one in asked)


@given(claims(), st.integers(1, 12))
def test_nothing_is_idle_that_somebody_wants(asked: list[Claim], cpus: int) -> None:
    asked = [replace(one, cpus=1.0, gpus=0.0) for one in asked]
    shares = fair_shares(asked, [Room(cpus)], TURN)
    assert sum(shares.values()) == min(cpus, sum(one.wanted for one in asked))


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(1, 40))
def test_shares_follow_the_weights_to_a_slot(weights: list[int], cpus: int) -> None:
    asked = [Claim(f"c-{n}", weight, 1.0, 0.0, wanted=cpus) for n, weight in enumerate(weights)]
    shares = fair_shares(asked, [Room(cpus)], TURN)
    quota = {one.campaign: cpus * one.weight / sum(weights) for one in asked}
    ahead = {name: (shares[name] - 0.5) / quota[name] for name in shares if shares[name]}
    behind = {name: (shares[name] + 0.5) / quota[name] for name in shares}
    assert max(ahead.values()) <= min(behind.values()) + 1e-9, "a slot would be better with another one"


@given(claims(), ROOMS, st.integers(0, 5))
def test_what_is_granted_fits_beside_what_others_may_hold(
    asked: list[Claim], rooms: list[Room], chosen: int
) -> None:
    """Whatever the others may hold by their last words, as long as that fits by itself."""
    mine = asked[chosen % len(asked)]
    others = [one for one in asked if one is not mine]
    assume(fits([(o.cpus, o.gpus) for o in others for _ in range(o.granted)], rooms))
    given_now = grant(replace(mine, granted=0), others, rooms, TURN)
    shares = fair_shares([replace(mine, granted=0), *others], rooms, TURN)
    together = {one.campaign: one.granted for one in others} | {mine.campaign: given_now.slots}
    cpus, gpus = used(asked, together)
    assert cpus <= sum(room.cpus for room in rooms) + 1e-6 and gpus <= sum(room.gpus for room in rooms) + 1e-6
    assert given_now.slots <= given_now.share == shares[mine.campaign]


def test_priorities_of_two_to_one_share_two_to_one() -> None:
    two = [Claim("a-1", 20, 1.0, 0.0, 9), Claim("b-1", 10, 1.0, 0.0, 9)]
    assert fair_shares(two, [Room(4), Room(2)], TURN) == {"a-1": 4, "b-1": 2}


def test_a_place_without_room_for_a_slot_gives_none() -> None:
    two = [Claim("a-1", 10, 1.0, 1.0, 4), Claim("b-1", 10, 1.0, 0.0, 4)]
    assert fair_shares(two, [Room(4)], TURN) == {"a-1": 0, "b-1": 4}


@dataclass
class Driver:
    """A campaign that obeys what it is granted, and its trials."""

    claim: Claim
    share: int = 0
    unsaid: float = 0.0  # slot-seconds since it spoke
    slot_seconds: float = 0.0
    ends: list[float] = field(default_factory=list)  # when its trials end


@dataclass
class Simulation:
    """Drivers that speak every second by the rules of the ledger, and whose trials take `seconds`."""

    rooms: list[Room]
    drivers: dict[str, Driver] = field(default_factory=dict)
    now: float = 0.0

    def add(self, name: str, weight: float, wanted: int, cpus: float = 1.0) -> None:
        claim = Claim(name, weight, cpus, 0.0, wanted)
        self.drivers[name] = Driver(joined(claim, self._others(name), self.rooms))

    def _others(self, name: str) -> list[Claim]:
        return [one.claim for one in self.drivers.values() if one.claim.campaign != name]

    def speak(self, name: str) -> None:
        driver, others = self.drivers[name], self._others(name)
        held = len(driver.ends)
        mine = replace(driver.claim, held=held, wanted=max(held, driver.claim.wanted))
        agreed = grant(mine, others, self.rooms, TURN)
        mine = served(mine, others, self.rooms, driver.unsaid)
        driver.claim = replace(mine, granted=agreed.slots, wanted=driver.claim.wanted)
        driver.share, driver.unsaid = min(agreed.share, agreed.slots), 0.0

    def step(self, seconds: float) -> None:
        """A second: trials end, drivers speak, new trials start."""
        self.now += 1.0
        for driver in self.drivers.values():
            driver.slot_seconds += len(driver.ends)
            driver.unsaid += len(driver.ends)
            driver.ends = [end for end in driver.ends if end > self.now]
        for name in self.drivers:
            self.speak(name)
            driver = self.drivers[name]
            while len(driver.ends) < min(driver.share, driver.claim.wanted):
                driver.ends.append(self.now + seconds)

    @property
    def held(self) -> float:
        return sum(len(one.ends) * one.claim.cpus for one in self.drivers.values())


@pytest.mark.parametrize(
    ("cpus", "weights"), [(3, (10, 10)), (1, (10, 10)), (1, (20, 10)), (4, (10, 10, 10))]
)
@pytest.mark.parametrize("seconds", [1.0, 7.0])
def test_what_slots_cannot_divide_goes_round(cpus: int, weights: tuple[int, ...], seconds: float) -> None:
    place = Simulation([Room(cpus)])
    for number, weight in enumerate(weights):
        place.add(f"c-{number}", weight, cpus)
    for _ in range(600):
        place.step(seconds)
        assert place.held <= cpus
    total = sum(one.slot_seconds for one in place.drivers.values())
    assert total >= 0.85 * 600 * cpus, "slots may be idle for a second when they change hands"
    for driver, weight in zip(place.drivers.values(), weights, strict=True):
        assert driver.slot_seconds == pytest.approx(total * weight / sum(weights), rel=0.1)


def test_a_campaign_of_the_least_priority_among_greedy_ones_gets_its_turn() -> None:
    place = Simulation([Room(1)])
    place.add("low-1", 1, 1)
    for number in range(3):
        place.add(f"high-{number}", 100, 1)
    for _ in range(2000):
        place.step(3.0)
    assert all(one.slot_seconds for one in place.drivers.values())


def test_slots_do_not_change_hands_all_the_time() -> None:
    place, before, changes = Simulation([Room(3)]), 0, 0
    place.add("a-1", 10, 3)
    place.add("b-1", 10, 3)
    for _ in range(300):
        place.step(1.0)
        share = place.drivers["a-1"].share
        changes, before = changes + (share != before), share
    assert changes <= 300 / TURN + 2


class PlaceMachine(RuleBasedStateMachine):
    """Campaigns that come, change their mind, die and go, in any order, with slots of several sizes."""

    @initialize(rooms=st.lists(st.builds(Room, st.sampled_from([2.0, 4.0])), min_size=1, max_size=3))
    def begin(self, rooms: list[Room]) -> None:
        self.place, self.born = Simulation(rooms), 0

    @precondition(lambda self: len(self.place.drivers) < 5)
    @rule(
        weight=st.sampled_from([1, 10, 100]), wanted=st.integers(0, 9), cpus=st.sampled_from([0.5, 1.0, 2.0])
    )
    def come(self, weight: int, wanted: int, cpus: float) -> None:
        self.born += 1
        self.place.add(f"c-{self.born}", weight, wanted, cpus)

    @precondition(lambda self: bool(self.place.drivers))
    @rule(which=st.integers(0, 9), wanted=st.integers(0, 9), weight=st.sampled_from([1, 10, 100]))
    def change(self, which: int, wanted: int, weight: int) -> None:
        driver = list(self.place.drivers.values())[which % len(self.place.drivers)]
        driver.claim = replace(driver.claim, wanted=wanted, weight=weight)

    @precondition(lambda self: bool(self.place.drivers))
    @rule(which=st.integers(0, 9))
    def die(self, which: int) -> None:
        del self.place.drivers[list(self.place.drivers)[which % len(self.place.drivers)]]

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0]), steps=st.integers(1, 15))
    def go_on(self, seconds: float, steps: int) -> None:
        for _ in range(steps):
            self.place.step(seconds)

    @invariant()
    def never_oversubscribed(self) -> None:
        for kind in ("held", "granted"):
            count = {
                name: len(one.ends) if kind == "held" else one.claim.granted
                for name, one in self.place.drivers.items()
            }
            total = sum(count[name] * one.claim.cpus for name, one in self.place.drivers.items())
            assert total <= sum(room.cpus for room in self.place.rooms) + 1e-6, (kind, count)


TestPlaces = PlaceMachine.TestCase
TestPlaces.settings = settings(max_examples=20, stateful_step_count=20)
