"""The exported winner is marked in every table with its reason; trial budgets that pruning makes unequal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from report_examples import LOSS, RANDOM, FakeLedger, fake, realistic, values_only

from automl.contracts import TrialState
from automl.report import collect, html
from automl.report.chosen import BY_FOLDS, BY_FRESH, BY_VALIDATION, STAR

ID = "nas-digits-3"
TPE = {"strategy": {"name": "tpe", "options": {}}}
ASHA = {**TPE, "pruner": {"name": "asha", "options": {"reduction": 3}}}


def test_by_validation_without_retrainings() -> None:
    chosen = collect(values_only({"random": [1.0, 0.8], "tpe": [0.9, 0.7]}, metrics=LOSS), ID).chosen
    assert chosen is not None
    assert (chosen.arm, chosen.search.seed, chosen.value, chosen.rule) == ("tpe", 1, 0.7, BY_VALIDATION)


def test_by_fresh_seeds_where_there_are_any() -> None:
    ledger = values_only({"random": [0.9], "tpe": [0.8]})
    ledger.trial(f"{ID}/random/0", 0, [0.5], kind="final")
    ledger.trial(f"{ID}/tpe/0", 0, [0.6], kind="final")
    chosen = collect(ledger, ID).chosen
    assert chosen is not None and (chosen.arm, chosen.value, chosen.rule) == ("tpe", 0.6, BY_FRESH)


def test_by_folds_where_values_are_means_over_folds() -> None:
    pipeline = {"name": "pipeline", "options": {}}
    ledger = values_only({"random": [0.9], "tpe": [0.8]}, evaluator=pipeline)
    ledger.trial(f"{ID}/random/0", 0, [0.5], kind="final")
    ledger.trial(f"{ID}/tpe/0", 0, [0.6], kind="final")
    chosen = collect(ledger, ID).chosen
    assert chosen is not None and (chosen.arm, chosen.value, chosen.rule) == ("tpe", 0.6, BY_FRESH), (
        "as it was"
    )
    ledger.row = replace(ledger.row, provenance={**ledger.row.provenance, "identity": {"version": "1"}})
    chosen = collect(ledger, ID).chosen
    assert chosen is not None and (chosen.arm, chosen.value, chosen.rule) == ("random", 0.9, BY_FOLDS)


def test_none_without_a_result_or_an_end() -> None:
    assert collect(values_only({"random": [None]}), ID).chosen is None
    assert collect(fake(state="running"), ID).chosen is None


def test_every_table_of_the_page_marks_it() -> None:
    report = collect(realistic(seeds=3, trials=20), ID)
    page, chosen = html(report), report.chosen
    assert chosen is not None
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    with_arms = [text for text in tables if f'<th scope="row">{chosen.arm}' in text]
    assert with_arms and all(f'<th scope="row">{chosen.arm} {STAR}' in text for text in with_arms)
    assert f"<h3>{chosen.arm} {STAR}</h3>" in page
    assert page.count(f"<strong>{STAR} seed {chosen.search.seed}</strong>") == 1
    others = [arm for arm in report.arms if arm != chosen.arm]
    assert not any(f"{arm} {STAR}" in page for arm in others)
    assert f"{STAR} exported winner: {chosen.arm}, seed {chosen.search.seed}, trial" in page


def campaign(
    arms: dict[str, Any], outcomes: Callable[[str, int], tuple[TrialState, float]], **spec: Any
) -> Any:
    budget = {"device_seconds": None, "trials": 4, "wall_seconds": None}
    ledger: FakeLedger = fake(arms, seeds=[0], budget=budget, **spec)
    for arm in arms:
        search = ledger.search(arm, 0)
        for number in range(4):
            state, cost = outcomes(arm, number)
            values = [0.5] if state is TrialState.COMPLETE else None
            ledger.trial(search, number, values, state=state, cost=cost)
    return collect(ledger, ID)


def pruned_by_asha(arm: str, number: int) -> tuple[TrialState, float]:
    early = arm == "asha" and number > 0
    return (TrialState.PRUNED, 1.0) if early else (TrialState.COMPLETE, 10.0)


def told(report: Any) -> list[str]:
    return [line for line in report.warnings if line.startswith("trial budgets are not equal cost")]


def test_pruning_under_a_budget_of_trials_is_told() -> None:
    (line,) = told(campaign({"random": RANDOM, "asha": ASHA}, pruned_by_asha))
    assert "asha ended trials early, and a search cost random 40 s, asha 13 s" in line
    assert line.endswith("set budget.device_seconds to compare at equal cost")


@pytest.mark.parametrize(
    ("arms", "outcomes"),
    [
        ({"random": RANDOM, "tpe": TPE}, pruned_by_asha),
        ({"random": RANDOM, "asha": ASHA}, lambda arm, number: (TrialState.PRUNED, 1.0)),
        ({"random": RANDOM, "tpe": TPE}, lambda arm, number: (TrialState.COMPLETE, 1.0 + (arm == "tpe"))),
        ({"asha": ASHA}, pruned_by_asha),
    ],
)
def test_equal_costs_are_not_told(arms: Any, outcomes: Any) -> None:
    assert told(campaign(arms, outcomes)) == []
