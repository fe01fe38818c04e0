"""The driver's side of a Tune run: each of its trials is a lane, in which jobs of the campaign run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from automl.executors.tune import deaths
from automl.executors.tune.actor import GROUPS
from automl.executors.tune.lanes import Lanes

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial


class Bridge(Searcher):
    """Between Tune and the lanes. An error in the campaign ends the run and is kept.

    `waits`: whether a trial waits for the answer to each report.
    """

    def __init__(self, lanes: Lanes, *, waits: bool) -> None:
        super().__init__(metric="value", mode="max")
        self.lanes, self._waits = lanes, waits
        self.failure: BaseException | None = None
        self.controller: TuneController | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    @property
    def over(self) -> bool:
        """Whether nothing more is to be run."""
        return self.lanes.finished or self.failure is not None

    def suggest(self, trial_id: str) -> Any:
        """A further lane; None when there are enough."""
        if self.over:
            return Searcher.FINISHED
        place = self.lanes.plan.next()
        if place is None:
            return None
        self.lanes.opened(trial_id, place)
        slots = self.lanes.slots
        holds, avoid = slots.share.of(place.held), sorted(slots.avoid)
        return {"waits": self._waits, "holds": holds, "node": place.node, "avoid": avoid}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A lane has ended."""
        self.lanes.gone(trial_id)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep an error of the campaign; after one, nothing is passed to it."""
        try:
            yield
        except BaseException as error:
            self.failure = error

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth."""


class Gate(FIFOScheduler):
    """Passes on what workers tell."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bridge = bridge

    def on_trial_add(self, controller: TuneController, trial: Trial) -> None:
        """Keep the controller, by which the watchdog finds actors; let their `give` have a thread."""
        if self.bridge.controller is None:
            self.bridge.controller = controller
            kind = trial.get_trainable_cls()  # type: ignore[no-untyped-call]
            made = controller._class_cache.get(kind)  # type: ignore[no-untyped-call] # Tune has no option for it
            made.__ray_metadata__.concurrency_groups = dict(GROUPS)
        controller.update_max_pending_trials(max(1, self.bridge.lanes.plan.wanted))

    def on_trial_result(self, controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """The lane goes on, whatever becomes of its trials."""
        if self.bridge.failure is None:
            with self.bridge.kept():
                self.bridge.lanes.told(trial.trial_id, json.loads(result["messages"]))
        return str(TrialScheduler.CONTINUE)

    def on_trial_error(self, controller: TuneController, trial: Trial) -> None:
        """A worker died."""
        death = deaths.of(trial)
        if self.bridge.failure is None:
            with self.bridge.kept():
                self.bridge.lanes.died(trial.trial_id, death.reason, death.ending)
