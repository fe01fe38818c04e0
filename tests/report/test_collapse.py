"""The report on the health of one-shot searches: entries, words, table, figures."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from report_examples import RANDOM, FakeLedger, fake
from rich.console import Console

from automl.contracts import TrialState
from automl.ledger.rows import ReportRow
from automl.report import CampaignReport, collect, course_pictures, html, terminal
from automl.report.collapse import TITLE
from automl.report.plain import plain

ID = "nas-digits-3"
DARTS = {"evaluator": {"name": "supernet", "options": {"method": "darts"}}}
ROLLED_BACK = {
    "search_epochs": 12.0,
    "search_skips": 1.0,
    "search_collapsed": 1.0,
    "search_alarm_eigenvalue": 12.0,
    "search_alarm_skips": 11.0,
    "search_collapse_epoch": 11.0,
    "search_rollback_epoch": 9.0,
    "search_stopped": 1.0,
    "search_seconds": 50.0,
    "search_health_seconds": 4.0,
    "search_rank_tau": -0.5,
    "search_rank_cells": 5.0,
}
HEALTHY = {"search_epochs": 3.0, "search_skips": 2.0, "search_collapsed": 0.0}


def reported(trial: str, epochs: int, *, every: int = 2) -> list[ReportRow]:
    """Reports of search epochs, then two of the training."""
    rows = []
    for epoch in range(1, epochs + 1):
        metrics = {"search_skips": epoch / 2, "search_entropy": 1.6 / epoch}
        metrics |= {f"strength/edge_0_1/{name}": 0.5 for name in ("none", "skip_connect")}
        if epoch % every == 0:
            metrics |= {"search_eigenvalue": 0.1 * epoch, "search_discretisation_gap": -0.25}
            metrics |= {"search_supernet_accuracy": 0.5, "search_path_accuracy": 0.75}
        rows.append(ReportRow(trial, epoch, None, metrics, float(epoch), 1.0))
    rows += [ReportRow(trial, epochs + more, 0.9, {"train_loss": 1.0}, 20.0, 2.0) for more in (1, 2)]
    return rows


def campaign(
    metrics: dict[str, float] | None = ROLLED_BACK,
    *,
    seeds: int = 1,
    epochs: int = 12,
    state: TrialState = TrialState.COMPLETE,
) -> FakeLedger:
    ledger = fake({"random": RANDOM, "darts": DARTS}, seeds=range(seeds))
    for seed in range(seeds):
        ledger.trial(ledger.search("random", seed), 0, [0.9])
        search = ledger.search("darts", seed)
        values = [0.91] if state is TrialState.COMPLETE else None
        trial = ledger.trial(search, 0, values, metrics=metrics, derived={"edge_0_1": "none"}, state=state)
        ledger.report_rows[trial] = reported(trial, epochs)
    return ledger


def text_of(data: CampaignReport) -> str:
    text = io.StringIO()
    console = Console(width=100, file=text)
    console.print(terminal(data))
    return text.getvalue()


def test_an_entry_says_what_rang_first_and_what_was_done() -> None:
    (entry,) = collect(campaign(), ID).collapse
    assert (entry.arm, entry.seed, entry.method) == ("darts", 0, "darts")
    assert (entry.collapsed, entry.alarm, entry.epoch) == (True, "skips", 11)
    assert (entry.action, entry.rollback) == ("rollback", 9)
    assert [list(point) for point in entry.curves["eigenvalue"]] == [
        [epoch, pytest.approx(0.1 * epoch)] for epoch in range(2, 13, 2)
    ]
    assert entry.curves["skips"][-1] == (12, 6.0)
    assert (entry.gap, entry.tau, entry.rank_cells, entry.watching) == (-0.25, -0.5, 5, 0.08)
    assert entry.strengths == {"edge_0_1": {"none": (0.5,) * 12, "skip_connect": (0.5,) * 12}}
    assert json.loads(json.dumps(plain(entry), allow_nan=False)) == plain(entry)


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({}, "rollback", "collapsed after epoch 11 (skip connections); the genotype of epoch 9 was trained"),
        ({"search_rollback_epoch": None}, "stop", "the search stopped there, and its genotype was trained"),
        ({"search_rollback_epoch": None, "search_stopped": 0.0}, "warn", "the search continued"),
    ],
)
def test_what_was_done_is_said(changes: dict[str, float | None], action: str, words: str) -> None:
    metrics = {key: value for key, value in {**ROLLED_BACK, **changes}.items() if value is not None}
    data = collect(campaign(metrics), ID)
    assert data.collapse[0].action == action
    assert words in data.collapse[0].sentence
    shown = " ".join(text_of(data).split())
    assert words in shown and "darts, seed 0: collapsed" in shown
    page = html(data)
    assert words in page and ">collapsed</span>" in page and "−0.50 of 5" in page


def test_a_healthy_and_a_running_search() -> None:
    (entry,) = collect(campaign(HEALTHY, epochs=3), ID).collapse
    assert entry.collapsed is False and entry.sentence == "no alarm in 3 epochs"
    (entry,) = collect(campaign(None, epochs=3, state=TrialState.RUNNING), ID).collapse
    assert entry.collapsed is None and entry.sentence == "not finished (3 epochs so far)"
    assert ">collapsed</span>" not in html(collect(campaign(HEALTHY, epochs=3), ID))


def test_other_arms_have_no_entry() -> None:
    data = collect(fake(), ID)
    assert data.collapse == ()
    assert TITLE not in text_of(data) and TITLE not in html(data)


def test_many_seeds_are_counted() -> None:
    data = collect(campaign(seeds=7), ID)
    assert len(data.collapse) == 7
    assert "darts: 7 of 7 searches collapsed" in text_of(data)


def test_a_long_search_keeps_some_epochs_of_its_strengths() -> None:
    (entry,) = collect(campaign(epochs=200), ID).collapse
    assert len(entry.strength_epochs) == 40 and entry.strength_epochs[-1] == 200
    assert len(entry.strengths["edge_0_1"]["none"]) == 40
    assert len(entry.curves["entropy"]) == 200


@pytest.mark.slow
def test_the_figures_mark_the_alarm_and_the_way_back() -> None:
    (entry,) = collect(campaign(), ID).collapse
    pictures = course_pictures(entry.course)
    assert list(pictures) == ["course", "strengths"]
    words = {
        name: " ".join(
            "".join(part.itertext()) for part in ElementTree.fromstring(svg).iter() if "text" in part.tag
        )
        for name, svg in pictures.items()
    }
    for word in ("largest eigenvalue", "alarm", "rollback", "discretised", "epoch"):
        assert word in words["course"]
    assert "edge 0 1" in words["strengths"] and "skip_connect" in words["strengths"]
    assert course_pictures(entry.course) == pictures
    assert html(collect(campaign(), ID)).count("data:image/svg+xml") >= 2
    healthy = collect(campaign(HEALTHY, epochs=3), ID).collapse[0]
    assert not re.search("alarm|rollback", course_pictures(healthy.course)["course"])


def test_a_search_without_alpha_has_no_figures() -> None:
    ledger = campaign(HEALTHY, epochs=3)
    for trial, rows in ledger.report_rows.items():
        ledger.report_rows[trial] = [
            ReportRow(row.trial, row.step, row.value, {"search_train_loss": 1.0}, 1.0, 1.0) for row in rows
        ]
    (entry,) = collect(ledger, ID).collapse
    assert course_pictures(entry.course) == {} and entry.gap is None
    assert "no alarm in 3 epochs" in html(collect(ledger, ID))
