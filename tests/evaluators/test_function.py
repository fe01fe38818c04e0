"""The user's own objective: every kind of answer, and every wrong one with a reason."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from fake_context import ACCURACY, FakeContext
from pydantic import ValidationError

from automl.contracts import Direction, Metric, Result, RunError, TrialStopped, UserError
from automl.evaluators.function import Function, FunctionOptions

COUNT = itertools.count()  # a module is imported once, so each body gets its own
Evaluate: TypeAlias = Callable[..., Result]
LOSS, SIZE = Metric("loss", Direction.MINIMIZE), Metric("size", Direction.MINIMIZE)


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Evaluate a function with this body."""
    monkeypatch.syspath_prepend(tmp_path)

    def run(body: str, metrics: Sequence[Metric] = (LOSS,), **fields: Any) -> Result:
        name = f"my_objective_{next(COUNT)}"
        (tmp_path / f"{name}.py").write_text(f"def f(config, context):\n    {body}\n")
        context = FakeContext(tmp_path / "work", metrics=list(metrics), **fields)
        return Function(FunctionOptions(call=f"{name}:f")).evaluate({"x": 2.0}, context)

    return run


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("return config['x'] + context.seed", {"loss": 5.0}),
        ("return (1,)", {"loss": 1.0}),
        ("return {'loss': 2, 'other': 3}", {"loss": 2.0}),
        ("import numpy as np; return np.float32(0.5)", {"loss": 0.5}),
        ("import torch; return torch.tensor(0.25)", {"loss": 0.25}),
    ],
)
def test_one_metric(evaluate: Evaluate, body: str, values: dict[str, float]) -> None:
    assert evaluate(body, seed=3).values == values


def test_several_metrics(evaluate: Evaluate) -> None:
    assert evaluate("return 1.0, 2", [LOSS, SIZE]).values == {"loss": 1.0, "size": 2.0}
    assert evaluate("return {'size': 2, 'loss': 1}", [LOSS, SIZE]).values == {"loss": 1.0, "size": 2.0}
    assert evaluate("return {'loss': 2, 'other': 3}").metrics == {"other": 3.0}


def test_a_result_passes(evaluate: Evaluate) -> None:
    body = "from automl.contracts import Result; return Result({'loss': 1}, {'extra': 2.0}, {'edge': 'skip'})"
    assert evaluate(body) == Result({"loss": 1.0}, {"extra": 2.0}, {"edge": "skip"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return float('nan')", "finite number, but got loss=nan"),
        ("return float('-inf')", "finite number, but got loss=-inf"),
        ("return None", "finite number, but got loss=None"),
        ("pass", "finite number, but got loss=None"),
        ("return '0.5'", "finite number, but got loss='0.5'"),
        ("return True", "finite number, but got loss=True"),
        ("return 1.0, 2.0", r"one value for each of loss, but returned 2: \(1.0, 2.0\); return a tuple"),
        ("return ()", "but returned 0"),
        ("return {}", "but loss is missing among none"),
        ("return {'los': 1.0}", "but loss is missing among los"),
        ("return {'loss': 1.0, 'other': None}", "finite number, but got other=None"),
        ("from automl.contracts import Result; return Result({'loss': float('inf')})", "got loss=inf"),
    ],
)
def test_wrong_answers_are_errors_with_a_reason(evaluate: Evaluate, body: str, reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        evaluate(body)


def test_its_own_errors_come_through(evaluate: Evaluate) -> None:
    with pytest.raises(ZeroDivisionError):
        evaluate("return 1 / 0")


def test_it_cannot_swallow_the_end_of_its_trial(evaluate: Evaluate) -> None:
    with pytest.raises(TrialStopped):
        evaluate("\n    try: context.report(1, 0.5)\n    except Exception: return 7.0", stop_at=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("no_such_module:f", "must be importable"),
        ("math:nope", "has no 'nope'"),
        ("math:pi", "is a float; define"),
    ],
)
def test_wrong_references(tmp_path: Path, call: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Function(FunctionOptions(call=call)).evaluate({}, FakeContext(tmp_path))


@pytest.mark.parametrize(
    "options", [{}, {"call": "nothing"}, {"call": "../x:f"}, {"call": "a:b", "deadline": 0}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FunctionOptions(**options)


def test_final_calls_it_again_with_the_fresh_seed(evaluate: Evaluate) -> None:
    assert evaluate("return context.seed", seed=41, final=True).values == {"loss": 41.0}


def test_it_has_no_model_to_test(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"final: \{seeds: 0\}"):
        Function(FunctionOptions(call="a:b")).score(tmp_path, None, None, [ACCURACY])


def test_an_array_is_no_number(evaluate: Evaluate) -> None:
    with pytest.raises(RunError, match="finite number"):
        evaluate("import numpy as np; return np.zeros(2)")
    assert np.isfinite(evaluate("import numpy as np; return np.array(1.5)").values["loss"])


def test_a_function_of_the_configuration_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "def f(config): return config['x']\ndef g(config, other=3): return other.seed\ndef h(): return 1\n"
    (tmp_path / "alone.py").write_text(text)
    context = FakeContext(tmp_path / "work", metrics=[LOSS], seed=7)
    for name, value in (("f", 2.0), ("g", 7.0)):
        found = Function(FunctionOptions(call=f"alone:{name}")).evaluate({"x": 2.0}, context)
        assert found.values == {"loss": value}
    with pytest.raises(UserError, match="must name a function of"):
        Function(FunctionOptions(call="alone:h")).check_code()
