"""What Tune does not look after: trials without time left, trials that no node takes, a cluster that died."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from automl.contracts import RunError
from automl.executors.tune import health
from automl.executors.tune.bridge import Bridge

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
        self._killed: set[str] = set()
        self._unplaced: dict[str, tuple[float, float]] = {}  # trial: since when it waits, when it is told

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks for a restore that we never do."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """The lane's worker is up."""
        if self.bridge.failure is None:
            with self.bridge.kept():
                self.bridge.lanes.started(trial.trial_id, trial.temporary_state.ray_actor)

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: object) -> None:
        """At least ten times a second. Raises an error when the cluster died."""
        if isinstance(self.bridge.failure, KeyboardInterrupt):  # it came while the ledger was written
            raise self.bridge.failure
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        self._check_cluster()
        if self.bridge.failure is None:
            with self.bridge.kept():
                self.bridge.lanes.look()
                self._tell_of_waiting(now)
        self._end_lanes()
        if self.bridge.controller is not None:
            self.bridge.controller.update_max_pending_trials(max(1, self.bridge.lanes.plan.wanted))

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
        waiting = {job.trial: job for job in self.bridge.lanes.unplaced()}
        self._unplaced = {trial: self._unplaced.get(trial, (now, now + UNPLACED)) for trial in waiting}
        for trial, (since, tell_at) in self._unplaced.items():
            if now >= tell_at:
                job = waiting[trial]
                self._unplaced[trial] = (since, now + (now - since))
                self.bridge.lanes.source.tell(
                    f"{trial} has waited {now - since:.0f} s for a node with {job.cpus:g} CPUs and "
                    f"{job.gpus:g} GPUs free; other jobs may hold the cluster's"
                )

    def _end_lanes(self) -> None:
        """Kill workers: of late trials, those that are closed before they are up, after a failure all."""
        for lane in list(self.bridge.lanes.by_name.values()):
            unneeded = self.bridge.failure is not None or (lane.closing and lane.handle is None)
            if lane.name in self._killed or not (lane.doomed or unneeded):
                continue
            lane.doomed = True
            self._killed.add(lane.name)
            handle = lane.handle or self._actor(lane.name)
            if handle is not None:
                ray.kill(handle)
            else:
                self._withdraw(lane.name)

    def _withdraw(self, name: str) -> None:
        """Take a lane out of the queue that no node has yet."""
        if (controller := self.bridge.controller) is not None:
            trial = controller.get_trial(name)  # type: ignore[no-untyped-call]
            controller._schedule_trial_stop(trial)
            controller._live_trials.discard(trial)  # as its public way does, which also prints
        self.bridge.lanes.gone(name)

    def _actor(self, name: str) -> Any:
        """The actor of a lane that starts; None when it has no node yet."""
        if (controller := self.bridge.controller) is None:
            return None
        trial = controller.get_trial(name)  # type: ignore[no-untyped-call]
        actor = controller._trial_to_actor.get(trial)  # no public way leads from a trial to its actor
        live = controller._actor_manager._live_actors_to_ray_actors_resources
        return live[actor][0] if actor is not None and actor in live else None
