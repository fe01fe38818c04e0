"""What samplers learn of trials that have ended in a study with constraints."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState as OptunaState

from automl.checking.searches import LOSS, SIZE, SPACE
from automl.contracts import PROXY, Bounds, PluginSpec, TrialState
from automl.strategies.history import SCORE, SCREEN
from automl.strategies.searcher import Searcher
from automl.strategies.telling import BEYOND, noted, to_samplers

BOUNDS = {"size": Bounds(at_most=10), "slow": Bounds(at_most=2)}
BOTH = {"size": 5, "slow": 3}
VIOLATIONS = {"constraints:size": -0.5, "constraints:slow": 0.5}
KEPT = {"constraints:size": -0.5, "constraints:slow": -0.5}


@pytest.mark.parametrize(
    ("state", "values", "measured", "kept"),
    [
        (TrialState.COMPLETE, [1.0], {"size": 5, "slow": 1}, KEPT),
        (TrialState.PRUNED, None, {**BOTH, "loss": 3.0}, {**VIOLATIONS, BEYOND: [3.0]}),
        (TrialState.PRUNED, None, BOTH, VIOLATIONS),
        (TrialState.PRUNED, None, {"size": 20, "loss": 3.0}, {"constraints:size": 1.0}),
        (TrialState.PRUNED, None, {"size": 5, "slow": 1, "loss": 3.0}, KEPT),
        (TrialState.PRUNED, None, {}, {}),
        (TrialState.FAILED, None, {**BOTH, "loss": 3.0}, {}),
    ],
)  # fmt: skip
def test_what_is_kept_with_a_trial(
    state: TrialState, values: list[float] | None, measured: dict[str, float], kept: dict[str, Any]
) -> None:
    assert noted({}, BOUNDS, [LOSS], state, values, measured) == kept
    assert noted({}, {}, [LOSS], state, values, measured) == {}


def test_two_metrics_are_kept_in_their_order() -> None:
    bounds = {"parameters": Bounds(at_most=1)}
    kept = noted({}, bounds, [LOSS, SIZE], TrialState.PRUNED, None, {"parameters": 3.0, "loss": 1.0})
    assert kept == {"constraints:parameters": 2.0, BEYOND: [1.0, 3.0]}


def test_samplers_see_a_trial_beyond_its_bounds_as_complete_and_a_screening_as_failed() -> None:
    assert to_samplers(TrialState.PRUNED, None, {BEYOND: [3.0]}) == (OptunaState.COMPLETE, [3.0])
    assert to_samplers(TrialState.PRUNED, None, {}) == (OptunaState.PRUNED, None)
    assert to_samplers(TrialState.COMPLETE, [1.0], {}) == (OptunaState.COMPLETE, [1.0])
    assert to_samplers(TrialState.FAILED, [1.0], {}) == (OptunaState.FAIL, None)
    assert to_samplers(TrialState.COMPLETE, [1.0], {SCREEN: "synflow"}) == (OptunaState.FAIL, None)
    assert noted({SCREEN: "synflow"}, {}, [LOSS], TrialState.PRUNED, None, {f"{PROXY}synflow": 4}) == {
        SCORE: 4
    }


def seen(strategy: str, trials: int = 8) -> Searcher:
    search = Searcher.build(SPACE, PluginSpec(strategy, {"startup": 2}), PluginSpec("none"), [LOSS], 0)
    search.with_constraints(BOUNDS)
    for number in range(trials):
        config = search.ask(number)
        assert config is not None
        size = {"size": float(str(config["width"])) / 4}
        if number % 3 == 0:  # known before it was trained
            search.tell(number, TrialState.PRUNED, None, {"size": 99})
        elif number % 3 == 1:  # ended by its own code, with something measured
            search.tell(number, TrialState.PRUNED, None, {**size, "loss": 1.0})
        else:
            search.tell(number, TrialState.COMPLETE, [number + 0.5], {**size, "slow": 1 + number / 20})
    return search


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
@pytest.mark.parametrize("strategy", ["tpe", "gp"])
def test_trials_of_which_different_things_are_known_may_be_mixed(strategy: str) -> None:
    assert seen(strategy).ask(8) is not None
