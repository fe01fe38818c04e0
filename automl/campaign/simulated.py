"""A search of a tabular benchmark: one job for a worker, one transaction in the ledger."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from automl.campaign.search import Incumbent, status_of
from automl.campaign.settings import Attempt, SearchSettings
from automl.contracts import Ending, Job, Outcome, PluginSpec, Replay, Replayed, Report, TrialState
from automl.ledger import Ledger, SearchRow, TrialRow
from automl.progress import SearchStatus
from automl.stopping import Counts

WORKER_ATTEMPTS = 2  # a replay whose worker died is run once more


@dataclass
class ReplaySearch:
    """One replayed search while its campaign runs: it is kept as a whole, or not at all."""

    row: SearchRow
    settings: SearchSettings
    ledger: Ledger
    replay: Replay
    counts: Counts = field(default_factory=Counts)
    best: Incumbent | None = None
    ended: bool = False

    def __post_init__(self) -> None:
        self._token = ""  # of the attempt that runs
        self._attempt = 0
        self._stopped = ""  # by which limit of the campaign

    def restore(self, trials: list[TrialRow]) -> None:
        """Rebuild a finished search from the ledger."""
        self.ended = self.row.state == "finished"
        for trial in trials:
            if trial.kind == "trial":
                self.counts.add(trial.state, trial.device_seconds)
            if trial.id == self.row.winner and trial.values:
                self.best = Incumbent(trial.values[0], trial.id, trial.config)

    @property
    def cost(self) -> float:
        """Device-seconds of its trials by the simulated clock; only known when it has ended."""
        return self.counts.spent

    @property
    def attempts(self) -> int:
        """Its trials, once it has ended."""
        return self.counts.ended

    def alive(self) -> dict[str, float]:
        """None: its clock is simulated."""
        return {}

    @property
    def devices_held(self) -> float:
        """None: its clock is simulated."""
        return 0.0

    @property
    def runs(self) -> bool:
        """Whether a worker runs it."""
        return bool(self._token)

    @property
    def pressure(self) -> float:
        """What it has spent: searches that have not run go first."""
        return self.counts.spent

    @property
    def idle(self) -> bool:
        """It has ended."""
        return self.ended

    @property
    def final_evaluator(self) -> PluginSpec:
        """The evaluator that looks up fresh-seed and test values of its winner."""
        return self.settings.evaluator

    def propose(self) -> Job | None:
        """The whole search, or None when it runs or has ended."""
        if self.ended or self._token:
            return None
        settings = self.settings
        self._token, self._attempt = secrets.token_hex(8), self._attempt + 1
        attempt = Attempt(
            self.row.id,
            self._token,
            self._attempt,
            settings.fixed or {},
            self.row.seed,
            str(settings.workdir),
        )
        return settings.replay_job(attempt, self.replay)

    def propose_final(self) -> Job | None:
        """None: fresh-seed values come with the search."""
        return None

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """None: a whole search sends no reports."""
        return None

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """What is left of its evaluator's deadline, which holds for the whole search."""
        return self.settings.deadline - elapsed / self.settings.devices if token == self._token else 0.0

    def cut(self, trial: str, token: str, reason: str) -> None:
        """Note that a limit of the campaign ends it: it is then kept without trials."""
        if token == self._token:
            self._stopped = reason

    def stop(self, reason: str) -> None:
        """End it without trials, unless it runs or has ended."""
        if not self.ended and not self._token:
            self.ledger.finish_replay(self.row, [], reason, None)
            self.ended = True

    def end(self, reason: str) -> None:
        """The same: it has no winner to retrain."""
        self.stop(reason)

    def drop(self, trial: str, reason: str) -> None:
        """Nothing: its trials are not tried one by one."""

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Write the whole search; one that failed ends without trials."""
        if token != self._token:
            return
        trials, reason = outcome.trials, outcome.reason
        if outcome.state is not TrialState.COMPLETE:
            trials, reason = [], self._stopped or f"failures: its replay ended: {outcome.reason}"
        self.counts = Counts()
        for replayed in trials:
            if replayed.kind == "trial":
                self._count(replayed)
        self.ledger.finish_replay(self.row, trials, reason, self.best.trial if self.best else None)
        self.ended, self._token = True, ""

    def _count(self, ended: Replayed) -> None:
        """Count and charge a trial, and keep it when it is the best."""
        outcome = ended.outcome
        self.counts.add(outcome.state, outcome.device_seconds, outcome.reason)
        if outcome.state is TrialState.COMPLETE and outcome.values:
            trial = Incumbent(outcome.values[0], f"{self.row.id}/{ended.number}", ended.config)
            if trial.beats(self.best, self.settings.metrics[0].direction):
                self.best = trial

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The worker died: the search runs again from its beginning, or ends."""
        if token != self._token:
            return
        self._token = ""
        if self._attempt >= WORKER_ATTEMPTS:
            self.ledger.finish_search(self.row.id, f"failures: {reason}", None)
            self.ended = True

    def status(self) -> SearchStatus:
        """Its line in the live progress."""
        state = "finished" if self.ended else "replaying" if self._token else "waiting"
        return status_of(self, state, running=int(bool(self._token)))
