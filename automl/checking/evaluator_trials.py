"""Checks of an evaluator that run its trials on a small task."""

from __future__ import annotations

import math
import os
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from automl.checking.evaluator_examples import example_space, example_task, protocol_of
from automl.checking.frame import Check
from automl.checking.trial_context import FakeTrial
from automl.contracts import (
    LARGEST_VALUE,
    Bounds,
    Config,
    Direction,
    Evaluator,
    Metric,
    Result,
    Task,
    TrialStopped,
    UserError,
)
from automl.metrics import CLASSIFICATION, REGRESSION
from automl.space import Space

PICKLES = {".pkl", ".pickle", ".joblib"}


@dataclass(frozen=True)
class Example:
    """With what trials are run: options as a study writes them, a space, and data where they are needed."""

    options: Mapping[str, Any]
    space: Space
    task: Task | None = None


class _Killed(BaseException):
    """Ends a trial as the end of its process would."""


def trial_checks(plugin: type[Evaluator], example: Example | None) -> Iterator[Check]:
    """What trials must do. Where no example can be made, one check says why no trial is run."""
    try:
        trials = _Trials.of(plugin, example)
    except UserError as error:
        yield Check(f"no trial is run: {error}", lambda: None)
        return
    except Exception:  # it is raised again where it is reported
        yield Check("its example can be prepared", lambda: _Trials.of(plugin, example).check_prepared())
        return
    yield Check("a trial gives finite values and reports rising steps", trials.check_values)
    yield Check("the same seed gives the same values, whatever ran before", trials.check_seed)
    yield Check("what it measures for constraints is in its results", trials.check_measures)
    yield Check("a trial ends where a report ends it", trials.check_end)
    yield Check("an interrupted trial ends as a whole one", trials.check_continuation)
    yield Check("a trial writes into its working directory only", trials.check_files)
    if plugin.leaves is not None or (plugin.needs_data and plugin.score is not Evaluator.score):
        yield Check("the model of a final evaluation can be scored", trials.check_model)


