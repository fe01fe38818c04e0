"""Trials in parallel on Ray, here or on a cluster: one Tune run whose points come from the campaign.

Tune gets points, not spaces: a `Searcher` hands out the campaign's jobs, a scheduler passes every
report on and ends the trials that the campaign ends. Actors are reused; state stays in the driver.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

# Read by Ray at import: no usage statistics, no per-trial log files, Ctrl-C is ours.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_CHDIR_TO_TRIAL_DIR="0",
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_DISABLE_SIGINT_HANDLER="1",
    TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
    RAY_AIR_NEW_OUTPUT="0",
    TUNE_GLOBAL_CHECKPOINT_S="1e9",  # no snapshots of Tune's: the ledger is the truth
    TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S="0",
)

import ray
from pydantic import Field
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from automl import contracts
from automl.contracts import Executor, Job, JobSource, Outcome, Report, RunError, TrialState, UserError
from automl.executors.worker import run_job


class Ray(Executor):
    """Runs jobs on a Ray cluster, as many at once as fit or as asked for."""

    class Options(contracts.Options):
        """`cpus`, `gpus`: what each trial holds, fractions allowed.

        `trials_at_once`: by default as many as fit. `address`: a running cluster (`auto` finds it);
        by default one of our own on this machine.
        """

        trials_at_once: int | None = Field(default=None, ge=1)
        cpus: float = Field(default=1, gt=0)
        gpus: float = Field(default=0, ge=0)
        address: str | None = None

    place_options: ClassVar[frozenset[str]] = frozenset({"address"})

    options: Ray.Options

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.cpus, self.gpus = options.cpus, options.gpus
        self.trials_at_once = options.trials_at_once or max(1, int((os.cpu_count() or 1) / options.cpus))
        self._folder: str | None = None  # Tune's, made when trials are run

    def check(self) -> None:
        """Start or join the cluster. Raises `UserError` when no node has what a trial asks for."""
        self._connect()
        alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        nodes = [node["Resources"] for node in alive]
        slots = sum(self._slots(node) for node in nodes)
        if slots == 0:
            cpus, gpus = (max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
            self.close()
            raise UserError(
                f"a trial must fit on one node, but it asks for cpus={self.cpus:g} gpus={self.gpus:g} "
                f"and the largest have {cpus:g} CPUs and {gpus:g} GPUs; "
                "lower executor.ray.cpus or .gpus, or add a node"
            )
        self.trials_at_once = min(self.options.trials_at_once or slots, slots)

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        self._folder = tempfile.mkdtemp(prefix="automl-ray-")
        bridge = _Bridge(source, self.trials_at_once)
        resources = tune.PlacementGroupFactory([{"CPU": self.cpus, "GPU": self.gpus}])
        tuner = tune.Tuner(
            tune.with_resources(_Worker, resources),
            tune_config=tune.TuneConfig(
                search_alg=bridge,
                scheduler=_Gate(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="campaign",
                storage_path=self._folder,
                verbose=0,
                callbacks=[_Watchdog(bridge)],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except tune.TuneError as error:
            if bridge.failure is None:
                raise RunError(
                    f"Ray Tune failed: {error}; finished trials are safe, run again to continue"
                ) from error
        if bridge.failure is not None:
            raise bridge.failure

    def close(self) -> None:
        """Leave the cluster; one of our own ends with all its workers."""
        ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _connect(self) -> None:
        for name in ("ray", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            ray.init(
                address=self.options.address or "local",
                include_dashboard=None if self.options.address else False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"executor.ray.address must name a running Ray cluster, but got {self.options.address!r}: "
                f"{error}; start one with `ray start --head` and give every node and this process the same "
                "RAY_AUTH_TOKEN, or leave the address out"
            ) from error
        token = Path.home() / ".ray" / "auth_token"
        if token.exists() and token.stat().st_uid == os.getuid():
            token.chmod(0o600)  # Ray makes it readable to everybody on this machine

    def _slots(self, node: dict[str, float]) -> int:
        fits = [node.get("CPU", 0) / self.cpus]
        if self.gpus:
            fits.append(node.get("GPU", 0) / self.gpus)
        return int(min(fits) + 1e-9)


class _Worker(tune.Trainable):
    """A reused actor: each `step` lets the trial go on to its next report or to its outcome.

    A class of our own rather than a function, which Tune charges one more round trip per trial.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Tune's name for starting."""
        self._talk = _Talk(Job.from_json(json.loads(config["job"])))

    def step(self) -> dict[str, Any]:
        """The next report, or the outcome with `done`."""
        return self._talk.next()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial in the same process."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """End a trial that was stopped at a report."""
        self._talk.stop()


class _Talk:
    """A trial in a thread that waits for an answer to each of its reports."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._said: SimpleQueue[dict[str, Any] | BaseException] = SimpleQueue()
        self._may_go_on: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=job.trial, daemon=True)

    def next(self) -> dict[str, Any]:
        """Let the trial go on; what it says next. Raises what broke the worker itself."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._may_go_on.put(True)
        said = self._said.get()
        if isinstance(said, BaseException):
            raise said
        return said

    def stop(self) -> None:
        """End the thread, which waits at a report or is through."""
        if self._thread.ident is not None:
            self._may_go_on.put(False)
            self._thread.join()

    def report(self, report: Report) -> str | None:
        """Called by the trial: waits until it may go on, or is told that it ends here."""
        self._said.put({"report": json.dumps(vars(report))})
        return None if self._may_go_on.get() else "stopped"

    def _run(self) -> None:
        try:
            self._said.put({"outcome": json.dumps(run_job(self.job, self).to_json()), "done": True})
        except BaseException as error:
            self._said.put(error)


class _Bridge(Searcher):
    """Between Tune's trial ids and the campaign's jobs. An error in the campaign stops Tune and is kept."""

    def __init__(self, source: JobSource, trials_at_once: int) -> None:
        super().__init__(metric="value", mode="max")
        self.source, self.trials_at_once = source, trials_at_once
        self.open: dict[str, Job] = {}
        self.late: set[str] = set()
        self.errors: dict[str, str] = {}
        self.failure: BaseException | None = None
        self.controller: Any = None

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
        if "report" not in result:
            return False
        report = Report(**json.loads(result["report"]))
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
            if result and "outcome" in result:
                self.source.finish(job.trial, job.token, Outcome.from_json(json.loads(result["outcome"])))
            elif trial_id in self.late:
                reason = f"deadline: the trial took longer than {job.deadline:g} s"
                cost = job.deadline * job.devices
                self.source.finish(job.trial, job.token, Outcome(TrialState.FAILED, cost, reason=reason))
            else:
                self.source.lost(job.trial, job.token, self.errors.pop(trial_id, "its worker died"))
        except BaseException as failure:
            self._fail(failure)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""

    def _fail(self, error: BaseException) -> str:
        self.failure = error
        return str(Searcher.FINISHED)


class _Gate(FIFOScheduler):
    """Asks the campaign about every report."""

    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bridge = bridge

    def on_trial_add(self, controller: Any, trial: Any) -> None:
        """Keep the way to the actors, for the watchdog."""
        self.bridge.controller = controller

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP when the campaign ends the trial."""
        stop = self.bridge.report(trial.trial_id, result)
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def on_trial_error(self, controller: Any, trial: Any) -> None:
        """Remember why, for `on_trial_complete`, which Tune calls next."""
        text = str(trial.get_error() or "").strip().splitlines()
        self.bridge.errors[trial.trial_id] = f"its worker died: {text[-1]}" if text else "its worker died"


class _Watchdog(tune.Callback):
    """Kills the worker of a trial past its deadline: in Tune a trial that never reports lives for ever."""

    def __init__(self, bridge: _Bridge) -> None:
        self.bridge = bridge
        self.started: dict[str, float] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's worker is up."""
        self.started[trial.trial_id] = time.monotonic()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """About ten times a second."""
        now = time.monotonic()
        for trial_id, job in list(self.bridge.open.items()):
            start = self.started.get(trial_id)
            if start is not None and now - start > job.deadline and trial_id not in self.bridge.late:
                self.bridge.late.add(trial_id)
                self._kill(trial_id)

    def _kill(self, trial_id: str) -> None:
        controller = self.bridge.controller
        trial = controller.get_trial(trial_id)
        actor = controller._trial_to_actor[trial]  # no public way leads from a trial to its actor
        handle, _ = controller._actor_manager._live_actors_to_ray_actors_resources[actor]
        ray.kill(handle)


PLUGIN = Ray
