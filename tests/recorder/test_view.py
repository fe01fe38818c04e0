from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from recorder_helpers import SPEC, Filled, recording

from automl.contracts import UserError
from automl.ledger import Ledger, Store
from automl.recorder.experiments import make_client
from automl.recorder.form import MILLISECOND, SECOND, Form
from automl.recorder.pages import open_page
from automl.recorder.view import ARMS_TAG, LONGEST, address, campaign_view


def state_of(view: str) -> dict[str, Any]:
    saved = json.loads(view)
    assert saved.keys() == {"name", "createdAt", "state"}
    return dict(json.loads(saved["state"]))


def test_the_view_of_a_campaign_shows_its_searches_by_arm(filled: Filled) -> None:
    state = state_of(campaign_view(filled.campaign, Form(SECOND)))
    assert state["searchFilter"] == "tags.`automl.kind` = 'search' and tags.`automl.campaign` = 'demo-1'"
    assert state["orderByKey"] == "tags.`automl.arm`"
    assert {"tags.`automl.arm`", "metrics.`best_accuracy`", "metrics.`test_accuracy`"} <= set(
        state["selectedColumns"]
    )
    drawn = {card["metricKey"]: card for card in state["compareRunCharts"] if not card["deleted"]}
    assert list(drawn) == ["best_accuracy", "test_accuracy", "fresh_accuracy", "device_seconds"]
    assert drawn["best_accuracy"]["xAxisKey"] == "step"


def test_the_axis_is_device_seconds_whatever_a_step_counts(filled: Filled) -> None:
    (curve, *_) = state_of(campaign_view(filled.campaign, Form(MILLISECOND)))["compareRunCharts"]
    assert (curve["xAxisKey"], curve["selectedXAxisMetricKey"]) == ("metric", "device_seconds")


@pytest.mark.slow
@pytest.mark.parametrize(("letters", "charts", "stored"), [(10, 9, True), (150, 4, True), (240, 0, False)])
def test_no_view_is_longer_than_a_tag(
    store: Store, ledger: Ledger, letters: int, charts: int, stored: bool
) -> None:
    """Long names cost the charts that are not drawn first, then the view; the filter is left."""
    spec = copy.deepcopy(SPEC)
    spec["task"]["metrics"] = [{"name": "m" * letters, "direction": "maximize"}]
    filled = Filled(store, ledger, spec)
    filled.trial(0)
    with recording(filled) as recorder:
        recorder.drain()
    view = campaign_view(filled.campaign, Form(SECOND))
    assert len(view) <= LONGEST
    assert (len(state_of(view)["compareRunCharts"]) if view else 0) == charts
    link = open_page(store, filled.campaign, "127.0.0.1", 5000)
    assert ("viewStateShareKey" in link) == stored
    assert ("searchFilter=tags.%60automl.kind%60" in link) == (not stored)


def test_an_address_names_the_view() -> None:
    expected = (
        "http://127.0.0.1:5000/#/experiments/7/runs?viewStateShareKey=automl-arms-3&compareRunsMode=CHART"
    )
    assert address("http://127.0.0.1:5000", "7", {"viewStateShareKey": "automl-arms-3"}) == expected


def test_opening_a_campaign_stores_its_view_once(filled_either: Filled) -> None:
    filled = filled_either
    with pytest.raises(UserError, match="automl audit demo-1 --repair"):
        open_page(filled.store, filled.campaign, "127.0.0.1", 5000)
    filled.trial(0)
    with recording(filled) as recorder:
        recorder.drain()
    links = {open_page(filled.store, filled.campaign, host, 5000) for host in ("127.0.0.1", "0.0.0.0")}
    assert len(links) == 1
    assert open_page(filled.store, filled.campaign, "::1", 5001).startswith("http://[::1]:5001/#/")
    experiment = make_client(filled.store).get_experiment_by_name("demo")
    assert experiment is not None
    assert f"/experiments/{experiment.experiment_id}/runs?" in links.pop()
    views = [key for key in experiment.tags if key.startswith("mlflow.sharedViewState.")]
    assert sorted(views) == [ARMS_TAG, f"{ARMS_TAG}-1"]
