"""What there is for trials is divided among arms whose trials hold different amounts."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from automl.campaign.search import Search
from automl.contracts import Held, Room
from automl.ledger.fairness import Claim, fair_shares

ANY: Final = 1_000_000  # jobs: more than fit anywhere


class Division:
    """Searches go on side by side, so that they are as far as each other; `numbers`: jobs of each size."""

    def __init__(self) -> None:
        self.numbers: Mapping[Held, int] = {}
        self._made_at = -math.inf
        self._made_for: object = None

    def divide(
        self,
        searches: Sequence[Search],
        jobs: Mapping[Held, int],
        rooms: Sequence[Room],
        most: int | None,
        turn: float,
    ) -> Mapping[Held, int]:
        """How many jobs of each size shall be open in `rooms`, at most `most`; `jobs` are.

        By the device-seconds that the unfinished searches of a size have spent on average: as campaigns
        share a place by what they have had (see `fairness`), each size with the weight of its searches. That
        holds for `turn` seconds, since workers make way for others, unless it leaves something unused.
        """
        by_size = defaultdict[Held, list[Search]](list)
        for search in searches:
            if not search.idle:
                by_size[search.settings.held].append(search)
        wanted = {held: jobs.get(held, 0) + sum(map(_startable, own)) for held, own in by_size.items()}
        made_for = (frozenset(by_size), tuple(rooms), most)
        used = all(number <= wanted.get(held, 0) for held, number in self.numbers.items())
        if used and made_for == self._made_for and time.monotonic() - self._made_at < turn:
            return self.numbers
        claims = self._claims(by_size, wanted, jobs, rooms)
        shares = fair_shares(list(claims.values()), rooms, turn, most)
        self.numbers = {held: shares[claim.campaign] for held, claim in claims.items()}
        self._made_at, self._made_for = time.monotonic(), made_for
        return self.numbers

    def _claims(
        self,
        by_size: Mapping[Held, Sequence[Search]],
        wanted: Mapping[Held, int],
        jobs: Mapping[Held, int],
        rooms: Sequence[Room],
    ) -> dict[Held, Claim]:
        """What each size asks for, as campaigns do."""
        devices = sum(room.gpus for room in rooms) or sum(room.cpus for room in rooms) or 1.0
        return {
            held: Claim(
                campaign=str(number),
                weight=len(own),
                cpus=held.cpus,
                gpus=held.gpus,
                wanted=wanted[held],
                held=jobs.get(held, 0),
                granted=self.numbers.get(held, 0),
                service=sum(search.pressure for search in own) / len(own) / devices,
            )
            for number, (held, own) in enumerate(by_size.items())
        }


def open_jobs(owners: Mapping[str, Search]) -> Counter[Held]:
    """How many jobs of each size are open, by the searches that own them."""
    return Counter(search.settings.held for search in owners.values())


def _startable(search: Search) -> int:
    """How many further jobs it could use now, at most."""
    if not search.ready:
        return 0
    return 1 if search.settings.fixed is not None and not search.runs else ANY
