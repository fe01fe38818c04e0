"""Ensembles in the report: of which trials, whose values are whose, and which one is exported."""

from __future__ import annotations

import io
from dataclasses import replace

from report_examples import LOSS, FakeLedger, values_only
from rich.console import Console

from automl.contracts import COMBINED, COMBINED_VALUE
from automl.report import collect, html
from automl.report.terminal import terminal

ID = "nas-digits-3"
TOLD = "an ensemble of the trials 0 (60%), 4 (40%): loss 0.6 over the folds"


def ledger(*, combined: bool) -> FakeLedger:
    """Two arms, of which tpe has the worse best trial; with an ensemble it is the better one."""
    pipeline = {"name": "pipeline", "options": {}}
    made = values_only({"random": [0.7], "tpe": [0.8]}, metrics=LOSS, evaluator=pipeline)
    made.row = replace(made.row, provenance={**made.row.provenance, "identity": {"version": "1"}})
    made.trial(f"{ID}/random/0", 0, [0.9], kind="final", reason="no other trial")
    metrics = {COMBINED: 2.0, COMBINED_VALUE: 0.6} if combined else {}
    made.trial(f"{ID}/tpe/0", 0, [0.9], kind="final", metrics=metrics, reason=TOLD if combined else "")
    return made


def test_an_ensemble_is_told_and_may_win() -> None:
    report = collect(ledger(combined=True), ID)
    (search,) = report.arms["tpe"].searches
    assert search.combined is not None and (search.combined.members, search.combined.value) == (2, 0.6)
    assert search.combined.trial == f"{ID}/tpe/0/final-0" and search.combined.told == TOLD
    assert report.arms["random"].searches[0].combined is None
    assert report.chosen is not None and (report.chosen.arm, report.chosen.value) == ("tpe", 0.6)
    shown = io.StringIO()
    Console(width=200, file=shown).print(terminal(report))
    assert f"tpe, seed 0: {TOLD}" in shown.getvalue() and "random, seed 0: no" not in shown.getvalue()
    assert f"<li>tpe, seed 0: {TOLD}</li>" in html(report)


def test_without_one_the_best_trial_wins_and_nothing_is_told() -> None:
    report = collect(ledger(combined=False), ID)
    assert report.chosen is not None and (report.chosen.arm, report.chosen.value) == ("random", 0.7)
    shown = io.StringIO()
    Console(width=200, file=shown).print(terminal(report))
    assert "Ensembles" not in shown.getvalue() and "<h2>Ensembles</h2>" not in html(report)
