"""What campaigns ask of a place that they share and what they may hold there: rows, and words of a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from automl.contracts import Room
from automl.ledger.fairness import Claim, Granted
from automl.ledger.reader import Reader
from automl.ledger.rules import COST, COUNT, NAME, NUMBER, SECONDS


@dataclass(frozen=True)
class Place:
    """Where trials run. `turn`: seconds for which a slot is worth opening there."""

    id: str
    rooms: tuple[Room, ...]
    turn: float


@dataclass(frozen=True)
class Asks:
    """What a driver says of itself: `wanted` slots it could use, `held` ones its trials run in.

    `most`: it may come to hold so many before it speaks again. `slot_seconds`: used since it spoke last.
    `open_seconds`: device-seconds of its open attempts. `waits_for`: why it starts nothing, where that is no
    lack of slots. `ends_in`: seconds until its searches have ended, where that is known.
    """

    wanted: int
    held: int
    most: int
    slot_seconds: float = 0.0
    open_seconds: float = 0.0
    waits_for: str | None = None
    ends_in: float | None = None


@dataclass(frozen=True)
class ShareRow:
    """What a campaign asks of its place, and what it may hold there (see `queue_tables`)."""

    campaign: str
    place: str
    priority: int
    cpus: float
    gpus: float
    wanted: int = 0
    held: int = 0
    granted: int = 0
    service: float = 0.0
    open_seconds: float = 0.0
    at: float = 0.0
    asked: int | None = None
    asked_by: str | None = None
    ends_at: float | None = None
    waits_since: float | None = None
    waits_for: str | None = None
    left_at: float | None = None

    @property
    def weight(self) -> int:
        """Its priority: what a user has asked for, or that of its study."""
        return self.priority if self.asked is None else self.asked

    @property
    def claim(self) -> Claim:
        """What it claims of its place."""
        wanted = max(self.wanted, self.held)
        slots = (self.cpus, self.gpus, wanted, self.held, self.granted)
        return Claim(self.campaign, self.weight, *slots, self.service)


@dataclass(frozen=True)
class Agreed:
    """What a campaign may hold, its row as it is now, and the others that are driven at the same place."""

    granted: Granted
    row: ShareRow
    others: tuple[ShareRow, ...]


read_share: Final = Reader(
    ShareRow,
    "share",
    ("campaign",),
    {
        "campaign": NAME,
        "place": NAME,
        "priority": COUNT,
        "asked": COUNT.or_nothing(),
        "asked_by": NAME.or_nothing(),
        "cpus": COST,
        "gpus": COST,
        "wanted": COUNT,
        "held": COUNT,
        "granted": COUNT,
        "service": NUMBER,
        "open_seconds": COST,
        "ends_at": SECONDS.or_nothing(),
        "waits_since": SECONDS.or_nothing(),
        "waits_for": NAME.or_nothing(),
        "at": SECONDS,
        "left_at": SECONDS.or_nothing(),
    },
)
