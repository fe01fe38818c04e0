"""A live search: its trials run one by one on workers, and each event is a transaction of the ledger."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from automl.campaign.search import Incumbent, status_of
from automl.campaign.settings import Attempt
from automl.campaign.state import SearchState
from automl.contracts import Config, Job, Json, Outcome, Report, TrialState, derive_seed
from automl.ledger import NewTrial, ReportRow, TrialRow
from automl.progress import SearchStatus
from automl.stopping import PRUNED, Standing, stop_reason

WORKER_ATTEMPTS = 2  # a trial whose worker died is retried once: it may be the trial that kills workers
DRIVER_ATTEMPTS = 5  # a killed driver is rarely the trial's fault


@dataclass
class LiveSearch(SearchState):
    """One search while its campaign runs; its whole state can be rebuilt from the ledger."""

    # --- continuing -----------------------------------------------------------------------------

    def restore(
        self, trials: Sequence[TrialRow], reports: Mapping[str, Sequence[ReportRow]], heartbeat: float | None
    ) -> None:
        """Rebuild from the ledger. Interrupted trials are queued again and pay for what they used."""
        ordinary = [row for row in trials if row.kind == "trial"]
        self._started = len(ordinary)
        self._next_final = len(trials) - len(ordinary)
        self._final_cost = sum(row.device_seconds for row in trials if row.kind == "final")
        self.attempts = sum(row.attempt for row in trials)
        if ordinary:
            self._allowance.begun = self.clock.at(min(row.started_at for row in ordinary))
        self.ended = self.row.state == "finished"
        if self.searcher is not None:
            self.searcher.restore(ordinary, reports)
        for row in sorted(ordinary, key=lambda row: row.told or 0):
            if row.state is not TrialState.RUNNING:
                self._count(row, charged=0.0)
        for row in trials:
            if row.state is TrialState.RUNNING:
                if row.kind == "trial":
                    self.counts.charge(row.device_seconds)
                reported = max((r.device_seconds for r in reports.get(row.id, ())), default=0.0)
                alive = ((heartbeat or 0.0) - row.started_at) * self.settings.devices
                self._retry(row, max(reported, alive, 0.0), DRIVER_ATTEMPTS, "its driver was killed")

    # --- proposing ------------------------------------------------------------------------------

    def propose(self) -> Job | None:
        """The next trial, or None when there is none now."""
        if (row := self._retries.next("trial")) is not None:
            return self._hand_out(row)
        if self.ended or self._stop_reason() is not None:
            self._conclude_if_done()
            return None
        number = self._started
        config = self._ask(number)
        if config is None:
            self._exhausted = True
            self._conclude_if_done()
            return None
        self._started += 1
        return self._start("trial", number, config, self.settings.workdir / str(number))

    def propose_final(self) -> Job | None:
        """The next fresh-seed retraining of the winner, or None."""
        if (row := self._retries.next("final")) is not None:
            return self._hand_out(row)
        if not self.ended or self._next_final >= self._finals() or self.best is None:
            return None
        number = self._next_final
        self._next_final += 1
        return self._start("final", number, self.best.trained, self.settings.workdir / f"final-{number}")

    def _start(self, kind: str, number: int, config: Config, workdir: Path) -> Job:
        shutil.rmtree(workdir, ignore_errors=True)  # of a campaign of this name whose ledger was deleted
        seed = derive_seed(self.row.seed, kind, number)
        new = NewTrial(kind, number, config, seed, asked_after=self.counts.ended, workdir=str(workdir))
        return self._hand_out(self.ledger.start_trial(self.row.id, new))

    def _ask(self, number: int) -> Config | None:
        if self.searcher is not None:
            return self.searcher.ask(number)
        return self.settings.fixed if number == 0 else None

    def _hand_out(self, row: TrialRow) -> Job:
        attempt = Attempt(row.id, row.token, row.attempt, row.config, row.seed, row.workdir or "")
        remaining = self._allowance.remaining
        self.attempts += 1
        if row.kind == "final":
            job = self.settings.final_job(attempt, derived=self._derived)
        else:
            self._allowance.begin()
            named = None if self.searcher is None else self.searcher.evaluator(row.number)
            job = self.settings.trial_job(attempt, remaining, named)
            job = job if named is not None else replace(job, needs_value=self.best is None)
        left = self._allowance.time_left(self._open.add(row, job.deadline), 0.0)
        return replace(job, deadline=max(left, 0.0))

    # --- taking results -------------------------------------------------------------------------

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Keep a report; the reason when the trial must end here."""
        attempt = self._open.get(trial, token)
        if attempt is None or not self.ledger.report(trial, token, report):
            return "superseded by another attempt"
        attempt.elapsed = report.device_seconds
        attempt.valued |= report.value is not None
        if attempt.is_final:
            return None
        pruned = (
            self.searcher is not None
            and report.value is not None
            and self.searcher.report(attempt.row.number, report.step, report.value)
        )
        return self._allowance.at_report(attempt) or (PRUNED if pruned else None)

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        attempt = self._open.get(trial, token)
        if attempt is None:
            return
        outcome = self._allowance.ended(attempt, outcome)
        self._open.remove(trial, token)
        row = attempt.row
        if attempt.is_final:
            self.ledger.finish_trial(trial, token, outcome, told=None, attributes={})
            self._final_cost += outcome.device_seconds
            _remove_checkpoints(row.workdir)
            return
        attributes: Json = {}
        if self.searcher is not None:
            attributes = self.searcher.tell(row.number, outcome.state, outcome.values, outcome.metrics)
        self.ledger.finish_trial(trial, token, outcome, told=self.counts.ended, attributes=attributes)
        ended = replace(
            row,
            state=outcome.state,
            values=outcome.values,
            derived=outcome.derived,
            device_seconds=row.device_seconds + outcome.device_seconds,
            reason=outcome.reason,
        )
        before = self.best
        self._count(ended, charged=row.device_seconds)
        if self.best is before:
            _remove_checkpoints(row.workdir)
        elif before is not None:
            _remove_checkpoints(before.workdir)
        self._conclude_if_done()

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died."""
        attempt = self._open.remove(trial, token)
        if attempt is not None:
            self._retry(attempt.row, attempt.used(self.settings.devices), WORKER_ATTEMPTS, reason)

    def _retry(self, row: TrialRow, cost: float, attempts: int, reason: str) -> None:
        if row.attempt >= attempts:
            self._open.add(row, self.settings.deadline)
            why = f"{reason} in attempt {row.attempt}, the last one"
            self.finish(row.id, row.token, Outcome(TrialState.FAILED, cost, reason=why))
            return
        if row.kind == "trial":
            self.counts.charge(cost)
        else:
            self._final_cost += cost
        self._retries.add(self.ledger.restart_trial(row.id, row.token, row.device_seconds + cost))

    def _count(self, row: TrialRow, *, charged: float) -> None:
        """Count a trial that ended, of whose cost `charged` is already paid."""
        self.counts.add(row.state, row.device_seconds, row.reason or "", charged=charged)
        if row.state is TrialState.COMPLETE and row.values:
            workdir = Path(row.workdir) if row.workdir else None
            trial = Incumbent(row.values[0], row.id, row.config, row.derived, workdir)
            if trial.beats(self.best, self.settings.metrics[0].direction):
                self.best = trial
                self._allowance.has_value = True

    # --- ending ---------------------------------------------------------------------------------

    def _stop_reason(self) -> str | None:
        single, wall = self.settings.fixed is not None, self._allowance.wall_used
        standing = Standing(self._started, self.pressure, single=single, exhausted=self._exhausted, wall=wall)
        return self._stopped or stop_reason(self.settings, self.counts, standing)

    def stop(self, reason: str) -> None:
        """Start nothing more, no retraining either: a limit of the campaign is reached."""
        self._stopped = reason
        for kind in ("trial", "final"):
            while (row := self._retries.next(kind)) is not None:
                self._open.add(row, 0.0)
                why = f"not tried again: {reason}"
                self.finish(row.id, row.token, Outcome(TrialState.FAILED, 0.0, reason=why))
        self._conclude_if_done()

    def _conclude_if_done(self) -> None:
        if self.ended or self._open or self._retries:
            return
        reason = self._stop_reason()
        if reason is not None:
            self.ended = True
            self.ledger.finish_search(self.row.id, reason, self.best.trial if self.best else None)

    def status(self) -> SearchStatus:
        """Its line in the live progress."""
        state = "finished" if self.idle else "retraining" if self.ended else "searching"
        return status_of(self, state, running=len(self._open), open_cost=self._open.used())


def _remove_checkpoints(workdir: str | Path | None) -> None:
    """Only the best trial keeps its checkpoints, which go to MLflow."""
    if workdir:
        shutil.rmtree(Path(workdir) / "checkpoints", ignore_errors=True)
