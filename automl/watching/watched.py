"""The progress of a campaign as the ledger has it. Reads what is new; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from automl.contracts import Direction, RunError, TrialState
from automl.ledger import CampaignRow, Ledger, SearchRow, TrialRow
from automl.progress import CampaignStatus, SearchStatus
from automl.report.settings import StudySettings

OVERLAP: Final = 60.0  # seconds: a transaction may be committed that long after the time it writes


@dataclass
class _Tally:
    """The trials of a search that have ended."""

    counts: dict[TrialState, int] = field(default_factory=dict)
    spent: float = 0.0
    best: float | None = None
    best_trial: str | None = None
    retrained: int = 0


@dataclass(frozen=True)
class Look:
    """A campaign now. `state`: see `Ledger.status`. `trials`, `searches`: ended since the last."""

    row: CampaignRow
    state: str
    status: CampaignStatus
    trials: tuple[TrialRow, ...]
    searches: tuple[SearchRow, ...]


class Watched:
    """A campaign that is looked at again and again."""

    def __init__(self, ledger: Ledger, campaign: str) -> None:
        self._ledger, self._campaign = ledger, campaign
        self._since = 0.0
        self._seen: set[str] = set()
        self._ended: set[str] = set()
        self._tallies: dict[str, _Tally] = {}

    def look(self) -> Look:
        """The campaign now. Raises `RunError` when it is not there any more."""
        row = self._ledger.campaign(self._campaign)
        if row is None:
            raise RunError(f"{self._campaign} is not in the store any more: it was deleted")
        state, now = self._ledger.status(row), self._ledger.now()
        searches = self._ledger.searches(row.id)
        study = StudySettings.from_json(row.spec)
        trials = self._new_trials(study, now)
        ended = tuple(one for one in searches if one.state == "finished" and one.id not in self._ended)
        self._ended |= {one.id for one in ended}
        running = self._ledger.running_trials(row.id)
        found = [self._search(row, state, study, one, running, now) for one in searches]
        return Look(row, state, self._status(row, study, found, now, state), trials, ended)

    def _new_trials(self, study: StudySettings, now: float) -> tuple[TrialRow, ...]:
        rows = [
            row for row in self._ledger.ended_since(self._campaign, self._since) if row.id not in self._seen
        ]
        self._since = max(0.0, now - OVERLAP)
        for row in rows:
            self._seen.add(row.id)
            tally = self._tallies.setdefault(row.search, _Tally())
            tally.retrained += row.kind == "final"
            if row.kind != "trial":
                continue
            tally.spent += row.device_seconds
            tally.counts[row.state] = tally.counts.get(row.state, 0) + 1
            value = row.values[0] if row.state is TrialState.COMPLETE and row.values else None
            if value is not None and _beats(value, tally.best, study.metrics[0].direction):
                tally.best, tally.best_trial = value, row.id
        return tuple(rows)

    def _search(
        self,
        row: CampaignRow,
        state: str,
        study: StudySettings,
        search: SearchRow,
        running: Sequence[TrialRow],
        now: float,
    ) -> SearchStatus:
        tally = self._tallies.get(search.id, _Tally())
        own = [trial for trial in running if trial.search == search.id]
        open_cost = sum(max(0.0, now - one.started_at) for one in own if one.kind == "trial")
        wanted = int((row.spec.get("final") or {}).get("seeds", 0))
        if search.state == "finished":
            word = (
                "retraining"
                if row.state != "finished" and search.winner and tally.retrained < wanted
                else "finished"
            )
        else:
            word = "searching" if tally.counts or own else "waiting"
        if state in ("paused", "interrupted") and word != "finished":
            word = state
        budget, single = study.budget, study.arm(search.arm).strategy is None
        return SearchStatus(
            arm=search.arm,
            seed=search.seed,
            state=word,
            complete=tally.counts.get(TrialState.COMPLETE, 0),
            pruned=tally.counts.get(TrialState.PRUNED, 0),
            failed=tally.counts.get(TrialState.FAILED, 0),
            running=len(own),
            spent=tally.spent + open_cost,
            budget=budget.device_seconds,
            best=tally.best,
            best_trial=tally.best_trial,
            trials=1 if single else budget.trials,
            wall=None if not budget.wall_seconds else (now - search.created_at) / budget.wall_seconds,
            retrained=tally.retrained,
            retrainings=wanted if tally.best is not None or search.state != "finished" else 0,
        )

    def _status(
        self,
        row: CampaignRow,
        study: StudySettings,
        found: Sequence[SearchStatus],
        now: float,
        state: str,
    ) -> CampaignStatus:
        elapsed = self._elapsed(row, now if state in ("running", "paused") else None)
        wall = (row.spec.get("limits") or {}).get("wall_seconds")
        return CampaignStatus(
            campaign=row.id,
            searches=tuple(found),
            elapsed=elapsed,
            metric=study.metrics[0].name,
            maximize=study.metrics[0].direction is Direction.MAXIMIZE,
            limit=None if wall is None or state != "running" else max(0.0, wall - elapsed),
        )

    def _elapsed(self, row: CampaignRow, now: float | None) -> float:
        """Seconds in which it had a driver and was not paused; `now`: its driver is at work."""
        wishes, drives = self._ledger.wishes(row.id), self._ledger.drives(row.id)
        runs = [(one.started_at, one.until) for one in drives]
        if now is not None and runs:
            runs[-1] = (runs[-1][0], max(runs[-1][1], now))
        still = list(wishes.still)
        if wishes.pause is not None and wishes.pause.done_at is not None and now is not None:
            still.append((wishes.pause.done_at, now))
        whole = sum(end - start for start, end in runs)
        return whole - sum(
            max(0.0, min(end, until) - max(start, since)) for start, end in runs for since, until in still
        )


def _beats(value: float, best: float | None, direction: Direction) -> bool:
    return best is None or direction.better(value, best)
