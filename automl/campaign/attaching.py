"""What a campaign leaves in MLflow at its end besides its runs: files that are written from the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from automl.campaign.search import Incumbent, Search
from automl.ledger import Ledger
from automl.recorder import Artifact, Recorder, checkpoint_artifact
from automl.report import cell_picture, collect, course_pictures, html

PAUSE: Final = 1.0  # seconds between two tries
ROOM: Final = 60.0  # seconds that a full disk is waited for


def attach_when_written(
    recorder: Recorder,
    ledger: Ledger,
    campaign: str,
    searches: Sequence[Search],
    folder: Path,
    wait: float = ROOM,
) -> None:
    """The report, winners' checkpoints and cells, and the courses of one-shot searches go to MLflow.

    Raises `OSError` when `folder` could not be written to for `wait` seconds.
    """
    end = time.monotonic() + wait
    while True:
        try:
            files = _written(ledger, campaign, searches, folder)
            break
        except OSError:
            if time.monotonic() + PAUSE > end:
                raise
        time.sleep(PAUSE)
    for identity, artifact in files:
        recorder.attach(identity, artifact)


def _written(
    ledger: Ledger, campaign: str, searches: Sequence[Search], folder: Path
) -> list[tuple[str, Artifact]]:
    """The files, each with whose it is."""
    report = collect(ledger, campaign)
    texts = {"report.html": html(report), "comparison.json": json.dumps(report.answers(), indent=1)}
    files = [(campaign, Artifact(name, path=_write(folder / name, text))) for name, text in texts.items()]
    courses = {entry.trial.rpartition("/")[0]: entry.course for entry in report.collapse}
    for search in searches:
        if search.best is not None and search.best.workdir is not None:
            files.append((search.row.id, checkpoint_artifact(search.best.workdir, search.best.storage)))
            pictures = _cell(search, search.best)
            if search.row.id in courses:
                pictures |= course_pictures(courses[search.row.id])
            for name, picture in pictures.items():
                path = _write(search.settings.workdir / f"{name}.svg", picture)
                files.append((search.row.id, Artifact(path.name, path=path)))
    return files


def _cell(search: Search, winner: Incumbent) -> dict[str, str]:
    picture = cell_picture(winner.trained, search.settings.space.get("name", "cell"))
    return {} if picture is None else {"cell": picture}


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
