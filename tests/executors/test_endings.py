"""Every way in which a trial can end, on every executor: it fails alone, with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from queue_source import QueueSource, job

from automl import plugins
from automl.contracts import Job, PluginSpec, RunAddress, TrialState, UserError

ENDINGS = {
    "raises": "ZeroDivisionError: no such luck",
    "not_a_number": "finite",
    "minus_infinity": "finite",
    "text": "loss='0.5'",
    "nothing": "None",
    "memory": "out of memory",
    "exits": "the evaluation called sys.exit(3)",
    "reports_nan": "finite",
}


def make(name: str, **options: Any) -> Any:
    plugin = plugins.load("executors", name)
    return plugin(plugin.Options(**options))


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = make(request.param)
    made.check()
    yield made
    made.close()


@pytest.mark.slow
def test_a_trial_has_the_priority_of_its_driver(executor: Any, tmp_path: Path) -> None:
    source = QueueSource([job("niceness", tmp_path)])
    executor.run(source)
    assert source.outcomes["niceness"].values == [os.nice(0)]


@pytest.mark.slow
def test_every_ending_is_taken_down(executor: Any, tmp_path: Path) -> None:
    names = ["good", "logs", *ENDINGS, "swallows", "wraps"]
    stop_at = {"swallows": 2, "wraps": 2}
    source = QueueSource([job(name, tmp_path) for name in names], stop_at=stop_at)
    executor.run(source)

    assert set(source.outcomes) == set(names)
    good = source.outcomes["good"]
    assert (good.state, good.values, good.artifacts) == (TrialState.COMPLETE, [2.0], ["note.txt"])
    assert [(r.step, r.value, r.metrics) for r in source.reports["good"]] == [
        (1, 2.0, {"extra": 1.0}),
        (2, 3.0, {"extra": 2.0}),
        (3, 4.0, {"extra": 3.0}),
    ]
    assert [(r.step, r.value, r.metrics) for r in source.reports["logs"]] == [
        (1, None, {"part/a": 1.0}),
        (2, None, {"part/a": 2.0}),
        (3, 1.0, {}),
    ]
    assert 0 < source.reports["good"][0].device_seconds <= good.device_seconds
    for name, words in ENDINGS.items():
        outcome = source.outcomes[name]
        assert outcome.state is TrialState.FAILED, name
        assert words in outcome.reason, (name, outcome.reason)
        assert outcome.values is None
    assert "no such luck" in source.outcomes["raises"].traceback
    for name in stop_at:
        assert (source.outcomes[name].state, len(source.reports[name])) == (TrialState.PRUNED, 2)
        assert source.outcomes[name].reason == "pruned"


@pytest.mark.slow
def test_a_trial_is_ended_at_its_deadline(executor: Any, tmp_path: Path) -> None:
    source = QueueSource([job("hangs", tmp_path, deadline=0.5), job("good", tmp_path)])
    executor.run(source)
    late = source.outcomes["hangs"]
    assert late.state is TrialState.FAILED
    assert late.reason == "deadline: the trial took longer than 0.5 s"
    assert 0.45 <= late.device_seconds < 15
    assert source.outcomes["good"].state is TrialState.COMPLETE


@pytest.mark.slow
@pytest.mark.ray
def test_a_dead_or_stopped_worker_loses_only_its_trial(tmp_path: Path) -> None:
    executor = make("ray", trials_at_once=2)
    executor.check()
    jobs = [job(name, tmp_path) for name in ("dies_once", "always_dies", "good")]
    source = QueueSource([*jobs, job("stops_itself", tmp_path, deadline=2.0)])
    try:
        executor.run(source)
    finally:
        executor.close()
    assert source.outcomes["dies_once"].values == [1.0], "the second attempt goes on from the checkpoint"
    assert [r.step for r in source.reports["dies_once"]] == [1, 2]
    assert len(source.losses["always_dies"]) == 2
    assert "always_dies" not in source.outcomes
    assert source.outcomes["good"].state is TrialState.COMPLETE
    assert source.outcomes["stops_itself"].reason.startswith("deadline")


@pytest.mark.slow
@pytest.mark.ray
def test_resources_that_no_node_has_are_refused_at_once() -> None:
    with pytest.raises(UserError, match=r"must fit on one node, but it asks for cpus=1 gpus=0\.25"):
        make("ray", gpus=0.25).check()


def test_a_job_survives_json(tmp_path: Path) -> None:
    given = job("good", tmp_path)
    assert Job.from_json(given.to_json()) == given


def test_a_job_is_told_by_what_it_does_not_share_with_the_one_before(tmp_path: Path) -> None:
    first = replace(job("good", tmp_path), run=RunAddress("uri", "1", "r"), config={"n": 1})
    then = replace(
        first, trial="next", run=None, config={"n": True}, evaluator=PluginSpec("other", {"a": [1]})
    )
    told = json.loads(json.dumps(then.beyond(first)))
    assert set(told) == {"trial", "run", "config", "evaluator"}
    read = Job.from_json({**first.to_json(), **told})
    assert read == then and read.config["n"] is True
    assert Job.from_json(json.loads(json.dumps(then.beyond(None)))) == then
