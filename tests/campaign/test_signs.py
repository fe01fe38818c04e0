"""What a killed attempt pays: what its worker was known to have used, not the time until it had one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from search_examples import attempt_row

from automl.campaign.attempts import OpenTrial, OpenTrials, cost_of_killed
from automl.campaign.search import Search
from automl.campaign.signs import NAME, Signs, last_signs
from automl.ledger import ReportRow, TrialRow


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


def written(folder: Path, clock: list[float], token: int = 3) -> Mapping[str, float]:
    trials = OpenTrials(devices=1.0)
    trials.add(attempt_row(0), 60.0).tell(0.5)
    clock[0] += 4.0
    search = cast(Search, SimpleNamespace(alive=trials.alive))
    with Signs(folder, 3, [search]).noted():
        while not (folder / NAME).read_text():
            time.sleep(0.01)
    return last_signs(folder, token)


def test_signs_are_those_of_the_last_driver(tmp_path: Path, clock: list[float]) -> None:
    assert last_signs(tmp_path, 3) == {}
    assert written(tmp_path / "work", clock) == {"token": 4.5}
    assert last_signs(tmp_path / "work", 4) == {}, "another driver wrote elsewhere, on another machine"


def test_shorter_signs_replace_longer_ones(tmp_path: Path, clock: list[float]) -> None:
    (tmp_path / NAME).write_text("x" * 1000)
    open_now = {f"token-{number}": 1.0 for number in range(20)}
    signs = Signs(tmp_path, 3, [cast(Search, SimpleNamespace(alive=lambda: open_now))])
    with (tmp_path / NAME).open("wb") as file:
        signs.write(file.fileno())
        assert last_signs(tmp_path, 3) == open_now
        while open_now:
            open_now.popitem()
            signs.write(file.fileno())
            assert last_signs(tmp_path, 3) == open_now


@pytest.mark.parametrize("text", ["", "{", "[]", '{"driver": 3}', '{"driver": 3, "seconds": 7}', "\x00"])
def test_damaged_signs_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert last_signs(tmp_path, 3) == {}


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
    row = SimpleNamespace(token="token", attempt=2)
    assert cost_of_killed(cast(TrialRow, row), reports, signs) == cost
