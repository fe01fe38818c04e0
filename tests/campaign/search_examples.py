"""Settings, rows and a search without a ledger, for tests of what a campaign is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from automl.campaign.outlook import NOTHING
from automl.campaign.search import Incumbent, status_of
from automl.campaign.settings import Attempt, SearchSettings
from automl.checking.searches import LOSS, trial_row
from automl.contracts import Candidate, Ending, Job, Outcome, PluginSpec, Report
from automl.ledger import SearchRow, TrialRow
from automl.progress import SearchStatus
from automl.stopping import Counts

ATTEMPT = Attempt("s-1/arm/0/3", "token", 2, {"x": 0.5}, 7, "work/3")


def settings(**changes: object) -> SearchSettings:
    """The settings of an arm whose evaluator is `supernet`, in a study whose protocol is `network`."""
    given: dict[str, object] = {
        "metrics": [LOSS],
        "space": {"name": "cells"},
        "task": {"dataset": "digits"},
        "evaluator": PluginSpec("supernet"),
        "protocol": PluginSpec("network"),
        "finals": 2,
        "workdir": Path("work"),
        "import_path": ["studies"],
        "cpus": 2.0,
        "gpus": 0.0,
        "deadline": 60.0,
        "final_deadline": 90.0,
        "budget": 100.0,
    }
    return SearchSettings(**{**given, **changes})  # type: ignore[arg-type]


def attempt_row(number: int, kind: str = "trial", token: str = "token") -> TrialRow:
    """A running attempt in the ledger."""
    return trial_row(number, {"x": 0.5}, 0, kind=kind, token=token)


class ListSearch:
    """A search with a list of jobs; keeps the names of the calls that reach it."""

    def __init__(self, arm: str, pressure: float, jobs: int = 1, finals: int = 0, **changes: object) -> None:
        self.row = SearchRow(f"s-1/{arm}/0", "s-1", arm, 0, "running", None, None, 0.0, None, 0)
        self.settings, self.counts = settings(**changes), Counts()
        self.best: Incumbent | None = None
        self.final_evaluator = PluginSpec("network")
        self.pressure, self.calls = pressure, list[str]()
        self.cost, self.open_cost, self.devices_held, self.attempts = 0.0, 0.0, 0.0, 0
        self.stopped, self.outlook, self.needs_value = "", NOTHING, False
        self.remaining: float | None = None
        self.pruned_by: str | None = "pruned"
        self.runs, self.refits = False, False
        self.candidates = list[Candidate]()
        self._jobs = [f"{self.row.id}/{number}" for number in range(jobs)]
        self._finals = [f"{self.row.id}/final-{number}" for number in range(finals)]

    @property
    def idle(self) -> bool:
        return not self._jobs and not self._finals

    @property
    def ready(self) -> bool:
        return not self.idle

    def alive(self) -> dict[str, float]:
        return {}

    def propose(self) -> Job | None:
        return self._job(self._jobs)

    def propose_final(self) -> Job | None:
        return self._job(self._finals)

    def _job(self, names: list[str]) -> Job | None:
        if not names:
            return None
        self.attempts += 1
        attempt = Attempt(names.pop(0), "token", 1, {}, 0, "work")
        self.runs = bool(self._jobs)
        if names is self._finals:
            return replace(self.settings.final_job(attempt, derived=False), candidates=self.candidates)
        return replace(self.settings.trial_job(attempt, self.remaining), needs_value=self.needs_value)

    def report(self, trial: str, token: str, report: Report) -> str | None:
        self.calls.append(f"report {trial}")
        return self.pruned_by

    def cut(self, trial: str, token: str, reason: str) -> None:
        self.calls.append(f"cut {trial}")

    def stop(self, reason: str) -> None:
        self.stopped = reason
        self._jobs.clear()
        self._finals.clear()

    def end(self, reason: str) -> None:
        self.stopped = reason
        self._jobs.clear()

    def drop(self, trial: str, reason: str) -> None:
        self.calls.append(f"drop {trial}")

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        self.calls.append(f"time left {trial} {elapsed:g}")
        return 1.0

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        self.calls.append(f"finish {trial}")

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        self.calls.append(f"lost {trial}")

    def status(self) -> SearchStatus:
        return status_of(self, "searching", running=0)
