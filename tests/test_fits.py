"""The command fit: three lines from a table to predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from automl.cli.commands import app
from automl.contracts import UserError
from automl.ledger import Store

QUICK = ("space={name: tabular, fix: {model: extra_trees, forest_trees: 50}}", "executor=local")


def typed(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def table(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    monkeypatch.chdir(tmp_path)
    sizes = [20 + 37 * number % 80 for number in range(80)]
    lines = ["size,rooms,dear", *(f"{size},{size % 5},{int(size > 60)}" for size in sizes)]
    Path("homes.csv").write_text("\n".join(lines))
    return Path("homes.csv")


def test_fit_then_predict_then_go_on(table: Path) -> None:
    given = [word for key in (*QUICK, "budget={trials: 1}") for word in ("--set", key)]
    done = typed("fit", "homes.csv", "--target", "dear", "--progress", "quiet", *given)
    assert "metric: accuracy, a guess" in done.stderr
    assert "homes-1\nmodel: homes-1/" in done.stdout
    assert "next:  automl predict homes new.csv -o predictions.csv\n" in done.stdout
    Path("new.csv").write_text("rooms,size\n2,21\n1,98\n")
    typed("predict", "homes", "new.csv", "-o", "predictions.csv")
    with Path("predictions.csv").open() as stream:
        small, large = csv.DictReader(stream)
    assert float(large["probability_1"]) > float(small["probability_1"]) and small["prediction"] == "0"
    board = json.loads(typed("leaderboard", "homes", "--models", "--json").stdout)
    assert board["metric"] == "accuracy" and [one["fitted"] for one in board["models"]] == [True, True]
    values = [one["validation"] for one in board["models"]]
    assert values == sorted(values, reverse=True)
    shown = typed("leaderboard", "homes", "--models").stdout
    assert "extra_trees ★" in shown and "homes-1: accuracy, %" in shown
    with pytest.raises(UserError, match="--models writes no page"):
        typed("leaderboard", "homes", "--models", "--html", "a.html")
    again = typed("fit", "homes.csv", "--target", "dear", "--progress", "log", *given)
    assert "homes-1 is complete" in again.stderr and "model: homes-1/" in again.stdout
    given[-1] = "budget={trials: 2}"
    assert (
        "homes-1 grows" in typed("fit", "homes.csv", "--target", "dear", "--progress", "log", *given).stderr
    )


@pytest.mark.slow
def test_a_file_of_its_own_is_the_test_and_another_one_another_campaign(table: Path) -> None:
    given = [word for key in (*QUICK, "budget={trials: 1}") for word in ("--set", key)]
    held = ["size,rooms,dear", *(f"{30 + number}.5,{number % 5},{int(number > 30)}" for number in range(60))]
    Path("held.csv").write_text("\n".join(held[:51]))
    words = ["fit", "homes.csv", "--target", "dear", "--test", "held.csv", "--progress", "log", *given]
    done = typed(*words)
    assert "50 sealed for the test, those of held.csv" in done.stderr
    assert "on 50 rows that no search has seen" in done.stdout
    report = json.loads(typed("report", "homes", "--json").stdout)
    assert set(report["arms"]) == {"random", "tpe"} and report["test_openings"] == 2
    assert all(len(search["test"]) == 1 for arm in report["arms"].values() for search in arm)
    assert "homes-1 is complete" in typed(*words).stderr
    Path("held.csv").write_text("\n".join(held))
    changed = typed(*words)
    assert "starting homes-2" in changed.stderr and "on 60 rows that no search has seen" in changed.stdout


@pytest.mark.slow
def test_a_rare_class_is_predicted_from_a_lower_probability_on(table: Path) -> None:
    rng = np.random.default_rng(0)
    size = rng.uniform(0, 1, 400).round(3)
    rare = (rng.random(400) < 0.45 * size**2).astype(int)
    Path("loans.csv").write_text("\n".join(["size,bad", *map("{},{}".format, size, rare)]))
    space = "space={name: tabular, fix: {model: extra_trees, forest_trees: 50, forest_leaf: 10}}"
    keys = (space, "executor=local", "budget={trials: 1}")
    given = [word for key in keys for word in ("--set", key)]
    done = typed("fit", "loans.csv", "--target", "bad", "--metric", "f1", "--progress", "quiet", *given)
    assert "threshold: the probability from which on '1' is predicted goes by f1" in done.stderr
    assert "is predicted from a probability of 0." in done.stdout
    board = typed("leaderboard", "loans", "--models").stdout
    assert "the second class is predicted from a probability" in " ".join(board.split())
    Path("new.csv").write_text("size\n0.05\n0.95\n")
    found = typed("predict", "loans", "new.csv", "-o", "found.csv")
    assert "; '1' from a probability of 0." in found.stdout
    with Path("found.csv").open() as stream:
        small, large = csv.DictReader(stream)
    assert (small["prediction"], large["prediction"]) == ("0", "1") and float(large["probability_1"]) < 0.5
    typed("predict", "loans", "new.csv", "-o", "found.csv", "--threshold", "0.99")
    with Path("found.csv").open() as stream:
        assert [row["prediction"] for row in csv.DictReader(stream)] == ["0", "0"]
    with pytest.raises(UserError, match=r"must be a probability from 0 to 1 .* but got 1.5 for a model of 2"):
        typed("predict", "loans", "new.csv", "--threshold", "1.5")
    explained = " ".join(typed("explain", "loans", "--repeats", "2").stdout.split())
    assert "note: '1' is predicted from a probability of 0." in explained


@pytest.mark.slow
def test_predictions_rise_and_fall_with_columns_in_what_predicts(table: Path, store: Store) -> None:
    rng = np.random.default_rng(0)
    size, age = rng.uniform(20, 90, 200).round(1), rng.integers(0, 90, 200)
    price = (size + 9 * np.sin(size) - age / 5 + 5 * np.sin(age)).round(2)
    rows = map("{},{},{}".format, size, age, price)
    Path("flats.csv").write_text("\n".join(["size,age,price", *rows]))
    space = "space={name: tabular, fix: {model: gradient_boosting, boosting_rounds: 50, boosting_leaf: 5}}"
    keys = (space, "executor=local", "budget={trials: 1}")
    given = [word for key in keys for word in ("--set", key)]
    words = ["fit", "flats.csv", "--target", "price", "--progress", "quiet", "--increasing", "size"]
    wrong = CliRunner().invoke(app, [*words, *given, "--decreasing", "sise"])
    assert "monotone must name columns that hold numbers, but got sise" in str(wrong.exception)
    with pytest.raises(UserError, match="must be increasing or decreasing, but size is both"):
        typed(*words, *given, "--decreasing", "size")
    done = typed(*words, *given, "--decreasing", "age")
    assert "the prediction rises with size, falls with age" in done.stderr
    grid = np.linspace(15, 95, 60).round(1)
    new = [*(f"{one},40" for one in grid), *(f"50,{one}" for one in grid)]
    Path("new.csv").write_text("\n".join(["size,age", *new]))
    typed("predict", "flats", "new.csv", "-o", "found.csv")
    with Path("found.csv").open() as stream:
        found = np.array([float(row["prediction"]) for row in csv.DictReader(stream)])
    assert np.diff(found[:60]).min() >= 0 and np.diff(found[60:]).max() <= 0
    assert np.ptp(found[:60]) > 20 and np.ptp(found[60:]) > 5


def test_the_study_is_shown_and_nothing_runs(table: Path, store: Store) -> None:
    done = typed("fit", "homes.csv", "--target", "dear", "--write-study", "homes.yaml", "--minutes", "2")
    assert "automl run homes.yaml" in done.stdout and not (store.folder / "work").exists()
    text = Path("homes.yaml").read_text()
    assert "# dear: 2 classes: 0 (41), 1 (39)" in text and "wall_seconds: 117.5" in text
    typed("check", "homes.yaml")


def test_a_mistake_says_what_to_do(table: Path) -> None:
    with pytest.raises(
        UserError, match=r"there is no 'deer'; its columns, the most similar first: dear.*--set KEY=VALUE"
    ):
        typed("fit", "homes.csv", "--target", "deer")
