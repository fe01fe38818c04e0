"""Runs one job on a worker: reports while it runs, one outcome at its end. Keeps no state between jobs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

from automl import plugins
from automl.checkpoints import remove_unfinished
from automl.contracts import Evaluator, Job, Needs, Outcome, Tabular, UserError
from automl.data import load_task
from automl.executors import device_memory, mlflow_run, process, surroundings
from automl.executors.leaving import brought, placed
from automl.executors.memory import at_most
from automl.executors.outcomes import ended, evaluate
from automl.executors.ranks import Seat, own_part, seated
from automl.executors.trial import Channel, TrialContext
from automl.moments import moment
from automl.ranks.group import within
from automl.spaces import load_space

LOADING = 3600.0  # wall seconds that code and data of a job may take to load
Clock: TypeAlias = Callable[[], float]  # device-seconds of an attempt so far


def run_job(
    job: Job, channel: Channel, started: Callable[[Clock], None] | None = None, seat: Seat | None = None
) -> Outcome:
    """Evaluate one configuration, or replay a whole search.

    `seat`: which of several ranks of the trial this is; by default rank 0, which starts the others.
    `started` is called with the attempt's clock when that begins to run: imports and loading data are free.
    An error of the evaluator fails this trial alone; only the user's `KeyboardInterrupt` is raised.
    """
    with surroundings.kept(), mlflow_run.active(job.run), ExitStack() as stack:
        try:
            process.add_import_path(job.import_path)
            evaluator = plugins.build("evaluators", job.evaluator)
            if job.replay is not None:
                return _replay(job, evaluator)
            if seat is None:  # other ranks work where rank 0 does
                job = stack.enter_context(placed(job))
            stack.enter_context(device_memory.held(job))
            own = stack.enter_context(seated(job, evaluator, seat))
            return _outcome(own_part(job, own), evaluator, own, channel, started)
        except BaseException as error:
            return ended(job, None, error)


def load(needs: Needs) -> None:
    """Import and read what a study's trials need. What fails here fails again in the trial, which tells."""
    process.add_import_path(needs.import_path)
    with suppress(Exception):
        for spec in needs.evaluators:
            for library in plugins.build("evaluators", spec).libraries:
                importlib.import_module(library)
        for space in needs.spaces:
            load_space(space)
        if needs.task is not None:
            load_task(needs.task, needs.import_path)


def _outcome(
    job: Job, evaluator: Evaluator, seat: Seat, channel: Channel, started: Callable[[Clock], None] | None
) -> Outcome:
    kind = "final" if job.final else "trial"
    load = _loaded(job, evaluator, channel, seat)
    group = seat.join()
    context = load()
    moment("trial.begin", kind)
    if started is not None:
        started(lambda: context.device_seconds)
    with at_most(job.memory), within(group):
        outcome = evaluate(job, evaluator, context)
    context.stop(outcome.device_seconds)
    outcome = brought(job, context, outcome)
    moment("trial.end", kind)
    return seat.settled(outcome)


def _replay(job: Job, evaluator: Evaluator) -> Outcome:
    from automl.executors.simulation import replay_search  # imports optuna, which other jobs do not need

    if not isinstance(evaluator, Tabular) or job.replay is None:
        raise UserError(
            f"a search can be replayed only by an evaluator that looks values up (Tabular), but got "
            f"{job.evaluator.name}; run it trial by trial"
        )
    return replay_search(job, job.replay, evaluator)


def _loaded(job: Job, evaluator: Evaluator, channel: Channel, seat: Seat) -> Callable[[], TrialContext]:
    """Load code and data; what it gives makes the context, and so starts the clock."""
    task = load_task(job.task, job.import_path) if job.task.get("dataset") else None
    space = load_space(job.space)
    device = f"cuda:{seat.rank}" if job.gpus > 0 else "cpu"
    process.prepare(job)
    protocol = plugins.build("evaluators", job.protocol)
    remove_unfinished(Path(job.workdir))
    for library in evaluator.libraries:
        importlib.import_module(library)
    return partial(TrialContext, job, channel, task, space, protocol, device)
