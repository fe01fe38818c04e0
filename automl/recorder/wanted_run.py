"""A run as MLflow must have it, as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from automl.files import CHECKPOINTS, MODEL, Kept, below, fetch_states
from automl.ledger.rows import CampaignRow, SearchRow, TrialRow
from automl.recorder.points import Point
from automl.recorder.texts import to_json


@dataclass(frozen=True)
class Artifact:
    """A file or folder at `path`, or a `text`, that belongs at `name` in a run's artifacts.

    `fetch` writes one that is in a storage to the path that it is given. It raises `LostFileError` for one
    that is not there any more.
    """

    name: str
    path: Path | None = None
    text: str | None = None
    fetch: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class WantedRun:
    """One MLflow run as it must be. `uid` derives from the identity, `parent` is a uid; times in ms.

    `rewritten`: points that were recorded before may have been replaced since (a second attempt). `listed`:
    the artifacts that the ledger lists, whether or not they can be had.
    """

    identity: str
    parent: str | None
    status: str
    start: int
    end: int | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[Point]
    artifacts: list[Artifact] = field(default_factory=list)
    dataset: tuple[str, str] | None = None  # name, digest
    rewritten: bool = False
    uid: str = ""
    name: str = ""
    listed: tuple[str, ...] = ()


def trial_tags(trial: TrialRow) -> dict[str, str]:
    """What the run of a trial says of its course; `automl.dataset`: another one than the study's."""
    return {
        "automl.kind": trial.kind,
        "automl.number": str(trial.number),
        "automl.dataset": trial.dataset or "",
        "automl.trial_seed": str(trial.seed),
        "automl.state": str(trial.state),
        "automl.attempt": str(trial.attempt),
        "automl.host": trial.host or "",
        "automl.device": trial.device or "",
        "automl.reason": trial.reason or "",
    }


def trial_artifacts(trial: TrialRow) -> Iterator[Artifact]:
    """The files of a trial. Names that point outside its folder are left out."""
    if trial.traceback:
        yield Artifact("traceback.txt", text=trial.traceback)
    if trial.finished_at is None:
        return
    if trial.storage is not None:
        yield from _stored_artifacts(trial)
    elif trial.workdir is not None:
        root = Path(trial.workdir) / "artifacts"
        for name in trial.artifacts or []:
            if (path := root / name).resolve().is_relative_to(root.resolve()):
                yield Artifact(name, path=path)
        model = Path(trial.workdir) / MODEL
        if trial.kind in ("final", "refit") and model.is_dir():
            yield Artifact(MODEL, path=model)


def _stored_artifacts(trial: TrialRow) -> Iterator[Artifact]:
    kept = Kept.of(trial.storage, trial.files)
    if kept is not None:
        for name in trial.artifacts or []:
            yield Artifact(name, fetch=partial(kept.fetch_part, f"artifacts/{name}"))
        if trial.kind in ("final", "refit") and kept.names(MODEL):
            yield Artifact(MODEL, fetch=partial(kept.fetch_part, MODEL))


def checkpoint_artifact(workdir: Path, storage: str | None) -> Artifact:
    """The checkpoints of a trial that has won."""
    if storage is None:
        return Artifact("checkpoint", path=workdir / CHECKPOINTS)
    return Artifact("checkpoint", fetch=partial(fetch_states, below(storage, CHECKPOINTS)))


def final_files(
    folder: Path, campaign: CampaignRow, searches: Sequence[SearchRow], trials: Sequence[TrialRow]
) -> dict[str, list[Artifact]]:
    """By identity, the files that the end of a campaign has left below its `folder`, for MLflow."""
    files = {campaign.id: [Artifact("report.html", path=folder / "report.html")]}
    by_id = {trial.id: trial for trial in trials}
    for search in searches:
        pictures = sorted((folder / f"{search.arm}-{search.seed}").glob("*.svg"))
        files[search.id] = [Artifact(picture.name, path=picture) for picture in pictures]
        winner = by_id.get(search.winner or "")
        if winner is not None and winner.workdir:
            files[search.id].append(checkpoint_artifact(Path(winner.workdir), winner.storage))
    return files


def trials_table(trials: Sequence[TrialRow]) -> str:
    """All trials of a search in the form of MLflow's `log_table`, for campaigns without a run per trial."""
    names = sorted({name for trial in trials for name in trial.config})
    columns = ["id", "kind", "state", "values", "device_seconds", "seed", "reason"]
    others = ["dataset"] if any(trial.dataset for trial in trials) else []
    data = [
        [
            trial.id,
            trial.kind,
            trial.state,
            trial.values,
            trial.device_seconds,
            trial.seed,
            trial.reason,
            *([trial.dataset] if others else []),
            *(trial.config.get(name) for name in names),
        ]
        for trial in trials
    ]
    return json.dumps({"columns": [*columns, *others, *(f"config.{name}" for name in names)], "data": data})


def winner_text(trial: TrialRow) -> str:
    """The selected trial as a JSON file."""
    return to_json(
        {
            "id": trial.id,
            "config": trial.config,
            "derived": trial.derived,
            "seed": trial.seed,
            "values": trial.values,
            "metrics": trial.metrics,
            "device_seconds": trial.device_seconds,
        }
    )
