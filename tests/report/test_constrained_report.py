"""Constraints in the report: who broke which how often, what the winner has, retrainings that break one."""

from __future__ import annotations

import io
from dataclasses import replace

from report_examples import LOSS, FakeLedger, values_only
from rich.console import Console

from automl.contracts import TrialState
from automl.report import collect, html, nothing_found
from automl.report.terminal import terminal

ID = "nas-digits-3"


def ledger(*, bounded: bool = True) -> FakeLedger:
    made = values_only({"random": [0.7], "tpe": [0.6]}, metrics=LOSS)
    if bounded:
        spec = {
            **made.row.spec,
            "constraints": {"size": {"at_most": 10}, "loss": {"at_most": 1, "at_least": 0}},
        }
        made.row = replace(made.row, spec=spec)
    made.trial_rows = [
        replace(row, metrics={"size": 8.0 if "/tpe/" in row.id else 1234567.0}) for row in made.trial_rows
    ]
    broken = [(12, "constraint: size is 12"), (14, "constraint: size is 14"), (9, "constraint: loss is 3")]
    for number, (size, reason) in enumerate([*broken, (13, "pruned")]):
        metrics = {"size": size, **({"loss": 3.0} if size == 9 else {})}
        pruned = {"state": TrialState.PRUNED, "reason": reason, "metrics": metrics}
        made.trial(f"{ID}/random/0", number + 1, None, **pruned)
    made.trial(f"{ID}/tpe/0", 0, [0.9], kind="final", metrics={"size": 11.0})
    return made


def test_it_says_who_broke_what_and_what_the_winner_has() -> None:
    report = collect(ledger(), ID)
    size, loss = report.constraints
    assert (size.metric, size.bounds, loss.bounds) == ("size", "at most 10", "at most 1 and at least 0")
    assert size.broke == {"random": 2}, "one was ended by its pruner, and one broke the other constraint"
    assert loss.broke == {"random": 1}
    assert size.retrainings == {"tpe": 1} and size.retrained == {f"{ID}/tpe/0": (11.0,)}
    assert loss.winners[f"{ID}/tpe/0/0"] == 0.6 and size.winners[f"{ID}/tpe/0/0"] == 8
    shown = io.StringIO()
    Console(width=300, file=shown).print(terminal(report))
    assert "size at most 10: trials that broke it: random 2 of 5; the winner has 8; broken by" in (
        shown.getvalue()
    )
    assert "broken by retrainings: tpe 1" in shown.getvalue()
    page = html(report)
    assert "<h2>Constraints</h2>" in page and "1,234,567" in page
    written = report.to_json()["constraints"]
    assert isinstance(written, list) and written[0]["broke"] == {"random": 2}  # type: ignore[index,call-overload]


def test_an_arm_whose_trials_all_broke_one_says_so() -> None:
    made = ledger()
    made.trial_rows = [row for row in made.trial_rows if row.state is TrialState.PRUNED]
    assert nothing_found(collect(made, ID), "random") == (
        "none of 4 trials has a result (4 pruned, 0 failed); 2 trials broke size at most 10, 1 trial broke "
        "loss at most 1 and at least 0"
    )


def test_a_study_without_any_says_nothing() -> None:
    report = collect(ledger(bounded=False), ID)
    shown = io.StringIO()
    Console(width=200, file=shown).print(terminal(report))
    assert "Constraints" not in shown.getvalue() and "<h2>Constraints" not in html(report)
    assert report.constraints == () and "constraints" not in report.to_json()
