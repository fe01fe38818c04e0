"""Which campaign a run drives: a new one, or an interrupted one that is still the same."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Literal, TypeAlias

from automl import provenance
from automl.benchmarks import file_digest
from automl.config import ResolvedStudy, Study
from automl.contracts import Ending, RunError, Tabular, Task, TrialState, UserError
from automl.identity import Change, Identity, changes, identify
from automl.ledger import CampaignRow, Ledger
from automl.progress import Progress
from automl.provenance import DataIdentity, Provenance
from automl.remembering import meta_features, remember
from automl.report import memory_lines

OnChange: TypeAlias = Literal["refuse", "accept"]
SHOWN = 20
SUSPICIOUS = 3  # ends with its driver in a row


def choose_campaign(
    ledger: Ledger,
    resolved: ResolvedStudy,
    task: Task | None,
    fresh: bool,
    changed: OnChange,
    firing: int | None,
    progress: Progress,
) -> tuple[CampaignRow, bool]:
    """The campaign to run, and whether it is an earlier one: interrupted, or not wholly recorded.

    Raises `UserError` when code, spaces, data or this package have changed since it began, and `changed` is
    `refuse`; what the user accepts is noted with the campaign. A `firing` continues only what is unchanged.
    """
    study, data = resolved.study, _data(resolved, task)
    now = identify(resolved, data)
    bound = None if firing is None else ledger.campaign_of_firing(firing)
    if bound is not None:
        return _of_firing(bound, study, now, progress), True
    latest = ledger.latest(study.name)
    if latest is not None and not fresh:
        same = latest.digest == study.digest()
        if same and latest.state == "finished" and latest.recorded < 2 and firing is None:
            return latest, True
        if same and latest.state != "finished":
            found = _compared(latest, now, progress)
            if not found or changed == "accept":
                if firing is not None:
                    ledger.adopt_campaign(firing, latest.id)
                return (_accepted(ledger, latest, now, found) if found else latest), True
            if firing is None:
                raise UserError(_refusal(latest, found))
            progress.message(f"{latest.id} was interrupted and is left as it is: {_listed(found)}")
        elif latest.state != "finished":
            found = changes(latest.spec, study.to_json())
            progress.message(
                f"{latest.id} was interrupted and is left as it is, none of its trials is used, since the "
                "study "
                f"has changed: {_listed(found)}"
            )
    memory = remember(ledger, resolved, data, now)
    for line in memory_lines(memory) if memory is not None else ():
        progress.message(f"memory: {line}")
    origin = provenance.collect(Path(study.source), data, now.to_json()).to_json()
    spec = study.to_json()
    row = ledger.create_campaign(study.name, spec, study.digest(), origin, firing, memory=memory)
    return row, False


def _of_firing(bound: CampaignRow, study: Study, now: Identity, progress: Progress) -> CampaignRow:
    """The campaign that a firing began. Raises `RunError` when it is complete or cannot be continued."""
    if bound.recorded >= 2:
        raise RunError(f"this firing has run {bound.id} to its end; nothing was started")
    found = changes(bound.spec, study.to_json()) if bound.digest != study.digest() else []
    found = found or _compared(bound, now, progress)
    if found:
        raise RunError(
            f"a firing must continue {bound.id} as it was begun, but since then this has changed: "
            f"{_listed(found)}; the next slot starts a new campaign"
        )
    return bound


def tell_of_kills(ledger: Ledger, campaign: str, progress: Progress) -> None:
    """Name the trials that were open at each of the last deaths of their driver: they may be the cause."""
    open_trials = {trial.id for trial in ledger.trials(campaign) if trial.state is TrialState.RUNNING}
    for trial, attempts in ledger.attempts(campaign).items():
        in_a_row = list(takewhile(lambda a: a.ending is Ending.PREEMPTED, reversed(attempts)))
        if trial in open_trials and len(in_a_row) >= SUSPICIOUS:
            progress.message(
                f"{trial} ran at each of the last {len(in_a_row)} times that its driver or machine was "
                "killed or stopped; if it is what kills them, `retry: {preempted: 3}` gives it up"
            )


def _compared(row: CampaignRow, now: Identity, progress: Progress) -> list[Change]:
    began = Provenance.from_json(row.provenance).identity
    if not began:
        progress.message(f"{row.id} was begun by a version that did not note its code and data; not compared")
        return []
    return changes(began, now.to_json())


def _accepted(ledger: Ledger, row: CampaignRow, now: Identity, found: list[Change]) -> CampaignRow:
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    noted = [*row.provenance.get("accepted", ()), *(f"{moment}, {change}" for change in found)]
    return ledger.set_provenance(row.id, {**row.provenance, "identity": now.to_json(), "accepted": noted})


def _refusal(row: CampaignRow, found: list[Change]) -> str:
    lines = "\n".join(f"  {change}" for change in found[:SHOWN])
    rest = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"a campaign must be continued as it was begun, but since {row.id} began this has "
        f"changed:\n{lines}{rest}\n"
        "start a new campaign with --fresh, or continue this one with --accept (its report and certificate "
        "will "
        "say what changed)"
    )


def _listed(found: list[Change]) -> str:
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(map(str, found[:SHOWN])) + rest


def _data(resolved: ResolvedStudy, task: Task | None) -> DataIdentity | None:
    if task is not None:
        return DataIdentity(task.name, task.digest, list(task.notes), meta_features(task))
    if isinstance(resolved.protocol, Tabular):
        file = resolved.protocol.options.file
        return DataIdentity(Path(file).name, file_digest(file), features={"kind": "benchmark"})
    return None
