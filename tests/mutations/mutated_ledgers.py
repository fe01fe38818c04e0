"""Rows of the ledger with values that this program cannot have written, and the commands that read them.

A command that ends with 0 must say what it says without the mutation, or name the row.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from endings import Case, Ending, Played, call
from stored_campaigns import Stored

BROKEN = [
    "",
    "{",
    "nul",
    "\x00",
    "[" * 100_000,
    "{'a': 1}",
    '{"a": 1} x',
    "\udc80".encode("utf-8", "surrogatepass").decode("latin-1"),
]
OTHER = ["[]", "[[]]", '"text"', "17", "true", "null", '{"a": {"b": [1]}}', "[null]", '["x"]', "1e400"]
JSON = {
    "spec": [
        "[]",
        '"x"',
        "1",
        "null",
        '{"task": 1}',
        '{"task": {"metrics": [{"name": "loss"}]}}',
        "{}",
        '{"task": {"metrics": []}, "arms": {}}',
        '{"task": {"metrics": [{"name": "loss", "direction": "minimize"}]}, "arms": {"random": null}}',
    ],
    "provenance": ["[]", '"x"', "1", "null", '{"data": []}', '{"study": {"commit": 1}}', '{"packages": [1]}'],
    "config": ["[]", '"x"', "1", "null", '{"x": [1]}'],
    "derived": ["[]", '"x"', "1", '{"x": {}}'],
    "values": ["{}", '"x"', "1", "[]", "[null]", '["x"]', "[NaN]", "[1e999]", "[true]", "[1e200]"],
    "metrics": ["[]", '"x"', "1", '{"a": "x"}', '{"a": null}', '{"a": [1]}'],
    "attributes": ["[]", '"x"', "1"],
    "artifacts": ["{}", '"x"', "1", "[1]", "[null]"],
    "details": ["{}", '"x"', "1", "[1]", '[{"a": "x"}]'],
}
NUMBERS = ["x", "", b"\xff\x00", -1, 1e300, float("inf"), "1e5x"]
WHOLE = ["x", "", b"\xff\x00", -1, 0.5, 2**62, "7x"]
TEXTS = ["", b"\xff\x00", "no/such/thing/0"]
STATES = ["", "x", "RUNNING", b"\xff", "done!"]
ENDED = ["x", b"\xff\x00", -1, 1e300, float("inf"), None]
CELLS: Mapping[str, Mapping[str, list[Any]]] = {
    "campaigns": {
        "state": STATES,
        "spec": BROKEN + JSON["spec"],
        "provenance": BROKEN + JSON["provenance"],
        "number": WHOLE,
        "created_at": NUMBERS,
        "finished_at": ENDED,
        "token": WHOLE,
        "recorded": WHOLE,
        "heartbeat_at": NUMBERS,
        "owner": ["x", "", ":", b"\xff", "here:x:y", "::"],
        "digest": ["", b"\xff"],
        "study": ["", b"\xff"],
    },
    "drives": {"started_at": NUMBERS, "until": NUMBERS, "token": WHOLE, "campaign": TEXTS},
    "searches": {
        "state": STATES,
        "winner": TEXTS,
        "seed": ["x", 0.5, b"\xff"],
        "arm": ["", b"\xff"],
        "created_at": NUMBERS,
        "finished_at": ENDED,
        "recorded": WHOLE,
        "campaign": TEXTS,
    },
    "trials": {
        "state": STATES,
        "kind": STATES,
        "number": WHOLE,
        "attempt": WHOLE,
        "seed": ["x", 0.5, b"\xff"],
        "config": BROKEN + JSON["config"],
        "derived": BROKEN + JSON["derived"],
        "values": [*BROKEN, *JSON["values"], None],
        "metrics": BROKEN + JSON["metrics"],
        "attributes": BROKEN + JSON["attributes"],
        "artifacts": BROKEN + JSON["artifacts"],
        "device_seconds": NUMBERS,
        "started_at": NUMBERS,
        "finished_at": ENDED,
        "told": WHOLE,
        "asked_after": WHOLE,
        "recorded": WHOLE,
        "token": [b"\xff", ""],
        "search": TEXTS,
    },
    "attempts": {
        "ending": STATES,
        "device_seconds": NUMBERS,
        "started_at": NUMBERS,
        "finished_at": NUMBERS,
        "attempt": WHOLE,
        "trial": TEXTS,
    },
    "reports": {
        "value": ["x", b"\xff", ""],
        "metrics": BROKEN + JSON["metrics"],
        "device_seconds": NUMBERS,
        "at": NUMBERS,
        "step": ["x", 0.5, b"\xff"],
        "trial": TEXTS,
    },
    "openings": {
        "values": BROKEN + JSON["values"],
        "details": BROKEN + JSON["details"],
        "opened_at": NUMBERS,
        "search": TEXTS,
    },
    "schedules": {
        "cron": ["", "x", "* * *", "99 * * * *", "0 0 31 2 *", b"\xff"],
        "timezone": ["", "x", "../..", b"\xff"],
        "catchup": NUMBERS,
        "paused": ["x", 7, b"\xff", -1],
        "planned_until": NUMBERS,
        "created_at": NUMBERS,
    },
    "firings": {
        "state": STATES,
        "slot": NUMBERS,
        "token": WHOLE,
        "attempts": WHOLE,
        "lease_until": NUMBERS,
        "started_at": NUMBERS,
        "finished_at": NUMBERS,
    },
}
OF_CAMPAIGNS = [
    ["report", "cut", "--json"],
    ["report", "toytable", "--json"],
    ["audit", "cut", "--json"],
    ["audit", "toytable", "--json"],
    ["list", "campaigns", "--json"],
    ["export", "toytable", "-o", "b.yaml", "--json"],
    ["audit", "cut", "--repair", "--json"],
    ["run", "cut.yaml", "--progress", "quiet", "--json"],
    ["doctor", "--json"],
]
OF_SCHEDULES = [
    ["schedule", "list", "--json"],
    ["schedule", "pause", "toytable"],
    ["schedule", "tick"],
    ["schedule", "remove", "toytable"],
]
WRITING = {"run", "--repair", "pause", "tick", "remove"}
FINDERS = {"audit", "doctor", "run"}  # of rows that refer to nothing
REFERENCES = {
    ("drives", "campaign"),
    ("searches", "campaign"),
    ("trials", "search"),
    ("attempts", "trial"),
    ("reports", "trial"),
    ("openings", "search"),
}


class MutatedLedgers:
    """Mutates cells of a stored ledger. `writes`: also calls commands that change the store."""

    def __init__(self, stored: Stored, *, writes: bool = True) -> None:
        self._stored = stored
        commands = [*OF_CAMPAIGNS, *OF_SCHEDULES]
        self._commands = [words for words in commands if writes or not WRITING & set(words)]
        self._plain: dict[str, Any] = {}
        for words in self._commands:
            self._plain[" ".join(words)] = _said(self._call(words))
            if WRITING & set(words):
                stored.restore()

    def case(self, seed: int) -> Case | None:
        """See `Mutator.case`: none where the database refuses the value."""
        rng = random.Random(seed)
        table = rng.choice([*CELLS, "campaigns", "trials", "trials", "searches"])
        column = rng.choice(list(CELLS[table]))
        value = rng.choice(CELLS[table][column])
        of_schedules = table in ("schedules", "firings")
        words = rng.choice([words for words in self._commands if (words[0] == "schedule") is of_schedules])
        row = rng.randrange(len(self._stored.first(table)))
        if not self._stored.change(table, self._stored.first(table)[row], column, value):
            return None
        self._stored.restore()
        written = {"hex": value.hex()} if isinstance(value, bytes) else value
        return {"table": table, "row": row, "column": column, "value": written, "words": words}

    def play(self, case: Case) -> Played:
        """See `Mutator.play`."""
        row = self._stored.first(case["table"])[case["row"]]
        value = case["value"]
        value = bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
        self._stored.change(case["table"], row, case["column"], value)
        ending = self._call(case["words"])
        self._stored.restore()
        return Played([ending], self._silence(case, ending, row))

    def _call(self, words: list[str]) -> Ending:
        home = self._stored.home
        return call(*(str(home / word) if word.endswith(".yaml") else word for word in words))

    def _silence(self, case: Case, ending: Ending, row: Mapping[str, Any]) -> str:
        """What a successful command keeps to itself."""
        words = case["words"]
        refers = (case["table"], case["column"]) in REFERENCES and not FINDERS & set(words)
        if ending.code != 0 or "doctor" in words or refers:
            return ""
        names = [str(row[name]) for name in ("id", "trial", "study", "campaign", "search") if row.get(name)]
        if any(name in ending.errors for name in (case["column"], *names)):
            return ""
        said = _said(ending)
        return (
            "" if said == self._plain[" ".join(words)] else f"said something else and not why: {said!s:.300}"
        )


def _said(ending: Ending) -> Any:
    """What a command says on standard output, without what differs from call to call."""
    try:
        said = json.loads(ending.output)
    except ValueError:
        return ending.output
    for name in ("created_at", "finished_at", "findings", "provenance"):
        said.pop(name, None)
    return _steady(said)


def _steady(value: Any) -> Any:
    """A value without what differs from call to call: times and costs."""
    if isinstance(value, dict):
        return {
            key: _steady(part) for key, part in value.items() if "seconds" not in key and key != "anytime"
        }
    if isinstance(value, list):
        return [_steady(part) for part in value]
    return value
