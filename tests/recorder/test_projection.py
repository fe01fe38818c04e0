from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name
from recorder_helpers import SPEC, Filled, write_file

from automl.contracts import Report, TrialState
from automl.ledger import Ledger, Store
from automl.recorder.form import EARLIER, Form
from automl.recorder.projection import Projection
from automl.recorder.results import Result
from automl.recorder.texts import clean_key, clean_text, flatten
from automl.recorder.uids import run_uid
from automl.recorder.wanted_run import WantedRun
from automl.report.against import Against


def projection(filled: Filled, *, form: Form | None = None, interrupted: bool = False) -> Projection:
    campaign = filled.ledger.campaign(filled.id)
    assert campaign is not None
    searches = filled.ledger.searches(filled.id)
    return Projection(campaign, searches, form=form, interrupted=interrupted)


def image_of(filled: Filled, trial: str, *, interrupted: bool = False) -> WantedRun:
    row = filled.ledger.trial(trial)
    assert row is not None
    reports = filled.ledger.reports(trials=[trial]).get(trial, [])
    return projection(filled, interrupted=interrupted).trial_run(row, reports)


def series(image: WantedRun, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in image.metrics if point.key == key]


def test_tree_and_identity(filled: Filled) -> None:
    trial = filled.trial(0)
    made = projection(filled)
    campaign, search = made.campaign_run(), made.search_run(filled.searches[0])
    image = image_of(filled, trial.id)
    assert (campaign.parent, search.parent, image.parent) == (None, campaign.uid, search.uid)
    assert [run.name for run in (campaign, search, image)] == [
        "demo-1",
        "random/0 · demo-1",
        "random/0/0 · demo-1",
    ]
    for run, kind in ((campaign, "campaign"), (search, "search"), (image, "trial")):
        assert run.tags["automl.id"] == run.identity
        assert run.tags["automl.uid"] == run.uid
        assert run.tags["automl.kind"] == kind


def test_uid_is_of_one_ledger(filled: Filled) -> None:
    assert len(run_uid(filled.campaign.created_at, filled.id)) == 32
    other = copy.copy(filled.campaign)
    object.__setattr__(other, "created_at", filled.campaign.created_at + 1)
    assert run_uid(other.created_at, filled.id) != run_uid(filled.campaign.created_at, filled.id)


@pytest.mark.parametrize(
    ("state", "status"),
    [(TrialState.COMPLETE, "FINISHED"), (TrialState.PRUNED, "KILLED"), (TrialState.FAILED, "FAILED")],
)
def test_status_of_ended_trials(filled: Filled, state: TrialState, status: str) -> None:
    trial = filled.start(0)
    filled.end(trial, 0.5 if state is TrialState.COMPLETE else None, state, reason="why")
    image = image_of(filled, trial.id, interrupted=True)
    assert (image.status, image.tags["automl.state"], image.tags["automl.reason"]) == (
        status,
        str(state),
        "why",
    )
    assert image.end is not None


def test_status_of_running_trials(filled: Filled) -> None:
    trial = filled.start(0)
    assert (image_of(filled, trial.id).status, image_of(filled, trial.id).end) == ("RUNNING", None)
    assert image_of(filled, trial.id, interrupted=True).status == "SCHEDULED"


def test_metrics_per_step_and_final(filled: Filled) -> None:
    trial = filled.start(0)
    filled.report(trial, 0.25, 0.75)
    filled.end(trial, 0.75, metrics={"loss": 0.25, "epochs": 2.0}, cost=1.25)
    image = image_of(filled, trial.id)
    assert series(image, "accuracy") == [(1, 0.25), (2, 0.75)]  # the final value is the last one
    assert series(image, "loss") == [(1, 0.75), (2, 0.25)]
    assert series(image, "epochs") == [(2, 2.0)]
    assert series(image, "device_seconds") == [(1, 0.5), (2, 1.0), (2, 1.25)]
    assert image_of(filled, trial.id) == image  # the same points, times included, whenever it is made


def test_metrics_of_a_step_without_a_value(filled: Filled) -> None:
    trial = filled.start(0)
    told = Report(1, None, 0.5, {"search_skips": 4.0, "strength/edge_0_1/none": 0.25})
    assert filled.ledger.report(trial.id, trial.token, told)
    assert filled.ledger.report(trial.id, trial.token, Report(2, 0.75, 1.0))
    filled.end(trial, 0.75)
    image = image_of(filled, trial.id)
    assert series(image, "accuracy") == [(2, 0.75)]
    assert series(image, "search_skips") == [(1, 4.0)]
    assert series(image, "strength/edge_0_1/none") == [(1, 0.25)]


