"""Meta-train one learner, and judge it on fixed episodes of classes or functions it has never seen.

A parameter of the space named like one of the options, the learner's own included, sets that option for its
trial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from automl import plugins
from automl.contracts import (
    ADAPTATION_STEPS,
    BaselineArm,
    Config,
    Context,
    Episodes,
    EpisodeSpec,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Mistakes,
    PluginSpec,
    Result,
    Split,
    Task,
    TaskKind,
    TaskOutline,
    UserError,
)
from automl.data import few_shot
from automl.data.episodes import EpisodeSampler
from automl.metatraining import fitting, scores
from automl.metatraining.options import MetaLearnOptions, find_learner, task_kind
from automl.metatraining.outer_loop import MetaTraining
from automl.metatraining.saved import build_learner, load_learner
from automl.metrics import CLASSIFICATION, REGRESSION
from automl.ranks.sharing import FEWEST
from automl.space import Choice, Float, Space

SIZES = ("train_ways", "train_shots", "train_queries")  # of training episodes
BASELINE_STRATEGY = PluginSpec("tpe")


class MetaLearn(Evaluator):
    """The evaluator `metalearn`. Its value is the metric on validation episodes after the last iteration."""

    Options: ClassVar[type[EvaluatorOptions]] = MetaLearnOptions
    example_options: ClassVar[Mapping[str, Any]] = {
        "width": 2,
        "iterations": 3,
        "report_every": 1,
        "validation_episodes": 4,
        "formulation": "loop",
    }
    example_space: ClassVar[Space | None] = Space({"inner_rate": Float(0.01, 0.5, log=True)})
    needs_data: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False
    needs_episodes: ClassVar[bool] = True
    options_fix_parameters: ClassVar[bool] = True
    leaves: ClassVar[Literal["network", "learner"] | None] = "learner"

    options: MetaLearnOptions

    @classmethod
    def fixing_options(cls, options: Mapping[str, Any], space: Space, *, shared: bool) -> set[str]:
        """All; where an arm's space names other learners, only those that belong to no learner."""
        fields = MetaLearnOptions.model_fields
        learners = space.parameters.get("learner")
        learner = options.get("learner", fields["learner"].default)
        if shared and isinstance(learners, Choice) and learner not in learners.options:
            return set(options) & (set(fields) - {"learner"})
        return set(options)

    @classmethod
    def completed_options(cls, options: Mapping[str, Any], task: TaskOutline) -> Mapping[str, Any]:
        """`options` with the backbone `auto` written out. Options that are not valid stay as they are."""
        try:
            backbone = MetaLearnOptions.model_validate(options).backbone_for(task_kind(task.metrics))
        except ValueError:
            return options
        return {**options, "backbone": backbone}

    @classmethod
    def baseline_arms(cls, task: TaskOutline) -> list[BaselineArm]:
        """An arm for each learner that is a baseline, learns such tasks and has a space of its name."""
        kind, spaces = task_kind(task.metrics), set(plugins.names("spaces"))
        return [
            BaselineArm(name.replace("_", "-"), name, BASELINE_STRATEGY)
            for name in plugins.names("learners")
            if name in spaces and _is_baseline(name, kind)
        ]

    def mistakes(self, space: Space, task: TaskOutline) -> Mistakes:
        """Learners of the space that do not have its parameters, or cannot learn such tasks."""
        return fitting.mistakes(self.options, space, task)

    def measures(self) -> Collection[str]:
        """Metrics of classes and of numbers; which of them suit the task, its data say."""
        return (*CLASSIFICATION, *REGRESSION)

    def most_ranks(self) -> int | None:
        """A meta-batch can be divided into single tasks, and a batch into pairs of examples."""
        return min(self.options.meta_batch, self.options.batch_size // FEWEST)

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless every learner and every training episode of `space` suits the data."""
        spec = scores.episodes_of(task)
        config = space.default_config()
        config |= fitting.highest(space, SIZES)
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
        further = [name for name in context.constraints if name not in names]
        validation = run.validate(names)
        more = scores.measure(run.learner, run.validation, further) if further else {}
        familiar = scores.measure(run.learner, run.familiar(), names[:1])
        if context.final:
            run.save(config)
        metrics = {
            f"train_{names[0]}": familiar[names[0]].mean,
            f"{names[0]}_low": validation[names[0]].low,
            f"{names[0]}_high": validation[names[0]].high,
            "train_loss": run.loss,
            **{name: value.mean for name, value in more.items()},
        }
        run.describe()
        if run.formulation is not None:
            metrics["batched"] = float(run.formulation != "loop")
        return Result({name: validation[name].mean for name in names}, metrics)

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
        values = scores.named(scores.measure(learner, episodes, names))
        for steps in ADAPTATION_STEPS if learner.adaptation_steps else ():
            after = scores.measure(learner, episodes, names, steps=steps)
            values |= {f"{name}_after_{steps}": value.mean for name, value in after.items()}
        for shots in spec.more_shots:
            other = scores.measure(learner, test_episodes(replace(spec, shots=shots)), names)
            values |= scores.named(other, f"_{shots}_shot")
        return values


def _is_baseline(name: str, kind: TaskKind) -> bool:
    """Whether the learner is a baseline for tasks of this kind; a broken plug-in is none."""
    try:
        learner = find_learner(name)
    except UserError:
        return False
    return learner.baseline and kind in learner.kinds


PLUGIN = MetaLearn
