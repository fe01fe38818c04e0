"""What open trials have cost, and which messages still belong to them."""

from __future__ import annotations

from search_examples import attempt_row

from automl.campaign.attempts import OpenTrials


def test_costs_are_expected_measured_and_reported(clock: list[float]) -> None:
    trials = OpenTrials(devices=2.0)
    trials.add(attempt_row(0), 60.0)
    trials.add(attempt_row(1), 60.0)
    clock[0] += 3.0
    second = trials.get("s/1", "token")
    assert second is not None
    second.elapsed = 8.0
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
