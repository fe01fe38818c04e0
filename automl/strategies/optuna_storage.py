"""Writes a campaign into an Optuna storage, a study for each search, for Optuna's own tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from automl import importing
from automl.contracts import RunError, TrialState, UserError
from automl.space import Space
from automl.spaces import load_space
from automl.strategies.base import STATES, distribution

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import CampaignRow, ReportRow, SearchRow, TrialRow

IDENTITY = "automl:trial"  # user attribute: the ledger's name of a trial


def export_optuna(ledger: Ledger, campaign_id: str, url: str) -> list[str]:
    """Write every finished trial of a campaign to the Optuna storage `url`; the studies' names.

    A study is called like its search (`quickstart-3/tpe/0`). What an earlier export wrote stays and
    is not written twice. Raises `UserError` for an unknown campaign or an unusable `url`.
    """
    campaign = ledger.campaign(campaign_id)
    if campaign is None:
        raise UserError(f"an export needs a campaign that is in the store, but got {campaign_id!r}")
    importing.put_last(campaign.spec["source"])  # a study's own space may lie there
    reports = ledger.reports(campaign=campaign_id)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage(url)
    names = []
    try:
        for search in ledger.searches(campaign_id):
            _export_search(campaign, search, (ledger.trials(search=search.id), reports), storage)
            names.append(search.id)
    except optuna.exceptions.StorageInternalError as error:
        raise RunError(
            f"writing to the Optuna storage failed: {error}; the campaign is safe; run the export again"
        ) from error
    finally:
        storage.remove_session()
        optuna.logging.set_verbosity(before)
    return names


def _storage(url: str) -> optuna.storages.RDBStorage:
    for short in ("postgresql://", "postgres://"):
        if url.startswith(short):
            url = f"postgresql+psycopg://{url.removeprefix(short)}"
    if Path(url.partition("?")[0]).name in ("ledger.db", "mlflow.db"):
        raise UserError(
            f"an Optuna storage must be a database of its own, but got {url!r}, a part of the store; "
            "name another, such as sqlite:///optuna.db"
        )
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except Exception as error:  # Optuna passes on whatever the database, its driver or its migrations raise
        raise UserError(
            "an Optuna storage must be a database of its own, such as sqlite:///optuna.db, but opening it "
            f"raised {type(error).__name__}: {str(error).splitlines()[0]}; correct the URL"
        ) from error


def _export_search(
    campaign: CampaignRow,
    search: SearchRow,
    rows: tuple[Sequence[TrialRow], Mapping[str, Sequence[ReportRow]]],
    storage: optuna.storages.RDBStorage,
) -> None:
    trials, reports = rows
    study = optuna.create_study(
        storage=storage,
        study_name=search.id,
        directions=[metric.direction.value for metric in campaign.summary.metrics],
        load_if_exists=True,
    )
    names = [metric.name for metric in campaign.summary.metrics]
    described = {"campaign": campaign.id, "arm": search.arm, "seed": search.seed, "metrics": names}
    for key, value in described.items():
        study.set_user_attr(f"automl:{key}", value)
    exported = {trial.user_attrs.get(IDENTITY) for trial in study.get_trials(deepcopy=False)}
    space = _space(campaign.spec, search.arm)
    ordered = sorted(trials, key=lambda trial: (trial.told is None, trial.told or 0, trial.number))
    study.add_trials(
        [
            _frozen(trial, reports.get(trial.id, ()), space)
            for trial in ordered
            if trial.kind == "trial" and trial.state is not TrialState.RUNNING and trial.id not in exported
        ]
    )


def _space(spec: Mapping[str, Any], arm: str) -> Space:
    arm_spec = spec["arms"][arm]
    reference = arm_spec["reference"]
    return load_space({"name": reference} if reference else arm_spec["space"] or spec["space"])


def _frozen(trial: TrialRow, reports: Sequence[ReportRow], space: Space) -> optuna.trial.FrozenTrial:
    """A finished trial as Optuna keeps it. A pruned one's value is its last report, as Optuna has it."""
    described = {
        "device_seconds": trial.device_seconds,
        "reason": trial.reason,
        "derived": trial.derived,
        **(trial.metrics or {}),
    }
    frozen = optuna.trial.create_trial(
        state=STATES[trial.state],
        values=trial.values if trial.state is TrialState.COMPLETE else None,
        params=dict(trial.config),
        distributions={name: distribution(space.parameters[name]) for name in trial.config},
        intermediate_values={report.step: report.value for report in reports if report.value is not None},
        user_attrs={
            IDENTITY: trial.id,
            **{f"automl:{key}": value for key, value in described.items() if value is not None},
        },
    )
    frozen.datetime_start = datetime.fromtimestamp(trial.started_at)
    frozen.datetime_complete = datetime.fromtimestamp(trial.finished_at or trial.started_at)
    return frozen
