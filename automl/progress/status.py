"""How far a campaign is, as plain data, and what receives it."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True)
class SearchStatus:
    """The status of one search: numbers of trials by state, cost, best value.

    `state` is one word such as `searching`, `retraining`, `testing`, `finished`.
    `spent` and `budget` (None: no such limit) are device-seconds; `trials`: how many it may have; `wall`: the
    part of its wall seconds that has gone. `best_trial`: whose value `best` is. `retrained` of `retrainings`.
    """

    arm: str
    seed: int
    state: str
    complete: int
    pruned: int
    failed: int
    running: int
    spent: float
    budget: float | None
    best: float | None
    best_trial: str | None = None
    trials: int | None = None
    wall: float | None = None
    retrained: int = 0
    retrainings: int = 0

    @property
    def ended(self) -> int:
        """Trials in a final state."""
        return self.complete + self.pruned + self.failed

    @property
    def searches(self) -> bool:
        """Whether trials may still come."""
        return self.state not in ("finished", "retraining", "testing")

    @property
    def share(self) -> float:
        """The part of its budget that is used, 0 to 1; all of it once it has ended."""
        if not self.searches:
            return 1.0
        parts = [self.wall or 0.0]
        parts += [self.spent / self.budget] if self.budget else []
        parts += [self.ended / self.trials] if self.trials else []
        return min(1.0, max(parts))


@dataclass(frozen=True)
class CampaignStatus:
    """A campaign at one moment. `elapsed`: seconds in which it has had a driver and was not paused.

    `limit`: wall seconds after which a limit ends it, from now; None where it has none.
    """

    campaign: str
    searches: tuple[SearchStatus, ...]
    elapsed: float = 0.0
    metric: str = ""
    maximize: bool = True
    limit: float | None = None

    @property
    def share(self) -> float:
        """The mean part of their budgets that the searches have used."""
        return sum(one.share for one in self.searches) / len(self.searches) if self.searches else 0.0

    @property
    def paused(self) -> bool:
        """Whether nothing goes on now."""
        return any(one.state in ("paused", "interrupted") for one in self.searches)

    @property
    def best(self) -> SearchStatus | None:
        """The search with the best value so far; of equal ones the first."""
        sign = 1 if self.maximize else -1
        found = [one for one in self.searches if one.best is not None]
        return max(found, key=lambda one: sign * (one.best or 0.0), default=None)

    @property
    def arms(self) -> dict[str, list[SearchStatus]]:
        """The searches of each arm."""
        arms: dict[str, list[SearchStatus]] = {}
        for status in self.searches:
            arms.setdefault(status.arm, []).append(status)
        return arms


class Progress(Protocol):
    """Receives the status of a campaign; used as a context manager around the searches."""

    def update(self, status: CampaignStatus) -> None:
        """Receive the present status."""

    def message(self, text: str) -> None:
        """Show one line permanently."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""


class QuietProgress:
    """Shows nothing."""

    def update(self, status: CampaignStatus) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass
