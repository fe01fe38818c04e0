"""The driver's side of a Tune run: jobs out, reports and outcomes in."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import ray
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from automl.contracts import Ending, Job, JobSource, Outcome, Report, TrialState
from automl.executors.tune import health
from automl.executors.tune.actor import BEAT
from automl.executors.worker import LOADING

NODE_GONE = re.compile(r"\bnode\b.*\b(died|dead|terminated|preempted|drained)\b", re.IGNORECASE)
LOADS_IN_SILENCE = 2.0 * BEAT

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial


class Running:
    """What the driver knows of the clock of a trial whose worker is up."""

    def __init__(self, devices: float) -> None:
        self.devices = devices
        self._began = self._told_at = time.monotonic()
        self._seconds = 0.0  # wall seconds of the trial when it was last heard of
        self._loads = True  # it was never heard to run

    def told(self, device_seconds: float | None) -> None:
        """The trial says what it has cost; None: it is still loading."""
        self._told_at = time.monotonic()
        if device_seconds is not None:
            self._seconds, self._loads = device_seconds / self.devices, False

    @property
    def last_sign(self) -> float:
        """Device-seconds when it was last heard of."""
        return self._seconds * self.devices

    def at(self, moment: float) -> float:
        """Device-seconds at a monotonic second since then, when its machine died."""
        silent = 0.0 if self._loads else max(0.0, moment - self._told_at)
        return self.last_sign + silent * self.devices

    @property
    def elapsed(self) -> float:
        """Wall seconds of its clock so far. One that does not even say that it is loading hangs."""
        silent = time.monotonic() - self._told_at
        return self._seconds + max(0.0, silent - LOADS_IN_SILENCE if self._loads else silent)

    @property
    def loads_too_long(self) -> bool:
        """Whether its code and data should have been loaded long ago."""
        return self._loads and time.monotonic() - self._began > LOADING


class Bridge(Searcher):
    """Between Tune's trial ids and the campaign's jobs. An error in the campaign stops Tune and is kept."""

    def __init__(self, source: JobSource, trials_at_once: int) -> None:
        super().__init__(metric="value", mode="max")
        self.source, self.trials_at_once = source, trials_at_once
        self.open: dict[str, Job] = {}
        self.running: dict[str, Running] = {}
        self.late: dict[str, float] = {}  # trials without time left: their device-seconds
        self.errors: dict[str, tuple[str, Ending]] = {}
        self.failure: BaseException | None = None
        self.controller: TuneController | None = None
        self.ended = 0  # trials of this run

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """The next job as a Tune configuration; None to ask again later."""
        if self.failure is not None:
            return Searcher.FINISHED
        if len(self.open) >= self.trials_at_once:
            return None
        try:
            job = self.source.next_job()
            if job is None:
                return Searcher.FINISHED if self.source.finished else None
        except BaseException as error:
            return self._fail(error)
        self.open[trial_id] = job
        return {"job": json.dumps(job.to_json())}

    def report(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Pass a report on; True ends the trial."""
        job = self.open.get(trial_id)
        if job is None or self.failure is not None:
            return True
        if "elapsed" in result:
            self.running[trial_id].told(result["elapsed"])
        if "report" not in result:
            return False
        report = Report(**json.loads(result["report"]))
        self.running[trial_id].told(report.device_seconds)
        try:
            reason = self.source.report(job.trial, job.token, report)
            if reason is not None:
                del self.open[trial_id]
                pruned = Outcome(TrialState.PRUNED, report.device_seconds, reason=reason)
                self.source.finish(job.trial, job.token, pruned)
        except BaseException as error:
            self._fail(error)
            return True
        return reason is not None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of an attempt on: its outcome, its deadline, or the death of its worker."""
        job = self.open.pop(trial_id, None)
        if job is None or self.failure is not None:
            return
        try:
            self.ended += bool(result and "outcome" in result)
            if result and "outcome" in result:
                self.source.finish(job.trial, job.token, Outcome.from_json(json.loads(result["outcome"])))
            elif trial_id in self.late:
                self.source.finish(job.trial, job.token, job.late(self.late[trial_id]))
            else:
                reason, ending = self.errors.pop(trial_id, ("its worker died", Ending.LOST))
                known = self.running.get(trial_id)
                used = None
                if known is not None and ending is Ending.PREEMPTED:  # its death was noticed late
                    used = known.last_sign
                self.source.lost(job.trial, job.token, reason, ending, used)
        except BaseException as failure:
            self._fail(failure)

    def overdue(self) -> list[str]:
        """The open trials that have no time left, each once."""
        if self.failure is not None:
            return []
        found = []
        try:
            for trial_id, job in self.open.items():
                known = self.running.get(trial_id)
                elapsed = 0.0 if known is None else known.elapsed * job.devices
                loads = known is not None and known.loads_too_long
                if self.source.time_left(job.trial, job.token, elapsed) <= 0 or loads:
                    found += [] if trial_id in self.late else [trial_id]
                    self.late.setdefault(trial_id, elapsed)
        except BaseException as error:
            self._fail(error)
        return found

    def lose(self, reason: str, died_at: float) -> None:
        """Every open trial goes back to the campaign: the cluster was gone at a monotonic second."""
        lost, self.open = self.open, {}
        for trial_id, job in lost.items():
            known = self.running.get(trial_id)
            used = 0.0 if known is None else known.at(died_at)
            self.source.lost(job.trial, job.token, reason, Ending.PREEMPTED, used)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""

    def _fail(self, error: BaseException) -> str:
        self.failure = error
        return str(Searcher.FINISHED)


class Gate(FIFOScheduler):
    """Asks the campaign about every report."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bridge = bridge

    def on_trial_add(self, controller: TuneController, trial: Trial) -> None:
        """Keep the controller, by which the watchdog finds actors."""
        self.bridge.controller = controller

    def on_trial_result(self, controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """STOP when the campaign ends the trial."""
        stop = self.bridge.report(trial.trial_id, result)
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def on_trial_error(self, controller: TuneController, trial: Trial) -> None:
        """Keep the reason for `on_trial_complete`, which Tune calls next."""
        text = str(trial.get_error() or "").strip().splitlines()
        reason = f"its worker died: {text[-1]}" if text else "its worker died"
        ending = how_lost(trial.get_pickled_error(), reason)
        if health.ended_process():  # it took its workers with it
            ending = Ending.PREEMPTED
        self.bridge.errors[trial.trial_id] = (reason, ending)


def how_lost(error: BaseException | None, text: str) -> Ending:
    """Why a worker died: by itself, for its memory, or with its machine."""
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return Ending.OOM
    gone = isinstance(error, ray.exceptions.RayActorError) and error.preempted
    if gone or isinstance(error, ray.exceptions.NodeDiedError) or NODE_GONE.search(text):
        return Ending.PREEMPTED
    return Ending.LOST
