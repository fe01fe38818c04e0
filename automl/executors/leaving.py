"""What a trial leaves goes to the storage of its job: nothing on the worker's disk outlasts the attempt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from automl.contracts import KEPT, Ending, Job, Outcome, RunError, TrialState
from automl.executors.trial import TrialContext
from automl.files import keep, working_folder
from automl.masking import mask_text


@contextmanager
def placed(job: Job) -> Iterator[Job]:
    """The job in a working folder of this node, which is gone after the block; as it is without a storage."""
    if job.storage is None:
        yield job
        return
    with working_folder(job.workdir) as folder:
        yield replace(job, workdir=str(folder))


def brought(job: Job, context: TrialContext, outcome: Outcome) -> Outcome:
    """The outcome, once what the trial leaves is in its storage, for which the trial does not pay.

    A retraining whose model cannot be brought there has failed and may be tried again; artifacts that cannot
    be brought there are not listed, and that is told.
    """
    if job.storage is None:
        return outcome
    notes = []
    stayed = context.settle()
    if stayed and outcome.state is TrialState.COMPLETE:
        notes.append(f"{stayed} checkpoints did not reach the storage")
    try:
        listed = [f"artifacts/{name}" for name in outcome.artifacts]
        listed += [KEPT] if outcome.state is TrialState.COMPLETE and not job.final else []
        files = keep(job.storage, context.workdir, _files(context.workdir, listed))
    except (RunError, OSError) as error:
        files, outcome = {}, replace(outcome, artifacts=[])
        notes.append(f"artifacts are not kept: {error}")
    if job.final and outcome.state is TrialState.COMPLETE:
        try:
            files |= keep(job.storage, context.workdir, _files(context.workdir, ["model"]))
        except (RunError, OSError) as error:
            reason = mask_text(f"its model could not be kept: {error}")
            failed = Outcome(TrialState.FAILED, outcome.device_seconds, reason=reason, error=Ending.TRANSIENT)
            return replace(failed, host=outcome.host, device=outcome.device)
    reason = "; ".join(filter(None, [outcome.reason, *map(mask_text, notes)]))
    return replace(outcome, files=files, reason=reason)


def _files(root: Path, names: list[str]) -> list[str]:
    """The files at `names` below `root`, and those in folders among them; a link is what it leads to."""
    found = []
    for name in names:
        path = root / name
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        found += [str(one.relative_to(root)) for one in files if one.exists()]
    return found
