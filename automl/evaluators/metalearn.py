"""Meta-train one learner, and judge it on fixed episodes of classes or functions it has never seen.

A parameter of the space named like one of the options, the learner's own included, sets that option for its
trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from automl import plugins
from automl.contracts import (
    ADAPTATION_STEPS,
    Config,
    Context,
    Episodes,
    EpisodeSpec,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Result,
    Scalar,
    Split,
    Task,
    UserError,
)
from automl.data import few_shot
from automl.data.episodes import EpisodeSampler
from automl.learners.base import LearnerOptions
from automl.metatraining import scores
from automl.metatraining.outer_loop import MetaTraining, build_learner, load_learner
from automl.space import Choice, Parameter, Space

SIZES = ("train_ways", "train_shots", "train_queries")  # of training episodes


class MetaLearnOptions(EvaluatorOptions):
    """The learner by name, its backbone, and how it is meta-trained; all other options are the learner's own.

    `backbone` auto: `mlp` for functions, `conv4` for images. `transductive`: a query's batch-norm statistics
    come from the query batch, not from the support set. A meta-iteration takes `meta_batch` episodes, or a
    batch of `batch_size` for learners that train on all classes at once; `train_ways`, `train_shots`,
    `train_queries` and `train_rotations` are the task's own unless set. Every `report_every` meta-iterations
    the metric is taken on `validation_episodes` fixed episodes.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    learner: str = "maml"
    backbone: Literal["auto", "conv4", "resnet12", "mlp"] = "auto"
    width: int = Field(32, ge=1)
    transductive: bool = False
    meta_batch: int = Field(4, ge=1)
    batch_size: int = Field(64, ge=2)
    iterations: int = Field(1000, ge=1)
    report_every: int = Field(100, ge=1)
    validation_episodes: int = Field(200, ge=2)
    train_ways: int | None = Field(None, ge=2)
    train_shots: int | None = Field(None, ge=1)
    train_queries: int | None = Field(None, ge=1)
    train_rotations: bool | None = None

    @model_validator(mode="after")
    def _check_learner(self) -> MetaLearnOptions:
        try:
            self.learner_options()
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    def learner_options(self) -> LearnerOptions:
        """The options of the learner. Raises `UserError` for an unknown learner or option."""
        learner = plugins.load("learners", self.learner)
        try:
            options: LearnerOptions = learner.Options.model_validate(self.model_extra or {})
        except ValidationError as error:
            known = [*MetaLearnOptions.model_fields, *learner.Options.model_fields]
            mistakes = [_mistake(item, f"option of {self.learner}", known) for item in error.errors()]
            raise UserError("; ".join(mistakes)) from error
        return options

    def adjusted(self, config: Config) -> MetaLearnOptions:
        """These options with those that `config` sets; when it names a learner, only what that one has.

        Raises `UserError` for a parameter that is no option, or for a value out of range.
        """
        learner = str(config.get("learner", self.learner))
        known = plugins.load("learners", learner).Options.model_fields
        given = {
            name: value
            for name, value in self.model_dump().items()
            if name in MetaLearnOptions.model_fields or name in known
        }
        try:
            return MetaLearnOptions.model_validate({**given, **config})
        except ValidationError as error:
            raise UserError(
                f"a parameter must be an option of the learner {learner!r} with a value it takes, but "
                f"{error.errors()[0]['msg']}; change the search space"
            ) from error

    def training_episodes(self, spec: EpisodeSpec) -> EpisodeSpec:
        """How training episodes are drawn."""
        return EpisodeSpec(
            ways=self.train_ways or spec.ways,
            shots=self.train_shots or spec.shots,
            queries=self.train_queries or spec.queries,
            rotations=spec.rotations if self.train_rotations is None else self.train_rotations,
        )


class MetaLearn(Evaluator):
    """The evaluator `metalearn`. Its value is the metric on validation episodes after the last iteration."""

    Options: ClassVar[type[EvaluatorOptions]] = MetaLearnOptions
    needs_data: ClassVar[bool] = True
    leaves: ClassVar[Literal["network", "learner"] | None] = "learner"
    needs_episodes: ClassVar[bool] = True

    options: MetaLearnOptions

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless every learner and every training episode of `space` suits the data."""
        spec = scores.episodes_of(task)
        config = space.default_config()
        config |= {name: _highest(space.parameters[name]) for name in SIZES if name in space.parameters}
        options = self.options.adjusted(config)
        build_learner(options, task, spec.ways, seed=0)
        try:
            few_shot.check(task.train.y, task.shape, options.training_episodes(spec), task.kind)
        except UserError as error:
            raise UserError(f"training episodes cannot be drawn: {error}, or narrow the space") from error

    def evaluate(self, config: Config, context: Context) -> Result:
        """Meta-train and report every `report_every` iterations; the state is kept at each report.

        With `context.final` the learner is left in `<workdir>/model`. Raises `UserError` before any training
        when the learner cannot learn these tasks, `RunError` when the loss stops being finite.
        """
        options = self.options.adjusted(config)
        run = MetaTraining(options, context)
        run.train()
        names = [metric.name for metric in context.metrics]
        validation = run.validate(names)
        seen = scores.measure(run.learner, run.familiar(), names[:1])
        if context.final:
            run.save(config)
        found = {
            f"train_{names[0]}": seen[names[0]].mean,
            f"{names[0]}_low": validation[names[0]].low,
            f"{names[0]}_high": validation[names[0]].high,
            "train_loss": run.loss,
        }
        run.describe()
        if run.formulation is not None:
            found["batched"] = float(run.formulation != "loop")
        return Result({name: validation[name].mean for name in names}, found)

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on the fixed episodes of `data` of the learner saved in the folder `model`.

        Each comes with its 95 % interval over the episodes (`_low`, `_high`) and, where the learner adapts
        step by step, its value after 0, 1, 3, 5 and 10 steps (`_after_0` …). Episodes with other
        `more_shots` of the task give `<metric>_<shots>_shot`.
        """
        learner, spec = load_learner(model), scores.episodes_of(task)
        names = [metric.name for metric in metrics]

        def test_episodes(spec: EpisodeSpec) -> Iterator[Episodes]:
            sampler = EpisodeSampler(data, spec, kind=task.kind, seed=scores.seed(task))
            return sampler.fixed(spec.count, scores.BATCH, name="test")

        episodes = list(test_episodes(spec))
        found = scores.named(scores.measure(learner, episodes, names))
        for steps in ADAPTATION_STEPS if learner.adaptation_steps else ():
            after = scores.measure(learner, episodes, names, steps=steps)
            found |= {f"{name}_after_{steps}": value.mean for name, value in after.items()}
        for shots in spec.more_shots:
            other = scores.measure(learner, test_episodes(replace(spec, shots=shots)), names)
            found |= scores.named(other, f"_{shots}_shot")
        return found


def _mistake(found: ErrorDetails, what: str, known: list[str]) -> str:
    name = ".".join(map(str, found["loc"]))
    if found["type"] == "extra_forbidden":
        return plugins.unknown(what, name, known)
    return f"{name}: {found['msg']}, but got {found['input']!r}"


def _highest(parameter: Parameter) -> Scalar:
    if isinstance(parameter, Choice):
        return max((value for value in parameter.options if isinstance(value, int)), default=None)
    return parameter.high


PLUGIN = MetaLearn
