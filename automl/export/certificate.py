"""Chooses the winner of a finished campaign, on validation data alone, and states what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from automl import importing, plugins
from automl.config import Study
from automl.contracts import PluginSpec, RunError, UserError
from automl.data import load_task
from automl.export.known import last_gate, retrained
from automl.export.refit import refitted
from automl.export.signing import sign
from automl.export.winner import (
    Certificate,
    Comparison,
    Cost,
    KeptBound,
    Refitted,
    Values,
    Winner,
    write_winner,
)
from automl.masking import mask
from automl.report import CampaignReport, collect, nothing_found
from automl.report.chosen import Chosen, choose
from automl.report.searches import Refit
from automl.report.verdicts import BASELINE

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store


def export_config(
    ledger: Ledger,
    campaign_id: str,
    output: Path,
    *,
    store: Store,
    arm: str | None = None,
    refit: bool = False,
) -> Winner:
    """Write the winner of a finished campaign (or of one `arm` of it), signed by `store`, and give it.

    `refit`: it is to be trained on all data but the test set. Raises `UserError` where that has no meaning.
    """
    found = find_winner(ledger, campaign_id, arm)
    winner = sign(refitted(found) if refit else found, store)
    write_winner(winner, output)
    return winner


def find_winner(ledger: Ledger, campaign_id: str, arm: str | None = None) -> Winner:
    """The winner and its certificate. The test set has no say in which it is.

    Raises `UserError` for a campaign or arm that does not exist, has not finished or has no result.
    """
    report, row = finished(ledger, campaign_id)
    return described(ledger, report, row, _choose(report, arm))


def finished(ledger: Ledger, campaign_id: str) -> tuple[CampaignReport, CampaignRow]:
    """A finished campaign. Raises `UserError` for any other."""
    report = collect(ledger, campaign_id)
    row = ledger.campaign(campaign_id)
    if row is None or report.status != "finished":
        raise UserError(
            f"a campaign must be finished to be exported, but {campaign_id} is {report.status}; "
            "run its study again to continue it"
        )
    return report, row


def described(ledger: Ledger, report: CampaignReport, row: CampaignRow, choice: Chosen) -> Winner:
    """What was chosen of a campaign, with its certificate."""
    study = _study(row)
    importing.put_last(study.source)
    return Winner(
        version=1,
        name=study.name,
        task=study.task,
        space=_space(study, choice.arm),
        config=choice.best.config,
        genotype=choice.best.derived,
        training=_recipe(study, choice.arm, one_shot=choice.best.derived is not None),
        import_path=[study.source],
        certificate=_certificate(report, row, choice).model_copy(
            update={
                "gate": last_gate(ledger, row.id, choice.best.trial),
                "retrainings": retrained(ledger, choice, study),
            }
        ),
        provenance=mask(row.provenance),
    ).sealed()


def _study(row: CampaignRow) -> Study:
    try:
        return Study.from_json(row.spec)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(
            f"the study of {row.id} must be one that this version can read, but the ledger has "
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}; export it with the version that ran it, or "
            "restore a backup (mlflow/restore.sh)"
        ) from error


def _choose(report: CampaignReport, arm: str | None) -> Chosen:
    """The search that won, of all arms or of one."""
    if arm is not None and arm not in report.arms:
        raise UserError(plugins.unknown("arm", arm, list(report.arms)))
    arms = list(report.arms.values()) if arm is None else [report.arms[arm]]
    winner = choose(arms, report.metric.direction, folds=report.by_folds)
    if winner is None:
        raise UserError(
            f"a winner must have a complete trial, but {arm or report.campaign} has none: "
            f"{nothing_found(report, arm)}; see more: automl report {report.study}"
        )
    return winner if arm is None else replace(winner, rule=f"{winner.rule} of the arm that was asked for")


def _space(study: Study, arm: str) -> Any:
    own = study.arms[arm]
    if own.reference is not None:
        return {"name": own.reference}
    return own.space or study.space


def _recipe(study: Study, arm: str, *, one_shot: bool) -> PluginSpec:
    """The evaluator that trains the winner, with every option written out."""
    spec = study.evaluator if one_shot else study.arms[arm].evaluator or study.evaluator
    options = plugins.load("evaluators", spec.name).Options(**spec.options)
    return PluginSpec(spec.name, options.model_dump(mode="json"))


def _certificate(report: CampaignReport, row: CampaignRow, choice: Chosen) -> Certificate:
    search = choice.search
    searches = [entry for arm in report.arms.values() for entry in arm.searches]
    baseline = _baseline(report, choice.arm)
    beaten = None if baseline is None or baseline.verdict == "undecided" else baseline.verdict == "better"
    return Certificate(
        campaign=row.id,
        arm=choice.arm,
        seed=search.seed,
        trial=choice.best.trial,
        selected_by=choice.rule,
        metric=report.metric.name,
        direction=report.metric.direction.value,
        budget=row.spec["budget"],
        device_seconds=Cost(
            search=search.device_seconds,
            retraining=search.final_device_seconds + _selecting(report, choice),
            all_searches=sum(entry.device_seconds for entry in searches),
        ),
        arms=list(report.arms),
        seeds=sorted({entry.seed for entry in searches}),
        values=Values(validation=choice.best.value, fresh=list(search.fresh), test=list(search.test)),
        baseline_beaten=beaten,
        baseline=baseline,
        test_openings=report.test_openings,
        winner_openings=search.test_openings,
        code={part: _commit(row.provenance.get(part)) for part in ("study", "project")},
        data=_data(row),
        warnings=list(report.warnings) or None,
        transfer=_elsewhere(report, choice) or None,
        ensemble=None if search.combined is None else search.combined.told,
        refitted=_refitted(search.refit),
        test_interval=None if search.test_interval is None else list(search.test_interval),
        constraints=_kept(report, choice) or None,
    )


def _refitted(refit: Refit | None) -> Refitted | None:
    return None if refit is None else Refitted(trial=refit.trial, rows=refit.rows)


def _elsewhere(report: CampaignReport, choice: Chosen) -> dict[str, list[float]]:
    """By other dataset, the test values of what was chosen; only the winner of a search has any."""
    return {
        one.dataset: list(search.test)
        for one in report.transfers
        for arm in one.arms
        for search in arm.searches
        if search.winner == choice.best.trial and search.test
    }


def _kept(report: CampaignReport, choice: Chosen) -> dict[str, KeptBound]:
    found = {one.metric: (one.bounds, one.winners.get(choice.best.trial)) for one in report.constraints}
    return {
        name: KeptBound(bounds=bounds, value=value)
        for name, (bounds, value) in found.items()
        if value is not None
    }


def _selecting(report: CampaignReport, choice: Chosen) -> float:
    """Device-seconds of the evaluations that selected the winner among the best of its search."""
    same = (one for one in report.reevaluated if (one.arm, one.seed) == (choice.arm, choice.search.seed))
    return sum(one.device_seconds for one in same)


def _baseline(report: CampaignReport, arm: str) -> Comparison | None:
    if arm == BASELINE:
        return Comparison(
            against=BASELINE,
            verdict="is the baseline",
            compared=report.comparison.compared,
            sentence=f"{BASELINE} search itself found this winner: no other arm's did better on validation.",
        )
    for verdict in report.comparison.verdicts:
        if verdict.arm == arm:
            return Comparison(
                against=verdict.against,
                verdict=verdict.verdict,
                compared=verdict.compared,
                difference=verdict.difference,
                interval=None if verdict.interval is None else list(verdict.interval),
                p_value=verdict.p_value,
                sentence=verdict.sentence,
            )
    return None


def _commit(state: Mapping[str, Any] | None) -> str | None:
    """A git state in one text: the commit, marked when there were changes besides it."""
    if not state:
        return None
    return f"{state['commit']} with uncommitted changes" if state["dirty"] else str(state["commit"])


def _data(row: CampaignRow) -> str | None:
    """The digest of the campaign's data: as it was noted at its start, else as the data are now."""
    task = row.spec["task"]
    if not task.get("dataset"):
        return None
    noted = (row.provenance.get("data") or {}).get("digest")
    return noted or load_task(task, [row.spec["source"]]).digest
