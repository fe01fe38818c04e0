"""What must hold of a campaign that has ended, whatever was killed meanwhile. Checked by SQL on both stores.

Every function returns the faults that it found, in words.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fault_study import FaultStudy, ReplayedStudy

GOOD = {"complete", "pruned"}
ENDED = ("finished", 2)  # state, and what MLflow has of it
LEAVING = 15.0  # seconds that the processes of a driver have to end after it


def query(url: str, text: str, **values: object) -> list[Any]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return list(connection.execute(sa.text(text), values))
    finally:
        engine.dispose()


def _names(study: FaultStudy) -> dict[str, str]:
    campaign = f"{study.name}-{study.number}"
    return {"study": study.name, "campaign": campaign, "inside": f"{campaign}/%"}


def study_rows(study: FaultStudy, text: str) -> list[Any]:
    """Rows of the ledger; `text` may name `:study`, its `:campaign`, and what lies `:inside` it."""
    names = {name: value for name, value in _names(study).items() if f":{name}" in text}
    return query(study.store.url, text, **names)


def faults_of(study: FaultStudy) -> list[str]:
    """All that is wrong with the one campaign of a study that has run to its end."""
    campaigns = [row.id for row in study_rows(study, "SELECT id FROM campaigns WHERE study = :study")]
    if campaigns != [f"{study.name}-1"]:
        return [f"there must be one campaign, but there are {campaigns}"]
    return [*faults_of_campaign(study), *_left_over(study)]


def faults_of_campaign(study: FaultStudy, number: int = 1) -> list[str]:
    """All that is wrong with one campaign of a study."""
    one = replace(study, number=number)
    found = [*_campaign(one), *_trials(one), *_attempts(one), *_mlflow(one)]
    return [*found, *_executed(one)] if study.noted else found


def is_over(study: FaultStudy) -> bool:
    """Whether its campaign is complete and recorded."""
    rows = study_rows(study, "SELECT state, recorded FROM campaigns WHERE id = :campaign")
    return [tuple(row) for row in rows] == [ENDED]


def history(study: FaultStudy) -> dict[str, tuple[object, ...]]:
    """What a campaign did, by trial without the campaign's name: equal for equal studies without workers."""
    rows = study_rows(
        study, 'SELECT id, state, config, seed, told, "values" AS scores FROM trials WHERE id LIKE :inside'
    )
    return {row.id.partition("/")[2]: (row.state, row.config, row.seed, row.told, row.scores) for row in rows}


def _campaign(study: FaultStudy) -> Iterator[str]:
    for row in study_rows(study, "SELECT id, state, recorded FROM campaigns WHERE id = :campaign"):
        if (row.state, row.recorded) != ENDED:
            yield f"{row.id} must be finished and recorded, but is {tuple(row)}"
    for row in study_rows(study, "SELECT id, state, recorded FROM searches WHERE campaign = :campaign"):
        if (row.state, row.recorded) != ENDED:
            yield f"{row.id} must be finished and recorded, but is {tuple(row)}"
    opened = study_rows(study, 'SELECT search, "values" AS scores FROM openings WHERE search LIKE :inside')
    times = Counter(row.search for row in opened)
    if len(times) != study.searches * bool(study.opened) or set(times.values()) - {study.opened}:
        yield f"the test set was opened for {sorted(row.search for row in opened)}"
    for row in opened:
        if row.scores is None:
            yield f"the opening for {row.search} has no values"


def _trials(study: FaultStudy) -> Iterator[str]:
    """No trial is lost, twice, stuck or failed."""
    rows = study_rows(study, 'SELECT t.*, t."values" AS scores FROM trials t WHERE id LIKE :inside')
    by_search = defaultdict(list)
    for row in rows:
        by_search[row.search].append(row)
        if row.state not in GOOD or row.recorded != 2:
            yield f"{row.id} is {row.state}, recorded {row.recorded}: {row.reason}"
    for search, of_it in by_search.items():
        numbers = sorted((row.kind, row.number) for row in of_it)
        trials = study.trials or sum(row.kind == "trial" for row in of_it)
        finals = study.finals if study.trials else sum(row.kind == "final" for row in of_it)
        counts = {"final": finals, "transfer": study.transfers, "trial": trials}
        if numbers != sorted((kind, number) for kind, count in counts.items() for number in range(count)):
            yield f"{search} has the trials {numbers}"
        if sorted(row.told for row in of_it if row.told is not None) != list(range(trials)):
            yield f"{search} was told {sorted(str(row.told) for row in of_it)}"
    if len(by_search) != study.searches:
        yield f"there must be {study.searches} searches, but there are {len(by_search)}"


