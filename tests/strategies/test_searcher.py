from __future__ import annotations

import random
import warnings
from dataclasses import replace

import optuna
import pytest
from histories import LOSS, SIZE, SPACE, History, advance, plan, spec, trial_row
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from automl.contracts import Metric, PluginSpec, SearchMemory, TrialState, UserError
from automl.ledger.rows import ReportRow
from automl.space import Choice, Constraint, Float, Int, Space
from automl.strategies.base import FALLBACK, distribution
from automl.strategies.memory import quieten
from automl.strategies.searcher import Searcher

NONE = PluginSpec("none")


def search(space: Space, strategy: str = "random", pruner: PluginSpec = NONE, seed: int = 0) -> Searcher:
    return Searcher.build(space, spec(strategy), pruner, [LOSS], seed)


def test_the_first_search_of_a_process_tells_nothing_of_optuna_s_experiments() -> None:
    quieten.cache_clear()
    space = Space({"kind": Choice(("a", "b")), "x": Float(0, 1, when={"kind": "a"})})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search(space, "tpe").ask(0)
    quieten.cache_clear()  # what it has set is gone with the block
    assert [str(one.message) for one in told] == []


def test_the_first_row_is_asked_again_while_it_runs() -> None:
    config = search(SPACE).ask(0)
    assert config is not None
    rebuilt = search(SPACE)
    rebuilt.restore([trial_row(0, config, 0)], {})
    assert rebuilt.report(0, 1, 0.5) is False
    assert rebuilt.tell(0, TrialState.COMPLETE, [0.5]) == {}


def test_a_row_with_another_configuration_than_proposed_keeps_its_own() -> None:
    config = search(SPACE).ask(0)
    assert config is not None
    rebuilt = search(SPACE)
    rebuilt.restore([trial_row(0, {**config, "lr": 0.05}, 0)], {})
    assert rebuilt._memory.study.trials[0].params["lr"] == 0.05


def test_a_row_outside_the_space_is_refused() -> None:
    with pytest.raises(UserError, match=r"s/0 does not: 'lr' must be a number .* start afresh"):
        search(SPACE).restore(
            [trial_row(0, {"lr": 7, "drop": 0.0, "width": 8, "model": "tree", "depth": 1}, 0)], {}
        )


def test_final_rows_are_no_history() -> None:
    config = SPACE.default_config()
    rebuilt = search(SPACE)
    rebuilt.restore([trial_row(0, config, 0, kind="final", state=TrialState.COMPLETE, values=[1.0])], {})
    assert rebuilt.ask(0) is not None


def test_numbers_must_come_in_order_but_may_skip() -> None:
    searcher = search(SPACE)
    searcher.ask(2)
    assert [trial.state.name for trial in searcher._memory.study.trials] == ["FAIL", "FAIL", "RUNNING"]
    with pytest.raises(ValueError, match="in order"):
        searcher.ask(1)


@pytest.mark.parametrize("strategy", ["tpe", "nsga2", "cmaes", "quasi_random"])
def test_proposals_after_many_broken_constraints_are_random_and_restored(strategy: str) -> None:
    narrow = Constraint(lambda c: 0.3 < c["x"] < 0.31, "a thin slice")  # type: ignore[operator]
    space = Space({"x": Float(0, 1), "y": Int(1, 9)}, constraints=[narrow])
    searcher, history = search(space, strategy), History()
    for number in range(12):
        config = searcher.ask(number)
        assert config is not None
        space.check(config)
        attributes = searcher.tell(number, TrialState.COMPLETE, [float(config["y"])])  # type: ignore[arg-type]
        assert number > 0 or attributes[FALLBACK] is True
        history.trials[number] = trial_row(
            number, config, number, state=TrialState.COMPLETE, values=[float(config["y"])],  # type: ignore[arg-type]
            told=number, attributes=attributes,
        )  # fmt: skip
    rebuilt = search(space, strategy)
    history.restore(rebuilt)
    assert [rebuilt.ask(12), rebuilt.ask(13)] == [searcher.ask(12), searcher.ask(13)]


def test_grid_ends_and_covers_everything_once() -> None:
    space = Space(
        {
            "x": Int(1, 3),
            "m": Choice(["a", "b"]),
            "deep": Float(0, 1, when={"m": "a"}),
        },
        constraints=[Constraint(lambda c: c["x"] != 2, "not 2")],
    )
    searcher = search(space, "grid")
    found = [searcher.ask(number) for number in range(8)]
    assert searcher.ask(8) is None
    assert searcher.ask(9) is None
    assert sorted(map(str, found)) == sorted(
        str({"x": x, "m": m, **deep})
        for x in (1, 3)
        for m, deeps in (("a", [{"deep": 0.0}, {"deep": 0.5}, {"deep": 1.0}]), ("b", [{}]))
        for deep in deeps
    )


