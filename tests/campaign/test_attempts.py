"""What open trials have cost, a killed one among them, and which messages still belong to them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from search_examples import attempt_row

from automl.campaign.attempts import OpenTrial, OpenTrials, cost_of_killed
from automl.ledger import ReportRow, TrialRow
from automl.signs import Signs


def test_costs_are_expected_measured_and_reported(clock: list[float]) -> None:
    trials = OpenTrials(devices=2.0)
    trials.add(attempt_row(0), 60.0)
    trials.add(attempt_row(1), 60.0)
    clock[0] += 3.0
    second = trials.get("s/1", "token")
    assert second is not None
    second.tell(8.0)
    assert trials.reported() == 8.0
    assert trials.used() == 6.0 + 8.0, "the larger of a report and this machine's clock"
    assert trials.expected(7.0) == 7.0 + 8.0


def test_retrainings_are_open_but_cost_the_search_nothing(clock: list[float]) -> None:
    trials = OpenTrials(devices=1.0)
    trials.add(attempt_row(0, kind="final"), 60.0)
    clock[0] += 5.0
    assert (len(trials), trials.used(), trials.expected(9.0), trials.reported()) == (1, 0, 0, 0)


def test_a_message_of_an_earlier_attempt_leaves_the_open_one_alone(clock: list[float]) -> None:
    trials = OpenTrials(devices=1.0)
    trials.add(attempt_row(0, token="second"), 60.0)
    assert trials.remove("s/0", "first") is None
    attempt = trials.remove("s/0", "second")
    assert attempt is not None and attempt.row.token == "second"
    assert trials.remove("s/0", "second") is None
    assert not trials


def test_a_value_of_an_earlier_attempt_counts_for_the_next(clock: list[float]) -> None:
    trials = OpenTrials(devices=1.0)
    first = trials.add(attempt_row(0), 60.0)
    assert not first.valued
    trials.note_value("s/0")
    assert first.valued
    trials.remove("s/0", "token")
    assert trials.add(attempt_row(0, token="second"), 60.0).valued
    assert not trials.add(attempt_row(1), 60.0).valued


def test_a_worker_that_takes_long_to_start_costs_nothing(clock: list[float]) -> None:
    attempt = OpenTrial(attempt_row(0), handed_out=clock[0], deadline=600.0)
    for _ in range(50):  # an executor asks on, and knows of no start
        clock[0] += 2.0
        attempt.tell(0.0)
    assert attempt.used(1.0) == 100.0
    assert attempt.alive(1.0) == 0.0
    attempt.tell(0.1)
    clock[0] += 0.5
    assert attempt.alive(2.0) == 1.1


def test_what_passed_since_it_was_told_counts(clock: list[float]) -> None:
    attempt = OpenTrial(attempt_row(0), handed_out=clock[0], deadline=600.0)
    clock[0] += 30.0
    assert attempt.alive(1.0) == 30.0, "an executor that never tells"
    attempt.tell(5.0)
    attempt.tell(4.0)
    clock[0] += 2.0
    assert attempt.alive(1.0) == 7.0


def test_one_that_has_not_started_costs_nothing(clock: list[float]) -> None:
    attempt = OpenTrial(attempt_row(0), handed_out=clock[0], deadline=600.0)
    attempt.tell(0.0)
    clock[0] += 0.9
    assert attempt.alive(1.0) == 0.0


def report(device_seconds: float, attempt: int | None) -> ReportRow:
    return ReportRow("s/0", 1, 0.5, None, device_seconds, 0.0, attempt)


@pytest.mark.parametrize(
    ("signs", "reports", "cost"),
    [
        ({"token": 4.0}, [], 4.0),
        ({"token": 4.0}, [report(5.5, 2)], 5.5),
        ({"token": 4.0}, [report(90.0, 1)], 4.0),  # an earlier attempt's
        ({"token": 4.0}, [report(90.0, None)], 4.0),  # of an earlier version, which had ended
        ({"other": 4.0}, [], 0.0),  # it never began
        ({}, [report(2.0, 2)], 2.0),  # its driver was on another machine
    ],
)
def test_what_a_killed_attempt_pays(signs: dict[str, float], reports: list[ReportRow], cost: float) -> None:
    row = SimpleNamespace(token="token", attempt=2, workdir=None)
    assert cost_of_killed(cast(TrialRow, row), reports, signs) == cost


@pytest.mark.parametrize(
    ("writer", "noted", "cost"),
    [
        ("token", 6.5, 6.5),
        ("token", 2.5, 2.5),  # its worker had died, of which its driver had not heard
        ("token", 1.5, 2.0),  # less than it has reported
        ("an earlier attempt", 6.5, 4.0),
    ],
)
def test_a_killed_attempt_pays_what_its_worker_noted(
    tmp_path: Path, writer: str, noted: float, cost: float
) -> None:
    Signs(tmp_path, writer, lambda: {writer: noted}).write()
    row = cast(TrialRow, SimpleNamespace(token="token", attempt=2, workdir=str(tmp_path)))
    assert cost_of_killed(row, [report(2.0, 2)], {"token": 4.0}) == cost
