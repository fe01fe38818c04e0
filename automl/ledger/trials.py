"""Trials and their reports. Each event is one short transaction; only the current attempt may write.

On SQLite only the end of a trial is synced to the disk. A power failure may lose a start or a report, but
then the trial has to run again anyway, and its search proposes the same one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from automl.contracts import Ending, Outcome, Report, RunError, TrialState
from automl.ledger import reading
from automl.ledger.attempts import ended_statement, ended_values
from automl.ledger.queries import BY_ID, Queries
from automl.ledger.rows import NewTrial, TrialRow, trial_identity
from automl.ledger.tables import Values, campaigns, reports, searches, trials

_STARTED: Final = (
    "id",
    "search",
    "kind",
    "number",
    "state",
    "attempt",
    "token",
    "config",
    "seed",
    "asked_after",
    "device_seconds",
    "workdir",
    "dataset",
    "storage",
    "started_at",
)
_NEW: Final = [f"new_{name}" for name in _STARTED]
_REPORTED: Final = ("trial", "step", "value", "metrics", "device_seconds", "at")


def _new_values(table: sa.Table, names: Collection[str]) -> list[sa.BindParameter[Any]]:
    return [sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names]


_CURRENT: Final = (
    (trials.c.id == sa.bindparam("trial"))
    & (trials.c.token == sa.bindparam("held"))
    & (trials.c.state == TrialState.RUNNING.value)
)
_START: Final = (
    sa.insert(trials)
    .from_select(
        _STARTED,
        sa.select(*_new_values(trials, _STARTED))
        .select_from(searches.join(campaigns))
        .where(
            searches.c.id == sa.bindparam("new_search", type_=sa.Text),
            campaigns.c.token
            == sa.func.coalesce(sa.bindparam("driver", type_=sa.Integer), campaigns.c.token),
        )
        .with_for_update(read=True, of=campaigns),
    )
    .execution_options(preserve_rowcount=True)
)
_RESTART: Final = (
    sa.update(trials)
    .where(_CURRENT)
    .values(
        attempt=trials.c.attempt + 1,
        token=sa.bindparam("new_token"),
        device_seconds=sa.bindparam("spent"),
        started_at=sa.bindparam("restarted_at"),
    )
)
_ENDED: Final = ended_statement(_CURRENT)
_FINISHED: Final = ("state", "told", "values", "metrics", "derived", "attributes", "reason", "traceback")
_FINISHED_AT: Final = ("artifacts", "files", "host", "device", "finished_at")
_FINISH: Final = (
    sa.update(trials)
    .where(_CURRENT)
    .values(
        {name: sa.bindparam(f"new_{name}", type_=trials.c[name].type) for name in _FINISHED + _FINISHED_AT}
        | {"device_seconds": trials.c.device_seconds + sa.bindparam("cost", type_=sa.Float)}
    )
)


def report_statement(dialect: str) -> sa.Insert:
    """The statement that stores a report while its attempt is the current one."""
    insert = postgresql.insert(reports) if dialect == "postgresql" else sqlite.insert(reports)
    source = sa.select(*_new_values(reports, _REPORTED), trials.c.attempt).where(_CURRENT)
    names = (*_REPORTED, "attempt")
    statement = insert.from_select(names, source.with_for_update(read=True))
    changed = {name: statement.excluded[name] for name in names[2:]}
    upsert = statement.on_conflict_do_update(index_elements=["trial", "step"], set_=changed)
    return upsert.execution_options(preserve_rowcount=True)


class Trials(Queries):
    """The part of the ledger that starts, reports and ends trials."""

    _held: dict[str, int]
    _report: sa.Insert

    def start_trial(self, search: str, new: NewTrial) -> TrialRow:
        """Start the first attempt of a trial.

        Raises `RunError` when another driver has started it or taken over the campaign.
        """
        row = TrialRow(
            id=trial_identity(search, new.kind, new.number),
            search=search,
            token=secrets.token_hex(8),
            started_at=time.time(),
            **vars(new),
        )
        parameters: Values = dict(zip(_NEW, attrgetter(*_STARTED)(row), strict=True))
        parameters["driver"] = self._held.get(search.rsplit("/", 2)[0])
        try:
            if self._db.write(lambda c: c.execute(_START, parameters).rowcount == 1, synced=False):
                return row
        except sa.exc.IntegrityError:
            written = self.trial(row.id)
            if written is not None and written.token == row.token:  # the first try was committed after all
                return row
        raise RunError(
            f"{row.id} cannot be started here: another driver has started it or taken over its campaign; "
            "nothing was changed; let that driver go on"
        )

    def restart_trial(
        self, trial: str, token: str, spent: float, *, cost: float = 0.0, ended: Outcome | None = None
    ) -> TrialRow:
        """Start the next attempt of a running trial; `token` is that of the last attempt, which is fenced.

        `spent`: device-seconds of all earlier attempts, of which the last has used `cost` and `ended` says
        how; `started_at` becomes now. Raises `RunError` when this attempt is fenced itself.
        """
        ending, reason = (Ending.LOST, "") if ended is None else (ended.ending, ended.reason)
        now, host = time.time(), "" if ended is None else ended.host
        new_token = secrets.token_hex(8)
        parameters: Values = {
            "trial": trial,
            "held": token,
            "new_token": new_token,
            "spent": spent,
            "restarted_at": now,
            **ended_values(ending, reason, cost, host, now),
        }

        def work(connection: sa.Connection) -> TrialRow | None:
            connection.execute(_ENDED, parameters)
            connection.execute(_RESTART, parameters)
            row = connection.execute(BY_ID, {"trial": trial}).one_or_none()
            return None if row is None or row.token != new_token else reading.trial(row)

        restarted = self._db.write(work)
        if restarted is None:
            raise RunError(
                f"{trial} cannot be restarted: it has ended or another attempt holds it; nothing was changed"
            )
        return restarted

    def report(self, trial: str, token: str, report: Report) -> bool:
        """Store a report, in place of an earlier one of its step; False when fenced."""
        parameters: Values = {
            "trial": trial,
            "held": token,
            "new_trial": trial,
            "new_step": report.step,
            "new_value": report.value,
            "new_metrics": report.metrics,
            "new_device_seconds": report.device_seconds,
            "new_at": time.time(),
        }
        return self._db.write(lambda c: c.execute(self._report, parameters).rowcount == 1, synced=False)

    def finish_trial(
        self, trial: str, token: str, outcome: Outcome, *, told: int | None, attributes: Mapping[str, object]
    ) -> bool:
        """End a trial for good, adding the attempt's cost; False when fenced or already ended."""
        finished = time.time()
        parameters: Values = {
            "trial": trial,
            "held": token,
            "new_state": outcome.state.value,
            "new_told": told,
            "new_values": outcome.values,
            "new_metrics": outcome.metrics,
            "new_derived": outcome.derived,
            "new_attributes": attributes,
            "new_reason": outcome.reason,
            "new_traceback": outcome.traceback,
            "new_artifacts": outcome.artifacts,
            "new_files": outcome.to_json()["files"],
            "new_host": outcome.host,
            "new_device": outcome.device,
            "new_finished_at": finished,
            "cost": outcome.device_seconds,
            **ended_values(outcome.ending, outcome.reason, outcome.device_seconds, outcome.host, finished),
        }

        def work(connection: sa.Connection) -> bool:
            connection.execute(_ENDED, parameters)
            if connection.execute(_FINISH, parameters).rowcount:
                return True
            row = connection.execute(BY_ID, {"trial": trial}).one_or_none()
            return row is not None and (row.token, row.finished_at) == (
                token,
                finished,
            )  # committed after all

        return self._db.write(work)

    def note_lost(self, trial: str, why: str) -> None:
        """Note why the model of a trial that has ended cannot be read any more; the first reason stays."""
        update = sa.update(trials).where(trials.c.id == trial, trials.c.lost.is_(None)).values(lost=why)
        self._db.write(lambda connection: connection.execute(update).rowcount)