def test_another_final_value_is_the_latest(filled: Filled) -> None:
    trial = filled.start(0)
    filled.report(trial, 0.75, 0.5)
    filled.end(trial, 0.75)
    points = [point for point in image_of(filled, trial.id).metrics if point.key == "accuracy"]
    assert max(points, key=lambda point: (point.step, point.timestamp)).value == 0.75


def test_params_are_flat(filled: Filled) -> None:
    trial = filled.start(
        0, {"lr": 0.1, "edge_0_1": "skip_connect", "bias": True, "none": None, "empty": "", "n": 3}
    )
    filled.end(trial, 0.5, derived={"edge_1_2": "conv", "lr": 0.2})
    assert image_of(filled, trial.id).params == {
        "lr": "0.1",
        "edge_0_1": "skip_connect",
        "bias": "True",
        "none": "None",
        "empty": '""',
        "n": "3",
        "edge_1_2": "conv",
        "derived.lr": "0.2",
    }


def test_long_values_are_kept_whole(filled: Filled) -> None:
    trial = filled.start(0, {"long": "x" * 7000})
    filled.end(trial, None, TrialState.FAILED, reason="y" * 9000)
    image = image_of(filled, trial.id)
    assert len(image.params["long"]) < 6000
    assert "long_values.json" in image.params["long"]
    (artifact,) = image.artifacts
    whole = json.loads(artifact.text or "")
    assert whole == {"params.long": "x" * 7000, "tags.automl.reason": "y" * 9000}


def test_artifacts_stay_inside_the_workdir(filled: Filled) -> None:
    trial = filled.start(0)
    folder = Path(trial.workdir or "")
    write_file(folder / "artifacts" / "plots" / "cell.svg", "<svg/>")
    write_file(folder / "secret.txt", "secret")
    (folder / "artifacts" / "link.txt").symlink_to(folder / "secret.txt")
    names = ["plots/cell.svg", "gone.txt", "../secret.txt", str(folder / "secret.txt"), "link.txt"]
    filled.end(trial, 0.5, artifacts=names)
    image = image_of(filled, trial.id)
    assert [artifact.name for artifact in image.artifacts] == ["plots/cell.svg", "gone.txt"]
    assert image.listed == ("plots/cell.svg", "gone.txt"), "an audit must miss what is gone"


def test_model_of_a_retraining_is_an_artifact(filled: Filled) -> None:
    trial = filled.start(0, kind="final")
    write_file(Path(trial.workdir or "") / "model" / "config.json", "{}")
    filled.end(trial, 0.5)
    image = image_of(filled, trial.id)
    assert image.tags["automl.kind"] == "final"
    assert [artifact.name for artifact in image.artifacts] == ["model"]


def test_anytime_curve_of_an_earlier_version(filled: Filled) -> None:
    """Its step is a millisecond, with counts of nothing."""
    costs = [0.0101, 0.02, 0.03, 0.2]
    for number, (value, cost) in enumerate(zip([0.5, 0.25, 0.75, 0.5], costs, strict=True)):
        filled.trial(number, value, cost=cost)
    filled.end(filled.start(4), None, TrialState.FAILED, cost=1.0)
    filled.finish()
    made = projection(filled, form=EARLIER)
    search = filled.ledger.searches(filled.id)[0]
    image = made.search_run(search, filled.ledger.trials(search=search.id))
    assert series(image, "trials_pruned") == [(0, 0.0)]
    assert series(image, "best_accuracy") == [(10, 0.5), (30, 0.5), (60, 0.75), (260, 0.75), (1260, 0.75)]
    assert series(image, "device_seconds")[-1] == (1260, pytest.approx(1.2601))
    assert series(image, "trials_complete") == [(0, 4.0)]
    assert series(image, "trials_failed") == [(0, 1.0)]


def test_anytime_curve_minimises(store: Store, ledger: Ledger) -> None:
    spec = copy.deepcopy(SPEC)
    spec["task"]["metrics"] = [{"name": "loss", "direction": "minimize"}]
    filled = Filled(store, ledger, spec)
    for number, value in enumerate([0.5, 0.75, 0.25]):
        filled.trial(number, value, cost=1.0)
    image = projection(filled).search_run(filled.searches[0], ledger.trials(search=filled.searches[0].id))
    assert series(image, "best_loss") == [(1, 0.5), (2, 0.5), (3, 0.25)]


