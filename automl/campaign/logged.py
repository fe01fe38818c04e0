"""Jobs that know the MLflow run of their trial, so that the evaluator's own code can log there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from automl import plugins
from automl.contracts import Ending, Held, Job, JobSource, Outcome, Report, Room
from automl.recorder import Recorder


class LoggedJobs:
    """The `JobSource` of a campaign once more; it makes the run of a trial whose evaluator may use MLflow."""

    def __init__(self, source: JobSource, recorder: Recorder) -> None:
        self._source, self._recorder = source, recorder

    def next_job(self, held: Held | None = None) -> Job | None:
        """The next job, with the address of its run."""
        job = self._source.next_job(held)
        if job is None or not plugins.load("evaluators", job.evaluator.name).uses_mlflow:
            return job
        return replace(job, run=self._recorder.begin(job.trial))

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""
        return self._source.finished

    @property
    def share(self) -> int | None:
        """How many jobs may be open now; None for no bound."""
        return self._source.share

    @property
    def learns(self) -> bool:
        """Whether jobs depend on how earlier ones end."""
        return self._source.learns

    def divide(self, rooms: Sequence[Room], most: int | None, turn: float) -> Mapping[Held, int]:
        """How many jobs of each size shall be open in `rooms` now."""
        return self._source.divide(rooms, most, turn)

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial."""
        return self._source.report(trial, token, report)

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""
        return self._source.time_left(trial, token, elapsed)

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        self._source.finish(trial, token, outcome)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died."""
        self._source.lost(trial, token, reason, ending, used)

    def tell(self, text: str) -> None:
        """Show a line about where trials run."""
        self._source.tell(text)
