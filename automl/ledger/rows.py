"""The ledger's rows as frozen dataclasses, with exactly the columns of `tables`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from automl.contracts import Config, Ending, StoredFile, TrialState
from automl.ledger.study_summary import StudySummary

STOPPED: Final = "stopped by"  # the reason of what a request has ended begins so
# of the search, of the selection of its winner, of the winner, of the winner on another dataset
KINDS: Final = ("trial", "again", "final", "transfer", "refit")


@dataclass(frozen=True)
class CampaignRow:
    """One dated execution of a study. `spec` is the resolved study, `provenance` its origin, both as JSON.

    `owner` is `host:pid:start` of the driver that holds it, if any. `reason`: the limit, or the request, that
    ended it early. `label`: another name of it. `begun_by`: the user who began it; None in those of earlier
    versions.
    """

    id: str
    study: str
    number: int
    state: str
    spec: dict[str, Any]
    digest: str
    provenance: dict[str, Any]
    created_at: float
    finished_at: float | None
    owner: str | None
    token: int
    heartbeat_at: float | None
    recorded: int
    reason: str | None = None
    label: str | None = None
    begun_by: str | None = None

    @property
    def has_grown(self) -> bool:
        """Whether it was asked for more than it began with."""
        return bool(self.provenance.get("grown"))

    @property
    def was_stopped(self) -> bool:
        """Whether a request has ended it."""
        return (self.reason or "").startswith(STOPPED)

    @cached_property
    def summary(self) -> StudySummary:
        """The resolved study by names, read from `spec`."""
        return StudySummary.from_json(self.spec)


@dataclass(frozen=True)
class MemoryRow:
    """What a campaign remembers of earlier ones, as plain JSON."""

    campaign: str
    content: dict[str, Any]


@dataclass(frozen=True)
class DriveRow:
    """A time at which a campaign had a driver: from its start to its last sign of life, in POSIX seconds."""

    campaign: str
    token: int
    started_at: float
    until: float


@dataclass(frozen=True)
class SearchRow:
    """One arm with one seed. `winner` is the id of the selected trial once it is finished."""

    id: str
    campaign: str
    arm: str
    seed: int
    state: str
    reason: str | None
    winner: str | None
    created_at: float
    finished_at: float | None
    recorded: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSummary:
    """What counts and curves are made of: one evaluation of a configuration, without that configuration.

    `kind` is one of `KINDS`. `device_seconds` counts all attempts. The defaults are those of a trial that
    starts.
    """

    id: str
    search: str
    kind: str
    state: TrialState = TrialState.RUNNING
    values: list[float] | None = None
    device_seconds: float = 0.0
    started_at: float
    finished_at: float | None = None
    recorded: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRow(TrialSummary):
    """One evaluation of a configuration.

    `dataset`: the name of another one than the study's, None on that. `storage`: URL of the folder of its
    files, None where they are in `workdir`; `files`: what is there, by path in a working folder. `lost`: why
    its model cannot be read any more.
    """

    number: int
    attempt: int = 1
    token: str
    config: Config
    derived: Config | None = None
    seed: int
    asked_after: int
    told: int | None = None
    metrics: dict[str, float] | None = None
    attributes: dict[str, Any] | None = None
    reason: str | None = None
    traceback: str | None = None
    artifacts: list[str] | None = None
    workdir: str | None
    host: str | None = None
    device: str | None = None
    dataset: str | None = None
    storage: str | None = None
    files: dict[str, StoredFile] | None = None
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt of a trial, ended. `device_seconds`: of this attempt alone; times in POSIX seconds."""

    trial: str
    attempt: int
    token: str
    ending: Ending
    reason: str | None
    device_seconds: float
    host: str | None
    started_at: float
    finished_at: float


@dataclass(frozen=True)
class NewTrial:
    """A trial to start; `kind` is one of `KINDS`. `asked_after`: tells that its search had received.

    `dataset`: the name of another one than the study's. `storage`: URL of the folder of its files.
    """

    kind: str
    number: int
    config: Config
    seed: int
    asked_after: int
    workdir: str | None
    dataset: str | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One report of a trial; `value` is None when it has only metrics; `device_seconds` of its attempt.

    `attempt`: None where it is not known, in ledgers of earlier versions.
    """

    trial: str
    step: int
    value: float | None
    metrics: dict[str, float] | None
    device_seconds: float
    at: float
    attempt: int | None = None


@dataclass(frozen=True)
class OpeningRow:
    """One opening of the sealed test set; `values` has one entry per fresh-seed model.

    `details`: all measurements of each model, where there are more than its value. `trials`: the
    retraining behind each model, or the winner itself; None in those of earlier versions. `dataset`: whose
    test set that was, where it is another one than the study's.
    """

    id: int
    search: str
    reason: str
    opened_at: float
    values: list[float] | None
    details: list[dict[str, float]] | None = None
    trials: list[str] | None = None
    dataset: str | None = None


def trial_identity(search: str, kind: str, number: int) -> str:
    """The id of a trial: `quickstart-3/tpe/0/17`, others: `quickstart-3/tpe/0/final-0`."""
    return f"{search}/{number}" if kind == "trial" else f"{search}/{kind}-{number}"
