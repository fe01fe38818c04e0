"""The outcome of one attempt of a trial: of what its evaluator returned, or of the error that ended it."""

from __future__ import annotations

import traceback
from dataclasses import replace

from automl.contracts import (
    Ending,
    Evaluator,
    Job,
    Outcome,
    Result,
    TrialState,
    TrialStopped,
    broken,
    ended_by,
)
from automl.executors import surroundings
from automl.executors.answers import described, is_pruned, plain_config, values_of
from automl.executors.device_memory import explained
from automl.executors.ending import classify
from automl.executors.process import HOST, device_name
from automl.executors.trial import TrialContext
from automl.masking import mask_text
from automl.metrics import number


def evaluate(job: Job, evaluator: Evaluator, context: TrialContext) -> Outcome:
    """Evaluate the configuration of `job`. Re-raises errors that are not the trial's fault."""
    try:
        result = evaluator.evaluate(dict(job.config), context)
        if isinstance(result, Result) and result.stopped:
            return _outcome(job, context, TrialState.PRUNED, result=result, reason=result.stopped)
        if job.refits is not None:
            return _outcome(job, context, TrialState.COMPLETE, result=result, reason=result.note)
        values = values_of(result, context.metrics)
        return _within_bounds(job, context, values, result)
    except BaseException as error:
        return ended(job, context, error)


def _within_bounds(job: Job, context: TrialContext, values: list[float], result: Result) -> Outcome:
    """The outcome of a result: pruned, with its values among the metrics, where it breaks a constraint.

    A final evaluation is complete all the same: its note says so. Raises `ValueError` when a metric lacks.
    """
    found = {**context.known, **result.metrics, **result.values}
    lacking = [name for name in context.constraints if name not in found]
    if lacking:
        raise ValueError(
            f"a result must hold every metric that has a constraint, but {', '.join(lacking)} is missing; "
            "return it among the metrics, or remove the constraint"
        )
    measured = {name: number(name, found[name]) for name in context.constraints}
    reason, notes = broken(context.constraints, measured), [result.note] if result.note else []
    if reason and not job.final:
        context.known |= dict(zip((metric.name for metric in context.metrics), values, strict=True))
        return _outcome(job, context, TrialState.PRUNED, result=result, reason="; ".join([reason, *notes]))
    reason = "; ".join([*notes, *([reason] if reason else [])])
    return _outcome(job, context, TrialState.COMPLETE, values=values, result=result, reason=reason)


def ended(job: Job, context: TrialContext | None, error: BaseException) -> Outcome:
    """The outcome of an attempt that `error` ended. Re-raises errors that are not the trial's fault."""
    error = ended_by(error)
    if surroundings.is_copy() or (isinstance(error, KeyboardInterrupt) and surroundings.interrupted()):
        raise error
    if isinstance(error, TrialStopped):
        return _outcome(job, context, TrialState.PRUNED, reason=error.reason)
    if is_pruned(error):
        reason = f"by the evaluation itself: {described(error)}"
        return _outcome(job, context, TrialState.PRUNED, reason=reason)
    trace = "".join(traceback.format_exception(error))
    ending = classify(error)
    reason = described(error) + (explained(job) if ending is Ending.OOM else "")
    return replace(_outcome(job, context, TrialState.FAILED, reason=reason, trace=trace), error=ending)


def _outcome(
    job: Job,
    context: TrialContext | None,
    state: TrialState,
    *,
    values: list[float] | None = None,
    result: Result | None = None,
    reason: str = "",
    trace: str = "",
) -> Outcome:
    metrics = dict(context.known) if context else {}
    metrics |= context.kept(result.metrics, "at its end") if context and result else {}
    if context and context.left_out and state is TrialState.COMPLETE:
        listed = ", ".join(f"{name} ({why})" for name, why in context.left_out.items())
        reason = f"{reason and reason + '; '}metrics that are not finite are not kept: {listed}"
    return Outcome(
        state=state,
        device_seconds=context.device_seconds if context else 0.0,
        values=values,
        metrics=metrics,
        derived=plain_config(result.derived) if result and result.derived else None,
        reason=mask_text(reason),
        traceback=mask_text(trace),
        artifacts=context.written() if context else [],
        host=HOST,
        device=device_name(context.device if context else "cpu"),
    )
