"""Checks of executors: every job runs to its end, alone, and its reports and outcome reach the campaign."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

from automl.checking import objectives
from automl.checking.frame import Check
from automl.checking.jobs import QueueSource, job
from automl.checking.options import check_options
from automl.contracts import Executor, Outcome, Report, TrialState

DEADLINE = 0.5  # seconds of a trial that hangs


def checks(plugin: object) -> Iterator[Check]:
    """The checks of an executor."""
    yield Check("it is a class that extends Executor", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, Executor)):
        return
    yield Check("options are described, frozen, and unknown ones refused", partial(check_options, plugin))
    rules: dict[str, Callable[[type[Executor]], None]] = {
        "it says what a trial holds, and how many run at once": _check_resources,
        "every job is run to its end and its reports arrive": _check_all_run,
        "no more jobs run at once than it says": _check_at_once,
        "jobs that run at once do not change each other": _check_independence,
        "a job that fails fails alone, with its reason": _check_failures,
        "a reason given to a report ends the trial": _check_pruning,
        "a trial ends at its deadline and is charged": _check_deadline,
        "a worker that dies is told and its job alone is lost": _check_lost,
        "an error of the campaign ends the run": _check_source_errors,
        "it can be closed twice, and another one started after it": _check_closing,
    }
    for name, rule in rules.items():
        yield Check(name, partial(rule, plugin))


@contextlib.contextmanager
def _started(plugin: type[Executor]) -> Iterator[tuple[Executor, str]]:
    """A checked executor, and an empty folder."""
    executor = plugin(plugin.Options(**plugin.example_options))
    with tempfile.TemporaryDirectory(prefix="automl-check-") as folder:
        try:
            executor.check()
            yield executor, folder
        finally:
            executor.close()


def _check_class(plugin: object) -> None:
    extends = isinstance(plugin, type) and issubclass(plugin, Executor)
    assert extends, (
        f"PLUGIN must be a class that extends automl.contracts.Executor, but is {plugin!r}; extend it"
    )


def _check_resources(plugin: type[Executor]) -> None:
    named, known = plugin.place_options, set(plugin.Options.model_fields)
    assert isinstance(named, frozenset) and named <= known, (
        f"place_options must be in {known}, but is {named}"
    )
    with _started(plugin) as (executor, _):
        at_once, held = executor.trials_at_once, (executor.cpus, executor.gpus)
        assert at_once >= 1, f"trials_at_once must be at least 1, but is {at_once}"
        assert executor.held.devices > 0, f"a trial must hold a device, but holds cpus, gpus = {held}"


def _check_all_run(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        source = QueueSource([job(objectives.good, folder, number) for number in range(5)])
        executor.run(source)
    assert set(source.outcomes) == {f"good-{number}" for number in range(5)}, (
        f"every job must end, but ended are {sorted(source.outcomes)}; lost: {source.lost_jobs}"
    )
    for number in range(5):
        outcome, reports = source.outcomes[f"good-{number}"], source.reports[f"good-{number}"]
        assert outcome.state is TrialState.COMPLETE, f"a good job must be complete, but: {outcome.reason}"
        assert outcome.values == [2.0 * number], f"values must be [{2.0 * number}], but are {outcome.values}"
        steps = [(report.step, report.value) for report in reports]
        assert steps == [(step, number + step) for step in (1, 2, 3)], f"reports must arrive, but got {steps}"
        costs = [*(report.device_seconds for report in reports), outcome.device_seconds]
        assert costs == sorted(costs) and costs[0] >= 0, f"costs must not fall, but are {costs}"


def _check_at_once(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        count = 2 * executor.trials_at_once + 1
        source = QueueSource([job(objectives.begins, folder, number) for number in range(count)])
        executor.run(source)
        most = executor.trials_at_once
    began = sorted((outcome.values or [0.0])[0] for outcome in source.outcomes.values())
    beside = [sum(one <= other < one + objectives.LASTS for other in began) for one in began]
    assert max(beside) <= most, f"at most trials_at_once={most} may run at once, but {max(beside)} did"


def _check_independence(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        together = QueueSource([job(objectives.draws, folder, number) for number in range(4)])
        executor.run(together)
        for number in range(4):
            alone = QueueSource([job(objectives.draws, f"{folder}/alone", number)])
            executor.run(alone)
            found, value = (source.outcomes[f"draws-{number}"].values for source in (together, alone))
            assert found == value, (
                f"a job must give {value} alone and beside others, but gives {found} beside others; run one "
                "job at a time in a process, which run_job seeds"
            )


def _check_failures(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        endings = [objectives.raises, objectives.exits, objectives.not_a_number]
        source = QueueSource([*(job(ending, folder) for ending in endings), job(objectives.good, folder)])
        executor.run(source)
    for name, words in (("raises", "no such luck"), ("exits", "sys.exit(3)"), ("not_a_number", "finite")):
        outcome = source.outcomes[f"{name}-0"]
        assert outcome.state is TrialState.FAILED, f"{name} must fail, but is {outcome.state}"
        assert words in outcome.reason, f"the reason must hold {words!r}, but is {outcome.reason!r}"
    good = source.outcomes["good-0"]
    assert good.state is TrialState.COMPLETE, f"the job beside them must be complete, but: {good.reason}"


def _check_pruning(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        source = QueueSource([job(objectives.swallows, folder)], stop_at={"swallows-0": 2})
        executor.run(source)
    outcome, steps = source.outcomes["swallows-0"], len(source.reports["swallows-0"])
    ended = (outcome.state, outcome.reason, steps)
    assert ended == (TrialState.PRUNED, "pruned", 2), f"must end as pruned at report 2, but: {ended}"


def _check_deadline(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        late = job(objectives.hangs, folder, deadline=DEADLINE)
        source = QueueSource([late, job(objectives.good, folder)])
        executor.run(source)
    outcome = source.outcomes["hangs-0"]
    assert outcome.state is TrialState.FAILED and outcome.reason.startswith("deadline"), (
        f"a job past its deadline must fail with `deadline: …`, but: {outcome.state}, {outcome.reason!r}"
    )
    cost = DEADLINE * late.devices
    assert outcome.device_seconds >= 0.9 * cost, (
        f"a late trial must cost its wall seconds times job.devices, {cost}, but: {outcome.device_seconds}"
    )
    assert source.outcomes["good-0"].state is TrialState.COMPLETE, "the next job must run, but does not"


def _check_lost(plugin: type[Executor]) -> None:
    with _started(plugin) as (executor, folder):
        where = QueueSource([job(objectives.tells_process, folder)])
        executor.run(where)
        if where.outcomes["tells_process-0"].values == [float(os.getpid())]:
            return  # trials run in the campaign's own process, which cannot be lost alone
        source = QueueSource([job(objectives.dies, folder), job(objectives.good, folder)])
        executor.run(source)
    assert set(source.lost_jobs) == {"dies-0"}, (
        f"source.lost must be told of the job whose worker died, but it heard of {sorted(source.lost_jobs)}"
    )
    assert source.outcomes["good-0"].state is TrialState.COMPLETE, "the job beside it must run"


class _BrokenReport(QueueSource):
    def report(self, trial: str, token: str, report: Report) -> str | None:
        raise ArithmeticError("the ledger is gone")


class _Interrupted(QueueSource):
    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        raise KeyboardInterrupt


def _check_source_errors(plugin: type[Executor]) -> None:
    for source, error in ((_BrokenReport, ArithmeticError), (_Interrupted, KeyboardInterrupt)):
        with _started(plugin) as (executor, folder):
            campaign = source([job(objectives.good, folder)])
            try:
                executor.run(campaign)
            except error:
                assert not campaign.outcomes, "a trial must not fail by an error of the campaign, but does"
                continue
        raise AssertionError(f"{error.__name__} of the campaign must leave run(), but does not; raise it")


def _check_closing(plugin: type[Executor]) -> None:
    plugin(plugin.Options(**plugin.example_options)).close()
    for _ in range(2):
        with _started(plugin) as (executor, folder):
            executor.run(source := QueueSource([job(objectives.good, folder)]))
            executor.close()
        assert "good-0" in source.outcomes, "an executor made after another was closed must run jobs"
