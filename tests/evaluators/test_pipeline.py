"""Pipelines for tables: every model family, folds, determinism, scoring without pickles, real tables."""

from __future__ import annotations

import os
import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_context import ACCURACY, FakeContext, image_task

from automl.contracts import (
    Config,
    Direction,
    Metric,
    Result,
    Split,
    TableReading,
    Task,
    TaskOutline,
    TrialStopped,
    UserError,
)
from automl.data import load_task
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.plugins import load
from automl.space import Choice, Space
from automl.tables import boosters, saved, sizes
from automl.tables.families import FAMILIES
from automl.tables.model import DEFAULTS, TableModel, tidy

R2 = Metric("r2", Direction.MAXIMIZE)
LOG_LOSS, AUC = Metric("log_loss", Direction.MINIMIZE), Metric("roc_auc", Direction.MAXIMIZE)
SPACE, WITH_BOOSTERS = (load("spaces", name) for name in ("tabular", "tabular_boosters"))
SMALL = {"forest_trees": 10, "boosting_rounds": 10, "mlp_width": 16}
OPTIONS = PipelineOptions(folds=3)
LINEAR = {"model": "linear"}


def table(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, words, truth values and an empty column, with missing cells; `score` drives the target."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "score": score + rng.normal(0, 0.1, rows),
            "noise": rng.normal(size=rows) * 1000,
            "word": np.where(score > 0, "high", "low"),
            "many": [f"name-{number}" for number in rng.integers(0, 80, rows)],
            "flag": score > 0.5,
            "empty": np.full(rows, np.nan),
            "constant": 1,
        }
    )
    frame.loc[rng.integers(0, rows, rows // 10), "noise"] = np.nan
    frame.loc[rng.integers(0, rows, rows // 10), "word"] = None
    return frame, score


def task(classes: int = 3, rows: int = 120) -> Task:
    parts = []
    for seed in (0, 1):
        x, score = table(rows, seed)
        labels = np.searchsorted([-0.5, 0.5], score) if classes == 3 else (score > 0).astype(int)
        parts.append(Split(x, labels.astype(np.int64) if classes else score))
    return Task("table", "table", (7,), classes, *parts, digest=f"{classes}" * 64)


def context(path: Path, given: Task, **fields: Any) -> FakeContext:
    metrics = [ACCURACY if given.classes else R2]
    return FakeContext(path, **{"given_task": given, "space": SPACE, "metrics": metrics, **fields})


def evaluate(config: Config, ctx: FakeContext) -> Result:
    return Pipeline(OPTIONS).evaluate(config, ctx)


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("model", FAMILIES)
def test_every_family_learns(tmp_path: Path, model: str, classes: int) -> None:
    ctx = context(tmp_path, task(classes))
    config = {"model": model, **{k: v for k, v in SMALL.items() if k.startswith((model[:3], "forest"))}}
    config |= {"boosting_rounds": 40, "boosting_leaf": 5} if FAMILIES[model].boosts else {}
    result = evaluate({**config, **({"mlp_rate": 0.01} if model == "mlp" else {})}, ctx)
    assert [step for step, _, _ in ctx.reports] == [1, 2, 3]
    assert ctx.reports[-1][1] == pytest.approx(result.values[ctx.metrics[0].name])
    # guessing gives 1/2 or less for classes and 0 for numbers
    assert result.values[ctx.metrics[0].name] > (0.55 if classes else 0.3)


@pytest.mark.parametrize("seed", range(20))
def test_every_sampled_configuration_runs_silently(tmp_path: Path, seed: int) -> None:
    config = {**WITH_BOOSTERS.sample(random.Random(seed))}
    config |= {name: value for name, value in SMALL.items() if name in config}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for classes in (0, 2):
            assert np.isfinite(
                list(evaluate(config, context(tmp_path / str(classes), task(classes, 60))).values.values())
            )


def test_extreme_hyperparameters_run_silently_or_fail_with_a_reason(tmp_path: Path) -> None:
    for number, config in enumerate(
        [
            {"model": "linear", "linear_c": 1e4, "scaling": "none"},
            {"model": "mlp", "mlp_rate": 0.1, "scaling": "none", "mlp_width": 16},
            {"model": "knn", "knn_neighbors": 50, "scaling": "quantile"},
            {"model": "svm", "svm_c": 1e3, "svm_gamma": 10.0, "scaling": "none"},
        ]
    ):
        assert evaluate(config, context(tmp_path / str(number), task(0, 30))).values["r2"] < 1


OLD = {  # as a search of the space before parameters were added drew it
    "model": "gradient_boosting",
    "imputation": "mean",
    "encoding": "ordinal",
    "boosting_rate": 0.1,
    "boosting_rounds": 10,
    "boosting_leaves": 31,
    "boosting_leaf": 20,
    "boosting_l2": 1e-6,
}


@pytest.mark.parametrize(
    "config", [OLD, {"model": "linear", "scaling": "none", "linear_c": 1.0, "imputation": "median"}]
)
def test_configurations_of_earlier_spaces_are_scored_and_retrained(tmp_path: Path, config: Config) -> None:
    given = task(3)
    assert evaluate(config, context(tmp_path / "trial", given)).values["accuracy"] > 0.5
    final = context(tmp_path / "final", given, final=True)
    result = evaluate(config, final)
    again = Pipeline(OPTIONS).score(tmp_path / "final/model", given, given.validation, [ACCURACY])
    assert again["accuracy"] == result.values["accuracy"]


def test_a_family_that_is_too_slow_for_the_rows_ends_at_once_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sizes.LIMITS, "svm", sizes.Limit(100, 10_000))
    ctx = context(tmp_path, task())
    result = evaluate({"model": "svm"}, ctx)
    assert result.stopped.startswith(
        "svm is tried up to 100 rows and 10,000 cells, but training has 120 rows ×"
    )
    assert not result.values and not ctx.reports
    asked = Space({"model": Choice(("svm",))})
    assert evaluate({"model": "svm"}, context(tmp_path / "asked", task(), space=asked)).values
    assert evaluate({"model": "svm"}, context(tmp_path / "final", task(), final=True)).values


def test_a_trial_takes_as_many_threads_as_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    fit = TableModel.fit

    def noted(self: TableModel, x: pd.DataFrame, *rest: Any) -> TableModel:
        seen.append(self.threads)
        return fit(self, x, *rest)

    monkeypatch.setattr(TableModel, "fit", noted)
    config = {"model": "random_forest", "forest_trees": 5}
    one = evaluate(config, context(tmp_path / "one", task()))
    two = evaluate(config, context(tmp_path / "two", task(), devices=2.0))
    assert seen == [1, 1, 1, 2, 2, 2] and one == two


def test_what_early_stopping_left_out_is_told_once(tmp_path: Path) -> None:
    result = evaluate({"boosting_patience": 5, "boosting_rounds": 10}, context(tmp_path, task()))
    reason = "boosting is not stopped early on 80 rows, fewer than 200: all rounds are fitted"
    assert result.note == reason


def test_a_space_whose_packages_are_absent_is_refused_before_any_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, outline = Pipeline(OPTIONS), TaskOutline((ACCURACY,), True)
    assert not list(pipeline.mistakes(WITH_BOOSTERS, outline))
    monkeypatch.setattr(boosters, "installed", lambda: ("lightgbm",))
    ((_, text),) = pipeline.mistakes(WITH_BOOSTERS, outline)
    assert "but catboost, xgboost are not; pip install 'automl-orchestrator[tables]'" in text
    assert not list(pipeline.mistakes(SPACE, outline))
    assert not list(pipeline.mistakes(WITH_BOOSTERS.narrow({"model": ["linear", "lightgbm"]}), outline))
    with pytest.raises(UserError, match=r"but catboost is not; pip install"):
        evaluate({"model": "catboost"}, context(tmp_path, task()))


def test_same_seed_equal_other_seed_different(tmp_path: Path) -> None:
    config = {"model": "extra_trees", "forest_trees": 5}
    a, b, c = (
        evaluate(config, context(tmp_path / name, task(0), seed=seed)).values
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert a == b != c


def test_folds_are_the_same_for_all_trials(tmp_path: Path) -> None:
    first, second = (context(tmp_path / str(seed), task(), seed=seed) for seed in (1, 2))
    evaluate(LINEAR, first)
    evaluate(LINEAR, second)
    assert first.reports == second.reports


def test_an_interrupted_trial_goes_on_at_its_next_fold(tmp_path: Path) -> None:
    whole = context(tmp_path / "whole", task())
    expected = evaluate(LINEAR, whole)
    with pytest.raises(TrialStopped):
        evaluate(LINEAR, context(tmp_path / "cut", task(), stop_at=2))
    second = context(tmp_path / "cut", task())
    assert evaluate(LINEAR, second) == expected
    assert second.reports == whole.reports[1:]


@pytest.mark.parametrize("model", ["svm", "random_forest"])
def test_several_metrics_and_probabilities(tmp_path: Path, model: str) -> None:
    metrics = [AUC, LOG_LOSS, ACCURACY]
    result = evaluate({"model": model, "forest_trees": 20}, context(tmp_path, task(2), metrics=metrics))
    assert result.values["roc_auc"] > 0.9
    assert result.values["log_loss"] < 0.6
    assert set(result.metrics) == {"roc_auc_fold_std", "log_loss_fold_std", "accuracy_fold_std"}


def test_probabilities_sum_to_one() -> None:
    given = task(3)
    for model in ("svm", "knn"):
        p = TableModel({"model": model}, 3, 0).fit(given.train.x, given.train.y).predict(given.validation.x)
        assert p.shape == (120, 3) and np.allclose(p.sum(axis=1), 1)


def test_final_fits_all_training_rows_and_scores_the_same_later(tmp_path: Path) -> None:
    given = task(2)
    ctx = context(tmp_path, given, final=True, seed=7)
    config = {"model": "random_forest", "forest_trees": 10}
    result = evaluate(config, ctx)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]
    pipeline = Pipeline(OPTIONS)
    scored = pipeline.score(tmp_path / "model", given, given.validation, [ACCURACY])
    assert scored.pop("accuracy_low") < result.values["accuracy"] <= scored.pop("accuracy_high")
    assert scored == result.values
    moved = Task("t", "table", (7,), 2, given.train, given.validation, "f" * 64)
    with pytest.raises(UserError, match="their digests differ"):
        pipeline.score(tmp_path / "model", moved, given.validation, [ACCURACY])
    with pytest.raises(UserError, match="must hold config"):
        pipeline.score(tmp_path, given, given.validation, [ACCURACY])


def test_a_kept_model_is_scored_as_it_was_fitted_and_fitted_again_when_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(task(3), reading=TableReading((), "target", None), labels=("a", "b", "c"))
    config: Config = {"model": "random_forest", "forest_trees": 10}
    values = evaluate(config, context(tmp_path, given, final=True, seed=7)).values
    fits: list[int] = []
    fit = TableModel.fit
    monkeypatch.setattr(TableModel, "fit", lambda *args: (fits.append(1), fit(*args))[1])
    kept = tmp_path / "model" / saved.FITTED
    for number, damage in enumerate((lambda: None, lambda: kept.write_bytes(b"no archive"), kept.unlink)):
        damage()
        scored = Pipeline(OPTIONS).score(tmp_path / "model", given, given.validation, [ACCURACY])
        assert scored["accuracy"] == values["accuracy"]
        assert len(fits) == number


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"modell": "svm"}, "but got modell; rename"),
        ({"model": "lstm"}, "model must be one of linear.*but got 'lstm'"),
        ({"imputation": "magic"}, "imputation must be one of mean"),
        ({"encoding": "hash"}, "encoding must be one of one_hot"),
        ({"model": "knn", "scaling": "unit"}, "scaling must be one of none"),
        ({"boosting_encoding": "hash"}, "boosting_encoding must be one of one_hot"),
    ],
)
def test_wrong_configurations(tmp_path: Path, config: Config, message: str) -> None:
    with pytest.raises(UserError, match=message):
        evaluate(config, context(tmp_path, task()))


