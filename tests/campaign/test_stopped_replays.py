"""Replayed searches, which are one job each, are stopped and paused too; a pause keeps what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_benchmark
from toy_benchmark import STUDY

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import RunError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress


class Asks(QuietProgress):
    """Asks for something as soon as the campaign has begun."""

    def __init__(self, ledger: Ledger, *asked: tuple[str, str]) -> None:
        self.ledger, self.asked = ledger, list(asked)

    def message(self, text: str) -> None:
        if text.startswith(("starting", "continuing")):
            for target, wish in self.asked:
                self.ledger.ask("toytable-1", target, wish, "ann@one")  # type: ignore[arg-type]


@pytest.fixture
def study(workspace: Path) -> Path:
    toy_benchmark.write(workspace / "toy.npz")
    path = workspace / "toytable.yaml"
    path.write_text(STUDY)
    return path


def test_a_stopped_campaign_of_replays_is_whole_when_it_was_resumed(
    study: Path, store: Store, ledger: Ledger
) -> None:
    asks = Asks(ledger, ("toytable-1", "stop"))
    loaded = load_study(study, [])
    run_campaign(loaded, store=store, progress=asks)
    row = ledger.campaign("toytable-1")
    assert row is not None and row.was_stopped and ledger.trials("toytable-1") == []
    assert {search.reason for search in ledger.searches("toytable-1")} == {row.reason}
    assert run_campaign(loaded, store=store, progress=QuietProgress()) == "toytable-1"
    assert ledger.trials("toytable-1") == [], "it is left alone until somebody asks for more"
    ledger.ask("toytable-1", "toytable-1", "resume", "ann@one")
    run_campaign(loaded, store=store, progress=QuietProgress())
    row = ledger.campaign("toytable-1")
    assert row is not None and (row.state, row.reason) == ("finished", None)
    assert all(ledger.trials(search=search.id) for search in ledger.searches("toytable-1"))
    assert ledger.openings("toytable-1"), "the test set is opened at its real end"


@pytest.mark.slow
def test_one_stopped_replay_leaves_the_others(study: Path, store: Store, ledger: Ledger) -> None:
    run_campaign(load_study(study, []), store=store, progress=Asks(ledger, ("toytable-1/tpe/1", "stop")))
    trials = {search.id: len(ledger.trials(search=search.id)) for search in ledger.searches("toytable-1")}
    assert trials.pop("toytable-1/tpe/1") == 0 and all(trials.values())
    reasons = {search.id: search.reason or "" for search in ledger.searches("toytable-1")}
    assert reasons["toytable-1/tpe/1"].startswith("stopped by ann@one at")
    row = ledger.campaign("toytable-1")
    assert row is not None and row.reason is None


@pytest.mark.slow
def test_a_killed_driver_leaves_a_stop_to_the_next(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies when it has noted the request as taken, and has ended nothing yet."""

    def dies(*_: object, **__: object) -> None:
        raise RunError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr("automl.executors.local.Local.run", dies)
        with pytest.raises(RunError):
            run_campaign(load_study(study, []), store=store, progress=Asks(ledger, ("toytable-1", "stop")))
    assert [request.done_at is None for request in ledger.requests("toytable-1")] == [False]
    run_campaign(load_study(study, []), store=store, progress=QuietProgress())
    row = ledger.campaign("toytable-1")
    assert row is not None and row.was_stopped and ledger.trials("toytable-1") == []
