"""What users ask of a campaign from elsewhere while it runs: looked up once a second in a thread of its own.

The thread changes nothing of the searches. It says what holds; the pool does it at its next turn, for which
the executor is woken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from automl.beside import beside
from automl.campaign.limits import CampaignLimits
from automl.contracts import RunError
from automl.ledger import Ledger, RequestRow, Wishes
from automl.progress import Progress

LOOK = 1.0  # seconds


class Control:
    """What holds of the requests to a campaign. `wake`: lets trials end that may not go on."""

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        limits: CampaignLimits,
        progress: Progress,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.wishes = Wishes()
        self._ledger, self._campaign = ledger, campaign
        self._limits, self._progress, self._wake = limits, progress, wake
        self._known: list[RequestRow] = []

    @property
    def paused(self) -> bool:
        """Whether nothing new may start for now."""
        return self.wishes.pause is not None

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Look before the block, and every second inside of it."""
        self.look()

        def follow() -> None:
            with suppress(RunError):  # the store cannot be reached: it may come back
                self.look()

        with beside(follow, LOOK, "control"):
            yield

    def look(self) -> None:
        """Take what is new: it holds before it is noted as taken. Nothing more is taken of one that ends."""
        if self._limits.stopped:
            return  # a later wish is answered when the campaign has ended
        requests = self._ledger.requests(self._campaign)
        if requests == self._known:
            return
        self._hold(requests)
        if new := [request.id for request in requests if request.done_at is None]:
            self._ledger.take_requests(new)
            requests = self._ledger.requests(self._campaign)
            self._hold(requests)  # a pause counts from now on
        for request in self._told(requests, new):
            self._progress.message(f"{request.target} is {request.words}")
        self._known = requests

    def _told(self, requests: list[RequestRow], new: list[int]) -> list[RequestRow]:
        """Those that are new, or that hold from before this driver."""
        holds = [self.wishes.pause, *self.wishes.stops.values()] if not self._known else []
        return [request for request in requests if request.id in new or request in holds]

    def _hold(self, requests: list[RequestRow]) -> None:
        wishes = Wishes.of(requests)
        since = None if wishes.pause is None else wishes.pause.done_at
        self._limits.clock.still = (*wishes.still, *(() if since is None else ((since, math.inf),)))
        self._limits.stopped = wishes.reason(self._campaign)
        self.wishes = wishes
        self._wake()