def test_wrong_tasks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'stripes' is of kind image; use the evaluator network"):
        evaluate(LINEAR, context(tmp_path, image_task()))
    with pytest.raises(UserError, match="metrics parameters; remove"):
        evaluate(LINEAR, context(tmp_path, task(), metrics=[Metric("parameters", Direction.MINIMIZE)]))
    few = task(2, 8)
    few.train.y[:] = [0, 0, 1, 1, 1, 1, 1, 1]
    with pytest.raises(UserError, match=r"there are fewer of '0' \(2\); lower"):
        evaluate(LINEAR, context(tmp_path, few))


def test_wrong_tasks_are_refused_before_any_trial() -> None:
    pipeline, space = Pipeline(PipelineOptions(folds=3)), SPACE
    pipeline.check_data(task(), space, pipeline)
    with pytest.raises(UserError, match="'stripes' is of kind image; use the evaluator network"):
        pipeline.check_data(image_task(), space, pipeline)
    numbers = replace(image_task(), classes=0)
    with pytest.raises(UserError, match="save what describes each row as a table"):
        pipeline.check_data(numbers, space, pipeline)
    few = task(2, 8)
    few.train.y[:] = [0, 0, 1, 1, 1, 1, 1, 1]
    with pytest.raises(UserError, match=r"there are fewer of '0' \(2\); lower"):
        pipeline.check_data(few, space, pipeline)


