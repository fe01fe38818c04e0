"""What a report says of winners that were selected among the best of their searches, evaluated again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from report_examples import LOSS, RANDOM, FakeLedger, fake

from automl.contracts import TrialState
from automl.report import CampaignReport, collect, html
from automl.report.reevaluated import lines

FINAL = {"seeds": 2, "top": 3}


def ledger_of(
    values: Sequence[float],
    again: dict[int, list[float]],
    *,
    winner: int,
    searches: int = 1,
    **spec: Any,
) -> FakeLedger:
    """Searches of one trial per value, whose configurations are their numbers; `again`: by configuration."""
    ledger = fake({"random": RANDOM}, seeds=range(searches), **{"final": FINAL, **spec})
    for seed in range(searches):
        search = ledger.search("random", seed, winner=f"nas-digits-3/random/{seed}/{winner}")
        for number, value in enumerate(values):
            ledger.trial(search, number, [value], config={"x": number})
        count = 0
        for config, found in again.items():
            for value in found:
                ledger.trial(search, count, [value], config={"x": config}, kind="again", told=None, cost=2.0)
                count += 1
        for number in range(2):
            ledger.trial(search, number, [0.7], config={"x": winner}, kind="final", told=None)
    return ledger


def report_of(ledger: FakeLedger) -> CampaignReport:
    return collect(ledger, ledger.row.id)


def test_another_winner_its_gain_and_the_optimism_of_the_first() -> None:
    again = {1: [0.70, 0.74], 0: [0.78, 0.80], 2: [0.60, 0.60]}
    report = report_of(ledger_of([0.85, 0.90, 0.80, 0.1], again, winner=0, searches=2))
    one, other = report.reevaluated
    assert [(entry.trial.rpartition("/")[2], entry.value) for entry in one.candidates] == [
        ("1", 0.90),
        ("0", 0.85),
        ("2", 0.80),
    ]
    assert (one.seed, other.seed, one.changed, one.ended, one.planned) == (0, 1, True, 6, 6)
    assert one.optimism == pytest.approx(0.72 - 0.90)
    assert one.gain == pytest.approx(0.79 - 0.72)
    assert one.device_seconds == 12.0
    search = report.arms["random"].searches[0]
    assert search.best is not None and search.best.value == 0.85  # of the winner, in its search
    assert (search.trials.complete, search.device_seconds, search.final_device_seconds) == (4, 4.0, 2.0)
    (line,) = lines(report.reevaluated, report.settings, report.units)
    assert line.startswith(
        "random: another winner in 2 of 2 seeds, better by 7.0 in those values; best → again"
    )
    assert "−18.0" in line and line.endswith("12 evaluations, 24 s")
    assert "Winners selected among the best" in html(report)
    data = json.loads(json.dumps(report.to_json()))
    assert [entry["changed"] for entry in data["reevaluated"]] == [True, True]
    assert report.answers()["reevaluated"] == data["reevaluated"]


def test_the_best_of_the_search_may_stay_the_winner_and_less_may_be_better() -> None:
    ledger = ledger_of([0.5, 0.2, 0.3], {1: [0.3, 0.3], 2: [0.4, 0.4], 0: [0.5, 0.5]}, winner=1, metrics=LOSS)
    (one,) = report_of(ledger).reevaluated
    assert (one.changed, one.gain) == (False, 0.0)
    assert one.optimism == pytest.approx(0.1)


@pytest.mark.parametrize("changes", [{"state": TrialState.PRUNED, "reason": "limits: no time"}, {}])
def test_what_was_cut_short_is_told(changes: dict[str, Any]) -> None:
    ledger = ledger_of([0.85, 0.90, 0.80], {1: [0.7], 0: [0.9, 0.9], 2: [0.6, 0.6]}, winner=1)
    if changes:
        ledger.trial("nas-digits-3/random/0", 9, None, config={"x": 1}, kind="again", told=None, **changes)
    report = report_of(ledger)
    (one,) = report.reevaluated
    assert (one.ended, one.planned, one.changed) == (5, 6, False)
    (told,) = [line for line in report.warnings if "came to an end" in line]
    assert told.startswith("random with seed 0: 5 of 6 evaluations of its best ones with fresh seeds came to")
    assert told.endswith("so the best of its search stays the winner, whose value flatters it")


def test_a_failed_evaluation_has_ended() -> None:
    ledger = ledger_of([0.85, 0.90, 0.80], {1: [0.7], 0: [0.6, 0.6], 2: [0.6, 0.6]}, winner=1)
    failed = {"state": TrialState.FAILED, "reason": "ValueError: no", "told": None}
    ledger.trial("nas-digits-3/random/0", 9, None, config={"x": 1}, kind="again", **failed)
    report = report_of(ledger)
    assert report.reevaluated[0].ended == 6
    assert not any("came to an end" in line for line in report.warnings)


@pytest.mark.parametrize("final", [{"seeds": 2}, {"seeds": 2, "top": 1}, None])
def test_without_it_reports_are_as_before(final: dict[str, int] | None) -> None:
    report = report_of(ledger_of([0.85, 0.90], {}, winner=1, final=final))
    assert report.reevaluated == ()
    assert "reevaluated" not in report.to_json()
    assert "Winners selected" not in html(report)


def test_a_running_search_and_a_single_configuration_have_nothing_to_say() -> None:
    ledger = ledger_of([0.85], {}, winner=0)
    search = ledger.search("random", 1, state="running")
    for number in range(3):
        ledger.trial(search, number, [0.1 * number], config={"x": number})
    assert report_of(ledger).reevaluated == ()
