"""Whatever the code of a trial raises, returns, reports or does to its process: it alone ends by it."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from queue_source import QueueSource
from queue_source import job as plain_job

from automl import plugins
from automl.contracts import Job, Outcome, TrialState
from automl.executors.local import Local

FAILURES = {
    "undecodable": r"bad file name: caf\udce9.png",
    "nul": r"OSError: a\x00b",
    "escapes": r"\x1b[2Jcleared\x0d\x07",
    "long_text": "characters left out",
    "mute": "MuteError, whose message cannot be read",
    "cancelled": "CancelledError",
    "generator_exit": "GeneratorExit",
    "own_base_exception": "Enough: of this",
    "group": "two (2 sub-exceptions)",
    "leaves": "os._exit(3)",
    "huge": "must be at most 1e+100 in size, but got loss=1e+308",
    "reports_huge": "but got loss=-1e+308",
    "huge_integer": "loss=a int that cannot be shown",
    "complex_number": "finite number, but got loss=(1+2j)",
    "truth": "loss=True",
    "reports_truth": "loss=True",
    "decimal": "loss=Decimal('0.5')",
    "unprintable": "Unprintable that cannot be shown",
    "fractional_step": "a step must be a whole number from 0 to 2^63 - 1, but got 0.25",
    "large_step": "but got 9223372036854775808",
    "negative_step": "but got -1",
    "nan_step": "but got nan",
    "repeated_step": "steps must increase, but got 1 after 1",
    "reserved_metric": "device_seconds is recorded for every trial",
    "reserved_result": "trials_failed is recorded for every trial",
    "twice": "loss once more",
    "array_in_derived": "derived configuration",
    "negative_cost": "a cost must be a finite number",
    "artifact_name": "plain file name",
    "endless": "RecursionError",
    "not_optunas": "TrialPruned: of another library",
}
PRUNED = {
    "pruned": "TrialPruned",
    "pruned_with_reason": "TrialPruned: loss is flat",
    "pruned_by_a_subclass": "Hopeless: by my own rule",
}
VALUES = {
    "fine": 0.125,
    "changes_everything": 1.0,
    "loses_its_folders": 1.0,
    "forks": 1.0,
    "works_with_processes": 14.0,
    "prints_everywhere": 1.0,
}


def job(name: str, workdir: Path) -> Job:
    given = plain_job("good", workdir)
    function = replace(given.evaluator, options={"call": f"hostile_objectives:{name}"})
    space = {"name": "hostile_objectives:SPACE"}
    return replace(given, trial=name, evaluator=function, protocol=function, space=space)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    plugin = plugins.load("executors", request.param)
    made = plugin(plugin.Options())
    made.check()
    yield made
    made.close()


@pytest.mark.slow
def test_every_hostile_trial_ends_alone(executor: Any, tmp_path: Path) -> None:
    names = [*FAILURES, *PRUNED, *VALUES]
    if executor.options != Local.Options():
        names.remove("leaves")  # its worker is lost by it
    before = _process()
    source = QueueSource([job(name, tmp_path) for name in names], stop_at={"fine": 2**63})
    executor.run(source)
    assert _process() == before
    assert set(source.outcomes) == set(names) and not source.losses
    for name, outcome in source.outcomes.items():
        json.dumps(outcome.to_json()).encode()
        f"{outcome.reason}{outcome.traceback}".encode()
        assert len(outcome.reason) < 11_000 and len(outcome.traceback) < 101_000, name
    for name, words in FAILURES.items():
        assert name not in names or _said(source.outcomes[name], TrialState.FAILED, words), (
            name,
            source.outcomes[name],
        )
    for name, words in PRUNED.items():
        assert _said(source.outcomes[name], TrialState.PRUNED, words), (name, source.outcomes[name])
    for name, value in VALUES.items():
        assert source.outcomes[name].values == [value], (name, source.outcomes[name])
    assert source.outcomes["loses_its_folders"].artifacts == []


def _process() -> tuple[object, ...]:
    """What a trial in this process may have changed."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    errors = [entry for entry in warnings.filters if entry[0] == "error"]
    return Path.cwd(), sys.stdout, os._exit, handlers, errors, sys.getrecursionlimit()


def _said(outcome: Outcome, state: TrialState, words: str) -> bool:
    return outcome.state is state and words in outcome.reason


@pytest.mark.slow
def test_what_is_reported_is_plain(executor: Any, tmp_path: Path) -> None:
    source = QueueSource([job("fine", tmp_path)], stop_at={"fine": 2**63})
    executor.run(source)
    reports, outcome = source.reports["fine"], source.outcomes["fine"]
    assert [(report.step, report.value) for report in reports] == [(1, 0.5), (2, 0.25), (2**62, 0.125)]
    assert reports[0].metrics == {"acc@1": 1.0, r"caf\udce9": 0.5}
    assert reports[1].metrics == {r"n\x00l": 1.0, "l" * 7000: 1e308}
    assert outcome.reason == "metrics that are not finite are not kept: bad (nan at step 1)"


@pytest.mark.slow
def test_a_trial_that_records_no_gradients_decides_for_itself_alone(executor: Any, tmp_path: Path) -> None:
    plain = job("without_gradients", tmp_path)
    source = QueueSource([replace(plain, trial=f"t{n}", token=f"t{n}") for n in range(3)])
    executor.run(source)
    assert [source.outcomes[f"t{n}"].values for n in range(3)] == [[1.0]] * 3


@pytest.mark.slow
def test_a_trial_may_load_its_data_with_worker_processes(executor: Any, tmp_path: Path) -> None:
    source = QueueSource([job("loads_with_workers", tmp_path)])
    executor.run(source)
    assert source.outcomes["loads_with_workers"].values == [6.0]
