"""What Tune does not look after: trials without time left, trials that no node takes, a cluster that died."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import ray
from ray import tune

from automl.contracts import RunError
from automl.executors.tune import health
from automl.executors.tune.bridge import Bridge, Running

LOOK = 0.1  # seconds between two looks
UNPLACED = 30.0  # seconds until it is told that a trial waits for a node; twice as long each time
SILENCE = 45.0  # seconds without an answer of a cluster's head; after 60 Ray ends this process

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


class Watchdog(tune.Callback):
    """Ends trials that have no time left, tells of trials that wait, ends a run whose cluster died."""

    def __init__(self, bridge: Bridge, head: health.Head, own: health.Watch) -> None:
        self.bridge, self.head, self.own = bridge, head, own
        self._looked = 0.0
        self._unplaced: dict[str, tuple[float, float]] = {}  # trial: since when it waits, when it is told

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks for a restore that we never do."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """The trial's worker is up."""
        job = self.bridge.open.get(trial.trial_id)
        self.bridge.running[trial.trial_id] = Running(1.0 if job is None else job.devices)

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: object) -> None:
        """At least ten times a second. Raises an error when the cluster died."""
        if isinstance(self.bridge.failure, KeyboardInterrupt):  # it came while the ledger was written
            raise self.bridge.failure
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        self._check_cluster()
        for trial_id in self.bridge.overdue():
            self._end(trial_id)
        self._tell_of_waiting(now)

    def _check_cluster(self) -> None:
        silent = self.head.silent_for
        if self.own.died is None and silent < SILENCE:
            return
        if self.own.died is None:
            self.bridge.failure = RunError(
                f"Ray's head at {self.head.address} has not answered for {silent:.0f} s; finished trials "
                "are safe; start the cluster and run again to continue"
            )
        health.abandon()  # first: what Tune does after an error would wait for the dead
        raise ConnectionError("Ray died")

    def _tell_of_waiting(self, now: float) -> None:
        waiting = self.bridge.open.keys() - self.bridge.running.keys()
        self._unplaced = {
            trial_id: self._unplaced.get(trial_id, (now, now + UNPLACED)) for trial_id in waiting
        }
        for trial_id, (since, tell_at) in self._unplaced.items():
            if now >= tell_at:
                job = self.bridge.open[trial_id]
                self._unplaced[trial_id] = (since, now + (now - since))
                self.bridge.source.tell(
                    f"{job.trial} has waited {now - since:.0f} s for a node with {job.cpus:g} CPUs and "
                    f"{job.gpus:g} GPUs free; other jobs may hold the cluster's"
                )

    def _end(self, trial_id: str) -> None:
        """Kill the worker of a trial, or take it out of the queue where no worker has it yet."""
        controller = self.bridge.controller
        if controller is None:  # no trial was added yet
            return
        trial = controller.get_trial(trial_id)  # type: ignore[no-untyped-call]
        if trial_id not in self.bridge.running:
            controller._schedule_trial_stop(trial)
            controller._live_trials.discard(trial)  # as its public way does, which also prints
            self.bridge.on_trial_complete(trial_id)
            return
        actor = controller._trial_to_actor[trial]  # no public way leads from a trial to its actor
        handle, _ = controller._actor_manager._live_actors_to_ray_actors_resources[actor]
        ray.kill(handle)
