from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from recorder_helpers import Clock, Filled

from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.recorder import Recorder, writer_choice
from automl.recorder.audit import Audit, audit, repair
from automl.recorder.experiments import make_client

CLEAN = Audit(trials=4, runs=4, missing=[], duplicate=[], stuck=[], different=[])
TRIAL = "demo-1/random/0/1"
SEARCH = "demo-1/random/0"


@pytest.fixture(params=["direct", "client"])
def recorded(request: pytest.FixtureRequest, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A finished campaign of four trials, all recorded by either writer."""
    if request.param == "client":
        monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    for number in range(3):
        filled.trial(number, 0.5 + number / 10)
    filled.end(filled.start(3), None, TrialState.FAILED, reason="ValueError", traceback="Traceback")
    filled.finish()
    record(filled)
    assert check(filled) == CLEAN
    return filled


def record(filled: Filled) -> None:
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.drain()
    recorder.close()


def check(filled: Filled) -> Audit:
    return audit(filled.store, filled.ledger, filled.id)


def run_id(client: MlflowClient, identity: str) -> str:
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.\"automl.id\" = '{identity}'")
    return str(run.info.run_id)


def delete(client: MlflowClient) -> None:
    client.delete_run(run_id(client, TRIAL))


def delete_search(client: MlflowClient) -> None:
    client.delete_run(run_id(client, SEARCH))


def copy(client: MlflowClient) -> None:
    run = client.get_run(run_id(client, TRIAL))
    client.create_run(run.info.experiment_id, tags=run.data.tags)


def copy_name(client: MlflowClient) -> None:
    run = client.get_run(run_id(client, TRIAL))
    client.create_run(run.info.experiment_id, tags={"automl.id": TRIAL})


def unknown(client: MlflowClient) -> None:
    run = client.get_run(run_id(client, TRIAL))
    client.create_run(run.info.experiment_id, tags={"automl.id": "demo-1/random/0/99"})


def set_running(client: MlflowClient) -> None:
    client.update_run(run_id(client, TRIAL), "RUNNING")


def set_failed(client: MlflowClient) -> None:
    client.set_terminated(run_id(client, TRIAL), "FAILED")


def orphan(client: MlflowClient) -> None:
    client.set_tag(run_id(client, TRIAL), "mlflow.parentRunId", "0" * 32)


def log_value(client: MlflowClient) -> None:
    client.log_metric(run_id(client, TRIAL), "accuracy", 0.99, step=50)


def log_best(client: MlflowClient) -> None:
    client.log_metric(run_id(client, SEARCH), "best_accuracy", 0.99, step=10**9)


def faulty(fault: str, *identities: str, runs: int = 4) -> Audit:
    return replace(CLEAN, runs=runs, **{fault: list(identities)})


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (delete, faulty("missing", TRIAL, runs=3)),
        (copy, faulty("duplicate", TRIAL, runs=5)),
        (copy_name, faulty("duplicate", TRIAL, runs=5)),
        (unknown, faulty("duplicate", "demo-1/random/0/99", runs=5)),
        (set_running, faulty("stuck", TRIAL)),
        (set_failed, faulty("different", TRIAL)),
        (orphan, faulty("different", TRIAL)),
        (log_value, faulty("different", TRIAL)),
        (log_best, faulty("different", SEARCH)),
    ],
)
def test_finds_and_repairs(recorded: Filled, damage: Callable[[MlflowClient], None], expected: Audit) -> None:
    damage(make_client(recorded.store))
    assert check(recorded) == expected
    assert check(recorded) == expected  # looking changes nothing
    assert repair(recorded.store, recorded.ledger, recorded.id) == CLEAN
    assert check(recorded) == CLEAN
    assert repair(recorded.store, recorded.ledger, recorded.id) == CLEAN


def test_repairs_everything_at_once(recorded: Filled) -> None:
    client = make_client(recorded.store)
    for damage in (set_running, log_best, copy, delete_search):
        damage(client)
    assert check(recorded).missing == [SEARCH]
    assert repair(recorded.store, recorded.ledger, recorded.id) == CLEAN
    parent = client.get_run(run_id(client, TRIAL)).data.tags["mlflow.parentRunId"]
    assert parent == run_id(client, SEARCH)


def test_changed_param(filled: Filled) -> None:
    filled.trial(0)
    filled.finish()
    record(filled)
    engine = sa.create_engine(filled.store.tracking_uri)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE params SET value = '7' WHERE key = 'lr'"))
    engine.dispose()
    expected = replace(CLEAN, trials=1, runs=1)
    assert check(filled) == replace(expected, different=["demo-1/random/0/0"])
    assert repair(filled.store, filled.ledger, filled.id) == expected


@pytest.mark.parametrize("verified", [True, False])
def test_nothing_recorded_at_all(filled: Filled, verified: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `RunError` of a drain promises: repair writes the whole campaign."""
    if not verified:
        monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    for number in range(4):
        filled.trial(number)
    filled.finish()
    missing = check(filled)
    assert (missing.trials, missing.runs, len(missing.missing)) == (4, 0, 7)
    assert repair(filled.store, filled.ledger, filled.id) == CLEAN
    assert all(trial.recorded == 2 for trial in filled.ledger.trials(campaign=filled.id))


def test_interrupted_campaign(filled: Filled, clock: Clock) -> None:
    """SIGKILL of a driver: its runs say RUNNING, nothing runs. Repaired they say SCHEDULED."""
    filled.trial(0)
    trial = filled.start(1)
    filled.report(trial, 0.5)
    clock.ahead = 1.0
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()  # and no close: the process is gone
    assert check(filled).stuck == []
    assert filled.ledger.release(filled.id, filled.token)
    assert check(filled).stuck == ["demo-1", "demo-1/random/0", "demo-1/tpe/0", trial.id]
    clean = replace(CLEAN, trials=2, runs=2)
    assert repair(filled.store, filled.ledger, filled.id) == clean
    client = make_client(filled.store)
    assert client.get_run(run_id(client, trial.id)).info.status == "SCHEDULED"


def test_live_campaign_is_not_blamed_for_what_is_on_its_way(filled: Filled) -> None:
    filled.trial(0)
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder._look()
    filled.trial(1)
    filled.start(2)
    assert check(filled) == replace(CLEAN, trials=3, runs=1)
    make_client(filled.store).delete_run(run_id(make_client(filled.store), "demo-1/random/0/0"))
    assert check(filled).missing == ["demo-1/random/0/0"]
    assert repair(filled.store, filled.ledger, filled.id).missing == []
    recorder.close()


def test_another_campaign_of_the_study_is_not_judged(store: Store, ledger: Ledger) -> None:
    first = Filled(store, ledger)
    first.trial(0)
    first.finish()
    record(first)
    second = Filled(store, ledger)
    second.trial(0)
    second.trial(1)
    second.finish()
    record(second)
    assert second.id == "demo-2"
    assert check(first) == replace(CLEAN, trials=1, runs=1)
    assert check(second) == replace(CLEAN, trials=2, runs=2)
