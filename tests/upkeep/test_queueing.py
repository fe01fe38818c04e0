"""`automl queue` and `automl quota`: what they show, change and refuse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from in_process import automl

from automl.contracts import Room
from automl.ledger import Asks, Ledger, Place, ShareRow, owner_identity, resolve_store
from automl.storage import open_ledger

PLACE = Place("cluster", (Room(4.0), Room(2.0, 1.0)), 10.0)
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    monkeypatch.setenv("AUTOML_USER", "ann")

    def call(*words: str) -> tuple[int, str, str]:
        code = automl(monkeypatch, *words)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield call


@pytest.fixture
def opened(cli: Call, workspace: Path) -> Iterator[Ledger]:
    with open_ledger(resolve_store(os.environ, workspace)) as ledger:
        yield ledger


def driven(ledger: Ledger, study: str, asks: Asks, priority: int = 10) -> str:
    name = ledger.create_campaign(study, {}, "d", {}).id
    token = ledger.acquire(name, owner_identity())
    ledger.join_place(PLACE, ShareRow(name, PLACE.id, priority, 1.0, 0.0))
    ledger.claim(PLACE, name, token, asks)
    return name


@pytest.mark.slow
def test_the_queue_shows_who_holds_what_and_who_waits(cli: Call, opened: Ledger) -> None:
    driven(opened, "one", Asks(6, 6, 6, open_seconds=9.0, ends_in=60.0))
    driven(opened, "two", Asks(6, 0, 0), priority=20)
    opened.ask("one-1", "one-1", "pause", "ann@here")
    code, out, _ = cli("queue", "--json")
    shown = json.loads(out)
    two, one = shown["campaigns"]
    assert code == 0 and (one["campaign"], one["user"], one["state"]) == ("one-1", "ann", "paused")
    assert (one["slots"], one["share"], one["device_seconds"], one["priority"]) == (6, 6, 9.0, 10)
    assert (two["state"], two["slots"], two["share"], two["waits_for"]) == ("waiting", 0, 0, "a slot")
    assert two["waits_since"] is not None and two["ends_at"] is None
    assert [room["cpus"] for room in shown["places"][0]["rooms"]] == [4.0, 2.0]
    code, out, _ = cli("queue")
    assert code == 0 and "cluster: 2 machines, 6 CPUs, 1 GPUs" in out


@pytest.mark.slow
def test_an_empty_queue_is_told(cli: Call, opened: Ledger) -> None:
    assert cli("queue")[:2] == (0, "no campaign is driven now\n")
    assert json.loads(cli("queue", "--json")[1]) == {"campaigns": [], "places": [], "changed": []}


@pytest.mark.slow
def test_a_priority_is_changed_and_taken_back(cli: Call, opened: Ledger) -> None:
    driven(opened, "one", Asks(6, 0, 0))
    code, out, _ = cli("queue", "--priority", "one=high")
    assert code == 0 and "one-1 has priority 20" in out
    assert opened.shares()["one-1"].weight == 20
    assert "again, that of its study" in cli("queue", "--priority", "one-1=study")[1]
    assert opened.shares()["one-1"].weight == 10
    for wrong in ("one", "one=urgent", "one=0", "one=101", "nobody=high"):
        assert cli("queue", "--priority", wrong)[0] == 2, wrong


@pytest.mark.slow
def test_quotas_are_set_listed_and_removed(cli: Call, opened: Ledger) -> None:
    code, out, _ = cli("quota", "set", "40", "--user", "ann", "--per", "week")
    assert code == 0 and "40 device-hours a week of user ann" in out
    assert cli("quota", "set", "1.5", "--study", "one")[0] == 0
    listed = json.loads(cli("quota", "list", "--json")[1])["quotas"]
    assert [(one["quota"]["name"], one["quota"]["device_seconds"], one["left"]) for one in listed] == [
        ("one", 5400.0, 5400.0),
        ("ann", 144000.0, 144000.0),
    ]
    assert "study one: 0 of 1.5 device-hours in all used; it does not begin anew" in cli("quota", "list")[1]
    assert cli("quota", "remove", "--study", "one")[0] == 0
    assert cli("quota", "remove", "--study", "one")[0] == 2
    assert cli("quota", "remove", "--user", "ann", "--per", "week")[0] == 0
    assert cli("quota", "list")[1] == "there is no quota\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("5",),
        ("5", "--user", "a", "--study", "b"),
        ("-1", "--user", "a"),
        ("5", "--user", "a", "--per", "year"),
    ],
)
def test_quotas_that_cannot_be_are_refused(words: tuple[str, ...], cli: Call, opened: Ledger) -> None:
    assert cli("quota", "set", *words)[0] == 2
    assert opened.usages() == []
