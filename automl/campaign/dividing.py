"""What there is for trials is divided among arms whose trials hold different amounts."""

from __future__ import annotations

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
        share a place by what they have had (see `fairness`), each size with the weight of its searches.
        """
        devices = sum(room.gpus for room in rooms) or sum(room.cpus for room in rooms)
        by_size = defaultdict[Held, list[Search]](list)
        for search in searches:
            if not search.idle:
                by_size[search.settings.held].append(search)
        sizes = list(by_size)
        claims = [
            Claim(
                campaign=str(number),
                weight=len(own := by_size[held]),
                cpus=held.cpus,
                gpus=held.gpus,
                wanted=jobs.get(held, 0) + sum(map(_startable, own)),
                held=jobs.get(held, 0),
                granted=self.numbers.get(held, 0),
                service=sum(search.pressure for search in own) / len(own) / max(devices, 1e-9),
            )
            for number, held in enumerate(sizes)
        ]
        shares = fair_shares(claims, rooms, turn, most)
        self.numbers = {held: shares[str(number)] for number, held in enumerate(sizes)}
        return self.numbers


def open_jobs(owners: Mapping[str, Search]) -> Counter[Held]:
    """How many jobs of each size are open, by the searches that own them."""
    return Counter(search.settings.held for search in owners.values())


def _startable(search: Search) -> int:
    """How many further jobs it could use now, at most."""
    if not search.ready:
        return 0
    return 1 if search.settings.fixed is not None and not search.runs else ANY
