"""How many slots a campaign may hold where others run too: agreed with them through the ledger.

A thread of its own says each second what the campaign holds and could use, and hears what it may hold. The
pool starts nothing beyond that. What it holds beyond its share it gives back trial by trial: none is ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from automl.campaign.limits import CampaignLimits
from automl.campaign.quota import Charged, QuotaWatch
from automl.campaign.slots import Slots
from automl.contracts import THIS_HOST, Executor, RunError
from automl.ledger import Asks, Ledger, Place, ShareRow, this_host
from automl.ledger.fairness import fair_shares
from automl.progress import Progress

LOOK: Final = 1.0  # seconds between two words with the others
SOONEST: Final = 0.05  # seconds: a slot that is given back is told at once, but not more often
ALONE: Final = 5.0  # seconds between two words while there are no others


def place_of(executor: Executor) -> Place | None:
    """Where an executor's trials run; None where nothing is shared."""
    if executor.place is None:
        return None
    name = f"host {this_host()}" if executor.place == THIS_HOST else executor.place
    return Place(name, tuple(executor.rooms), executor.turn)


@dataclass(frozen=True)
class Driven:
    """A campaign that this process drives with `token`: its priority, and whom it is charged to."""

    campaign: str
    token: int
    priority: int
    charged: Charged


class Sharing:
    """One campaign among those at its place, and within its quotas."""

    def __init__(
        self, ledger: Ledger, driven: Driven, executor: Executor, limits: CampaignLimits, progress: Progress
    ) -> None:
        self.slots = Slots(executor.trials_at_once)
        self._ledger, self._token, self._executor, self._progress = ledger, driven.token, executor, progress
        self._watch = QuotaWatch(ledger, driven.charged, limits, self.slots, progress)
        self._row = ShareRow(
            driven.campaign, executor.place or "", driven.priority, executor.slot.cpus, executor.slot.gpus
        )
        self._told: tuple[str, ...] = ()
        self._said_at = 0.0
        self._used = 0.0  # slot-seconds that the others know of
        self._turn_told = False

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Agree before the block and all the time inside of it; give everything back after it."""
        self._watch.look()
        place = place_of(self._executor)
        if place is None:
            with _again(self._watch.look, self.slots.freed):
                yield
            return
        self._row = self._ledger.join_place(place, replace(self._row, place=place.id))
        self.look()
        try:
            with _again(self._look_both, self.slots.freed):
                yield
        finally:
            with suppress(RunError):  # the others see that this driver has ended
                self._ledger.leave_place(self._row.campaign, self._token)

    def _look_both(self) -> None:
        self._watch.look()
        self.look()

    def look(self) -> None:
        """Say what it holds and could use, and take what it may hold."""
        place = place_of(self._executor)
        if place is None:
            return
        slots, mine = self.slots, self._row.campaign
        slots.hold_workers(self._executor.slots_held, self._executor.trials_at_once)
        others = self._ledger.sharing(place.id, mine)
        now = time.monotonic()
        known = slots.share is None and self._row.granted >= max(slots.held, slots.most)
        if not others and known and not slots.waits_for and now - self._said_at < ALONE:
            return
        if others and place.rooms:  # before it is told: nothing starts beyond it meanwhile
            claims = [self._row.claim, *(other.claim for other in others)]
            slots.share = min(slots.bound, fair_shares(claims, place.rooms, place.turn)[mine])
        asks, self._said_at = self._asks(bounded=bool(others)), now
        agreed = self._ledger.claim(place, mine, self._token, asks)
        self._row, self._watch.told = agreed.row, agreed.row.open_seconds
        if not agreed.others or not place.rooms:
            slots.share = None
        else:
            slots.share = min(agreed.granted.share, agreed.row.granted)
            if agreed.row.granted > max(slots.share, asks.held):
                slots.freed.set()  # say so at once
        self._tell(place, agreed.others)

    def _asks(self, *, bounded: bool) -> Asks:
        """What it holds and could use now; `bounded`: it keeps to its share until it speaks again."""
        slots, before = self.slots, self._used
        held, self._used = slots.held, slots.slot_seconds()
        return Asks(
            wanted=max(held, slots.most) if slots.ready and not slots.waits_for else held,
            held=held,
            most=max(held, slots.bound if bounded else slots.most),
            slot_seconds=self._used - before,
            open_seconds=self._watch.open_cost(),
            waits_for=slots.waits_for or None,
            ends_in=slots.ends_in,
        )

    def _tell(self, place: Place, others: Sequence[ShareRow]) -> None:
        """Show a line when other campaigns have come or gone, and when this one begins to wait."""
        names = tuple(other.campaign for other in others)
        share, most = self.slots.share, self.slots.most
        waits = bool(names) and share == 0 and not self.slots.held and self.slots.ready
        if names != self._told:
            self._told = names
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            with_whom = f"shares {place.id} with {shown}, by priority: `automl queue`"
            self._progress.message(with_whom if names else f"has {place.id} for itself, all {most} slots")
        if waits and not self._turn_told:
            self._progress.message("waits for its turn: there are fewer free slots than campaigns")
        self._turn_told = waits


@contextmanager
def _again(work: Callable[[], None], soon: threading.Event) -> Iterator[None]:
    """Do `work` every second in a thread of its own, and at once when `soon` is set."""
    done = threading.Event()

    def follow() -> None:
        while True:
            soon.wait(LOOK)
            if done.is_set():
                return
            soon.clear()
            with suppress(RunError):  # the store cannot be reached: it may come back
                work()
            time.sleep(SOONEST)

    thread = threading.Thread(target=follow, name="sharing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        soon.set()
        thread.join()