@dataclass(frozen=True)
class _Trials:
    """The trials of one evaluator on one configuration."""

    plugin: type[Evaluator]
    example: Example
    config: Config
    protocol: Evaluator

    @classmethod
    def of(cls, plugin: type[Evaluator], example: Example | None) -> _Trials:
        """Raises `UserError` where the contract names nothing with which a trial could be run."""
        given = plugin.example_options if example is None else example.options
        evaluator = plugin(plugin.Options.model_validate(dict(given)))
        protocol = protocol_of(evaluator)
        if example is None:
            space = example_space(plugin)
            example = Example(given, space, example_task(evaluator, space, protocol))
        return cls(plugin, example, example.space.sample(random.Random(0)), protocol)

    def check_prepared(self) -> None:
        """Nothing more: making it raised the error."""

    def check_values(self) -> None:
        with _folder() as folder:
            result, context = self._run(folder)
        steps = [step for step, _ in context.reports]
        assert steps == sorted(set(steps)), f"reported steps must rise, but are {steps}"
        wrong = [report for report in context.reports if not math.isfinite(report[1])]
        assert not wrong, f"reported values must be finite, but are {wrong}"
        if result.stopped:
            return
        names = [metric.name for metric in context.metrics]
        assert set(result.values) == set(names), (
            f"values must have one entry for each metric of the study ({', '.join(names)}), but are "
            f"{result.values}; name them as in context.metrics"
        )
        for numbers in (result.values, result.metrics):
            bad = {name: value for name, value in numbers.items() if not _is_finite(value)}
            assert not bad, f"values and metrics must be finite numbers, but are {bad}"
        if self.plugin.one_shot:
            assert result.derived is not None, "a one_shot evaluator must return what it derived, but did not"
            self.example.space.check(result.derived)

    def check_seed(self) -> None:
        runs = []
        for number, seed in enumerate((3, 4, 3)):
            torch.manual_seed(number)
            random.seed(number)
            with _folder() as folder:
                runs.append(_summary(*self._run(folder, seed=seed)))
        assert runs[0] == runs[2], (
            f"the same seed must give the same values and reports, but gave {runs[0]} and {runs[2]}; "
            "draw all randomness from context.seed and keep no state between trials"
        )

    def check_measures(self) -> None:
        named = self._evaluator().measures()
        for name in () if named is None else [one for one in named if self._suits(one)]:
            with _folder() as folder:
                result, context = self._run(folder, constraints={name: Bounds(at_least=-LARGEST_VALUE)})
            found = {**context.known, **result.metrics, **result.values}
            assert result.stopped or _is_finite(found.get(name)), (
                f"measures names {name}, so a result must hold it where context.constraints does, but has "
                f"{', '.join(found)}; return it among the metrics, or leave it out of measures"
            )

    def _suits(self, name: str) -> bool:
        """Whether the example's data can have a metric; what is no metric of predictions suits any."""
        task = self.example.task
        classes = task is None or task.classes > 0 or task.episodes is not None
        return name not in (REGRESSION if classes else CLASSIFICATION)

    def check_end(self) -> None:
        with _folder() as folder:
            _, context = self._run(folder)
        if not context.reports:
            return
        with _folder() as folder:
            try:
                self._run(folder, stop_at=1)
            except TrialStopped:
                return
        raise AssertionError("a trial must end when report raises TrialStopped, but goes on; do not catch it")

    def check_continuation(self) -> None:
        with _folder() as folder:
            whole = _summary(*self._run(folder))
        with _folder() as folder:
            first = self._context(folder)
            save = first.checkpoint.save

            def save_and_die(step: int, state: Mapping[str, Any]) -> None:
                save(step, state)
                raise _Killed

            first.checkpoint.save = save_and_die  # type: ignore[method-assign]
            try:
                self._evaluate(first)
            except _Killed:
                again = _summary(*self._run(folder))
                assert again.values == whole.values and again.derived == whole.derived, (
                    f"a trial that continues from a checkpoint must end as a whole one, {whole.values}, but "
                    f"ends with {again.values}; keep all state, random generators included, in it"
                )

    def check_files(self) -> None:
        with _folder() as parent:
            elsewhere = parent / "elsewhere"
            elsewhere.mkdir()
            before = Path.cwd()
            os.chdir(elsewhere)
            try:
                self._run(parent / "work", final=True)
            finally:
                os.chdir(before)
            strays = [path.name for path in (*elsewhere.iterdir(), *parent.iterdir())]
        strays = sorted(set(strays) - {"elsewhere", "work"})
        assert not strays, f"files must be written into context.workdir only, but also {strays} were"

    def check_model(self) -> None:
        with _folder() as folder:
            result, context = self._run(folder, final=True, seed=9)
            model = folder / "model"
            assert model.is_dir(), "a final evaluation must leave its model in <workdir>/model, but left none"
            pickles = [path.name for path in model.rglob("*") if path.suffix in PICKLES]
            assert not pickles, f"a model must hold no pickles, but has {pickles}; save plain data"
            validation = context.task.validation
            scores = self._evaluator().score(model, context.task, validation, context.metrics)
        missing = [name for name in result.values if not _is_finite(scores.get(name))]
        assert not missing, f"score must give a finite value for {', '.join(missing)}, but gives {scores}"

    def _evaluator(self) -> Evaluator:
        return self.plugin(self.plugin.Options.model_validate(dict(self.example.options)))

    def _context(self, folder: Path, **fields: Any) -> FakeTrial:
        metrics = [Metric("accuracy", Direction.MAXIMIZE)]
        return FakeTrial(folder, self.example.space, self.protocol, metrics, self.example.task, **fields)

    def _run(self, folder: Path, **fields: Any) -> tuple[Result, FakeTrial]:
        context = self._context(folder, **fields)
        return self._evaluate(context), context

    def _evaluate(self, context: FakeTrial) -> Result:
        context.workdir.mkdir(parents=True, exist_ok=True)
        return self._evaluator().evaluate(dict(self.config), context)


@dataclass(frozen=True)
class _Summary:
    """What must repeat: values, reports and a derived configuration; not what is measured in seconds."""

    values: dict[str, float]
    reports: list[tuple[int, float]]
    derived: Config | None


def _summary(result: Result, context: FakeTrial) -> _Summary:
    return _Summary(result.values, context.reports, result.derived)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="automl-check-") as folder:
        yield Path(folder)