def _executed(study: FaultStudy) -> Iterator[str]:
    """What the code of trials noted: values are unchanged, steps ran once, and the ledger is right."""
    rows = study_rows(study, 'SELECT t.*, t."values" AS scores FROM trials t WHERE id LIKE :inside')
    for row in rows:
        config = json.loads(row.config)
        value = config["x"] ** 2 + config["y"] ** 2
        if row.state == "complete" and json.loads(row.scores) != [value]:
            yield f"{row.id} has {row.scores} instead of {value}"
    reports = defaultdict(list)
    for row in study_rows(
        study, "SELECT trial, step, value FROM reports WHERE trial LIKE :inside ORDER BY step"
    ):
        reports[row.trial].append(row.step)
    for row in rows:
        if row.state == "complete" and reports[row.id] != list(range(1, study.steps + 1)):
            yield f"{row.id} has the reports {reports[row.id]}"
    executed = study.executed()
    for row in rows:
        again = sum(executed[row.id].done.values()) - study.steps if row.id in executed else 0
        if row.state == "complete" and not 0 <= again <= row.attempt - 1:
            yield f"{row.id} ran {again} steps again in {row.attempt} attempts"
        used = executed[row.id].used if row.id in executed else {}
        off, lost = row.device_seconds - sum(used.values()), study.seconds * (row.attempt - 1)
        if abs(off) > lost + study.slack * row.attempt:
            yield f"{row.id} paid {row.device_seconds:.3f} s, but {sum(used.values()):.3f} s were executed"


def _attempts(study: FaultStudy) -> Iterator[str]:
    """Each attempt has ended, and a trial has paid for all of its attempts."""
    attempts: Mapping[str, list[float]] = defaultdict(list)
    for row in study_rows(
        study, "SELECT trial, attempt, device_seconds FROM attempts WHERE trial LIKE :inside ORDER BY attempt"
    ):
        attempts[row.trial].append(row.device_seconds)
    for row in study_rows(study, "SELECT id, attempt, device_seconds FROM trials WHERE id LIKE :inside"):
        if not isinstance(study, ReplayedStudy) and len(attempts[row.id]) != row.attempt:
            yield f"{row.id} is at attempt {row.attempt}, but {len(attempts[row.id])} have ended"
        if attempts[row.id] and abs(sum(attempts[row.id]) - row.device_seconds) > 1e-6:
            yield f"{row.id} paid {row.device_seconds}, its attempts {attempts[row.id]}"


def error_of_ledger(study: FaultStudy) -> float:
    """Device-seconds that its campaigns paid, less those that their workers executed."""
    paid = study_rows(study, "SELECT SUM(device_seconds) AS paid FROM trials WHERE id LIKE :inside")[0].paid
    return float(paid) - sum(sum(trial.used.values()) for trial in study.executed().values())


