"""Winners that are trained again on other datasets: how often, on what, scored how, grown, refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from growing_study import content, differences, run
from told import Told

from automl import plugins
from automl.config import load_study
from automl.contracts import PluginSpec, UserError
from automl.data import load_task
from automl.data.sealed import open_test
from automl.ledger import Ledger, Store, transfers

STUDY = """
name: growing
task: {dataset: iris, metric: accuracy}
space: {parameters: {model: {type: choice, options: [knn]}, knn_neighbors: {type: int, low: 1, high: 9}}}
evaluator: pipeline
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
executor: local
final: {seeds: 2}
transfer: [wine, beans.csv]
"""
WITHOUT = "transfer=[]"
SMALL = ("budget.trials=1", "final.seeds=1")


@pytest.fixture
def study(workspace: Path) -> Path:
    rows = "\n".join(f"{n % 7},{n * 31 % 11},{'ab'[n % 7 > 3]}" for n in range(120))
    (workspace / "beans.csv").write_text(f"long,wide,kind\n{rows}\n")
    path = workspace / "growing.yaml"
    path.write_text(STUDY.replace("beans.csv", "{dataset: beans.csv, target: kind}"))
    return path


@pytest.mark.slow
def test_each_winner_is_trained_on_each_dataset_and_scored_on_its_test_set(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store)
    trials = ledger.trials(campaign="growing-1")
    assert Counter((trial.kind, trial.dataset) for trial in trials) == {
        ("trial", None): 4,
        ("final", None): 4,
        ("transfer", "wine"): 4,
        ("transfer", "beans"): 4,
    }
    seeds = {(trial.dataset, trial.number % 2, trial.seed) for trial in trials if trial.kind == "transfer"}
    assert len(seeds) == 4 and len({seed for _, _, seed in seeds}) == 2  # common to arms and datasets
    openings = ledger.transfer_openings("growing-1")
    assert Counter(opening.dataset for opening in openings) == {"wine": 2, "beans": 2}
    assert len(ledger.openings("growing-1")) == 2
    assert differences(store, ledger, "growing-1") == []
    loaded = load_study(study)
    for opening in openings:
        (other,) = (one for one in loaded.transfer if one.name == opening.dataset)
        spec = other.task(loaded.task).model_dump(mode="json")
        winner = ledger.trial(ledger_winner(ledger, opening.search))
        assert winner is not None
        models = transfers(str(opening.dataset), winner.config, ledger.trials(search=opening.search))
        assert opening.trials == [model.id for model in models]
        data, evaluator = open_test(spec, opening=1), plugins.build("evaluators", PluginSpec("pipeline"))
        scores = [
            evaluator.score(Path(model.workdir or "") / "model", load_task(spec), data, loaded.task.metrics)
            for model in models
        ]
        assert opening.values == [score["accuracy"] for score in scores]


def ledger_winner(ledger: Ledger, search: str) -> str:
    return next(row.winner or "" for row in ledger.searches(search.partition("/")[0]) if row.id == search)


@pytest.mark.slow
def test_datasets_are_added_to_a_finished_campaign_and_stay(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store, *SMALL, WITHOUT)
    before, told = content(ledger, "growing-1"), Told()
    assert run(study, store, *SMALL, "transfer=[wine]", told=told) == "growing-1"
    assert any("grows, transfer: wine more" in line for line in told.lines)
    assert run(study, store, *SMALL, told=told) == "growing-1"
    assert any("grows, transfer: beans more" in line for line in told.lines)
    grown = content(ledger, "growing-1")
    assert [row for row in grown if row[1] != "transfer"] == before
    at_once = run(study, store, *SMALL, fresh=True, same_seeds=True)
    assert sorted(map(str, content(ledger, at_once))) == sorted(map(str, grown))
    assert run(study, store, *SMALL, WITHOUT, "seeds=2", told=told) == at_once
    assert any("transfer: wine, beans stay, though not asked for" in line for line in told.lines)
    assert len(ledger.transfer_openings(at_once)) == 8  # of the new seed as well


@pytest.mark.slow
def test_a_new_winner_is_transferred_and_more_seeds_are_added(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store, "transfer=[wine]")
    first = ledger_winner(ledger, "growing-1/random/0")
    run(study, store, "transfer=[wine]", "budget.trials=9", "final.seeds=3")
    winner = ledger.trial(ledger_winner(ledger, "growing-1/random/0"))
    assert winner is not None
    trials = ledger.trials(search="growing-1/random/0")
    assert len(transfers("wine", winner.config, trials)) == 3
    last = [one for one in ledger.transfer_openings("growing-1") if one.search == "growing-1/random/0"][-1]
    assert len(last.values or ()) == 3
    assert len([trial for trial in trials if trial.kind == "transfer"]) == (3 if winner.id == first else 5)


@pytest.mark.slow
def test_changed_data_of_a_transfer_make_another_campaign(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, *SMALL)
    table = study.parent / "beans.csv"
    table.write_text(table.read_text().replace("6,", "5,"))
    told = Told()
    assert run(study, store, *SMALL, told=told) == "growing-2"
    assert any("this has changed: transfer.beans: from" in line for line in told.lines), told.lines
    study.write_text(study.read_text().replace("target: kind", "target: kind, columns: {drop: [wide]}"))
    assert run(study, store, *SMALL, told=told) == "growing-3"
    assert any("belongs to another study: transfer.beans.columns.drop" in line for line in told.lines)


@pytest.mark.slow
def test_a_dataset_that_is_kept_must_be_as_it_was(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, *SMALL)
    table = study.parent / "beans.csv"
    table.write_text(table.read_text().replace("6,", "5,"))
    before = content(ledger, "growing-1")
    with pytest.raises(
        UserError, match=r"transfer to beans: the data must be those that growing-1 began with"
    ):
        run(study, store, *SMALL, "transfer=[wine]", "seeds=2")
    table.unlink()
    with pytest.raises(UserError, match=r"transfer to beans: .*beans\.csv"):
        run(study, store, *SMALL, "transfer=[wine]", "seeds=2")
    assert content(ledger, "growing-1") == before


@pytest.mark.slow
def test_what_was_guessed_in_other_data_is_told(study: Path, store: Store) -> None:
    rows = "\n".join(f"{n % 7},007{n % 3},{'ab'[n % 7 > 3]}" for n in range(120))
    (study.parent / "beans.csv").write_text(f"long,code,kind\n{rows}\n")
    told = Told()
    run(study, store, *SMALL, told=told)
    assert any("data: transfer to beans: " in line and "'code'" in line for line in told.lines), told.lines


@pytest.mark.parametrize(
    ("transfer", "told"),
    [
        ("digits", "transfer to digits: arms.random, arms.tpe: a pipeline needs a table"),
        ("diabetes", "transfer to diabetes: .*accuracy does not suit regression"),
        ("{dataset: wine, split: {test: 0}}", "transfer to wine: a test set must be held out"),
        ("{dataset: beans.csv, target: colour}", "transfer to beans: .*colour"),
    ],
)
def test_data_that_cannot_be_used_are_told_before_anything_starts(
    study: Path, store: Store, ledger: Ledger, transfer: str, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        run(study, store, f"transfer=[{transfer}]")
    assert ledger.latest("growing") is None
