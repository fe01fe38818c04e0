"""Jobs for an executor that is checked, and what stands for the campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from automl.checking import objectives
from automl.contracts import Ending, Held, Job, Outcome, PluginSpec, Report, Room

LARGEST_STEP = 1000


class QueueSource:
    """Hands out jobs in order and keeps what happens to them; `stop_at[trial]` ends a trial at that step."""

    learns = True

    def __init__(self, jobs: list[Job], stop_at: dict[str, int] | None = None) -> None:
        self.waiting = list(jobs)
        self.stop_at = stop_at or {}
        self.open: dict[str, Job] = {}
        self.reports: dict[str, list[Report]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.lost_jobs: dict[str, str] = {}
        self.told: list[str] = []
        self.most_open = 0

    def next_job(self, held: Held | None = None) -> Job | None:
        """The next job."""
        job = next((job for job in self.waiting if held in (None, job.held)), None)
        if job is None:
            return None
        self.waiting.remove(job)
        self.open[job.trial] = job
        self.most_open = max(self.most_open, len(self.open))
        return job

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""
        return not self.waiting and not self.open

    @property
    def share(self) -> int | None:
        """As many as the executor runs at a time."""
        return None

    def divide(self, rooms: Sequence[Room], most: int | None, turn: float) -> Mapping[Held, int]:
        """One for each job that there is."""
        return Counter(job.held for job in (*self.open.values(), *self.waiting))

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Keep a report."""
        self.reports.setdefault(trial, []).append(report)
        return "pruned" if report.step >= self.stop_at.get(trial, LARGEST_STEP) else None

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """What is left of the job's deadline."""
        job = self.open[trial]
        return job.deadline - elapsed / job.devices

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Keep the end of a job."""
        assert trial not in self.outcomes, f"a trial must end once, but {trial} ended twice"
        assert self.open.pop(trial).token == token, f"{trial} must end with the token of its job"
        self.outcomes[trial] = outcome

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """Keep the loss of a job."""
        self.open.pop(trial)
        self.lost_jobs[trial] = reason

    def tell(self, text: str) -> None:
        """Keep a line for the user."""
        self.told.append(text)


def job(objective: Callable[..., object], workdir: str, number: int = 0, deadline: float = 60.0) -> Job:
    """A job that calls one of `automl.checking.objectives`."""
    function = PluginSpec("function", {"call": f"{objective.__module__}:{objective.__name__}"})
    name = f"{objective.__name__}-{number}"
    return Job(
        trial=name,
        token=f"token-{name}",
        attempt=1,
        space={"name": f"{objectives.__name__}:SPACE"},
        task={"dataset": None},
        metrics=[{"name": "loss", "direction": "minimize"}],
        evaluator=function,
        protocol=function,
        config={"x": float(number)},
        seed=number,
        workdir=str(Path(workdir) / name),
        devices=1.0,
        cpus=1.0,
        gpus=0.0,
        remaining=None,
        deadline=deadline,
    )
