"""Campaigns side by side, as values, in the terminal, as a page and as JSON."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from campaign_rows import BAD, GOOD, campaign, plain_json, store_rows
from report_examples import LOSS, RANDOM, FakeLedger, fake, realistic
from rich.console import Console

from automl.comparing.campaigns import Comparison, compare_campaigns
from automl.comparing.page import html
from automl.comparing.sparkline import sparkline
from automl.comparing.terminal import terminal
from automl.contracts import UserError
from automl.ledger import Ledger


def compared(ledger: Ledger, *made: FakeLedger, within: float | None = None) -> Comparison:
    rows = [ledger.campaign(name) for name in store_rows(ledger, *made)]
    return compare_campaigns(ledger, [row for row in rows if row is not None], within)


def shown(comparison: Comparison, width: int) -> str:
    console = Console(file=StringIO(), width=width, record=True)
    console.print(terminal(comparison, width))
    return console.export_text()


def with_origin(made: FakeLedger, **changes: Any) -> FakeLedger:
    made.row = replace(made.row, provenance={**made.row.provenance, **changes})
    return made


def test_three_campaigns_against_the_first(ledger: Ledger) -> None:
    found = compared(ledger, realistic(seeds=3, trials=8), campaign(GOOD, 4), campaign(BAD, 5))
    assert [pair.against.campaign for pair in found.pairs] == ["nas-digits-4", "nas-digits-5"]
    assert {pair.against.against for pair in found.pairs} == {"nas-digits-3"}
    assert len(found.groups) == 1
    for width in (60, 120):
        text = shown(found, width)
        assert max(map(len, text.splitlines())) <= width
        assert "nas-digits-5 is worse than nas-digits-3 (a regression)" in " ".join(text.split())
        assert any(block in text for block in "▁▂▃▄▅▆▇█")
    data: Any = plain_json(found.to_json())
    assert [side["campaign"] for side in data["campaigns"]] == [f"nas-digits-{i}" for i in (3, 4, 5)]
    assert data["pairs"][1]["answer"] == "worse"
    assert data["campaigns"][0]["winner"]["config"]["edge_0_1"]
    assert data["campaigns"][0]["arms"]["random"][0]["anytime"]


def test_what_changed_is_listed_and_secrets_are_masked(ledger: Ledger) -> None:
    first = {"code": {"net.py": "a" * 64}, "spaces": {}, "data": {}, "version": "1.0"}
    second = {**first, "code": {"net.py": "b" * 64}, "version": "1.1"}
    before = with_origin(campaign(GOOD, 4), identity=first, host="laptop", devices=["CPU"])
    now = with_origin(campaign(GOOD, 5, evaluator={"name": "network", "options": {"epochs": 5}}),
                      identity=second, host="server", devices=["CPU", "H100"])  # fmt: skip
    now.row.spec["executor"] = {"name": "ray", "options": {"password": "sesame-open"}}
    changes = compared(ledger, before, now).pairs[0].differences
    assert {change.item for change in changes.identity} == {"code.net.py", "version"}
    assert "evaluator.options.epochs: from nothing to 5" in map(str, changes.study)
    assert {"host", "devices"} <= {change.item for change in changes.environment}
    assert changes.unknown == ()
    assert changes.winner == ()
    assert "sesame" not in str(changes)


def test_other_metrics_get_a_table_of_their_own_and_no_difference(ledger: Ledger) -> None:
    found = compared(ledger, campaign(GOOD, 4), campaign(GOOD, 5, metrics=LOSS))
    assert [len(group) for group in found.groups] == [1, 1]
    text = " ".join(shown(found, 80).split())
    assert "nas-digits-5 cannot be compared with nas-digits-4: they have another metric" in text
    assert "95 % interval" not in text
    assert html(found).count("<h2>Arms</h2>") == 2


def test_another_study_on_the_same_data_can_be_compared(ledger: Ledger) -> None:
    found = compared(ledger, campaign(GOOD, 4), campaign(BAD, 1, name="other"))
    assert found.pairs[0].against.sentence.startswith("other-1 is worse than nas-digits-4")


def test_interrupted_and_empty_campaigns_are_told(ledger: Ledger) -> None:
    empty = fake({"random": RANDOM}, number=5, seeds=[0], data="a" * 64)
    found = compared(ledger, campaign(GOOD, 4), empty, campaign(BAD, 6, state="interrupted"))
    text = " ".join(shown(found, 90).split())
    assert "nas-digits-5 found nothing" in text
    assert "nas-digits-6: no winner, it is interrupted" in text
    assert "not known: nas-digits-6 has no winner: it is interrupted" in text
    assert "nas-digits-6 is worse than nas-digits-4" in text
    html(found)


def test_within_is_a_wish_of_the_user(ledger: Ledger) -> None:
    near = {arm: [(value or 0) - 0.002 - seed / 1e3 for seed, value in enumerate(GOOD[arm])] for arm in GOOD}
    made = campaign(GOOD, 4), campaign(near, 5, first=10)
    assert compared(ledger, *made).pairs[0].against.answer == "cannot tell"
    rows = [row for name in ("nas-digits-4", "nas-digits-5") if (row := ledger.campaign(name))]
    assert compare_campaigns(ledger, rows, 0.05).pairs[0].against.answer == "no different"
    with pytest.raises(UserError, match="--within must be a number of 0 or more, but got -1"):
        compare_campaigns(ledger, rows, -1)
    with pytest.raises(UserError, match="two campaigns or more, each named once"):
        compare_campaigns(ledger, [rows[0], rows[0]])
    with pytest.raises(UserError, match="two campaigns or more"):
        compare_campaigns(ledger, rows[:1])


def test_the_page_stands_alone_and_escapes_names(ledger: Ledger, tmp_path: Path) -> None:
    values = {"random": GOOD["random"], "<b>x": GOOD["tpe"]}
    page = html(compared(ledger, campaign(values, 4), campaign(values, 5)))
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert 'id="plot-anytime-0"' in page
    assert "://" not in page.partition("<script")[0]


def test_a_sparkline_is_a_step_curve_on_common_axes() -> None:
    assert sparkline([(1.0, 0.0), (3.0, 1.0)], 4, 4.0, 0.0, 1.0) == "▁▁██"
    assert sparkline([(3.0, 1.0)], 4, 4.0, 0.0, 1.0) == "  ██"
    assert sparkline([(0.0, 5.0)], 3, 0.0, 5.0, 5.0) == "▅▅▅"
    assert sparkline([], 3, 1.0, 0.0, 1.0) == "   "
    assert sparkline([(0.0, -9.0), (2.0, 9.0)], 2, 2.0, 0.0, 1.0) == "▁█"
