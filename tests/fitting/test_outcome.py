"""What a campaign over a table has found: the fitted model, its test, what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from fitted_tables import QUICK, homes, written

from automl.campaign import run_campaign
from automl.contracts import RunError
from automl.fitting import Wishes, outcome_of, plan
from automl.fitting.outcome import _minutes
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.storage import open_ledger


def lines(store: Store, table: Path, *overrides: str, minutes: float = 1.0) -> str:
    planned = plan(table, Wishes("dear", minutes, overrides=(*QUICK, *overrides)))
    campaign = run_campaign(planned.study, store=store, progress=QuietProgress())
    with open_ledger(store) as ledger:
        outcome = outcome_of(ledger, campaign, minutes, planned.rows[2])
    assert outcome.study == "homes" and outcome.campaign == campaign
    return "\n".join([outcome.arm or "", *outcome.lines])


@pytest.mark.slow
def test_a_model_its_test_and_its_verdict(store: Store, tmp_path: Path) -> None:
    found = lines(store, written(tmp_path / "homes.csv", homes()))
    assert "predicts: the same, fitted again on all 80 rows (homes-1/" in found
    assert "model: homes-1/" in found and "model=extra_trees" in found
    assert "test: accuracy, % " in found and " on 16 rows that no search has seen (95 % interval " in found
    assert "verdict: cannot tell yet whether tpe is better than random" in found


@pytest.mark.slow
def test_a_time_without_a_model_says_what_would_be_enough(store: Store, tmp_path: Path) -> None:
    table = written(tmp_path / "homes.csv", homes())
    with pytest.raises(RunError, match=r"homes-1 found no model in 0.05 minutes: .*; try --minutes 0\.[12]"):
        lines(store, table, "limits={wall_seconds: 0.001, reserve: true}", minutes=0.05)
    with pytest.raises(RunError, match=r"no time was left to fit one of them; .* --minutes 2 goes on"):
        lines(store, table, "final={seeds: 0}", "name=others")


def test_minutes_to_ask_for() -> None:
    assert [_minutes(each) for each in (0.11, 1.95, 2.1, 9.0)] == ["0.2", "2", "3", "9"]
