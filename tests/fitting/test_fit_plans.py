"""The study that a table makes: what is guessed and told, what is refused, how long it may take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fitted_tables import homes, written

from automl.config import load_study
from automl.contracts import UserError
from automl.fitting import Plan, Wishes, plan
from automl.searchspaces.tabular import MODELS
from automl.tables import boosters
from automl.tables.boosters import PACKAGES

ADDS = "pip install 'automl-orchestrator[tables]' adds"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path / "My homes.csv", homes())


def planned(table: Path, **wishes: Any) -> Plan:
    return plan(table, Wishes(**{"target": "dear", **wishes}))


def test_what_is_guessed_is_told(table: Path) -> None:
    found = plan(table, Wishes())
    told = "\n".join(found.told)
    assert "target: dear, a guess (the last column" in told and "--target names another column" in told
    assert "dear: 2 classes: " in told and "metric: accuracy, a guess (2 classes of like size)" in told
    assert "features: size, sold, rooms, street" in told, "the id is left out"
    assert any("'id'" in note for note in found.notes)
    assert found.rows == (56, 8, 16) and found.labels == ("no", "yes") and not found.numeric
    assert f"rows: {found.rows[0]} to search by cross-validation" in told
    assert "a guess" not in "\n".join(planned(table, metric="roc_auc").told)


def test_numbers_are_regression(table: Path) -> None:
    found = planned(table, target="size")
    assert found.study.task.metrics[0].name == "r2" and not found.labels
    assert any(line.startswith("size: numbers from 2") for line in found.told)


def test_the_file_makes_the_same_study(table: Path, tmp_path: Path) -> None:
    found = planned(table, group="street", overrides=("task.split.test=0.3", "seeds=2"))
    assert found.study.task.split.group == "street" and found.study.task.split.test == 0.3
    (tmp_path / "written.yaml").write_text(found.text)
    assert load_study(tmp_path / "written.yaml").digest() == found.study.digest()
    assert "# metric: accuracy, a guess" in found.text and "# found: " in found.text


def test_columns_to_rise_and_fall_with_are_told_with_what_they_leave_out(table: Path) -> None:
    found = planned(table, monotone={"size": "increasing", "rooms": "decreasing"})
    told = "\n".join(found.told)
    assert "the probability of 'yes' rises with size, falls with rooms; linear, knn, svm, random_" in told
    assert found.keys["evaluator"]["pipeline"]["monotone"] == {"size": "increasing", "rooms": "decreasing"}
    families = ["gradient_boosting", "lightgbm", "xgboost", "catboost"]
    assert found.keys["space"] == {"name": "tabular_boosters", "narrow": {"model": families}}
    assert found.study.digest() != planned(table).study.digest()
    assert "monotone" not in planned(table).text
    numbers = planned(table, target="size", monotone={"rooms": "increasing"})
    assert any("monotone: the prediction rises with rooms;" in line for line in numbers.told)


def test_weights_are_told_with_what_they_leave_out(table: Path) -> None:
    found = planned(table, weights="size")
    assert any("weights: size says how much a row counts in fits, knn left out;" in one for one in found.told)
    assert "features: sold, rooms, street" in found.told
    assert "knn" not in found.keys["space"]["narrow"]["model"] and found.keys["task"]["weights"] == "size"
    both = planned(table, weights="size", monotone={"rooms": "increasing"})
    assert both.keys["space"]["narrow"]["model"][0] == "gradient_boosting"


@pytest.mark.parametrize(
    ("there", "space", "told"),
    [
        (PACKAGES, "tabular_boosters", "those of scikit-learn, lightgbm, xgboost, catboost"),
        (
            ("catboost",),
            {"name": "tabular_boosters", "narrow": {"model": [*MODELS, "catboost"]}},
            f"those of scikit-learn, catboost; {ADDS} lightgbm, xgboost",
        ),
        (
            (),
            "tabular",
            f"those of scikit-learn; {ADDS} lightgbm, xgboost, catboost",
        ),
    ],
)
def test_boosters_that_are_installed_are_searched(
    table: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], space: Any, told: str
) -> None:
    monkeypatch.setattr(boosters, "installed", lambda: there)
    found = planned(table)
    assert found.keys["space"] == space and f"families: {told}" in found.told
    given = planned(table, overrides=("space={name: tabular, fix: {model: linear}}",))
    assert not any(line.startswith("families") for line in given.told)


@pytest.mark.parametrize(("minutes", "seconds"), [(0.5, 28.8), (1, 57.5), (5, 297.5)])
def test_the_report_has_time_after_the_campaign(table: Path, minutes: float, seconds: float) -> None:
    study = planned(table, minutes=minutes).study
    assert study.limits.wall_seconds == seconds and study.limits.reserve
    cpus = study.executor.options["cpus"] * study.executor.options["trials_at_once"]
    assert study.budget.device_seconds == pytest.approx(cpus * seconds / 2, rel=0.01), "for each of two arms"
    assert set(study.arms) == {"random", "tpe"}


def test_what_predicts_is_fitted_on_all_rows_unless_it_is_asked_otherwise(table: Path) -> None:
    assert planned(table).study.final.refit
    found = planned(table, refit=False)
    assert not found.study.final.refit and "refit" not in found.text


def test_a_file_of_its_own_is_the_test(table: Path, tmp_path: Path) -> None:
    held = written(tmp_path / "held.csv", homes(30, seed=1))
    found = planned(table, test=held)
    assert found.study.task.test == str(held) and "test" not in found.keys["task"]["split"]
    assert found.rows == (72, 8, 30) and "30 sealed for the test, those of held.csv" in found.told[-1]
    (tmp_path / "written.yaml").write_text(found.text)
    assert load_study(tmp_path / "written.yaml").digest() == found.study.digest()
    assert planned(table).study.digest() != found.study.digest()
    with pytest.raises(
        UserError, match=r"test: must be left out where task.test names the rows, but got 0.3"
    ):
        planned(table, test=held, overrides=("task.split.test=0.3",))
    with pytest.raises(UserError, match=r"there is no file .*absent.csv"):
        planned(table, test=tmp_path / "absent.csv")


def test_cpus_are_what_is_asked_for(table: Path) -> None:
    found = planned(table, cpus=1)
    options = found.study.executor.options
    assert (options["cpus"], options["trials_at_once"], options["isolate"], options["spare"]) == (
        1,
        1,
        True,
        True,
    )
    assert "machine: one trial at a time, 1 thread each; --cpus N takes fewer" in found.told


def test_rare_classes_have_fewer_folds(tmp_path: Path) -> None:
    rows = homes(60)
    for number, row in enumerate(rows):
        row["dear"] = "rare" if number < 4 else row["dear"]
    found = planned(written(tmp_path / "rare.csv", rows))
    assert found.study.evaluator.options["folds"] == 2
    assert "folds: 2, since the rarest class or group of the training rows has no more" in found.told


@pytest.mark.parametrize(("rows", "folds"), [(5_000, 5), (6_000, 3), (30_000, 2)])
def test_more_rows_have_fewer_folds(tmp_path: Path, rows: int, folds: int) -> None:
    """Seven tenths of them are for training."""
    file = tmp_path / "many.csv"
    file.write_text("a,y\n" + "\n".join(f"{n % 89},{n % 97 / 7}" for n in range(rows)))
    found = planned(file, target="y")
    assert found.study.evaluator.options["folds"] == folds
    told = [line for line in found.told if line.startswith("folds:")]
    assert told == (
        []
        if folds == 5
        else [
            f"folds: {folds}, enough of {7 * rows // 10:,} training rows; more trials are fitted with fewer"
        ]
    )


def test_a_metric_of_the_study_is_kept(table: Path) -> None:
    found = planned(table, target="size", overrides=("task.metric=rmse",))
    assert found.study.task.metrics[0].name == "rmse"
    assert not any(line.startswith("metric:") for line in found.told)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"target": "deer"}, r"there is no 'deer'; its columns, the most similar first: dear"),
        ({"metric": "acuracy"}, r"accuracy"),
        ({"metric": "r2"}, r"r2 needs numbers|r2"),
        ({"group": "town"}, r"task.split.group must name a column"),
        ({"overrides": ("task.spilt=1",)}, r"spilt"),
        ({"target": "sold"}, r"holds dates"),
    ],
)
def test_mistakes(table: Path, wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned(table, **wishes)


def test_what_is_no_table(tmp_path: Path, table: Path) -> None:
    with pytest.raises(UserError, match=r"needs a table, but there is no file .*absent.csv"):
        plan(tmp_path / "absent.csv", Wishes())
    with pytest.raises(UserError, match=r"needs a table such as data.csv, but got .*; for images"):
        plan(tmp_path, Wishes())
    (tmp_path / "rows.dat").write_text("a,b")
    with pytest.raises(UserError, match=r"a dataset file must end in \.csv"):
        plan(tmp_path / "rows.dat", Wishes("b"))
    one = written(tmp_path / "one.csv", [{**row, "dear": "yes"} for row in homes()])
    with pytest.raises(UserError, match=r"at least two classes, but 'one.csv' has 1"):
        planned(one)
    with pytest.raises(UserError):
        planned(written(tmp_path / "few.csv", homes(3)))
    (tmp_path / "broken.csv").write_text('a,b\n1,2\n"3,4\n5\n')
    with pytest.raises(UserError):
        plan(tmp_path / "broken.csv", Wishes())


def test_what_the_model_may_need_are_constraints(table: Path) -> None:
    found = planned(table, infer_limit=2.5, size_limit="3MB")
    assert {name: str(bounds) for name, bounds in found.study.constraints.items()} == {
        "latency": "at most 0.0025", "model_size": "at most 3,000,000",
    }  # fmt: skip
    told = "\n".join(found.told)
    assert "latency: at most 2.5ms for one row that is predicted alone" in told
    assert "model_size: at most 3MB, of the file that holds the model" in told
    assert found.keys["constraints"] == {"latency": {"at_most": "2.5ms"}, "model_size": {"at_most": "3MB"}}
    assert "constraints" not in planned(table).text
    with pytest.raises(UserError, match=r"constraints\.model_size.*: must be a number, .* but got 'big'"):
        planned(table, size_limit="big")
