"""The three lines: an objective, a space, a budget; and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import automl
from automl.contracts import Config, Context, RunError, UserError
from automl.ledger import Ledger, Store

SPACE = {"x": automl.Float(-2, 2), "kind": automl.Choice(["a", "b"])}


def bowl(config: Config) -> float:
    return float(config["x"] or 0) ** 2 + (config["kind"] == "a")


def reported(config: Config, context: Context) -> float:
    context.report(1, bowl(config) + 1)
    return bowl(config)


def test_three_lines_find_the_best_and_compare_it_with_random_search(store: Store) -> None:
    campaign = automl.minimize(bowl, SPACE, trials=4, seeds=2, store=store, progress="quiet")
    assert (campaign.name, campaign.study, campaign.state) == ("bowl-1", "bowl", "finished")
    frame, best = campaign.trials(), campaign.best
    assert frame.groupby(["arm", "seed"]).size().to_dict() == {
        (arm, seed): 4 for arm in ("random", "tpe") for seed in (0, 1)
    }
    assert best is not None and best.value == frame["value"].min() == bowl(best.config)
    assert {"config.x", "config.kind", "device_seconds", "state", "attempt"} <= set(frame.columns)
    assert "tpe is better than random" in str(campaign.report)


def test_the_largest_value_is_found_too(store: Store) -> None:
    campaign = automl.maximize(reported, SPACE, trials=3, seeds=1, store=store, progress="quiet")
    assert campaign.best is not None and campaign.best.value == campaign.trials()["value"].max()
    with Ledger(store) as ledger:
        assert len(ledger.reports(campaign=campaign.name)) == 6


@pytest.mark.slow
def test_it_grows_and_is_complete_when_run_again(store: Store) -> None:
    def run(trials: int) -> automl.Campaign:
        return automl.minimize(bowl, SPACE, trials=trials, seeds=1, store=store, progress="quiet")

    assert [run(2), run(3), run(3)] == [automl.open("bowl", store=store)] * 3
    assert len(automl.open("bowl-1", store=store).trials()) == 6


def test_no_baseline_is_told_in_the_report(store: Store) -> None:
    campaign = automl.minimize(bowl, SPACE, trials=2, seeds=1, baseline=False, store=store, progress="quiet")
    assert set(campaign.trials()["arm"]) == {"tpe"}
    assert "no baseline" in " ".join(campaign.report.warnings)


def test_several_arms_and_fresh_seeds_of_winners(store: Store) -> None:
    arms = {"tpe": {"strategy": "tpe"}, "quasi": {"strategy": "quasi_random"}}
    keys: dict[str, Any] = {"arms": arms, "retrain": 2, "seeds": [7], "metric": "cost", "name": "several"}
    campaign = automl.minimize(reported, SPACE, trials=2, store=store, progress="quiet", **keys)
    frame = campaign.trials()
    assert set(frame["arm"]) == {"random", "tpe", "quasi"} and set(frame["seed"]) == {7}
    assert frame.groupby("kind").size().to_dict() == {"trial": 6, "final": 6}
    assert campaign.best is not None and len(campaign.best.fresh) == 2


def test_random_search_alone_is_a_campaign(store: Store) -> None:
    campaign = automl.minimize(
        bowl, SPACE, trials=2, strategy="random", seeds=1, store=store, progress="quiet"
    )
    assert set(campaign.trials()["arm"]) == {"random"}


def test_nothing_found_is_no_success(store: Store) -> None:
    def broken(config: Config) -> float:
        raise ZeroDivisionError("as ever")

    with pytest.raises(RunError, match=r"broken-1 found nothing: none of 4 trials .* as ever"):
        automl.minimize(broken, SPACE, trials=2, seeds=1, store=store, progress="quiet")
    assert automl.open("broken", store=store).best is None


def _async_objective() -> Callable[..., Any]:
    async def objective(config: Config) -> float:
        return 1.0

    return objective


class Model:
    def __call__(self, config: Config) -> float:
        return 1.0


def _verbose(config: Config, verbose: bool = False) -> float:
    return 1.0


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no budget": (bowl, {"trials": None}, "write trials=50 or seconds=60"),
    "a typo": (bowl, {"trails": 3}, "did you mean 'trials'"),
    "no function": (3, {}, "study: evaluator: must be"),
    "a class": (Model, {}, "but got .* of type Model"),
    "an object": (Model(), {}, "of type Model; write it with def"),
    "too many arguments": (lambda a, b, c: 1, {}, r"has the arguments \(a, b, c\)"),
    "no argument": (lambda: 1, {}, r"has the arguments \(\)"),
    "an unclear second argument": (_verbose, {}, "call it context"),
    "a coroutine": (_async_objective(), {}, "async or a generator"),
    "an unknown strategy": (bowl, {"strategy": "tpee"}, r"arms.tpee.strategy.*did you mean 'tpe'"),
    "both": (bowl, {"arms": {}, "strategy": "tpe"}, "arms have strategies of their own"),
    "a baseline of a wrong kind": (bowl, {"baseline": "no"}, "baseline: must be true or false"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_told_before_anything_is_created(mistake: str, store: Store) -> None:
    objective, change, words = WRONG[mistake]
    with pytest.raises(UserError, match=words):
        automl.minimize(objective, SPACE, store=store, progress="quiet", **{"trials": 2, **change})
    assert automl.campaigns(store=store) == []


@pytest.mark.parametrize("place", ["a folder", "a path", "nothing"])
def test_stores_are_named_in_any_way(
    place: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"a folder": str(store.folder), "a path": store.folder, "nothing": None}[place]
    campaign = automl.minimize(bowl, SPACE, trials=1, seeds=1, store=named, progress="quiet")
    assert campaign.store == store and automl.campaigns(store=named) == [campaign]


def test_a_store_that_is_not_there_has_no_campaigns(tmp_path: Path) -> None:
    assert automl.campaigns(store=tmp_path / "none") == []
    with pytest.raises(UserError, match="there is none in"):
        automl.open("mine", store=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.postgres
def test_postgresql_is_a_store_as_any(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign = automl.minimize(bowl, SPACE, trials=2, seeds=1, store=postgres_url, progress="quiet")
    assert automl.open("bowl", store=postgres_url) == campaign and campaign.best is not None
