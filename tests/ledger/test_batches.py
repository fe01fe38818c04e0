"""Many trials are read in parts, in short and by name, and are the same as all at once."""

from __future__ import annotations

from dataclasses import fields
from itertools import chain

import pytest

from automl.contracts import Outcome, TrialState
from automl.ledger import Ledger, NewTrial, TrialSummary
from automl.ledger.batches import in_short

ARMS = ("a", "b", "c", "empty")


@pytest.fixture
def filled(any_ledger: Ledger) -> Ledger:
    """Searches of 5, 1, 2 and 0 trials, with a retraining, and another campaign with one."""
    for name, counts in (("s", (5, 1, 2, 0)), ("other", (1, 0, 0, 0))):
        campaign = any_ledger.create_campaign(name, {"name": name}, "d", {}).id
        for arm, count in zip(ARMS, counts, strict=True):
            search = any_ledger.add_search(campaign, arm, 0).id
            for number in range(count):
                end(any_ledger, search, "trial", number)
    end(any_ledger, "s-1/a/0", "final", 0)
    running = NewTrial("trial", 5, {"x": 5}, seed=1, asked_after=5, workdir="/w")
    any_ledger.start_trial("s-1/a/0", running)
    return any_ledger


def end(ledger: Ledger, search: str, kind: str, number: int) -> None:
    new = NewTrial(kind, number, {"x": number}, seed=1, asked_after=number, workdir="/w")
    trial = ledger.start_trial(search, new)
    failed = number == 3
    outcome = Outcome(
        TrialState.FAILED if failed else TrialState.COMPLETE,
        0.1 * number,
        values=None if failed else [float(number)],
        traceback="Traceback …",
        artifacts=["a.txt"],
        host="here",
    )
    assert ledger.finish_trial(trial.id, trial.token, outcome, told=number, attributes={"k": 1})


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_pages_have_every_trial_once_and_in_order(filled: Ledger, most: int) -> None:
    everything = filled.trials(campaign="s-1")
    assert len(everything) == 10
    pages = list(filled.trial_pages("s-1", most))
    assert list(chain.from_iterable(pages)) == everything
    assert max(map(len, pages)) <= most
    assert list(chain.from_iterable(filled.summary_pages("s-1", most))) == list(map(in_short, everything))


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_trials_of_searches_come_in_the_order_of_the_searches(filled: Ledger, most: int) -> None:
    wanted = [f"s-1/{arm}/0" for arm in ("c", "empty", "a", "b")]
    found = list(filled.trials_of(wanted, most))
    assert found == [filled.trials(search=search) for search in wanted]
    assert list(filled.trials_of([], most)) == []


def test_summaries_are_trials_without_their_configurations(filled: Ledger) -> None:
    names = [field.name for field in fields(TrialSummary)]
    rows, short = filled.trials(search="s-1/a/0"), filled.summaries("s-1/a/0")
    assert [[getattr(one, name) for name in names] for one in short] == [
        [getattr(row, name) for name in names] for row in rows
    ]
    assert not hasattr(short[0], "config")


def test_light_rows_have_tracebacks_of_failures_alone(filled: Ledger) -> None:
    for row, light in zip(filled.trials("s-1"), filled.trials("s-1", light=True), strict=True):
        assert (light.id, light.config, light.values, light.told) == (
            row.id,
            row.config,
            row.values,
            row.told,
        )
        assert (light.attributes, light.artifacts, light.workdir, light.host) == (None, None, None, None)
        assert light.traceback == (row.traceback if row.state is TrialState.FAILED else None)


def test_trials_by_name_and_what_follows(filled: Ledger) -> None:
    everything = filled.trials(campaign="s-1")
    names = [row.id for row in everything]
    assert filled.trial_ids("s-1") == names
    assert sorted(filled.trials_named([*names, "none"]), key=lambda row: names.index(row.id)) == everything
    assert filled.trials_named([]) == []
    assert [row.id for row in filled.trials_after("s-1/a/0")] == ["s-1/a/0/final-0"]
    filled.mark_recorded({names[0]: 1, names[1]: 2})
    assert (
        filled.trial_ids("s-1", recorded=1) == names[:2] and filled.trial_ids("s-1", recorded=2) == names[1:2]
    )
    filled.mark_trials_recorded("s-1")
    assert {row.id for row in filled.trials("s-1") if row.recorded == 1} == {"s-1/a/0/5"}
    assert filled.trial_ids("s-1", recorded=2) == [name for name in names if name != "s-1/a/0/5"]
    assert filled.trial_ids("other-1", recorded=1) == []


def test_first_starts_and_attempts_of_what_runs(filled: Ledger) -> None:
    first = min(row.started_at for row in filled.trials(search="s-1/a/0"))
    running = filled.running_trials("s-1")[0]
    assert filled.first_starts("s-1")["s-1/a/0"] == pytest.approx(first)
    assert "s-1/empty/0" not in filled.first_starts("s-1")
    assert filled.attempts("s-1", running=True) == {}
    filled.restart_trial(running.id, running.token, 0.5, cost=0.5)
    assert list(filled.attempts("s-1", running=True)) == [running.id]
    assert len(filled.attempts("s-1")) == 10
