"""A campaign is seen from elsewhere, in the ledger alone; programs read what happens as objects."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from in_process import automl

from automl.contracts import Outcome, RunError, TrialState
from automl.ledger import Ledger, NewTrial, Store
from automl.watching import Events, Watched

SPEC: dict[str, Any] = {
    "task": {"metrics": [{"name": "loss", "direction": "minimize"}]},
    "evaluator": {"name": "function", "options": {}},
    "arms": {"tpe": {"strategy": {"name": "tpe", "options": {}}}},
    "budget": {"trials": 2},
    "seeds": [0],
    "final": {"seeds": 0},
}


def end_trial(ledger: Ledger, search: str, number: int, value: float | None) -> None:
    trial = ledger.start_trial(search, NewTrial("trial", number, {}, 1, number, "/w"))
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    outcome = Outcome(state, 2.0, values=None if value is None else [value], reason="token=Kanarie7")
    ledger.finish_trial(trial.id, trial.token, outcome, told=number, attributes={})


def test_each_look_has_what_is_new_and_where_it_stands(any_store: Store) -> None:
    with Ledger(any_store) as ledger:
        row = ledger.create_campaign("seen", SPEC, "d", {})
        token = ledger.acquire(row.id, "elsewhere:1:x", began=100.0)
        search = ledger.add_search(row.id, "tpe", 0)
        watched = Watched(ledger, row.id)
        look = watched.look()
        assert (look.state, look.status.searches[0].state, look.trials) == ("running", "waiting", ())
        assert look.status.elapsed >= 100 and look.status.share == 0
        end_trial(ledger, search.id, 0, 3.0)
        look = watched.look()
        assert [trial.id for trial in look.trials] == ["seen-1/tpe/0/0"] and look.status.share == 0.5
        end_trial(ledger, search.id, 1, None)
        ledger.finish_search(search.id, "budget", "seen-1/tpe/0/0")
        look = watched.look()
        assert [trial.number for trial in look.trials] == [1] and [one.id for one in look.searches] == [
            search.id
        ]
        best = look.status.best
        assert best is not None and (best.best, best.best_trial, best.failed) == (3.0, "seen-1/tpe/0/0", 1)
        ledger.finish_campaign(row.id, token)
        assert watched.look().state == "finished" and not watched.look().trials
        with pytest.raises(RunError, match="was deleted"):
            Watched(ledger, "other-1").look()


def test_events_are_objects_with_a_version_and_no_secrets(store: Store) -> None:
    with Ledger(store) as ledger:
        row = ledger.create_campaign("seen", SPEC, "d", {})
        search = ledger.add_search(row.id, "tpe", 0)
        end_trial(ledger, search.id, 0, 3.0)
        output = io.StringIO()
        events = Events(output)
        events.look(ledger, row.id)
        end_trial(ledger, search.id, 1, None)
        ledger.finish_search(search.id, "budget", "seen-1/tpe/0/0")
        events.look(ledger, row.id)
        events.look(ledger, row.id)
        events.end("finished", None)
    found = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [one["event"] for one in found] == ["start", "trial", "search", "end"]
    assert {(one["version"], one["campaign"]) for one in found} == {(1, "seen-1")}
    assert found[0]["trials_before"] == 1 and found[1]["value"] is None and found[2]["winner"]
    assert found[3]["best"] == {"arm": "tpe", "seed": 0, "trial": "seen-1/tpe/0/0", "value": 3.0}
    assert "Kanarie7" not in output.getvalue()


def test_what_follows_a_search_is_no_trial_of_it(store: Store) -> None:
    spec = {**SPEC, "final": {"seeds": 1, "top": 2}, "transfer": [{"name": "wine", "dataset": "wine"}]}
    with Ledger(store) as ledger:
        row = ledger.create_campaign("seen", spec, "d", {})
        search = ledger.add_search(row.id, "tpe", 0)
        output = io.StringIO()
        events = Events(output)
        events.look(ledger, row.id)
        end_trial(ledger, search.id, 0, 3.0)
        for kind, dataset in (("again", None), ("final", None), ("transfer", "wine")):
            trial = ledger.start_trial(search.id, NewTrial(kind, 0, {}, 1, 1, "/w", dataset))
            outcome = Outcome(TrialState.COMPLETE, 2.0, values=[1.0])
            ledger.finish_trial(trial.id, trial.token, outcome, told=None, attributes={})
        (status,) = events.look(ledger, row.id).status.searches
    assert (status.complete, status.spent, status.best, status.retrained) == (1, 2.0, 3.0, 1)
    found = [json.loads(line) for line in output.getvalue().splitlines()][1:]
    assert [one["kind"] for one in found] == ["trial", "again", "final", "transfer"]
    assert [one.get("dataset") for one in found] == [None, None, None, "wine"]


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_nobody_who_stops_reading_stops_a_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events(Gone())
    events.end("failed", "x")
    events.end("failed", "x")
    assert capsys.readouterr().err.count("nobody reads the events any more") == 1


@pytest.mark.slow
def test_a_run_and_a_watch_for_programs(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "seen_code.py").write_text(
        "from automl.space import Float, Space\nSPACE = Space({'x': Float(0.0, 1.0)})\n"
        "def f(config, context): return config['x']\n"
    )
    (workspace / "seen.yaml").write_text(
        "name: seen\ntask: {metric: loss, direction: minimize}\nspace: 'seen_code:SPACE'\n"
        "evaluator: {function: {call: 'seen_code:f'}}\nbudget: {trials: 2}\nseeds: 1\n"
    )
    assert automl(monkeypatch, "run", "seen.yaml", "--progress", "json") == 0
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["event"] for one in found] == ["start", "trial", "trial", "search", "end"]
    assert found[-1]["status"] == "finished" and "next:  automl report seen-1" in err
    assert automl(monkeypatch, "watch", "seen") == 0
    assert "seen-1 has ended" in capsys.readouterr().err
    assert automl(monkeypatch, "watch", "seen", "--progress", "json") == 0
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["start", "end"]
    assert automl(monkeypatch, "run", "seen.yaml", "--progress", "json", "--json") == 2
