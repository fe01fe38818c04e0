"""MLflow's page of an experiment as it compares the arms: columns and charts, in the experiment's tags.

MLflow keeps the state of a page that is shared in a tag `mlflow.sharedViewState.<key>`, which an address with
`viewStateShareKey=<key>` opens, and so does the button Views. The list of charts also names those that are
not to be drawn, or the page adds one for every metric.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from automl.recorder.form import Form, chosen
from automl.recorder.texts import clean_key

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow

PREFIX: Final = "mlflow.sharedViewState."
ARMS_KEY: Final = "automl-arms"
ARMS_TAG: Final = PREFIX + ARMS_KEY
SEARCHES: Final = "tags.`automl.kind` = 'search'"
LONGEST: Final = 5000  # characters of a tag of an experiment
RUNS: Final = 100  # that a chart draws; MLflow's page loads as many
SECTION: Final = "automl-arms"
_HIDDEN: Final = ("trials_complete", "trials_pruned", "trials_failed")


def arms_view(campaign: CampaignRow) -> str:
    """The view of a study's experiment: all searches, by arm."""
    return _saved("Arms", campaign, {**_state(campaign, chosen(campaign)), "searchFilter": SEARCHES})


def campaign_key(campaign: CampaignRow) -> str:
    """The key of the view of one campaign."""
    return f"automl-arms-{campaign.number}"


def campaign_view(campaign: CampaignRow, form: Form) -> str:
    """The view of the searches of one campaign."""
    state = {**_state(campaign, form), "searchFilter": _of(campaign)}
    return _saved(f"Arms of {campaign.id}", campaign, state)


def address(base: str, experiment: str, key: str, *, charts: bool = True) -> str:
    """The address of a view, with its charts or as a table."""
    query = urlencode(
        {"viewStateShareKey": key, "compareRunsMode": "CHART" if charts else "TABLE"}, quote_via=quote
    )
    return f"{base}/#/experiments/{experiment}/runs?{query}"


def _saved(name: str, campaign: CampaignRow, state: dict[str, Any]) -> str:
    """A view under a name. Without the charts that are not to be drawn where a tag has no room for them."""
    at = round(1000 * campaign.created_at)
    for charts in (state["compareRunCharts"], [c for c in state["compareRunCharts"] if not c["deleted"]]):
        inner = json.dumps({**state, "compareRunCharts": charts}, separators=(",", ":"))
        text = json.dumps({"name": name, "createdAt": at, "state": inner})
        if len(text) <= LONGEST:
            break
    return text


def _of(campaign: CampaignRow) -> str:
    return f"{SEARCHES} and tags.`automl.campaign` = '{campaign.id}'"


def _state(campaign: CampaignRow, form: Form) -> dict[str, Any]:
    """The state of the page but for its filter."""
    name = campaign.summary.primary.name
    best, fresh, test = (clean_key(f"{level}_{name}") for level in ("best", "fresh", "test"))
    tags = ["automl.arm", "automl.seed", "automl.campaign"]
    metrics = [best, fresh, test, "device_seconds", "trials_complete"]
    return {
        "orderByKey": "tags.`automl.arm`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": [*(f"tags.`{tag}`" for tag in tags), *(f"metrics.`{key}`" for key in metrics)],
        "runsHiddenMode": "SHOW_ALL",
        "runsHidden": [],
        "runsPinned": [],
        "hideEmptyCharts": True,
        "compareRunSections": [
            {"uuid": SECTION, "name": "Arms", "display": True, "isReordered": True, "columns": 2}
        ],
        "compareRunCharts": [
            _curve(best, f"best {name} so far against device-seconds", form),
            *(_bars(key, title) for key, title in _titles(name, fresh, test)),
            *(_hidden(key) for key in (*_HIDDEN, f"{fresh}_runs", f"{test}_runs")),
        ],
    }


def _titles(name: str, fresh: str, test: str) -> Sequence[tuple[str, str]]:
    return (
        (test, f"{name} on test data, mean over retrainings"),
        (fresh, f"{name} of fresh seeds on validation data, mean over retrainings"),
        ("device_seconds", "device-seconds of the search"),
    )


def _curve(key: str, title: str, form: Form) -> dict[str, Any]:
    axis = {"xAxisKey": "step"} if form.in_seconds else {"xAxisKey": "metric"}
    return {
        **_card("LINE", key, title),
        **axis,
        "selectedXAxisMetricKey": "" if form.in_seconds else "device_seconds",
        "useGlobalXaxisKey": False,
        "selectedMetricKeys": [key],
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
    }


def _bars(key: str, title: str) -> dict[str, Any]:
    return _card("BAR", key, title)


def _hidden(key: str) -> dict[str, Any]:
    return {"uuid": f"automl-{key}", "type": "BAR", "metricKey": key, "deleted": True, "isGenerated": True}


def _card(kind: str, key: str, title: str) -> dict[str, Any]:
    return {
        "uuid": f"automl-{key}",
        "type": kind,
        "metricKey": key,
        "displayName": title,
        "metricSectionId": SECTION,
        "runsCountToCompare": RUNS,
        "deleted": False,
        "isGenerated": False,
    }
