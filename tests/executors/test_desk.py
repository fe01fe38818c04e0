"""The worker of a lane: jobs come in, run one after the other, and messages go out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from patience import PATIENCE
from queue_source import job

from automl.contracts import Job
from automl.executors.process import HOST, device_name
from automl.executors.tune.desk import BEAT, Desk, Message
from automl.signs import last_signs


class Desks(Protocol):
    """Makes desks whose trials end with the test, whatever becomes of it: they hold the umask meanwhile."""

    def __call__(self, *, waits: bool = True) -> Desk: ...


@pytest.fixture
def desks() -> Iterator[Desks]:
    made: list[Desk] = []
    before = set(threading.enumerate())

    def make(*, waits: bool = True) -> Desk:
        made.append(Desk(waits=waits))
        return made[-1]

    yield make
    numbers = range(16)
    for desk in made:
        desk.take({"back": [*numbers], "answers": [(number, False) for number in numbers], "close": True})
    for thread in set(threading.enumerate()) - before:
        if thread.name != "signs":  # it sleeps, and holds nothing
            thread.join(PATIENCE)


def given(*jobs: Job, first: int = 0) -> dict[str, Any]:
    """What the driver sends: it has been JSON on its way."""
    before = (None, *jobs)
    numbered = [(first + number, one.beyond(before[number])) for number, one in enumerate(jobs)]
    return dict(json.loads(json.dumps({"jobs": numbered})))


def until(desk: Desk, wanted: str, *, answers: bool = True) -> list[Message]:
    """Messages up to the first of a kind; reports are answered."""
    found: list[Message] = []
    end = time.monotonic() + PATIENCE
    while not any(wanted in message for message in found):
        assert time.monotonic() < end, found
        told = json.loads(json.dumps(desk.messages()))
        found += told
        for message in told:
            if answers and "report" in message:
                desk.take({"answers": [(message["of"], True)]})
    return found


def kinds(messages: list[Message]) -> list[tuple[int | None, str]]:
    """Whose messages they are, and of which kind."""
    known = ("report", "outcome", "elapsed", "returned", "leaves", "turn")
    return [(one.get("of"), next(kind for kind in known if kind in one)) for one in messages]


def test_a_silent_trial_leaves_signs(tmp_path: Path, desks: Desks) -> None:
    silent = job("rests", tmp_path)
    desk = desks()
    began = time.monotonic()
    desk.take(given(silent))
    assert kinds(desk.messages()) == [(0, "elapsed")]
    assert time.monotonic() - began >= BEAT
    while not (signs := last_signs(Path(silent.workdir), silent.token)):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)
    assert 0 < signs[silent.token] < time.monotonic() - began
    assert kinds(until(desk, "outcome"))[-1] == (0, "outcome")


def test_the_next_trial_leaves_signs_of_its_own(tmp_path: Path, desks: Desks) -> None:
    first, second = job("good", tmp_path), replace(job("rests", tmp_path), token="token-2")
    desk = desks(waits=False)
    desk.take(given(first, second))
    until(desk, "elapsed")
    began = time.monotonic()
    while not last_signs(Path(second.workdir), second.token):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)
    assert not last_signs(Path(second.workdir), first.token)


def test_a_report_waits_for_its_answer(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    desk.take(given(job("good", tmp_path)))
    first = desk.messages()
    assert kinds(first) == [(0, "report")]
    assert (first[0]["host"], first[0]["device"]) == (HOST, device_name("cpu"))
    desk.take({"answers": [(0, True)]})
    assert desk.messages()[0]["report"]["step"] == 2
    desk.take({"answers": [(0, False)]})
    (end,) = desk.messages()
    assert end["outcome"]["state"] == "pruned" and end["seconds"] > 0


def test_a_late_answer_ends_a_trial_at_a_later_report(tmp_path: Path, desks: Desks) -> None:
    desk = desks(waits=False)
    desk.take(given(job("good", tmp_path)))
    told = until(desk, "outcome", answers=False)
    assert [message["report"]["step"] for message in told if "report" in message] == [1, 2, 3]
    desk.take(given(job("reports_on", tmp_path), first=1))
    (report,) = desk.messages()[-1:]
    assert report["report"]["step"] == 1
    desk.take({"answers": [(1, False)]})
    ended = until(desk, "outcome", answers=False)[-1]
    assert ended["outcome"]["state"] == "pruned"


def test_jobs_that_wait_run_in_order_and_are_told_together(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    names = ("text", "raises", "nothing")
    desk.take(given(*(job(name, tmp_path) for name in names)))
    told: list[Message] = []
    while len(told) < 3:
        told += desk.messages()
    assert kinds(told) == [(number, "outcome") for number in range(3)]
    desk.take(given(job("text", tmp_path)))
    assert kinds(until(desk, "outcome"))[0] == (None, "turn")


def test_a_job_that_has_not_begun_comes_back(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    desk.take(given(job("good", tmp_path), job("raises", tmp_path)))
    assert kinds(desk.messages()) == [(0, "report")]
    desk.take({"back": [1, 0, 7], "answers": [(0, False)]})
    told = kinds(until(desk, "outcome"))
    assert (1, "returned") in told and (0, "outcome") in told
    desk.take({"close": True})
    assert kinds(desk.messages()) == [(None, "turn")] and desk.closed


def test_a_lane_whose_machine_goes_begins_nothing_more(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    desk.take(given(job("good", tmp_path), job("raises", tmp_path)))
    assert kinds(desk.messages()) == [(0, "report")]
    desk.leave()
    assert kinds(desk.messages()) == [(None, "leaves"), (0, "elapsed"), (1, "returned")]
    desk.take({"answers": [(0, False)]})
    assert kinds(until(desk, "outcome")) == [(0, "outcome")]


def test_what_comes_while_it_waits_is_taken_at_once(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    later = threading.Timer(0.05, desk.take, [given(job("text", tmp_path))])
    later.start()
    assert kinds(until(desk, "outcome")) == [(0, "outcome")]


def test_a_silent_trial_is_heard_of_where_nothing_ran_before(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    later = threading.Timer(0.05, desk.take, [given(job("rests", tmp_path))])
    later.start()
    assert kinds(desk.messages()) == [(0, "elapsed")]
    until(desk, "outcome")


def test_half_of_what_was_given_is_told_while_the_rest_runs(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    desk.take(given(*(job("text", tmp_path) for _ in range(8)), job("good", tmp_path)))
    told = kinds(desk.messages())
    assert told[:4] == [(number, "outcome") for number in range(4)]
    while (8, "report") not in told:
        told += kinds(desk.messages())
    assert [number for number, kind in told if kind == "outcome"] == list(range(8))
    desk.take({"answers": [(8, False)]})
    until(desk, "outcome")


def test_a_trial_that_reports_on_is_heard_of_while_jobs_wait(tmp_path: Path, desks: Desks) -> None:
    desk = desks(waits=False)
    desk.take(given(job("reports_on", tmp_path), *(job("text", tmp_path) for _ in range(4))))
    assert {kind for _, kind in kinds(desk.messages())} == {"report"}


def test_trials_have_one_thread_and_contexts_of_their_own(tmp_path: Path, desks: Desks) -> None:
    desk = desks()
    desk.take(given(*(job(name, tmp_path) for name in ("sets_context", "has_context", "thread", "thread"))))
    ended: list[Message] = []
    while len(ended) < 4:
        ended += [message for message in desk.messages() if "outcome" in message]
    values = [message["outcome"]["values"] for message in ended]
    assert values[0] == [1.0] and values[1] == [0.0], "what one has set, the next one has not"
    assert values[2] == values[3] != [float(threading.get_ident())]
