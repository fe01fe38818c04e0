from typing import Any

import pytest

from automl.config import Study, resolve
from automl.contracts import Direction, Metric, PluginSpec
from automl.forecast import forecast

ARMS = {
    "random": {"strategy": PluginSpec("random")},
    "darts": {"evaluator": PluginSpec("supernet")},
    "resnet": {"reference": "resnet"},
}


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "s",
        "task": {"metrics": [Metric("loss", Direction.MINIMIZE)]},
        "evaluator": PluginSpec("network"),
        "budget": {"device_seconds": 30.0},
        "seeds": [0, 1],
        "arms": ARMS,
        "executor": PluginSpec("ray", {"trials_at_once": 2, "cpus": 1}),
        "final": {"seeds": 3},
    }
    return Study(**{**values, **changes})


def test_searches_share_the_workers() -> None:
    cost = forecast(resolve(study()))
    assert (cost.searches, cost.references, cost.retrainings) == (4, 2, 18)
    assert (cost.device_seconds, cost.wall_seconds, cost.trials) == (120, 60, None)


def test_evaluations_again_are_of_arms_with_several_configurations() -> None:
    assert forecast(resolve(study())).reevaluations == 0
    cost = forecast(resolve(study(final={"seeds": 3, "top": 5})))
    assert (cost.reevaluations, cost.retrainings) == (2 * 5 * 3, 18)
    assert any("at most 30 evaluations with fresh seeds" in line for line in cost.lines())
    few = {"final": {"seeds": 3, "top": 5}, "budget": {"trials": 2}}
    assert forecast(resolve(study(**few))).reevaluations == 2 * 2 * 3


@pytest.mark.parametrize(
    ("budget", "trials", "device_seconds"),
    [
        ({"trials": 10}, 2 * (10 + 1), None),
        ({"wall_seconds": 5.0}, None, 4 * 5 * 2),
        ({"device_seconds": 6.0, "wall_seconds": 5.0, "trials": 1}, 4, 4 * 6),
    ],
)
def test_limits(budget: Any, trials: int | None, device_seconds: float | None) -> None:
    cost = forecast(resolve(study(budget=budget, executor=PluginSpec("local", {"cpus": 2}))))
    assert (cost.trials, cost.device_seconds) == (trials, device_seconds)


def test_a_gpu_trial_costs_its_gpus() -> None:
    cost = forecast(resolve(study(executor=PluginSpec("ray", {"trials_at_once": 4, "cpus": 8, "gpus": 0.5}))))
    assert cost.wall_seconds == 120 / (4 * 0.5)


def test_no_more_workers_are_counted_than_there_are_searches() -> None:
    cost = forecast(resolve(study(executor=PluginSpec("ray", {"trials_at_once": 100}))))
    assert cost.wall_seconds == 120 / 6


def test_words() -> None:
    assert list(forecast(resolve(study())).lines()) == [
        "4 searches, 2 reference trials, 2 at once",
        "as many trials as the budget buys, from 1 configurations",
        "at most 2 min on devices for the searches",
        "about 60 s on the clock for the searches",
        "then 18 retrainings with fresh seeds",
    ]


def test_a_bound_is_not_rounded_down() -> None:
    lines = list(forecast(resolve(study(budget={"device_seconds": 37.5}))).lines())
    assert "at most 2 min 30 s on devices for the searches" in lines


def test_the_clock_of_a_search_and_the_limits_of_the_campaign_are_kept_apart() -> None:
    limits = {"wall_seconds": 20.0, "device_seconds": 7200.0, "trials": 9}
    cost = forecast(resolve(study(budget={"wall_seconds": 5.0}, limits=limits)))
    assert (cost.device_seconds, cost.wall_seconds, cost.search_wall_seconds) == (20.0, 10.0, 5.0)
    assert list(cost.lines())[2:] == [
        "at most 20 s on devices for the searches",
        "about 10 s on the clock for the searches",
        "each search at most 5 s on the clock, from its first trial to its last",
        "then 18 retrainings with fresh seeds",
        "the whole campaign ends after 20 s on the clock or 2.0 h on devices or 9 trials, "
        "retrainings and retries included",
    ]
