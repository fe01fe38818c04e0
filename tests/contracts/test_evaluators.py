"""What every evaluator must do; a new file in `automl/evaluators/` is tested the moment it exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import pytest
import torch
import toy_benchmark

from automl import plugins
from automl.checking import Check, run_checks
from automl.checking.evaluator_trials import Example
from automl.checking.evaluators import checks
from automl.contracts import Config, Context, Evaluator, EvaluatorOptions, Result, TrialStopped
from automl.space import Choice, Float, Space

torch.set_num_threads(1)
NAMES = plugins.names("evaluators")
SPACE = Space({"x": Float(0, 1)})


@cache
def replayed() -> Example:
    """A benchmark file for evaluators that look values up."""
    path = Path(mkdtemp()) / "table.npz"
    toy_benchmark.write(path)
    options: dict[str, Any] = {"file": str(path), "fresh": "fresh"}
    options |= {kind: {step: f"{kind}_{step}" for step in (1, 2, 3)} for kind in ("value", "cost")}
    return Example(options, Space({name: Choice([value]) for name, value in toy_benchmark.CONFIG.items()}))


def example(name: str) -> Example | None:
    return replayed() if plugins.load("evaluators", name).simulated else None


CHECKS = [
    (name, check) for name in NAMES for check in checks(plugins.load("evaluators", name), example(name))
]


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda value: getattr(value, "name", value))
def test_evaluator(name: str, check: Check) -> None:
    check.run()


@pytest.mark.parametrize("name", NAMES)
def test_ours_run_trials_and_say_what_they_are(name: str) -> None:
    plugin = plugins.load("evaluators", name)
    assert [check for owner, check in CHECKS if owner == name and check.name.startswith("a trial gives")]
    assert plugin.Options.__doc__ and plugins.summaries("evaluators")[name].endswith((".", "`."))
    given = example(name)
    options = plugin.Options.model_validate(dict(plugin.example_options if given is None else given.options))
    assert options.deadline == 3600


class Sound(Evaluator):
    """Keeps all rules."""

    example_space: ClassVar[Space | None] = SPACE

    def evaluate(self, config: Config, context: Context) -> Result:
        value = float(config["x"] or 0) + context.seed
        context.report(1, value)
        return Result({metric.name: value for metric in context.metrics})


class Unseeded(Sound):
    """Draws what no seed determines."""

    drawn: ClassVar[list[int]] = []

    def evaluate(self, config: Config, context: Context) -> Result:
        self.drawn.append(1)
        return Result({"accuracy": float(len(self.drawn))})


class Unstoppable(Sound):
    """Swallows the end of its trial."""

    def evaluate(self, config: Config, context: Context) -> Result:
        try:
            return super().evaluate(config, context)
        except TrialStopped:
            return Result({"accuracy": 1.0})


class Nameless(Sound):
    """Returns a value under a name of its own."""

    def evaluate(self, config: Config, context: Context) -> Result:
        return Result({"my_value": 1.0})


class Untidy(Sound):
    """Writes where it stands."""

    def evaluate(self, config: Config, context: Context) -> Result:
        Path("left.txt").write_text("here")
        return super().evaluate(config, context)


class Falling(Sound):
    """Reports steps out of order."""

    def evaluate(self, config: Config, context: Context) -> Result:
        context.report(2, 1.0)
        return super().evaluate(config, context)


class Forgetful(Sound):
    """Does not continue from what it has saved."""

    def evaluate(self, config: Config, context: Context) -> Result:
        saved = context.checkpoint.load()
        context.checkpoint.save(1, {"x": config["x"]})
        return Result({"accuracy": 1.0 if saved is None else 2.0})


class Boastful(Sound):
    """Says that it measures what it does not."""

    def measures(self) -> tuple[str, ...]:
        return ("parameters", "sparkle")

    def evaluate(self, config: Config, context: Context) -> Result:
        context.measured(parameters=3)
        return super().evaluate(config, context)


class NeedyOptions(EvaluatorOptions):
    """An option without a default."""

    needed: int


class Needy(Sound):
    """Has such an option, and no example of it."""

    Options = NeedyOptions


class Renamed(Sound):
    """Gives an argument another name."""

    def evaluate(self, config: Config, ctx: Context) -> Result:  # type: ignore[override]
        return super().evaluate(config, ctx)


class Unfinished(Evaluator):
    """Does not say how it evaluates."""


class WithoutSpace(Sound):
    """Names no space for trials."""

    example_space = None


def problems(plugin: object) -> list[str]:
    return [report.problem for report in run_checks(checks(plugin)) if report.problem]


def test_one_that_keeps_all_rules_passes() -> None:
    assert problems(Sound) == []


def test_without_a_space_no_trial_is_run_and_this_is_said() -> None:
    names = [check.name for check in checks(WithoutSpace)]
    assert names[-1] == "no trial is run: example_space names no space to draw a configuration from"
    assert problems(WithoutSpace) == []


@pytest.mark.parametrize(
    ("plugin", "rule"),
    [
        (Unseeded, "the same seed must give the same values"),
        (Unstoppable, "a trial must end when report raises TrialStopped"),
        (Nameless, "values must have one entry for each metric of the study"),
        (Untidy, r"files must be written into context.workdir only, but also \['left.txt'\]"),
        (Falling, "reported steps must rise"),
        (Forgetful, "a trial that continues from a checkpoint must end as a whole one"),
        (Boastful, "measures names sparkle, so a result must hold it"),
        (Needy, "give every option a default, or set example_options"),
        (Renamed, "evaluate must take the arguments"),
        (Unfinished, "an evaluator must define evaluate"),
        (SPACE, "must be a class that extends automl.contracts.Evaluator"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_one_that_breaks_a_rule_is_found(
    plugin: object, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one of them writes where it stands
    found = problems(plugin)
    assert any(re.search(rule, problem) for problem in found), found
