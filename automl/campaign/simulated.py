"""A search of a tabular benchmark: one job for a worker, one transaction in the ledger."""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from automl.campaign.outlook import NOTHING
from automl.campaign.search import Incumbent, status_of
from automl.campaign.settings import Attempt, SearchSettings
from automl.contracts import (
    Config,
    Ending,
    Job,
    Outcome,
    PluginSpec,
    Replay,
    Replayed,
    Report,
    RunError,
    TrialState,
    digest,
)
from automl.ledger import Ledger, SearchRow, TrialRow, of_kind
from automl.ledger.rows import trial_identity
from automl.progress import SearchStatus
from automl.selection import AFTER, AGAIN, FINAL, placed, selected
from automl.stopping import Counts, Standing, may_go_on, stop_reason

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

    outlook, lacks_refit, refits = NOTHING, False, False  # test values are looked up: it has no models

    def __post_init__(self) -> None:
        self._token = ""  # of the attempt that runs
        self._attempt = 0
        self._stopped = ""  # by which limit of the campaign
        self._known: dict[str, TrialRow] = {}  # trials that the ledger has, by id
        self._leaders: list[Incumbent] = []  # the best of distinct configurations, which may win

    def restore(self, trials: Sequence[TrialRow]) -> None:
        """Rebuild a finished search from the ledger; one whose campaign has grown goes on."""
        self.ended = self.row.state == "finished"
        self._known = {trial.id: trial for trial in trials}
        for trial in trials:
            if trial.id == self.row.winner and trial.values:
                self.best = Incumbent(trial.values[0], trial.id, trial.config)
        for trial in sorted(trials, key=lambda trial: trial.told or 0):
            if trial.kind == "trial":
                self.counts.add(trial.state, trial.device_seconds, trial.reason or "")
                self._place(trial.state, trial.values, trial.id, trial.config)
        if self.ended and self.settings.reopens and self._has_more():
            self.row = self.ledger.reopen_search(self.row.id)
            self.ended = False
        if self.ended:
            self._known = {}

    def _has_more(self) -> bool:
        """Whether its budget is not used up, or retrainings of its winner are missing."""
        single = self.replay.strategy is None
        standing = Standing(self.counts.ended, self.counts.spent, single=single)
        if may_go_on(self.row.reason) and stop_reason(self.replay, self.counts, standing) is None:
            return True
        if self.best is None:
            return False
        several = self._leaders if len(self._leaders) > 1 else []
        few = any(len(self._of(AGAIN, leader.config)) < self.replay.finals for leader in several)
        return few or len(self._of(FINAL, self.best.trained)) < self.replay.finals

    def _of(self, kind: str, config: Config) -> list[TrialRow]:
        """What the ledger has of that kind of a configuration."""
        return of_kind(kind, config, self._known.values())

    def _place(self, state: TrialState, values: list[float] | None, trial: str, config: Config) -> None:
        if state is TrialState.COMPLETE and values:
            one, direction = Incumbent(values[0], trial, config), self.settings.metrics[0].direction
            self._leaders = placed(self._leaders, one, self.replay.top, direction)

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

    open_cost = devices_held = 0.0  # the same

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
    def ready(self) -> bool:
        """Whether it has not run yet."""
        return not self.ended and not self._token

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
        """End it without further trials, unless it runs or has ended."""
        if not self.ended and not self._token:
            self.ledger.finish_replay(self.row, [], reason, self.best.trial if self.best else None)
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
        trials, reason = list(outcome.trials), outcome.reason
        if outcome.state is not TrialState.COMPLETE:
            trials, reason = [], self._stopped or f"failures: its replay ended: {outcome.reason}"
        if outcome.state is TrialState.COMPLETE or not self._known:
            self.counts, self.best, self._leaders = Counts(), None, []
        again: defaultdict[str, list[float]] = defaultdict(list)
        for replayed in trials:
            if replayed.kind == "trial":
                self._count(replayed)
            elif replayed.kind == AGAIN and replayed.outcome.values:
                again[digest(replayed.config)].append(replayed.outcome.values[0])
        if trials and self._leaders:
            self.best = selected(self._leaders, again, self.settings.metrics[0].direction)
        new, told = self._new(trials), sum(trial.kind == "trial" for trial in self._known.values())
        winner = self.best.trial if self.best else None
        self.ledger.finish_replay(self.row, new, reason, winner, told=told)
        self.ended, self._token = True, ""

    def _new(self, trials: Sequence[Replayed]) -> list[Replayed]:
        """Those that the ledger has not: a search that has grown is replayed from its beginning.

        Raises `RunError` where the replay is not that of the trials that are there.
        """
        numbers = Counter(trial.kind for trial in self._known.values())
        seen: Counter[tuple[str, str]] = Counter()  # of what followed, by kind and configuration
        new = []
        for trial in trials:
            if trial.kind in AFTER:
                key = trial.kind, digest(trial.config)
                if seen[key] >= len(self._of(trial.kind, trial.config)):
                    new.append(replace(trial, number=numbers[trial.kind]))
                    numbers[trial.kind] += 1
                seen[key] += 1
                continue
            known = self._known.get(trial_identity(self.row.id, trial.kind, trial.number))
            if known is None:
                new.append(trial)
            elif (digest(known.config), known.state) != (digest(trial.config), trial.outcome.state):
                raise RunError(
                    f"a replay must repeat the trials that {self.row.id} has, but {known.id} differs: its "
                    "table or a plug-in has changed; start a new campaign with --fresh"
                )
        return new

    def _count(self, ended: Replayed) -> None:
        """Count and charge a trial, and keep it when it is the best."""
        outcome = ended.outcome
        self.counts.add(outcome.state, outcome.device_seconds, outcome.reason)
        self._place(outcome.state, outcome.values, f"{self.row.id}/{ended.number}", ended.config)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The worker died: the search runs again from its beginning, or ends."""
        if token != self._token:
            return
        self._token, self.ended = "", self._attempt >= WORKER_ATTEMPTS
        if self.ended:
            winner = self.best.trial if self.best else None
            self.ledger.finish_search(self.row.id, f"failures: {reason}", winner)

    def status(self) -> SearchStatus:
        """Its line in the live progress."""
        state = "finished" if self.ended else "replaying" if self._token else "waiting"
        return status_of(self, state, int(bool(self._token)))
