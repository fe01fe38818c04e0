"""Chooses the winner of a finished campaign, on validation data alone, and states what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from automl import plugins
from automl.config import Study
from automl.contracts import Direction, PluginSpec, UserError
from automl.data import load_task
from automl.export.winner import Certificate, Comparison, Cost, Values, Winner, write_winner
from automl.provenance import mask
from automl.report import collect
from automl.report.comparison import BASELINE

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import CampaignRow

BY_FRESH = "best mean on validation data over fresh-seed retrainings, among all searches"
BY_VALIDATION = "best value on validation data, among all searches"


def export_config(ledger: Ledger, campaign_id: str, output: Path, *, arm: str | None = None) -> Winner:
    """Write the winner of a finished campaign (or of one `arm` of it) to `output` and give it."""
    winner = find_winner(ledger, campaign_id, arm)
    write_winner(winner, output)
    return winner


def find_winner(ledger: Ledger, campaign_id: str, arm: str | None = None) -> Winner:
    """The winner and its certificate. The test set has no say in which it is.

    Raises `UserError` for a campaign or arm that does not exist, has not finished or has no result.
    """
    report = collect(ledger, campaign_id)
    row = ledger.campaign(campaign_id)
    if row is None or report["status"] != "finished":
        raise UserError(
            f"a campaign must be finished to be exported, but {campaign_id} is {report['status']}; "
            "run its study again to continue it"
        )
    study = Study.from_json(row.spec)
    chosen, search, rule = _choose(report, arm)
    return Winner(
        version=1,
        name=study.name,
        task=study.task,
        space=_space(study, chosen),
        config=search["best"]["config"],
        genotype=search["best"]["derived"],
        training=_recipe(study, chosen, one_shot=search["best"]["derived"] is not None),
        import_path=[study.source],
        certificate=_certificate(report, row, (chosen, search, rule)),
        provenance=mask(row.provenance),
    ).sealed()


def _choose(report: Mapping[str, Any], arm: str | None) -> tuple[str, dict[str, Any], str]:
    """Arm, search and the rule by which they were chosen."""
    arms = report["arms"]
    if arm is not None and arm not in arms:
        raise UserError(plugins.unknown("arm", arm, list(arms)))
    found = [(name, search) for name in ([arm] if arm else arms) for search in arms[name] if search["best"]]
    if not found:
        raise UserError(
            f"a winner must have a complete trial, but {arm or report['campaign']} has none; "
            f"see why: automl report {report['study']}"
        )
    fresh = [(name, search) for name, search in found if search["fresh"]]
    sign = 1 if Direction(report["direction"]) is Direction.MAXIMIZE else -1
    if fresh:
        name, search = max(fresh, key=lambda pair: sign * fmean(pair[1]["fresh"]))
    else:
        name, search = max(found, key=lambda pair: sign * pair[1]["best"]["value"])
    rule = BY_FRESH if fresh else BY_VALIDATION
    return name, search, rule if arm is None else f"{rule} of the arm that was asked for"


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


def _certificate(
    report: Mapping[str, Any], row: CampaignRow, choice: tuple[str, dict[str, Any], str]
) -> Certificate:
    arm, search, rule = choice
    searches = [entry for entries in report["arms"].values() for entry in entries]
    baseline = _baseline(report, arm)
    beaten = None if baseline is None or baseline.verdict == "undecided" else baseline.verdict == "better"
    best = search["best"]
    return Certificate(
        campaign=row.id,
        arm=arm,
        seed=search["seed"],
        trial=best["trial"],
        selected_by=rule,
        metric=report["metric"],
        direction=report["direction"],
        budget=report["budget"],
        device_seconds=Cost(
            search=search["device_seconds"],
            retraining=search["final_device_seconds"],
            all_searches=sum(entry["device_seconds"] for entry in searches),
        ),
        arms=list(report["arms"]),
        seeds=sorted({entry["seed"] for entry in searches}),
        values=Values(validation=best["value"], fresh=search["fresh"], test=search["test"]),
        baseline_beaten=beaten,
        baseline=baseline,
        test_openings=report["test_openings"],
        code={part: _commit(row.provenance.get(part)) for part in ("study", "project")},
        data=_data(row),
    )


def _baseline(report: Mapping[str, Any], arm: str) -> Comparison | None:
    if arm == BASELINE:
        return Comparison(
            against=BASELINE,
            verdict="is the baseline",
            compared=report["compared"],
            sentence=f"{BASELINE} search itself found this winner: no other arm's did better on validation.",
        )
    found = [verdict for verdict in report["verdicts"] if verdict["arm"] == arm]
    kept = {key: found[0][key] for key in Comparison.model_fields} if found else None
    return Comparison(**kept) if kept else None


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
