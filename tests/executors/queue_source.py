"""A `JobSource` over a list of jobs that notes all that executors tell it."""

from __future__ import annotations

from pathlib import Path

from automl.contracts import Job, Outcome, PluginSpec, Report

HERE = str(Path(__file__).parent)


def job(name: str, workdir: Path, *, x: float = 1.0, deadline: float = 60.0, attempt: int = 1) -> Job:
    function = PluginSpec("function", {"call": f"objectives:{name}"})
    return Job(
        trial=name,
        token=f"token-{attempt}",
        attempt=attempt,
        space={"name": "objectives:SPACE"},
        task={"dataset": None},
        metrics=[{"name": "loss", "direction": "minimize"}],
        evaluator=function,
        protocol=function,
        config={"x": x},
        seed=3,
        workdir=str(workdir / name),
        devices=1.0,
        cpus=1.0,
        gpus=0.0,
        remaining=None,
        deadline=deadline,
        import_path=[HERE],
    )


class QueueSource:
    """Hands out jobs in order; `stop_at[trial]` ends a trial at that step; a lost job is retried once."""

    def __init__(self, jobs: list[Job], stop_at: dict[str, int] | None = None) -> None:
        self.waiting = list(jobs)
        self.open: dict[str, Job] = {}
        self.stop_at = stop_at or {}
        self.reports: dict[str, list[Report]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.losses: dict[str, list[str]] = {}
        self.most_open = 0

    def next_job(self) -> Job | None:
        if not self.waiting:
            return None
        given = self.waiting.pop(0)
        self.open[given.trial] = given
        self.most_open = max(self.most_open, len(self.open))
        return given

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.open

    def report(self, trial: str, token: str, report: Report) -> str | None:
        assert token == self.open[trial].token
        self.reports.setdefault(trial, []).append(report)
        return "pruned" if report.step >= self.stop_at.get(trial, 1000) else None

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        assert token == self.open.pop(trial).token
        assert trial not in self.outcomes, "a trial must end once"
        self.outcomes[trial] = outcome

    def lost(self, trial: str, token: str, reason: str) -> None:
        lost = self.open.pop(trial)
        assert token == lost.token
        self.losses.setdefault(trial, []).append(reason)
        if lost.attempt == 1:
            again = Job.from_json({**lost.to_json(), "attempt": 2, "token": "token-2"})
            self.waiting.append(again)
