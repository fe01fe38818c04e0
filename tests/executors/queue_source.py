"""Jobs of the objectives beside this file, and a `JobSource` that retries a lost job once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import objectives
from patience import PATIENCE

from automl.checking import jobs
from automl.contracts import Ending, Job
from automl.executors.isolated import Isolated

HERE = str(Path(__file__).parent)


def attended(worker: Isolated, source: QueueSource) -> None:
    """Let a process take the next job of `source`, and attend to it until that has ended."""
    given = source.next_job()
    assert given is not None
    worker.begin(given)
    while worker.job is not None:
        worker.attend(source)
        time.sleep(0.01)


def job(name: str, workdir: Path, *, x: float = 1.0, deadline: float = PATIENCE) -> Job:
    """A job of the objective `name`, which is its trial's name too."""
    plain = jobs.job(getattr(objectives, name), str(workdir), deadline=deadline)
    token, folder = "token-1", str(workdir / name)
    given = replace(plain, trial=name, token=token, config={"x": x}, seed=3, workdir=folder)
    return replace(given, space={"name": "objectives:SPACE"}, import_path=[HERE])


class QueueSource(jobs.QueueSource):
    """`losses`: the reasons for which attempts of a trial were lost."""

    def __init__(self, jobs: list[Job], stop_at: dict[str, int] | None = None) -> None:
        super().__init__(jobs, stop_at)
        self.losses: dict[str, list[str]] = {}

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        given = self.open[trial]
        assert token == given.token
        super().lost(trial, token, reason, ending)
        if ending is Ending.PREEMPTED and used == 0:  # it had not begun: no attempt
            self.waiting.append(given)
            return
        self.losses.setdefault(trial, []).append(reason)
        if given.attempt == 1:
            self.waiting.append(replace(given, attempt=2, token="token-2"))
