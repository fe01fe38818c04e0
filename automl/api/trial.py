"""One trial of an outside loop: what it must evaluate, and what the loop tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from automl.api.loop import EndedError, Loop, ToldOptions
from automl.checkpoints import remove_unfinished
from automl.contracts import (
    LATE,
    Checkpoints,
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Job,
    Outcome,
    Report,
    Result,
    RunError,
    TrialStopped,
    UserError,
)
from automl.evaluators.function import as_result
from automl.executors.outcomes import evaluate
from automl.executors.trial import TrialContext
from automl.masking import mask_text
from automl.spaces import load_space

Value: TypeAlias = float | Sequence[float] | Mapping[str, float] | Result
BY_LOOP = "pruned by the outside loop"


class Trial:
    """An open trial of a session.

    `config`: what to evaluate. `name`: its id in the store. `seed`: its own, for the program's generators.
    `attempt`: 1, or more for a trial that was open when an earlier session ended: its folder holds what that
    left. It costs the wall seconds from `ask` to `tell`, times the devices that a trial holds.
    """

    def __init__(self, job: Job, loop: Loop) -> None:
        self._job, self._loop = job, loop
        self._told: str | None = None
        self._stopped = ""
        remove_unfinished(Path(job.workdir))
        protocol = _Answer(ToldOptions())
        device = "cuda:0" if job.gpus > 0 else "cpu"
        self._context = TrialContext(job, _Reports(job, loop), None, load_space(job.space), protocol, device)
        self.config: Config = dict(job.config)
        self.name, self.seed, self.attempt, self.final = job.trial, job.seed, job.attempt, job.final
        _, self.arm, search_seed, number = job.trial.split("/")
        self.search_seed, self.number = int(search_seed), int(number.rpartition("-")[2])

    def __repr__(self) -> str:
        return f"<Trial {self.name} {self._told or 'open'}: {self.config}>"

    @property
    def is_open(self) -> bool:
        """Whether it has not been told yet."""
        return self._told is None

    @property
    def folder(self) -> Path:
        """A folder of its own, the same for each attempt; `checkpoints` in it stays for the best trial."""
        folder = Path(self._job.workdir)
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def checkpoint(self) -> Checkpoints:
        """Checkpoints of states: `save(step, state)`, and `load()` for the newest intact one, or None."""
        return self._context.checkpoint

    def artifact(self, name: str) -> Path:
        """A path to write a file to that goes to MLflow when the trial ends."""
        return self._context.artifact(name)

    @property
    def device_seconds(self) -> float:
        """What this attempt has cost so far."""
        return self._context.device_seconds

    @property
    def must_stop(self) -> bool:
        """Whether it has to end: the pruner, the budget, a deadline or a user has said so."""
        return bool(self._stopped) or self._loop.stops.get(self._job.token, False)

    def report(self, step: int, value: float, **metrics: float) -> bool:
        """Record the primary metric after `step`, which must rise; whether the trial goes on.

        Raises `UserError` once it has ended, `RunError` when its session has.
        """
        self._check_open()
        if self._stopped:
            return False
        try:
            self._context.report(step, value, **metrics)
        except TrialStopped as stopped:
            self._stopped = stopped.reason
        except EndedError as error:
            raise self._gone() from error
        return not self._stopped

    def measured(self, **metrics: float) -> bool:
        """Tell metrics that are known before the end; whether the trial goes on, since it keeps all bounds.

        Raises `UserError` once it has ended.
        """
        self._check_open()
        try:
            self._context.measured(**metrics)
        except TrialStopped as stopped:
            self._stopped = stopped.reason
        return not self._stopped

    def tell(
        self, value: Value | None = None, *, pruned: bool = False, failed: str | BaseException | None = None
    ) -> str:
        """End the trial and give its state: with a value, as pruned, or as failed for a reason.

        The value is a number, one for each metric in order, or by name; it counts as that of an objective
        that returns it, so one that is not finite makes it fail. A value after `report` said to stop
        counts, too. An error that may pass, given as the exception itself
        (`TransientError`, `ConnectionError`, …), lets `ask` give the trial again. Raises `UserError` for
        none or several of the three, and for a trial that has ended.
        """
        self._check_open()
        given = [value is not None, pruned, failed is not None]
        if sum(given) != 1:
            raise UserError(
                "a trial must be told one of value, pruned=True and failed=reason, but got "
                f"{sum(given)} of them; tell(0.93), for instance"
            )
        outcome = self._outcome(value, failed)
        try:
            self._loop.finish(self._job, outcome)
        except EndedError as error:
            raise self._gone() from error
        self._told = str(outcome.state)
        return self._told

    def _outcome(self, value: Value | None, failed: str | BaseException | None) -> Outcome:
        if value is None and failed is None and self._stopped == LATE:
            return self._job.late(self.device_seconds)
        error: BaseException | None = TrialStopped(self._stopped or BY_LOOP) if value is None else None
        if failed is not None:
            error = RuntimeError(failed) if isinstance(failed, str) else failed
        outcome = evaluate(self._job, _Answer(ToldOptions(), value, error), self._context)
        if isinstance(failed, str):
            return replace(outcome, reason=mask_text(failed), traceback="")
        return outcome

    def _check_open(self) -> None:
        if self._told is not None:
            raise UserError(f"a trial is told once, but {self.name} is {self._told}; ask for another one")

    def _gone(self) -> RunError:
        return RunError(
            f"{self.name} must be told while its session is open, but that has ended: nothing was recorded; "
            "the same session, opened again, offers it again unless it has ended"
        )


class _Answer(Evaluator):
    """Gives what the loop has told of one trial."""

    def __init__(
        self, options: EvaluatorOptions, value: Value | None = None, error: BaseException | None = None
    ) -> None:
        super().__init__(options)
        self._value, self._error = value, error

    def evaluate(self, config: Config, context: Context) -> Result:
        """The value as an objective's; raises the error in its place."""
        if self._error is not None:
            raise self._error
        return as_result(self._value, [metric.name for metric in context.metrics])


class _Reports:
    """The channel of a trial: a report goes through the thread of the campaign."""

    def __init__(self, job: Job, loop: Loop) -> None:
        self._job, self._loop = job, loop

    def report(self, report: Report) -> str | None:
        """Why the trial must end here, or None."""
        trial, token = self._job.trial, self._job.token
        reason = self._loop.call(lambda source: source.report(trial, token, report))
        return reason or (LATE if self._loop.stops.get(token) else None)