def test_a_grid_that_is_too_large_or_empty_is_refused() -> None:
    huge = Space({f"x{n}": Float(0, 1) for n in range(12)})
    with pytest.raises(UserError, match="at most 100000"):
        search(huge, "grid")
    with pytest.raises(UserError, match="leave none"):
        search(Space({"x": Int(0, 1)}, constraints=[Constraint(lambda c: False, "no")]), "grid")


def test_cmaes_refuses_what_it_cannot_search() -> None:
    with pytest.raises(UserError, match="at most 1 metric, but got loss, parameters"):
        Searcher.build(SPACE, PluginSpec("cmaes"), NONE, [LOSS, SIZE], 0)
    with pytest.raises(UserError, match="Float or Int"):
        Searcher.build(Space({"m": Choice([1, 2])}), PluginSpec("cmaes"), NONE, [LOSS], 0)


def test_unknown_plugins_and_wrong_options_are_named() -> None:
    with pytest.raises(UserError, match="did you mean 'random'"):
        Searcher.build(SPACE, PluginSpec("randon"), NONE, [LOSS], 0)
    with pytest.raises(
        UserError, match=r"'tpe' must be valid: startup: .*greater than or equal to 0, but got -1"
    ):
        Searcher.build(SPACE, PluginSpec("tpe", {"startup": -1}), NONE, [LOSS], 0)
    with pytest.raises(UserError, match=r"pruner 'asha'.*reduction"):
        Searcher.build(SPACE, PluginSpec("random"), PluginSpec("asha", {"reduction": 1}), [LOSS], 0)


def test_several_metrics_are_never_pruned() -> None:
    searcher = Searcher.build(SPACE, PluginSpec("random"), PluginSpec("asha"), [LOSS, SIZE], 0)
    for number in range(4):
        searcher.ask(number)
        assert not searcher.report(number, 1, float(number))


def test_a_second_attempt_is_judged_at_its_own_steps() -> None:
    searcher = search(SPACE, pruner=PluginSpec("median", {"startup": 1}))
    searcher.ask(0)
    for step in (1, 2, 3):
        searcher.report(0, step, 1.0)
    searcher.tell(0, TrialState.COMPLETE, [1.0])
    searcher.ask(1)
    assert not searcher.report(1, 1, 0.5)
    assert not searcher.report(1, 2, 0.5)
    assert searcher.report(1, 1, 2.0), "the better value of a later step of the first attempt must not count"
    assert not searcher.report(1, 2, 0.1)


def test_reports_of_a_running_trial_are_restored() -> None:
    rows = [
        trial_row(n, SPACE.default_config(), n, state=TrialState.COMPLETE, values=[1.0], told=n)
        for n in range(3)
    ]
    rows.append(replace(trial_row(3, search(SPACE).ask(3) or {}, 3)))
    reports = {f"s/{n}": [ReportRow(f"s/{n}", step, 1.0, None, 0, 0) for step in (2, 1)] for n in range(4)}
    rebuilt = search(SPACE, pruner=PluginSpec("median", {"startup": 1}))
    rebuilt.restore(rows, reports)
    assert rebuilt._memory.study.trials[3].intermediate_values == {1: 1.0, 2: 1.0}


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0, 1))
def test_random_orders_of_events_restore(seed: int, parallel: int, share: float) -> None:
    """Any legal interleaving, cut anywhere."""
    events = plan(seed, 12, parallel)
    place = int(share * len(events))
    searcher, whole = Searcher.build(SPACE, spec("nsga2"), spec("asha"), [LOSS], seed), History()
    advance(searcher, whole, events[:place])
    part = whole.copy()
    advance(searcher, whole, events[place:])
    rebuilt = Searcher.build(SPACE, spec("nsga2"), spec("asha"), [LOSS], seed)
    part.restore(rebuilt)
    advance(rebuilt, part, events[place:])
    assert part.answers == whole.answers


