"""Fit a scikit-learn pipeline on a table: k-fold cross-validation on the training rows, one fold a step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from automl import metrics
from automl.contracts import (
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Json,
    Metric,
    Mistakes,
    Result,
    Split,
    Task,
    TaskOutline,
    UserError,
)
from automl.space import Choice, Int, Space
from automl.tables import boosters, fairness, families, intervals, monotone, thresholds, weighting
from automl.tables.calibrating import copy_calibration, keep_calibration, measured
from automl.tables.cross_validation import Folding, cross_validate, may_keep
from automl.tables.ensembles import Ensemble
from automl.tables.final import Combining
from automl.tables.folders import description, keep_model, predicted_by
from automl.tables.folds import folds
from automl.tables.model import TableModel
from automl.tables.needs import NEEDS, Allowance, needed
from automl.tables.options import PipelineOptions
from automl.tables.requiring import require_predictions, require_table
from automl.tables.sizes import not_tried
from automl.tables.thresholds import score, seen_by

COMBINED = 50  # trials that keep predictions for an ensemble
PROBABILISTIC = {"log_loss", "roc_auc"}


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
    refits: ClassVar[bool] = True
    leaves: ClassVar[Literal["network", "learner", "table"] | None] = "table"
    libraries: ClassVar[tuple[str, ...]] = (*families.LIBRARIES, *boosters.installed())

    options: PipelineOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """Cross-validate `config`, reporting the running mean after each fold.

        A final evaluation fits on all training rows instead, and its value is that on validation. A family
        that takes too long on so many rows ends at once, as pruned, where the space has others.
        """
        task, names = context.task, [metric.name for metric in context.metrics]
        require_table(task)
        require_predictions(names)
        if context.refits is not None:
            return self._refit(context.refits, context, names)
        if context.final:
            return self._fit_final(config, context, names)
        if stopped := not_tried(config, task, context.space) or self._left_out(config, task):
            return Result({}, stopped=stopped)
        wanted, unkept = self.options.folds, may_keep(task) if self.combined() else ""
        keep = bool(self.combined()) and not unkept
        made = partial(self._made, config, task, names, context.seed, _threads(context))
        measured = [*names, *self._further(context)]
        given = bool(self.options.fairness)
        how = Folding(wanted, self._weights(task), keep, given, self.options.rows_first)
        done = cross_validate(context, measured, made, how)
        further = done.deviations(measured)
        notes = [*done.notes, *([unkept] if unkept else [])]
        if len(done.scores) < wanted:
            notes.append(f"the budget left time for {len(done.scores)} of {wanted} folds")
        means = dict(zip(measured, done.means, strict=True))
        further |= {name: means.pop(name) for name in measured[len(names) :]}
        further |= self._groups.of_folds(task, wanted, done.predictions)
        return Result(metrics.finite(means, names), further, note="; ".join(notes))

    def _further(self, context: Context) -> list[str]:
        """Metrics of each fold that constraints name, besides those of the study."""
        own = {*fairness.measured(), *(metric.name for metric in context.metrics)}
        return [name for name in context.constraints if name not in own]

    @property
    def _groups(self) -> fairness.Groups:
        return fairness.Groups(self.options.fairness)

    def _left_out(self, config: Config, task: Task) -> str:
        """Why the family of `config` cannot do what is asked for; "" where it can."""
        counted = self.options.class_weights or task.train.weights is not None
        why = monotone.not_monotone(config, self.options.monotone)
        return why or (weighting.not_weighted(config) if counted else "")

    def _weights(self, task: Task) -> np.ndarray | None:
        return weighting.row_weights(task.train, balanced=self.options.class_weights)

    def measures(self) -> Collection[str]:
        """Metrics of predictions, and what a fitted pipeline needs."""
        between = fairness.measured() if self.options.fairness else ()
        return (*metrics.CLASSIFICATION, *metrics.REGRESSION, *NEEDS, *between)

    def combined(self) -> int:
        """How many of the best trials keep their predictions of all training rows."""
        return COMBINED if self.options.ensemble or self.options.threshold else 0

    def mistakes(self, space: Space, task: TaskOutline) -> Mistakes:
        """Families of the space whose packages are not installed; options that no family or metric has."""
        if self.options.threshold:
            yield from thresholds.mistakes(task.metrics[0].name)
        yield from monotone.mistakes(self.options.monotone, space)
        if self.options.class_weights:
            yield from weighting.mistakes(space, "class_weights")
        models = space.parameters.get("model")
        try:
            boosters.require(models.options if isinstance(models, Choice) else ())
        except UserError as error:
            yield "", str(error)

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless the task is a table that can be folded, and options fit it."""
        require_table(task)
        if self.options.threshold:
            thresholds.check_classes(task)
        monotone.check_columns(self.options.monotone, task)
        self._groups.check(task)
        weighting.check_weights(task, space, balanced=self.options.class_weights)
        list(folds(task, self.options.folds))

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the pipeline described in the folder `model`, and the interval of the first.

        One that was not kept, or cannot be read here, is fitted again on the training rows, by the same
        configuration and seed: equal to what was fitted then. Raises `UserError` when the data are not
        those it was fitted on.
        """
        described = description(model, task)
        names = [metric.name for metric in metrics]
        require_table(task)
        require_predictions(names)
        predictions = predicted_by(model, data, task.classes)
        if predictions is None:
            predictions = self._again(described, task, names).predict(data.x)
        threshold = described.get("threshold")
        found = intervals.interval(names[0], data.y, seen_by(names[0], predictions, threshold), data.groups)
        scores = {**score(names, data.y, predictions, threshold), **intervals.named(names[0], found)}
        scores |= self._groups.differences(data.x, data.y, predictions, threshold)
        return {**scores, **measured(model, data, predictions, threshold)}

    def _again(
        self, described: Json, task: Task, names: list[str], threads: int = 1
    ) -> TableModel | Ensemble:
        """What a folder describes, fitted on the training rows."""
        alone = {"config": described["config"], "seed": described["seed"], "weight": 1.0}
        members, train = described.get("members") or [alone], task.train
        made = [self._made(one["config"], task, names, one["seed"], threads) for one in members]
        fitted = [model.fit(train.x, train.y, self._weights(task)) for model in made]
        return fitted[0] if len(fitted) == 1 else Ensemble(fitted, [one["weight"] for one in members])

    def _refit(self, described: Json, context: Context, names: list[str]) -> Result:
        """Fit what a final evaluation has described on all rows. It has no value: no row is unseen."""
        model = self._again(described, context.task, names, _threads(context))
        folder = context.workdir / "model"
        keep_model(model, context.task, described, folder)
        notes = copy_calibration(context, folder)
        return Result({}, {"rows": len(context.task.train)}, note="; ".join(notes))

    def _fit_final(self, config: Config, context: Context, names: list[str]) -> Result:
        task, options = context.task, self.options

        def make(config: Config, seed: int) -> TableModel:
            return self._made(config, task, names, seed, _threads(context))

        row, bounds = task.train.x.iloc[:1], context.constraints
        allowance = Allowance({name: one for name, one in bounds.items() if name in NEEDS}, row)
        how = (options.folds, options.ensemble, options.threshold, self._weights(task))
        fitted = Combining(context, make, allowance, *how).fit(config)
        threshold = None if fitted.threshold is None else fitted.threshold.value
        predictions = fitted.model.predict(task.validation.x)
        further = [name for name in self._further(context) if name not in NEEDS]
        values = score([*names, *further], task.validation.y, predictions, threshold)
        more = {**{name: values.pop(name) for name in further}, **needed(fitted.model, row, bounds)}
        more |= self._groups.differences(task.validation.x, task.validation.y, predictions, threshold)
        described: Json = {"config": config, "seed": context.seed}
        described |= {} if threshold is None else {"threshold": threshold}
        if fitted.members:
            described["members"] = [member.to_json() for member in fitted.members]
        keep_model(fitted.model, task, described, context.workdir / "model")
        context.report(1, values[names[0]], **{name: values[name] for name in names[1:]})
        notes = [*fitted.notes]
        if options.ensemble:
            notes += keep_calibration(context, options.folds, fitted.held, context.workdir / "model")
        return Result(metrics.finite(values, names), {**fitted.metrics, **more}, note="; ".join(notes))

    def _made(self, config: Config, task: Task, names: list[str], seed: int, threads: int = 1) -> TableModel:
        """A model to be fitted; in an ensemble all must have probabilities."""
        return TableModel(
            config,
            task.classes,
            seed,
            calibrate=bool(self.combined()) or not PROBABILISTIC.isdisjoint(names),
            threads=threads,
            texts=task.texts,
            monotone=monotone.signs_of(self.options.monotone),
        )


def _threads(context: Context) -> int:
    return max(1, int(context.devices))


PLUGIN = Pipeline
