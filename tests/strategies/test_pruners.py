from __future__ import annotations

import random

import optuna
import pytest
from histories import LOSS

from automl.contracts import Direction, Metric, PluginSpec, TrialState
from automl.space import Float, Space
from automl.strategies.searcher import Searcher

SPACE = Space({"x": Float(0, 1)})


def search(pruner: str, metric: Metric = LOSS, **options: object) -> Searcher:
    return Searcher.build(SPACE, PluginSpec("random"), PluginSpec(pruner, dict(options)), [metric], 0)


def run(searcher: Searcher, number: int, values: list[float]) -> int | None:
    """The step at which the trial was ended, or None."""
    searcher.ask(number)
    for step, value in enumerate(values, 1):
        if searcher.report(number, step, value):
            searcher.tell(number, TrialState.PRUNED, None)
            return step
    searcher.tell(number, TrialState.COMPLETE, [values[-1]])
    return None


def curves(count: int, steps: int) -> list[list[float]]:
    rng = random.Random(5)
    starts = [rng.random() for _ in range(count)]
    return [[start / step + rng.random() / 5 for step in range(1, steps + 1)] for start in starts]


def test_none_never_prunes() -> None:
    searcher = search("none")
    assert [run(searcher, n, [float(n)] * 3) for n in range(20)] == [None] * 20


@pytest.mark.parametrize(("reduction", "resource", "rate"), [(2, 1, 0), (3, 1, 0), (2, 2, 1)])
@pytest.mark.parametrize("direction", list(Direction))
def test_asha_decides_as_optuna_does(reduction: int, resource: int, rate: int, direction: Direction) -> None:
    """One report per step, so that no trial passes two rungs at once."""
    ours = search(
        "asha", Metric("m", direction), reduction=reduction, min_resource=resource, min_early_stopping=rate
    )
    study = optuna.create_study(
        direction=direction.value,
        pruner=optuna.pruners.SuccessiveHalvingPruner(resource, reduction, rate),
    )
    ended = []
    for number, values in enumerate(curves(60, 16)):
        trial = study.ask()
        expected = None
        for step, value in enumerate(values, 1):
            trial.report(value, step)
            if trial.should_prune():
                expected = step
                break
        study.tell(
            trial, None if expected else values[-1], optuna.trial.TrialState.PRUNED if expected else None
        )
        ended.append(expected)
        assert run(ours, number, values) == expected
    assert len({*ended}) > 2


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_what_a_pruner_remembers_changes_no_decision(pruner: str) -> None:
    """Trials run side by side, end in another order, some fail: a pruner that sees it all anew agrees."""
    searcher, rng = search(pruner, reduction=2), random.Random(1)
    values, steps, ended = curves(80, 8), dict.fromkeys(range(80), 0), []
    running: list[int] = []
    while len(ended) < 80:
        if len(running) < 5 and len(ended) + len(running) < 80:
            running.append(len(ended) + len(running))
            searcher.ask(running[-1])
        number = rng.choice(running)
        steps[number] += 1
        value = values[number][steps[number] - 1]
        searcher.report(number, steps[number], value)
        study, trial = searcher._memory.study, searcher._memory.storage.get_trial(number)
        found = study.pruner.prune(study, trial)
        assert found == search(pruner, reduction=2)._memory.study.pruner.prune(study, trial)
        if found or steps[number] == 8 or rng.random() < 0.1:
            state = (
                TrialState.PRUNED
                if found
                else TrialState.COMPLETE
                if steps[number] == 8
                else TrialState.FAILED
            )
            searcher.tell(number, state, [value])
            ended.append(state)
            running.remove(number)
    assert {state: ended.count(state) > 2 for state in TrialState if state is not TrialState.RUNNING} == {
        TrialState.COMPLETE: True,
        TrialState.PRUNED: True,
        TrialState.FAILED: True,
    }


def test_asha_rungs_are_where_the_options_say() -> None:
    searcher = search("asha", reduction=2, min_resource=3)
    assert run(searcher, 0, [0.1] * 12) is None
    assert run(searcher, 1, [0.2] * 12) == 3
    assert run(searcher, 2, [0.1, 0.1, 0.05, 0.9, 0.9, 0.9]) == 6
    assert run(searcher, 3, [9.0, 9.0, 0.01]) is None


def test_median_waits_for_its_startup_then_prunes_the_worse_half() -> None:
    searcher = search("median", startup=3, warmup=2)
    assert [run(searcher, n, [float(n)] * 3) for n in range(3)] == [None] * 3
    assert run(searcher, 3, [5.0] * 3) == 2
    assert run(searcher, 4, [0.5] * 3) is None


def test_hyperband_takes_its_range_from_the_first_trial_that_completes() -> None:
    searcher = search("hyperband", reduction=2)
    ended = [run(searcher, n, values) for n, values in enumerate(curves(80, 8))]
    pruner = searcher._memory.study.pruner
    assert ended[0] is None
    assert pruner._max_resource == 8
    assert [bracket.resource for bracket in pruner._pruners] == [1, 2, 4, 8]
    assert {step for step in ended if step} == {1, 2, 4, 8}


def test_hyperband_with_a_given_range_prunes_before_any_trial_completes() -> None:
    searcher = search("hyperband", reduction=2, max_resource=2)
    for number in range(12):
        searcher.ask(number)
    assert any(searcher.report(number, step, float(number)) for step in (1, 2) for number in range(12))


def test_wilcoxon_ends_a_trial_that_is_worse_fold_by_fold() -> None:
    searcher = search("wilcoxon")
    assert run(searcher, 0, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) is None
    assert run(searcher, 1, [0.2, 0.35, 0.5, 0.65, 0.8, 0.95]) == 4  # the first n with 2^-n < 0.1
    assert run(searcher, 2, [0.11, 0.19, 0.31, 0.39, 0.51, 0.5]) is None
    assert run(searcher, 3, [0.9] * 3) is None, "three folds cannot reach p < 0.1"


def test_wilcoxon_ignores_steps_that_the_best_trial_lacks() -> None:
    searcher = search("wilcoxon")
    searcher.ask(0)
    searcher.tell(0, TrialState.COMPLETE, [0.1])
    assert run(searcher, 1, [1.0] * 6) is None
    searcher.ask(2)
    assert not searcher.report(2, 99, 5.0)