def _mlflow(study: FaultStudy) -> Iterator[str]:
    """A run for each trial, search and campaign, under its parent, ended, with its numbers and files."""
    runs = query(
        study.store.tracking_uri,
        "SELECT r.run_uuid, r.status, r.artifact_uri, t.value AS identity, p.value AS parent FROM runs r "
        "JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'automl.id' "
        "LEFT JOIN tags p ON p.run_uuid = r.run_uuid AND p.key = 'mlflow.parentRunId' "
        "WHERE r.lifecycle_stage = 'active' AND (t.value = :campaign OR t.value LIKE :inside)",
        **_names(study),
    )
    ids = {run.run_uuid: run.identity for run in runs}
    for run in runs:
        if run.status != "FINISHED":
            yield f"the run of {run.identity} is {run.status}"
        above = (
            run.identity.rpartition("/")[0] if run.identity.count("/") == 3 else run.identity.split("/")[0]
        )
        if ids.get(run.parent) != (above if "/" in run.identity else None):
            yield f"the run of {run.identity} lies under {ids.get(run.parent)}"
    wanted = [row.id for row in study_rows(study, "SELECT id FROM searches WHERE id LIKE :inside")]
    wanted += [row.id for row in study_rows(study, "SELECT id FROM campaigns WHERE id = :campaign")]
    if not isinstance(study, ReplayedStudy):
        wanted += [row.id for row in study_rows(study, "SELECT id FROM trials WHERE id LIKE :inside")]
    if sorted(wanted) != sorted(ids.values()):
        yield f"MLflow must have {sorted(wanted)}, but has {sorted(ids.values())}"
    yield from _costs(study, ids)
    if study.noted:
        yield from _histories(study, ids)
        yield from _artifacts({run.identity: Path(run.artifact_uri.removeprefix("file://")) for run in runs})


def _costs(study: FaultStudy, ids: Mapping[str, str]) -> Iterator[str]:
    rows = study_rows(study, "SELECT id, device_seconds FROM trials WHERE id LIKE :inside")
    paid = {row.id: row.device_seconds for row in rows}
    latest = "SELECT run_uuid, value FROM latest_metrics WHERE key = 'device_seconds'"  # of all studies
    for row in query(study.store.tracking_uri, latest):
        trial = ids.get(row.run_uuid, "")
        if trial in paid and abs(paid[trial] - row.value) > 1e-6:
            yield f"MLflow says {row.value} of {trial}, the ledger {paid[trial]}"


def _artifacts(folders: Mapping[str, Path]) -> Iterator[str]:
    for identity, folder in folders.items():
        if identity.count("/") == 3 and not (folder / "notes.txt").exists():
            yield f"MLflow lacks the file of {identity}"
        if "/" not in identity and not (folder / "report.html").exists():
            yield f"MLflow lacks the report of {identity}"


def _histories(study: FaultStudy, ids: Mapping[str, str]) -> Iterator[str]:
    """Each report of the ledger is a point in MLflow, once, but for the last value of a trial."""
    points = defaultdict(list)
    for row in query(
        study.store.tracking_uri, "SELECT run_uuid, step, value FROM metrics WHERE key = 'loss'"
    ):
        points[ids.get(row.run_uuid, "")].append((row.step, row.value))
    reports = defaultdict(list)
    for row in study_rows(study, "SELECT trial, step, value FROM reports WHERE trial LIKE :inside"):
        reports[row.trial].append((row.step, row.value))
    for trial, reported in reports.items():
        found = sorted(points[trial])
        rest = [point for point in found if point not in reported]
        if len(found) - len(rest) != len(reported) or len(rest) > 1:
            yield f"{trial} reported {sorted(reported)}, MLflow has {found}"


def _left_over(study: FaultStudy) -> Iterator[str]:
    """No process and no file is left."""
    end = time.monotonic() + LEAVING
    while (left := list(processes_of(study.folder))) and time.monotonic() < end:
        time.sleep(0.1)
    for pid, command in left:
        yield f"process {pid} is left: {command:.200}"
    for session in (study.folder / "ray").glob("session_2*"):
        yield f"{session} is left"
    known = {
        "ray",
        "faulty_code.py",
        "scored_code.py",
        "toy.npz",
        study.file.name,
        "executed",
        "output",
        "__pycache__",
    }
    for file in study.folder.iterdir():
        if file.name not in known and not file.name.startswith(("mark-", "moments", "torchinductor_")):
            yield f"{file.name} is left in the temporary folder"
    for file in study.store.folder.rglob("*.tmp"):
        yield f"{file} is left"


def processes_of(folder: Path) -> Iterator[tuple[int, str]]:
    """Number and command line of the processes whose temporary folder lies in `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"\0TMPDIR={folder}".encode() in b"\0" + environ and command:
            yield int(process.name), command
