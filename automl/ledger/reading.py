"""How each table of the ledger is read: the rule of each column, and what must hold across them."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from automl.contracts import Ending, Json, StoredFile, TrialState
from automl.ledger import rows, schedule_rows
from automl.ledger.reader import Reader
from automl.ledger.rules import (
    CONFIG,
    COST,
    COUNT,
    DETAILS,
    FILES,
    FLAG,
    NAME,
    NUMBER,
    NUMBERS,
    OBJECT,
    OWNER,
    SECONDS,
    TEXT,
    TEXTS,
    VALUES,
    WHOLE,
    one_of,
)
from automl.ledger.shapes import MEMORY, PROVENANCE, STUDY

_ENDED: Final = SECONDS.or_nothing()
_WORDS: Final = TEXT.or_nothing()


def _campaign(row: rows.CampaignRow) -> str:
    return _told(row.id, f"{row.study}-{row.number}") or _finished(row.state == "finished", row.finished_at)


def _search(row: rows.SearchRow) -> str:
    ended = row.state == "finished"
    return _told(row.id, f"{row.campaign}/{row.arm}/{row.seed}") or _finished(ended, row.finished_at)


def _trial(row: rows.TrialRow) -> str:
    return _told(row.id, rows.trial_identity(row.search, row.kind, row.number)) or _ended(row)


def _ended(row: rows.TrialSummary) -> str:
    complete = row.state == TrialState.COMPLETE and row.finished_at is not None
    if complete and row.values is None and row.kind != "refit":  # that has seen all rows
        return "must have values, since it is complete, but has none"
    return _finished(row.state != TrialState.RUNNING, row.finished_at)


def _told(identity: str, derived: str) -> str:
    return (
        ""
        if identity == derived
        else f"must have the id that its other columns say, but they say {derived!r:.90}"
    )


def _finished(ended: bool, finished_at: float | None) -> str:
    if ended is (finished_at is not None):
        return ""
    state = "it has ended" if ended else "it runs"
    return (
        f"must have an end exactly if it has ended, but {state} by its state, with finished_at {finished_at}"
    )


_RUN: Final = one_of(["running", "finished"])
campaign: Final = Reader(
    rows.CampaignRow,
    "campaign",
    ("id",),
    {
        "id": NAME,
        "study": NAME,
        "number": COUNT,
        "state": _RUN,
        "spec": STUDY,
        "digest": NAME,
        "provenance": PROVENANCE,
        "created_at": SECONDS,
        "finished_at": _ENDED,
        "owner": OWNER.or_nothing(),
        "token": COUNT,
        "heartbeat_at": _ENDED,
        "recorded": COUNT,
        "reason": _WORDS,
        "label": NAME.or_nothing(),
        "begun_by": NAME.or_nothing(),
    },
    _campaign,
)
memory: Final = Reader(rows.MemoryRow, "memory", ("campaign",), {"campaign": NAME, "content": MEMORY})
drive: Final = Reader(
    rows.DriveRow,
    "drive",
    ("campaign", "token"),
    {"campaign": NAME, "token": COUNT, "started_at": SECONDS, "until": SECONDS},
)
search: Final = Reader(
    rows.SearchRow,
    "search",
    ("id",),
    {
        "id": NAME,
        "campaign": NAME,
        "arm": NAME,
        "seed": WHOLE,
        "state": _RUN,
        "reason": _WORDS,
        "winner": NAME.or_nothing(),
        "created_at": SECONDS,
        "finished_at": _ENDED,
        "recorded": COUNT,
    },
    _search,
)
_TRIAL_COLUMNS: Final = {
    "id": NAME,
    "search": NAME,
    "kind": one_of(rows.KINDS),
    "number": COUNT,
    "state": one_of(list(TrialState)),
    "attempt": COUNT,
    "token": NAME,
    "config": CONFIG,
    "derived": CONFIG.or_nothing(),
    "seed": WHOLE,
    "asked_after": COUNT,
    "told": COUNT.or_nothing(),
    "values": VALUES.or_nothing(),
    "metrics": NUMBERS.or_nothing(),
    "attributes": OBJECT.or_nothing(),
    "device_seconds": COST,
    "reason": _WORDS,
    "traceback": _WORDS,
    "artifacts": TEXTS.or_nothing(),
    "workdir": _WORDS,
    "host": _WORDS,
    "device": _WORDS,
    "started_at": SECONDS,
    "finished_at": _ENDED,
    "recorded": COUNT,
    "dataset": NAME.or_nothing(),
    "storage": NAME.or_nothing(),
    "files": FILES.or_nothing(),
    "lost": NAME.or_nothing(),
}
_STATE: Final = {"state": TrialState}


def _stored(found: Json | None) -> dict[str, StoredFile] | None:
    return None if found is None else {name: StoredFile(**file) for name, file in found.items()}


trial: Final = Reader(rows.TrialRow, "trial", ("id",), _TRIAL_COLUMNS, _trial, {**_STATE, "files": _stored})
summary: Final = Reader(
    rows.TrialSummary,
    "trial",
    ("id",),
    {field.name: _TRIAL_COLUMNS[field.name] for field in fields(rows.TrialSummary)},
    _ended,
    _STATE,
)
attempt: Final = Reader(
    rows.AttemptRow,
    "attempt",
    ("trial", "attempt"),
    {
        "trial": NAME,
        "attempt": COUNT,
        "token": NAME,
        "ending": one_of(list(Ending)),
        "reason": _WORDS,
        "device_seconds": COST,
        "host": _WORDS,
        "started_at": SECONDS,
        "finished_at": SECONDS,
    },
    become={"ending": Ending},
)
report: Final = Reader(
    rows.ReportRow,
    "report",
    ("trial", "step"),
    {
        "trial": NAME,
        "step": WHOLE,
        "value": NUMBER.or_nothing(),
        "metrics": NUMBERS.or_nothing(),
        "device_seconds": COST,
        "at": SECONDS,
        "attempt": COUNT.or_nothing(),
    },
)
opening: Final = Reader(
    rows.OpeningRow,
    "opening",
    ("id", "search"),
    {
        "id": COUNT,
        "search": NAME,
        "reason": TEXT,
        "opened_at": SECONDS,
        "values": VALUES.or_nothing(),
        "details": DETAILS.or_nothing(),
        "trials": TEXTS.or_nothing(),
        "dataset": NAME.or_nothing(),
    },
)
schedule: Final = Reader(
    schedule_rows.ScheduleRow,
    "schedule",
    ("study",),
    {
        "study": NAME,
        "file": NAME,
        "cron": NAME,
        "timezone": NAME,
        "catchup": COST,
        "paused": FLAG,
        "planned_until": SECONDS,
        "created_at": SECONDS,
        "trusted": FLAG,
    },
)
firing: Final = Reader(
    schedule_rows.FiringRow,
    "firing",
    ("study", "slot"),
    {
        "id": COUNT,
        "study": NAME,
        "slot": SECONDS,
        "state": one_of(["ready", "running", "done", "failed", "skipped"]),
        "owner": OWNER.or_nothing(),
        "lease_until": _ENDED,
        "token": COUNT,
        "attempts": COUNT,
        "campaign": NAME.or_nothing(),
        "reason": _WORDS,
        "started_at": _ENDED,
        "finished_at": _ENDED,
    },
)
