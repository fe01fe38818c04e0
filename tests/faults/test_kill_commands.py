"""Commands are killed at each of their moments and done again: the outcome is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_points import Fault
from fault_study import FaultStudy
from invariants import faults_of, query
from patience import PATIENCE

from automl.ledger import Ledger, ScheduleRow, Store, owner_identity
from automl.ledger.files import sqlite_file

SCHEDULE = "schedule: {cron: '0 2 * * *'}\n"


@dataclass
class Command:
    """One command on a study. `prepared` makes what it needs, `holds` is what it brings about."""

    words: tuple[str, ...]
    prepared: Callable[[FaultStudy], None]
    holds: Callable[[FaultStudy], bool]
    writes: str  # the transaction that it is about


def scheduled(study: FaultStudy) -> None:
    study.file.write_text(study.file.read_text() + SCHEDULE)
    assert status(study, "schedule", "add", str(study.file)) == 0


def planned(study: FaultStudy) -> None:
    study.file.write_text(study.file.read_text() + SCHEDULE)


def complete(study: FaultStudy) -> None:
    assert study.run() == 0


def without_mlflow(study: FaultStudy) -> None:
    complete(study)
    file = sqlite_file(study.store.tracking_uri)
    assert file is not None
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()


def changed(study: FaultStudy) -> None:
    assert study.run(Fault(moment="transaction.end:Trials.finish_trial")) != 0
    code = study.folder / "faulty_code.py"
    code.write_text(code.read_text() + "\n# changed\n")


def fired(study: FaultStudy) -> None:
    """A firing that runs, and an interrupted campaign that it can continue."""
    assert study.run(Fault(moment="transaction.end:Trials.finish_trial")) != 0
    with Ledger(study.store) as ledger:
        ledger.put_schedule(
            ScheduleRow(study.name, str(study.file), "* * * * *", "UTC", 1e9, False, 0.0, 0.0)
        )
        ledger.plan(lambda schedule, start, end: [60.0], 61.0)
        firing = ledger.claim_firing(owner_identity(), 1e9, 61.0)
        assert firing is not None and firing.id == 1


def interrupted(study: FaultStudy) -> None:
    assert study.run(Fault(moment="transaction.end:Trials.finish_trial")) != 0


def stopped(study: FaultStudy) -> None:
    interrupted(study)
    assert status(study, "stop", "faulty") == 0
    study.run()
    with Ledger(study.store) as ledger:
        row = ledger.campaign("faulty-1")
        assert row is not None and row.state == "finished" and row.was_stopped


def status(study: FaultStudy, *words: str, fault: Fault | None = None) -> int | None:
    process = study.start(*words, fault=fault)
    process.join(PATIENCE)
    return None if process.exitcode is None else int(process.exitcode)


def schedules(study: FaultStudy) -> list[bool]:
    """Whether each schedule of the store is paused."""
    with Ledger(study.store) as ledger:
        return [row.paused for row in ledger.schedules()]


def is_right(study: FaultStudy) -> bool:
    return faults_of(study) == []


def is_that_of_the_firing(study: FaultStudy) -> bool:
    rows = query(study.store.url, "SELECT campaign FROM firings")
    return is_right(study) and [row.campaign for row in rows] == [f"{study.name}-1"]


def is_accepted(study: FaultStudy) -> bool:
    rows = query(study.store.url, "SELECT provenance FROM campaigns")
    return is_right(study) and "faulty_code" in rows[0].provenance


def is_stopped(study: FaultStudy) -> bool:
    rows = query(study.store.url, "SELECT target, wish FROM requests")
    return [tuple(row) for row in rows] == [("faulty-1", "stop")]


def is_resumed(study: FaultStudy) -> bool:
    rows = query(study.store.url, "SELECT wish FROM requests ORDER BY id")
    if [row.wish for row in rows] != ["stop", "resume"]:
        return False
    return study.run() == 0 and all(
        row.state == "finished" and (row.reason or "").startswith("budget")
        for row in query(study.store.url, "SELECT state, reason FROM searches")
    )


def is_renamed(study: FaultStudy) -> bool:
    named = "SELECT name FROM runs JOIN tags USING (run_uuid) WHERE key = 'automl.id' AND value = 'faulty-1'"
    (run,) = query(study.store.tracking_uri, named)
    (row,) = query(study.store.url, "SELECT label FROM campaigns")
    return (row.label, run.name) == ("first", "first (faulty-1)") and is_right(study)


def is_deleted(study: FaultStudy) -> bool:
    """Nothing is left but what counts its looks."""
    tables = ("campaigns", "searches", "trials", "attempts", "reports", "openings", "drives", "requests")
    left = [table for table in tables if query(study.store.url, f"SELECT * FROM {table}")]
    in_mlflow = ("runs", "tags", "params", "metrics", "latest_metrics")
    left += [table for table in in_mlflow if query(study.store.tracking_uri, f"SELECT * FROM {table}")]
    files = [path for path in Path(study.store.artifacts).rglob("*") if path.is_file()]
    done = query(study.store.url, "SELECT campaign FROM deletions WHERE done_at IS NOT NULL")
    return (
        not left
        and not files
        and not (study.store.folder / "work/faulty-1").exists()
        and [row.campaign for row in done] == ["faulty-1"]
    )


def gated(study: FaultStudy) -> None:
    """A finished campaign whose file has a gate that it passes."""
    complete(study)
    study.file.write_text(study.file.read_text() + "promote: {beats: [champion]}\n")


def promoted_twice(study: FaultStudy) -> None:
    gated(study)
    assert status(study, "promote", str(study.file)) == 0
    assert status(study, "run", str(study.file), "--fresh") == 0
    assert status(study, "promote", "faulty-2", "--force", "to come back from it") == 0


def registry(study: FaultStudy) -> tuple[dict[str, int], int, int]:
    """Aliases with their versions, how many versions there are, and how many runs of models."""
    uri = study.store.tracking_uri
    aliases = query(uri, "SELECT alias, version FROM registered_model_aliases")
    versions = query(uri, "SELECT version FROM model_versions")
    runs = query(
        uri,
        "SELECT run_uuid FROM runs WHERE name LIKE 'faulty-%' AND lifecycle_stage = 'active' "
        "AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'automl.kind' AND value = 'train')",
    )
    return {row.alias: row.version for row in aliases}, len(versions), len(runs)


def decisions(study: FaultStudy) -> list[str]:
    """What was decided; a champion that was found to be one already is no other decision."""
    rows = query(study.store.url, "SELECT action, done_at FROM promotions ORDER BY number")
    return [row.action if row.done_at else f"{row.action}?" for row in rows if row.action != "keep"]


def is_promoted(study: FaultStudy) -> bool:
    right = registry(study) == ({"champion": 1}, 1, 1) and decisions(study) == ["promote"]
    return right and is_right(study)


def is_rolled_back(study: FaultStudy) -> bool:
    return registry(study) == ({"champion": 1}, 2, 2) and decisions(study) == ["promote"] * 2 + ["rollback"]


def is_archived(study: FaultStudy) -> bool:
    tags = query(study.store.tracking_uri, "SELECT key, version FROM model_version_tags")
    archived = [row.version for row in tags if row.key == "automl.archived"]
    right = registry(study) == ({"champion": 2}, 2, 2) and archived == [1]
    return right and decisions(study) == ["promote"] * 2 + ["archive"]


COMMANDS = {
    "promote": Command(("promote", "FILE"), gated, is_promoted, "Promotions.decide"),
    "rollback": Command(("rollback", "faulty"), promoted_twice, is_rolled_back, "Promotions.decide"),
    "archive": Command(("archive", "faulty", "1"), promoted_twice, is_archived, "Promotions.decide"),
    "stop": Command(("stop", "faulty"), interrupted, is_stopped, "Requests.ask"),
    "resume": Command(("resume", "faulty"), stopped, is_resumed, "Requests.ask"),
    "rename": Command(("rename", "faulty-1", "first"), complete, is_renamed, "Deletions.label_campaign"),
    "delete": Command(("delete", "faulty-1", "--yes"), complete, is_deleted, "Deletions.delete_rows"),
    "add": Command(
        ("schedule", "add", "FILE"),
        planned,
        lambda study: schedules(study) == [False],
        "Schedules.put_schedule",
    ),
    "pause": Command(
        ("schedule", "pause", "faulty"),
        scheduled,
        lambda study: schedules(study) == [True],
        "Schedules.pause_schedule",
    ),
    "remove": Command(
        ("schedule", "remove", "faulty"),
        scheduled,
        lambda study: schedules(study) == [],
        "Schedules.remove_schedule",
    ),
    "repair": Command(("audit", "faulty", "--repair"), without_mlflow, is_right, "Recorded.forget_records"),
    "firing": Command(
        ("run", "--firing", "1", "FILE"), fired, is_that_of_the_firing, "Bindings.adopt_campaign"
    ),
    "accept": Command(("run", "FILE", "--accept"), changed, is_accepted, "Campaigns.set_provenance"),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_killed_at_each_of_its_moments(
    name: str, new_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    command = COMMANDS[name]
    moments: list[str] | None = None
    number = 0
    while moments is None or number < len(moments):
        place = tmp_path / ("undisturbed" if moments is None else str(number))
        study = FaultStudy(place / "study", new_store(place), trials=2, steps=1)
        command.prepared(study)
        words = [str(study.file) if word == "FILE" else word for word in command.words]
        log = tmp_path / "moments"
        if moments is None:
            assert status(study, *words, fault=Fault(log=str(log))) == 0, study.output.read_text()[-1000:]
            assert command.holds(study)
            lines = log.read_text().splitlines()
            moments = list(dict.fromkeys(line.split(" ", 1)[1] for line in lines))
            assert f"transaction.end:{command.writes}" in moments
            continue
        mark = place / "mark"
        killed = status(study, *words, fault=Fault("driver", moments[number], mark=str(mark)))
        assert (killed, mark.exists()) == (-9, True), moments[number]
        again = status(study, *words)
        done = command.holds(study)
        # what was committed just before the kill is told to be there already
        assert done and again in (0, 1, 2), (moments[number], study.output.read_text()[-1000:])
        number += 1
