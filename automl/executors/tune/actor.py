"""The worker's side of a Tune run: an actor that runs one job after the other."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ray import tune

from automl.contracts import Job, Report
from automl.executors.tune import arrival
from automl.executors.worker import Clock, run_job
from automl.signs import Signs

BEAT = 1.0  # seconds until a trial without a message is said to run; twice as long each time until it does


class Actor(tune.Trainable):
    """A reused actor: each `step` runs the trial up to its next report or its outcome.

    A class of our own rather than a function, which Tune charges one more round trip per trial.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Tune's name for starting."""
        self._conversation = Conversation(arrival.job(Job.from_json(json.loads(config["job"]))))

    def step(self) -> dict[str, Any]:
        """The next report, or the outcome with `done`; once, that a silent trial runs."""
        return self._conversation.next()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial in the same process."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """End a trial that was stopped at a report."""
        self._conversation.stop()


class Conversation:
    """A trial in a thread that waits for an answer to each of its reports."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._messages: SimpleQueue[dict[str, Any] | BaseException] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._clock: Clock | None = None
        self._beat: float | None = BEAT  # None: it is known to run
        self._waits = False  # the trial, for an answer
        self._thread = threading.Thread(target=self._run, name=job.trial, daemon=True)

    def next(self) -> dict[str, Any]:
        """Run the trial up to its next message. Raises an error of the worker itself."""
        if self._thread.ident is None:
            self._thread.start()
        elif self._waits:
            self._waits = False
            self._answers.put(True)
        try:
            message = self._messages.get(timeout=self._beat)
        except Empty:
            return self._silent()
        if isinstance(message, BaseException):
            raise message
        self._waits = "report" in message
        return message

    def _silent(self) -> dict[str, Any]:
        """Device-seconds so far of a trial that has told nothing; None while its data are loaded."""
        if self._clock is None:
            self._beat = None if self._beat is None else 2 * self._beat
            return {"elapsed": None}
        self._beat = None
        return {"elapsed": self._clock()}

    def stop(self) -> None:
        """End the thread, which waits at a report or has ended. One amid a trial is left to die."""
        if self._waits or not self._thread.is_alive():
            self._answers.put(False)
            if self._thread.ident is not None:
                self._thread.join()

    def report(self, report: Report) -> str | None:
        """Called by the trial: waits for the answer to its report; a reason ends it here."""
        self._messages.put({"report": json.dumps(vars(report))})
        return None if self._answers.get() else "stopped"

    def _started(self, clock: Clock) -> None:
        self._clock = clock

    def _used(self) -> dict[str, float]:
        """Device-seconds so far: the driver hears of a silent trial late, and may be killed before."""
        return {} if self._clock is None else {self.job.token: self._clock()}

    def _run(self) -> None:
        try:
            with Signs(Path(self.job.workdir), self.job.token, self._used).noted():
                outcome = run_job(self.job, self, self._started)
            self._messages.put({"outcome": json.dumps(outcome.to_json()), "done": True})
        except BaseException as error:
            self._messages.put(error)
