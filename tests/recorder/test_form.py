"""What a step of a search counts, which stays as it was chosen."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import sqlalchemy as sa
from recorder_helpers import CLEAN, SPEC, Filled, recording, runs

from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.recorder.audit import audit, repair
from automl.recorder.experiments import make_client
from automl.recorder.form import EARLIER, Form, chosen, form_in
from automl.recorder.projection import Projection


def filled_with(store: Store, ledger: Ledger, **budget: Any) -> Filled:
    spec = copy.deepcopy(SPEC)
    spec["budget"] = {"device_seconds": None, "trials": None, "wall_seconds": None, **budget}
    return Filled(store, ledger, spec)


@pytest.mark.parametrize(
    ("budget", "step"),
    [
        ({"device_seconds": 60.0}, "device-second"),
        ({"device_seconds": 20.0}, "device-second"),
        ({"device_seconds": 19.9}, "device-millisecond"),
        ({"device_seconds": 0.5, "trials": 10}, "device-millisecond"),
        ({"device_seconds": 3600.0, "trials": 10}, "device-second"),
        ({"trials": 10}, "trial"),
        ({"wall_seconds": 5.0}, "device-second"),
    ],
)
def test_the_step_follows_the_budget(store: Store, ledger: Ledger, budget: dict[str, Any], step: str) -> None:
    campaign = filled_with(store, ledger, **budget).campaign
    assert chosen(campaign) == Form(step)
    assert form_in(None, campaign) == Form(step)
    assert form_in({}, campaign) == EARLIER
    assert form_in({"automl.step": "lightyear"}, campaign) == EARLIER
    assert form_in({"automl.step": "trial"}, campaign) == Form("trial")


def curve(filled: Filled, key: str = "best_accuracy") -> list[tuple[int, float]]:
    search = filled.ledger.searches(filled.id)[0]
    campaign = filled.ledger.campaign(filled.id)
    assert campaign is not None
    run = Projection(campaign, [search]).search_run(search, filled.ledger.trials(search=search.id))
    return [(point.step, point.value) for point in run.metrics if point.key == key]


def test_whole_seconds_hold_what_was_known_by_then(store: Store, ledger: Ledger) -> None:
    filled = filled_with(store, ledger, device_seconds=60.0)
    for number, (value, cost) in enumerate([(0.5, 0.4), (0.4, 0.5), (0.7, 0.2), (0.6, 3.0)]):
        filled.trial(number, value, cost=cost)
    assert curve(filled) == [(1, 0.5), (1, 0.5), (2, 0.7), (5, 0.7)]
    exact = [value for _, value in curve(filled, "device_seconds")]
    assert exact == pytest.approx([0.4, 0.9, 1.1, 4.1]), "what was spent stays exact"


def test_trials_are_counted_where_they_are_the_budget(store: Store, ledger: Ledger) -> None:
    filled = filled_with(store, ledger, trials=5)
    filled.trial(0, 0.5, cost=1e-4)
    filled.end(filled.start(1), None, TrialState.FAILED, cost=1e-4)
    filled.end(filled.start(2), None, TrialState.PRUNED, cost=1e-4)
    filled.trial(3, 0.7, cost=1e-4)
    assert curve(filled) == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.7)]


def test_the_last_of_equal_steps_and_times_is_the_one_that_is_shown(store: Store, ledger: Ledger) -> None:
    """When minimising, the smaller of two values in one second and millisecond; MLflow takes the larger."""
    spec = copy.deepcopy(SPEC)
    spec["task"]["metrics"] = [{"name": "loss", "direction": "minimize"}]
    filled = Filled(store, ledger, spec)
    for number, value in enumerate([0.9, 0.8, 0.2]):
        filled.trial(number, value, cost=0.001)
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE trials SET finished_at = 1700000000.0"))
    engine.dispose()
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    assert runs(filled)["demo-1/random/0"].data.metrics["best_loss"] == 0.2


def as_before(monkeypatch: pytest.MonkeyPatch, filled: Filled) -> None:
    """Record it as an earlier version did."""
    with monkeypatch.context() as patched:
        for place in ("follower", "audit"):
            patched.setattr(f"automl.recorder.{place}.form_of", lambda writer, campaign: EARLIER)
        with recording(filled) as recorder:
            recorder.drain()


@pytest.mark.slow
def test_runs_of_an_earlier_version_are_clean_and_told_and_a_repair_renews_them(
    filled_either: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = filled_either
    for number in range(3):
        filled.trial(number, cost=1.5)
    filled.finish()
    as_before(monkeypatch, filled)
    assert runs(filled)["demo-1"].data.tags.get("automl.step") is None
    found = audit(filled.store, filled.ledger, filled.id)
    assert found.to_json() == {"trials": 3, "runs": 3, **CLEAN, "earlier": True}
    renewed = repair(filled.store, filled.ledger, filled.id)
    assert renewed.to_json() == {"trials": 3, "runs": 3, **CLEAN}
    assert audit(filled.store, filled.ledger, filled.id) == renewed
    after = runs(filled)
    assert after["demo-1"].data.tags["automl.step"] == "device-second"
    history = make_client(filled.store).get_metric_history(
        after["demo-1/random/0"].info.run_id, "best_accuracy"
    )
    assert sorted(point.step for point in history) == [2, 3, 5]
    assert after["demo-1/random/0/0"].data.tags["mlflow.parentRunId"] == after["demo-1/random/0"].info.run_id


def test_a_campaign_of_an_earlier_version_goes_on_in_its_form(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.trial(0, cost=1.5)
    as_before(monkeypatch, filled)
    filled.trial(1, 0.9, cost=1.5)
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    found = audit(filled.store, filled.ledger, filled.id)
    assert found.to_json() == {"trials": 2, "runs": 2, **CLEAN, "earlier": True}
    run = runs(filled)["demo-1/random/0"].info.run_id
    history = make_client(filled.store).get_metric_history(run, "best_accuracy")
    assert sorted(point.step for point in history) == [1500, 3000]


def test_a_campaign_that_grows_keeps_its_step(store: Store, ledger: Ledger) -> None:
    """A larger budget would be one in seconds; what is recorded is in milliseconds."""
    filled = filled_with(store, ledger, device_seconds=3.0)
    filled.trial(0, cost=1.5)
    with recording(filled) as recorder:
        recorder.drain()
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        changed = "UPDATE campaigns SET spec = json_set(spec, '$.budget.device_seconds', 300.0)"
        connection.execute(sa.text(changed))
    engine.dispose()
    filled.trial(1, 0.9, cost=1.5)
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    assert audit(store, ledger, filled.id).to_json() == {"trials": 2, "runs": 2, **CLEAN}
    run = runs(filled)["demo-1/random/0"].info.run_id
    history = make_client(store).get_metric_history(run, "best_accuracy")
    assert sorted(point.step for point in history) == [1500, 3000]
