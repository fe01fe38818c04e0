"""Decides about the models of a study: promote, roll back, archive. Written first, then carried out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.config import Promote
from automl.config.promotion import DEFAULT
from automl.contracts import UserError, storable
from automl.export.gate_record import GateRecord
from automl.export.packaged import package
from automl.export.signing import sign
from automl.ledger.promotions import Action, Deciding
from automl.masking import mask_text
from automl.promoting.candidates import Candidate, candidate
from automl.promoting.decision import Condition, Content, Decision, decision_of
from automl.promoting.gate import Champion, Judged, judge
from automl.promoting.history import Models
from automl.promoting.registry import alone, folder_of, models, settle
from automl.upkeep.asking import user

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store


@dataclass(frozen=True)
class Wanted:
    """What is asked of a promotion. `gate` None: that of the campaign's study, else the default one.

    `force`: why a winner that the gate refuses is promoted; `dry`: nothing is written.
    """

    gate: Promote | None = None
    arm: str | None = None
    force: str = ""
    dry: bool = False


AS_THE_STUDY_SAYS = Wanted()


def promote(ledger: Ledger, store: Store, campaign: str, wanted: Wanted = AS_THE_STUDY_SAYS) -> Decision:
    """Put a finished campaign's winner before the gate, and make it the champion where it passes.

    The decision is in the ledger before MLflow's registry has it; whatever ends this in between is completed
    by the next command about models, or by `automl audit --repair`. Raises `UserError` for a campaign that
    cannot be judged, `RunError` when the registry is away: the decision holds, and is carried out later.
    """
    with alone(store):
        found = candidate(ledger, campaign, wanted.arm)
        study = found.row.study
        if not wanted.dry:
            settle(store, ledger, study)
        present = models(ledger, study)
        decision = _judged(found, present, wanted)
        if wanted.dry:
            return decision
        return _written(store, ledger, found, present, decision)


def rollback(ledger: Ledger, store: Store, study: str, reason: str = "") -> Decision:
    """Bring the last champion of a study back. Raises `UserError` when there is none.

    A rollback that was decided but not carried out, since its process was killed, is carried out instead.
    """
    with alone(store):
        interrupted = models(ledger, study).open[-1:]
        settle(store, ledger, study)
        if interrupted and interrupted[0].action == "rollback":
            return decision_of(interrupted[0])
        present = models(ledger, study)
        model = present.previous
        if model is None:
            has = f"{present.named(present.champion)} alone" if present.champion else "no champion"
            raise UserError(
                f"a study must have an earlier champion to go back to, but {study} has {has}; see: "
                f"automl models {study}"
            )
        left = f"{present.named(present.champion)}" if present.champion else "no champion"
        sentence = f"{present.named(model)} of {study} is the champion again, after {left}"
        return _about(store, ledger, study, present, "rollback", model, _with(sentence, reason))


def archive(
    ledger: Ledger, store: Store, study: str, version: int, reason: str = "", *, champion: bool = False
) -> Decision:
    """Put a version away: it is never brought back. `champion`: also when it is the champion.

    Raises `UserError` for a version that was not promoted, and for the champion unless that is said.
    """
    with alone(store):
        settle(store, ledger, study)
        present = models(ledger, study)
        model = present.model(version)
        if model is None or model not in present.promoted:
            known = ", ".join(str(present.versions[one]) for one in present.promoted) or "none"
            raise UserError(
                f"VERSION must be one that was promoted, but got {version}; known: {known}; see: "
                f"automl models {study}"
            )
        if model in present.archived:
            raise UserError(f"a version is archived once, but version {version} of {study} has been already")
        if model == present.champion and not champion:
            raise UserError(
                f"the champion must not be archived by accident, but version {version} of {study} is the "
                f"champion; go back first (automl rollback {study}), or add --champion: it has none then"
            )
        none = f"; {study} has no champion now" if model == present.champion else ""
        sentence = _with(f"version {version} of {study} is archived{none}", reason)
        return _about(store, ledger, study, present, "archive", model, sentence)


def _with(sentence: str, reason: str) -> str:
    return f"{sentence}: {storable(mask_text(reason))}" if reason else sentence


def _about(
    store: Store, ledger: Ledger, study: str, present: Models, action: Action, model: str, sentence: str
) -> Decision:
    """Write and carry out a decision about a model that was promoted before."""
    first = present.promoted[model]
    content = replace(Content.of(first), sentence=sentence, conditions=(), forced="")
    after = model if action == "rollback" else (None if model == present.champion else present.champion)
    deciding = Deciding(
        study=study,
        action=action,
        seen=present.seen,
        content=content.to_json(),
        by=user(),
        at=time.time(),
        campaign=first.campaign,
        model=model,
        before=present.champion,
        after=after,
        version=present.version(model),
    )
    return _carried_out(store, ledger, deciding, present)


def _judged(found: Candidate, present: Models, wanted: Wanted) -> Decision:
    """What the gate says, as a decision that is not written."""
    study, certificate = found.row.study, found.winner.certificate
    gate = wanted.gate or _gate_of(found)
    row = present.champion_row
    known = None if row is None else Content.of(row).measured
    named = present.named(present.champion)
    champion = None if row is None or known is None else Champion(f"{named} ({row.campaign})", known)
    measured = found.measured
    judged = Judged(found.report, found.chosen, measured, champion, found.size)
    same = found.model == present.champion
    conditions = () if same else judge(gate, judged)
    failing = [condition for condition in conditions if not condition.passed]
    action: Action = "keep" if same else ("promote" if not failing or wanted.force else "refuse")
    forced = storable(mask_text(wanted.force)) if failing and wanted.force else ""
    return Decision(
        study=study,
        action=action,
        sentence=_sentence(found, present, action, failing, forced),
        campaign=found.row.id,
        arm=certificate.arm,
        trial=certificate.trial,
        model=found.model,
        version=present.version(found.model),
        previous=present.version(present.champion),
        conditions=conditions,
        measured=measured,
        forced=forced,
        by=user(),
        at=time.time(),
        dry=wanted.dry,
    )


def _gate_of(found: Candidate) -> Promote:
    spec = found.row.spec.get("promote")
    return DEFAULT if spec is None else Promote.model_validate(spec)


def _sentence(
    found: Candidate, present: Models, action: Action, failing: list[Condition], forced: str
) -> str:
    winner = f"the winner of {found.row.id} ({found.winner.certificate.arm})"
    if action == "keep":
        return f"{winner} is the champion of {found.row.study} already"
    if action == "refuse":
        return f"{winner} is not promoted: {'; '.join(one.sentence for one in failing)}"
    after = f", after {present.named(present.champion)}" if present.champion else ", its first one"
    against = f", against the gate ({', '.join(one.name for one in failing)}): {forced}" if forced else ""
    return f"{winner} is the champion of {found.row.study}{after}{against}"


def _written(store: Store, ledger: Ledger, found: Candidate, present: Models, decision: Decision) -> Decision:
    """Keep the files of a model that is promoted, then write the decision and carry it out."""
    promoted = decision.action == "promote"
    if promoted and found.model not in present.promoted:
        gate = GateRecord.of(decision.action, decision.at, decision.by, decision.forced, decision.conditions)
        certificate = found.winner.certificate.model_copy(update={"gate": gate})
        winner = sign(found.winner.model_copy(update={"certificate": certificate}), store)
        folder = folder_of(store, decision.study, found.model)
        trial = "" if found.fitted is None else found.fitted.id
        with found.folder() as model:
            package(winner, model, folder, trial=trial)
    content = Content(
        sentence=decision.sentence,
        arm=decision.arm,
        trial=decision.trial,
        conditions=decision.conditions,
        measured=decision.measured,
        forced=decision.forced,
        metrics=found.metrics,
    )
    deciding = Deciding(
        study=decision.study,
        action=decision.action,
        seen=present.seen,
        content=content.to_json(),
        by=decision.by,
        at=decision.at,
        campaign=decision.campaign,
        finished_at=found.row.finished_at,
        model=found.model,
        before=present.champion,
        after=found.model if promoted else present.champion,
        version=decision.version,
    )
    return _carried_out(store, ledger, deciding, present)


def _carried_out(store: Store, ledger: Ledger, deciding: Deciding, present: Models) -> Decision:
    row = ledger.decide(deciding)
    settle(store, ledger, deciding.study)
    (written,) = [one for one in ledger.promotions(deciding.study) if one.id == row.id]
    return decision_of(written, present.version(present.champion))