def test_search_shows_fresh_and_test_values(filled: Filled) -> None:
    filled.trial(0, 0.5)
    for number, value in enumerate([0.4, 0.6]):
        filled.end(filled.start(number, filled.ledger.trials()[0].config, kind="final"), value)
    filled.finish()
    search = filled.ledger.searches(filled.id)[0]
    filled.ledger.close_test(filled.ledger.open_test(search.id, "winner").id, [0.3, 0.4])
    image = projection(filled).search_run(
        search, filled.ledger.trials(search=search.id), filled.ledger.openings(filled.id)
    )
    assert [value for _, value in series(image, "fresh_accuracy")] == [pytest.approx(0.5)]
    assert series(image, "fresh_accuracy_runs") == [(0, 0.4), (1, 0.6)]
    assert [value for _, value in series(image, "test_accuracy")] == [pytest.approx(0.35)]
    assert image.tags["automl.winner"] == "demo-1/random/0/0"
    assert series(image, "trials_complete")[0][1] == 1.0  # retrainings are not trials of the search


def test_campaign_says_where_it_comes_from(filled: Filled) -> None:
    image = projection(filled).campaign_run()
    assert image.tags["mlflow.source.git.commit"] == "0123456789abcdef"
    assert image.tags["automl.packages.torch"] == "2.13.0"
    assert image.tags["automl.budget"] == "60 device-seconds"
    assert (image.tags["automl.dataset"], image.tags["automl.step"]) == ("digits", "device-second")
    assert image.tags["automl.executor"] == "local"
    assert image.dataset == ("digits", "d" * 64)
    assert image.tags["automl.extent.budget.device_seconds"] == "60.0"
    assert json.loads(image.artifacts[0].text or "") == SPEC


def test_secrets_of_the_study_are_masked(store: Store, ledger: Ledger) -> None:
    spec = copy.deepcopy(SPEC)
    spec["executor"]["options"] = {"address": "ray://me:hunter2@head", "token": "hunter2"}
    image = projection(Filled(store, ledger, spec)).campaign_run()
    assert "hunter2" not in repr(image)


def test_searches_only(store: Store, ledger: Ledger) -> None:
    filled = Filled(store, ledger, {**SPEC, "record": "searches"})
    filled.trial(0, 0.5)
    search = filled.searches[0]
    image = projection(filled).search_run(search, ledger.trials(search=search.id))
    table = json.loads(next(a.text or "" for a in image.artifacts if a.name == "trials.json"))
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert (row["id"], row["values"], row["config.lr"]) == ("demo-1/random/0/0", [0.5], 0.1)


@given(st.text(max_size=300))
def test_any_key_becomes_one_mlflow_takes(name: str) -> None:
    key = clean_key(name)
    _validate_metric_name(key)
    assert 0 < len(key) <= 250
    assert clean_key(key) == key


@given(st.lists(st.text(max_size=8), unique=True))
def test_keys_stay_distinct(names: list[str]) -> None:
    assert len({clean_key(name) for name in names}) == len(names)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_stored(text: str) -> None:
    cleaned = clean_text(text)
    assert "\x00" not in cleaned.encode("utf-8").decode()
    assert clean_text(cleaned) == cleaned


def test_flatten() -> None:
    data = {"a": {"b": 1, "c": None}, "d": [1, {"e": 2}], "f": "", "g": True}
    assert dict(flatten(data)) == {"a.b": "1", "d": '[1, {"e": 2}]', "f": '""', "g": "True"}


def test_the_last_campaign_is_in_tags_and_note(filled: Filled) -> None:
    plain = projection(filled).campaign_run()
    assert not any(key.startswith("automl.last") for key in plain.tags)
    last = Against("demo-2", "demo-1", "worse", "demo-2 is worse than demo-1 (a regression) by 3 points")
    run = projection(filled).campaign_run(result=Result(last=last))
    assert run.tags["automl.last"] == "worse"
    assert run.tags["automl.last.campaign"] == "demo-1"
    assert run.tags["automl.last.sentence"] == last.sentence
    assert run.tags["mlflow.note.content"].endswith(f"Against the last campaign: {last.sentence}.")
