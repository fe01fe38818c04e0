"""A new champion and the way back are told to the targets of a study, each once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from promoting_example import campaign, write_study

from automl.ledger import Ledger, Store
from automl.promoting import at_end, promote, rollback, tell_of_champions
from automl.promoting.deciding import Wanted

GATE = "{beats: champion, automatically: true}\nnotify: [{file: told.jsonl, on: [promotion]}]"


def told(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_each_change_is_told_once(workspace: Path, store: Store) -> None:
    file = write_study(workspace, GATE)
    lines: list[str] = []
    with Ledger(store) as ledger:
        for quality in (0.5, 0.6, 0.1):  # the last one is refused, which changes nothing
            study, name = campaign(store, file, quality)
            at_end(ledger, store, name, study.promote)
            for _ in range(2):
                tell_of_champions(ledger, store, "gated", lines.append)
        assert [one["campaign"] for one in told(workspace)] == ["gated-1", "gated-2"]
        rollback(ledger, store, "gated")
        tell_of_champions(ledger, store, "gated", lines.append)
    first, second, third = told(workspace)
    assert (first["event"], first["title"]) == ("promotion", "gated-1: promotion")
    assert str(first["sentence"]).endswith(" is the champion of gated, its first one")
    facts = second["facts"]
    assert isinstance(facts, dict) and facts["action"] == "promote" and facts["version"] == 2
    assert facts["conditions"][0].startswith("beats champion: fresh-seed validation gain")
    assert third["campaign"] == "gated-1" and "is the champion again" in str(third["sentence"])
    assert len({str(one["id"]) for one in told(workspace)}) == 3
    assert lines == []


@pytest.mark.slow
def test_what_a_kill_kept_from_being_told_is_told_by_the_next_command(workspace: Path, store: Store) -> None:
    file = write_study(workspace, GATE)
    _, name = campaign(store, file, 0.5)
    with Ledger(store) as ledger:
        promote(ledger, store, name, Wanted())  # and its process is killed here
        assert not (workspace / "told.jsonl").exists()
        tell_of_champions(ledger, store, "gated", lambda _: None)
    assert [one["campaign"] for one in told(workspace)] == [name]
