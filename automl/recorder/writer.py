"""What every writer of runs does, and a run as MLflow has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from automl.contracts import RunAddress
from automl.recorder.form import Form, form_in
from automl.recorder.points import Point
from automl.recorder.uids import run_uid
from automl.recorder.wanted_run import Artifact, WantedRun

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

Beat: TypeAlias = Callable[[], None]  # to be called whenever a server has answered


@dataclass(frozen=True)
class StoredRun:
    """A run as MLflow has it. `points`: its whole history, or None where only `latest` is known.

    `rank`: of several runs of one identity, the one with the least is the intended one.
    """

    run_id: str
    identity: str
    uid: str | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    latest: dict[str, float]
    points: set[Point] | None = None
    rank: tuple[int, ...] = ()

    @property
    def parent(self) -> str | None:
        """The run id of its parent."""
        return self.tags.get(MLFLOW_PARENT_RUN_ID)


class Writer(Protocol):
    """Makes the runs of one campaign in MLflow equal to the wanted ones."""

    @property
    def batch(self) -> int:
        """The number of trials to write at once."""

    def write(self, runs: Sequence[WantedRun]) -> None:
        """Create or correct each run, whatever was there before; parents come before children.

        What others logged under keys that the wanted run does not have stays.
        """

    def create(self, runs: Sequence[WantedRun]) -> None:
        """Create each run that does not exist; others stay as they are. Parents come before children.

        Any thread may call it, also one that was given up and comes late: what is there is newer.
        """

    def begin(self, run: WantedRun) -> RunAddress:
        """Create the run of a trial that starts (see `create`), and say where it is."""

    def append(self, points: Mapping[str, list[Point]]) -> None:
        """Add points to runs by their uid; runs that do not exist are left out."""

    def read(self) -> Iterator[list[StoredRun]]:
        """All active runs that carry an identity of this campaign, some at once."""

    def tags(self, uid: str) -> Mapping[str, str] | None:
        """The tags of the run of a uid; None without one."""

    def files(self, run_id: str) -> set[str]:
        """Names of the artifacts of a run, files and folders."""

    def absent(self, uids: Collection[str]) -> set[str]:
        """Those of `uids` that have no run."""

    def upload(self, uid: str, artifacts: Sequence[Artifact]) -> None:
        """Upload artifacts to the run of a uid, over files of the same names there."""

    def delete(self, run_id: str) -> None:
        """Move a run to MLflow's trash."""

    def settle(self) -> None:
        """Remove duplicates that lost answers of a server may have left."""

    def close(self) -> None:
        """Close connections."""


def form_of(writer: Writer, campaign: CampaignRow) -> Form:
    """The form of a campaign as it is recorded."""
    return form_in(writer.tags(run_uid(campaign.created_at, campaign.id)), campaign)
