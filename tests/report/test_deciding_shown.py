"""Thresholds in the report: of which searches, and that an ensemble tells its own."""

from __future__ import annotations

import io

import pytest
from report_examples import LOSS, values_only
from rich.console import Console

from automl.contracts import COMBINED, COMBINED_VALUE, THRESHOLD, THRESHOLD_PLAIN, THRESHOLD_VALUE
from automl.report import collect, html
from automl.report.terminal import terminal

ID = "nas-digits-3"
CHOSEN = {THRESHOLD: 0.25, THRESHOLD_VALUE: 0.6, THRESHOLD_PLAIN: 0.7}
LINE = "tpe, seed 0: the second class is predicted from a probability of 0.25 on: loss 0.6 on folds"


@pytest.mark.parametrize("combined", [False, True])
def test_a_threshold_is_told_once_in_every_form(combined: bool) -> None:
    made = values_only({"random": [0.7], "tpe": [0.8]}, metrics=LOSS)
    made.trial(f"{ID}/random/0", 0, [0.9], kind="final")
    ensemble = {COMBINED: 2.0, COMBINED_VALUE: 0.6} if combined else {}
    made.trial(f"{ID}/tpe/0", 0, [0.9], kind="final", metrics={**CHOSEN, **ensemble}, reason="both")
    report = collect(made, ID)
    shown = io.StringIO()
    Console(width=200, file=shown).print(terminal(report))
    for text in (shown.getvalue(), html(report)):
        assert (LINE in text) is not combined and ("Thresholds" in text) is not combined
        assert "random, seed 0: the second" not in text