def test_the_space_and_the_pipeline_agree() -> None:
    assert set(SPACE.parameters) == set(WITH_BOOSTERS.parameters) == set(DEFAULTS)
    assert set(WITH_BOOSTERS.parameters["model"].options) == set(FAMILIES)
    for name, parameter in SPACE.parameters.items():
        if hasattr(parameter, "options") and name != "boosting_encoding":  # without it as others encode
            assert DEFAULTS[name] in parameter.options
    assert "none" not in SPACE.parameters["scaling"].options


def test_tidy_keeps_numbers_and_names_what_is_missing() -> None:
    frame = pd.DataFrame(
        {"n": pd.array([1, None], dtype="Int64"), "b": [True, False], "s": ["x", None], "m": [1, "y"]}
    )
    found = tidy(frame)
    assert found["n"].dtype == found["b"].dtype == np.float64 and np.isnan(found["n"][1])
    assert found["s"].tolist() == ["x", "missing"] and found["m"].tolist() == ["1", "y"]


RAW = [
    Path(folder) / "tabular_raw" for folder in os.environ.get("AUTOML_DATA", "").split(os.pathsep) if folder
]
RAW = [folder for folder in RAW if folder.is_dir()]
REAL = {
    # file: (target, metric, value a majority or mean guess gives)
    "titanic.csv.gz": ("survived", ACCURACY, 0.62),
    "penguins.csv.gz": ("species", ACCURACY, 0.45),
    "orange_juice_missing.csv.gz": ("Purchase", ACCURACY, 0.62),
    "auto_mpg.csv.gz": ("mpg", R2, 0.0),
    "house_prices_ames.csv.gz": ("SalePrice", R2, 0.0),
}


@pytest.mark.skipif(not RAW, reason="AUTOML_DATA lists no folder with tabular_raw/ (real tables)")
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_real_tables_with_words_and_missing_values(tmp_path: Path, name: str, encoding: str) -> None:
    target, metric, guess = REAL[name]
    spec = {
        "dataset": str(RAW[0] / name),
        "target": target,
        "metrics": [{"name": metric.name, "direction": "maximize"}],
    }
    given = load_task(spec)
    config = {"model": "extra_trees", "forest_trees": 20, "encoding": encoding}
    result = evaluate(config, context(tmp_path, given, metrics=[metric]))
    assert result.values[metric.name] > guess + 0.08
