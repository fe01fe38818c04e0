"""Our tables. Times are POSIX seconds in UTC; costs are device-seconds; identities are readable text.

campaign `quickstart-3` > search `quickstart-3/tpe/0` > trial `quickstart-3/tpe/0/17`
(evaluated again to select the winner: `quickstart-3/tpe/0/again-0`, retrained: `quickstart-3/tpe/0/final-0`).
"""

from __future__ import annotations

from typing import Final, TypeAlias

import sqlalchemy as sa

from automl.ledger.column_types import Flag, Json

SCHEMA = "automl"  # on PostgreSQL; SQLite has a file of its own instead
metadata = sa.MetaData()
Values: TypeAlias = dict[str, object]  # column: value
DUE: Final = sa.text("recorded < 2")  # trials that MLflow does not have to their end
RUNNING: Final = sa.text("state = 'running'")
# few among many, looked up all the time: queries have the condition word for word and no other columns, or
# SQLite would plan without these indexes until it has statistics
FEW: Final = (
    ("ix_trials_due", ("search", "started_at", "id", "state", "recorded"), DUE),
    ("ix_trials_running", ("search", "id", "state"), RUNNING),
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # running | finished
    sa.Column("spec", Json, nullable=False),  # the resolved study
    sa.Column("digest", sa.Text, nullable=False),  # of the spec: continue only the same study
    sa.Column("provenance", Json, nullable=False),  # commit, versions, host, data digest
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("owner", sa.Text),  # host:pid:start of the driver that holds the lease
    sa.Column("token", sa.Integer, nullable=False, server_default="0"),  # fencing: grows with each owner
    sa.Column("heartbeat_at", sa.Float),
    sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text),  # the limit, or the request, that ended it early
    sa.Column("label", sa.Text),  # another name of it, shown beside its id
    sa.Column("begun_by", sa.Text),  # the user who began it; null in those of earlier versions
    sa.UniqueConstraint("study", "number"),
)

memories = sa.Table(
    "memories",  # what a campaign remembers of earlier ones, fixed when it is created
    metadata,
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("content", Json, nullable=False),  # a `CampaignMemory`
)

drives = sa.Table(
    "drives",  # the times at which a campaign had a driver: what its limits and wall seconds count
    metadata,
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("token", sa.Integer, primary_key=True),  # of the campaign while this driver held it
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),  # its last heartbeat
)

requests = sa.Table(
    "requests",  # what users ask of a campaign, which its driver looks up every second
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
    sa.Column("target", sa.Text, nullable=False),  # id of the campaign, of a search or a trial of it
    sa.Column("wish", sa.Text, nullable=False),  # stop | pause | resume
    sa.Column("by", sa.Text, nullable=False),  # user@host
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("done_at", sa.Float),  # when a driver took it
    sa.Column("answer", sa.Text),  # why nothing was done
)

notices = sa.Table(
    "notices",  # what is owed to the targets of a study, and what became of it
    metadata,
    sa.Column("message", sa.Text, primary_key=True),  # its id, the same for every target
    sa.Column("target", sa.Text, primary_key=True),  # by its label: no address is stored
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), index=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # owed | sent | failed
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("done_at", sa.Float),
    sa.Column("reason", sa.Text),  # why it failed
)

deletions = sa.Table(
    "deletions",  # what remains of deleted campaigns: their numbers, and how often they saw test data
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("data", sa.Text),  # digest of its data
    sa.Column("looks", sa.Integer, nullable=False),  # openings of the test set
    sa.Column("by", sa.Text, nullable=False),  # user@host
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("done_at", sa.Float),  # null: not all of it is deleted yet
)

searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("campaign", sa.Text, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # running | finished
    sa.Column("reason", sa.Text),  # why it ended
    sa.Column("winner", sa.Text),  # id of the selected trial
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("campaign", "arm", "seed"),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("search", sa.Text, sa.ForeignKey("searches.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # one of `rows.KINDS`
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # a TrialState
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("token", sa.Text, nullable=False),  # fencing: only the current attempt may write
    sa.Column("config", Json, nullable=False),
    sa.Column("derived", Json),  # the genotype of a one-shot search
    sa.Column("seed", sa.BigInteger, nullable=False),
    # tells that its search had received: replays a parallel search
    sa.Column("asked_after", sa.Integer, nullable=False),
    sa.Column("told", sa.Integer),  # position among the tells of its search
    sa.Column("values", Json),  # one per metric of the study, when complete
    sa.Column("metrics", Json),
    sa.Column("attributes", Json),  # what the strategy keeps with the trial
    sa.Column("device_seconds", sa.Float, nullable=False),  # all attempts
    sa.Column("reason", sa.Text),
    sa.Column("traceback", sa.Text),
    sa.Column("artifacts", Json),
    sa.Column("workdir", sa.Text),
    sa.Column("host", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    # what MLflow has of it: 0 nothing, 1 its start, 2 its end
    sa.Column("recorded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("dataset", sa.Text),  # another one than the study's: its name in `transfer`
    sa.Column("storage", sa.Text),  # URL of the folder of its files; null: they are in `workdir`
    sa.Column("files", Json),  # what is there, by path: sha256 and size
    sa.Column("lost", sa.Text),  # why its model cannot be read any more
    sa.UniqueConstraint("search", "kind", "number"),
    *(sa.Index(name, *columns, sqlite_where=few, postgresql_where=few) for name, columns, few in FEW),
)

attempts = sa.Table(
    "attempts",  # that have ended
    metadata,
    sa.Column("trial", sa.Text, sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("ending", sa.Text, nullable=False),  # an Ending
    sa.Column("reason", sa.Text),
    sa.Column("device_seconds", sa.Float, nullable=False),  # of this attempt
    sa.Column("host", sa.Text),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float, nullable=False, index=True),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("trial", sa.Text, sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    sa.Column("value", sa.Float),  # null: metrics of a step that is not the trial's own
    sa.Column("metrics", Json),
    sa.Column("device_seconds", sa.Float, nullable=False),  # of this attempt, so far
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("attempt", sa.Integer),  # of the trial; null in those of earlier versions
)

openings = sa.Table(
    "openings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("search", sa.Text, sa.ForeignKey("searches.id"), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("values", Json),  # one per fresh-seed model; null until they are written
    sa.Column("details", Json),  # {name: number} per fresh-seed model; null where the values are all there is
    sa.Column("trials", Json),  # id of the trial behind each value; null in those of earlier versions
    sa.Column("dataset", sa.Text),  # another one than the study's: its name in `transfer`
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("cron", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("catchup", sa.Float, nullable=False),  # seconds a missed slot may still start
    sa.Column("paused", Flag, nullable=False),
    sa.Column("planned_until", sa.Float, nullable=False),  # slots up to here have been planned
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("trusted", sa.Boolean, nullable=False, server_default=sa.false()),  # may name any code
)

firings = sa.Table(
    "firings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("slot", sa.Float, nullable=False),  # the planned time
    sa.Column("state", sa.Text, nullable=False),  # ready | running | done | failed | skipped
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", sa.Float),
    sa.Column("token", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("campaign", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.UniqueConstraint("study", "slot"),
)

promotions = sa.Table(
    "promotions",  # what was decided about the models of a study, in its order
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("action", sa.Text, nullable=False),  # promote | refuse | keep | rollback | archive
    sa.Column("campaign", sa.Text),  # which may have been deleted since
    sa.Column("finished_at", sa.Float),  # the end of the campaign that was judged: it may grow later
    sa.Column("model", sa.Text),  # what it is about
    sa.Column("before", sa.Text),  # the champion until then
    sa.Column("after", sa.Text),  # the champion from then on
    sa.Column("version", sa.Integer),  # of the model in MLflow's registry, once it has one
    sa.Column("content", Json, nullable=False),  # conditions with figures, values, reasons
    sa.Column("by", sa.Text, nullable=False),  # user@host
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("done_at", sa.Float),  # null: MLflow's registry may not have it yet
    sa.UniqueConstraint("study", "number"),
)
