"""A live search: its trials run one by one on workers, and each event is a transaction of the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from automl.campaign.attempts import cost_of_killed
from automl.campaign.search import Incumbent, status_of
from automl.campaign.settings import Attempt
from automl.campaign.stoppable import StoppableState
from automl.campaign.workdirs import clear, forget
from automl.contracts import Config, Ending, Job, Json, Outcome, Report, TrialState, derive_seed
from automl.files import below
from automl.ledger import AttemptRow, NewTrial, ReportRow, TrialRow
from automl.progress import SearchStatus
from automl.selection import AFTER, AGAIN, FINAL, REFIT, TRANSFER
from automl.stopping import PRUNED, Standing, stop_reason


@dataclass
class LiveSearch(StoppableState):
    """One search while its campaign runs; its whole state can be rebuilt from the ledger."""

    # --- continuing -----------------------------------------------------------------------------

    def restore(
        self,
        trials: Sequence[TrialRow],
        reports: Mapping[str, Sequence[ReportRow]],
        attempts: Mapping[str, Sequence[AttemptRow]] = MappingProxyType({}),
        signs: Mapping[str, float] = MappingProxyType({}),
        began: float = math.inf,
    ) -> None:
        """Rebuild from the ledger. Interrupted trials are queued again and pay for what they used.

        `reports`: see `needs_reports`. `attempts`: of trials that run. `signs`: the last ones of the earlier
        driver (see `cost_of_killed`). `began`: when the first of all attempts that have ended began.
        """
        ordinary = [row for row in trials if row.kind == "trial"]
        self._started = len(ordinary)
        self._after.restore(trials)
        self.attempts = sum(row.attempt for row in trials)
        if ordinary:
            self._allowance.begun = self.clock.at(min(began, *(row.started_at for row in ordinary)))
        self.ended = self.row.state == "finished"
        if self.searcher is not None and self._may_go_on:
            self.searcher.restore(ordinary, reports)
        for row in sorted(ordinary, key=lambda row: row.told or 0):
            if row.state is not TrialState.RUNNING:
                self._count(row, charged=0.0)
        for row in trials:
            if row.state is TrialState.RUNNING:
                self._retries.restore(row, attempts.get(row.id, ()))
                if any(report.value is not None for report in reports.get(row.id, ())):
                    self._open.note_value(row.id)
                if row.kind == "trial":
                    self.counts.charge(row.device_seconds)
                cost = cost_of_killed(row, reports.get(row.id, ()), signs)
                self._lost(row, cost, "its driver was killed", Ending.PREEMPTED)
        self._reopen()
        self._select()

    def _reopen(self) -> None:
        """Go on where its campaign has grown: it ended by a size, and that is not reached now."""
        if self.ended and self._may_go_on and self._stop_reason() is None:
            self.row = self.ledger.reopen_search(self.row.id)
            self.ended = False

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
        seed = derive_seed(self.row.seed, "trial", number)
        return self._start("trial", number, config, self.settings.workdir / str(number), seed)

    def propose_final(self) -> Job | None:
        """The next evaluation of what may win, then the next training of the winner, or None."""
        for kind in AFTER:
            if (row := self._retries.next(kind)) is not None:
                return self._hand_out(row)
        following = self._next_after() if self.ended else None
        if following is None:
            return None
        number, seed = self._after.start(following)
        workdir = self.settings.workdir / f"{following.kind}-{number}"
        return self._start(following.kind, number, following.one.trained, workdir, seed, following.dataset)

    def _start(
        self, kind: str, number: int, config: Config, workdir: Path, seed: int, dataset: str | None = None
    ) -> Job:
        clear(workdir)
        storage = self.settings.storage and below(self.settings.storage, workdir.name)
        new = NewTrial(kind, number, config, seed, self.counts.ended, str(workdir), dataset, storage)
        return self._hand_out(self.ledger.start_trial(self.row.id, new))

    def _ask(self, number: int) -> Config | None:
        fixed = self.settings.fixed if number == 0 else None
        return fixed if self.searcher is None else self.searcher.ask(number)

    def _hand_out(self, row: TrialRow) -> Job:
        attempt = Attempt.of(row, alone=self._retries.is_alone(row.id))
        self.attempts += 1
        if row.kind in (FINAL, TRANSFER):
            job = self.settings.final_job(attempt, derived=self._derived, dataset=row.dataset)
            if row.kind == FINAL and (combined := self._keeping.candidates):
                job = replace(job, candidates=combined, remaining=job.deadline * job.devices)
        elif row.kind == REFIT:
            job = self.settings.refit_job(attempt, self._described(row))
        elif row.kind == AGAIN:
            job = self.settings.again_job(attempt, derived=self._derived)
        else:
            self._allowance.begin()
            named = None if self.searcher is None else self.searcher.evaluator(row.number)
            job = self.settings.trial_job(attempt, self._allowance.remaining, named)
            job = job if named is not None else replace(job, needs_value=self.best is None)
        left = self._allowance.time_left(self._open.add(row, job.deadline), 0.0)
        return replace(job, deadline=max(left, 0.0))

    # --- taking results -------------------------------------------------------------------------

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Keep a report; the reason when the trial must end here."""
        attempt = self._open.get(trial, token)
        if attempt is not None:
            attempt.tell(report.device_seconds)  # first: a driver may be killed while it waits for the ledger
        if attempt is None or not self.ledger.report(trial, token, report):
            return "superseded by another attempt"
        if report.value is not None:
            self._open.note_value(trial)
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
        if self._may_be_tried_again(attempt.row, outcome):
            self._restart(attempt.row, outcome)
        else:
            self._end(attempt.row, outcome)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died."""
        if (attempt := self._open.remove(trial, token)) is not None:
            used = attempt.alive(self.settings.devices) if used is None else used
            self._lost(attempt.row, used, reason, ending)

    def _lost(self, row: TrialRow, cost: float, reason: str, ending: Ending) -> None:
        outcome = Outcome(TrialState.FAILED, cost, reason=reason, error=ending)
        if self._may_be_tried_again(row, outcome):
            self._restart(row, outcome)
        else:
            self._end(row, replace(outcome, reason=f"{reason} in attempt {row.attempt}, the last one"))

    def _may_be_tried_again(self, row: TrialRow, outcome: Outcome) -> bool:
        """Whether what ended the attempt may pass, and something is left for another one."""
        if self._stopped or not self._retries.allows(row.id, outcome.ending, outcome.device_seconds):
            return False
        left = self._allowance.remaining
        return row.kind in AFTER or left is None or left > outcome.device_seconds

    def _restart(self, row: TrialRow, outcome: Outcome) -> None:
        cost = outcome.device_seconds
        if row.kind == "trial":
            self.counts.charge(cost)
        else:
            self._after.cost += cost
        spent = row.device_seconds + cost
        again = self.ledger.restart_trial(row.id, row.token, spent, cost=cost, ended=outcome)
        self._retries.add(again, outcome.ending, cost)

    def _end(self, row: TrialRow, outcome: Outcome) -> None:
        """Take the end of a trial."""
        trial, token = row.id, row.token
        forget(row.workdir)
        if row.kind in AFTER:
            self.ledger.finish_trial(trial, token, outcome, told=None, attributes={})
            self._after.end(row, outcome)
            self._keeping.ended(row, outcome)
            self._select()
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
            host=outcome.host,
            files=outcome.files,
        )
        with self._keeping.tidied(ended):
            self._count(ended, charged=row.device_seconds)
        self._conclude_if_done()

    def _count(self, row: TrialRow, *, charged: float) -> None:
        """Count a trial that ended, of whose cost `charged` is already paid."""
        host = row.host or ""
        self.counts.add(row.state, row.device_seconds, row.reason or "", charged=charged, host=host)
        if row.state is TrialState.COMPLETE and row.values:
            workdir = Path(row.workdir) if row.workdir else None
            left = workdir, row.storage, row.device_seconds, row.files
            self._keeping.add(Incumbent(row.values[0], row.id, row.config, row.derived, *left))
            self.best = self._keeping.leaders[0]
            self._allowance.has_value = True

    # --- ending ---------------------------------------------------------------------------------

    def _stop_reason(self) -> str | None:
        single, wall = self.settings.fixed is not None, self._allowance.wall_used
        standing = Standing(self._started, self.pressure, single=single, exhausted=self._exhausted, wall=wall)
        return self._stopped or self._asked or stop_reason(self.settings, self.counts, standing)

    def status(self) -> SearchStatus:
        """Its line in the live progress."""
        state = "finished" if self.idle else "retraining" if self.ended else "searching"
        running, cost = len(self._open), self._open.used()
        return status_of(self, state, running, cost, self._allowance.wall_used, self._after.retrained)
