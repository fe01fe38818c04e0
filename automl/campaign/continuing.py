"""Which campaign a run drives: a new one, or the latest one that is still the same, which may grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from automl import provenance
from automl.benchmarks import file_digest
from automl.campaign.growth import Addition, compared_with, grow, listed, shifted, unused_shift
from automl.campaign.recalling import recall, tell_of_arms_without
from automl.campaign.unchanged import changed_since
from automl.config import ADDED, EXTENT, ResolvedStudy, Study
from automl.contracts import Json, RunError, Tabular, Task, UserError
from automl.identity import Change, Identity, identify
from automl.ledger import CampaignRow, Ledger
from automl.progress import Progress
from automl.provenance import DataIdentity, Provenance
from automl.remembering import meta_features

OnChange: TypeAlias = Literal["refuse", "accept"]
SHOWN = 20


@dataclass(frozen=True)
class Wanted:
    """What a run is asked for besides its study.

    `fresh`: a new campaign, with seeds that none of the study had, unless `same_seeds`. `changed`: what
    happens when code, spaces or data have changed since an interrupted campaign began. `firing`: the planned
    start whose campaign it is. `more`: asked for on top of what the latest campaign has.
    """

    fresh: bool = False
    same_seeds: bool = False
    changed: OnChange = "refuse"
    firing: int | None = None
    more: Addition | None = None


@dataclass(frozen=True)
class Chosen:
    """A campaign, its whole study, and whether it was there before.

    `grows`: its origin as it must be noted when the ledger has a smaller study; None when it has this one.
    `complete`: it has all that is asked for, and MLflow has it.
    """

    row: CampaignRow
    study: Study
    continued: bool = False
    grows: Json | None = None
    complete: bool = False


def choose_campaign(
    ledger: Ledger,
    resolved: ResolvedStudy,
    task: Task | None,
    wanted: Wanted,
    progress: Progress,
    transfer: Mapping[str, str] = MappingProxyType({}),
) -> Chosen:
    """The campaign to run. What changed, what grows and what stays is told to `progress`.

    `transfer`: digests of the other datasets on which winners are trained, by name.

    Raises `UserError` when code, spaces, data or this package have changed since it began and was
    interrupted, unless that is accepted, which is noted with the campaign. A firing continues only what is
    unchanged, and grows nothing that is finished.
    """
    study, data = resolved.study, _data(resolved, task)
    now = identify(resolved, data, transfer)
    bound = None if wanted.firing is None else ledger.campaign_of_firing(wanted.firing)
    if bound is not None:
        return _of_firing(bound, study, now, progress)
    latest = ledger.latest(study.name)
    if latest is not None and not wanted.fresh:
        found = _continued(ledger, latest, study, now, wanted, progress)
        if found is not None:
            tell_of_arms_without(ledger, found.row.id, resolved, progress)
            return found
    if latest is not None and _only_when_changed(study, wanted):
        found_changes = changed_since(ledger, latest, study, now)
        if not found_changes:
            return _left_out(ledger, latest, study, wanted, progress)
        progress.message(f"changed since {latest.id}: {'; '.join(found_changes[:SHOWN])}")
    if wanted.more is not None:
        raise UserError(
            f"only a campaign can be given more, but {study.name} has none that this study continues; "
            "run it without --add-seeds, --add-trials and --add-device-seconds"
        )
    if (wanted.fresh and not wanted.same_seeds) or wanted.firing is not None:
        planned = {seed for row in ledger.campaigns(study.name) for seed in row.spec.get("seeds", ())}
        study = shifted(study, unused_shift(study, planned | ledger.used_seeds(study.name)))
    memory = recall(ledger, resolved, data, now, progress)
    origin = provenance.collect(Path(study.source), data, now.to_json()).to_json()
    spec, firing = study.to_json(), wanted.firing
    row = ledger.create_campaign(study.name, spec, study.digest(), origin, firing, memory=memory)
    if study.seed_shift:
        progress.message(f"{row.id} has seeds that no campaign of {study.name} had: {listed(study.seeds)}")
    return Chosen(row, study)


def _only_when_changed(study: Study, wanted: Wanted) -> bool:
    return wanted.firing is not None and study.schedule is not None and study.schedule.when == "changed"


def _left_out(
    ledger: Ledger, latest: CampaignRow, study: Study, wanted: Wanted, progress: Progress
) -> Chosen:
    """End a firing as skipped: it would repeat the latest campaign."""
    reason = f"study, code and data are those of {latest.id}"
    if wanted.firing is not None and not ledger.skip_firing(wanted.firing, reason):
        raise RunError(
            f"firing {wanted.firing} must be running to be skipped, but is not; nothing was started"
        )
    progress.message(f"skipped: {reason}")
    return Chosen(latest, study, continued=True, complete=True)


def _continued(
    ledger: Ledger, row: CampaignRow, study: Study, now: Identity, wanted: Wanted, progress: Progress
) -> Chosen | None:
    """The latest campaign when the study is still its own; else None, and why is told."""
    ended = row.state == "finished"
    before, found = compared_with(row, study)
    if found or before is None:
        left = "" if ended else " was interrupted and is left, none of its trials is used, since it"
        progress.message(f"{row.id}{left} belongs to another study: {_listed(found)}")
        return None
    if ended and wanted.firing is not None:
        return None
    asked = study if study.seed_shift == before.seed_shift else shifted(study, before.seed_shift)
    if wanted.more is not None:
        asked = wanted.more.to(grow(before, asked).study)
    growth = grow(before, asked)
    origin = _origin(row, now, wanted, progress)
    if origin is None or (ended and not growth.more and _is_barren(ledger, row, progress)):
        return None
    for line in growth.kept:
        progress.message(f"{row.id} has more than is asked for: {line}")
    for line in growth.more:
        progress.message(f"{row.id} grows, {line}")
    if wanted.firing is not None:
        ledger.adopt_campaign(wanted.firing, row.id)
    if growth.more:
        grown = _grown(ledger, row, origin, growth.more, now)
        return Chosen(row, growth.study, continued=True, grows=grown)
    if origin != row.provenance:
        row = ledger.set_provenance(row.id, origin)
    return Chosen(row, growth.study, continued=True, complete=ended and row.recorded >= 2)


def _is_barren(ledger: Ledger, row: CampaignRow, progress: Progress) -> bool:
    """Whether a campaign has ended without any result: to run it again means to try again."""
    if row.was_stopped or row.recorded < 2 or any(search.winner for search in ledger.searches(row.id)):
        return False
    progress.message(f"{row.id} is finished and has found nothing: it is left, and another one tries again")
    return True


def _origin(row: CampaignRow, now: Identity, wanted: Wanted, progress: Progress) -> Json | None:
    """The origin to note with a campaign that goes on; None when its code or data changed."""
    found = _compared(row, now, progress)
    if not found:
        return row.provenance
    if wanted.changed == "accept":
        return _accepted(row.provenance, now, found)
    if row.state != "finished" and wanted.firing is None:
        raise UserError(_refusal(row, found))
    state = "is finished" if row.state == "finished" else "was interrupted and is left as it is"
    progress.message(f"{row.id} {state}; since it began, this has changed: {_listed(found)}")
    return None


def _grown(ledger: Ledger, row: CampaignRow, origin: Json, more: Sequence[str], now: Identity) -> Json:
    """The origin with a line about the growth: what had been seen of the test set before counts."""
    looks = len(ledger.openings(row.id))
    seen = f"; the test set had been opened {looks} times before" if looks else ""
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if now.transfer and origin.get("identity"):
        origin = {**origin, "identity": now.extending(origin["identity"])}
    return {**origin, "grown": [*origin.get("grown", ()), f"{moment}, {'; '.join(more)}{seen}"]}


def _of_firing(bound: CampaignRow, study: Study, now: Identity, progress: Progress) -> Chosen:
    """The campaign that a firing began. Raises `RunError` when it is complete or cannot be continued."""
    if bound.recorded >= 2:
        raise RunError(f"this firing has run {bound.id} to its end; nothing was started")
    before, found = compared_with(bound, study)
    found = found or _compared(bound, now, progress)
    if found or before is None:
        raise RunError(
            f"a firing must continue {bound.id} as it was begun, but since then this has changed: "
            f"{_listed(found)}; the next slot starts a new campaign"
        )
    kept = {key: vars(before)[key] for key in (*EXTENT, *ADDED, "record", "seed_shift", "retired", "looks")}
    return Chosen(bound, study.model_copy(update=kept), continued=True)


def _compared(row: CampaignRow, now: Identity, progress: Progress) -> list[Change]:
    began = Provenance.from_json(row.provenance).identity
    if not began:
        progress.message(f"{row.id} was begun by a version that did not note its code and data; not compared")
        return []
    return now.changes_since(began)


def _accepted(origin: Json, now: Identity, found: list[Change]) -> Json:
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    noted = [*origin.get("accepted", ()), *(f"{moment}, {change}" for change in found)]
    return {**origin, "identity": now.extending(origin["identity"]), "accepted": noted}


def _refusal(row: CampaignRow, found: list[Change]) -> str:
    lines = "\n".join(f"  {change}" for change in found[:SHOWN])
    rest = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"a campaign must be continued as it was begun, but since {row.id} began this has "
        f"changed:\n{lines}{rest}\n"
        "start a new campaign with --fresh, or continue this one with --accept (its report and certificate "
        "will say what changed)"
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
