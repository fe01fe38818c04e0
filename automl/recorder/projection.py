"""The runs that MLflow must have for the rows of the ledger: pure functions, without mlflow.

| ledger | MLflow status | why |
|---|---|---|
| running | RUNNING | |
| running, but its driver is gone | SCHEDULED | it continues with its campaign |
| complete | FINISHED | |
| pruned | KILLED | as in MLflow's Optuna storage; a filter can separate it from failures |
| failed | FAILED | |

Steps: epochs (as the evaluator counts) for trials; for searches what `recorder.form` says, by default whole
device-seconds, so that the chart of `best_<metric>` over searches is the anytime comparison.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from automl.contracts import CampaignMemory, TrialState, UserError
from automl.ledger.rows import CampaignRow, OpeningRow, ReportRow, SearchRow, TrialRow, TrialSummary
from automl.ledger.study_summary import FIXED, ArmSummary
from automl.masking import mask
from automl.provenance import Provenance
from automl.recorder.campaign_page import campaign_points, campaign_tags
from automl.recorder.form import STEP_TAG, Form, chosen
from automl.recorder.memories import memory_file, memory_tags
from automl.recorder.points import millis
from automl.recorder.results import Result
from automl.recorder.run_points import curve_points, trial_points, winner_points
from automl.recorder.selections import selection_of
from automl.recorder.texts import (
    LONG_FILE,
    LONGEST_PARAM,
    LONGEST_TAG,
    clean_key,
    clean_text,
    flatten,
    param_text,
    short,
    to_json,
)
from automl.recorder.uids import run_name, run_uid
from automl.recorder.wanted_run import (
    Artifact,
    WantedRun,
    trial_artifacts,
    trial_tags,
    trials_table,
    winner_text,
)
from automl.report.charts.look import arm_styles

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger

TABLE_FILE, NOTHING = "trials.json", Result()
STATUS: Final = {
    TrialState.RUNNING: "RUNNING",
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAILED: "FAILED",
}


def project(
    ledger: Ledger, campaign_id: str, form: Form | None = None, *, interrupted: bool = False
) -> tuple[Projection, list[SearchRow]]:
    """The projection of the present state of a campaign, and its searches. `form`: by default a new one's."""
    campaign = ledger.campaign(campaign_id)
    if campaign is None:
        raise UserError(f"a campaign must be in the ledger to be recorded, but there is no {campaign_id!r}")
    searches = ledger.searches(campaign_id)
    memory = ledger.memory(campaign_id)
    return Projection(campaign, searches, memory, form=form, interrupted=interrupted), searches


