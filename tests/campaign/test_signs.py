"""What a killed attempt pays: what its worker was known to have used, not the time until it had one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from search_examples import attempt_row

from automl.campaign.attempts import OpenTrial, OpenTrials, cost_of_killed
from automl.campaign.search import Search
from automl.campaign.signs import NAME, Signs, last_signs
from automl.ledger import ReportRow


def test_a_worker_that_takes_long_to_start_costs_nothing(clock: list[float]) -> None:
    attempt = OpenTrial(attempt_row(0), handed_out=clock[0], deadline=600.0)
    for _ in range(50):  # an executor asks on, and knows of no start
        clock[0] += 2.0
        attempt.tell(0.0)
    assert attempt.used(1.0) == 100.0
    assert attempt.alive(1.0) == 0.0
    clock[0] += 0.5
    assert attempt.alive(2.0) == 1.0


def test_what_passed_since_it_was_told_counts(clock: list[float]) -> None:
    attempt = OpenTrial(attempt_row(0), handed_out=clock[0], deadline=600.0)
    clock[0] += 30.0
    assert attempt.alive(1.0) == 30.0, "an executor that never tells"
    attempt.tell(5.0)
    attempt.tell(4.0)
    clock[0] += 2.0
    assert attempt.alive(1.0) == 7.0


def written(folder: Path, clock: list[float], token: int = 3) -> Mapping[str, float] | None:
    trials = OpenTrials(devices=1.0)
    trials.add(attempt_row(0), 60.0).tell(0.0)
    clock[0] += 4.0
    search = cast(Search, SimpleNamespace(alive=trials.alive))
    Signs(folder, 3, [search]).write()
    return last_signs(folder, token)


def test_signs_are_those_of_the_last_driver(tmp_path: Path, clock: list[float]) -> None:
    assert last_signs(tmp_path, 3) is None
    assert written(tmp_path / "work", clock) == {"token": 4.0}
    assert last_signs(tmp_path / "work", 4) is None, "another driver wrote elsewhere, on another machine"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"driver": 3}', '{"driver": 3, "seconds": 7}', "\x00"])
def test_damaged_signs_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert last_signs(tmp_path, 3) is None


def report(device_seconds: float, at: float) -> ReportRow:
    return ReportRow("s/0", 1, 0.5, None, device_seconds, at)


@pytest.mark.parametrize(
    ("signs", "reports", "heartbeat", "cost"),
    [
        ({"token": 4.0}, [], 500.0, 4.0),
        ({"token": 4.0}, [report(5.5, 1001.0)], 500.0, 5.5),
        ({"token": 4.0}, [report(90.0, 900.0)], 500.0, 4.0),  # an earlier attempt's
        ({"other": 4.0}, [], 5000.0, 0.0),  # it never began
        ({}, [report(2.0, 1002.0)], 5000.0, 2.0),
        (None, [], 1010.0, 20.0),  # two devices
        (None, [], 900.0, 0.0),
        (None, [], None, 0.0),
        (None, [report(25.0, 1005.0)], 1010.0, 25.0),
    ],
)
def test_what_a_killed_attempt_pays(signs: Any, reports: Any, heartbeat: float | None, cost: float) -> None:
    row = SimpleNamespace(token="token", started_at=1000.0)
    assert cost_of_killed(cast(Any, row), reports, 2.0, heartbeat, signs) == cost
