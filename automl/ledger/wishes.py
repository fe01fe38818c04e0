"""What users ask of a campaign from elsewhere, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from automl.ledger.reader import Reader
from automl.ledger.rows import STOPPED
from automl.ledger.rules import COUNT, NAME, SECONDS, TEXT, one_of

Wish: TypeAlias = Literal["stop", "pause", "resume"]
_DONE: Final = {"pause": "paused", "resume": "resumed"}


@dataclass(frozen=True)
class RequestRow:
    """What a user (`by`: user@host) asks of `target`: a campaign, or a search or trial of it.

    `wish`: stop, pause or resume. `done_at`: when a driver took it; `answer`: why nothing was done.
    """

    id: int
    campaign: str
    target: str
    wish: str
    by: str
    at: float
    done_at: float | None = None
    answer: str | None = None

    @property
    def words(self) -> str:
        """The request in words, such as `stopped by ann@host at 2026-11-28 21:40 UTC`."""
        done = STOPPED if self.wish == "stop" else f"{_DONE[self.wish]} by"
        moment = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{done} {self.by} at {moment}"


@dataclass(frozen=True)
class Wishes:
    """What all requests to a campaign come to: the last one counts, and none that was refused.

    `stops`: by target, what must not go on. `pause`: what holds the campaign now, if anything does. `still`:
    when it was held before, in POSIX seconds; a pause counts from when a driver took it.
    """

    stops: Mapping[str, RequestRow] = field(default_factory=lambda: MappingProxyType({}))
    pause: RequestRow | None = None
    still: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, requests: Sequence[RequestRow]) -> Wishes:
        """What requests, in their order, come to."""
        stops: dict[str, RequestRow] = {}
        pause: RequestRow | None = None
        still: list[tuple[float, float]] = []
        for request in requests:
            if request.answer is not None:
                continue
            if request.wish == "stop":
                stops[request.target] = request
            elif request.wish == "pause":
                pause = pause or request
            else:
                stops.pop(request.campaign, None)
                if pause is not None and pause.done_at is not None:
                    still.append((pause.done_at, request.done_at or request.at))
                pause = None
        return cls(MappingProxyType(stops), pause, tuple(still))

    def reason(self, *targets: str) -> str:
        """Why the first of `targets` that is stopped must end; "" when none is."""
        return next((self.stops[target].words for target in targets if target in self.stops), "")


read_request: Final = Reader(
    RequestRow,
    "request",
    ("id",),
    {
        "id": COUNT,
        "campaign": NAME,
        "target": NAME,
        "wish": one_of(["stop", "pause", "resume"]),
        "by": NAME,
        "at": SECONDS,
        "done_at": SECONDS.or_nothing(),
        "answer": TEXT.or_nothing(),
    },
)