class Projection:
    """The runs of one campaign. `interrupted`: it has no driver, so none of its trials is running.

    `form`: that of its runs in MLflow; by default the one of a campaign that has none yet.
    """

    def __init__(
        self,
        campaign: CampaignRow,
        searches: Sequence[SearchRow],
        memory: CampaignMemory | None = None,
        *,
        form: Form | None = None,
        interrupted: bool = False,
    ) -> None:
        self.form = form or chosen(campaign)
        self.with_trials = campaign.summary.record == "trials"
        self.campaign = campaign
        self._memory = memory
        self.metrics = (campaign.summary.primary, *campaign.summary.metrics[1:])
        self._origin = Provenance.from_json(campaign.provenance)
        self._spec = mask(campaign.spec)
        self._open = "SCHEDULED" if interrupted else "RUNNING"
        self._search_tags = {search.id: self._tags_of_arm(search) for search in searches}

    def campaign_run(self, trials: Iterable[TrialSummary] = (), result: Result = NOTHING) -> WantedRun:
        """The parent of all runs; counts and costs are those of `trials`; `result`: of the campaign."""
        row, at = self.campaign, millis(self.campaign.finished_at or self.campaign.created_at)
        fixed = {key: value for key, value in self._spec.items() if key in FIXED}
        commit = "" if self._origin.code is None else self._origin.code.commit
        tags = campaign_tags(row, self._spec, commit, self.form, result)
        artifacts = [
            Artifact("study.json", text=to_json(self._spec)),
            Artifact("provenance.json", text=to_json(mask(row.provenance))),
        ]
        if self._memory is not None:
            tags |= memory_tags(self._memory)
            artifacts.append(memory_file(self._memory))
        run = WantedRun(
            identity=row.id,
            parent=None,
            status=self._open if row.state == "running" else "FINISHED",
            start=millis(row.created_at),
            end=_end(row.finished_at),
            params=dict(flatten(fixed)),  # MLflow changes no parameter: what grows is in tags
            tags=tags,
            metrics=campaign_points(trials, at, self.form, result),
            artifacts=artifacts,
            dataset=self._dataset(),
        )
        return self._named(run)

    def shows_trials(self, search: SearchRow) -> bool:
        """Whether the run of a search is made of all of its trials whole, not only of the winner's."""
        selects = (self.campaign.spec.get("final") or {}).get("top", 1) > 1 and search.state == "finished"
        return not self.with_trials or selects

    def search_run(
        self,
        search: SearchRow,
        trials: Sequence[TrialRow] = (),
        openings: Sequence[OpeningRow] = (),
        every: Sequence[TrialSummary] | None = None,
    ) -> WantedRun:
        """A search with its anytime curve, counts, and the fresh-seed and test values of its winner.

        `trials`: all of them; or, where `every` has all in short, its winner and those that follow it.
        """
        arm = self._spec.get("arms", {}).get(search.arm) or {}
        tags = {**self._search_tags[search.id], "automl.kind": "search", "automl.state": search.state}
        again, selected = selection_of(self.campaign, search, trials)
        tags |= {"automl.reason": search.reason or "", "automl.winner": search.winner or "", **selected}
        tags |= {"mlflow.runColor": self._colour(search), STEP_TAG: self.form.step_tag}
        artifacts = []
        winner = next((trial for trial in trials if trial.id == search.winner), None)
        if winner is not None:
            artifacts.append(Artifact("winner.json", text=winner_text(winner)))
        if trials and not self.with_trials:
            artifacts.append(Artifact(TABLE_FILE, text=trials_table(trials)))
            tags["mlflow.loggedArtifacts"] = json.dumps([{"path": TABLE_FILE, "type": "table"}])
        run = WantedRun(
            identity=search.id,
            parent=self.uid(self.campaign.id),
            status=self._open if search.state == "running" else "FINISHED",
            start=millis(search.created_at),
            end=_end(search.finished_at),
            params={"seed": str(search.seed), **dict(flatten(arm))},
            tags=tags,
            metrics=[
                *curve_points(self.campaign.summary.primary, search, every or trials, self.form),
                *winner_points(self.campaign.summary.primary, search, trials, openings, self.form, again),
            ],
            artifacts=artifacts,
            dataset=self._dataset(),
        )
        return self._named(run)

    def trial_run(self, trial: TrialRow, reports: Sequence[ReportRow]) -> WantedRun:
        """A trial with its configuration, its values per step and at the end, and its files."""
        state = trial.state
        params = {key: param_text(value) for key, value in trial.config.items()}
        for key, value in (trial.derived or {}).items():
            params[f"derived.{key}" if key in params else key] = param_text(value)
        artifacts = list(trial_artifacts(trial))
        run = WantedRun(
            identity=trial.id,
            parent=self.uid(trial.search),
            status=self._open if state is TrialState.RUNNING else STATUS[state],
            start=millis(trial.started_at),
            end=_end(trial.finished_at),
            params=params,
            tags={**self._search_tags[trial.search], **trial_tags(trial)},
            metrics=trial_points(self.metrics, trial, reports),
            artifacts=artifacts,
            listed=tuple(one.name for one in artifacts if one.name in (trial.artifacts or ())),
            rewritten=trial.attempt > 1,
        )
        return self._named(run, trial.dataset)

    def knows(self, search: str) -> bool:
        """Whether that search was there when this projection was made."""
        return search in self._search_tags

    def uid(self, identity: str) -> str:
        """The uid of an identity of this campaign."""
        return run_uid(self.campaign.created_at, identity)

    def _named(self, run: WantedRun, dataset: str | None = None) -> WantedRun:
        """The run with the tags that every run has, and without anything that MLflow would cut or refuse."""
        uid, name = self.uid(run.identity), run_name(self.campaign, run.identity, dataset)
        tags = {key: value for key, value in run.tags.items() if value}
        tags |= {"automl.id": run.identity, "automl.uid": uid, "automl.campaign": self.campaign.id}
        tags |= {"mlflow.runName": name, "mlflow.source.name": "automl", "mlflow.source.type": "LOCAL"}
        tags["mlflow.user"] = "unknown"
        long = {f"params.{key}": value for key, value in run.params.items() if len(value) > LONGEST_PARAM}
        long |= {f"tags.{key}": value for key, value in tags.items() if len(value) > LONGEST_TAG}
        extra = [Artifact(LONG_FILE, text=to_json(long))] if long else []
        params = {key: short(clean_text(value), LONGEST_PARAM) for key, value in run.params.items()}
        return replace(
            run,
            uid=uid,
            name=name,
            params={clean_key(key): value for key, value in params.items()},
            tags={clean_key(key): short(clean_text(value), LONGEST_TAG) for key, value in tags.items()},
            artifacts=[*run.artifacts, *extra],
        )

    def _tags_of_arm(self, search: SearchRow) -> dict[str, str]:
        arm = self.campaign.summary.arms.get(search.arm, ArmSummary())
        return {
            "automl.search": search.id,
            "automl.arm": search.arm,
            "automl.seed": str(search.seed),
            "automl.strategy": arm.strategy,
            "automl.pruner": arm.pruner,
            "automl.evaluator": arm.evaluator,
            "automl.reference": arm.reference,
        }

    def _colour(self, search: SearchRow) -> str:
        """The colour of its arm, the same as in the report, so that a chart shows arms and not runs."""
        return arm_styles(dict.fromkeys([*self.campaign.summary.arms, search.arm]))[search.arm][0]

    def _dataset(self) -> tuple[str, str] | None:
        name, data = self.campaign.summary.dataset, self._origin.data
        return None if name is None else (name, "unknown" if data is None else data.digest)


def _end(finished: float | None) -> int | None:
    return None if finished is None else millis(finished)
