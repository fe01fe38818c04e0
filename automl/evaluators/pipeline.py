"""Fit a scikit-learn pipeline on a table: k-fold cross-validation on the training rows, one fold a step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from automl import metrics
from automl.checkpoints import write_atomically
from automl.contracts import (
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Mistakes,
    Result,
    Split,
    Task,
    TaskOutline,
    UserError,
)
from automl.space import Choice, Int, Space
from automl.tables import boosters, intervals, saved
from automl.tables.folds import folds
from automl.tables.model import TableModel, predicted
from automl.tables.sizes import not_tried

FORMAT = 1
PROBABILISTIC = {"log_loss", "roc_auc"}


class PipelineOptions(EvaluatorOptions):
    """`folds`: parts of the training rows, each of which is held out once."""

    folds: int = Field(5, ge=2, le=50)


class Pipeline(Evaluator):
    """The evaluator `pipeline`. Its value is the mean over the folds, which are the same for all trials."""

    Options: ClassVar[type[EvaluatorOptions]] = PipelineOptions
    example_options: ClassVar[Mapping[str, Any]] = {"folds": 3}
    example_space: ClassVar[Space | None] = Space(
        {"model": Choice(("extra_trees",)), "forest_trees": Int(5, 9)}
    )
    needs_data: ClassVar[bool] = True
    cross_validates: ClassVar[bool] = True
    returns_early: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False
    leaves: ClassVar[Literal["network", "learner", "table"] | None] = "table"
    libraries: ClassVar[tuple[str, ...]] = (
        *("sklearn.calibration", "sklearn.compose", "sklearn.ensemble", "sklearn.impute", "sklearn.metrics"),
        *(
            "sklearn.model_selection",
            "sklearn.neighbors",
            "sklearn.neural_network",
            "sklearn.svm",
            "skops.io",
        ),
        *boosters.installed(),
    )

    options: PipelineOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """Cross-validate `config`, reporting the running mean after each fold.

        A final evaluation fits on all training rows instead, and its value is that on validation. A family
        that takes too long on so many rows ends at once, as pruned, where the space has others.
        """
        task, names = context.task, [metric.name for metric in context.metrics]
        _require_table(task)
        _require_predictions(names)
        if context.final:
            return self._fit_final(config, context, names)
        if stopped := not_tried(config, task, context.space):
            return Result({}, stopped=stopped)
        notes: list[str] = []
        found = context.checkpoint.load()
        scores: list[list[float]] = found[1]["scores"] if found else []
        for fold, (fit, held) in enumerate(folds(task, self.options.folds), start=1):
            if fold <= len(scores):
                continue
            data = Split(task.train.x.iloc[held], task.train.y[held])
            part = Split(task.train.x.iloc[fit], task.train.y[fit])
            model = _model(config, task, names, context.seed, _threads(context))
            values = _score(model, part, data, names)
            notes += [note for note in model.notes if note not in notes]
            scores.append([values[name] for name in names])
            means = dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))
            if context.needs_value and context.remaining <= 0:
                break  # a report would end the trial without a value
            context.report(fold, means[names[0]], **{name: means[name] for name in names[1:]})
            context.checkpoint.save(fold, {"scores": scores})
        means = dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))
        if len(scores) < 2:
            spread = {}
        else:
            deviations = np.std(scores, axis=0, ddof=1).tolist()
            spread = {f"{name}_fold_std": value for name, value in zip(names, deviations, strict=True)}
        wanted = self.options.folds
        if len(scores) < wanted:
            notes.append(f"the budget left time for {len(scores)} of {wanted} folds")
        return Result(metrics.finite(means, names), spread, note="; ".join(notes))

    def mistakes(self, space: Space, task: TaskOutline) -> Mistakes:
        """Families of the space whose packages are not installed."""
        models = space.parameters.get("model")
        try:
            boosters.require(models.options if isinstance(models, Choice) else ())
        except UserError as error:
            yield "", str(error)

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless the task is a table that can be folded."""
        _require_table(task)
        list(folds(task, self.options.folds))

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the pipeline described in the folder `model`, and the interval of the first.

        One that was not kept, or cannot be read here, is fitted again on the training rows, by the same
        configuration and seed: equal to what was fitted then. Raises `UserError` when the data are not
        those it was fitted on.
        """
        try:
            described = json.loads((model / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"a model folder must hold config.json, but {model}: {error}; train it again"
            ) from error
        if described["task"] != task.digest:
            raise UserError(
                "a pipeline must be scored on the data it was fitted on, but their digests differ: "
                f"{described['task']} and {task.digest}; train it again"
            )
        names = [metric.name for metric in metrics]
        _require_table(task)
        _require_predictions(names)
        predictions = _by_kept(model, data, task.classes)
        if predictions is None:
            again = _model(described["config"], task, names, described["seed"])
            predictions = again.fit(task.train.x, task.train.y).predict(data.x)
        found = intervals.interval(names[0], data.y, predictions, data.groups)
        return {**_values(names, data, predictions), **intervals.named(names[0], found)}

    def _fit_final(self, config: Config, context: Context, names: list[str]) -> Result:
        task = context.task
        model = _model(config, task, names, context.seed, _threads(context))
        model.fit(task.train.x, task.train.y)
        values = metrics.score(names, task.validation.y, model.predict(task.validation.x))
        folder = context.workdir / "model"
        folder.mkdir(parents=True, exist_ok=True)
        if task.reading is not None:
            saved.save(model, saved.Described(task.reading, task.labels), folder)
        described = {"format": FORMAT, "config": config, "seed": context.seed, "task": task.digest}
        write_atomically(folder / "config.json", json.dumps(described, indent=1).encode())
        context.report(1, values[names[0]], **{name: values[name] for name in names[1:]})
        return Result(metrics.finite(values, names), note="; ".join(model.notes))


def _threads(context: Context) -> int:
    return max(1, int(context.devices))


def _model(config: Config, task: Task, names: list[str], seed: int, threads: int = 1) -> TableModel:
    calibrate = not PROBABILISTIC.isdisjoint(names)
    return TableModel(config, task.classes, seed, calibrate=calibrate, threads=threads, texts=task.texts)


def _score(model: TableModel, fit: Split, data: Split, names: list[str]) -> dict[str, Any]:
    return _values(names, data, model.fit(fit.x, fit.y).predict(data.x))


def _by_kept(folder: Path, data: Split, classes: int) -> np.ndarray | None:
    """Predictions of the fitted model in `folder`; None when none was kept, or it cannot be read here."""
    if not (folder / saved.FITTED).is_file():
        return None
    try:
        fitted, _ = saved.load(folder)
    except UserError:
        return None
    return predicted(fitted, data.x, classes)


def _values(names: list[str], data: Split, predictions: np.ndarray) -> dict[str, float]:
    return metrics.score(names, data.y, predictions)


def _require_table(task: Task) -> None:
    if task.kind != "table":
        classified = task.kind == "image" and task.classes > 0
        advice = "use the evaluator network" if classified else "save what describes each row as a table"
        raise UserError(f"a pipeline needs a table, but {task.name!r} is of kind {task.kind}; {advice}")


def _require_predictions(names: list[str]) -> None:
    resources = [name for name in names if name in metrics.RESOURCES]
    if resources:
        raise UserError(
            f"a pipeline measures predictions, but got the metrics {', '.join(resources)}; remove them"
        )


PLUGIN = Pipeline