@settings(max_examples=examples(60))
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_values_survive_the_way_to_optuna_and_back(seed: int, other: int) -> None:
    for parameter in [
        *SPACE.parameters.values(),
        Float(-0.7, 5.3, step=0.3),
        Int(3, 3),
        Float(2, 2, log=True),
    ]:
        kind = distribution(parameter)
        again = optuna.distributions.json_to_distribution(optuna.distributions.distribution_to_json(kind))
        assert again == kind
        value = parameter.sample(random.Random(seed))
        assert kind._contains(kind.to_internal_repr(value))
        assert kind.to_external_repr(kind.to_internal_repr(value)) == value
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=other))
        assert parameter.problem(study.ask({"x": kind}).params["x"]) is None


def test_metrics_keep_their_direction() -> None:
    best = Metric("accuracy", SIZE.direction.MAXIMIZE)
    searcher = Searcher.build(SPACE, PluginSpec("random"), PluginSpec("median", {"startup": 1}), [best], 0)
    searcher.ask(0)
    searcher.report(0, 1, 0.5)
    searcher.tell(0, TrialState.COMPLETE, [0.5])
    searcher.ask(1)
    assert searcher.report(1, 1, 0.4)
    searcher.ask(2)
    assert not searcher.report(2, 1, 0.6)


@pytest.mark.parametrize(
    "strategy", ["tpe", "grid", "quasi_random", "regularized_evolution", "local_search", "nsga2"]
)
def test_the_default_configuration_is_evaluated_early(strategy: str) -> None:
    space = Space({"m": Choice(["a", "b", "c"]), "n": Choice([1, 2, 3])}, default={"m": "b", "n": 2})
    found = search(space, strategy).with_default()
    assert found.ask(0) == {"m": "b", "n": 2}
    found.tell(0, TrialState.COMPLETE, [0.5])
    assert found.ask(1) is not None


def test_random_search_draws_its_first_trial_too() -> None:
    plain, early = search(SPACE), search(SPACE).with_default()
    assert plain.ask(0) == early.ask(0)


def test_a_search_that_began_with_the_default_is_restored() -> None:
    first, again = (search(SPACE, "tpe").with_default() for _ in range(2))
    rows = []
    for number in range(12):
        config = first.ask(number)
        assert config is not None
        value = [float(number % 5)]
        kept = first.tell(number, TrialState.COMPLETE, value)
        ended = {"state": TrialState.COMPLETE, "values": value, "told": number, "attributes": kept}
        rows.append(trial_row(number, config, number, **ended))
    again.restore(rows, {})
    assert first.ask(12) == again.ask(12)


STARTS = Space({"n": Int(0, 99)}, default={"n": 50}).with_portfolio(
    {0: [{"n": 7}, {"n": 50}, {"n": 9}], 1000: [{"n": 80}]}
)


@pytest.mark.parametrize(("rows", "expected"), [(None, [50, 7, 9]), (999, [50, 7, 9]), (1000, [50, 80])])
@pytest.mark.parametrize("strategy", ["tpe", "regularized_evolution"])
def test_the_portfolio_follows_the_default(strategy: str, rows: int | None, expected: list[int]) -> None:
    found = search(STARTS, strategy).with_default(rows)
    for number, n in enumerate(expected):
        assert found.ask(number) == {"n": n}
        found.tell(number, TrialState.COMPLETE, [0.5])
    assert found.ask(len(expected)) is not None


@pytest.mark.parametrize("strategy", ["random", "grid", "quasi_random"])
def test_baselines_have_no_portfolio(strategy: str) -> None:
    with_it, without = (
        [searcher.ask(number) for number in range(4)]
        for searcher in (
            search(STARTS, strategy).with_default(10),
            search(Space(STARTS.parameters, default={"n": 50}), strategy).with_default(10),
        )
    )
    assert with_it == without


def test_what_memory_proposes_is_no_start_again() -> None:
    memory = SearchMemory([{"n": 7}, {"n": 50}])
    found = search(STARTS, "tpe").with_memory(memory).with_default()
    assert [found.ask(number) for number in range(3)] == [{"n": 7}, {"n": 50}, {"n": 9}]


def test_a_search_that_began_with_the_portfolio_is_restored() -> None:
    first, again = (search(STARTS, "tpe").with_default() for _ in range(2))
    rows = []
    for number in range(2):
        config = first.ask(number)
        assert config is not None
        kept = first.tell(number, TrialState.COMPLETE, [float(number)])
        ended = {"state": TrialState.COMPLETE, "values": [float(number)], "told": number, "attributes": kept}
        rows.append(trial_row(number, config, number, **ended))
    again.restore(rows, {})
    assert first.ask(2) == again.ask(2) == {"n": 9}
